// How large a segment has to be for what it is meant to hold.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shmq/options.hpp"
#include "shmq/result.hpp"
#include "shmq/tasks.hpp"

namespace shmq {

///   auto plan = CapacityPlan().queue({.capacity = 1024, .slot_bytes = 64}).blocks(64 << 10, 256);
///   std::cout << plan.text() << '\n';
///   // "1024 slots of 64 B and 256 blocks of 64 KiB need 17.3 MiB; /dev/shm has 1 GiB free"
///   Segment::create("market", plan.options());
class CapacityPlan {
 public:
  explicit CapacityPlan(std::uint32_t participants_max = 64, std::uint32_t objects_max = 128);
  CapacityPlan& queue(const QueueOptions& options);
  CapacityPlan& task_table(const TaskTableOptions& options);
  CapacityPlan& blocks(std::uint64_t bytes, std::uint32_t count);

  /// The size that holds all of it; an error names what cannot be.
  Result<std::uint64_t> size_bytes() const;
  /// Options of a segment that holds all of it: size, blocks and tables.
  Result<SegmentOptions> options() const;
  /// One sentence for people: what it needs and what /dev/shm has.
  std::string text() const;

 private:
  SegmentOptions options_;
  std::vector<QueueOptions> queues_;
  std::vector<TaskTableOptions> tables_;
  std::vector<BlockClass> blocks_;
};

}  // namespace shmq
