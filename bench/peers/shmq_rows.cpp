#include "peers/rows.hpp"
#include "peers/shmq_peer.hpp"

namespace bench {

template <std::size_t Bytes>
void add_shmq(Section section, unsigned producers, unsigned consumers) {
  add_peer<ShmqMpmcSpin, Bytes>(section, producers, consumers,
                                {"shmq-mpmc-spin", "processes, in place, spinning", kRtt | kOneWay | kManyWay});
  add_peer<ShmqMpmc, Bytes>(section, producers, consumers,
                            {"shmq-mpmc", "processes, in place, spins 20 us and sleeps", kRtt | kWake | kOneWay | kManyWay});
  add_peer<ShmqSpscSpin, Bytes>(section, producers, consumers,
                                {"shmq-spsc-spin", "processes, in place, spinning", kRtt | kOneWay});
  add_peer<ShmqSpsc, Bytes>(section, producers, consumers,
                            {"shmq-spsc", "processes, in place, spins 20 us and sleeps", kRtt | kWake | kOneWay});
  if constexpr (Bytes <= kInlineMax)
    add_peer<ShmqSpscBatch, Bytes>(section, producers, consumers,
                                   {"shmq-spsc-batch16", "processes, in place, batches of 16", kOneWay});
  if constexpr (Bytes <= kInlineMax)
    add_peer<ShmqMpmcBatch, Bytes>(
        section, producers, consumers,
        {"shmq-mpmc-batch16", "processes, in place, batches of 16", kOneWay | kManyWay});
  add_peer<ShmqSpscPairs, Bytes>(section, producers, consumers,
                                 {"shmq-spsc-pairs", "processes, in place, a queue for each pair", kPairs});
}

BENCH_ROWS_OF(add_shmq)

}  // namespace bench
