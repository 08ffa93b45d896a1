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
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "shmq/core/ready_ahead.hpp"
#include "shmq/core/task_table_handle.hpp"
#include "shmq/options.hpp"
#include "shmq/outcome.hpp"
#include "shmq/result.hpp"

namespace shmq {

class Segment;

/// Never used again in this table; 0 is nobody's.
using TaskId = std::uint64_t;
using layout::KeyScope;
using layout::RunEnd;
using layout::TaskPolicy;
using layout::TaskState;

[[nodiscard]] const char* to_string(TaskState state);
[[nodiscard]] const char* to_string(RunEnd end);
[[nodiscard]] const char* to_string(TaskPolicy policy);

/// No limit to how often: as any number from 1023 on.
inline constexpr std::uint16_t kNoRunsMax = 0xffff;

struct TaskTableOptions {
  /// How many tasks it holds, in whatever state: 1 to 16,777,215.
  std::uint32_t capacity = 4096;
  /// Bytes that a payload may have without a block; rounded up to a multiple of 64. 0 to 64 KiB.
  std::uint32_t payload_bytes = 64;
  /// The same of results.
  std::uint32_t result_bytes = 64;
  /// Which of the tasks that are ready is next.
  ///   fifo      the one that became ready first; the fastest
  ///   priority  the one with the least  submission + priority * aging.  So a task of priority 0 goes before one of priority
  ///             1 that was submitted up to `aging` earlier, and a task of priority p waits for nothing that is submitted
  ///             later than p * aging after it
  ///   edf       the one with the earliest deadline; those without one after all others, in order of submission
  TaskPolicy policy = TaskPolicy::fifo;
  /// 0 to a year.
  std::chrono::nanoseconds aging = std::chrono::seconds(1);
  /// How many of its last errors are kept with each task, 64 bytes each: 0 to 16.
  std::uint32_t errors = 2;
  /// How many names have figures of their own, 1216 bytes each: 0 to 4096.
  std::uint32_t names = 32;
  /// How many tasks may have a key at once, 128 to 256 bytes each: 0 to 16,777,215. 0: none. A submission may find no room for
  /// its key before there are so many, by chance: of so many random ones less than one in a million.
  std::uint32_t keys = 0;
  /// How many tasks that are over are kept: when there are more, the oldest go (about in order of submission). 0: nothing goes
  /// by itself, and a table full of finished tasks takes no more. Not compared where the table is there already; set_keep_max() changes it.
  std::uint32_t keep_max = 0;
};

/// When a task is run again after a failure, a crash or a timeout. first 0: at once.
struct Backoff {
  std::chrono::milliseconds first{0};  // up to 49 days, as the next
  std::chrono::milliseconds cap = std::chrono::hours(1);
  bool exponential = true;  // twice as long after each: first, 2 first, 4 first … cap
  /// The part of the delay that chance decides on: 0 none, 1 all of it.
  double jitter = 0;
};

/// What becomes of a task whose deadline has passed and that was not started.
enum class Overdue : std::uint8_t { run, expire };

using WallTime = std::chrono::system_clock::time_point;

struct TaskOptions {
  std::string_view name = {};
  /// How often a run may end so and be followed by another one. Beyond it the task is DEAD.
  std::uint16_t failures_max = 3;
  std::uint16_t crashes_max = 3;
  std::uint16_t timeouts_max = 3;
  std::uint16_t releases_max = kNoRunsMax;
  /// Kept for whoever asks; means nothing to the table.
  std::uint64_t correlation = 0;
  /// Whether the task stays in the table once it is done, until remove(). If not, its result is dropped, and wait() says
  /// `empty` from then on.
  bool keep = true;
  /// 0 is first. Counts in a table of TaskPolicy::priority.
  std::uint8_t priority = 128;
  /// HELD: not before somebody says unhold().
  bool hold = false;

