// Ends a wait on a futex when a descriptor has something to say.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "descriptor.hpp"

namespace shmq::cli {

/// A thread that waits for an epoll set while its owner waits for something in shared memory.
class Bell {
 public:
  explicit Bell(int epoll);
  ~Bell();
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  /// Is triggered as soon as something in the set is ready, also where it is already. Valid for one wait: until the next
  /// call, or silence().
  std::stop_token arm();
  void silence();

 private:
  void listen();

  const int epoll_;
  Descriptor over_;  // an eventfd: the thread is to end
  std::mutex mutex_;
  std::condition_variable armed_;
  std::optional<std::stop_source> stop_;  // the one that waits
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace shmq::cli
