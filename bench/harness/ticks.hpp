// The time stamp counter, which costs a few nanoseconds where clock_gettime() costs twenty; elsewhere than on
// x86 the monotonic clock. Ticks of two cores of one machine may be compared only where its kernel says
// `constant_tsc`; the benchmarks subtract readings of one core alone.
#pragma once

#include <cstdint>

#include "shmq/base/clock.hpp"

namespace bench {

inline std::uint64_t ticks() {
#if defined(__x86_64__)
  unsigned low = 0;
  unsigned high = 0;
  // lfence: the reading waits for what comes before it.
  asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (std::uint64_t{high} << 32) | low;
#else
  return static_cast<std::uint64_t>(shmq::base::monotonic_ns());
#endif
}

/// How long a tick is, from one stretch of time that was read on both clocks.
class TickLength {
 public:
  TickLength() : ticks_(ticks()), ns_(shmq::base::monotonic_ns()) {}
  /// Nanoseconds of a tick, measured from the construction until now: a millisecond or more gives four digits.
  double ns() const {
    const auto passed = static_cast<double>(ticks() - ticks_);
    return passed > 0 ? static_cast<double>(shmq::base::monotonic_ns() - ns_) / passed : 1.0;
  }

 private:
  std::uint64_t ticks_;
  std::int64_t ns_;
};

}  // namespace bench
