#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/blocks.hpp"
#include "core/patience.hpp"
#include "objects/task_keys.hpp"
#include "objects/task_statistics.hpp"
#include "objects/task_times.hpp"
#include "objects/task_upkeep.hpp"
#include "objects/waiter.hpp"
#include "shmq/base/fence.hpp"
#include "shmq/core/task_figures.hpp"
#include "shmq/tasks.hpp"

namespace shmq {

using core::Lease;
using layout::TaskRecord;

const char* to_string(TaskState state) {
  switch (state) {
    case TaskState::free:
      return "free";
    case TaskState::alloc:
      return "alloc";
    case TaskState::held:
      return "held";
    case TaskState::waiting:
      return "waiting";
    case TaskState::delayed:
      return "delayed";
    case TaskState::ready:
      return "ready";
    case TaskState::claimed:
      return "claimed";
    case TaskState::running:
      return "running";
    case TaskState::done:
      return "done";
    case TaskState::dead:
      return "dead";
    case TaskState::cancelled:
      return "cancelled";
    case TaskState::expired:
      return "expired";
    case TaskState::spilled:
      return "spilled";
  }
  return "unknown";
}

const char* to_string(RunEnd end) {
  switch (end) {
    case RunEnd::none:
      return "none";
    case RunEnd::done:
      return "done";
    case RunEnd::failure:
      return "failure";
    case RunEnd::crash:
      return "crash";
    case RunEnd::timeout:
      return "timeout";
    case RunEnd::release:
      return "release";
    case RunEnd::cancelled:
      return "cancelled";
    case RunEnd::revived:
      return "revived";
  }
  return "unknown";
}

const char* to_string(TaskPolicy policy) {
  switch (policy) {
    case TaskPolicy::fifo:
      return "fifo";
    case TaskPolicy::priority:
      return "priority";
    case TaskPolicy::edf:
      return "edf";
  }
  return "unknown";
}

namespace {

using objects::is_over;

/// What keeps a table from being used at all; ok where nothing does.
Outcome usable(const core::TaskTableHandle& table) {
  if (table.attachment->detached()) return Outcome::detached;
  if (table.parts.header->state.load(std::memory_order_relaxed) & layout::kTableRemoved) return Outcome::removed;
  return Outcome::ok;
}

/// What waiting calls do for others: the time is kept by whoever is there.
void keep_table_time(core::TaskTableHandle& table) {
  if (!table.attachment->detached() && table.parts.due.least() != core::kNoKey)
    (void)objects::keep_time(table.attachment->view(), table.parts, table.me());
}

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

}  // namespace

// ---- submission

namespace {

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
    if (options.backoff.exponential) flags |= layout::kTaskExponential;
    const bool any = not_before != 0 || deadline != 0 || expires != 0 || options.run_limit.count() > 0 ||
                     options.keep_for.count() > 0 || options.backoff.first.count() > 0;
    if (any) flags |= layout::kTaskTimed;
  }
  bool any() const { return (flags & layout::kTaskTimed) != 0; }
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

void write_times(TaskRecord& record, const TaskOptions& options, const Times& times) {
  const auto set = [](layout::Word& word, std::int64_t ns) {
    word.store(static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)), std::memory_order_relaxed);
  };
  set(record.not_before_ns, times.not_before);
  set(record.deadline_ns, times.deadline);
  set(record.expires_ns, times.expires);
  set(record.run_limit_ns, options.run_limit.count());
  set(record.keep_for_ns, options.keep_for.count());
  record.backoff_first_ms.store(ms_of(options.backoff.first), std::memory_order_relaxed);
  record.backoff_cap_ms.store(ms_of(options.backoff.cap), std::memory_order_relaxed);
  const double jitter = std::clamp(options.backoff.jitter, 0.0, 1.0);
  record.backoff_jitter.store(static_cast<std::uint32_t>(jitter * 65536), std::memory_order_relaxed);
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
  const TaskId id = layout::task_id(lease.epoch(), lease.index);
  const std::uint64_t reference = block ? layout::block_reference(block->epoch, block->index) : layout::kNoBlock;
  record.payload_block.store(reference, std::memory_order_relaxed);
  record.result_block.store(layout::kNoBlock, std::memory_order_relaxed);
  record.id.store(id, std::memory_order_relaxed);
  record.progress.store(0, std::memory_order_relaxed);
  record.result.store(0, std::memory_order_relaxed);
  record.payload_bytes.store(static_cast<std::uint32_t>(payload.size()), std::memory_order_relaxed);
  record.failures_max.store(options.failures_max, std::memory_order_relaxed);
  record.crashes_max.store(options.crashes_max, std::memory_order_relaxed);
  record.timeouts_max.store(options.timeouts_max, std::memory_order_relaxed);
  record.releases_max.store(options.releases_max, std::memory_order_relaxed);
  std::uint32_t flags = options.keep ? 0 : layout::kTaskForgotten;
  TaskState to = options.hold ? TaskState::held : TaskState::ready;
  if (has_times(options)) {
    const Times times(options);
    flags |= times.flags;
    write_times(record, options, times);
    if (times.not_before != 0 && !options.hold) to = TaskState::delayed;
    if (times.real()) parts.header->real_times.store(1, std::memory_order_seq_cst);
  }
  if (!options.name.empty()) {
    flags |= layout::kTaskNamed;
    record.name.set(options.name);
  }
  if (keyed) flags |= keyed->write(record, options, to);
  record.flags.store(flags, std::memory_order_relaxed);
  record.priority.store(layout::of_run(lease.epoch(), options.priority), std::memory_order_relaxed);
  record.correlation.store(options.correlation, std::memory_order_relaxed);
  record.submitted_ns.store(static_cast<std::uint64_t>(base::monotonic_ns()), std::memory_order_relaxed);
  const std::span<std::byte> room = block ? core::referenced_bytes(view, reference) : parts.inline_payload(lease.index);
  if (!payload.empty()) std::memcpy(room.data(), payload.data(), payload.size());
  parts.words.clear_tally(lease);
  // By the name while the record is ours.
  layout::TaskFigures* const named = flags & layout::kTaskNamed ? objects::figures_of_name(parts, record.name) : nullptr;
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
        if (thorough) keep_table_time(*table_);
        last = place(payload, options, submitted);
        return last == Outcome::no_block ? Outcome::full : last;
      });
  return submitted;
}

