// Who has the timekeeper's office of the soak's table, seen by a process that is no participant of its segment.
#pragma once

#include <sys/types.h>

#include <string>

#include "os/shared_memory.hpp"
#include "shmq/core/segment_view.hpp"
#include "shmq/layout/task_table.hpp"

namespace soak {

class KeeperWatch {
 public:
  /// Throws std::runtime_error where the segment or the table is not there.
  KeeperWatch(const std::string& segment, const std::string& table);
  /// The pid in the row that the office names; 0: nobody has it.
  pid_t timekeeper() const;

 private:
  shmq::os::Mapping mapping_;
  shmq::core::SegmentView view_;
  const shmq::layout::Word* office_ = nullptr;
};

}  // namespace soak
