#include "watch.hpp"

#include "failure.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include <fstream>
#include <sstream>

namespace killtest {

// One line of /proc/PID/maps.
struct Watch::Line {
  std::string range, permissions, path;
  dev_t device = 0;
  ino_t inode = 0;

  explicit Line(const std::string& text) {
    std::istringstream in(text);
    std::string offset, numbers;
    in >> range >> permissions >> offset >> numbers >> inode >> std::ws;
    std::getline(in, path);
    unsigned major_number = 0, minor_number = 0;
    if (std::sscanf(numbers.c_str(), "%x:%x", &major_number, &minor_number) == 2) {
      device = makedev(major_number, minor_number);
    }
    if (const auto deleted = path.rfind(" (deleted)"); deleted != std::string::npos) path.resize(deleted);
  }
  bool shared_file() const {
    return permissions.size() == 4 && permissions[1] == 'w' && permissions[3] == 's' && inode != 0 &&
           path.compare(0, 5, "anon_") != 0 && path.compare(0, 9, "/dev/zero") != 0;
  }
};

namespace {

// Opens the path only if it is the very file: the name may have been taken by another one meanwhile.
int open_if_same(const std::string& path, dev_t device, ino_t inode) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || status.st_dev != device || status.st_ino != inode) return -1;
  return open(path.c_str(), O_RDONLY | O_CLOEXEC);
}

std::uint64_t word_at(const std::byte* bytes, std::size_t size, std::size_t offset) {
  std::uint64_t word = 0;
  const std::size_t begin = offset & ~std::size_t{7};
  std::memcpy(&word, bytes + begin, std::min<std::size_t>(8, size - begin));
  return word;
}

}  // namespace

Watch::~Watch() {
  for (Object& object : objects_) {
    if (object.memory) munmap(const_cast<std::byte*>(object.memory), object.snapshot.size());
    close(object.descriptor);
  }
}

// By name while it has one; else through the process: map_files needs a capability, fd only that the file is
// open.
int Watch::open_object(const Line& line) const {
  const std::string proc = "/proc/" + std::to_string(pid_);
  int descriptor = open_if_same(line.path, line.device, line.inode);
  if (descriptor < 0) descriptor = open_if_same(proc + "/map_files/" + line.range, line.device, line.inode);
  if (descriptor >= 0) return descriptor;
  if (DIR* directory = opendir((proc + "/fd").c_str())) {
    while (const dirent* entry = readdir(directory)) {
      descriptor = open_if_same(proc + "/fd/" + entry->d_name, line.device, line.inode);
      if (descriptor >= 0) break;
    }
    closedir(directory);
  }
  return descriptor;
}

void Watch::rescan() {
  std::ifstream maps("/proc/" + std::to_string(pid_) + "/maps");
  for (std::string text; std::getline(maps, text);) {
    const Line line(text);
    if (!line.shared_file()) continue;
    paths_.insert(line.path);
    const auto known = [&](const Object& o) { return o.inode == line.inode && o.device == line.device; };
    if (std::any_of(objects_.begin(), objects_.end(), known)) continue;
    const int descriptor = open_object(line);
    require_system(descriptor >= 0, "cannot watch " + line.path);
    objects_.push_back({line.path, line.device, line.inode, descriptor, nullptr, {}});
    map(objects_.back());
  }
}

void Watch::map(Object& object) {
  if (object.memory) munmap(const_cast<std::byte*>(object.memory), object.snapshot.size());
  object.memory = nullptr;
  struct stat status {};
  require_system(fstat(object.descriptor, &status) == 0, "fstat of " + object.path);
  const auto size = static_cast<std::size_t>(status.st_size);
  const auto old_size = object.snapshot.size();
  object.snapshot.resize(size);
  if (size == 0) return;
  void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, object.descriptor, 0);
  require_system(memory != MAP_FAILED, "mmap of " + object.path);
  madvise(memory, size, MADV_DONTFORK);  // or a process forked later would seem to map it itself
  object.memory = static_cast<const std::byte*>(memory);
  if (size > old_size)
    std::memcpy(object.snapshot.data() + old_size, object.memory + old_size, size - old_size);
}

void Watch::follow_sizes() {
  for (Object& object : objects_) {
    struct stat status {};
    require_system(fstat(object.descriptor, &status) == 0, "fstat of " + object.path);
    if (static_cast<std::size_t>(status.st_size) != object.snapshot.size()) map(object);
  }
}

std::optional<Change> Watch::compare(Object& object) {
  const std::size_t size = object.snapshot.size();
  std::byte* old_bytes = object.snapshot.data();
  if (size == 0 || std::memcmp(old_bytes, object.memory, size) == 0) return std::nullopt;
  std::size_t first = 0;
  std::size_t end = size;
  while (old_bytes[first] == object.memory[first]) ++first;
  while (old_bytes[end - 1] == object.memory[end - 1]) --end;
  Change change{object.path, first, end - first, word_at(old_bytes, size, first), 0};
  change.after = word_at(object.memory, size, first);
  std::memcpy(old_bytes + first, object.memory + first, end - first);
  return change;
}

std::optional<Change> Watch::take_change() {
  std::optional<Change> found;
  for (Object& object : objects_) {
    auto change = compare(object);
    if (change && !found) found = std::move(change);
  }
  return found;
}

std::size_t Watch::bytes() const {
  std::size_t sum = 0;
  for (const Object& object : objects_) sum += object.snapshot.size();
  return sum;
}

}  // namespace killtest
