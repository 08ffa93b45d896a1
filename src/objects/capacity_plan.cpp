#include "shmq/capacity_plan.hpp"

#include <algorithm>
#include <bit>

#include "base/text.hpp"
#include "objects/queue_object.hpp"
#include "objects/task_object.hpp"
#include "os/shared_memory.hpp"
#include "shmq/core/segment_view.hpp"

namespace shmq {

CapacityPlan::CapacityPlan(std::uint32_t participants_max, std::uint32_t objects_max) {
  options_.participants_max = participants_max;
  options_.objects_max = objects_max;
}

CapacityPlan& CapacityPlan::queue(const QueueOptions& options) {
  queues_.push_back(options);
  return *this;
}

CapacityPlan& CapacityPlan::task_table(const TaskTableOptions& options) {
  tables_.push_back(options);
  return *this;
}

CapacityPlan& CapacityPlan::blocks(std::uint64_t bytes, std::uint32_t count) {
  blocks_.push_back({bytes, count});
  return *this;
}

Result<std::uint64_t> CapacityPlan::size_bytes() const {
  const Result<SegmentOptions> planned = options();
  if (!planned) return planned.error();
  return planned->size_bytes;
}

Result<SegmentOptions> CapacityPlan::options() const {
  SegmentOptions planned = options_;
  std::vector<BlockClass> blocks = blocks_;
  std::sort(blocks.begin(), blocks.end(),
            [](const BlockClass& a, const BlockClass& b) { return a.bytes < b.bytes; });
  planned.blocks = blocks;
  std::uint64_t units = 0;
  const auto add = [&](std::uint64_t bytes) { units += (bytes + layout::kUnitBytes - 1) / layout::kUnitBytes; };
  const std::uint32_t rows = options_.participants_max + 1;
  for (const QueueOptions& queue : queues_) {
    const Result<objects::QueueShape> shape = objects::shape_of(queue, 0);
    if (!shape) return shape.error();
    add(objects::size_of(*shape, rows));
  }
  for (const TaskTableOptions& table : tables_) {
    const Result<objects::TableShape> shape = objects::table_shape_of(table);
    if (!shape) return shape.error();
    add(objects::places_of(*shape, rows).size_bytes);
  }
  units = std::max<std::uint64_t>(units, 1);
  // The table of units takes 8 bytes for each 4096 of the whole: one part in 512. From there it is a matter of pages.
  const std::uint64_t content = core::fixed_bytes(planned, blocks) + units * layout::kUnitBytes;
  planned.size_bytes = content / 511 * 512;
  for (Result<core::Geometry> g = core::lay_out(planned);; g = core::lay_out(planned)) {
    if (g && g->unit_count >= units) {
      planned.size_bytes = g->size_bytes;
      return planned;
    }
    // Past any rounding, what is wrong is not the size.
    if (!g && planned.size_bytes > content / 511 * 512 + content / 64 + (1u << 20)) return g.error();
    planned.size_bytes += layout::kPageBytes;
  }
}

std::string CapacityPlan::text() const {
  std::string list;
  const auto add = [&](const std::string& item) { list += (list.empty() ? "" : ", ") + item; };
  for (const QueueOptions& queue : queues_)
    if (const auto shape = objects::shape_of(queue, 0))
      add(shape->kind == QueueKind::spsc
              ? "a ring of " + base::size_text(std::uint64_t{1} << shape->ring_log2)
              : std::to_string(std::uint64_t{1} << shape->capacity_log2) + " slots of " +
                    base::size_text(shape->slot_bytes));
  for (const TaskTableOptions& table : tables_)
    if (const auto shape = objects::table_shape_of(table))
      add(std::to_string(shape->capacity) + " tasks with payloads of " + base::size_text(shape->payload_room) +
          " and results of " + base::size_text(shape->result_room));
  for (const BlockClass& c : blocks_) add(std::to_string(c.count) + " blocks of " + base::size_text(c.bytes));
  if (const std::size_t comma = list.rfind(", "); comma != std::string::npos) list.replace(comma, 2, " and ");
  const Result<std::uint64_t> size = size_bytes();
  if (!size) return size.error().message();
  const os::FileSystemSpace space = os::shm_space();
  return (list.empty() ? "the tables alone" : list) + " need " + base::size_text(*size) + "; /dev/shm has " +
         base::size_text(space.free_bytes) + " free of " + base::size_text(space.total_bytes);
}

}  // namespace shmq
