// The task that a worker is likely to claim next: what a claim has to read of it is fetched while the worker is busy with
// the one it has. In a table of a million tasks in no order, a claim waits for memory most of the time: for the line of
// leaves that has the least key, and then for the record.
//
// Nothing is decided by it: whoever claims still looks whether that task is the next one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "shmq/core/task_table_handle.hpp"

namespace shmq::core {

class ReadyAhead {
 public:
  /// After a claim: fetches the line of leaves.
  void look(TaskTableParts& parts) {
    if (parts.ready_tree.memory().shape().levels() <= kLevelsInCache) return;
    has_line_ = parts.ready_tree.find_line(line_);
    if (!has_line_) return;
    layout::Word* const leaves = &parts.ready_tree.memory().node(line_ * MinTreeShape::kFan);
    for (std::uint32_t i = 0; i < MinTreeShape::kFan; i += kLineBytes / sizeof *leaves) __builtin_prefetch(leaves + i, 1);
  }
  /// A while later: fetches the record.
  void reach(TaskTableParts& parts) {
    if (!std::exchange(has_line_, false)) return;
    has_key_ = parts.ready_tree.least_in(line_, index_, key_) && index_ < parts.capacity;
    if (has_key_) __builtin_prefetch(&parts.record(index_), 1);
  }
  /// True once after that, where the task is still the next one.
  bool take(TaskTableParts& parts, std::uint32_t& index) {
    if (!has_key_) return false;
    has_key_ = false;
    index = index_;
    return parts.ready_tree.least() == key_;
  }

 private:
  static constexpr std::size_t kLineBytes = 64;
  /// 4096 records and their tree are there anyway.
  static constexpr unsigned kLevelsInCache = 3;
  std::uint64_t line_ = 0, key_ = 0;
  std::uint32_t index_ = 0;
  bool has_line_ = false, has_key_ = false;
};

}  // namespace shmq::core
