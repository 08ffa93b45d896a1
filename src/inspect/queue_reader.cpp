#include <algorithm>
#include <map>

#include "inspect/reader.hpp"
#include "objects/queue_object.hpp"
#include "shmq/core/event.hpp"
#include "shmq/layout/position.hpp"
#include "shmq/base/fence.hpp"

namespace shmq::inspect {

using layout::SlotState;

namespace {

/// What one owner has of one side of a ring, gathered from the newest position to the oldest.
struct Share {
  std::uint64_t owned = 0;  // positions of the last lap that it claimed or took, done with or not
  std::uint64_t held = 0;
  std::uint64_t reread = 0;
  std::uint64_t oldest = 0;
  bool oldest_is_its_latest = false;
};
using Shares = std::map<std::uint32_t, Share>;

class QueueReader {
 public:
  QueueReader(const Source& source, const std::vector<ParticipantSnapshot>& participants, core::ShmRing ring,
              const objects::QueueShape& shape, const core::ObjectSpace& space)
      : source_(source),
        participants_(participants),
        ring_(ring),
        shape_(shape),
        header_(*source.view.at<layout::QueueHeader>(space.offset)),
        users_(source.view.at<layout::QueueUser>(
            space.offset + objects::places_of(shape, source.view.geometry().rows).users)) {}

  QueueSnapshot read(Findings& findings) {
    read_header();
    // head before tail: it never passes it, so the depth is never negative.
    const std::uint64_t head = header_.head.load(std::memory_order_acquire);
    const std::uint64_t tail = header_.tail.load(std::memory_order_acquire);
    const std::uint64_t tail_position = layout::ring_position(tail);
    const std::uint64_t head_position = layout::ring_position(head);
    const std::int64_t depth = layout::position_diff(tail_position, head_position);
    seen_.depth = static_cast<std::uint64_t>(
        std::clamp<std::int64_t>(depth, 0, static_cast<std::int64_t>(seen_.capacity)));
    seen_.closed = tail & layout::kRingClosed;
    seen_.removed = (tail | head) & layout::kRingRemoved;
    seen_.tail_position = layout::widen(tail_position, header_.position_base.load(std::memory_order_relaxed));
    seen_.head_position = wide(head_position);
    const std::uint64_t start = header_.start_position;
    seen_.total_in = since(start, seen_.tail_position);
    seen_.total_out = since(start, seen_.head_position);
    if (source_.slots) {
      look_at_taken(findings);
      look_at_claimed(head_position, findings);
      finish_slots();
      find_obstacles();
    }
    return std::move(seen_);
  }

 private:
  static std::uint64_t since(std::uint64_t start, std::uint64_t position) {
    return static_cast<std::int64_t>(position - start) > 0 ? position - start : 0;
  }
  std::uint64_t wide(std::uint64_t position) const { return layout::widen(position, seen_.tail_position); }
  std::uint64_t word_at(std::uint64_t position) const {
    return ring_.memory().slot(ring_.index_of(position)).load(std::memory_order_acquire);
  }

  void read_header() {
    seen_.generation = header_.generation;
    seen_.capacity = ring_.capacity();
    seen_.slot_bytes = shape_.slot_bytes;
    seen_.inline_bytes = shape_.slot_bytes - layout::slot_payload_offset(shape_.flags);
    seen_.element_bytes = shape_.element_bytes;
    seen_.on_full = shape_.on_full;
    seen_.delivery_limit = shape_.delivery_limit;
    seen_.dead_letter = shape_.dead_letter;
    seen_.metadata = shape_.flags & layout::kQueueMetadata;
    seen_.redelivered = header_.redelivered.load(std::memory_order_relaxed);
    seen_.tombs = header_.tombs.load(std::memory_order_relaxed);
    seen_.purged = header_.purged.load(std::memory_order_relaxed);
    seen_.dropped = header_.dropped.load(std::memory_order_relaxed);
    seen_.rejected = header_.rejected.load(std::memory_order_relaxed);
    seen_.dead_lettered = header_.dead_lettered.load(std::memory_order_relaxed);
    seen_.dead_letter_refused = header_.dead_letter_refused.load(std::memory_order_relaxed);
    for (std::uint32_t row = 0; row < source_.view.geometry().rows; ++row) {
      seen_.full_waits += users_[row].full_waits.load(std::memory_order_relaxed);
      seen_.empty_waits += users_[row].empty_waits.load(std::memory_order_relaxed);
    }
    seen_.consumers_sleep = header_.data_event.load(std::memory_order_relaxed) & core::kEventWaiting;
    seen_.producers_sleep = header_.space_event.load(std::memory_order_relaxed) & core::kEventWaiting;
  }