// ---- looks

namespace {

std::vector<TaskErrorInfo> errors_of(const core::TaskTableParts& parts, std::uint32_t index) {
  std::vector<TaskErrorInfo> errors;
  const std::uint64_t submitted = parts.record(index).id.load(std::memory_order_relaxed) >> 24;
  const std::uint64_t now = layout::word_epoch(parts.words.look(index));
  for (const layout::TaskError& slot : parts.errors(index)) {
    const std::uint64_t what = slot.what.load(std::memory_order_acquire);
    if (what == 0 || layout::run_of(what) <= submitted || layout::run_of(what) > now) continue;  // of an earlier task
    TaskErrorInfo error;
    error.end = static_cast<RunEnd>(what & 0xff);
    error.signal = static_cast<unsigned>(what >> 8 & 0xff);
    error.core_dumped = (what >> 16 & 1) != 0;
    error.run = static_cast<std::uint32_t>(slot.number.load(std::memory_order_relaxed));
    error.at_real_ns = static_cast<std::int64_t>(slot.ended_real_ns.load(std::memory_order_relaxed));
    char text[sizeof slot.text];
    for (std::size_t i = 0; i < std::size(slot.text); ++i) {
      const std::uint64_t word = slot.text[i].load(std::memory_order_relaxed);
      std::memcpy(text + 8 * i, &word, 8);
    }
    error.text.assign(text, ::strnlen(text, sizeof text - 1));
    base::fence(std::memory_order_acquire);
    if (slot.what.load(std::memory_order_relaxed) == what) errors.push_back(std::move(error));
  }
  std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.run < b.run; });
  return errors;
}

void read_more(const core::TaskTableParts& parts, std::uint32_t index, std::uint32_t flags, TaskInfo& info) {
  const TaskRecord& record = parts.record(index);
  info.priority = static_cast<std::uint8_t>(record.priority.load(std::memory_order_relaxed));
  const std::uint64_t progress = record.progress.load(std::memory_order_acquire);
  info.percent = layout::run_value(progress) & 0xff;
  if (layout::run_value(progress) & layout::kProgressNote) info.note = record.note.get();
  const std::int64_t waited =
      base::wrapping_difference(base::monotonic_ns(), static_cast<std::int64_t>(record.submitted_ns.load(std::memory_order_relaxed)));
  info.submitted_real_ns = base::wrapping_difference(base::realtime_ns(), waited);
  if (flags & layout::kTaskTimed) {
    const std::uint64_t due = objects::due_key(parts, index);
    info.due_ns = due == core::kNoKey ? 0 : static_cast<std::int64_t>(due);
    info.deadline_ns = objects::deadline_ns(parts, index);
  }
  info.errors = errors_of(parts, index);
}

}  // namespace

