// tasks/waiting: what claiming and starting a task costs while so many others wait.
#include <algorithm>
#include <optional>

#include "arena.hpp"
#include "failure.hpp"
#include "payload.hpp"
#include "queue_ends.hpp"
#include "stage.hpp"
#include "task_lanes.hpp"
#include "tasks.hpp"
#include "ticks.hpp"

namespace shmq::bench {

namespace {

/// Tasks that are claimed and started between two readings of the clock, and held until then.
constexpr unsigned kBurst = 64;
/// By time, so many bursts at least.
constexpr std::uint64_t kBurstsLeast = 20;

constexpr TaskPolicy kPolicies[] = {TaskPolicy::fifo, TaskPolicy::priority, TaskPolicy::edf};

struct Shared {
  Shared(std::size_t lanes, unsigned samples)
      : arena(samples * lanes * sizeof(double) + (16u << 10)),
        claim_ns(arena.make_array<double>(samples * lanes)),
        done(arena.make<std::atomic<std::uint64_t>>()) {}
  Arena arena;
  double* claim_ns;
  std::atomic<std::uint64_t>& done;
};

/// Submitter and worker in one process: nothing is measured but what the table itself costs.
class Claimer {
 public:
  Claimer(const Settings& settings, TaskPolicy policy, Shared& shared, const std::string& segment)
      : settings_(settings), policy_(policy), shared_(shared), segment_name_(segment), payload_(64) {}

  void run() {
    std::vector<NamedTable> tables;
    for (const std::uint64_t waiting : settings_.waiting) tables.push_back({"waiting-" + std::to_string(waiting), options_for(waiting)});
    Segment segment = create_tables(segment_name_, tables);
    for (std::size_t i = 0; i < tables.size(); ++i) {
      tables_.push_back(open_table(segment, tables[i].name));
      for (std::uint64_t n = 0; n < settings_.waiting[i]; ++n) submit(tables_[i]);
      shared_.done.fetch_add(1, std::memory_order_relaxed);
    }
    for (unsigned sample = 0; sample <= settings_.repeats; ++sample)  // the first warms up
      for (std::size_t i = 0; i < tables_.size(); ++i) {
        shared_.claim_ns[sample * tables_.size() + i] = measure(tables_[i]);
        shared_.done.fetch_add(1, std::memory_order_relaxed);
      }
  }

 private:
  TaskTableOptions options_for(std::uint64_t waiting) const {
    TaskTableOptions options;
    options.policy = policy_;
    options.capacity = static_cast<std::uint32_t>(waiting + 2 * kBurst);
    return options;
  }

  void submit(TaskTable& table) {
    write_payload(payload_.data(), payload_.size(), ++number_);
    if (const Submitted submitted = table.try_submit(payload_, ordered({.keep = false}, policy_, number_)); !submitted) fail_with("try_submit", submitted.outcome);
  }

  /// Nanoseconds of a claim and a start. What was started is completed, and as many are submitted again, between bursts.
  double measure(TaskTable& table) {
    TaskWorker worker = table.worker({.wait = Wait::spin});
    std::vector<Run> runs;
    runs.reserve(kBurst);
    std::uint64_t ticks = 0, bursts = 0, sum = 0;
    const std::uint64_t begin = read_clock(), most = tick_clock.units(settings_.sample_ns);
    do {
      const std::uint64_t before = read_clock();
      for (unsigned i = 0; i < kBurst; ++i) runs.push_back(worker.try_next());
      ticks += ticks_between(before, read_clock());
      for (Run& run : runs) {
        if (!run) fail_with("try_next", run.outcome());
        sum += first_word(run.payload().data());
        if (const Outcome outcome = run.done(); outcome != Outcome::ok) fail_with("done", outcome);
      }
      runs.clear();
      for (unsigned i = 0; i < kBurst; ++i) submit(table);
      ++bursts;
    } while (settings_.count != 0 ? bursts * kBurst < settings_.count : bursts < kBurstsLeast || read_clock() - begin < most);
    keep(sum);
    return tick_clock.ns(static_cast<double>(ticks)) / static_cast<double>(bursts * kBurst);
  }

  const Settings& settings_;
  const TaskPolicy policy_;
  Shared& shared_;
  const std::string& segment_name_;
  std::vector<std::byte> payload_;
  std::vector<TaskTable> tables_;
  std::uint64_t number_ = 0;
};

void run_policy(const Settings& settings, TaskPolicy policy, Progress& progress, std::vector<Row>& rows) {
  const std::size_t lanes = settings.waiting.size();
  Shared shared(lanes, settings.repeats + 1);
  const ScratchSegment segment;
  progress.begin(std::string("tasks/waiting, ") + shmq::to_string(policy), lanes * (settings.repeats + 2), &shared.done);
  perform({{"the claimer", settings.cpu(0), [&] { Claimer(settings, policy, shared, segment.name()).run(); }}}, progress);
  const std::size_t fewest =
      static_cast<std::size_t>(std::min_element(settings.waiting.begin(), settings.waiting.end()) - settings.waiting.begin());
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    std::vector<double> claims, ratios;
    for (unsigned sample = 1; sample <= settings.repeats; ++sample) {
      const double* const ns = shared.claim_ns + sample * lanes;
      claims.push_back(ns[lane]);
      ratios.push_back(ns[lane] / ns[fewest]);
    }
    const std::string is = policy == TaskPolicy::fifo ? "" : std::string("/") + shmq::to_string(policy);
    Row row{"tasks/waiting/" + std::to_string(settings.waiting[lane]) + is, {}};
    row.set("claim_ns", spread_of(claims));
    if (lane != fewest) row.set("vs_fewest", spread_of(ratios));
    row.set("repeats", static_cast<std::uint64_t>(settings.repeats));
    rows.push_back(std::move(row));
  }
}

}  // namespace

std::vector<Row> run_task_waiting(const Settings& settings, Progress& progress) {
  std::vector<Row> rows;
  for (const TaskPolicy policy : kPolicies) run_policy(settings, policy, progress, rows);
  return rows;
}

}  // namespace shmq::bench
