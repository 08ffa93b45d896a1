#pragma once
// What the tests of casts have in common: each cast explored within its bounds, to the end, without a failure.

#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "sim.hpp"

namespace sim {

/// `Case` has name, cast, and the bounds of the slice that every run does and of the long one (SHMQ_LONG=1).
template <class Scenario, class Case>
void explore_cast(const char* kind, const Case& each) {
  const Report report = explore<Scenario>({.name = std::string(kind) + ' ' + each.name,
                                           .bounds = long_run() ? each.long_bounds : each.bounds,
                                           .executions_max = long_run() ? 200'000'000ull : 20'000'000ull},
                                          each.cast);
  EXPECT_FALSE(report.failed) << report;
  EXPECT_TRUE(report.exhausted) << report;
  std::cout << report.executions << " executions, " << report.states << " states, " << report.seconds << " s of CPU\n";
}

}  // namespace sim
