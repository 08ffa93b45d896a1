#include "rates.hpp"

#include <algorithm>

#include "failure.hpp"
#include "payload.hpp"
#include "ticks.hpp"

namespace shmq::bench {

double rate_of(const Notes* notes, unsigned producers, unsigned consumers, std::size_t bytes) {
  std::uint64_t sent = 0, received = 0, written = 0, read = 0, start = UINT64_MAX, end = 0;
  for (unsigned i = 0; i < producers + consumers; ++i) {
    const bool produces = i < producers;
    (produces ? sent : received) += notes[i].messages;
    (produces ? written : read) += notes[i].sum;
    if (produces) start = std::min(start, notes[i].start);
    if (!produces) end = std::max(end, notes[i].end);
  }
  // The end was received once by each consumer, and is no message.
  std::vector<std::byte> last(bytes);
  read -= write_payload(last.data(), bytes, kEnd) * consumers;
  if (sent != received || written != read)
    throw cli::Failure{cli::kFailed, std::to_string(sent) + " messages were sent and " +
                                         std::to_string(received) + " received" +
                                         (written == read ? "" : ", with other contents")};
  const double ns = tick_clock.ns(static_cast<double>(ticks_between(start, end)));
  return ns > 0 ? static_cast<double>(sent) * 1e9 / ns : 0;
}

void Rates::add(std::vector<double> rates, const Histogram& before, const Histogram& after) {
  const auto p50 = [](const Histogram& floor) { return tick_clock.ns(floor.percentile(0.5)); };
  Histogram both = before;
  both.add(after);
  const bool siblings = settings_.two_cpus() && std::min(p50(before), p50(after)) < settings_.smt_below_ns;
  (siblings ? on_siblings_ : good_).push_back({std::move(rates), p50(both)});
}

std::optional<Spread> Rates::rate(std::size_t lane) const {
  std::vector<double> values;
  for (const Repeat& repeat : counted())
    if (repeat.rates[lane] > 0) values.push_back(repeat.rates[lane]);
  return spread_of(values);
}

std::optional<Spread> Rates::ratio(std::size_t lane, std::size_t reference) const {
  std::vector<double> values;
  for (const Repeat& repeat : counted())
    if (repeat.rates[reference] > 0) values.push_back(repeat.rates[lane] / repeat.rates[reference]);
  return spread_of(values);
}

std::optional<Spread> Rates::one_vs_floor(std::size_t lane) const {
  std::vector<double> values;
  for (const Repeat& repeat : counted())
    if (repeat.rates[lane] > 0 && repeat.floor_ns > 0) values.push_back(1e9 / repeat.rates[lane] / repeat.floor_ns);
  return spread_of(values);
}

std::optional<double> Rates::floor_ns() const {
  std::vector<double> floors;
  for (const Repeat& repeat : counted()) floors.push_back(repeat.floor_ns);
  const auto floor = spread_of(floors);
  if (!floor || !settings_.two_cpus()) return std::nullopt;
  return floor->median;
}

void Rates::describe_repeats(Row& row) const {
  row.set("repeats", static_cast<std::uint64_t>(counted().size()));
  row.set("left_out_smt", static_cast<std::uint64_t>(on_siblings_.size()));
  if (good_.empty() && settings_.two_cpus()) row.set("smt_only", true);
}

}  // namespace shmq::bench
