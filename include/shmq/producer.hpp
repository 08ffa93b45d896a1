// Sending: a Producer claims room, the payload is written in place, publish() makes it a message.
//
// Thread rule: a Producer, and the claims it gave out, belong to one thread at a time. Make one for each
// thread; any number of producers, in any number of processes, may use one queue. Process safety: a process
// killed at any instruction leaves either a published message or none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "shmq/base/clock.hpp"
#include "shmq/core/queue_handle.hpp"
#include "shmq/options.hpp"
#include "shmq/outcome.hpp"

namespace shmq {

template <class T = void>
class Producer;
template <class T = void>
class Claim;

namespace core {
struct ProducerEndpoint;

/// Slow paths, out of line (src/objects/producer.cpp).
struct ClaimedRoom {
  Outcome outcome = Outcome::ok;
  std::uint64_t position = 0;
  std::byte* data = nullptr;
  bool in_block = false;
};
/// `limit` null: does not wait.
ClaimedRoom claim_block(ProducerEndpoint& producer, std::uint64_t bytes, const Limit* limit);
Grant claim_slow(ProducerEndpoint& producer, Outcome first, std::uint32_t max, const Limit* limit,
                 Outcome& outcome);
void abort_claim(ProducerEndpoint& producer, std::uint64_t position, bool in_block);
void stamp_claim(ProducerEndpoint& producer, std::uint64_t position);
void write_metadata(ProducerEndpoint& producer, layout::MessageMetadata& metadata, std::uint64_t correlation);
/// Of an spsc queue: `count` records of `extent` bytes each.
Grant claim_records_slow(ProducerEndpoint& producer, std::uint64_t extent, std::uint32_t count, const Limit* limit,
                         Outcome& outcome);
void abort_records(ProducerEndpoint& producer, std::uint64_t position, std::uint64_t extent, std::uint32_t count);
}  // namespace core

struct ProducerOptions {
  Wait wait = Wait::spin_futex;
};

/// Room for one message, written in place. Move-only. Dropped without publish(), it is aborted: consumers
/// never see it. A claim holds its place in the queue: what is claimed later is received later, so publish
/// soon.
template <>
class [[nodiscard]] Claim<void> {
 public:
  Claim() = default;
  Claim(Claim&& other) noexcept
      : producer_(std::exchange(other.producer_, nullptr)),
        data_(other.data_),
        position_(other.position_),
        correlation_(other.correlation_),
        bytes_(other.bytes_),
        type_(other.type_),
        outcome_(other.outcome_),
        in_block_(other.in_block_) {}
  Claim& operator=(Claim&& other) noexcept {
    if (this != &other) {
      abort();
      new (this) Claim(std::move(other));
    }
    return *this;
  }
  ~Claim() {
    if (producer_ != nullptr) [[unlikely]]
      abort();
  }

  /// True while there is room to write to: after a successful claim, until publish() or abort().
  explicit operator bool() const { return producer_ != nullptr; }
  /// Why there is none.
  Outcome outcome() const { return outcome_; }

  std::span<std::byte> data() const { return {data_, bytes_}; }
  std::size_t size() const { return bytes_; }
  /// A tag of the user's, carried with the message; 0 unless set.
  void set_type(std::uint32_t type) { type_ = type; }
  /// Carried only by queues declared with metadata.
  void set_correlation(std::uint64_t id) { correlation_ = id; }

  /// Makes it a message. One release store; a system call only where a consumer sleeps.
  void publish();
  /// The same, with only the first `bytes` of what was claimed.
  void publish(std::size_t bytes) {
    if (bytes < bytes_) bytes_ = static_cast<std::uint32_t>(bytes);
    publish();
  }
  /// Gives the room up; consumers step over it.
  void abort();

 private:
  friend class Producer<void>;
  friend class Message;
  Claim(core::ProducerEndpoint* producer, const core::ClaimedRoom& room, std::uint32_t bytes)
      : producer_(producer),
        data_(room.data),
        position_(room.position),
        bytes_(bytes),
        outcome_(Outcome::ok),
        in_block_(room.in_block) {}
  Claim(core::ProducerEndpoint* producer, std::uint64_t position, std::byte* data, std::uint32_t bytes)
      : producer_(producer), data_(data), position_(position), bytes_(bytes), outcome_(Outcome::ok) {}
  explicit Claim(Outcome outcome) : outcome_(outcome) {}

  core::ProducerEndpoint* producer_ = nullptr;
  std::byte* data_ = nullptr;
  std::uint64_t position_ = 0;
  std::uint64_t correlation_ = 0;
  std::uint32_t bytes_ = 0;
  std::uint32_t type_ = 0;
  Outcome outcome_ = Outcome::empty;
  bool in_block_ = false;
};

/// Several claims made by one compare-and-swap: consecutive places in the queue, of equal room. Move-only.
/// What is not published when it is dropped is aborted.
class [[nodiscard]] ClaimBatch {
 public:
  ClaimBatch() = default;
  ClaimBatch(ClaimBatch&& other) noexcept
      : producer_(std::exchange(other.producer_, nullptr)),
        position_(other.position_),
        step_(other.step_),
        count_(other.count_),
        bytes_(other.bytes_),
        outcome_(other.outcome_),
        described_(other.described_) {}
  ClaimBatch& operator=(ClaimBatch&& other) noexcept {
    if (this != &other) {
      abort();
      new (this) ClaimBatch(std::move(other));
    }
    return *this;
  }
  ~ClaimBatch() { abort(); }

