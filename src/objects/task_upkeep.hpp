// What follows a change of a task's word: hints for those who look for work or for room, wakes, and what is missing of
// them after a kill.
#pragma once

#include <cstdint>

#include "shmq/core/segment_view.hpp"
#include "shmq/core/task_table_handle.hpp"

namespace shmq::objects {

/// The task was made READY: says so to the workers.
void announce_ready(const core::TaskTableParts& parts, std::uint32_t index);
/// The record was made FREE: says so to the submitters.
void announce_free(const core::TaskTableParts& parts, std::uint32_t index);
/// The task is over: wakes who waits for it, and workers where the table drains.
void announce_end(const core::TaskTableParts& parts);

/// Where a run that ends so leads: READY or DEAD, by the task's limits.
layout::TaskState after_run(const core::TaskTableParts& parts, std::uint32_t index, layout::RunEnd end);

/// Gives back the blocks that a record in ALLOC names, and makes it FREE. The lease is the caller's, or a dead owner's.
void clear_away(const core::SegmentView& view, const core::TaskTableParts& parts, const core::Lease& lease);

/// Puts back the hints that are missing. Whoever is killed with a hint in hand takes it along.
void restore_hints(const core::TaskTableParts& parts);
/// The same where a ring had no room for one.
bool restore_lost_hints(const core::TaskTableParts& parts);

}  // namespace shmq::objects
