// What the inspector's tests have in common: segments that do not outlive their test, and peers in processes of their own.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shmq/shmq.hpp"

namespace shmq::testing {

/// A segment name of this test process; whatever has the name at the end is removed.
class SegmentName {
 public:
  explicit SegmentName(const std::string& what) : name_("test-" + what + "-" + std::to_string(::getpid())) {}
  SegmentName(const SegmentName&) = delete;
  SegmentName& operator=(const SegmentName&) = delete;
  ~SegmentName() { (void)Segment::remove(name_); }
  operator const std::string&() const { return name_; }  // NOLINT: meant to convert
  const std::string& text() const { return name_; }
  std::string path() const { return "/dev/shm/shmq." + name_; }

 private:
  std::string name_;
};

/// A child process that does `work`, says so, and then stays as it is until it is killed.
class Peer {
 public:
  template <class Work>
  explicit Peer(Work&& work) {
    int ready[2];
    if (::pipe(ready) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ready[0]);
      work();
      (void)!::write(ready[1], "r", 1);
      for (;;) ::pause();
    }
    ::close(ready[1]);
    char answer = 0;
    worked_ = ::read(ready[0], &answer, 1) == 1;
    ::close(ready[0]);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { kill(); }

  pid_t pid() const { return pid_; }
  bool worked() const { return worked_; }
  void stop() {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    ::waitpid(pid_, &status, WUNTRACED);
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  bool worked_ = false;
};

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

inline void send(Producer<void>& producer, std::string_view text) { ASSERT_EQ(producer.send(bytes_of(text)), Outcome::ok); }

inline std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good()) << path;
}

/// A file of this test that is gone afterwards.
class ScratchFile {
 public:
  explicit ScratchFile(std::string path) : path_(std::move(path)) {}
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  ~ScratchFile() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string scratch_path(const std::string& what) {
  return ::testing::TempDir() + "shmq-" + what + "-" + std::to_string(::getpid());
}

}  // namespace shmq::testing
