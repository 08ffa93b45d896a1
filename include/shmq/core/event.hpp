// Sleeping and waking across processes, paid for by the sleeper.
//
// An event is one 32-bit futex word: [31:3] sequence | [2] its queue is closed | [1] publishers must fence |
// [0] somebody may sleep.
//
// The publisher makes its change and then merely loads the word: no fence, no system call while nobody
// sleeps. What keeps a sleeper from missing the change is on the sleeper's side: it sets bit 0, makes every
// running thread execute a full barrier (membarrier), looks again, and only then sleeps. A publisher whose
// load came before the bit was set has, after that barrier, made its change visible to the second look; any
// other publisher sees the bit. Where membarrier is refused to a process, that process sets bit 1 in the
// events it uses, for good, and publishers then fence between the change and the load (the classic form of
// the same argument).
//
// What a kill leaves: a sleeper killed leaves bit 0 and costs one needless wake. A publisher killed between
// its change and the wake leaves a sleeper asleep: sleepers look again by themselves every kSleepSliceNs, as
// they do to find dead peers. Nothing else depends on that slice.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "shmq/base/fence.hpp"
#include "shmq/os/futex.hpp"

namespace shmq::core {

using EventWord = std::atomic<std::uint32_t>;

inline constexpr std::uint32_t kEventWaiting = 1;
inline constexpr std::uint32_t kEventFence = 2;
inline constexpr std::uint32_t kEventClosed =
    4;  // in a queue's data event: whoever drains it sleeps elsewhere
inline constexpr std::uint32_t kEventStep = 8;

/// The longest sleep between two looks at what a killed peer may have left.
inline constexpr std::int64_t kSleepSliceNs = 20'000'000;

/// Wakes whoever sleeps, flag or no flag: after repairs, on close and on removal.
inline void notify_everyone(EventWord& event) {
  event.fetch_add(kEventStep, std::memory_order_acq_rel);
  event.fetch_and(~kEventWaiting, std::memory_order_acq_rel);
  os::futex_wake_all(event);
}

inline void notify_flagged(EventWord& event, std::uint32_t seen) {
  if (seen & kEventFence) {
    base::fence(std::memory_order_seq_cst);
    seen = event.load(std::memory_order_relaxed);
  }
  // Nobody loses so many races to others who keep to the protocol.
  for (int race = 0; race < 1000; ++race) {
    if (!(seen & kEventWaiting)) return;
    const std::uint32_t next = (seen + kEventStep) & ~kEventWaiting;
    if (event.compare_exchange_strong(seen, next, std::memory_order_acq_rel, std::memory_order_relaxed)) {
      os::futex_wake_all(event);
      return;
    }
  }
  notify_everyone(event);
}

/// To be called after the change that sleepers wait for.
inline void notify(EventWord& event) {
  std::atomic_signal_fence(
      std::memory_order_seq_cst);  // the compiler may not move the load before the change
  const std::uint32_t seen = event.load(std::memory_order_relaxed);
  if (seen & (kEventWaiting | kEventFence)) [[unlikely]]
    notify_flagged(event, seen);
}

/// Announces a sleeper and returns the value to sleep on. The caller looks at its condition again before it
/// sleeps.
inline std::uint32_t prepare_sleep(EventWord& event) {
  const std::uint32_t seen = event.fetch_or(kEventWaiting, std::memory_order_seq_cst) | kEventWaiting;
  if (seen & kEventFence)
    base::fence(std::memory_order_seq_cst);
  else if (!os::membarrier_all()) {
    // Refused by now, although this process could register: a filter came after that. Who publishes at this
    // instant is seen by the next slice, everybody later fences.
    event.fetch_or(kEventFence, std::memory_order_seq_cst);
    return seen | kEventFence;
  }
  return seen;
}

/// prepare_sleep() for several events with one barrier for all of them: it comes after the last flag and before
/// the caller's second look, which is all that the argument above needs. Sets what is to be slept on.
inline void prepare_sleep(std::span<os::FutexSleep> sleeps) {
  bool barrier = false, fence = false;
  for (os::FutexSleep& sleep : sleeps) {
    sleep.expected = sleep.word->fetch_or(kEventWaiting, std::memory_order_seq_cst) | kEventWaiting;
    (sleep.expected & kEventFence ? fence : barrier) = true;
  }
  if (fence) base::fence(std::memory_order_seq_cst);
  if (!barrier || os::membarrier_all()) return;
  for (os::FutexSleep& sleep : sleeps) {  // refused by now, as above
    if (sleep.expected & kEventFence) continue;
    sleep.word->fetch_or(kEventFence, std::memory_order_seq_cst);
    sleep.expected |= kEventFence;
  }
}

/// Called once for each event that a process is going to use.
inline void declare_barriers(EventWord& event) {
  if (!os::membarrier_available()) event.fetch_or(kEventFence, std::memory_order_seq_cst);
}

}  // namespace shmq::core
