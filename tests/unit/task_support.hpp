// What tests of task tables share.
#pragma once

#include "support.hpp"

namespace shmq::test {

class TaskTableTest : public SegmentTest {
 protected:
  TaskTable table(Segment& segment, const TaskTableOptions& options = {.capacity = 64}) {
    return segment.task_table("t", options).value();
  }
  TaskId put(TaskTable& tasks, std::string_view payload, const TaskOptions& options = {}) {
    const Submitted submitted = tasks.try_submit(bytes_of(payload), options);
    EXPECT_TRUE(submitted) << submitted.outcome;
    return submitted.id;
  }
  static std::uint32_t in(const TaskTable& tasks, TaskState state) {
    return tasks.counts()[static_cast<std::size_t>(state)];
  }
  static TaskState state(const TaskTable& tasks, TaskId id) {
    const auto info = tasks.info(id);
    return info ? info->state : TaskState::free;
  }
};

}  // namespace shmq::test
