// map: what its parent and its workers agree on.
//
// The parent (map_parent.cpp) reads items (map_input.hpp), submits them to a task table (map_flights.hpp) in a segment of its
// own (map_segment.hpp), and writes what comes of them (map_output.hpp). Each worker (map_worker.cpp) is a forked process
// that attaches to the table by itself and runs one command at a time. The table is the truth; the pipe `told` only says
// where to look, so that nobody has to look everywhere.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "command_line.hpp"
#include "left_behind.hpp"
#include "records.hpp"

namespace shmq::cli {

inline constexpr int kMapTrouble = 255;  // exit status: map itself failed

struct MapOptions {
  unsigned workers = 1;
  bool keep_order = false;
  unsigned retries = 0;
  Framing framing = Framing::line;
  std::optional<std::int64_t> timeout_ns;
  std::string joblog;  // a path; empty: none
  bool progress = false;
};

inline constexpr const char* kMapTable = "items";
/// How many items are in the table at once: read, and not written yet.
inline constexpr std::uint32_t kMapItems = 1024;
inline constexpr std::uint32_t kMapResultBytes = 512;
/// So many workers may be killed with the same item in hand, and it is run again.
inline constexpr std::uint16_t kMapCrashesMax = 3;
/// An argument is no longer than that; with its NUL it is MAX_ARG_STRLEN of the kernel.
inline constexpr std::size_t kMapItemMax = (std::size_t{128} << 10) - 1;

/// The result of an item's task: this, and then its output where that has room. A larger one is in the worker's file.
struct MapResult {
  std::int64_t started_ns;  // CLOCK_REALTIME
  std::int64_t took_ns;
  std::int32_t status;  // exit status, where no signal ended it
  std::int32_t signal;
  std::uint32_t slot;     // whose file
  std::uint32_t in_file;  // 0 or 1
  std::uint64_t offset;   // in the file
  std::uint64_t bytes;
};
static_assert(sizeof(MapResult) == 48);
inline constexpr std::size_t kMapInlineMax = kMapResultBytes - sizeof(MapResult);

/// What a worker is given by its parent when it is forked.
struct MapPlace {
  const CommandLine& command;
  const MapOptions& options;
  std::string segment;
  pid_t parent;
  std::uint32_t slot;
  CommandPid& running;  // the parent ends it where the worker is dead
  int file;  // for output without a place in the table
  int told;  // a pipe: the number of each item (8 bytes) whose task is over
};

/// Runs items until there are none left, or it is told to end. The exit status of the process.
int run_map_worker(const MapPlace& place);

/// The exit status of the command.
int run_map(const CommandLine& command, const MapOptions& options);

}  // namespace shmq::cli
