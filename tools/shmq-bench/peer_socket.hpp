// A connection to 127.0.0.1: what is written goes out at once, and answers are read in lines and in bytes.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::bench {

/// Closed with the object.
class PeerSocket {
 public:
  /// Nothing where nobody listens.
  static std::optional<PeerSocket> open(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw cli::Failure{cli::kFailed, "cannot make a socket: " + base::errno_text(errno)};
    PeerSocket made(fd);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return std::nullopt;
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return made;
  }
  PeerSocket(PeerSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)), begin_(other.begin_), end_(other.end_) {}
  PeerSocket& operator=(PeerSocket&&) = delete;
  ~PeerSocket() {
    if (fd_ >= 0) ::close(fd_);
  }

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw cli::Failure{cli::kFailed, "the peer does not take what is sent to it: " + base::errno_text(errno)};
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  /// A line without its CR LF; valid until the next read.
  std::string_view line() {
    for (std::size_t searched = 0;;) {
      const void* found = std::memchr(buffer_.get() + begin_ + searched, '\n', end_ - begin_ - searched);
      if (found == nullptr) {
        searched = end_ - begin_;
        fill(searched + 1);
        continue;
      }
      const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - (buffer_.get() + begin_));
      const std::string_view text(buffer_.get() + begin_, length == 0 ? 0 : length - 1);
      begin_ += length + 1;
      return text;
    }
  }

  /// So many bytes, and the CR LF after them; valid until the next read.
  std::string_view bytes(std::size_t count) {
    if (count + 2 > kBuffer) throw cli::Failure{cli::kFailed, "the peer answered with more than was put in"};
    fill(count + 2);
    const std::string_view text(buffer_.get() + begin_, count);
    begin_ += count + 2;
    return text;
  }

 private:
  static constexpr std::size_t kBuffer = std::size_t{64} << 10;
  explicit PeerSocket(int fd) : fd_(fd), buffer_(new char[kBuffer]) {}

  /// Until so many bytes are there.
  void fill(std::size_t least) {
    if (end_ - begin_ >= least) return;
    if (kBuffer - begin_ < least) {
      std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
      if (least > kBuffer) throw cli::Failure{cli::kFailed, "the peer answered with a line that has no end"};
    }
    while (end_ - begin_ < least) {
      const ssize_t n = ::recv(fd_, buffer_.get() + end_, kBuffer - end_, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) throw cli::Failure{cli::kFailed, "the peer cannot be read: " + base::errno_text(errno)};
      if (n == 0) throw cli::Failure{cli::kFailed, "the peer closed the connection"};
      end_ += static_cast<std::size_t>(n);
    }
  }

  int fd_;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace shmq::bench
