// What is going on, on standard error while it goes on: one line that is written over on a terminal, one line
// for each piece of work where progress was asked for and there is none.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace shmq::bench {

class Progress {
 public:
  enum class Mode { none, lines, terminal };
  explicit Progress(Mode mode) : mode_(mode) {}
  ~Progress() { clear(); }

  /// A new piece of work of `steps` steps; `done` is raised by the roles, in shared memory.
  void begin(const std::string& what, std::uint64_t steps, const std::atomic<std::uint64_t>* done);
  /// Called some times a second.
  void tick();
  /// The line goes away: before anything else is written, and at the end.
  void clear();

 private:
  Mode mode_;
  bool drawn_ = false;
  std::string what_;
  std::uint64_t steps_ = 0;
  const std::atomic<std::uint64_t>* done_ = nullptr;
};

}  // namespace shmq::bench
