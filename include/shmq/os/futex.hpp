// Futexes shared between processes, and the barrier that lets a sleeper pay for the publisher's missing
// fence.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

namespace shmq::os {

/// Sleeps while `word` holds `expected`, for `timeout_ns` at most (less than 0: for ever). Returns early
/// without a reason from time to time, as futexes do: look again.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t timeout_ns);

/// One word of several to sleep on, and the value that says that nothing has happened there yet.
struct FutexSleep {
  std::atomic<std::uint32_t>* word = nullptr;
  std::uint32_t expected = 0;
};

/// So many words one futex_waitv takes.
inline constexpr std::size_t kFutexesMax = 128;
/// How long a sleep on several words lasts at most where futex_waitv (Linux 5.16) is refused, by the kernel's
/// age or a seccomp filter, or where there are more than kFutexesMax: then only some words can wake it.
inline constexpr std::int64_t kFutexLookNs = 1'000'000;

/// Sleeps while every word holds what is expected of it, for `timeout_ns` at most (less than 0: for ever).
/// Returns early without a reason as futex_wait() does; look at everything again. At least one word.
void futex_wait_any(std::span<const FutexSleep> sleeps, std::int64_t timeout_ns);

/// Wakes everybody who sleeps on `word`, in whatever process.
void futex_wake_all(const std::atomic<std::uint32_t>& word);

/// Whether this process could register for MEMBARRIER_CMD_GLOBAL_EXPEDITED; asked once. Where the kernel or a
/// seccomp filter refuses, publishers have to fence instead.
bool membarrier_available();

/// Makes every running thread of every registered process execute a full memory barrier; false where that is
/// refused.
bool membarrier_all();

}  // namespace shmq::os
