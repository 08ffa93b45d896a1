#pragma once
// The words of a task table and of its rings of hints as simulated atomics: what HintRing and TaskWords run
// on in these tests. A proxy stands in front of each word. It tells the oracle of each change in the step
// that makes it, and through it one part of the protocol can be broken: the code under test stays as it is,
// and what it asks for is not what happens.

#include <array>
#include <cstdint>

#include "shmq/core/hint_ring.hpp"
#include "shmq/core/task_words.hpp"
#include "sim.hpp"

namespace task_test {

inline constexpr unsigned cells_max = 4;
inline constexpr unsigned records_max = 2;

enum class Flaw : std::uint8_t {
  none,
  // of a ring
  tail_before_cell,         // a push moves tail, and then fills the cell
  pop_leaves_tail,          // a pop does not move tail for a pusher that has not come to it
  tail_not_helped,          // a push leaves the move of tail to the one before it
  popped_not_stepped_over,  // … where what was pushed was popped as well
  head_not_helped,          // a pop leaves the move of head to the one before it
  full_at_first_look,       // full without another look at tail
  empty_at_first_look,      // empty without another look at head
  popped_by_store,          // a pop empties the cell without looking whether the hint is still there
  pushed_by_store,          // a push fills the cell without looking whether it is still empty
  // of the words
  count_at_first_look,  // an end is counted without another look at the word
  count_after_claim,    // a claim does not count the end that the word tells of
  count_after_revival,  // a revival likewise
  count_by_store,       // the tally is stored
  settle_by_store,      // a run ends without a look at whose it is
  start_by_store,       // a run starts without a look at whose it is
  unclaim_keeps_epoch,  // a task that was given back has the epoch that it was claimed with
  steal_keeps_epoch,    // a task that was taken over likewise
  revive_keeps_epoch,   // a revived task has the epoch that its last run ended with
  clear_after_publish,  // the tally of a new task is cleared when others see it already
  // of their use
  records_before_rings,  // restore_hints looks at the records first
  restore_before_words,  // a sweep restores hints before it changes the words
  nothing_restored,      // a sweep restores no hints
  announce_before_word,  // a hint is pushed before the word changes
  loss_not_noted,        // a hint that found a full ring is forgotten
};

enum class Role : std::uint8_t { head, tail, cell, word, tally, id, lost };

class Proxy;

/// What hears of every change, and what the proxies remember of the operations of one thread, for the flaw
/// they make.
class Listener {
 public:
  explicit Listener(Flaw flaw_made) : flaw(flaw_made) {}
  virtual ~Listener() = default;
  virtual void changed(const Proxy& proxy, std::uint64_t from, std::uint64_t to) = 0;

  struct Memory {
    std::uint64_t head = 0, tail = 0, cell = 0, value = 0, late = 0;
    Proxy* late_tally = nullptr;
    Role last = Role::id;
    bool pops = false, filled = false;
    bool uncounted = false;  // set by the scenario: what the word tells of looks counted

    std::uint64_t hash() const;
  };
  Memory& mine() { return of[sim::World::current().running()]; }

  Flaw flaw;
  std::array<Memory, sim::threads_max + 1> of;
};

class Proxy {
 public:
  void bind(Listener& listener, Role role, const char* label, unsigned object, unsigned index = 0,
            Proxy* tail = nullptr, unsigned log2 = 0);
  std::uint64_t load(std::memory_order order) const;
  void store(std::uint64_t value, std::memory_order order);
  std::uint64_t exchange(std::uint64_t value, std::memory_order order) {
    return word_.exchange(value, order);
  }
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                               std::memory_order failure);
  std::uint64_t peek() const { return word_.peek(); }
  void set(std::uint64_t value) { word_.store(value); }  // before the threads begin

  Role role() const { return role_; }
  unsigned object() const { return object_; }
  unsigned index() const { return index_; }

 private:
  bool swap(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
            std::memory_order failure);
  bool overwrite(std::uint64_t value, std::memory_order order);

  mutable sim::Atom<std::uint64_t> word_;
  Listener* listener_ = nullptr;
  Proxy* tail_ = nullptr;  // of a cell: its ring's
  Role role_ = Role::id;
  unsigned object_ = 0, index_ = 0, log2_ = 0;
};

/// A ring of 2^log2 cells in which nothing was pushed yet and whose first position is `start`.
struct RingWords {
  RingWords(Listener& listener, unsigned object, unsigned log2, std::uint64_t start);
  Proxy head, tail;
  std::array<Proxy, cells_max> cell;
  unsigned log2;

  /// tail lies at head or after it: a lap at most, and one more where head is still to be moved over what was
  /// popped.
  bool in_order() const { return tail.peek() - head.peek() <= (std::uint64_t{1} << log2) + 1; }
  unsigned hints() const;
  bool names(std::uint32_t index) const;
};

class SimHintMemory {
 public:
  SimHintMemory() = default;
  explicit SimHintMemory(RingWords* words) : words_(words) {}
  Proxy& head() const { return words_->head; }
  Proxy& tail() const { return words_->tail; }
  Proxy& cell(std::uint64_t i) const { return words_->cell[i]; }
  unsigned capacity_log2() const { return words_->log2; }

 private:
  RingWords* words_ = nullptr;
};

struct RecordWords {
  explicit RecordWords(Listener& listener);
  std::array<Proxy, records_max> word, tally, id;
  Proxy lost;
};

class SimTaskMemory {
 public:
  SimTaskMemory() = default;
  explicit SimTaskMemory(RecordWords* words) : words_(words) {}
  Proxy& word(std::uint32_t index) const { return words_->word[index]; }
  Proxy& tally(std::uint32_t index) const { return words_->tally[index]; }

 private:
  RecordWords* words_ = nullptr;
};

using Ring = shmq::core::HintRing<SimHintMemory>;
using Words = shmq::core::TaskWords<SimTaskMemory>;

}  // namespace task_test
