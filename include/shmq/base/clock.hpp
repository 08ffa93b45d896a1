// The clocks used: CLOCK_MONOTONIC for waiting and holding times, CLOCK_REALTIME for times that people read.
#pragma once

#include <time.h>

#include <cstdint>

namespace shmq::base {

inline std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// Nanoseconds since boot, not counting suspend; the same for every process of the host.
inline std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

/// Nanoseconds since 1970, as set by people and by NTP: for display only.
inline std::int64_t realtime_ns() { return clock_ns(CLOCK_REALTIME); }

/// a - b, where both may have been read from shared memory and be anything: wraps around.
inline std::int64_t wrapping_difference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

/// In a branch: the compiler must not make a conditional move of it. A branch is predicted and lets what follows begin
/// early; a conditional move waits for what it is decided by.
inline void keep_branch() { asm volatile(""); }

inline void cpu_relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

}  // namespace shmq::base
