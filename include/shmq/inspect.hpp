// Looking at a segment without taking part in it: who is attached and alive, how full each queue is, who
// holds what.
//
// The inspector maps the segment read-only. It takes no participant row and no lock, writes nothing, wakes
// nobody and waits for nobody, so it is right when every process is stopped or dead, and it needs no more
// than permission to read. Any thread of any process may call it; a process that is attached to the segment
// may inspect it as well.
//
// What it tells: one pass over a segment that may be in full use. Each fact was true at the moment it was
// read (a holder that is named did hold that position then), but two facts may be from different moments:
// totals of a busy queue need not add up to the last message. Everything is range-checked: a damaged, hostile
// or foreign file gives an Error, or an object with `damaged` set, never undefined behaviour. Only a file
// that is truncated while it is mapped raises SIGBUS, as it does for every mapping; segments themselves are
// never truncated.
//
//   auto snapshot = shmq::inspect_segment("market");
//   if (!snapshot) { std::cerr << snapshot.error() << '\n'; return 1; }
//   for (const auto& object : snapshot->objects)
//     if (object.queue) std::cout << object.name << ": " << object.queue->depth << " waiting\n";
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shmq/options.hpp"
#include "shmq/result.hpp"
#include "shmq/tasks.hpp"

namespace shmq {

/// What the kernel says of a participant's lock, and what its row says.
enum class ParticipantState : std::uint8_t {
  alive,         // its lock is held: the process is there, if perhaps stopped
  dead,          // nobody holds its lock: the next waiting call of any peer mends what it held
  inaccessible,  // the kernel refused to say
  undefined,     // the row has contents that no version of this library writes
  unknown_copy,  // the file is a copy: locks say nothing about it
};
/// "Alive", "Dead", "Inaccessible", "Undefined", "unknown (copy)".
const char* to_string(ParticipantState state);

struct ParticipantSnapshot {
  std::uint32_t id = 0;  // what owner words name; used again after its holder has gone
  std::uint32_t incarnation = 0;
  ParticipantState state = ParticipantState::undefined;
  bool joining = false;  // its row is taken and not yet filled in: name, pid and times may be a predecessor's
  bool swept = false;    // dead, and everything it held is mended; the row is about to be free
  std::string name;      // any bytes: escape it before showing it
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint64_t pid_namespace = 0;
  bool pid_is_ours = false;            // its pid namespace is this process's: `pid` can be looked up here
  std::uint64_t start_time_ticks = 0;  // field 22 of /proc/PID/stat: tells a pid that was used again
  std::int64_t attached_ns = 0;        // CLOCK_REALTIME
  std::uint32_t sweeping = 0;          // id of the dead participant that it is sweeping, or 0
  /// Blocks that it answers for: being filled, being forwarded, or being given back. Blocks of messages are
  /// not counted here: they belong to their slots.
  std::uint32_t blocks = 0;
};

struct BlockClassSnapshot {
  std::uint64_t block_bytes = 0;
  std::uint32_t count = 0;
  std::uint32_t free = 0;
  std::uint32_t in_messages = 0;      // a slot names it and holds a message
  std::uint32_t by_participants = 0;  // being filled, forwarded or given back
};

/// Positions of one queue in the hands of one participant.
struct HoldSnapshot {
  enum class Kind : std::uint8_t {
    writing,  // claimed, neither published nor aborted: consumers come no further than the oldest of these
    reading,  // received, not released: producers come no further than one lap past the oldest of these
  };
  Kind kind = Kind::writing;
  std::uint32_t participant = 0;  // its id; there need not be such a row in a damaged segment
  std::uint64_t count = 0;
  std::uint64_t redelivered = 0;  // how many of them were delivered before (reading only)
  std::uint64_t oldest_position = 0;
  /// How long the oldest has been held, at the longest. Participants note the time every 64 operations and
  /// after every wait, not at each one: this is the time since that note where the oldest is all that the
  /// participant holds and it took nothing later, and otherwise the time since it attached. (Releasing an
  /// earlier message while a later one is held may put a note between, and then this is too short by as
  /// much.) Absent for a copy.
  std::optional<std::int64_t> at_most_ns;
  /// How long ago the participant noted any use of this side of the queue; absent before its first note, and
  /// for a copy.
  std::optional<std::int64_t> last_use_ago_ns;
};

/// The one position that all of one side waits for.
struct ObstacleSnapshot {
  std::uint64_t position = 0;
  std::uint32_t participant = 0;
};

struct QueueSnapshot {
  std::uint64_t generation = 0;
  std::uint64_t capacity = 0;  // messages; of an spsc queue bytes, and its positions and totals are bytes as well
  std::uint32_t slot_bytes = 0;
  std::uint32_t inline_bytes = 0;   // room for a payload in a slot; larger ones travel in blocks
  std::uint32_t element_bytes = 0;  // sizeof(T) where it was declared as Queue<T>, else 0
  OnFull on_full = OnFull::block;
  bool metadata = false;
  std::uint32_t delivery_limit = 0;  // 0: none
  std::string dead_letter;           // the name of its dead-letter queue, or empty; a damaged segment: any bytes
  bool closed = false;
  bool removed = false;

