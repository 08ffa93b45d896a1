#include "peers/rows.hpp"
#if SHMQ_BENCH_MOODYCAMEL
#include "peers/moodycamel_peer.hpp"
#endif

namespace bench {

template <std::size_t Bytes>
void add_moodycamel(Section section, unsigned producers, unsigned consumers) {
  constexpr PeerRow kRow{"moodycamel", "THREADS of one process, unordered among producers, copied twice, spinning",
                         kRtt | kOneWay | kManyWay};
#if SHMQ_BENCH_MOODYCAMEL
  add_peer<Moodycamel, Bytes>(section, producers, consumers, kRow);
#else
  add_missing(section, Bytes, producers, consumers, kRow, "libconcurrentqueue-dev");
#endif
}

BENCH_ROWS_OF(add_moodycamel)

}  // namespace bench
