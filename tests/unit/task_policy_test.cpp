// Priorities with aging, earliest deadline first, operations on tasks, errors, figures, and workers with handlers.

#include <algorithm>
#include <random>
#include <thread>

#include "task_support.hpp"

namespace shmq::test {
namespace {

class TaskPolicyTest : public TaskTableTest {};

TEST_F(TaskPolicyTest, PriorityGoesFirstAndEqualsInOrderOfSubmission) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 64, .policy = TaskPolicy::priority, .aging = 1h});
  std::vector<std::pair<int, int>> expected;
  std::mt19937 random(1);
  for (int i = 0; i < 60; ++i) {
    const auto priority = static_cast<std::uint8_t>(random() % 5 * 60);
    put(tasks, std::to_string(i), {.priority = priority});
    expected.emplace_back(priority, i);
  }
  std::sort(expected.begin(), expected.end());
  auto worker = tasks.worker({.batch = 3});
  for (const auto& [priority, number] : expected) {
    shmq::Run run = worker.next(kPatience);
    ASSERT_TRUE(run);
    EXPECT_EQ(text_of(run.payload()), std::to_string(number));
    EXPECT_EQ(run.done(), Outcome::ok);
  }
  EXPECT_EQ(worker.try_next().outcome(), Outcome::empty);
}

TEST_F(TaskPolicyTest, AgingBoundsHowLongALowPriorityWaits) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 64, .policy = TaskPolicy::priority, .aging = 1ms});
  // Whoever comes more than 20 * 1 ms later goes after it, however urgent.
  const std::int64_t before = base::monotonic_ns();
  put(tasks, "low", {.priority = 20});
  put(tasks, "high", {.priority = 0});
  const bool in_time = base::monotonic_ns() - before < 15'000'000;
  std::this_thread::sleep_for(25ms);
  put(tasks, "later", {.priority = 0});
  auto worker = tasks.worker();
  std::vector<std::string> order;
  for (int i = 0; i < 3; ++i) {
    shmq::Run run = worker.next(kPatience);
    order.push_back(text_of(run.payload()));
    EXPECT_EQ(run.done(), Outcome::ok);
  }
  EXPECT_EQ(order.back(), "later");
  if (in_time) {
    EXPECT_EQ(order.front(), "high");
  }
}

TEST_F(TaskPolicyTest, TheEarliestDeadlineGoesFirst) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 64, .policy = TaskPolicy::edf});
  put(tasks, "none 1");
  put(tasks, "3 h", {.deadline = 3h});
  put(tasks, "1 h", {.deadline = 1h});
  put(tasks, "none 2");
  put(tasks, "past", {.deadline = -1h});
  put(tasks, "2 h", {.deadline_at = std::chrono::system_clock::now() + 2h});
  auto worker = tasks.worker();
  for (const char* expected : {"past", "1 h", "2 h", "3 h", "none 1", "none 2"}) {
    shmq::Run run = worker.next(kPatience);
    EXPECT_EQ(text_of(run.payload()), expected);
    EXPECT_EQ(run.done(), Outcome::ok);
  }
}

TEST_F(TaskPolicyTest, SeveralWorkersTakeEachTaskOnce) {
  for (const TaskPolicy policy : {TaskPolicy::priority, TaskPolicy::edf}) {
    auto segment = make();
    auto tasks = table(segment, {.capacity = 100, .policy = policy, .aging = 1us});
    constexpr int kTasks = 4000;
    std::vector<std::atomic<int>> ran(kTasks);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        auto worker = tasks.worker({.batch = static_cast<std::uint32_t>(1 + 4 * t)});
        for (shmq::Run run = worker.next(kPatience); run; run = worker.next(kPatience)) {
          ++ran[run.correlation()];
          EXPECT_EQ(run.done(), Outcome::ok);
        }
      });
    std::mt19937 random(1);
    for (int i = 0; i < kTasks; ++i) {
      TaskOptions options{.correlation = static_cast<std::uint64_t>(i), .keep = false};
      options.priority = static_cast<std::uint8_t>(random());
      options.deadline = 1ms * (1 + random() % 1000);
      ASSERT_TRUE(tasks.submit({}, options, kPatience));
    }
    tasks.drain();
    threads.clear();
    for (const auto& count : ran) EXPECT_EQ(count, 1);
    EXPECT_EQ(in(tasks, TaskState::free), 100u);
    const TaskStatistics all = tasks.statistics();
    EXPECT_EQ(all.submitted, static_cast<std::uint64_t>(kTasks));
    EXPECT_EQ(all.started, static_cast<std::uint64_t>(kTasks));
    EXPECT_EQ(all.done, static_cast<std::uint64_t>(kTasks));
    EXPECT_EQ(all.wait.count, static_cast<std::uint64_t>(kTasks));
    EXPECT_TRUE(Segment::remove(segment.name()));
  }
}

