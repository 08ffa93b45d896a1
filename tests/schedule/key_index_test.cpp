// The index of idempotency keys of include/shmq/core/key_index.hpp, and the judge of core/task_keys.hpp,
// under every schedule within bounds: kills and stops at any step, store buffers, epochs that wrap.

#include <gtest/gtest.h>

#include "cast_test.hpp"
#include "key_scenario.hpp"

namespace {
using namespace key_test;
using shmq::layout::KeyScope;

struct Case {
  const char* name;
  KeyCast cast;
  sim::Bounds bounds;       // of the slice that every run of the tests does
  sim::Bounds long_bounds;  // SHMQ_LONG=1
};

constexpr sim::Bounds within(unsigned preemptions, unsigned delays, unsigned crashes, unsigned stops = 0) {
  return {.preemptions = preemptions, .delays = delays, .crashes = crashes, .stops = stops};
}
/// Epochs so many steps before they wrap, in words and in references.
constexpr std::uint64_t before_words_wrap(unsigned steps) { return (std::uint64_t{1} << 40) - steps; }
constexpr std::uint64_t before_references_wrap(unsigned steps) { return (std::uint64_t{1} << 37) - steps; }

const Case all[] = {
    {"two_submit_the_same_key", {.scripts = {"1", "1", "R"}, .records = 2}, within(3, 0, 1), within(5, 0, 2)},
    {"two_submit_different_keys", {.scripts = {"12", "21"}, .records = 3}, within(2, 0, 1), within(4, 0, 1)},
    {"three_submit_the_same_key", {.scripts = {"1", "1", "1"}}, within(2, 0, 1), within(3, 0, 2)},
    {"while_the_first_one_ends",
     {.scripts = {"1", "1", "x"}, .there = "1", .epoch = before_words_wrap(1)},
     within(2, 0, 1),
     within(3, 0, 2)},
    {"one_sleeps_while_tasks_come_and_go",
     {.scripts = {"1", "1x1x2x1"}, .cells = 1, .records = 2, .epoch = before_references_wrap(2)},
     within(3, 0, 1),
     within(5, 0, 1)},
    {"one_sleeps_with_an_insertion_while_its_cell_is_used_again",
     {.scripts = {"1", "1x21"}, .cells = 1, .records = 2},
     within(2, 0, 1),
     within(4, 0, 1)},
    {"one_looks_first_while_tasks_come_and_go",
     {.scripts = {"1", "1x2x1"}, .records = 2, .looks_first = true},
     within(3, 0, 1),
     within(4, 0, 1)},
    {"with_the_dead_swept", {.scripts = {"1", "1", "2", "R"}}, within(1, 0, 2), within(2, 0, 2)},
    {"with_two_reapers", {.scripts = {"1", "1", "R", "R"}, .records = 2}, within(2, 0, 2), within(3, 0, 2)},
    {"full_and_not_full", {.scripts = {"3", "2x2", "x"}, .there = "1"}, within(2, 0, 0), within(3, 0, 1)},
    {"until_it_starts",
     {.scripts = {"1", "1", "rr"},
      .there = "1",
      .scope = KeyScope::until_started,
      .epoch = before_references_wrap(1)},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"until_it_is_done", {.scripts = {"1", "1", "rx"}, .there = "1"}, within(2, 0, 1), within(3, 0, 1)},
    {"stopped_at_any_step",
     {.scripts = {"1", "1x1", "R"}, .records = 2},
     within(1, 0, 1, 1),
     within(2, 0, 1, 1)},
    {"store_buffers", {.scripts = {"1", "1", "x"}, .records = 2}, within(2, 2, 1), within(3, 3, 1)},
};

class KeyIndexSchedules : public testing::TestWithParam<Case> {};

TEST_P(KeyIndexSchedules, KeepsOneTaskForEachKeyWhoeverDies) {
  sim::explore_cast<KeyScenario>("keys", GetParam());
}
INSTANTIATE_TEST_SUITE_P(Schedules, KeyIndexSchedules, testing::ValuesIn(all),
                         [](const auto& each) { return std::string(each.param.name); });

// ---- with one part of the protocol broken at a time, the exploration must fail, and say how

struct Broken {
  const char* name;
  Flaw flaw;
  const char* symptom;
  KeyCast cast;
  sim::Bounds bounds;
};

const Broken broken[] = {
    {"who_helps_without_a_second_look",
     Flaw::help_at_first_look,
     "two tasks with the same key",
     {.scripts = {"1", "1x21"}, .cells = 1, .records = 2},
     within(2, 0, 0)},
    {"a_cell_that_is_stored",
     Flaw::cell_by_store,
     "two tasks with the same key",
     {.scripts = {"1", "1x21"}, .cells = 1, .records = 2},
     within(2, 0, 0)},
    {"a_bucket_that_is_idle_too_early",
     Flaw::control_before_cell,
     "two tasks with the same key",
     {.scripts = {"1", "1"}, .records = 2},
     within(2, 0, 0)},
    {"an_insertion_over_another_one",
     Flaw::pending_not_finished,
     "two tasks with the same key",
     {.scripts = {"1", "1"}, .records = 2},
     within(2, 0, 0)},
    {"a_control_word_that_comes_back",
     Flaw::control_forgets,
     "two tasks with the same key",
     {.scripts = {"1", "1"}, .records = 2},
     within(2, 0, 0)},
    {"full_at_the_first_look",
     Flaw::full_at_first_look,
     "full, and there was room",
     {.scripts = {"x3", "x2"}, .there = "12"},
     within(3, 0, 0)},
    {"a_record_judged_at_the_first_look",
     Flaw::judge_at_first_look,
     "names no task with this key",
     {.scripts = {"2", "x2"}, .there = "1", .cells = 1, .records = 2},
     within(2, 0, 0)},
    {"a_record_that_became_another_task",
     Flaw::id_not_looked_at,
     "names no task with this key",
     {.scripts = {"1x1", "1"}, .records = 2},
     within(2, 0, 0)},
    {"a_task_that_is_not_there_yet",
     Flaw::not_published,
     "names no task with this key",
     {.scripts = {"1", "1"}, .records = 2},
     within(2, 0, 1)},
    {"published_before_it_is_put_in",
     Flaw::published_before_insertion,
     "two tasks with the same key",
     {.scripts = {"1", "1"}, .records = 2},
     within(2, 0, 0)},
    {"written_after_it_is_put_in",
     Flaw::written_after_insertion,
     "not written yet",
     {.scripts = {"1", "1"}, .records = 2},
     within(2, 0, 0)},
    {"a_record_of_the_dead_that_is_cleared_in_place",
     Flaw::cleared_in_place,
     "or not any more",
     {.scripts = {"1", "1", "R"}, .records = 2},
     within(2, 0, 1)},
};

class KeyIndexMutations : public testing::TestWithParam<Broken> {};
TEST_P(KeyIndexMutations, AreFound) {
  const auto explore = [&](Flaw flaw) {
    KeyCast cast = GetParam().cast;
    cast.flaw = flaw;
    return sim::explore<KeyScenario>({.name = std::string("keys mutation ") + GetParam().name,
                                      .bounds = GetParam().bounds,
                                      .executions_max = 8'000'000},
                                     cast);
  };
  const sim::Report report = explore(GetParam().flaw);
  EXPECT_TRUE(report.failed) << report;
  EXPECT_NE(report.message.find(GetParam().symptom), std::string::npos) << report;
  std::cout << (report.failed ? report.message : std::string("NOT FOUND")) << " (after " << report.executions
            << " executions, " << report.seconds << " s)\n";
  const sim::Report whole = explore(Flaw::none);
  EXPECT_FALSE(whole.failed) << "found without the flaw, too: " << whole;
  EXPECT_TRUE(whole.exhausted) << whole;
}
INSTANTIATE_TEST_SUITE_P(Mutations, KeyIndexMutations, testing::ValuesIn(broken),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
