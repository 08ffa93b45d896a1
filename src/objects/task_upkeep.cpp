#include "objects/task_upkeep.hpp"

#include <algorithm>
#include <vector>

#include "core/blocks.hpp"
#include "objects/task_times.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/base/fence.hpp"
#include "shmq/core/event.hpp"

namespace shmq::objects {

using layout::RunEnd;
using layout::TaskPolicy;
using layout::TaskState;

namespace {

void hint(const core::TaskTableParts& parts, core::ShmHintRing ring, std::uint32_t index) {
  // Twice as many cells as records: full only after hints were put back that somebody had in hand.
  if (ring.push(index) != core::HintStatus::ok) [[unlikely]]
    parts.header->hints_lost.store(1, std::memory_order_release);
}

}  // namespace

bool is_over(TaskState state) { return state >= TaskState::done && state <= TaskState::expired; }

void count_finished_down(const core::TaskTableParts& parts) {
  layout::Word& finished = parts.header->finished;
  if (parts.header->keep_max.load(std::memory_order_relaxed) == 0) return;
  std::uint64_t seen = finished.load(std::memory_order_relaxed);
  while (seen != 0 && !finished.compare_exchange_weak(seen, seen - 1, std::memory_order_relaxed)) {
  }
}

void keep_fewer(const core::SegmentView& view, const core::TaskTableParts& parts, layout::Owner me) {
  layout::TaskTableHeader& header = *parts.header;
  const std::uint64_t most = header.keep_max.load(std::memory_order_relaxed);
  if (most == 0 || header.finished.load(std::memory_order_relaxed) <= most) return;
  core::ShmTaskWords words = parts.words;
  for (std::uint32_t i = 0; i < parts.capacity && header.finished.load(std::memory_order_relaxed) > most; ++i) {
    const auto index = static_cast<std::uint32_t>(header.keep_hand.fetch_add(1, std::memory_order_relaxed) % parts.capacity);
    const std::uint64_t word = words.look(index);
    core::Lease lease;
    if (!is_over(layout::task_state(word)) || !words.seize(index, word, me, lease)) continue;
    count_finished_down(parts);
    clear_away(view, parts, lease);
  }
}

void announce_ready(const core::TaskTableParts& parts, std::uint32_t index) {
  if (parts.policy == TaskPolicy::fifo)
    hint(parts, parts.ready, index);
  else
    refresh_ready(parts, index);
  if (is_timed(parts, index)) refresh_due(parts, index);
  core::notify(parts.header->ready_event);
}

void announce_submitted(const core::TaskTableParts& parts, std::uint32_t index, TaskState state) {
  if (state == TaskState::ready) announce_ready(parts, index);
  if (is_timed(parts, index)) begin_state(parts, index);
}

void announce_free(const core::TaskTableParts& parts, std::uint32_t index) {
  hint(parts, parts.free, index);
  core::notify(parts.header->free_event);
}

void announce_end(const core::SegmentView& view, const core::TaskTableParts& parts, std::uint32_t index, layout::Owner me) {
  begin_state(parts, index);
  core::notify(parts.header->done_event);
  wake_for_drain(parts);
  if (parts.header->keep_max.load(std::memory_order_relaxed) == 0) return;
  parts.header->finished.fetch_add(1, std::memory_order_relaxed);
  keep_fewer(view, parts, me);
}

void wake_for_drain(const core::TaskTableParts& parts) {
  if (parts.header->state.load(std::memory_order_relaxed) & layout::kTableDraining) [[unlikely]]
    core::notify(parts.header->ready_event);
}

void announce_settled(const core::SegmentView& view, const core::TaskTableParts& parts, const core::Lease& lease,
                      TaskState to, layout::Owner me) {
  if (to == TaskState::ready)
    announce_ready(parts, lease.index);
  else if (to == TaskState::delayed)
    begin_state(parts, lease.index);
  else
    announce_end(view, parts, lease.index, me);
}

TaskState after_run(const core::TaskTableParts& parts, std::uint32_t index, RunEnd end) {
  const layout::TaskBody& body = parts.body(index);
  const layout::Tally tally = core::ShmTaskWords::with(parts.words.tally(index), end);
  const auto spent = [](std::uint32_t count, const std::atomic<std::uint16_t>& max) {
    const std::uint32_t limit = max.load(std::memory_order_relaxed);
    return limit < layout::kTallyMax && count > limit;  // a count stands still there
  };
  const bool later = is_timed(parts, index) && body.backoff_first_ms.load(std::memory_order_relaxed) != 0;
  const TaskState again = later ? TaskState::delayed : TaskState::ready;
  switch (end) {
    case RunEnd::done:
      return TaskState::done;
    case RunEnd::cancelled:
      return TaskState::cancelled;
    case RunEnd::failure:
      return spent(tally.failures, body.failures_max) ? TaskState::dead : again;
    case RunEnd::crash:
      return spent(tally.crashes, body.crashes_max) ? TaskState::dead : again;
    case RunEnd::timeout:
      return spent(tally.timeouts, body.timeouts_max) ? TaskState::dead : again;
    case RunEnd::release:
      return spent(tally.releases, body.releases_max) ? TaskState::dead : TaskState::ready;
    case RunEnd::revived:
    case RunEnd::none:
      break;
  }
  return TaskState::ready;
}

void clear_away(const core::SegmentView& view, const core::TaskTableParts& parts, const core::Lease& lease) {
  const layout::TaskRecord& record = parts.record(lease.index);
  const std::uint64_t payload = record.payload_block.load(std::memory_order_relaxed);
  const std::uint64_t result = record.result_block.load(std::memory_order_relaxed);
  // Read while the record was the owner's: another reaper may have cleared it away, and somebody put a task there.
  base::fence(std::memory_order_acquire);
  if (parts.words.look(lease.index) != lease.word) return;
  // By their epochs: what was given back already stays as it is.
  core::free_referenced(view, payload);
  core::free_referenced(view, result);
  core::ShmTaskWords words = parts.words;
  const bool timed = is_timed(parts, lease.index);
  if (!words.free(lease)) return;
  if (timed) refresh_due(parts, lease.index);
  refresh_ready(parts, lease.index);
  announce_free(parts, lease.index);
  if (payload != layout::kNoBlock || result != layout::kNoBlock) core::notify(view.header().blocks_event);
}

void restore_hints(const core::TaskTableParts& parts) {
  const auto there = [&](const core::ShmHintRing& ring) {
    std::vector<bool> hinted(parts.capacity);
    ring.for_each([&](std::uint32_t index) {
      if (index < parts.capacity) hinted[index] = true;
    });
    return hinted;
  };
  const std::vector<bool> free = there(parts.free);
  const bool fifo = parts.policy == TaskPolicy::fifo;
  const std::vector<bool> ready = fifo ? there(parts.ready) : std::vector<bool>();
  rebuild_trees(parts);
  std::uint64_t finished = 0;
  // After the rings: who pushes changes the word first, so what is FREE or READY now and was not hinted at then either
  // gets its hint from a living owner (and then twice), or from nobody.
  for (std::uint32_t i = 0; i < parts.capacity; ++i) {
    const TaskState state = layout::task_state(parts.words.look(i));
    if (state == TaskState::free && !free[i]) announce_free(parts, i);
    if (state == TaskState::ready && fifo && !ready[i]) announce_ready(parts, i);
    finished += is_over(state);
  }
  parts.header->finished.store(finished, std::memory_order_relaxed);
}

bool restore_lost_hints(const core::TaskTableParts& parts) {
  if (parts.header->hints_lost.load(std::memory_order_acquire) == 0) return false;
  if (parts.header->hints_lost.exchange(0, std::memory_order_acq_rel) == 0) return false;
  restore_hints(parts);
  return true;
}

}  // namespace shmq::objects