TEST_F(TaskPolicyTest, APriorityCanBeChangedWhileTheTaskWaits) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 8, .policy = TaskPolicy::priority, .aging = 1h});
  const TaskId a = put(tasks, "a", {.priority = 10});
  const TaskId b = put(tasks, "b", {.priority = 20});
  EXPECT_EQ(tasks.reprioritise(b, 5), Outcome::ok);
  EXPECT_EQ(tasks.info(b)->priority, 5);
  auto worker = tasks.worker();
  shmq::Run run = worker.next(kPatience);
  EXPECT_EQ(run.id(), b);
  EXPECT_EQ(run.done(), Outcome::ok);
  EXPECT_EQ(tasks.reprioritise(b, 1), Outcome::empty) << "it is over";
  EXPECT_EQ(tasks.reprioritise(a + 1, 1), Outcome::empty);
}

TEST_F(TaskPolicyTest, HeldTasksWaitForLeave) {
  for (const TaskPolicy policy : {TaskPolicy::fifo, TaskPolicy::priority}) {
    auto segment = make();
    auto tasks = table(segment, {.capacity = 8, .policy = policy});
    const TaskId held = put(tasks, "a", {.hold = true});
    const TaskId ready = put(tasks, "b");
    auto worker = tasks.worker();
    EXPECT_EQ(state(tasks, held), TaskState::held);
    EXPECT_EQ(tasks.hold(ready), Outcome::ok);
    EXPECT_EQ(worker.try_next().outcome(), Outcome::empty);
    EXPECT_EQ(tasks.unhold(held), Outcome::ok);
    EXPECT_EQ(tasks.unhold(held), Outcome::empty);
    shmq::Run run = worker.next(kPatience);
    EXPECT_EQ(run.id(), held);
    EXPECT_EQ(tasks.hold(held), Outcome::busy);
    EXPECT_EQ(run.done(), Outcome::ok);
    EXPECT_EQ(tasks.cancel(ready), Outcome::ok);
    EXPECT_EQ(state(tasks, ready), TaskState::cancelled);
    EXPECT_TRUE(Segment::remove(segment.name()));
  }
}

TEST_F(TaskPolicyTest, TheLastErrorsAreKeptAndThoseOfEarlierTasksAreNot) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 1, .errors = 2});
  auto worker = tasks.worker();
  for (int round = 0; round < 2; ++round) {
    const TaskId id = put(tasks, "x", {.failures_max = 9, .crashes_max = 9});
    EXPECT_TRUE(tasks.info(id)->errors.empty());
    EXPECT_EQ(worker.next(kPatience).fail("first"), Outcome::ok);
    EXPECT_EQ(worker.next(kPatience).fail("second"), Outcome::ok);
    EXPECT_EQ(worker.next(kPatience).crash(11, true, std::string(60, 'c')), Outcome::ok);
    const auto info = tasks.info(id);
    ASSERT_EQ(info->errors.size(), 2u);
    EXPECT_EQ(info->errors[0].text, "second");
    EXPECT_EQ(info->errors[0].run, 2u);
    EXPECT_EQ(info->errors[1].text, std::string(39, 'c'));
    EXPECT_EQ(info->errors[1].signal, 11u);
    EXPECT_TRUE(info->errors[1].core_dumped);
    EXPECT_EQ(info->ended.failures, 2u);
    EXPECT_EQ(info->ended.crashes, 1u);
    EXPECT_EQ(tasks.remove(id), Outcome::ok);
  }
}

TEST_F(TaskPolicyTest, ReleasesAreLimitedWhereThatIsAskedFor) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId id = put(tasks, "x", {.releases_max = 1});
  auto worker = tasks.worker();
  EXPECT_EQ(worker.next(kPatience).release(), Outcome::ok);
  EXPECT_EQ(worker.next(kPatience).release(), Outcome::ok);
  EXPECT_EQ(state(tasks, id), TaskState::dead);
}

TEST_F(TaskPolicyTest, SeveralTasksAreWaitedForAtOnce) {
  auto segment = make();
  auto tasks = table(segment);
  const std::vector<TaskId> ids = {put(tasks, "a", {.hold = true}), put(tasks, "b"), put(tasks, "c", {.hold = true})};
  std::size_t which = 9;
  EXPECT_EQ(tasks.wait_any(ids, which, 1ms), Outcome::timeout);
  std::jthread worker([&] {
    auto hands = tasks.worker();
    for (shmq::Run run = hands.next(kPatience); run; run = hands.next(kPatience)) EXPECT_EQ(run.done(), Outcome::ok);
  });
  EXPECT_EQ(tasks.wait_any(ids, which, kPatience), Outcome::ok);
  EXPECT_EQ(which, 1u);
  EXPECT_EQ(tasks.wait_all(ids, 1ms), Outcome::timeout);
  EXPECT_EQ(tasks.unhold(ids[0]), Outcome::ok);
  EXPECT_EQ(tasks.unhold(ids[2]), Outcome::ok);
  EXPECT_EQ(tasks.wait_all(ids, kPatience), Outcome::ok);
  EXPECT_EQ(tasks.remove(ids[0]), Outcome::ok);
  EXPECT_EQ(tasks.wait_any(ids, which, kPatience), Outcome::empty);
  EXPECT_EQ(which, 0u);
  EXPECT_EQ(tasks.wait_any({}, which, kPatience), Outcome::empty);
  EXPECT_EQ(tasks.wait_all({}, kPatience), Outcome::ok);
  tasks.drain();
}

