// A thread of the library's own in its user's process.
#pragma once

#include <pthread.h>

#include "shmq/result.hpp"

namespace shmq::os {

/// Starts a thread that takes no signal: all are blocked in it. `name` has 15 characters at most. no_space
/// where the process may not have another thread. The caller joins it.
Result<pthread_t> start_helper_thread(const char* name, void* (*run)(void*), void* argument);

}  // namespace shmq::os
