// How many processors this process may use.
#pragma once

#include <sched.h>

namespace shmq::cli {

inline unsigned processors() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
}

}  // namespace shmq::cli
