// Passing a held message on to another queue: published there first, under the same id, then released here.
#pragma once

#include <cstdint>

#include "shmq/consumer.hpp"

namespace shmq::core {

/// Of the message at a position that the consumer holds: its id, how often it was handed out before, and whether it may
/// have been seen before.
MessageId message_id(const ConsumerEndpoint& consumer, std::uint64_t position);
std::uint32_t deliveries_of(const ConsumerEndpoint& consumer, std::uint64_t position);
bool may_be_repeat(const ConsumerEndpoint& consumer, std::uint64_t position);

/// Publishes what `from` holds at `position` through `to`, marked as a repeat where `repeat` says so, then releases it
/// here. A payload in a block is handed over without a copy within a segment. `limit` null: does not wait. On any
/// outcome but ok the message is still held.
Outcome pass_on(ConsumerEndpoint& from, std::uint64_t position, ProducerEndpoint& to, const Limit* limit, bool repeat);

}  // namespace shmq::core
