// Tasks that are submitted with an idempotency key, with whoever submits killed and stopped at every point:
// two survivors who submit the same key then end with one task.
#include "task_operation.hpp"

#include "operation.hpp"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <algorithm>
#include <atomic>
#include <new>
#include <sstream>

namespace killtest {
namespace {

using shmq::Outcome;
using shmq::TaskState;

// Payloads of tasks with the key "k".
constexpr std::uint64_t by_setting = 40, by_corpse = 49, by_victim = 50, by_one = 500, by_other = 501;

auto submitting(std::uint64_t value, std::size_t bytes = inline_bytes, bool hold = false) {
  return [=](Party& p) {
    const shmq::Submitted submitted =
        p.tasks().submit(value, bytes, std::chrono::milliseconds(0), {.hold = hold, .key = "k"});
    p.tasks().said += std::string(to_string(submitted.outcome)) + (submitted.duplicate ? " duplicate" : "");
  };
}

struct Answer {
  explicit Answer(const std::string& text) {
    std::istringstream(text) >> id >> duplicate;
    require(id != 0, "a survivor cannot submit: " + text);
  }
  shmq::TaskId id = 0;
  bool duplicate = false;
};

/// A kill point of a submission with a key and a block at which the task is there, soon after it came.
constexpr std::size_t published_by = 30;

/// The tasks with the key that are there.
std::vector<TaskLook> with_key(const TaskCrew& crew) {
  std::vector<TaskLook> found;
  for (const TaskLook& seen : crew.look())
    for (const std::uint64_t value : {by_setting, by_corpse, by_victim, by_one, by_other})
      if (seen.value == value && seen.state != TaskState::free && seen.state != TaskState::alloc)
        found.push_back(seen);
  return found;
}

/// Both survivors submit the key at the same time; with `reap`, one of them sweeps the dead meanwhile, and
/// submits then.
shmq::TaskId submit_twice(TaskCrew& crew, bool reap) {
  const std::string key = "t:key k ";
  crew.one.post(reap ? "reap" : key + std::to_string(by_one));
  crew.other.post(key + std::to_string(by_other));
  const std::string first = crew.one.await();
  const Answer other(crew.other.await());
  const Answer one(reap ? crew.one.ask(key + std::to_string(by_one)) : first);
  require(one.id == other.id,
          "two tasks with the same key: " + std::to_string(one.id) + " and " + std::to_string(other.id));
  require(one.duplicate || other.duplicate, "two submissions with the same key, and both were first");
  crew.submitted.insert(one.id);
  const std::vector<TaskLook> there = with_key(crew);
  require(there.size() == 1, std::to_string(there.size()) + " tasks with the same key are there");
  require(there[0].id == one.id, "the id that was answered is not the task's that is there");
  return one.id;
}

TaskDeed with_key_submitted(std::function<void(Party&)> act, bool reap = false) {
  TaskDeed deed;
  deed.setting = [](TaskCrew& crew) { crew.submit(1); };
  deed.act = std::move(act);
  deed.submits = 1;
  deed.meanwhile = [](TaskCrew& crew) { submit_twice(crew, false); };
  deed.after = [reap](TaskCrew& crew, Fate) { submit_twice(crew, reap); };
  return deed;
}

TEST(TaskKeySubmit, by_one_who_dies_is_one_task_with_those_of_the_survivors) {
  task_killed_and_stopped("task_key", with_key_submitted(submitting(by_victim)));
  task_killed("task_key_block", with_key_submitted(submitting(by_victim, block_bytes)));
}

TEST(TaskKeySubmit, by_one_who_dies_and_is_swept_meanwhile_is_one_task) {
  task_killed("task_key_reap", with_key_submitted(submitting(by_victim, block_bytes), true));
}

// What the survivors submitted meanwhile is done, and cleared away, when the stopped one goes on.
TEST(TaskKeySubmit, that_was_stopped_goes_on_when_its_key_was_had_and_is_free_again) {
  TaskDeed deed = with_key_submitted(submitting(by_victim));
  deed.meanwhile = [](TaskCrew& crew) {
    submit_twice(crew, false);
    crew.work(true);
    crew.clear();
  };
  deed.says = "ok";
  task_stopped("task_key_again", deed);
}

TEST(TaskKeySubmit, of_what_is_there_already_leaves_nothing) {
  TaskDeed deed = with_key_submitted(submitting(by_victim, block_bytes));
  deed.setting = [](TaskCrew& crew) {
    crew.submitted.insert(Answer(crew.one.ask("t:key k " + std::to_string(by_setting))).id);
  };
  deed.submits = 0;
  deed.says = "ok duplicate";
  task_killed_and_stopped("task_key_there", deed);
}

/// A corpse that was killed in one of the last points before it published its task, which the index names
/// already.
auto a_corpse(std::size_t which, bool hold) {
  // The point of the first that was found, which is about the same in each world: so not every world seeks from the end.
  // Shared by the driver with the victims, which find it.
  void* const shared =
      mmap(nullptr, sizeof(std::atomic<std::size_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require_system(shared != MAP_FAILED, "mmap");
  auto* const known = new (shared) std::atomic<std::size_t>(published_by);
  return [=](Party& p) {
    const auto writing = [&] {
      return p.tasks().table().counts()[static_cast<std::size_t>(TaskState::alloc)] != 0;
    };
    const auto leave = [&](std::size_t point) {
      return p.leave_corpse_at(
          point, [](Party&) {}, submitting(by_corpse, block_bytes, hold));
    };
    /// True where its task was there.
    const auto undo = [&] {
      p.segment().reap();
      shmq::TaskId there = 0;
      p.tasks().table().for_each([&](const shmq::TaskInfo& info) {
        if (info.correlation == by_corpse) there = info.id;
      });
      if (there != 0)
        require(p.tasks().table().remove(there) == Outcome::ok, "a task that waits cannot be removed");
      return there != 0;
    };
    // From a point at which it is there already, or beyond the last one. As records are used again fewer
    // bytes change, and there are fewer points.
    std::size_t point = published_by;
    (void)leave(point);
    require(undo(), "the task was not published yet: raise published_by");
    point = std::min(point, *known + 3);
    for (std::size_t found = 0; --point > 3;) {
      (void)leave(point);
      if (writing() && ++found == 1) *known = point;
      if (writing() && found == which) return;
      undo();
    }
    require(false, "no kill leaves a task that was about to be published");
  };
}

TEST(TaskKeySubmit, of_one_that_a_dead_submitter_had_begun_is_one_task) {
  TaskDeed deed = with_key_submitted(submitting(by_victim));
  deed.before = a_corpse(1, false);
  deed.reaps = true;
  task_killed_and_stopped("task_key_corpse", deed);
  deed.before = a_corpse(2, false);
  task_killed("task_key_corpse_earlier", deed);
}

TEST(TaskKeySubmit, of_a_held_one_publishes_it_held) {
  TaskDeed deed = with_key_submitted(submitting(by_victim, inline_bytes, true));
  deed.before = a_corpse(1, true);
  deed.reaps = true;
  deed.after = [](TaskCrew& crew, Fate) {
    for (const TaskLook& seen : with_key(crew)) {
      require(seen.value == by_one || seen.state == TaskState::held,
              "a held task is " + std::string(shmq::to_string(seen.state)));
      require(crew.other.ask("t:remove " + std::to_string(seen.id)) == "ok", "a held task cannot be removed");
      crew.removed.insert(seen.id);
    }
  };
  task_killed("task_key_held", deed);
}

}  // namespace
}  // namespace killtest
