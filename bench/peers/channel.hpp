// What a peer has to offer to be measured. A Channel carries messages of a fixed size one way; it is made before
// the workers start, who then open an end each.
//
//   template <std::size_t Bytes> struct Channel {
//     static constexpr Place place;                    // threads: it cannot work between processes
//     explicit Channel(const ChannelSpec&);            // throws std::runtime_error: why it cannot be had here
//     struct Sender   { explicit Sender(Channel&, unsigned index);
//                       void send(Write&& write);      // write(void* room) fills in Bytes; waits for room
//                       void finish(unsigned n); };    // sends what it kept back; then each of n receivers gets an end
//     struct Receiver { explicit Receiver(Channel&, unsigned index);
//                       std::uint64_t receive(Read&& read); };  // read(const void*) for each message; waits for one
//   };
//
// Where a peer lends its own memory, `write` and `read` work in place; where it copies, they work on a buffer.
#pragma once

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "harness/crew.hpp"
#include "harness/payload.hpp"
#include "shmq/base/clock.hpp"

namespace bench {

struct ChannelSpec {
  unsigned producers = 1;
  unsigned consumers = 1;
  /// More workers than CPUs: who spins has to give the CPU away from time to time.
  bool crowded = false;
};

/// How many messages a bounded queue holds: 1024, fewer where they are large.
template <std::size_t Bytes>
inline constexpr std::size_t kDepth = Bytes > 4096 ? 64 : 1024;

/// What a peer that has only try_ calls does between two tries: what shmq does while it spins.
class Backoff {
 public:
  explicit Backoff(bool crowded) : crowded_(crowded) {}
  void operator()() {
    shmq::base::cpu_relax();
    if (crowded_ && ++turns_ % 32 == 0) ::sched_yield();
  }

 private:
  bool crowded_;
  std::uint32_t turns_ = 0;
};

/// The end of most peers: one end stamp for each consumer.
template <std::size_t Bytes, class Sender>
void send_ends(Sender& sender, unsigned consumers) {
  for (unsigned i = 0; i < consumers; ++i) sender.send([](void* room) { write_payload<Bytes>(room, kEnd); });
}

/// A name for what lies in the file system, of this process and this channel.
inline std::string unique_name(const char* what) {
  static unsigned count = 0;
  return "shmq-bench-" + std::string(what) + "-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
}

inline std::runtime_error system_failure(const std::string& what) {
  return std::runtime_error(what + ": " + std::string(::strerror(errno)));
}

}  // namespace bench
