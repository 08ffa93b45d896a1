// The ring of hints of include/shmq/core/hint_ring.hpp under every schedule within bounds: kills and stops at
// any step, store buffers, laps and positions that wrap.

#include <gtest/gtest.h>

#include "cast_test.hpp"
#include "hint_scenario.hpp"

namespace {
using namespace task_test;

struct Case {
  const char* name;
  HintCast cast;
  sim::Bounds bounds;       // of the slice that every run of the tests does
  sim::Bounds long_bounds;  // SHMQ_LONG=1
};

constexpr sim::Bounds within(unsigned preemptions, unsigned delays, unsigned crashes, unsigned stops = 0) {
  return {.preemptions = preemptions, .delays = delays, .crashes = crashes, .stops = stops};
}
constexpr unsigned any = sim::unbounded;
/// Positions so many steps before their laps wrap; before they wrap themselves.
constexpr std::uint64_t before_laps_wrap(unsigned log2, unsigned steps) {
  return (std::uint64_t{1} << (32 + log2)) - steps;
}
constexpr std::uint64_t before_the_end(unsigned steps) { return std::uint64_t{0} - steps; }

const Case all[] = {
    {"one_pushes_and_one_pops",
     {.scripts = {"++++", "----"}, .start = before_laps_wrap(1, 1)},
     within(any, 0, 2),
     within(any, 2, 2)},
    {"two_push_to_an_empty_ring",
     {.scripts = {"++", "++", "--"}, .start = before_the_end(1)},
     within(3, 0, 1),
     within(any, 0, 2)},
    {"two_pop_from_a_full_ring",
     {.scripts = {"--", "--", "++"}, .start = before_the_end(3), .there = 2},
     within(3, 0, 1),
     within(any, 0, 2)},
    {"each_does_both",
     {.scripts = {"+-+-", "-+-+", "+-"}, .start = before_laps_wrap(1, 3), .there = 1},
     within(2, 0, 1),
     within(4, 0, 1)},
    {"one_that_sleeps_while_the_ring_goes_round",
     {.scripts = {"+", "+-+-+-+-"}, .start = before_laps_wrap(1, 2)},
     within(4, 0, 2),
     within(any, 1, 2)},
    {"one_that_sleeps_with_a_pop_while_the_ring_goes_round",
     {.scripts = {"-", "-+-+-+-+"}, .start = before_the_end(2), .there = 1},
     within(4, 0, 2),
     within(any, 1, 2)},
    {"three_push",
     {.scripts = {"+", "+", "+", "--"}, .start = before_laps_wrap(1, 1)},
     within(2, 0, 1),
     within(4, 0, 1)},
    {"three_pop",
     {.scripts = {"-", "-", "-", "++"}, .start = before_the_end(2), .there = 2},
     within(2, 0, 1),
     within(4, 0, 1)},
    {"four_cells",
     {.scripts = {"+++", "+++", "---"}, .log2 = 2, .start = before_the_end(4), .there = 2},
     within(2, 0, 1),
     within(4, 0, 2)},
    {"four_cells_and_laps_that_wrap",
     {.scripts = {"-+-", "+-+", "--"}, .log2 = 2, .start = before_laps_wrap(2, 5), .there = 3},
     within(2, 0, 1),
     within(4, 0, 1)},
    {"two_die",
     {.scripts = {"+-", "-+", "+-"}, .start = before_the_end(1), .there = 1},
     within(3, 0, 2),
     within(any, 0, 2)},
    {"stopped_at_any_step",
     {.scripts = {"+-+", "-+-", "+-"}, .start = before_the_end(1), .there = 1},
     within(1, 0, 1, 1),
     within(3, 0, 1, 1)},
    {"store_buffers",
     {.scripts = {"++", "--", "+-"}, .start = before_the_end(1), .there = 1},
     within(2, 2, 1),
     within(any, 2, 1)},
};

class HintRing : public testing::TestWithParam<Case> {};

TEST_P(HintRing, IsAQueueWhoeverDies) {
  sim::explore_cast<HintScenario>("hints", GetParam());
}
INSTANTIATE_TEST_SUITE_P(Schedules, HintRing, testing::ValuesIn(all),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
