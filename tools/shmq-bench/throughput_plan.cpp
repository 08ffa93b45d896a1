#include "throughput_plan.hpp"

#include <algorithm>

namespace shmq::bench {

ThroughputPlan make_plan(const Settings& settings, std::size_t bytes) {
  ThroughputPlan plan{bytes, capacity_for(settings, bytes), settings.producers, settings.consumers, {}};
  const auto has = [&](Kind kind) {
    return std::find(settings.kinds.begin(), settings.kinds.end(), kind) != settings.kinds.end();
  };
  // The rings only look and never yield: each role needs a processor of its own.
  if (plan.one_to_one() && settings.two_cpus()) {
    if (has(Kind::spsc)) plan.lanes.push_back({System::plain});
    if (has(Kind::mpmc)) plan.lanes.push_back({System::vyukov});
  }
  if (!plan.one_to_one()) plan.lanes.push_back({System::boost});
  for (const Kind kind : settings.kinds) {
    if (kind == Kind::spsc && !plan.one_to_one()) continue;
    for (const unsigned batch : settings.batches)
      if (batch == 1 || travels_inline(bytes)) plan.lanes.push_back({System::queue, kind, batch});
  }
  return plan;
}

}  // namespace shmq::bench
