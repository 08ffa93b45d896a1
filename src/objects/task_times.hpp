// What a task's record says about order and time: its keys in the two trees, and what is to be done when a time has come.
#pragma once

#include <cstdint>

#include "shmq/core/segment_view.hpp"
#include "shmq/core/task_table_handle.hpp"

namespace shmq::objects {

/// The place of a READY task in the order of the table's policy, the least first; kNoKey where it is not ready.
///   priority  submission + priority * aging, in ns: a task waits for those that are submitted up to its own submission +
///             priority * aging, and for none that comes later. That is the bound.
///   edf       the deadline on CLOCK_BOOTTIME; without one after all that have one, in the order of submission
std::uint64_t ready_key(const core::TaskTableParts& parts, std::uint32_t index);

/// When (CLOCK_BOOTTIME, ns) somebody has to look at the task because of the time: the end of its delay, of its lease, of
/// the time that it may start in, or of the time that it is kept for. 0: now, since nobody has noted yet when its state
/// began. kNoKey: never.
std::uint64_t due_key(const core::TaskTableParts& parts, std::uint32_t index);

inline bool is_timed(const core::TaskTableParts& parts, std::uint32_t index) {
  return (parts.record(index).flags.load(std::memory_order_relaxed) & layout::kTaskTimed) != 0;
}
/// After a change of the task's word: notes when its new state began, where that matters, and its leaf in the tree of times.
/// Cheap where the task has no times.
void begin_state(const core::TaskTableParts& parts, std::uint32_t index);
/// Its leaf in the tree of times alone.
void refresh_due(const core::TaskTableParts& parts, std::uint32_t index);
/// Its leaf in the ready tree, where the table has one.
void refresh_ready(const core::TaskTableParts& parts, std::uint32_t index);

/// Does what the time asks for, of up to 64 tasks. `me`: the caller. Returns when (CLOCK_BOOTTIME) there is more to be done;
/// kNoKey: never.
std::uint64_t keep_time(const core::SegmentView& view, const core::TaskTableParts& parts, layout::Owner me);
inline std::uint64_t keep_time(const core::TaskTableHandle& table) {
  return keep_time(table.attachment->view(), table.parts, table.me());
}

/// The same of one task: ends a run whose longest time is over, and so on. False: nothing was to be done.
bool tend(const core::SegmentView& view, const core::TaskTableParts& parts, std::uint32_t index, layout::Owner me);

/// READY, DELAYED, HELD or CLAIMED → EXPIRED: it is too late for it. False: `word` is not there any more.
bool expire(const core::SegmentView& view, const core::TaskTableParts& parts, std::uint32_t index, std::uint64_t word,
            layout::Owner me);

/// True where the task may not be started any more, at the time of CLOCK_BOOTTIME.
bool is_late(const core::TaskTableParts& parts, std::uint32_t index, std::int64_t now_ns);

/// Since when (CLOCK_MONOTONIC) a task that was just started for the first time was ready.
std::int64_t ready_since_ns(const core::TaskTableParts& parts, std::uint32_t index);

/// On CLOCK_BOOTTIME; 0: none.
std::int64_t deadline_ns(const core::TaskTableParts& parts, std::uint32_t index);

/// The tree of times anew around an index, of core::MinTreeShape::kFan of them.
void mend_due(const core::TaskTableParts& parts, std::uint32_t index);
/// Both trees anew.
void rebuild_trees(const core::TaskTableParts& parts);

/// CLOCK_REALTIME - CLOCK_BOOTTIME.
std::int64_t real_offset_ns();

}  // namespace shmq::objects
