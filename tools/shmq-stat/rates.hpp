// How fast tasks come and go: what two looks at a task table differ in.
#pragma once

#include <cstdint>

#include "shmq/inspect.hpp"

namespace shmq::stat {

/// An earlier look at the same table.
struct EarlierLook {
  TaskTableSnapshot table;
  std::int64_t ago_ns = 0;  // more than 0
};

/// Per second.
struct Rates {
  double submitted = 0;
  double started = 0;
  double done = 0;
  double otherwise = 0;  // runs that ended otherwise: failures, crashes, timeouts, releases, cancelled
};

Rates rates_of(const EarlierLook& earlier, const TaskStatistics& then, const TaskStatistics& now);

/// Those of the same name and participant; zeros where there were none.
const TaskStatistics& same_of(const std::vector<TaskStatistics>& list, const TaskStatistics& wanted);

}  // namespace shmq::stat
