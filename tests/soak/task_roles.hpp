// The processes of the tasks soak.
#pragma once

#include <cstdint>
#include <string>

#include "shmq/shmq.hpp"
#include "task_ledger.hpp"

namespace soak {

enum class TaskRole : std::uint8_t { submitter, worker, collector };

struct TaskPlace {
  TaskRole role = TaskRole::submitter;
  std::uint32_t number = 0;  // of this process in the run
  std::string segment;
  std::uint64_t seed = 0;
};

inline constexpr const char* kTaskTable = "tasks";
shmq::TaskTableOptions task_table_options();

/// Runs until told to leave or killed. The exit status: 0 left, 3 something is wrong (said on stderr).
int run_task_role(TaskLedger& ledger, const TaskPlace& place);

}  // namespace soak
