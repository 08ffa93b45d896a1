// What was asked for on the command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "options.hpp"
#include "progress.hpp"
#include "shmq/options.hpp"

namespace shmq::bench {

enum class Kind { mpmc, spsc };
const char* to_string(Kind kind);

/// The parts of tasks, in the order in which they are measured.
inline constexpr const char* kTaskParts[] = {"cycle", "latency", "waiting", "delayed", "killed"};

struct Settings {
  std::vector<Kind> kinds;
  std::vector<std::size_t> sizes;
  std::uint64_t count = 0;  // messages (or round trips) of one sample; 0: as many as fit sample_ns
  std::int64_t sample_ns = 0;
  Wait wait = Wait::spin;
  bool wait_given = false;
  unsigned producers = 1;
  unsigned consumers = 1;
  std::vector<unsigned> batches;
  unsigned repeats = 5;
  std::uint64_t capacity = 0;  // 0: by size
  std::vector<int> cpus;
  /// A floor with a median below this was measured between two SMT siblings, which share a first-level cache.
  double smt_below_ns = 0;
  bool json = false;
  bool quick = false;
  // Of tasks.
  bool peers = false;
  std::vector<std::string> only;       // which of kTaskParts
  std::vector<std::uint64_t> waiting;  // how many tasks wait
  std::uint64_t delayed = 0;           // how many tasks are delayed
  std::uint64_t kills = 0;
  Progress::Mode progress = Progress::Mode::none;

  int cpu(unsigned role) const { return cpus[role % cpus.size()]; }
  bool two_cpus() const { return cpus.size() > 1; }
};

/// The declarations of all options, and what was given: throws UsageError.
Settings read_settings(const std::string& command, const std::vector<std::string>& words);

const char* to_string(Wait wait);

/// Slots of every ring under test: 1024, or so many that they take about 1 MiB, but at least 16.
std::uint64_t capacity_for(const Settings& settings, std::size_t bytes);
/// Bytes of one slot of a queue or ring whose slot has a header of 16: a power of two, or 64 where the
/// payload takes a block.
std::uint32_t slot_bytes_for(std::size_t bytes);
bool travels_inline(std::size_t bytes);

}  // namespace shmq::bench
