// A descriptor that becomes readable when something happens: an eventfd, for poll, epoll and io_uring.
#pragma once

#include "shmq/result.hpp"

namespace shmq::os {

/// Close-on-exec and nonblocking; not readable. no_space where the process has no descriptors left. The
/// caller closes it.
Result<int> make_event_descriptor();
/// Makes it readable.
void raise_event(int descriptor);
/// Makes it not readable; nothing happens where it is not.
void clear_event(int descriptor);
void close_event(int descriptor);

}  // namespace shmq::os
