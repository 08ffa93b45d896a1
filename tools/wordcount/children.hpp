// The child processes of the job: started, watched and ended by pid.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace wordcount {

class Children {
 public:
  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() { end_all(); }

  /// Forks; the child runs `body` and exits with its result. It dies with its parent.
  pid_t start(const std::string& role, const std::function<int()>& body);
  /// SIGKILL, and waits until it is gone.
  void kill(pid_t pid);
  /// Looks who has ended; true while somebody runs. `failed()` then tells who ended badly.
  bool any_running();
  const std::string& failed() const { return failed_; }
  void end_all();

 private:
  struct Child {
    pid_t pid;
    std::string role;
  };
  std::vector<Child> running_;
  std::string failed_;
};

}  // namespace wordcount
