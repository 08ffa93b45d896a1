// The path of a message being received, inline. Contracts are in shmq/consumer.hpp.
#pragma once

#include <algorithm>

#include "shmq/base/cache_lines.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/consumer.hpp"
#include "shmq/core/spsc_consumer.hpp"

namespace shmq {

namespace objects {
struct Watch;
}

namespace core {

struct ConsumerEndpoint : Endpoint {
  /// The redelivery sequence before the last scan that found nothing; a new consumer has seen nothing.
  std::uint64_t seen = ~std::uint64_t{0};
  /// Its descriptor, where it has one.
  objects::Watch* watch = nullptr;
  /// Messages that came in batches, less one for each batch.
  std::uint32_t more_in_batches = 0;
  /// received() when it last had to wait.
  std::uint32_t received_at_wait = 0;
  std::uint32_t received() const { return returned + more_in_batches; }
  SpscConsumer<ShmSpscMemory> records;  // where the queue is spsc

  /// The first microsecond or so of a wait for a record, in a loop so short that the processor runs ahead through it and
  /// fetches the payload together with the header. A consumer that had a run of messages is not for it: see receive_slow().
  [[gnu::noinline]] bool await_next() {
    if (wait == Wait::futex || received() - received_at_wait >= kRun) return false;
    received_at_wait = received();
    for (int look = 0; look < kShortLooks; ++look) {
      base::cpu_relax();
      if (records.something_to_take()) return true;
    }
    return false;
  }
  /// So many messages without a wait are a run: a flow, and not an exchange of one for one.
  static constexpr std::uint32_t kRun = 16;
  static constexpr int kShortLooks = 64;

  /// Position of the i-th thing after `position`; of records one has to go from each to the next.
  std::uint64_t next(std::uint64_t position) const {
    if (!is_spsc) return layout::position_add(position, 1);
    return record_after(records.memory(), position,
                        records.memory().extent(position).load(std::memory_order_relaxed));
  }

  /// Position of the only message in a grant of one.
  std::uint64_t first_of(const Taken& taken) const {
    return is_spsc ? taken.position
                   : layout::position_add(taken.position, static_cast<std::uint64_t>(__builtin_ctzll(taken.mask)));
  }

  /// What a message's slot or record says of it: flags, length and type, as layout::descriptor() packs them.
  std::uint64_t description(std::uint64_t position) const {
    if (is_spsc)
      return records.memory().word(position).load(std::memory_order_relaxed) &
             ~(layout::kRecordPublished | layout::kRecordTomb);
    return ring.memory().slot_header(ring.index_of(position)).descriptor.load(std::memory_order_relaxed);
  }

  const layout::MessageMetadata& metadata(std::uint64_t position) const {
    return is_spsc ? after_header<layout::MessageMetadata>(position, 0) : queue->metadata(position);
  }
  const layout::Origin& origin(std::uint64_t position) const {
    return is_spsc ? after_header<layout::Origin>(position, layout::record_prefix(queue->flags, 0))
                   : queue->origin(position);
  }

  /// What stands `offset` bytes after a record's header; nothing but zeros where the ring ends before that, as it
  /// does after a record whose words were damaged.
  template <class T>
  const T& after_header(std::uint64_t position, std::uint64_t offset) const {
    static constexpr T kNothing{};
    const std::uint64_t begin = sizeof(layout::RecordHeader) + offset;
    const std::uint64_t to_end = records.memory().ring_bytes() - (position & (records.memory().ring_bytes() - 1));
    if (begin + sizeof(T) > to_end) [[unlikely]]
      return kNothing;
    return *reinterpret_cast<const T*>(records.memory().at(position) + begin);
  }

  /// The payload of a record. Its words are shared memory: whatever they say, no more than its room is read.
  std::span<const std::byte> record_payload(std::uint64_t position) const {
    return record_payload(position, records.memory().word(position).load(std::memory_order_relaxed),
                          records.memory().extent(position).load(std::memory_order_relaxed));
  }
  std::span<const std::byte> record_payload(std::uint64_t position, std::uint64_t word, std::uint64_t extent) const {
    const std::uint64_t room = record_after(records.memory(), position, extent) - position;
    std::uint64_t offset = queue->payload_offset;
    // Branches, which are predicted: were the offset computed from the record's words, no line of the payload could be
    // asked for before the header's has come, and each message would take two transfers one after the other.
    if (word & layout::kRecordOrigin) [[unlikely]] {
      base::keep_branch();
      offset += sizeof(layout::Origin);
    }
    if (room < offset) [[unlikely]] {
      base::keep_branch();
      return {};
    }
    return {records.memory().at(position) + offset, std::min(layout::record_length(word), room - offset)};
  }

  /// Where messages of this queue go that nobody can deal with; opened at the first of them.
  std::unique_ptr<ProducerEndpoint> dead_letters;
  /// A message waits here for room in the dead-letter queue; the queue's header says when to try again.
  bool dead_letters_wait = false;

