#include "shmq/consumer.hpp"

#include "core/blocks.hpp"
#include "objects/dead_letter.hpp"
#include "objects/forward.hpp"
#include "objects/receiving.hpp"
#include "objects/spsc_queue.hpp"
#include "objects/waiter.hpp"

namespace shmq {

namespace core {

Outcome look(ConsumerEndpoint& consumer, std::uint32_t max, bool thorough, Taken& taken) {
  if (consumer.is_spsc) return look_at_records(consumer, max, thorough, taken);
  try_dead_letters_again(consumer);
  // A lap of nothing but tombs is as much as one look steps over: a peer that claims and aborts all the time must not
  // keep a waiting call from looking at its clock.
  for (std::uint64_t turn = 0; turn <= consumer.ring.capacity(); ++turn) {
    const std::uint64_t sequence = consumer.ring.redelivery_sequence();
    if (consumer.seen != sequence) {
      const Grant again = take_redelivered(consumer);
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
  return Outcome::empty;
}

Lookout lookout_of(ConsumerEndpoint& consumer) {
  if (consumer.is_spsc) {
    consumer.records.publish_head();  // as a look that finds nothing does
    return {0, false, consumer.records};
  }
  const std::uint64_t sequence = consumer.ring.redelivery_sequence();
  if (consumer.seen != sequence && !consumer.ring.awaits_redelivery())
    consumer.seen = sequence;  // as in look()
  return {consumer.seen, consumer.dead_letters_wait, {}};
}

bool ready(const QueueHandle& queue, const Lookout& lookout) {
  if (queue.is_spsc) return lookout.records.ready();
  return queue.ring.redelivery_sequence() != lookout.seen || queue.ring.takeable() || queue.ring.drained() ||
         (lookout.dead_letters_wait && time_to_try(queue));
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
  // A run of messages, and not an exchange of one for one, whose next message is awaited as fast as can be.
  if (consumer.received() - consumer.received_at_wait >= ConsumerEndpoint::kRun) objects::let_fill();
  consumer.received_at_wait = consumer.received();
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
  try_dead_letters_again(consumer);
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
  return consumer_ == nullptr ? MessageId{} : core::message_id(*consumer_, position_);
}

std::uint32_t Message::deliveries() const {
  return consumer_ == nullptr ? 0 : core::deliveries_of(*consumer_, position_);
}

bool Message::redelivered() const {
  return consumer_ != nullptr && core::may_be_repeat(*consumer_, position_);
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

}  // namespace shmq
