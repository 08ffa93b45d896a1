#include "bell.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::cli {

Bell::Bell(int epoll) : epoll_(epoll), over_(::eventfd(0, EFD_CLOEXEC)) {
  if (!over_) throw Failure{kFailed, "cannot make an eventfd: " + base::errno_text(errno)};
  thread_ = std::thread([this] { listen(); });
}

Bell::~Bell() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  armed_.notify_one();
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(over_.get(), &one, sizeof one);
  thread_.join();
}

std::stop_token Bell::arm() {
  const std::lock_guard lock(mutex_);
  stop_.emplace();
  armed_.notify_one();
  return stop_->get_token();
}

void Bell::silence() {
  const std::lock_guard lock(mutex_);
  stop_.reset();
}

void Bell::listen() {
  std::unique_lock lock(mutex_);
  for (;;) {
    armed_.wait(lock, [this] { return ends_ || stop_.has_value(); });
    if (ends_) return;
    lock.unlock();
    // It stays here while its owner does something else and waits again: the set does not forget what is ready.
    pollfd watched[] = {{epoll_, POLLIN, 0}, {over_.get(), POLLIN, 0}};
    (void)::poll(watched, 2, -1);
    lock.lock();
    if (!stop_) continue;
    std::stop_source stop = *stop_;
    stop_.reset();
    lock.unlock();
    stop.request_stop();
    lock.lock();
  }
}

}  // namespace shmq::cli
