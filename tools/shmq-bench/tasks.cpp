#include "tasks.hpp"

#include <algorithm>

#include "failure.hpp"

namespace shmq::bench {

std::vector<Row> run_tasks(const Settings& settings, Progress& progress) {
  if (!settings.two_cpus())
    throw cli::Failure{cli::kFailed, "a submitter and a worker need two cpus, and this process may use one; see taskset -pc $$"};
  std::vector<Row> rows;
  const auto part = [&](const char* name, std::vector<Row> (*run)(const Settings&, Progress&)) {
    if (std::find(settings.only.begin(), settings.only.end(), name) == settings.only.end()) return;
    for (Row& row : run(settings, progress)) rows.push_back(std::move(row));
    progress.clear();
  };
  part("cycle", run_task_cycle);
  part("latency", run_task_latency);
  part("waiting", run_task_waiting);
  part("delayed", run_task_delayed);
  part("killed", run_task_killed);
  return rows;
}

}  // namespace shmq::bench
