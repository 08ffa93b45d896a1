// A table of a million tasks, from the first to the last record.
#include <chrono>
#include <cstdio>
#include <unordered_set>
#include <vector>

#include "task_support.hpp"

namespace shmq::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint32_t kTasks = 50'000;
#else
constexpr std::uint32_t kTasks = 1'000'000;
#endif

class TaskMillionTest : public TaskTableTest, public testing::WithParamInterface<TaskPolicy> {};

TEST_P(TaskMillionTest, IsFilledListedEndedAndPurgedAndAllItsRoomIsThereAgain) {
  auto began = std::chrono::steady_clock::now();
  const auto step = [&](const char* what) {
    const auto now = std::chrono::steady_clock::now();
    std::printf("%-10s %5lld ms\n", what,
                static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(now - began).count()));
    began = now;
  };
  SegmentOptions options;
  options.size_bytes = std::uint64_t{kTasks} * 448 + (8u << 20);
  options.blocks = {{256, 4}};
  auto segment = make(options);
  auto tasks = table(segment, {.capacity = kTasks, .payload_bytes = 0, .result_bytes = 0, .policy = GetParam(),
                               .errors = 0, .names = 0});
  step("declare");

  // Twice, as records that are used again have gone through other hands than new ones.
  std::unordered_set<TaskId> before;
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t i = 0; i < kTasks; ++i)
      ASSERT_TRUE(tasks.try_submit({}, {.correlation = i, .priority = static_cast<std::uint8_t>(i % 200)})) << i;
    EXPECT_EQ(tasks.try_submit({}).outcome, Outcome::full);
    step("submit");

    std::vector<bool> seen(kTasks);
    std::unordered_set<TaskId> ids(kTasks);
    tasks.for_each([&](const TaskInfo& info) {
      ASSERT_EQ(info.state, TaskState::ready);
      ASSERT_LT(info.correlation, kTasks);
      EXPECT_FALSE(seen[info.correlation]) << "a task is listed twice";
      seen[info.correlation] = true;
      EXPECT_TRUE(ids.insert(info.id).second) << "an id is there twice";
      EXPECT_FALSE(before.contains(info.id)) << "an id was used again";
    });
    EXPECT_EQ(ids.size(), kTasks);
    step("list");

    // Half of them are run, the others cancelled.
    auto worker = tasks.worker({.batch = 64});
    for (std::uint32_t i = 0; i < kTasks / 2; ++i) {
      shmq::Run run = worker.try_next();
      ASSERT_TRUE(run) << i << ": " << run.outcome();
      ASSERT_EQ(run.done(), Outcome::ok);
    }
    worker.give_back();
    step("run");
    for (const TaskId id : ids)
      if (const Outcome said = tasks.cancel(id); said != Outcome::ok) {
        ASSERT_EQ(said, Outcome::empty);
      }
    step("cancel");
    EXPECT_EQ(in(tasks, TaskState::done), kTasks / 2);
    EXPECT_EQ(in(tasks, TaskState::cancelled), kTasks - kTasks / 2);
    EXPECT_EQ(worker.try_next().outcome(), Outcome::empty);
    EXPECT_EQ(tasks.purge_finished(), kTasks);
    step("purge");
    EXPECT_EQ(in(tasks, TaskState::free), kTasks);
    std::uint32_t left = 0;
    tasks.for_each([&](const TaskInfo&) { ++left; });
    EXPECT_EQ(left, 0u);
    EXPECT_EQ(worker.try_next().outcome(), Outcome::empty);
    before.swap(ids);
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, TaskMillionTest, testing::Values(TaskPolicy::fifo, TaskPolicy::priority),
                         [](const auto& each) { return std::string(to_string(each.param)); });

}  // namespace
}  // namespace shmq::test
