// A byte ring of variable-length records between one producer and one consumer, and the words that own its two ends.
//
// Who may call     SpscProducer: the one who owns the producer's end; SpscConsumer: the one who owns the consumer's. A
//                  dead owner is succeeded: free_end_of() is for a reaper that knows it to be dead.
// Progress         wait-free, apart from a take that steps over tombs for as long as the producer leaves nothing else.
//                  `full` and `empty` are exact where the caller asks for a thorough look.
// Linearization    claim: the store of tail. publish: the store of the record's word. take: the store of `received`.
//                  release: the store of `released`, or of the record's mark.
// Source           The record header that is the publish flag, cleared ahead by the producer, is folklore of byte rings
//                  (Aeron's one-to-one ring buffer among them); cached opposite positions as in J. Giacomoni et al.,
//                  FastForward, and P. Lee et al., MCRingBuffer. What each side knows is kept in shared words of its own,
//                  written by plain stores, so that a successor goes on exactly where a dead owner stopped.
//
// Invariants (positions are 64-bit and do not wrap in practice; they are compared by signed difference all the same)
//  S1  Only the owner of an end writes that end's words; an end has one owner, named in its owner word.
//  S2  Records lie back to back from `released` to `tail`. Each has its extent written before the next one is claimed;
//      the last one, at `last`, reaches up to tail, and its extent may be written as late as it is published. So a claim
//      writes nothing to the line that the consumer polls, which would fetch it from under the producer's hands.
//  S3  The record word at tail is not published (bit 63 clear), and tail + 16 - released <= size.
//      The producer clears in strides, further than the next header: the lines that its next messages lie in are
//      then its own before it writes them, and not one after the other while they are written.
//  S4  Below `settled`, and below tail while nobody owns the producer's end, what is not published never will be.
//  S5  head <= released <= received <= tail, apart from records that the consumer stepped over without handing out.
//
// What a kill leaves, and who mends it
//   producer, before the store of tail       nothing: its successor starts at tail (`last` = tail names no record, and
//                                            the extent of the one before was written first)
//   producer, claimed and not published      a hole below tail: the consumer steps over it (S4); a successor writes the
//                                            extent of the last one
//   producer, published                      a message
//   consumer, `received` stored              messages from `released` to `received` come again, marked, but for those
//                                            marked done
//   consumer, released                       nothing
//   either                                   an owner word that names the dead: a reaper frees it, one CAS
//
// Closing has no read-modify-write to share with a claim, so both look after they wrote: a claim stores tail and then
// looks whether the queue is closing, and takes itself back; close() raises `closing`, has every running thread execute
// a barrier (membarrier; where that is refused, claims fence), and only then raises `closed`, which is what the consumer
// takes for the end. Whoever finds `closing` alone finishes it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "shmq/base/fence.hpp"
#include "shmq/core/mpmc_ring.hpp"
#include "shmq/layout/spsc_header.hpp"

