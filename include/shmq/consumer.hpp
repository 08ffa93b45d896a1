// Receiving: a Consumer hands out messages that are read in place; release() is what makes one consumed.
//
// Thread rule: a Consumer, and the messages it gave out, belong to one thread at a time. Any number of
// consumers, in any number of processes, may share one queue: each message goes to one of them. Process
// safety: a message that was received and not released when its holder dies is delivered again, marked.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <span>
#include <utility>

#include "shmq/core/queue_handle.hpp"
#include "shmq/core/spsc_consumer.hpp"
#include "shmq/options.hpp"
#include "shmq/outcome.hpp"
#include "shmq/producer.hpp"
#include "shmq/result.hpp"

namespace shmq {

template <class T = void>
class Consumer;
template <class T>
class Queue;
class Selector;
struct Selected;

/// Names one message for good: the queue's generation in its segment, and its position in that queue. A
/// redelivery has the id of the first delivery, and a forwarded message that of its first queue: what repeats
/// has the same id.
struct MessageId {
  std::uint64_t generation = 0;
  std::uint64_t position = 0;
  auto operator<=>(const MessageId&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const MessageId& id) {
    return out << id.generation << ':' << id.position;
  }
};

namespace core {
struct ConsumerEndpoint;

/// Received positions as the hot path hands them over: bit i of `mask` is a message at position + i.
struct Taken {
  Outcome outcome = Outcome::ok;
  std::uint64_t position = 0;
  std::uint64_t mask = 0;
  /// Of an spsc queue: from one message to the next, where that is the same for all of them; else 0.
  std::uint64_t step = 0;
};
/// `limit` null: does not wait.
Taken receive_slow(ConsumerEndpoint& consumer, std::uint32_t max, const Limit* limit);
void release_block(Endpoint& consumer, std::uint64_t position);
void requeue_message(ConsumerEndpoint& consumer, std::uint64_t position);
void stamp_take(ConsumerEndpoint& consumer);
void unwatch(ConsumerEndpoint& consumer);
void raise_armed(ConsumerEndpoint& consumer);
std::span<const std::byte> block_payload(const ConsumerEndpoint& consumer, std::uint64_t position,
                                         std::uint32_t bytes);
}  // namespace core

struct ConsumerOptions {
  Wait wait = Wait::spin_futex;
};

/// A received message, read in place. Move-only. Dropped without release(), it is delivered again, marked.
/// A held message stops the queue after one lap of it: release soon, or copy.
class [[nodiscard]] Message {
 public:
  Message() = default;
  Message(Message&& other) noexcept
      : consumer_(std::exchange(other.consumer_, nullptr)),
        data_(other.data_),
        position_(other.position_),
        outcome_(other.outcome_) {}
  Message& operator=(Message&& other) noexcept {
    if (this != &other) {
      requeue();
      new (this) Message(std::move(other));
    }
    return *this;
  }
  ~Message() {
    if (consumer_ != nullptr) [[unlikely]]
      requeue();
  }

  /// True while there is a message to read: after a successful receive, until release() or forward().
  explicit operator bool() const { return consumer_ != nullptr; }
  Outcome outcome() const { return outcome_; }

  std::span<const std::byte> data() const { return data_; }
  std::size_t size() const { return data_.size(); }
  std::uint32_t type() const;
  MessageId id() const;
  /// True where somebody may have seen this message before: it was received and not released, or it was
  /// forwarded from such a one.
  bool redelivered() const;
  /// How often it was handed out before this time; saturates at 255.
  std::uint32_t deliveries() const;

  /// Only on queues declared with metadata, 0 elsewhere: the sender's pid, CLOCK_REALTIME in ns, and what it
  /// set.
  std::uint32_t producer_pid() const;
  std::int64_t published_ns() const;
  std::uint64_t correlation() const;

