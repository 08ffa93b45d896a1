// The least that a round trip between two sleepers can cost here: each side writes a word, wakes the other by
// FUTEX_WAKE and sleeps on a word of its own. No queue, no payload.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace shmq::bench {

struct FutexWords {
  struct alignas(128) Line {
    std::atomic<std::uint32_t> word{0};
  };
  Line there;
  Line back;
};

inline void put_and_wake(std::atomic<std::uint32_t>& word, std::uint32_t value) {
  word.store(value, std::memory_order_release);
  ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

/// Sleeps while the word still has the value `last`; returns the new one.
inline std::uint32_t sleep_until_other(std::atomic<std::uint32_t>& word, std::uint32_t last) {
  for (;;) {
    const std::uint32_t seen = word.load(std::memory_order_acquire);
    if (seen != last) return seen;
    ::syscall(SYS_futex, &word, FUTEX_WAIT, last, nullptr, nullptr, 0);
  }
}

}  // namespace shmq::bench
