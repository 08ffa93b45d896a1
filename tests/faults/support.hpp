// Real processes for the fault tests: started by fork, told what to do by a function, killed and stopped by
// pid.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shmq/shmq.hpp"

namespace faults {

using namespace std::chrono_literals;

/// A detector of hangs, not a measure of speed.
inline constexpr std::chrono::seconds kPatience = 60s;

/// A segment's name that no other test has; the segment is removed at both ends.
class Name {
 public:
  explicit Name(const std::string& what);
  ~Name();
  Name(const Name&) = delete;
  Name& operator=(const Name&) = delete;
  operator const std::string&() const { return name_; }  // NOLINT: meant to convert
  const std::string& text() const { return name_; }
  std::string path() const { return "/dev/shm/shmq." + name_; }

 private:
  std::string name_;
};

/// A T that parent and children share.
template <class T>
class Shared {
 public:
  Shared();
  ~Shared();
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  T* operator->() const { return value_; }
  T& operator*() const { return *value_; }

 private:
  T* value_;
};

void* shared_bytes(std::size_t size);
void free_shared_bytes(void* bytes, std::size_t size);

template <class T>
Shared<T>::Shared() : value_(new (shared_bytes(sizeof(T))) T{}) {}
template <class T>
Shared<T>::~Shared() {
  free_shared_bytes(value_, sizeof(T));
}

/// What a child says: empty when all went well, or what went wrong.
using Story = std::function<std::string()>;

/// A process that runs a story. Killed at the latest when this goes.
class Child {
 public:
  explicit Child(const Story& story);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void kill();  // SIGKILL, and waits until it is gone
  void stop();  // SIGSTOP, and waits until it stands
  void resume();
  /// Waits for its end: what it said, or "killed by signal N", or "hangs" (then it is killed).
  std::string result(std::chrono::seconds patience = kPatience);

 private:
  pid_t pid_ = 0;
  int pipe_ = -1;
};

/// How far a child has come, and whether it may go on: for a Shared.
struct Steps {
  std::atomic<int> reached{0};
  std::atomic<bool> go{false};
};

/// Polls until the condition holds; false after kPatience.
bool eventually(const std::function<bool()>& condition);

/// Runs a story in a child and returns what it said.
std::string in_child(const Story& story);

/// For stories: a mount namespace of their own with a fresh tmpfs on /dev/shm. What went wrong, or empty.
std::string own_shm(const std::string& size, const std::string& mode = "1777");

bool is_root();

/// The public API, for stories that have no time for errors: throws what() with the message.
inline shmq::Segment opened(const std::string& name) { return shmq::Segment::open(name).value(); }
inline shmq::Queue<void> queue_of(shmq::Segment& segment, const std::string& name,
                                  const shmq::QueueOptions& o = {}) {
  return segment.queue(name, o).value();
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string text_of(const shmq::Message& message) {
  return {reinterpret_cast<const char*>(message.data().data()), message.size()};
}

/// Files in /dev/shm that contain `part`.
std::vector<std::string> shm_files(const std::string& part);

}  // namespace faults

#define FAULTS_NEED_ROOT() \
  if (!faults::is_root()) GTEST_SKIP() << "needs root"
