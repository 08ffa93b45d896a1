// The job as a whole: the corpus in shards, each a task; workers count them, and one of them is killed on the way.
#pragma once

#include <cstdint>
#include <string>

#include "corpus.hpp"
#include "words.hpp"

namespace wordcount {

struct JobOptions {
  unsigned workers = 3;
  bool kill_one = true;
  bool keep_segment = false;
};

struct JobResult {
  Counts words;
  std::uint64_t shards = 0;
  std::uint64_t bytes = 0;
  std::uint64_t rerun = 0;  // shards that were run more than once
  double seconds = 0;
  std::uint64_t held_id = 0;  // of the task that the victim ran when it was killed
  double repair_ms = -1;      // from the kill until another worker ran that task; -1: nobody did
  int repaired_by = 0;        // pid
  std::string stat_table;     // what shmq-stat showed just before the kill
};

/// How many tasks are in the table at once.
inline constexpr std::uint32_t kWindow = 64;

/// Throws std::runtime_error, with the reason, where the job cannot be done.
JobResult run_job(const Corpus& corpus, const JobOptions& options);

/// Ends the job at the next look; for signal handlers.
void request_stop();

}  // namespace wordcount
