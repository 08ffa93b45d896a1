// What can be declared about segments and queues, and how long a call may wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace shmq {

/// `count` blocks of `bytes` each, for payloads that do not fit a slot. Sizes are rounded up to a multiple of
/// 64, from 4096 on to a multiple of 4096; blocks of 4096 bytes and more are page-aligned.
struct BlockClass {
  std::uint64_t bytes = 0;
  std::uint32_t count = 0;
  bool operator==(const BlockClass&) const = default;
};

struct SegmentOptions {
  /// The whole segment, tables included; rounded up to 4096. Everything is reserved at creation. CapacityPlan
  /// says how much a set of queues and blocks needs.
  std::uint64_t size_bytes = 64u << 20;
  /// The block pool, smallest class first, 8 classes at most. Not set: three eighths of the segment, split
  /// evenly into blocks of 4 KiB, 64 KiB and 1 MiB as far as they fit. Set and empty: no blocks.
  std::optional<std::vector<BlockClass>> blocks = std::nullopt;
  /// How many attachments (a process may attach more than once) can be there at once: 1 to 4094.
  std::uint32_t participants_max = 64;
  /// How many objects (queues, …) can be there at once: 1 to 4095.
  std::uint32_t objects_max = 128;
  /// The file's mode, exactly: the umask does not change it.
  std::uint32_t mode = 0600;
  /// A group's name or number that the file is given to; empty leaves the creator's.
  std::string group = {};
  /// Touch every page at creation, so that no first use pays for a page fault.
  bool prefault = false;
};

struct AttachOptions {
  /// Shown to people by shmq-stat; empty takes the program's name.
  std::string name = {};
  /// Touch every page at attach.
  bool prefault = false;
};

enum class OnFull : std::uint32_t {
  block = 0,   // claim() waits for room, as long as its limit allows
  reject = 1,  // claim() returns Outcome::full at once
  /// claim() takes the oldest message away, where no consumer has had it yet; where one holds it, or gave it back,
  /// or its producer is still writing it, claim() returns Outcome::full at once. It never waits.
  drop_oldest = 2,
};
[[nodiscard]] constexpr const char* to_string(OnFull on_full) {
  switch (on_full) {
    case OnFull::block:
      return "block";
    case OnFull::reject:
      return "reject";
    case OnFull::drop_oldest:
      return "drop_oldest";
  }
  return "unknown";
}

/// How a handle waits.
enum class Wait : std::uint8_t {
  spin_futex,  // spin for some 20 us, then sleep in the kernel: the default
  spin_yield,  // spin, giving the core away from time to time
  spin,        // spin: the fastest answer, a whole core each
  futex,       // sleep at once: no core is used for waiting, and each wait costs a sleep and a wake
};

enum class QueueKind : std::uint32_t {
  mpmc = 0,  // many producers, many consumers: slots of a fixed size, larger payloads in blocks
  spsc = 1,  // one producer, one consumer: a byte ring of records of any length, the fastest there is
};

struct QueueOptions {
  QueueKind kind = QueueKind::mpmc;
  /// How many messages it holds; rounded up to a power of two, 2 to 16,777,216. Of an spsc queue: see ring_bytes.
  std::uint64_t capacity = 1024;
  /// Bytes of one slot, its header of 16 (with metadata 48) included: a power of two, 64 to 65,536. What fits
  /// the rest travels inline; a larger payload takes a block. Queue<T> chooses this by itself where it is 0;
  /// otherwise 0 is 64.
  std::uint32_t slot_bytes = 0;
  /// Only for QueueKind::spsc: bytes of the ring, rounded up to a power of two, 1024 to 536,870,912. 0: enough for
  /// `capacity` messages of the element's size (Queue<T>) or of 48 bytes. A record takes 16 bytes (with metadata 48)
  /// more than its payload, rounded up to 32, 64, or from there on a multiple of 16, and half the ring at most.
  std::uint64_t ring_bytes = 0;
  OnFull on_full = OnFull::block;
  /// Keep producer, publish time and correlation id with each message (32 bytes more in each slot).
  bool metadata = false;
  /// How often a message is handed out, 1 to 255; 0: until somebody releases it. One that was handed out so often and
  /// came back each time (its consumer died, requeued or dropped it) goes to the dead-letter queue.
  std::uint32_t delivery_limit = 0;
  /// The mpmc queue of the same segment, declared before, that takes what Message::reject() and the delivery limit send
  /// there; empty: none, and then no limit either.
  std::string dead_letter = {};
};

/// How long a call may wait: for ever, for a time, until a stop token is triggered, or both.
///   q.receive(); q.receive(100ms); q.receive(stop); q.receive({stop, 100ms});
class Limit {
 public:
  using clock = std::chrono::steady_clock;
  Limit() = default;
  template <class Rep, class Period>
  Limit(std::chrono::duration<Rep, Period> timeout)  // NOLINT: meant to convert
      : deadline_ns_(deadline_after(timeout)) {}
  Limit(std::stop_token stop) : stop_(std::move(stop)) {}  // NOLINT: meant to convert
  template <class Rep, class Period>
  Limit(std::stop_token stop, std::chrono::duration<Rep, Period> timeout)
      : deadline_ns_(deadline_after(timeout)), stop_(std::move(stop)) {}

  static constexpr std::int64_t kForever = INT64_MAX;
  /// On CLOCK_MONOTONIC; kForever when there is none.
  std::int64_t deadline_ns() const { return deadline_ns_; }
  const std::stop_token& stop() const { return stop_; }

 private:
  template <class Rep, class Period>
  static std::int64_t deadline_after(std::chrono::duration<Rep, Period> timeout) {
    const std::int64_t now =
        std::chrono::duration_cast<std::chrono::nanoseconds>(clock::now().time_since_epoch()).count();
    if (timeout <= timeout.zero()) return now;
    // A timeout too long for the clock is for ever; compared in seconds, where nothing overflows.
    if (std::chrono::duration<double>(timeout).count() > 9.0e9) return kForever;
    return now + std::chrono::duration_cast<std::chrono::nanoseconds>(timeout).count();
  }
  std::int64_t deadline_ns_ = kForever;
  std::stop_token stop_;
};

/// For ever. A constant: a call that is given no limit makes none.
inline constinit const Limit kNoLimit{};

}  // namespace shmq
