// A descriptor cut into records: what stands before each newline, or NUL, or all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>

#include "signals.hpp"

namespace shmq::cli {

enum class Framing { line, nul, whole };

struct Record {
  std::span<const std::byte> payload;
  std::size_t length = 0;  // in the input: the payload and its terminator
};

/// One thread: the one that made the Interruption, where there is one.
class RecordReader {
 public:
  /// Keeps records of up to `most` bytes.
  RecordReader(int fd, Framing framing, std::size_t most, const Interruption& interruption)
      : RecordReader(fd, framing, most, interruption.token()) {}
  /// For who calls fill() only when there is something to read: one that waits is not interrupted.
  RecordReader(int fd, Framing framing, std::size_t most, std::stop_token stop = {});

  /// The next record that is there as a whole; valid until fill(). A last one without its terminator counts,
  /// unless it is empty. Framing::whole gives one record, at the end of the input, empty or not.
  std::optional<Record> take();

  enum class Filled { more, end, stopped, too_large, failed };
  /// Reads what is there, waiting for it; to be called when take() gave nothing. `failed`: errno says why.
  Filled fill();

  /// Bytes that were read and that take() did not give.
  std::size_t left() const { return end_ - begin_; }

  /// After too_large: drops the record, also what of it is still to be read; fill() goes on reading then, and what
  /// follows it can be taken.
  void skip();

  struct Size {
    std::uint64_t bytes = 0;
    bool exact = false;
  };
  /// After too_large: how large the record is, reading on to its end where that takes no long waiting.
  /// Nothing can be taken after this.
  Size measure();

 private:
  std::optional<Record> record(std::size_t payload, std::size_t length);
  void make_room();
  void drop_skipped();

  int fd_;
  Framing framing_;
  std::size_t most_;
  std::stop_token stop_;
  std::size_t capacity_;
  std::unique_ptr<std::byte[]> buffer_;
  std::size_t begin_ = 0;     // of the next record
  std::size_t searched_ = 0;  // there is no terminator between begin_ and here
  std::size_t end_ = 0;
  bool at_end_ = false;
  bool gave_whole_ = false;
  bool skipping_ = false;  // a record that is dropped has not come to its end
};

}  // namespace shmq::cli
