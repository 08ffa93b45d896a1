// Looking at a segment with 100 queues: the reader by itself, and the whole program that people run.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>

#include "parts/parts.hpp"

extern char** environ;

namespace bench {

namespace {

/// A segment with 100 queues that have been used.
class HundredQueues {
 public:
  HundredQueues()
      : segment_(shmq::Segment::create("shmq-bench-inspect-" + std::to_string(::getpid()), {.size_bytes = 64u << 20}).value()) {
    for (int i = 0; i < 100; ++i) {
      auto queue = segment_.queue("queue-" + std::to_string(i), {.capacity = 1024}).value();
      auto producer = queue.producer();
      for (int k = 0; k < i; ++k) (void)producer.try_send({});
    }
  }
  HundredQueues(const HundredQueues&) = delete;
  HundredQueues& operator=(const HundredQueues&) = delete;
  ~HundredQueues() { (void)shmq::Segment::remove(segment_.name()); }
  const std::string& name() const { return segment_.name(); }

 private:
  shmq::Segment segment_;
};

void inspect(benchmark::State& state, bool slots) {
  const HundredQueues hundred;
  for (auto _ : state) {
    const auto snapshot = shmq::inspect_segment(hundred.name(), {.slots = slots});
    if (!snapshot || snapshot->objects.size() != 100) return state.SkipWithError("not all queues were seen");
  }
}

#ifdef SHMQ_STAT
void run_stat(benchmark::State& state) {
  const HundredQueues hundred;
  std::string program = SHMQ_STAT;
  std::string command = "list";
  const std::array<char*, 3> arguments{program.data(), command.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  for (auto _ : state) {
    pid_t child = 0;
    int status = -1;
    if (::posix_spawn(&child, SHMQ_STAT, &actions, nullptr, arguments.data(), environ) != 0 ||
        ::waitpid(child, &status, 0) != child || status != 0)
      return state.SkipWithError("shmq-stat list failed");
  }
  ::posix_spawn_file_actions_destroy(&actions);
}
#endif

}  // namespace

void add_inspect_rows() {
  benchmark::RegisterBenchmark("inspect/100_queues/headers", [](benchmark::State& state) { inspect(state, false); });
  benchmark::RegisterBenchmark("inspect/100_queues/all_slots", [](benchmark::State& state) { inspect(state, true); });
#ifdef SHMQ_STAT
  benchmark::RegisterBenchmark("inspect/100_queues/shmq-stat_list", run_stat)->UseRealTime();
#endif
}

}  // namespace bench
