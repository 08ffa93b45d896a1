// A byte ring of variable-length records between one producer and one consumer, and the words that own its two ends.
//
// Who may call     SpscProducer: the one who owns the producer's end; SpscConsumer: the one who owns the consumer's. A
//                  dead owner is succeeded: free_end_of() is for a reaper that knows it to be dead.
// Progress         wait-free. `full` and `empty` are exact where the caller asks for a thorough look.
// Linearization    claim: the store of tail. publish: the store of the record's word. take: the store of `received`.
//                  release: the store of `released`, or of the record's mark.
// Source           The record header that is the publish flag, cleared ahead by the producer, is folklore of byte rings
//                  (Aeron's one-to-one ring buffer among them); cached opposite positions as in J. Giacomoni et al.,
//                  FastForward, and P. Lee et al., MCRingBuffer. What each side knows is kept in shared words of its own,
//                  written by plain stores, so that a successor goes on exactly where a dead owner stopped.
//
// Invariants (positions are 64-bit and do not wrap in practice; they are compared by signed difference all the same)
//  S1  Only the owner of an end writes that end's words; an end has one owner, named in its owner word.
//  S2  Records lie back to back from `released` to `tail`, each with its extent written before tail passes it.
//  S3  The record word at tail is not published (bit 63 clear), and tail + 16 - released <= size.
//  S4  Below `settled`, and below tail while nobody owns the producer's end, what is not published never will be.
//  S5  head <= released <= received <= tail, apart from records that the consumer stepped over without handing out.
//
// What a kill leaves, and who mends it
//   producer, before the store of tail       nothing: its successor starts at tail
//   producer, claimed and not published      a hole below tail: the consumer steps over it (S4)
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
/// released() head() state(), word(position) and extent(position) of a record, and ring_bytes().
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
    if (tail_ % layout::kRecordAlignment != 0) {  // no record could be written there
      limit_ = tail_ = 0;  // a tail far away would look like room to claim_next()
      let_go_of_end(memory_.producer());
      return RingStatus::corrupt;
    }
    owns_ = true;
    memory_.settled().store(tail_, std::memory_order_release);
    limit_ = tail_;  // the first claim looks
    return RingStatus::ok;
  }

  void let_go() {
    if (!owns_) return;
    owns_ = false;
    limit_ = tail_;  // claim_next() looks at nothing else
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
    std::uint64_t end = position;
    for (std::uint32_t i = 0; i < count; ++i) {
      memory_.extent(end).store(extent << 32, std::memory_order_relaxed);
      end += extent;
      memory_.word(end).store(0, std::memory_order_relaxed);  // S3, also for the records between
    }
    const RingStatus status = advance(position, end);
    return {status, position, status == RingStatus::ok ? count : 0};
  }

  /// The common case of try_claim(): one record, and there is room for it without a look at the other side. False:
  /// try_claim() says why.
  bool claim_next(std::uint64_t extent, std::uint64_t& position) {
    const std::uint64_t begin = tail_;
    const std::uint64_t end = begin + extent;
    if ((begin & (bytes_ - 1)) + extent > bytes_ || lies_before(limit_, end)) [[unlikely]]
      return false;
    memory_.extent(begin).store(extent << 32, std::memory_order_relaxed);
    memory_.word(end).store(0, std::memory_order_relaxed);
    position = begin;
    return advance(begin, end) == RingStatus::ok;
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
    memory_.word(position).store(word | layout::kRecordPublished, std::memory_order_release);
  }

  /// Gives `count` claims of one extent back, the first of them at `position`. Where they were the last, the room is
  /// there again at once. Returns whether a tomb was left.
  bool abort(std::uint64_t position, std::uint64_t extent, std::uint32_t count = 1) {
    if (position + count * extent == tail_) {
      memory_.word(position).store(0, std::memory_order_relaxed);
      tail_ = position;
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
    memory_.extent(position).store(padding << 32, std::memory_order_relaxed);
    memory_.word(position + padding).store(0, std::memory_order_relaxed);
    const RingStatus status = advance(position, position + padding);
    if (status == RingStatus::ok) publish(position, layout::kRecordTomb);
    return status;
  }

  RingStatus advance(std::uint64_t from, std::uint64_t to) {
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
    return RingStatus::ok;
  }

  Memory memory_{};
  std::uint64_t bytes_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t limit_ = 0;  // no record may end beyond it, as far as is known
  bool owns_ = false;
};

}  // namespace shmq::core
