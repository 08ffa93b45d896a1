// Who is alive, asked of the kernel. Each participant holds an open-file-description write lock on one byte
// of the segment's file, through a descriptor of its own; the kernel drops the lock when the process is gone,
// however it went.
//
// Not the descriptor that was mapped: a mapping keeps its open file description, and with it the lock, alive
// after the descriptor is closed. A fork inherits descriptors, and so would keep a dead parent's lock: every
// lock descriptor is registered, and closed in the child by a pthread_atfork handler (a raw clone() without
// exec goes past it).
#pragma once

#include <cstdint>
#include <string>

#include "os/shared_memory.hpp"
#include "shmq/result.hpp"

namespace shmq::os {

enum class LockState { held, not_held, inaccessible };

class LivenessLock {
 public:
  LivenessLock() = default;
  LivenessLock(LivenessLock&& other) noexcept;
  LivenessLock& operator=(LivenessLock&& other) noexcept;
  LivenessLock(const LivenessLock&) = delete;
  LivenessLock& operator=(const LivenessLock&) = delete;
  ~LivenessLock();

  /// Opens the file anew and makes sure that it still is `expected`: not_found where the name was replaced
  /// meanwhile.
  static Result<LivenessLock> open(const std::string& file_name, FileId expected, Access access);

  /// Takes the byte of `row`; false while another holds it.
  bool try_lock(std::uint32_t row);
  void unlock(std::uint32_t row);
  /// Whether somebody else holds the byte of `row`. One's own lock is not seen through one's own descriptor.
  LockState state(std::uint32_t row) const;
  /// False after close(), and in a forked child.
  bool is_open() const { return descriptor_ >= 0; }
  void close();

 private:
  int descriptor_ = -1;
};

}  // namespace shmq::os
