#include "os/event_descriptor.hpp"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "base/text.hpp"

namespace shmq::os {

Result<int> make_event_descriptor() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor >= 0) return descriptor;
  if (errno == EMFILE) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return Error(ErrorCode::no_space, "cannot make an eventfd: this process has all of its " +
                                          std::to_string(limit.rlim_cur) +
                                          " descriptors open; close some, or raise the limit (ulimit -n)");
  }
  return base::system_error(errno, "cannot make an eventfd");
}

void raise_event(int descriptor) {
  const std::uint64_t one = 1;
  (void)!::write(descriptor, &one,
                 sizeof one);  // it can only fail where the counter is full: readable as well
}

void clear_event(int descriptor) {
  std::uint64_t count = 0;
  (void)!::read(descriptor, &count, sizeof count);
}

void close_event(int descriptor) { ::close(descriptor); }

}  // namespace shmq::os
