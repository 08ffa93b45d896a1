// The owner trail: a bounded multi-producer multi-consumer ring whose every claim names its claimer.
//
// Who may call     any thread of any attached process; `try_claim`..`publish`/`abort` and
// `try_take`..`release`/
//                  `redeliver` (and `try_drop_oldest`..`release`) pair up in one owner. `sweep_*` is for a reaper that knows the owner to be
//                  dead.
// Progress         lock-free: a failed compare-and-swap means that another one won. `full` and `empty` are
// exact. Linearization    claim: the CAS of tail. take: the CAS of head, or of the slot word for a
// redelivery.
//                  publish, release: the store of the slot word.
// Source           D. Vyukov's bounded MPMC queue (sequence number per slot), with the owner moved into the
// head and
//                  tail words and recorded, run by run, in a trail that only a reaper or an inspector reads.
//
// Invariants (L is the lap of position p, N the capacity; all arithmetic is modular)
//  I1  A slot word only ever moves FREE(L) → READY(L)|TOMB(L) → … → FREE(L+1).
//  I2  tail = {p, Y} says: positions below p are claimed, and Y claimed p-1. head says the same for
//  consumers. I3  Before tail passes from a run of claims by Y to another owner's, the trail holds {p, Y} in
//  cell (p-1) mod N.
//      Hence the owner of a claimed position q is the owner in the first cell at or after q whose position
//      matches, or else the owner in tail. head has a trail of its own, with the same rule.
//  I4  A cell that is overwritten for q+N speaks of a position whose slot was already FREE for the next lap,
//  and so
//      were all slots before it: nobody needs the note any more.
//
// What a kill leaves, and who mends it
//   after the note                 a note that is true whether or not the claim was made
//   after the CAS of tail          FREE(L) below tail, owned by the dead     sweep_producer → TOMB(L)
//   after READY(L) or TOMB(L)      nothing
//   after the CAS of head          READY(L) or TOMB(L) below head            sweep_consumer → REDELIVER(L) /
//   FREE(L+1) after REDELIVER → READING      READING(L, dead)                          sweep_consumer →
//   REDELIVER(L) after FREE(L+1)                nothing
// Every repair is one CAS from the exact word that was judged, so any number of reapers may do it at once,
// and one that stops half-way leaves the rest to the next.
//
// The atomics are a parameter: `Memory` hands out references to words with the interface of
// std::atomic<uint64_t>, so that tests can drive every interleaving. It supplies
//   tail() head() producer_trail(i) consumer_trail(i) slot(i) redeliveries()     with i in [0, capacity)
//   capacity_log2()
#pragma once

#include <atomic>
#include <cstdint>

#include "shmq/layout/words.hpp"

namespace shmq::core {

enum class RingStatus : std::uint8_t { ok, full, empty, closed, removed, corrupt, busy };

/// Consecutive positions [position, position + count) that now belong to the caller; none unless `status` is
/// ok.
struct Grant {
  RingStatus status = RingStatus::ok;
  std::uint64_t position = 0;
  std::uint32_t count = 0;
};

/// What a sweep of the consumers' side mended.
struct Mended {
  std::uint32_t redelivered = 0;
  std::uint32_t completed = 0;
};

/// What a reaper decides about a message that its dead holder had received and not released.
enum class Fate : std::uint8_t { redeliver, complete, unchanged };

template <class Memory>
class MpmcRing {
 public:
  MpmcRing() = default;
  explicit MpmcRing(Memory memory) : memory_(memory), log2_(memory_.capacity_log2()) {}

  std::uint64_t capacity() const { return std::uint64_t{1} << log2_; }
  std::uint64_t index_of(std::uint64_t position) const { return position & (capacity() - 1); }
  Memory& memory() { return memory_; }
  const Memory& memory() const { return memory_; }

  std::uint64_t free_word(std::uint64_t position) const { return word(position, layout::SlotState::free); }
  std::uint64_t ready_word(std::uint64_t position) const { return word(position, layout::SlotState::ready); }
  std::uint64_t tomb_word(std::uint64_t position) const { return word(position, layout::SlotState::tomb); }

  /// How often an operation starts again because a word changed under it. Each time another one must have got
  /// on, and nobody loses so many races in a row: words that change more often are changed by somebody who
  /// does not keep to the protocol, and the answer is `corrupt` rather than none.
  static constexpr std::uint32_t kRacesMax = 1u << 16;

