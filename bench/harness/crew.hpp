// A crew: workers that do one measurement together, each on a CPU of its own choosing, as processes that are
// forked for it or, for what cannot work between processes, as threads.
//
// The caller's process only waits. A worker process that throws, or dies, or a crew that is not done after
// kPatienceSeconds ends the whole crew, and run() throws with the reason. Threads cannot be ended from outside: there
// the program ends, with the reason. One crew at a time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "harness/shared_page.hpp"

namespace bench {

enum class Place : std::uint8_t { processes, threads };

/// What the program was asked for; read by every benchmark.
struct Settings {
  std::vector<int> cpus;   // workers are pinned to these in turn
  double burst_ms = 100;   // how long one row is measured
  bool scaling = false;    // instead of all else: from 1x1 to 16x16 workers, no more producers than CPUs
};
Settings& settings();
/// 1, 2, 4, 8, 16, as far as there are CPUs.
std::vector<unsigned> scaling_steps();
/// Takes --cpus=A,B, --burst-ms=N and --scaling out of the arguments; ends the program with a message where they are wrong.
void take_settings(int& argc, char** argv);

/// The signal that asked the program to end, or 0. A crew at work is ended then, and the benchmark removes what it made.
int interrupted_by();

void pin_to(int cpu);

class Crew {
 public:
  explicit Crew(Place place);
  /// One more worker, pinned to `cpu`.
  void add(int cpu, std::function<void()> work);
  /// Starts all, waits for all. Throws std::runtime_error.
  void run();

  /// For the workers: returns once all of them have come here, as often as that is called. Throws where a
  /// worker has failed.
  void meet();

 private:
  static constexpr std::size_t kWorkersMax = 64;
  static constexpr int kPatienceSeconds = 30;
  struct Page {
    std::atomic<std::uint32_t> arrived{0};
    std::atomic<std::uint32_t> done{0};
    std::atomic<bool> failed{false};
    std::array<std::array<char, 256>, kWorkersMax> errors{};
  };
  void run_processes();
  void run_threads();
  void work(std::size_t i) noexcept;
  std::string first_error() const;
  static std::int64_t patience_from_now();

  struct Worker {
    int cpu;
    std::function<void()> work;
  };
  Place place_;
  std::vector<Worker> workers_;
  Shared<Page> page_;
};

}  // namespace bench
