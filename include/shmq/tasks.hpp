// A task table: submitters put tasks in, workers take them out, and each task is completed by one of them.
//
// At least once: a task whose worker dies, or lets its time run out, is run again; its completion counts once. Whoever
// holds a run holds a lease, and what comes in under a lease that has ended is refused (`stale`) and changes nothing.
//
// Thread and process safety: a TaskTable may be copied and used from any thread of any process that has the segment open;
// a TaskWorker and its runs belong to one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shmq/core/task_table_handle.hpp"
#include "shmq/options.hpp"
#include "shmq/outcome.hpp"
#include "shmq/result.hpp"

namespace shmq {

class Segment;

/// Never used again in this table; 0 is nobody's.
using TaskId = std::uint64_t;
using layout::RunEnd;
using layout::TaskState;

[[nodiscard]] const char* to_string(TaskState state);
[[nodiscard]] const char* to_string(RunEnd end);

struct TaskTableOptions {
  /// How many tasks it holds, in whatever state: 1 to 16,777,215.
  std::uint32_t capacity = 4096;
  /// Bytes that a payload may have without a block; rounded up to a multiple of 64. 0 to 64 KiB.
  std::uint32_t payload_bytes = 64;
  /// The same of results.
  std::uint32_t result_bytes = 64;
};

struct TaskOptions {
  std::string_view name = {};
  /// How often a run may end so and be followed by another one. Beyond it the task is DEAD.
  std::uint16_t failures_max = 3;
  std::uint16_t crashes_max = 3;
  /// Kept for whoever asks; means nothing to the table.
  std::uint64_t correlation = 0;
  /// Whether the task stays in the table once it is done, until remove(). If not, its result is dropped, and wait() says
  /// `empty` from then on.
  bool keep = true;
};

/// What a submission came to. `id` is set where the outcome is ok.
struct Submitted {
  Outcome outcome = Outcome::full;
  TaskId id = 0;
  explicit operator bool() const { return outcome == Outcome::ok; }
};

/// One look at a task: taken between two looks at its word that agree.
struct TaskInfo {
  TaskId id = 0;
  TaskState state = TaskState::free;
  std::uint32_t owner = 0;  // participant, where it is claimed or runs
  RunEnd last_end = RunEnd::none;
  layout::Tally ended;     // runs that ended, and did not complete it
  std::uint32_t runs = 0;  // that were started
  std::string name;
  std::uint32_t payload_bytes = 0;
  std::uint64_t correlation = 0;
};

/// The run of one task, in the hands of the worker that started it. Move-only. Dropped, it is given back: another run
/// follows, and this one counts as a release.
class [[nodiscard]] Run {
 public:
  Run() = default;
  Run(Run&& other) noexcept
      : table_(std::move(other.table_)), lease_(other.lease_), outcome_(other.outcome_) {}
  Run& operator=(Run&& other) noexcept;
  ~Run() {
    if (table_ != nullptr) (void)release();
  }

  /// True while it is to be ended.
  explicit operator bool() const { return table_ != nullptr; }
  Outcome outcome() const { return outcome_; }

  TaskId id() const;
  std::string name() const;
  /// In shared memory, and true as long as the lease is.
  std::span<const std::byte> payload() const;
  std::uint64_t correlation() const;
  /// Runs of this task before this one.
  std::uint32_t runs_before() const;

  /// Whether somebody asked for it to stop. The price of a load.
  bool cancelled() const;
  /// Whether the lease is still valid.
  bool valid() const;
  /// 0 to 100. ok, or stale.
  Outcome progress(unsigned percent);

  // Each ends the run. ok; stale: the lease had ended, and nothing was changed; detached.
  /// Completed, with a result. no_block, too_large: it still runs.
  [[nodiscard]] Outcome done(std::span<const std::byte> result = {});
  /// To be run again, or DEAD where its limit is used up.
  Outcome fail();
  /// To be run again by somebody else; not counted against any limit.
  Outcome release();
  /// Ended because it was asked to.
  Outcome cancel();

