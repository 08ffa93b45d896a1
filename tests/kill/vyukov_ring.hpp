// Dmitry Vyukov's bounded MPMC queue, as published, over a block of shared memory. Fast, and not crash-safe:
// between the compare-and-swap that claims a cell and the store that hands it on, nothing says who has it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace killtest {

struct VyukovRing {
  static constexpr std::uint64_t capacity = 4;
  struct Cell {
    std::atomic<std::uint64_t> sequence;
    std::atomic<std::uint64_t> value;
  };
  alignas(64) std::array<Cell, capacity> cells;
  alignas(64) std::atomic<std::uint64_t> tail;
  alignas(64) std::atomic<std::uint64_t> head;

  void initialise() {
    for (std::uint64_t i = 0; i < capacity; ++i) cells[i].sequence = i;
  }

  bool try_push(std::uint64_t value) {
    std::uint64_t position = tail.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells[position % capacity];
      const auto ahead = static_cast<std::int64_t>(cell.sequence.load(std::memory_order_acquire) - position);
      if (ahead < 0) return false;
      if (ahead > 0) {
        position = tail.load(std::memory_order_relaxed);
      } else if (tail.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
        cell.value.store(value, std::memory_order_relaxed);
        cell.sequence.store(position + 1, std::memory_order_release);
        return true;
      }
    }
  }

  bool try_pop(std::uint64_t& value) {
    std::uint64_t position = head.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells[position % capacity];
      const auto ahead =
          static_cast<std::int64_t>(cell.sequence.load(std::memory_order_acquire) - position - 1);
      if (ahead < 0) return false;
      if (ahead > 0) {
        position = head.load(std::memory_order_relaxed);
      } else if (head.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
        value = cell.value.load(std::memory_order_relaxed);
        cell.sequence.store(position + capacity, std::memory_order_release);
        return true;
      }
    }
  }
};

}  // namespace killtest
