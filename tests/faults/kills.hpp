// Processes that are killed where they stand, over and over, and how long it took until others went on.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "shmq/base/clock.hpp"
#include "support.hpp"

namespace faults {

/// Kills in each test that prints how long a repair took.
inline constexpr int kKills = 30;

/// Prints the median and the longest of what was added; judges none.
class Times {
 public:
  explicit Times(const char* what) : what_(what) {}
  ~Times() {
    if (all_.empty()) return;
    std::sort(all_.begin(), all_.end());
    std::printf("%s: median %.1f ms, longest %.1f ms of %zu kills\n", what_, all_[all_.size() / 2], all_.back(),
                all_.size());
  }
  Times(const Times&) = delete;
  Times& operator=(const Times&) = delete;
  void add(std::int64_t since_ns) {
    all_.push_back(static_cast<double>(shmq::base::monotonic_ns() - since_ns) / 1e6);
  }

 private:
  const char* what_;
  std::vector<double> all_;
};

/// A process that reaches a point, and is killed there.
struct Victim {
  /// `hold` runs in the process, and ends in stay().
  explicit Victim(const std::string& name, const std::function<void(shmq::Segment&, std::atomic<bool>&)>& hold)
      : child([this, name, hold]() -> std::string {
          auto mine = opened(name);
          hold(mine, *ready);
          return "was not killed";
        }) {
    EXPECT_TRUE(eventually([&] { return ready->load(); }));
  }
  Shared<std::atomic<bool>> ready;
  Child child;
};

[[noreturn]] inline void stay(std::atomic<bool>& ready) {
  ready = true;
  for (;;) ::pause();
}

}  // namespace faults
