// Looking at the messages of a queue without taking any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shmq/consumer.hpp"
#include "shmq/core/queue_handle.hpp"

namespace shmq {

/// A copy of a message that a queue keeps, as it was at the moment when it was looked at.
struct BrowsedMessage {
  enum class State : std::uint8_t {
    ready,      // published, and nobody has had it yet
    held,       // a consumer has received it and not released it: `holder`
    redeliver,  // came back, and waits to be delivered again
  };
  MessageId id;
  std::uint32_t type = 0;
  State state = State::ready;
  std::uint32_t deliveries = 0;  // how often it was handed out and came back; saturates at 255
  bool redelivered = false;      // somebody may have seen it before: it came back, or was forwarded from such a one
  std::uint32_t holder = 0;      // participant id, where it is held; else 0
  std::uint32_t holder_pid = 0;
  std::string holder_name;  // any bytes: escape it before showing it
  /// Only of queues declared with metadata, 0 elsewhere.
  std::uint32_t producer_pid = 0;
  std::int64_t published_ns = 0;  // CLOCK_REALTIME
  std::uint64_t correlation = 0;
  std::vector<std::byte> payload;
};
/// "ready", "held", "redeliver".
const char* to_string(BrowsedMessage::State state);

/// Goes once through a queue, from the oldest message that it keeps to the newest that was claimed when browse() was
/// called. Takes nothing, writes nothing and waits for nobody: it is right while others send and receive, and when they
/// are stopped or dead. What is released before it gets there is left out, and so is what is just being forwarded; a
/// payload is never a mixture of two. Belongs to one thread at a time; may outlive the Queue that made it.
class Browser {
 public:
  /// The next message; none at the end, and in the child of a fork().
  std::optional<BrowsedMessage> next();

 private:
  friend class Queue<void>;
  Browser(std::shared_ptr<core::QueueHandle> queue, std::size_t max);
  std::optional<BrowsedMessage> next_slot();
  std::optional<BrowsedMessage> next_record();
  bool copy_slot(std::uint64_t position, BrowsedMessage& message);
  bool copy_payload(std::uint64_t position, BrowsedMessage& message) const;
  void see_slot(std::uint64_t position, std::uint64_t word, BrowsedMessage& message);
  std::uint32_t taker_of(std::uint64_t position, std::uint64_t head);
  void see_holder(std::uint32_t id, BrowsedMessage& message) const;

  std::shared_ptr<core::QueueHandle> queue_;
  std::uint64_t at_ = 0, end_ = 0;
  std::size_t left_ = 0;
  // A run of positions that one consumer took: what a trail says once is true for good.
  std::uint64_t run_begin_ = 0, run_end_ = 0;
  std::uint32_t run_owner_ = 0;
};

}  // namespace shmq
