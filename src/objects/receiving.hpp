// What receiving consists of, for whoever waits for messages: one consumer, or several at once.
#pragma once

#include <cstdint>

#include "shmq/consumer.hpp"
#include "shmq/core/event.hpp"
#include "shmq/core/spsc_consumer.hpp"

namespace shmq::core {

/// One look: takes up to `max` messages into `taken`, what waits for redelivery before what is new. `empty`
/// where there is nothing. Only a `thorough` look finds out whether anything can still come (`closed`): that
/// reads tail, whose line the producers write with every claim.
Outcome look(ConsumerEndpoint& consumer, std::uint32_t max, bool thorough, Taken& taken);

/// What a consumer knew when it looked last, as far as ready() needs it; a copy that another thread may use.
struct Lookout {
  std::uint64_t seen = 0;               // mpmc: redelivery sequence
  bool dead_letters_wait = false;       // mpmc: a message waits for room elsewhere
  SpscConsumer<ShmSpscMemory> records;  // spsc
};
/// In the consumer's thread, like a look that takes nothing.
Lookout lookout_of(ConsumerEndpoint& consumer);

/// Whether a look would find anything to do: a message, a tomb to step over, the end of the stream, damage, a
/// dead letter that it is time to try again. Reads only; may be wrong about what the consumer itself, or
/// another one, has taken since.
bool ready(const QueueHandle& queue, const Lookout& lookout);

/// The word that says that there may be something to receive, or that the stream has come to its end. To be
/// asked again before each sleep.
EventWord& receive_event(const QueueHandle& queue);

}  // namespace shmq::core
