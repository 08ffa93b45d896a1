// A worker: claims tasks, takes over what others claimed and did not start, and starts them.
#include <algorithm>
#include <array>
#include <cstring>

#include "core/blocks.hpp"
#include "objects/task_statistics.hpp"
#include "objects/task_times.hpp"
#include "objects/task_upkeep.hpp"
#include "objects/task_waiter.hpp"
#include "shmq/core/task_figures.hpp"
#include "shmq/tasks.hpp"

namespace shmq {

using core::Lease;
using layout::TaskRecord;

namespace {
constexpr std::uint32_t kBatchMax = 64;
constexpr std::uint32_t kSlotsMax = 256;
constexpr std::uint32_t kRacesMax = 100'000;
/// An idle worker goes through all records this often at most: what a stopped process had in hand is found so.
constexpr std::int64_t kLookThroughNs = 100'000'000;
/// … in pieces, between which it looks whether there is something to do; so long ones about,
constexpr std::int64_t kLookPieceNs = 200'000;
constexpr std::uint32_t kLookPiece = 256;
/// … and spends no more than this part of its time on it.
constexpr std::int64_t kLookThroughShare = 50;
}  // namespace

TaskWorker::TaskWorker(std::shared_ptr<core::TaskTableHandle> table, const TaskWorkerOptions& options)
    : table_(std::move(table)), options_(options) {
  options_.batch = std::clamp<std::uint32_t>(options.batch, 1, kBatchMax);
  options_.slots = std::clamp<std::uint32_t>(options.slots, 1, kSlotsMax);
  claimed_.reserve(options_.batch);
}

TaskWorker::~TaskWorker() {
  if (table_ != nullptr) give_back();
}

/// A cell of this participant's says what it has, for those who are idle. Without one they find it later.
void TaskWorker::keep(const Lease& lease) {
  Claimed claimed{lease};
  auto& cells = table_->user().claimed;
  for (int i = 0; i < static_cast<int>(kBatchMax) && claimed.cell < 0; ++i) {
    std::uint32_t none = 0;
    if (cells[i].load(std::memory_order_relaxed) == 0 &&
        cells[i].compare_exchange_strong(none, lease.index + 1, std::memory_order_acq_rel))
      claimed.cell = i;
  }
  claimed_.push_back(claimed);
}

void TaskWorker::forget(const Claimed& claimed) {
  if (claimed.cell >= 0) table_->user().claimed[claimed.cell].store(0, std::memory_order_release);
}

void TaskWorker::give_back() {
  if (table_->attachment->detached()) claimed_.clear();
  for (const Claimed& claimed : claimed_) {
    if (table_->parts.words.unclaim(claimed.lease)) objects::announce_ready(table_->parts, claimed.lease.index);
    forget(claimed);
  }
  claimed_.clear();
}

namespace {

/// The next task of the ready index, or a hint that is stale. none, corrupt.
core::HintStatus next_hint(core::TaskTableParts& parts, core::ReadyAhead& ahead, std::uint32_t& index) {
  if (parts.policy == layout::TaskPolicy::fifo) {
    const core::HintStatus status = parts.ready.pop(index);
    return status == core::HintStatus::ok && index >= parts.capacity ? core::HintStatus::corrupt : status;
  }
  if (ahead.take(parts, index)) return core::HintStatus::ok;
  std::uint64_t key = 0;
  if (!parts.ready_tree.find(index, key)) return core::HintStatus::none;
  return index < parts.capacity ? core::HintStatus::ok : core::HintStatus::corrupt;
}

}  // namespace

/// ok: there is something in claimed_. empty, corrupt.
Outcome TaskWorker::claim_some() {
  core::TaskTableParts& parts = table_->parts;
  std::array<Lease, kBatchMax> leases;  // no allocation for each claim
  std::uint32_t count = 0;
  bool restored = false;  // once: a damaged ring loses them again
  for (std::uint32_t races = 0; count < options_.batch && races < kRacesMax; ++races) {
    std::uint32_t index = 0;
    const core::HintStatus status = next_hint(parts, ahead_, index);
    if (status == core::HintStatus::corrupt) {
      if (count == 0) return Outcome::corrupt;
      break;  // what is claimed already is run first
    }
    if (status == core::HintStatus::none) {
      if (count == 0 && !restored && (restored = objects::restore_lost_hints(parts))) continue;
      break;
    }
    if (parts.words.claim(index, table_->me(), leases[count])) ++count;  // else the hint was stale
    objects::refresh_ready(parts, index);
  }
  if (count != 0 && parts.policy != layout::TaskPolicy::fifo) ahead_.look(parts);
  while (count > 0) keep(leases[--count]);  // the first one last
  return claimed_.empty() ? Outcome::empty : Outcome::ok;
}

/// What others claimed and did not start: by their hints, and once in a while by a look at the records.
bool TaskWorker::take_over_some() {
  core::TaskTableParts& parts = table_->parts;
  for (std::uint32_t row = 0; row < parts.rows; ++row) {
    if (row + 1 == table_->me().id) continue;
    for (const auto& cell : parts.users[row].claimed)
      if (const std::uint32_t hint = cell.load(std::memory_order_relaxed); hint != 0 && hint <= parts.capacity && take_over(hint - 1))
        return true;
  }
  const std::int64_t began_ns = base::monotonic_ns();
  if (began_ns < look_again_ns_) return false;
  std::int64_t now_ns = began_ns;
  bool found = false;
  while (!found && now_ns - began_ns < kLookPieceNs && look_at_ < parts.capacity) {
    for (std::uint32_t i = 0; i < kLookPiece && look_at_ < parts.capacity && !found; ++i) found = look_after(look_at_++);
    now_ns = base::monotonic_ns();
  }
  std::int64_t pause_ns = (now_ns - began_ns) * kLookThroughShare;
  if (look_at_ >= parts.capacity) {
    look_at_ = 0;
    pause_ns = std::max(pause_ns, kLookThroughNs);
  }
  look_again_ns_ = now_ns + pause_ns;
  return found;
}

/// A task that another worker claimed and has not started.
bool TaskWorker::take_over(std::uint32_t index) {
  core::ShmTaskWords& words = table_->parts.words;
  const std::uint64_t word = words.look(index);
  if (layout::task_state(word) != TaskState::claimed || layout::owner_of(word) == table_->me().id) return false;
  Lease lease;
  if (!words.steal(index, word, table_->me(), lease)) return false;
  keep(lease);
  return true;
}

/// A record that nobody may have a hint of but a stopped process. The worker is here because it found none.
bool TaskWorker::look_after(std::uint32_t index) {
  core::TaskTableParts& parts = table_->parts;
  if (index % core::MinTreeShape::kFan == 0) objects::mend_due(parts, index);
  const TaskState state = layout::task_state(parts.words.look(index));
  if (state == TaskState::free && parts.free.size() == 0) objects::announce_free(parts, index);
  if (state == TaskState::ready) {
    Lease lease;
    if (!parts.words.claim(index, table_->me(), lease)) return false;
    objects::refresh_ready(parts, index);
    keep(lease);
    return true;
  }
  return state == TaskState::claimed && take_over(index);
}

bool TaskWorker::anything_left() const {
  for (std::uint32_t i = 0; i < table_->parts.capacity; ++i) {
    const TaskState state = layout::task_state(table_->parts.words.look(i));
    if (state >= TaskState::alloc && state <= TaskState::running) return true;
  }
  return false;
}

/// CLAIMED → RUNNING. False: it was taken over, or it is too late for it.
bool TaskWorker::start(const Claimed& claimed, Run& run) {
  core::TaskTableParts& parts = table_->parts;
  Lease lease = claimed.lease;
  const TaskRecord& record = parts.record(lease.index);
  const std::uint32_t flags = record.flags.load(std::memory_order_relaxed);
  if (flags & layout::kTaskTimed && objects::is_late(parts, lease.index, base::clock_ns(CLOCK_BOOTTIME))) [[unlikely]] {
    (void)objects::expire(table_->attachment->view(), parts, lease.index, lease.word, table_->me());
    forget(claimed);
    return false;
  }
  const bool started = parts.words.start(lease);
  forget(claimed);
  if (!started) return false;
  if (flags & layout::kTaskTimed) objects::begin_state(parts, lease.index);
  run.table_ = table_;
  run.lease_ = lease;
  run.outcome_ = Outcome::ok;
  run.started_ns_ = base::monotonic_ns();
  layout::TaskFigures& mine = table_->user().figures;
  for (layout::TaskFigures* figures : {&mine, objects::figures_of_its_name(parts, lease.index)}) {
    if (figures == nullptr) continue;
    if (parts.words.tally(lease.index).total() == 0)
      core::count_start(*figures, base::wrapping_difference(run.started_ns_, objects::ready_since_ns(parts, lease.index)));
    else
      core::count_figure(figures->started);
  }
  return true;
}

Outcome TaskWorker::attempt(Run& run, bool thorough) {
  core::TaskTableParts& parts = table_->parts;
  if (table_->attachment->detached()) return Outcome::detached;
  const std::uint64_t state = parts.header->state.load(std::memory_order_relaxed);
  if (state & layout::kTableRemoved) return Outcome::removed;
  (void)objects::keep_time(*table_);
  if (state & layout::kTablePaused) return Outcome::empty;
  for (;;) {
    if (claimed_.empty()) {
      const Outcome outcome = claim_some();
      if (outcome == Outcome::corrupt) return outcome;
      if (outcome == Outcome::empty && (!thorough || !take_over_some()))
        return thorough && (state & layout::kTableDraining) && !anything_left() ? Outcome::closed : Outcome::empty;
    }
    const Claimed claimed = claimed_.back();
    claimed_.pop_back();
    if (!start(claimed, run)) continue;
    ahead_.reach(parts);
    return Outcome::ok;
  }
}

Run TaskWorker::try_next() {
  if (table_->attachment->detached()) return Run(Outcome::detached);
  objects::housekeeping_of_a_try(*table_->attachment);
  Run run;
  const Outcome outcome = attempt(run, true);
  if (outcome == Outcome::ok) return run;
  return Run(outcome);
}

Run TaskWorker::next(const Limit& limit) {
  if (table_->attachment->detached()) return Run(Outcome::detached);
  // Not only who waits: where there is always more to do, nobody does, and what the dead had in hand would stay there.
  objects::housekeeping_of_a_try(*table_->attachment);
  Run run;
  std::int64_t now_ns = 0;
  Outcome outcome = attempt(run, false);
  if (outcome == Outcome::empty) {
    objects::WorkerPlace place(*table_);
    outcome = objects::wait_at(place, options_.wait, limit, Outcome::empty, now_ns,
                               [&](bool thorough) { return attempt(run, thorough); });
  }
  if (outcome == Outcome::ok) return run;
  return Run(outcome);
}

}  // namespace shmq