  // Times from the submission on go by CLOCK_BOOTTIME, which nobody sets and which goes on while the machine sleeps. 0: none.
  /// Not started before.
  std::chrono::nanoseconds delay{0};
  /// Counts in a table of TaskPolicy::edf, and for `overdue`.
  std::chrono::nanoseconds deadline{0};
  /// EXPIRED where it was not started by then.
  std::chrono::nanoseconds expires{0};
  Overdue overdue = Overdue::run;
  // The same as times of the wall clock; where it is set, they are moved along. Instead of those above, not beside them.
  std::optional<WallTime> not_before = std::nullopt;
  std::optional<WallTime> deadline_at = std::nullopt;
  std::optional<WallTime> expires_at = std::nullopt;
  /// How long a run may take, on CLOCK_MONOTONIC. Then its lease is over: it cannot complete the task any more, and the task
  /// is run again (or DEAD, see timeouts_max). Nothing is done to the worker. The result of such a task takes a block.
  std::chrono::nanoseconds run_limit{0};
  Backoff backoff = {};
  /// How long it is kept once it is over. 0: until remove(), or keep_max.
  std::chrono::nanoseconds keep_for{0};

  /// 1 to 63 bytes of any value: while a task has this key, who submits another one with it gets the id of the first
  /// instead, and nothing is put in. Of two who submit at the same time one is first. "": none.
  std::string_view key = {};
  /// How long the task has its key; what the first one said counts. In any case only as long as the table knows the task: not
  /// beyond remove(), keep_for or keep_max.
  ///   until_done     until it is DONE, CANCELLED or EXPIRED. DEAD, it still has it, and is DEAD for whoever submits again,
  ///                  until somebody kicks or removes it
  ///   until_started  until its first run starts, whatever becomes of that
  ///   for_time       for key_time from the submission on (CLOCK_BOOTTIME), however soon it is over; once it is, it is kept
  ///                  (`keep`, `keep_for`) at least as long
  KeyScope key_scope = KeyScope::until_done;
  std::chrono::nanoseconds key_time{0};
};

/// What a submission came to. `id` is set where the outcome is ok; it is that of an earlier task with the same key where
/// `duplicate` is.
struct Submitted {
  Outcome outcome = Outcome::full;
  TaskId id = 0;
  bool duplicate = false;
  explicit operator bool() const { return outcome == Outcome::ok; }
};

/// Why a run did not complete its task.
struct TaskErrorInfo {
  std::uint32_t run = 0;  // from 1
  RunEnd end = RunEnd::none;
  unsigned signal = 0;  // that ended a child which the run had started; 0: none
  bool core_dumped = false;
  std::int64_t at_real_ns = 0;  // CLOCK_REALTIME
  std::string text;             // up to 39 bytes
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
  std::string key;
  std::uint32_t payload_bytes = 0;
  std::uint64_t correlation = 0;
  std::uint8_t priority = 0;
  unsigned percent = 0;  // of the run that is under way, or was last
  std::string note;
  std::int64_t submitted_real_ns = 0;  // CLOCK_REALTIME
  /// When something is to become of it: the end of its delay, of its lease, of its retention. 0: nothing. CLOCK_BOOTTIME.
  std::int64_t due_ns = 0;
  std::int64_t deadline_ns = 0;  // CLOCK_BOOTTIME; 0: none
  std::vector<TaskErrorInfo> errors;  // the last ones, oldest first
};

struct TaskTimes {
  std::uint64_t count = 0;
  std::chrono::nanoseconds mean{0}, p50{0}, p99{0};  // the percentiles to a third
};

/// What became of tasks since the table is there. Counted by those who did it; a kill may lose a count.
struct TaskStatistics {
  std::string name;                // of statistics_by_name()
  std::uint32_t participant = 0;   // of statistics_by_worker()
  std::uint64_t submitted = 0, started = 0;
  std::uint64_t done = 0, failures = 0, crashes = 0, timeouts = 0, releases = 0, cancelled = 0;  // ends of runs
  TaskTimes wait;  // from the submission, or the end of its delay, to the first start
  TaskTimes run;   // from the start to the end of a run that its worker ended
};

/// The run of one task, in the hands of the worker that started it. Move-only. Dropped, it is given back: another run
/// follows, and this one counts as a release.
class [[nodiscard]] Run {
 public:
  Run() = default;
  Run(Run&& other) noexcept
      : table_(std::move(other.table_)), lease_(other.lease_), started_ns_(other.started_ns_), outcome_(other.outcome_) {}
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
  /// Whether the lease is still valid. Where the task has a `run_limit`, the clock is read: once that time is over this
  /// very call ends the lease, whoever else is there.
  bool valid() const;
  /// The same as an outcome: ok, or stale. Nothing depends on how often it is called: no silence ends a lease.
  Outcome heartbeat() const { return valid() ? Outcome::ok : Outcome::stale; }
  /// 0 to 100, and a note of up to 63 bytes. ok, or stale.
  Outcome progress(unsigned percent, std::string_view note = {});

