// The oracle of the soak can fail: each kind of violation, made by hand, is reported.
#include "oracle.hpp"

#include <gtest/gtest.h>

#include "world.hpp"

namespace soak {
namespace {

std::int64_t now = 0;

Record record(Event event, std::uint64_t id, QueueNumber queue, bool marked = false,
              std::uint64_t position = 0) {
  Record made;
  made.id = id;
  made.time_ns = ++now;
  made.event = event;
  made.queue = queue;
  made.marked = marked;
  made.position = position == 0 ? id : position;
  made.generation = 1;
  return made;
}

std::vector<Record> sent(std::uint64_t id, QueueNumber queue) {
  return {record(Event::intent, id, queue), record(Event::published, id, queue)};
}

/// Braces, so that the records are made in the order in which they stand.
std::vector<Record> history_of(std::initializer_list<std::vector<Record>> parts) {
  std::vector<Record> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

std::vector<Record> received(std::uint64_t id, QueueNumber queue, bool marked = false) {
  return {record(Event::got, id, queue, marked), record(Event::released, id, queue, marked)};
}

::testing::AssertionResult reports(const std::vector<Record>& records, const std::string& words) {
  const Verdict verdict = judge(records);
  for (const std::string& violation : verdict.violations)
    if (violation.find(words) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << verdict.violation_count << " violations, none says \"" << words << "\"";
}

TEST(SoakOracle, FindsNothingInASoundHistory) {
  const auto sound = history_of({sent(1, wide),
                                 received(1, wide),
                                 sent(2, single),
                                 {record(Event::got, 2, single)},
                                 received(2, single, true),
                                 sent(3, relay_in),
                                 received(3, relay_in),
                                 received(3, relay_out)});
  const Verdict verdict = judge(sound);
  EXPECT_EQ(verdict.violation_count, 0u);
  EXPECT_EQ(verdict.published, 3u);
  EXPECT_EQ(verdict.redeliveries, 1u);
  EXPECT_EQ(verdict.forwarded, 1u);
}

TEST(SoakOracle, ReportsAMessageThatWasLost) { EXPECT_TRUE(reports(sent(1, wide), "never got")); }

TEST(SoakOracle, AllowsTheLossOfWhatWasOnlyIntended) {
  EXPECT_EQ(judge({record(Event::intent, 1, wide)}).violation_count, 0u);
}

TEST(SoakOracle, ReportsAMessageThatAForwarderLost) {
  EXPECT_TRUE(reports(history_of({sent(1, relay_in), received(1, relay_in)}), "a forwarder had it"));
}

TEST(SoakOracle, ReportsAMessageFromNowhere) { EXPECT_TRUE(reports(received(1, wide), "never intended")); }

TEST(SoakOracle, ReportsAMessageInTheWrongQueue) {
  EXPECT_TRUE(reports(history_of({sent(1, wide), received(1, wide), received(1, small, true)}),
                      "where nobody sent it"));
}

TEST(SoakOracle, ReportsARepeatThatIsNotMarked) {
  const auto twice = history_of({sent(1, wide), {record(Event::got, 1, wide, true)}, received(1, wide)});
  EXPECT_TRUE(reports(twice, "not marked"));
}

TEST(SoakOracle, ReportsAMessageThatComesAgainAfterItsRelease) {
  EXPECT_TRUE(reports(history_of({sent(1, wide), received(1, wide), {record(Event::got, 1, wide, true)}}),
                      "after it was released"));
}

TEST(SoakOracle, ReportsAPayloadInABlockThatIsInTwoQueues) {
  auto cut = record(Event::got, 1, relay_in);
  cut.in_block = 1;
  auto again = record(Event::got, 1, relay_in, true);
  again.in_block = 1;
  auto history = history_of({sent(1, relay_in),
                             {cut, again, record(Event::released, 1, relay_in, true)},
                             received(1, relay_out),
                             received(1, relay_out, true)});
  EXPECT_TRUE(reports(history, "after it was released"));
  for (Record& said : history) said.in_block = 0;
  EXPECT_EQ(judge(history).violation_count, 0u)
      << "an inline payload may come twice after a forward that was cut";
}

TEST(SoakOracle, ReportsFirstDeliveriesOutOfOrder) {
  const auto history =
      history_of({sent(1, single), sent(2, single), received(2, single), received(1, single)});
  EXPECT_TRUE(reports(history, "of the same producer"));
}

TEST(SoakOracle, ReportsFirstDeliveriesOfAnSpscQueueOutOfOrder) {
  const std::uint64_t first = payload_id(1, 1), second = payload_id(1, 2), other = payload_id(2, 1);
  const auto one = history_of({sent(first, ring), sent(second, ring), received(second, ring), received(first, ring)});
  EXPECT_TRUE(reports(one, "of the same producer, in ring"));
  // Two producers, one after the other: the second one's message lies behind the first one's.
  const auto two = history_of({sent(first, large_ring), sent(other, large_ring),
                               {record(Event::got, other, large_ring, false, 96)},
                               {record(Event::got, first, large_ring, false, 32)}});
  EXPECT_TRUE(reports(two, "came at position 32, after 96"));
  const auto again = history_of({sent(first, large_ring), sent(other, large_ring),
                                 {record(Event::got, other, large_ring, false, 96)},
                                 {record(Event::got, first, large_ring, true, 32)}});
  EXPECT_EQ(judge(again).violation_count, 0u) << "what comes again has no order";
}

TEST(SoakOracle, ReportsAnIdThatTwoMessagesHave) {
  const auto history =
      history_of({sent(1, wide),
                  sent(2, wide),
                  {record(Event::got, 1, wide, false, 5), record(Event::got, 2, wide, false, 5)}});
  EXPECT_TRUE(reports(history, "has the id of message"));
}

TEST(SoakOracle, ReportsARedeliveryUnderAnotherId) {
  const auto history = history_of(
      {sent(1, wide), {record(Event::got, 1, wide, false, 5), record(Event::got, 1, wide, true, 6)}});
  EXPECT_TRUE(reports(history, "and also"));
}

}  // namespace
}  // namespace soak
