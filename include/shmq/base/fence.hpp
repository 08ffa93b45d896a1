// Fences, and reads that may race, in a form that ThreadSanitizer can live with.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_THREAD__)
#define SHMQ_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SHMQ_THREAD_SANITIZER 1
#endif
#endif

namespace shmq::base {

/// std::atomic_thread_fence. ThreadSanitizer does not know fences: there it is an operation on an atomic that
/// all threads share, which orders more than a fence does.
inline void fence([[maybe_unused]] std::memory_order order) {
#if SHMQ_THREAD_SANITIZER
  static std::atomic<std::uint32_t> everybody{0};
  everybody.fetch_add(1, std::memory_order_seq_cst);
#else
  std::atomic_thread_fence(order);
#endif
}

/// A word that its writer may be changing just now, by plain stores: the caller looks afterwards whether what
/// it read counts.
#if SHMQ_THREAD_SANITIZER
__attribute__((no_sanitize("thread"), noinline))
#endif
inline std::uint64_t
load_racing(const std::uint64_t& word) {
  return __atomic_load_n(&word, __ATOMIC_RELAXED);
}

/// Bytes that others may be changing just now, copied like that. `from` and `to` are aligned to 8.
#if SHMQ_THREAD_SANITIZER
__attribute__((no_sanitize("thread"), noinline))
#endif
inline void
copy_racing(void* to, const void* from, std::size_t bytes) {
  auto* const out = static_cast<std::byte*>(to);
  const auto* const in = static_cast<const std::byte*>(from);
  std::size_t i = 0;
  for (; i + 8 <= bytes; i += 8) {
    const std::uint64_t word = __atomic_load_n(reinterpret_cast<const std::uint64_t*>(in + i), __ATOMIC_RELAXED);
    __builtin_memcpy(out + i, &word, 8);
  }
  for (; i < bytes; ++i)
    out[i] = static_cast<std::byte>(
        __atomic_load_n(reinterpret_cast<const unsigned char*>(in + i), __ATOMIC_RELAXED));
}

}  // namespace shmq::base
