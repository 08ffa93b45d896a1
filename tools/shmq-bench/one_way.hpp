// One way from one process to another, one thing on its way at a time: from before it is sent until the other side has it.
// The answer that it has come goes back in a cache line, and is no part of it.
#pragma once

#include <atomic>
#include <cstdint>

#include "floor.hpp"
#include "histogram.hpp"
#include "shmq/base/clock.hpp"
#include "ticks.hpp"

namespace shmq::bench {

struct OneWayLines {
  FloorLines::Line sent;    // when what is on its way was sent
  FloorLines::Line answer;  // the number of what came last
};

/// Sends 1, 2, 3, … through `send(number)` until the sample is complete, and then kEnd. `pause_units`: how long the sender
/// does nothing before each, so that the other side is asleep. By time at least `least` are counted.
template <class Send>
void one_way_ping(OneWayLines& lines, const SampleLength& length, std::uint64_t least, std::uint64_t pause_units, Send&& send) {
  const std::uint64_t start = read_clock();
  const auto over = [&](std::uint64_t n) {
    if (length.rounds != 0) return n > length.rounds + length.warm_up;
    return n > length.warm_up + least && read_clock() - start >= length.clock_units;
  };
  for (std::uint64_t n = 1;; ++n) {
    const std::uint64_t number = over(n) ? kEnd : n;
    if (pause_units != 0)
      for (const std::uint64_t from = read_clock(); read_clock() - from < pause_units;) base::cpu_relax();
    lines.sent.word.store(read_clock(), std::memory_order_relaxed);
    send(number);
    while (lines.answer.word.load(std::memory_order_acquire) != number) {
    }
    if (number == kEnd) return;
  }
}

/// `receive()` gives the number; what `after()` does is no part of the way.
template <class Receive, class After>
void one_way_pong(OneWayLines& lines, std::uint64_t warm_up, Histogram& into, Receive&& receive, After&& after) {
  for (std::uint64_t number = 0; number != kEnd;) {
    number = receive();
    const std::uint64_t came = read_clock();
    if (number > warm_up && number != kEnd)
      into.record(ticks_between(lines.sent.word.load(std::memory_order_relaxed), came));
    after();
    lines.answer.word.store(number, std::memory_order_release);
  }
}

}  // namespace shmq::bench