std::optional<TaskInfo> TaskTable::info_at(std::uint32_t index) const {
  const core::TaskTableParts& parts = table_->parts;
  const TaskRecord& record = parts.record(index);
  for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
    const std::uint64_t word = parts.words.look(index);
    TaskInfo info;
    info.state = layout::task_state(word);
    if (info.state == TaskState::free || info.state == TaskState::alloc) return std::nullopt;
    const bool owned = layout::is_owned(info.state);
    info.owner = owned ? layout::owner_of(word) : 0;
    info.last_end = owned ? RunEnd::none : layout::task_end(word);
    const std::uint64_t tally = record.tally.load(std::memory_order_acquire);
    info.ended = layout::tally_of(tally);
    if (info.last_end != RunEnd::none &&
        layout::tally_tag(tally) != (layout::word_epoch(word) & layout::kTallyTagMask))
      info.ended = core::ShmTaskWords::with(info.ended, info.last_end);
    const bool one_more = info.state == TaskState::running || info.last_end == RunEnd::done ||
                          info.last_end == RunEnd::cancelled;
    info.runs = info.ended.total() + one_more;
    info.id = record.id.load(std::memory_order_relaxed);
    const std::uint32_t flags = record.flags.load(std::memory_order_relaxed);
    if (flags & layout::kTaskNamed) info.name = record.name.get();
    if (flags & layout::kTaskKeyed) info.key = layout::key_of(record.key);
    read_more(parts, index, flags, info);
    info.payload_bytes = record.payload_bytes.load(std::memory_order_relaxed);
    info.correlation = record.correlation.load(std::memory_order_relaxed);
    base::fence(std::memory_order_acquire);
    if (parts.words.look(index) == word) return info;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> TaskTable::find(TaskId id) const {
  const std::uint32_t index = layout::task_index(id);
  if (id == 0 || index >= table_->parts.capacity) return std::nullopt;
  // The word first: whoever changes it from what was seen here changes the task that was asked for.
  const std::uint64_t word = table_->parts.words.look(index);
  const TaskState state = layout::task_state(word);
  if (state == TaskState::free || state == TaskState::alloc) return std::nullopt;
  if (table_->parts.record(index).id.load(std::memory_order_acquire) != id) return std::nullopt;
  return word;
}

std::optional<TaskInfo> TaskTable::info(TaskId id) const {
  if (usable(*table_) == Outcome::detached || !find(id)) return std::nullopt;
  std::optional<TaskInfo> info = info_at(layout::task_index(id));
  if (info && info->id != id) return std::nullopt;
  return info;
}

Outcome TaskTable::wait_until(const Limit& limit, const std::function<Outcome()>& look) const {
  if (table_->attachment->detached()) return Outcome::detached;
  std::int64_t now_ns = 0;
  return objects::wait_for(
      *table_->attachment, Wait::spin_futex, limit, Outcome::busy,
      [&]() -> core::EventWord& { return table_->parts.header->done_event; }, now_ns, [&](bool thorough) {
        if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
        if (thorough) keep_table_time(*table_);
        return look();
      });
}

Outcome TaskTable::wait(TaskId id, const Limit& limit) const {
  return wait_until(limit, [&] {
    const std::optional<std::uint64_t> word = find(id);
    if (!word) return Outcome::empty;
    return is_over(layout::task_state(*word)) ? Outcome::ok : Outcome::busy;
  });
}

Outcome TaskTable::wait_any(std::span<const TaskId> ids, std::size_t& which, const Limit& limit) const {
  if (ids.empty()) return Outcome::empty;
  return wait_until(limit, [&] {
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::optional<std::uint64_t> word = find(ids[i]);
      if (word && !is_over(layout::task_state(*word))) continue;
      which = i;
      return word ? Outcome::ok : Outcome::empty;
    }
    return Outcome::busy;
  });
}

Outcome TaskTable::wait_all(std::span<const TaskId> ids, const Limit& limit) const {
  std::size_t over = 0;  // so many of the first ones are
  return wait_until(limit, [&] {
    for (; over < ids.size(); ++over) {
      const std::optional<std::uint64_t> word = find(ids[over]);
      if (word && !is_over(layout::task_state(*word))) return Outcome::busy;
    }
    return Outcome::ok;
  });
}

