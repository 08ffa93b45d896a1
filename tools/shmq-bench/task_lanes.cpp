#include "task_lanes.hpp"

#include <algorithm>

#include "failure.hpp"
#include "shmq/capacity_plan.hpp"

namespace shmq::bench {

std::string TaskLane::table_name() const {
  std::string text = "cycle-" + name;
  std::replace(text.begin(), text.end(), '/', '-');
  return text;
}

std::vector<TaskLane> task_lanes(const Settings& settings) {
  TaskLane plain;
  plain.name = "64";
  plain.table.capacity = static_cast<std::uint32_t>(settings.capacity != 0 ? std::max<std::uint64_t>(settings.capacity, 64) : 1024);
  std::vector<TaskLane> lanes(1, plain);
  const auto add = [&](const char* name) -> TaskLane& {
    lanes.push_back(plain);
    lanes.back().name = name;
    return lanes.back();
  };
  add("1").in_flight = 1;
  add("64/batch16").batch = 16;
  TaskLane& result = add("64/result");
  result.result = result.task.keep = true;
  TaskLane& large = add("64/payload1k");
  large.bytes = large.table.payload_bytes = 1024;
  add("64/priority").table.policy = TaskPolicy::priority;
  add("64/edf").table.policy = TaskPolicy::edf;
  TaskLane& keyed = add("64/key");
  keyed.keyed = true;
  keyed.table.keys = keyed.table.capacity;
  return lanes;
}

TaskOptions ordered(TaskOptions task, TaskPolicy policy, std::uint64_t number) {
  const std::uint64_t mixed = number * 0x9e3779b97f4a7c15 >> 40;
  if (policy == TaskPolicy::priority) task.priority = static_cast<std::uint8_t>(mixed);
  if (policy == TaskPolicy::edf) task.deadline = std::chrono::seconds(1) + std::chrono::microseconds(mixed & 0xf'ffff);
  return task;
}

Segment create_tables(const std::string& name, const std::vector<NamedTable>& tables) {
  CapacityPlan plan(8, static_cast<std::uint32_t>(tables.size()) + 4);
  for (const NamedTable& table : tables) plan.task_table(table.options);
  SegmentOptions options = cli::need(plan.options());
  options.prefault = true;
  Segment segment = cli::need(Segment::create(name, options, {.name = "shmq-bench", .prefault = true}));
  for (const NamedTable& table : tables) (void)cli::need(segment.task_table(table.name, table.options));
  return segment;
}

TaskTable open_table(Segment& segment, const std::string& name) { return cli::need(segment.open_task_table(name)); }

}  // namespace shmq::bench
