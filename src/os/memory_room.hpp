// How much more memory this process may use. A tmpfs promises its size, not the memory for it: what is
// reserved beyond the limit of a cgroup, or beyond the host's memory, is answered by the kernel with SIGKILL
// instead of an error.
#pragma once

#include <cstdint>
#include <string>

namespace shmq::os {

struct MemoryRoom {
  std::uint64_t free_bytes =
      UINT64_MAX;  // what could be had: caches that the kernel would drop, and swap, included
  std::uint64_t limit_bytes = UINT64_MAX;
  std::string limit_name;  // the file of the cgroup that sets the limit; empty: the host's memory
};

/// The narrowest limit of this process's cgroups (version 2 or 1) and of the host, as far as /proc and /sys
/// tell.
MemoryRoom memory_room();

}  // namespace shmq::os
