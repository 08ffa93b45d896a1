// Submission: a record is allocated, written, and published.
#include <algorithm>
#include <cstring>
#include <optional>

#include "core/blocks.hpp"
#include "objects/task_keys.hpp"
#include "objects/task_statistics.hpp"
#include "objects/task_times.hpp"
#include "objects/task_upkeep.hpp"
#include "objects/waiter.hpp"
#include "shmq/core/task_figures.hpp"
#include "shmq/tasks.hpp"

namespace shmq {

using core::Lease;
using layout::TaskBody;
using layout::TaskRecord;
using objects::usable;

namespace {

/// A free record, now in ALLOC. full, corrupt.
Outcome allocate(const core::TaskTableParts& parts, layout::Owner me, Lease& lease) {
  core::ShmHintRing ring = parts.free;
  core::ShmTaskWords words = parts.words;
  for (bool restored = false;;) {
    std::uint32_t index = 0;
    const core::HintStatus status = ring.pop(index);
    if (status == core::HintStatus::corrupt || (status == core::HintStatus::ok && index >= parts.capacity))
      return Outcome::corrupt;
    if (status == core::HintStatus::none) {
      // Once: a damaged ring loses them again.
      if (!restored && (restored = objects::restore_lost_hints(parts))) continue;
      return Outcome::full;
    }
    if (words.allocate(index, me, lease)) return Outcome::ok;  // else the hint was there twice
  }
}

std::int64_t ns_of(const WallTime& time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// The times of the options, as a record has them.
struct Times {
  explicit Times(const TaskOptions& options) {
    const std::int64_t now = base::clock_ns(CLOCK_BOOTTIME);
    const auto one = [&](std::int64_t& into, std::chrono::nanoseconds from_now, const std::optional<WallTime>& at,
                         std::uint32_t real) {
      if (at) {
        into = std::max<std::int64_t>(ns_of(*at), 1);
        flags |= real;
      } else if (from_now.count() != 0) {
        // A time that has passed, and one too far for the clock, are still times.
        into = from_now.count() > INT64_MAX - now ? INT64_MAX : std::max<std::int64_t>(now + from_now.count(), 1);
      }
    };
    one(not_before, options.delay.count() > 0 ? options.delay : std::chrono::nanoseconds(0), options.not_before, layout::kTaskDelayReal);
    one(deadline, options.deadline, options.deadline_at, layout::kTaskDeadlineReal);
    one(expires, options.expires, options.expires_at, layout::kTaskExpiresReal);
    if (options.overdue == Overdue::expire && deadline != 0) {
      // Two times of two clocks cannot be compared once and for all: the deadline is the one that counts.
      const bool comparable = expires != 0 && !(flags & layout::kTaskDeadlineReal) == !(flags & layout::kTaskExpiresReal);
      expires = comparable ? std::min(expires, deadline) : deadline;
      flags = (flags & ~layout::kTaskExpiresReal) | (flags & layout::kTaskDeadlineReal ? layout::kTaskExpiresReal : 0);
    }
    if (deadline != 0) flags |= layout::kTaskDeadline;
    if (options.backoff.exponential) flags |= layout::kTaskExponential;
    const bool may_be_due = not_before != 0 || expires != 0 || options.run_limit.count() > 0 ||
                            options.keep_for.count() > 0 || options.backoff.first.count() > 0;
    if (may_be_due) flags |= layout::kTaskTimed;
  }
  bool real() const { return (flags & (layout::kTaskDelayReal | layout::kTaskDeadlineReal | layout::kTaskExpiresReal)) != 0; }
  std::int64_t not_before = 0, deadline = 0, expires = 0;
  std::uint32_t flags = 0;
};

bool has_times(const TaskOptions& o) {
  return o.delay.count() > 0 || o.deadline.count() != 0 || o.expires.count() != 0 || o.not_before || o.deadline_at ||
         o.expires_at || o.run_limit.count() > 0 || o.keep_for.count() > 0 || o.backoff.first.count() > 0;
}

std::uint32_t ms_of(std::chrono::milliseconds time) {
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(time.count(), 0, UINT32_MAX));
}

void write_times(TaskBody& body, const TaskOptions& options, const Times& times) {
  const auto set = [](layout::Word& word, std::int64_t ns) {
    word.store(static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)), std::memory_order_relaxed);
  };
  set(body.not_before_ns, times.not_before);
  set(body.deadline_ns, times.deadline);
  set(body.expires_ns, times.expires);
  set(body.run_limit_ns, options.run_limit.count());
  set(body.keep_for_ns, options.keep_for.count());
  body.backoff_first_ms.store(ms_of(options.backoff.first), std::memory_order_relaxed);
  body.backoff_cap_ms.store(ms_of(options.backoff.cap), std::memory_order_relaxed);
  const double jitter = std::clamp(options.backoff.jitter, 0.0, 1.0);
  body.backoff_jitter.store(static_cast<std::uint32_t>(jitter * 65536), std::memory_order_relaxed);
}

/// Where the key is to last longer than the task's record would, that is kept so long.
bool is_kept_for_its_key(const TaskOptions& options) {
  return options.key.empty() || options.key_scope != KeyScope::for_time || options.key_time.count() <= 0 ||
         (options.keep && (options.keep_for.count() <= 0 || options.keep_for >= options.key_time));
}
TaskOptions kept_for_its_key(TaskOptions options) {
  options.keep_for = std::max(options.keep_for, options.key_time);
  options.keep = true;
  return options;
}

}  // namespace

