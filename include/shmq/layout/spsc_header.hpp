// An spsc queue inside the object area: every byte of it. docs/layout.md mirrors this file.
//
//   0               SpscHeader                       896 bytes
//   users_offset    QueueUser[rows]                  128 each
//   ring_offset     the byte ring, 2^ring_log2 bytes of records
//
// A record starts at a position (bytes since the queue was declared, 64-bit) that is a multiple of 16, lies in the
// ring at position mod size, and never wraps: [RecordHeader][MessageMetadata?][Origin?][payload], padded to its extent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmq/layout/queue_header.hpp"
#include "shmq/layout/segment_header.hpp"
#include "shmq/layout/words.hpp"

namespace shmq::layout {

inline constexpr std::uint64_t kSpscMagic = 0x43535053'514d4853;  // "SHMQSPSC" in memory
inline constexpr unsigned kRingLog2Min = 10;
inline constexpr unsigned kRingLog2Max = 29;

// Bits of SpscHeader::state.
inline constexpr std::uint64_t kSpscClosing = 1;  // no further claims; one that is being made may still win
inline constexpr std::uint64_t kSpscClosed = 2;   // tail only ever goes back from here
inline constexpr std::uint64_t kSpscRemoved = 4;
inline constexpr std::uint64_t kSpscFence = 8;  // a user could not register for membarrier: claims fence

/// States of the words that own the ends (owner words, layout/words.hpp).
enum class EndState : std::uint8_t { free = 0, held = 1 };

struct SpscHeader {
  // Written once, before the entry is live.
  std::uint64_t magic;
  std::uint64_t generation;
  std::uint32_t ring_log2;
  std::uint32_t flags;  // kQueueMetadata
  std::uint32_t on_full;
  std::uint32_t rows;           // of the segment's participant table
  std::uint32_t element_bytes;  // sizeof(T) where it was declared as Queue<T>, else 0
  std::uint32_t reserved_word;
  std::uint64_t start_position;  // where tail, received and released began
  std::uint64_t users_offset;
  std::uint64_t ring_offset;
  std::uint64_t size_bytes;
  std::uint8_t reserved0[kFalseSharingBytes - 72];

  // Written by the producer alone, with each claim.
  Word producer;  // who owns this end
  Word tail;      // records are claimed up to here
  Word settled;   // what was claimed below and is not published never will be: its producer has gone
  Word last;      // the record that was claimed last starts here, and ends at tail; or it is not below tail
  std::uint8_t reserved1[kFalseSharingBytes - 32];

  // Written by the consumer alone, with each message.
  Word consumer;  // who owns this end
  Word received;  // records were handed out up to here
  Word released;  // records are done with up to here; above, those marked kRecordDone are as well
  std::uint8_t reserved2[kFalseSharingBytes - 24];

  // Written by the consumer every eighth of the ring and before it waits; what the producer polls.
  Word head;  // released, as it was a while ago
  std::uint8_t reserved3[kFalseSharingBytes - 8];

  // Read on every operation, written only when somebody sleeps, closes or removes.
  std::atomic<std::uint32_t> data_event;   // the consumer sleeps here (core/event.hpp)
  std::atomic<std::uint32_t> space_event;  // the producer sleeps here
  Word state;                              // kSpsc… bits
  std::uint8_t reserved4[kFalseSharingBytes - 16];

  // Counters of rare events.
  Word redelivered;  // counted when a message is handed out again, as in the record's deliveries
  Word tombs;
  Word purged;
  Word rejected;  // messages that the consumer rejected, and that were discarded
  std::uint8_t reserved5[2 * kFalseSharingBytes - 32];
};
static_assert(sizeof(SpscHeader) == 7 * kFalseSharingBytes);
static_assert(offsetof(SpscHeader, producer) == 128 && offsetof(SpscHeader, consumer) == 256);
static_assert(offsetof(SpscHeader, head) == 384 && offsetof(SpscHeader, data_event) == 512);
static_assert(offsetof(SpscHeader, redelivered) == 640);

struct RecordHeader {
  Word word;    // bit 63: published | length and flags | [31:0] the user's type tag
  Word extent;  // [63:32] bytes of the whole record | [9:8] marks | [7:0] deliveries
};
static_assert(sizeof(RecordHeader) == 16);

inline constexpr std::uint64_t kRecordAlignment = 16;
inline constexpr std::uint64_t kRecordPublished = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kRecordOrigin = std::uint64_t{kLengthOrigin} << 32;
inline constexpr std::uint64_t kRecordRepeat = std::uint64_t{kLengthRepeat} << 32;
inline constexpr std::uint64_t kRecordTomb = std::uint64_t{1} << 60;  // aborted, or padding: stepped over
inline constexpr std::uint64_t kRecordLengthMask = (std::uint64_t{1} << 28) - 1;

inline constexpr std::uint64_t kRecordDone = 1u << 8;    // released before an earlier one was
inline constexpr std::uint64_t kRecordRequeued = 1u << 9;  // given back by its consumer, which is still there
inline constexpr std::uint64_t kRecordDeliveriesMask = 0xff;

constexpr std::uint64_t record_word(std::uint64_t length, std::uint32_t type, std::uint64_t flags = 0) {
  return flags | (length << 32) | type;
}
constexpr std::uint64_t record_length(std::uint64_t word) { return (word >> 32) & kRecordLengthMask; }
constexpr std::uint64_t record_extent(std::uint64_t extent_word) { return extent_word >> 32; }

/// What stands between a record's header and its payload.
constexpr std::uint64_t record_prefix(std::uint32_t queue_flags, std::uint64_t word) {
  return (queue_flags & kQueueMetadata ? sizeof(MessageMetadata) : 0) +
         (word & kRecordOrigin ? sizeof(Origin) : 0);
}

/// Bytes of the ring that a record with `content` bytes after its header takes. Small ones get 32 or 64, so that
/// messages of one size never straddle a cache line.
constexpr std::uint64_t extent_for(std::uint64_t content) {
  const std::uint64_t whole = sizeof(RecordHeader) + content;
  if (whole <= 64) return whole <= 32 ? 32 : 64;
  return (whole + kRecordAlignment - 1) & ~(kRecordAlignment - 1);
}

}  // namespace shmq::layout
