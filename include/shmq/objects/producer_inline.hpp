// The path of a message being sent, inline. Contracts are in shmq/producer.hpp.
#pragma once

#include <algorithm>
#include <cstring>

#include "shmq/producer.hpp"

namespace shmq {

namespace core {

struct ProducerEndpoint : Endpoint {
  /// After a publication or an abort: wakes who waits for it.
  void announce() {
    notify(queue->header->data_event);
    // Once the queue is closed, consumers wait for its end where space is announced.
    if (queue->header->data_event.load(std::memory_order_relaxed) & kEventClosed) [[unlikely]]
      notify(queue->header->space_event);
  }

  void finish(std::uint64_t position) {
    announce();
    if (due()) [[unlikely]]
      stamp_claim(*this, position);
  }
};

}  // namespace core

inline void Producer<void>::Dispose::operator()(core::ProducerEndpoint* endpoint) const {
  if (endpoint->loans != 0)
    endpoint->abandoned = true;  // the last loan disposes of it
  else
    endpoint->dispose(endpoint);
}

inline void Claim<void>::publish() {
  core::ProducerEndpoint* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return;
  if (!producer->is_detached()) [[likely]] {
    const core::QueueHandle& queue = *producer->queue;
    if (queue.flags & layout::kQueueMetadata) core::write_metadata(*producer, position_, correlation_);
    const std::uint32_t length = bytes_ | length_flags_ | (in_block_ ? layout::kLengthInBlock : 0);
    producer->ring.memory()
        .slot_header(producer->ring.index_of(position_))
        .descriptor.store(layout::descriptor(length, type_), std::memory_order_relaxed);
    producer->ring.publish(position_);
    producer->finish(position_);
  }
  producer->give_back();
}

inline void Claim<void>::abort() {
  core::ProducerEndpoint* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return;
  if (!producer->is_detached()) core::abort_claim(*producer, position_, in_block_);
  producer->give_back();
}

inline std::size_t Producer<void>::max_inline() const { return endpoint_->queue->payload_room; }

inline Claim<void> Producer<void>::claim_room(std::size_t bytes, const Limit* limit) {
  core::ProducerEndpoint& producer = *endpoint_;
  if (producer.is_detached()) [[unlikely]]
    return Claim<void>(Outcome::detached);
  core::ClaimedRoom room;
  if (bytes <= producer.queue->payload_room) [[likely]] {
    core::Grant grant = producer.ring.try_claim(producer.me);
    if (grant.status != core::RingStatus::ok) [[unlikely]] {
      Outcome outcome = core::outcome_of(grant.status);
      grant = core::claim_slow(producer, outcome, 1, limit, outcome);
      if (outcome != Outcome::ok) return Claim<void>(outcome);
    }
    room.position = grant.position;
    room.data = producer.queue->payload(grant.position);
  } else {
    room = core::claim_block(producer, bytes, limit);
    if (room.outcome != Outcome::ok) return Claim<void>(room.outcome);
  }
  producer.borrow();
  return Claim<void>(&producer, room, static_cast<std::uint32_t>(bytes));
}

inline Claim<void> Producer<void>::claim(std::size_t bytes, const Limit& limit) {
  return claim_room(bytes, &limit);
}
inline Claim<void> Producer<void>::try_claim(std::size_t bytes) { return claim_room(bytes, nullptr); }

inline ClaimBatch::ClaimBatch(core::ProducerEndpoint* producer, core::Grant grant, std::uint32_t bytes)
    : producer_(producer),
      position_(grant.position),
      count_(grant.count),
      bytes_(bytes),
      outcome_(Outcome::ok) {
  for (std::size_t i = 0; i < count_; ++i) set(i, bytes);
}

inline std::span<std::byte> ClaimBatch::operator[](std::size_t i) const {
  if (i >= size()) return {};
  return {producer_->queue->payload(layout::position_add(position_, i)), bytes_};
}

inline void ClaimBatch::set(std::size_t i, std::size_t bytes, std::uint32_t type) {
  if (i >= size() || producer_->is_detached()) return;
  // The slot is ours until it is published, so its descriptor keeps what was set.
  producer_->queue->slot(layout::position_add(position_, i))
      .descriptor.store(
          layout::descriptor(static_cast<std::uint32_t>(std::min<std::size_t>(bytes, bytes_)), type),
          std::memory_order_relaxed);
}

inline void ClaimBatch::publish(std::size_t n) {
  core::ProducerEndpoint* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return;
  if (!producer->is_detached()) {
    for (std::size_t i = 0; i < count_; ++i) {
      const std::uint64_t position = layout::position_add(position_, i);
      if (i >= n) {
        core::abort_claim(*producer, position, false);
        continue;
      }
      if (producer->queue->flags & layout::kQueueMetadata) core::write_metadata(*producer, position, 0);
      producer->ring.publish(position);
    }
    producer->operations += count_ / 2;  // a batch is due sooner: it costs one look for all of it
    producer->finish(position_);
  }
  producer->give_back();
}

inline ClaimBatch Producer<void>::claim_rooms(std::size_t max, std::size_t bytes, const Limit* limit) {
  core::ProducerEndpoint& producer = *endpoint_;
  if (producer.is_detached()) return ClaimBatch(Outcome::detached);
  if (bytes > producer.queue->payload_room) return ClaimBatch(Outcome::too_large);
  const auto count = static_cast<std::uint32_t>(std::clamp<std::size_t>(max, 1, kBatchMax));
  core::Grant grant = producer.ring.try_claim(producer.me, count);
  if (grant.status != core::RingStatus::ok) {
    Outcome outcome = core::outcome_of(grant.status);
    grant = core::claim_slow(producer, outcome, count, limit, outcome);
    if (outcome != Outcome::ok) return ClaimBatch(outcome);
  }
  producer.borrow();
  return ClaimBatch(&producer, grant, static_cast<std::uint32_t>(bytes));
}

inline ClaimBatch Producer<void>::claim_batch(std::size_t max, std::size_t bytes, const Limit& limit) {
  return claim_rooms(max, bytes, &limit);
}
inline ClaimBatch Producer<void>::try_claim_batch(std::size_t max, std::size_t bytes) {
  return claim_rooms(max, bytes, nullptr);
}

inline Outcome Producer<void>::send(std::span<const std::byte> payload, const Limit& limit,
                                    std::uint32_t type) {
  Claim<void> room = claim(payload.size(), limit);
  if (!room) return room.outcome();
  if (!payload.empty()) std::memcpy(room.data().data(), payload.data(), payload.size());
  room.set_type(type);
  room.publish();
  return Outcome::ok;
}

inline Outcome Producer<void>::try_send(std::span<const std::byte> payload, std::uint32_t type) {
  Claim<void> room = try_claim(payload.size());
  if (!room) return room.outcome();
  if (!payload.empty()) std::memcpy(room.data().data(), payload.data(), payload.size());
  room.set_type(type);
  room.publish();
  return Outcome::ok;
}

}  // namespace shmq
