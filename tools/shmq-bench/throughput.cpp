#include "throughput.hpp"

#include <optional>

#include "failure.hpp"
#include "throughput_plan.hpp"
#include "throughput_roles.hpp"

namespace shmq::bench {

namespace {

/// Messages a second of one sample; throws where what was received is not what was sent.
double rate_of(const ThroughputPlan& plan, const Notes* notes) {
  std::uint64_t sent = 0, received = 0, written = 0, read = 0, start = UINT64_MAX, end = 0;
  for (unsigned i = 0; i < plan.roles(); ++i) {
    const bool produces = i < plan.producers;
    (produces ? sent : received) += notes[i].messages;
    (produces ? written : read) += notes[i].sum;
    if (produces) start = std::min(start, notes[i].start);
    if (!produces) end = std::max(end, notes[i].end);
  }
  // The end was received once by each consumer, and is no message.
  std::vector<std::byte> last(plan.bytes);
  read -= write_payload(last.data(), plan.bytes, kEnd) * plan.consumers;
  if (sent != received || written != read)
    throw cli::Failure{cli::kFailed, std::to_string(sent) + " messages were sent and " +
                                         std::to_string(received) + " received" +
                                         (written == read ? "" : ", with other contents")};
  const double ns = tick_clock.ns(static_cast<double>(ticks_between(start, end)));
  return ns > 0 ? static_cast<double>(sent) * 1e9 / ns : 0;
}

class Results {
 public:
  Results(const Settings& settings, const ThroughputPlan& plan, const ThroughputShared& shared)
      : settings_(settings), plan_(plan) {
    for (unsigned repeat = 0; repeat < settings.repeats; ++repeat) {
      std::vector<double> rates;
      for (std::size_t lane = 0; lane < plan.lanes.size(); ++lane)
        rates.push_back(
            rate_of(plan, shared.notes + ((repeat + 1) * plan.lanes.size() + lane) * plan.roles()));
      Histogram floor = shared.floors[2 * repeat];
      floor.add(shared.floors[2 * repeat + 1]);
      const auto p50 = [&](unsigned i) {
        return tick_clock.ns(shared.floors[2 * repeat + i].percentile(0.5));
      };
      const bool siblings = settings.two_cpus() && std::min(p50(0), p50(1)) < settings.smt_below_ns;
      left_out_ += siblings;
      (siblings ? on_siblings_ : counted_)
          .push_back({std::move(rates), tick_clock.ns(floor.percentile(0.5))});
    }
    smt_only_ = counted_.empty();
    if (smt_only_) counted_ = on_siblings_;
  }

  Row row(std::size_t lane) const {
    const Lane& is = plan_.lanes[lane];
    Row row{id(is), {}};
    const auto rate = over(lane, std::nullopt);
    row.set("msgs_per_s", rate);
    row.set("bytes_per_s", rate ? rate->median * static_cast<double>(plan_.bytes) : 0.0);
    std::vector<double> floors;
    for (const Repeat& repeat : counted_) floors.push_back(repeat.floor_ns);
    if (const auto floor = spread_of(floors); floor && settings_.two_cpus())
      row.set("floor_p50_ns", floor->median);
    if (is.system == System::queue) {
      row.set("vs_plain_ring",
              over(lane, find(is.kind == Kind::spsc ? System::plain : System::vyukov, is.kind, 1)));
      row.set("vs_boost_mq", over(lane, find(System::boost, is.kind, 1)));
      if (is.batch > 1) row.set("vs_singles", over(lane, find(System::queue, is.kind, 1)));
      row.set("wait", std::string(to_string(settings_.wait)));
    }
    row.set("repeats", static_cast<std::uint64_t>(counted_.size()));
    row.set("left_out_smt", left_out_);
    if (smt_only_ && settings_.two_cpus()) row.set("smt_only", true);
    return row;
  }

 private:
  struct Repeat {
    std::vector<double> rates;
    double floor_ns = 0;
  };

  std::string id(const Lane& lane) const {
    static constexpr const char* kNames[] = {"plain", "vyukov", "boost"};
    std::string text =
        std::string("throughput/") +
        (lane.system == System::queue ? to_string(lane.kind) : kNames[static_cast<int>(lane.system)]) + "/" +
        std::to_string(plan_.bytes);
    if (!plan_.one_to_one())
      text += "/" + std::to_string(plan_.producers) + "x" + std::to_string(plan_.consumers);
    if (lane.batch > 1) text += "/batch" + std::to_string(lane.batch);
    return text;
  }

  /// The lane to compare with; `lanes.size()` where it is not in this run.
  std::optional<std::size_t> find(System system, Kind kind, unsigned batch) const {
    for (std::size_t i = 0; i < plan_.lanes.size(); ++i) {
      const Lane& lane = plan_.lanes[i];
      if (lane.system == system && lane.batch == batch && (system != System::queue || lane.kind == kind))
        return i;
    }
    return plan_.lanes.size();
  }

  /// The rates of a lane, or what they are to those of `reference` in the same repeat.
  std::optional<Spread> over(std::size_t lane, std::optional<std::size_t> reference) const {
    std::vector<double> values;
    if (reference && *reference == plan_.lanes.size()) return std::nullopt;
    for (const Repeat& repeat : counted_)
      if (!reference || repeat.rates[*reference] > 0)
        values.push_back(reference ? repeat.rates[lane] / repeat.rates[*reference] : repeat.rates[lane]);
    return spread_of(values);
  }

  const Settings& settings_;
  const ThroughputPlan& plan_;
  std::vector<Repeat> counted_;
  std::vector<Repeat> on_siblings_;
  std::uint64_t left_out_ = 0;
  bool smt_only_ = false;
};

void run_size(const Settings& settings, std::size_t bytes, Progress& progress, std::vector<Row>& rows) {
  const ThroughputPlan plan = make_plan(settings, bytes);
  if (plan.lanes.empty() || plan.lanes.back().system != System::queue) return;
  ThroughputShared shared(plan, settings.repeats);
  std::optional<BoostQueue> boost;
  if (!plan.one_to_one()) boost.emplace(plan.capacity, bytes);
  const ScratchSegment segment;
  std::vector<Role> roles;
  for (unsigned i = 0; i < plan.roles(); ++i) {
    const bool produces = i < plan.producers;
    roles.push_back(
        {(produces ? "producer " : "consumer ") + std::to_string(produces ? i : i - plan.producers),
         settings.cpu(i),
         [&, i] { ThroughputRole(settings, plan, shared, segment.name(), boost ? &*boost : nullptr, i).run(); }});
  }
  progress.begin("throughput, " + std::to_string(bytes) + " B, " + std::to_string(plan.producers) + "x" +
                     std::to_string(plan.consumers),
                 plan.lanes.size() * (settings.repeats + 1), &shared.done);
  perform(roles, progress);
  const Results results(settings, plan, shared);
  for (std::size_t lane = 0; lane < plan.lanes.size(); ++lane) rows.push_back(results.row(lane));
}

}  // namespace

std::vector<Row> run_throughput(const Settings& settings, Progress& progress) {
  std::vector<Row> rows;
  for (const std::size_t bytes : settings.sizes) run_size(settings, bytes, progress, rows);
  progress.clear();
  return rows;
}

}  // namespace shmq::bench
