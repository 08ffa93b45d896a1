#pragma once
// D. Vyukov's bounded MPMC queue over simulated atomics: correct, and wedged for ever by one dead producer.
// The explorer must find both.

#include <array>
#include <cstdint>

#include "sim.hpp"

class VyukovRing {
 public:
  static constexpr std::uint64_t capacity = 2;

  explicit VyukovRing(std::memory_order publish = std::memory_order_release) : publish_(publish) {
    for (unsigned i = 0; i < capacity; ++i) {
      cells_[i].sequence.label("sequence", i);
      cells_[i].value.label("value", i);
      cells_[i].sequence.store(i);
    }
    tail_.label("tail");
    head_.label("head");
  }

  bool try_push(std::uint64_t value) {
    std::uint64_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[position % capacity];
      const std::uint64_t sequence = cell.sequence.load(std::memory_order_acquire);
      if (sequence < position) return false;  // full
      if (sequence == position &&
          tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
        cell.value.store(value, std::memory_order_relaxed);
        cell.sequence.store(position + 1, publish_);
        return true;
      }
      if (sequence > position) position = tail_.load(std::memory_order_relaxed);
    }
  }

  bool try_pop(std::uint64_t& value) {
    std::uint64_t position = head_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[position % capacity];
      const std::uint64_t sequence = cell.sequence.load(std::memory_order_acquire);
      if (sequence < position + 1) return false;  // empty
      if (sequence == position + 1 &&
          head_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
        value = cell.value.load(std::memory_order_relaxed);
        cell.sequence.store(position + capacity, std::memory_order_release);
        return true;
      }
      if (sequence > position + 1) position = head_.load(std::memory_order_relaxed);
    }
  }

  bool drained() const {
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    return head == tail_.load(std::memory_order_acquire);
  }

 private:
  struct Cell {
    sim::Atom<std::uint64_t> sequence, value;
  };
  std::memory_order publish_;
  std::array<Cell, capacity> cells_;
  sim::Atom<std::uint64_t> tail_, head_;
};
