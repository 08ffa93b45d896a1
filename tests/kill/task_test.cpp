// A task table, with whoever works on it killed and stopped at every point.
#include "task_operation.hpp"

#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

using shmq::Outcome;

void say(Party& p, Outcome outcome) { p.tasks().said += to_string(outcome); }

/// Submits `count` tasks beforehand.
TaskDeed with_tasks(std::uint64_t count, std::function<void(Party&)> before, std::function<void(Party&)> act,
                    std::string says = {}) {
  TaskDeed deed;
  deed.setting = [count](TaskCrew& crew) { crew.submit(1, count); };
  deed.before = std::move(before);
  deed.act = std::move(act);
  deed.says = std::move(says);
  return deed;
}

void nothing(Party&) {}
void run_one(Party& p) { p.tasks().start(); }
/// Has one of three running, and two claimed.
void hoard_three(Party& p) { p.tasks().start(3); }
auto batch_of(std::uint32_t count) {
  return [count](Party& p) { p.tasks().worker.emplace(p.tasks().table().worker({.batch = count})); };
}
void try_next(Party& p) {
  p.tasks().runs.push_back(p.tasks().worker->try_next());
  say(p, p.tasks().runs.back().outcome());
}
auto submitting(std::size_t bytes, std::chrono::milliseconds limit = std::chrono::milliseconds(0)) {
  return [bytes, limit](Party& p) { say(p, p.tasks().submit(50, bytes, limit).outcome); };  // 0: does not wait
}
auto completing(std::size_t bytes) {
  return [bytes](Party& p) { say(p, TaskHand::done(p.tasks().runs[0], bytes)); };
}

TaskDeed submission(std::uint64_t there, std::size_t bytes) {
  TaskDeed deed = with_tasks(there, nothing, submitting(bytes), there < 4 ? "ok" : "full");
  deed.submits = 1;
  return deed;
}

TEST(TaskSubmit, of_a_small_task_is_there_or_not) { task_killed_and_stopped("task_submit", submission(1, inline_bytes)); }

TEST(TaskSubmit, can_be_stopped_at_any_instruction) {
  task_stopped("task_submit.each", submission(1, inline_bytes), Detail::every_instruction);
}

// An idle worker puts back what is missing as well; here there is none.
TEST(TaskSubmit, gives_its_room_back_by_the_reaper_alone) {
  TaskDeed deed = submission(1, inline_bytes);
  deed.after = [](TaskCrew& crew, Fate) {
    crew.one.ask("reap");
    for (const TaskLook& seen : crew.look())
      if (seen.state == shmq::TaskState::free) {
        const std::string id = crew.one.ask("t:trysubmit " + std::to_string(crew.next_value++));
        require(!id.empty(), "a record is free, and nobody gets it");
        crew.submitted.insert(std::stoull(id));
      }
  };
  task_killed("task_submit_room", deed);
}

TEST(TaskSubmit, with_a_block_gives_it_to_the_task_or_back) {
  task_killed_and_stopped("task_submit_block", submission(1, block_bytes));
}

TEST(TaskSubmit, to_a_full_table_leaves_nothing) {
  TaskDeed deed = submission(4, block_bytes);
  deed.says.clear();  // others make room
  task_killed_and_stopped("task_submit_full", deed);
  deed.act = submitting(inline_bytes, one_slice);
  task_killed("task_submit_waiting", deed);
}

TEST(TaskNext, of_one_is_charged_only_once_it_runs) {
  task_killed("task_next", with_tasks(3, nothing, run_one));
  task_killed_and_stopped("task_try_next", with_tasks(3, batch_of(1), try_next));
}

TEST(TaskNext, can_be_stopped_at_any_instruction) {
  task_stopped("task_next.each", with_tasks(2, batch_of(1), try_next), Detail::every_instruction);
}

