#pragma once
// The oracle of the byte ring's explorations: what was claimed, published, handed out and released, and who has which
// end, noted in the very step in which it happened. Every broken promise ends the execution with its name.

#include <array>
#include <cstdint>

#include "sim.hpp"
#include "sim_hash.hpp"

namespace spsc_test {

class Books {
 public:
  static constexpr unsigned records_max = 12;
  enum End : unsigned { producers, consumers };

  std::uint64_t hash() const {
    std::uint64_t hash = sim::mix(count_, ended_ + owner_[0] * 8 + owner_[1] * 64);
    for (unsigned i = 0; i < count_; ++i) {
      const Entry& e = at_[i];
      hash = sim::mix(hash, e.position * 1024 + e.delivered * 64 + e.published + e.aborted * 2 + e.released * 4 +
                                e.padding * 8 + e.by * 4096 + e.message * 65536u);
    }
    return hash;
  }

  void owns(End end, unsigned thread) {
    const unsigned before = owner_[end];
    sim::require(before == 0 || before == thread + 1 || sim::crashed_now(before - 1), "an end has two owners");
    owner_[end] = thread + 1;
  }
  void lets_go(End end) { owner_[end] = 0; }

  void claim(std::uint64_t position, std::uint64_t extent, unsigned message, unsigned by) {
    sim::require(count_ == 0 || static_cast<std::int64_t>(position - at_[count_ - 1].end) >= 0,
                 "a claim over another one");
    if (count_ == records_max) return sim::fail("more records than the books have room for");
    at_[count_++] = {position, position + extent, message, by};
  }
  void publish(std::uint64_t position) {
    sim::require(!ended_, "published after the end of the stream");
    at(position).published = true;
  }
  /// True where the room is there again at once.
  void abort(std::uint64_t position, bool tomb) {
    if (tomb)
      at(position).aborted = true;
    else
      --count_;
  }

  void deliver(std::uint64_t position, bool again) {
    Entry& entry = at(position);
    for (Entry* e = at_.data(); e != &entry; ++e) {
      if (e->delivered || e->aborted) continue;
      sim::require(!e->published, "a later message before an earlier one");
      sim::require(sim::crashed_now(e->by), "a claim of the living was stepped over");
    }
    sim::require(entry.message != 0 && !entry.aborted, "delivered, but never sent");
    sim::require(!entry.released, "delivered again after its release");
    sim::require(entry.delivered == 0 || again, "an unmarked repeat");
    ++entry.delivered;
  }
  unsigned message(std::uint64_t position) { return at(position).message; }
  void release(std::uint64_t position) { at(position).released = true; }
  bool was_delivered(std::uint64_t position) { return at(position).delivered > 0; }

  /// Whether the next message, in its turn, is published: then a look must find it. What a dead producer did not publish
  /// is in nobody's way once another one has claimed.
  bool something_waits() const {
    for (unsigned i = 0; i < count_; ++i) {
      if (at_[i].delivered || at_[i].aborted) continue;
      if (!at_[i].published && sim::crashed_now(at_[i].by) && at_[count_ - 1].by != at_[i].by) continue;
      return at_[i].published;
    }
    return false;
  }
  /// Where everything before has been released, and where the last claim ends.
  std::uint64_t used_from(std::uint64_t start) const {
    std::uint64_t from = start;
    for (unsigned i = 0; i < count_ && (at_[i].released || at_[i].aborted); ++i) from = at_[i].end;
    return from;
  }
  void end() {
    ended_ = true;
    for (unsigned i = 0; i < count_; ++i)
      sim::require(!at_[i].published || at_[i].delivered > 0, "the end of the stream before the last message");
  }
  bool ended() const { return ended_; }
  void balance() const {
    for (unsigned i = 0; i < count_; ++i)
      sim::require(!at_[i].published || at_[i].delivered > 0, "a published message was lost");
  }

 private:
  struct Entry {
    std::uint64_t position = 0, end = 0;
    unsigned message = 0, by = 0, delivered = 0;
    bool published = false, aborted = false, released = false, padding = false;
  };

  Entry& at(std::uint64_t position) {
    for (unsigned i = 0; i < count_; ++i)
      if (at_[i].position == position) return at_[i];
    sim::fail("a position that nobody claimed");
    return at_[0];
  }

  std::array<Entry, records_max> at_{};
  unsigned count_ = 0;
  std::array<unsigned, 2> owner_{};
  bool ended_ = false;
};

}  // namespace spsc_test