namespace shmq::core {

/// `a` lies before `b`.
constexpr bool lies_before(std::uint64_t a, std::uint64_t b) { return static_cast<std::int64_t>(a - b) < 0; }

constexpr layout::EndState end_state(std::uint64_t word) {
  return static_cast<layout::EndState>(layout::word_state(word));
}

/// Takes an end that nobody owns. False: `*owner` is the word of whoever does.
template <class Word>
bool take_end(Word& end, layout::Owner me, std::uint64_t* owner) {
  std::uint64_t seen = end.load(std::memory_order_acquire);
  // A word that changes more often is not kept to the protocol: it then counts as busy.
  for (int race = 0; race < 1000 && end_state(seen) == layout::EndState::free; ++race) {
    const std::uint64_t mine = layout::owner_word(layout::word_epoch(seen), me.incarnation, me.id,
                                                  static_cast<std::uint8_t>(layout::EndState::held));
    // Acquire: what the last owner wrote. Pairs with let_go_of_end() and free_end_of().
    if (end.compare_exchange_strong(seen, mine, std::memory_order_acq_rel, std::memory_order_acquire))
      return true;
  }
  if (owner != nullptr) *owner = seen;
  return false;
}

/// By its owner.
template <class Word>
void let_go_of_end(Word& end) {
  const std::uint64_t epoch = layout::word_epoch(end.load(std::memory_order_relaxed));
  end.store(layout::owner_word(layout::epoch_add(epoch, 1), 0, layout::kNobody,
                               static_cast<std::uint8_t>(layout::EndState::free)),
            std::memory_order_release);
}

/// By a reaper, when `dead` is dead. True where this call was the one that freed it.
template <class Word>
bool free_end_of(Word& end, std::uint32_t dead) {
  std::uint64_t seen = end.load(std::memory_order_acquire);
  if (end_state(seen) != layout::EndState::held || layout::owner_of(seen) != dead) return false;
  const std::uint64_t free = layout::owner_word(layout::epoch_add(layout::word_epoch(seen), 1), 0, layout::kNobody,
                                                static_cast<std::uint8_t>(layout::EndState::free));
  return end.compare_exchange_strong(seen, free, std::memory_order_acq_rel, std::memory_order_acquire);
}

/// The owner of the producer's end. `Memory` supplies the words: producer() tail() settled() consumer() received()
/// released() head() state() last(), word(position) and extent(position) of a record; ring_bytes(); clear(position, bytes),
/// which makes zeros of a part of the ring, and kStride, how far that is done ahead.
template <class Memory>
class SpscProducer {
 public:
  SpscProducer() = default;
  explicit SpscProducer(Memory memory) : memory_(memory), bytes_(memory_.ring_bytes()) {}

  bool owns_end() const { return owns_; }
  Memory& memory() { return memory_; }
  const Memory& memory() const { return memory_; }

  /// Becomes the producer; `busy_with` is set to the owner's word where there is one. What the last producer claimed
  /// and did not publish is settled: the consumer steps over it.
  RingStatus take_over(layout::Owner me, std::uint64_t* busy_with) {
    if (owns_) return RingStatus::ok;
    if (!take_end(memory_.producer(), me, busy_with)) return RingStatus::busy;
    tail_ = memory_.tail().load(std::memory_order_acquire);
    cleared_ = tail_ + sizeof(layout::RecordHeader);  // S3
    if (tail_ % layout::kRecordAlignment != 0) {  // no record could be written there
      limit_ = tail_ = 0;  // a tail far away would look like room to claim_next()
      let_go_of_end(memory_.producer());
      return RingStatus::corrupt;
    }
    owns_ = true;
    write_extent_of_last();
    memory_.settled().store(tail_, std::memory_order_release);
    limit_ = last_ = tail_;  // the first claim looks
    open_ = false;
    return RingStatus::ok;
  }

  void let_go() {
    if (!owns_) return;
    owns_ = false;
    limit_ = last_ = tail_;  // claim_next() looks at nothing else
    let_go_of_end(memory_.producer());
  }

  /// Claims up to `count` records of `extent` bytes each, back to back, at least one when ok. Each must be published
  /// or aborted. A look that is not thorough reads a lazily written word, which leaves the consumer's lines alone.
  Grant try_claim(std::uint64_t extent, std::uint32_t count, bool thorough) {
    std::uint64_t position = tail_;
    const std::uint64_t to_end = bytes_ - (position & (bytes_ - 1));
    const std::uint64_t padding = extent > to_end ? to_end : 0;
    if (lies_before(limit_, position + padding + extent)) [[unlikely]] {
      const RingStatus status = look_for_room(padding + extent, thorough);
      if (status != RingStatus::ok) return {status};
    }
    if (padding != 0) [[unlikely]] {
      const RingStatus status = step_to_start(padding);
      if (status != RingStatus::ok) return {status};
      position = tail_;
    }
    if (count > 1) {
      const std::uint64_t contiguous = bytes_ - (position & (bytes_ - 1));
      count = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(count, std::min(contiguous, limit_ - position) / extent));
    }
    close_last();
    std::uint64_t end = position + extent;
    clear_header_at(end, extent);  // also of the records between
    for (std::uint32_t i = 1; i < count; ++i, end += extent) {
      memory_.extent(end - extent).store(extent << 32, std::memory_order_relaxed);
      clear_header_at(end + extent, extent);
    }
    const RingStatus status = advance(position, end - extent, end);
    return {status, position, status == RingStatus::ok ? count : 0};
  }

