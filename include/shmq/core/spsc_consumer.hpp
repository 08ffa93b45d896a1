// The consumer's end of a byte ring. The protocol, its invariants and what a kill leaves are in core/spsc_ring.hpp.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "shmq/base/clock.hpp"
#include "shmq/core/spsc_ring.hpp"

namespace shmq::core {

/// Records that were taken: bit i of `mask` is the i-th record from `position` on; the others between are done with.
struct RecordGrant {
  RingStatus status = RingStatus::ok;
  std::uint64_t position = 0;
  std::uint64_t mask = 0;
  bool again = false;  // it was handed out before
  /// Something was stepped over, and there is more room than before: a producer that waits is to be told.
  bool made_room = false;
};

/// Where the record after `position` starts; `position` itself where its extent is not one that a producer writes.
template <class Memory>
std::uint64_t record_after(const Memory& memory, std::uint64_t position, std::uint64_t extent_word) {
  const std::uint64_t extent = layout::record_extent(extent_word);
  const std::uint64_t to_end = memory.ring_bytes() - (position & (memory.ring_bytes() - 1));
  const bool sound = extent >= sizeof(layout::RecordHeader) && extent <= to_end &&
                     extent % layout::kRecordAlignment == 0;
  return sound ? position + extent : position;
}

/// The owner of the consumer's end.
template <class Memory>
class SpscConsumer {
 public:
  SpscConsumer() = default;
  explicit SpscConsumer(Memory memory) : memory_(memory), bytes_(memory_.ring_bytes()) {}

  bool owns_end() const { return owns_; }
  Memory& memory() { return memory_; }
  const Memory& memory() const { return memory_; }

  /// Becomes the consumer; `busy_with` is set to the owner's word where there is one. What the last consumer had taken
  /// and not released comes first, again.
  RingStatus take_over(layout::Owner me, std::uint64_t* busy_with) {
    if (owns_) return damaged_ ? RingStatus::corrupt : RingStatus::ok;
    if (!take_end(memory_.consumer(), me, busy_with)) return RingStatus::busy;
    owns_ = true;
    damaged_ = false;
    requeued_ = 0;
    released_ = position_ = memory_.released().load(std::memory_order_acquire);
    received_ = memory_.received().load(std::memory_order_acquire);
    head_ = memory_.head().load(std::memory_order_acquire);
    const std::uint64_t open = lies_before(released_, received_) ? received_ - released_ : 0;
    if (released_ % layout::kRecordAlignment != 0 || open > bytes_) {
      damaged_ = true;
      released_ = position_ = 0;  // take_next() looks at the record there before anything else
    }
    plain_ = !damaged_;
    return damaged_ ? RingStatus::corrupt : RingStatus::ok;
  }

  void let_go() {
    if (!owns_) return;
    publish_head();
    owns_ = plain_ = false;
    let_go_of_end(memory_.consumer());
  }

  /// The common case of try_take(): the next record is there, it is a message, and nobody had it before. False:
  /// try_take() says why.
  bool take_next(std::uint64_t& position, std::uint64_t& word, std::uint64_t& extent) {
    const std::uint64_t at = position_;
    word = memory_.word(at).load(std::memory_order_acquire);  // pairs with publish()
    if ((word & (layout::kRecordPublished | layout::kRecordTomb)) != layout::kRecordPublished) return false;
    if (!plain_ || lies_before(at, received_) ||
        (memory_.state().load(std::memory_order_relaxed) & layout::kSpscRemoved)) [[unlikely]]
      return false;
    extent = memory_.extent(at).load(std::memory_order_relaxed);
    // Messages tend to be of one size: were the next position computed from what was read, a consumer that is behind
    // could not ask for the next record before this one has come.
    std::uint64_t next = at + layout::record_extent(usual_);
    if (extent != usual_ || (at & (bytes_ - 1)) + layout::record_extent(usual_) > bytes_) [[unlikely]] {
      base::keep_branch();
      next = record_after(memory_, at, extent);
      if (next == at) return false;
      usual_ = extent;
    }
    position = last_ = at;
    position_ = received_ = next;
    memory_.received().store(next, std::memory_order_release);
    return true;
  }

