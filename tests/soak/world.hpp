// What supervisor and workers agree on: the queues, the control block that they share, the payloads.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>

#include "shmq/shmq.hpp"

namespace soak {

/// Producers send to the first four; forwarders move what comes to `relay_in` on to `relay_out`. The last two are spsc
/// queues, with producers and consumers of their own that compete for their ends.
enum QueueNumber : std::uint8_t { wide, small, single, relay_in, relay_out, ring, large_ring, kQueues };

constexpr bool is_spsc(std::uint8_t queue) { return queue >= ring; }

struct QueuePlan {
  const char* name;
  shmq::QueueOptions options;
};

inline const std::array<QueuePlan, kQueues>& queue_plans() {
  static const std::array<QueuePlan, kQueues> kPlans = {{
      {"wide", {.capacity = 1024, .slot_bytes = 64}},
      {"small", {.capacity = 4, .slot_bytes = 128, .metadata = true}},
      {"single", {.capacity = 64, .slot_bytes = 256}},  // one consumer: first deliveries in order
      {"relay_in", {.capacity = 64, .slot_bytes = 128}},
      {"relay_out", {.capacity = 32, .slot_bytes = 64}},
      {"ring", {.kind = shmq::QueueKind::spsc, .ring_bytes = 1024}},
      {"large_ring", {.kind = shmq::QueueKind::spsc, .ring_bytes = 128 << 10, .metadata = true}},
  }};
  return kPlans;
}

enum class Role : std::uint8_t { producer, consumer, single_consumer, forwarder, spsc_producer, spsc_consumer };

constexpr bool is_producer(Role role) { return role == Role::producer || role == Role::spsc_producer; }
constexpr bool is_consumer(Role role) {
  return role == Role::consumer || role == Role::single_consumer || role == Role::spsc_consumer;
}


enum class Phase : std::uint32_t {
  run,
  drain,  // producers idle, once they have had each end that they compete for; the others go on
  close,  // the queues are closed: everybody reads to the end of the stream and lets go of the queues
  pause,  // everybody idle, nothing held
  leave,
};

constexpr std::uint32_t kWorkersMax = 64;

/// In an anonymous shared mapping. Only the supervisor writes what is not atomic.
struct Control {
  std::atomic<std::uint32_t> command{0};    // a serial number in the upper bits, Phase in the lowest three
  std::atomic<std::uint32_t> queue_set{0};  // raised when the queues were declared anew
  std::atomic<std::int64_t> last_kill_ns{0};
  std::atomic<std::int64_t> last_resume_ns{0};
  std::atomic<std::uint32_t> stopped{0};
  std::atomic<std::int64_t> longest_wait_ns{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> successions{0};  // ends that were had after one who died with them
  struct Worker {
    std::atomic<std::uint32_t> acknowledged{~0u};  // the command that it has obeyed
  } workers[kWorkersMax];
  /// Who says that it has an end of an spsc queue, by its number in the run; for the figures only.
  struct End {
    std::atomic<std::uint32_t> owner{0};
    std::atomic<bool> owner_died{false};
  } ends[kQueues][2];

  Phase phase() const { return static_cast<Phase>(command.load() & 7); }
};

struct WorkerPlace {
  Role role = Role::producer;
  std::uint32_t slot = 0;    // in Control::workers
  std::uint32_t number = 0;  // of this process in the run
  std::string segment;
  std::string journal;
  std::uint64_t seed = 0;
  /// Never killed, and never leaves: what a repair got wrong is not healed by the death of everybody.
  bool veteran = false;
};

/// Runs until told to leave or killed; returns the exit status: 0 left, 3 something is wrong (said on
/// stderr).
int run_worker(Control& control, const WorkerPlace& place);

// ---- payloads
// -------------------------------------------------------------------------------------------------------

constexpr std::size_t kPayloadMin = 16;

constexpr std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 31;
  x *= 0x9fb21c651e98df25;
  return x ^ (x >> 29);
}

/// Every byte follows from the id and the size.
inline void write_payload(std::span<std::byte> room, std::uint64_t id) {
  const std::uint64_t size = room.size();
  std::memcpy(room.data(), &id, 8);
  std::memcpy(room.data() + 8, &size, 8);
  for (std::size_t at = 16; at < size; at += 8) {
    const std::uint64_t word = mixed(id + at);
    std::memcpy(room.data() + at, &word, std::min<std::size_t>(8, size - at));
  }
}

/// Returns the id; ok is false where a byte is not what it was.
inline std::uint64_t read_payload(std::span<const std::byte> data, bool& ok) {
  std::uint64_t id = 0, size = 0;
  ok = data.size() >= kPayloadMin;
  if (!ok) return 0;
  std::memcpy(&id, data.data(), 8);
  std::memcpy(&size, data.data() + 8, 8);
  ok = size == data.size();
  for (std::size_t at = 16; ok && at < size; at += 8) {
    const std::uint64_t word = mixed(id + at);
    ok = std::memcmp(data.data() + at, &word, std::min<std::size_t>(8, size - at)) == 0;
  }
  return id;
}

}  // namespace soak
