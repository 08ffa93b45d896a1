// tasks/latency: from before submit() until a worker has started the task; beside one cache line, or a bare futex wake, on
// the same way.
#include <sys/resource.h>

#include <algorithm>
#include <optional>

#include "arena.hpp"
#include "failure.hpp"
#include "futex_ping.hpp"
#include "one_way.hpp"
#include "queue_ends.hpp"
#include "samples.hpp"
#include "stage.hpp"
#include "task_lanes.hpp"
#include "tasks.hpp"

namespace shmq::bench {

namespace {

constexpr std::uint64_t kSpinWarmUp = 200, kSleepWarmUp = 50;
/// A sample of sleepers by time counts so many at least, however short its time: one takes 100 us of pauses alone.
constexpr std::uint64_t kSleepLeast = 50;
/// Several times what it takes to fall asleep.
constexpr std::int64_t kThinkNs = 100'000;

struct Shared {
  explicit Shared(unsigned repeats)
      : arena(repeats * (6 * sizeof(Histogram) + sizeof(double)) + (64u << 10)),
        floors(arena.make_array<Histogram>(repeats * 2)),
        spin(arena.make_array<Histogram>(repeats)),
        futexes(arena.make_array<Histogram>(repeats * 2)),
        sleep(arena.make_array<Histogram>(repeats)),
        sleeps(arena.make_array<double>(repeats)),
        barrier(arena.make<Barrier>(2u)),
        lines(arena.make<OneWayLines>()),
        floor_line(arena.make<FloorLines::Line>()),
        futex(arena.make<FutexWords>()),
        done(arena.make<std::atomic<std::uint64_t>>()) {}

  Arena arena;
  Histogram *floors, *spin, *futexes, *sleep;
  double* sleeps;  // of the worker, for each task
  Barrier& barrier;
  OneWayLines& lines;
  FloorLines::Line& floor_line;
  FutexWords& futex;
  std::atomic<std::uint64_t>& done;
};

std::uint64_t sleeps_so_far() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_nvcsw);
}

class Side {
 public:
  Side(const Settings& settings, const TaskLane& lane, Shared& shared, const std::string& segment, bool submits)
      : settings_(settings), lane_(lane), shared_(shared), segment_name_(segment), submits_(submits), payload_(lane.bytes) {}

  void run() {
    if (submits_) segment_ = create_tables(segment_name_, {{"latency", lane_.table}});
    shared_.barrier.meet();
    if (!submits_) segment_ = cli::need(Segment::open(segment_name_, {.name = "shmq-bench", .prefault = true}));
    TaskTable table = open_table(*segment_, "latency");
    for (unsigned i = 0; i < settings_.repeats; ++i) {
      measure_line(shared_.floors[2 * i]);
      measure_tasks(table, Wait::spin, kSpinWarmUp, shared_.spin[i]);
      measure_line(shared_.floors[2 * i + 1]);
      measure_futex(shared_.futexes[2 * i]);
      const std::uint64_t slept = sleeps_so_far();
      measure_tasks(table, Wait::spin_futex, kSleepWarmUp, shared_.sleep[i]);
      const std::uint64_t tasks = shared_.sleep[i].count() + kSleepWarmUp;
      if (!submits_) shared_.sleeps[i] = static_cast<double>(sleeps_so_far() - slept) / static_cast<double>(tasks);
      measure_futex(shared_.futexes[2 * i + 1]);
    }
  }

 private:
  SampleLength length(std::uint64_t warm_up) const {
    return {settings_.count, tick_clock.units(settings_.sample_ns), warm_up};
  }

  /// `warm_up` of kSleepWarmUp: the other side sleeps.
  template <class Send, class Receive, class After>
  void measure(std::uint64_t warm_up, Histogram& into, Send&& send, Receive&& receive, After&& after) {
    shared_.barrier.meet();
    const bool sleeps = warm_up == kSleepWarmUp;
    if (submits_)
      one_way_ping(shared_.lines, length(warm_up), sleeps ? kSleepLeast : 0, sleeps ? tick_clock.units(kThinkNs) : 0, send);
    else
      one_way_pong(shared_.lines, warm_up, into, receive, after);
    if (submits_) shared_.done.fetch_add(1, std::memory_order_relaxed);
  }

  void measure_line(Histogram& into) {
    std::atomic<std::uint64_t>& word = shared_.floor_line.word;
    std::uint64_t last = word.load(std::memory_order_relaxed);  // 0, or the end of the sample before
    measure(
        kSpinWarmUp, into, [&](std::uint64_t number) { word.store(number, std::memory_order_release); },
        [&] {
          std::uint64_t seen = last;
          while (seen == last) seen = word.load(std::memory_order_acquire);
          return last = seen;
        },
        [] {});
  }

  void measure_futex(Histogram& into) {
    std::atomic<std::uint32_t>& word = shared_.futex.there.word;
    std::uint32_t last = word.load(std::memory_order_relaxed);
    measure(
        kSleepWarmUp, into, [&](std::uint64_t number) { put_and_wake(word, static_cast<std::uint32_t>(number)); },
        [&] {
          last = sleep_until_other(word, last);
          return last == static_cast<std::uint32_t>(kEnd) ? kEnd : last;
        },
        [] {});
  }

  void measure_tasks(TaskTable& table, Wait wait, std::uint64_t warm_up, Histogram& into) {
    std::optional<TaskWorker> worker;
    if (!submits_) worker.emplace(table.worker({.wait = wait}));
    Run run;
    measure(
        warm_up, into,
        [&](std::uint64_t number) {
          write_payload(payload_.data(), payload_.size(), number);
          if (const Submitted submitted = table.submit(payload_, lane_.task); !submitted) fail_with("submit", submitted.outcome);
        },
        [&] {
          run = worker->next();
          if (!run) fail_with("next", run.outcome());
          return first_word(run.payload().data());
        },
        [&] {
          if (const Outcome outcome = run.done(); outcome != Outcome::ok) fail_with("done", outcome);
        });
  }

  const Settings& settings_;
  const TaskLane& lane_;
  Shared& shared_;
  const std::string& segment_name_;
  const bool submits_;
  std::vector<std::byte> payload_;
  std::optional<Segment> segment_;
};

}  // namespace

std::vector<Row> run_task_latency(const Settings& settings, Progress& progress) {
  Shared shared(settings.repeats);
  const TaskLane lane = task_lanes(settings).front();
  const ScratchSegment segment;
  const auto side = [&](bool submits) {
    return [&, submits] { Side(settings, lane, shared, segment.name(), submits).run(); };
  };
  progress.begin("tasks/latency", settings.repeats * 6, &shared.done);
  perform({{"the submitter", settings.cpu(0), side(true)}, {"the worker", settings.cpu(1), side(false)}}, progress);
  // One way is half of what --smt-below speaks of.
  const Samples spin(shared.floors, shared.spin, 1, settings.repeats, settings.smt_below_ns / 2);
  const Samples sleep(shared.futexes, shared.sleep, 1, settings.repeats, 0);
  std::vector<Row> rows{{"tasks/latency/spin", {}}, {"tasks/latency/sleep", {}}};
  spin.describe(0, rows[0], "floor");
  sleep.describe(0, rows[1], "futex");
  const auto slept = spread_of(std::vector<double>(shared.sleeps, shared.sleeps + settings.repeats));
  rows[1].set("sleeps_per_round", slept->least);
  rows[0].set("wait", std::string(to_string(Wait::spin)));
  rows[1].set("wait", std::string(to_string(Wait::spin_futex)));
  return rows;
}

}  // namespace shmq::bench
