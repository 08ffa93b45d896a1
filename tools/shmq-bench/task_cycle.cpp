// tasks/cycle: a submitter and a worker, so many tasks in flight; and the same work on the peers, in turn with it.
#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>

#include "arena.hpp"
#include "failure.hpp"
#include "floor.hpp"
#include "flow.hpp"
#include "payload.hpp"
#include "peers.hpp"
#include "queue_ends.hpp"
#include "rates.hpp"
#include "stage.hpp"
#include "task_lanes.hpp"
#include "tasks.hpp"

namespace shmq::bench {

namespace {

constexpr std::int64_t kFloorNs = 10'000'000;
constexpr std::uint64_t kFloorWarmUp = 200;
constexpr unsigned kPeerFlights[] = {1, 64};

/// What is measured, in this order, in each repeat.
struct CyclePlan {
  std::vector<TaskLane> lanes;
  std::vector<RunningPeer> peers;
  std::size_t peer_lanes() const { return peers.size() * std::size(kPeerFlights); }
};

struct Shared {
  Shared(const CyclePlan& plan, unsigned samples)
      : arena(samples * (plan.lanes.size() * (2 * sizeof(Notes) + sizeof(FlowControl)) + plan.peer_lanes() * sizeof(double) +
                         2 * sizeof(Histogram)) +
              (64u << 10)),
        notes(arena.make_array<Notes>(samples * plan.lanes.size() * 2)),
        controls(arena.make_array<FlowControl>(samples * plan.lanes.size())),
        peer_rates(arena.make_array<double>(std::max<std::size_t>(samples * plan.peer_lanes(), 1))),
        floors(arena.make_array<Histogram>(samples * 2)),
        barrier(arena.make<Barrier>(2u)),
        lines(arena.make<FloorLines>()),
        finished(arena.make<FlowControl::Word>()),
        done(arena.make<std::atomic<std::uint64_t>>()) {
    for (std::size_t i = 0; i < samples * plan.lanes.size(); ++i) controls[i].producing.value = controls[i].consuming.value = 1;
  }

  Arena arena;
  Notes* notes;  // of each sample: the submitter's, the worker's
  FlowControl* controls;
  double* peer_rates;
  Histogram* floors;
  Barrier& barrier;
  FloorLines& lines;
  FlowControl::Word& finished;  // tasks that the worker completed, of the sample that is on
  std::atomic<std::uint64_t>& done;
};

/// The submitting end of a lane.
class LaneSubmitter {
 public:
  LaneSubmitter(TaskTable table, const TaskLane& lane, FlowControl::Word& finished)
      : table_(std::move(table)), lane_(lane), finished_(finished), payload_(lane.bytes) {}

  void begin() { submitted_ = finished_seen_ = 0; }

  std::uint64_t submit(std::uint64_t first) {
    make_room(first == kEnd ? 0 : lane_.in_flight - 1);  // the end may not go before others
    const std::uint64_t sum = write_payload(payload_.data(), lane_.bytes, first);
    TaskOptions options = lane_.options(first);
    if (lane_.keyed) options.key = next_key();
    const Submitted submitted = table_.submit(payload_, options);
    if (!submitted) [[unlikely]]
      fail_with("submit", submitted.outcome);
    if (submitted.duplicate) [[unlikely]]
      throw cli::Failure{cli::kFailed, "a task was refused for a key that no other one had"};
    ++submitted_;
    if (lane_.result) ids_.push_back(submitted.id);
    return sum;
  }

  /// Until so few are in flight.
  void make_room(std::uint64_t in_flight) {
    if (lane_.result) {
      while (ids_.size() > in_flight) take_result();
      return;
    }
    while (submitted_ - finished_seen_ > in_flight) {
      finished_seen_ = finished_.value.load(std::memory_order_acquire);
      base::cpu_relax();
    }
  }

 private:
  /// 16 bytes, as a UUID has; never the same again.
  std::string_view next_key() {
    const std::uint64_t words[] = {++keys_made_, keys_made_ * 0x9e3779b97f4a7c15};
    std::memcpy(key_, words, sizeof key_);
    return {key_, sizeof key_};
  }

  void take_result() {
    const TaskId id = ids_.front();
    ids_.pop_front();
    if (const Outcome outcome = table_.wait(id); outcome != Outcome::ok) fail_with("wait", outcome);
    const auto result = table_.result(id);
    if (!result || result->size() != lane_.bytes)
      throw cli::Failure{cli::kFailed, "a task that is done has not the result that it was given"};
    keep(read_payload(result->data(), result->size()));
    if (const Outcome outcome = table_.remove(id); outcome != Outcome::ok) fail_with("remove", outcome);
  }

