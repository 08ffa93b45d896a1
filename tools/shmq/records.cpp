#include "records.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace shmq::cli {

namespace {
constexpr std::size_t kPiece = std::size_t{256} << 10;  // what a read asks for, where there is room
constexpr std::size_t kLeast = std::size_t{64} << 10;   // less room than this is not worth a system call
constexpr std::uint64_t kMeasured = std::uint64_t{4} << 30;
constexpr int kMeasureWaitMs = 200;
}  // namespace

RecordReader::RecordReader(int fd, Framing framing, std::size_t most, std::stop_token stop)
    : fd_(fd),
      framing_(framing),
      most_(most),
      stop_(std::move(stop)),
      capacity_(kPiece),
      buffer_(new std::byte[capacity_]) {}

std::optional<Record> RecordReader::record(std::size_t payload, std::size_t length) {
  const Record found{{buffer_.get() + begin_, payload}, length};
  begin_ += length;
  searched_ = begin_;
  return found;
}

std::optional<Record> RecordReader::take() {
  if (framing_ == Framing::whole) {
    if (!at_end_ || gave_whole_) return std::nullopt;
    gave_whole_ = true;
    return record(left(), left());
  }
  const int terminator = framing_ == Framing::line ? '\n' : '\0';
  const std::byte* from = buffer_.get() + searched_;
  if (const void* found = end_ == searched_ ? nullptr : std::memchr(from, terminator, end_ - searched_)) {
    const auto payload =
        static_cast<std::size_t>(static_cast<const std::byte*>(found) - (buffer_.get() + begin_));
    return record(payload, payload + 1);
  }
  searched_ = end_;
  if (at_end_ && left() != 0) return record(left(), left());
  return std::nullopt;
}

void RecordReader::skip() { skipping_ = true; }

void RecordReader::drop_skipped() {
  if (!skipping_) return;
  const int terminator = framing_ == Framing::line ? '\n' : '\0';
  const void* const found = left() == 0 ? nullptr : std::memchr(buffer_.get() + begin_, terminator, left());
  skipping_ = found == nullptr && !at_end_;
  begin_ = found == nullptr ? end_ : static_cast<std::size_t>(static_cast<const std::byte*>(found) - buffer_.get()) + 1;
  searched_ = begin_;
}

void RecordReader::make_room() {
  if (capacity_ - end_ >= kLeast) return;
  if (begin_ != 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, left());
    end_ -= begin_;
    searched_ -= begin_;
    begin_ = 0;
    if (capacity_ - end_ >= kLeast) return;
  }
  // A record that is longer than the buffer.
  std::unique_ptr<std::byte[]> larger(new std::byte[capacity_ * 2]);
  std::memcpy(larger.get(), buffer_.get(), end_);
  buffer_ = std::move(larger);
  capacity_ *= 2;
}

RecordReader::Filled RecordReader::fill() {
  if (at_end_) return Filled::end;
  drop_skipped();
  if (left() > most_) return Filled::too_large;
  make_room();
  for (;;) {
    if (stop_.stop_requested()) return Filled::stopped;
    const ssize_t n = ::read(fd_, buffer_.get() + end_, capacity_ - end_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {  // somebody made it non-blocking
      pollfd readable{fd_, POLLIN, 0};
      (void)::poll(&readable, 1, -1);
      continue;
    }
    if (n < 0) return Filled::failed;
    at_end_ = n == 0;
    end_ += static_cast<std::size_t>(n);
    drop_skipped();
    return Filled::more;  // at the end as well: the last record may be there now
  }
}

RecordReader::Size RecordReader::measure() {
  Size size{left(), at_end_};
  const int terminator = framing_ == Framing::line ? '\n' : '\0';
  while (!size.exact && size.bytes < kMeasured && !stop_.stop_requested()) {
    pollfd readable{fd_, POLLIN, 0};
    if (::poll(&readable, 1, kMeasureWaitMs) <= 0) break;
    const ssize_t n = ::read(fd_, buffer_.get(), capacity_);
    if (n < 0) break;
    const void* found = n == 0 || framing_ == Framing::whole
                            ? nullptr
                            : std::memchr(buffer_.get(), terminator, static_cast<std::size_t>(n));
    size.bytes += found != nullptr
                      ? static_cast<std::uint64_t>(static_cast<const std::byte*>(found) - buffer_.get())
                      : static_cast<std::uint64_t>(n);
    size.exact = n == 0 || found != nullptr;
  }
  return size;
}

}  // namespace shmq::cli