std::optional<std::vector<std::byte>> TaskTable::result(TaskId id) const {
  if (usable(*table_) != Outcome::ok) return std::nullopt;
  const core::TaskTableParts& parts = table_->parts;
  for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
    const std::optional<std::uint64_t> word = find(id);
    if (!word || layout::task_state(*word) != TaskState::done) return std::nullopt;
    const std::uint32_t index = layout::task_index(id);
    const TaskRecord& record = parts.record(index);
    // A run that had none may come after one that wrote its result and was killed before it was done.
    const std::uint64_t said = record.result.load(std::memory_order_relaxed);
    const bool of_this_run = layout::epoch_add(layout::run_of(said), 1) == layout::word_epoch(*word);
    const std::uint32_t bytes = of_this_run ? layout::run_value(said) : 0;
    const std::uint64_t reference = record.result_block.load(std::memory_order_relaxed);
    const std::span<const std::byte> room = reference == layout::kNoBlock
                                                ? std::span<const std::byte>(parts.inline_result(index))
                                                : core::referenced_bytes(table_->attachment->view(), reference);
    // The count is shared memory: whatever it says, no more than the room is read.
    std::vector<std::byte> copy(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(bytes, room.size())));
    base::fence(std::memory_order_acquire);
    if (parts.words.look(index) == *word) return copy;
  }
  return std::nullopt;
}

std::vector<std::uint32_t> TaskTable::counts() const {
  std::vector<std::uint32_t> counts(16);
  for (std::uint32_t i = 0; i < capacity(); ++i)
    ++counts[static_cast<std::size_t>(layout::task_state(table_->parts.words.look(i)))];
  return counts;
}

// ---- operations

Outcome TaskTable::cancel(TaskId id) {
  if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
  core::TaskTableParts& parts = table_->parts;
  const std::uint32_t index = layout::task_index(id);
  for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
    if (index >= parts.capacity) return Outcome::empty;
    layout::Word& asked = parts.record(index).cancel;
    std::uint64_t before = asked.load(std::memory_order_acquire);
    const std::optional<std::uint64_t> word = find(id);
    if (!word || is_over(layout::task_state(*word))) return Outcome::empty;
    // First, so that a run that begins meanwhile sees it. Ids are never used again: it means nothing to a later task. Only
    // over what was there while this task was: what was asked of a later one stays.
    if (before != id && !asked.compare_exchange_strong(before, id, std::memory_order_acq_rel)) continue;
    const TaskState state = layout::task_state(*word);
    if (state == TaskState::running) {
      if (parts.words.look(index) == *word) return Outcome::ok;
    } else if (state == TaskState::claimed) {
      Lease lease;
      if (!parts.words.steal(index, *word, table_->me(), lease)) continue;
      if (!parts.words.unclaim(lease)) continue;
      objects::announce_ready(parts, index);  // should this be the last step that we live to make
    } else if (parts.words.move(index, *word, TaskState::cancelled)) {
      objects::refresh_ready(parts, index);
      objects::announce_end(table_->attachment->view(), parts, index, table_->me());
      return Outcome::ok;
    }
  }
  return Outcome::busy;
}

Outcome TaskTable::remove(TaskId id) {
  if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
  for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
    const std::optional<std::uint64_t> word = find(id);
    if (!word) return Outcome::empty;
    if (layout::is_owned(layout::task_state(*word))) return Outcome::busy;
    Lease lease;
    if (!table_->parts.words.seize(layout::task_index(id), *word, table_->me(), lease)) continue;
    if (is_over(layout::task_state(*word))) objects::count_finished_down(table_->parts);
    objects::clear_away(table_->attachment->view(), table_->parts, lease);
    core::notify(table_->parts.header->done_event);
    objects::wake_for_drain(table_->parts);
    return Outcome::ok;
  }
  return Outcome::busy;
}

Outcome TaskTable::kick(TaskId id) {
  if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
  core::TaskTableParts& parts = table_->parts;
  for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
    const std::optional<std::uint64_t> word = find(id);
    if (!word || layout::task_state(*word) != TaskState::dead) return Outcome::empty;
    if (!parts.words.revive(layout::task_index(id), *word)) continue;
    objects::count_finished_down(parts);
    objects::announce_ready(parts, layout::task_index(id));
    return Outcome::ok;
  }
  return Outcome::busy;
}

std::size_t TaskTable::kick_all(std::string_view name) {
  std::size_t kicked = 0;
  for (std::uint32_t i = 0; i < capacity() && usable(*table_) == Outcome::ok; ++i) {
    if (layout::task_state(table_->parts.words.look(i)) != TaskState::dead) continue;
    const std::optional<TaskInfo> info = info_at(i);
    if (info && (name.empty() || info->name == name)) kicked += kick(info->id) == Outcome::ok;
  }
  return kicked;
}

