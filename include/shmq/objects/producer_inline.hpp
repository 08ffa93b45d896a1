// The path of a message being sent, inline. Contracts are in shmq/producer.hpp.
#pragma once

#include <algorithm>
#include <cstring>

#include "shmq/core/spsc_ring.hpp"
#include "shmq/producer.hpp"

namespace shmq {

namespace core {

struct ProducerEndpoint : Endpoint {
  SpscProducer<ShmSpscMemory> records;  // where the queue is spsc

  /// Bytes of the ring that a payload takes.
  std::uint64_t extent_of(std::uint64_t bytes, std::uint32_t length_flags = 0) const {
    return layout::extent_for(prefix_of(length_flags) + bytes);
  }
  std::byte* record_payload(std::uint64_t position, std::uint32_t length_flags = 0) const {
    return records.memory().at(position) + sizeof(layout::RecordHeader) + prefix_of(length_flags);
  }
  /// What stands between a record's header and its payload.
  std::uint64_t prefix_of(std::uint32_t length_flags) const {
    return queue->payload_offset - sizeof(layout::RecordHeader) +
           (length_flags & layout::kLengthOrigin ? sizeof(layout::Origin) : 0);
  }
  layout::MessageMetadata& metadata(std::uint64_t position) const {
    return is_spsc ? *reinterpret_cast<layout::MessageMetadata*>(&records.memory().record(position) + 1)
                   : queue->metadata(position);
  }
  /// Of a message that is being forwarded.
  layout::Origin& origin(std::uint64_t position) const {
    return is_spsc ? *reinterpret_cast<layout::Origin*>(record_payload(position)) : queue->origin(position);
  }

  /// After a publication or an abort: wakes who waits for it.
  void announce() {
    notify(*queue->data_event);
    // Once the queue is closed, consumers wait for its end where space is announced.
    if (queue->data_event->load(std::memory_order_relaxed) & kEventClosed) [[unlikely]]
      notify(*queue->space_event);
  }

