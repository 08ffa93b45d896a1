// What a table's figures say: counted by each participant for itself, and by name.
#pragma once

#include <cstdint>
#include <vector>

#include "shmq/core/task_table_handle.hpp"
#include "shmq/tasks.hpp"

namespace shmq::objects {

/// The row's figures are this participant's from now on; those of the one before go to the past.
void begin_figures(const core::TaskTableParts& parts, layout::Owner me);
/// The participant has gone: its figures are of the past. Killed half-way, a few of them are lost.
void retire_figures(const core::TaskTableParts& parts, std::uint32_t id);

/// Those of the task's name: null where it has none, none are kept, or there is no room for one more.
layout::TaskFigures* figures_of_its_name(const core::TaskTableParts& parts, std::uint32_t index);

TaskStatistics statistics_of_all(const core::TaskTableParts& parts);
std::vector<TaskStatistics> statistics_of_workers(const core::TaskTableParts& parts);
std::vector<TaskStatistics> statistics_of_names(const core::TaskTableParts& parts);

}  // namespace shmq::objects