  /// Consumed: never delivered again.
  void release();
  /// Delivered again, marked, to whoever comes first; the same as dropping it. Where the queue has a delivery limit
  /// and this was the last delivery, it goes to the dead-letter queue instead.
  void requeue();
  /// Never delivered again here. Where the queue was declared with a dead-letter queue, the message is published there
  /// first, under the same id and marked, and then released here; never waits. Elsewhere it is discarded. Outcomes: ok;
  /// full, no_block, too_large, closed, removed of the dead-letter queue, corrupt, detached: then it is still held.
  [[nodiscard]] Outcome reject();
  /// Publishes this message to another queue, under the same id, and then releases it here. A payload in a
  /// block is handed over without a copy within a segment. A kill in between never loses it; where it may
  /// come twice, the second one is marked. On any outcome but ok the message is still held. Outcomes: those
  /// of Producer::claim(). An inline copy needs 16 bytes more than the payload, for the id; where the slot
  /// has no room for them it takes a block. Forwarding to the queue that the message is in waits for room
  /// that this very message may take: give it a limit.
  [[nodiscard]] Outcome forward(Producer<void>& to, const Limit& limit = kNoLimit);

 private:
  template <class>
  friend class Consumer;
  template <class>
  friend class Queue;
  friend class MessageBatch;
  friend class Selector;
  Message(core::ConsumerEndpoint* consumer, std::uint64_t position);
  Message(core::ConsumerEndpoint* consumer, std::uint64_t position, std::span<const std::byte> data)
      : consumer_(consumer), data_(data), position_(position), outcome_(Outcome::ok) {}
  explicit Message(Outcome outcome) : outcome_(outcome) {}

  core::ConsumerEndpoint* consumer_ = nullptr;
  std::span<const std::byte> data_;
  std::uint64_t position_ = 0;
  Outcome outcome_ = Outcome::empty;
};

/// Several messages taken by one compare-and-swap. Move-only; what is not released when it is dropped is
/// delivered again. Look at the messages with for_each(), or take them out one by one with pop_front().
class [[nodiscard]] MessageBatch {
 public:
  MessageBatch() = default;
  MessageBatch(MessageBatch&& other) noexcept
      : consumer_(std::exchange(other.consumer_, nullptr)),
        position_(other.position_),
        mask_(other.mask_),
        step_(other.step_),
        outcome_(other.outcome_) {}
  MessageBatch& operator=(MessageBatch&& other) noexcept {
    if (this != &other) {
      requeue();
      new (this) MessageBatch(std::move(other));
    }
    return *this;
  }
  ~MessageBatch() { requeue(); }

  explicit operator bool() const { return consumer_ != nullptr; }
  Outcome outcome() const { return outcome_; }
  std::size_t size() const {
    return consumer_ == nullptr ? 0 : static_cast<std::size_t>(__builtin_popcountll(mask_));
  }
  /// Takes the first message out of the batch, as a Message of its own; false when none is left.
  Message pop_front();
  /// Calls `read(const Message&)` for each, in order, without giving any away.
  template <class Read>
  void for_each(Read&& read) const;
  void release();
  void requeue();

 private:
  friend class Consumer<void>;
  template <class Visit>
  void visit(core::ConsumerEndpoint& consumer, Visit&& visit) const;
  MessageBatch(core::ConsumerEndpoint* consumer, const core::Taken& taken)
      : consumer_(consumer), position_(taken.position), mask_(taken.mask), step_(taken.step), outcome_(Outcome::ok) {}
  std::uint64_t after(core::ConsumerEndpoint& consumer, std::uint64_t position) const;
  explicit MessageBatch(Outcome outcome) : outcome_(outcome) {}

  core::ConsumerEndpoint* consumer_ = nullptr;
  std::uint64_t position_ = 0;
  std::uint64_t mask_ = 0;  // bit i: the i-th slot or record from position_ on is a message of this batch
  std::uint64_t step_ = 0;  // from one to the next; 0: that is to be found out
  Outcome outcome_ = Outcome::empty;
};

template <>
class Consumer<void> {
 public:
  Consumer(Consumer&&) noexcept = default;
  Consumer& operator=(Consumer&&) noexcept = default;

  /// The oldest message; waits as long as `limit` allows. Redeliveries come before new messages.
  /// Outcomes: ok, timeout, stopped, closed (closed, and every message released), removed, busy (spsc: another consumer
  /// is there), detached, corrupt.
  Message receive(const Limit& limit = kNoLimit);
  /// Never waits; `empty` when there is nothing just now.
  Message try_receive();
  /// Up to `max` (64 at most) messages, as many as are there just now but at least one; waits like receive()
  /// for the first. A redelivered message comes alone.
  MessageBatch receive_batch(std::size_t max, const Limit& limit = kNoLimit);
  MessageBatch try_receive_batch(std::size_t max);

