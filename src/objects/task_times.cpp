#include "objects/task_times.hpp"

#include <algorithm>

#include "objects/task_errors.hpp"
#include "objects/task_upkeep.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/core/event.hpp"
#include "shmq/core/task_figures.hpp"

namespace shmq::objects {

using layout::RunEnd;
using layout::TaskPolicy;
using layout::TaskRecord;
using layout::TaskState;

namespace {

constexpr int kAtOnce = 64;
/// CLOCK_REALTIME was set by somebody, or moved by so much since.
constexpr std::int64_t kJumpNs = 1'000'000;
/// Behind all deadlines.
constexpr std::uint64_t kNoDeadline = std::uint64_t{1} << 62;
/// Two clocks are not read at once: their difference is taken to the nearest of these.
constexpr std::int64_t kSuspendStepNs = 1'000'000;

std::int64_t boot_ns() { return base::clock_ns(CLOCK_BOOTTIME); }

/// How long the machine slept since boot: what CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC.
std::int64_t suspended_ns() {
  const std::int64_t ahead = boot_ns() - base::monotonic_ns();
  return (std::max<std::int64_t>(ahead, 0) + kSuspendStepNs / 2) / kSuspendStepNs * kSuspendStepNs;
}

std::uint32_t flags_of(const core::TaskTableParts& parts, std::uint32_t index) { return parts.record(index).flags.load(std::memory_order_relaxed); }

/// A time of the record on CLOCK_BOOTTIME; 0: none.
std::int64_t on_boot_clock(const core::TaskTableParts& parts, const layout::Word& time, bool real) {
  const auto ns = static_cast<std::int64_t>(time.load(std::memory_order_relaxed));
  if (ns == 0 || !real) return ns;
  return std::max<std::int64_t>(
      base::wrapping_difference(ns, static_cast<std::int64_t>(parts.header->real_offset.load(std::memory_order_acquire))), 1);
}

std::int64_t expires_ns(const core::TaskTableParts& parts, std::uint32_t index) {
  return on_boot_clock(parts, parts.body(index).expires_ns, flags_of(parts, index) & layout::kTaskExpiresReal);
}

/// The end of a delay that the submitter asked for; 0 where it is not that one.
std::int64_t first_delay_ns(const core::TaskTableParts& parts, std::uint32_t index) {
  // A retry waits for its own time. Its end may not be counted yet.
  if (parts.words.tally(index).total() != 0 || layout::task_end(parts.words.look(index)) != RunEnd::none) return 0;
  return on_boot_clock(parts, parts.body(index).not_before_ns, flags_of(parts, index) & layout::kTaskDelayReal);
}

/// Spread by the task's id, so that those that failed together do not come back together.
std::int64_t backoff_ns(const core::TaskTableParts& parts, std::uint32_t index) {
  const layout::TaskBody& body = parts.body(index);
  const std::uint64_t first = body.backoff_first_ms.load(std::memory_order_relaxed);
  const std::uint64_t cap = body.backoff_cap_ms.load(std::memory_order_relaxed);
  const layout::Tally tally = parts.words.tally(index);
  const std::uint32_t before = tally.failures + tally.crashes + tally.timeouts;
  std::uint64_t ms = first;
  if (flags_of(parts, index) & layout::kTaskExponential)
    for (std::uint32_t i = 1; i < before && ms < cap; ++i) ms *= 2;
  ms = std::min(ms, cap);
  std::uint64_t mixed = (parts.record(index).id.load(std::memory_order_relaxed) + before) * 0x9e37'79b9'7f4a'7c15u;
  mixed ^= mixed >> 32;
  const std::uint64_t jitter = std::min(body.backoff_jitter.load(std::memory_order_relaxed), 65536u);
  const std::uint64_t ns = ms * 1'000'000;
  return static_cast<std::int64_t>(ns - ns / 65536 * jitter / 65536 * (mixed & 0xffff));
}

/// Notes when the state that `word` tells of began, or is to end. Whoever comes first.
void stamp(const core::TaskTableParts& parts, std::uint32_t index, std::uint64_t word) {
  layout::Word& at = parts.body(index).stamp;
  std::uint64_t seen = at.load(std::memory_order_acquire);
  if (layout::is_stamp_of(seen, layout::word_epoch(word)) || parts.words.look(index) != word) return;
  std::int64_t ns = 0;
  switch (layout::task_state(word)) {
    case TaskState::running:
      ns = base::monotonic_ns();
      break;
    case TaskState::delayed:
      ns = boot_ns() + backoff_ns(parts, index);
      break;
    default:
      ns = boot_ns();
  }
  // From a stamp of an earlier state: a later one's is not written over.
  (void)at.compare_exchange_strong(seen, layout::stamp_word(layout::word_epoch(word), ns), std::memory_order_acq_rel);
}

/// Another clock than before: every time on CLOCK_REALTIME has moved.
void follow_the_wall_clock(const core::TaskTableParts& parts) {
  std::uint64_t seen = parts.header->real_offset.load(std::memory_order_acquire);
  const std::int64_t now = real_offset_ns(), was = static_cast<std::int64_t>(seen);
  const std::int64_t moved = base::wrapping_difference(now, was);
  if (moved < kJumpNs && moved > -kJumpNs) return;
  if (!parts.header->real_offset.compare_exchange_strong(seen, static_cast<std::uint64_t>(now), std::memory_order_seq_cst)) return;
  // Killed from here on: the sweep that follows makes both trees anew.
  for (std::uint32_t i = 0; i < parts.capacity; ++i) {
    if (!(flags_of(parts, i) & (layout::kTaskDelayReal | layout::kTaskDeadlineReal | layout::kTaskExpiresReal))) continue;
    refresh_due(parts, i);
    refresh_ready(parts, i);
  }
}

}  // namespace

bool tend(const core::SegmentView& view, const core::TaskTableParts& parts, std::uint32_t index, layout::Owner me) {
  core::ShmTaskWords words = parts.words;
  const std::uint64_t word = words.look(index);
  const TaskState state = layout::task_state(word);
  const std::uint64_t due = due_key(parts, index);
  if (parts.words.look(index) != word) return false;
  if (due == 0) {
    stamp(parts, index, word);
    refresh_due(parts, index);
    return true;
  }
  const std::int64_t now_ns = boot_ns();
  if (due == core::kNoKey || due > static_cast<std::uint64_t>(now_ns)) {
    refresh_due(parts, index);
    return false;
  }
  switch (state) {
    case TaskState::held:
    case TaskState::delayed:
    case TaskState::ready:
    case TaskState::claimed:
      if (is_late(parts, index, now_ns)) return expire(view, parts, index, word, me);
      if (state != TaskState::delayed || !words.move(index, word, TaskState::ready)) return false;
      announce_ready(parts, index);
      return true;
    case TaskState::running: {
      const core::Lease lease{index, word};
      note_error(parts, lease, {RunEnd::timeout, "its time was over"});
      const TaskState to = after_run(parts, index, RunEnd::timeout);
      if (!words.settle(lease, RunEnd::timeout, to)) return false;
      core::count_figure(parts.users[me.id - 1].figures.ended[static_cast<unsigned>(RunEnd::timeout)]);
      announce_settled(view, parts, lease, to, me);
      return true;
    }
    default: {
      core::Lease lease;
      if (!words.seize(index, word, me, lease)) return false;
      count_finished_down(parts);
      clear_away(view, parts, lease);
      return true;
    }
  }
}

bool expire(const core::SegmentView& view, const core::TaskTableParts& parts, std::uint32_t index, std::uint64_t word, layout::Owner me) {
  core::ShmTaskWords words = parts.words;
  if (layout::task_state(word) == TaskState::claimed) {
    core::Lease lease;
    if (!words.steal(index, word, me, lease) || !words.unclaim(lease)) return false;
    announce_ready(parts, index);  // should this be the last step that we live to make
    // That word and no other: somebody may have run the task meanwhile, and the record be another one's.
    word = layout::task_word(layout::epoch_add(lease.epoch(), 1), TaskState::ready);
  }
  if (!words.move(index, word, TaskState::expired)) return false;
  refresh_ready(parts, index);
  announce_end(view, parts, index, me);
  return true;
}

std::int64_t deadline_ns(const core::TaskTableParts& parts, std::uint32_t index) {
  const std::uint32_t flags = flags_of(parts, index);
  return flags & layout::kTaskDeadline ? on_boot_clock(parts, parts.body(index).deadline_ns, flags & layout::kTaskDeadlineReal) : 0;
}

std::int64_t real_offset_ns() { return base::realtime_ns() - boot_ns(); }

std::uint64_t ready_key(const core::TaskTableParts& parts, std::uint32_t index) {
  const TaskRecord& record = parts.record(index);
  if (layout::task_state(parts.words.look(index)) != TaskState::ready) return core::kNoKey;
  const std::uint64_t submitted = record.submitted_ns.load(std::memory_order_relaxed) & (kNoDeadline - 1);
  if (parts.policy == TaskPolicy::priority) {
    const std::uint64_t priority = layout::run_value(record.priority.load(std::memory_order_acquire)) & 0xff;
    return submitted + priority * static_cast<std::uint64_t>(parts.aging_ns);
  }
  const std::int64_t deadline = deadline_ns(parts, index);
  return deadline > 0 ? std::min<std::uint64_t>(static_cast<std::uint64_t>(deadline), kNoDeadline - 1) : kNoDeadline + submitted;
}

std::uint64_t due_key(const core::TaskTableParts& parts, std::uint32_t index) {
  const layout::TaskBody& body = parts.body(index);
  const std::uint64_t word = parts.words.look(index);
  const TaskState state = layout::task_state(word);
  if (state == TaskState::free || state == TaskState::alloc || !(flags_of(parts, index) & layout::kTaskTimed)) return core::kNoKey;
  const auto since = [&](std::int64_t wait_ns) -> std::uint64_t {
    const std::uint64_t at = body.stamp.load(std::memory_order_acquire);
    if (!layout::is_stamp_of(at, layout::word_epoch(word))) return 0;
    return std::min<std::uint64_t>(static_cast<std::uint64_t>(layout::stamp_ns(at)) + static_cast<std::uint64_t>(wait_ns), core::kNoKey - 1);
  };
  const auto least_with_expiry = [&](std::uint64_t key) {
    const std::int64_t expires = expires_ns(parts, index);
    return expires > 0 ? std::min(key, static_cast<std::uint64_t>(expires)) : key;
  };
  switch (state) {
    case TaskState::delayed: {
      const std::int64_t first = first_delay_ns(parts, index);
      return least_with_expiry(first > 0 ? static_cast<std::uint64_t>(first) : since(0));
    }
    case TaskState::held:
    case TaskState::ready:
    case TaskState::claimed:
      return least_with_expiry(core::kNoKey);
    case TaskState::running: {
      const auto limit = static_cast<std::int64_t>(body.run_limit_ns.load(std::memory_order_relaxed));
      if (limit <= 0) return core::kNoKey;
      const std::uint64_t ends = since(limit);
      // A lease is on CLOCK_MONOTONIC, which stands still while the machine sleeps.
      return ends == 0 ? 0 : ends + static_cast<std::uint64_t>(suspended_ns());
    }
    case TaskState::done:
    case TaskState::dead:
    case TaskState::cancelled:
    case TaskState::expired: {
      const auto keep = static_cast<std::int64_t>(body.keep_for_ns.load(std::memory_order_relaxed));
      return keep <= 0 ? core::kNoKey : since(keep);
    }
    default:
      return core::kNoKey;
  }
}

void refresh_due(const core::TaskTableParts& parts, std::uint32_t index) {
  core::ShmMinTree due = parts.due;
  due.refresh(index, [&] { return due_key(parts, index); });
}

void refresh_ready(const core::TaskTableParts& parts, std::uint32_t index) {
  if (parts.policy == TaskPolicy::fifo) return;
  core::ShmMinTree ready = parts.ready_tree;
  ready.refresh(index, [&] { return ready_key(parts, index); });
}

void begin_state(const core::TaskTableParts& parts, std::uint32_t index) {
  if (!is_timed(parts, index)) return;
  const std::uint64_t word = parts.words.look(index);
  if (due_key(parts, index) == 0) stamp(parts, index, word);
  refresh_due(parts, index);
  // Whoever sleeps until the least of all times has to look at it again.
  core::ShmMinTree due = parts.due;
  const std::uint64_t key = due_key(parts, index);
  if (key != core::kNoKey && due.least() >= key) core::notify(parts.header->ready_event);
}

std::uint64_t keep_time(const core::SegmentView& view, const core::TaskTableParts& parts, layout::Owner me) {
  if (parts.header->real_times.load(std::memory_order_relaxed) != 0) [[unlikely]]
    follow_the_wall_clock(parts);
  core::ShmMinTree due = parts.due;
  for (int i = 0; i < kAtOnce; ++i) {
    std::uint64_t key = due.least();
    std::uint32_t index = 0;
    if (key == core::kNoKey || key > static_cast<std::uint64_t>(boot_ns()) || !due.find(index, key)) return key;
    if (index >= parts.capacity) return core::kNoKey;  // a damaged tree
    if (!tend(view, parts, index, me)) refresh_due(parts, index);
  }
  return 0;
}

bool is_late(const core::TaskTableParts& parts, std::uint32_t index, std::int64_t now_ns) {
  if (!is_timed(parts, index)) return false;
  const std::int64_t expires = expires_ns(parts, index);
  return expires > 0 && expires <= now_ns;
}

std::int64_t ready_since_ns(const core::TaskTableParts& parts, std::uint32_t index) {
  const TaskRecord& record = parts.record(index);
  const auto submitted = static_cast<std::int64_t>(record.submitted_ns.load(std::memory_order_relaxed));
  if (!is_timed(parts, index)) return submitted;
  const std::int64_t delay = on_boot_clock(parts, parts.body(index).not_before_ns, flags_of(parts, index) & layout::kTaskDelayReal);
  return std::max(submitted, base::wrapping_difference(delay, suspended_ns()));
}

void mend_due(const core::TaskTableParts& parts, std::uint32_t index) {
  core::ShmMinTree due = parts.due;
  due.mend(index / core::MinTreeShape::kFan, [&](std::uint32_t i) { return due_key(parts, i); });
}

void rebuild_trees(const core::TaskTableParts& parts) {
  core::ShmMinTree due = parts.due, ready = parts.ready_tree;
  due.rebuild([&](std::uint32_t i) { return due_key(parts, i); });
  if (parts.policy != TaskPolicy::fifo) ready.rebuild([&](std::uint32_t i) { return ready_key(parts, i); });
}

}  // namespace shmq::objects
