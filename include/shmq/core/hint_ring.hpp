// A bounded queue of indices that nobody can wedge: the free list and the ready index of a task table.
//
// Who may call     any participant, any thread, at any time.
// Progress         lock-free. `full` and `empty` are exact.
// Linearization    push, pop: the CAS of the cell.
// Source           C.-H. Shann, T.-L. Huang, C. Chen, A practical nonblocking queue algorithm using compare-and-swap
//                  (2000): a cell carries a count beside its value, and head and tail may lag, for anybody to move them.
//
// What it holds are hints: the truth about an index is a word elsewhere, which whoever pops the index then changes by a
// CAS of its own. So a participant that is killed between the two loses a hint and nothing else, and whoever mends what it
// held puts back what is missing; a hint that is there twice finds the word changed and is dropped.
//
//   position p, lap L = p / capacity         the cell of p is
//   nobody pushed at p yet                   empty(L)
//   pushed                                   full(L, index)      CAS, then tail p → p+1, by whoever comes first
//   popped                                   empty(L + 1)        CAS, then head p → p+1, by whoever comes first
//
// A kill after either CAS and before the move of tail or head leaves that move to the next caller.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace shmq::core {

enum class HintStatus : std::uint8_t { ok, none, full, corrupt };

/// `Memory` supplies head() tail() cell(i) and capacity_log2().
template <class Memory>
class HintRing {
 public:
  HintRing() = default;
  explicit HintRing(Memory memory) : memory_(memory) {}
  Memory& memory() { return memory_; }
  std::uint64_t capacity() const { return std::uint64_t{1} << memory_.capacity_log2(); }

  /// full: as many hints as there are cells.
  HintStatus push(std::uint32_t index) {
    for (std::uint32_t race = 0; race < kRacesMax; ++race) {
      const std::uint64_t tail = memory_.tail().load(std::memory_order_acquire);
      const std::uint32_t lap = lap_of(tail);
      auto& cell = memory_.cell(tail & (capacity() - 1));
      std::uint64_t seen = cell.load(std::memory_order_acquire);
      if (seen == empty(lap)) {
        // Release: what the pusher wrote before. Pairs with pop().
        if (!cell.compare_exchange_strong(seen, full(lap, index), std::memory_order_acq_rel, std::memory_order_acquire))
          continue;
        move(memory_.tail(), tail);
        return HintStatus::ok;
      }
      if (cell_lap(seen) == lap || is_ahead(cell_lap(seen), lap)) {
        move(memory_.tail(), tail);  // pushed there, perhaps popped as well, and not moved yet
      } else if (cell_lap(seen) == lap - 1 && is_full(seen)) {
        if (memory_.tail().load(std::memory_order_acquire) == tail) return HintStatus::full;
      } else {
        return HintStatus::corrupt;
      }
    }
    return HintStatus::corrupt;  // nobody loses so many races to others who keep to the protocol
  }

  HintStatus pop(std::uint32_t& index) {
    for (std::uint32_t race = 0; race < kRacesMax; ++race) {
      const std::uint64_t head = memory_.head().load(std::memory_order_acquire);
      const std::uint32_t lap = lap_of(head);
      auto& cell = memory_.cell(head & (capacity() - 1));
      std::uint64_t seen = cell.load(std::memory_order_acquire);
      if (seen == empty(lap)) {
        if (memory_.head().load(std::memory_order_acquire) == head) return HintStatus::none;
      } else if (cell_lap(seen) == lap) {
        if (!cell.compare_exchange_strong(seen, empty(lap + 1), std::memory_order_acq_rel, std::memory_order_acquire))
          continue;
        // The pusher may not have come to it, and tail must not lie behind head.
        move(memory_.tail(), head);
        move(memory_.head(), head);
        index = static_cast<std::uint32_t>(seen) - 1;
        return HintStatus::ok;
      } else if (is_ahead(cell_lap(seen), lap)) {
        move(memory_.tail(), head);
        move(memory_.head(), head);  // popped there, and not moved yet
      } else {
        return HintStatus::corrupt;
      }
    }
    return HintStatus::corrupt;
  }

  /// How many there are, about: head and tail are read one after the other.
  std::uint64_t size() const {
    const std::uint64_t head = memory_.head().load(std::memory_order_acquire);
    const std::uint64_t tail = memory_.tail().load(std::memory_order_acquire);
    return std::min(tail - head, capacity());  // head may lag behind what was popped by one who died there
  }

  /// Calls `visit(index)` for each hint that was there all the while; others may be left out or not. Reads only.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint64_t i = 0; i < capacity(); ++i) {
      const std::uint64_t cell = memory_.cell(i).load(std::memory_order_acquire);
      if (is_full(cell)) visit(static_cast<std::uint32_t>(cell) - 1);
    }
  }

  // ---- cells

  static constexpr std::uint64_t empty(std::uint32_t lap) { return std::uint64_t{lap} << 32; }
  static constexpr std::uint64_t full(std::uint32_t lap, std::uint32_t index) { return empty(lap) | (index + 1); }

 private:
  static constexpr std::uint32_t kRacesMax = 100'000;
  static constexpr std::uint32_t cell_lap(std::uint64_t cell) { return static_cast<std::uint32_t>(cell >> 32); }
  static constexpr bool is_full(std::uint64_t cell) { return static_cast<std::uint32_t>(cell) != 0; }
  static constexpr bool is_ahead(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }
  std::uint32_t lap_of(std::uint64_t position) const {
    return static_cast<std::uint32_t>(position >> memory_.capacity_log2());
  }
  template <class Word>
  static void move(Word& word, std::uint64_t from) {
    word.compare_exchange_strong(from, from + 1, std::memory_order_acq_rel, std::memory_order_relaxed);
  }

  Memory memory_{};
};

}  // namespace shmq::core
