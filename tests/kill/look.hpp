// A segment mapped read-only by a process that is no participant of it.
#pragma once

#include "failure.hpp"

#include "os/liveness_lock.hpp"
#include "os/shared_memory.hpp"
#include "shmq/core/segment_view.hpp"

#include <optional>
#include <string>

namespace killtest {

class Look {
 public:
  explicit Look(const std::string& segment) : file_(shmq::os::kSegmentPrefix + segment) {
    mapping_.emplace(sound(shmq::os::map_existing(file_, shmq::os::Access::read_only)));
    view_.emplace(sound(shmq::core::SegmentView::check(mapping_->data(), mapping_->size(), segment)));
    require(!view_->removed(), "the segment says that it was removed");
  }
  const shmq::core::SegmentView& view() const { return *view_; }
  shmq::os::LivenessLock lock() const {
    return sound(shmq::os::LivenessLock::open(file_, mapping_->file(), shmq::os::Access::read_only));
  }

 private:
  template <class T>
  static T sound(shmq::Result<T> result) {
    require(static_cast<bool>(result), result ? "" : result.error().message());
    return std::move(*result);
  }

  std::string file_;
  std::optional<shmq::os::Mapping> mapping_;
  std::optional<shmq::core::SegmentView> view_;
};

}  // namespace killtest
