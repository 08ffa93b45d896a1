// tasks/killed: from the SIGKILL of a worker until the task that it ran runs in another process.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>
#include <random>

#include "arena.hpp"
#include "base/text.hpp"
#include "failure.hpp"
#include "queue_ends.hpp"
#include "stage.hpp"
#include "task_lanes.hpp"
#include "tasks.hpp"
#include "ticks.hpp"

namespace shmq::bench {

namespace {

/// The other worker has waited so long, about, when the one is killed: chance decides, so that no clockwork of the table
/// runs in step with the kills.
constexpr unsigned kWaitLeastUs = 5'000, kWaitMostUs = 45'000;

enum Stage : std::uint32_t { kNobody, kAttached, kRuns };

struct Shared {
  explicit Shared(std::uint64_t kills)
      : arena(2 * kills * sizeof(double) + (64u << 10)),
        taken_ns(arena.make_array<double>(kills)),
        gone_ns(arena.make_array<double>(kills)),
        barrier(arena.make<Barrier>(2u)),
        victim(arena.make<std::atomic<std::uint32_t>>()),
        killed_at(arena.make<std::atomic<std::uint64_t>>()),
        done(arena.make<std::atomic<std::uint64_t>>()) {}
  Arena arena;
  double* taken_ns;  // from the kill until the other one runs the task
  double* gone_ns;   // from the kill until its parent knows that it is dead
  Barrier& barrier;
  std::atomic<std::uint32_t>& victim;  // its Stage
  std::atomic<std::uint64_t>& killed_at;
  std::atomic<std::uint64_t>& done;
};

void await(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
  while (word.load(std::memory_order_acquire) != value) ::usleep(100);
}

TaskWorker worker_of(TaskTable& table, const Settings& settings) {
  return table.worker({.wait = settings.wait_given ? settings.wait : Wait::spin_futex});
}

/// Starts the one task, and lives until it is killed.
[[noreturn]] void be_victim(const Settings& settings, Shared& shared, const std::string& name, pid_t parent) {
  int status = 0;
  try {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    Segment segment = cli::need(Segment::open(name, {.name = "shmq-bench victim"}));
    TaskTable table = open_table(segment, "killed");
    TaskWorker worker = worker_of(table, settings);
    shared.victim.store(kAttached, std::memory_order_release);
    Run run = worker.next();
    if (!run) ::_exit(2);
    shared.victim.store(kRuns, std::memory_order_release);
    for (;;) ::pause();
  } catch (...) {
    status = 3;
  }
  ::_exit(status);
}

void kill_all(const Settings& settings, Shared& shared, const std::string& segment) {
  std::mt19937 random(1);
  std::uniform_int_distribution<unsigned> waits(kWaitLeastUs, kWaitMostUs);
  shared.barrier.meet();  // the segment is there
  for (std::uint64_t i = 0; i < settings.kills; ++i) {
    const pid_t self = ::getpid(), victim = ::fork();
    if (victim == 0) be_victim(settings, shared, segment, self);
    if (victim < 0) throw cli::Failure{cli::kFailed, "cannot start a process: " + base::errno_text(errno)};
    while (shared.victim.load(std::memory_order_acquire) != kRuns) {
      if (::waitpid(victim, nullptr, WNOHANG) == victim) throw cli::Failure{cli::kFailed, "a worker ended before it was killed"};
      ::usleep(100);
    }
    ::usleep(waits(random));
    const std::uint64_t before = read_clock();
    shared.killed_at.store(before, std::memory_order_release);
    ::kill(victim, SIGKILL);
    ::waitpid(victim, nullptr, 0);
    shared.gone_ns[i] = tick_clock.ns(static_cast<double>(ticks_between(before, read_clock())));
    shared.barrier.meet();  // the other worker has the task
    shared.done.fetch_add(1, std::memory_order_relaxed);
  }
}

void take_over_all(const Settings& settings, Shared& shared, const std::string& name) {
  Segment segment = create_tables(name, {{"killed", {}}});
  TaskTable table = open_table(segment, "killed");
  TaskWorker worker = worker_of(table, settings);
  shared.barrier.meet();
  for (std::uint64_t i = 0; i < settings.kills; ++i) {
    await(shared.victim, kAttached);
    const std::uint64_t payload = i;
    const Submitted submitted = table.submit(std::as_bytes(std::span(&payload, 1)), {.keep = false});
    if (!submitted) fail_with("submit", submitted.outcome);
    await(shared.victim, kRuns);
    Run run = worker.next();
    const std::uint64_t now = read_clock();
    if (!run) fail_with("next", run.outcome());
    if (run.id() != submitted.id || run.runs_before() != 1)
      throw cli::Failure{cli::kFailed, "another task came than that of the worker that was killed"};
    const std::uint64_t killed = shared.killed_at.exchange(0, std::memory_order_acq_rel);
    if (killed == 0) throw cli::Failure{cli::kFailed, "the task of a worker that lives was taken away"};
    shared.taken_ns[i] = tick_clock.ns(static_cast<double>(ticks_between(killed, now)));
    shared.victim.store(kNobody, std::memory_order_release);
    if (const Outcome outcome = run.done(); outcome != Outcome::ok) fail_with("done", outcome);
    shared.barrier.meet();
  }
}

}  // namespace

std::vector<Row> run_task_killed(const Settings& settings, Progress& progress) {
  Shared shared(settings.kills);
  const ScratchSegment segment;
  progress.begin("tasks/killed", settings.kills, &shared.done);
  perform({{"the killer", settings.cpu(0), [&] { kill_all(settings, shared, segment.name()); }},
           {"the other worker", settings.cpu(1), [&] { take_over_all(settings, shared, segment.name()); }}},
          progress);
  Row row{"tasks/killed", {}};
  const auto taken = spread_of({shared.taken_ns, shared.taken_ns + settings.kills});
  const auto gone = spread_of({shared.gone_ns, shared.gone_ns + settings.kills});
  row.set("p50_ns", taken->median);
  row.set("max_ns", taken->greatest);
  row.set("gone_p50_ns", gone->median);
  row.set("gone_max_ns", gone->greatest);
  row.set("kills", settings.kills);
  return {row};
}

}  // namespace shmq::bench