TEST(TaskNext, of_several_is_charged_for_the_one_that_runs) {
  task_killed_and_stopped("task_next_batch", with_tasks(4, batch_of(3), try_next));
}

TEST(TaskNext, of_what_it_had_claimed_goes_on_or_is_taken_over) {
  task_killed_and_stopped("task_next_claimed", with_tasks(4, hoard_three, try_next));
}

// An idle worker takes over what a dead one claimed as well; here there is none.
TEST(TaskNext, of_several_is_undone_by_the_reaper_alone) {
  TaskDeed deed = with_tasks(4, batch_of(3), try_next);
  deed.after = [](TaskCrew& crew, Fate) {
    crew.one.ask("reap");
    for (const TaskLook& seen : crew.look())
      require(seen.owner == 0, std::string("a dead worker's task is ") + shmq::to_string(seen.state));
  };
  task_killed("task_next_swept", deed);
}

TEST(TaskNext, of_an_empty_table_leaves_nothing) {
  task_killed_and_stopped("task_next_empty", with_tasks(0, batch_of(1), try_next));
}

TaskDeed beside_a_hoarder(std::function<void(Party&)> act) {
  TaskDeed deed = with_tasks(3, nothing, std::move(act));
  deed.setting = [](TaskCrew& crew) {
    crew.submit(1, 3);
    crew.one.ask("t:hoard 3");
    crew.hoards = true;
  };
  return deed;
}

TEST(TaskNext, takes_over_what_a_living_worker_hoards) {
  TaskDeed deed = beside_a_hoarder(try_next);
  deed.before = batch_of(1);
  task_killed_and_stopped("task_steal", deed);
}

TEST(TaskNext, that_is_hoarded_nobody_waits_for) {
  TaskDeed deed = beside_a_hoarder([](Party& p) {
    try_next(p);
    if (p.tasks().runs[0]) say(p, TaskHand::done(p.tasks().runs[0], 0));
  });
  deed.before = batch_of(1);
  deed.result_bytes = 0;
  task_killed_and_stopped("task_steal_and_done", deed);
}

TEST(TaskRun, progress_is_said_or_not) {
  task_killed_and_stopped("task_progress",
                          with_tasks(2, run_one, [](Party& p) { say(p, p.tasks().runs[0].progress(50)); }, "ok"));
}

/// Values 1, 2, 3: whoever runs it again has a small result, one in a block, none.
TaskDeed completion(std::uint64_t value, std::size_t bytes) {
  TaskDeed deed = with_tasks(1, run_one, completing(bytes), "ok");
  deed.setting = [value](TaskCrew& crew) { crew.submit(value); };
  deed.result_bytes = bytes;
  return deed;
}

TEST(TaskDone, without_a_result_counts_once) { task_killed_and_stopped("task_done", completion(1, 0)); }

TEST(TaskDone, can_be_stopped_at_any_instruction) {
  task_stopped("task_done.each", completion(1, inline_bytes), Detail::every_instruction);
}

TEST(TaskDone, with_a_result_has_that_or_the_one_of_the_next_run) {
  for (const std::uint64_t value : {1, 2, 3})
    task_killed_and_stopped("task_done_inline_" + std::to_string(value), completion(value, inline_bytes));
}

TEST(TaskDone, with_a_block_has_that_or_the_result_of_the_next_run) {
  for (const std::uint64_t value : {1, 2, 3})
    task_killed_and_stopped("task_done_block_" + std::to_string(value), completion(value, block_bytes));
}

TEST(TaskDone, of_a_task_that_is_not_kept_clears_it_away_or_leaves_it_to_others) {
  TaskDeed deed = completion(1, inline_bytes);
  deed.setting = [](TaskCrew& crew) { crew.submit(1, 2, block_bytes, "3 3 forget"); };
  deed.result_bytes = {};
  deed.removes = true;
  deed.forgets = true;
  task_killed_and_stopped("task_done_forget", deed);
}

