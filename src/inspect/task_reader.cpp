// A task table as an inspector sees it: how many tasks are in each state, and who has which.
#include <map>

#include "inspect/reader.hpp"
#include "objects/task_keys.hpp"
#include "objects/task_object.hpp"
#include "objects/task_statistics.hpp"
#include "shmq/base/fence.hpp"
#include "shmq/core/event.hpp"

namespace shmq::inspect {

using layout::TaskState;

namespace {

/// The task in a record whose word reads `word`: claimed, or running.
TaskTableSnapshot::InHand in_hand(const layout::TaskRecord& record, const layout::TaskBody& body, std::uint64_t word) {
  const std::uint64_t progress = body.progress.load(std::memory_order_relaxed);
  const bool told = layout::run_of(progress) == layout::word_epoch(word);
  return {record.id.load(std::memory_order_relaxed), layout::owner_of(word), layout::task_state(word) == TaskState::running,
          told ? layout::run_value(progress) : 0, body.name.get()};
}

}  // namespace

void read_task_table(const Source& source, const core::ObjectSpace& space, ObjectSnapshot& object, Findings& findings) {
  core::TaskTableParts parts;
  if (!objects::table_of(source.view, space, parts)) {
    object.damaged = "its task table header does not describe a table of this place and size";
    return;
  }
  TaskTableSnapshot seen;
  seen.generation = space.generation;
  seen.capacity = parts.capacity;
  seen.payload_room = parts.payload_room;
  seen.result_room = parts.result_room;
  const std::uint64_t state = parts.header->state.load(std::memory_order_acquire);
  seen.policy = parts.policy;
  seen.keys = parts.keys;
  seen.paused = state & layout::kTablePaused;
  seen.draining = state & layout::kTableDraining;
  seen.removed = state & layout::kTableRemoved;
  seen.workers_sleep = parts.header->ready_event.load(std::memory_order_relaxed) & core::kEventWaiting;
  seen.submitters_sleep = parts.header->free_event.load(std::memory_order_relaxed) & core::kEventWaiting;
  if (parts.policy == layout::TaskPolicy::fifo) seen.hinted = parts.ready.size();
  if (source.slots) {
    if (parts.capacity > findings.slots_left) {
      object.damaged = "it overlaps another object";
      return;
    }
    findings.slots_left -= parts.capacity;
    std::map<std::uint32_t, TaskTableSnapshot::Share> shares;
    for (std::uint32_t i = 0; i < parts.capacity; ++i) {
      const std::uint64_t word = parts.words.look(i);
      const auto which = static_cast<std::size_t>(layout::task_state(word));
      if (which >= seen.states.size()) {
        object.damaged = "a task has a state that no version of this library writes";
        continue;
      }
      ++seen.states[which];
      if (layout::task_state(word) == TaskState::free) continue;
      if (parts.keys != 0 && objects::has_key(parts, i, word)) ++seen.keys_held;
      if (layout::is_owned(layout::task_state(word))) {
        auto& share = shares[layout::owner_of(word)];
        share.participant = layout::owner_of(word);
        ++(layout::task_state(word) == TaskState::running   ? share.running
           : layout::task_state(word) == TaskState::claimed ? share.claimed
                                                            : share.writing);
        if (layout::task_state(word) != TaskState::alloc) {
          TaskTableSnapshot::InHand task = in_hand(parts.record(i), parts.body(i), word);
          base::fence(std::memory_order_acquire);
          if (parts.words.look(i) == word) seen.in_hand.push_back(std::move(task));
        }
      }
      for (const layout::Word* block : {&parts.record(i).payload_block, &parts.record(i).result_block})
        if (const std::uint64_t reference = block->load(std::memory_order_acquire); reference != layout::kNoBlock)
          findings.references.push_back(reference);
    }
    for (const auto& [id, share] : shares) seen.shares.push_back(share);
    seen.figures = objects::statistics_of_all(parts);
    seen.figures_by_name = objects::statistics_of_names(parts);
    seen.figures_by_worker = objects::statistics_of_workers(parts);
  }
  object.tasks = std::move(seen);
}

}  // namespace shmq::inspect
