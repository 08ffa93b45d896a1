#include "peers/rows.hpp"
#if SHMQ_BENCH_BOOST
#include "peers/boost_peers.hpp"
#endif

namespace bench {

template <std::size_t Bytes>
void add_boost(Section section, unsigned producers, unsigned consumers) {
  constexpr PeerRow kMqSpin{"boost-mq-spin", "boost::interprocess::message_queue: processes, copied twice, spinning",
                            kRtt | kOneWay | kManyWay};
  constexpr PeerRow kMq{"boost-mq", "boost::interprocess::message_queue: processes, copied twice, blocking",
                        kRtt | kWake | kOneWay | kManyWay};
  constexpr PeerRow kSpsc{"boost-spsc", "boost::lockfree::spsc_queue in shared memory: processes, copied in, spinning",
                          kRtt | kOneWay};
  constexpr PeerRow kQueue{"boost-queue", "boost::lockfree::queue in shared memory: processes, copied twice, spinning",
                           kRtt | kOneWay | kManyWay};
#if SHMQ_BENCH_BOOST
  add_peer<BoostMqSpin, Bytes>(section, producers, consumers, kMqSpin);
  add_peer<BoostMqBlocking, Bytes>(section, producers, consumers, kMq);
  add_peer<LockfreeSpsc, Bytes>(section, producers, consumers, kSpsc);
  add_peer<LockfreeQueue, Bytes>(section, producers, consumers, kQueue);
#else
  for (const PeerRow& row : {kMqSpin, kMq, kSpsc, kQueue})
    add_missing(section, Bytes, producers, consumers, row, "libboost-dev");
#endif
}

BENCH_ROWS_OF(add_boost)

}  // namespace bench
