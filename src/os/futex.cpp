#include "shmq/os/futex.hpp"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace shmq::os {

namespace {

/// The kernel's struct futex_waitv; headers older than 5.16 do not have it.
struct Waiter {
  std::uint64_t value = 0;
  std::uint64_t address = 0;
  std::uint32_t flags = 0;
  std::uint32_t reserved = 0;
};
static_assert(sizeof(Waiter) == 24);
constexpr std::uint32_t kFutex32 = 2;  // FUTEX_32, and shared between processes
constexpr long kFutexWaitv = 449;      // the same number on every architecture

/// False where the kernel would not do it, whatever the reason.
bool wait_on_all(std::span<const FutexSleep> sleeps, std::int64_t timeout_ns) {
  std::array<Waiter, kFutexesMax> waiters;
  for (std::size_t i = 0; i < sleeps.size(); ++i)
    waiters[i] = {sleeps[i].expected, reinterpret_cast<std::uintptr_t>(sleeps[i].word), kFutex32, 0};
  timespec until{};  // this call takes a time of the clock, not a duration
  if (timeout_ns >= 0) {
    ::clock_gettime(CLOCK_MONOTONIC, &until);
    const std::int64_t ns = until.tv_nsec + timeout_ns % 1'000'000'000;
    until.tv_sec += timeout_ns / 1'000'000'000 + ns / 1'000'000'000;
    until.tv_nsec = ns % 1'000'000'000;
  }
  const long result = ::syscall(kFutexWaitv, waiters.data(), sleeps.size(), 0,
                                timeout_ns < 0 ? nullptr : &until, CLOCK_MONOTONIC);
  return result >= 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT;
}

}  // namespace

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, std::int64_t timeout_ns) {
  timespec timeout{};
  timeout.tv_sec = timeout_ns / 1'000'000'000;
  timeout.tv_nsec = timeout_ns % 1'000'000'000;
  ::syscall(SYS_futex, &word, FUTEX_WAIT, expected, timeout_ns < 0 ? nullptr : &timeout, nullptr, 0);
}

void futex_wait_any(std::span<const FutexSleep> sleeps, std::int64_t timeout_ns) {
  if (sleeps.size() == 1) return futex_wait(*sleeps[0].word, sleeps[0].expected, timeout_ns);
  const std::int64_t short_ns = timeout_ns < 0 ? kFutexLookNs : std::min(timeout_ns, kFutexLookNs);
  const bool too_many = sleeps.size() > kFutexesMax;
  if (wait_on_all(sleeps.first(std::min(sleeps.size(), kFutexesMax)), too_many ? short_ns : timeout_ns))
    return;
  futex_wait(*sleeps[0].word, sleeps[0].expected, short_ns);
}

void futex_wake_all(const std::atomic<std::uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool membarrier_available() {
  // Not the initialiser of a static: registering takes the kernel milliseconds, and a child that is forked meanwhile by
  // another thread would wait for this one for ever. To register twice does no harm.
  enum : int { kUnknown, kAvailable, kRefused };
  constinit static std::atomic<int> known{kUnknown};
  int before = known.load(std::memory_order_acquire);
  if (before != kUnknown) return before == kAvailable;
  const bool done = ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
  known.compare_exchange_strong(before, done ? kAvailable : kRefused, std::memory_order_acq_rel);
  return before == kUnknown ? done : before == kAvailable;
}

bool membarrier_all() { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0; }

}  // namespace shmq::os