  void finish(std::uint64_t position) {
    announce();
    if (due()) [[unlikely]]
      stamp_claim(*this, position);
  }
};

}  // namespace core

inline void Producer<void>::Dispose::operator()(core::ProducerEndpoint* endpoint) const {
  if (endpoint->has_loans())
    endpoint->abandoned = true;  // the last loan disposes of it
  else
    endpoint->dispose(endpoint);
}

[[gnu::always_inline]] inline void Claim<void>::publish() {
  core::ProducerEndpoint* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return;
  if (!producer->is_detached()) [[likely]] {
    if (producer->queue->flags & layout::kQueueMetadata) [[unlikely]]
      core::write_metadata(*producer, producer->metadata(position_), correlation_);
    if (producer->is_spsc) {
      producer->records.publish(position_, layout::record_word(bytes_, type_));
    } else {
      const std::uint32_t length = bytes_ | (in_block_ ? layout::kLengthInBlock : 0);
      producer->ring.memory()
          .slot_header(producer->ring.index_of(position_))
          .descriptor.store(layout::descriptor(length, type_), std::memory_order_relaxed);
      producer->ring.publish(position_);
    }
    producer->finish(position_);
  }
  producer->give_back();
}

namespace core {
/// By value: a claim whose address is taken could not live in registers.
[[gnu::noinline]] inline void drop_claim(ProducerEndpoint& producer, std::uint64_t position, std::uint32_t bytes,
                                         bool in_block) {
  if (!producer.is_detached()) {
    if (producer.is_spsc)
      abort_records(producer, position, producer.extent_of(bytes), 1);
    else
      abort_claim(producer, position, in_block);
  }
  producer.give_back();
}
}  // namespace core

[[gnu::always_inline]] inline void Claim<void>::abort() {
  if (core::ProducerEndpoint* const producer = std::exchange(producer_, nullptr); producer != nullptr)
    core::drop_claim(*producer, position_, bytes_, in_block_);
}

inline std::size_t Producer<void>::max_inline() const { return endpoint_->queue->payload_room; }

[[gnu::always_inline]] inline Claim<void> Producer<void>::claim_room(std::size_t bytes, const Limit* limit) {
  core::ProducerEndpoint& producer = *endpoint_;
  if (producer.is_detached()) [[unlikely]]
    return Claim<void>(Outcome::detached);
  if (producer.is_spsc) {
    if (bytes > producer.queue->payload_room) [[unlikely]]
      return Claim<void>(Outcome::too_large);
    const std::uint64_t extent = producer.extent_of(bytes);
    std::uint64_t position = 0;
    if (!producer.records.claim_next(extent, position)) [[unlikely]] {
      Outcome outcome = Outcome::full;
      position = core::claim_records_slow(producer, extent, 1, limit, outcome).position;
      if (outcome != Outcome::ok) return Claim<void>(outcome);
    }
    producer.borrow();
    return Claim<void>(&producer, position, producer.record_payload(position), static_cast<std::uint32_t>(bytes));
  }
  if (bytes <= producer.queue->payload_room) [[likely]] {
    core::Grant grant = producer.ring.try_claim(producer.me);
    if (grant.status != core::RingStatus::ok) [[unlikely]] {
      Outcome outcome = core::outcome_of(grant.status);
      grant = core::claim_slow(producer, outcome, 1, limit, outcome);
      if (outcome != Outcome::ok) return Claim<void>(outcome);
    }
    producer.borrow();
    return Claim<void>(&producer, grant.position, producer.queue->payload(grant.position),
                       static_cast<std::uint32_t>(bytes));
  }
  const core::ClaimedRoom room = core::claim_block(producer, bytes, limit);
  if (room.outcome != Outcome::ok) return Claim<void>(room.outcome);
  producer.borrow();
  return Claim<void>(&producer, room, static_cast<std::uint32_t>(bytes));
}

[[gnu::always_inline]] inline Claim<void> Producer<void>::claim(std::size_t bytes, const Limit& limit) {
  return claim_room(bytes, &limit);
}
[[gnu::always_inline]] inline Claim<void> Producer<void>::try_claim(std::size_t bytes) { return claim_room(bytes, nullptr); }

inline ClaimBatch::ClaimBatch(core::ProducerEndpoint* producer, core::Grant grant, std::uint64_t step,
                              std::uint32_t bytes)
    : producer_(producer),
      position_(grant.position),
      step_(step),
      count_(grant.count),
      bytes_(bytes),
      outcome_(Outcome::ok) {}

inline std::uint64_t ClaimBatch::position_at(std::size_t i) const {
  return producer_->is_spsc ? position_ + i * step_ : layout::position_add(position_, i);
}

inline std::span<std::byte> ClaimBatch::operator[](std::size_t i) const {
  if (i >= size()) return {};
  const std::uint64_t position = position_at(i);
  return {producer_->is_spsc ? producer_->record_payload(position) : producer_->queue->payload(position), bytes_};
}

inline void ClaimBatch::set(std::size_t i, std::size_t bytes, std::uint32_t type) {
  if (i >= size() || producer_->is_detached()) return;
  // The slot or record is ours until it is published, so its own words keep what was set.
  const auto describe = [this](std::size_t which, std::uint32_t length, std::uint32_t tag) {
    if (producer_->is_spsc)
      producer_->records.describe(position_at(which), layout::record_word(length, tag));
    else
      producer_->queue->slot(position_at(which))
          .descriptor.store(layout::descriptor(length, tag), std::memory_order_relaxed);
  };
  if (!std::exchange(described_, true))
    for (std::size_t each = 0; each < count_; ++each) describe(each, bytes_, 0);
  describe(i, static_cast<std::uint32_t>(std::min<std::size_t>(bytes, bytes_)), type);
}

inline void ClaimBatch::publish_slots(core::ProducerEndpoint& producer, std::size_t n) const {
  const bool metadata = producer.queue->flags & layout::kQueueMetadata;
  for (std::size_t i = 0; i < count_; ++i) {
    const std::uint64_t position = layout::position_add(position_, i);
    if (i >= n) {
      core::abort_claim(producer, position, false);
      continue;
    }
    if (metadata) [[unlikely]]
      core::write_metadata(producer, producer.metadata(position), 0);
    if (!described_)
      producer.queue->slot(position).descriptor.store(layout::descriptor(bytes_, 0), std::memory_order_relaxed);
    producer.ring.publish(position);
  }
}

inline void ClaimBatch::publish_records(core::ProducerEndpoint& producer, std::size_t n) const {
  const bool metadata = producer.queue->flags & layout::kQueueMetadata;
  std::uint64_t position = position_;
  for (std::size_t i = 0; i < n; ++i, position += step_) {
    if (metadata) [[unlikely]]
      core::write_metadata(producer, producer.metadata(position), 0);
    producer.records.publish(position, described_ ? producer.records.description(position)
                                                  : layout::record_word(bytes_, 0));
  }
  if (n < count_) core::abort_records(producer, position, step_, static_cast<std::uint32_t>(count_ - n));
}

inline void ClaimBatch::publish(std::size_t n) {
  core::ProducerEndpoint* const producer = std::exchange(producer_, nullptr);
  if (producer == nullptr) return;
  if (!producer->is_detached()) {
    n = std::min<std::size_t>(n, count_);
    if (producer->is_spsc)
      publish_records(*producer, n);
    else
      publish_slots(*producer, n);
    producer->finish(position_);
  }
  producer->give_back();
}

inline ClaimBatch Producer<void>::claim_rooms(std::size_t max, std::size_t bytes, const Limit* limit) {
  core::ProducerEndpoint& producer = *endpoint_;
  if (producer.is_detached()) return ClaimBatch(Outcome::detached);
  if (bytes > producer.queue->payload_room) return ClaimBatch(Outcome::too_large);
  const auto count = static_cast<std::uint32_t>(std::clamp<std::size_t>(max, 1, kBatchMax));
  const std::uint64_t extent = producer.is_spsc ? producer.extent_of(bytes) : 0;
  core::Grant grant = producer.is_spsc ? producer.records.try_claim(extent, count, false)
                                       : producer.ring.try_claim(producer.me, count);
  if (grant.status != core::RingStatus::ok) {
    Outcome outcome = core::outcome_of(grant.status);
    grant = producer.is_spsc ? core::claim_records_slow(producer, extent, count, limit, outcome)
                             : core::claim_slow(producer, outcome, count, limit, outcome);
    if (outcome != Outcome::ok) return ClaimBatch(outcome);
  }
  producer.borrow();
  return ClaimBatch(&producer, grant, extent, static_cast<std::uint32_t>(bytes));
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