TEST(TaskDone, over_what_a_dead_worker_left_has_its_own_result) {
  for (const std::size_t point : {4, 5, 6, 7})
    for (const std::size_t bytes : {std::size_t{0}, inline_bytes, block_bytes}) {
      TaskDeed deed = completion(1, bytes);
      deed.before = [point](Party& p) {
        p.leave_corpse_at(point, run_one, completing(block_bytes));
        p.segment().reap();
        run_one(p);
      };
      task_killed("task_done_again_" + std::to_string(point) + "_" + std::to_string(bytes), deed);
    }
}

TEST(TaskDone, has_a_block_where_only_that_of_a_dead_worker_is_left) {
  TaskDeed deed = completion(2, block_bytes);
  deed.setting = [](TaskCrew& crew) {
    crew.submit(2);
    crew.one.ask("t:fillblocks 5");
  };
  deed.at_last = [](TaskCrew& crew) { require(crew.one.ask("t:emptyblocks") == "ok", "w cannot be removed"); };
  task_killed("task_done_last_block", deed);
}

TEST(TaskRun, that_fails_is_counted_once) {
  const auto fail = [](Party& p) { say(p, p.tasks().runs[0].fail()); };
  task_killed_and_stopped("task_fail", with_tasks(2, run_one, fail, "ok"));
  TaskDeed deed = with_tasks(0, run_one, fail, "ok");
  deed.setting = [](TaskCrew& crew) { crew.submit(1, 2, inline_bytes, "0 0"); };
  task_killed_and_stopped("task_fail_dead", deed);
}

TEST(TaskRun, that_is_released_is_counted_once) {
  task_killed_and_stopped("task_release",
                          with_tasks(2, run_one, [](Party& p) { say(p, p.tasks().runs[0].release()); }, "ok"));
}

TEST(TaskRun, that_is_asked_to_stop_is_cancelled_or_somebody_elses) {
  TaskDeed deed = with_tasks(2, run_one, [](Party& p) { say(p, p.tasks().runs[0].cancel()); }, "ok");
  deed.before = [](Party& p) {
    run_one(p);
    (void)p.tasks().table().cancel(p.tasks().runs[0].id());
  };
  task_killed_and_stopped("task_run_cancel", deed);
}

/// Something done to the first task that the setting chose; the victim looks for one in that state.
TaskDeed upon(shmq::TaskState state, std::function<void(TaskCrew&)> setting,
              Outcome (shmq::TaskTable::*change)(shmq::TaskId)) {
  TaskDeed deed;
  deed.setting = std::move(setting);
  deed.before = [state](Party& p) {
    p.tasks().table().for_each([&](const shmq::TaskInfo& info) {
      if (info.state == state && p.values.empty()) p.values.push_back(info.id);
    });
    require(!p.values.empty(), std::string("no task is ") + shmq::to_string(state));
  };
  deed.act = [change](Party& p) { say(p, (p.tasks().table().*change)(p.values[0])); };
  return deed;
}

TEST(TaskCancel, of_a_waiting_one_happens_or_not) {
  task_killed_and_stopped("task_cancel", upon(shmq::TaskState::ready, [](TaskCrew& crew) { crew.submit(1, 2); },
                                              &shmq::TaskTable::cancel));
}

void hoarder(TaskCrew& crew) {
  crew.submit(1, 3);
  crew.one.ask("t:hoard 3");
  crew.hoards = true;
}

TEST(TaskCancel, of_a_claimed_one_happens_or_not) {
  task_killed_and_stopped("task_cancel_claimed", upon(shmq::TaskState::claimed, hoarder, &shmq::TaskTable::cancel));
}

TEST(TaskCancel, of_a_running_one_is_heard_of_or_not) {
  task_killed_and_stopped("task_cancel_running", upon(shmq::TaskState::running, hoarder, &shmq::TaskTable::cancel));
}