  explicit operator bool() const { return producer_ != nullptr; }
  Outcome outcome() const { return outcome_; }
  /// How many it got: 1 to what was asked for.
  std::size_t size() const { return producer_ == nullptr ? 0 : count_; }
  /// Room of message `i`.
  std::span<std::byte> operator[](std::size_t i) const;
  /// Message `i` gets `bytes` of its room (all of it unless set) and this tag.
  void set(std::size_t i, std::size_t bytes, std::uint32_t type = 0);
  /// Publishes all of them, in order.
  void publish() { publish(count_); }
  /// Publishes the first `n` and aborts the rest.
  void publish(std::size_t n);
  void abort() { publish(0); }

 private:
  friend class Producer<void>;
  ClaimBatch(core::ProducerEndpoint* producer, core::Grant grant, std::uint64_t step, std::uint32_t bytes);
  explicit ClaimBatch(Outcome outcome) : outcome_(outcome) {}
  void publish_slots(core::ProducerEndpoint& producer, std::size_t n) const;
  void publish_records(core::ProducerEndpoint& producer, std::size_t n) const;

  core::ProducerEndpoint* producer_ = nullptr;
  std::uint64_t position_at(std::size_t i) const;
  std::uint64_t position_ = 0;
  std::uint64_t step_ = 1;  // from one position to the next
  std::uint32_t count_ = 0;
  std::uint32_t bytes_ = 0;
  Outcome outcome_ = Outcome::empty;
  bool described_ = false;  // each slot or record says what was set of it; else all of them are `bytes_` long
};

template <>
class Producer<void> {
 public:
  Producer(Producer&&) noexcept = default;
  Producer& operator=(Producer&&) noexcept = default;

  /// Claims room for a payload of `bytes`. Where the queue is full: waits as long as `limit` allows; declared
  /// with OnFull::reject, returns `full` at once; declared with OnFull::drop_oldest, takes the oldest message away, or
  /// returns `full` at once where that one is no longer, or not yet, to be had. A payload larger than max_inline() is
  /// put in a block of the segment; where none is free, `limit` and on_full hold as well, but dropping stops once the
  /// queue is not full any more (`no_block`). Outcomes: ok, full, timeout, stopped, closed, removed, no_block, too_large,
  /// busy (spsc: another producer is there), detached, corrupt.
  Claim<void> claim(std::size_t bytes, const Limit& limit = kNoLimit);
  /// Never waits.
  Claim<void> try_claim(std::size_t bytes);
  /// Claims up to `max` (64 at most) rooms of `bytes` each, as many as are free just now but at least one;
  /// waits like claim() for the first. Only for payloads up to max_inline(); `too_large` otherwise.
  ClaimBatch claim_batch(std::size_t max, std::size_t bytes, const Limit& limit = kNoLimit);
  ClaimBatch try_claim_batch(std::size_t max, std::size_t bytes);

  /// Claims, copies and publishes: for payloads that exist already.
  Outcome send(std::span<const std::byte> payload, const Limit& limit = kNoLimit, std::uint32_t type = 0);
  Outcome try_send(std::span<const std::byte> payload, std::uint32_t type = 0);

  /// The largest payload that travels in the slot itself; of an spsc queue the largest that its ring takes.
  std::size_t max_inline() const;
  /// The largest payload that this segment can carry at all.
  std::size_t max_payload() const;

  static constexpr std::size_t kBatchMax = 64;

 private:
  template <class>
  friend class Queue;
  friend class Message;
  Claim<void> claim_room(std::size_t bytes, const Limit* limit);
  ClaimBatch claim_rooms(std::size_t max, std::size_t bytes, const Limit* limit);
  struct Dispose {
    void operator()(core::ProducerEndpoint* endpoint) const;
  };
  explicit Producer(core::ProducerEndpoint* endpoint) : endpoint_(endpoint) {}
  std::unique_ptr<core::ProducerEndpoint, Dispose> endpoint_;
};

/// The typed face: claims are of one T each.
template <class T>
class [[nodiscard]] Claim {
 public:
  Claim() = default;
  explicit operator bool() const { return static_cast<bool>(claim_); }
  Outcome outcome() const { return claim_.outcome(); }
  /// Assign through it, or write field by field: the room is uninitialised.
  T& operator*() const { return *reinterpret_cast<T*>(claim_.data().data()); }
  T* operator->() const { return &**this; }
  void set_type(std::uint32_t type) { claim_.set_type(type); }
  void set_correlation(std::uint64_t id) { claim_.set_correlation(id); }
  void publish() { claim_.publish(); }
  void abort() { claim_.abort(); }

 private:
  template <class>
  friend class Producer;
  explicit Claim(Claim<void> claim) : claim_(std::move(claim)) {}
  Claim<void> claim_;
};

template <class T>
class Producer {
 public:
  Claim<T> claim(const Limit& limit = kNoLimit) { return Claim<T>(bytes_.claim(sizeof(T), limit)); }
  Claim<T> try_claim() { return Claim<T>(bytes_.try_claim(sizeof(T))); }
  Outcome send(const T& value, const Limit& limit = kNoLimit) {
    return bytes_.send(std::as_bytes(std::span(&value, 1)), limit);
  }
  Outcome try_send(const T& value) { return bytes_.try_send(std::as_bytes(std::span(&value, 1))); }
  /// The same producer, for calls on bytes.
  Producer<void>& bytes() { return bytes_; }

 private:
  template <class>
  friend class Queue;
  explicit Producer(Producer<void> bytes) : bytes_(std::move(bytes)) {}
  Producer<void> bytes_;
};

}  // namespace shmq

#include "shmq/objects/producer_inline.hpp"
