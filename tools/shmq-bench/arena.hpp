// Memory that all roles share: one anonymous mapping, made before they are forked, so that every pointer into
// it is right in all of them and nothing is left behind in /dev/shm.
#pragma once

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace shmq::bench {

class Arena {
 public:
  /// Throws Failure where there is no memory.
  explicit Arena(std::size_t bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Zeroed, from a page boundary on: so that no two pieces share a line, and all have the same alignment.
  std::byte* take(std::size_t bytes);
  template <class T, class... Args>
  T& make(Args&&... args) {
    return *new (take(sizeof(T))) T(std::forward<Args>(args)...);
  }
  template <class T>
  T* make_array(std::size_t count) {
    T* const first = reinterpret_cast<T*>(take(sizeof(T) * count));
    for (std::size_t i = 0; i < count; ++i) new (first + i) T();
    return first;
  }

 private:
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t used_ = 0;
};

/// All roles meet here. It gives the core away while it waits, since there may be more roles than cores; a
/// role that dies is noticed by the conductor, which ends the others.
class Barrier {
 public:
  explicit Barrier(std::uint32_t roles) : roles_(roles) {}

  void meet() {
    const std::uint32_t round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == roles_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (unsigned looks = 0; round_.load(std::memory_order_acquire) == round; ++looks) {
      // Who has nothing to do in this sample leaves the core to those who have.
      if (looks < kLooks)
        ::sched_yield();
      else
        ::usleep(kNapUs);
    }
  }

 private:
  static constexpr unsigned kLooks = 1000;
  static constexpr unsigned kNapUs = 100;
  const std::uint32_t roles_;
  alignas(128) std::atomic<std::uint32_t> arrived_{0};
  alignas(128) std::atomic<std::uint32_t> round_{0};
};

}  // namespace shmq::bench
