// The first page of a segment, its participant rows, its directory of objects and its block classes: every
// byte that is not inside an object. docs/layout.md mirrors this file.
//
//   0                     SegmentHeader                      4096 bytes
//   participants_offset   ParticipantRow[participants_max + 1]   256 each; the last is a spare
//   directory_offset      DirectoryEntry[objects_max]        256 each
//   users_offset          user bitmaps: per entry ceil((participants_max + 1) / 64) words of 64 bits
//   units_offset          unit words: 8 bytes for each 4096-byte unit of the object area
//   block_words_offset    block owner words, 8 bytes each, all classes one after the other
//   blocks_offset         the blocks, class by class, page-aligned
//   objects_offset        the object area, units of 4096 bytes, to the end
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "shmq/layout/name_field.hpp"

namespace shmq::layout {

inline constexpr std::uint64_t kSegmentMagic = 0x31474553'514d4853;  // "SHMQSEG1" in memory
inline constexpr std::uint32_t kLayoutVersion = 1;
/// Features that a reader must know to read the segment at all; this version knows none.
inline constexpr std::uint64_t kKnownFeatures = 0;

inline constexpr std::uint64_t kFalseSharingBytes =
    128;  // fixed, not what this compiler believes of this CPU
inline constexpr std::uint64_t kUnitBytes = 4096;
inline constexpr std::uint32_t kBlockClassesMax = 8;
inline constexpr std::uint32_t kParticipantsMax = 4094;
inline constexpr std::uint32_t kObjectsMax = 4095;
inline constexpr std::uint32_t kBlocksMax = (1u << 24) - 1;
inline constexpr std::uint64_t kBlockAlignment = 64;
inline constexpr std::uint64_t kPageBytes = 4096;

using Word = std::atomic<std::uint64_t>;
static_assert(Word::is_always_lock_free && sizeof(Word) == 8);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4);

struct BlockClassGeometry {
  std::uint64_t block_bytes;
  std::uint64_t data_offset;
  std::uint32_t count;
  std::uint32_t first_index;  // of its first block among all blocks
};
static_assert(sizeof(BlockClassGeometry) == 24);

enum class SegmentState : std::uint64_t { live = 0, removed = 1 };

struct SegmentHeader {
  // Written once, before the segment has its name.
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t header_bytes;
  std::uint64_t features;
  char build_id[40];
  std::uint8_t uuid[16];
  std::uint8_t boot_id[16];
  std::uint64_t device;  // of its own file: a copy is known as one
  std::uint64_t inode;
  std::uint64_t size_bytes;
  std::int64_t created_ns;  // CLOCK_REALTIME
  std::uint32_t creator_pid;
  std::uint32_t participants_max;
  std::uint32_t objects_max;
  std::uint32_t class_count;
  std::uint64_t participants_offset;
  std::uint64_t directory_offset;
  std::uint64_t users_offset;
  std::uint64_t units_offset;
  std::uint64_t unit_count;
  std::uint64_t block_words_offset;
  std::uint64_t block_count;
  std::uint64_t objects_offset;
  BlockClassGeometry classes[kBlockClassesMax];
  std::uint8_t reserved0[1024 - 400];

  // Written while it lives, each on a line of its own.
  Word state;            // SegmentState
  Word next_generation;  // of objects; a number that a killed creator drew is never used
  std::uint8_t reserved1[kFalseSharingBytes - 16];
  std::atomic<std::uint32_t> blocks_event;  // waiters for a free block (core/event.hpp)
  std::uint32_t reserved2;
  Word block_waits;  // how often somebody waited for a block
  std::uint8_t reserved3[kFalseSharingBytes - 16];
  Word reaped_ns;  // CLOCK_MONOTONIC: when somebody who waits or works looked for the dead last
  std::uint8_t reserved4[4096 - 1024 - 2 * kFalseSharingBytes - 8];
};
static_assert(offsetof(SegmentHeader, build_id) == 24);
static_assert(offsetof(SegmentHeader, device) == 96);
static_assert(offsetof(SegmentHeader, participants_offset) == 144);
static_assert(offsetof(SegmentHeader, classes) == 208);
static_assert(offsetof(SegmentHeader, state) == 1024);
static_assert(offsetof(SegmentHeader, blocks_event) == 1152 && offsetof(SegmentHeader, reaped_ns) == 1280);
static_assert(sizeof(SegmentHeader) == 4096);

enum class RowState : std::uint8_t {
  free = 0,
  joining = 1,  // taken; the fields below are being written
  alive = 2,
  swept =
      3,  // dead, and everything it held is mended: free once no living row says that it is still sweeping it
};

struct ParticipantRow {
  Word word;      // owner word: epoch, incarnation, owner id (its index + 1), RowState
  Word sweeping;  // the row word of the dead participant that this one is sweeping, or 0
  // For people; written by the participant while it joins.
  std::uint64_t start_time_ticks;
  std::uint64_t pid_namespace;
  std::int64_t attached_ns;  // CLOCK_REALTIME
  std::uint32_t pid;
  std::uint32_t uid;
  NameField name;
  std::uint8_t reserved[256 - 112];
};
static_assert(sizeof(ParticipantRow) == 256 && offsetof(ParticipantRow, name) == 48);

enum class EntryState : std::uint8_t {
  free = 0,
  claimed = 1,   // by the owner in the word; its name is not written yet
  creating = 2,  // by the owner in the word; the name counts
  live = 3,
  removing = 4,    // nobody opens it any more; its space is kept until its last user has gone
  reclaiming = 5,  // its space is being given back by the owner in the word
};

enum class ObjectKind : std::uint64_t { none = 0, mpmc_queue = 1, spsc_queue = 2, task_table = 3 };

struct DirectoryEntry {
  Word word;  // owner word: epoch, incarnation and owner (while claimed, creating or reclaiming), EntryState
  Word generation;  // of the object: unique in this segment, never used twice
  Word offset;      // from the segment's start
  Word size_bytes;
  Word kind;  // ObjectKind
  NameField name;
  std::uint8_t reserved[256 - 104];
};
static_assert(sizeof(DirectoryEntry) == 256 && offsetof(DirectoryEntry, name) == 40);

/// A unit word: 0 is free, else the entry that has it, by index and epoch.
constexpr std::uint64_t unit_word(std::uint64_t entry_epoch, std::uint32_t entry_index) {
  return (entry_epoch << 24) | (std::uint64_t{entry_index + 1} << 4) | 1;
}

enum class BlockState : std::uint8_t {
  free = 0,
  taken =
      1,  // by the participant in the word: being filled, or published in a slot that names {block, epoch}
  queued = 2,     // the slot that names {block, epoch} has it, and no living participant answers for it
  handed = 3,     // being forwarded by the participant in the word, under this new epoch
  releasing = 4,  // its reader, the participant in the word, frees the slot first and then the block
};

}  // namespace shmq::layout
