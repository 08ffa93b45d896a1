// Futexes shared between processes, and the barrier that lets a sleeper pay for the publisher's missing
// fence.
#pragma once

#include <atomic>
#include <cstdint>

namespace shmq::os {

/// Sleeps while `word` holds `expected`, for `timeout_ns` at most (less than 0: for ever). Returns early
/// without a reason from time to time, as futexes do: look again.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t timeout_ns);

/// Wakes everybody who sleeps on `word`, in whatever process.
void futex_wake_all(const std::atomic<std::uint32_t>& word);

/// Whether this process could register for MEMBARRIER_CMD_GLOBAL_EXPEDITED; asked once. Where the kernel or a
/// seccomp filter refuses, publishers have to fence instead.
bool membarrier_available();

/// Makes every running thread of every registered process execute a full memory barrier; false where that is
/// refused.
bool membarrier_all();

}  // namespace shmq::os
