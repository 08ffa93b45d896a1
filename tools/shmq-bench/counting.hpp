// Counts what this process does: its allocations, by a malloc of its own, and its system calls, by a filter
// of the kernel that lets none through.
#pragma once

#include <cstdint>

namespace shmq::bench {

/// Why this build counts neither: it has a sanitizer. Empty where it has none.
const char* why_nothing_is_counted();

/// Whether this build counts allocations (glibc, no sanitizer).
bool counts_allocations();
/// Calls of malloc, calloc, realloc and their aligned relatives, operator new included, since the program
/// started.
std::uint64_t allocations_so_far();

/// From here on, and for good, no system call of this process is carried out except _exit(): each answers
/// ENOSYS and is counted. False where the kernel refuses and, with nothing changed, in a build with a
/// sanitizer.
bool refuse_system_calls();
std::uint64_t refused_so_far();

}  // namespace shmq::bench