TEST_F(TaskPolicyTest, DeadTasksAreKickedByName) {
  auto segment = make();
  auto tasks = table(segment);
  auto worker = tasks.worker();
  for (const char* name : {"a", "b", "a"}) {
    put(tasks, "x", {.name = name, .failures_max = 0});
    EXPECT_EQ(worker.next(kPatience).fail(), Outcome::ok);
  }
  EXPECT_EQ(tasks.kick_all("a"), 2u);
  EXPECT_EQ(in(tasks, TaskState::ready), 2u);
  EXPECT_EQ(tasks.kick_all(), 1u);
  EXPECT_EQ(in(tasks, TaskState::dead), 0u);
}

TEST_F(TaskPolicyTest, HandlersAreCalledByName) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId price = put(tasks, "7", {.name = "price"}), broken = put(tasks, "", {.name = "broken", .failures_max = 0}),
               unknown = put(tasks, "", {.name = "unknown", .failures_max = 0}), gone = put(tasks, "", {.name = "gone"});
  tasks.drain();
  auto worker = tasks.worker({.slots = 2});
  worker.on("price", [](shmq::Run& run) {
    EXPECT_EQ(run.progress(50, "halfway"), Outcome::ok);
    return Verdict::done(text_of(run.payload()) + "!");
  });
  worker.on("broken", [](shmq::Run&) -> Verdict { throw std::runtime_error("it broke"); });
  worker.on("gone", [](shmq::Run&) { return Verdict::cancelled(); });
  EXPECT_EQ(worker.run(std::stop_token{}), Outcome::closed);
  EXPECT_EQ(text_of(*tasks.result(price)), "7!");
  EXPECT_EQ(tasks.info(price)->percent, 50u);
  EXPECT_EQ(tasks.info(price)->note, "halfway");
  EXPECT_EQ(state(tasks, broken), TaskState::dead);
  EXPECT_EQ(tasks.info(broken)->errors.at(0).text, "it broke");
  EXPECT_EQ(tasks.info(unknown)->errors.at(0).text, "no handler for its name");
  EXPECT_EQ(state(tasks, gone), TaskState::cancelled);
  const auto names = tasks.statistics_by_name();
  ASSERT_EQ(names.size(), 4u);
  EXPECT_EQ(names[0].name, "broken");
  EXPECT_EQ(names[0].failures, 1u);
  EXPECT_EQ(names[2].name, "price");
  EXPECT_EQ(names[2].done, 1u);
  EXPECT_EQ(names[2].submitted, 1u);
  EXPECT_EQ(names[2].wait.count, 1u);
  ASSERT_EQ(tasks.statistics_by_worker().size(), 1u);
  EXPECT_EQ(tasks.statistics_by_worker()[0].started, 4u);
}

TEST_F(TaskPolicyTest, AHandlerLoopEndsWhenItIsStopped) {
  auto segment = make();
  auto tasks = table(segment);
  auto worker = tasks.worker({.slots = 3});
  std::stop_source stop;
  worker.on("", [&](shmq::Run&) {
    stop.request_stop();
    return Verdict::released();
  });
  put(tasks, "x");
  EXPECT_EQ(worker.run(stop.get_token()), Outcome::stopped);
  EXPECT_EQ(in(tasks, TaskState::ready), 1u);
}

TEST_F(TaskPolicyTest, ATableThatWasDeclaredWithAnotherPolicyIsSaidToDiffer) {
  auto segment = make();
  table(segment, {.capacity = 8, .policy = TaskPolicy::priority, .aging = 1s});
  const auto other = segment.task_table("t", {.capacity = 8, .policy = TaskPolicy::edf});
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message().find("policy is priority, not edf"), std::string::npos) << other.error().message();
  const auto slower = segment.task_table("t", {.capacity = 8, .policy = TaskPolicy::priority, .aging = 2s});
  ASSERT_FALSE(slower);
  EXPECT_NE(slower.error().message().find("aging"), std::string::npos);
}

}  // namespace
}  // namespace shmq::test
