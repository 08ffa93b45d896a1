#include "rtt.hpp"

#include <memory>
#include <optional>

#include "arena.hpp"
#include "failure.hpp"
#include "floor.hpp"
#include "pair.hpp"
#include "plain_ring.hpp"
#include "samples.hpp"
#include "stage.hpp"

namespace shmq::bench {

namespace {

constexpr std::uint64_t kWarmUpRounds = 200;
constexpr std::int64_t kFloorNs = 25'000'000;

/// A round trip begins before the claim and is over when the answer was read and released.
template <class S, class R>
void ping(Ends<S, R>& ends, const SampleLength& length, Histogram& into) {
  std::uint64_t sum = 0;
  record_rounds(length, into, [&](std::uint64_t n) {
    ends.out.send(n);
    const std::uint64_t answer = ends.in.receive(sum, [](std::uint64_t) {});
    if (answer != n) [[unlikely]]
      throw cli::Failure{cli::kFailed, "another answer than to the last message came"};
  });
  keep(sum);
}

/// Answers with a message of its own, and only then releases what it answered: at least once.
template <class S, class R>
void pong(Ends<S, R>& ends) {
  std::uint64_t sum = 0;
  while (ends.in.receive(sum, [&](std::uint64_t first) { ends.out.send(first); }) != kEnd) {
  }
  keep(sum);
}

/// The same on the plain ring.
struct PlainOut {
  PlainSender sender;
  std::size_t bytes;
  std::uint64_t send(std::uint64_t first) {
    const std::uint64_t sum = write_payload(sender.claim(), bytes, first);
    sender.publish();
    return sum;
  }
};
struct PlainIn {
  PlainReceiver receiver;
  std::size_t bytes;
  template <class After>
  std::uint64_t receive(std::uint64_t& sum, After&& after) {
    const std::byte* const data = receiver.receive();
    const std::uint64_t first = first_word(data);
    sum += read_payload(data, bytes);
    after(first);
    receiver.release();
    return first;
  }
};

struct Plan {
  std::size_t bytes = 0;
  std::uint64_t capacity = 0;
  std::vector<Kind> kinds;  // then the plain ring
  std::size_t systems() const { return kinds.size() + 1; }
};

/// What both sides share beside the queues themselves.
struct Shared {
  Shared(const Plan& plan, unsigned repeats)
      : arena(((plan.systems() * 2 + 1) * repeats * sizeof(Histogram)) +
              2 * plan.capacity * plain_slot(plan.bytes) + (64u << 10)),
        floors(arena.make_array<Histogram>((plan.systems() + 1) * repeats)),
        samples(arena.make_array<Histogram>(plan.systems() * repeats)),
        barrier(arena.make<Barrier>(2u)),
        lines(arena.make<FloorLines>()),
        done(arena.make<std::atomic<std::uint64_t>>()),
        there(make_ring(plan)),
        back(make_ring(plan)) {}

  static std::uint64_t plain_slot(std::size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }
  PlainRing& make_ring(const Plan& plan) {
    PlainRing& ring = arena.make<PlainRing>();
    ring.capacity = plan.capacity;
    ring.slot_bytes = plain_slot(plan.bytes);
    ring.slots = arena.take(ring.capacity * ring.slot_bytes);
    return ring;
  }

  Arena arena;
  Histogram* floors;
  Histogram* samples;
  Barrier& barrier;
  FloorLines& lines;
  std::atomic<std::uint64_t>& done;
  PlainRing& there;
  PlainRing& back;
};

class Side {
 public:
  Side(const Settings& settings, const Plan& plan, Shared& shared, const std::string& segment, bool pings)
      : settings_(settings), plan_(plan), shared_(shared), segment_name_(segment), pings_(pings) {}

  void run() {
    std::vector<std::unique_ptr<ShmqEnds>> queues = attach_pair(
        settings_, plan_.kinds, {plan_.bytes, plan_.capacity}, shared_.barrier, segment_name_, pings_);
    Ends<PlainOut, PlainIn> plain{{PlainSender(pings_ ? shared_.there : shared_.back), plan_.bytes},
                                  {PlainReceiver(pings_ ? shared_.back : shared_.there), plan_.bytes}};
    Histogram* floor = shared_.floors;
    Histogram* sample = shared_.samples;
    for (unsigned repeat = 0; repeat < settings_.repeats; ++repeat) {
      measure_floor(*floor++);
      for (std::size_t i = 0; i < plan_.systems(); ++i) {
        if (i < queues.size())
          measure(*queues[i], *sample++);
        else
          measure(plain, *sample++);
        measure_floor(*floor++);
      }
    }
  }

 private:
  SampleLength length(std::int64_t ns) const {
    return {settings_.count, tick_clock.units(ns),
            std::min<std::uint64_t>(kWarmUpRounds, std::max<std::uint64_t>(settings_.count, 1))};
  }

  void measure_floor(Histogram& into) {
    shared_.barrier.meet();
    if (pings_)
      floor_ping(shared_.lines, length(std::min(kFloorNs, settings_.sample_ns)), into);
    else
      floor_pong(shared_.lines);
    if (pings_) shared_.done.fetch_add(1, std::memory_order_relaxed);
  }

  template <class S, class R>
  void measure(Ends<S, R>& ends, Histogram& into) {
    shared_.barrier.meet();
    if (pings_)
      ping(ends, length(settings_.sample_ns), into);
    else
      pong(ends);
    if (pings_) shared_.done.fetch_add(1, std::memory_order_relaxed);
  }

  const Settings& settings_;
  const Plan& plan_;
  Shared& shared_;
  const std::string& segment_name_;
  const bool pings_;
};

void run_size(const Settings& settings, std::size_t bytes, Progress& progress, std::vector<Row>& rows) {
  const Plan plan{bytes, capacity_for(settings, bytes), settings.kinds};
  Shared shared(plan, settings.repeats);
  const ScratchSegment segment;
  const auto side = [&](bool pings) {
    return [&, pings] { Side(settings, plan, shared, segment.name(), pings).run(); };
  };
  progress.begin("rtt, " + std::to_string(bytes) + " B", (plan.systems() * 2 + 1) * settings.repeats,
                 &shared.done);
  perform({{"the pinging side", settings.cpu(0), side(true)},
           {"the answering side", settings.cpu(1), side(false)}},
          progress);
  const Samples samples(shared.floors, shared.samples, plan.systems(), settings.repeats,
                        settings.smt_below_ns);
  const std::size_t plain = plan.kinds.size();
  for (std::size_t i = 0; i < plan.systems(); ++i) {
    Row row{
        "rtt/" + std::string(i == plain ? "plain" : to_string(plan.kinds[i])) + "/" + std::to_string(bytes),
        {}};
    samples.describe(i, row);
    if (i != plain) row.set("vs_plain_ring", samples.ratio(i, plain, 0.5));
    if (i != plain) row.set("wait", std::string(to_string(settings.wait)));
    rows.push_back(std::move(row));
  }
}

}  // namespace

std::vector<Row> run_rtt(const Settings& settings, Progress& progress) {
  if (!settings.two_cpus())
    throw cli::Failure{cli::kFailed,
                       "round trips need two cpus, and this process may use one; see taskset -pc $$"};
  std::vector<Row> rows;
  for (const std::size_t bytes : settings.sizes) run_size(settings, bytes, progress, rows);
  progress.clear();
  return rows;
}

}  // namespace shmq::bench
