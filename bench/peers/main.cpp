// The same work on shmq and on its peers, side by side in one run; see docs/benchmarks.md.
#include <benchmark/benchmark.h>

#include "peers/rows.hpp"

namespace {

using bench::Section;

template <std::size_t Bytes>
void add_all(Section section, unsigned producers, unsigned consumers) {
  bench::add_references<Bytes>(section, producers, consumers);
  bench::add_shmq<Bytes>(section, producers, consumers);
  bench::add_boost<Bytes>(section, producers, consumers);
  bench::add_moodycamel<Bytes>(section, producers, consumers);
  bench::add_kernel<Bytes>(section, producers, consumers);
  bench::add_messaging<Bytes>(section, producers, consumers);
}

void add_sizes(Section section, unsigned producers, unsigned consumers) {
  add_all<8>(section, producers, consumers);
  add_all<64>(section, producers, consumers);
  add_all<1024>(section, producers, consumers);
  add_all<65536>(section, producers, consumers);
}

}  // namespace

int main(int argc, char** argv) {
  bench::take_settings(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (bench::settings().scaling) {
    for (const unsigned n : bench::scaling_steps()) {
      bench::add_references<64>(Section::scaling, n, n);
      bench::add_shmq<64>(Section::scaling, n, n);
      bench::add_boost<64>(Section::scaling, n, n);
    }
  } else {
    add_sizes(Section::rtt, 1, 1);
    add_all<64>(Section::wake, 1, 1);
    add_sizes(Section::throughput, 1, 1);
    add_sizes(Section::throughput, 2, 2);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return bench::interrupted_by() == 0 ? 0 : 128 + bench::interrupted_by();
}