  // ---- producers
  // ----------------------------------------------------------------------------------------------------

  /// Claims up to `max` consecutive free positions (at least one when ok). Each must be published or aborted.
  Grant try_claim(layout::Owner me, std::uint32_t max = 1) {
    for (std::uint32_t race = 0; race < kRacesMax; ++race) {
      std::uint64_t tail = memory_.tail().load(std::memory_order_acquire);  // pairs with the CAS below
      if (tail & (layout::kRingClosed | layout::kRingRemoved)) [[unlikely]]
        return {tail & layout::kRingRemoved ? RingStatus::removed : RingStatus::closed};
      const std::uint64_t position = layout::ring_position(tail);
      std::uint64_t slot = 0;
      std::uint32_t count = 0;
      for (; count < max; ++count) {
        const std::uint64_t p = layout::position_add(position, count);
        slot = memory_.slot(index_of(p)).load(std::memory_order_acquire);  // pairs with release()
        if (slot != free_word(p)) break;
      }
      if (count == 0) [[unlikely]] {
        if (lap_diff(layout::slot_lap(slot), lap_of(position)) < 0) return {RingStatus::full};
        // The slot is past FREE(L), so somebody claimed it: tail must have moved since we read it.
        if (memory_.tail().load(std::memory_order_acquire) == tail) return {RingStatus::corrupt};
        continue;
      }
      if (layout::owner_of(tail) != me.id)
        note(memory_.tail(), memory_.producer_trail(before(position)), tail);
      const std::uint64_t next = layout::ring_word(layout::position_add(position, count), me.id);
      // Release: the note is visible to whoever sees this tail. Acquire: so are the notes of earlier owners.
      if (memory_.tail().compare_exchange_strong(tail, next, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed))
        return {RingStatus::ok, position, count};
    }
    return {RingStatus::corrupt};
  }

  /// The payload is complete. Pairs with the acquire of the slot in try_take().
  void publish(std::uint64_t position) {
    memory_.slot(index_of(position)).store(ready_word(position), std::memory_order_release);
  }

  void abort(std::uint64_t position) {
    memory_.slot(index_of(position)).store(tomb_word(position), std::memory_order_release);
  }

  // ---- consumers
  // ----------------------------------------------------------------------------------------------------

  /// Takes up to `max` consecutive positions that are READY or TOMB. The caller looks at each slot: READY is
  /// read in place and then released, TOMB is released at once.
  Grant try_take(layout::Owner me, std::uint32_t max = 1) {
    for (std::uint32_t race = 0; race < kRacesMax; ++race) {
      std::uint64_t head = memory_.head().load(std::memory_order_acquire);  // pairs with the CAS below
      if (head & layout::kRingRemoved) [[unlikely]]
        return {RingStatus::removed};
      const std::uint64_t position = layout::ring_position(head);
      std::uint64_t slot = 0;
      std::uint32_t count = 0;
      for (; count < max; ++count) {
        const std::uint64_t p = layout::position_add(position, count);
        slot = memory_.slot(index_of(p)).load(std::memory_order_acquire);  // pairs with publish() and abort()
        if (slot != ready_word(p) && slot != tomb_word(p)) break;
      }
      if (count == 0) {
        if (slot == free_word(position) || lap_diff(layout::slot_lap(slot), lap_of(position)) < 0)
          return {RingStatus::empty};
        if (memory_.head().load(std::memory_order_acquire) == head) return {RingStatus::corrupt};
        continue;
      }
      if (pass_head(head, count, me)) return {RingStatus::ok, position, count};
    }
    return {RingStatus::corrupt};
  }

