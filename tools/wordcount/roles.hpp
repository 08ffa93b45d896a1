// A worker of the job. It attaches on its own and knows nothing but the segment's name.
#pragma once

#include <cstdint>
#include <string>

namespace wordcount {

inline constexpr const char* kShards = "shards";

/// What a worker says about a shard: precedes the encoded count in each result.
struct ResultHeader {
  std::uint64_t shard_bytes;
  std::int64_t started_ns;  // CLOCK_MONOTONIC
  std::int32_t worker_pid;
  std::uint32_t runs_before;  // runs of this shard's task before the one that completed it
};

/// The worker that is going to be killed: once it runs its `hold_at`-th shard it writes the task's id to `report_to` and
/// goes no further.
struct Victim {
  std::uint64_t hold_at = 0;
  int report_to = -1;
};

/// Counts shards until the table is drained. The exit status of the process.
int work(const std::string& segment, const Victim* victim);

}  // namespace wordcount
