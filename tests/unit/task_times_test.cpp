// Delays, expiry, longest run times, backoff and retention. Nothing here fails because it took longer than it might have.

#include <set>
#include <thread>

#include "task_support.hpp"

namespace shmq::test {
namespace {

using std::chrono::nanoseconds;

class TaskTimesTest : public TaskTableTest {};

TEST_F(TaskTimesTest, ADelayedTaskIsNotStartedBeforeItsTime) {
  auto segment = make();
  auto tasks = table(segment);
  const std::int64_t before = base::clock_ns(CLOCK_BOOTTIME);
  const TaskId late = put(tasks, "late", {.delay = 60ms});
  const TaskId soon = put(tasks, "soon", {.delay = 30ms});
  const TaskId now = put(tasks, "now");
  EXPECT_EQ(state(tasks, late), TaskState::delayed);
  EXPECT_GE(tasks.info(late)->due_ns, before + 60'000'000);
  auto worker = tasks.worker();
  for (const auto& [id, delay] : {std::pair{now, 0ms}, {soon, 30ms}, {late, 60ms}}) {
    shmq::Run run = worker.next(kPatience);
    ASSERT_TRUE(run) << run.outcome();
    EXPECT_EQ(run.id(), id);
    EXPECT_GE(base::clock_ns(CLOCK_BOOTTIME), before + nanoseconds(delay).count());
    EXPECT_EQ(run.done(), Outcome::ok);
  }
}

TEST_F(TaskTimesTest, ATimeOfTheWallClockIsKeptToAsWell) {
  auto segment = make();
  auto tasks = table(segment);
  const WallTime at = std::chrono::system_clock::now() + 40ms;
  put(tasks, "x", {.not_before = at});
  auto worker = tasks.worker();
  shmq::Run run = worker.next(kPatience);
  ASSERT_TRUE(run);
  EXPECT_GE(std::chrono::system_clock::now() + 1ms, at) << "a millisecond is how exactly two clocks are compared";
  EXPECT_EQ(run.done(), Outcome::ok);
  put(tasks, "past", {.not_before = WallTime(1s)});
  EXPECT_EQ(text_of(worker.next(kPatience).payload()), "past");
}

TEST_F(TaskTimesTest, WhatWasNotStartedInTimeExpires) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId ready = put(tasks, "a", {.expires = 20ms});
  const TaskId held = put(tasks, "b", {.hold = true, .expires = 20ms});
  const TaskId overdue = put(tasks, "c", {.deadline = 20ms, .overdue = Overdue::expire});
  const TaskId delayed = put(tasks, "d", {.delay = 1h, .expires = 20ms});
  const TaskId late_but_run = put(tasks, "e", {.deadline = 1ns});
  for (const TaskId id : {ready, held, overdue, delayed}) {
    EXPECT_EQ(tasks.wait(id, kPatience), Outcome::ok);
    EXPECT_EQ(state(tasks, id), TaskState::expired);
  }
  EXPECT_EQ(tasks.worker().try_next().id(), late_but_run);
}

TEST_F(TaskTimesTest, WhatAWorkerClaimedAndDidNotStartInTimeExpiresToo) {
  auto segment = make();
  auto tasks = table(segment);
  put(tasks, "first");
  const TaskId second = put(tasks, "second", {.expires = 30ms});
  auto worker = tasks.worker({.batch = 4});
  shmq::Run first = worker.next(kPatience);
  ASSERT_TRUE(first);
  EXPECT_EQ(state(tasks, second), TaskState::claimed);
  EXPECT_EQ(tasks.wait(second, kPatience), Outcome::ok);
  EXPECT_EQ(state(tasks, second), TaskState::expired);
  EXPECT_EQ(first.done(), Outcome::ok);
  EXPECT_EQ(worker.try_next().outcome(), Outcome::empty);
}

TEST_F(TaskTimesTest, ARunThatTakesTooLongLosesItsLeaseAndCannotCompleteTheTask) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId id = put(tasks, "x", {.timeouts_max = 1, .run_limit = 20ms});
  auto slow = tasks.worker(), other = tasks.worker();
  shmq::Run stuck = slow.next(kPatience);
  ASSERT_TRUE(stuck);
  EXPECT_EQ(stuck.heartbeat(), Outcome::ok);
  shmq::Run second = other.next(kPatience);
  ASSERT_TRUE(second) << second.outcome();
  EXPECT_EQ(second.id(), id);
  EXPECT_EQ(second.runs_before(), 1u);
  EXPECT_EQ(stuck.heartbeat(), Outcome::stale);
  EXPECT_EQ(stuck.progress(50, "late"), Outcome::stale);
  EXPECT_EQ(stuck.done(bytes_of("wrong")), Outcome::stale);
  EXPECT_EQ(second.done(bytes_of("right")), Outcome::ok);
  EXPECT_EQ(text_of(*tasks.result(id)), "right");
  EXPECT_EQ(tasks.info(id)->ended.timeouts, 1u);
  ASSERT_EQ(tasks.info(id)->errors.size(), 1u);
  EXPECT_EQ(tasks.info(id)->errors[0].end, RunEnd::timeout);
}