  // Each ends the run. ok; stale: the lease had ended, and nothing was changed; detached.
  /// Completed, with a result. no_block, too_large: it still runs.
  [[nodiscard]] Outcome done(std::span<const std::byte> result = {});
  /// To be run again, or DEAD where its limit is used up. Of `why` 39 bytes are kept.
  Outcome fail(std::string_view why = {});
  /// The same where a child that the run had started was ended by a signal: counts against crashes_max.
  Outcome crash(int signal, bool core_dumped, std::string_view why = {});
  /// To be run again by somebody else; not counted against any limit.
  Outcome release();
  /// Ended because it was asked to.
  Outcome cancel();

 private:
  friend class TaskWorker;
  explicit Run(Outcome outcome) : outcome_(outcome) {}
  Outcome end(RunEnd how);
  void count_end(RunEnd how) const;
  void look_at_the_time() const;
  Outcome store_result(std::span<const std::byte> result);
  std::shared_ptr<core::TaskTableHandle> table_;
  core::Lease lease_;
  std::int64_t started_ns_ = 0;
  Outcome outcome_ = Outcome::empty;
};

/// What a handler says of the run that it was given.
class Verdict {
 public:
  static Verdict done(std::span<const std::byte> result = {}) { return Verdict(RunEnd::done, {result.begin(), result.end()}, {}); }
  static Verdict done(std::string_view result) { return done(std::as_bytes(std::span(result))); }
  static Verdict failed(std::string why = {}) { return Verdict(RunEnd::failure, {}, std::move(why)); }
  static Verdict released() { return Verdict(RunEnd::release, {}, {}); }
  static Verdict cancelled() { return Verdict(RunEnd::cancelled, {}, {}); }

 private:
  friend class TaskWorker;
  Verdict(RunEnd end, std::vector<std::byte> result, std::string why)
      : end_(end), result_(std::move(result)), why_(std::move(why)) {}
  RunEnd end_;
  std::vector<std::byte> result_;
  std::string why_;
};

struct TaskWorkerOptions {
  Wait wait = Wait::spin_futex;
  /// How many tasks are claimed at once, 1 to 64. Those that are not started yet are taken over by idle workers.
  std::uint32_t batch = 1;
  /// How many handlers run() calls at the same time, on threads of its own beside the caller's: 1 to 256.
  std::uint32_t slots = 1;
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

  using Handler = std::function<Verdict(Run&)>;
  /// What run() does with tasks of this name; "": with those of names that have no handler of their own. With more than one
  /// slot it is called from several threads at once.
  void on(std::string name, Handler handler);
  /// Runs tasks until it is stopped (`stopped`), or the table ends (`closed`, `removed`, …): the outcome says which. Each is
  /// handed to the handler of its name and ended as that says; one that throws has failed with what() as the reason, and so
  /// has a task that no handler is there for. What a handler does after its lease has ended has no effect.
  Outcome run(std::stop_token stop);

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
  bool take_over(std::uint32_t index);
  bool look_after(std::uint32_t index);
  bool start(const Claimed& claimed, Run& run);
  Outcome serve(const std::stop_token& stop, const std::map<std::string, Handler, std::less<>>& handlers);
  bool anything_left() const;
  void keep(const core::Lease& lease);
  void forget(const Claimed& claimed);
  std::shared_ptr<core::TaskTableHandle> table_;
  TaskWorkerOptions options_;
  std::vector<Claimed> claimed_;  // the next one last
  core::ReadyAhead ahead_;
  std::int64_t look_again_ns_ = 0;  // not earlier: at the records from here on
  std::uint32_t look_at_ = 0;
  std::map<std::string, Handler, std::less<>> handlers_;
};

class TaskTable {
 public:
  const std::string& name() const { return table_->name; }
  std::uint32_t capacity() const { return table_->parts.capacity; }

