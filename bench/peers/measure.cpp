#include "peers/measure.hpp"

namespace bench {

namespace {

void report_floor(benchmark::State& state, const Histogram& floor, double tick_ns) {
  state.counters["floor_p50_ns"] = floor.quantile(0.5) * tick_ns;
}

}  // namespace

void report_latency(benchmark::State& state, const Histogram& times, const Histogram& floor, double tick_ns) {
  const auto trips = static_cast<benchmark::IterationCount>(times.count());
  const auto pause = state.counters.find("far_pause_ns");
  const double pause_ns = pause == state.counters.end() ? 0 : pause->second.value;
  const double p50_ns = times.quantile(0.5) * tick_ns - pause_ns;
  // The time of the row is the median trip: a mean is ruled by the one trip that the host interrupted.
  while (state.KeepRunningBatch(trips)) state.SetIterationTime(p50_ns * 1e-9 * static_cast<double>(trips));
  state.counters["p50_ns"] = p50_ns;
  state.counters["p99_ns"] = times.quantile(0.99) * tick_ns - pause_ns;
  state.counters["p999_ns"] = times.quantile(0.999) * tick_ns - pause_ns;
  state.counters["max_ns"] = static_cast<double>(times.max()) * tick_ns - pause_ns;
  report_floor(state, floor, tick_ns);
  state.counters["vs_floor"] = p50_ns / state.counters["floor_p50_ns"].value;
}

void report_rate(benchmark::State& state, std::uint64_t messages, double seconds, std::size_t bytes,
                 const Histogram& floor, double tick_ns) {
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(messages))) state.SetIterationTime(seconds);
  state.counters["msgs_per_s"] = static_cast<double>(messages) / seconds;
  state.counters["bytes_per_s"] = static_cast<double>(messages) * static_cast<double>(bytes) / seconds;
  report_floor(state, floor, tick_ns);
}

void report_missing(benchmark::State& state, const std::string& why) { state.SkipWithError(why.c_str()); }

int cpu_of(unsigned index) {
  const std::vector<int>& cpus = settings().cpus;
  if (cpus.size() < 2) throw std::runtime_error("needs two CPUs, for the two sides (see --cpus)");
  return cpus[index % cpus.size()];
}

}  // namespace bench
