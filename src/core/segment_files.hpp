// A segment as a file: built under a temporary name, complete before it has its own, opened and checked,
// removed.
#pragma once

#include <string>

#include "os/liveness_lock.hpp"
#include "os/shared_memory.hpp"
#include "shmq/core/segment_view.hpp"
#include "shmq/options.hpp"
#include "shmq/result.hpp"

namespace shmq::core {

struct OpenSegment {
  os::Mapping mapping;
  SegmentView view;
  os::LivenessLock lock;
};

struct NewSegment : OpenSegment {
  std::string temporary_name;
};

/// A complete segment under a temporary name. The creator's row is taken before it gets its real name: that
/// lock is also what tells a temporary of a living creator from one that is left over.
Result<NewSegment> make_segment_file(const std::string& name, const SegmentOptions& options);
/// Gives it its name; already_exists where another segment has it.
Status publish_segment_file(const std::string& temporary_name, const std::string& name);

/// Maps and checks a segment. `busy`: the name was replaced while we looked; try again.
Result<OpenSegment> open_segment_file(const std::string& name);

/// Marks the segment and its objects removed, frees the name and wakes everybody.
Status remove_segment_file(const std::string& name);

/// Removes temporaries whose creator is dead; returns their names.
std::vector<std::string> collect_temporaries();

}  // namespace shmq::core
