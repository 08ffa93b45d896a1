#include "os/liveness_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/text.hpp"
#include "os/lock_bytes.hpp"

namespace shmq::os {

namespace {

struct flock lock_of(std::uint32_t row, short type) {
  return lock_on(kFirstRowLockByte + static_cast<off_t>(row), type);
}

}  // namespace

LivenessLock::LivenessLock(LivenessLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

LivenessLock& LivenessLock::operator=(LivenessLock&& other) noexcept {
  if (this != &other) {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

LivenessLock::~LivenessLock() { close(); }

Result<LivenessLock> LivenessLock::open(const std::string& file_name, FileId expected, Access access) {
  const std::string path = std::string(kShmDirectory) + "/" + file_name;
  LivenessLock lock;
  // O_NONBLOCK: what lies under that name may be a FIFO of somebody's, and opening it must not wait for a
  // writer.
  lock.descriptor_ = ::open(
      path.c_str(), (access == Access::read_write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (lock.descriptor_ < 0) return base::system_error(errno, "cannot open " + path);
  struct stat status {};
  if (::fstat(lock.descriptor_, &status) != 0) return base::system_error(errno, "cannot look at " + path);
  if (!(FileId{status.st_dev, status.st_ino} == expected))
    return Error(ErrorCode::not_found, path + " was replaced while it was being opened: try again");
  return lock;
}

bool LivenessLock::try_lock(std::uint32_t row) {
  struct flock lock = lock_of(row, F_WRLCK);
  return ::fcntl(descriptor_, F_OFD_SETLK, &lock) == 0;
}

void LivenessLock::unlock(std::uint32_t row) {
  struct flock lock = lock_of(row, F_UNLCK);
  ::fcntl(descriptor_, F_OFD_SETLK, &lock);
}

LockState LivenessLock::state(std::uint32_t row) const {
  struct flock lock = lock_of(row, F_WRLCK);
  if (::fcntl(descriptor_, F_OFD_GETLK, &lock) != 0) return LockState::inaccessible;
  return lock.l_type == F_UNLCK ? LockState::not_held : LockState::held;
}

void LivenessLock::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

}  // namespace shmq::os
