// Looking at tasks, and waiting for them.
#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/blocks.hpp"
#include "core/patience.hpp"
#include "objects/task_errors.hpp"
#include "objects/task_times.hpp"
#include "objects/task_upkeep.hpp"
#include "objects/waiter.hpp"
#include "shmq/base/fence.hpp"
#include "shmq/tasks.hpp"

namespace shmq {

using layout::TaskBody;
using layout::TaskRecord;
using objects::is_over;
using objects::usable;

namespace {

void read_more(const core::TaskTableParts& parts, std::uint32_t index, TaskInfo& info) {
  const TaskRecord& record = parts.record(index);
  const TaskBody& body = parts.body(index);
  info.priority = static_cast<std::uint8_t>(record.priority.load(std::memory_order_relaxed));
  const std::uint64_t progress = body.progress.load(std::memory_order_acquire);
  info.percent = layout::run_value(progress) & 0xff;
  if (layout::run_value(progress) & layout::kProgressNote) info.note = body.note.get();
  const std::int64_t waited =
      base::wrapping_difference(base::monotonic_ns(), static_cast<std::int64_t>(record.submitted_ns.load(std::memory_order_relaxed)));
  info.submitted_real_ns = base::wrapping_difference(base::realtime_ns(), waited);
  const std::uint64_t due = objects::due_key(parts, index);
  info.due_ns = due == core::kNoKey ? 0 : static_cast<std::int64_t>(due);
  info.deadline_ns = objects::deadline_ns(parts, index);
  info.errors = objects::errors_of(parts, index);
}

}  // namespace

std::optional<TaskInfo> TaskTable::info_at(std::uint32_t index) const {
  const core::TaskTableParts& parts = table_->parts;
  const TaskRecord& record = parts.record(index);
  const TaskBody& body = parts.body(index);
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
    if (flags & layout::kTaskNamed) info.name = body.name.get();
    if (flags & layout::kTaskKeyed) info.key = layout::key_of(body.key);
    read_more(parts, index, info);
    info.payload_bytes = record.payload_bytes.load(std::memory_order_relaxed);
    info.correlation = body.correlation.load(std::memory_order_relaxed);
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
        if (thorough) (void)objects::keep_time(*table_);
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

std::optional<std::vector<std::byte>> TaskTable::payload(TaskId id) const {
  if (usable(*table_) != Outcome::ok || !find(id)) return std::nullopt;
  const core::TaskTableParts& parts = table_->parts;
  const std::uint32_t index = layout::task_index(id);
  const TaskRecord& record = parts.record(index);
  const std::uint64_t reference = record.payload_block.load(std::memory_order_relaxed);
  const std::span<const std::byte> room = reference == layout::kNoBlock
                                              ? std::span<const std::byte>(parts.inline_payload(index))
                                              : core::referenced_bytes(table_->attachment->view(), reference);
  // The count is shared memory: whatever it says, no more than the room is read.
  const std::size_t bytes = std::min<std::size_t>(record.payload_bytes.load(std::memory_order_relaxed), room.size());
  std::vector<std::byte> copy(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(bytes));
  base::fence(std::memory_order_acquire);
  // It stays as it was submitted for as long as the task is there.
  if (!find(id)) return std::nullopt;
  return copy;
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
    const std::uint64_t said = parts.body(index).result.load(std::memory_order_relaxed);
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

}  // namespace shmq
