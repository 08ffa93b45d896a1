// Times of day, and a wall clock that is set: clock_gettime() is this program's own here, and CLOCK_REALTIME is off by what a
// test says.

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "task_support.hpp"

namespace {
std::atomic<std::int64_t> wall_clock_is_ahead_s{0};
}

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  const long result = ::syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += wall_clock_is_ahead_s.load();
  return static_cast<int>(result);
}

namespace shmq::test {
namespace {

class TaskClockTest : public TaskTableTest {
 protected:
  void TearDown() override {
    wall_clock_is_ahead_s = 0;
    TaskTableTest::TearDown();
  }
  static WallTime in(std::chrono::nanoseconds time) {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(base::realtime_ns()) + time));
  }
};

TEST_F(TaskClockTest, ATimeOfDayComesWhenTheClockIsSetToIt) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 8, .policy = TaskPolicy::edf});
  const TaskId delayed = put(tasks, "a", {.not_before = in(2h)});
  const TaskId expiring = put(tasks, "b", {.hold = true, .expires_at = in(3h)});
  const TaskId by_boot_time = put(tasks, "c", {.delay = 1h});
  auto worker = tasks.worker();
  EXPECT_EQ(worker.next(2ms).outcome(), Outcome::timeout);
  wall_clock_is_ahead_s = 2 * 3600 + 1;
  shmq::Run run = worker.next(kPatience);
  ASSERT_TRUE(run) << run.outcome();
  EXPECT_EQ(run.id(), delayed);
  EXPECT_EQ(run.done(), Outcome::ok);
  EXPECT_EQ(state(tasks, expiring), TaskState::held);
  wall_clock_is_ahead_s = 3 * 3600 + 1;
  EXPECT_EQ(tasks.wait(expiring, kPatience), Outcome::ok);
  EXPECT_EQ(state(tasks, expiring), TaskState::expired);
  EXPECT_EQ(state(tasks, by_boot_time), TaskState::delayed) << "a delay does not go by the wall clock";
}

TEST_F(TaskClockTest, ATimeOfDayGoesFurtherAwayWhenTheClockIsSetBack) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId id = put(tasks, "a", {.not_before = in(30ms)});
  wall_clock_is_ahead_s = -3600;
  auto worker = tasks.worker();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(worker.next(20ms).outcome(), Outcome::timeout);
  EXPECT_EQ(state(tasks, id), TaskState::delayed);
  wall_clock_is_ahead_s = 0;
  EXPECT_TRUE(worker.next(kPatience));
}

TEST_F(TaskClockTest, DeadlinesOfTwoClocksAreOrderedAsTheClocksAreNow) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 8, .policy = TaskPolicy::edf});
  const TaskId of_day = put(tasks, "a", {.deadline_at = in(2h)});
  const TaskId from_now = put(tasks, "b", {.deadline = 1h});
  wall_clock_is_ahead_s = 90 * 60;  // half an hour is left to the first one
  // Whoever waits notices.
  put(tasks, "c", {.delay = 10ms, .deadline = 3h});
  auto worker = tasks.worker();
  (void)tasks.wait(of_day, 1ms);
  shmq::Run first = worker.next(kPatience), second = worker.next(kPatience);
  EXPECT_EQ(first.id(), of_day);
  EXPECT_EQ(second.id(), from_now);
}

}  // namespace
}  // namespace shmq::test