  /// Only of an spsc queue (ring_bytes is 0 elsewhere): the ring, how much of it is claimed and not released, and the
  /// participants that own its ends, 0 where nobody does.
  std::uint64_t ring_bytes = 0;
  std::uint64_t bytes_used = 0;
  std::uint32_t producer = 0;
  std::uint32_t consumer = 0;

  /// Claimed and not yet taken by a consumer: published messages, claims being written, and tombs between
  /// them. Of an spsc queue that has no consumer also the messages that its last one left to be delivered again.
  std::uint64_t depth = 0;
  /// Positions since the queue was declared: claimed; taken and done with (without InspectOptions::slots:
  /// taken). Aborted claims and purged messages count in both.
  std::uint64_t total_in = 0;
  std::uint64_t total_out = 0;
  std::uint64_t head_position = 0;  // next to be taken; 64-bit, does not wrap
  std::uint64_t tail_position = 0;  // next to be claimed

  /// Rare events since it was declared. A kill in the middle of one may leave it uncounted.
  std::uint64_t redelivered = 0;  // messages that went back to be delivered again
  std::uint64_t tombs = 0;        // claims that ended without a message: aborted, or their producer died
  std::uint64_t purged = 0;
  std::uint64_t dropped = 0;      // messages that a producer took away to make room (OnFull::drop_oldest)
  std::uint64_t rejected = 0;     // messages that a consumer rejected, and that were discarded
  std::uint64_t dead_lettered = 0;        // messages that went to the dead-letter queue
  std::uint64_t dead_letter_refused = 0;  // how often it did not take one: full, out of blocks, closed or removed
  std::uint64_t full_waits = 0;   // how often a producer had to wait for room
  std::uint64_t empty_waits = 0;  // how often a consumer had to wait for a message
  bool consumers_sleep = false;   // somebody sleeps until there is a message (may stay set after a kill)
  bool producers_sleep = false;   // somebody sleeps until there is room, or for the end of the stream