  TaskTable table_;
  const TaskLane& lane_;
  FlowControl::Word& finished_;
  std::vector<std::byte> payload_;
  std::deque<TaskId> ids_;
  std::uint64_t submitted_ = 0, finished_seen_ = 0, keys_made_ = 0;
  char key_[16] = {};
};

class Side {
 public:
  Side(const Settings& settings, const CyclePlan& plan, Shared& shared, const std::string& segment, bool submits)
      : settings_(settings), plan_(plan), shared_(shared), segment_name_(segment), submits_(submits) {}

  void run() {
    attach();
    std::vector<std::unique_ptr<PeerClient>> clients;
    if (submits_)
      for (const RunningPeer& peer : plan_.peers) clients.push_back(peer.connect());
    for (unsigned sample = 0; sample <= settings_.repeats; ++sample) {  // the first warms up
      const std::size_t first = sample * plan_.lanes.size();
      measure_floor(shared_.floors[2 * sample]);
      for (std::size_t i = 0; i < plan_.lanes.size(); ++i)
        play(i, sample == 0, shared_.controls[first + i], shared_.notes[(first + i) * 2 + (submits_ ? 0 : 1)]);
      double* rate = shared_.peer_rates + sample * plan_.peer_lanes();
      for (std::size_t i = 0; i < plan_.peers.size(); ++i)
        for (const unsigned in_flight : kPeerFlights) {
          shared_.barrier.meet();
          if (submits_) *rate++ = peer_rate(*clients[i], in_flight, sample == 0);
          step();
        }
      measure_floor(shared_.floors[2 * sample + 1]);
    }
  }

 private:
  void attach() {
    if (submits_) {
      std::vector<NamedTable> tables;
      for (const TaskLane& lane : plan_.lanes) tables.push_back({lane.table_name(), lane.table});
      segment_ = create_tables(segment_name_, tables);
    }
    shared_.barrier.meet();
    if (!submits_) segment_ = cli::need(Segment::open(segment_name_, {.name = "shmq-bench", .prefault = true}));
    for (const TaskLane& lane : plan_.lanes) {
      TaskTable table = open_table(*segment_, lane.table_name());
      if (submits_)
        submitters_.emplace_back(table, lane, shared_.finished);
      else
        workers_.push_back(table.worker({.wait = settings_.wait, .batch = lane.batch}));
    }
  }

  std::int64_t sample_ns(bool warms_up) const { return warms_up ? settings_.sample_ns / 4 : settings_.sample_ns; }

  void measure_floor(Histogram& into) {
    shared_.barrier.meet();
    if (submits_)
      floor_ping(shared_.lines, {0, tick_clock.units(std::min(kFloorNs, settings_.sample_ns)), kFloorWarmUp}, into);
    else
      floor_pong(shared_.lines);
    step();
  }

  void play(std::size_t lane, bool warms_up, FlowControl& control, Notes& notes) {
    if (submits_) shared_.finished.value.store(0, std::memory_order_relaxed);
    shared_.barrier.meet();
    if (submits_) {
      LaneSubmitter& submitter = submitters_[lane];
      submitter.begin();
      produce(control, {settings_.count, tick_clock.units(sample_ns(warms_up))}, true, notes,
              [&](std::uint64_t first, std::uint64_t, std::uint64_t& sum) {
                sum += submitter.submit(first);
                return 1u;
              });
      submitter.make_room(0);
    } else {
      work(lane, control, notes);
    }
    step();
  }

  void work(std::size_t lane, FlowControl& control, Notes& notes) {
    const TaskLane& is = plan_.lanes[lane];
    TaskWorker& worker = workers_[lane];
    std::uint64_t finished = 0;
    consume(
        control, notes,
        [&](std::uint64_t& sum, auto&& each) {
          Run run = worker.next();
          if (!run) [[unlikely]]
            fail_with("next", run.outcome());
          const std::span<const std::byte> payload = run.payload();
          each(first_word(payload.data()));
          sum += read_payload(payload.data(), is.bytes);
          if (const Outcome outcome = is.result ? run.done(payload) : run.done(); outcome != Outcome::ok) [[unlikely]]
            fail_with("done", outcome);
          shared_.finished.value.store(++finished, std::memory_order_release);
        },
        [] {});
  }