// Its own process may be the only one that there is.
TEST_F(TaskTimesTest, ARunThatTakesTooLongFindsSoByItself) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId asked = put(tasks, "a", {.timeouts_max = 0, .run_limit = 1ms});
  const TaskId done = put(tasks, "b", {.timeouts_max = 0, .run_limit = 1ms});
  const TaskId dropped = put(tasks, "c", {.timeouts_max = 0, .keep = false, .run_limit = 1ms});
  auto worker = tasks.worker({.batch = 3});
  shmq::Run first = worker.try_next(), second = worker.try_next(), third = worker.try_next();
  ASSERT_TRUE(first && second && third);
  std::this_thread::sleep_for(5ms);
  EXPECT_EQ(first.heartbeat(), Outcome::stale);
  EXPECT_EQ(state(tasks, asked), TaskState::dead);
  EXPECT_EQ(second.done(), Outcome::stale);
  EXPECT_EQ(state(tasks, done), TaskState::dead);
  EXPECT_EQ(third.done(), Outcome::stale);
  EXPECT_EQ(state(tasks, dropped), TaskState::dead);
}

TEST_F(TaskTimesTest, ATaskWhoseRunsAllTakeTooLongIsDead) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId id = put(tasks, "x", {.timeouts_max = 1, .run_limit = 5ms});
  auto worker = tasks.worker();
  std::vector<shmq::Run> runs;
  for (int i = 0; i < 2; ++i) {
    runs.push_back(worker.next(kPatience));
    ASSERT_TRUE(runs.back());
  }
  EXPECT_EQ(tasks.wait(id, kPatience), Outcome::ok);
  EXPECT_EQ(state(tasks, id), TaskState::dead);
  EXPECT_EQ(tasks.info(id)->ended.timeouts, 2u);
  for (shmq::Run& run : runs) EXPECT_EQ(run.done(), Outcome::stale);
}

TEST_F(TaskTimesTest, AFailedTaskWaitsLongerEachTimeUpToTheCap) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId id = put(tasks, "x", {.failures_max = 4, .backoff = {.first = 8ms, .cap = 20ms}});
  auto worker = tasks.worker();
  for (const auto wait : {8ms, 16ms, 20ms, 20ms}) {
    shmq::Run run = worker.next(kPatience);
    ASSERT_TRUE(run);
    const std::int64_t before = base::clock_ns(CLOCK_BOOTTIME);
    EXPECT_EQ(run.fail("not yet"), Outcome::ok);
    const std::int64_t after = base::clock_ns(CLOCK_BOOTTIME);
    EXPECT_EQ(state(tasks, id), TaskState::delayed);
    EXPECT_GE(tasks.info(id)->due_ns, before + nanoseconds(wait).count());
    EXPECT_LE(tasks.info(id)->due_ns, after + nanoseconds(wait).count() + layout::kStampNs);
  }
  shmq::Run last = worker.next(kPatience);
  EXPECT_EQ(last.fail(), Outcome::ok);
  EXPECT_EQ(state(tasks, id), TaskState::dead);
}

