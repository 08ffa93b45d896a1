// The words of a task table and its rings of hints, over plain memory.

#include <gtest/gtest.h>

#include <array>

#include "shmq/core/hint_ring.hpp"
#include "shmq/core/task_words.hpp"

namespace shmq::test {
namespace {

using core::HintStatus;
using core::Lease;
using layout::RunEnd;
using layout::TaskState;

struct Records {
  std::array<layout::Word, 2>* words;
  std::array<layout::Word, 2>* tallies;
  layout::Word& word(std::uint32_t i) const { return (*words)[i]; }
  layout::Word& tally(std::uint32_t i) const { return (*tallies)[i]; }
};

class TaskWordsTest : public testing::Test {
 protected:
  /// A run of record 0 by `owner`.
  Lease running(layout::Owner owner) {
    Lease lease;
    EXPECT_TRUE(tasks.allocate(0, owner, lease));
    tasks.clear_tally(lease);
    tasks.publish(lease, TaskState::ready);
    EXPECT_TRUE(tasks.claim(0, owner, lease));
    EXPECT_TRUE(tasks.start(lease));
    return lease;
  }
  std::array<layout::Word, 2> words{};
  std::array<layout::Word, 2> tallies{};
  core::TaskWords<Records> tasks{Records{&words, &tallies}};
};

// Two reapers sweep the same dead worker: the slow one comes when others have run the task again and completed it.
TEST_F(TaskWordsTest, ALeaseThatHasEndedChangesNothing) {
  const layout::Owner dead{1, 0}, living{2, 0};
  const Lease old = running(dead);
  ASSERT_TRUE(tasks.settle(old, RunEnd::crash, TaskState::ready));
  Lease next;
  ASSERT_TRUE(tasks.claim(0, living, next));
  ASSERT_TRUE(tasks.start(next));
  ASSERT_TRUE(tasks.settle(next, RunEnd::done, TaskState::done));
  const std::uint64_t done = tasks.look(0);
  Lease again = old;
  EXPECT_FALSE(tasks.settle(old, RunEnd::crash, TaskState::ready));
  EXPECT_FALSE(tasks.unclaim(old));
  EXPECT_FALSE(tasks.free(old));
  EXPECT_FALSE(tasks.start(again));
  EXPECT_EQ(tasks.look(0), done);
  EXPECT_EQ(tasks.tally(0).crashes, 1u);
}

struct Cells {
  layout::Word* head_word;
  layout::Word* tail_word;
  std::array<layout::Word, 4>* cells;
  layout::Word& head() const { return *head_word; }
  layout::Word& tail() const { return *tail_word; }
  layout::Word& cell(std::uint64_t i) const { return (*cells)[i]; }
  unsigned capacity_log2() const { return 2; }
};

// One is killed after it wrote the cell and before it moved tail, the next after it emptied the cell and before it moved
// either.
TEST(HintRingTest, TakesAHintWhereTheLastOneWasPushedAndPoppedAndNobodySaidSo) {
  layout::Word head{0}, tail{0};
  std::array<layout::Word, 4> cells{};
  core::HintRing<Cells> ring(Cells{&head, &tail, &cells});
  cells[0] = core::HintRing<Cells>::empty(1);
  EXPECT_EQ(ring.push(7), HintStatus::ok);
  std::uint32_t index = 0;
  EXPECT_EQ(ring.pop(index), HintStatus::ok);
  EXPECT_EQ(index, 7u);
  EXPECT_EQ(ring.pop(index), HintStatus::none);
}

}  // namespace
}  // namespace shmq::test
