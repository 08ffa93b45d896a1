// shmq-soak-tasks: submitters and workers over one task table, killed and stopped at random, judged by a
// ledger outside.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "accounting.hpp"
#include "shmq/base/clock.hpp"
#include "task_keeper.hpp"
#include "task_roles.hpp"

namespace {

using namespace soak;
using shmq::base::monotonic_ns;

constexpr const char* kUsage = R"(Usage: shmq-soak-tasks [OPTION...]

Submitters and workers over one task table of 512 records. One of them is killed (SIGKILL) every 50 ms on average, or stopped
(SIGSTOP, SIGCONT), and replaced; besides a submitter every 20 ms, many of them inside of submit(), and whoever keeps the time every 250 ms. A quarter of the
tasks have one of 16 keys, some a longest run time, which some runs exceed, or a delay. Each process notes what it does in a
mapping outside of the segment; a collector, which is never killed, removes what is done. At the end each task must have been
completed by one run, and no two with the same key may have been there at once.

  --tasks N     at least so many (20000; with SHMQ_LONG=1 in the environment 200000)
  --kills N     at least so many (400; 4000)
  --seed N      of the dice (from the clock); the schedule of the processes is the kernel's and is not repeated
  --submitters N  2
  --workers N   4

Exit status: 0 no violation; 1 a violation, said on stderr; 2 usage.
)";

constexpr double kHangSeconds = 120;  // a detector of hangs, not a measure of speed

struct Settings {
  std::uint64_t tasks = 20000, kills = 400, seed = 1;
  std::uint32_t submitters = 2, workers = 4;
};

class Soak {
 public:
  explicit Soak(const Settings& settings)
      : settings_(settings), dice_(settings.seed), segment_("soak-tasks-" + std::to_string(::getpid())) {
    void* shared = ::mmap(nullptr, sizeof(TaskLedger), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED) std::abort();
    ledger_ = static_cast<TaskLedger*>(shared);  // zeros are its first state, and no page is touched for them
    const auto add = [&](TaskRole role, std::uint32_t count) {
      for (std::uint32_t i = 0; i < count; ++i) children_.push_back({.role = role});
    };
    add(TaskRole::collector, 1);
    add(TaskRole::submitter, settings.submitters);
    add(TaskRole::worker, settings.workers);
  }
  ~Soak() {
    for (Child& child : children_)
      if (child.pid != 0) {
        ::kill(child.pid, SIGKILL);
        ::waitpid(child.pid, nullptr, 0);
      }
    (void)shmq::Segment::remove(segment_);
  }
  Soak(const Soak&) = delete;
  Soak& operator=(const Soak&) = delete;

  bool run() {
    if (!create()) return false;
    for (Child& child : children_) start(child);
    while (ledger_->next < settings_.tasks || counts_.kills < settings_.kills) {
      harm_somebody();
      if (!look_after_children()) return false;
      ::usleep(500);
    }
    // The end of it under fire, too: who submits is killed at last, in the middle of whatever it does.
    ledger_->phase = TaskLedger::finish;
    for (Child& child : children_)
      if (child.role == TaskRole::submitter) kill(child);
    if (!look_after_children() || !wait_until_empty()) return false;
    for (Child& child : children_) resume(child);
    ledger_->phase = TaskLedger::leave;
    bool fine = true;
    for (Child& child : children_) {
      int status = 0;
      ::waitpid(child.pid, &status, 0);
      child.pid = 0;
      if (status != 0) fine = complain("a process left with status " + std::to_string(status));
    }
    return judge() && account() && fine;
  }

 private:
  struct Child {
    TaskRole role;
    pid_t pid = 0;
    std::int64_t stopped_until_ns = 0;  // 0: running
    bool killed = false;
  };

