// When is a process that does not answer wedged? Not when it is merely slow: on a loaded machine anything is.
// So the first measure is processor time (an operation of microseconds that has burnt seconds spins for ever,
// however loaded the machine is), and wall time counts only against a process that is asleep.
#pragma once

#include <sys/types.h>
#include <chrono>
#include <cstdint>
#include <string>

namespace killtest {

struct Limits {
  std::chrono::milliseconds cpu{5000};      // processor time that one answer may take
  std::chrono::milliseconds asleep{10000};  // wall time that an answer may take if the process then sleeps
  std::uint64_t steps = 1'000'000;          // instructions between the marks
  std::size_t findings = 25;                // after so many a run gives up
  std::size_t instructions = 0;  // where each instruction is a point: about so many of them, evenly spread; 0: all
};

/// Watches one process from construction on.
class Patience {
 public:
  Patience(pid_t pid, const Limits& limits);
  /// Empty while the process may still answer; otherwise why it is given up.
  std::string exhausted() const;
  std::chrono::milliseconds waited() const;

 private:
  pid_t pid_;
  Limits limits_;
  std::chrono::steady_clock::time_point since_;
  std::chrono::nanoseconds cpu_before_;
};

/// The state letter of /proc/PID/stat ('R', 'S', 't', 'Z', ...), or '?' when there is no such process.
char process_state(pid_t pid);

}  // namespace killtest
