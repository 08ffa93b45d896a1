#include "left_behind.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <new>
#include <string>

#include "base/text.hpp"
#include "failure.hpp"
#include "output.hpp"
#include "signal_inbox.hpp"

namespace shmq::cli {

CommandPids::CommandPids(std::size_t count) {
  void* const shared =
      ::mmap(nullptr, count * sizeof(CommandPid), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw Failure{kFailed, "no memory: " + base::errno_text(errno)};
  pids_ = {static_cast<CommandPid*>(shared), count};
  for (CommandPid& pid : pids_) new (&pid) CommandPid(0);
}

CommandPids::~CommandPids() { ::munmap(pids_.data(), pids_.size_bytes()); }

void adopt_left_behind() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }

void end_left_behind(CommandPid& command) {
  const pid_t pid = command.exchange(0);
  siginfo_t state{};
  if (pid <= 0 || ::waitid(P_PID, static_cast<id_t>(pid), &state, WEXITED | WNOHANG | WNOWAIT) != 0) return;
  ::kill(-pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

int run_watched(std::size_t commands, const char* name, const std::function<int(std::span<CommandPid>)>& body) {
  CommandPids pids(commands);
  SignalInbox signals({SIGINT, SIGTERM, SIGHUP, SIGCHLD});
  adopt_left_behind();
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw Failure{kFailed, "cannot start a process: " + base::errno_text(errno)};
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    int status = kFailed;
    try {
      if (::getppid() == parent) status = body(pids.all());
    } catch (const Failure& failure) {
      remark(std::string(name) + ": " + failure.message);
      status = failure.status;
    } catch (const std::exception& error) {
      remark(std::string(name) + ": " + error.what());
    }
    ::_exit(status);
  }
  for (;;) {
    pollfd came{signals.fd(), POLLIN, 0};
    (void)::poll(&came, 1, -1);
    for (int signal = 0; (signal = signals.take()) != 0;)
      if (signal != SIGCHLD) ::kill(child, SIGTERM);  // not reaped yet: nobody else has this pid
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (pid != child) continue;  // left behind by a command
      for (CommandPid& command : pids.all()) end_left_behind(command);
      if (WIFEXITED(status)) return WEXITSTATUS(status);
      remark(std::string(name) + ": its worker was killed by signal " + std::to_string(WTERMSIG(status)));
      return kSignal + WTERMSIG(status);
    }
  }
}

}  // namespace shmq::cli
