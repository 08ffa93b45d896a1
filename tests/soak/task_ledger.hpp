// What submitters, workers and the collector of the tasks soak say about each task, outside of anything that
// shmq keeps: a shared mapping, which outlives whoever is killed. Each number is a submission; its task
// carries it as payload.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace soak {

struct TaskEntry {
  enum Submission : std::uint8_t { none, intended, submitted, duplicate };
  std::atomic<std::uint8_t> submission{none};  // before submit(); after it has said ok
  std::atomic<std::uint8_t> started{0};        // runs, noted by their workers
  std::atomic<std::uint8_t> given_back{0};     // fail() or release() was about to be called
  std::atomic<std::uint8_t> wins{0};           // done() has said ok
  std::atomic<std::uint8_t> collected{0};      // found DONE, and removed
  std::atomic<std::uint32_t> winner{0};        // the number of the run whose done() said ok
  std::atomic<std::uint32_t> result_of{0};     // … that the result is of
  std::atomic<std::uint8_t> key{0};            // from 1; 0: it has none
  std::atomic<std::uint8_t> limited{0};        // it has a longest run time
  std::atomic<std::uint8_t> stale{0};          // a run was told that its lease is over
  std::atomic<std::uint64_t> id{0};            // the task's, by whoever saw it
  std::atomic<std::uint64_t> answered{0};      // duplicate: the id that the submitter got instead
  // CLOCK_MONOTONIC: before submit(), after it, after the first start that was noted, before remove().
  std::atomic<std::int64_t> intended_ns{0}, submitted_ns{0}, running_ns{0}, collected_ns{0};
};

struct TaskLedger {
  static constexpr std::uint32_t kNumbers = 8u << 20;  // pages are there once touched
  static constexpr std::uint32_t kRuns = 2 * kNumbers;
  enum Phase : std::uint32_t { submit, finish, leave };
  std::atomic<std::uint32_t> phase{submit};
  std::atomic<std::uint32_t> next{0};      // numbers given out
  std::atomic<std::uint32_t> next_run{0};  // likewise, of runs
  std::atomic<std::uint64_t> collected{0};
  std::atomic<std::uint64_t> crashes{0};  // by what the table says of the tasks that were collected
  std::atomic<std::uint64_t> timeouts{0};   // likewise
  std::atomic<std::uint32_t> empty{0};    // looks of the collector in a row that found no task
  std::atomic<std::uint32_t> wrong{0};    // violations that somebody said on stderr
  TaskEntry entries[kNumbers];
  std::atomic<std::int64_t> done_began_ns[kRuns];  // before done() of the run with that number; CLOCK_MONOTONIC
};

struct TaskCounts {
  std::uint64_t kills = 0;  // of anybody
  std::uint64_t worker_kills = 0;
  std::uint64_t crashes = 0, timeouts = 0;  // runs, by what the table says
};

struct TaskVerdict {
  std::uint64_t submitted = 0, unsure = 0, done = 0, extra_runs = 0, given_back = 0, stale = 0, duplicates = 0, keyed = 0;
  std::vector<std::string> violations;  // the first few
  std::uint64_t violation_count = 0;
};

/// Once the table is empty: each task that was submitted was completed by one run, the one that its result is
/// of; what was run more often was given back, lost its worker or took too long; of the tasks with the same key none was there
/// for certain while another one was; who was told of an earlier task with its key was told of one that was there.
TaskVerdict judge_tasks(const TaskEntry* entries, std::uint32_t count, const std::atomic<std::int64_t>* done_began_ns,
                        const TaskCounts& counts);

}  // namespace soak
