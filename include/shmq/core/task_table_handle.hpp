// A task table that this process has open. Not API.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "shmq/core/attachment.hpp"
#include "shmq/core/block_hints.hpp"
#include "shmq/core/hint_ring.hpp"
#include "shmq/core/key_index.hpp"
#include "shmq/core/shm_task_memory.hpp"
#include "shmq/core/task_words.hpp"

namespace shmq::core {

using ShmTaskWords = TaskWords<ShmTaskMemory>;
using ShmHintRing = HintRing<ShmHintMemory>;
using ShmMinTree = MinTree<ShmTreeMemory>;
using ShmKeyIndex = KeyIndex<ShmKeyMemory>;

/// The parts of a table, over memory that was checked.
struct TaskTableParts {
  layout::TaskTableHeader* header = nullptr;
  layout::TaskUser* users = nullptr;  // one for each participant row
  ShmTaskWords words;
  ShmHintRing free;
  ShmHintRing ready;      // of TaskPolicy::fifo
  ShmMinTree ready_tree;  // of the others
  ShmMinTree due;
  ShmKeyIndex key_index;  // where keys is not 0
  layout::TaskNameFigures* names = nullptr;
  std::byte* bodies = nullptr;
  // Copied and checked; never read from shared memory again.
  std::uint32_t capacity = 0;
  std::uint32_t body_bytes = 0;
  std::uint32_t payload_room = 0;
  std::uint32_t result_room = 0;
  std::uint32_t rows = 0;
  layout::TaskPolicy policy = layout::TaskPolicy::fifo;
  std::uint32_t errors_kept = 0;
  std::uint32_t names_kept = 0;
  std::uint32_t keys = 0;
  std::int64_t aging_ns = 0;

  layout::TaskRecord& record(std::uint32_t index) const { return words.memory().record(index); }
  layout::TaskBody& body(std::uint32_t index) const {
    return *reinterpret_cast<layout::TaskBody*>(bodies + std::uint64_t{index} * body_bytes);
  }
  std::span<std::byte> inline_payload(std::uint32_t index) const {
    return {reinterpret_cast<std::byte*>(&body(index) + 1), payload_room};
  }
  std::span<std::byte> inline_result(std::uint32_t index) const {
    return {reinterpret_cast<std::byte*>(&body(index) + 1) + payload_room, result_room};
  }
  std::span<layout::TaskError> errors(std::uint32_t index) const {
    return {reinterpret_cast<layout::TaskError*>(inline_result(index).data() + result_room), errors_kept};
  }
};

/// Shared by all handles of one opened table in this process; closes (unpins) the object when the last one goes.
struct TaskTableHandle {
  std::shared_ptr<Attachment> attachment;
  std::string name;
  std::uint64_t generation = 0;
  std::uint32_t entry = 0;
  TaskTableParts parts;

  TaskTableHandle() = default;
  TaskTableHandle(const TaskTableHandle&) = delete;
  TaskTableHandle& operator=(const TaskTableHandle&) = delete;
  ~TaskTableHandle() {
    if (attachment != nullptr) attachment->unpin(entry);
  }
  layout::Owner me() const { return attachment->me(); }
  layout::TaskUser& user() const { return parts.users[attachment->me().id - 1]; }
};

}  // namespace shmq::core
