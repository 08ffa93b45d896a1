// What follows a change of a task's word: hints for those who look for work or for room, wakes, and what is missing of
// them after a kill.
#pragma once

#include <cstdint>

#include "shmq/core/segment_view.hpp"
#include "shmq/core/task_table_handle.hpp"
#include "shmq/outcome.hpp"

namespace shmq::objects {

/// The task was made READY: says so to the workers.
void announce_ready(const core::TaskTableParts& parts, std::uint32_t index);
/// The task was published in this state.
void announce_submitted(const core::TaskTableParts& parts, std::uint32_t index, layout::TaskState state);
/// The record was made FREE: says so to the submitters.
void announce_free(const core::TaskTableParts& parts, std::uint32_t index);
/// The task is over: wakes who waits for it, and workers where the table drains. `me`: the caller, who makes room where
/// more tasks are kept than the table is to keep.
void announce_end(const core::SegmentView& view, const core::TaskTableParts& parts, std::uint32_t index, layout::Owner me);
/// What is left of the above where nothing is kept: a worker may be waiting for the last task.
void wake_for_drain(const core::TaskTableParts& parts);
/// A run has ended, and led to `to`: one of these, or the wait until the next run.
void announce_settled(const core::SegmentView& view, const core::TaskTableParts& parts, const core::Lease& lease,
                      layout::TaskState to, layout::Owner me);

/// Where a run that ends so leads: READY, DELAYED or DEAD, by the task's limits.
layout::TaskState after_run(const core::TaskTableParts& parts, std::uint32_t index, layout::RunEnd end);

/// Gives back the blocks that a record in ALLOC names, and makes it FREE. The lease is the caller's, or a dead owner's.
void clear_away(const core::SegmentView& view, const core::TaskTableParts& parts, const core::Lease& lease);

bool is_over(layout::TaskState state);
/// What keeps a table from being used at all; ok where nothing does.
inline Outcome usable(const core::TaskTableHandle& table) {
  if (table.attachment->detached()) return Outcome::detached;
  if (table.parts.header->state.load(std::memory_order_relaxed) & layout::kTableRemoved) return Outcome::removed;
  return Outcome::ok;
}
/// Where more tasks are kept that are over than are to be kept: those that come next in the order of the records go, which
/// is about the order that they were submitted in.
void keep_fewer(const core::SegmentView& view, const core::TaskTableParts& parts, layout::Owner me);
/// A task that was over and kept is not any more.
void count_finished_down(const core::TaskTableParts& parts);

/// Puts back the hints that are missing. Whoever is killed with a hint in hand takes it along.
void restore_hints(const core::TaskTableParts& parts);
/// The same where a ring had no room for one.
bool restore_lost_hints(const core::TaskTableParts& parts);

}  // namespace shmq::objects
