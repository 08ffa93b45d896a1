// tasks/delayed: how late delayed tasks start; beside a process that does nothing but sleep until the same times.
#include <time.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>

#include "arena.hpp"
#include "failure.hpp"
#include "payload.hpp"
#include "queue_ends.hpp"
#include "samples.hpp"
#include "stage.hpp"
#include "task_lanes.hpp"
#include "tasks.hpp"
#include "ticks.hpp"

namespace shmq::bench {

namespace {

/// Between two times on the average: 100,000 are spread over 3 s, and a worker keeps up that sleeps before each.
constexpr std::int64_t kGapNs = 30'000;
/// The first is due so much after the last was submitted, if submitting one takes no longer than kSubmitNs.
constexpr std::int64_t kLeadNs = 50'000'000;
constexpr std::int64_t kSubmitNs = 5'000;
/// The bare timer has the times of so many tasks, before and after.
constexpr std::uint64_t kTimerShare = 5;

std::int64_t boot_ns() { return base::clock_ns(CLOCK_BOOTTIME); }

/// Times after a beginning, in no order, as delays have none.
std::vector<std::int64_t> random_times(std::uint64_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::int64_t> at(0, static_cast<std::int64_t>(count) * kGapNs);
  std::vector<std::int64_t> times(count);
  for (std::int64_t& time : times) time = at(random);
  return times;
}

struct Shared {
  explicit Shared(unsigned repeats)
      : arena(repeats * 3 * sizeof(Histogram) + (64u << 10)),
        timers(arena.make_array<Histogram>(repeats * 2)),
        starts(arena.make_array<Histogram>(repeats)),
        barrier(arena.make<Barrier>(2u)),
        early(arena.make<std::atomic<std::uint64_t>>()),
        late(arena.make<std::atomic<std::uint64_t>>()),
        done(arena.make<std::atomic<std::uint64_t>>()) {}
  Arena arena;
  Histogram *timers, *starts;
  Barrier& barrier;
  std::atomic<std::uint64_t>& early;  // tasks that were started before their time: there may be none
  std::atomic<std::uint64_t>& late;   // tasks that were submitted after their time: they say nothing
  std::atomic<std::uint64_t>& done;
};

class Side {
 public:
  Side(const Settings& settings, Shared& shared, const std::string& segment, bool submits)
      : settings_(settings), shared_(shared), segment_name_(segment), submits_(submits) {}

  void run() {
    if (submits_) segment_ = create_tables(segment_name_, {{"delayed", options()}});
    shared_.barrier.meet();
    if (!submits_) segment_ = cli::need(Segment::open(segment_name_, {.name = "shmq-bench", .prefault = true}));
    table_.emplace(open_table(*segment_, "delayed"));
    for (unsigned i = 0; i < settings_.repeats; ++i) {
      step([&] { sleep_until_each(i, shared_.timers[2 * i]); });
      if (submits_)
        submit_all(i);
      else
        start_all(shared_.starts[i]);
      step([&] { sleep_until_each(i, shared_.timers[2 * i + 1]); });
    }
  }

 private:
  TaskTableOptions options() const {
    TaskTableOptions options;
    options.capacity = static_cast<std::uint32_t>(settings_.delayed);
    return options;
  }

  /// The worker's part of something, while the submitter waits.
  template <class Do>
  void step(Do&& work) {
    shared_.barrier.meet();
    if (!submits_) work();
    shared_.barrier.meet();
    if (submits_) shared_.done.fetch_add(1, std::memory_order_relaxed);
  }

  /// What a table would come to that costs nothing: the times in order, and a timer.
  void sleep_until_each(unsigned sample, Histogram& into) {
    std::vector<std::int64_t> times = random_times(std::max<std::uint64_t>(settings_.delayed / kTimerShare, 1), sample);
    std::sort(times.begin(), times.end());
    const std::int64_t begin = boot_ns() + kLeadNs;
    for (const std::int64_t time : times) {
      const std::int64_t due = begin + time;
      const timespec until{due / 1'000'000'000, due % 1'000'000'000};
      if (boot_ns() < due)
        while (::clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, nullptr) != 0) {
        }
      record(into, boot_ns() - due);
    }
  }

  void submit_all(unsigned sample) {
    const std::vector<std::int64_t> times = random_times(settings_.delayed, sample);
    const std::int64_t begin = boot_ns() + kLeadNs + static_cast<std::int64_t>(times.size()) * kSubmitNs;
    for (const std::int64_t time : times) {
      const std::int64_t due = begin + time, now = boot_ns();
      if (due <= now) {
        shared_.late.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      const Submitted submitted = table_->submit(std::as_bytes(std::span(&due, 1)), {.keep = false, .delay = std::chrono::nanoseconds(due - now)});
      if (!submitted) fail_with("submit", submitted.outcome);
    }
    shared_.done.fetch_add(1, std::memory_order_relaxed);
  }

  void start_all(Histogram& into) {
    TaskWorker worker = table_->worker({.wait = settings_.wait_given ? settings_.wait : Wait::spin_futex});
    while (into.count() + shared_.late.load(std::memory_order_relaxed) - late_before_ < settings_.delayed) {
      Run run = worker.next(std::chrono::milliseconds(100));
      const std::int64_t now = boot_ns();
      if (run.outcome() == Outcome::timeout) continue;
      if (!run) fail_with("next", run.outcome());
      std::int64_t due = 0;
      std::memcpy(&due, run.payload().data(), sizeof due);
      if (now < due) shared_.early.fetch_add(1, std::memory_order_relaxed);
      record(into, now - due);
      if (const Outcome outcome = run.done(); outcome != Outcome::ok) fail_with("done", outcome);
    }
    late_before_ = shared_.late.load(std::memory_order_relaxed);
  }

  static void record(Histogram& into, std::int64_t late_ns) {
    into.record(tick_clock.units(std::max<std::int64_t>(late_ns, 0)) / tick_clock.step);
  }

  const Settings& settings_;
  Shared& shared_;
  const std::string& segment_name_;
  const bool submits_;
  std::uint64_t late_before_ = 0;
  std::optional<Segment> segment_;
  std::optional<TaskTable> table_;
};

}  // namespace

std::vector<Row> run_task_delayed(const Settings& settings, Progress& progress) {
  Shared shared(settings.repeats);
  const ScratchSegment segment;
  const auto side = [&](bool submits) {
    return [&, submits] { Side(settings, shared, segment.name(), submits).run(); };
  };
  progress.begin("tasks/delayed", settings.repeats * 3, &shared.done);
  perform({{"the submitter", settings.cpu(0), side(true)}, {"the worker", settings.cpu(1), side(false)}}, progress);
  if (const std::uint64_t early = shared.early.load(); early != 0)
    throw cli::Failure{cli::kFailed, std::to_string(early) + " delayed tasks were started before their time"};
  Row row{"tasks/delayed/" + std::to_string(settings.delayed), {}};
  Samples(shared.timers, shared.starts, 1, settings.repeats, 0).describe(0, row, "timer");
  Histogram timers;
  for (unsigned i = 0; i < 2 * settings.repeats; ++i) timers.add(shared.timers[i]);
  row.set("timer_p99_ns", tick_clock.ns(timers.percentile(0.99)));
  row.set("timer_max_ns", tick_clock.ns(static_cast<double>(timers.max())));
  row.set("submitted_late", shared.late.load());
  return {row};
}

}  // namespace shmq::bench
