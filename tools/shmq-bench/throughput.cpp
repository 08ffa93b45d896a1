#include "throughput.hpp"

#include <memory>
#include <optional>

#include "arena.hpp"
#include "boost_queue.hpp"
#include "failure.hpp"
#include "floor.hpp"
#include "flow.hpp"
#include "plain_ring.hpp"
#include "queue_ends.hpp"
#include "stage.hpp"
#include "vyukov_ring.hpp"

namespace shmq::bench {

namespace {

constexpr std::int64_t kFloorNs = 10'000'000;

enum class System { plain, vyukov, boost, queue };

/// One column of the comparison: a system, and how many messages it moves at once.
struct Lane {
  System system = System::queue;
  Kind kind = Kind::mpmc;
  unsigned batch = 1;
};

struct Plan {
  std::size_t bytes = 0;
  std::uint64_t capacity = 0;
  unsigned producers = 1;
  unsigned consumers = 1;
  std::vector<Lane> lanes;
  unsigned roles() const { return producers + consumers; }
  bool one_to_one() const { return producers == 1 && consumers == 1; }
};

Plan make_plan(const Settings& settings, std::size_t bytes) {
  Plan plan{bytes, capacity_for(settings, bytes), settings.producers, settings.consumers, {}};
  const auto has = [&](Kind kind) {
    return std::find(settings.kinds.begin(), settings.kinds.end(), kind) != settings.kinds.end();
  };
  // The rings only look and never yield: each role needs a processor of its own.
  if (plan.one_to_one() && settings.two_cpus()) {
    if (has(Kind::spsc)) plan.lanes.push_back({System::plain});
    if (has(Kind::mpmc)) plan.lanes.push_back({System::vyukov});
  }
  if (!plan.one_to_one()) plan.lanes.push_back({System::boost});
  for (const Kind kind : settings.kinds) {
    if (kind == Kind::spsc && !plan.one_to_one()) continue;
    for (const unsigned batch : settings.batches)
      if (batch == 1 || travels_inline(bytes)) plan.lanes.push_back({System::queue, kind, batch});
  }
  return plan;
}

std::uint64_t whole_lines(std::uint64_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

/// The slots of a Vyukov ring are those of the mpmc queue beside it, also where that takes blocks.
std::uint64_t vyukov_slot(std::size_t bytes) {
  return travels_inline(bytes) ? slot_bytes_for(bytes) : whole_lines(bytes + VyukovRing::kSlotHeader);
}

/// What all roles share beside the queues.
struct Shared {
  Shared(const Plan& plan, unsigned repeats)
      : arena(plan.capacity * (whole_lines(plan.bytes) + vyukov_slot(plan.bytes)) +
              notes_count(plan, repeats) * sizeof(Notes) +
              controls_count(plan, repeats) * sizeof(FlowControl) + 2 * repeats * sizeof(Histogram) +
              (96u << 10)),
        notes(arena.make_array<Notes>(notes_count(plan, repeats))),
        controls(arena.make_array<FlowControl>(controls_count(plan, repeats))),
        floors(arena.make_array<Histogram>(std::size_t{2} * repeats)),
        everybody(arena.make<Barrier>(plan.roles())),
        lines(arena.make<FloorLines>()),
        done(arena.make<std::atomic<std::uint64_t>>()),
        plain(arena.make<PlainRing>()),
        vyukov(arena.make<VyukovRing>()) {
    plain.capacity = vyukov.capacity = plan.capacity;
    plain.slot_bytes = whole_lines(plan.bytes);
    plain.slots = arena.take(plan.capacity * plain.slot_bytes);
    vyukov.slot_bytes = vyukov_slot(plan.bytes);
    vyukov.slots = arena.take(plan.capacity * vyukov.slot_bytes);
    vyukov.initialise();
    for (std::size_t i = 0; i < controls_count(plan, repeats); ++i) {
      controls[i].producing.value.store(plan.producers);
      controls[i].consuming.value.store(plan.consumers);
    }
  }
  // One sample more for each lane than is counted: the first warms up.
  static std::size_t controls_count(const Plan& plan, unsigned repeats) {
    return plan.lanes.size() * (repeats + 1);
  }
  static std::size_t notes_count(const Plan& plan, unsigned repeats) {
    return controls_count(plan, repeats) * plan.roles();
  }

  Arena arena;
  Notes* notes;
  FlowControl* controls;
  Histogram* floors;
  Barrier& everybody;
  FloorLines& lines;
  std::atomic<std::uint64_t>& done;
  PlainRing& plain;
  VyukovRing& vyukov;
};

class Player {
 public:
  Player(const Settings& settings, const Plan& plan, Shared& shared, const std::string& segment,
         BoostQueue* boost, unsigned index)
      : settings_(settings),
        plan_(plan),
        shared_(shared),
        segment_name_(segment),
        boost_(boost),
        index_(index) {}

  void run() {
    attach();
    for (unsigned repeat = 0; repeat <= settings_.repeats; ++repeat) {
      if (repeat > 0) measure_floor(shared_.floors[2 * (repeat - 1)]);
      for (std::size_t lane = 0; lane < plan_.lanes.size(); ++lane) {
        const std::size_t sample = repeat * plan_.lanes.size() + lane;
        shared_.everybody.meet();
        play(plan_.lanes[lane], repeat == 0, shared_.controls[sample],
             shared_.notes[sample * plan_.roles() + index_]);
        if (index_ == 0) shared_.done.fetch_add(1, std::memory_order_relaxed);
      }
      if (repeat > 0) measure_floor(shared_.floors[2 * (repeat - 1) + 1]);
    }
  }

 private:
  bool produces() const { return index_ < plan_.producers; }

  void attach() {
    std::vector<NamedQueue> queues;
    for (const Lane& lane : plan_.lanes)
      if (lane.system == System::queue &&
          std::none_of(queues.begin(), queues.end(),
                       [&](const NamedQueue& q) { return q.plan.kind == lane.kind; }))
        queues.push_back({to_string(lane.kind), {lane.kind, plan_.bytes, plan_.capacity}});
    if (index_ == 0) segment_ = create_segment(segment_name_, queues, plan_.roles());
    shared_.everybody.meet();
    if (!segment_)
      segment_ = cli::need(Segment::open(segment_name_, {.name = "shmq-bench", .prefault = true}));
    for (const NamedQueue& queue : queues) queues_.push_back(cli::need(segment_->open_queue(queue.name)));
    kinds_ = queues;
  }

  Queue<void>& queue_of(Kind kind) {
    for (std::size_t i = 0; i < kinds_.size(); ++i)
      if (kinds_[i].plan.kind == kind) return queues_[i];
    throw cli::Failure{cli::kFailed, "no queue of that kind"};
  }

  void measure_floor(Histogram& into) {
    shared_.everybody.meet();
    if (!settings_.two_cpus()) return;
    if (index_ == 0) floor_ping(shared_.lines, {0, tick_clock.units(kFloorNs), 200}, into);
    // The first role that is on another processor.
    if (index_ == 1) floor_pong(shared_.lines);
  }

  FlowLength length(bool warms_up) const {
    const std::int64_t ns = warms_up ? settings_.sample_ns / 4 : settings_.sample_ns;
    return {settings_.count == 0 ? 0 : (settings_.count + plan_.producers - 1) / plan_.producers,
            tick_clock.units(ns)};
  }

  void play(const Lane& lane, bool warms_up, FlowControl& control, Notes& notes) {
    switch (lane.system) {
      case System::plain:
        if (produces()) {
          PlainSender sender(shared_.plain);
          produce(control, length(warms_up), index_ == 0, notes,
                  [&](std::uint64_t first, std::uint64_t, std::uint64_t& sum) {
                    sum += write_payload(sender.claim(), plan_.bytes, first);
                    sender.publish();
                    return 1u;
                  });
        } else {
          PlainReceiver receiver(shared_.plain);
          consume(
              control, notes,
              [&](std::uint64_t& sum, auto&& each) {
                const std::byte* const data = receiver.receive();
                each(first_word(data));
                sum += read_payload(data, plan_.bytes);
                receiver.release();
              },
              [] {});
        }
        break;
      case System::vyukov:
        if (produces()) {
          VyukovSender sender(shared_.vyukov);
          produce(control, length(warms_up), index_ == 0, notes,
                  [&](std::uint64_t first, std::uint64_t, std::uint64_t& sum) {
                    sum += write_payload(sender.claim(), plan_.bytes, first);
                    sender.publish(plan_.bytes);
                    return 1u;
                  });
        } else {
          VyukovReceiver receiver(shared_.vyukov);
          consume(
              control, notes,
              [&](std::uint64_t& sum, auto&& each) {
                const std::byte* const data = receiver.receive();
                each(first_word(data));
                sum += read_payload(data, plan_.bytes);
                receiver.release();
              },
              [] {});
        }
        break;
      case System::boost: {
        BoostSender sender(*boost_, plan_.bytes);
        if (produces()) {
          produce(control, length(warms_up), index_ == 0, notes,
                  [&](std::uint64_t first, std::uint64_t, std::uint64_t& sum) {
                    sum += sender.send(first);
                    return 1u;
                  });
        } else {
          BoostReceiver receiver(*boost_, plan_.bytes);
          consume(
              control, notes, [&](std::uint64_t& sum, auto&& each) { receiver.receive(sum, each); },
              [&] { sender.send(kEnd); });
        }
        break;
      }
      case System::queue:
        play_queue(lane, control, length(warms_up), notes);
        break;
    }
  }

  void play_queue(const Lane& lane, FlowControl& control, const FlowLength& how_long, Notes& notes) {
    Queue<void>& queue = queue_of(lane.kind);
    if (produces()) {
      ShmqSender sender(queue, plan_.bytes, settings_.wait);
      if (lane.batch == 1)
        produce(control, how_long, index_ == 0, notes,
                [&](std::uint64_t first, std::uint64_t, std::uint64_t& sum) {
                  sum += sender.send(first);
                  return 1u;
                });
      else
        produce(control, how_long, index_ == 0, notes,
                [&](std::uint64_t first, std::uint64_t most, std::uint64_t& sum) {
                  return sender.send_batch(first, std::min<std::uint64_t>(most, lane.batch), sum);
                });
      return;
    }
    ShmqReceiver receiver(queue, plan_.bytes, settings_.wait);
    // Only where consumers compete: an spsc queue has one producer.
    const auto pass_on = [&] { ShmqSender(queue, plan_.bytes, settings_.wait).send(kEnd); };
    if (lane.batch == 1)
      consume(
          control, notes, [&](std::uint64_t& sum, auto&& each) { receiver.receive(sum, each); }, pass_on);
    else
      consume(
          control, notes,
          [&](std::uint64_t& sum, auto&& each) { receiver.receive_batch(lane.batch, sum, each); }, pass_on);
  }

  const Settings& settings_;
  const Plan& plan_;
  Shared& shared_;
  const std::string& segment_name_;
  BoostQueue* const boost_;
  const unsigned index_;
  std::optional<Segment> segment_;
  std::vector<Queue<void>> queues_;
  std::vector<NamedQueue> kinds_;
};

/// Messages a second of one sample; throws where what was received is not what was sent.
double rate_of(const Plan& plan, const Notes* notes) {
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
  Results(const Settings& settings, const Plan& plan, const Shared& shared)
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
  const Plan& plan_;
  std::vector<Repeat> counted_;
  std::vector<Repeat> on_siblings_;
  std::uint64_t left_out_ = 0;
  bool smt_only_ = false;
};

void run_size(const Settings& settings, std::size_t bytes, Progress& progress, std::vector<Row>& rows) {
  const Plan plan = make_plan(settings, bytes);
  if (plan.lanes.empty() || plan.lanes.back().system != System::queue) return;
  Shared shared(plan, settings.repeats);
  std::optional<BoostQueue> boost;
  if (!plan.one_to_one()) boost.emplace(plan.capacity, bytes);
  const ScratchSegment segment;
  std::vector<Role> roles;
  for (unsigned i = 0; i < plan.roles(); ++i) {
    const bool produces = i < plan.producers;
    roles.push_back(
        {(produces ? "producer " : "consumer ") + std::to_string(produces ? i : i - plan.producers),
         settings.cpu(i),
         [&, i] { Player(settings, plan, shared, segment.name(), boost ? &*boost : nullptr, i).run(); }});
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
