// One operation on a task table, killed or stopped at every point of it, among two survivors who attached before.
//
// The world has a segment with the table "t" of four records, and six blocks. What a kill leaves is read from outside
// before anybody does anything, and says what has to come of it: every task that is there then is completed once, by a
// survivor where the victim had not done so; one that the victim ran has one crash more, and no other; what the victim was
// writing is free again. The survivors do that by waiting for work, both at once. Then all records are emptied and filled
// again, and the audit accounts for everything.
#pragma once

#include "party.hpp"
#include "scenario.hpp"

#include "shmq/layout/task_table.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace killtest {

/// A record, seen from outside.
struct TaskLook {
  shmq::layout::TaskState state = shmq::layout::TaskState::free;
  std::uint32_t owner = 0;
  shmq::TaskId id = 0;
  std::uint64_t value = 0;
  shmq::layout::Tally ended;  // with the end that is not counted yet
  std::uint32_t crashes_max = 0;
  bool cancelled = false;
  bool expires = false;   // it has a time to be started by
  bool lapses = false;    // its runs have a longest time
  bool fades = false;     // it is kept for a time only
};

struct TaskCrew {
  World& world;
  std::string segment;
  Process& one;
  Process& other;
  std::set<std::uint32_t> survivors = {};  // as owners
  std::set<shmq::TaskId> submitted = {};   // ids that were given out
  std::set<shmq::TaskId> removed = {};     // must never be seen again
  std::map<shmq::TaskId, int> completed = {};  // by survivors
  bool hoards = false;                     // `one` has run "t:hoard"
  bool lapses = false;                     // leases may end by time, those of survivors too
  std::uint64_t next_value = 500;

  std::vector<TaskLook> look() const;
  /// By `one`; the ids are noted.
  std::vector<shmq::TaskId> submit(std::uint64_t first, std::uint64_t count = 1, std::size_t bytes = inline_bytes,
                                   const std::string& limits = "");
  void work(bool past);
  void clear();
  void note(const std::string& reports);
};

struct TaskDeed {
  std::function<void(TaskCrew&)> setting = [](TaskCrew&) {};
  std::function<void(Party&)> before = [](Party&) {};
  std::function<void(Party&)> act;
  /// What the victim says when it was not killed; nothing: anything.
  std::string says = {};
  std::size_t submits = 0;      // so many tasks may be there that nobody was told of
  bool removes = false;         // tasks that were submitted may be gone
  shmq::TaskPolicy policy = shmq::TaskPolicy::fifo;
  bool lapses = false;          // tasks have a longest run time
  bool forgets = false;         // tasks that are not kept: who is done has its record cleared away
  std::optional<std::size_t> result_bytes = {};  // the victim completes a run, with so many
  std::optional<std::uint64_t> result_value = {};  // ... of another value than the task's
  /// Instead of all work and all room past a stopped victim.
  std::function<void(TaskCrew&)> meanwhile = nullptr;
  std::function<void(TaskCrew&, Fate)> after = [](TaskCrew&, Fate) {};
  std::function<void(TaskCrew&)> at_last = [](TaskCrew&) {};  // before the audit
  bool reaps = false;           // survivors find somebody dead while the victim is stopped
};

void task_killed(const std::string& name, const TaskDeed& deed, Detail detail = Detail::changes);
void task_stopped(const std::string& name, const TaskDeed& deed, Detail detail = Detail::changes);
void task_killed_and_stopped(const std::string& name, const TaskDeed& deed);

void create_task_segment(const std::string& name, std::uint32_t participants_max = 6,
                         shmq::TaskPolicy policy = shmq::TaskPolicy::fifo);
/// The common end: see above.
void finish_tasks(TaskCrew& crew, const TaskDeed& deed);

}  // namespace killtest
