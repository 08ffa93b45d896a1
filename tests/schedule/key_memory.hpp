#pragma once
// The words of a key index of one bucket, and of the records that it names, as simulated atomics. A proxy
// stands in front of each word, tells the oracle of each change in the step that makes it, and through it one
// part of the protocol can be broken.

#include <array>
#include <cstdint>

#include "shmq/core/key_index.hpp"
#include "shmq/core/task_keys.hpp"
#include "shmq/core/task_words.hpp"
#include "sim.hpp"

namespace key_test {

inline constexpr unsigned records_max = 3;
inline constexpr unsigned cells_max = 3;

enum class Flaw : std::uint8_t {
  none,
  // of the index
  help_at_first_look,    // who finishes an insertion does not look at the control word again
  cell_by_store,         // … and stores the cell
  control_before_cell,   // the bucket is said to be idle before the cell is written
  pending_not_finished,  // an insertion is begun over one that is not finished
  control_forgets,       // an idle control word does not say what was put in last
  full_at_first_look,    // full without another look at the control word
  // of the judge
  judge_at_first_look,  // the record is not looked at again
  id_not_looked_at,     // a record is taken for the task that the cell names
  not_published,        // a task that is still being submitted counts as one that is there
  // of their use
  published_before_insertion,  // a task is published, and then put into the index
  written_after_insertion,     // the record is written when the index names it already
  cleared_in_place,            // the reaper clears away the record of the dead without taking it
};

enum class Role : std::uint8_t { control, cell, word, tally, id, key, payload };

class Proxy;

class Listener {
 public:
  explicit Listener(Flaw flaw_made) : flaw(flaw_made) {}
  virtual ~Listener() = default;
  virtual void changed(const Proxy& proxy, std::uint64_t from, std::uint64_t to) = 0;

  /// What the proxies remember of the operations of one thread, for the flaw they make.
  struct Memory {
    std::uint64_t control = 0, cell = 0, word = 0, pretended = 0, late = 0, late_was = 0;
    Proxy* late_cell = nullptr;
    unsigned since_control = 0;  // loads of cells since the control word was read
    bool word_read = false;
    std::uint64_t hash() const;
  };
  Memory& mine() { return of[sim::World::current().running()]; }

  Flaw flaw;
  std::array<Memory, sim::threads_max + 1> of;
};

class Proxy {
 public:
  void bind(Listener& listener, Role role, const char* label, unsigned index = 0);
  std::uint64_t load(std::memory_order order) const;
  void store(std::uint64_t value, std::memory_order order);
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                               std::memory_order failure);
  std::uint64_t peek() const { return word_.peek(); }
  void set(std::uint64_t value) { word_.store(value); }  // before the threads begin

  Role role() const { return role_; }
  unsigned index() const { return index_; }

 private:
  bool swap(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
            std::memory_order failure);

  mutable sim::Atom<std::uint64_t> word_;
  Listener* listener_ = nullptr;
  Role role_ = Role::word;
  unsigned index_ = 0;
};

struct KeyWords {
  KeyWords(Listener& listener, unsigned size);
  Proxy control;
  std::array<Proxy, cells_max> cell;
  std::array<Proxy, records_max> word, tally, id, key, payload;
  unsigned cells;
};

class SimKeyMemory {
 public:
  SimKeyMemory() = default;
  explicit SimKeyMemory(KeyWords* words) : words_(words) {}
  Proxy& control(std::uint64_t /*bucket*/) const { return words_->control; }
  Proxy& cell(std::uint64_t /*bucket*/, unsigned i) const { return words_->cell[i]; }
  unsigned cells() const { return words_->cells; }
  unsigned buckets_log2() const { return 0; }
  Proxy& word(std::uint32_t index) const { return words_->word[index]; }
  Proxy& tally(std::uint32_t index) const { return words_->tally[index]; }

 private:
  KeyWords* words_ = nullptr;
};

using Index = shmq::core::KeyIndex<SimKeyMemory>;
using Words = shmq::core::TaskWords<SimKeyMemory>;

}  // namespace key_test
