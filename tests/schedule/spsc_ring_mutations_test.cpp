// The byte ring with one part of its protocol broken at a time: for each the exploration must fail, and say how. A
// mutation that nothing turns red would mean that the explorations of spsc_ring_test.cpp do not reach what that part is
// for.

#include <gtest/gtest.h>

#include <iostream>

#include "spsc_scenario.hpp"

namespace {
using namespace spsc_test;
using enum Part;

struct Broken {
  const char* name;
  Flaw flaw;
  const char* symptom;  // what the report must say
  Cast cast;
  sim::Bounds bounds;
};

const Broken all[] = {
    {"published_by_a_relaxed_store",
     Flaw::relaxed_publish,
     "",
     {.parts = {producer, consumer}, .exact = false},
     {.preemptions = 3, .delays = 1}},
    {"the_next_header_not_cleared",
     Flaw::next_not_cleared,
     "",
     {.parts = {producer, consumer}, .messages = 4},
     {.preemptions = 3}},
    {"the_record_claimed_last_not_named",
     Flaw::last_not_stored,
     "",
     {.parts = {producer, producer, consumer}, .messages = 1, .start = 0},
     {.preemptions = 2, .crashes = 1}},
    {"a_claim_after_one_that_is_open_and_has_no_extent",
     Flaw::open_extent_left_out,
     "",
     {.parts = {producer, consumer}, .start = 0, .two_claims = true},
     {.preemptions = 2, .crashes = 1}},
    {"the_record_claimed_last_named_by_a_relaxed_store",
     Flaw::last_relaxed,
     "wedge",
     {.parts = {producer, producer, consumer}, .start = 0, .two_claims = true},
     {.preemptions = 2, .crashes = 1}},
    {"the_last_record_not_mended_by_a_successor",
     Flaw::last_not_mended,
     "",
     {.parts = {producer, producer, consumer}, .messages = 1, .start = 0},
     {.preemptions = 2, .crashes = 1}},
    {"received_not_stored_before_the_message_is_handed_out",
     Flaw::received_not_stored,
     "an unmarked repeat",
     {.parts = {producer, consumer, consumer}},
     {.preemptions = 2, .crashes = 1}},
    {"a_message_released_before_it_is_read",
     Flaw::released_before_read,
     "",
     {.parts = {producer, consumer}, .messages = 4},
     {.preemptions = 3}},
    {"a_release_before_its_turn_that_leaves_no_mark",
     Flaw::done_not_marked,
     "",
     {.parts = {producer, consumer, consumer}, .holds_two = true},
     {.preemptions = 2, .crashes = 1}},
    {"nothing_settled_by_a_successor",
     Flaw::settled_not_stored,
     "empty, and a message is there",
     {.parts = {producer, producer, consumer}},
     {.preemptions = 2, .crashes = 1}},
    {"a_hole_judged_by_the_first_look_at_its_word",
     Flaw::no_second_look,
     "",
     {.parts = {producer, producer, consumer}, .messages = 1},
     {.preemptions = 2, .crashes = 1}},
    {"tail_believed_without_a_second_look_at_the_owner",
     Flaw::no_owner_recheck,
     "",
     {.parts = {producer, producer, consumer}, .messages = 1},
     {.preemptions = 3, .crashes = 1}},
    {"closed_without_a_barrier",
     Flaw::close_without_barrier,
     "after the end of the stream",
     {.parts = {producer, consumer, closer}, .messages = 1, .exact = false},
     {.preemptions = 3, .delays = 1}},
    {"no_fence_in_a_claim_where_membarrier_is_refused",
     Flaw::fence_left_out,
     "after the end of the stream",
     {.parts = {producer, consumer, closer}, .messages = 1, .fenced = true, .exact = false},
     {.preemptions = 3, .delays = 1}},
    {"a_claim_that_looks_at_closing_before_it_moves_tail",
     Flaw::look_before_tail,
     "after the end of the stream",
     {.parts = {producer, consumer, closer}, .messages = 1},
     {.preemptions = 3}},
    {"an_end_freed_by_a_store",
     Flaw::freed_by_store,
     "",
     {.parts = {producer, producer, consumer, reaper}, .messages = 1},
     {.preemptions = 2, .crashes = 1, .may_crash = 1}},
};

class TheExplorer : public testing::TestWithParam<Broken> {};

TEST_P(TheExplorer, Finds) {
  Broken broken = GetParam();
  const auto explore = [&] {
    return sim::explore<SpscScenario>({.name = std::string("spsc mutation ") + broken.name,
                                       .bounds = broken.bounds,
                                       .executions_max = 8'000'000},
                                      broken.cast);
  };
  broken.cast.flaw = broken.flaw;
  const sim::Report report = explore();
  EXPECT_TRUE(report.failed) << report;
  EXPECT_NE(report.message.find(broken.symptom), std::string::npos) << report;
  std::cout << (report.failed ? report.message : std::string("NOT FOUND")) << " (after " << report.executions
            << " executions, " << report.seconds << " s, exhausted " << report.exhausted << ")\n";
  broken.cast.flaw = Flaw::none;
  const sim::Report whole = explore();
  EXPECT_FALSE(whole.failed) << "found without the flaw, too: " << whole;
}
INSTANTIATE_TEST_SUITE_P(Mutations, TheExplorer, testing::ValuesIn(all),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
