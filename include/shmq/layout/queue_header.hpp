// An mpmc queue inside the object area, and its slots: every byte of it. docs/layout.md mirrors this file.
//
//   0               QueueHeader                      768 bytes
//   users_offset    QueueUser[rows]                  128 each, so that no two participants share a line
//   producer_trail_offset, consumer_trail_offset     8 bytes per slot each
//   slots_offset    slots of slot_bytes each
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmq/layout/name_field.hpp"
#include "shmq/layout/segment_header.hpp"
#include "shmq/layout/words.hpp"

namespace shmq::layout {

inline constexpr std::uint64_t kQueueMagic = 0x434d504d'514d4853;  // "SHMQMPMC" in memory
inline constexpr unsigned kCapacityLog2Min = 1;
inline constexpr unsigned kCapacityLog2Max = 24;
inline constexpr std::uint32_t kSlotBytesMin = 64;
inline constexpr std::uint32_t kSlotBytesMax = 65536;

inline constexpr std::uint32_t kQueueMetadata = 1;  // slots carry a MessageMetadata

struct QueueHeader {
  // Written once, before the entry is live.
  std::uint64_t magic;
  std::uint64_t generation;
  std::uint32_t capacity_log2;
  std::uint32_t slot_bytes;
  std::uint32_t flags;  // kQueueMetadata
  std::uint32_t on_full;
  std::uint64_t start_position;  // 64-bit: where head and tail began
  std::uint64_t users_offset;
  std::uint64_t producer_trail_offset;
  std::uint64_t consumer_trail_offset;
  std::uint64_t slots_offset;
  std::uint64_t size_bytes;
  std::uint32_t rows;           // of the segment's participant table
  std::uint32_t element_bytes;  // sizeof(T) where it was declared as Queue<T>, else 0
  std::uint32_t delivery_limit;  // 0: none, or 1 to kDeliveriesMax; then dead_letter is set
  std::uint8_t reserved0[kFalseSharingBytes - 92];

  Word tail;  // ring word: next position to claim, who claimed the one before it, closed, removed
  std::uint8_t reserved1[kFalseSharingBytes - 8];

  Word head;  // ring word: next position to take, who took the one before it, removed
  std::uint8_t reserved2[kFalseSharingBytes - 8];

  // Read on every operation, written only when somebody sleeps, dies or gives a message back.
  std::atomic<std::uint32_t> data_event;   // consumers sleep here (core/event.hpp)
  std::atomic<std::uint32_t> space_event;  // producers sleep here, and who waits for the end of the stream
  Word redeliveries;                       // sequence: raised after messages became REDELIVER
  Word position_base;                      // a 64-bit position within 2^47 of tail; never goes back
  std::uint8_t reserved3[kFalseSharingBytes - 24];

  // Counters of rare events.
  Word redelivered;  // messages that went back to be delivered again
  Word tombs;        // claims that ended without a message: aborted or their producer died
  Word purged;
  Word dropped;              // messages that a producer took away to make room (drop_oldest)
  Word rejected;             // messages that a consumer rejected, and that were discarded
  Word dead_lettered;        // messages that went to the dead-letter queue
  Word dead_letter_refused;  // how often it did not take one: full, out of blocks, closed or removed
  Word dead_letter_again_ns;  // CLOCK_MONOTONIC: consumers try not before that; a hint, any value is right
  std::uint8_t reserved4[kFalseSharingBytes - 64];

  // Written once, before the entry is live.
  NameField dead_letter;  // of a queue in the same segment; empty: none
  std::uint8_t reserved5[kFalseSharingBytes - 64];
};
static_assert(sizeof(QueueHeader) == 6 * kFalseSharingBytes);
static_assert(offsetof(QueueHeader, tail) == 128 && offsetof(QueueHeader, head) == 256);
static_assert(offsetof(QueueHeader, data_event) == 384 && offsetof(QueueHeader, redelivered) == 512);
static_assert(offsetof(QueueHeader, delivery_limit) == 88 && offsetof(QueueHeader, dead_letter) == 640);

/// What one participant says about its use of one queue. The times are written when an operation had to wait
/// and every 64 operations otherwise, which costs nothing; they say since when, at the longest, a position
/// has been held.
struct QueueUser {
  std::atomic<std::int64_t> claimed_ns;  // CLOCK_MONOTONIC
  std::atomic<std::int64_t> taken_ns;    // CLOCK_MONOTONIC
  Word full_waits;
  Word empty_waits;
  std::uint8_t reserved[kFalseSharingBytes - 32];
};
static_assert(sizeof(QueueUser) == kFalseSharingBytes);

struct SlotHeader {
  Word word;        // slot word: lap, deliveries, owner of a redelivery, SlotState
  Word descriptor;  // [63:32] bytes of payload, with kLength… flags in its top bits | [31:0] the user's type
                    // tag
};
static_assert(sizeof(SlotHeader) == 16);

inline constexpr std::uint32_t kLengthInBlock =
    1u << 31;  // the payload is in a block; the slot holds a BlockReference
inline constexpr std::uint32_t kLengthOrigin = 1u << 30;  // forwarded: an Origin ends the payload area
inline constexpr std::uint32_t kLengthRepeat =
    1u << 29;  // forwarded from a redelivered message: may be a repeat
inline constexpr std::uint32_t kLengthMask = kLengthRepeat - 1;
inline constexpr std::uint64_t kPayloadMax = kLengthMask;

/// Follows SlotHeader where the queue was declared with metadata.
struct MessageMetadata {
  std::int64_t published_ns;  // CLOCK_REALTIME
  std::uint64_t correlation;
  std::uint32_t producer;  // owner id
  std::uint32_t producer_pid;
  std::uint8_t reserved[8];
};
static_assert(sizeof(MessageMetadata) == 32);

struct BlockReference {
  std::uint64_t block;  // [63:24] epoch | [23:0] block index
};
static_assert(sizeof(BlockReference) == 8);

constexpr std::uint64_t descriptor(std::uint32_t length, std::uint32_t type) {
  return (std::uint64_t{length} << 32) | type;
}
constexpr std::uint32_t descriptor_length(std::uint64_t descriptor) {
  return static_cast<std::uint32_t>(descriptor >> 32);
}
constexpr std::uint32_t descriptor_type(std::uint64_t descriptor) {
  return static_cast<std::uint32_t>(descriptor);
}

constexpr std::uint64_t block_reference(std::uint64_t epoch, std::uint32_t index) {
  return (epoch << 24) | index;
}
constexpr std::uint32_t reference_index(std::uint64_t reference) {
  return static_cast<std::uint32_t>(reference & 0xffffff);
}
constexpr std::uint64_t reference_epoch(std::uint64_t reference) { return reference >> 24; }

/// The id that a forwarded message keeps: in the last 16 bytes of its slot's payload area.
struct Origin {
  std::uint64_t generation;
  std::uint64_t position;
};
static_assert(sizeof(Origin) == 16);

constexpr std::uint32_t slot_payload_offset(std::uint32_t flags) {
  return static_cast<std::uint32_t>(sizeof(SlotHeader) +
                                    (flags & kQueueMetadata ? sizeof(MessageMetadata) : 0));
}

}  // namespace shmq::layout
