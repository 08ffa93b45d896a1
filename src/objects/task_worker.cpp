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
/// … and spends no more than this part of its time on it.
constexpr std::int64_t kLookThroughShare = 50;
}  // namespace

// ---- a run

Run& Run::operator=(Run&& other) noexcept {
  if (this != &other) {
    if (table_ != nullptr) (void)release();
    table_ = std::move(other.table_);
    lease_ = other.lease_;
    started_ns_ = other.started_ns_;
    outcome_ = other.outcome_;
  }
  return *this;
}

TaskId Run::id() const { return table_->parts.record(lease_.index).id.load(std::memory_order_relaxed); }
std::string Run::name() const {
  const TaskRecord& record = table_->parts.record(lease_.index);
  return record.flags.load(std::memory_order_relaxed) & layout::kTaskNamed ? record.name.get() : std::string();
}
std::uint64_t Run::correlation() const { return table_->parts.record(lease_.index).correlation.load(std::memory_order_relaxed); }

std::span<const std::byte> Run::payload() const {
  const TaskRecord& record = table_->parts.record(lease_.index);
  const std::uint64_t reference = record.payload_block.load(std::memory_order_relaxed);
  const std::span<const std::byte> room =
      reference == layout::kNoBlock ? std::span<const std::byte>(table_->parts.inline_payload(lease_.index))
                                    : core::referenced_bytes(table_->attachment->view(), reference);
  // The count is shared memory: whatever it says, no more than the room is read.
  return room.first(std::min<std::size_t>(record.payload_bytes.load(std::memory_order_relaxed), room.size()));
}

std::uint32_t Run::runs_before() const {
  return table_->parts.words.tally(lease_.index).total();
}

bool Run::valid() const {
  return table_ != nullptr && !table_->attachment->detached() && table_->parts.words.look(lease_.index) == lease_.word;
}

bool Run::cancelled() const {
  const TaskRecord& record = table_->parts.record(lease_.index);
  return record.cancel.load(std::memory_order_acquire) == record.id.load(std::memory_order_relaxed);
}

Outcome Run::progress(unsigned percent, std::string_view note) {
  if (table_ == nullptr) return Outcome::stale;
  if (table_->attachment->detached()) return Outcome::detached;
  TaskRecord& record = table_->parts.record(lease_.index);
  std::uint64_t seen = record.progress.load(std::memory_order_acquire);
  if (!valid()) return Outcome::stale;
  if (!note.empty()) record.note.set(note);
  const std::uint64_t next =
      layout::of_run(lease_.epoch(), std::min(percent, 100u) | (note.empty() ? 0 : layout::kProgressNote));
  // From what was there while the lease was valid: a later run's is not written over.
  return record.progress.compare_exchange_strong(seen, next, std::memory_order_acq_rel) ? Outcome::ok : Outcome::stale;
}

Outcome Run::store_result(std::span<const std::byte> result) {
  core::TaskTableParts& parts = table_->parts;
  const core::SegmentView& view = table_->attachment->view();
  TaskRecord& record = parts.record(lease_.index);
  // What is read while the lease is valid is not of a later run, and every change below is made from it.
  std::uint64_t old_block = record.result_block.load(std::memory_order_acquire);
  std::uint64_t old = record.result.load(std::memory_order_acquire);
  if (!valid()) return Outcome::stale;
  if (result.size() > layout::kTaskResultMax) return Outcome::too_large;
  // Where a lease can end by time, whoever held it may still be writing: not where a later run's result would be.
  const bool limited = objects::is_timed(parts, lease_.index) && record.run_limit_ns.load(std::memory_order_relaxed) != 0;
  const bool in_block = limited ? !result.empty() : result.size() > parts.result_room;
  if (in_block && !core::fits_a_block(view, result.size())) return Outcome::too_large;
  // Of a run whose worker died before it completed. First: it may be the only one that there is. By its epoch: what
  // still names it after that names nothing.
  core::free_referenced(view, old_block);
  std::uint64_t reference = layout::kNoBlock;
  if (in_block) {
    core::BlockHints hints;
    const std::optional<core::TakenBlock> block = core::take_block(view, table_->me(), result.size(), hints);
    if (!block) return Outcome::no_block;
    reference = layout::block_reference(block->epoch, block->index);
    std::memcpy(core::referenced_bytes(view, reference).data(), result.data(), result.size());
  } else if (!result.empty()) {
    // A run loses its lease by its worker's death alone: nobody else writes here.
    std::memcpy(parts.inline_result(lease_.index).data(), result.data(), result.size());
  }
  const std::uint64_t now = layout::of_run(lease_.epoch(), static_cast<std::uint32_t>(result.size()));
  if (record.result_block.compare_exchange_strong(old_block, reference, std::memory_order_acq_rel) &&
      record.result.compare_exchange_strong(old, now, std::memory_order_acq_rel))
    return Outcome::ok;
  core::free_referenced(view, reference);
  return Outcome::stale;
}

void Run::count_end(RunEnd how) const {
  const core::TaskTableParts& parts = table_->parts;
  const TaskRecord& record = parts.record(lease_.index);
  const std::int64_t ran_ns = base::monotonic_ns() - started_ns_;
  core::count_end(table_->user().figures, how, ran_ns);
  if (record.flags.load(std::memory_order_relaxed) & layout::kTaskNamed)
    if (layout::TaskFigures* figures = objects::figures_of_name(parts, record.name)) core::count_end(*figures, how, ran_ns);
}

