#include "objects/task_upkeep.hpp"

#include <vector>

#include "core/blocks.hpp"
#include "shmq/base/fence.hpp"
#include "shmq/core/event.hpp"

namespace shmq::objects {

using layout::RunEnd;
using layout::TaskState;

namespace {

void hint(const core::TaskTableParts& parts, core::ShmHintRing ring, std::uint32_t index) {
  // Twice as many cells as records: full only after hints were put back that somebody had in hand.
  if (ring.push(index) != core::HintStatus::ok) [[unlikely]]
    parts.header->hints_lost.store(1, std::memory_order_release);
}

}  // namespace

void announce_ready(const core::TaskTableParts& parts, std::uint32_t index) {
  hint(parts, parts.ready, index);
  core::notify(parts.header->ready_event);
}

void announce_free(const core::TaskTableParts& parts, std::uint32_t index) {
  hint(parts, parts.free, index);
  core::notify(parts.header->free_event);
}

void announce_end(const core::TaskTableParts& parts) {
  core::notify(parts.header->done_event);
  if (parts.header->state.load(std::memory_order_relaxed) & layout::kTableDraining) [[unlikely]]
    core::notify(parts.header->ready_event);
}

TaskState after_run(const core::TaskTableParts& parts, std::uint32_t index, RunEnd end) {
  const layout::TaskRecord& record = parts.record(index);
  const layout::Tally tally = core::ShmTaskWords::with(parts.words.tally(index), end);
  switch (end) {
    case RunEnd::done:
      return TaskState::done;
    case RunEnd::cancelled:
      return TaskState::cancelled;
    case RunEnd::failure:
      return tally.failures > record.failures_max.load(std::memory_order_relaxed) ? TaskState::dead : TaskState::ready;
    case RunEnd::crash:
      return tally.crashes > record.crashes_max.load(std::memory_order_relaxed) ? TaskState::dead : TaskState::ready;
    case RunEnd::timeout:
    case RunEnd::release:
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
  if (!words.free(lease)) return;
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
  const std::vector<bool> ready = there(parts.ready);
  // After the rings: who pushes changes the word first, so what is FREE or READY now and was not hinted at then either
  // gets its hint from a living owner (and then twice), or from nobody.
  for (std::uint32_t i = 0; i < parts.capacity; ++i) {
    const TaskState state = layout::task_state(parts.words.look(i));
    if (state == TaskState::free && !free[i]) announce_free(parts, i);
    if (state == TaskState::ready && !ready[i]) announce_ready(parts, i);
  }
}

bool restore_lost_hints(const core::TaskTableParts& parts) {
  if (parts.header->hints_lost.load(std::memory_order_acquire) == 0) return false;
  if (parts.header->hints_lost.exchange(0, std::memory_order_acq_rel) == 0) return false;
  restore_hints(parts);
  return true;
}

}  // namespace shmq::objects
