// The sound segment that every case starts from, and a fresh living copy of it for each case.
//
// Two processes make it and are killed with SIGKILL in the middle of their work: their rows, claims, messages,
// blocks and marks are in it, so whoever opens a copy finds two participants that are genuinely dead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace hostile {

/// Names of the queues in it, for the operations.
inline constexpr const char* kQueueNames[] = {"a", "b", "c", "d", "s", "m", "typed"};

struct Payload16 {
  std::uint64_t first;
  std::uint64_t second;
};

struct Image {
  std::vector<std::byte> bytes;
};

/// Made at the first call, which forks: call it before there are threads.
const Image& sound_image();

/// A segment NAME with the bytes of the image, which takes itself for the original. Removed with the object.
class LiveCopy {
 public:
  LiveCopy(std::string name, const Image& image);
  ~LiveCopy();
  LiveCopy(const LiveCopy&) = delete;
  LiveCopy& operator=(const LiveCopy&) = delete;

  const std::string& name() const { return name_; }
  std::string path() const { return "/dev/shm/shmq." + name_; }
  /// All of it, writable; a mapping of its own.
  std::byte* base() const { return base_; }
  std::uint64_t size() const { return size_; }
  /// Gone from /dev/shm, whatever it looks like by now.
  void unlink() const;

 private:
  std::string name_;
  std::byte* base_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace hostile
