// What goes by the time or by the order of a table: killed and stopped at every point.
#include "task_operation.hpp"

#include "operation.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace killtest {
namespace {

using shmq::Outcome;
using shmq::TaskPolicy;
using std::chrono::milliseconds;

void say(Party& p, Outcome outcome) { p.tasks().said += to_string(outcome); }
void run_one(Party& p) { p.tasks().start(); }
void try_next(Party& p) {
  p.tasks().runs.push_back(p.tasks().worker->try_next());
  say(p, p.tasks().runs.back().outcome());
}
/// A worker, and then so long that what has been delayed by less is due.
auto worker_after(milliseconds wait, std::uint32_t batch = 1) {
  return [wait, batch](Party& p) {
    p.tasks().worker.emplace(p.tasks().table().worker({.batch = batch}));
    std::this_thread::sleep_for(wait);
  };
}
/// What any waiting call does: it keeps the time.
void keep_time(Party& p) { (void)p.tasks().table().wait(p.values.at(0), milliseconds(0)); }
void first_task(Party& p) {
  p.tasks().table().for_each([&](const shmq::TaskInfo& info) {
    if (p.values.empty()) p.values.push_back(info.id);
  });
  require(!p.values.empty(), "no task is there");
}

TaskDeed with(const std::string& options, std::function<void(Party&)> before, std::function<void(Party&)> act,
              TaskPolicy policy = TaskPolicy::fifo, std::uint64_t count = 2) {
  TaskDeed deed;
  deed.policy = policy;
  deed.setting = [options, count](TaskCrew& crew) { crew.submit(1, count, inline_bytes, "3 3 " + options); };
  deed.before = std::move(before);
  deed.act = std::move(act);
  return deed;
}

TaskDeed submission(const std::string& option, TaskPolicy policy) {
  TaskDeed deed = with("", [](Party&) {}, [option](Party& p) {
    say(p, p.tasks().submit(50, inline_bytes, milliseconds(0), with_option({.name = "n", .priority = 7}, option)).outcome);
  }, policy);
  deed.submits = 1;
  deed.says = "ok";
  return deed;
}

TEST(TaskSubmitTimed, with_a_delay_is_there_or_not) { task_killed_and_stopped("task_submit_delay", submission("delay=1", TaskPolicy::fifo)); }
TEST(TaskSubmitTimed, with_an_expiry_is_there_or_not) { task_killed_and_stopped("task_submit_expires", submission("expires=1", TaskPolicy::edf)); }
TEST(TaskSubmitTimed, held_is_there_or_not) { task_killed_and_stopped("task_submit_hold", submission("hold", TaskPolicy::priority)); }
TEST(TaskSubmitOrdered, by_priority_is_there_or_not) { task_killed_and_stopped("task_submit_priority", submission("", TaskPolicy::priority)); }
TEST(TaskSubmitOrdered, with_a_delay_is_there_or_not) {
  task_killed_and_stopped("task_submit_priority_delay", submission("delay=1", TaskPolicy::priority));
}

TEST(TaskNextOrdered, of_one_is_charged_only_once_it_runs) {
  task_killed_and_stopped("task_next_priority", with("", worker_after(milliseconds(0)), try_next, TaskPolicy::priority, 3));
}
TEST(TaskNextOrdered, of_several_is_charged_for_the_one_that_runs) {
  task_killed_and_stopped("task_next_edf", with("", worker_after(milliseconds(0), 3), try_next, TaskPolicy::edf, 4));
}
TEST(TaskNextOrdered, that_fails_comes_back) {
  task_killed_and_stopped("task_fail_priority", with("", run_one, [](Party& p) { say(p, p.tasks().runs[0].fail("why")); }, TaskPolicy::priority));
}

TEST(TaskDue, a_delay_that_is_over_is_over_for_whoever_looks) {
  task_killed_and_stopped("task_promote", with("delay=1", worker_after(milliseconds(3)), try_next));
  task_killed("task_promote_priority", with("delay=1", worker_after(milliseconds(3)), try_next, TaskPolicy::priority));
}
TEST(TaskDue, a_task_that_expires_is_never_run) {
  for (const TaskPolicy policy : {TaskPolicy::fifo, TaskPolicy::edf}) {
    TaskDeed deed = with("expires=1", first_task, keep_time, policy);
    deed.before = [](Party& p) { first_task(p), std::this_thread::sleep_for(milliseconds(3)); };
    task_killed_and_stopped("task_expire_" + std::string(shmq::to_string(policy)), deed);
  }
}
TEST(TaskDue, a_failed_run_waits_for_its_next_one) {
  task_killed_and_stopped("task_backoff", with("backoff=1", run_one, [](Party& p) { say(p, p.tasks().runs[0].fail("why")); }));
}
TEST(TaskDue, a_run_with_a_longest_time_begins_or_not) {
  TaskDeed deed = with("limit=200", worker_after(milliseconds(0)), try_next);
  deed.lapses = true;
  task_killed("task_start_limited", deed);
}
TEST(TaskDue, a_run_that_takes_too_long_is_ended_once) {
  TaskDeed deed;
  deed.lapses = true;
  deed.setting = [](TaskCrew& crew) {
    crew.submit(1, 2, inline_bytes, "3 3 limit=30");
    crew.one.ask("t:hoard 1");
  };
  deed.before = [](Party& p) { first_task(p), std::this_thread::sleep_for(milliseconds(35)); };
  deed.act = keep_time;
  task_killed("task_timeout", deed);
}
// Stopped while it writes its result, a worker goes on when its time is over and the task has the result of another run.
TEST(TaskDue, a_stopped_worker_writes_over_nobodys_result) {
  TaskDeed deed = with("limit=20", run_one, [](Party& p) {
    std::array<std::byte, inline_bytes> result{};
    write_payload(result, 77);
    say(p, p.tasks().runs[0].done(result));
  }, TaskPolicy::fifo, 1);
  deed.lapses = true;
  deed.result_bytes = inline_bytes;
  deed.result_value = 77;
  deed.meanwhile = [](TaskCrew& crew) { crew.work(false); };
  task_stopped("task_stopped_result", deed);
}
TEST(TaskDue, what_was_kept_for_a_time_goes_with_its_block) {
  const auto one_that_waits = [](Party& p) {
    p.tasks().table().for_each([&](const shmq::TaskInfo& info) {
      if (info.state == shmq::TaskState::ready) p.values.push_back(info.id);
    });
    std::this_thread::sleep_for(milliseconds(25));
  };
  TaskDeed deed = with("", one_that_waits, keep_time);
  deed.setting = [](TaskCrew& crew) {
    crew.submit(2, 2, block_bytes, "3 3 keepfor=20");
    crew.work(false);
    crew.submit(5, 1);  // somebody has something to wait for
  };
  deed.removes = true;
  task_killed_and_stopped("task_keep_for", deed);
}

/// Something done to the first task.
TaskDeed upon_first(const std::string& options, std::function<Outcome(shmq::TaskTable&, shmq::TaskId)> change, TaskPolicy policy) {
  return with(options, first_task, [change](Party& p) { say(p, change(p.tasks().table(), p.values[0])); }, policy);
}
TEST(TaskHold, of_a_waiting_one_happens_or_not) {
  const auto hold = [](shmq::TaskTable& t, shmq::TaskId id) { return t.hold(id); };
  for (const TaskPolicy policy : {TaskPolicy::fifo, TaskPolicy::priority})
    task_killed_and_stopped("task_hold_" + std::string(shmq::to_string(policy)), upon_first("", hold, policy));
}
TEST(TaskHold, is_ended_or_not) {
  const auto unhold = [](shmq::TaskTable& t, shmq::TaskId id) { return t.unhold(id); };
  for (const TaskPolicy policy : {TaskPolicy::fifo, TaskPolicy::priority})
    task_killed_and_stopped("task_unhold_" + std::string(shmq::to_string(policy)), upon_first("hold", unhold, policy));
}
TEST(TaskReprioritise, moves_it_or_not) {
  const auto change = [](shmq::TaskTable& t, shmq::TaskId id) { return t.reprioritise(id, 3); };
  task_killed_and_stopped("task_reprioritise", upon_first("", change, TaskPolicy::priority));
}
TEST(TaskPurge, gives_all_blocks_back_or_some) {
  TaskDeed deed = with("", [](Party&) {}, [](Party& p) { (void)p.tasks().table().purge_finished(); });
  deed.setting = [](TaskCrew& crew) {
    crew.submit(2, 2, block_bytes);
    crew.work(false);
    crew.submit(5, 1);
  };
  deed.removes = true;
  task_killed_and_stopped("task_purge", deed);
}

// A worker of an ordered table, dead with one run, one claim and a delay in hand.
TEST(TaskReaperOrdered, may_die_or_stop_at_any_point) {
  TaskDeed deed = with("backoff=1", [](Party& p) { p.leave_corpse([](Party& corpse) { corpse.tasks().start(2); }); },
                       [](Party& p) { p.segment().reap(); }, TaskPolicy::priority, 3);
  deed.reaps = true;
  task_killed_and_stopped("task_reap_priority", deed);
}

}  // namespace
}  // namespace killtest
