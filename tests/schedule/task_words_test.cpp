// The words of a task table (include/shmq/core/task_words.hpp) with the hints to them under every schedule
// within bounds: kills and stops at any step of whoever submits, runs, takes over, cancels, removes or
// sweeps.

#include <gtest/gtest.h>

#include "cast_test.hpp"
#include "task_scenario.hpp"

namespace {
using namespace task_test;
using enum Part;

struct Case {
  const char* name;
  TaskCast cast;
  sim::Bounds bounds;       // of the slice that every run of the tests does
  sim::Bounds long_bounds;  // SHMQ_LONG=1
};

constexpr sim::Bounds within(unsigned preemptions, unsigned delays, unsigned crashes, unsigned stops = 0) {
  return {.preemptions = preemptions, .delays = delays, .crashes = crashes, .stops = stops};
}
constexpr unsigned any = sim::unbounded;
constexpr std::uint64_t last_epoch = shmq::layout::kEpochMask, last_tag = shmq::layout::kTallyTagMask;

const Case all[] = {
    {"one_submits_and_one_runs",
     {.parts = {submitter, worker}, .rounds = 2},
     within(4, 0, 2),
     within(any, 0, 2)},
    {"two_submit", {.parts = {submitter, submitter, worker}}, within(3, 0, 1), within(5, 0, 2)},
    {"two_compete_for_a_task",
     {.parts = {worker, worker}, .rounds = 2, .records = {Init::failed}, .epoch = last_epoch - 2, .stale = 1},
     within(any, 0, 2),
     within(any, 2, 2)},
    {"runs_that_fail",
     {.parts = {failing, failing, worker}, .records = {Init::failed}, .epoch = last_tag - 2, .stale = 1},
     within(2, 0, 1),
     within(3, 0, 2)},
    {"runs_that_fail_too_often",
     {.parts = {failing, failing},
      .rounds = 2,
      .records = {Init::ready},
      .failures_max = 1,
      .epoch = last_epoch - 1,
      .stale = 1},
     within(4, 0, 1),
     within(any, 0, 2)},
    {"a_worker_dies_and_two_reap",
     {.parts = {worker, reaper, reaper}, .records = {Init::failed}, .epoch = last_tag},
     within(3, 0, 2),
     within(5, 0, 2)},
    {"workers_die_and_are_swept",
     {.parts = {failing, worker, reaper}, .rounds = 2, .records = {Init::ready}, .stale = 1},
     within(2, 0, 2),
     within(3, 0, 2)},
    {"a_task_that_crashes_too_often",
     {.parts = {worker, worker, reaper}, .records = {Init::ready}, .crashes_max = 1, .epoch = last_epoch - 3},
     within(2, 0, 2),
     within(4, 0, 2)},
    {"a_submitter_dies_and_is_swept",
     {.parts = {submitter, submitter, reaper}, .records = {Init::free, Init::free}},
     within(2, 0, 2),
     within(3, 0, 2)},
    {"taken_over_before_it_starts",
     {.parts = {worker, thief, thief, giver}, .rounds = 1, .records = {Init::failed}},
     within(3, 0, 1),
     within(5, 0, 1)},
    {"taken_over_from_the_dead_while_it_is_swept",
     {.parts = {worker, thief, giver, reaper}, .records = {Init::failed}, .stale = 1},
     within(2, 0, 2),
     within(3, 0, 2)},
    {"given_back",
     {.parts = {giver, worker, thief}, .records = {Init::failed}, .stale = 1},
     within(3, 0, 1),
     within(5, 0, 1)},
    {"cancelled_at_any_time",
     {.parts = {canceller, worker, giver}, .records = {Init::failed}},
     within(3, 0, 1),
     within(4, 0, 2)},
    {"removed_and_there_is_another_task",
     {.parts = {remover, worker, submitter}, .records = {Init::failed}},
     within(3, 0, 1),
     within(4, 0, 2)},
    {"removed_by_two_and_cancelled",
     {.parts = {remover, remover, canceller, submitter}, .records = {Init::done}},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"removed_by_one_who_dies",
     {.parts = {remover, remover, submitter, reaper}, .records = {Init::failed}},
     within(2, 0, 1),
     within(3, 0, 2)},
    {"revived",
     {.parts = {kicker, kicker, worker, failing}, .records = {Init::dead}, .epoch = last_tag},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"revived_or_removed",
     {.parts = {kicker, remover, failing}, .records = {Init::dead}},
     within(3, 0, 1),
     within(5, 0, 1)},
    {"hints_put_back_while_others_have_them_in_hand",
     {.parts = {idler, giver, worker, idler}, .records = {Init::ready}},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"hints_for_which_there_is_no_room",
     {.parts = {submitter, worker, worker}, .records = {Init::done, Init::free}, .stale = 4},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"two_records",
     {.parts = {submitter, worker, failing, reaper}, .records = {Init::free, Init::failed}},
     within(1, 0, 2),
     within(2, 0, 2)},
    {"stopped_at_any_step",
     {.parts = {worker, failing, thief, reaper}, .records = {Init::failed}, .stale = 1},
     within(1, 0, 1, 1),
     within(2, 0, 1, 1)},
    {"store_buffers",
     {.parts = {submitter, worker, remover, reaper}, .records = {Init::done}},
     within(2, 1, 1),
     within(3, 1, 2)},
};

class TaskTable : public testing::TestWithParam<Case> {};

TEST_P(TaskTable, KeepsItsPromises) {
  sim::explore_cast<TaskScenario>("tasks", GetParam());
}
INSTANTIATE_TEST_SUITE_P(Schedules, TaskTable, testing::ValuesIn(all),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