  /// For a producer that found the ring full: takes the oldest position away, as try_take() does, where it was never
  /// handed out. The caller releases it. `full` where the oldest is held, waits for redelivery or is still being
  /// written; `empty` where the ring was not full after all. tail stays where it is as long as head stands one
  /// capacity behind it, so that the CAS of head decides alone.
  Grant try_drop_oldest(layout::Owner me) {
    for (std::uint32_t race = 0; race < kRacesMax; ++race) {
      // tail before head, which then is never further behind it than the capacity.
      const std::uint64_t tail = memory_.tail().load(std::memory_order_acquire);
      if (tail & (layout::kRingClosed | layout::kRingRemoved)) [[unlikely]]
        return {tail & layout::kRingRemoved ? RingStatus::removed : RingStatus::closed};
      const std::uint64_t head = memory_.head().load(std::memory_order_acquire);
      const std::uint64_t position = layout::position_sub(layout::ring_position(tail), capacity());
      const std::uint64_t slot = memory_.slot(index_of(position)).load(std::memory_order_acquire);
      if (layout::ring_position(head) != position) {
        if (layout::position_diff(layout::ring_position(head), position) < 0) return {RingStatus::corrupt};
        return {lap_diff(layout::slot_lap(slot), lap_of(position)) > 0 ? RingStatus::empty : RingStatus::full};
      }
      if (slot == free_word(position)) return {RingStatus::full};
      if (slot == ready_word(position) || slot == tomb_word(position)) {
        if (pass_head(head, 1, me)) return {RingStatus::ok, position, 1};
      } else if (memory_.head().load(std::memory_order_acquire) == head) {
        return {RingStatus::corrupt};
      }
    }
    return {RingStatus::corrupt};
  }

  /// Whether try_take() would give something else than `empty`. Takes nothing.
  bool takeable() const {
    for (std::uint32_t race = 0; race < kRacesMax; ++race) {
      const std::uint64_t head = memory_.head().load(std::memory_order_acquire);
      if (head & layout::kRingRemoved) return true;
      const std::uint64_t position = layout::ring_position(head);
      const std::uint64_t slot = memory_.slot(index_of(position)).load(std::memory_order_acquire);
      if (slot == ready_word(position) || slot == tomb_word(position)) return true;
      if (slot == free_word(position) || lap_diff(layout::slot_lap(slot), lap_of(position)) < 0) return false;
      if (memory_.head().load(std::memory_order_acquire) == head) return true;  // damage: try_take() says so
    }
    return true;
  }

  /// Done with a received position. Pairs with the acquire of the slot in try_claim().
  void release(std::uint64_t position) {
    memory_.slot(index_of(position))
        .store(free_word(layout::position_add(position, capacity())), std::memory_order_release);
  }

  /// Gives a received message back: it is delivered again, marked, to whoever comes. The caller wakes the
  /// sleepers. A kill between the two steps leaves a message that no consumer looks for: the reaper always
  /// raises the sequence.
  void redeliver(std::uint64_t position) {
    auto& slot = memory_.slot(index_of(position));
    slot.store(redeliver_word(slot.load(std::memory_order_relaxed)), std::memory_order_release);
    announce_redelivery();
  }

  /// Raised after messages became REDELIVER. A consumer compares it with its own `seen` before each receive,
  /// and sets `seen` to the value it loaded BEFORE a scan only when that scan found nothing.
  std::uint64_t redelivery_sequence() const { return memory_.redeliveries().load(std::memory_order_acquire); }
  void announce_redelivery() { memory_.redeliveries().fetch_add(1, std::memory_order_acq_rel); }

  /// Lets go of a message taken by try_take_redelivered() as if it had not been: it waits on, and its count stays. The
  /// caller announces. (A kill before this counts it once more.)
  void set_aside(std::uint64_t position) {
    auto& slot = memory_.slot(index_of(position));
    const std::uint64_t seen = slot.load(std::memory_order_relaxed);
    slot.store(layout::slot_word(layout::slot_lap(seen), layout::SlotState::redeliver, layout::slot_deliveries(seen)),
               std::memory_order_release);
  }

  Grant try_take_redelivered(layout::Owner me) {
    return try_take_redelivered(me, [](std::uint64_t) { return true; });
  }
  /// Takes the oldest message that waits for redelivery and that `accept(word)` wants; `empty` when there is none.
  template <class Accept>
  Grant try_take_redelivered(layout::Owner me, Accept&& accept) {
    const std::uint64_t head = layout::ring_position(memory_.head().load(std::memory_order_acquire));
    for (std::uint64_t back = capacity(); back > 0; --back) {
      const std::uint64_t position = layout::position_sub(head, back);
      auto& slot = memory_.slot(index_of(position));
      std::uint64_t seen = slot.load(std::memory_order_acquire);
      if (layout::slot_state(seen) != layout::SlotState::redeliver || !accept(seen)) continue;
      const std::uint64_t mine = layout::slot_word(layout::slot_lap(seen), layout::SlotState::reading,
                                                   layout::slot_deliveries(seen), me.id, me.incarnation);
      if (slot.compare_exchange_strong(seen, mine, std::memory_order_acq_rel, std::memory_order_relaxed))
        // head may have moved on since: the lap in the word says which position this is.
        return {RingStatus::ok, nearest(position, layout::slot_lap(mine)), 1};
    }
    return {RingStatus::empty};
  }