  /// The common case of try_take() for several: records of one size, back to back, all of them messages that nobody had
  /// before. Their number, and the first one's position; 0: try_take() says why.
  std::uint32_t take_run(std::uint32_t max, std::uint64_t& position) {
    const std::uint64_t begin = position_;
    const std::uint64_t extent = usual_extent();
    if (!plain_ || usual_ == kNone || lies_before(begin, received_) ||
        (memory_.state().load(std::memory_order_relaxed) & layout::kSpscRemoved)) [[unlikely]]
      return 0;
    const std::uint64_t end = begin + std::min(max * extent, bytes_ - (begin & (bytes_ - 1)));
    std::uint32_t count = 0;
    std::uint64_t at = begin;
    for (; at + extent <= end; at += extent, ++count) {
      const std::uint64_t word = memory_.word(at).load(std::memory_order_acquire);  // pairs with publish()
      if ((word & (layout::kRecordPublished | layout::kRecordTomb)) != layout::kRecordPublished) break;
      if (memory_.extent(at).load(std::memory_order_relaxed) != usual_) break;
    }
    if (count == 0 || at - released_ > bytes_) return 0;
    position = begin;
    last_ = at - 1;  // none
    position_ = received_ = at;
    memory_.received().store(at, std::memory_order_release);
    return count;
  }
  std::uint64_t usual_extent() const { return layout::record_extent(usual_); }

  /// Takes up to `max` (64 at most) published records. A message that was handed out before comes alone. A look that
  /// is not thorough touches no line that the producer writes but the record's own.
  RecordGrant try_take(std::uint32_t max, bool thorough) { return try_take_before(position_ + kFar, max, thorough); }

  /// The same for records that lie before `end`: `empty` where none of those is left, though later ones are there.
  RecordGrant try_take_before(std::uint64_t end, std::uint32_t max, bool thorough) {
    if (!owns_ || damaged_) [[unlikely]]
      return {owns_ ? RingStatus::corrupt : RingStatus::busy};
    if (memory_.state().load(std::memory_order_relaxed) & layout::kSpscRemoved) [[unlikely]]
      return {RingStatus::removed};
    std::uint64_t lap = position_;
    last_ = position_ - 1;  // none: what was taken last is known to take_next() alone
    if (requeued_ != 0) [[unlikely]] {
      const RecordGrant again = take_requeued();
      if (again.status == RingStatus::ok) return again;
    }
    RecordGrant grant{RingStatus::empty, position_};
    // S2, S3: a record is never taken while the one that lay there before is not released.
    if (position_ - released_ > bytes_) [[unlikely]]
      return corrupt();
    std::uint32_t races = 0;
    for (std::uint32_t i = 0; i < max && lies_before(position_, end);) {
      const std::uint64_t position = position_;
      const std::uint64_t word = memory_.word(position).load(std::memory_order_acquire);  // pairs with publish()
      const bool published = word & layout::kRecordPublished;
      std::optional<std::uint64_t> hole;
      if (!published && (grant.mask != 0 || !thorough || !(hole = hole_at(position)))) break;
      const std::uint64_t extent = hole ? *hole : memory_.extent(position).load(std::memory_order_relaxed);
      const std::uint64_t next = record_after(memory_, position, extent);
      if (next == position) [[unlikely]]
        return corrupt();
      const bool repeat = lies_before(position, received_);
      if (!published || (word & layout::kRecordTomb) || (repeat && (extent & layout::kRecordDone))) [[unlikely]] {
        if (published || memory_.word(position).load(std::memory_order_acquire) == word) {
          if (hole) memory_.extent(position).store(extent, std::memory_order_relaxed);  // it may not be written yet
          position_ = next;
          grant.made_room |= position == released_;
          finish(position, next);
          // Once around: either the producer went on where this call made room, or these words are no records.
          if (position_ - lap > bytes_) {
            const std::uint64_t tail = memory_.tail().load(std::memory_order_acquire);
            if (lies_before(tail, position_) || tail - released_ > bytes_) return corrupt();
            lap = position_;
          }
          if (grant.mask == 0)
            grant.position = next;
          else
            ++i;
        } else if (++races > kRacesMax) {
          return corrupt();  // it was published, and was not, all the time
        }
        continue;
      }
      if (repeat) [[unlikely]] {
        if (grant.mask == 0) {
          hand_out_again(position, extent);
          position_ = next;
          return {RingStatus::ok, position, 1, true, grant.made_room};
        }
        break;
      }
      grant.mask |= std::uint64_t{1} << i;
      usual_ = extent;
      position_ = next;
      ++i;
    }
    if (grant.mask == 0) return grant;
    grant.status = RingStatus::ok;
    received_ = position_;
    memory_.received().store(received_, std::memory_order_release);
    return grant;
  }

