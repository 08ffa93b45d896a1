// A task table inside the object area: every byte of it. docs/layout.md mirrors this file.
//
//   0               TaskTableHeader                     1280 bytes
//   users_offset    TaskUser[rows]                       1792 each
//   names_offset    TaskNameFigures[names]               1216 each
//   free_offset     cells of the free list, 8 bytes, 2^ring_log2 of them
//   ready_offset    cells of the ready index, likewise; of a table that is not first in, first out: nodes of its tree
//   due_offset      nodes of the tree of times, 8 bytes each (core/min_tree.hpp)
//   keys_offset     KeyBucket[2^key_buckets_log2(keys)], 64 each (layout/key_index.hpp); none where keys is 0
//   records_offset  TaskRecord[capacity], 64 each
//   bodies_offset   TaskBody[capacity], body_bytes each: 320, the inline payload, the inline result, TaskError[errors]
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
  held = 2,       // kept back until somebody lets it go
  waiting = 3,    // for other tasks (reserved)
  delayed = 4,    // not before its time
  ready = 5,
  claimed = 6,    // in a worker's hands, and not started: an idle worker may take it over
  running = 7,
  done = 8,
  dead = 9,       // its limits are used up; kept for somebody to look at
  cancelled = 10,
  expired = 11,   // too late for it
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

// ---- a moment that a state began, or is to end: [63:44] low bits of the epoch that it is of | [43:0] units of 100 us

inline constexpr std::int64_t kStampNs = 100'000;
inline constexpr std::uint64_t kStampTagMask = (std::uint64_t{1} << 20) - 1;
inline constexpr std::uint64_t kStampMax = (std::uint64_t{1} << 44) - 1;  // 55 years
constexpr std::uint64_t stamp_word(std::uint64_t epoch, std::int64_t ns) {
  const std::uint64_t units = ns <= 0 ? 0 : (static_cast<std::uint64_t>(ns) + kStampNs - 1) / kStampNs;
  return (epoch & kStampTagMask) << 44 | (units < kStampMax ? units : kStampMax);
}
constexpr bool is_stamp_of(std::uint64_t stamp, std::uint64_t epoch) { return stamp >> 44 == (epoch & kStampTagMask); }
constexpr std::int64_t stamp_ns(std::uint64_t stamp) { return static_cast<std::int64_t>(stamp & kStampMax) * kStampNs; }

// Bits of TaskRecord::flags. What a bit does not announce was not written, and is of an earlier task.
inline constexpr std::uint32_t kTaskForgotten = 1;     // it is not kept once it is done
inline constexpr std::uint32_t kTaskNamed = 2;         // name
inline constexpr std::uint32_t kTaskTimed = 4;         // run_limit_ns … backoff: something may become due
inline constexpr std::uint32_t kTaskKeyed = 8;         // key, key_until_ns, and the two bits of how it began
inline constexpr std::uint32_t kTaskDelayReal = 16;    // not_before_ns is on CLOCK_REALTIME; else on BOOTTIME
inline constexpr std::uint32_t kTaskDeadlineReal = 32; // the same of deadline_ns
inline constexpr std::uint32_t kTaskExpiresReal = 64;  // the same of expires_ns
inline constexpr std::uint32_t kTaskExponential = 128; // the backoff doubles with each failure
inline constexpr std::uint32_t kTaskKeyUntilStarted = 256;
inline constexpr std::uint32_t kTaskKeyForTime = 512;
inline constexpr std::uint32_t kTaskBornHeld = 1024;     // what its submitter, or who does it for him, publishes it as
inline constexpr std::uint32_t kTaskBornDelayed = 2048;  // READY without these
inline constexpr std::uint32_t kTaskDeadline = 4096;     // deadline_ns

/// In the low 24 bits of `progress`: the percentage, and whether `note` goes with it.
inline constexpr std::uint32_t kProgressNote = 256;

/// What every change of a task needs, a cache line each and one after the other: whoever looks through a table reads these
/// alone, and a claim of one among millions misses one line, in pages whose translations fit the caches.
struct TaskRecord {
  // Changed in place, by compare-and-swap, but for what its submitter writes in ALLOC, and nobody after that.
  Word word;
  Word tally;
  Word id;                                   // of the task that the record is; 0 before its first
  std::atomic<std::uint32_t> payload_bytes;  // the submitter's
  std::atomic<std::uint32_t> flags;          // the submitter's: kTask… bits
  Word submitted_ns;                         // the submitter's: CLOCK_MONOTONIC
  Word priority;       // [63:24] epoch of the submission | [7:0] priority
  Word payload_block;  // {block, epoch}, or kNoBlock: inline
  Word result_block;   // {block, epoch}, or kNoBlock
};
static_assert(sizeof(TaskRecord) == 64);

/// The rest of it.
struct TaskBody {
  // Changed in place, by compare-and-swap.
  Word stamp;     // DELAYED: until when; RUNNING: since when (MONOTONIC, the others BOOTTIME); over: since when
  Word cancel;    // the id of a task that is asked to stop
  Word progress;  // [63:24] epoch of the run | [8] a note | [7:0] percent
  Word result;    // of a done task: [63:24] epoch of the run that completed it | [23:0] bytes
  // Written by the submitter in ALLOC, and not after that, as all below but the note.
  std::atomic<std::uint16_t> failures_max;
  std::atomic<std::uint16_t> crashes_max;
  std::atomic<std::uint16_t> timeouts_max;
  std::atomic<std::uint16_t> releases_max;
  Word correlation;
  Word reserved0[2];

