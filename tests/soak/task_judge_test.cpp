// The judge of the tasks soak finds what it is there for.
#include <gtest/gtest.h>

#include <array>

#include "task_ledger.hpp"

namespace soak {
namespace {

/// Two tasks as they should be: the second one lost a worker on its way.
struct TaskJudge : testing::Test {
  TaskJudge() {
    for (TaskEntry& e : entries) {
      e.submission = TaskEntry::submitted;
      e.started = e.wins = e.collected = 1;
      e.winner = e.result_of = 7;
    }
    entries[1].started = 2;
  }
  /// The first has key 3 from 100 to 200, the second one from 300 to 400.
  void with_keys() {
    for (std::size_t i = 0; i < 2; ++i) {
      TaskEntry& e = entries[i];
      const auto began = static_cast<std::int64_t>(i) * 200 + 100;
      e.key = 3, e.id = 50 + i, e.result_of = e.winner = static_cast<std::uint32_t>(i);
      e.intended_ns = began - 10, e.submitted_ns = began, e.running_ns = began + 50, e.collected_ns = began + 150;
      done_began[i] = began + 100;
    }
  }
  std::uint64_t violations() { return judge_tasks(entries.data(), count, done_began.data(), counts).violation_count; }
  std::array<TaskEntry, 3> entries;
  std::uint32_t count = 2;
  std::array<std::atomic<std::int64_t>, 8> done_began{};
  TaskCounts counts{.kills = 1, .worker_kills = 1, .crashes = 1};
};

TEST_F(TaskJudge, SaysNothingWhereEachTaskWasCompletedOnce) {
  EXPECT_EQ(violations(), 0u);
  entries[0].submission = TaskEntry::intended;  // its submitter was killed
  entries[0].started = entries[0].wins = entries[0].collected = 0;
  EXPECT_EQ(violations(), 0u);
  entries[1].wins = 0;  // its worker was killed before it could say so
  EXPECT_EQ(violations(), 0u);
}
TEST_F(TaskJudge, FindsATaskThatIsLost) {
  entries[0].collected = entries[0].wins = 0;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsATaskThatIsThereTwice) {
  entries[0].collected = 2;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsATaskThatNobodySubmitted) {
  entries[0].submission = TaskEntry::none;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsTwoCompletions) {
  entries[0].wins = 2;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsTheResultOfAnotherRun) {
  entries[0].result_of = 8;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsACompletionThatDidNotCount) {
  entries[0].submission = TaskEntry::intended;
  entries[0].collected = 0;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsRunsThatNobodysDeathExplains) {
  entries[0].started = 2;
  EXPECT_EQ(violations(), 1u);
  entries[0].given_back = 1;
  EXPECT_EQ(violations(), 0u);
}
TEST_F(TaskJudge, FindsCrashesThatNobodysDeathExplains) {
  counts.crashes = 2;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsSubmissionsThatNobodysDeathExplains) {
  counts.kills = 0;
  entries[0].submission = TaskEntry::intended;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsTimeoutsThatNobodyWasTold) {
  counts.timeouts = 2;
  EXPECT_EQ(violations(), 1u);
  entries[0].stale = 1, entries[0].limited = 1;
  EXPECT_EQ(violations(), 0u);
}
TEST_F(TaskJudge, FindsALeaseThatWasLostWithoutReason) {
  entries[0].stale = 1;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsTwoTasksWithTheSameKeyAtOnce) {
  with_keys();
  EXPECT_EQ(violations(), 0u);
  done_began[0] = 301;
  EXPECT_EQ(violations(), 1u);
  entries[1].key = 4;
  EXPECT_EQ(violations(), 0u);
}
TEST_F(TaskJudge, GoesByTheFirstStartWhereTheSubmitterWasKilled) {
  with_keys();
  entries[1].submission = TaskEntry::intended, entries[1].submitted_ns = 0;
  done_began[0] = 340;
  EXPECT_EQ(violations(), 0u);
  done_began[0] = 360;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsADuplicateThatIsThere) {
  with_keys();
  entries[1].submission = TaskEntry::duplicate, entries[1].answered = 50;
  entries[1].started = entries[1].wins = entries[1].collected = 0, entries[1].id = 0;
  entries[1].intended_ns = 150, entries[1].submitted_ns = 160;
  EXPECT_EQ(violations(), 0u);
  entries[1].started = 1;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsAnAnswerThatNamesNoTaskThatWasThere) {
  with_keys();
  count = 3;
  TaskEntry& e = entries[2];
  e.submission = TaskEntry::duplicate;
  e.started = e.wins = e.collected = 0;
  e.key = 3, e.answered = 50, e.intended_ns = 150, e.submitted_ns = 160;
  EXPECT_EQ(violations(), 0u);
  e.key = 4;
  EXPECT_EQ(violations(), 1u);
  e.key = 3, e.answered = 77;
  EXPECT_EQ(violations(), 1u);
  e.answered = 51;  // not there yet
  EXPECT_EQ(violations(), 1u);
  e.answered = 50, e.intended_ns = 260, e.submitted_ns = 270;  // gone
  EXPECT_EQ(violations(), 1u);
}

}  // namespace
}  // namespace soak
