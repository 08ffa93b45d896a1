#include "write_list.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace shmq::cli {

namespace {
/// How long a program that was told to end goes on writing what it has begun. The reader of a pipe that is
/// read gets whole messages; one that is stuck holds nobody up.
constexpr std::int64_t kGraceNs = 500'000'000;
}  // namespace

WriteList::WriteList() : buffer_(new std::byte[kBuffer]) { pieces_.reserve(kPieces); }

void WriteList::append(const std::byte* data, std::size_t bytes) {
  std::byte* const to = buffer_.get() + used_;
  if (bytes != 0) std::memcpy(to, data, bytes);
  used_ += bytes;
  size_ += bytes;
  if (!pieces_.empty() && static_cast<std::byte*>(pieces_.back().iov_base) + pieces_.back().iov_len == to)
    pieces_.back().iov_len += bytes;
  else
    pieces_.push_back({to, bytes});
}

void WriteList::add(std::span<const std::byte> payload) {
  if (payload.size() <= kCopied) return append(payload.data(), payload.size());
  pieces_.push_back({const_cast<std::byte*>(payload.data()), payload.size()});
  size_ += payload.size();
}

void WriteList::add(std::byte terminator) { append(&terminator, 1); }

WriteList::Written WriteList::write_all(int fd, const Interruption& interruption) {
  Written written;
  std::size_t first = 0;
  while (written.bytes < size_) {
    if (interruption.requested() && interruption.age_ns() > kGraceNs) return written;
    const ssize_t n = ::writev(fd, pieces_.data() + first, static_cast<int>(pieces_.size() - first));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {  // somebody made it non-blocking
      pollfd writable{fd, POLLOUT, 0};
      (void)::poll(&writable, 1, -1);
      continue;
    }
    if (n < 0) {
      written.error = errno;
      return written;
    }
    written.bytes += static_cast<std::size_t>(n);
    for (auto rest = static_cast<std::size_t>(n); rest != 0;) {
      iovec& piece = pieces_[first];
      const std::size_t part = std::min(rest, piece.iov_len);
      piece.iov_base = static_cast<std::byte*>(piece.iov_base) + part;
      piece.iov_len -= part;
      rest -= part;
      if (piece.iov_len == 0) ++first;
    }
    while (first < pieces_.size() && pieces_[first].iov_len == 0) ++first;
  }
  return written;
}

void WriteList::clear() {
  pieces_.clear();
  used_ = 0;
  size_ = 0;
}

}  // namespace shmq::cli
