#include <cstring>

#include "core/blocks.hpp"
#include "core/patience.hpp"
#include "objects/task_upkeep.hpp"
#include "objects/waiter.hpp"
#include "shmq/base/fence.hpp"
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

namespace {

bool is_over(TaskState state) {
  return state == TaskState::done || state == TaskState::dead || state == TaskState::cancelled ||
         state == TaskState::expired;
}

/// What keeps a table from being used at all; ok where nothing does.
Outcome usable(const core::TaskTableHandle& table) {
  if (table.attachment->detached()) return Outcome::detached;
  if (table.parts.header->state.load(std::memory_order_relaxed) & layout::kTableRemoved) return Outcome::removed;
  return Outcome::ok;
}

/// A free record, now in ALLOC. full, corrupt.
Outcome allocate(const core::TaskTableParts& parts, layout::Owner me, Lease& lease) {
  core::ShmHintRing ring = parts.free;
  core::ShmTaskWords words = parts.words;
  for (;;) {
    std::uint32_t index = 0;
    const core::HintStatus status = ring.pop(index);
    if (status == core::HintStatus::corrupt || (status == core::HintStatus::ok && index >= parts.capacity))
      return Outcome::corrupt;
    if (status == core::HintStatus::none) {
      if (objects::restore_lost_hints(parts)) continue;
      return Outcome::full;
    }
    if (words.allocate(index, me, lease)) return Outcome::ok;  // else the hint was there twice
  }
}

}  // namespace

// ---- submission

Outcome TaskTable::place(std::span<const std::byte> payload, const TaskOptions& options, TaskId& id) {
  core::TaskTableParts& parts = table_->parts;
  const core::SegmentView& view = table_->attachment->view();
  if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
  if (parts.header->state.load(std::memory_order_relaxed) & layout::kTableDraining) return Outcome::closed;
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
  id = layout::task_id(lease.epoch(), lease.index);
  const std::uint64_t reference = block ? layout::block_reference(block->epoch, block->index) : layout::kNoBlock;
  record.payload_block.store(reference, std::memory_order_relaxed);
  record.result_block.store(layout::kNoBlock, std::memory_order_relaxed);
  record.id.store(id, std::memory_order_relaxed);
  record.progress.store(0, std::memory_order_relaxed);
  record.result.store(0, std::memory_order_relaxed);
  record.payload_bytes.store(static_cast<std::uint32_t>(payload.size()), std::memory_order_relaxed);
  record.failures_max.store(options.failures_max, std::memory_order_relaxed);
  record.crashes_max.store(options.crashes_max, std::memory_order_relaxed);
  record.flags.store(options.keep ? 0 : layout::kTaskForgotten, std::memory_order_relaxed);
  record.correlation.store(options.correlation, std::memory_order_relaxed);
  record.submitted_ns.store(static_cast<std::uint64_t>(base::clock_ns(CLOCK_MONOTONIC_COARSE)), std::memory_order_relaxed);
  record.name.set(options.name);
  const std::span<std::byte> room = block ? core::referenced_bytes(view, reference) : parts.inline_payload(lease.index);
  if (!payload.empty()) std::memcpy(room.data(), payload.data(), payload.size());
  parts.words.clear_tally(lease);
  parts.words.publish(lease, TaskState::ready);
  objects::announce_ready(parts, lease.index);
  return Outcome::ok;
}

Submitted TaskTable::try_submit(std::span<const std::byte> payload, const TaskOptions& options) {
  Submitted submitted;
  if (table_->attachment->detached()) return {Outcome::detached};
  submitted.outcome = place(payload, options, submitted.id);
  if (submitted.outcome == Outcome::full || submitted.outcome == Outcome::no_block)
    objects::housekeeping_of_a_try(*table_->attachment);
  return submitted;
}

Submitted TaskTable::submit(std::span<const std::byte> payload, const TaskOptions& options, const Limit& limit) {
  Submitted submitted;
  if (table_->attachment->detached()) return {Outcome::detached};
  Outcome last = submitted.outcome = place(payload, options, submitted.id);
  if (last != Outcome::full && last != Outcome::no_block) return submitted;
  std::int64_t now_ns = 0;
  submitted.outcome = objects::wait_for(
      *table_->attachment, Wait::spin_futex, limit, Outcome::full,
      [&]() -> core::EventWord& {
        return last == Outcome::no_block ? table_->attachment->view().header().blocks_event
                                         : table_->parts.header->free_event;
      },
      now_ns, [&](bool) {
        last = place(payload, options, submitted.id);
        return last == Outcome::no_block ? Outcome::full : last;
      });
  return submitted;
}

// ---- looks

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
    info.name = record.name.get();
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

Outcome TaskTable::wait(TaskId id, const Limit& limit) const {
  if (table_->attachment->detached()) return Outcome::detached;
  std::int64_t now_ns = 0;
  return objects::wait_for(
      *table_->attachment, Wait::spin_futex, limit, Outcome::busy,
      [&]() -> core::EventWord& { return table_->parts.header->done_event; }, now_ns, [&](bool) {
        if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
        const std::optional<std::uint64_t> word = find(id);
        if (!word) return Outcome::empty;
        return is_over(layout::task_state(*word)) ? Outcome::ok : Outcome::busy;
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
      objects::announce_end(parts);
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
    objects::clear_away(table_->attachment->view(), table_->parts, lease);
    objects::announce_end(table_->parts);
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
    objects::announce_ready(parts, layout::task_index(id));
    return Outcome::ok;
  }
  return Outcome::busy;
}

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
