#include "stepped.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "watch.hpp"

namespace hostile {

namespace {

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// Both on one processor: a step is then two switches and no wake-up of another processor.
class OneProcessor {
 public:
  explicit OneProcessor(pid_t other) {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
    ::sched_setaffinity(0, sizeof one, &one);
    ::sched_setaffinity(other, sizeof one, &one);
  }
  OneProcessor(const OneProcessor&) = delete;
  OneProcessor& operator=(const OneProcessor&) = delete;
  ~OneProcessor() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_{};
};

std::string verdict(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) return "hangs";
  if (WIFSIGNALED(status)) return std::string("killed by ") + ::strsignal(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

Stepped step_through(const std::function<void()>& prepare, const std::function<void()>& operation,
                     const std::function<void(std::uint64_t)>& between, std::uint64_t most) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    prepare();
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    operation();
    ::kill(::getpid(), SIGKILL);  // the end, before anything else is stepped
  }
  Stepped result;
  int status = wait_for(pid);
  if (!WIFSTOPPED(status)) {
    result.wrong = "before the operation: " + verdict(status);
    return result;
  }
  const OneProcessor one(pid);
  int signal = 0;
  const auto over = [&] { return WIFEXITED(status) || WIFSIGNALED(status); };
  for (; result.steps < most; ++result.steps) {
    if (::ptrace(PTRACE_SINGLESTEP, pid, nullptr, signal) != 0) break;
    status = wait_for(pid);
    if (over()) break;
    signal = WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
    between(result.steps);
  }
  result.ended = over();
  if (!result.ended) {
    // Freely, and watched: it must end now that nothing changes any more.
    ::ptrace(PTRACE_DETACH, pid, nullptr, signal);
    for (unsigned tenths = 0; tenths < 10 * kPatienceSeconds; ++tenths) {
      if (::waitpid(pid, &status, WNOHANG) == pid) break;
      status = -1;
      ::usleep(100'000);
    }
    if (status == -1) {
      ::kill(pid, SIGKILL);
      (void)wait_for(pid);
      result.wrong = "hangs after all stands still";
      return result;
    }
  }
  if (!(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) result.wrong = verdict(status);
  return result;
}

}  // namespace hostile
