#include "wake.hpp"

#include <sys/resource.h>

#include "arena.hpp"
#include "failure.hpp"
#include "futex_ping.hpp"
#include "histogram.hpp"
#include "pair.hpp"
#include "payload.hpp"
#include "samples.hpp"
#include "stage.hpp"
#include "ticks.hpp"

namespace shmq::bench {

namespace {

constexpr std::uint64_t kWarmUpRounds = 50;
/// A sample by time counts so many at least, however short its time: a round trip takes 200 us of pauses alone.
constexpr std::uint64_t kCountedLeast = 50;
/// Several times what it takes to fall asleep.
constexpr std::int64_t kThinkNs = 100'000;

/// What one sample leaves, beside the round trips themselves.
struct Parts {
  Histogram one_way;  // from before the send until the other side has the message
  Histogram waker;    // how long the send took, the waking included
  struct alignas(128) Side {
    std::uint64_t rounds = 0;
    std::uint64_t sleeps = 0;  // times that the kernel took the processor from a side because it waited
  };
  Side sides[2];
};

struct Shared {
  Shared(std::size_t kinds, unsigned repeats)
      : arena((kinds * 2 + 1) * repeats * (sizeof(Histogram) + sizeof(Parts)) + (96u << 10)),
        floors(arena.make_array<Histogram>((kinds + 1) * repeats)),
        samples(arena.make_array<Histogram>(kinds * repeats)),
        floor_parts(arena.make_array<Parts>((kinds + 1) * repeats)),
        parts(arena.make_array<Parts>(kinds * repeats)),
        barrier(arena.make<Barrier>(2u)),
        words(arena.make<FutexWords>()),
        sent(arena.make<std::atomic<std::uint64_t>>()),
        thought(arena.make<std::atomic<std::uint64_t>>()),
        done(arena.make<std::atomic<std::uint64_t>>()) {}

  Arena arena;
  Histogram* floors;  // of the bare futex
  Histogram* samples;
  Parts* floor_parts;
  Parts* parts;
  Barrier& barrier;
  FutexWords& words;
  std::atomic<std::uint64_t>& sent;     // when the message on its way was sent
  std::atomic<std::uint64_t>& thought;  // how long the answering side took between the two ways
  std::atomic<std::uint64_t>& done;
};

std::uint64_t sleeps_so_far() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_nvcsw);
}

/// The bare futex with the face of a queue.
class FutexEnds {
 public:
  FutexEnds(FutexWords& words, bool pings)
      : out_(pings ? words.there.word : words.back.word), in_(pings ? words.back.word : words.there.word) {
    last_ = in_.load(std::memory_order_relaxed);
  }
  void send(std::uint64_t first) { put_and_wake(out_, static_cast<std::uint32_t>(first)); }
  std::uint64_t receive() {
    last_ = sleep_until_other(in_, last_);
    return last_ == static_cast<std::uint32_t>(kEnd) ? kEnd : last_;
  }

 private:
  std::atomic<std::uint32_t>& out_;
  std::atomic<std::uint32_t>& in_;
  std::uint32_t last_ = 0;
};

class QueueEnds {
 public:
  explicit QueueEnds(ShmqEnds& ends) : ends_(ends) {}
  void send(std::uint64_t first) { ends_.out.send(first); }
  std::uint64_t receive() {
    return ends_.in.receive(sum_, [](std::uint64_t) {});
  }

 private:
  ShmqEnds& ends_;
  std::uint64_t sum_ = 0;
};

class Side {
 public:
  Side(const Settings& settings, std::size_t bytes, Shared& shared, const std::string& segment, bool pings)
      : settings_(settings), bytes_(bytes), shared_(shared), segment_name_(segment), pings_(pings) {}

  void run() {
    const auto queues = attach_pair(settings_, settings_.kinds, {bytes_, capacity_for(settings_, bytes_)},
                                    shared_.barrier, segment_name_, pings_);
    FutexEnds futex(shared_.words, pings_);
    Histogram *floor = shared_.floors, *sample = shared_.samples;
    Parts *floor_parts = shared_.floor_parts, *parts = shared_.parts;
    for (unsigned repeat = 0; repeat < settings_.repeats; ++repeat) {
      measure(futex, *floor++, *floor_parts++);
      for (const auto& queue : queues) {
        QueueEnds ends(*queue);
        measure(ends, *sample++, *parts++);
        measure(futex, *floor++, *floor_parts++);
      }
    }
  }

 private:
  template <class Pair>
  void measure(Pair& ends, Histogram& into, Parts& parts) {
    shared_.barrier.meet();
    Parts::Side& mine = parts.sides[pings_ ? 0 : 1];
    const std::uint64_t slept = sleeps_so_far();
    if (pings_)
      ping(ends, into, parts, mine);
    else
      pong(ends, parts, mine);
    mine.sleeps = sleeps_so_far() - slept;
    if (pings_) shared_.done.fetch_add(1, std::memory_order_relaxed);
  }

