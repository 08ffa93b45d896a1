#include "children.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace wordcount {

pid_t Children::start(const std::string& role, const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error(std::string("cannot start a process: ") + std::strerror(errno));
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::signal(SIGINT, SIG_IGN);  // of the terminal: the parent ends its children itself
    ::_exit(body());
  }
  running_.push_back({pid, role});
  return pid;
}

void Children::kill(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  std::erase_if(running_, [&](const Child& child) { return child.pid == pid; });
}

bool Children::any_running() {
  std::erase_if(running_, [&](const Child& child) {
    int status = 0;
    if (::waitpid(child.pid, &status, WNOHANG) != child.pid) return false;
    if (status != 0 && failed_.empty())
      failed_ = child.role + " (pid " + std::to_string(child.pid) + ") ended with " +
                (WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                     : "status " + std::to_string(WEXITSTATUS(status)));
    return true;
  });
  return !running_.empty();
}

void Children::end_all() {
  while (!running_.empty()) kill(running_.front().pid);
}

}  // namespace wordcount
