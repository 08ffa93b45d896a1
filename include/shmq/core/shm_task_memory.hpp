// The words of a task table as they lie in shared memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmq/core/min_tree.hpp"
#include "shmq/layout/key_index.hpp"
#include "shmq/layout/task_table.hpp"

namespace shmq::core {

class ShmTaskMemory {
 public:
  ShmTaskMemory() = default;
  /// The records must have been checked against the object's space.
  explicit ShmTaskMemory(layout::TaskRecord* records) : records_(records) {}
  layout::TaskRecord& record(std::uint32_t index) const { return records_[index]; }
  layout::Word& word(std::uint32_t index) const { return record(index).word; }
  layout::Word& tally(std::uint32_t index) const { return record(index).tally; }

 private:
  layout::TaskRecord* records_ = nullptr;
};

/// A ring of hints (core/hint_ring.hpp): head and tail in the table's header, cells of their own.
class ShmHintMemory {
 public:
  ShmHintMemory() = default;
  ShmHintMemory(layout::Word* head, layout::Word* tail, layout::Word* cells, unsigned capacity_log2)
      : head_(head), tail_(tail), cells_(cells), capacity_log2_(capacity_log2) {}
  layout::Word& head() const { return *head_; }
  layout::Word& tail() const { return *tail_; }
  layout::Word& cell(std::uint64_t i) const { return cells_[i]; }
  unsigned capacity_log2() const { return capacity_log2_; }

 private:
  layout::Word* head_ = nullptr;
  layout::Word* tail_ = nullptr;
  layout::Word* cells_ = nullptr;
  unsigned capacity_log2_ = 0;
};

/// A tree of minima (core/min_tree.hpp).
class ShmTreeMemory {
 public:
  ShmTreeMemory() = default;
  ShmTreeMemory(layout::Word* nodes, const MinTreeShape& shape) : nodes_(nodes), shape_(shape) {}
  layout::Word& node(std::uint64_t i) const { return nodes_[i]; }
  const MinTreeShape& shape() const { return shape_; }

 private:
  layout::Word* nodes_ = nullptr;
  MinTreeShape shape_;
};

/// The index of keys (core/key_index.hpp).
class ShmKeyMemory {
 public:
  ShmKeyMemory() = default;
  ShmKeyMemory(layout::KeyBucket* buckets, unsigned buckets_log2) : buckets_(buckets), buckets_log2_(buckets_log2) {}
  layout::Word& control(std::uint64_t bucket) const { return buckets_[bucket].control; }
  layout::Word& cell(std::uint64_t bucket, unsigned i) const { return buckets_[bucket].cells[i]; }
  unsigned cells() const { return layout::kKeyCells; }
  unsigned buckets_log2() const { return buckets_log2_; }

 private:
  layout::KeyBucket* buckets_ = nullptr;
  unsigned buckets_log2_ = 0;
};

}  // namespace shmq::core
