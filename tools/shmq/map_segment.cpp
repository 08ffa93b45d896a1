#include "map_segment.hpp"

#include <unistd.h>

#include <algorithm>

#include "failure.hpp"
#include "map.hpp"
#include "shmq/capacity_plan.hpp"

namespace shmq::cli {

MapSegment::MapSegment(unsigned workers) {
  const TaskTableOptions table{
      .capacity = kMapItems, .payload_bytes = 192, .result_bytes = kMapResultBytes, .errors = 0, .names = 0};
  // A killed worker keeps its row until it is swept.
  CapacityPlan plan(2 * workers + 8, 8);
  plan.task_table(table).blocks(1024, 256).blocks(kMapItemMax + 1, std::max(8u, 2 * workers));
  const SegmentOptions options = need(plan.options());
  const std::string base = "map-" + std::to_string(::getpid());
  for (int attempt = 1;; ++attempt) {
    name_ = base + (attempt == 1 ? "" : "-" + std::to_string(attempt));
    Result<Segment> made = Segment::create(name_, options, {.name = "shmq map"});
    if (made) {
      segment_.emplace(std::move(*made));
      break;
    }
    // Of a map that was killed with SIGKILL and had this pid.
    if (made.error().code() == ErrorCode::already_exists && attempt < 100) continue;
    throw Failure{kMapTrouble, made.error().message()};
  }
  Result<TaskTable> declared = segment_->task_table(kMapTable, table);
  if (!declared) {
    (void)Segment::remove(name_);
    throw Failure{kMapTrouble, declared.error().message()};
  }
  table_.emplace(std::move(*declared));
}

MapSegment::~MapSegment() { (void)Segment::remove(name_); }

}  // namespace shmq::cli
