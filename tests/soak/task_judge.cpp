#include "task_ledger.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <unordered_map>

namespace soak {

namespace {

using Complain = std::function<void(const std::string&)>;

/// When a task was there for certain.
struct Span {
  std::int64_t begin, end;
  std::uint32_t number;
};

/// From the return of submit(), or the first start that was noted, to the call that completed it. What its processes noted
/// late, being stopped or killed, makes it shorter, or empty.
Span certainly_there(const TaskEntry& e, std::uint32_t number, const std::atomic<std::int64_t>* done_began_ns) {
  std::int64_t begin = e.running_ns;
  if (const std::int64_t told = e.submitted_ns; told != 0 && (begin == 0 || told < begin)) begin = told;
  return {begin, begin == 0 ? 0 : std::int64_t{done_began_ns[e.result_of]}, number};
}

void judge_keys(const TaskEntry* entries, std::uint32_t count, const std::atomic<std::int64_t>* done_began_ns,
                const Complain& complain) {
  std::map<unsigned, std::vector<Span>> of_key;
  std::unordered_map<std::uint64_t, std::uint32_t> by_id;
  for (std::uint32_t i = 0; i < count; ++i) {
    const TaskEntry& e = entries[i];
    if (e.key == 0 || e.id == 0) continue;
    if (!by_id.emplace(e.id, i).second) complain("task " + std::to_string(i) + ": its id was another's");
    if (e.collected == 0) continue;
    if (const Span span = certainly_there(e, i, done_began_ns); span.begin < span.end) of_key[e.key].push_back(span);
  }
  for (auto& [key, spans] : of_key) {
    std::ranges::sort(spans, {}, &Span::begin);
    for (std::size_t i = 1; i < spans.size(); ++i)
      if (spans[i].begin < spans[i - 1].end)
        complain("tasks " + std::to_string(spans[i - 1].number) + " and " + std::to_string(spans[i].number) +
                 " were there at the same time, both with key " + std::to_string(key));
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const TaskEntry& e = entries[i];
    if (e.submission != TaskEntry::duplicate) continue;
    const auto found = by_id.find(e.answered);
    const std::string who = "submission " + std::to_string(i) + " with key " + std::to_string(unsigned{e.key});
    if (found == by_id.end()) {
      complain(who + " was told of a task that nobody saw");
      continue;
    }
    const TaskEntry& other = entries[found->second];
    const bool apart = e.submitted_ns < other.intended_ns || (other.collected_ns != 0 && other.collected_ns < e.intended_ns);
    if (other.key != e.key || apart)
      complain(who + " was told of task " + std::to_string(found->second) + " with key " +
               std::to_string(unsigned{other.key}) + (apart ? ", which was not there then" : ""));
  }
}

}  // namespace

TaskVerdict judge_tasks(const TaskEntry* entries, std::uint32_t count, const std::atomic<std::int64_t>* done_began_ns,
                        const TaskCounts& counts) {
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
    verdict.stale += e.stale;
    verdict.duplicates += submission == TaskEntry::duplicate;
    verdict.keyed += e.key != 0 && collected != 0;
    if (started > 1) verdict.extra_runs += started - 1;
    if (submission == TaskEntry::submitted && collected == 0) wrong("lost");
    if (submission == TaskEntry::none && (started != 0 || collected != 0))
      wrong("never submitted, and there");
    if (submission == TaskEntry::duplicate && (started != 0 || collected != 0))
      wrong("another one had its key, and it is there");
    if (e.stale != 0 && e.limited == 0) wrong("a run lost its lease, and there was all the time");
    if (collected > 1) wrong("there twice");
    if (wins > 1) wrong("completed by two runs");
    if (wins == 1 && collected == 1 && e.winner != e.result_of)
      wrong("completed by one run, with the result of another");
    if (wins == 1 && collected == 0) wrong("completed, and not found");
  }
  const auto at_most = [&](std::uint64_t found, const char* what, std::uint64_t explained, const char* by) {
    if (found > explained)
      complain(std::to_string(found) + what + ", and only " + std::to_string(explained) + " " + by);
  };
  at_most(verdict.extra_runs, " runs too many", counts.worker_kills + verdict.given_back + verdict.stale,
          "workers killed, runs given back or that took too long");
  at_most(counts.crashes, " runs counted as crashes", counts.worker_kills, "workers killed");
  at_most(counts.timeouts, " runs counted as too long", counts.worker_kills + verdict.stale,
          "workers killed, or told that their time is over");
  at_most(verdict.unsure, " submissions that never ended", counts.kills, "kills");
  judge_keys(entries, count, done_began_ns, complain);
  return verdict;
}

}  // namespace soak
