// Task tables as objects of a segment: what a declaration says, how much space a table takes, how it is initialised and
// checked, and what the reaper does with it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/object_kinds.hpp"
#include "shmq/core/task_table_handle.hpp"
#include "shmq/result.hpp"
#include "shmq/tasks.hpp"

namespace shmq::objects {

/// A declaration with every number checked.
struct TableShape {
  std::uint32_t capacity = 0;
  std::uint32_t payload_room = 0;
  std::uint32_t result_room = 0;
  layout::TaskPolicy policy = layout::TaskPolicy::fifo;
  std::uint32_t errors = 0;
  std::uint32_t names = 0;
  std::uint32_t keys = 0;
  std::uint32_t keep_max = 0;  // set at creation; no part of the shape
  std::int64_t aging_ns = 0;
  unsigned ring_log2() const;
  std::uint32_t body_bytes() const;
};
Result<TableShape> table_shape_of(const TaskTableOptions& options);

/// Where its parts lie, from the object's start.
struct TablePlaces {
  std::uint64_t users = 0;
  std::uint64_t names = 0;
  std::uint64_t free = 0;
  std::uint64_t ready = 0;
  std::uint64_t due = 0;
  std::uint64_t keys = 0;
  std::uint64_t records = 0;
  std::uint64_t bodies = 0;
  std::uint64_t size_bytes = 0;
};
TablePlaces places_of(const TableShape& shape, std::uint32_t rows);

/// Opens or creates.
Result<std::shared_ptr<core::TaskTableHandle>> declare_table(std::shared_ptr<core::Attachment> attachment,
                                                             const std::string& name, const TableShape& shape);
Result<std::shared_ptr<core::TaskTableHandle>> open_table(std::shared_ptr<core::Attachment> attachment,
                                                          const std::string& name);

/// The table in a space, where its header is what it should be. False where it is not.
bool table_of(const core::SegmentView& view, const core::ObjectSpace& space, core::TaskTableParts& parts);

extern const core::ObjectKindOperations kTableOperations;

}  // namespace shmq::objects