  /// Every slot (record, of an spsc queue) is in one of these states. Not filled in without InspectOptions::slots.
  struct Slots {
    std::uint64_t free = 0;
    std::uint64_t writing = 0;    // claimed, not published yet
    std::uint64_t ready = 0;      // published, not taken yet
    std::uint64_t tombs = 0;      // to be stepped over
    std::uint64_t reading = 0;    // first delivery: received, not released
    std::uint64_t rereading = 0;  // the same of a redelivered message
    std::uint64_t redeliver = 0;  // waits to be delivered again
    std::uint64_t unclear = 0;    // changed while it was looked at; in a queue at rest: damaged
  } slots;
  std::vector<HoldSnapshot> holds;                     // the oldest position first
  std::optional<ObstacleSnapshot> consumers_wait_for;  // the claim at head, while it is not published
  std::optional<ObstacleSnapshot>
      producers_wait_for;  // the message that keeps a full queue full, while it is held
};

/// A task table.
struct TaskTableSnapshot {
  std::uint64_t generation = 0;
  std::uint32_t capacity = 0;
  std::uint32_t payload_room = 0;  // bytes of a payload, and of a result, that need no block
  std::uint32_t result_room = 0;
  bool paused = false;
  bool draining = false;
  bool removed = false;
  bool workers_sleep = false;     // somebody sleeps until there is a task (may stay set after a kill)
  bool submitters_sleep = false;  // … until there is room
  std::uint64_t hinted = 0;       // entries of the ready index: about as many as tasks are ready
  /// Tasks in each state, in the order of shmq::TaskState: free, alloc, held, waiting, delayed, ready, claimed, running,
  /// done, dead, cancelled, expired, spilled. Not filled in without InspectOptions::slots, nor is the next.
  std::array<std::uint32_t, 13> states{};
  struct Share {
    std::uint32_t participant = 0;
    std::uint32_t writing = 0;  // being submitted or removed
    std::uint32_t claimed = 0;  // and not started
    std::uint32_t running = 0;
  };
  std::vector<Share> shares;  // by participant id
  /// A task that a worker has.
  struct InHand {
    std::uint64_t id = 0;
    std::uint32_t participant = 0;
    bool running = false;  // else claimed, and not started
    std::uint32_t percent = 0;
    std::string name;  // any bytes: escape it before showing it
  };
  std::vector<InHand> in_hand;  // not filled in without InspectOptions::slots
  TaskPolicy policy = TaskPolicy::fifo;
  std::uint32_t keys = 0;       // how many tasks may have an idempotency key at once; 0: none
  std::uint32_t keys_held = 0;  // how many have one that keeps others out; not filled in without InspectOptions::slots
  /// What became of tasks so far; not filled in without InspectOptions::slots either.
  TaskStatistics figures;
  std::vector<TaskStatistics> figures_by_name;    // names are any bytes
  std::vector<TaskStatistics> figures_by_worker;  // of those that are attached
};

enum class ObjectState : std::uint8_t {
  claimed,   // half-made by `owner`: its name does not count yet
  creating,  // half-made by `owner`
  live,
  removing,    // its name is free; `users` still have its space
  reclaiming,  // its space is being given back by `owner`
  undefined,   // contents that no version of this library writes
};
/// "claimed", "creating", "live", "removing", "reclaiming", "undefined".
const char* to_string(ObjectState state);

struct ObjectSnapshot {
  std::uint32_t entry = 0;  // of the directory
  ObjectState state = ObjectState::undefined;
  std::uint32_t owner = 0;  // who makes or reclaims it; 0 where nobody does
  std::string name;         // any bytes: escape it before showing it
  std::string kind;         // "mpmc", "spsc", "tasks", or "unknown (7)"
  std::uint64_t generation = 0;
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
  std::vector<std::uint32_t> users;  // ids of those who have it open
  std::string damaged;               // what is wrong with it; empty where nothing is
  std::optional<QueueSnapshot> queue;
  std::optional<TaskTableSnapshot> tasks;
};

struct SegmentSnapshot {
  std::string name;  // of the segment; empty for inspect_copy()
  std::string path;
  bool copy = false;     // not the file that the header speaks of
  bool removed = false;  // its name is free, or is about to be
  std::uint64_t size_bytes = 0;
  std::uint32_t layout_version = 0;
  std::string build;            // of the program that created it
  std::string uuid;             // in hexadecimal, the usual groups
  std::int64_t created_ns = 0;  // CLOCK_REALTIME
  std::uint32_t creator_pid = 0;
  // Of the file.
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;

  std::uint32_t participants_max = 0;
  std::uint32_t objects_max = 0;
  std::uint64_t object_bytes = 0;  // room for objects
  std::uint64_t object_bytes_free = 0;
  std::uint64_t object_bytes_free_run = 0;  // the largest piece of it
  std::uint64_t block_waits = 0;            // how often somebody waited for a block
  std::vector<BlockClassSnapshot> blocks;
  std::vector<ParticipantSnapshot> participants;
  std::vector<ObjectSnapshot> objects;
  std::int64_t taken_ns = 0;  // CLOCK_REALTIME: when this snapshot was made

  /// Null where there is none.
  const ParticipantSnapshot* participant(std::uint32_t id) const;
  /// The live queue of that name; null where there is none.
  const ObjectSnapshot* queue(const std::string& queue_name) const;
};

struct InspectOptions {
  /// Look at every slot: who holds what, and which blocks belong to messages. Without it a queue's header is
  /// all that is read, which takes microseconds however large it is.
  bool slots = true;
};

/// The segment of that name on this host. not_found, permission, incompatible, corrupt.
Result<SegmentSnapshot> inspect_segment(const std::string& name, const InspectOptions& options = {});
/// A file that is a copy of a segment, wherever it lies. (Given the path of a living segment's own file it
/// tells the same as inspect_segment().)
Result<SegmentSnapshot> inspect_copy(const std::string& path, const InspectOptions& options = {});
/// Names of all segments on this host, sorted; readable or not.
std::vector<std::string> list_segments();

}  // namespace shmq
