#include "task_keeper.hpp"

#include <stdexcept>

#include "objects/task_object.hpp"

namespace soak {

namespace core = shmq::core;

namespace {
template <class T>
T sound(shmq::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}
}  // namespace

KeeperWatch::KeeperWatch(const std::string& segment, const std::string& table)
    : mapping_(sound(shmq::os::map_existing(shmq::os::kSegmentPrefix + segment, shmq::os::Access::read_only))),
      view_(sound(core::SegmentView::check(mapping_.data(), mapping_.size(), segment))) {
  for (std::uint32_t i = 0; i < view_.geometry().objects_max; ++i) {
    core::ObjectSpace space;
    core::TaskTableParts parts;
    if (view_.entry(i).name.get() == table && core::space_of(view_, i, space) &&
        shmq::objects::table_of(view_, space, parts))
      office_ = &parts.header->timekeeper;
  }
  if (office_ == nullptr) throw std::runtime_error("the segment has no task table \"" + table + "\"");
}

pid_t KeeperWatch::timekeeper() const {
  const std::uint32_t owner = shmq::layout::owner_of(office_->load(std::memory_order_acquire));
  if (owner == 0 || owner > view_.geometry().rows) return 0;
  return static_cast<pid_t>(view_.row(owner - 1).pid);
}

}  // namespace soak
