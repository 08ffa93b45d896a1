// The task table against a model of it: random operations, by worker processes that are killed and replaced, under clocks
// that the test moves and sets. The model knows the transitions of docs/architecture.md and nothing of the words. Time stands
// still between two operations: clock_gettime() is this program's own, so that every expiry, timeout and delay is exact.

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "task_support.hpp"

namespace {

/// Shared by the test and its workers.
struct Clocks {
  std::atomic<bool> ours{false};
  std::atomic<std::int64_t> boot_ns{0};
  std::atomic<std::int64_t> real_ahead_ns{0};
};
Clocks& clocks() {
  static Clocks* const shared = new (::mmap(nullptr, sizeof(Clocks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Clocks;
  return *shared;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
  if (!clocks().ours.load()) return static_cast<int>(::syscall(SYS_clock_gettime, clock, now));
  const bool real = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  const std::int64_t ns = clocks().boot_ns.load() + (real ? clocks().real_ahead_ns.load() : 0);
  *now = {ns / 1'000'000'000, ns % 1'000'000'000};
  return 0;
}

namespace shmq::test {
namespace {

using std::chrono::nanoseconds;
constexpr std::int64_t kMs = 1'000'000;

/// A worker process: does one thing at a time, when it is told to.
class Worker {
 public:
  explicit Worker(const std::string& segment) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[0]);
      serve(segment, ends[1]);
      ::_exit(0);
    }
    ::close(ends[1]);
    socket_ = ends[0];
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { kill(); }

  struct Answer {
    Outcome outcome = Outcome::corrupt;
    TaskId id = 0;
  };
  Answer ask(char what, TaskId id = 0) {
    const Question question{what, id};
    EXPECT_EQ(::send(socket_, &question, sizeof question, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof question));
    Answer answer;
    EXPECT_EQ(::recv(socket_, &answer, sizeof answer, 0), static_cast<ssize_t>(sizeof answer)) << "a worker died by itself";
    return answer;
  }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(socket_);
    pid_ = 0;
  }

 private:
  struct Question {
    char what = 0;
    TaskId id = 0;
  };
  static void serve(const std::string& name, int socket) {
    auto segment = Segment::open(name).value();
    auto tasks = segment.open_task_table("t").value();
    auto hands = tasks.worker();
    std::vector<Run> runs;
    Question question;
    while (::recv(socket, &question, sizeof question, 0) == static_cast<ssize_t>(sizeof question)) {
      Answer answer;
      const auto run = std::find_if(runs.begin(), runs.end(), [&](const Run& r) { return r && r.id() == question.id; });
      if (question.what == 'n') {
        Run next = hands.try_next();
        answer.outcome = next.outcome();
        if (next) {
          answer.id = next.id();
          // One that lost its lease is as good as none: the newest of a task counts.
          std::erase_if(runs, [&](const Run& r) { return r && r.id() == answer.id; });
          runs.push_back(std::move(next));
        }
      } else if (run != runs.end()) {
        switch (question.what) {
          case 'd':
            answer.outcome = run->done(std::as_bytes(std::span(&question.id, 1)));
            break;
          case 'f':
            answer.outcome = run->fail("no");
            break;
          case 'r':
            answer.outcome = run->release();
            break;
          case 'c':
            answer.outcome = run->cancel();
            break;
          case 'h':
            answer.outcome = run->heartbeat();
            break;
          default:
            break;
        }
        if (question.what != 'h') runs.erase(run);
      }
      (void)::send(socket, &answer, sizeof answer, MSG_NOSIGNAL);
    }
  }
  pid_t pid_ = 0;
  int socket_ = -1;
};

/// A task as it should be.
struct Model {
  TaskOptions options;
  TaskState state = TaskState::free;
  layout::Tally ended;
  int worker = -1;      // that runs it
  bool asked = false;   // to stop
  std::int64_t submitted_ns = 0, due_ns = 0, since_ns = 0, expires_ns = 0;
  std::int64_t due_real_ns = 0;
  std::vector<std::pair<int, bool>> holders = {};  // workers that hold a run of it; whether that has ended
};

class TaskModelTest : public TaskTableTest, public testing::WithParamInterface<std::tuple<TaskPolicy, unsigned>> {
 protected:
  void SetUp() override {
    TaskTableTest::SetUp();
    clocks().boot_ns = 1'000'000 * kMs;
    clocks().real_ahead_ns = 1'000'000'000 * kMs;
    clocks().ours = true;
  }
  void TearDown() override {
    clocks().ours = false;
    TaskTableTest::TearDown();
  }

  static std::int64_t now() { return clocks().boot_ns.load(); }
  std::uint32_t roll(std::uint32_t n) { return static_cast<std::uint32_t>(random_() % n); }
  std::int64_t some_ms() { return (1 + roll(20)) * 5 * kMs; }

  // ---- the rules

  void again(Model& m, std::uint32_t count, std::uint16_t max, bool later) {
    m.worker = -1;
    m.state = count > max ? TaskState::dead : later && m.options.backoff.first.count() > 0 ? TaskState::delayed : TaskState::ready;
    m.since_ns = now();
    if (m.state != TaskState::delayed) return;
    std::int64_t wait = nanoseconds(m.options.backoff.first).count();
    const std::uint32_t before = m.ended.failures + m.ended.crashes + m.ended.timeouts;
    for (std::uint32_t i = 1; i < before && wait < nanoseconds(m.options.backoff.cap).count(); ++i) wait *= 2;
    m.due_ns = now() + std::min(wait, nanoseconds(m.options.backoff.cap).count());
    m.due_real_ns = 0;
  }
  void over(Model& m, TaskState state) {
    m.worker = -1;
    m.state = state;
    m.since_ns = now();
  }
  static bool is_over(const Model& m) { return m.state >= TaskState::done; }
  std::int64_t due_of(const Model& m) const {
    return m.due_real_ns != 0 ? m.due_real_ns - clocks().real_ahead_ns.load() : m.due_ns;
  }
  /// What the time asks for.
  void pass() {
    for (bool changed = true; changed;) {
      changed = false;
      for (auto it = model_.begin(); it != model_.end();) {
        Model& m = it->second;
        const bool waits = m.state == TaskState::held || m.state == TaskState::delayed || m.state == TaskState::ready;
        const std::int64_t limit = m.options.run_limit.count(), keep = m.options.keep_for.count();
        if (waits && m.expires_ns != 0 && m.expires_ns <= now()) {
          over(m, TaskState::expired), changed = true;
        } else if (m.state == TaskState::delayed && due_of(m) <= now()) {
          m.state = TaskState::ready, changed = true;
        } else if (m.state == TaskState::running && limit > 0 && m.since_ns + limit <= now()) {
          ++m.ended.timeouts;
          again(m, m.ended.timeouts, m.options.timeouts_max, true), changed = true;
        } else if (is_over(m) && keep > 0 && m.since_ns + keep <= now()) {
          it = model_.erase(it);
          changed = true;
          continue;
        }
        ++it;
      }
    }
  }

  // ---- the operations

  void submit(TaskTable& tasks) {
    TaskOptions o;
    o.failures_max = static_cast<std::uint16_t>(roll(3));
    o.crashes_max = static_cast<std::uint16_t>(roll(3));
    o.timeouts_max = static_cast<std::uint16_t>(roll(3));
    o.releases_max = roll(2) ? kNoRunsMax : 1;
    o.keep = roll(5) != 0;
    o.priority = static_cast<std::uint8_t>(roll(256));
    o.hold = roll(8) == 0;
    if (roll(3) == 0) o.delay = nanoseconds(some_ms());
    if (roll(4) == 0) o.expires = nanoseconds(some_ms());
    if (roll(3) == 0) o.deadline = nanoseconds(some_ms());
    if (roll(3) == 0) o.run_limit = nanoseconds(some_ms());
    if (roll(4) == 0) o.keep_for = nanoseconds(some_ms());
    if (roll(3) == 0) o.backoff = {.first = std::chrono::milliseconds(5 * (1 + roll(4))), .cap = std::chrono::milliseconds(40)};
    const bool of_day = o.delay.count() == 0 && roll(5) == 0;
    const std::int64_t at_real = now() + clocks().real_ahead_ns.load() + some_ms();
    if (of_day) o.not_before = WallTime(std::chrono::duration_cast<WallTime::duration>(nanoseconds(at_real)));
    const Submitted submitted = tasks.try_submit({}, o);
    if (model_.size() == tasks.capacity()) {
      EXPECT_EQ(submitted.outcome, Outcome::full);
      return;
    }
    ASSERT_TRUE(submitted) << submitted.outcome;
    ASSERT_FALSE(model_.contains(submitted.id) || gone_.contains(submitted.id)) << "an id was used again";
    Model m;
    m.options = o;
    m.submitted_ns = now();
    m.state = o.hold ? TaskState::held : o.delay.count() > 0 || of_day ? TaskState::delayed : TaskState::ready;
    m.due_ns = now() + o.delay.count();
    if (of_day) m.due_real_ns = at_real;
    m.expires_ns = o.expires.count() > 0 ? now() + o.expires.count() : 0;
    model_[submitted.id] = m;
  }

  std::int64_t key_of(const Model& m) const {
    if (std::get<0>(GetParam()) == TaskPolicy::priority) return m.submitted_ns + m.options.priority * nanoseconds(1ms).count();
    return m.options.deadline.count() > 0 ? m.submitted_ns + m.options.deadline.count() : (std::int64_t{1} << 62) + m.submitted_ns;
  }

  void next(int which) {
    pass();
    const auto answer = workers_[which]->ask('n');
    std::vector<TaskId> ready;
    for (const auto& [id, m] : model_)
      if (m.state == TaskState::ready) ready.push_back(id);
    if (ready.empty()) {
      EXPECT_EQ(answer.outcome, Outcome::empty) << "task " << answer.id << " is not ready";
      return;
    }
    ASSERT_EQ(answer.outcome, Outcome::ok) << ready.size() << " tasks are ready";
    ASSERT_TRUE(std::find(ready.begin(), ready.end(), answer.id) != ready.end()) << "a task that is not ready was started";
    Model& m = model_[answer.id];
    for (const TaskId id : ready) {
      if (std::get<0>(GetParam()) == TaskPolicy::fifo) break;
      EXPECT_LE(key_of(m), key_of(model_[id])) << "a task was passed over";
    }
    m.state = TaskState::running;
    m.worker = which;
    m.since_ns = now();
    std::erase_if(m.holders, [&](const auto& h) { return h.first == which; });
    m.holders.emplace_back(which, false);
  }

  void end(int which, char how) {
    // Of some task that it has, or had.
    std::vector<TaskId> held;
    for (const auto& [id, m] : model_)
      for (const auto& holder : m.holders)
        if (holder.first == which) held.push_back(id);
    if (held.empty()) return;
    const TaskId id = held[roll(static_cast<std::uint32_t>(held.size()))];
    Model& m = model_[id];
    const bool valid = m.state == TaskState::running && m.worker == which;
    const auto answer = workers_[which]->ask(how, id);
    ASSERT_EQ(answer.outcome, valid ? Outcome::ok : Outcome::stale) << how << ' ' << to_string(m.state);
    if (!valid) ++seen_["stale"];
    if (how == 'h') return;
    std::erase_if(m.holders, [&](const auto& h) { return h.first == which; });
    if (!valid) return;
    switch (how) {
      case 'd':
        over(m, TaskState::done);
        if (!m.options.keep) forget(id);
        break;
      case 'f':
        ++m.ended.failures;
        again(m, m.ended.failures, m.options.failures_max, true);
        break;
      case 'r':
        ++m.ended.releases;
        again(m, m.ended.releases, m.options.releases_max, false);
        break;
      default:
        over(m, TaskState::cancelled);
    }
  }
  void forget(TaskId id) {
    gone_.insert({id, true});
    model_.erase(id);
  }

  void kill(Segment& segment, int which) {
    workers_[which]->kill();
    segment.reap();
    for (auto& [id, m] : model_) {
      std::erase_if(m.holders, [&](const auto& h) { return h.first == which; });
      if (m.state != TaskState::running || m.worker != which) continue;
      ++m.ended.crashes;
      again(m, m.ended.crashes, m.options.crashes_max, true);
    }
    workers_[which] = std::make_unique<Worker>(segment.name());
  }

  void operate(TaskTable& tasks) {
    if (model_.empty()) return;
    auto it = model_.begin();
    std::advance(it, roll(static_cast<std::uint32_t>(model_.size())));
    const TaskId id = it->first;
    Model& m = it->second;
    switch (roll(6)) {
      case 0: {
        EXPECT_EQ(tasks.cancel(id), is_over(m) ? Outcome::empty : Outcome::ok);
        if (!is_over(m) && m.state != TaskState::running) over(m, TaskState::cancelled);
        break;
      }
      case 1: {
        const bool busy = m.state == TaskState::running;
        EXPECT_EQ(tasks.remove(id), busy ? Outcome::busy : Outcome::ok);
        if (!busy) forget(id);
        break;
      }
      case 2: {
        const bool dead = m.state == TaskState::dead;
        EXPECT_EQ(tasks.kick(id), dead ? Outcome::ok : Outcome::empty);
        if (dead) m.state = TaskState::ready, m.ended = {};
        break;
      }
      case 3: {
        EXPECT_EQ(tasks.hold(id), is_over(m) ? Outcome::empty : m.state == TaskState::running ? Outcome::busy : Outcome::ok);
        if (!is_over(m) && m.state != TaskState::running) m.state = TaskState::held;
        break;
      }
      case 4: {
        EXPECT_EQ(tasks.unhold(id), m.state == TaskState::held ? Outcome::ok : Outcome::empty);
        if (m.state == TaskState::held) m.state = TaskState::ready;
        break;
      }
      default: {
        const auto priority = static_cast<std::uint8_t>(roll(256));
        EXPECT_EQ(tasks.reprioritise(id, priority), is_over(m) ? Outcome::empty : Outcome::ok);
        if (!is_over(m)) m.options.priority = priority;
      }
    }
  }

  /// Somebody waits, and so keeps the time; nothing is claimed.
  void tick(TaskTable& tasks) {
    pass();
    tasks.pause();
    EXPECT_EQ(keeper_->try_next().outcome(), Outcome::empty);
    tasks.resume();
  }

  void compare(TaskTable& tasks) {
    std::size_t there = 0;
    tasks.for_each([&](const TaskInfo& info) {
      ++there;
      const auto it = model_.find(info.id);
      ASSERT_TRUE(it != model_.end()) << "task " << info.id << " should be gone; it is " << to_string(info.state);
      const Model& m = it->second;
      EXPECT_STREQ(to_string(info.state), to_string(m.state)) << info.id;
      ++seen_[to_string(m.state)];
      seen_["failures"] += m.ended.failures;
      seen_["crashes"] += m.ended.crashes;
      seen_["timeouts"] += m.ended.timeouts;
      seen_["releases"] += m.ended.releases;
      EXPECT_EQ(info.ended.failures, m.ended.failures);
      EXPECT_EQ(info.ended.crashes, m.ended.crashes);
      EXPECT_EQ(info.ended.timeouts, m.ended.timeouts);
      EXPECT_EQ(info.ended.releases, m.ended.releases);
      EXPECT_EQ(info.priority, m.options.priority);
      if (m.state == TaskState::delayed) {
        EXPECT_EQ(info.due_ns, m.expires_ns == 0 ? due_of(m) : std::min(due_of(m), m.expires_ns));
      }
      if (m.state == TaskState::done) {
        const auto result = tasks.result(info.id);
        ASSERT_TRUE(result && result->size() == sizeof(TaskId));
        EXPECT_EQ(std::memcmp(result->data(), &info.id, sizeof(TaskId)), 0);
      }
    });
    EXPECT_EQ(there, model_.size());
    std::erase_if(gone_, [&](const auto& g) { return gone_.size() > 10'000 && g.second; });
  }

  std::mt19937 random_{std::get<1>(GetParam())};
  std::map<TaskId, Model> model_;
  std::map<TaskId, bool> gone_;
  std::map<std::string, std::uint64_t> seen_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::optional<TaskWorker> keeper_;
};

TEST_P(TaskModelTest, DoesWhatTheModelDoes) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 12, .policy = std::get<0>(GetParam()), .aging = 1ms});
  for (int i = 0; i < 3; ++i) workers_.push_back(std::make_unique<Worker>(segment.name()));
  keeper_.emplace(tasks.worker());
  const int steps = std::getenv("SHMQ_LONG") ? 100'000 : 2'000;
  for (int step = 0; step < steps && !HasFailure(); ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    clocks().boot_ns += kMs / 2;  // no two submissions at the same time
    tick(tasks);
    const int which = static_cast<int>(roll(3));
    const std::uint32_t what = roll(100);
    if (what < 25) submit(tasks);
    else if (what < 50) next(which);
    else if (what < 75) end(which, "dfrch"[roll(5)]);
    else if (what < 88) operate(tasks);
    else if (what < 94) clocks().boot_ns += some_ms();
    else if (what < 96) clocks().real_ahead_ns += (static_cast<std::int64_t>(roll(7)) - 3) * 20 * kMs;
    else if (what < 98) kill(segment, which);
    else tasks.purge_finished(), std::erase_if(model_, [](const auto& m) { return is_over(m.second); });
    tick(tasks);
    compare(tasks);
  }
  for (auto& worker : workers_) worker->kill();
  // Or the above proves little.
  for (const char* what : {"held", "delayed", "ready", "running", "done", "dead", "cancelled", "expired", "failures", "crashes",
                           "timeouts", "releases", "stale"})
    EXPECT_GT(seen_[what], 10u) << what;
}

INSTANTIATE_TEST_SUITE_P(Policies, TaskModelTest,
                         testing::Combine(testing::Values(TaskPolicy::fifo, TaskPolicy::priority, TaskPolicy::edf), testing::Values(1u, 2u, 3u)));

}  // namespace
}  // namespace shmq::test
