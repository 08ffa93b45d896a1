#include "core/segment_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/text.hpp"
#include "core/object_kinds.hpp"
#include "os/process.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/core/event.hpp"

namespace shmq::core {

namespace {

std::string file_of(const std::string& name) { return os::kSegmentPrefix + name; }

std::string temporary_of(const std::string& name) {
  const auto random = os::random_uuid();
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[random[i] >> 4];
    text += kDigits[random[i] & 15];
  }
  return std::string(os::kTemporaryPrefix) + name.substr(0, 100) + "." + std::to_string(::getpid()) + "." +
         text;
}

void write_header(layout::SegmentHeader& h, const Geometry& g, os::FileId file) {
  h.layout_version = layout::kLayoutVersion;
  h.header_bytes = sizeof(layout::SegmentHeader);
  h.features = 0;
  static constexpr char kBuild[] = SHMQ_BUILD_ID;
  std::memcpy(h.build_id, kBuild, std::min(sizeof kBuild, sizeof h.build_id - 1));
  const auto uuid = os::random_uuid();
  const auto boot = os::boot_id();
  std::memcpy(h.uuid, uuid.data(), uuid.size());
  std::memcpy(h.boot_id, boot.data(), boot.size());
  h.device = file.device;
  h.inode = file.inode;
  h.size_bytes = g.size_bytes;
  h.created_ns = base::realtime_ns();
  h.creator_pid = static_cast<std::uint32_t>(::getpid());
  h.participants_max = g.participants_max;
  h.objects_max = g.objects_max;
  h.class_count = g.class_count;
  h.participants_offset = g.participants_offset;
  h.directory_offset = g.directory_offset;
  h.users_offset = g.users_offset;
  h.units_offset = g.units_offset;
  h.unit_count = g.unit_count;
  h.block_words_offset = g.block_words_offset;
  h.block_count = g.block_count;
  h.objects_offset = g.objects_offset;
  for (std::uint32_t i = 0; i < g.class_count; ++i) h.classes[i] = g.classes[i];
  h.next_generation.store(1, std::memory_order_relaxed);
  h.magic = layout::kSegmentMagic;
}

/// A segment that somebody marked removed and was killed before the name was free: finish that.
void finish_removal(const std::string& name, os::FileId file) {
  (void)os::remove_file_if(file_of(name), file);
}

Status may_remove(const std::string& name) {
  const std::string path = std::string(os::kShmDirectory) + "/" + file_of(name);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT)
      return Error(ErrorCode::not_found, "there is no segment \"" + name + "\" (shmq ls lists them)");
    return base::system_error(errno, "cannot look at " + path);
  }
  if (::geteuid() != 0 && ::geteuid() != status.st_uid)
    return Error(ErrorCode::permission, "segment \"" + name + "\" belongs to user " +
                                            std::to_string(status.st_uid) +
                                            ": only that user or root can remove it");
  return Done{};
}

/// Something under our name that is no segment, or not one of ours: there are no users to tell.
Status remove_foreign(const std::string& name) {
  const Result<os::FileId> file = os::file_id_of(file_of(name));
  return file ? os::remove_file_if(file_of(name), *file) : Status(file.error());
}

}  // namespace

Result<NewSegment> make_segment_file(const std::string& name, const SegmentOptions& options) {
  if (Status checked = base::check_name(name, base::kSegmentNameMax, "segment"); !checked)
    return checked.error();
  const Result<Geometry> geometry = lay_out(options);
  if (!geometry) return geometry.error();
  os::FileMode mode{options.mode, -1};
  if (!options.group.empty()) {
    const Result<std::int64_t> group = os::group_id(options.group);
    if (!group) return group.error();
    mode.group = *group;
  }
  (void)collect_temporaries();

  NewSegment made;
  made.temporary_name = temporary_of(name);
  // The lock comes before the reservation, which may take long: until it is held a collector takes the file
  // for a leftover, and two creators at once would take each other's for ever.
  const auto claim = [&](os::FileId file) -> Status {
    Result<os::LivenessLock> lock = os::LivenessLock::open(made.temporary_name, file, os::Access::read_write);
    if (!lock) return lock.error();
    made.lock = std::move(*lock);
    made.lock.try_lock(0);
    return Done{};
  };
  Result<os::Mapping> mapping = os::create_reserved(made.temporary_name, geometry->size_bytes, mode, claim);
  if (!mapping) return mapping.error();
  made.mapping = std::move(*mapping);
  const auto undo = [&](const Error& error) {
    (void)os::remove_file(made.temporary_name);
    return error;
  };

  // Everything in a fresh file is zero, and zero means free: only the header is to be written.
  write_header(*reinterpret_cast<layout::SegmentHeader*>(made.mapping.data()), *geometry,
               made.mapping.file());
  Result<SegmentView> view =
      SegmentView::check(made.mapping.data(), made.mapping.size(), "segment \"" + name + "\"");
  if (!view) return undo(view.error());
  made.view = *view;
  return made;
}

