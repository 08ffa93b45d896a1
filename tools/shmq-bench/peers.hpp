// Other programs that do the same work: started here on 127.0.0.1, spoken to over plain sockets, and stopped again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace shmq::bench {

enum class PeerKind { beanstalkd, redis };
inline constexpr PeerKind kPeers[] = {PeerKind::beanstalkd, PeerKind::redis};
/// "beanstalkd", "redis".
const char* to_string(PeerKind kind);

inline constexpr std::size_t kPeerPayload = 64;

/// A connection that submits tasks, takes them and acknowledges them. One process does all of it, so that no hand-over
/// between a submitter and a worker is counted against the peer. Throws Failure where an answer is not what it should be.
class PeerClient {
 public:
  virtual ~PeerClient() = default;
  /// `count` tasks of 64 B, numbered from `first`: all are put, then all are taken, then each is acknowledged and removed.
  /// Each of the three steps is one write and the answers to it.
  virtual void cycle(std::uint64_t first, unsigned count) = 0;
};

std::unique_ptr<PeerClient> connect_beanstalkd(std::uint16_t port);
std::unique_ptr<PeerClient> connect_redis(std::uint16_t port);

/// A server that this program started; ended with this object, and with the program, whatever ends that.
class RunningPeer {
 public:
  /// On `cpu`, and ready to be connected to. Nothing where it cannot be had: `why`, and what to do about it.
  static std::optional<RunningPeer> start(PeerKind kind, int cpu, std::string& why);
  RunningPeer(RunningPeer&& other) noexcept
      : kind_(other.kind_), pid_(std::exchange(other.pid_, 0)), port_(other.port_), version_(std::move(other.version_)) {}
  RunningPeer& operator=(RunningPeer&&) = delete;
  ~RunningPeer();

  std::string name() const { return to_string(kind_); }
  const std::string& version() const { return version_; }
  std::unique_ptr<PeerClient> connect() const;

 private:
  RunningPeer(PeerKind kind, pid_t pid, std::uint16_t port) : kind_(kind), pid_(pid), port_(port) {}
  bool answers();
  PeerKind kind_;
  pid_t pid_ = 0;
  std::uint16_t port_ = 0;
  std::string version_;
};

}  // namespace shmq::bench
