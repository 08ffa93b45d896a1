#include "map_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace shmq::cli {

namespace {
constexpr std::uint64_t kLoaded = std::uint64_t{256} << 10;  // of a file at a time
}  // namespace

MapOutput::MapOutput(int fd) : fd_(fd) {
  struct stat status {};
  regular_ = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

void MapOutput::add(std::string_view bytes) {
  if (bytes.empty()) return;
  if (pieces_.empty() || pieces_.back().file >= 0 || pieces_.back().text.size() >= kLoaded) pieces_.emplace_back();
  pieces_.back().text.append(bytes);
  waiting_bytes_ += bytes.size();
}

void MapOutput::add_file(int file, std::uint64_t offset, std::uint64_t bytes) {
  pieces_.push_back({{}, file, offset, bytes});
}

/// The next part of a piece that is in a file. False: it cannot be read; errno says why.
bool MapOutput::load(Piece& piece) {
  piece.text.resize(std::min(piece.bytes, kLoaded));
  ssize_t n = 0;
  while ((n = ::pread(piece.file, piece.text.data(), piece.text.size(), static_cast<off_t>(piece.offset))) < 0 &&
         errno == EINTR) {
  }
  if (n <= 0) {
    if (n == 0) errno = EIO;
    return false;
  }
  piece.text.resize(static_cast<std::size_t>(n));
  // Outputs begin at multiples of a page, and no two of them share one. Where it is not supported the file only grows.
  (void)::fallocate(piece.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(piece.offset), n);
  piece.offset += static_cast<std::uint64_t>(n);
  piece.bytes -= static_cast<std::uint64_t>(n);
  waiting_bytes_ += piece.text.size();
  return true;
}

int MapOutput::write_some() {
  while (!pieces_.empty()) {
    Piece& first = pieces_.front();
    if (done_ == first.text.size()) {
      waiting_bytes_ -= first.text.size();
      first.text.clear();
      done_ = 0;
      if (first.bytes == 0)
        pieces_.pop_front();
      else if (!load(first))
        return errno;
      continue;
    }
    std::size_t bytes = first.text.size() - done_;
    if (!regular_) {
      pollfd writable{fd_, POLLOUT, 0};
      if (::poll(&writable, 1, 0) != 1) return 0;
      bytes = std::min<std::size_t>(bytes, PIPE_BUF);  // a pipe that says that it is writable takes so much
    }
    const ssize_t n = ::write(fd_, first.text.data() + done_, bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    if (n < 0) return errno;
    done_ += static_cast<std::size_t>(n);
  }
  return 0;
}

}  // namespace shmq::cli
