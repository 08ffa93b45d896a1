#include "peers/rows.hpp"
#if SHMQ_BENCH_ZEROMQ
#include "peers/zeromq_peer.hpp"
#endif
#if SHMQ_BENCH_NNG
#include "peers/nng_peer.hpp"
#endif

namespace bench {

template <std::size_t Bytes>
void add_messaging(Section section, unsigned producers, unsigned consumers) {
  constexpr unsigned kAll = kRtt | kWake | kOneWay | kManyWay;
  constexpr PeerRow kZeroMq{"zeromq", "ZeroMQ ipc, PUSH to PULL: processes, sleeping", kAll};
  constexpr PeerRow kNng{"nng", "nng ipc, push to pull: processes, sleeping", kAll};
#if SHMQ_BENCH_ZEROMQ
  add_peer<ZeroMq, Bytes>(section, producers, consumers, kZeroMq);
#else
  add_missing(section, Bytes, producers, consumers, kZeroMq, "libzmq3-dev");
#endif
#if SHMQ_BENCH_NNG
  add_peer<Nng, Bytes>(section, producers, consumers, kNng);
#else
  add_missing(section, Bytes, producers, consumers, kNng, "libnng-dev");
#endif
}

BENCH_ROWS_OF(add_messaging)

}  // namespace bench
