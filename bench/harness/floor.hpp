// The hardware floor: two pinned workers pass a word to and fro, one cache line each way, without `pause`. No
// queue between two cores answers faster than this.
#pragma once

#include <atomic>
#include <cstdint>

#include "harness/histogram.hpp"
#include "harness/ticks.hpp"

namespace bench {

class Floor {
 public:
  static constexpr std::uint64_t kTrips = 2000;

  /// The side that measures: kTrips round trips, in ticks, into `times`. The other side calls answer().
  void ask(Histogram& times) {
    for (std::uint64_t trip = 1; trip <= kTrips; ++trip) {
      const std::uint64_t start = ticks();
      there_.store(trip, std::memory_order_release);
      while (back_.load(std::memory_order_acquire) != trip) {
      }
      const std::uint64_t took = ticks() - start;
      if (trip > kTrips / 10) times.add(took);
    }
    back_.store(0, std::memory_order_relaxed);
  }
  void answer() {
    for (std::uint64_t trip = 1; trip <= kTrips; ++trip) {
      while (there_.load(std::memory_order_acquire) != trip) {
      }
      back_.store(trip, std::memory_order_release);
    }
  }

 private:
  alignas(128) std::atomic<std::uint64_t> there_{0};
  alignas(128) std::atomic<std::uint64_t> back_{0};
};

}  // namespace bench