  static constexpr std::size_t kBatchMax = 64;

  // For loops over poll(), epoll or io_uring, which wait for other things as well: call arm() before each wait, and
  // receive with try_receive() when the descriptor is readable. The order does not matter, and neither does how much
  // is received in one turn; a descriptor that is not armed again stays readable, and the loop turns idly. What it
  // costs: docs/api.md. Not for reading: only arm() and disarm() make it not readable again.

  /// A descriptor (an eventfd, close-on-exec and nonblocking) of this consumer's own, made at the first call, closed
  /// with the consumer. A helper thread of this process, shared by all its consumers, makes it readable: it is there
  /// while any consumer has a descriptor, takes no signals, and does what waiting calls do for the dead. no_space where
  /// the process has no descriptor or no thread left; detached.
  Result<int> descriptor();
  /// Makes the descriptor not readable, until there may be something to receive: a message, or the end of the stream,
  /// or `removed`. What is there already makes it readable at once: then this returns `ok`, and `empty` where there is
  /// nothing just now, or `detached`. Readable may be in vain: another consumer may have been faster. Without a
  /// descriptor it only says whether there is something.
  Outcome arm();
  /// The descriptor is not readable, and nothing makes it so until arm().
  void disarm();

 private:
  template <class>
  friend class Queue;
  friend class Selector;
  Message receive_one(const Limit* limit);
  core::Taken take(std::size_t max, const Limit* limit);
  Message message(const core::Taken& taken);
  MessageBatch batch(const core::Taken& taken);
  struct Dispose {
    void operator()(core::ConsumerEndpoint* endpoint) const;
  };
  explicit Consumer(core::ConsumerEndpoint* endpoint) : endpoint_(endpoint) {}
  std::unique_ptr<core::ConsumerEndpoint, Dispose> endpoint_;
};

/// The typed face: a message that is read as a T.
template <class T>
class [[nodiscard]] TypedMessage {
 public:
  TypedMessage() = default;
  /// False also for a message that is not sizeof(T) long, sent through the untyped face: its outcome is
  /// `corrupt`, it is held all the same, and release() takes it out of the queue (dropped, it comes again).
  explicit operator bool() const { return message_ && message_.size() == sizeof(T); }
  Outcome outcome() const {
    return message_ && message_.size() != sizeof(T) ? Outcome::corrupt : message_.outcome();
  }
  const T& operator*() const { return *reinterpret_cast<const T*>(message_.data().data()); }
  const T* operator->() const { return &**this; }
  MessageId id() const { return message_.id(); }
  std::uint32_t type() const { return message_.type(); }
  bool redelivered() const { return message_.redelivered(); }
  std::uint32_t deliveries() const { return message_.deliveries(); }
  void release() { message_.release(); }
  void requeue() { message_.requeue(); }
  [[nodiscard]] Outcome reject() { return message_.reject(); }
  /// The same message, for calls on bytes.
  Message& bytes() { return message_; }

 private:
  template <class>
  friend class Consumer;
  friend struct Selected;
  explicit TypedMessage(Message message) : message_(std::move(message)) {}
  Message message_;
};

template <class T>
class Consumer {
 public:
  /// Like Consumer<void>::receive(); about a message that is not sizeof(T) long see TypedMessage.
  TypedMessage<T> receive(const Limit& limit = kNoLimit) { return typed(bytes_.receive(limit)); }
  TypedMessage<T> try_receive() { return typed(bytes_.try_receive()); }
  Result<int> descriptor() { return bytes_.descriptor(); }
  Outcome arm() { return bytes_.arm(); }
  void disarm() { bytes_.disarm(); }
  /// The same consumer, for calls on bytes.
  Consumer<void>& bytes() { return bytes_; }

 private:
  template <class>
  friend class Queue;
  explicit Consumer(Consumer<void> bytes) : bytes_(std::move(bytes)) {}
  static TypedMessage<T> typed(Message message);
  Consumer<void> bytes_;
};

}  // namespace shmq

#include "shmq/objects/consumer_inline.hpp"
