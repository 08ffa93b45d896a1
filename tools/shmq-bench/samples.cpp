#include "samples.hpp"

#include <algorithm>

#include "ticks.hpp"

namespace shmq::bench {

double Samples::floor_ns(std::size_t repeat, std::size_t system) const {
  Histogram both = floor(repeat, system);
  both.add(floor(repeat, system + 1));
  return tick_clock.ns(both.percentile(0.5));
}

bool Samples::on_siblings(std::size_t repeat, std::size_t system) const {
  for (const std::size_t i : {system, system + 1}) {
    const Histogram& one = floor(repeat, i);
    if (one.count() != 0 && tick_clock.ns(one.percentile(0.5)) < smt_below_ns_) return true;
  }
  return false;
}

std::vector<std::size_t> Samples::counted(std::size_t system) const {
  std::vector<std::size_t> good, all;
  for (std::size_t repeat = 0; repeat < repeats_; ++repeat) {
    all.push_back(repeat);
    if (!on_siblings(repeat, system)) good.push_back(repeat);
  }
  return good.empty() ? all : good;
}

std::uint64_t Samples::left_out(std::size_t system) const {
  std::uint64_t count = 0;
  for (std::size_t repeat = 0; repeat < repeats_; ++repeat) count += on_siblings(repeat, system);
  return count;
}

void Samples::describe(std::size_t system, Row& row, const std::string& floor) const {
  Histogram whole;
  std::vector<double> floors, ratios, tails;
  for (const std::size_t repeat : counted(system)) {
    const Histogram& one = sample(repeat, system);
    const double floor_p50 = floor_ns(repeat, system);
    whole.add(one);
    if (floor_p50 <= 0) continue;
    floors.push_back(floor_p50);
    if (one.count() == 0) continue;  // its time was over before a round trip counted: no ratio, rather than 0
    ratios.push_back(tick_clock.ns(one.percentile(0.5)) / floor_p50);
    tails.push_back(tick_clock.ns(one.percentile(0.99)) / floor_p50);
  }
  const auto ns = [&](double fraction) { return tick_clock.ns(whole.percentile(fraction)); };
  if (whole.count() != 0) {
    row.set("p50_ns", ns(0.5));
    row.set("p99_ns", ns(0.99));
    row.set("p999_ns", ns(0.999));
    row.set("max_ns", tick_clock.ns(static_cast<double>(whole.max())));
  } else {
    row.set("why", std::string("the time was over before a round trip was counted"));
  }
  row.set("rounds", whole.count());
  if (const auto spread = spread_of(floors)) row.set(floor + "_p50_ns", spread->median);
  row.set("vs_" + floor, spread_of(ratios));
  row.set("p99_vs_" + floor, spread_of(tails));
  row.set("repeats", static_cast<std::uint64_t>(ratios.size()));
  if (smt_below_ns_ <= 0) return;
  row.set("left_out_smt", left_out(system));
  if (left_out(system) == repeats_) row.set("smt_only", true);
}

std::optional<Spread> Samples::ratio(std::size_t system, std::size_t reference, double fraction) const {
  std::vector<double> ratios;
  const std::vector<std::size_t> comparable = counted(reference);
  for (const std::size_t repeat : counted(system)) {
    if (std::find(comparable.begin(), comparable.end(), repeat) == comparable.end()) continue;
    const double beside = sample(repeat, reference).percentile(fraction);
    if (beside > 0 && sample(repeat, system).count() != 0) ratios.push_back(sample(repeat, system).percentile(fraction) / beside);
  }
  return spread_of(ratios);
}

}  // namespace shmq::bench
