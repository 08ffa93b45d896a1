// Where messages go that nobody can deal with: rejected, or handed out as often as the queue allows.
//
// A move is a forward (objects/forward.hpp): published there, under the same id and marked as a repeat, then released
// here. A kill in between leaves the message in one of the two queues, or in both under one id. It never waits.
//
// Where the dead-letter queue does not take a message, that message goes back to REDELIVER with its count as it was. The
// redelivery sequence is raised, so that every consumer looks and knows that something waits; the queue's header says
// not before when to try again, so that nobody does so all the time. Each consumer that has seen such a message looks
// again after that time; none has to live for another one to do so.
#pragma once

#include <cstdint>
#include <string>

#include "objects/queue_object.hpp"
#include "shmq/consumer.hpp"

namespace shmq {

namespace core {

/// Moves what `consumer` holds at `position` to the dead-letter queue. On any outcome but ok it is still held.
Outcome move_to_dead_letters(ConsumerEndpoint& consumer, std::uint64_t position);

/// MpmcRing::try_take_redelivered(), less what has reached the delivery limit: that is moved on the way.
Grant take_redelivered(ConsumerEndpoint& consumer);

/// Whether it is time to try again where a message waits for room in the dead-letter queue.
bool time_to_try(const QueueHandle& queue);

/// Has the next look scan the ring again where a message waits for room in the dead-letter queue, and it is time.
void try_dead_letters_again(ConsumerEndpoint& consumer);

}  // namespace core

namespace objects {

/// Whether the queue `name` can be declared with the dead-letter queue of `shape`; ok where it names none.
Status check_dead_letter(core::Attachment& attachment, const std::string& name, const QueueShape& shape);

}  // namespace objects

}  // namespace shmq
