#include "objects/spsc_queue.hpp"

#include <algorithm>
#include <ctime>

#include "objects/spsc_object.hpp"
#include "objects/waiter.hpp"
#include "shmq/base/fence.hpp"

namespace shmq::core {

namespace {

template <class Endpoint>
RingStatus take_end(Endpoint& endpoint, std::uint64_t* owner) {
  if (endpoint.is_detached()) return RingStatus::busy;
  std::uint64_t seen = 0;
  RingStatus status = endpoint.records.take_over(endpoint.me, &seen);
  if (status == RingStatus::busy) {
    Attachment& attachment = *endpoint.queue->attachment;
    // The kernel is asked about the owner in each call, and about everybody once a slice, as in all calls.
    if (attachment.is_dead(layout::owner_of(seen)))
      attachment.reap_in_turn();
    else
      objects::housekeeping_of_a_try(attachment);
    status = endpoint.records.take_over(endpoint.me, &seen);
  }
  if (owner != nullptr) *owner = seen;
  return status;
}

bool is_message(std::uint64_t word, std::uint64_t extent) {
  return (word & layout::kRecordPublished) && !(word & layout::kRecordTomb) && !(extent & layout::kRecordDone);
}

}  // namespace

RingStatus take_end_of(ProducerEndpoint& producer, std::uint64_t* owner) { return take_end(producer, owner); }
RingStatus take_end_of(ConsumerEndpoint& consumer, std::uint64_t* owner) { return take_end(consumer, owner); }

Grant claim_records_slow(ProducerEndpoint& producer, std::uint64_t extent, std::uint32_t count, const Limit* limit,
                         Outcome& outcome) {
  QueueHandle& queue = *producer.queue;
  Grant grant;
  const auto attempt = [&](bool thorough) {
    if (!producer.records.owns_end()) {
      const RingStatus taken = take_end_of(producer);
      if (taken != RingStatus::ok) return outcome_of(taken);
    }
    grant = producer.records.try_claim(extent, count, thorough);
    return outcome_of(grant.status);
  };
  const bool waits = limit != nullptr && queue.on_full != OnFull::reject;
  // A thorough look reads what the consumer writes for each message, and would find room for one.
  outcome = attempt(!waits);
  if (outcome == Outcome::full && !waits) {
    // The consumer may be dead, and its end to be had by another: no room comes of it, but the dead are in the way.
    objects::housekeeping_of_a_try(*queue.attachment);
    outcome = attempt(true);
  } else if (outcome == Outcome::full) {
    queue.user->full_waits.fetch_add(1, std::memory_order_relaxed);
    objects::let_drain(producer.records.memory().ring_bytes() / 64);  // cache lines
    std::int64_t now_ns = 0;
    outcome = objects::wait_for(
        *queue.attachment, producer.wait, *limit, Outcome::full,
        [&]() -> EventWord& { return *queue.space_event; }, now_ns, attempt);
    if (outcome == Outcome::ok) queue.user->claimed_ns.store(now_ns, std::memory_order_relaxed);
  }
  // A claim that took itself back moved tail: who waits for the end of the stream may have seen it.
  if (outcome == Outcome::closed) notify_everyone(*queue.data_event);
  return grant;
}

void abort_records(ProducerEndpoint& producer, std::uint64_t position, std::uint64_t extent, std::uint32_t count) {
  if (producer.records.abort(position, extent, count))
    producer.queue->records.header().tombs.fetch_add(count, std::memory_order_relaxed);
  producer.announce();  // whoever waits behind it, or for the end of the stream, can go on
}

Outcome look_at_records(ConsumerEndpoint& consumer, std::uint32_t max, bool thorough, Taken& taken) {
  if (!consumer.records.owns_end()) {
    const RingStatus end = take_end_of(consumer);
    if (end != RingStatus::ok) return outcome_of(end);
  }
  const RecordGrant grant = consumer.records.try_take(max, thorough);
  if (grant.made_room) notify(*consumer.queue->space_event);
  if (grant.status == RingStatus::ok) {
    taken = {Outcome::ok, grant.position, grant.mask};
    if (grant.again) consumer.queue->records.header().redelivered.fetch_add(1, std::memory_order_relaxed);
    return Outcome::ok;
  }
  if (thorough && grant.status == RingStatus::empty) {
    consumer.records.publish_head();
    ShmSpscMemory& records = consumer.queue->records;
    const std::uint64_t state = records.state().load(std::memory_order_acquire);
    if ((state & layout::kSpscClosing) && !(state & layout::kSpscClosed)) close_records(records);
    if (consumer.records.drained()) return Outcome::closed;
  }
  return outcome_of(grant.status);
}

void close_records(ShmSpscMemory& records) {
  records.state().fetch_or(layout::kSpscClosing, std::memory_order_seq_cst);
  if (!os::membarrier_all()) {
    // Claims fence from the moment when the first user without membarrier opened the queue. One that was between its
    // store and its look at that very moment has left the store buffer long before this sleep ends.
    const timespec moment{0, 1'000'000};
    ::nanosleep(&moment, nullptr);
  }
  records.state().fetch_or(layout::kSpscClosed, std::memory_order_seq_cst);
}

std::uint64_t records_to_take(const ShmSpscMemory& records) {
  const std::uint64_t owner = records.consumer().load(std::memory_order_acquire);
  const std::uint64_t received = records.received().load(std::memory_order_acquire);
  const std::uint64_t released = records.released().load(std::memory_order_acquire);
  // What a consumer that has gone left unreleased is to be taken again.
  const bool again = end_state(owner) == layout::EndState::free || lies_before(received, released);
  std::uint64_t count = 0;
  objects::for_each_record(records, again ? released : received, records.tail().load(std::memory_order_acquire),
                           [&](std::uint64_t position, std::uint64_t word, std::uint64_t extent) {
                             if (!lies_before(position, received) || is_message(word, extent)) ++count;
                           });
  return count;
}

std::uint64_t purge_records(ConsumerEndpoint& consumer) {
  const std::uint64_t begin = consumer.records.memory().released().load(std::memory_order_acquire);
  // Whatever tail says, no more than one ring of records lies before it.
  const std::uint64_t end = begin + std::min(consumer.records.memory().tail().load(std::memory_order_acquire) - begin,
                                             consumer.records.memory().ring_bytes());
  std::uint64_t purged = 0;
  for (;;) {
    const RecordGrant grant = consumer.records.try_take_before(end, 1, true);
    if (grant.made_room) notify(*consumer.queue->space_event);
    if (grant.status != RingStatus::ok) break;
    if (grant.again) consumer.queue->records.header().redelivered.fetch_add(1, std::memory_order_relaxed);
    consumer.records.release(grant.position);
    notify(*consumer.queue->space_event);
    ++purged;
  }
  consumer.queue->records.header().purged.fetch_add(purged, std::memory_order_relaxed);
  return purged;
}

}  // namespace shmq::core