  bool complain(const std::string& what) {
    std::fprintf(stderr, "shmq-soak-tasks: seed %llu: %s\n", static_cast<unsigned long long>(settings_.seed),
                 what.c_str());
    return false;
  }
  std::uint64_t pick(std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>(low, high)(dice_);
  }
  bool create() {
    shmq::SegmentOptions options;
    options.size_bytes = 16u << 20;
    options.blocks = {{1024, 96}};
    options.participants_max = static_cast<std::uint32_t>(children_.size()) + 6;
    options.objects_max = 8;
    auto made = shmq::Segment::create(segment_, options, {.name = "soak supervisor"});
    if (!made) return complain(made.error().message());
    if (auto table = made->task_table(kTaskTable, task_table_options()); !table)
      return complain(table.error().message());
    try {
      keeper_.emplace(segment_, kTaskTable);
    } catch (const std::exception& error) {
      return complain(error.what());
    }
    return true;
  }
  void start(Child& child) {
    child.killed = false;
    child.stopped_until_ns = 0;
    const TaskPlace place{child.role, ++number_, segment_, dice_()};
    const pid_t parent = ::getpid();
    child.pid = ::fork();
    if (child.pid != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(3);
    ::_exit(run_task_role(*ledger_, place));
  }
  void resume(Child& child) {
    if (child.stopped_until_ns == 0) return;
    child.stopped_until_ns = 0;
    ::kill(child.pid, SIGCONT);
  }
  void kill(Child& child) {
    ::kill(child.pid, SIGKILL);
    child.killed = true;
    ++counts_.kills;
    counts_.worker_kills += child.role == TaskRole::worker;
  }
  /// True where it is time for that, and the next time is set.
  bool is_due(std::int64_t& next_ns, std::uint64_t mean_us) {
    const std::int64_t now = monotonic_ns();
    if (now < next_ns) return false;
    next_ns = now + static_cast<std::int64_t>(pick(1, 2 * mean_us)) * 1000;
    return true;
  }
  void kill_a_submitter() {
    Child& child = children_[pick(1, settings_.submitters)];  // behind the collector
    if (is_due(next_submitter_ns_, 20'000)) kill(child), ++submitter_kills_;
  }
  void kill_the_timekeeper() {
    const pid_t keeper = keeper_->timekeeper();
    if (keeper == 0 || !is_due(next_keeper_ns_, 250'000)) return;
    for (Child& child : children_)
      if (child.pid == keeper && child.role != TaskRole::collector && !child.killed) kill(child), ++keeper_kills_;
  }
  void harm_somebody() {
    if (ledger_->phase == TaskLedger::submit) kill_a_submitter();
    kill_the_timekeeper();
    const std::int64_t now = monotonic_ns();
    for (Child& child : children_)
      if (child.stopped_until_ns != 0 && now >= child.stopped_until_ns) resume(child);
    if (now < next_harm_ns_) return;
    next_harm_ns_ =
        now + static_cast<std::int64_t>(pick(1'000, 75'000)) * 1000;  // a quarter of them are stops
    Child& child = children_[pick(1, children_.size() - 1)];
    if (pick(0, 3) != 0) return kill(child);  // a stopped one, too
    if (child.stopped_until_ns != 0) return;
    ::kill(child.pid, SIGSTOP);
    child.stopped_until_ns =
        now + static_cast<std::int64_t>(pick(100, pick(0, 9) == 0 ? 150'000 : 15'000)) * 1000;
    ++stops_;
  }
  bool look_after_children() {
    bool fine = true;
    for (Child& child : children_) {
      int status = 0;
      if (::waitpid(child.pid, &status, child.killed ? 0 : WNOHANG) != child.pid) continue;
      const bool by_itself = child.role == TaskRole::submitter && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
      if (!child.killed && by_itself)
        ++counts_.kills, ++own_kills_;
      else if (!child.killed)
        fine = complain(std::string("a process ended ") +
                        (WIFSIGNALED(status) ? "by signal " + std::to_string(WTERMSIG(status))
                                             : "with status " + std::to_string(WEXITSTATUS(status))));
      child.pid = 0;
      start(child);
    }
    return fine;
  }
  bool wait_until_empty() {
    std::uint64_t collected = ledger_->collected;
    std::int64_t since = monotonic_ns();
    // Twice: one look may have begun before the last submitter was dead.
    ledger_->empty = 0;
    while (ledger_->empty < 3) {
      harm_somebody();
      if (!look_after_children()) return false;
      if (const std::uint64_t now = ledger_->collected; now != collected) {
        collected = now;
        since = monotonic_ns();
      } else if (static_cast<double>(monotonic_ns() - since) > kHangSeconds * 1e9) {
        describe_table();
        return complain("hangs: tasks are left, and nobody completes them");
      }
      ::usleep(500);
    }
    return true;
  }
  void describe_table() {
    auto segment = shmq::Segment::open(segment_, {.name = "soak supervisor"});
    if (!segment) return;
    auto table = segment->open_task_table(kTaskTable);
    if (!table) return;
    table->for_each([](const shmq::TaskInfo& info) {
      std::fprintf(stderr, "  task %llx: %s, owner %u, %u runs\n", static_cast<unsigned long long>(info.id),
                   shmq::to_string(info.state), info.owner, info.runs);
    });
  }
  bool judge() {
    const std::uint32_t count = std::min<std::uint32_t>(ledger_->next, TaskLedger::kNumbers);
    counts_.crashes = ledger_->crashes, counts_.timeouts = ledger_->timeouts;
    const TaskVerdict verdict = judge_tasks(ledger_->entries, count, ledger_->done_began_ns, counts_);
    for (const std::string& violation : verdict.violations) complain(violation);
    const auto n = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
    std::printf(
        "tasks: seed %llu, %.0f s, %llu tasks submitted, %llu intended by the killed; %llu done, %llu of them with a key; %llu "
        "duplicates; %llu kills: %llu of workers, %llu of submitters more, %llu inside of submit(), %llu of timekeepers; %llu stops; %llu runs too many, "
        "%llu given back, %llu counted as crashes, %llu as too long; %llu runs lost their lease; %s\n",
        n(settings_.seed), static_cast<double>(monotonic_ns() - began_ns_) / 1e9, n(verdict.submitted), n(verdict.unsure),
        n(verdict.done), n(verdict.keyed), n(verdict.duplicates), n(counts_.kills), n(counts_.worker_kills),
        n(submitter_kills_), n(own_kills_), n(keeper_kills_), n(stops_), n(verdict.extra_runs), n(verdict.given_back), n(counts_.crashes),
        n(counts_.timeouts), n(verdict.stale), verdict.violation_count == 0 ? "no violation" : "VIOLATIONS");
    return verdict.violation_count == 0 && ledger_->wrong == 0;
  }
  bool account() {
    bool fine = true;
    {
      auto segment = shmq::Segment::open(segment_, {.name = "soak supervisor"});
      if (!segment) return complain(segment.error().message());
      if (auto removed = segment->remove_task_table(kTaskTable); !removed)
        fine = complain(removed.error().message());
    }
    auto attachment = shmq::core::Attachment::open(segment_, {.name = "soak supervisor"});
    if (!attachment) return complain(attachment.error().message());
    (void)(*attachment)->reap();
    for (const std::string& what : unaccounted(**attachment, 0)) fine = complain(what);
    attachment->reset();
    if (auto removed = shmq::Segment::remove(segment_); !removed) fine = complain(removed.error().message());
    for (const auto& file : std::filesystem::directory_iterator("/dev/shm"))
      if (file.path().filename().string().find(segment_) != std::string::npos)
        fine = complain("left in /dev/shm: " + file.path().string());
    return fine;
  }

  Settings settings_;
  std::mt19937_64 dice_;
  std::string segment_;
  TaskLedger* ledger_ = nullptr;
  std::vector<Child> children_;  // the collector first
  std::uint32_t number_ = 0;
  std::optional<KeeperWatch> keeper_;
  const std::int64_t began_ns_ = monotonic_ns();
  std::int64_t next_harm_ns_ = 0, next_submitter_ns_ = 0, next_keeper_ns_ = 0;
  std::uint64_t stops_ = 0, submitter_kills_ = 0, own_kills_ = 0, keeper_kills_ = 0;
  TaskCounts counts_;
};

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  const char* const is_long = std::getenv("SHMQ_LONG");
  if (is_long != nullptr && std::strcmp(is_long, "1") == 0) settings.tasks = 200'000, settings.kills = 4000;
  settings.seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help" || option == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    char* end = nullptr;
    const std::uint64_t number = i + 1 < argc ? std::strtoull(argv[++i], &end, 10) : 0;
    const bool sound = end != nullptr && *end == '\0' && end != argv[i];
    if (sound && option == "--tasks")
      settings.tasks = number;
    else if (sound && option == "--kills")
      settings.kills = number;
    else if (sound && option == "--seed")
      settings.seed = number;
    else if (sound && option == "--submitters" && number >= 1 && number <= 20)
      settings.submitters = static_cast<std::uint32_t>(number);
    else if (sound && option == "--workers" && number >= 1 && number <= 20)
      settings.workers = static_cast<std::uint32_t>(number);
    else {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  return Soak(settings).run() ? 0 : 1;
}