  /// Puts a task in; once it returns ok, the task is there whoever is killed. Full: waits as long as `limit` allows.
  /// ok; timeout, stopped; closed: the table drains; too_large: the payload, or a key of more than 63 bytes, or any key
  /// where the table was declared without; no_block; removed, detached, corrupt.
  Submitted submit(std::span<const std::byte> payload, const TaskOptions& options = {}, const Limit& limit = kNoLimit);
  /// The same without waiting: `full`.
  Submitted try_submit(std::span<const std::byte> payload, const TaskOptions& options = {});

  TaskWorker worker(const TaskWorkerOptions& options = {}) const;

  /// Nothing where no such task is there (any more).
  std::optional<TaskInfo> info(TaskId id) const;
  /// Waits until the task is over: DONE, DEAD, CANCELLED, EXPIRED. ok; empty: it is not there (any more); timeout, stopped,
  /// removed, detached.
  Outcome wait(TaskId id, const Limit& limit = kNoLimit) const;
  /// The same of several. wait_any: until one of those is over; `which` is its place in `ids`; one that is not there (any
  /// more) counts as over, with `empty`. wait_all: until all of them are; ok, also where some are not there.
  Outcome wait_any(std::span<const TaskId> ids, std::size_t& which, const Limit& limit = kNoLimit) const;
  Outcome wait_all(std::span<const TaskId> ids, const Limit& limit = kNoLimit) const;
  /// What a task is about: a copy. Nothing where it is not there (any more).
  std::optional<std::vector<std::byte>> payload(TaskId id) const;
  /// The result of a task that is done: a copy. Nothing where it is not done, or not there.
  std::optional<std::vector<std::byte>> result(TaskId id) const;
  /// A task that is not started is CANCELLED; one that runs is asked to stop. ok; empty: it is not there, or over.
  Outcome cancel(TaskId id);
  /// Forgets a task that is over, or that waits; its place is free again. ok; busy: somebody has it; empty.
  Outcome remove(TaskId id);
  /// A dead task is made ready again, with a tally of zeros. ok; empty: there is no such dead task.
  Outcome kick(TaskId id);
  /// The same of all dead tasks, or those of a name: how many that were.
  std::size_t kick_all(std::string_view name = {});
  /// Of a task that waits: another priority, from now on. ok; empty: it is not there, or over.
  Outcome reprioritise(TaskId id, std::uint8_t priority);
  /// A task that is READY or DELAYED is HELD, until unhold(). ok; busy: it runs; empty.
  Outcome hold(TaskId id);
  Outcome unhold(TaskId id);
  /// Removes every task that is over: how many that were.
  std::size_t purge_finished();
  void set_keep_max(std::uint32_t tasks);
  TaskPolicy policy() const { return table_->parts.policy; }
  /// How many tasks may have a key at once; 0: none.
  std::uint32_t keys() const { return table_->parts.keys; }

  TaskStatistics statistics() const;
  std::vector<TaskStatistics> statistics_by_name() const;
  std::vector<TaskStatistics> statistics_by_worker() const;

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
  Outcome wait_until(const Limit& limit, const std::function<Outcome()>& look) const;
  Outcome place(std::span<const std::byte> payload, const TaskOptions& options, Submitted& submitted);
  std::shared_ptr<core::TaskTableHandle> table_;
};

}  // namespace shmq