// Stopped before it asks, a canceller goes on when the record has another task, which somebody else asks to stop.
TEST(TaskCancel, that_comes_too_late_leaves_alone_what_was_asked_of_the_next_task) {
  TaskDeed deed = upon(shmq::TaskState::running,
                       [](TaskCrew& crew) {
                         crew.submit(1, 4);
                         crew.one.ask("t:hoard 1");
                         crew.hoards = true;
                       },
                       &shmq::TaskTable::cancel);
  deed.meanwhile = [](TaskCrew& crew) {
    crew.work(true);
    crew.note(crew.one.ask("t:finish"));
    crew.clear();
    const std::vector<shmq::TaskId> ids = crew.submit(7, 4);
    crew.one.ask("t:hoard 1");
    require(crew.other.ask("t:cancel " + std::to_string(ids[0])) == "ok", "a task that runs cannot be asked to stop");
  };
  deed.after = [](TaskCrew& crew, Fate) {
    for (const TaskLook& seen : crew.look())
      if (seen.state == shmq::TaskState::running && seen.value == 7)
        require(seen.cancelled, "a task was asked to stop, and does not know");
  };
  task_stopped("task_cancel_late.each", deed, Detail::every_instruction);
}

TEST(TaskRemove, of_a_waiting_one_gives_its_block_back) {
  TaskDeed deed = upon(shmq::TaskState::ready, [](TaskCrew& crew) { crew.submit(1, 2, block_bytes); },
                       &shmq::TaskTable::remove);
  deed.removes = true;
  task_killed_and_stopped("task_remove", deed);
}

TEST(TaskRemove, of_one_that_is_done_gives_both_blocks_back) {
  TaskDeed deed = upon(
      shmq::TaskState::done,
      [](TaskCrew& crew) {
        crew.submit(2, 1, block_bytes);
        crew.work(false);
        crew.submit(3, 1, block_bytes);
      },
      &shmq::TaskTable::remove);
  deed.removes = true;
  task_killed_and_stopped("task_remove_done", deed);
}

TEST(TaskKick, of_a_dead_one_happens_or_not) {
  TaskDeed deed = upon(
      shmq::TaskState::dead,
      [](TaskCrew& crew) {
        crew.submit(1, 1, inline_bytes, "0 0");
        require(crew.one.ask("t:failrun") == "ok", "a run cannot fail");
        crew.submit(2);
      },
      &shmq::TaskTable::kick);
  task_killed_and_stopped("task_kick", deed);
}

TEST(TaskWorker, that_goes_gives_back_what_it_did_not_start) {
  task_killed_and_stopped("task_give_back", with_tasks(4, hoard_three, [](Party& p) { p.tasks().worker.reset(); }));
}

/// A corpse that had one record in ALLOC, two CLAIMED, one RUNNING.
TaskDeed reaping() {
  TaskDeed deed = with_tasks(3, nothing, [](Party& p) { p.segment().reap(); });
  deed.before = [](Party& p) {
    const auto writing = [&] { return p.tasks().table().counts()[static_cast<std::size_t>(shmq::TaskState::alloc)]; };
    const auto hoard_and_submit = [](Party& corpse) { submitting(block_bytes)(corpse); };
    for (std::size_t point = 3; writing() == 0; ++point) {
      require(p.leave_corpse_at(point, hoard_three, hoard_and_submit), "no kill leaves a record that is being written");
      if (writing() != 0) break;
      p.segment().reap();
    }
  };
  deed.reaps = true;
  return deed;
}

TEST(TaskReaper, of_a_worker_may_die_or_stop_at_any_point) {
  task_killed_and_stopped("task_reap", reaping());
}

TEST(TaskReaper, finds_a_result_that_no_run_completed) {
  TaskDeed deed = with_tasks(0, nothing, [](Party& p) { p.segment().reap(); });
  deed.setting = [](TaskCrew& crew) { crew.submit(3, 1, block_bytes); };
  deed.before = [](Party& p) { p.leave_corpse_at(6, run_one, completing(block_bytes)); };
  deed.reaps = true;
  deed.result_bytes = block_bytes;
  task_killed_and_stopped("task_reap_result", deed);
}