 private:
  friend class TaskWorker;
  explicit Run(Outcome outcome) : outcome_(outcome) {}
  Outcome end(RunEnd how);
  Outcome store_result(std::span<const std::byte> result);
  std::shared_ptr<core::TaskTableHandle> table_;
  core::Lease lease_;
  Outcome outcome_ = Outcome::empty;
};

struct TaskWorkerOptions {
  Wait wait = Wait::spin_futex;
  /// How many tasks are claimed at once, 1 to 64. Those that are not started yet are taken over by idle workers.
  std::uint32_t batch = 1;
};

class TaskWorker {
 public:
  TaskWorker(TaskWorker&& other) noexcept = default;
  TaskWorker& operator=(TaskWorker&&) = delete;
  ~TaskWorker();

  /// Claims and starts the next task. ok; empty (try_next), timeout, stopped; closed: the table drains, and there is
  /// nothing left; removed, detached, corrupt.
  Run next(const Limit& limit = kNoLimit);
  Run try_next();
  /// Gives back what it claimed and did not start.
  void give_back();

 private:
  friend class TaskTable;
  TaskWorker(std::shared_ptr<core::TaskTableHandle> table, const TaskWorkerOptions& options);
  struct Claimed {
    core::Lease lease;
    int cell = -1;  // of TaskUser::claimed
  };
  Outcome attempt(Run& run, bool thorough);
  Outcome claim_some();
  bool take_over_some();
  bool anything_left() const;
  void keep(const core::Lease& lease);
  void forget(const Claimed& claimed);
  std::shared_ptr<core::TaskTableHandle> table_;
  TaskWorkerOptions options_;
  std::vector<Claimed> claimed_;  // the next one last
  std::int64_t looked_ns_ = 0;    // when it last went through all records
};

class TaskTable {
 public:
  const std::string& name() const { return table_->name; }
  std::uint32_t capacity() const { return table_->parts.capacity; }

  /// Puts a task in; once it returns ok, the task is there whoever is killed. Full: waits as long as `limit` allows.
  /// ok; timeout, stopped; closed: the table drains; too_large, no_block; removed, detached, corrupt.
  Submitted submit(std::span<const std::byte> payload, const TaskOptions& options = {}, const Limit& limit = kNoLimit);
  /// The same without waiting: `full`.
  Submitted try_submit(std::span<const std::byte> payload, const TaskOptions& options = {});

  TaskWorker worker(const TaskWorkerOptions& options = {}) const;

  /// Nothing where no such task is there (any more).
  std::optional<TaskInfo> info(TaskId id) const;
  /// Waits until the task is over: DONE, DEAD, CANCELLED, EXPIRED. ok; empty: it is not there (any more); timeout, stopped,
  /// removed, detached.
  Outcome wait(TaskId id, const Limit& limit = kNoLimit) const;
  /// The result of a task that is done: a copy. Nothing where it is not done, or not there.
  std::optional<std::vector<std::byte>> result(TaskId id) const;
  /// A task that is not started is CANCELLED; one that runs is asked to stop. ok; empty: it is not there, or over.
  Outcome cancel(TaskId id);
  /// Forgets a task that is over, or that waits; its place is free again. ok; busy: somebody has it; empty.
  Outcome remove(TaskId id);
  /// A dead task is made ready again, with a tally of zeros. ok; empty: there is no such dead task.
  Outcome kick(TaskId id);

  /// Tasks in each state, in the order of TaskState: one look at each record.
  std::vector<std::uint32_t> counts() const;
  /// Calls `visit(info)` for each task that is there.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t i = 0; i < capacity(); ++i)
      if (const std::optional<TaskInfo> info = info_at(i)) visit(*info);
  }

  /// No further submissions; workers get `closed` once there is nothing left to run.
  void drain();
  /// Nothing is claimed until resume().
  void pause();
  void resume();
  bool paused() const;

 private:
  friend class Segment;
  explicit TaskTable(std::shared_ptr<core::TaskTableHandle> table) : table_(std::move(table)) {}
  std::optional<TaskInfo> info_at(std::uint32_t index) const;
  /// The word of the task, where it is there.
  std::optional<std::uint64_t> find(TaskId id) const;
  Outcome place(std::span<const std::byte> payload, const TaskOptions& options, TaskId& id);
  std::shared_ptr<core::TaskTableHandle> table_;
};

}  // namespace shmq
