// The parts of shmq, one by one; see docs/benchmarks.md.
#include "harness/crew.hpp"
#include "parts/parts.hpp"

int main(int argc, char** argv) {
  bench::take_settings(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (!bench::settings().cpus.empty()) bench::pin_to(bench::settings().cpus.front());
  if (bench::settings().scaling) {
    bench::add_scaling_rows();
  } else {
    bench::add_step_rows();
    bench::add_message_rows();
    bench::add_block_rows();
    bench::add_wake_rows();
    bench::add_several_rows();
    bench::add_reap_rows();
    bench::add_segment_rows();
    bench::add_inspect_rows();
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return bench::interrupted_by() == 0 ? 0 : 128 + bench::interrupted_by();
}
