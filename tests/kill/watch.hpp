// The shared memory that a process maps, seen from outside: a read-only mapping of the same objects and a
// snapshot.
#pragma once

#include <sys/types.h>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace killtest {

/// One difference between snapshot and memory: from the first changed byte to the last, in one object.
struct Change {
  std::string object;  // its path, as the kernel names it
  std::size_t offset = 0;
  std::size_t length = 0;
  std::uint64_t before = 0;  // the aligned 8-byte word that holds the first changed byte
  std::uint64_t after = 0;
};

/// What is watched is found by mapping, not by name: every regular file that the process maps shared and
/// writable, in /dev/shm or elsewhere, unlinked or renamed. An object stays watched after the process unmaps
/// it. Not watched: shared anonymous memory and device or ring mappings (io_uring).
class Watch {
 public:
  explicit Watch(pid_t pid) : pid_(pid) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  /// Finds new mappings. Call after each system call that maps memory. Throws Failure for one that cannot be
  /// opened.
  void rescan();
  /// Follows truncation and growth. Call after each system call, or a compare may run beyond the end of a
  /// file.
  void follow_sizes();
  /// The first object that differs from the snapshot, or nothing. The whole snapshot is brought up to date.
  std::optional<Change> take_change();

  std::size_t bytes() const;
  /// Paths under which watched objects were seen, for the clean-up.
  const std::set<std::string>& paths() const { return paths_; }

 private:
  struct Object {
    std::string path;
    dev_t device;
    ino_t inode;
    int descriptor;
    const std::byte* memory;  // null while the file is empty
    std::vector<std::byte> snapshot;
  };
  struct Line;

  int open_object(const Line& line) const;
  static void map(Object& object);
  static std::optional<Change> compare(Object& object);

  pid_t pid_;
  std::vector<Object> objects_;
  std::set<std::string> paths_;
};

}  // namespace killtest
