#include "shmq/producer.hpp"

#include <unistd.h>

#include "core/blocks.hpp"
#include "objects/drop_oldest.hpp"
#include "objects/waiter.hpp"

namespace shmq {

namespace core {

void keep_base_near(QueueHandle& queue, std::uint64_t position) {
  // 2^40 positions of slack before the base moves, 2^47 before it would be wrong.
  constexpr std::int64_t kSlack = std::int64_t{1} << 40;
  std::uint64_t base = queue.header->position_base.load(std::memory_order_relaxed);
  // Whoever else moves it on moves it as far; a word that changes more often is not kept to the protocol.
  for (int race = 0; race < 1000; ++race) {
    if (layout::position_diff(position, base & layout::kPositionMask) <= kSlack) return;
    if (queue.header->position_base.compare_exchange_strong(base, layout::widen(position, base),
                                                            std::memory_order_relaxed))
      return;
  }
}

void stamp_claim(ProducerEndpoint& producer, std::uint64_t position) {
  producer.queue->user->claimed_ns.store(base::monotonic_ns(), std::memory_order_relaxed);
  if (!producer.is_spsc) keep_base_near(*producer.queue, position);
}

void write_metadata(ProducerEndpoint& producer, layout::MessageMetadata& metadata, std::uint64_t correlation) {
  metadata.published_ns = base::realtime_ns();
  metadata.correlation = correlation;
  metadata.producer = producer.me.id;
  metadata.producer_pid = static_cast<std::uint32_t>(::getpid());
}

Grant claim_slow(ProducerEndpoint& producer, Outcome first, std::uint32_t max, const Limit* limit,
                 Outcome& outcome) {
  outcome = first;
  if (first != Outcome::full) return {};
  QueueHandle& queue = *producer.queue;
  if (queue.on_full == OnFull::drop_oldest) return claim_by_dropping(producer, max, outcome);
  Grant grant;
  const auto attempt = [&](bool) {
    grant = producer.ring.try_claim(producer.me, max);
    return outcome_of(grant.status);
  };
  if (limit == nullptr || queue.on_full == OnFull::reject) {
    // Full may be the doing of the dead: mend, then look once more.
    objects::housekeeping_of_a_try(*queue.attachment);
    outcome = attempt(true);
    return grant;
  }
  queue.user->full_waits.fetch_add(1, std::memory_order_relaxed);
  objects::let_drain(producer.ring.capacity());
  std::int64_t now_ns = 0;
  outcome = objects::wait_for(
      *queue.attachment, producer.wait, *limit, Outcome::full,
      [&]() -> EventWord& { return *queue.space_event; }, now_ns, attempt);
  if (outcome == Outcome::ok) queue.user->claimed_ns.store(now_ns, std::memory_order_relaxed);
  return grant;
}

namespace {

/// A block of the smallest class that fits, waiting for one where the limit allows.
std::optional<TakenBlock> block_for(ProducerEndpoint& producer, std::uint64_t bytes, const Limit* limit,
                                    Outcome& outcome) {
  QueueHandle& queue = *producer.queue;
  const SegmentView& view = queue.attachment->view();
  std::optional<TakenBlock> taken = take_block(view, producer.me, bytes, producer.hints);
  outcome = Outcome::ok;
  if (taken) return taken;
  const auto attempt = [&](bool) {
    // A wait for a block must end with the queue, too.
    const std::uint64_t tail = queue.header->tail.load(std::memory_order_acquire);
    if (tail & layout::kRingRemoved) return Outcome::removed;
    if (tail & layout::kRingClosed) return Outcome::closed;
    taken = take_block(view, producer.me, bytes, producer.hints);
    return taken ? Outcome::ok : Outcome::no_block;
  };
  if (queue.on_full == OnFull::drop_oldest) {
    // What the claim would drop anyway may have the block that is missing.
    while (!taken && drop_oldest(producer) == RingStatus::ok) outcome = attempt(true);
    if (taken) return taken;
  }
  if (limit == nullptr || queue.on_full != OnFull::block) {
    objects::housekeeping_of_a_try(*queue.attachment);
    outcome = attempt(true);
    return taken;
  }
  view.header().block_waits.fetch_add(1, std::memory_order_relaxed);
  std::int64_t now_ns = 0;
  outcome = objects::wait_for(
      *queue.attachment, producer.wait, *limit, Outcome::no_block,
      [&]() -> EventWord& { return view.header().blocks_event; }, now_ns, attempt);
  return taken;
}

}  // namespace

ClaimedRoom claim_block(ProducerEndpoint& producer, std::uint64_t bytes, const Limit* limit) {
  QueueHandle& queue = *producer.queue;
  const SegmentView& view = queue.attachment->view();
  ClaimedRoom room;
  room.in_block = true;
  if (bytes > layout::kPayloadMax || !fits_a_block(view, bytes)) {
    room.outcome = Outcome::too_large;
    return room;
  }
  // The block first: a claim that waited for a block would hold up everybody behind it.
  const std::optional<TakenBlock> block = block_for(producer, bytes, limit, room.outcome);
  if (room.outcome != Outcome::ok) return room;
  Grant grant = producer.ring.try_claim(producer.me);
  room.outcome = outcome_of(grant.status);
  if (room.outcome != Outcome::ok) grant = claim_slow(producer, room.outcome, 1, limit, room.outcome);
  if (room.outcome != Outcome::ok) {
    give_back_block(view, *block);
    return room;
  }
  room.position = grant.position;
  queue.reference(grant.position) = layout::block_reference(block->epoch, block->index);
  room.data = view.block(block->index).data();
  return room;
}

void abort_claim(ProducerEndpoint& producer, std::uint64_t position, bool in_block) {
  QueueHandle& queue = *producer.queue;
  const std::uint64_t reference = in_block ? queue.reference(position) : 0;
  producer.ring.abort(position);
  if (in_block)
    give_back_block(queue.attachment->view(),
                    {layout::reference_index(reference), layout::reference_epoch(reference)});
  queue.header->tombs.fetch_add(1, std::memory_order_relaxed);
  producer.announce();  // whoever waits behind it can go on
}

}  // namespace core

std::size_t Producer<void>::max_payload() const {
  if (endpoint_->is_spsc) return max_inline();
  const std::uint64_t block =
      std::min<std::uint64_t>(endpoint_->queue->attachment->view().largest_block(), layout::kPayloadMax);
  return std::max<std::size_t>(max_inline(), block);
}

}  // namespace shmq