  /// The common case of try_claim(): one record, and there is room for it without a look at the other side. False:
  /// try_claim() says why.
  bool claim_next(std::uint64_t extent, std::uint64_t& position) {
    const std::uint64_t begin = tail_;
    const std::uint64_t end = begin + extent;
    if ((begin & (bytes_ - 1)) + extent > bytes_ || lies_before(limit_, end)) [[unlikely]]
      return false;
    close_last();
    clear_header_at(end, extent);
    position = begin;
    return advance(begin, begin, end) == RingStatus::ok;
  }

  /// What publish() will say of the record; consumers do not see it yet.
  void describe(std::uint64_t position, std::uint64_t word) {
    memory_.word(position).store(word, std::memory_order_relaxed);
  }
  std::uint64_t description(std::uint64_t position) const {
    return memory_.word(position).load(std::memory_order_relaxed);
  }
  /// Pairs with the acquire of the word in SpscConsumer::try_take().
  void publish(std::uint64_t position, std::uint64_t word) {
    if (position == last_) [[likely]] {
      memory_.extent(position).store((tail_ - position) << 32, std::memory_order_relaxed);
      open_ = false;
    }
    memory_.word(position).store(word | layout::kRecordPublished, std::memory_order_release);
  }

  /// Gives `count` claims of one extent back, the first of them at `position`. Where they were the last, the room is
  /// there again at once. Returns whether a tomb was left.
  bool abort(std::uint64_t position, std::uint64_t extent, std::uint32_t count = 1) {
    if (position + count * extent == tail_) {
      memory_.word(position).store(0, std::memory_order_relaxed);
      cleared_ = position + sizeof(layout::RecordHeader);
      tail_ = last_ = position;
      open_ = false;
      memory_.tail().store(position, std::memory_order_release);
      return false;
    }
    for (std::uint32_t i = 0; i < count; ++i) publish(position + i * extent, layout::kRecordTomb);
    return true;
  }

 private:
  RingStatus look_for_room(std::uint64_t needed, bool thorough) {
    if (!owns_) return RingStatus::busy;
    // Pairs with the consumer's release stores: what it read there, it has read.
    if (room_since(memory_.head().load(std::memory_order_acquire), needed)) return RingStatus::ok;
    if (!thorough) return RingStatus::full;
    const std::uint64_t released = memory_.released().load(std::memory_order_acquire);
    if (room_since(released, needed)) return RingStatus::ok;
    const bool sound = tail_ - released <= bytes_ && released % layout::kRecordAlignment == 0;
    if (!sound) return RingStatus::corrupt;
    // Who waits for room would otherwise not hear that there is nothing to wait for any more.
    const std::uint64_t state = memory_.state().load(std::memory_order_acquire);
    if (state & layout::kSpscRemoved) return RingStatus::removed;
    return state & layout::kSpscClosing ? RingStatus::closed : RingStatus::full;
  }

  /// Whether `needed` bytes and, for S3, a header fit where the consumer is done up to `done`. What lags behind by more
  /// than the ring tells nothing.
  bool room_since(std::uint64_t done, std::uint64_t needed) {
    const std::uint64_t used = tail_ - done;
    if (used > bytes_ || needed + sizeof(layout::RecordHeader) > bytes_ - used) return false;
    limit_ = done + bytes_ - sizeof(layout::RecordHeader);
    return true;
  }