void use_u(TaskCrew& crew, Fate) {
  require(crew.one.ask("t:declare u") == "ok", "u cannot be declared");
  const std::string used = crew.other.ask("t:use u");
  require(used == "ok", "u is of no use: " + used);
  require(crew.one.ask("t:drop u") == "ok", "u cannot be removed");
}

TEST(TaskTableDeclare, makes_it_whole_or_not_at_all) {
  TaskDeed deed;
  deed.act = [](Party& p) { expect(p.segment().task_table("u", table_options())); };
  deed.after = use_u;
  task_killed_and_stopped("task_declare", deed);
}

TEST(TaskTableRemove, with_tasks_in_it_gives_their_blocks_back) {
  TaskDeed deed;
  deed.before = [](Party& p) {
    std::array<std::byte, block_bytes> payload{};
    shmq::TaskTable u = expect(p.segment().task_table("u", table_options()));
    require(u.try_submit(payload).outcome == Outcome::ok && u.try_submit(payload).outcome == Outcome::ok, "u takes nothing");
  };
  deed.act = [](Party& p) { (void)p.segment().remove_task_table("u"); };
  deed.after = [](TaskCrew& crew, Fate fate) {
    const std::string removed = crew.one.ask("t:drop u");
    require(removed == "ok" || removed == "not_found", "u cannot be removed: " + removed);
    use_u(crew, fate);
  };
  task_killed_and_stopped("task_table_remove", deed);
}

// Everybody is dead, and who attaches mends what they left.
class AttachToDeadWorkers : public Scenario {
 public:
  void setup(World& world) override {
    name_ = world.name();
    world.run("creator", [&] { create_task_segment(name_, 4); });
    const auto corpse = [&](const std::function<void(Party&)>& deed) -> Process& {
      return world.spawn("corpse", [name = name_, deed] {
        auto made = std::make_unique<Party>(name);
        deed(*made);
        return made;
      });
    };
    Process& submitter = corpse([](Party& p) { p.tasks(); });
    ids_ = submitter.ask("t:submit 1 3 200");
    Process& worker = corpse(hoard_three);
    for (Process* process : {&submitter, &worker}) process->kill();
  }

  ActorFactory victim() override {
    class Attacher : public Actor {
     public:
      explicit Attacher(std::string name) : name_(std::move(name)) {}
      void operate() override { party_.emplace(name_); }

     private:
      std::string name_;
      std::optional<Party> party_;
    };
    return [name = name_] { return std::make_unique<Attacher>(name); };
  }

  void check(World& world, const Instant& instant) override {
    if (instant.fate == Fate::stopped) return;
    const auto party = [name = name_] {
      auto made = std::make_unique<Party>(name);
      made->tasks();
      return made;
    };
    Process& one = world.spawn("one", party);
    Process& other = world.spawn("other", party);
    if (instant.fate == Fate::completed) instant.victim.quit();
    TaskCrew crew{world, name_, one, other};
    std::istringstream words(ids_);
    for (shmq::TaskId id = 0; words >> id;) crew.submitted.insert(id);
    std::uint32_t crashes = 0;
    for (const TaskLook& seen : crew.look()) crashes += seen.ended.crashes;
    require(crashes == 1, "the run of a dead worker was counted " + std::to_string(crashes) + " times");
    finish_tasks(crew, {});
  }

 private:
  std::string name_, ids_;
};

TEST(TaskAttach, after_everybody_died_mends_the_table) {
  const Report report = run_killed("task_attach", make<AttachToDeadWorkers>(), scenario_limits());
  EXPECT_TRUE(report.clean()) << report;
}

}  // namespace
}  // namespace killtest
