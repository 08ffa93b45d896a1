// A command as a child process: started without a shell, in a process group of its own, its output collected as it comes.
//
// One thread may have any number of them: their descriptors are in an epoll set of the caller's, and whenever that says
// that something is there, each child's advance() does what can be done without waiting.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "descriptor.hpp"

namespace shmq::cli {

/// How a command ended.
struct Ending {
  int status = 0;     // exit status, where no signal ended it
  int signal = 0;     // that ended it; 0: it exited
  bool core = false;  // a core was dumped
  bool good() const { return status == 0 && signal == 0; }
};

/// "exit status 3", "ended by signal 11 (core dumped)".
std::string ending_text(const Ending& ending);

class Child {
 public:
  struct Start {
    std::string program;                 // the file to execute
    std::vector<std::string> arguments;  // its own name first
    std::optional<std::string> input = std::nullopt;  // for its standard input; none: /dev/null
    bool take_errors = false;            // its standard error goes to `errors`, too
    std::vector<std::string> environment = {};  // NAME=VALUE, before this program's own
  };
  using Sink = std::function<void(std::string_view)>;

  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Must have ended: finished() is true, or it was never started.
  ~Child();

  /// 0, or the errno with which it could not be started. It runs with the signals that this program was started with.
  int start(int epoll, Start what);
  pid_t pid() const { return pid_; }

  /// Reads and writes what there is. True once it has ended and what it wrote until then was given to the sinks. What it
  /// left running in the background is not waited for. Must be called by due_ns(), too.
  bool advance(const Sink& output, const Sink& errors = nullptr);
  /// Whether it has exited; it is a zombie from then until forget().
  bool finished() const { return ending_.has_value(); }
  const Ending& ending() const { return *ending_; }

  /// Asks its whole process group to end (SIGTERM); after the grace it is made to (SIGKILL).
  void end(std::int64_t grace_ns);
  /// SIGKILL for the whole group.
  void kill();
  bool ending_asked() const { return kill_at_ns_ != 0; }
  /// When advance() must be called at the latest, on CLOCK_MONOTONIC; INT64_MAX: whenever.
  std::int64_t due_ns() const;

 private:
  void write_input();
  void drain(Descriptor& from, const Sink& sink);
  void look_for_end();
  void signal_group(int signal);

  pid_t pid_ = 0;
  int epoll_ = -1;
  Descriptor process_, input_, output_, errors_;
  std::string to_write_;
  std::size_t written_ = 0;
  std::int64_t kill_at_ns_ = 0;  // 0: it was not asked to end
  bool killed_ = false;
  std::optional<Ending> ending_;
};

}  // namespace shmq::cli
