#include "os/shared_memory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <boost/interprocess/file_mapping.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/permissions.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <functional>

#include "base/text.hpp"
#include "os/lock_bytes.hpp"
#include "os/memory_room.hpp"

namespace shmq::os {

namespace ipc = boost::interprocess;

struct Mapping::Impl {
  ipc::mapped_region region;
  FileId file;
};

struct MappingAccess {
  static Mapping make(ipc::mapped_region region, FileId file) {
    Mapping mapping;
    mapping.impl_ = std::make_unique<Mapping::Impl>();
    mapping.impl_->region = std::move(region);
    mapping.impl_->file = file;
    return mapping;
  }
};

Mapping::Mapping() = default;
Mapping::Mapping(Mapping&&) noexcept = default;
Mapping& Mapping::operator=(Mapping&&) noexcept = default;
Mapping::~Mapping() = default;
std::byte* Mapping::data() const { return static_cast<std::byte*>(impl_->region.get_address()); }
std::uint64_t Mapping::size() const { return impl_->region.get_size(); }
FileId Mapping::file() const { return impl_->file; }
Mapping::operator bool() const { return impl_ != nullptr; }

namespace {

std::string path_of(const std::string& file_name) { return std::string(kShmDirectory) + "/" + file_name; }

int errno_of(const ipc::interprocess_exception& error) {
  const int native = error.get_native_error();
  return native != 0 ? native : EINVAL;
}

template <class MemoryMappable>
Result<Mapping> map_whole(const MemoryMappable& file, ipc::mode_t mode, const std::string& shown) {
  const int descriptor = file.get_mapping_handle().handle;
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return base::system_error(errno, "cannot look at " + shown);
  if (status.st_size == 0) return Error(ErrorCode::incompatible, shown + " is empty: not a shmq segment");
  return MappingAccess::make(ipc::mapped_region(file, mode), {status.st_dev, status.st_ino});
}

Error open_error(int error, const std::string& shown) {
  if (error == EACCES || error == EPERM)
    return Error(ErrorCode::permission,
                 "cannot open " + shown + ": " + base::errno_text(error) +
                     "; its mode or group does not admit this user (shmq create --mode, --group)");
  return base::system_error(error, "cannot open " + shown);
}

/// Everything that happens to a file between its creation and its first mapping.
Status reserve(int descriptor, std::uint64_t size, FileMode mode, const std::string& shown) {
  if (mode.group >= 0 && ::fchown(descriptor, static_cast<uid_t>(-1), static_cast<gid_t>(mode.group)) != 0)
    return base::system_error(errno, "cannot give " + shown + " to group " + std::to_string(mode.group) +
                                         " (this user must be a member of it)");
  if (::fchmod(descriptor, static_cast<mode_t>(mode.mode)) != 0)
    return base::system_error(errno, "cannot set mode of " + shown);
  int error = 0;
  // Asked before: beyond a cgroup's limit the kernel kills instead of refusing, and a tmpfs that is going to
  // be full need not be filled first. Another process may be faster; then the answer comes from
  // posix_fallocate, or is SIGKILL.
  const FileSystemSpace space = shm_space();
  if ((space.total_bytes != 0 && space.free_bytes < size) || memory_room().free_bytes < size)
    error = ENOSPC;
  else
    do error = ::posix_fallocate(descriptor, 0, static_cast<off_t>(size));
    while (error == EINTR);
  if (error == ENOSPC || error == ENOMEM || error == EFBIG)
    return Error(ErrorCode::no_space, "cannot reserve " + base::size_text(size) + " (" +
                                          std::to_string(size) + " bytes) for " + shown + ": " +
                                          shm_space_advice(size));
  if (error != 0)
    return base::system_error(error, "cannot reserve " + base::size_text(size) + " for " + shown);
  return Done{};
}

}  // namespace

Result<Mapping> create_reserved(const std::string& file_name, std::uint64_t size, FileMode mode,
                                const std::function<Status(FileId)>& claim) {
  const std::string shown = path_of(file_name);
  try {
    ipc::permissions closed;
    closed.set_permissions(0600);  // its real mode is set on the descriptor, before it has its real name
    ipc::shared_memory_object file(ipc::create_only, file_name.c_str(), ipc::read_write, closed);
    const int descriptor = file.get_mapping_handle().handle;
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) return base::system_error(errno, "cannot look at " + shown);
    Status ready = claim({status.st_dev, status.st_ino});
    if (ready) ready = reserve(descriptor, size, mode, shown);
    if (!ready) {
      ::unlink(shown.c_str());
      return ready.error();
    }
    return map_whole(file, ipc::read_write, shown);
  } catch (const ipc::interprocess_exception& error) {
    const int native = errno_of(error);
    if (native == EEXIST) return Error(ErrorCode::already_exists, shown + " exists");
    ::unlink(shown.c_str());
    return base::system_error(native, "cannot create " + shown);
  }
}

