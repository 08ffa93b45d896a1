// Named POSIX shared memory. The only file pair that touches Boost.Interprocess (shared_memory.cpp).
//
// A segment NAME is the file shmq.NAME in /dev/shm; while it is being built it has a temporary name. Opening
// never creates: a sticky, world-writable directory refuses O_CREAT on other users' files even where they may
// be opened.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "shmq/result.hpp"

namespace shmq::os {

/// Which file a mapping or descriptor belongs to; two names may follow one another, a file is itself.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileId&) const = default;
};

inline constexpr const char* kShmDirectory = "/dev/shm";
inline constexpr const char* kSegmentPrefix = "shmq.";
inline constexpr const char* kTemporaryPrefix = ".shmq.";

/// A mapping of a whole file. Movable; unmaps itself. The descriptor is closed: what the mapping keeps open
/// is not the file description that carries a lock.
class Mapping {
 public:
  Mapping();
  Mapping(Mapping&&) noexcept;
  Mapping& operator=(Mapping&&) noexcept;
  ~Mapping();
  std::byte* data() const;
  std::uint64_t size() const;
  FileId file() const;
  explicit operator bool() const;

 private:
  friend struct MappingAccess;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct FileMode {
  std::uint32_t mode = 0600;
  std::int64_t group = -1;  // -1 leaves the creator's
};

/// Creates a file in /dev/shm that must not exist, calls `claim` with its id at once, reserves `size` bytes
/// (all of them, now), sets mode and group on the descriptor, and maps it. Removes it again when any of that
/// fails.
Result<Mapping> create_reserved(const std::string& file_name, std::uint64_t size, FileMode mode,
                                const std::function<Status(FileId)>& claim);

enum class Access { read_write, read_only };
/// Maps a file of /dev/shm that must exist.
Result<Mapping> map_existing(const std::string& file_name, Access access);
/// Maps any file, read-only: a copied segment.
Result<Mapping> map_copy(const std::string& path);

/// Moves a file of /dev/shm to another name, never over an existing one (already_exists).
Status move_without_replacing(const std::string& from, const std::string& to);
/// Removes a name; not_found when there is none.
Status remove_file(const std::string& file_name);
/// Removes the name only while it stands for `file`.
Status remove_file_if(const std::string& file_name, FileId file);

Result<FileId> file_id_of(const std::string& file_name);

/// Names in /dev/shm that start with `prefix`, sorted.
std::vector<std::string> list_files(const std::string& prefix);

struct FileSystemSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};
FileSystemSpace shm_space();

/// "/dev/shm has 12 MiB free of 64 MiB": for messages, with the advice that fits.
std::string shm_space_advice(std::uint64_t needed);

/// A group's name or number as a gid.
Result<std::int64_t> group_id(const std::string& group);

}  // namespace shmq::os
