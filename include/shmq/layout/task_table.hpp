// A task table inside the object area: every byte of it. docs/layout.md mirrors this file.
//
//   0               TaskTableHeader                     1152 bytes
//   users_offset    TaskUser[rows]                       512 each
//   free_offset     cells of the free list, 8 bytes, 2^ring_log2 of them
//   ready_offset    cells of the ready index, likewise
//   records_offset  TaskRecord[capacity], record_bytes each: 256, the inline payload, the inline result
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmq/layout/queue_header.hpp"
#include "shmq/layout/segment_header.hpp"
#include "shmq/layout/words.hpp"

namespace shmq::layout {

inline constexpr std::uint64_t kTaskTableMagic = 0x4c425453'514d4853;  // "SHMQSTBL" in memory
inline constexpr std::uint32_t kTasksMax = (1u << 24) - 1;
inline constexpr std::uint32_t kTaskInlineMax = 64u << 10;
/// In place of a block reference: there is none. No block has this index.
inline constexpr std::uint64_t kNoBlock = ~std::uint64_t{0};

/// In a task word, an owner word of layout/words.hpp. Where nobody owns it, its incarnation bits are a RunEnd.
enum class TaskState : std::uint8_t {
  free = 0,
  alloc = 1,      // being written, or cleared away, by its owner
  held = 2,       // kept back until somebody lets it go (reserved)
  waiting = 3,    // for other tasks (reserved)
  delayed = 4,    // not before its time (reserved)
  ready = 5,
  claimed = 6,    // in a worker's hands, and not started: an idle worker may take it over
  running = 7,
  done = 8,
  dead = 9,       // its limits are used up; kept for somebody to look at
  cancelled = 10,
  expired = 11,   // (reserved)
  spilled = 12,   // on disk (reserved)
};

/// How the last run ended, where it is not counted yet; `revived`: earlier ones count no more.
enum class RunEnd : std::uint8_t {
  none = 0,
  done = 1,
  failure = 2,
  crash = 3,
  timeout = 4,
  release = 5,
  cancelled = 6,
  revived = 7,
};

constexpr TaskState task_state(std::uint64_t word) { return static_cast<TaskState>(word & 0xf); }
constexpr RunEnd task_end(std::uint64_t word) { return static_cast<RunEnd>(word_incarnation(word)); }
constexpr bool is_owned(TaskState state) {
  return state == TaskState::alloc || state == TaskState::claimed || state == TaskState::running;
}
constexpr std::uint64_t owned_task(std::uint64_t epoch, Owner owner, TaskState state) {
  return owner_word(epoch, owner.incarnation, owner.id, static_cast<std::uint8_t>(state));
}
constexpr std::uint64_t task_word(std::uint64_t epoch, TaskState state, RunEnd end = RunEnd::none) {
  return owner_word(epoch, static_cast<std::uint32_t>(end), kNobody, static_cast<std::uint8_t>(state));
}

// ---- what earlier runs came to: [63:40] low bits of the epoch whose end is counted last | 10 bits each, which saturate:
// ---- [39:30] releases | [29:20] timeouts | [19:10] crashes | [9:0] failures

struct Tally {
  std::uint32_t failures = 0, crashes = 0, timeouts = 0, releases = 0;
  constexpr std::uint32_t total() const { return failures + crashes + timeouts + releases; }
};
inline constexpr std::uint32_t kTallyMax = 1023;
inline constexpr std::uint64_t kTallyTagMask = (std::uint64_t{1} << 24) - 1;

constexpr Tally tally_of(std::uint64_t word) {
  const auto field = [word](unsigned i) { return static_cast<std::uint32_t>(word >> (10 * i)) & kTallyMax; };
  return {field(0), field(1), field(2), field(3)};
}
constexpr std::uint64_t tally_tag(std::uint64_t word) { return word >> 40; }
constexpr std::uint64_t tally_word(std::uint64_t epoch, const Tally& t) {
  return (epoch & kTallyTagMask) << 40 | std::uint64_t{t.releases} << 30 | std::uint64_t{t.timeouts} << 20 |
         std::uint64_t{t.crashes} << 10 | t.failures;
}

// ---- ids: the epoch of the word at submission and the index of the record. Never used again.

constexpr std::uint64_t task_id(std::uint64_t epoch, std::uint32_t index) { return epoch << 24 | index; }
/// Of words that say of which run they are: `progress`, `result`.
constexpr std::uint64_t of_run(std::uint64_t epoch, std::uint32_t value) { return epoch << 24 | value; }
constexpr std::uint64_t run_of(std::uint64_t word) { return word >> 24; }
constexpr std::uint32_t run_value(std::uint64_t word) { return static_cast<std::uint32_t>(word) & 0xff'ffff; }
inline constexpr std::uint32_t kTaskResultMax = 0xff'ffff;

constexpr std::uint32_t task_index(std::uint64_t id) { return static_cast<std::uint32_t>(id) & 0xff'ffff; }

// Bits of TaskRecord::flags.
inline constexpr std::uint32_t kTaskForgotten = 1;  // it is not kept once it is done

struct TaskRecord {
  // Changed in place, by compare-and-swap.
  Word word;
  Word tally;
  Word id;            // of the task that the record is; 0 before its first
  Word cancel;        // the id of a task that is asked to stop
  Word progress;      // [63:24] epoch of the run | [7:0] percent
  Word result;        // of a done task: [63:24] epoch of the run that completed it | [23:0] bytes
  Word result_block;  // {block, epoch}, or kNoBlock
  Word payload_block; // {block, epoch}, or kNoBlock: inline
  // Written by the submitter in ALLOC, and not after that.
  std::atomic<std::uint32_t> payload_bytes;
  std::atomic<std::uint16_t> failures_max;
  std::atomic<std::uint16_t> crashes_max;
  Word correlation;
  Word submitted_ns;  // CLOCK_MONOTONIC
  std::atomic<std::uint32_t> flags;  // kTask… bits
  std::uint32_t reserved_word;
  std::uint64_t reserved0[4];  // priority, times and limits to come
  std::uint64_t reserved1[8];
  NameField name;
  // The inline payload follows, and then the inline result.
};
static_assert(offsetof(TaskRecord, payload_bytes) == 64);
static_assert(offsetof(TaskRecord, name) == 192);
static_assert(sizeof(TaskRecord) == 256);

/// One for each participant row. What it claimed and has not started: hints for idle workers, who take it over. A cell is a
/// task index plus one, or 0.
struct TaskUser {
  std::atomic<std::uint32_t> claimed[64];
  std::uint64_t reserved[32];
};
static_assert(sizeof(TaskUser) == 512);

struct TaskTableHeader {
  // Written once, before the entry is live.
  std::uint64_t magic;
  std::uint64_t generation;
  std::uint32_t capacity;
  std::uint32_t ring_log2;     // of both rings: at least twice the capacity
  std::uint32_t record_bytes;  // 256 + payload_room + result_room
  std::uint32_t payload_room;  // bytes that a payload may have inline; a multiple of 64, as the next
  std::uint32_t result_room;
  std::uint32_t rows;
  std::uint64_t users_offset;
  std::uint64_t free_offset;
  std::uint64_t ready_offset;
  std::uint64_t records_offset;
  std::uint64_t size_bytes;
  std::uint8_t reserved0[kFalseSharingBytes - 80];

  Word free_head;
  std::uint8_t reserved1[kFalseSharingBytes - 8];
  Word free_tail;
  std::uint8_t reserved2[kFalseSharingBytes - 8];
  Word ready_head;
  std::uint8_t reserved3[kFalseSharingBytes - 8];
  Word ready_tail;
  std::uint8_t reserved4[kFalseSharingBytes - 8];

  // Read on every operation, written only when somebody sleeps, closes, pauses or removes.
  std::atomic<std::uint32_t> ready_event;  // workers sleep here (core/event.hpp)
  std::atomic<std::uint32_t> free_event;   // submitters
  std::atomic<std::uint32_t> done_event;   // who waits for a task
  std::uint32_t reserved5;
  Word state;  // kTable… bits
  std::uint8_t reserved6[kFalseSharingBytes - 24];

  Word hints_lost;  // a ring was full: the next one who finds nothing looks through all records
  std::uint8_t reserved7[3 * kFalseSharingBytes - 8];
};
static_assert(sizeof(TaskTableHeader) == 9 * kFalseSharingBytes);
static_assert(offsetof(TaskTableHeader, free_head) == 128 && offsetof(TaskTableHeader, ready_event) == 640);
static_assert(offsetof(TaskTableHeader, hints_lost) == 768);

// Bits of TaskTableHeader::state.
inline constexpr std::uint64_t kTablePaused = 1;    // nothing is claimed
inline constexpr std::uint64_t kTableDraining = 2;  // nothing is submitted
inline constexpr std::uint64_t kTableRemoved = 4;

}  // namespace shmq::layout
