// The processes of the job. Each attaches on its own and knows nothing but the segment's name.
#pragma once

#include <cstdint>
#include <string>

#include "corpus.hpp"

namespace wordcount {

inline constexpr const char* kChunks = "chunks";
inline constexpr const char* kCounts = "counts";

/// What a worker says about a chunk: precedes the encoded count in each message of the queue `counts`.
struct ResultHeader {
  std::uint64_t chunk_generation;  // with chunk_position the id of the chunk's message: repeats have the same
  std::uint64_t chunk_position;
  std::uint64_t chunk_bytes;
  std::int64_t received_ns;  // CLOCK_MONOTONIC
  std::int32_t worker_pid;
  std::uint32_t redelivered;
};

/// The worker that is going to be killed: once it holds its `hold_at`-th chunk it writes the message's id to
/// `report_to` and keeps the message.
struct Victim {
  std::uint64_t hold_at = 0;
  int report_to = -1;
};
struct HeldMessage {
  std::uint64_t generation;
  std::uint64_t position;
};

int feed(const std::string& segment, const Corpus& corpus);
int work(const std::string& segment, const Victim* victim);

}  // namespace wordcount
