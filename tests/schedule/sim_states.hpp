#pragma once
// The states an exhaustive search has been in, by hash, with the budgets it had left there: a state reached
// again with no more left than before has nothing new below it. Two states that share a 64-bit hash would
// hide one another: at the ten million states of a long run the odds of one such pair are about 1 in 400,000.

#include <cstdint>
#include <vector>

namespace sim {

struct BudgetsLeft {
  std::uint16_t preemptions = 0, delays = 0, stale = 0;

  bool covers(const BudgetsLeft& other) const {
    return preemptions >= other.preemptions && delays >= other.delays && stale >= other.stale;
  }
};

class StateTable {
 public:
  explicit StateTable(std::size_t states_max) : states_max_(states_max), slots_(1024) {}

  std::size_t size() const { return size_; }

  // True if the state was there with at least these budgets. Otherwise it is there from now on, unless the
  // table is full.
  bool seen_or_add(std::uint64_t key, BudgetsLeft left) {
    if (key == 0) key = 1;
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = key & mask;
    for (; slots_[at].key != 0; at = (at + 1) & mask) {
      if (slots_[at].key != key) continue;
      if (slots_[at].left.covers(left)) return true;
      if (left.covers(slots_[at].left)) {
        slots_[at].left = left;
        return false;
      }
    }
    if (size_ >= states_max_) return false;
    slots_[at] = {key, left};
    if (++size_ * 2 > slots_.size()) grow();
    return false;
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    BudgetsLeft left;
  };

  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    const std::size_t mask = slots_.size() - 1;
    for (const Slot& slot : old) {
      if (slot.key == 0) continue;
      std::size_t at = slot.key & mask;
      while (slots_[at].key != 0) at = (at + 1) & mask;
      slots_[at] = slot;
    }
  }

  std::size_t states_max_;
  std::size_t size_ = 0;
  std::vector<Slot> slots_;
};

}  // namespace sim
