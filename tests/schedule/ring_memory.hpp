#pragma once
// The words of a ring as simulated atomics: what MpmcRing runs on in these tests.
//
// PlainMemory hands the words out as they are. BreakableMemory puts a proxy in front of each, through which
// one part of the protocol can be broken: the ring's own code stays as it is, and what it asks for is not
// what happens.

#include <array>
#include <cstdint>

#include "ring_mutation.hpp"
#include "shmq/core/mpmc_ring.hpp"
#include "sim.hpp"

namespace ring_test {

using Word = sim::Atom<std::uint64_t>;
inline constexpr unsigned capacity_max = 4;
inline constexpr unsigned actors = sim::threads_max + 1;  // the threads, and whoever looks at the end

struct Words {
  // trail_age: how many positions ago the trail's cells were last written, a multiple of the capacity. A
  // queue's first lap has 1 capacity; a lone producer never writes them, so it may be anything.
  Words(unsigned log2, std::uint64_t start, std::uint64_t trail_age);

  unsigned capacity() const { return 1u << capacity_log2; }

  unsigned capacity_log2;
  Word tail{0, "tail"}, head{0, "head"}, redeliveries{0, "redeliveries"};
  Word closed_apart{0, "closed (apart)"};
  std::array<Word, capacity_max> producer_trail, consumer_trail, slots, payload;
  std::array<bool, actors> sweeping{};  // who is inside sweep_producer or sweep_consumer
};

class PlainMemory {
 public:
  PlainMemory() = default;
  PlainMemory(Words* words, Mutation) : words_(words) {}

  Word& tail() const { return words_->tail; }
  Word& head() const { return words_->head; }
  Word& producer_trail(std::uint64_t i) const { return words_->producer_trail[i]; }
  Word& consumer_trail(std::uint64_t i) const { return words_->consumer_trail[i]; }
  Word& slot(std::uint64_t i) const { return words_->slots[i]; }
  Word& redeliveries() const { return words_->redeliveries; }
  unsigned capacity_log2() const { return words_->capacity_log2; }

 private:
  Words* words_ = nullptr;
};

enum class Role : std::uint8_t { tail, head, producer_trail, consumer_trail, slot, redeliveries };

class Breakage;

class BreakableWord {
 public:
  void bind(Breakage& breakage, Word& word, Role role, unsigned index);
  std::uint64_t load(std::memory_order order) const;
  void store(std::uint64_t value, std::memory_order order);
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                               std::memory_order failure);
  std::uint64_t fetch_or(std::uint64_t bits, std::memory_order order);
  std::uint64_t fetch_add(std::uint64_t by, std::memory_order order);

 private:
  bool swept_exchange(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                      std::memory_order failure);

  Breakage* breakage_ = nullptr;
  Word* word_ = nullptr;
  Role role_ = Role::tail;
  unsigned index_ = 0;
};

// The proxies of one ring, and what they remember.
class Breakage {
 public:
  Breakage(Words& words_behind, Mutation mutation_on);

  Words& words;
  Mutation mutation;
  BreakableWord tail, head, redeliveries;
  std::array<BreakableWord, capacity_max> producer_trail, consumer_trail, slots;

  struct LateNote {
    Word* cell = nullptr;
    std::uint64_t expected = 0, desired = 0;
  };
  std::array<LateNote, actors> late_note{};
  std::array<std::array<std::uint64_t, capacity_max>, actors> early_producer_trail{}, early_consumer_trail{};
};

class BreakableMemory {
 public:
  BreakableMemory() = default;
  BreakableMemory(Words* words, Mutation mutation)
      : breakage_(std::make_shared<Breakage>(*words, mutation)) {}

  BreakableWord& tail() const { return breakage_->tail; }
  BreakableWord& head() const { return breakage_->head; }
  BreakableWord& producer_trail(std::uint64_t i) const { return breakage_->producer_trail[i]; }
  BreakableWord& consumer_trail(std::uint64_t i) const {
    const bool shared = breakage_->mutation == Mutation::shared_trail;
    return (shared ? breakage_->producer_trail : breakage_->consumer_trail)[i];
  }
  BreakableWord& slot(std::uint64_t i) const { return breakage_->slots[i]; }
  BreakableWord& redeliveries() const { return breakage_->redeliveries; }
  unsigned capacity_log2() const { return breakage_->words.capacity_log2; }

 private:
  std::shared_ptr<Breakage> breakage_;
};

}  // namespace ring_test
