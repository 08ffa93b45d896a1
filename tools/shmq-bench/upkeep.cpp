#include "upkeep.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>

#include "arena.hpp"
#include "counting.hpp"
#include "failure.hpp"
#include "queue_ends.hpp"
#include "stage.hpp"
#include "ticks.hpp"

extern char** environ;

namespace shmq::bench {

namespace {

constexpr std::uint64_t kUncounted = 20'000;
constexpr std::uint64_t kCounted = 1'000'000;
constexpr std::uint64_t kCountedQuick = 100'000;
constexpr std::size_t kBytes = 48;

struct Tally {
  bool filtered = false;
  bool counts_allocations = false;
  std::uint64_t system_calls = 0;
  std::uint64_t allocations = 0;
};

struct Costs {
  Barrier barrier{2};
  std::atomic<std::uint32_t> ready{0};
  Tally sides[2];
};

/// Runs `one` for messages that are not counted, then for `counted` that are, without a system call of its own.
template <class One>
void count(Costs& costs, Tally& tally, std::uint64_t counted, One&& one) {
  for (std::uint64_t i = 0; i < kUncounted; ++i) one(i);
  tally.counts_allocations = counts_allocations();
  tally.filtered = refuse_system_calls();
  // Nobody may wait for the other in the kernel from here on.
  costs.ready.fetch_add(1);
  while (costs.ready.load() < 2) {
  }
  const std::uint64_t refused = refused_so_far(), allocated = allocations_so_far();
  for (std::uint64_t i = 0; i < counted; ++i) one(i);
  tally.system_calls = refused_so_far() - refused;
  tally.allocations = allocations_so_far() - allocated;
}

}  // namespace

Row run_costs(const Settings& settings, Kind kind, Progress& progress, std::string& why) {
  Arena arena(sizeof(Costs) + 4096);
  Costs& costs = arena.make<Costs>();
  const std::uint64_t counted = settings.quick ? kCountedQuick : kCounted;
  const ScratchSegment name;
  const auto role = [&](bool produces) {
    return [&, produces] {
      std::optional<Segment> segment;
      if (produces) segment = create_segment(name.name(), {{"q", {kind, kBytes, 1024}}}, 2);
      costs.barrier.meet();
      if (!segment) segment = cli::need(Segment::open(name.name(), {.name = "shmq-bench", .prefault = true}));
      Queue<void> queue = cli::need(segment->open_queue("q"));
      Tally& tally = costs.sides[produces ? 0 : 1];
      std::uint64_t sum = 0;
      if (produces) {
        ShmqSender sender(queue, kBytes, Wait::spin);
        count(costs, tally, counted, [&](std::uint64_t i) { sender.send(i); });
        ::_exit(0);
      }
      ShmqReceiver receiver(queue, kBytes, Wait::spin);
      count(costs, tally, counted, [&](std::uint64_t) { receiver.receive(sum, [](std::uint64_t) {}); });
      ::_exit(0);
    };
  };
  progress.begin(std::string("system calls and allocations, ") + to_string(kind), 0, nullptr);
  perform({{"producer", settings.cpu(0), role(true)}, {"consumer", settings.cpu(1), role(false)}}, progress);
  Row row{std::string("costs/") + to_string(kind), {}};
  const double messages = static_cast<double>(counted);
  const Tally &producer = costs.sides[0], &consumer = costs.sides[1];
  if (producer.filtered && consumer.filtered)
    row.set("system_calls_per_message",
            static_cast<double>(producer.system_calls + consumer.system_calls) / messages);
  else
    why = "the kernel refuses a seccomp filter";
  if (producer.counts_allocations && consumer.counts_allocations)
    row.set("allocations_per_message",
            static_cast<double>(producer.allocations + consumer.allocations) / messages);
  else
    why = "this build does not count allocations";
  if (*why_nothing_is_counted() != 0) why = why_nothing_is_counted();
  row.set("messages", counted);
  return row;
}

namespace {

/// What one role measures several times, in nanoseconds.
template <class Measure>
std::vector<double> measured_by_one(const Settings& settings, Progress& progress, const std::string& what,
                                    unsigned times, Measure&& measure) {
  Arena arena(sizeof(double) * times + 4096);
  double* const results = arena.make_array<double>(times);
  progress.begin(what, 0, nullptr);
  perform({{what, settings.cpu(0), [&] { measure(results); }}}, progress);
  return {results, results + times};
}

double elapsed_ns(std::uint64_t since) {
  return tick_clock.ns(static_cast<double>(ticks_between(since, read_clock())));
}

std::string stat_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto path = self.parent_path() / "shmq-stat";
  return !error && ::access(path.c_str(), X_OK) == 0 ? path.string() : std::string();
}

void run_program(const std::string& path) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  std::string program = path, command = "list";
  char* const arguments[] = {program.data(), command.data(), nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, path.c_str(), &actions, nullptr, arguments, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (error != 0 || ::waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw cli::Failure{cli::kFailed, path + " list failed"};
}

}  // namespace

Row run_attach(const Settings& settings, Progress& progress) {
  constexpr unsigned kTimes = 21;
  const ScratchSegment name;
  const std::vector<double> times = measured_by_one(settings, progress, "attach", kTimes, [&](double* into) {
    const Segment segment = create_segment(name.name(), {{"q", {Kind::mpmc, kBytes, 1024}}}, 64);
    for (unsigned i = 0; i < kTimes; ++i) {
      const std::uint64_t start = read_clock();
      Segment opened = cli::need(Segment::open(name.name()));
      const Queue<void> queue = cli::need(opened.open_queue("q"));
      into[i] = elapsed_ns(start);
    }
  });
  Row row{"costs/attach", {}};
  row.set("attach_ns", spread_of(times));
  return row;
}

Row run_stat_list(const Settings& settings, Progress& progress, std::string& why) {
  constexpr unsigned kTimes = 11, kQueues = 100;
  Row row{"costs/stat-list", {}};
  const std::string program = stat_program();
  if (program.empty()) {
    why = "there is no shmq-stat beside this program";
    return row;
  }
  const ScratchSegment name;
  const std::vector<double> times =
      measured_by_one(settings, progress, "shmq-stat list", kTimes, [&](double* into) {
        std::vector<NamedQueue> queues;
        for (unsigned i = 0; i < kQueues; ++i)
          queues.push_back({"q" + std::to_string(i), {Kind::mpmc, kBytes, 64}});
        const Segment segment = create_segment(name.name(), queues, 16);
        for (unsigned i = 0; i < kTimes; ++i) {
          const std::uint64_t start = read_clock();
          run_program(program);
          into[i] = elapsed_ns(start);
        }
      });
  row.set("list_ns", spread_of(times));
  return row;
}

}  // namespace shmq::bench
