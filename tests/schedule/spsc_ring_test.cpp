// The byte ring of include/shmq/core/spsc_ring.hpp and spsc_consumer.hpp under every schedule within bounds: store
// buffers, a kill at any step of either end and its succession, stops, records of different sizes that wrap.

#include <gtest/gtest.h>

#include "cast_test.hpp"
#include "spsc_scenario.hpp"

namespace {
using namespace spsc_test;
using enum Part;

struct Case {
  const char* name;
  Cast cast;
  sim::Bounds bounds;       // of the slice that every run of the tests does
  sim::Bounds long_bounds;  // SHMQ_LONG=1
};

constexpr sim::Bounds within(unsigned preemptions, unsigned delays, unsigned crashes, unsigned stops = 0) {
  return {.preemptions = preemptions, .delays = delays, .crashes = crashes, .stops = stops};
}
constexpr unsigned any = sim::unbounded;

const Case all[] = {
    {"one_and_one", {.parts = {producer, consumer}, .messages = 4}, within(any, 0, 0), within(any, 2, 0)},
    {"one_and_one_with_store_buffers",
     {.parts = {producer, consumer}, .messages = 2, .exact = false},
     within(any, 2, 0),
     within(any, any, 0)},
    {"records_of_different_sizes_that_leave_out_the_end",
     {.parts = {producer, consumer}, .extents = {48, 32, 64, 48}, .messages = 4},
     within(any, 0, 0),
     within(any, 0, 1)},
    {"a_ring_that_is_full",
     {.parts = {producer, consumer}, .extents = {64, 48, 48, 32}, .messages = 4, .start = 0},
     within(any, 0, 0),
     within(any, 0, 1)},
    {"batches",
     {.parts = {producer, consumer}, .messages = 4, .claim_batch = 2, .take_batch = 2},
     within(any, 0, 0),
     within(any, 0, 1)},
    {"an_abort_of_the_last",
     {.parts = {producer, consumer}, .messages = 3, .aborts = 2},
     within(any, 0, 0),
     within(any, 1, 1)},
    {"an_abort_before_another",
     {.parts = {producer, consumer}, .messages = 3, .aborts = 1, .two_claims = true},
     within(any, 0, 0),
     within(any, 0, 1)},
    {"a_batch_that_goes_on_where_it_made_room",
     {.parts = {producer, consumer},
      .extents = {64, 32, 48},
      .messages = 3,
      .take_batch = 4,
      .start = std::uint64_t{0} - 16,
      .aborts = 1,
      .two_claims = true,
      .exact = false},  // the books know nothing of what is left out at the ring's end
     within(any, 0, 0),
     within(any, 0, 1)},
    {"releases_before_their_turn",
     {.parts = {producer, consumer}, .messages = 4, .holds_two = true},
     within(any, 0, 0),
     within(any, 0, 1)},
    {"messages_given_back",
     {.parts = {producer, consumer}, .messages = 3, .take_batch = 2, .gives_back = true},
     within(any, 0, 0),
     within(any, 0, 1)},
    {"a_dead_producer_is_succeeded",
     {.parts = {producer, producer, consumer}, .extents = {32, 48, 32, 32}},
     within(2, 0, 1),
     within(3, 0, 2)},
    {"a_dead_producer_of_two_claims_is_succeeded",
     {.parts = {producer, producer, consumer}, .two_claims = true},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"a_dead_producer_whose_compiler_swapped_what_it_may",
     {.parts = {producer, producer, consumer}, .two_claims = true, .flaw = Flaw::swapped_where_relaxed},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"a_dead_producer_is_succeeded_while_a_message_is_held",
     {.parts = {producer, producer, consumer}, .holds_two = true},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"a_dead_consumer_is_succeeded",
     {.parts = {producer, consumer, consumer}, .messages = 2},
     within(2, 0, 1),
     within(3, 0, 2)},
    {"a_dead_consumer_that_held_two_is_succeeded",
     {.parts = {producer, consumer, consumer}, .messages = 3, .holds_two = true},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"a_dead_consumer_that_gave_back_is_succeeded",
     {.parts = {producer, consumer, consumer}, .messages = 2, .gives_back = true},
     within(2, 0, 1),
     within(3, 0, 1)},
    {"a_consumer_that_lets_go",
     {.parts = {producer, consumer, consumer}, .messages = 3, .lets_go = true},
     within(2, 0, 0),
     within(3, 0, 1)},
    {"both_ends_die",
     {.parts = {producer, producer, consumer, consumer}, .messages = 1},
     within(1, 0, 2),
     within(2, 0, 2)},
    {"deaths_with_store_buffers",
     {.parts = {producer, producer, consumer}, .messages = 1, .exact = false},
     within(2, 1, 1),
     within(3, 2, 1)},
    {"several_reap_one",
     {.parts = {producer, producer, consumer, reaper}, .messages = 1},
     within(1, 0, 1),
     within(2, 0, 1)},
    {"stopped_at_any_step",
     {.parts = {producer, producer, consumer, consumer}, .messages = 1},
     within(1, 0, 1, 1),
     within(2, 0, 1, 1)},
    {"a_close_at_any_time",
     {.parts = {producer, consumer, closer}, .exact = false},
     within(3, 1, 0),
     within(any, 2, 1)},
    {"a_close_at_any_time_where_membarrier_is_refused",
     {.parts = {producer, consumer, closer}, .fenced = true, .exact = false},
     within(3, 1, 0),
     within(any, 2, 1)},
    {"a_closer_that_dies",
     {.parts = {producer, consumer, closer}, .messages = 1},
     within(3, 0, 1),
     within(any, 0, 2)},
};

class SpscRing : public testing::TestWithParam<Case> {};

TEST_P(SpscRing, KeepsItsPromises) {
  sim::explore_cast<SpscScenario>("spsc", GetParam());
}
INSTANTIATE_TEST_SUITE_P(Schedules, SpscRing, testing::ValuesIn(all),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
