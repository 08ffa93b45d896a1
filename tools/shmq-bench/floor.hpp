// The least that a round trip can cost here: one cache line each way between two processes that do nothing
// but look at it, without `pause`. Measured in the same run, right before and after each sample, because a
// virtual machine changes under one's hands: a ratio holds from run to run where a time does not.
#pragma once

#include <atomic>
#include <cstdint>

#include "histogram.hpp"
#include "payload.hpp"
#include "ticks.hpp"

namespace shmq::bench {

struct FloorLines {
  struct alignas(128) Line {
    std::atomic<std::uint64_t> word{0};
  };
  Line there;
  Line back;
};

/// When a sample ends: after so many rounds, or so much time. The first rounds are not recorded.
struct SampleLength {
  std::uint64_t rounds = 0;  // 0: by time
  std::uint64_t clock_units = 0;
  std::uint64_t warm_up = 0;  // rounds
};

/// Round trips through `round(first)` until the sample is complete; the last one is told with kEnd.
template <class Round>
void record_rounds(const SampleLength& length, Histogram& into, Round&& round) {
  const std::uint64_t start = read_clock();
  for (std::uint64_t n = 1;; ++n) {
    const std::uint64_t before = read_clock();
    round(n);
    const std::uint64_t after = read_clock();
    if (n > length.warm_up) into.record(ticks_between(before, after));
    if (length.rounds != 0 ? n >= length.rounds + length.warm_up : after - start >= length.clock_units) break;
  }
  round(kEnd);
}

inline void floor_ping(FloorLines& lines, const SampleLength& length, Histogram& into) {
  record_rounds(length, into, [&](std::uint64_t n) {
    lines.there.word.store(n, std::memory_order_release);
    while (lines.back.word.load(std::memory_order_acquire) != n) {
    }
  });
}

inline void floor_pong(FloorLines& lines) {
  std::uint64_t last = lines.back.word.load(std::memory_order_relaxed);
  do {
    std::uint64_t seen = last;
    while (seen == last) seen = lines.there.word.load(std::memory_order_acquire);
    last = seen;
    lines.back.word.store(last, std::memory_order_release);
  } while (last != kEnd);
}

}  // namespace shmq::bench
