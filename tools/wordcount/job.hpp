// The job as a whole: feeder → chunks → workers → counts → collector, with one worker killed on the way.
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
  std::uint64_t chunks = 0;
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;  // through both queues
  std::uint64_t redelivered = 0;
  std::uint64_t repeats_dropped = 0;
  double seconds = 0;
  std::string held_id;     // of the message that the victim held when it was killed
  double repair_ms = -1;   // from the kill until another worker had that message; -1: nobody got it
  int repaired_by = 0;     // pid
  std::string stat_table;  // what shmq-stat showed just before the kill
};

/// Throws std::runtime_error, with the reason, where the job cannot be done.
JobResult run_job(const Corpus& corpus, const JobOptions& options);

/// Ends the job at the next look; for signal handlers.
void request_stop();

}  // namespace wordcount
