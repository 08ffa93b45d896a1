// The clock of the measurements: the processor's time-stamp counter where it runs at one rate on all cores
// (9 ns a reading), else CLOCK_MONOTONIC. Readings are compared across cores of one machine. Nothing is
// subtracted for the reading itself: what is measured and what it is measured against pay for it alike.
#pragma once

#include <cstdint>

#include "shmq/base/clock.hpp"

namespace shmq::bench {

struct TickClock {
  bool tsc = false;  // else nanoseconds of CLOCK_MONOTONIC
  std::uint64_t step =
      1;  // readings move by so much at once: 26 where a counter of 2.6 GHz follows one of 100 MHz
  double ns_per_tick = 1.0;  // a tick is one step

  double ns(double ticks) const { return ticks * ns_per_tick; }
  /// How much a reading grows in `ns`.
  std::uint64_t units(std::int64_t ns) const {
    return static_cast<std::uint64_t>(static_cast<double>(ns) / ns_per_tick * static_cast<double>(step));
  }
};

/// Calibrated by calibrate(), once, before the roles are forked.
extern TickClock tick_clock;
void calibrate();

/// A reading that comes after all earlier loads of this thread. Only differences of two mean anything.
inline std::uint64_t read_clock() {
#if defined(__x86_64__)
  if (tick_clock.tsc) {
    __builtin_ia32_lfence();
    return __builtin_ia32_rdtsc();
  }
#endif
  return static_cast<std::uint64_t>(base::monotonic_ns());
}

/// The difference of two readings in ticks.
inline std::uint64_t ticks_between(std::uint64_t before, std::uint64_t after) {
  // Another core's counter may be a few steps behind.
  const auto difference = static_cast<std::int64_t>(after - before);
  return difference <= 0 ? 0
                         : (static_cast<std::uint64_t>(difference) + tick_clock.step / 2) / tick_clock.step;
}

}  // namespace shmq::bench