TEST_F(TaskTimesTest, ARetryOfADelayedTaskWaitsForItsOwnTime) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId id = put(tasks, "x", {.delay = 1ms, .backoff = {.first = 1h}});
  auto worker = tasks.worker();
  EXPECT_EQ(worker.next(kPatience).fail(), Outcome::ok);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(worker.next(1ms).outcome(), Outcome::timeout);
  EXPECT_EQ(state(tasks, id), TaskState::delayed);
}

TEST_F(TaskTimesTest, JitterSpreadsThoseThatFailTogether) {
  auto segment = make();
  auto tasks = table(segment);
  std::set<std::int64_t> due;
  auto worker = tasks.worker();
  for (int i = 0; i < 32; ++i) {
    const TaskId id = put(tasks, "x", {.backoff = {.first = 1h, .cap = 2h, .jitter = 0.5}});
    const std::int64_t before = base::clock_ns(CLOCK_BOOTTIME);
    EXPECT_EQ(worker.next(kPatience).fail(), Outcome::ok);
    const std::int64_t wait = tasks.info(id)->due_ns - before;
    EXPECT_GE(wait, nanoseconds(30min).count());
    EXPECT_LE(tasks.info(id)->due_ns, base::clock_ns(CLOCK_BOOTTIME) + nanoseconds(1h).count() + layout::kStampNs);
    due.insert(wait / 60'000'000'000);
  }
  EXPECT_GT(due.size(), 8u) << "minutes that they come back in";
}

TEST_F(TaskTimesTest, WhatIsOverGoesWhenItsTimeOrItsTurnHasCome) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 64, .keep_max = 3});
  auto worker = tasks.worker();
  const TaskId timed = put(tasks, "x", {.keep_for = 15ms});
  EXPECT_EQ(worker.next(kPatience).done(), Outcome::ok);
  EXPECT_EQ(tasks.wait(timed, kPatience), Outcome::ok);
  while (tasks.info(timed)) EXPECT_EQ(worker.next(1ms).outcome(), Outcome::timeout);
  for (int i = 0; i < 20; ++i) {
    put(tasks, "y");
    EXPECT_EQ(worker.next(kPatience).done(), Outcome::ok);
    EXPECT_LE(in(tasks, TaskState::done), 3u);
  }
  EXPECT_EQ(in(tasks, TaskState::done), 3u);
  EXPECT_EQ(tasks.purge_finished(), 3u);
  EXPECT_EQ(in(tasks, TaskState::free), 64u);
}

TEST_F(TaskTimesTest, WaitingWorkersAreWokenForTheNextTime) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 512});
  std::atomic<int> early{0}, ran{0};
  std::vector<std::jthread> workers;
  for (int i = 0; i < 3; ++i)
    workers.emplace_back([&] {
      auto worker = tasks.worker({.wait = Wait::futex});
      for (shmq::Run run = worker.next(kPatience); run; run = worker.next(kPatience)) {
        std::int64_t due = 0;
        std::memcpy(&due, run.payload().data(), sizeof due);
        early += base::clock_ns(CLOCK_BOOTTIME) < due;
        ++ran;
        EXPECT_EQ(run.done(), Outcome::ok);
      }
    });
  for (int i = 0; i < 300; ++i) {
    const nanoseconds delay = 1ms * (i % 50);
    const std::int64_t due = base::clock_ns(CLOCK_BOOTTIME) + delay.count();
    ASSERT_TRUE(tasks.try_submit(std::as_bytes(std::span(&due, 1)), {.delay = delay}));
  }
  tasks.drain();
  workers.clear();
  EXPECT_EQ(ran, 300);
  EXPECT_EQ(early, 0);
}

}  // namespace
}  // namespace shmq::test
