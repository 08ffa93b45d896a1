// One sample of a flow: what producers and consumers do, and what they note about it, whatever the queue is.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "arena.hpp"
#include "payload.hpp"
#include "ticks.hpp"

namespace shmq::bench {

/// What one role notes in one sample.
struct alignas(128) Notes {
  std::uint64_t messages = 0;
  std::uint64_t sum = 0;    // of all words written, or read
  std::uint64_t start = 0;  // clock readings
  std::uint64_t end = 0;
};

/// What the roles of one sample share, beside the queue.
struct FlowControl {
  struct alignas(128) Word {
    std::atomic<std::uint64_t> value{0};
  };
  Word stop;       // the time is over: set by one producer, looked at by all of them before each message
  Word producing;  // producers that have not ended
  Word consuming;  // consumers that have not met the end
};

struct FlowLength {
  std::uint64_t messages = 0;  // for each producer; 0: by time
  std::uint64_t clock_units = 0;
};

/// Sends until the sample is complete. The last producer to end sends the one message that tells the
/// consumers. `send(first, most, sum)` sends at least one message and at most `most`, and returns how many.
template <class Send>
void produce(FlowControl& control, const FlowLength& length, bool keeps_time, Notes& notes, Send&& send) {
  constexpr std::uint64_t kLook = 64;  // messages between two looks at the clock
  std::uint64_t sum = 0, n = 0;
  const std::uint64_t start = read_clock();
  if (length.messages != 0) {
    while (n < length.messages) n += send(n, length.messages - n, sum);
  } else {
    std::uint64_t next_look = kLook;
    while (control.stop.value.load(std::memory_order_relaxed) == 0) {
      n += send(n, UINT64_MAX, sum);
      if (!keeps_time || n < next_look) continue;
      next_look = n + kLook;
      if (read_clock() - start >= length.clock_units) control.stop.value.store(1, std::memory_order_relaxed);
    }
  }
  notes = {n, sum, start, read_clock()};
  if (control.producing.value.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  send(kEnd, 1, sum);
}

/// Receives until it meets the end, which it passes on while there are others.
/// `receive(sum, each)` takes at least one message and calls each(first word) for every one of them.
template <class Receive, class PassOn>
void consume(FlowControl& control, Notes& notes, Receive&& receive, PassOn&& pass_on) {
  std::uint64_t sum = 0, n = 0;
  bool over = false;
  const std::uint64_t start = read_clock();
  while (!over) {
    receive(sum, [&](std::uint64_t first) {
      ++n;
      if (first == kEnd) [[unlikely]]
        over = true;
    });
  }
  notes = {n - 1, sum, start, read_clock()};
  if (control.consuming.value.fetch_sub(1, std::memory_order_acq_rel) != 1) pass_on();
}

}  // namespace shmq::bench