  /// Done with a record that was taken. The producer learns of the room within an eighth of the ring, or when it looks
  /// thoroughly.
  void release(std::uint64_t position) {
    if (position == released_ && position == last_) [[likely]] {  // it is the only one that is held
      // The mark says nothing here: it is for base::hand_over_lines(), which leaves the header's line to this.
      memory_.extent(position).store(usual_ | layout::kRecordDone, std::memory_order_relaxed);
      return finish(position, position_);
    }
    const std::uint64_t next =
        record_after(memory_, position, memory_.extent(position).load(std::memory_order_relaxed));
    if (next == position) [[unlikely]]
      (void)corrupt();
    else
      finish(position, next);
  }

  /// Whether nothing before `begin` is held. Where that is so, release_run() is done with what was taken together, from
  /// `begin` up to `end`; else each record has to be released by itself.
  bool releases_in_order(std::uint64_t begin) const { return begin == released_; }
  void release_run(std::uint64_t begin, std::uint64_t end) { finish(begin, end); }

  /// Gives a record back: the next take hands it out again, marked.
  void requeue(std::uint64_t position) {
    mark(position, layout::kRecordRequeued);
    ++requeued_;
    plain_ = false;
  }

  /// Lets the producer see all the room there is.
  void publish_head() {
    if (head_ == released_) return;
    head_ = released_;
    memory_.head().store(head_, std::memory_order_release);
  }

  /// Whether a record that no consumer took yet, or that is to be handed out again, is there. Changes nothing.
  bool something_to_take() const {
    return requeued_ != 0 || (memory_.word(position_).load(std::memory_order_acquire) & layout::kRecordPublished);
  }

  /// Whether a thorough look would find anything: a record to take or to step over, an end, damage. Reads only. A copy
  /// may be asked by another thread; it is right as long as nothing was taken since.
  bool ready() const {
    if (!owns_ || damaged_ || requeued_ != 0) return true;
    const std::uint64_t state = memory_.state().load(std::memory_order_acquire);
    if (state & layout::kSpscRemoved) return true;
    if ((memory_.word(position_).load(std::memory_order_acquire) & layout::kRecordPublished) || hole_at(position_))
      return true;
    if (!(state & layout::kSpscClosing)) return false;
    // What a closer left half-done the look finishes.
    return !(state & layout::kSpscClosed) || memory_.released().load(std::memory_order_acquire) ==
                                                 memory_.tail().load(std::memory_order_acquire);
  }

  /// Closed, everything taken and released: nothing will ever come.
  bool drained() const {
    const std::uint64_t state = memory_.state().load(std::memory_order_acquire);
    return (state & layout::kSpscClosed) && released_ == memory_.tail().load(std::memory_order_acquire);
  }

