// OnFull::drop_oldest: the claiming producer makes room by taking away the oldest message that no consumer has had.
#pragma once

#include <cstdint>

#include "shmq/producer.hpp"

namespace shmq::core {

/// Where the queue is full and its oldest message was never handed out: takes it away. `ok`: it is gone, its block
/// with it. `full`: the oldest is held, waits for redelivery or is being written. `empty`: the queue is not full.
/// A kill between the taking and the release leaves a message that its dead holder had taken like a consumer: the sweep
/// has it delivered again.
RingStatus drop_oldest(ProducerEndpoint& producer);

/// Claims up to `max` places of a full queue that drops; never waits. Drops no more than what the first place needs.
Grant claim_by_dropping(ProducerEndpoint& producer, std::uint32_t max, Outcome& outcome);

}  // namespace shmq::core
