// A run of a task: what its worker reads of it, says about it, and how it ends.
#include <algorithm>
#include <cstring>

#include "core/blocks.hpp"
#include "objects/task_errors.hpp"
#include "objects/task_statistics.hpp"
#include "objects/task_times.hpp"
#include "objects/task_upkeep.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/core/event.hpp"
#include "shmq/core/task_figures.hpp"
#include "shmq/tasks.hpp"

namespace shmq {

using layout::TaskBody;
using layout::TaskRecord;

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
  const core::TaskTableParts& parts = table_->parts;
  const bool named = parts.record(lease_.index).flags.load(std::memory_order_relaxed) & layout::kTaskNamed;
  return named ? parts.body(lease_.index).name.get() : std::string();
}
std::uint64_t Run::correlation() const { return table_->parts.body(lease_.index).correlation.load(std::memory_order_relaxed); }

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

/// Its own longest time may be over, and nobody have noticed yet: nobody else needs to be there for that.
void Run::look_at_the_time() const {
  const core::TaskTableParts& parts = table_->parts;
  if (objects::is_timed(parts, lease_.index) && parts.words.look(lease_.index) == lease_.word)
    (void)objects::tend(table_->attachment->view(), parts, lease_.index, table_->me());
}

bool Run::valid() const {
  if (table_ == nullptr || table_->attachment->detached()) return false;
  look_at_the_time();
  return table_->parts.words.look(lease_.index) == lease_.word;
}

bool Run::cancelled() const {
  const core::TaskTableParts& parts = table_->parts;
  return parts.body(lease_.index).cancel.load(std::memory_order_acquire) == parts.record(lease_.index).id.load(std::memory_order_relaxed);
}

Outcome Run::progress(unsigned percent, std::string_view note) {
  if (table_ == nullptr) return Outcome::stale;
  if (table_->attachment->detached()) return Outcome::detached;
  TaskBody& body = table_->parts.body(lease_.index);
  std::uint64_t seen = body.progress.load(std::memory_order_acquire);
  if (!valid()) return Outcome::stale;
  if (!note.empty()) body.note.set(note);
  const std::uint64_t next =
      layout::of_run(lease_.epoch(), std::min(percent, 100u) | (note.empty() ? 0 : layout::kProgressNote));
  // From what was there while the lease was valid: a later run's is not written over.
  return body.progress.compare_exchange_strong(seen, next, std::memory_order_acq_rel) ? Outcome::ok : Outcome::stale;
}

Outcome Run::store_result(std::span<const std::byte> result) {
  core::TaskTableParts& parts = table_->parts;
  const core::SegmentView& view = table_->attachment->view();
  TaskRecord& record = parts.record(lease_.index);
  TaskBody& body = parts.body(lease_.index);
  // What is read while the lease is valid is not of a later run, and every change below is made from it.
  std::uint64_t old_block = record.result_block.load(std::memory_order_acquire);
  std::uint64_t old = body.result.load(std::memory_order_acquire);
  if (!valid()) return Outcome::stale;
  if (result.size() > layout::kTaskResultMax) return Outcome::too_large;
  // Where a lease can end by time, whoever held it may still be writing: not where a later run's result would be.
  const bool limited = objects::is_timed(parts, lease_.index) && body.run_limit_ns.load(std::memory_order_relaxed) != 0;
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
  // One who lost the lease to this run may have been about to write, and have written since: only that fails while the
  // lease is valid, and each of those does so once.
  const auto put = [this](layout::Word& word, std::uint64_t& seen, std::uint64_t value) {
    while (!word.compare_exchange_strong(seen, value, std::memory_order_acq_rel))
      if (!valid()) return false;
    return true;
  };
  if (put(record.result_block, old_block, reference)) {
    core::free_referenced(view, old_block);  // what such a one put there
    if (put(body.result, old, now)) return Outcome::ok;
  }
  core::free_referenced(view, reference);
  return Outcome::stale;
}

void Run::count_end(RunEnd how) const {
  const std::int64_t ran_ns = base::monotonic_ns() - started_ns_;
  core::count_end(table_->user().figures, how, ran_ns);
  if (layout::TaskFigures* named = objects::figures_of_its_name(table_->parts, lease_.index)) core::count_end(*named, how, ran_ns);
}

Outcome Run::end(RunEnd how) {
  const std::shared_ptr<core::TaskTableHandle> table = table_;
  if (table->attachment->detached()) return table_ = nullptr, Outcome::detached;
  core::TaskTableParts& parts = table->parts;
  look_at_the_time();
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
    look_at_the_time();
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

}  // namespace shmq
