#pragma once
// The words of a byte ring as simulated atomics: what SpscProducer and SpscConsumer run on in these tests. Payloads lie
// in the same granules of 16 bytes as the headers of other laps' records, so that what is left of the one can be taken
// for the other. A proxy stands in front of each word, through which one part of the protocol can be broken: the ring's
// own code stays as it is, and what it asks for is not what happens.

#include <array>
#include <cstdint>

#include "shmq/core/spsc_consumer.hpp"
#include "shmq/core/spsc_ring.hpp"
#include "sim.hpp"

namespace spsc_test {

using Word = sim::Atom<std::uint64_t>;
inline constexpr unsigned granules_max = 16;

enum class Flaw : std::uint8_t {
  none,
  relaxed_publish,        // the word of a record is stored without release
  next_not_cleared,       // the header after a claim keeps what was there
  last_not_stored,        // nobody knows where the record begins that was claimed last
  open_extent_left_out,   // another record is claimed while the extent of the last one is not written
  last_not_mended,        // a successor does not write the extent of the last one
  received_not_stored,    // messages are handed out without a trace
  released_before_read,   // a message is released, and then read
  done_not_marked,        // a release before its turn leaves no mark
  settled_not_stored,     // a successor does not say that what was claimed before it is given up
  no_second_look,         // a hole is judged by the word as it was before its producer went
  no_owner_recheck,       // tail is believed to be that of the producer that has gone
  close_without_barrier,  // closed directly after closing
  look_before_tail,       // a claim looks whether the queue is closing, and then stores tail
  freed_by_store,         // a reaper frees an end without looking whether it is still the dead one's
  fence_left_out,         // a claim in a queue with a user without membarrier does not fence
  swapped_where_relaxed,  // no flaw, but what a compiler may do: `last`, where it is stored relaxed, comes before the extent
  last_relaxed,           // the same, and it is stored relaxed
};

enum class Role : std::uint8_t { plain, producer, tail, settled, received, word, extent, state, last };

struct Words;

class Proxy {
 public:
  void bind(Words& words, Word& word, Role role, unsigned index = 0);
  std::uint64_t load(std::memory_order order) const;
  void store(std::uint64_t value, std::memory_order order);
  bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                               std::memory_order failure);
  std::uint64_t fetch_or(std::uint64_t bits, std::memory_order order) { return word_->fetch_or(bits, order); }
  std::uint64_t peek() const { return word_->peek(); }

 private:
  Words* words_ = nullptr;
  Word* word_ = nullptr;
  Role role_ = Role::plain;
  unsigned index_ = 0;
};

struct Words {
  Words(unsigned ring_bytes, std::uint64_t start, bool fenced, Flaw flaw);
  Words(const Words&) = delete;

  unsigned bytes;
  Flaw flaw;
  Word producer_word, tail_word, settled_word, consumer_word, received_word, released_word, head_word, state_word,
      last_word;
  std::array<Word, granules_max> first, second;  // the two words of each granule
  Proxy producer, tail, settled, consumer, received, released, head, state, last;
  std::array<Proxy, granules_max> word, extent;

  // What a proxy remembers of the operations of one thread, for the flaw that it makes.
  struct Memory {
    Word* late_extent = nullptr;
    unsigned late_index = 0;
    std::uint64_t late_value = 0, value = 0, owner = 0, state = 0;
    unsigned index = ~0u;
    Role last = Role::plain;
    bool early = false;
  };
  std::array<Memory, sim::threads_max + 1> of;
};

class SimMemory {
 public:
  SimMemory() = default;
  explicit SimMemory(Words* words) : words_(words) {}
  Proxy& producer() const { return words_->producer; }
  Proxy& tail() const { return words_->tail; }
  Proxy& settled() const { return words_->settled; }
  Proxy& consumer() const { return words_->consumer; }
  Proxy& received() const { return words_->received; }
  Proxy& released() const { return words_->released; }
  Proxy& head() const { return words_->head; }
  Proxy& state() const { return words_->state; }
  Proxy& last() const { return words_->last; }
  Proxy& word(std::uint64_t position) const { return words_->word[index(position)]; }
  Proxy& extent(std::uint64_t position) const { return words_->extent[index(position)]; }
  std::uint64_t ring_bytes() const { return words_->bytes; }
  static constexpr std::uint64_t kStride = 32;
  void clear(std::uint64_t position, std::uint64_t bytes) const {
    for (std::uint64_t i = 0; i < bytes; i += 16) word(position + i).store(0, std::memory_order_relaxed);
  }
  void fence() const {
    if (words_->flaw != Flaw::fence_left_out) sim::fence(std::memory_order_seq_cst);
  }
  /// The `i`-th word of a record's payload.
  Word& payload(std::uint64_t position, unsigned i) const {
    const unsigned at = index(position + 16 + i / 2 * 16);
    return i % 2 == 0 ? words_->first[at] : words_->second[at];
  }

 private:
  unsigned index(std::uint64_t position) const {
    return static_cast<unsigned>((position & (words_->bytes - 1)) / 16);
  }
  Words* words_ = nullptr;
};

}  // namespace spsc_test