 private:
  /// A record is published once: who finds it otherwise this often looks at damaged words.
  static constexpr std::uint32_t kRacesMax = 1000;

  RecordGrant corrupt() {
    damaged_ = true;
    plain_ = false;
    return {RingStatus::corrupt};
  }

  /// The extent word of a claim at `position` that was left by a producer that has gone (S4). The record's word has to
  /// be looked at again afterwards: it may have been published before its producer went.
  std::optional<std::uint64_t> hole_at(std::uint64_t position) const {
    if (lies_before(position, memory_.settled().load(std::memory_order_acquire)))
      return memory_.extent(position).load(std::memory_order_relaxed);
    const std::uint64_t owner = memory_.producer().load(std::memory_order_acquire);
    if (end_state(owner) != layout::EndState::free) return std::nullopt;
    const std::uint64_t tail = memory_.tail().load(std::memory_order_acquire);
    const std::uint64_t last = memory_.last().load(std::memory_order_acquire);
    const std::uint64_t extent = memory_.extent(position).load(std::memory_order_acquire);
    // Nobody had the end meanwhile: what was read belongs together.
    if (!lies_before(position, tail) || memory_.producer().load(std::memory_order_acquire) != owner) return std::nullopt;
    return position == last ? (tail - position) << 32 : extent;  // S2
  }

  void hand_out_again(std::uint64_t position, std::uint64_t extent) {
    const std::uint64_t count = extent & layout::kRecordDeliveriesMask;
    const std::uint64_t next = (extent & ~layout::kRecordRequeued) + (count < layout::kRecordDeliveriesMask ? 1 : 0);
    memory_.extent(position).store(next, std::memory_order_relaxed);
  }

  RecordGrant take_requeued() {
    for (std::uint64_t position = released_; lies_before(position, position_);) {
      const std::uint64_t extent = memory_.extent(position).load(std::memory_order_relaxed);
      if ((extent & layout::kRecordRequeued) && !(extent & layout::kRecordDone)) {
        hand_out_again(position, extent);
        plain_ = --requeued_ == 0;
        return {RingStatus::ok, position, 1, true};
      }
      const std::uint64_t next = record_after(memory_, position, extent);
      if (next == position) return corrupt();
      position = next;
    }
    requeued_ = 0;
    plain_ = true;
    return {RingStatus::empty};
  }

  void mark(std::uint64_t position, std::uint64_t bit) {
    auto& extent = memory_.extent(position);
    extent.store(extent.load(std::memory_order_relaxed) | bit, std::memory_order_relaxed);
  }

  void finish(std::uint64_t position, std::uint64_t next) {
    if (position != released_) [[unlikely]] {
      mark(position, layout::kRecordDone);
      return;
    }
    while (lies_before(next, position_)) {  // what was released before its turn
      const std::uint64_t extent = memory_.extent(next).load(std::memory_order_relaxed);
      if (!(extent & layout::kRecordDone)) break;
      const std::uint64_t after = record_after(memory_, next, extent);
      if (after == next) break;
      next = after;
    }
    released_ = next;
    memory_.released().store(released_, std::memory_order_release);
    if (released_ - head_ >= bytes_ / 8) publish_head();
  }

  Memory memory_{};
  std::uint64_t bytes_ = 0;
  std::uint64_t position_ = 0;  // the next record to take
  std::uint64_t received_ = 0;
  std::uint64_t released_ = 0;
  std::uint64_t head_ = 0;
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  static constexpr std::uint64_t kFar = std::uint64_t{1} << 62;  // no ring is as large
  std::uint64_t usual_ = kNone;  // the extent word of the message before, which was sound
  std::uint64_t last_ = 0;      // what take_next() took, while it took the last one
  std::uint32_t requeued_ = 0;
  bool plain_ = false;  // the end is ours, nothing is damaged and nothing requeued
  bool owns_ = false;
  bool damaged_ = false;
};

}  // namespace shmq::core