Result<Mapping> map_existing(const std::string& file_name, Access access) {
  const std::string shown = path_of(file_name);
  const ipc::mode_t mode = access == Access::read_write ? ipc::read_write : ipc::read_only;
  try {
    const ipc::shared_memory_object file(ipc::open_only, file_name.c_str(), mode);
    return map_whole(file, mode, shown);
  } catch (const ipc::interprocess_exception& error) {
    return open_error(errno_of(error), shown);
  }
}

Result<Mapping> map_copy(const std::string& path) {
  try {
    const ipc::file_mapping file(path.c_str(), ipc::read_only);
    return map_whole(file, ipc::read_only, path);
  } catch (const ipc::interprocess_exception& error) {
    return open_error(errno_of(error), path);
  }
}

Status move_without_replacing(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, path_of(from).c_str(), AT_FDCWD, path_of(to).c_str(), RENAME_NOREPLACE) == 0)
    return Done{};
  if (errno == EEXIST) return Error(ErrorCode::already_exists, path_of(to) + " exists");
  return base::system_error(errno, "cannot name " + path_of(to));
}

Status remove_file(const std::string& file_name) {
  if (::unlink(path_of(file_name).c_str()) == 0) return Done{};
  return base::system_error(errno, "cannot remove " + path_of(file_name));
}

Result<FileId> file_id_of(const std::string& file_name) {
  struct stat status {};
  if (::lstat(path_of(file_name).c_str(), &status) != 0)
    return base::system_error(errno, "cannot look at " + path_of(file_name));
  if (!S_ISREG(status.st_mode))
    return Error(ErrorCode::incompatible, path_of(file_name) + " is not a regular file: not a shmq segment");
  return FileId{status.st_dev, status.st_ino};
}

Status remove_file_if(const std::string& file_name, FileId file) {
  const std::string path = path_of(file_name);
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) return base::system_error(errno, "cannot open " + path);
  const auto finish = [&](Status status) {
    ::close(descriptor);  // and with it goes the lock
    return status;
  };
  // Nobody frees the name of this file without this lock, so the name cannot come to stand for another file
  // between our look and the unlink. Released by the kernel if we are killed.
  struct flock lock = lock_on(kRemovalLockByte, F_WRLCK);
  for (int attempt = 0; ::fcntl(descriptor, F_OFD_SETLK, &lock) != 0; ++attempt) {
    if (attempt >= 1000)
      return finish(
          Error(ErrorCode::busy, "another process is removing " + path + " and does not get on (stopped?)"));
    ::usleep(1000);
  }
  const Result<FileId> found = file_id_of(file_name);
  if (!found) return finish(found.error());
  if (!(*found == file)) return finish(Error(ErrorCode::not_found, path + " is another segment by now"));
  return finish(remove_file(file_name));
}

std::vector<std::string> list_files(const std::string& prefix) {
  std::vector<std::string> names;
  DIR* directory = ::opendir(kShmDirectory);
  if (directory == nullptr) return names;
  while (const dirent* entry = ::readdir(directory))
    if (std::string_view(entry->d_name).starts_with(prefix)) names.emplace_back(entry->d_name);
  ::closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

FileSystemSpace shm_space() {
  struct statvfs space {};
  if (::statvfs(kShmDirectory, &space) != 0) return {};
  return {space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize};
}

std::string shm_space_advice(std::uint64_t needed) {
  const FileSystemSpace space = shm_space();
  std::string text = std::string(kShmDirectory) + " has " + base::size_text(space.free_bytes) + " free of " +
                     base::size_text(space.total_bytes) + "; ";
  if (space.free_bytes >= needed) {
    const MemoryRoom room = memory_room();
    if (room.limit_name.empty())
      return text + "the host has " + base::size_text(room.free_bytes) +
             " of memory left (MemAvailable and swap); ask for less";
    return text + "this process's cgroup may use " + base::size_text(room.free_bytes) + " more of its " +
           base::size_text(room.limit_bytes) + " (" + room.limit_name +
           "): raise it (docker run --memory; systemd: MemoryMax), or "
           "ask for less";
  }
  return text +
         "raise it (mount -o remount,size=" + std::to_string((needed + space.total_bytes) / (1u << 20) + 1) +
         "M /dev/shm; in Docker --shm-size), remove segments (shmq gc --unused), or ask for less";
}

Result<std::int64_t> group_id(const std::string& group) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(group.data(), group.data() + group.size(), number);
  if (error == std::errc{} && end == group.data() + group.size() && number >= 0 && number < INT32_MAX)
    return number;
  char buffer[16384];
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrnam_r(group.c_str(), &entry, buffer, sizeof buffer, &found) == 0 && found != nullptr)
    return std::int64_t{found->gr_gid};
  return Error(ErrorCode::invalid_argument,
               "there is no group \"" + group + "\" on this host (see: getent group)");
}

}  // namespace shmq::os
