// What map says while it works: a line that moves on a terminal, else a line a second.
#pragma once

#include <cstdint>

namespace shmq::cli {

class MapProgress {
 public:
  /// Not wanted: show() says nothing, and is never due.
  explicit MapProgress(bool wanted);

  struct Counts {
    std::uint64_t done = 0, failed = 0, to_do = 0;
    bool input_over = false;  // there will be no more to do
  };
  /// Where it is due, or this is the last time.
  void show(const Counts& counts, bool last);
  /// On CLOCK_MONOTONIC; INT64_MAX: never.
  std::int64_t due_ns() const;

 private:
  const bool wanted_;
  const bool terminal_;
  const std::int64_t step_ns_;
  const std::int64_t began_ns_;
  std::int64_t shown_ns_ = 0;
};

}  // namespace shmq::cli