Outcome Run::end(RunEnd how) {
  const std::shared_ptr<core::TaskTableHandle> table = table_;
  if (table->attachment->detached()) return table_ = nullptr, Outcome::detached;
  core::TaskTableParts& parts = table->parts;
  const TaskState to = objects::after_run(parts, lease_.index, how);
  const bool ended = parts.words.settle(lease_, how, to);
  if (ended) count_end(how);
  table_ = nullptr;
  if (!ended) return Outcome::stale;
  objects::announce_settled(table->attachment->view(), parts, lease_, to, table->me());
  return Outcome::ok;
}

Outcome Run::done(std::span<const std::byte> result) {
  if (table_ == nullptr) return Outcome::stale;
  if (table_->attachment->detached()) return Outcome::detached;
  if (table_->parts.record(lease_.index).flags.load(std::memory_order_relaxed) & layout::kTaskForgotten) {
    const std::shared_ptr<core::TaskTableHandle> table = table_;
    const bool finished = table->parts.words.finish(lease_, table->me());
    if (finished) count_end(RunEnd::done);
    table_ = nullptr;
    if (!finished) return Outcome::stale;
    objects::clear_away(table->attachment->view(), table->parts, lease_);
    core::notify(table->parts.header->done_event);
    objects::wake_for_drain(table->parts);
    return Outcome::ok;
  }
  // Without a result there is nothing to write, but for what a dead worker's run may have left.
  const bool left = table_->parts.record(lease_.index).result_block.load(std::memory_order_relaxed) != layout::kNoBlock;
  if (!result.empty() || left)
    if (const Outcome outcome = store_result(result); outcome != Outcome::ok) {
      if (outcome == Outcome::stale) table_ = nullptr;
      return outcome;
    }
  return end(RunEnd::done);
}
Outcome Run::fail(std::string_view why) {
  if (table_ == nullptr) return Outcome::stale;
  if (!table_->attachment->detached()) objects::note_error(table_->parts, lease_, {RunEnd::failure, why});
  return end(RunEnd::failure);
}
Outcome Run::crash(int signal, bool core_dumped, std::string_view why) {
  if (table_ == nullptr) return Outcome::stale;
  if (!table_->attachment->detached())
    objects::note_error(table_->parts, lease_, {RunEnd::crash, why, static_cast<unsigned>(signal), core_dumped});
  return end(RunEnd::crash);
}
Outcome Run::release() { return table_ == nullptr ? Outcome::stale : end(RunEnd::release); }
Outcome Run::cancel() { return table_ == nullptr ? Outcome::stale : end(RunEnd::cancelled); }

// ---- a worker

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
core::HintStatus next_hint(core::TaskTableParts& parts, std::uint32_t& index) {
  if (parts.policy == layout::TaskPolicy::fifo) {
    const core::HintStatus status = parts.ready.pop(index);
    return status == core::HintStatus::ok && index >= parts.capacity ? core::HintStatus::corrupt : status;
  }
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
    const core::HintStatus status = next_hint(parts, index);
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
  while (count > 0) keep(leases[--count]);  // the first one last
  return claimed_.empty() ? Outcome::empty : Outcome::ok;
}

/// What others claimed and did not start: by their hints, and once in a while by a look at every record.
bool TaskWorker::take_over_some() {
  core::TaskTableParts& parts = table_->parts;
  const auto take = [&](std::uint32_t index) {
    const std::uint64_t word = parts.words.look(index);
    if (layout::task_state(word) != TaskState::claimed || layout::owner_of(word) == table_->me().id) return false;
    Lease lease;
    if (!parts.words.steal(index, word, table_->me(), lease)) return false;
    keep(lease);
    return true;
  };
  for (std::uint32_t row = 0; row < parts.rows; ++row) {
    if (row + 1 == table_->me().id) continue;
    for (const auto& cell : parts.users[row].claimed)
      if (const std::uint32_t hint = cell.load(std::memory_order_relaxed); hint != 0 && hint <= parts.capacity && take(hint - 1))
        return true;
  }
  const std::int64_t began_ns = base::monotonic_ns();
  if (began_ns < looked_ns_) return false;
  objects::restore_hints(parts);
  bool found = false;
  for (std::uint32_t i = 0; i < parts.capacity && !found; ++i) found = take(i);
  const std::int64_t now_ns = base::monotonic_ns();
  looked_ns_ = now_ns + std::max(kLookThroughNs, (now_ns - began_ns) * kLookThroughShare);
  return found;
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
  layout::TaskFigures* const named = flags & layout::kTaskNamed ? objects::figures_of_name(parts, record.name) : nullptr;
  for (layout::TaskFigures* figures : {&mine, named}) {
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
  if (parts.due.least() != core::kNoKey) (void)objects::keep_time(table_->attachment->view(), parts, table_->me());
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
    if (start(claimed, run)) return Outcome::ok;
  }
}

Run TaskWorker::try_next() {
  Run run;
  const Outcome outcome = attempt(run, true);
  if (outcome == Outcome::ok) return run;
  if (outcome == Outcome::empty) objects::housekeeping_of_a_try(*table_->attachment);
  return Run(outcome);
}

Run TaskWorker::next(const Limit& limit) {
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