Outcome TaskTable::place(std::span<const std::byte> payload, const TaskOptions& options, Submitted& submitted) {
  if (!is_kept_for_its_key(options)) return place(payload, kept_for_its_key(options), submitted);
  core::TaskTableParts& parts = table_->parts;
  const core::SegmentView& view = table_->attachment->view();
  if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
  if (parts.header->state.load(std::memory_order_relaxed) & layout::kTableDraining) return Outcome::closed;
  std::optional<objects::KeyedTask> keyed;
  if (!options.key.empty()) [[unlikely]] {
    if (options.key.size() > layout::PackedKey::kBytesMax || parts.keys == 0) return Outcome::too_large;
    // Before anything is taken: who submits what is there already needs no room.
    keyed.emplace(parts, options.key);
    if (const core::KeyStatus status = keyed->find(); status != core::KeyStatus::absent)
      return keyed->answer(status, submitted);
  }
  const bool in_block = payload.size() > parts.payload_room;
  if (in_block && !core::fits_a_block(view, payload.size())) return Outcome::too_large;
  core::BlockHints hints;
  std::optional<core::TakenBlock> block;
  if (in_block && !(block = core::take_block(view, table_->me(), payload.size(), hints))) return Outcome::no_block;
  Lease lease;
  if (const Outcome outcome = allocate(parts, table_->me(), lease); outcome != Outcome::ok) {
    if (block) core::give_back_block(view, *block);
    return outcome;
  }
  TaskRecord& record = parts.record(lease.index);
  TaskBody& body = parts.body(lease.index);
  const TaskId id = layout::task_id(lease.epoch(), lease.index);
  const std::uint64_t reference = block ? layout::block_reference(block->epoch, block->index) : layout::kNoBlock;
  record.payload_block.store(reference, std::memory_order_relaxed);
  record.result_block.store(layout::kNoBlock, std::memory_order_relaxed);
  // Again, now that workers who look whether anything is left see the record: once they have gone nobody is there for it.
  if (parts.header->state.load(std::memory_order_seq_cst) & layout::kTableDraining) {
    objects::clear_away(view, parts, lease);
    objects::wake_for_drain(parts);
    return Outcome::closed;
  }
  record.id.store(id, std::memory_order_relaxed);
  body.progress.store(0, std::memory_order_relaxed);
  body.result.store(0, std::memory_order_relaxed);
  record.payload_bytes.store(static_cast<std::uint32_t>(payload.size()), std::memory_order_relaxed);
  body.failures_max.store(options.failures_max, std::memory_order_relaxed);
  body.crashes_max.store(options.crashes_max, std::memory_order_relaxed);
  body.timeouts_max.store(options.timeouts_max, std::memory_order_relaxed);
  body.releases_max.store(options.releases_max, std::memory_order_relaxed);
  std::uint32_t flags = options.keep ? 0 : layout::kTaskForgotten;
  TaskState to = options.hold ? TaskState::held : TaskState::ready;
  if (has_times(options)) {
    const Times times(options);
    flags |= times.flags;
    write_times(body, options, times);
    if (times.not_before != 0 && !options.hold) to = TaskState::delayed;
    if (times.real()) parts.header->real_times.store(1, std::memory_order_seq_cst);
  }
  if (!options.name.empty()) {
    flags |= layout::kTaskNamed;
    body.name.set(options.name);
  }
  if (keyed) flags |= keyed->write(body, options, to);
  record.flags.store(flags, std::memory_order_relaxed);
  record.priority.store(layout::of_run(lease.epoch(), options.priority), std::memory_order_relaxed);
  body.correlation.store(options.correlation, std::memory_order_relaxed);
  record.submitted_ns.store(static_cast<std::uint64_t>(base::monotonic_ns()), std::memory_order_relaxed);
  const std::span<std::byte> room = block ? core::referenced_bytes(view, reference) : parts.inline_payload(lease.index);
  if (!payload.empty()) std::memcpy(room.data(), payload.data(), payload.size());
  parts.words.clear_tally(lease);
  // By the name while the record is ours.
  layout::TaskFigures* const named = objects::figures_of_its_name(parts, lease.index);
  if (keyed) {
    const core::KeyStatus status = keyed->insert(id);
    if (status != core::KeyStatus::inserted) {
      objects::clear_away(view, parts, lease);
      return keyed->answer(status, submitted);
    }
  }
  // From here on the record may be changed by others: whoever finds it by its key may have published it.
  submitted.id = id;
  (void)parts.words.publish(lease, to);
  objects::announce_submitted(parts, lease.index, to);
  core::count_figure(table_->user().figures.submitted);
  if (named != nullptr) core::count_figure(named->submitted);
  return Outcome::ok;
}

Submitted TaskTable::try_submit(std::span<const std::byte> payload, const TaskOptions& options) {
  Submitted submitted;
  if (table_->attachment->detached()) return {Outcome::detached};
  submitted.outcome = place(payload, options, submitted);
  if (submitted.outcome == Outcome::full || submitted.outcome == Outcome::no_block)
    objects::housekeeping_of_a_try(*table_->attachment);
  return submitted;
}

Submitted TaskTable::submit(std::span<const std::byte> payload, const TaskOptions& options, const Limit& limit) {
  Submitted submitted;
  if (table_->attachment->detached()) return {Outcome::detached};
  Outcome last = submitted.outcome = place(payload, options, submitted);
  if (last != Outcome::full && last != Outcome::no_block) return submitted;
  std::int64_t now_ns = 0;
  submitted.outcome = objects::wait_for(
      *table_->attachment, Wait::spin_futex, limit, Outcome::full,
      [&]() -> core::EventWord& {
        return last == Outcome::no_block ? table_->attachment->view().header().blocks_event
                                         : table_->parts.header->free_event;
      },
      now_ns, [&](bool thorough) {
        if (thorough) (void)objects::keep_time(*table_);
        last = place(payload, options, submitted);
        return last == Outcome::no_block ? Outcome::full : last;
      });
  return submitted;
}

}  // namespace shmq
