// tasks: what a task costs, from its submission to its completion, beside what others take for the same.
#pragma once

#include <vector>

#include "progress.hpp"
#include "report.hpp"
#include "settings.hpp"

namespace shmq::bench {

/// Rows of what settings.only names. A row that was passed over has a field `skipped` that says why.
std::vector<Row> run_tasks(const Settings& settings, Progress& progress);

// Its parts.
std::vector<Row> run_task_cycle(const Settings& settings, Progress& progress);
std::vector<Row> run_task_latency(const Settings& settings, Progress& progress);
std::vector<Row> run_task_waiting(const Settings& settings, Progress& progress);
std::vector<Row> run_task_delayed(const Settings& settings, Progress& progress);
std::vector<Row> run_task_killed(const Settings& settings, Progress& progress);

}  // namespace shmq::bench
