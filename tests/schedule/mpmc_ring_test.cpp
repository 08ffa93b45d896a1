// The ring as it is, include/shmq/core/mpmc_ring.hpp, over simulated atomics: every interleaving of small
// casts with a crash at every point, then random walks through larger ones. mpmc_ring_mutations_test.cpp
// shows that these explorations notice when a part of the protocol is missing.

#include <gtest/gtest.h>

#include <iostream>

#include "ring_scenario.hpp"

namespace {

using namespace ring_test;
using enum Part;

constexpr std::uint64_t before_the_position_wraps = (std::uint64_t{1} << 48) - 1;
constexpr std::uint64_t before_the_lap_wraps = (std::uint64_t{1} << 33) - 1;  // 32 bits of lap at two slots

sim::Bounds every_interleaving(unsigned crashes, unsigned delays = 0) {
  return {.preemptions = sim::unbounded, .delays = delays, .crashes = crashes};
}

void expect_sound(const char* name, const sim::Bounds& bounds, const Cast& cast) {
  const sim::Report report = sim::explore<RingScenario<PlainMemory>>(
      {.name = name, .bounds = bounds, .executions_max = ~std::uint64_t{0}}, cast);
  EXPECT_FALSE(report.failed) << report;
  EXPECT_TRUE(report.exhausted) << report;
  std::cout << report;
}

class MpmcRing : public testing::TestWithParam<std::uint64_t> {
 protected:
  std::uint64_t start() const { return GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(From, MpmcRing, testing::Values(5, before_the_position_wraps, before_the_lap_wraps),
                         [](const auto& each) {
                           return each.param == 5                           ? "AnOrdinaryPosition"
                                  : each.param == before_the_position_wraps ? "TheLastPosition"
                                                                            : "TheLastLap";
                         });

TEST_P(MpmcRing, TwoProducersAndAConsumerWithTwoCrashesAndHeldStores) {
  expect_sound("ppc", every_interleaving(2, 2), {.parts = {producer, producer, consumer}, .start = start()});
}
TEST_P(MpmcRing, AProducerAndTwoConsumersWithTwoCrashes) {
  expect_sound("pcc", every_interleaving(2), {.parts = {producer, consumer, consumer}, .start = start()});
}
constexpr std::uint64_t wrap = before_the_position_wraps;

TEST(MpmcRing, ASlotUsedAgainAndAgainWithACrash) {
  expect_sound("laps", every_interleaving(1, 1),
               {.parts = {producer, consumer}, .messages = 4, .start = wrap});
  expect_sound("laps and reaper", every_interleaving(1),
               {.parts = {producer, consumer, reaper}, .messages = 3, .start = wrap});
}
TEST(MpmcRing, BatchesWithACrash) {
  expect_sound("batches", every_interleaving(1),
               {.parts = {producer, consumer, consumer},
                .messages = 2,
                .claim_batch = 2,
                .take_batch = 2,
                .start = wrap});
  expect_sound("batches 2", every_interleaving(1),
               {.parts = {producer, producer, consumer},
                .messages = 2,
                .claim_batch = 2,
                .take_batch = 2,
                .start = wrap});
}
TEST(MpmcRing, TheTrailOfALoneProducerMayBeOfAnyAge) {
  // A lone producer never writes the trail, so a cell may be older than the comparison of positions reaches.
  constexpr std::uint64_t half = std::uint64_t{1} << 47;
  for (const std::uint64_t age : {half - 2, half, half + 2, 2 * half - 2}) {
    expect_sound("age", every_interleaving(1),
                 {.parts = {producer, producer, consumer}, .start = wrap, .trail_age = age});
    expect_sound("age 2", every_interleaving(1),
                 {.parts = {producer, consumer, consumer}, .start = wrap, .trail_age = age});
  }
}
TEST(MpmcRing, AbortedClaimsWithACrash) {
  expect_sound("aborts", every_interleaving(1),
               {.parts = {producer, consumer, consumer}, .messages = 2, .start = wrap, .aborts = true});
}
TEST(MpmcRing, MessagesGivenBackWithACrash) {
  expect_sound("given back", every_interleaving(1),
               {.parts = {producer, consumer, consumer}, .start = wrap, .gives_back = true});
}
TEST(MpmcRing, TheOldestDroppedByProducersWithACrash) {
  expect_sound("drops", every_interleaving(1),
               {.parts = {producer, consumer}, .messages = 4, .start = wrap, .drops = true});
  expect_sound("drops 2", every_interleaving(1),
               {.parts = {producer, producer, consumer},
                .messages = 1,
                .messages_of_first = 2,
                .start = wrap,
                .drops = true});
  expect_sound("drops of tombs and repeats", every_interleaving(1),
               {.parts = {producer, consumer},
                .messages = 4,
                .start = wrap,
                .aborts = true,
                .gives_back = true,
                .drops = true});
}
TEST(MpmcRing, AQueueClosedAtAnyTimeWithACrash) {
  expect_sound("closed", every_interleaving(1),
               {.parts = {producer, consumer, closer}, .messages = 2, .start = wrap});
  expect_sound("closed 2", every_interleaving(0),
               {.parts = {producer, producer, consumer, closer}, .start = wrap});
}
TEST(MpmcRing, AProducersIdGivenToANewcomerWithACrash) {
  expect_sound("new producer", every_interleaving(1),
               {.parts = {producer, consumer, reaper, new_producer}, .start = wrap});
}
TEST(MpmcRing, AConsumersIdGivenToANewcomerWithACrash) {
  expect_sound("new consumer", every_interleaving(1),
               {.parts = {consumer, producer, reaper, new_consumer}, .start = wrap});
}
TEST(MpmcRing, AReaperStoppedInASweepHoldsNobodyUp) {
  sim::Bounds bounds = every_interleaving(1);
  bounds.may_crash = 0b011;
  bounds.stops = 1;
  bounds.may_stop = 0b100;
  expect_sound(
      "stopped reaper", bounds,
      {.parts = {producer, consumer, reaper}, .start = wrap, .stopped_reaper_holds_nobody_up = true});
  bounds.may_crash = 0b0011;
  bounds.may_stop = 0b1000;
  bounds.preemptions = sim::long_run() ? 2 : 1;
  expect_sound("stopped reaper 2", bounds,
               {.parts = {consumer, producer, consumer, reaper},
                .start = wrap,
                .stopped_reaper_holds_nobody_up = true});
}
TEST(MpmcRing, AReaperKilledInASweepLeavesTheRestToOthers) {
  expect_sound("killed reaper", every_interleaving(2),
               {.parts = {consumer, producer, reaper}, .messages = 2, .start = wrap});
}

// --- larger casts -------------------------------------------------------------------------------------

struct Walk {
  const char* name;
  Cast cast;
  unsigned crashes;
};
const Walk walks[] = {
    {"two_and_two", {.parts = {producer, producer, consumer, consumer}, .messages = 3}, 1},
    {"two_and_two_in_batches",
     {.parts = {producer, producer, consumer, consumer},
      .messages = 4,
      .claim_batch = 3,
      .take_batch = 3,
      .capacity_log2 = 2},
     1},
    {"a_reaper_and_a_new_producer",
     {.parts = {producer, producer, consumer, consumer, reaper, new_producer}, .messages = 2},
     2},
    {"a_reaper_and_a_new_consumer",
     {.parts = {consumer, producer, producer, consumer, reaper, new_consumer}, .messages = 2},
     2},
    {"everything_at_once",
     {.parts = {consumer, producer, producer, reaper, closer, new_consumer},
      .messages = 4,
      .claim_batch = 2,
      .take_batch = 2,
      .capacity_log2 = 2,
      .aborts = true,
      .gives_back = true},
     2},
    {"producers_that_drop",
     {.parts = {consumer, producer, producer, reaper, closer, new_consumer},
      .messages = 4,
      .claim_batch = 2,
      .take_batch = 2,
      .aborts = true,
      .gives_back = true,
      .drops = true},
     2},
};

class LargeRing : public testing::TestWithParam<Walk> {};
TEST_P(LargeRing, HoldsInRandomWalksWithCrashesStopsHeldStoresAndStaleLoads) {
  std::uint64_t seed = 1;
  for (const std::uint64_t start : {before_the_position_wraps, before_the_lap_wraps - 2}) {
    for (const sim::Search search : {sim::Search::random, sim::Search::priorities}) {
      for (const bool weak : {false, true}) {
        Cast cast = GetParam().cast;
        cast.start = start;
        sim::Options options{
            .name = std::string("walk ") + GetParam().name,
            .search = search,
            .bounds = {.preemptions = sim::unbounded, .crashes = GetParam().crashes, .stops = 1},
            .executions_max = sim::long_run() ? 2'000'000u : 10'000u,
            .seed = seed};
        if (weak) options.bounds.delays = 6, options.bounds.stale = 6;
        seed += options.executions_max;
        const sim::Report report = sim::explore<RingScenario<PlainMemory>>(options, cast);
        EXPECT_FALSE(report.failed) << report;
        std::cout << report;
      }
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Casts, LargeRing, testing::ValuesIn(walks),
                         [](const auto& each) { return std::string(each.param.name); });

// Minutes each: only in long runs.
class LongSearch : public testing::TestWithParam<Walk> {};
TEST_P(LongSearch, FindsNothing) {
  if (!sim::long_run()) GTEST_SKIP() << "SHMQ_LONG=1 runs it";
  Cast cast = GetParam().cast;
  cast.start = wrap;
  expect_sound(GetParam().name, every_interleaving(GetParam().crashes, 1), cast);
}
const Walk searches[] = {
    {"two_producers_of_two_and_a_consumer", {.parts = {producer, producer, consumer}, .messages = 2}, 2},
    {"a_producer_of_two_and_two_consumers", {.parts = {producer, consumer, consumer}, .messages = 2}, 2},
    {"two_producers_a_consumer_and_a_reaper", {.parts = {producer, producer, consumer, reaper}}, 1},
    {"two_producers_of_two_that_drop", {.parts = {producer, producer, consumer}, .messages = 2, .drops = true}, 1},
    {"a_new_producer", {.parts = {producer, consumer, reaper, new_producer}}, 2},
    {"a_new_consumer", {.parts = {consumer, producer, reaper, new_consumer}}, 2},
};
INSTANTIATE_TEST_SUITE_P(Casts, LongSearch, testing::ValuesIn(searches),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
