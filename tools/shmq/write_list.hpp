// Pieces that go out in one writev() after the other: small ones are copied together, large ones stay where
// they are.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "signals.hpp"

namespace shmq::cli {

/// One thread: the one that made the Interruption.
class WriteList {
 public:
  WriteList();

  /// Only where it is roomy(). What is referred to must stay until clear().
  void add(std::span<const std::byte> payload);
  void add(std::byte terminator);
  /// All that was added, in bytes.
  std::size_t size() const { return size_; }
  /// Whether `count` more pieces with their terminators surely fit.
  bool roomy(std::size_t count) const {
    return used_ + count * (kCopied + 1) <= kBuffer && pieces_.size() + 2 * count <= kPieces;
  }

  struct Written {
    std::size_t bytes = 0;
    int error = 0;  // errno; 0 where all of it was written, or a signal ended it
  };
  /// Writes until all is written, or an error, or the program was told to end and the reader took nothing for
  /// a while.
  Written write_all(int fd, const Interruption& interruption);
  void clear();

 private:
  static constexpr std::size_t kBuffer = std::size_t{512} << 10;
  static constexpr std::size_t kCopied = 4096;  // payloads up to here are copied
  static constexpr std::size_t kPieces = 1000;  // IOV_MAX is 1024

  void append(const std::byte* data, std::size_t bytes);

  std::unique_ptr<std::byte[]> buffer_;
  std::size_t used_ = 0;
  std::size_t size_ = 0;
  std::vector<iovec> pieces_;
};

}  // namespace shmq::cli