  /// Whether any message waits for redelivery.
  bool awaits_redelivery() const {
    for (std::uint64_t i = 0; i < capacity(); ++i)
      if (layout::slot_state(memory_.slot(i).load(std::memory_order_acquire)) == layout::SlotState::redeliver)
        return true;
    return false;
  }

  // ---- the end of the stream
  // ----------------------------------------------------------------------------------------

  void close() { memory_.tail().fetch_or(layout::kRingClosed, std::memory_order_acq_rel); }

  void mark_removed() {
    // head first: a consumer of an empty queue would take one that is closed and not yet removed for the end.
    memory_.head().fetch_or(layout::kRingRemoved, std::memory_order_acq_rel);
    memory_.tail().fetch_or(layout::kRingClosed | layout::kRingRemoved, std::memory_order_acq_rel);
  }

  /// Closed, everything taken and every slot FREE: nothing will ever be delivered again. Exact, since a
  /// closed ring admits no claim and a slot that was seen FREE then stays so.
  bool drained() const {
    const std::uint64_t tail = memory_.tail().load(std::memory_order_acquire);
    if (!(tail & layout::kRingClosed) || (tail & layout::kRingRemoved)) return false;
    const std::uint64_t head = memory_.head().load(std::memory_order_acquire);
    if (layout::ring_position(head) != layout::ring_position(tail)) return false;
    for (std::uint64_t i = 0; i < capacity(); ++i) {
      const std::uint64_t slot = memory_.slot(i).load(std::memory_order_acquire);
      if (layout::slot_state(slot) != layout::SlotState::free) return false;
    }
    return true;
  }

  // ---- repair
  // -------------------------------------------------------------------------------------------------------

  /// Turns what `dead` had claimed and not published into TOMB. Returns how many it turned. tail is loaded
  /// before the trail is read: a note older than tail is then visible (I3), and one that is gone is not
  /// needed (I4).
  std::uint32_t sweep_producer(std::uint32_t dead) {
    std::uint32_t repaired = 0;
    for_each_claimed(memory_.tail(), &Memory::producer_trail,
                     [&](std::uint64_t position, std::uint32_t owner) {
                       if (owner != dead) return;
                       std::uint64_t expected = free_word(position);
                       if (memory_.slot(index_of(position))
                               .compare_exchange_strong(expected, tomb_word(position),
                                                        std::memory_order_acq_rel, std::memory_order_relaxed))
                         ++repaired;
                     });
    return repaired;
  }

  /// Mends what `dead` had received and not released. `fate(index, word)` decides about each message:
  /// redeliver it, complete the release that its holder had earned, or leave it for another look. The caller
  /// announces.
  template <class FateOf>
  Mended sweep_consumer(std::uint32_t dead, FateOf&& fate) {
    Mended mended;
    for_each_claimed(memory_.head(), &Memory::consumer_trail,
                     [&](std::uint64_t position, std::uint32_t owner) {
                       if (owner == dead) repair_taken(position, fate, mended);
                     });
    for (std::uint64_t i = 0; i < capacity(); ++i) {
      std::uint64_t seen = memory_.slot(i).load(std::memory_order_acquire);
      if (layout::slot_state(seen) != layout::SlotState::reading || layout::owner_of(seen) != dead) continue;
      settle(i, seen, fate(i, seen), mended);
    }
    return mended;
  }

  /// Calls `visit(position, owner)` for the last `capacity` positions below `end`, newest first, with the
  /// owner that the trail (or `end` itself) names for each. Also what the inspector uses.
  template <class EndWord, class Trail, class Visit>
  void for_each_claimed(EndWord& end_word, Trail trail, Visit&& visit) const {
    const std::uint64_t end = end_word.load(std::memory_order_acquire);
    std::uint32_t owner = layout::owner_of(end);
    for (std::uint64_t back = 1; back <= capacity(); ++back) {
      const std::uint64_t position = layout::position_sub(layout::ring_position(end), back);
      const std::uint64_t cell = (memory_.*trail)(index_of(position)).load(std::memory_order_acquire);
      if (layout::ring_position(cell) == layout::position_add(position, 1)) owner = layout::owner_of(cell);
      visit(position, owner);
    }
  }

  // ---- arithmetic
  // ---------------------------------------------------------------------------------------------------

