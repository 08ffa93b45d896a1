#include "objects/dead_letter.hpp"

#include "base/text.hpp"
#include "objects/forward.hpp"
#include "shmq/base/clock.hpp"

namespace shmq {

namespace core {

namespace {

/// How long a message that was refused waits until somebody tries again.
constexpr std::int64_t kAgainNs = kSleepSliceNs;

/// The consumer's own producer to the dead-letter queue. Null where there is no such queue (any more), or it was
/// declared anew as one that cannot serve.
ProducerEndpoint* dead_letters_of(ConsumerEndpoint& consumer) {
  if (consumer.dead_letters != nullptr) return consumer.dead_letters.get();
  const QueueHandle& queue = *consumer.queue;
  auto opened = objects::open_queue(queue.attachment, queue.dead_letter, 0);
  if (!opened || (*opened)->is_spsc) return nullptr;
  auto producer = std::make_unique<ProducerEndpoint>();
  producer->queue = std::move(*opened);
  producer->ring = producer->queue->ring;
  producer->me = consumer.me;
  producer->detached = consumer.detached;
  producer->wait = consumer.wait;
  consumer.dead_letters = std::move(producer);
  return consumer.dead_letters.get();
}

}  // namespace

/// The time is shared memory, and another time namespace has another clock: what is further ahead than anybody would
/// wait counts as past.
bool time_to_try(const QueueHandle& queue) {
  const auto again_ns =
      static_cast<std::int64_t>(queue.header->dead_letter_again_ns.load(std::memory_order_relaxed));
  const std::int64_t now_ns = base::monotonic_ns();
  return now_ns >= again_ns || again_ns > now_ns + kAgainNs;
}

Outcome move_to_dead_letters(ConsumerEndpoint& consumer, std::uint64_t position) {
  layout::QueueHeader& header = *consumer.queue->header;
  if (consumer.is_detached()) return Outcome::detached;
  ProducerEndpoint* const to = dead_letters_of(consumer);
  const Outcome outcome =
      to == nullptr ? Outcome::removed : pass_on(consumer, position, *to, nullptr, true);
  if (outcome == Outcome::removed) consumer.dead_letters.reset();  // one of the same name may have been declared
  (outcome == Outcome::ok ? header.dead_lettered : header.dead_letter_refused).fetch_add(1, std::memory_order_relaxed);
  return outcome;
}

Grant take_redelivered(ConsumerEndpoint& consumer) {
  const QueueHandle& queue = *consumer.queue;
  const std::uint32_t limit = queue.delivery_limit;
  if (limit == 0) return consumer.ring.try_take_redelivered(consumer.me);
  bool try_it = time_to_try(queue);
  // No more than a ring can hold, and some for races: words that change all the time keep nobody for ever.
  for (std::uint64_t moved = 0; moved < queue.ring.capacity() + ShmRing::kRacesMax; ++moved) {
    bool waits = false;
    const auto wanted = [&](std::uint64_t word) {
      if (layout::slot_deliveries(word) < limit) return true;
      waits |= !try_it;
      return try_it;
    };
    const Grant grant = consumer.ring.try_take_redelivered(consumer.me, wanted);
    if (grant.status != RingStatus::ok) {
      consumer.dead_letters_wait = waits;
      return grant;
    }
    const std::uint64_t word = queue.slot(grant.position).word.load(std::memory_order_relaxed);
    if (layout::slot_deliveries(word) < limit) return grant;
    if (move_to_dead_letters(consumer, grant.position) == Outcome::ok) continue;
    // The time first: whoever sees the message waiting is to see when to try.
    queue.header->dead_letter_again_ns.store(static_cast<std::uint64_t>(base::monotonic_ns() + kAgainNs),
                                             std::memory_order_relaxed);
    consumer.ring.set_aside(grant.position);
    // Nobody is woken: there is nothing to receive. Who sleeps looks once in a slice.
    consumer.ring.announce_redelivery();
    try_it = false;
  }
  return {RingStatus::corrupt};
}

void try_dead_letters_again(ConsumerEndpoint& consumer) {
  if (!consumer.dead_letters_wait || !time_to_try(*consumer.queue)) return;
  consumer.dead_letters_wait = false;
  consumer.seen = ~consumer.ring.redelivery_sequence();  // not the sequence: the next look scans
}

}  // namespace core

namespace objects {

Status check_dead_letter(core::Attachment& attachment, const std::string& name, const QueueShape& shape) {
  if (shape.dead_letter.empty()) return Done{};
  const std::string both = "queue \"" + name + "\" with the dead-letter queue \"" + shape.dead_letter + "\"";
  const auto refuse = [&](ErrorCode code, const std::string& why) { return Error(code, both + ": " + why); };
  if (shape.dead_letter == name)
    return refuse(ErrorCode::invalid_argument, "a queue cannot be its own; declare another one for dead letters");
  Result<core::PinnedObject> found = core::Directory(attachment).open(shape.dead_letter, "queue");
  if (!found && found.error().code() == ErrorCode::not_found)
    return refuse(ErrorCode::not_found,
                  "segment \"" + attachment.name() + "\" has no such queue; declare \"" + shape.dead_letter + "\" first");
  if (!found) return found.error();
  core::ShmRing ring;
  QueueShape its;
  const bool mpmc = found->kind == layout::ObjectKind::mpmc_queue;
  const bool sound = mpmc && ring_of(attachment.view(), found->space, ring, &its);
  attachment.unpin(found->space.entry);
  if (!mpmc)
    return refuse(ErrorCode::invalid_argument, "that one is of another kind; dead letters need an mpmc queue, which "
                                               "every consumer may send to");
  if (!sound) return refuse(ErrorCode::corrupt, "its header is damaged: remove it and declare it again");
  if (shape.element_bytes != 0 && its.element_bytes != 0 && shape.element_bytes != its.element_bytes)
    return refuse(ErrorCode::different, "that one carries elements of " + std::to_string(its.element_bytes) +
                                            " B, not of " + std::to_string(shape.element_bytes) +
                                            " B: declare both with the same type");
  // What travels in a slot here must fit there as well, with its id, or in a block.
  const std::uint64_t most = shape.slot_bytes - layout::slot_payload_offset(shape.flags);
  const std::uint64_t fits = std::max<std::uint64_t>(
      its.slot_bytes - layout::slot_payload_offset(its.flags) - sizeof(layout::Origin), attachment.view().largest_block());
  if (most > fits)
    return refuse(ErrorCode::invalid_argument,
                  "a slot here carries " + std::to_string(most) + " B, and the most that can be passed on there is " +
                      std::to_string(fits) + " B: declare it with larger slots, or the segment with larger blocks");
  return Done{};
}

}  // namespace objects

Outcome Message::reject() {
  if (consumer_ == nullptr) return Outcome::empty;
  if (consumer_->is_detached()) return Outcome::detached;
  if (consumer_->queue->dead_letter.empty()) {
    consumer_->release(position_);
    const core::QueueHandle& queue = *consumer_->queue;
    (queue.is_spsc ? queue.records.header().rejected : queue.header->rejected).fetch_add(1, std::memory_order_relaxed);
  } else if (const Outcome outcome = core::move_to_dead_letters(*consumer_, position_); outcome != Outcome::ok) {
    return outcome;
  }
  std::exchange(consumer_, nullptr)->give_back();
  return Outcome::ok;
}

}  // namespace shmq
