#include "signal_inbox.hpp"

#include <sys/signalfd.h>

#include <cerrno>

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::cli {

namespace {

sigset_t look_at_blocked() {
  sigset_t set;
  ::sigemptyset(&set);
  ::pthread_sigmask(SIG_BLOCK, nullptr, &set);
  return set;
}

const sigset_t kBlockedAtStart = look_at_blocked();

}  // namespace

const sigset_t& blocked_at_start() { return kBlockedAtStart; }

SignalInbox::SignalInbox(std::initializer_list<int> signals) {
  sigset_t taken;
  ::sigemptyset(&taken);
  for (const int signal : signals) {
    struct sigaction action {};
    ::sigaction(signal, nullptr, &action);
    // An ignored SIGCHLD would have the kernel throw away how children ended.
    if (signal == SIGCHLD) {
      action = {};
      action.sa_handler = SIG_DFL;
      ::sigaction(SIGCHLD, &action, nullptr);
    }
    if (action.sa_handler != SIG_IGN) ::sigaddset(&taken, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &taken, &former_);
  fd_ = Descriptor(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd_) throw Failure{kFailed, "cannot watch signals: " + base::errno_text(errno)};
}

SignalInbox::~SignalInbox() { ::pthread_sigmask(SIG_SETMASK, &former_, nullptr); }

SignalInbox::Taken SignalInbox::take_from() {
  signalfd_siginfo came{};
  if (::read(fd_.get(), &came, sizeof came) != sizeof came) return {};
  return {static_cast<int>(came.ssi_signo), static_cast<pid_t>(came.ssi_pid)};
}

}  // namespace shmq::cli
