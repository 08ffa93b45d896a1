// What the kernel offers: pipe, Unix seqpacket socket, POSIX message queue. `Spin`: the descriptor is
// non-blocking and is tried again and again.
#pragma once

#include <fcntl.h>
#include <mqueue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>

#include "peers/channel.hpp"

namespace bench {

/// Repeats `call` until it moved something. Returns what it returned; throws on an error.
template <class Call>
std::size_t insist(Backoff& backoff, const char* what, Call&& call) {
  for (;;) {
    const ssize_t done = call();
    if (done > 0) return static_cast<std::size_t>(done);
    if (done == 0) throw std::runtime_error(std::string(what) + ": the other end is closed");
    if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) throw system_failure(what);
    backoff();
  }
}

/// Two connected descriptors; each side opens nothing and inherits both.
template <std::size_t Bytes, bool Spin, class Kind>
class DescriptorPair {
 public:
  static constexpr Place place = Place::processes;
  explicit DescriptorPair(const ChannelSpec& spec) : spec_(spec) {
    if ((spec.producers > 1 || spec.consumers > 1) && Bytes > Kind::kWholeMax)
      throw std::runtime_error("messages of this size are not kept whole among several readers or writers");
    Kind::open(descriptors_.data(), Spin, Bytes * kDepth<Bytes>);
  }
  DescriptorPair(const DescriptorPair&) = delete;
  DescriptorPair& operator=(const DescriptorPair&) = delete;
  ~DescriptorPair() {
    for (const int descriptor : descriptors_) ::close(descriptor);
  }

  class Sender {
   public:
    Sender(DescriptorPair& channel, unsigned)
        : descriptor_(channel.descriptors_[1]), backoff_(channel.spec_.crowded) {}
    template <class Write>
    void send(Write&& write) {
      write(buffer_.data());
      for (std::size_t sent = 0; sent < Bytes;)
        sent += insist(backoff_, "write", [&] { return ::write(descriptor_, buffer_.data() + sent, Bytes - sent); });
    }
    void finish(unsigned consumers) { send_ends<Bytes>(*this, consumers); }

   private:
    int descriptor_;
    Backoff backoff_;
    alignas(64) std::array<std::byte, Bytes> buffer_{};
  };

  class Receiver {
   public:
    Receiver(DescriptorPair& channel, unsigned)
        : descriptor_(channel.descriptors_[0]), backoff_(channel.spec_.crowded) {}
    template <class Read>
    std::uint64_t receive(Read&& read) {
      for (std::size_t got = 0; got < Bytes;)
        got += insist(backoff_, "read", [&] { return ::read(descriptor_, buffer_.data() + got, Bytes - got); });
      read(buffer_.data());
      return 1;
    }

   private:
    int descriptor_;
    Backoff backoff_;
    alignas(64) std::array<std::byte, Bytes> buffer_{};
  };

 private:
  ChannelSpec spec_;
  std::array<int, 2> descriptors_{-1, -1};
};

struct PipeKind {
  static constexpr std::size_t kWholeMax = 4096;  // PIPE_BUF
  static void open(int* descriptors, bool spin, std::size_t bytes) {
    if (::pipe2(descriptors, O_CLOEXEC | (spin ? O_NONBLOCK : 0)) != 0) throw system_failure("pipe2");
    // Up to 1 MiB is open to every user; where it is refused the default of 64 KiB stays.
    (void)::fcntl(descriptors[1], F_SETPIPE_SZ, static_cast<int>(std::clamp<std::size_t>(bytes, 65536, 1u << 20)));
  }
};

struct SeqpacketKind {
  static constexpr std::size_t kWholeMax = 65536;
  static void open(int* descriptors, bool spin, std::size_t bytes) {
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | (spin ? SOCK_NONBLOCK : 0), 0, descriptors) != 0)
      throw system_failure("socketpair");
    const int size = static_cast<int>(std::max<std::size_t>(bytes, 256u << 10));
    (void)::setsockopt(descriptors[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));  // capped by wmem_max
  }
};

template <std::size_t Bytes>
using PipeSpin = DescriptorPair<Bytes, true, PipeKind>;
template <std::size_t Bytes>
using PipeBlocking = DescriptorPair<Bytes, false, PipeKind>;
template <std::size_t Bytes>
using SeqpacketSpin = DescriptorPair<Bytes, true, SeqpacketKind>;
template <std::size_t Bytes>
using SeqpacketBlocking = DescriptorPair<Bytes, false, SeqpacketKind>;

template <std::size_t Bytes, bool Spin>
class PosixMq {
 public:
  static constexpr Place place = Place::processes;
  explicit PosixMq(const ChannelSpec& spec) : spec_(spec) {
    const std::string name = "/" + unique_name("mq");
    // As deep as the others where that is allowed (root, or raised limits), else as deep as the system's limit.
    for (const long depth : {static_cast<long>(kDepth<Bytes>), depth_limit()}) {
      mq_attr attributes{};
      attributes.mq_maxmsg = depth;
      attributes.mq_msgsize = Bytes;
      queue_ = ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | (Spin ? O_NONBLOCK : 0), 0600, &attributes);
      if (queue_ >= 0) break;
    }
    if (queue_ < 0)
      throw std::runtime_error(system_failure("mq_open").what() +
                               std::string(": not allowed here (see /proc/sys/fs/mqueue/*_max and ulimit -q)"));
    ::mq_unlink(name.c_str());  // the workers inherit the descriptor
  }
  PosixMq(const PosixMq&) = delete;
  PosixMq& operator=(const PosixMq&) = delete;
  ~PosixMq() { ::mq_close(queue_); }

  class Sender {
   public:
    Sender(PosixMq& channel, unsigned) : queue_(channel.queue_), backoff_(channel.spec_.crowded) {}
    template <class Write>
    void send(Write&& write) {
      write(buffer_.data());
      insist(backoff_, "mq_send", [&]() -> ssize_t {
        return ::mq_send(queue_, reinterpret_cast<const char*>(buffer_.data()), Bytes, 0) == 0 ? 1 : -1;
      });
    }
    void finish(unsigned consumers) { send_ends<Bytes>(*this, consumers); }

   private:
    mqd_t queue_;
    Backoff backoff_;
    alignas(64) std::array<std::byte, Bytes> buffer_{};
  };

  class Receiver {
   public:
    Receiver(PosixMq& channel, unsigned) : queue_(channel.queue_), backoff_(channel.spec_.crowded) {}
    template <class Read>
    std::uint64_t receive(Read&& read) {
      insist(backoff_, "mq_receive", [&] {
        return ::mq_receive(queue_, reinterpret_cast<char*>(buffer_.data()), Bytes, nullptr);
      });
      read(buffer_.data());
      return 1;
    }

   private:
    mqd_t queue_;
    Backoff backoff_;
    alignas(64) std::array<std::byte, Bytes> buffer_{};
  };

 private:
  static long depth_limit() {
    long limit = 10;
    std::ifstream("/proc/sys/fs/mqueue/msg_max") >> limit;
    return limit;
  }
  ChannelSpec spec_;
  mqd_t queue_ = -1;
};

template <std::size_t Bytes>
using PosixMqSpin = PosixMq<Bytes, true>;
template <std::size_t Bytes>
using PosixMqBlocking = PosixMq<Bytes, false>;

}  // namespace bench
