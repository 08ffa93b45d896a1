// What is done to tasks by others than their workers, and to a table as a whole.
#include "core/patience.hpp"
#include "objects/task_statistics.hpp"
#include "objects/task_times.hpp"
#include "objects/task_upkeep.hpp"
#include "shmq/core/event.hpp"
#include "shmq/tasks.hpp"

namespace shmq {

using core::Lease;
using objects::is_over;
using objects::usable;

Outcome TaskTable::cancel(TaskId id) {
  if (const Outcome outcome = usable(*table_); outcome != Outcome::ok) return outcome;
  core::TaskTableParts& parts = table_->parts;
  const std::uint32_t index = layout::task_index(id);
  for (std::uint32_t look = 0; look < core::kLooksMax; ++look) {
    if (index >= parts.capacity) return Outcome::empty;
    layout::Word& asked = parts.body(index).cancel;
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
  objects::keep_fewer(table_->attachment->view(), table_->parts, table_->me());
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