  /// After a take of READY or TOMB slots: which of them are messages; the others are released at once.
  std::uint64_t messages_of(const Grant& grant) {
    std::uint64_t mask = 0;
    for (std::uint32_t i = 0; i < grant.count; ++i) {
      const std::uint64_t position = layout::position_add(grant.position, i);
      if (ring.memory().slot(ring.index_of(position)).load(std::memory_order_relaxed) ==
          ring.ready_word(position)) [[likely]]
        mask |= std::uint64_t{1} << i;
      else
        release_slot(position);
    }
    return mask;
  }

  std::span<const std::byte> payload(std::uint64_t position) const {
    if (is_spsc) return record_payload(position);
    const std::uint32_t bytes = length(position);
    if (bytes & layout::kLengthInBlock) [[unlikely]]
      return block_payload(*this, position, bytes & layout::kLengthMask);
    // The length is shared memory: whatever it says, no more than the room is read.
    return {queue->payload(position), std::min(bytes & layout::kLengthMask, queue->payload_room)};
  }

  void release(std::uint64_t position) { release(position, payload(position)); }
  void release(std::uint64_t position, std::span<const std::byte> payload) {
    base::hand_over_lines(payload);
    if (is_spsc) {
      records.release(position);
      notify(*queue->space_event);
    } else if (length(position) & layout::kLengthInBlock) [[unlikely]]
      release_block(*this, position);
    else
      release_slot(position);
  }
  /// Records from `begin` on, which lie back to back up to `end` and were taken together. False: an earlier one is still
  /// held, and each has to be released by itself.
  bool release_run(std::uint64_t begin, std::uint64_t end) {
    if (!records.releases_in_order(begin)) return false;
    base::hand_over_lines({records.memory().at(begin), end - begin});  // before the release: then they are the producer's
    records.release_run(begin, end);
    notify(*queue->space_event);
    return true;
  }
};

}  // namespace core

inline void Consumer<void>::Dispose::operator()(core::ConsumerEndpoint* endpoint) const {
  if (endpoint->watch != nullptr) core::unwatch(*endpoint);
  if (endpoint->has_loans())
    endpoint->abandoned = true;  // the last loan disposes of it
  else
    endpoint->dispose(endpoint);
}

inline core::Taken Consumer<void>::take(std::size_t max, const Limit* limit) {
  core::ConsumerEndpoint& consumer = *endpoint_;
  if (consumer.is_detached()) [[unlikely]]
    return {Outcome::detached};
  const auto count = static_cast<std::uint32_t>(std::clamp<std::size_t>(max, 1, kBatchMax));
  if (consumer.is_spsc) {
    std::uint64_t first = 0;
    if (count > 1)
      if (const std::uint32_t run = consumer.records.take_run(count, first); run != 0) [[likely]]
        return {Outcome::ok, first, ~std::uint64_t{0} >> (64 - run), consumer.records.usual_extent()};
    const core::RecordGrant grant = consumer.records.try_take(count, false);
    if (grant.status == core::RingStatus::ok && !grant.again && !grant.made_room) [[likely]]
      return {Outcome::ok, grant.position, grant.mask};
    if (grant.made_room) core::notify(*consumer.queue->space_event);
    if (grant.status == core::RingStatus::ok) {
      if (grant.again) consumer.queue->records.header().redelivered.fetch_add(1, std::memory_order_relaxed);
      return {Outcome::ok, grant.position, grant.mask};
    }
    return core::receive_slow(consumer, count, limit);
  }
  if (consumer.seen == consumer.ring.redelivery_sequence()) [[likely]] {
    const core::Grant grant = consumer.ring.try_take(consumer.me, count);
    if (grant.status == core::RingStatus::ok) [[likely]]
      if (const std::uint64_t mask = consumer.messages_of(grant); mask != 0) [[likely]]
        return {Outcome::ok, grant.position, mask};
  }
  return core::receive_slow(consumer, count, limit);
}

inline Message::Message(core::ConsumerEndpoint* consumer, std::uint64_t position)
    : consumer_(consumer),
      data_(consumer->payload(position)),
      position_(position),
      outcome_(Outcome::ok) {}

inline Message Consumer<void>::message(const core::Taken& taken) {
  if (taken.outcome != Outcome::ok) return Message(taken.outcome);
  endpoint_->borrow();
  return Message(endpoint_.get(), endpoint_->first_of(taken));
}

inline MessageBatch Consumer<void>::batch(const core::Taken& taken) {
  if (taken.outcome != Outcome::ok) return MessageBatch(taken.outcome);
  endpoint_->borrow();
  return MessageBatch(endpoint_.get(), taken);
}

[[gnu::always_inline]] inline Message Consumer<void>::receive_one(const Limit* limit) {
  core::ConsumerEndpoint& consumer = *endpoint_;
  if (consumer.is_spsc && !consumer.is_detached()) {
    std::uint64_t position = 0;
    std::uint64_t word = 0;
    std::uint64_t extent = 0;
    if (consumer.records.take_next(position, word, extent) ||
        (limit != nullptr && consumer.await_next() && consumer.records.take_next(position, word, extent))) [[likely]] {
      consumer.borrow();
      return Message(&consumer, position, consumer.record_payload(position, word, extent));
    }
  }
  return message(take(1, limit));
}

[[gnu::always_inline]] inline Message Consumer<void>::receive(const Limit& limit) { return receive_one(&limit); }
[[gnu::always_inline]] inline Message Consumer<void>::try_receive() { return receive_one(nullptr); }
inline MessageBatch Consumer<void>::receive_batch(std::size_t max, const Limit& limit) {
  return batch(take(max, &limit));
}
inline MessageBatch Consumer<void>::try_receive_batch(std::size_t max) { return batch(take(max, nullptr)); }

[[gnu::always_inline]] inline void Message::release() {
  core::ConsumerEndpoint* const consumer = std::exchange(consumer_, nullptr);
  if (consumer == nullptr) return;
  if (!consumer->is_detached()) [[likely]] {
    consumer->release(position_, data_);
    if (consumer->due()) [[unlikely]]
      core::stamp_take(*consumer);
  }
  consumer->give_back();
}

namespace core {
/// By value: a message whose address is taken could not live in registers.
[[gnu::noinline]] inline void drop_message(ConsumerEndpoint& consumer, std::uint64_t position) {
  if (!consumer.is_detached()) requeue_message(consumer, position);
  consumer.give_back();
}
}  // namespace core

[[gnu::always_inline]] inline void Message::requeue() {
  if (core::ConsumerEndpoint* const consumer = std::exchange(consumer_, nullptr); consumer != nullptr)
    core::drop_message(*consumer, position_);
}

inline std::uint64_t MessageBatch::after(core::ConsumerEndpoint& consumer, std::uint64_t position) const {
  return step_ != 0 ? position + step_ : consumer.next(position);
}

inline Message MessageBatch::pop_front() {
  if (consumer_ == nullptr) return Message(Outcome::empty);
  core::ConsumerEndpoint* const consumer = consumer_;
  while (!(mask_ & 1)) {
    mask_ >>= 1;
    position_ = after(*consumer, position_);
  }
  const std::uint64_t first = position_;
  do {  // to the next message: see visit()
    position_ = after(*consumer, position_);
    mask_ >>= 1;
  } while (mask_ != 0 && !(mask_ & 1));
  if (mask_ == 0)
    consumer_ = nullptr;  // the batch's loan becomes the message's
  else
    consumer->borrow();
  return Message(consumer, first);
}

template <class Visit>
void MessageBatch::visit(core::ConsumerEndpoint& consumer, Visit&& visit) const {
  // Where the next message lies is found before the visit: a release ends what says it, and with a record also what was
  // aborted behind it, so that the producer may write there at once.
  std::uint64_t position = position_;
  for (std::uint64_t rest = mask_; rest != 0;) {
    const bool held = rest & 1;
    std::uint64_t next = position;
    do {
      next = after(consumer, next);
      rest >>= 1;
    } while (rest != 0 && !(rest & 1));
    if (held) visit(position);
    position = next;
  }
}

template <class Read>
void MessageBatch::for_each(Read&& read) const {
  if (consumer_ == nullptr) return;
  visit(*consumer_, [&](std::uint64_t position) {
    Message message(consumer_, position);
    read(static_cast<const Message&>(message));
    message.consumer_ = nullptr;  // still the batch's
  });
}

inline void MessageBatch::release() {
  core::ConsumerEndpoint* const consumer = std::exchange(consumer_, nullptr);
  if (consumer == nullptr) return;
  if (!consumer->is_detached()) {
    const auto count = static_cast<std::uint32_t>(__builtin_popcountll(mask_));
    if (step_ == 0 || !consumer->release_run(position_, position_ + count * step_))
      visit(*consumer, [&](std::uint64_t position) { consumer->release(position); });
    consumer->more_in_batches += count - 1;
    if (consumer->due()) [[unlikely]]
      core::stamp_take(*consumer);
  }
  consumer->give_back();
}

inline void MessageBatch::requeue() {
  core::ConsumerEndpoint* const consumer = std::exchange(consumer_, nullptr);
  if (consumer == nullptr) return;
  if (!consumer->is_detached()) {
    visit(*consumer, [&](std::uint64_t position) { core::requeue_message(*consumer, position); });
  }
  consumer->give_back();
}

template <class T>
TypedMessage<T> Consumer<T>::typed(Message message) {
  return TypedMessage<T>(std::move(message));
}

}  // namespace shmq
