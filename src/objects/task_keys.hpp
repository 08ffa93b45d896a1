// A task that is submitted with a key: what the key index, and the records that it names, say of that key.
#pragma once

#include <string_view>

#include "shmq/core/task_keys.hpp"
#include "shmq/core/task_table_handle.hpp"
#include "shmq/tasks.hpp"

namespace shmq::objects {

class KeyedTask {
 public:
  /// The key has up to 63 bytes, and the table has an index of keys.
  KeyedTask(const core::TaskTableParts& parts, std::string_view key)
      : parts_(parts), key_(key), hash_(core::key_hash(key)) {}

  /// duplicate, absent, corrupt.
  core::KeyStatus find();
  /// Into the record's body, which the caller has in ALLOC and will publish in the state `to`. The bits that `flags` has
  /// to have.
  std::uint32_t write(layout::TaskBody& body, const TaskOptions& options, layout::TaskState to) const;
  /// Puts in the caller's task. Its record must be wholly written: whoever comes with the same key publishes it.
  /// inserted; duplicate, full, corrupt.
  core::KeyStatus insert(TaskId id);
  /// What either says, unless it is absent or inserted, to whoever submits.
  Outcome answer(core::KeyStatus status, Submitted& submitted) const;

 private:
  friend struct KeyRecords;
  core::KeyVerdict judge(std::uint64_t reference);
  const core::TaskTableParts& parts_;
  layout::PackedKey key_;
  std::uint64_t hash_;
  TaskId found_ = 0;
};

/// Whether the task in a record whose word read `word` has a key still. Changes nothing.
bool has_key(const core::TaskTableParts& parts, std::uint32_t index, std::uint64_t word);

}  // namespace shmq::objects
