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

#include "shmq/browse.hpp"
#include "shmq/consumer.hpp"
#include "shmq/producer.hpp"
#include "shmq/result.hpp"

namespace shmq {

class Segment;

template <class T = void>
class Queue;

template <>
class Queue<void> {
 public:
  const std::string& name() const { return handle_->name; }
  QueueKind kind() const;
  /// mpmc: how many messages it holds. spsc: bytes of its ring.
  std::uint64_t capacity() const;
  /// Distinguishes this queue from earlier and later ones of the same name in this segment.
  std::uint64_t generation() const { return handle_->generation; }
  /// Places claimed and not yet taken by a consumer, just now: messages, claims being written, and aborted ones that no
  /// consumer has stepped over yet. Of an spsc queue also the end of its ring where a record did not fit there, and,
  /// while it has no consumer, what the last one received and did not release.
  std::uint64_t depth() const;
  bool closed() const;

  /// An spsc queue has one producer and one consumer at a time: while another one is alive, every call on the handle
  /// answers `busy`, and tries again to take its place. What a dead one held is mended when it is succeeded.
  Producer<void> producer(const ProducerOptions& options = {}) const;
  Consumer<void> consumer(const ConsumerOptions& options = {}) const;
  /// The same, but an Error that names who is there (`busy`). Of an mpmc queue they fail only where `detached`.
  Result<Producer<void>> open_producer(const ProducerOptions& options = {}) const;
  Result<Consumer<void>> open_consumer(const ConsumerOptions& options = {}) const;

  /// No further claims; consumers drain what is there and then get `closed`. Idempotent. Claims made before
  /// may still be published.
  void close();
  /// Takes and releases what is in the queue at this moment, without delivering it; returns how many
  /// messages. Of an spsc queue only while it has no consumer (`busy`).
  Result<std::uint64_t> purge();
  /// Goes through the messages that the queue keeps, oldest first, `max` at most: those that nobody has had, those that
  /// consumers hold, and those that wait for redelivery. See Browser.
  Browser browse(std::size_t max = SIZE_MAX) const;

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
  QueueKind kind() const { return bytes_.kind(); }
  std::uint64_t capacity() const { return bytes_.capacity(); }
  Producer<T> producer(const ProducerOptions& options = {}) const {
    return Producer<T>(bytes_.producer(options));
  }
  Consumer<T> consumer(const ConsumerOptions& options = {}) const {
    return Consumer<T>(bytes_.consumer(options));
  }
  Result<Producer<T>> open_producer(const ProducerOptions& options = {}) const {
    Result<Producer<void>> producer = bytes_.open_producer(options);
    if (!producer) return producer.error();
    return Producer<T>(std::move(*producer));
  }
  Result<Consumer<T>> open_consumer(const ConsumerOptions& options = {}) const {
    Result<Consumer<void>> consumer = bytes_.open_consumer(options);
    if (!consumer) return consumer.error();
    return Consumer<T>(std::move(*consumer));
  }
  std::uint64_t generation() const { return bytes_.generation(); }
  std::uint64_t depth() const { return bytes_.depth(); }
  bool closed() const { return bytes_.closed(); }
  Browser browse(std::size_t max = SIZE_MAX) const { return bytes_.browse(max); }
  void close() { bytes_.close(); }
  Result<std::uint64_t> purge() { return bytes_.purge(); }
  /// The same queue, for calls on bytes.
  Queue<void>& bytes() { return bytes_; }

 private:
  friend class Segment;
  explicit Queue(Queue<void> bytes) : bytes_(std::move(bytes)) {}
  Queue<void> bytes_;
};

}  // namespace shmq
