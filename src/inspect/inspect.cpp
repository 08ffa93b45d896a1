#include "shmq/inspect.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "core/space.hpp"
#include "inspect/reader.hpp"
#include "os/shared_memory.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/layout/queue_header.hpp"

namespace shmq {

namespace {

/// A regular file: opening a pipe would wait, and a device may do anything.
Result<struct stat> look_at(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return base::system_error(errno, "cannot look at " + path);
  if (!S_ISREG(status.st_mode))
    return Error(ErrorCode::incompatible, path + " is no regular file: not a shmq segment");
  return status;
}

std::string uuid_text(const std::uint8_t (&uuid)[16]) {
  std::string text;
  for (std::size_t i = 0; i < sizeof uuid; ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += kDigits[uuid[i] >> 4];
    text += kDigits[uuid[i] & 15];
  }
  return text;
}

void read_facts(const core::SegmentView& view, const struct stat& file, SegmentSnapshot& snapshot) {
  const layout::SegmentHeader& h = view.header();
  const core::Geometry& geometry = view.geometry();
  snapshot.removed = view.removed();
  snapshot.size_bytes = geometry.size_bytes;
  snapshot.layout_version = h.layout_version;
  snapshot.build.assign(h.build_id, ::strnlen(h.build_id, sizeof h.build_id));
  snapshot.uuid = uuid_text(h.uuid);
  snapshot.created_ns = h.created_ns;
  snapshot.creator_pid = h.creator_pid;
  snapshot.mode = file.st_mode & 07777;
  snapshot.uid = file.st_uid;
  snapshot.gid = file.st_gid;
  snapshot.participants_max = geometry.participants_max;
  snapshot.objects_max = geometry.objects_max;
  const core::SpaceUse space = core::space_use(view);
  snapshot.object_bytes = geometry.unit_count * layout::kUnitBytes;
  snapshot.object_bytes_free = space.free_bytes;
  snapshot.object_bytes_free_run = space.largest_run_bytes;
  snapshot.block_waits = h.block_waits.load(std::memory_order_relaxed);
}

/// `mapping` outlives the call; what is returned holds no reference to it.
Result<SegmentSnapshot> take_snapshot(const os::Mapping& mapping, const struct stat& file,
                                      const os::LivenessLock* lock, const std::string& shown,
                                      const InspectOptions& options) {
  const Result<core::SegmentView> view = core::SegmentView::check(mapping.data(), mapping.size(), shown);
  if (!view) return view.error();
  inspect::Source source;
  source.view = *view;
  source.lock = lock;
  source.slots = options.slots;
  SegmentSnapshot snapshot;
  snapshot.copy = !(os::FileId{view->header().device, view->header().inode} == mapping.file());
  if (snapshot.copy) source.lock = nullptr;
  source.now_monotonic_ns = base::monotonic_ns();
  source.now_realtime_ns = base::realtime_ns();
  snapshot.taken_ns = source.now_realtime_ns;
  read_facts(*view, file, snapshot);
  snapshot.participants = inspect::read_participants(source);
  inspect::Findings findings;
  findings.slots_left = view->geometry().size_bytes / layout::kSlotBytesMin;
  snapshot.objects = inspect::read_objects(source, snapshot.participants, findings);
  snapshot.blocks = inspect::read_blocks(source, findings.references, snapshot.participants);
  return snapshot;
}

constexpr int kAttempts = 100;

}  // namespace

const char* to_string(ParticipantState state) {
  switch (state) {
    case ParticipantState::alive:
      return "Alive";
    case ParticipantState::dead:
      return "Dead";
    case ParticipantState::inaccessible:
      return "Inaccessible";
    case ParticipantState::undefined:
      return "Undefined";
    case ParticipantState::unknown_copy:
      return "unknown (copy)";
  }
  return "Undefined";
}

const char* to_string(ObjectState state) {
  switch (state) {
    case ObjectState::claimed:
      return "claimed";
    case ObjectState::creating:
      return "creating";
    case ObjectState::live:
      return "live";
    case ObjectState::removing:
      return "removing";
    case ObjectState::reclaiming:
      return "reclaiming";
    case ObjectState::undefined:
      return "undefined";
  }
  return "undefined";
}

const ParticipantSnapshot* SegmentSnapshot::participant(std::uint32_t id) const {
  const auto found =
      std::find_if(participants.begin(), participants.end(), [&](const auto& p) { return p.id == id; });
  return found == participants.end() ? nullptr : &*found;
}

const ObjectSnapshot* SegmentSnapshot::queue(const std::string& queue_name) const {
  const auto found = std::find_if(objects.begin(), objects.end(), [&](const ObjectSnapshot& object) {
    return object.state == ObjectState::live && object.queue && object.name == queue_name;
  });
  return found == objects.end() ? nullptr : &*found;
}

Result<SegmentSnapshot> inspect_segment(const std::string& name, const InspectOptions& options) {
  if (Status checked = base::check_name(name, base::kSegmentNameMax, "segment"); !checked)
    return checked.error();
  const std::string file_name = os::kSegmentPrefix + name;
  const std::string path = std::string(os::kShmDirectory) + "/" + file_name;
  for (int attempt = 0;; ++attempt) {
    const Result<struct stat> file = look_at(path);
    if (!file && file.error().code() == ErrorCode::not_found)
      return Error(ErrorCode::not_found,
                   "there is no segment \"" + name + "\" (shmq-stat list shows what there is)");
    if (!file) return file.error();
    const Result<os::Mapping> mapping = os::map_existing(file_name, os::Access::read_only);
    if (!mapping) return mapping.error();
    const Result<os::LivenessLock> lock =
        os::LivenessLock::open(file_name, mapping->file(), os::Access::read_only);
    const bool same = mapping->file() == os::FileId{file->st_dev, file->st_ino};
    if (!lock || !same) {
      // The name stood for another segment a moment ago: a remove and a create went by.
      if (attempt < kAttempts && (!same || lock.error().code() == ErrorCode::not_found)) continue;
      return lock ? Error(ErrorCode::busy, path + " is replaced all the time") : lock.error();
    }
    Result<SegmentSnapshot> snapshot =
        take_snapshot(*mapping, *file, &*lock, "segment \"" + name + "\"", options);
    if (snapshot) {
      snapshot->name = name;
      snapshot->path = path;
    }
    return snapshot;
  }
}

Result<SegmentSnapshot> inspect_copy(const std::string& path, const InspectOptions& options) {
  const Result<struct stat> file = look_at(path);
  if (!file) return file.error();
  const Result<os::Mapping> mapping = os::map_copy(path);
  if (!mapping) return mapping.error();
  // The living file by its path: then locks do say who is alive.
  const std::string directory = std::string(os::kShmDirectory) + "/";
  os::LivenessLock lock;
  if (path.starts_with(directory)) {
    Result<os::LivenessLock> opened =
        os::LivenessLock::open(path.substr(directory.size()), mapping->file(), os::Access::read_only);
    if (opened) lock = std::move(*opened);
  }
  Result<SegmentSnapshot> snapshot =
      take_snapshot(*mapping, *file, lock.is_open() ? &lock : nullptr, path, options);
  if (!snapshot) return snapshot;
  snapshot->path = path;
  if (!lock.is_open()) snapshot->copy = true;
  return snapshot;
}

std::vector<std::string> list_segments() {
  std::vector<std::string> names = os::list_files(os::kSegmentPrefix);
  for (std::string& name : names) name.erase(0, std::string_view(os::kSegmentPrefix).size());
  return names;
}

}  // namespace shmq
