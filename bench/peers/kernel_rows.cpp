#include "peers/kernel_peers.hpp"
#include "peers/rows.hpp"

namespace bench {

template <std::size_t Bytes>
void add_kernel(Section section, unsigned producers, unsigned consumers) {
  constexpr unsigned kSpinning = kRtt | kOneWay | kManyWay;
  constexpr unsigned kBlocking = kSpinning | kWake;
  // A pipe keeps up to 4096 bytes whole among several writers.
  constexpr unsigned kPipe = Bytes <= PipeKind::kWholeMax ? kBlocking : kRtt | kWake | kOneWay;
  add_peer<PipeSpin, Bytes>(section, producers, consumers, {"pipe-spin", "processes, copied twice, spinning", kPipe & ~kWake});
  add_peer<PipeBlocking, Bytes>(section, producers, consumers, {"pipe", "processes, copied twice, sleeping", kPipe});
  add_peer<SeqpacketSpin, Bytes>(section, producers, consumers,
                                 {"seqpacket-spin", "processes, copied twice, spinning", kSpinning});
  add_peer<SeqpacketBlocking, Bytes>(section, producers, consumers,
                                     {"seqpacket", "processes, copied twice, sleeping", kBlocking});
  add_peer<PosixMqSpin, Bytes>(section, producers, consumers,
                               {"posix-mq-spin", "processes, copied twice, spinning", kSpinning});
  add_peer<PosixMqBlocking, Bytes>(section, producers, consumers,
                                   {"posix-mq", "processes, copied twice, sleeping", kBlocking});
}

BENCH_ROWS_OF(add_kernel)

}  // namespace bench
