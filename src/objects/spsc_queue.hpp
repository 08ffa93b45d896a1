// What an spsc queue does off the path of a message: taking an end, closing, looking, purging.
#pragma once

#include <cstdint>
#include <vector>

#include "shmq/queue.hpp"

namespace shmq::core {

/// Takes the end, if nobody who lives has it: a dead owner is swept out of the way first. `busy`: whoever has it was
/// alive when this looked; `owner`, where it is not null, is set to its owner word.
RingStatus take_end_of(ProducerEndpoint& producer, std::uint64_t* owner = nullptr);
RingStatus take_end_of(ConsumerEndpoint& consumer, std::uint64_t* owner = nullptr);

/// What look() (objects/receiving.hpp) does of this kind. A thorough look that finds nothing lets the producer see all
/// the room there is.
Outcome look_at_records(ConsumerEndpoint& consumer, std::uint32_t max, bool thorough, Taken& taken);

/// Idempotent; finishes what another closer left half-done.
void close_records(ShmSpscMemory& records);

/// Records that no consumer has taken yet, be they messages, claims or to be stepped over, and messages that wait to be
/// handed out again for want of a consumer.
std::uint64_t records_to_take(const ShmSpscMemory& records);
std::uint64_t purge_records(ConsumerEndpoint& consumer);

}  // namespace shmq::core