  template <class Pair>
  void ping(Pair& ends, Histogram& into, Parts& parts, Parts::Side& mine) {
    const std::uint64_t start = read_clock(), most = tick_clock.units(settings_.sample_ns);
    const auto over = [&](std::uint64_t n) {
      if (settings_.count != 0) return n > settings_.count + kWarmUpRounds;
      return n > kWarmUpRounds + kCountedLeast && read_clock() - start >= most;
    };
    for (std::uint64_t n = 1;; ++n) {
      const std::uint64_t number = over(n) ? kEnd : n;
      think();
      const std::uint64_t before = read_clock();
      shared_.sent.store(before, std::memory_order_relaxed);
      ends.send(number);
      const std::uint64_t sent = read_clock();
      if (ends.receive() != number)
        throw cli::Failure{cli::kFailed, "another answer than to the last message came"};
      const std::uint64_t came = read_clock();
      ++mine.rounds;
      if (number == kEnd) return;
      if (n <= kWarmUpRounds) continue;
      parts.waker.record(ticks_between(before, sent));
      into.record(ticks_between(before + shared_.thought.load(std::memory_order_relaxed), came));
    }
  }

  template <class Pair>
  void pong(Pair& ends, Parts& parts, Parts::Side& mine) {
    for (std::uint64_t first = 0; first != kEnd; ++mine.rounds) {
      first = ends.receive();
      const std::uint64_t came = read_clock();
      if (mine.rounds >= kWarmUpRounds && first != kEnd)
        parts.one_way.record(ticks_between(shared_.sent.load(std::memory_order_relaxed), came));
      think();
      shared_.thought.store(read_clock() - came, std::memory_order_relaxed);
      ends.send(first);
    }
  }

  /// Until the other side is surely asleep. What the answering side takes for it is not part of the round
  /// trip.
  static void think() {
    const std::uint64_t start = read_clock(), most = tick_clock.units(kThinkNs);
    while (read_clock() - start < most) base::cpu_relax();
  }

  const Settings& settings_;
  const std::size_t bytes_;
  Shared& shared_;
  const std::string& segment_name_;
  const bool pings_;
};

/// Sleeps of the side that slept less, for each round.
double sleeps_per_round(const Parts& parts) {
  double least = 0;
  for (const Parts::Side& side : parts.sides) {
    const double rate =
        static_cast<double>(side.sleeps) / static_cast<double>(std::max<std::uint64_t>(side.rounds, 1));
    if (&side == &parts.sides[0] || rate < least) least = rate;
  }
  return least;
}

struct Medians {
  std::optional<Spread> one_way, waker, sleeps;
};

Medians medians(const Parts* parts, std::size_t stride, std::size_t repeats) {
  std::vector<double> one_way, waker, sleeps;
  for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
    const Parts& one = parts[repeat * stride];
    one_way.push_back(tick_clock.ns(one.one_way.percentile(0.5)));
    waker.push_back(tick_clock.ns(one.waker.percentile(0.5)));
    sleeps.push_back(sleeps_per_round(one));
  }
  return {spread_of(one_way), spread_of(waker), spread_of(sleeps)};
}

void run_size(const Settings& settings, std::size_t bytes, Progress& progress, std::vector<Row>& rows) {
  const std::size_t kinds = settings.kinds.size();
  Shared shared(kinds, settings.repeats);
  const ScratchSegment segment;
  const auto side = [&](bool pings) {
    return [&, pings] { Side(settings, bytes, shared, segment.name(), pings).run(); };
  };
  progress.begin("wake, " + std::to_string(bytes) + " B", (kinds * 2 + 1) * settings.repeats, &shared.done);
  perform({{"the pinging side", settings.cpu(0), side(true)},
           {"the answering side", settings.cpu(1), side(false)}},
          progress);
  const Samples samples(shared.floors, shared.samples, kinds, settings.repeats, 0);
  for (std::size_t i = 0; i < kinds; ++i) {
    Row row{std::string("wake/") + to_string(settings.kinds[i]) + "/" + std::to_string(bytes), {}};
    samples.describe(i, row, "futex");
    const Medians own = medians(shared.parts + i, kinds, settings.repeats);
    const Medians bare = medians(shared.floor_parts + i, kinds + 1, settings.repeats);
    row.set("one_way_p50_ns", own.one_way->median);
    row.set("futex_one_way_p50_ns", bare.one_way->median);
    row.set("waker_p50_ns", own.waker->median);
    row.set("futex_waker_p50_ns", bare.waker->median);
    row.set("sleeps_per_round", own.sleeps->least);
    row.set("wait", std::string(to_string(settings.wait)));
    rows.push_back(std::move(row));
  }
}

}  // namespace

std::vector<Row> run_wake(const Settings& settings, Progress& progress) {
  std::vector<Row> rows;
  for (const std::size_t bytes : settings.sizes) run_size(settings, bytes, progress, rows);
  progress.clear();
  return rows;
}

}  // namespace shmq::bench
