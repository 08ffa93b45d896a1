// A queue that this process has open, and the part that producers and consumers have in common. Not API.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "shmq/core/attachment.hpp"
#include "shmq/core/block_hints.hpp"
#include "shmq/core/event.hpp"
#include "shmq/core/mpmc_ring.hpp"
#include "shmq/core/shm_ring_memory.hpp"
#include "shmq/core/shm_spsc_memory.hpp"
#include "shmq/options.hpp"
#include "shmq/outcome.hpp"

namespace shmq::core {

using ShmRing = MpmcRing<ShmRingMemory>;

/// Shared by all handles of one opened queue in this process; closes (unpins) the object when the last one
/// goes.
struct QueueHandle {
  std::shared_ptr<Attachment> attachment;
  std::string name;
  bool is_spsc = false;
  layout::QueueHeader* header = nullptr;  // mpmc
  ShmRing ring;                           // mpmc
  ShmSpscMemory records;                  // spsc
  EventWord* data_event = nullptr;
  EventWord* space_event = nullptr;
  // Copied and checked at opening; never read from shared memory again.
  std::uint64_t generation = 0;
  std::uint32_t entry = 0;
  std::uint32_t slot_bytes = 0;
  std::uint32_t element_bytes = 0;
  std::uint32_t payload_offset = 0;  // in a slot or a record
  std::uint32_t payload_room = 0;
  std::uint32_t flags = 0;
  OnFull on_full = OnFull::block;
  std::uint32_t delivery_limit = 0;
  std::string dead_letter;            // the name of a queue of the same segment, or empty
  layout::QueueUser* user = nullptr;  // this participant's

  QueueHandle() = default;
  QueueHandle(const QueueHandle&) = delete;
  QueueHandle& operator=(const QueueHandle&) = delete;
  ~QueueHandle() {
    if (attachment != nullptr) attachment->unpin(entry);
  }

  layout::SlotHeader& slot(std::uint64_t position) const {
    return ring.memory().slot_header(ring.index_of(position));
  }
  std::byte* payload(std::uint64_t position) const {
    return reinterpret_cast<std::byte*>(&slot(position)) + payload_offset;
  }
  layout::MessageMetadata& metadata(std::uint64_t position) const {
    return *reinterpret_cast<layout::MessageMetadata*>(&slot(position) + 1);
  }
  layout::Origin& origin(std::uint64_t position) const {
    return *reinterpret_cast<layout::Origin*>(payload(position) + payload_room - sizeof(layout::Origin));
  }
  /// Where a slot whose payload is in a block names it.
  std::uint64_t& reference(std::uint64_t position) const {
    return reinterpret_cast<layout::BlockReference*>(payload(position))->block;
  }
  std::uint64_t widen(std::uint64_t position) const {
    if (is_spsc) return position;
    return layout::widen(position, header->position_base.load(std::memory_order_relaxed));
  }
};

/// What a producer or consumer handle carries, in this process only. It outlives its handle while loans are
/// open, so that a loan never points to nothing; handle and loans belong to one thread, so the count is a
/// plain one.
struct Endpoint {
  std::shared_ptr<QueueHandle> queue;
  ShmRing ring;
  layout::Owner me;
  bool is_spsc = false;
  const std::atomic<bool>* detached = nullptr;
  Wait wait = Wait::spin_futex;
  // Loans. Two counts, so that a message waits for one addition less of the message before it.
  std::uint32_t lent = 0;
  std::uint32_t returned = 0;
  bool abandoned = false;
  BlockHints hints;

  void borrow() { ++lent; }
  void give_back() {
    ++returned;
    if (abandoned && !has_loans()) [[unlikely]]
      dispose(this);
  }
  bool has_loans() const { return lent != returned; }
  /// Every 64 loans: keeps the base of 64-bit positions within reach, and the user's time of last use fresh.
  bool due() const { return (returned & 63) == 0; }

  bool is_detached() const { return detached->load(std::memory_order_relaxed); }

  /// Of the message at a position: bytes of payload, with layout::kLength… flags in the top bits.
  std::uint32_t length(std::uint64_t position) const {
    return layout::descriptor_length(
        ring.memory().slot_header(ring.index_of(position)).descriptor.load(std::memory_order_relaxed));
  }
  /// Lets go of a taken position whose payload, if it had one, lay in the slot.
  void release_slot(std::uint64_t position) {
    ring.release(position);
    notify(*queue->space_event);
  }

  void (*dispose)(Endpoint*) = nullptr;
};

/// Raises the base of 64-bit positions when `position` has run far ahead of it.
void keep_base_near(QueueHandle& queue, std::uint64_t position);

constexpr Outcome outcome_of(RingStatus status) {
  switch (status) {
    case RingStatus::ok:
      return Outcome::ok;
    case RingStatus::full:
      return Outcome::full;
    case RingStatus::empty:
      return Outcome::empty;
    case RingStatus::closed:
      return Outcome::closed;
    case RingStatus::removed:
      return Outcome::removed;
    case RingStatus::corrupt:
      return Outcome::corrupt;
    case RingStatus::busy:
      return Outcome::busy;
  }
  return Outcome::corrupt;
}

}  // namespace shmq::core
