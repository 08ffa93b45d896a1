#include "os/helper_thread.hpp"

#include <csignal>

#include <cerrno>
#include <string>

#include "base/text.hpp"

namespace shmq::os {

Result<pthread_t> start_helper_thread(const char* name, void* (*run)(void*), void* argument) {
  // Blocked before it starts: a thread inherits its maker's mask.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const int error = ::pthread_create(&thread, nullptr, run, argument);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == EAGAIN)
    return Error(ErrorCode::no_space, "cannot start the helper thread \"" + std::string(name) +
                                          "\": " + base::errno_text(error) +
                                          "; the user's processes and threads (ulimit -u), the container's "
                                          "(pids.max) or the memory for its stack are used up");
  if (error != 0)
    return base::system_error(error, "cannot start the helper thread \"" + std::string(name) + "\"");
  ::pthread_setname_np(thread, name);
  return thread;
}

}  // namespace shmq::os