Status publish_segment_file(const std::string& temporary_name, const std::string& name) {
  Status moved = os::move_without_replacing(temporary_name, file_of(name));
  if (!moved && moved.error().code() == ErrorCode::already_exists)
    return Error(ErrorCode::already_exists,
                 "segment \"" + name + "\" exists; open it, or remove it first (shmq rm " + name + ")");
  return moved;
}

Result<OpenSegment> open_segment_file(const std::string& name) {
  if (Status checked = base::check_name(name, base::kSegmentNameMax, "segment"); !checked)
    return checked.error();
  Result<os::Mapping> mapping = os::map_existing(file_of(name), os::Access::read_write);
  if (!mapping) {
    if (mapping.error().code() == ErrorCode::not_found)
      return Error(ErrorCode::not_found,
                   "there is no segment \"" + name + "\" (shmq ls lists them; shmq create makes one)");
    return mapping.error();
  }
  OpenSegment opened;
  opened.mapping = std::move(*mapping);
  Result<SegmentView> view =
      SegmentView::check(opened.mapping.data(), opened.mapping.size(), "segment \"" + name + "\"");
  if (!view) return view.error();
  opened.view = *view;
  const layout::SegmentHeader& h = opened.view.header();
  if (!(os::FileId{h.device, h.inode} == opened.mapping.file()))
    return Error(ErrorCode::incompatible,
                 "segment \"" + name +
                     "\" is a copy of another file: its locks say nothing about who "
                     "is alive; shmq-stat can show it, remove it before you create one of that name");
  if (opened.view.removed()) {
    finish_removal(name, opened.mapping.file());
    return Error(ErrorCode::busy, "segment \"" + name + "\" was just removed");
  }
  Result<os::LivenessLock> lock =
      os::LivenessLock::open(file_of(name), opened.mapping.file(), os::Access::read_write);
  if (!lock) {
    if (lock.error().code() == ErrorCode::not_found)
      return Error(ErrorCode::busy, "segment \"" + name + "\" was just removed or replaced");
    return lock.error();
  }
  opened.lock = std::move(*lock);
  return opened;
}

Status remove_segment_file(const std::string& name) {
  if (Status checked = base::check_name(name, base::kSegmentNameMax, "segment"); !checked)
    return checked.error();
  if (Status allowed = may_remove(name); !allowed) return allowed;
  Result<os::Mapping> mapping = os::map_existing(file_of(name), os::Access::read_write);
  if (!mapping)
    return mapping.error().code() == ErrorCode::not_found ? Status(mapping.error()) : remove_foreign(name);
  const Result<SegmentView> view =
      SegmentView::check(mapping->data(), mapping->size(), "segment \"" + name + "\"");
  if (!view) return remove_foreign(name);
  const bool copy = !(os::FileId{view->header().device, view->header().inode} == mapping->file());
  // Marked first, then unlinked: a kill in between leaves a name that whoever opens it clears away.
  if (!copy) view->header().state.store(static_cast<std::uint64_t>(layout::SegmentState::removed));
  Status removed = os::remove_file_if(file_of(name), mapping->file());
  if (!copy) mark_objects_removed(*view);
  if (!removed && removed.error().code() == ErrorCode::not_found)
    return Done{};  // somebody finished it for us
  return removed;
}

std::vector<std::string> collect_temporaries() {
  std::vector<std::string> removed;
  for (const std::string& file_name : os::list_files(os::kTemporaryPrefix)) {
    const Result<os::FileId> file = os::file_id_of(file_name);
    if (!file) continue;
    Result<os::LivenessLock> lock = os::LivenessLock::open(file_name, *file, os::Access::read_only);
    if (!lock || lock->state(0) != os::LockState::not_held) continue;
    // A creator that lives and has not locked it yet loses its temporary here, and starts again.
    if (os::remove_file_if(file_name, *file)) removed.push_back(file_name);
  }
  return removed;
}

}  // namespace shmq::core