  static void hold(Share& share, std::uint64_t position, bool latest) {
    ++share.held;
    share.oldest = position;
    share.oldest_is_its_latest = latest;
  }

  /// The last lap below head. The trail is read before the slot: a note that was overwritten meanwhile spoke
  /// of a slot that had moved on before, which the slot then shows (invariant I4 in mpmc_ring.hpp).
  void look_at_taken(Findings& findings) {
    Shares shares;
    Shares rereaders;
    QueueSnapshot::Slots& slots = seen_.slots;
    ring_.for_each_claimed(ring_.memory().head(), &core::ShmRingMemory::consumer_trail,
                           [&](std::uint64_t position, std::uint32_t owner) {
                             Share& share = shares[owner];
                             const bool latest = ++share.owned == 1;
                             const std::uint64_t word = word_at(position);
                             if (word == ring_.ready_word(position) || word == ring_.tomb_word(position)) {
                               ++(word == ring_.ready_word(position) ? slots.reading : taken_tombs_);
                               hold(share, position, latest);
                               note_reference(position, word, findings);
                             } else if (layout::slot_lap(word) == ring_.lap_of(position)) {
                               if (layout::slot_state(word) == SlotState::redeliver) {
                                 ++slots.redeliver;
                                 note_reference(position, word, findings);
                               } else if (layout::slot_state(word) == SlotState::reading) {
                                 ++slots.rereading;
                                 Share& rereader = rereaders[layout::owner_of(word)];
                                 hold(rereader, position, false);
                                 ++rereader.reread;
                                 note_reference(position, word, findings);
                               }
                             }
                           });
    for (const auto& [owner, reread] : rereaders) {
      Share& share = shares[owner];
      // When it took this one, before or after the others, is not known; where there are no others, it is all
      // it has.
      const bool alone = share.owned == 0 && reread.held == 1;
      if (share.held == 0 || layout::position_diff(reread.oldest, share.oldest) < 0)
        share.oldest = reread.oldest;
      share.held += reread.held;
      share.reread = reread.held;
      share.oldest_is_its_latest = alone;
    }
    add_holds(HoldSnapshot::Kind::reading, shares);
  }

  /// The last lap below tail.
  void look_at_claimed(std::uint64_t head, Findings& findings) {
    Shares shares;
    QueueSnapshot::Slots& slots = seen_.slots;
    ring_.for_each_claimed(ring_.memory().tail(), &core::ShmRingMemory::producer_trail,
                           [&](std::uint64_t position, std::uint32_t owner) {
                             Share& share = shares[owner];
                             const bool latest = ++share.owned == 1;
                             const std::uint64_t word = word_at(position);
                             if (word == ring_.free_word(layout::position_add(position, ring_.capacity())))
                               ++slots.free;
                             if (layout::position_diff(position, head) < 0) return;  // seen above
                             if (word == ring_.free_word(position)) {
                               ++slots.writing;
                               hold(share, position, latest);
                             } else if (word == ring_.ready_word(position)) {
                               ++slots.ready;
                               note_reference(position, word, findings);
                             } else if (word == ring_.tomb_word(position)) {
                               ++slots.tombs;
                             }
                           });
    add_holds(HoldSnapshot::Kind::writing, shares);
  }

  /// The block of a message, where its payload is in one. Counts only if the slot did not go on while it was
  /// read.
  void note_reference(std::uint64_t position, std::uint64_t word, Findings& findings) {
    const layout::SlotHeader& slot = ring_.memory().slot_header(ring_.index_of(position));
    if (!(layout::descriptor_length(slot.descriptor.load(std::memory_order_relaxed)) &
          layout::kLengthInBlock))
      return;
    const auto* payload =
        reinterpret_cast<const std::byte*>(&slot) + layout::slot_payload_offset(shape_.flags);
    const std::uint64_t reference =
        reinterpret_cast<const layout::Word*>(payload)->load(std::memory_order_relaxed);
    base::fence(std::memory_order_acquire);
    if (slot.word.load(std::memory_order_relaxed) == word) findings.references.push_back(reference);
  }

