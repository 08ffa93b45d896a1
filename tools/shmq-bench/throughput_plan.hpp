// What one run of `throughput` compares for one size of payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "settings.hpp"

namespace shmq::bench {

enum class System { plain, vyukov, boost, queue };

/// One column of the comparison: a system, and how many messages it moves at once.
struct Lane {
  System system = System::queue;
  Kind kind = Kind::mpmc;
  unsigned batch = 1;
};

struct ThroughputPlan {
  std::size_t bytes = 0;
  std::uint64_t capacity = 0;
  unsigned producers = 1;
  unsigned consumers = 1;
  std::vector<Lane> lanes;
  unsigned roles() const { return producers + consumers; }
  bool one_to_one() const { return producers == 1 && consumers == 1; }
};

ThroughputPlan make_plan(const Settings& settings, std::size_t bytes);

}  // namespace shmq::bench