  unsigned lap_bits() const { return log2_ < 16 ? 32 : layout::kPositionBits - log2_; }

  std::uint32_t lap_of(std::uint64_t position) const { return static_cast<std::uint32_t>(position >> log2_); }

  /// a - b, signed: laps wrap at 32 bits, or earlier where a large ring leaves fewer bits of the position to
  /// them.
  std::int32_t lap_diff(std::uint32_t a, std::uint32_t b) const {
    const unsigned shift = 32 - lap_bits();
    return static_cast<std::int32_t>((a - b) << shift) >> shift;
  }

  /// The position in the same slot as `guess` whose lap is `lap`.
  std::uint64_t nearest(std::uint64_t guess, std::uint32_t lap) const {
    const std::int64_t laps = lap_diff(lap, lap_of(guess));
    return layout::position_add(guess, static_cast<std::uint64_t>(laps) << log2_);
  }

  static std::uint64_t redeliver_word(std::uint64_t slot) {
    const std::uint32_t count = layout::slot_deliveries(slot);
    return layout::slot_word(layout::slot_lap(slot), layout::SlotState::redeliver,
                             count < layout::kDeliveriesMax ? count + 1 : count);
  }

 private:
  /// Moves head past `count` positions in the name of `me`; false where another was faster.
  bool pass_head(std::uint64_t head, std::uint32_t count, layout::Owner me) {
    const std::uint64_t position = layout::ring_position(head);
    if (layout::owner_of(head) != me.id)
      note(memory_.head(), memory_.consumer_trail(before(position)), head);
    const std::uint64_t next = layout::ring_word(layout::position_add(position, count), me.id);
    return memory_.head().compare_exchange_strong(head, next, std::memory_order_acq_rel,
                                                  std::memory_order_relaxed);
  }

  std::uint64_t word(std::uint64_t position, layout::SlotState state) const {
    return layout::slot_word(lap_of(position), state);
  }

  std::uint64_t before(std::uint64_t position) const { return index_of(layout::position_sub(position, 1)); }

  /// Records that the owner in `end`, as read from `end_word`, claimed the position before it. By CAS, and
  /// only while `end_word` still says so: then whatever stands in the cell is older, however old, and a
  /// writer that wakes up late cannot overwrite a newer note. The cell's own position would not tell: a lone
  /// producer never writes the trail, so a note may be half the range of positions old and look newer. Once
  /// `end_word` has moved on the claim will fail, and needs no note. A late writer of an older note may win
  /// the cell: hence the loop.
  template <class EndWord, class Cell>
  static void note(const EndWord& end_word, Cell& cell, std::uint64_t end) {
    const std::uint64_t truth = end & ~layout::kRingFlags;
    std::uint64_t old = cell.load(std::memory_order_acquire);  // acquire: before the look at end_word
    for (std::uint32_t race = 0; race < kRacesMax; ++race) {
      if (old == truth || end_word.load(std::memory_order_relaxed) != end) return;
      if (cell.compare_exchange_strong(old, truth, std::memory_order_acq_rel, std::memory_order_acquire))
        return;
    }
  }

  template <class FateOf>
  void repair_taken(std::uint64_t position, FateOf& fate, Mended& mended) {
    const std::uint64_t index = index_of(position);
    const std::uint64_t seen = memory_.slot(index).load(std::memory_order_acquire);
    if (seen == tomb_word(position)) settle(index, seen, Fate::complete, mended);
    if (seen == ready_word(position)) settle(index, seen, fate(index, seen), mended);
  }

  void settle(std::uint64_t index, std::uint64_t seen, Fate fate, Mended& mended) {
    if (fate == Fate::unchanged) return;
    const std::uint64_t laps = std::uint64_t{1} << lap_bits();
    const auto next_lap =
        static_cast<std::uint32_t>((layout::slot_lap(seen) + std::uint64_t{1}) & (laps - 1));
    const std::uint64_t next =
        fate == Fate::redeliver ? redeliver_word(seen) : layout::slot_word(next_lap, layout::SlotState::free);
    if (!memory_.slot(index).compare_exchange_strong(seen, next, std::memory_order_acq_rel,
                                                     std::memory_order_relaxed))
      return;  // another reaper did
    ++(fate == Fate::redeliver ? mended.redelivered : mended.completed);
  }

  Memory memory_{};
  unsigned log2_ = 0;
};

}  // namespace shmq::core
