// The ring of hints and the words of a task table with one part of their protocol broken at a time: for each
// the exploration must fail, and say how. What changes nothing is listed, too, and must be explored to its
// end.

#include <gtest/gtest.h>

#include <iostream>

#include "hint_scenario.hpp"
#include "task_scenario.hpp"

namespace {
using namespace task_test;
using enum Part;

template <class Cast>
struct Broken {
  const char* name;
  Flaw flaw;
  const char* symptom;  // what the report must say
  Cast cast;
  sim::Bounds bounds;
};
constexpr sim::Bounds within(unsigned preemptions, unsigned crashes) {
  return {.preemptions = preemptions, .crashes = crashes};
}

template <class Scenario, class Cast>
sim::Report explore(const char* kind, const Broken<Cast>& broken, Flaw flaw) {
  Cast cast = broken.cast;
  cast.flaw = flaw;
  return sim::explore<Scenario>(
      {.name = std::string(kind) + broken.name, .bounds = broken.bounds, .executions_max = 8'000'000}, cast);
}

template <class Scenario, class Cast>
void finds(const char* kind, const Broken<Cast>& broken) {
  const sim::Report report = explore<Scenario>(kind, broken, broken.flaw);
  EXPECT_TRUE(report.failed) << report;
  EXPECT_NE(report.message.find(broken.symptom), std::string::npos) << report;
  std::cout << (report.failed ? report.message : std::string("NOT FOUND")) << " (after " << report.executions
            << " executions, " << report.seconds << " s, exhausted " << report.exhausted << ")\n";
  const sim::Report whole = explore<Scenario>(kind, broken, Flaw::none);
  EXPECT_FALSE(whole.failed) << "found without the flaw, too: " << whole;
  EXPECT_TRUE(whole.exhausted) << whole;
}

constexpr std::uint64_t start = std::uint64_t{0} - 1;

const Broken<HintCast> rings[] = {
    {"tail_moved_before_the_cell",
     Flaw::tail_before_cell,
     "the ring says corrupt",
     {.scripts = {"+", "+-"}, .start = start},
     within(2, 1)},
    {"a_pop_that_leaves_tail",
     Flaw::pop_leaves_tail,
     "tail lies behind head",
     {.scripts = {"+", "-"}, .start = start},
     within(2, 1)},
    {"a_push_that_does_not_help",
     Flaw::tail_not_helped,
     "livelock",
     {.scripts = {"+", "+"}, .start = start},
     within(2, 1)},
    {"a_push_that_does_not_step_over_what_was_popped",
     Flaw::popped_not_stepped_over,
     "livelock",
     {.scripts = {"+", "-", "+"}, .start = start},
     within(2, 1)},
    {"a_pop_that_does_not_help",
     Flaw::head_not_helped,
     "the ring says corrupt",
     {.scripts = {"-", "-"}, .start = start, .there = 2},
     within(2, 1)},
    {"popped_by_a_store",
     Flaw::popped_by_store,
     "popped out of turn",
     {.scripts = {"-", "-"}, .start = start, .there = 2},
     within(2, 0)},
    {"pushed_by_a_store",
     Flaw::pushed_by_store,
     "pushed over another",
     {.scripts = {"+", "+"}, .start = start},
     within(2, 0)},
};

const Broken<TaskCast> tables[] = {
    {"an_end_counted_at_the_first_look",
     Flaw::count_at_first_look,
     "the tally",
     {.parts = {failing, failing}, .records = {Init::failed}, .stale = 1},
     within(3, 0)},
    {"an_end_not_counted_before_a_claim",
     Flaw::count_after_claim,
     "the tally",
     {.parts = {failing, failing}, .records = {Init::ready}},
     within(2, 1)},
    {"an_end_not_counted_before_a_revival",
     Flaw::count_after_revival,
     "the tally is not what the runs came to",
     {.parts = {kicker, remover, failing}, .records = {Init::dead}},
     within(3, 1)},
    {"a_tally_that_is_stored",
     Flaw::count_by_store,
     "the tally",
     {.parts = {failing, failing}, .rounds = 2, .records = {Init::failed}, .stale = 1},
     within(3, 0)},
    {"a_run_ended_by_a_store",
     Flaw::settle_by_store,
     "a transition that there is not",
     {.parts = {worker, reaper, reaper}, .records = {Init::ready}},
     within(3, 1)},
    {"a_run_started_by_a_store",
     Flaw::start_by_store,
     "a transition that there is not",
     {.parts = {worker, thief}, .records = {Init::ready}},
     within(2, 0)},
    {"an_epoch_not_raised_by_giving_back",
     Flaw::unclaim_keeps_epoch,
     "did not rise",
     {.parts = {giver, worker}, .records = {Init::ready}},
     within(2, 0)},
    {"an_epoch_not_raised_by_taking_over",
     Flaw::steal_keeps_epoch,
     "did not rise",
     {.parts = {worker, thief}, .records = {Init::ready}},
     within(2, 0)},
    {"an_epoch_not_raised_by_revival",
     Flaw::revive_keeps_epoch,
     "the tally",
     {.parts = {kicker, worker}, .records = {Init::dead}, .epochs_rise = false},
     within(2, 0)},
    {"a_tally_cleared_after_publication",
     Flaw::clear_after_publish,
     "the tally",
     {.parts = {remover, submitter, submitter}, .records = {Init::dead}},
     within(2, 0)},
    {"hints_put_back_before_the_words_change",
     Flaw::restore_before_words,
     "nobody will find it",
     {.parts = {worker, reaper}, .records = {Init::ready}},
     within(2, 1)},
    {"no_hints_put_back",
     Flaw::nothing_restored,
     "nobody will find it",
     {.parts = {worker, reaper}, .records = {Init::ready}},
     within(2, 1)},
    {"a_hint_before_the_word",
     Flaw::announce_before_word,
     "nobody will find it",
     {.parts = {submitter, worker}},
     within(2, 0)},
    {"a_lost_hint_that_nobody_notes",
     Flaw::loss_not_noted,
     "nobody will find it",
     {.parts = {submitter, worker}, .records = {Init::done, Init::free}, .stale = 4},
     within(2, 0)},
};

// No schedule within these bounds, and no argument that we know of, tells them from the protocol as it is:
// docs/testing.md says why.
const Broken<HintCast> rings_alike[] = {
    {"full_at_the_first_look",
     Flaw::full_at_first_look,
     "",
     {.scripts = {"+", "-+-+", "-"}, .start = start, .there = 1},
     within(4, 1)},
    {"empty_at_the_first_look",
     Flaw::empty_at_first_look,
     "",
     {.scripts = {"-", "+-+-+", "+"}, .start = start},
     within(4, 1)},
};
const Broken<TaskCast> tables_alike[] = {
    {"an_epoch_not_raised_by_giving_back",
     Flaw::unclaim_keeps_epoch,
     "",
     {.parts = {giver, worker, thief, canceller}, .records = {Init::failed}, .epochs_rise = false},
     within(2, 1)},
    {"records_looked_at_before_the_rings",
     Flaw::records_before_rings,
     "",
     {.parts = {giver, failing, reaper, idler}, .records = {Init::ready}},
     within(2, 2)},
    {"records_looked_at_before_the_rings_by_two_reapers",
     Flaw::records_before_rings,
     "",
     {.parts = {submitter, worker, reaper, reaper}},
     within(2, 2)},
};

class TheExplorerOfHints : public testing::TestWithParam<Broken<HintCast>> {};
TEST_P(TheExplorerOfHints, Finds) { finds<HintScenario>("hints mutation ", GetParam()); }
class TheExplorerOfTasks : public testing::TestWithParam<Broken<TaskCast>> {};
TEST_P(TheExplorerOfTasks, Finds) { finds<TaskScenario>("tasks mutation ", GetParam()); }

void cannot_tell(const sim::Report& report) {
  EXPECT_FALSE(report.failed) << report;
  EXPECT_TRUE(report.exhausted) << report;
  std::cout << report.executions << " executions, " << report.states << " states, " << report.seconds
            << " s of CPU\n";
}
class NoScheduleOfHints : public testing::TestWithParam<Broken<HintCast>> {};
TEST_P(NoScheduleOfHints, Tells) {
  cannot_tell(explore<HintScenario>("hints alike ", GetParam(), GetParam().flaw));
}
class NoScheduleOfTasks : public testing::TestWithParam<Broken<TaskCast>> {};
TEST_P(NoScheduleOfTasks, Tells) {
  cannot_tell(explore<TaskScenario>("tasks alike ", GetParam(), GetParam().flaw));
}

constexpr auto name_of = [](const auto& each) { return std::string(each.param.name); };
INSTANTIATE_TEST_SUITE_P(Mutations, TheExplorerOfHints, testing::ValuesIn(rings), name_of);
INSTANTIATE_TEST_SUITE_P(Mutations, TheExplorerOfTasks, testing::ValuesIn(tables), name_of);
INSTANTIATE_TEST_SUITE_P(Mutations, NoScheduleOfHints, testing::ValuesIn(rings_alike), name_of);
INSTANTIATE_TEST_SUITE_P(Mutations, NoScheduleOfTasks, testing::ValuesIn(tables_alike), name_of);

}  // namespace