Outcome TaskTable::reprioritise(TaskId id, std::uint8_t priority) {
  if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
  const std::uint32_t index = layout::task_index(id);
  if (id == 0 || index >= table_->parts.capacity) return Outcome::empty;
  layout::Word& word = table_->parts.record(index).priority;
  for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
    // Its epoch is that of the submission: what is written over is of this task, or nothing is written.
    std::uint64_t seen = word.load(std::memory_order_acquire);
    const std::optional<std::uint64_t> state = find(id);
    if (!state || is_over(layout::task_state(*state)) || layout::run_of(seen) != id >> 24) return Outcome::empty;
    if (!word.compare_exchange_strong(seen, layout::of_run(id >> 24, priority), std::memory_order_acq_rel)) continue;
    objects::refresh_ready(table_->parts, index);
    return Outcome::ok;
  }
  return Outcome::busy;
}

Outcome TaskTable::hold(TaskId id) {
  if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
  core::TaskTableParts& parts = table_->parts;
  const std::uint32_t index = layout::task_index(id);
  for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
    const std::optional<std::uint64_t> word = find(id);
    if (!word || is_over(layout::task_state(*word))) return Outcome::empty;
    const TaskState state = layout::task_state(*word);
    if (state == TaskState::held) return Outcome::ok;
    if (state == TaskState::running) return Outcome::busy;
    if (state == TaskState::claimed) {
      Lease lease;
      if (!parts.words.steal(index, *word, table_->me(), lease) || !parts.words.unclaim(lease)) continue;
      objects::announce_ready(parts, index);  // should this be the last step that we live to make
    } else if (parts.words.move(index, *word, TaskState::held)) {
      objects::refresh_ready(parts, index);
      objects::begin_state(parts, index);
      return Outcome::ok;
    }
  }
  return Outcome::busy;
}

Outcome TaskTable::unhold(TaskId id) {
  if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
  core::TaskTableParts& parts = table_->parts;
  for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
    const std::optional<std::uint64_t> word = find(id);
    if (!word || layout::task_state(*word) != TaskState::held) return Outcome::empty;
    if (!parts.words.move(layout::task_index(id), *word, TaskState::ready)) continue;
    objects::announce_ready(parts, layout::task_index(id));
    return Outcome::ok;
  }
  return Outcome::busy;
}

std::size_t TaskTable::purge_finished() {
  std::size_t purged = 0;
  for (std::uint32_t i = 0; i < capacity() && usable(*table_) == Outcome::ok; ++i) {
    const std::uint64_t word = table_->parts.words.look(i);
    Lease lease;
    if (!is_over(layout::task_state(word)) || !table_->parts.words.seize(i, word, table_->me(), lease)) continue;
    objects::count_finished_down(table_->parts);
    objects::clear_away(table_->attachment->view(), table_->parts, lease);
    ++purged;
  }
  if (purged != 0) core::notify(table_->parts.header->done_event);
  return purged;
}

void TaskTable::set_keep_max(std::uint32_t tasks) {
  if (usable(*table_) != Outcome::ok) return;
  table_->parts.header->keep_max.store(tasks, std::memory_order_relaxed);
  objects::restore_hints(table_->parts);  // counts what is over
}

TaskStatistics TaskTable::statistics() const { return objects::statistics_of_all(table_->parts); }
std::vector<TaskStatistics> TaskTable::statistics_by_name() const { return objects::statistics_of_names(table_->parts); }
std::vector<TaskStatistics> TaskTable::statistics_by_worker() const { return objects::statistics_of_workers(table_->parts); }

void TaskTable::drain() {
  if (usable(*table_) != Outcome::ok) return;
  table_->parts.header->state.fetch_or(layout::kTableDraining, std::memory_order_seq_cst);
  core::notify_everyone(table_->parts.header->ready_event);
  core::notify_everyone(table_->parts.header->free_event);
}
void TaskTable::pause() {
  if (usable(*table_) == Outcome::ok) table_->parts.header->state.fetch_or(layout::kTablePaused, std::memory_order_seq_cst);
}
void TaskTable::resume() {
  if (usable(*table_) != Outcome::ok) return;
  table_->parts.header->state.fetch_and(~layout::kTablePaused, std::memory_order_seq_cst);
  core::notify_everyone(table_->parts.header->ready_event);
}
bool TaskTable::paused() const {
  return (table_->parts.header->state.load(std::memory_order_acquire) & layout::kTablePaused) != 0;
}

TaskWorker TaskTable::worker(const TaskWorkerOptions& options) const { return TaskWorker(table_, options); }

}  // namespace shmq
