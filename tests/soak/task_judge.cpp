#include "task_ledger.hpp"

namespace soak {

TaskVerdict judge_tasks(const TaskEntry* entries, std::uint32_t count, std::uint64_t crashes,
                        const TaskCounts& kills) {
  TaskVerdict verdict;
  const auto complain = [&](const std::string& what) {
    if (++verdict.violation_count <= 10) verdict.violations.push_back(what);
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    const TaskEntry& e = entries[i];
    const unsigned submission = e.submission, started = e.started, wins = e.wins, collected = e.collected;
    const auto wrong = [&](const std::string& what) {
      complain("task " + std::to_string(i) + ": " + what + " (submission " + std::to_string(submission) +
               ", " + std::to_string(started) + " runs, " + std::to_string(unsigned{e.given_back}) +
               " given back, " + std::to_string(wins) + " completed, " + std::to_string(collected) +
               " collected, winner " + std::to_string(e.winner) + ", result of " +
               std::to_string(e.result_of) + ")");
    };
    verdict.submitted += submission == TaskEntry::submitted;
    verdict.unsure += submission == TaskEntry::intended;
    verdict.done += collected;
    verdict.given_back += e.given_back;
    if (started > 1) verdict.extra_runs += started - 1;
    if (submission == TaskEntry::submitted && collected == 0) wrong("lost");
    if (submission == TaskEntry::none && (started != 0 || collected != 0))
      wrong("never submitted, and there");
    if (collected > 1) wrong("there twice");
    if (wins > 1) wrong("completed by two runs");
    if (wins == 1 && collected == 1 && e.winner != e.result_of)
      wrong("completed by one run, with the result of another");
    if (wins == 1 && collected == 0) wrong("completed, and not found");
  }
  if (verdict.extra_runs > kills.worker_kills + verdict.given_back)
    complain(std::to_string(verdict.extra_runs) + " runs too many, and only " +
             std::to_string(kills.worker_kills) + " workers killed and " +
             std::to_string(verdict.given_back) + " runs given back");
  if (crashes > kills.worker_kills)
    complain(std::to_string(crashes) + " runs counted as crashes, and only " +
             std::to_string(kills.worker_kills) + " workers killed");
  if (verdict.unsure > kills.kills)
    complain(std::to_string(verdict.unsure) + " submissions that never ended, and only " +
             std::to_string(kills.kills) + " kills");
  return verdict;
}

}  // namespace soak
