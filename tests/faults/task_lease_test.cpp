// Two workers and one lease, each in a process of its own: who comes back after its time is over changes nothing.
#include <algorithm>
#include <thread>

#include "support.hpp"

namespace faults {
namespace {

using shmq::Outcome;
using shmq::TaskState;

struct Shift {
  Steps steps;
  std::atomic<shmq::TaskId> first{0}, second{0};
};

std::string said(const char* what, Outcome outcome) { return std::string(what) + " said " + shmq::to_string(outcome); }

/// SIGSTOP takes a worker past its task's longest run time; another one completes the task; SIGCONT.
void lose_a_lease_while_stopped(std::size_t result_bytes) {
  const Name name("lease");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto tasks = segment.task_table("t", {.capacity = 8}).value();
  const std::string late(result_bytes, 'l'), winning(result_bytes, 'w');
  Shared<Shift> shift;

  Child slow([&]() -> std::string {
    auto mine = opened(name);
    auto worker = mine.open_task_table("t").value().worker();
    shmq::Run run = worker.next(kPatience);
    if (!run) return said("next", run.outcome());
    shift->first = run.id();
    if (const Outcome o = run.progress(10, "by the first"); o != Outcome::ok) return said("progress in time", o);
    shift->steps.reached = 1;
    while (!shift->steps.go) std::this_thread::yield();  // stopped here
    if (run.valid()) return "a lease that is over is valid";
    if (const Outcome o = run.heartbeat(); o != Outcome::stale) return said("a late heartbeat", o);
    if (const Outcome o = run.progress(50, "too late"); o != Outcome::stale) return said("late progress", o);
    if (const Outcome o = run.done(bytes_of(late)); o != Outcome::stale) return said("a late completion", o);
    return {};
  });
  const shmq::TaskId id =
      tasks.submit(bytes_of("work"), {.crashes_max = 0, .correlation = 7, .run_limit = 1500ms}, kPatience).id;
  ASSERT_NE(id, 0u);
  ASSERT_TRUE(eventually([&] { return shift->steps.reached == 1; }));
  slow.stop();

  Child quick([&]() -> std::string {
    auto mine = opened(name);
    auto worker = mine.open_task_table("t").value().worker();
    shmq::Run run = worker.next(kPatience);
    if (!run) return said("next", run.outcome());
    shift->second = run.id();
    if (run.runs_before() != 1) return "not the second run";
    if (const Outcome o = run.progress(90, "by the second"); o != Outcome::ok) return said("progress", o);
    if (const Outcome o = run.done(bytes_of(winning)); o != Outcome::ok) return said("done", o);
    return {};
  });
  EXPECT_EQ(quick.result(), "");
  EXPECT_EQ(shift->first, id);
  EXPECT_EQ(shift->second, id);
  ASSERT_EQ(tasks.wait(id, kPatience), Outcome::ok);

  shift->steps.go = true;
  slow.resume();
  EXPECT_EQ(slow.result(), "");

  const auto info = tasks.info(id);
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->state, TaskState::done);
  EXPECT_EQ(info->runs, 2u);
  EXPECT_EQ(info->ended.timeouts, 1u);
  EXPECT_EQ(info->ended.crashes, 0u) << "whoever is stopped is not dead";
  EXPECT_EQ(info->percent, 90u);
  EXPECT_EQ(info->note, "by the second");
  const auto result = tasks.result(id);
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(std::ranges::equal(*result, bytes_of(winning))) << "not the result of the run that completed it";
  EXPECT_EQ(tasks.remove(id), Outcome::ok);
  EXPECT_EQ(tasks.counts()[0], tasks.capacity());
}

TEST(LostLease, OfAStoppedWorkerChangesNothingOnceItGoesOn) { lose_a_lease_while_stopped(16); }
TEST(LostLease, OfAStoppedWorkerWithoutAResultCompletesNothing) { lose_a_lease_while_stopped(0); }
TEST(LostLease, OfAStoppedWorkerLeavesTheBlockOfTheResultAlone) { lose_a_lease_while_stopped(3000); }

// Where there is always more to do nobody waits, and what a dead worker had in hand is found all the same.
TEST(DeadWorker, IsFoundByWorkersThatNeverWait) {
  const Name name("busy");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20}).value();
  auto tasks = segment.task_table("t", {.capacity = 64, .policy = shmq::TaskPolicy::priority}).value();
  const shmq::TaskId id = tasks.try_submit({}, {.priority = 0}).id;
  Shared<Shift> shift;
  Child doomed([&]() -> std::string {
    auto mine = opened(name);
    auto worker = mine.open_task_table("t").value().worker();
    shmq::Run run = worker.next(kPatience);
    shift->steps.reached = 1;
    for (;;) std::this_thread::yield();  // killed here
  });
  ASSERT_TRUE(eventually([&] { return shift->steps.reached == 1; }));
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(tasks.try_submit({}, {.keep = false}));
  doomed.kill();
  auto worker = tasks.worker();
  bool again = false;
  const bool found = eventually([&] {
    shmq::Run run = worker.next(kPatience);
    again = run && run.id() == id;
    return again || run.done() != Outcome::ok || !tasks.try_submit({}, {.keep = false});
  });
  EXPECT_TRUE(found && again);
}

}  // namespace
}  // namespace faults