  // kTaskTimed, but for the deadline: kTaskDeadline. 0: none.
  Word run_limit_ns;
  Word deadline_ns;
  Word expires_ns;
  Word not_before_ns;
  Word keep_for_ns;
  std::atomic<std::uint32_t> backoff_first_ms;
  std::atomic<std::uint32_t> backoff_cap_ms;
  std::atomic<std::uint32_t> backoff_jitter;  // in 1/65536 of the delay
  std::uint32_t reserved1;
  Word key_until_ns;  // kTaskKeyForTime: CLOCK_BOOTTIME

  NameField name;
  NameField key;  // a PackedKey
  NameField note;
  // The inline payload follows, the inline result, and the last errors.
};
static_assert(offsetof(TaskBody, run_limit_ns) == 64 && offsetof(TaskBody, name) == 128);
static_assert(sizeof(TaskBody) == 320);

/// Why a run did not complete its task. Written by whoever ended it, and advisory: of two writers at once either may win.
struct TaskError {
  Word what;  // [63:24] epoch of the run | [16] core dumped | [15:8] signal | [7:0] RunEnd; 0: nothing
  Word number;  // of the run, from 1
  Word ended_real_ns;
  TextField<5> text;  // 39 bytes and a zero
};
static_assert(sizeof(TaskError) == 64);
inline constexpr std::uint32_t kTaskErrorsMax = 16;

/// What became of tasks, and how long it took; only counted, never decided by. Buckets: core/task_figures.hpp.
struct TaskFigures {
  static constexpr unsigned kBuckets = 64;
  Word submitted;
  Word started;
  Word ended[8];  // by RunEnd
  Word wait_ns;   // from being ready to the start, all together
  Word run_ns;    // from start to end
  Word reserved[4];
  Word waits[kBuckets];
  Word runs[kBuckets];
};
static_assert(sizeof(TaskFigures) == 1152);

struct TaskNameFigures {
  NameField name;
  TaskFigures figures;
};
static_assert(sizeof(TaskNameFigures) == 1216);
inline constexpr std::uint32_t kTaskNamesMax = 4096;

/// One for each participant row.
struct TaskUser {
  /// What it claimed and has not started: hints for idle workers, who take it over. A task index plus one, or 0.
  std::atomic<std::uint32_t> claimed[64];
  Word figures_of;  // whose the figures are: {incarnation, id}
  std::uint64_t reserved[47];
  TaskFigures figures;
};
static_assert(sizeof(TaskUser) == 1792);

enum class TaskPolicy : std::uint32_t {
  fifo = 0,
  priority = 1,
  edf = 2,
};

struct TaskTableHeader {
  // Written once, before the entry is live.
  std::uint64_t magic;
  std::uint64_t generation;
  std::uint32_t capacity;
  std::uint32_t ring_log2;     // of both rings: at least twice the capacity
  std::uint32_t body_bytes;    // 320 + payload_room + result_room + 64 * errors
  std::uint32_t payload_room;  // bytes that a payload may have inline; a multiple of 64, as the next
  std::uint32_t result_room;
  std::uint32_t rows;
  TaskPolicy policy;
  std::uint32_t errors;  // kept of each task
  std::uint32_t names;   // that have figures of their own
  std::uint32_t keys;    // that there is an index for; 0: no task has one
  std::int64_t aging_ns;
  std::uint64_t users_offset;
  std::uint64_t names_offset;
  std::uint64_t free_offset;
  std::uint64_t ready_offset;
  std::uint64_t due_offset;
  std::uint64_t records_offset;
  std::uint64_t size_bytes;
  std::uint64_t keys_offset;
  std::uint64_t bodies_offset;
  std::uint8_t reserved0[kFalseSharingBytes - 8];

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
  Word timekeeper;   // {incarnation, id} of the participant that sleeps until the next time of the tree; 0: nobody
  Word real_offset;  // CLOCK_REALTIME - CLOCK_BOOTTIME, in ns, as the times on REALTIME were put into the tree
  Word real_times;   // 1: there was a task with such a time
  Word finished;     // tasks that are over and kept; about
  Word keep_max;     // of those; 0: as many as there is room for
  Word keep_hand;    // where the next look for one that is to go begins
  std::uint8_t reserved7[3 * kFalseSharingBytes - 56];
};
static_assert(sizeof(TaskTableHeader) == 10 * kFalseSharingBytes);
static_assert(offsetof(TaskTableHeader, free_head) == 256 && offsetof(TaskTableHeader, ready_event) == 768);
static_assert(offsetof(TaskTableHeader, hints_lost) == 896 && offsetof(TaskTableHeader, keep_hand) == 944);

// Bits of TaskTableHeader::state.
inline constexpr std::uint64_t kTablePaused = 1;    // nothing is claimed
inline constexpr std::uint64_t kTableDraining = 2;  // nothing is submitted
inline constexpr std::uint64_t kTableRemoved = 4;

}  // namespace shmq::layout
