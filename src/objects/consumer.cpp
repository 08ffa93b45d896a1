#include "shmq/consumer.hpp"

#include <cstring>

#include "core/blocks.hpp"
#include "objects/receiving.hpp"
#include "objects/spsc_queue.hpp"
#include "objects/waiter.hpp"

namespace shmq {

namespace core {

Outcome look(ConsumerEndpoint& consumer, std::uint32_t max, bool thorough, Taken& taken) {
  if (consumer.is_spsc) return look_at_records(consumer, max, thorough, taken);
  for (;;) {
    const std::uint64_t sequence = consumer.ring.redelivery_sequence();
    if (consumer.seen != sequence) {
      const Grant again = consumer.ring.try_take_redelivered(consumer.me);
      if (again.status == RingStatus::ok) {
        taken = {Outcome::ok, again.position, 1};
        return Outcome::ok;
      }
      consumer.seen = sequence;  // only after a scan that found nothing, and to the value before that scan
    }
    const Grant grant = consumer.ring.try_take(consumer.me, max);
    if (grant.status == RingStatus::ok) {
      taken = {Outcome::ok, grant.position, consumer.messages_of(grant)};
      if (taken.mask != 0) return Outcome::ok;
      continue;  // nothing but tombs
    }
    if (thorough && grant.status == RingStatus::empty && consumer.ring.drained()) return Outcome::closed;
    return outcome_of(grant.status);
  }
}

Lookout lookout_of(ConsumerEndpoint& consumer) {
  if (consumer.is_spsc) {
    consumer.records.publish_head();  // as a look that finds nothing does
    return {0, consumer.records};
  }
  const std::uint64_t sequence = consumer.ring.redelivery_sequence();
  if (consumer.seen != sequence && !consumer.ring.awaits_redelivery()) consumer.seen = sequence;  // as in look()
  return {consumer.seen, {}};
}

bool ready(const QueueHandle& queue, const Lookout& lookout) {
  if (queue.is_spsc) return lookout.records.ready();
  return queue.ring.redelivery_sequence() != lookout.seen || queue.ring.takeable() || queue.ring.drained();
}

EventWord& receive_event(const QueueHandle& queue) {
  if (queue.is_spsc) return *queue.data_event;
  // The end of the stream is heard where space is announced: releases are, redeliveries are, and once a queue
  // is closed so are the publications of claims made before.
  const bool closed = queue.header->tail.load(std::memory_order_acquire) & layout::kRingClosed;
  return closed ? *queue.space_event : *queue.data_event;
}

Taken receive_slow(ConsumerEndpoint& consumer, std::uint32_t max, const Limit* limit) {
  QueueHandle& queue = *consumer.queue;
  Taken taken;
  taken.outcome = look(consumer, max, limit == nullptr, taken);
  if (taken.outcome != Outcome::empty) return taken;
  const auto attempt = [&](bool thorough) { return taken.outcome = look(consumer, max, thorough, taken); };
  if (limit == nullptr) {
    // What is missing may be in the hands of the dead: mend, then look once more.
    objects::housekeeping_of_a_try(*queue.attachment);
    attempt(true);
    return taken;
  }
  queue.user->empty_waits.fetch_add(1, std::memory_order_relaxed);
  const auto event = [&]() -> EventWord& { return receive_event(queue); };
  std::int64_t now_ns = 0;
  taken.outcome =
      objects::wait_for(*queue.attachment, consumer.wait, *limit, Outcome::empty, event, now_ns, attempt);
  if (taken.outcome == Outcome::ok) queue.user->taken_ns.store(now_ns, std::memory_order_relaxed);
  return taken;
}

void release_block(Endpoint& consumer, std::uint64_t position) {
  const SegmentView& view = consumer.queue->attachment->view();
  const std::uint64_t reference = consumer.queue->reference(position);
  const bool sound = begin_release(view, consumer.me, reference);
  consumer.release_slot(position);
  if (sound) finish_release(view, reference, consumer.hints);
}

void requeue_message(ConsumerEndpoint& consumer, std::uint64_t position) {
  QueueHandle& queue = *consumer.queue;
  if (consumer.is_spsc) {
    consumer.records.requeue(position);  // only this very consumer waits for it: in a poll, if at all
    if (consumer.watch != nullptr) raise_armed(consumer);
    return;
  }
  consumer.ring.redeliver(position);
  queue.header->redelivered.fetch_add(1, std::memory_order_relaxed);
  notify(*queue.data_event);
  notify(*queue.space_event);  // who waits for the end of the stream sleeps there
}

void stamp_take(ConsumerEndpoint& consumer) {
  const std::int64_t now_ns = base::monotonic_ns();
  consumer.queue->user->taken_ns.store(now_ns, std::memory_order_relaxed);
  // A consumer that never waits looks for the dead as well: what they held is older than all it receives.
  consumer.queue->attachment->reap_now_and_then(now_ns);
}

std::span<const std::byte> block_payload(const ConsumerEndpoint& consumer, std::uint64_t position,
                                         std::uint32_t bytes) {
  const std::span<std::byte> block =
      referenced_bytes(consumer.queue->attachment->view(), consumer.queue->reference(position));
  return block.first(std::min<std::size_t>(bytes, block.size()));
}

}  // namespace core

std::uint32_t Message::type() const {
  return consumer_ == nullptr ? 0 : layout::descriptor_type(consumer_->description(position_));
}

MessageId Message::id() const {
  if (consumer_ == nullptr) return {};
  const core::QueueHandle& queue = *consumer_->queue;
  if (layout::descriptor_length(consumer_->description(position_)) & layout::kLengthOrigin) {
    const layout::Origin& origin = consumer_->origin(position_);
    return {origin.generation, origin.position};
  }
  return {queue.generation, queue.widen(position_)};
}

std::uint32_t Message::deliveries() const {
  if (consumer_ == nullptr) return 0;
  if (consumer_->is_spsc)
    return static_cast<std::uint32_t>(
        consumer_->records.memory().extent(position_).load(std::memory_order_relaxed) &
        layout::kRecordDeliveriesMask);
  return layout::slot_deliveries(consumer_->queue->slot(position_).word.load(std::memory_order_relaxed));
}

bool Message::redelivered() const {
  if (consumer_ == nullptr) return false;
  return deliveries() > 0 ||
         (layout::descriptor_length(consumer_->description(position_)) & layout::kLengthRepeat) != 0;
}

std::uint32_t Message::producer_pid() const {
  if (consumer_ == nullptr || !(consumer_->queue->flags & layout::kQueueMetadata)) return 0;
  return consumer_->metadata(position_).producer_pid;
}
std::int64_t Message::published_ns() const {
  if (consumer_ == nullptr || !(consumer_->queue->flags & layout::kQueueMetadata)) return 0;
  return consumer_->metadata(position_).published_ns;
}
std::uint64_t Message::correlation() const {
  if (consumer_ == nullptr || !(consumer_->queue->flags & layout::kQueueMetadata)) return 0;
  return consumer_->metadata(position_).correlation;
}

namespace {

/// Hands the block over: a slot there, the block under a new epoch, published there, released here.
Outcome hand_over(core::ConsumerEndpoint& from, core::ProducerEndpoint& to, std::uint64_t position,
                  std::uint32_t length_flags, std::uint32_t type, std::uint32_t bytes, MessageId id,
                  std::uint64_t correlation, const Limit& limit) {
  const core::SegmentView& view = from.queue->attachment->view();
  core::Grant grant = to.ring.try_claim(to.me);
  Outcome outcome = core::outcome_of(grant.status);
  if (outcome != Outcome::ok) grant = core::claim_slow(to, outcome, 1, &limit, outcome);
  if (outcome != Outcome::ok) return outcome;
  const auto reference = core::begin_forward(view, from.me, from.queue->reference(position));
  if (!reference) {
    core::abort_claim(to, grant.position, false);
    return Outcome::corrupt;
  }
  to.queue->reference(grant.position) = *reference;
  to.queue->origin(grant.position) = {id.generation, id.position};
  if (to.queue->flags & layout::kQueueMetadata)
    core::write_metadata(to, to.metadata(grant.position), correlation);
  to.queue->slot(grant.position)
      .descriptor.store(layout::descriptor(bytes | length_flags | layout::kLengthInBlock, type),
                        std::memory_order_relaxed);
  to.ring.publish(grant.position);
  to.finish(grant.position);
  from.release_slot(position);  // the slot alone: the block is not ours any more
  return Outcome::ok;
}

}  // namespace

Outcome Message::forward(Producer<void>& to, const Limit& limit) {
  if (consumer_ == nullptr) return Outcome::empty;
  core::ProducerEndpoint& producer = *to.endpoint_;
  if (consumer_->is_detached() || producer.is_detached()) return Outcome::detached;
  const MessageId origin = id();
  const std::uint32_t flags = layout::kLengthOrigin | (redelivered() ? layout::kLengthRepeat : 0);
  const auto bytes = static_cast<std::uint32_t>(data_.size());
  const bool in_block = layout::descriptor_length(consumer_->description(position_)) & layout::kLengthInBlock;
  if (in_block && !producer.is_spsc && producer.queue->attachment == consumer_->queue->attachment) {
    const Outcome outcome =
        hand_over(*consumer_, producer, position_, flags, type(), bytes, origin, correlation(), limit);
    if (outcome == Outcome::ok) std::exchange(consumer_, nullptr)->give_back();
    return outcome;
  }
  // A copy: inline where the payload and its origin fit the slot, else in a block; or in a record.
  core::ClaimedRoom room;
  if (producer.is_spsc) {
    const std::uint64_t extent = producer.extent_of(bytes, flags);
    room.outcome = Outcome::too_large;
    if (bytes + sizeof(layout::Origin) <= producer.queue->payload_room)
      room.position = core::claim_records_slow(producer, extent, 1, &limit, room.outcome).position;
    if (room.outcome == Outcome::ok) room.data = producer.record_payload(room.position, flags);
  } else if (bytes + sizeof(layout::Origin) <= producer.queue->payload_room) {
    core::Grant grant = producer.ring.try_claim(producer.me);
    room.outcome = core::outcome_of(grant.status);
    if (room.outcome != Outcome::ok)
      grant = core::claim_slow(producer, room.outcome, 1, &limit, room.outcome);
    room.position = grant.position;
    if (room.outcome == Outcome::ok) room.data = producer.queue->payload(grant.position);
  } else {
    room = core::claim_block(producer, bytes, &limit);
  }
  if (room.outcome != Outcome::ok) return room.outcome;
  producer.borrow();
  Claim<void> claim(&producer, room, bytes);
  if (bytes != 0) std::memcpy(room.data, data_.data(), bytes);
  producer.origin(room.position) = {origin.generation, origin.position};
  claim.length_flags_ = flags;
  claim.set_type(type());
  claim.set_correlation(correlation());
  claim.publish();
  release();
  return Outcome::ok;
}

}  // namespace shmq