  /// A record must not wrap: what is left up to the end of the ring becomes a tomb.
  RingStatus step_to_start(std::uint64_t padding) {
    const std::uint64_t position = tail_;
    close_last();
    clear_header_at(position + padding, padding);
    const RingStatus status = advance(position, position, position + padding);
    if (status == RingStatus::ok) publish(position, layout::kRecordTomb);
    return status;
  }

  /// S3, before tail moves to `end` over a record of `extent` bytes.
  void clear_header_at(std::uint64_t end, std::uint64_t extent) {
    if (lies_before(cleared_, end + sizeof(layout::RecordHeader))) [[unlikely]]
      clear_stride(end, extent);
  }
  /// Between records that are larger than a stride, the header alone.
  [[gnu::noinline]] void clear_stride(std::uint64_t end, std::uint64_t extent) {
    const std::uint64_t begin = lies_before(cleared_, end) ? end : cleared_;
    const std::uint64_t room_ends = limit_ + sizeof(layout::RecordHeader);
    cleared_ = end + sizeof(layout::RecordHeader);
    if (extent <= Memory::kStride) cleared_ = (cleared_ + Memory::kStride) & ~(Memory::kStride - 1);
    if (lies_before(room_ends, cleared_)) cleared_ = room_ends;
    memory_.clear(begin, cleared_ - begin);
  }

  /// S2, before another record is claimed.
  void close_last() {
    if (!open_) [[likely]]
      return;
    memory_.extent(last_).store((tail_ - last_) << 32, std::memory_order_relaxed);
    open_ = false;
  }
  /// The same by a successor: by CAS, because the consumer may step over the hole at the same time, write its extent and
  /// mark it.
  void write_extent_of_last() {
    const std::uint64_t last = memory_.last().load(std::memory_order_acquire);
    if (!lies_before(last, tail_) || tail_ - last > bytes_ || last % layout::kRecordAlignment != 0) return;
    if (memory_.word(last).load(std::memory_order_acquire) & layout::kRecordPublished) return;
    std::uint64_t seen = memory_.extent(last).load(std::memory_order_relaxed);
    while (layout::record_extent(seen) != tail_ - last &&
           !memory_.extent(last).compare_exchange_strong(seen, (tail_ - last) << 32, std::memory_order_relaxed,
                                                         std::memory_order_relaxed)) {
    }
  }

  RingStatus advance(std::uint64_t from, std::uint64_t last, std::uint64_t to) {
    // Release, for a kill right after it: the record before is then no longer the last one, and has the extent that
    // close_last() wrote. Pairs with the acquire of `last` in hole_at() and write_extent_of_last().
    memory_.last().store(last, std::memory_order_release);
    memory_.tail().store(to, std::memory_order_release);
    // The look comes after the store: by close()'s barrier, or by our own.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    std::uint64_t state = memory_.state().load(std::memory_order_relaxed);
    if (state != 0) [[unlikely]] {
      if (state & layout::kSpscFence) {
        memory_.fence();
        state = memory_.state().load(std::memory_order_relaxed);
      }
      if (state & (layout::kSpscClosing | layout::kSpscRemoved)) {
        memory_.tail().store(from, std::memory_order_release);
        return state & layout::kSpscRemoved ? RingStatus::removed : RingStatus::closed;
      }
    }
    tail_ = to;
    last_ = last;
    open_ = true;
    return RingStatus::ok;
  }

  Memory memory_{};
  std::uint64_t bytes_ = 0;
  // tail_ and last_ lie apart: side by side, compilers store them as one vector, and the next message's load of one of
  // them waits for that (measured: 4 ns of 10).
  std::uint64_t tail_ = 0;
  std::uint64_t limit_ = 0;    // no record may end beyond it, as far as is known
  std::uint64_t cleared_ = 0;  // from tail_ on up to here, whatever may be a header is zero
  std::uint64_t last_ = 0;     // the record that was claimed last, or tail_
  bool open_ = false;  // the extent of the last one is not written yet
  bool owns_ = false;
};

}  // namespace shmq::core
