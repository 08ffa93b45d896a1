// A queue: many producers, many consumers, each message to one consumer, at least once, in order of its
// claim.
//
// Thread and process safety: a Queue may be copied and used from any thread; producers and consumers that it
// makes belong to one thread each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "shmq/consumer.hpp"
#include "shmq/producer.hpp"
#include "shmq/result.hpp"

namespace shmq {

class Segment;

/// A message that peek() saw; a copy.
struct PeekedMessage {
  MessageId id;
  std::uint32_t type = 0;
  bool redelivered = false;
  std::vector<std::byte> payload;
};

template <class T = void>
class Queue;

template <>
class Queue<void> {
 public:
  const std::string& name() const { return handle_->name; }
  std::uint64_t capacity() const { return handle_->ring.capacity(); }
  /// Distinguishes this queue from earlier and later ones of the same name in this segment.
  std::uint64_t generation() const { return handle_->generation; }
  /// Places claimed and not yet taken by a consumer, just now: messages, claims being written, and aborted ones that no
  /// consumer has stepped over yet.
  std::uint64_t depth() const;
  bool closed() const;

  Producer<void> producer(const ProducerOptions& options = {}) const;
  Consumer<void> consumer(const ConsumerOptions& options = {}) const;

  /// No further claims; consumers drain what is there and then get `closed`. Idempotent. Claims made before
  /// may still be published.
  void close();
  /// Takes and releases what is in the queue at this moment, without delivering it; returns how many
  /// messages.
  std::uint64_t purge();
  /// Copies of the oldest messages that no consumer has taken yet, `max` at most. Takes nothing away; what is
  /// taken meanwhile is left out.
  std::vector<PeekedMessage> peek(std::size_t max) const;

 private:
  friend class Segment;
  template <class>
  friend class Queue;
  explicit Queue(std::shared_ptr<core::QueueHandle> handle) : handle_(std::move(handle)) {}
  std::shared_ptr<core::QueueHandle> handle_;
};

/// The typed face, for trivially copyable T of at most 16 bytes alignment: every message is one T.
template <class T>
class Queue {
  static_assert(std::is_trivially_copyable_v<T>,
                "messages are bytes that another process reads: T must be trivially copyable");
  static_assert(alignof(T) <= 16, "payloads are aligned to 16 bytes");

 public:
  const std::string& name() const { return bytes_.name(); }
  std::uint64_t capacity() const { return bytes_.capacity(); }
  Producer<T> producer(const ProducerOptions& options = {}) const {
    return Producer<T>(bytes_.producer(options));
  }
  Consumer<T> consumer(const ConsumerOptions& options = {}) const {
    return Consumer<T>(bytes_.consumer(options));
  }
  std::uint64_t generation() const { return bytes_.generation(); }
  std::uint64_t depth() const { return bytes_.depth(); }
  bool closed() const { return bytes_.closed(); }
  std::vector<PeekedMessage> peek(std::size_t max) const { return bytes_.peek(max); }
  void close() { bytes_.close(); }
  std::uint64_t purge() { return bytes_.purge(); }
  /// The same queue, for calls on bytes.
  Queue<void>& bytes() { return bytes_; }

 private:
  friend class Segment;
  explicit Queue(Queue<void> bytes) : bytes_(std::move(bytes)) {}
  Queue<void> bytes_;
};

}  // namespace shmq
