#include "throughput.hpp"

#include <optional>

#include "rates.hpp"
#include "throughput_plan.hpp"
#include "throughput_roles.hpp"

namespace shmq::bench {

namespace {

class Results {
 public:
  Results(const Settings& settings, const ThroughputPlan& plan, const ThroughputShared& shared)
      : settings_(settings), plan_(plan), rates_(settings) {
    for (unsigned repeat = 0; repeat < settings.repeats; ++repeat) {
      std::vector<double> rates;
      for (std::size_t lane = 0; lane < plan.lanes.size(); ++lane)
        rates.push_back(rate_of(shared.notes + ((repeat + 1) * plan.lanes.size() + lane) * plan.roles(), plan.producers,
                                plan.consumers, plan.bytes));
      rates_.add(std::move(rates), shared.floors[2 * repeat], shared.floors[2 * repeat + 1]);
    }
  }

  Row row(std::size_t lane) const {
    const Lane& is = plan_.lanes[lane];
    Row row{id(is), {}};
    const auto rate = rates_.rate(lane);
    row.set("msgs_per_s", rate);
    row.set("bytes_per_s", rate ? rate->median * static_cast<double>(plan_.bytes) : 0.0);
    if (const auto floor = rates_.floor_ns()) row.set("floor_p50_ns", *floor);
    if (is.system == System::queue) {
      row.set("vs_plain_ring",
              over(lane, find(is.kind == Kind::spsc ? System::plain : System::vyukov, is.kind, 1)));
      row.set("vs_boost_mq", over(lane, find(System::boost, is.kind, 1)));
      if (is.batch > 1) row.set("vs_singles", over(lane, find(System::queue, is.kind, 1)));
      row.set("wait", std::string(to_string(settings_.wait)));
    }
    rates_.describe_repeats(row);
    return row;
  }

 private:
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
  std::size_t find(System system, Kind kind, unsigned batch) const {
    for (std::size_t i = 0; i < plan_.lanes.size(); ++i) {
      const Lane& lane = plan_.lanes[i];
      if (lane.system == system && lane.batch == batch && (system != System::queue || lane.kind == kind))
        return i;
    }
    return plan_.lanes.size();
  }

  std::optional<Spread> over(std::size_t lane, std::size_t reference) const {
    if (reference == plan_.lanes.size()) return std::nullopt;
    return rates_.ratio(lane, reference);
  }

  const Settings& settings_;
  const ThroughputPlan& plan_;
  Rates rates_;
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
