// What `shmq-bench tasks` compares: one kind of task table and task after the other.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "settings.hpp"
#include "shmq/segment.hpp"

namespace shmq::bench {

/// Priorities and deadlines, as the policy wants them, in no order.
TaskOptions ordered(TaskOptions task, TaskPolicy policy, std::uint64_t number);

/// A flow of tasks between one submitter and one worker through a table of its own.
struct TaskLane {
  std::string name;  // after "tasks/cycle/"; the table's name where '/' is '-'
  unsigned in_flight = 64;
  std::size_t bytes = 64;
  TaskTableOptions table;
  TaskOptions task{.keep = false};
  bool result = false;  // the submitter waits for the result, reads it and removes the task
  bool keyed = false;   // each task has an idempotency key that no other one has, until it is done
  unsigned batch = 1;   // tasks that the worker claims at once

  /// What is asked for the `number`th task: in tables with an order, priorities and deadlines that differ.
  TaskOptions options(std::uint64_t number) const { return ordered(task, table.policy, number); }

  std::string table_name() const;
};

/// The plain one first; each of the others has one feature more.
std::vector<TaskLane> task_lanes(const Settings& settings);

struct NamedTable {
  std::string name;
  TaskTableOptions options;
};
/// Creates the segment with room for these tables, all of them declared.
Segment create_tables(const std::string& name, const std::vector<NamedTable>& tables);
TaskTable open_table(Segment& segment, const std::string& name);

}  // namespace shmq::bench
