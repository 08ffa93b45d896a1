#include "objects/forward.hpp"

#include <cstring>

#include "core/blocks.hpp"

namespace shmq {

namespace core {

namespace {

/// What travels with the payload.
struct Envelope {
  MessageId id;
  std::uint32_t length_flags = 0;
  std::uint32_t type = 0;
  std::uint64_t correlation = 0;
};

Grant claim_place(ProducerEndpoint& to, const Limit* limit, Outcome& outcome) {
  Grant grant = to.ring.try_claim(to.me);
  outcome = outcome_of(grant.status);
  if (outcome != Outcome::ok) grant = claim_slow(to, outcome, 1, limit, outcome);
  return grant;
}

void publish(ProducerEndpoint& to, std::uint64_t position, const Envelope& envelope, std::uint32_t length) {
  const QueueHandle& queue = *to.queue;
  to.origin(position) = {envelope.id.generation, envelope.id.position};
  if (queue.flags & layout::kQueueMetadata) write_metadata(to, to.metadata(position), envelope.correlation);
  if (to.is_spsc) {
    to.records.publish(position,
                       layout::record_word(length, envelope.type, std::uint64_t{envelope.length_flags} << 32));
  } else {
    queue.slot(position).descriptor.store(layout::descriptor(length | envelope.length_flags, envelope.type),
                                          std::memory_order_relaxed);
    to.ring.publish(position);
  }
  to.finish(position);
}

/// Hands the block over: a slot there, the block under a new epoch, published there, released here.
Outcome hand_over(ConsumerEndpoint& from, std::uint64_t position, ProducerEndpoint& to, const Limit* limit,
                  const Envelope& envelope, std::uint32_t bytes) {
  const SegmentView& view = from.queue->attachment->view();
  Outcome outcome = Outcome::ok;
  const Grant grant = claim_place(to, limit, outcome);
  if (outcome != Outcome::ok) return outcome;
  const auto reference = begin_forward(view, from.me, from.queue->reference(position));
  if (!reference) {
    abort_claim(to, grant.position, false);
    return Outcome::corrupt;
  }
  to.queue->reference(grant.position) = *reference;
  publish(to, grant.position, envelope, bytes | layout::kLengthInBlock);
  from.release_slot(position);  // the slot alone: the block is not ours any more
  if (from.due()) stamp_take(from);
  return Outcome::ok;
}

/// Inline where the payload and its origin fit the slot, else in a block; or in a record.
Outcome copy(ConsumerEndpoint& from, std::uint64_t position, ProducerEndpoint& to, const Limit* limit,
             const Envelope& envelope, std::span<const std::byte> data) {
  ClaimedRoom room;
  const bool fits = data.size() + sizeof(layout::Origin) <= to.queue->payload_room;
  if (to.is_spsc) {
    room.outcome = Outcome::too_large;
    const std::uint64_t extent = to.extent_of(data.size(), envelope.length_flags);
    if (fits) room.position = claim_records_slow(to, extent, 1, limit, room.outcome).position;
    if (room.outcome == Outcome::ok) room.data = to.record_payload(room.position, envelope.length_flags);
  } else if (fits) {
    room.position = claim_place(to, limit, room.outcome).position;
    if (room.outcome == Outcome::ok) room.data = to.queue->payload(room.position);
  } else {
    room = claim_block(to, data.size(), limit);
  }
  if (room.outcome != Outcome::ok) return room.outcome;
  // Not memcpy: of a damaged segment nobody knows what lies over what.
  if (!data.empty()) std::memmove(room.data, data.data(), data.size());
  publish(to, room.position, envelope,
          static_cast<std::uint32_t>(data.size()) | (room.in_block ? layout::kLengthInBlock : 0));
  from.release(position);
  return Outcome::ok;
}

}  // namespace

MessageId message_id(const ConsumerEndpoint& consumer, std::uint64_t position) {
  if (layout::descriptor_length(consumer.description(position)) & layout::kLengthOrigin) {
    const layout::Origin& origin = consumer.origin(position);
    return {origin.generation, origin.position};
  }
  return {consumer.queue->generation, consumer.queue->widen(position)};
}

std::uint32_t deliveries_of(const ConsumerEndpoint& consumer, std::uint64_t position) {
  if (consumer.is_spsc)
    return static_cast<std::uint32_t>(consumer.records.memory().extent(position).load(std::memory_order_relaxed) &
                                      layout::kRecordDeliveriesMask);
  return layout::slot_deliveries(consumer.queue->slot(position).word.load(std::memory_order_relaxed));
}

bool may_be_repeat(const ConsumerEndpoint& consumer, std::uint64_t position) {
  return deliveries_of(consumer, position) > 0 ||
         (layout::descriptor_length(consumer.description(position)) & layout::kLengthRepeat) != 0;
}

Outcome pass_on(ConsumerEndpoint& from, std::uint64_t position, ProducerEndpoint& to, const Limit* limit, bool repeat) {
  if (from.is_detached() || to.is_detached()) return Outcome::detached;
  const std::uint64_t description = from.description(position);
  Envelope envelope;
  envelope.id = message_id(from, position);
  envelope.length_flags = layout::kLengthOrigin | (repeat ? layout::kLengthRepeat : 0);
  envelope.type = layout::descriptor_type(description);
  if (from.queue->flags & layout::kQueueMetadata) envelope.correlation = from.metadata(position).correlation;
  const std::span<const std::byte> data = from.payload(position);
  const bool in_block = layout::descriptor_length(description) & layout::kLengthInBlock;
  if (in_block && !from.is_spsc && !to.is_spsc && to.queue->attachment == from.queue->attachment)
    return hand_over(from, position, to, limit, envelope, static_cast<std::uint32_t>(data.size()));
  return copy(from, position, to, limit, envelope, data);
}

}  // namespace core

Outcome Message::forward(Producer<void>& to, const Limit& limit) {
  if (consumer_ == nullptr) return Outcome::empty;
  const bool repeat = core::may_be_repeat(*consumer_, position_);
  const Outcome outcome = core::pass_on(*consumer_, position_, *to.endpoint_, &limit, repeat);
  if (outcome == Outcome::ok) std::exchange(consumer_, nullptr)->give_back();
  return outcome;
}

}  // namespace shmq
