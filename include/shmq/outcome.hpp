// What a call on the path of a message came to. One byte, no allocation, no text: `ok` or the one reason why
// not.
#pragma once

#include <cstdint>
#include <ostream>

namespace shmq {

enum class Outcome : std::uint8_t {
  ok,
  full,       // every slot is claimed or held (try_ calls; queues declared reject or drop_oldest)
  empty,      // nothing to receive just now (try_ calls)
  timeout,    // the limit passed first
  stopped,    // the stop token was triggered
  closed,     // claim: the queue takes no more. receive: closed, and every message was released
  removed,    // the queue or its segment was removed
  no_block,   // the payload needs a block, and none of its size is free just now (try_ calls; reject, drop_oldest)
  too_large,  // the payload fits neither a slot nor the largest block of the segment
  detached,   // this handle was inherited through fork(): attach again in the child
  busy,       // an spsc queue's end belongs to somebody else, who is alive: Queue::open_producer() says to whom
  stale,      // the lease of a run had ended; nothing was changed
  corrupt,    // shared bytes failed a check; nothing was touched
};

[[nodiscard]] constexpr const char* to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "ok";
    case Outcome::full:
      return "full";
    case Outcome::empty:
      return "empty";
    case Outcome::timeout:
      return "timeout";
    case Outcome::stopped:
      return "stopped";
    case Outcome::closed:
      return "closed";
    case Outcome::removed:
      return "removed";
    case Outcome::no_block:
      return "no_block";
    case Outcome::too_large:
      return "too_large";
    case Outcome::detached:
      return "detached";
    case Outcome::busy:
      return "busy";
    case Outcome::stale:
      return "stale";
    case Outcome::corrupt:
      return "corrupt";
  }
  return "unknown";
}

inline std::ostream& operator<<(std::ostream& out, Outcome outcome) { return out << to_string(outcome); }

}  // namespace shmq
