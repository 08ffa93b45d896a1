#include "peers/references.hpp"
#include "peers/rows.hpp"

namespace bench {

template <std::size_t Bytes>
void add_references(Section section, unsigned producers, unsigned consumers) {
  if constexpr (Bytes <= 48)
    add_peer<CacheLine, Bytes>(section, producers, consumers,
                               {"cache-line", "reference: one cache line each way", kRtt});
  add_peer<PlainRing, Bytes>(section, producers, consumers,
                             {"plain-ring", "reference: one to one, in place, not crash-safe", kRtt | kOneWay});
  add_peer<VyukovRing, Bytes>(
      section, producers, consumers,
      {"vyukov-ring", "reference: many to many, in place, not crash-safe", kRtt | kOneWay | kManyWay});
  add_peer<FutexSlot, Bytes>(section, producers, consumers,
                             {"futex", "reference: one slot and a futex, sleeping", kRtt | kWake});
}

BENCH_ROWS_OF(add_references)

}  // namespace bench