  double peer_rate(PeerClient& client, unsigned in_flight, bool warms_up) const {
    const std::uint64_t start = read_clock(), most = tick_clock.units(sample_ns(warms_up));
    std::uint64_t tasks = 0, now = start;
    do {
      client.cycle(tasks, in_flight);
      tasks += in_flight;
      now = read_clock();
    } while (settings_.count != 0 ? tasks < settings_.count : now - start < most);
    return static_cast<double>(tasks) * 1e9 / tick_clock.ns(static_cast<double>(ticks_between(start, now)));
  }

  void step() {
    if (submits_) shared_.done.fetch_add(1, std::memory_order_relaxed);
  }

  const Settings& settings_;
  const CyclePlan& plan_;
  Shared& shared_;
  const std::string& segment_name_;
  const bool submits_;
  std::optional<Segment> segment_;
  std::deque<LaneSubmitter> submitters_;
  std::vector<TaskWorker> workers_;
};

std::vector<Row> describe(const Settings& settings, const CyclePlan& plan, const Shared& shared) {
  Rates rates(settings);
  for (unsigned sample = 1; sample <= settings.repeats; ++sample) {
    std::vector<double> all;
    for (std::size_t i = 0; i < plan.lanes.size(); ++i)
      all.push_back(rate_of(shared.notes + (sample * plan.lanes.size() + i) * 2, 1, 1, plan.lanes[i].bytes));
    for (std::size_t i = 0; i < plan.peer_lanes(); ++i) all.push_back(shared.peer_rates[sample * plan.peer_lanes() + i]);
    rates.add(std::move(all), shared.floors[2 * sample], shared.floors[2 * sample + 1]);
  }
  const auto peer_lane = [&](std::size_t peer, std::size_t flight) {
    return plan.lanes.size() + peer * std::size(kPeerFlights) + flight;
  };
  std::vector<Row> rows;
  for (std::size_t i = 0; i < plan.lanes.size(); ++i) {
    const TaskLane& lane = plan.lanes[i];
    Row row{"tasks/cycle/" + lane.name, {}};
    row.set("tasks_per_s", rates.rate(i));
    row.set("task_vs_floor", rates.one_vs_floor(i));
    if (i != 0) row.set("vs_cycle_64", rates.ratio(i, 0));
    for (std::size_t flight = 0; flight < std::size(kPeerFlights); ++flight)
      if (lane.name == std::to_string(kPeerFlights[flight]))
        for (std::size_t peer = 0; peer < plan.peers.size(); ++peer) {
          row.set("vs_" + plan.peers[peer].name(), rates.ratio(i, peer_lane(peer, flight)));
          if (flight != 0) row.set("vs_" + plan.peers[peer].name() + "_1", rates.ratio(i, peer_lane(peer, 0)));
        }
    if (const auto floor = rates.floor_ns()) row.set("floor_p50_ns", *floor);
    row.set("wait", std::string(to_string(settings.wait)));
    rates.describe_repeats(row);
    rows.push_back(std::move(row));
  }
  for (std::size_t peer = 0; peer < plan.peers.size(); ++peer)
    for (std::size_t flight = 0; flight < std::size(kPeerFlights); ++flight) {
      Row row{"tasks/peer/" + plan.peers[peer].name() + "/" + std::to_string(kPeerFlights[flight]), {}};
      row.set("tasks_per_s", rates.rate(peer_lane(peer, flight)));
      row.set("version", plan.peers[peer].version());
      rates.describe_repeats(row);
      rows.push_back(std::move(row));
    }
  return rows;
}

}  // namespace

std::vector<Row> run_task_cycle(const Settings& settings, Progress& progress) {
  CyclePlan plan;
  plan.lanes = task_lanes(settings);
  std::vector<Row> skipped;
  if (settings.peers)
    for (const PeerKind kind : kPeers) {
      std::string why;
      if (std::optional<RunningPeer> peer = RunningPeer::start(kind, settings.cpu(1), why))
        plan.peers.push_back(std::move(*peer));
      else
        skipped.push_back({std::string("tasks/peer/") + to_string(kind), {{"skipped", why}}});
    }
  const unsigned samples = settings.repeats + 1;
  Shared shared(plan, samples);
  const ScratchSegment segment;
  const auto side = [&](bool submits) {
    return [&, submits] { Side(settings, plan, shared, segment.name(), submits).run(); };
  };
  progress.begin("tasks/cycle", samples * (plan.lanes.size() + plan.peer_lanes() + 2), &shared.done);
  perform({{"the submitter", settings.cpu(0), side(true)}, {"the worker", settings.cpu(1), side(false)}}, progress);
  std::vector<Row> rows = describe(settings, plan, shared);
  for (Row& row : skipped) rows.push_back(std::move(row));
  return rows;
}

}  // namespace shmq::bench
