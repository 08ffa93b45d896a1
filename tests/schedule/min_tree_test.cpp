// The trees of minima of include/shmq/core/min_tree.hpp under every schedule within bounds: kills and stops at any step.

#include <gtest/gtest.h>

#include "cast_test.hpp"
#include "tree_scenario.hpp"

namespace {
using namespace tree_test;
using shmq::core::kNoKey;

struct Case {
  const char* name;
  TreeCast cast;
  sim::Bounds bounds;       // of the slice that every run of the tests does
  sim::Bounds long_bounds;  // SHMQ_LONG=1
};

constexpr sim::Bounds within(unsigned preemptions, unsigned crashes, unsigned stops = 0) {
  return {.preemptions = preemptions, .crashes = crashes, .stops = stops};
}

const Case all[] = {
    {"two_beside_each_other", {.scripts = {"03", "12"}}, within(sim::unbounded, 1), within(sim::unbounded, 2)},
    {"two_under_different_nodes", {.scripts = {"03", "22"}}, within(4, 1), within(sim::unbounded, 1)},
    {"one_index_twice", {.scripts = {"05", "0x"}, .keys = {3, 4, kNoKey, 5}}, within(4, 1), within(sim::unbounded, 1)},
    {"a_key_that_goes_while_it_climbs", {.scripts = {"03", "0x"}, .keys = {kNoKey, 5, kNoKey, kNoKey}}, within(sim::unbounded, 1), within(sim::unbounded, 2)},
    {"there_and_back", {.scripts = {"0305", "12"}, .keys = {5, 7, kNoKey, kNoKey}}, within(3, 1), within(6, 1)},
    {"two_take_the_least", {.scripts = {"?", "?"}, .keys = {3, 4, 5, 6}}, within(4, 1), within(sim::unbounded, 1)},
    {"one_takes_while_one_puts", {.scripts = {"??", "2113"}, .keys = {3, kNoKey, kNoKey, 6}}, within(3, 1), within(5, 1)},
    {"three", {.scripts = {"03", "12", "2x"}, .keys = {kNoKey, kNoKey, 4, kNoKey}}, within(2, 1), within(4, 1)},
    {"stopped_at_any_step", {.scripts = {"03", "?"}, .keys = {5, 4, kNoKey, 6}}, within(2, 1, 1), within(4, 1, 1)},
};

class MinTreeCasts : public testing::TestWithParam<Case> {};
TEST_P(MinTreeCasts, EndWithEveryNodeTheLeastOfItsChildren) { sim::explore_cast<TreeScenario>("a tree:", GetParam()); }
INSTANTIATE_TEST_SUITE_P(Casts, MinTreeCasts, testing::ValuesIn(all), [](const auto& each) { return std::string(each.param.name); });

struct Broken {
  const char* name;
  TreeCast cast;
  sim::Bounds bounds;
};
const Broken broken[] = {
    {"node_not_looked_at_again", {.scripts = {"03", "0x"}, .keys = {kNoKey, 5, kNoKey, kNoKey}, .flaw = Flaw::node_not_looked_at_again}, within(3, 0)},
    {"leaf_not_looked_at_again",
     {.scripts = {"0x", "05", "0x"}, .keys = {3, kNoKey, kNoKey, kNoKey}, .flaw = Flaw::leaf_not_looked_at_again},
     within(4, 0)},
    {"nothing_rebuilt", {.scripts = {"03", "12"}, .flaw = Flaw::nothing_rebuilt}, within(2, 1)},
};
class BrokenMinTrees : public testing::TestWithParam<Broken> {};
TEST_P(BrokenMinTrees, AreFound) {
  const sim::Report report = sim::explore<TreeScenario>(
      {.name = std::string("a broken tree: ") + GetParam().name, .bounds = GetParam().bounds, .executions_max = 20'000'000},
      GetParam().cast);
  EXPECT_TRUE(report.failed) << report;
  std::cout << report.message << " after " << report.executions << " executions\n";
}
INSTANTIATE_TEST_SUITE_P(Flaws, BrokenMinTrees, testing::ValuesIn(broken), [](const auto& each) { return std::string(each.param.name); });

}  // namespace
