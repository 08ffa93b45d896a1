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
  std::uint64_t violations() { return judge_tasks(entries.data(), 2, crashes, kills).violation_count; }
  std::array<TaskEntry, 2> entries;
  std::uint64_t crashes = 1;
  TaskCounts kills{.kills = 1, .worker_kills = 1};
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
  crashes = 2;
  EXPECT_EQ(violations(), 1u);
}
TEST_F(TaskJudge, FindsSubmissionsThatNobodysDeathExplains) {
  kills.kills = 0;
  entries[0].submission = TaskEntry::intended;
  EXPECT_EQ(violations(), 1u);
}

}  // namespace
}  // namespace soak
