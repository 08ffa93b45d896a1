// What an spsc queue does off the path of a message: taking an end, closing, looking, purging.
#pragma once

#include <cstdint>
#include <vector>

#include "shmq/queue.hpp"

namespace shmq::core {

/// Takes the end, if nobody who lives has it. Looks for dead owners now and then.
RingStatus take_end_of(ProducerEndpoint& producer);
RingStatus take_end_of(ConsumerEndpoint& consumer);

/// What look() (objects/receiving.hpp) does of this kind. A thorough look that finds nothing lets the producer see all
/// the room there is.
Outcome look_at_records(ConsumerEndpoint& consumer, std::uint32_t max, bool thorough, Taken& taken);

/// Idempotent; finishes what another closer left half-done.
void close_records(ShmSpscMemory& records);

/// Messages that no consumer has taken yet, and those that wait to be handed out again for want of a consumer.
std::uint64_t records_to_take(const ShmSpscMemory& records);
std::uint64_t purge_records(ConsumerEndpoint& consumer);

}  // namespace shmq::core
