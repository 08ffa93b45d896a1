// An spsc queue as an inspector sees it: its header, who owns its ends, and a walk over its records.
#include <algorithm>

#include "inspect/reader.hpp"
#include "objects/spsc_object.hpp"
#include "shmq/core/event.hpp"

namespace shmq::inspect {

namespace {

using core::lies_before;

class SpscReader {
 public:
  SpscReader(const Source& source, core::ShmSpscMemory ring, const objects::QueueShape& shape,
             const core::ObjectSpace& space)
      : source_(source), ring_(ring), header_(*source.view.at<layout::SpscHeader>(space.offset)) {
    users_ = source.view.at<layout::QueueUser>(
        space.offset + objects::spsc_places_of(shape, source.view.geometry().rows).users);
    seen_.generation = space.generation;
    seen_.capacity = seen_.ring_bytes = ring.ring_bytes();
    seen_.inline_bytes = static_cast<std::uint32_t>(ring.ring_bytes() / 2) - layout::slot_payload_offset(shape.flags);
    seen_.element_bytes = shape.element_bytes;
    seen_.on_full = shape.on_full;
    seen_.metadata = shape.flags & layout::kQueueMetadata;
  }

  QueueSnapshot read() {
    read_header();
    read_records();
    return std::move(seen_);
  }

 private:
  static std::uint32_t owner_of_end(std::uint64_t word) {
    return core::end_state(word) == layout::EndState::held ? layout::owner_of(word) : layout::kNobody;
  }

  void read_header() {
    // released before tail: it never passes it.
    seen_.producer = owner_of_end(header_.producer.load(std::memory_order_acquire));
    seen_.consumer = owner_of_end(header_.consumer.load(std::memory_order_acquire));
    released_ = header_.released.load(std::memory_order_acquire);
    received_ = header_.received.load(std::memory_order_acquire);
    if (lies_before(received_, released_)) received_ = released_;
    tail_ = header_.tail.load(std::memory_order_acquire);
    settled_ = header_.settled.load(std::memory_order_acquire);
    const std::uint64_t state = header_.state.load(std::memory_order_acquire);
    seen_.closed = state & layout::kSpscClosing;
    seen_.removed = state & layout::kSpscRemoved;
    seen_.head_position = received_;
    seen_.tail_position = tail_;
    seen_.total_in = tail_ - header_.start_position;
    seen_.total_out = released_ - header_.start_position;
    seen_.bytes_used = lies_before(released_, tail_) ? std::min(tail_ - released_, seen_.ring_bytes) : 0;
    seen_.redelivered = header_.redelivered.load(std::memory_order_relaxed);
    seen_.tombs = header_.tombs.load(std::memory_order_relaxed);
    seen_.purged = header_.purged.load(std::memory_order_relaxed);
    seen_.rejected = header_.rejected.load(std::memory_order_relaxed);
    for (std::uint32_t row = 0; row < source_.view.geometry().rows; ++row) {
      seen_.full_waits += users_[row].full_waits.load(std::memory_order_relaxed);
      seen_.empty_waits += users_[row].empty_waits.load(std::memory_order_relaxed);
    }
    seen_.consumers_sleep = header_.data_event.load(std::memory_order_relaxed) & core::kEventWaiting;
    seen_.producers_sleep = header_.space_event.load(std::memory_order_relaxed) & core::kEventWaiting;
  }

  /// The records move on while they are read: then what stands there is not sound, and the walk ends early.
  void read_records() {
    HoldSnapshot writing, reading;
    writing.kind = HoldSnapshot::Kind::writing;
    writing.participant = seen_.producer;
    reading.kind = HoldSnapshot::Kind::reading;
    reading.participant = seen_.consumer;
    QueueSnapshot::Slots& slots = seen_.slots;
    objects::for_each_record(ring_, released_, tail_, [&](std::uint64_t position, std::uint64_t word, std::uint64_t extent) {
      const bool taken = lies_before(position, received_);
      seen_.depth += taken ? 0 : 1;
      if (!(word & layout::kRecordPublished)) {
        const bool never = lies_before(position, settled_) || seen_.producer == layout::kNobody;
        if (never)
          ++slots.tombs;
        else
          hold(writing, position);
      } else if ((word & layout::kRecordTomb) || (taken && (extent & layout::kRecordDone))) {
        ++slots.tombs;
      } else if (!taken) {
        ++slots.ready;
      } else if ((extent & layout::kRecordRequeued) || seen_.consumer == layout::kNobody) {
        ++slots.redeliver;
      } else {
        const bool again = extent & layout::kRecordDeliveriesMask;
        ++(again ? slots.rereading : slots.reading);
        reading.redelivered += again ? 1 : 0;
        hold(reading, position);
      }
    });
    slots.writing = writing.count;
    if (seen_.consumer == layout::kNobody) seen_.depth += slots.redeliver;  // as Queue::depth()
    seen_.redelivered += slots.redeliver;  // the header counts them when they are handed out again
    if (!source_.slots) {
      slots = {};
      return;
    }
    for (HoldSnapshot* held : {&reading, &writing}) {
      if (held->count == 0) continue;
      time_hold(*held);
      seen_.holds.push_back(*held);
    }
    if (writing.count != 0 && writing.oldest_position == received_)
      seen_.consumers_wait_for = ObstacleSnapshot{received_, seen_.producer};
    // Full for a record of half the ring: then what is held at the oldest end is in the way of somebody.
    if (reading.count != 0 && reading.oldest_position == released_ && seen_.bytes_used > seen_.ring_bytes / 2)
      seen_.producers_wait_for = ObstacleSnapshot{released_, seen_.consumer};
  }

  static void hold(HoldSnapshot& held, std::uint64_t position) {
    if (held.count++ == 0) held.oldest_position = position;
  }

  void time_hold(HoldSnapshot& held) const {
    if (source_.lock == nullptr || held.participant == 0 || held.participant > source_.view.geometry().rows) return;
    const layout::QueueUser& user = users_[held.participant - 1];
    const std::int64_t noted_ns = (held.kind == HoldSnapshot::Kind::writing ? user.claimed_ns : user.taken_ns)
                                      .load(std::memory_order_relaxed);
    if (noted_ns <= 0 || noted_ns > source_.now_monotonic_ns) return;
    held.last_use_ago_ns = source_.now_monotonic_ns - noted_ns;
    if (held.count == 1) held.at_most_ns = held.last_use_ago_ns;
  }

  const Source& source_;
  core::ShmSpscMemory ring_;
  const layout::SpscHeader& header_;
  const layout::QueueUser* users_ = nullptr;
  std::uint64_t released_ = 0, received_ = 0, tail_ = 0, settled_ = 0;
  QueueSnapshot seen_;
};

}  // namespace

void read_spsc_queue(const Source& source, const core::ObjectSpace& space, ObjectSnapshot& object, Findings& findings) {
  core::ShmSpscMemory ring;
  objects::QueueShape shape;
  if (!objects::spsc_ring_of(source.view, space, ring, &shape)) {
    object.damaged = "its queue header does not describe a queue of this place and size";
    return;
  }
  // The number of messages takes a walk, with or without InspectOptions::slots.
  const std::uint64_t share = ring.ring_bytes() / layout::kSlotBytesMin;
  if (share > findings.slots_left) {
    object.damaged = "it overlaps another object";
    return;
  }
  findings.slots_left -= share;
  object.queue = SpscReader(source, ring, shape, space).read();
}

}  // namespace shmq::inspect
