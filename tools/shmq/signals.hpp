// SIGINT, SIGTERM and SIGHUP as a stop token, so that a command ends between messages.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <thread>

namespace shmq::cli {

/// From its construction on, by one thread, the signals end nothing: a thread of its own takes them and
/// requests the stop. The thread that made this is then interrupted again and again, so that a read() or
/// write() that it is blocked in returns EINTR, also where the signal came just before the call. Signals that
/// the program was started with as ignored (nohup, a script's background job) stay ignored.
class Interruption {
 public:
  Interruption();
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  std::stop_token token() const { return source_.get_token(); }
  bool requested() const { return source_.stop_requested(); }
  /// The first signal that came; 0 before that.
  int signal() const { return signal_.load(std::memory_order_acquire); }
  /// Nanoseconds since it came.
  std::int64_t age_ns() const;

 private:
  void watch();

  sigset_t taken_ = {};
  sigset_t former_ = {};
  pthread_t owner_ = ::pthread_self();
  std::stop_source source_;
  std::atomic<int> signal_{0};
  std::atomic<std::int64_t> since_ns_{0};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

/// "SIGTERM", for those that an Interruption takes.
const char* signal_name(int signal);

}  // namespace shmq::cli
