// The protocol with one part of it broken at a time: for each the exploration must fail, and say how. A
// mutation that nothing turns red would mean that the explorations of mpmc_ring_test.cpp do not reach what
// that part is for.

#include <gtest/gtest.h>

#include <iostream>

#include "ring_scenario.hpp"

namespace {
using namespace ring_test;
using enum Part;

struct Broken {
  const char* name;
  Mutation mutation;
  const char* symptom;  // what the report must say
  Cast cast;
  sim::Bounds bounds;
  sim::Search search = sim::Search::exhaustive;
  std::uint64_t seed = 1;  // one from which it does not take long
};

constexpr sim::Bounds crashes(unsigned n) { return {.preemptions = sim::unbounded, .crashes = n}; }
constexpr sim::Bounds with(sim::Bounds bounds, unsigned delays, unsigned stale = 0) {
  bounds.delays = delays;
  bounds.stale = stale;
  return bounds;
}

const Broken all[] = {
    {"a_trail_shared_by_tail_and_head",
     Mutation::shared_trail,
     "something is left in the ring",
     {.parts = {producer, producer, consumer}},
     crashes(1)},
    {"the_trail_scanned_before_tail_is_loaded",
     Mutation::trail_before_tail,
     "wedge",
     {.parts = {producer, producer, consumer}},
     crashes(1)},
    {"the_note_after_the_claim",
     Mutation::note_after_claim,
     "wedge",
     {.parts = {producer, producer, consumer}},
     crashes(1)},
    {"a_note_that_gives_up",
     Mutation::note_gives_up,
     "wedge",
     {.parts = {producer, producer, producer, consumer}, .messages_of_first = 4, .claim_batch = 2},
     {.preemptions = sim::unbounded, .crashes = 1, .may_crash = 1},
     sim::Search::random,
     1'390'900},
    {"the_sequence_seen_before_the_scan",
     Mutation::seen_before_scan,
     "wedge",
     {.parts = {producer, consumer, consumer}, .messages = 2, .take_batch = 2},
     crashes(1)},
    {"the_sequence_seen_after_the_scan",
     Mutation::seen_after_scan,
     "wedge",
     {.parts = {producer, consumer, consumer, reaper}},
     crashes(1),
     sim::Search::random},
    {"a_dead_consumers_tomb_unrepaired",
     Mutation::tomb_unrepaired,
     "wedge",
     {.parts = {producer, consumer, consumer}, .aborts = true},
     crashes(1)},
    {"a_dead_consumers_reading_unrepaired",
     Mutation::reading_unrepaired,
     "wedge",
     {.parts = {producer, consumer, consumer}, .gives_back = true},
     crashes(1)},
    {"an_id_freed_before_the_sweep_ends",
     Mutation::id_freed_before_the_sweep,
     "wedge",
     {.parts = {producer, consumer, reaper, new_producer}},
     crashes(1)},
    {"an_id_freed_while_another_sweeps_it",
     Mutation::id_freed_while_swept,
     "wedge",
     {.parts = {producer, consumer, reaper, new_producer}},
     crashes(1)},
    {"closed_in_a_word_of_its_own",
     Mutation::closed_apart,
     "claimed after close",
     {.parts = {producer, consumer, closer}},
     crashes(0)},
    {"a_dead_producers_claim_unrepaired",
     Mutation::claim_unrepaired,
     "wedge",
     {.parts = {producer, consumer}},
     crashes(1)},
    {"a_dead_consumers_message_unrepaired",
     Mutation::ready_unrepaired,
     "wedge",
     {.parts = {producer, consumer, consumer}},
     crashes(1)},
    {"a_sweep_that_announces_nothing",
     Mutation::no_announcement,
     "wedge",
     {.parts = {producer, consumer, consumer}},
     crashes(1)},
    {"a_sweep_that_announces_only_what_it_mended",
     Mutation::announced_if_mended,
     "wedge",
     {.parts = {producer, consumer, consumer, reaper}},
     crashes(2),
     sim::Search::random},
    {"death_not_established_again_after_the_mark",
     Mutation::no_second_look,
     "wedge",
     {.parts = {producer, consumer, reaper, new_producer}},
     crashes(1)},
    {"tomb_stored_rather_than_exchanged",
     Mutation::tomb_by_store,
     "something is left in the ring that nobody can take",
     {.parts = {producer, consumer, reaper}},
     crashes(1)},
    {"redeliver_stored_rather_than_exchanged",
     Mutation::redelivered_by_store,
     "delivered again after its release",
     {.parts = {producer, consumer, consumer, reaper}},
     crashes(1),
     sim::Search::random},
    {"the_lock_byte_taken_after_the_row",
     Mutation::lock_after_row,
     "wedge",
     {.parts = {producer, consumer, reaper, new_producer}},
     crashes(1)},
    {"a_redelivery_that_does_not_count",
     Mutation::count_apart,
     "an unmarked repeat",
     {.parts = {producer, consumer, consumer}},
     crashes(1)},
    {"the_end_of_the_stream_by_head_and_tail_alone",
     Mutation::end_without_slots,
     "the end of the stream before the last message",
     {.parts = {producer, consumer, consumer}},
     crashes(0)},
    {"a_death_believed_before_its_stores_have_landed",
     Mutation::none,
     "",
     {.parts = {producer, consumer, consumer}, .messages = 2},
     {.preemptions = sim::unbounded, .delays = 1, .crashes = 1, .early_news = true}},
    {"ready_by_a_relaxed_store",
     Mutation::relaxed_publish,
     "the payload is not what was sent",
     {.parts = {producer, consumer}},
     with(crashes(0), 1)},
    {"the_sweeping_mark_by_a_relaxed_store",
     Mutation::relaxed_mark,
     "wedge",
     {.parts = {producer, consumer, reaper, new_producer}},
     with(crashes(1), 1)},
    {"slots_loaded_without_acquire",
     Mutation::relaxed_slot_load,
     "the payload is not what was sent",
     {.parts = {producer, consumer}},
     with(crashes(0), 0, 1)},
    {"tail_and_head_loaded_without_acquire",
     Mutation::relaxed_end_load,
     "",
     {.parts = {producer, producer, consumer}},
     with(crashes(1), 0, 1),
     sim::Search::random},
};

class TheExplorer : public testing::TestWithParam<Broken> {};

TEST_P(TheExplorer, Finds) {
  Broken broken = GetParam();
  broken.cast.mutation = broken.mutation;
  broken.cast.start = (std::uint64_t{1} << 48) - 1;
  const sim::Report report =
      sim::explore<RingScenario<BreakableMemory>>({.name = std::string("mutation ") + broken.name,
                                                   .search = broken.search,
                                                   .bounds = broken.bounds,
                                                   .executions_max = 8'000'000,
                                                   .seed = broken.seed},
                                                  broken.cast);
  EXPECT_TRUE(report.failed) << report;
  EXPECT_NE(report.message.find(broken.symptom), std::string::npos) << report;
  std::cout << (report.failed ? report.message : std::string("NOT FOUND")) << " (after " << report.executions
            << " executions, " << report.seconds << " s, exhausted " << report.exhausted << ")\n";
}
INSTANTIATE_TEST_SUITE_P(Mutations, TheExplorer, testing::ValuesIn(all),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
