// What receiving consists of, for whoever waits for messages: one consumer, or several at once.
#pragma once

#include <cstdint>

#include "shmq/consumer.hpp"
#include "shmq/core/event.hpp"

namespace shmq::core {

/// One look: takes up to `max` messages into `taken`, what waits for redelivery before what is new. `empty`
/// where there is nothing. Only a `thorough` look finds out whether anything can still come (`closed`): that
/// reads tail, whose line the producers write with every claim.
Outcome look(ConsumerEndpoint& consumer, std::uint32_t max, bool thorough, Taken& taken);

/// The word that says that there may be something to receive, or that the stream has come to its end. To be
/// asked again before each sleep.
EventWord& receive_event(const QueueHandle& queue);

}  // namespace shmq::core
