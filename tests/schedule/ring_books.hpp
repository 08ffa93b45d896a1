#pragma once
// The oracle of the ring's explorations: what was claimed, published, handed out and released, position by
// position, noted in the very step in which it happened. Every broken promise ends the execution with its
// name.

#include <array>
#include <cstdint>

#include "shmq/layout/words.hpp"
#include "sim.hpp"
#include "sim_hash.hpp"

namespace ring_test {

class Books {
 public:
  static constexpr unsigned positions_max = 16;

  explicit Books(std::uint64_t start) : start_(start) {}

  std::uint64_t hash() const { return hash_; }
  bool closed() const { return closed_; }
  unsigned claimed() const { return claimed_; }
  unsigned redelivered() const { return redelivered_; }

  void claim(std::uint64_t position, unsigned message) {
    sim::require(!closed_, "claimed after close");
    sim::require(offset(position) == claimed_, "a position claimed twice, or skipped");
    if (claimed_ >= positions_max) return sim::fail("more positions than the books have room for");
    at_[claimed_++].message = static_cast<std::uint8_t>(message);
    changed(position, 1);
  }
  void publish(std::uint64_t position) { at(position).published = true, changed(position, 2); }
  void abort(std::uint64_t position) { at(position).aborted = true, changed(position, 3); }

  // head moved past `position`, which holds a message (`word` is its slot) or a tomb.
  void take(std::uint64_t position, std::uint64_t word) {
    sim::require(offset(position) == taken_, "first deliveries out of order");
    ++taken_;
    if (shmq::layout::slot_state(word) == shmq::layout::SlotState::tomb) {
      sim::require(!at(position).published, "a published message became a tomb");
      changed(position, 4);
    } else {
      deliver(position, word);
    }
  }
  // A producer took the oldest away, as a consumer would: from a full ring, and nobody had it before.
  void drop(std::uint64_t position, std::uint64_t word, std::uint64_t capacity) {
    sim::require(offset(position) + capacity == claimed_, "dropped from a ring that was not full");
    sim::require(at(position).delivered == 0, "dropped a message that was delivered");
    take(position, word);
  }
  void deliver(std::uint64_t position, std::uint64_t word) {
    Entry& entry = at(position);
    const std::uint32_t deliveries = shmq::layout::slot_deliveries(word);
    sim::require(entry.published || entry.message != 0, "delivered, but never claimed");
    sim::require(!entry.released, "delivered again after its release");
    sim::require(entry.delivered == 0 || deliveries > 0, "an unmarked repeat");
    sim::require(deliveries == entry.delivered, "the delivery count is wrong");
    redelivered_ += entry.delivered > 0;
    ++entry.delivered;
    changed(position, 5);
  }
  // A consumer that lives reads the message it holds, and lets go of it.
  void read(std::uint64_t position, std::uint64_t payload) {
    sim::require(payload == at(position).message, "the payload is not what was sent");
  }
  void release(std::uint64_t position) {
    sim::require(!at(position).released, "released twice");
    at(position).released = true;
    changed(position, 6);
  }
  void close() { closed_ = true, changed(0, 7); }

  // The end of the stream was reported.
  void end() const {
    for (unsigned i = 0; i < claimed_; ++i) {
      sim::require(!at_[i].published || at_[i].released, "the end of the stream before the last message");
    }
  }
  // Everything is over and drained.
  void balance() const {
    for (unsigned i = 0; i < claimed_; ++i) {
      sim::require(!at_[i].published || at_[i].delivered > 0, "a published message was lost");
      sim::require(!at_[i].published || at_[i].released, "a published message was never released");
    }
  }

 private:
  struct Entry {
    std::uint8_t message = 0, delivered = 0;
    bool published = false, aborted = false, released = false;
  };

  unsigned offset(std::uint64_t position) const {
    return static_cast<unsigned>(shmq::layout::position_sub(position, start_));
  }
  Entry& at(std::uint64_t position) {
    sim::require(offset(position) < claimed_, "a position that nobody claimed");
    return at_[offset(position) % positions_max];
  }
  // Order matters only within one position, so the hash is a sum of one term for each change.
  void changed(std::uint64_t position, unsigned what) {
    const unsigned times = what == 5 ? at_[offset(position) % positions_max].delivered : 0;
    const unsigned message = what == 1 ? at_[offset(position) % positions_max].message : 0;
    hash_ += sim::mix(offset(position), what << 16 | times << 8 | message);
  }

  std::uint64_t start_;
  std::array<Entry, positions_max> at_{};
  unsigned claimed_ = 0, taken_ = 0, redelivered_ = 0;
  bool closed_ = false;
  std::uint64_t hash_ = 0;
};

}  // namespace ring_test
