#include "objects/drop_oldest.hpp"

#include "objects/waiter.hpp"
#include "shmq/consumer.hpp"

namespace shmq::core {

RingStatus drop_oldest(ProducerEndpoint& producer) {
  const Grant oldest = producer.ring.try_drop_oldest(producer.me);
  if (oldest.status != RingStatus::ok) return oldest.status;
  const std::uint64_t position = oldest.position;
  const bool message = producer.ring.memory().slot(producer.ring.index_of(position)).load(std::memory_order_relaxed) ==
                       producer.ring.ready_word(position);
  if (message && (producer.length(position) & layout::kLengthInBlock))
    release_block(producer, position);
  else
    producer.release_slot(position);
  if (message) producer.queue->header->dropped.fetch_add(1, std::memory_order_relaxed);
  return RingStatus::ok;
}

Grant claim_by_dropping(ProducerEndpoint& producer, std::uint32_t max, Outcome& outcome) {
  bool mended = false;
  for (std::uint32_t race = 0; race < ShmRing::kRacesMax; ++race) {
    const RingStatus oldest = drop_oldest(producer);
    const Grant grant = producer.ring.try_claim(producer.me, max);
    outcome = outcome_of(grant.status);
    if (outcome != Outcome::full) return grant;
    // There was room, and another producer was faster.
    if (oldest == RingStatus::ok || oldest == RingStatus::empty) continue;
    if (oldest != RingStatus::full) outcome = outcome_of(oldest);
    if (oldest != RingStatus::full || mended) return grant;
    // The oldest may be in the hands of the dead: mend, then look once more.
    objects::housekeeping_of_a_try(*producer.queue->attachment);
    mended = true;
  }
  outcome = Outcome::corrupt;
  return {RingStatus::corrupt};
}

}  // namespace shmq::core
