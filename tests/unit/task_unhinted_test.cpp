// What a stopped process has in hand: hints that it popped, and times that it did not say. Idle workers find what is behind
// them by a look at the records. Here the hint is taken by this program's own hand, and nobody puts it back.

#include "core/object_kinds.hpp"
#include "objects/task_object.hpp"
#include "os/shared_memory.hpp"
#include "shmq/core/segment_view.hpp"
#include "task_support.hpp"

namespace shmq::test {
namespace {

class TaskUnhintedTest : public TaskTableTest {
 protected:
  /// The inside of the table "t".
  core::TaskTableParts inside(const Segment& segment) {
    mapping_.emplace(os::map_existing(os::kSegmentPrefix + segment.name(), os::Access::read_write).value());
    view_.emplace(core::SegmentView::check(mapping_->data(), mapping_->size(), segment.name()).value());
    for (std::uint32_t i = 0; i < view_->geometry().objects_max; ++i) {
      core::ObjectSpace space;
      core::TaskTableParts parts;
      if (view_->entry(i).name.get() == "t" && core::space_of(*view_, i, space) && objects::table_of(*view_, space, parts))
        return parts;
    }
    throw std::runtime_error("the table is not there");
  }
  /// As it is where nobody has said anything yet.
  static void empty(core::ShmMinTree& tree) {
    for (std::uint64_t i = 0; i < tree.memory().shape().nodes(); ++i) tree.memory().node(i).store(core::kNoKey);
  }
  static void run_all(TaskTable& tasks) {
    auto worker = tasks.worker();
    for (int i = 0; i < 30; ++i) {
      shmq::Run run = worker.next(kPatience);
      ASSERT_TRUE(run) << run.outcome();
      EXPECT_EQ(run.done(), Outcome::ok);
    }
  }

 private:
  std::optional<os::Mapping> mapping_;
  std::optional<core::SegmentView> view_;
};

TEST_F(TaskUnhintedTest, AFreeRecordIsHadAgainOnceAWorkerWasIdle) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 1});
  core::TaskTableParts parts = inside(segment);
  std::uint32_t index = 0;
  ASSERT_EQ(parts.free.pop(index), core::HintStatus::ok);
  EXPECT_EQ(tasks.try_submit({}).outcome, Outcome::full);
  EXPECT_EQ(tasks.worker().try_next().outcome(), Outcome::empty);
  EXPECT_EQ(tasks.try_submit({}).outcome, Outcome::ok);
}

TEST_F(TaskUnhintedTest, AReadyTaskIsClaimedByAnIdleWorker) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 40});
  core::TaskTableParts parts = inside(segment);
  for (int i = 0; i < 30; ++i) put(tasks, "x");
  std::uint32_t index = 0;
  while (parts.ready.pop(index) == core::HintStatus::ok) continue;
  run_all(tasks);
}

TEST_F(TaskUnhintedTest, AReadyTaskIsClaimedByAnIdleWorkerWhereTasksHaveAnOrder) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 40, .policy = TaskPolicy::priority});
  core::TaskTableParts parts = inside(segment);
  for (int i = 0; i < 30; ++i) put(tasks, "x");
  empty(parts.ready_tree);
  run_all(tasks);
}

TEST_F(TaskUnhintedTest, ATimeThatNobodySaidIsKept) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 40});
  core::TaskTableParts parts = inside(segment);
  for (int i = 0; i < 30; ++i) put(tasks, "x", {.delay = 1ms});
  empty(parts.due);
  run_all(tasks);
}

}  // namespace
}  // namespace shmq::test
