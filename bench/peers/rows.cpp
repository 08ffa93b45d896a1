#include "peers/rows.hpp"

namespace bench {

void add_row(const std::string& name, const char* label, std::function<void(benchmark::State&)> measure) {
  benchmark::RegisterBenchmark(name.c_str(), [label, measure = std::move(measure)](benchmark::State& state) {
    state.SetLabel(label);
    measure(state);
  })
      ->UseManualTime()
      ->Iterations(1);  // the row itself decides how many, by the time that it is given
}

void add_missing(Section section, std::size_t bytes, unsigned producers, unsigned consumers, const PeerRow& row,
                 const char* package) {
  if (bytes > 4096 && (row.what & kSmall)) return;
  const std::string size = std::to_string(bytes) + "/" + row.name;
  const std::string why = std::string("not built in: it was not found when CMake configured (Debian: ") + package + ")";
  const auto report = [why](benchmark::State& state) { report_missing(state, why); };
  if (section == Section::rtt && (row.what & kRtt)) add_row("rtt/" + size, row.label, report);
  if (section == Section::wake && (row.what & kWake)) add_row("wake/" + size, row.label, report);
  if (section == Section::throughput && (row.what & (producers + consumers == 2 ? kOneWay : kManyWay)))
    add_row("throughput/" + std::to_string(producers) + "x" + std::to_string(consumers) + "/" + size, row.label, report);
}

}  // namespace bench
