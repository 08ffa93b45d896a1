#pragma once
// Participant rows and the reaper's order of steps, over simulated atomics: what src/core/participants.cpp
// and src/core/reaper.cpp do, for one queue. The kernel's lock byte of a row is a word that names the thread
// holding it; it counts as released once sim::dead() says so of that thread.

#include <array>
#include <cstdint>
#include <functional>

#include "ring_memory.hpp"
#include "shmq/layout/segment_header.hpp"
#include "sim_hash.hpp"

namespace ring_test {

class Participants {
 public:
  static constexpr unsigned rows_max = 5;
  static constexpr std::uint32_t no_row = rows_max;
  using RowState = shmq::layout::RowState;

  // Thread i holds row i from the start, for i below `attached`; the other rows are free.
  Participants(unsigned rows, unsigned attached, Mutation mutation);

  shmq::layout::Owner owner(unsigned index) const;

  // Takes the row once it is free; false if it cannot be had yet.
  bool try_attach(unsigned index, shmq::layout::Owner& me);

  // What Reaper::run does: sweeps whoever is dead. `repair(id, caller)` mends what the id held. True if a row
  // changed hands. `caller` hashes what the caller remembers meanwhile.
  template <class Repair>
  bool reap(unsigned mine, std::uint64_t caller, Repair&& repair) {
    bool did = false;
    for (unsigned index = 0; index < rows_; ++index) {
      if (index == mine || seems_alive(index)) continue;
      sim::local_state(sim::mix(caller, 100 + index * 2 + did));
      const std::uint64_t word = word_[index].load(std::memory_order_acquire);
      if (state_of(word) == RowState::free) continue;
      did = true;
      if (state_of(word) == RowState::swept) {
        did = free_row(index, word, mine);
      } else if (is_dead(index, word)) {
        sweep(index, word, mine, sim::mix(caller, index), repair);
      } else {
        did = false;
      }
    }
    return did;
  }

  bool is_free(unsigned index) const { return state_of(word_[index].peek()) == RowState::free; }

 private:
  static RowState state_of(std::uint64_t word) {
    return static_cast<RowState>(shmq::layout::word_state(word));
  }
  static std::uint64_t with_state(std::uint64_t word, RowState state) {
    return (word & ~std::uint64_t{0xf}) | static_cast<std::uint64_t>(state);
  }

  bool seems_alive(unsigned index) const;  // no step: spares the reaper the living
  bool lock_held(unsigned index);
  bool try_lock(unsigned index);
  bool is_dead(unsigned index, std::uint64_t word);
  bool free_row(unsigned index, std::uint64_t swept, unsigned mine);

  template <class Repair>
  void sweep(unsigned index, std::uint64_t word, unsigned mine, std::uint64_t caller, Repair& repair) {
    const bool relaxed = mutation_ == Mutation::relaxed_mark;
    sweeping_[mine].store(word, relaxed ? std::memory_order_relaxed : std::memory_order_seq_cst);
    if (mutation_ == Mutation::no_second_look || is_dead(index, word)) {
      const std::uint64_t swept = with_state(word, RowState::swept);
      std::uint64_t expected = word;
      sim::local_state(sim::mix(caller, word));
      if (mutation_ == Mutation::id_freed_before_the_sweep) {
        if (word_[index].compare_exchange_strong(expected, swept, std::memory_order_seq_cst))
          free_row(index, swept, mine);
        repair(index + 1, caller);
        sweeping_[mine].store(0, std::memory_order_seq_cst);
        return;
      }
      repair(index + 1, sim::mix(caller, word));
      sim::local_state(sim::mix(caller, word + 1));
      word_[index].compare_exchange_strong(expected, swept, std::memory_order_seq_cst);
      sweeping_[mine].store(0, std::memory_order_seq_cst);
      free_row(index, swept, mine);
    } else {
      sweeping_[mine].store(0, std::memory_order_seq_cst);
    }
  }

  unsigned rows_;
  Mutation mutation_;
  std::array<Word, rows_max> word_, lock_;   // lock_: 0, or the holder's thread + 1
  std::array<Word, rows_max + 1> sweeping_;  // the last for whoever looks at the end
};

}  // namespace ring_test
