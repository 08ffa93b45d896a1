// The rows: which peer is measured how, and under which name.
//
//   rtt/BYTES/PEER               round trip while both sides are busy
//   wake/BYTES/PEER              round trip with both sides asleep
//   throughput/PxC/BYTES/PEER    one way
//   scaling/NxN/BYTES/PEER       the same, with --scaling
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "peers/measure.hpp"

namespace bench {

inline constexpr std::int64_t kAsleepNs = 60'000;  // three times as long as shmq spins before it sleeps

enum : unsigned { kRtt = 1, kWake = 2, kOneWay = 4, kManyWay = 8, kSmall = 16, kPairs = 32 };

/// `label` says what the peer does; `what` is a sum of the constants above (kSmall: payloads that fit a slot; kPairs: only
/// --scaling, a queue for each pair).
struct PeerRow {
  const char* name;
  const char* label;
  unsigned what;
};

/// Rows of one section are registered size by size, so that what is compared is measured within seconds.
enum class Section : std::uint8_t { rtt, wake, throughput, scaling };

void add_row(const std::string& name, const char* label, std::function<void(benchmark::State&)> measure);

template <template <std::size_t> class Peer, std::size_t Bytes>
void add_peer(Section section, unsigned producers, unsigned consumers, const PeerRow& row) {
  const std::string size = std::to_string(Bytes) + "/" + row.name;
  if (Bytes > 4096 && (row.what & kSmall)) return;
  switch (section) {
    case Section::rtt:
      if (row.what & kRtt)
        add_row("rtt/" + size, row.label, [](benchmark::State& state) { measure_round_trips<Peer, Bytes>(state, 0); });
      break;
    case Section::wake:
      if (row.what & kWake)
        add_row("wake/" + size, row.label,
                [](benchmark::State& state) { measure_round_trips<Peer, Bytes>(state, kAsleepNs); });
      break;
    case Section::throughput:
      if (row.what & (producers + consumers == 2 ? kOneWay : kManyWay))
        add_row("throughput/" + std::to_string(producers) + "x" + std::to_string(consumers) + "/" + size, row.label,
                [=](benchmark::State& state) { measure_throughput<Peer, Bytes>(state, producers, consumers); });
      break;
    case Section::scaling:
      if (row.what & (kManyWay | kPairs))
        add_row("scaling/" + std::to_string(producers) + "x" + std::to_string(consumers) + "/" + size, row.label,
                [=](benchmark::State& state) { measure_throughput<Peer, Bytes>(state, producers, consumers); });
      break;
  }
}

/// A peer that this program was built without: its rows say so.
void add_missing(Section section, std::size_t bytes, unsigned producers, unsigned consumers, const PeerRow& row,
                 const char* package);

/// What one peer's file offers: rows of all its variants for one size. Each is compiled by itself.
template <std::size_t Bytes>
void add_shmq(Section section, unsigned producers, unsigned consumers);
template <std::size_t Bytes>
void add_references(Section section, unsigned producers, unsigned consumers);
template <std::size_t Bytes>
void add_boost(Section section, unsigned producers, unsigned consumers);
template <std::size_t Bytes>
void add_moodycamel(Section section, unsigned producers, unsigned consumers);
template <std::size_t Bytes>
void add_kernel(Section section, unsigned producers, unsigned consumers);
template <std::size_t Bytes>
void add_messaging(Section section, unsigned producers, unsigned consumers);

/// Instantiates one of these for the four payloads.
#define BENCH_ROWS_OF(add)                                             \
  template void add<8>(Section, unsigned producers, unsigned consumers);    \
  template void add<64>(Section, unsigned producers, unsigned consumers);   \
  template void add<1024>(Section, unsigned producers, unsigned consumers); \
  template void add<65536>(Section, unsigned producers, unsigned consumers);

}  // namespace bench