  const ParticipantSnapshot* participant(std::uint32_t id) const {
    const auto found =
        std::find_if(participants_.begin(), participants_.end(), [&](const auto& p) { return p.id == id; });
    return found == participants_.end() ? nullptr : &*found;
  }

  void add_holds(HoldSnapshot::Kind kind, const Shares& shares) {
    for (const auto& [owner, share] : shares) {
      if (share.held == 0) continue;
      HoldSnapshot hold;
      hold.kind = kind;
      hold.participant = owner;
      hold.count = share.held;
      hold.redelivered = share.reread;
      hold.oldest_position = wide(share.oldest);
      time_hold(share, hold);
      seen_.holds.push_back(hold);
    }
  }

  void time_hold(const Share& share, HoldSnapshot& hold) const {
    if (source_.lock == nullptr) return;  // the clocks of a copy stood still, or belong to another machine
    const ParticipantSnapshot* holder = participant(hold.participant);
    if (holder == nullptr || holder->joining) return;
    // The row may have had another participant before, whose notes are still there: they are older than the
    // attachment.
    std::int64_t attached_ago = 0;  // the time in the row may be any number
    if (__builtin_sub_overflow(source_.now_realtime_ns, holder->attached_ns, &attached_ago)) attached_ago = INT64_MAX;
    attached_ago = std::max<std::int64_t>(0, attached_ago);
    hold.at_most_ns = attached_ago;
    const layout::QueueUser& user = users_[hold.participant - 1];
    const std::int64_t noted_ns = (hold.kind == HoldSnapshot::Kind::writing ? user.claimed_ns : user.taken_ns)
                                      .load(std::memory_order_relaxed);
    if (noted_ns <= 0 || noted_ns > source_.now_monotonic_ns) return;
    const std::int64_t noted_ago = source_.now_monotonic_ns - noted_ns;
    if (noted_ago > attached_ago) return;
    hold.last_use_ago_ns = noted_ago;
    if (hold.count == 1 && share.oldest_is_its_latest) hold.at_most_ns = noted_ago;
  }

  void finish_slots() {
    QueueSnapshot::Slots& slots = seen_.slots;
    const std::uint64_t in_hands = slots.reading + slots.rereading + slots.redeliver + taken_tombs_;
    seen_.total_out -= std::min(seen_.total_out, in_hands);
    slots.tombs += taken_tombs_;
    const std::uint64_t counted = slots.free + slots.writing + slots.ready + slots.tombs + slots.reading +
                                  slots.rereading + slots.redeliver;
    slots.unclear = seen_.capacity - std::min(seen_.capacity, counted);
    std::sort(seen_.holds.begin(), seen_.holds.end(), [&](const HoldSnapshot& a, const HoldSnapshot& b) {
      return since(seen_.tail_position - 2 * seen_.capacity, a.oldest_position) <
             since(seen_.tail_position - 2 * seen_.capacity, b.oldest_position);
    });
  }

  void find_obstacles() {
    for (const HoldSnapshot& hold : seen_.holds) {
      const ObstacleSnapshot here{hold.oldest_position, hold.participant};
      if (hold.kind == HoldSnapshot::Kind::writing && hold.oldest_position == seen_.head_position &&
          seen_.depth > 0)
        seen_.consumers_wait_for = here;
      if (hold.kind == HoldSnapshot::Kind::reading &&
          hold.oldest_position == seen_.tail_position - seen_.capacity)
        seen_.producers_wait_for = here;
    }
  }

  const Source& source_;
  const std::vector<ParticipantSnapshot>& participants_;
  core::ShmRing ring_;
  objects::QueueShape shape_;
  const layout::QueueHeader& header_;
  const layout::QueueUser* users_;
  std::uint64_t taken_tombs_ = 0;
  QueueSnapshot seen_;
};

}  // namespace

void read_queue(const Source& source, const core::ObjectSpace& space,
                const std::vector<ParticipantSnapshot>& participants, ObjectSnapshot& object,
                Findings& findings) {
  core::ShmRing ring;
  objects::QueueShape shape;
  if (!objects::ring_of(source.view, space, ring, &shape)) {
    object.damaged = "its queue header does not describe a queue of this place and size";
    return;
  }
  if (source.slots) {
    if (ring.capacity() > findings.slots_left) {
      object.damaged = "it overlaps another object";
      return;
    }
    findings.slots_left -= ring.capacity();
  }
  object.queue = QueueReader(source, participants, ring, shape, space).read(findings);
}

}  // namespace shmq::inspect
