// The segment of one map: made by its parent, and gone with it.
#pragma once

#include <optional>
#include <string>

#include "shmq/segment.hpp"
#include "shmq/tasks.hpp"

namespace shmq::cli {

class MapSegment {
 public:
  /// Failure where there is no room for it.
  explicit MapSegment(unsigned workers);
  ~MapSegment();
  MapSegment(const MapSegment&) = delete;
  MapSegment& operator=(const MapSegment&) = delete;

  const std::string& name() const { return name_; }
  Segment& segment() { return *segment_; }
  TaskTable& table() { return *table_; }

 private:
  std::string name_;
  std::optional<Segment> segment_;
  std::optional<TaskTable> table_;
};

}  // namespace shmq::cli
