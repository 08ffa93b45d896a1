// The last errors of a task: why runs did not complete it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "shmq/core/task_table_handle.hpp"
#include "shmq/tasks.hpp"

namespace shmq::objects {

struct RunError {
  layout::RunEnd end = layout::RunEnd::none;
  std::string_view text = {};
  unsigned signal = 0;
  bool core_dumped = false;
};
/// Kept with the task, in place of the oldest. Before the run ends: its number is known then.
void note_error(const core::TaskTableParts& parts, const core::Lease& lease, const RunError& error);

/// Those that are kept of the task that the record is now, in the order of its runs.
std::vector<TaskErrorInfo> errors_of(const core::TaskTableParts& parts, std::uint32_t index);

}  // namespace shmq::objects
