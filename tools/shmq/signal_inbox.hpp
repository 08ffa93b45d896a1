// Signals as a descriptor, for programs that wait for many things at once, or fork: no thread is needed.
#pragma once

#include <signal.h>

#include <initializer_list>

#include "descriptor.hpp"

namespace shmq::cli {

/// From its construction on the signals end nothing: they are read here. Those that the program was started with as
/// ignored (nohup, a script's background job) stay ignored, but for SIGCHLD. Threads must be started after it.
class SignalInbox {
 public:
  explicit SignalInbox(std::initializer_list<int> signals);
  ~SignalInbox();
  SignalInbox(const SignalInbox&) = delete;
  SignalInbox& operator=(const SignalInbox&) = delete;

  int fd() const { return fd_.get(); }
  struct Taken {
    int signal = 0;  // 0: none
    pid_t from = 0;  // who sent it; 0: the kernel
  };
  /// The next signal that came. Does not wait.
  Taken take_from();
  int take() { return take_from().signal; }

 private:
  sigset_t former_ = {};
  Descriptor fd_;
};

/// The signals that were blocked when the program started: child processes run with these.
const sigset_t& blocked_at_start();

}  // namespace shmq::cli
