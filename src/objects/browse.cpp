#include "shmq/browse.hpp"

#include <algorithm>
#include <span>

#include "core/blocks.hpp"
#include "objects/spsc_object.hpp"
#include "shmq/base/fence.hpp"
#include "shmq/queue.hpp"

namespace shmq {

using layout::SlotState;

const char* to_string(BrowsedMessage::State state) {
  switch (state) {
    case BrowsedMessage::State::ready:
      return "ready";
    case BrowsedMessage::State::held:
      return "held";
    case BrowsedMessage::State::redeliver:
      return "redeliver";
  }
  return "unknown";
}

namespace {

/// A message that changes hands all the time is given up after so many looks: more than any sound one needs.
constexpr int kLooksMax = 4096;

bool is_kept(const core::ShmRing& ring, std::uint64_t position, std::uint64_t word) {
  const SlotState state = layout::slot_state(word);
  return layout::slot_lap(word) == layout::slot_lap(ring.ready_word(position)) &&
         (state == SlotState::ready || state == SlotState::redeliver || state == SlotState::reading);
}

void copy_metadata(const layout::MessageMetadata& from, BrowsedMessage& message) {
  alignas(8) layout::MessageMetadata metadata;
  base::copy_racing(&metadata, &from, sizeof metadata);
  message.producer_pid = metadata.producer_pid;
  message.published_ns = metadata.published_ns;
  message.correlation = metadata.correlation;
}

MessageId copy_origin(const layout::Origin& from) {
  layout::Origin origin;
  base::copy_racing(&origin, &from, sizeof origin);
  return {origin.generation, origin.position};
}

void copy_bytes(std::span<const std::byte> from, BrowsedMessage& message) {
  message.payload.resize(from.size());
  base::copy_racing(message.payload.data(), from.data(), from.size());
}

}  // namespace

Browser::Browser(std::shared_ptr<core::QueueHandle> queue, std::size_t max) : queue_(std::move(queue)), left_(max) {
  if (queue_->is_spsc) {
    at_ = queue_->records.released().load(std::memory_order_acquire);
    end_ = queue_->records.tail().load(std::memory_order_acquire);
  } else {
    end_ = layout::ring_position(queue_->header->tail.load(std::memory_order_acquire));
    at_ = layout::position_sub(end_, queue_->ring.capacity());
  }
}

Browser Queue<void>::browse(std::size_t max) const { return Browser(handle_, max); }

std::optional<BrowsedMessage> Browser::next() {
  if (left_ == 0 || queue_->attachment->detached()) return std::nullopt;
  std::optional<BrowsedMessage> found = queue_->is_spsc ? next_record() : next_slot();
  left_ = found ? left_ - 1 : 0;
  return found;
}

/// Participant `id`, as its row names it. The caller looks afterwards whether it still holds the message: as long as it
/// does, its row is nobody else's.
void Browser::see_holder(std::uint32_t id, BrowsedMessage& message) const {
  const core::SegmentView& view = queue_->attachment->view();
  message.state = BrowsedMessage::State::held;
  message.holder = id;
  if (id == layout::kNobody || id > view.geometry().rows) return;
  const layout::ParticipantRow& row = view.row(id - 1);
  message.holder_pid = row.pid;
  message.holder_name = row.name.get();
}

// ---- mpmc
// --------------------------------------------------------------------------------------------------------

std::optional<BrowsedMessage> Browser::next_slot() {
  while (at_ != end_) {
    const std::uint64_t position = at_;
    at_ = layout::position_add(at_, 1);
    BrowsedMessage message;
    if (copy_slot(position, message)) return message;
  }
  return std::nullopt;
}

/// The payload first, then who has it. A slot of one lap is written once, before it is READY, and not again before it is
/// FREE: what was copied is whole where the slot still keeps this message afterwards.
bool Browser::copy_slot(std::uint64_t position, BrowsedMessage& message) {
  const layout::Word& slot = queue_->slot(position).word;
  std::uint64_t word = slot.load(std::memory_order_acquire);  // pairs with publish()
  if (!is_kept(queue_->ring, position, word) || !copy_payload(position, message)) return false;
  for (int look = 0; look < kLooksMax; ++look) {
    see_slot(position, word, message);
    base::fence(std::memory_order_acquire);
    const std::uint64_t now = slot.load(std::memory_order_acquire);
    if (now == word) return true;
    if (!is_kept(queue_->ring, position, now)) return false;
    word = now;
  }
  return false;
}

bool Browser::copy_payload(std::uint64_t position, BrowsedMessage& message) const {
  const core::QueueHandle& queue = *queue_;
  const std::uint64_t descriptor = queue.slot(position).descriptor.load(std::memory_order_relaxed);
  const std::uint32_t length = layout::descriptor_length(descriptor);
  message.type = layout::descriptor_type(descriptor);
  message.redelivered = length & layout::kLengthRepeat;
  message.id = length & layout::kLengthOrigin ? copy_origin(queue.origin(position))
                                              : MessageId{queue.generation, queue.widen(position)};
  if (queue.flags & layout::kQueueMetadata) copy_metadata(queue.metadata(position), message);
  const std::size_t bytes = length & layout::kLengthMask;  // shared memory: no more than the room is read
  if (!(length & layout::kLengthInBlock)) {
    copy_bytes({queue.payload(position), std::min<std::size_t>(bytes, queue.payload_room)}, message);
    return true;
  }
  const core::SegmentView& view = queue.attachment->view();
  const std::uint64_t reference = base::load_racing(queue.reference(position));
  const std::span<const std::byte> block = core::referenced_bytes(view, reference);
  if (block.empty()) return false;
  copy_bytes(block.first(std::min(bytes, block.size())), message);
  // A forward takes the block to another slot while this one still names it.
  base::fence(std::memory_order_acquire);
  return !core::referenced_bytes(view, reference).empty();
}

void Browser::see_slot(std::uint64_t position, std::uint64_t word, BrowsedMessage& message) {
  message.state = BrowsedMessage::State::ready;
  message.holder = message.holder_pid = 0;
  message.holder_name.clear();
  message.deliveries = layout::slot_deliveries(word);
  message.redelivered |= message.deliveries > 0;
  if (layout::slot_state(word) == SlotState::redeliver) message.state = BrowsedMessage::State::redeliver;
  if (layout::slot_state(word) == SlotState::reading) see_holder(layout::owner_of(word), message);
  if (layout::slot_state(word) != SlotState::ready) return;
  const std::uint64_t head = queue_->header->head.load(std::memory_order_acquire);
  if (layout::position_diff(position, layout::ring_position(head)) < 0) see_holder(taker_of(position, head), message);
}

/// Who took `position`, which lies before `head`: the owner in the first note at or after it, or else in head
/// (core/mpmc_ring.hpp, I3). A note that was overwritten spoke of a slot that had gone on, which the caller's next look
/// at the slot then shows (I4).
std::uint32_t Browser::taker_of(std::uint64_t position, std::uint64_t head) {
  const auto in_run = [&] {
    return layout::position_diff(position, run_begin_) >= 0 && layout::position_diff(position, run_end_) < 0;
  };
  if (run_owner_ != layout::kNobody && in_run()) return run_owner_;
  const std::uint64_t end = layout::ring_position(head);
  run_begin_ = position;
  run_owner_ = layout::owner_of(head);
  run_end_ = end;
  std::uint64_t at = position;
  for (std::uint64_t i = 0; i < queue_->ring.capacity() && layout::position_diff(at, end) < 0; ++i) {
    const std::uint64_t next = layout::position_add(at, 1);
    const std::uint64_t cell =
        queue_->ring.memory().consumer_trail(queue_->ring.index_of(at)).load(std::memory_order_acquire);
    if (layout::ring_position(cell) == next) {
      run_owner_ = layout::owner_of(cell);
      run_end_ = next;
      break;
    }
    at = next;
  }
  return run_owner_;
}

// ---- spsc
// --------------------------------------------------------------------------------------------------------

std::optional<BrowsedMessage> Browser::next_record() {
  const core::ShmSpscMemory& records = queue_->records;
  for (std::uint64_t looks = 0; looks < records.ring_bytes(); ++looks) {
    const std::uint64_t released = records.released().load(std::memory_order_acquire);
    if (core::lies_before(at_, released)) at_ = released;
    if (!core::lies_before(at_, end_) || end_ - at_ > records.ring_bytes() || at_ % layout::kRecordAlignment != 0)
      return std::nullopt;
    const std::uint64_t position = at_;
    const std::uint64_t word = records.word(position).load(std::memory_order_acquire);
    const std::uint64_t extent = objects::extent_word_at(records, position, word, end_);
    const std::uint64_t next = core::record_after(records, position, extent);
    const std::uint64_t offset = sizeof(layout::RecordHeader) + layout::record_prefix(queue_->flags, word);
    const bool is_message = (word & layout::kRecordPublished) && !(word & layout::kRecordTomb) &&
                            !(extent & layout::kRecordDone) && next - position >= offset;
    BrowsedMessage message;
    if (is_message) {
      const std::byte* const payload = records.at(position) + offset;
      message.type = layout::descriptor_type(word);
      message.deliveries = static_cast<std::uint32_t>(extent & layout::kRecordDeliveriesMask);
      message.redelivered = (word & layout::kRecordRepeat) || message.deliveries > 0;
      message.id = {queue_->generation, position};
      if (word & layout::kRecordOrigin)
        message.id = copy_origin(*reinterpret_cast<const layout::Origin*>(payload - sizeof(layout::Origin)));
      if (queue_->flags & layout::kQueueMetadata)
        copy_metadata(*reinterpret_cast<const layout::MessageMetadata*>(records.at(position) +
                                                                        sizeof(layout::RecordHeader)),
                      message);
      copy_bytes({payload, std::min(layout::record_length(word), next - position - offset)}, message);
      const std::uint64_t owner = records.consumer().load(std::memory_order_acquire);
      const bool received = core::lies_before(position, records.received().load(std::memory_order_acquire));
      // What a consumer that has gone received and did not release is to be delivered again.
      if ((extent & layout::kRecordRequeued) || (received && core::end_state(owner) == layout::EndState::free)) {
        message.state = BrowsedMessage::State::redeliver;
        message.redelivered = true;
        // It came back; the record counts that when it is handed out again.
        message.deliveries = std::min<std::uint32_t>(message.deliveries + 1, layout::kRecordDeliveriesMask);
      } else if (received) {
        see_holder(layout::owner_of(owner), message);
      }
    }
    // It may have been released, and written over, while we copied: then what is next is read anew.
    base::fence(std::memory_order_acquire);
    if (core::lies_before(position, records.released().load(std::memory_order_acquire))) continue;
    if (next == position) return std::nullopt;
    at_ = next;
    if (is_message) return message;
  }
  return std::nullopt;
}

}  // namespace shmq
