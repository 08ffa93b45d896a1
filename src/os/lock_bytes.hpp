// Which byte of a segment's file a lock is taken on. They lie past the end of any segment: they are names for
// the kernel, not bytes of the file.
#pragma once

#include <fcntl.h>

#include <cstdint>

namespace shmq::os {

/// Held by whoever frees the file's name, while it looks what the name stands for and unlinks it.
inline constexpr off_t kRemovalLockByte = (off_t{1} << 62) - 1;
/// Plus the row's index: held by the participant in that row.
inline constexpr off_t kFirstRowLockByte = off_t{1} << 62;

inline struct flock lock_on(off_t byte, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return lock;
}

}  // namespace shmq::os
