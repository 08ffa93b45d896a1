// Tasks with idempotency keys through the public API.

#include <atomic>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include "task_support.hpp"

namespace shmq::test {
namespace {

class TaskKeyTest : public TaskTableTest {
 protected:
  TaskTable keyed(Segment& segment, std::uint32_t capacity = 64) {
    return table(segment, {.capacity = capacity, .keys = capacity});
  }
  static Submitted ask(TaskTable& tasks, const TaskOptions& options, std::string_view payload = "x") {
    return tasks.try_submit(bytes_of(payload), options);
  }
  static void run_one(TaskTable& tasks, bool fail = false) {
    auto worker = tasks.worker();
    shmq::Run run = worker.next(kPatience);
    ASSERT_TRUE(run) << run.outcome();
    EXPECT_EQ(fail ? run.fail() : run.done(), Outcome::ok);
  }
};

TEST_F(TaskKeyTest, ASecondSubmissionIsTheFirstTask) {
  auto segment = make();
  auto tasks = keyed(segment);
  const Submitted first = ask(tasks, {.key = "report"}, "one");
  ASSERT_TRUE(first);
  EXPECT_FALSE(first.duplicate);
  EXPECT_EQ(tasks.info(first.id)->key, "report");
  const Submitted second = ask(tasks, {.key = "report"}, "two");
  ASSERT_TRUE(second);
  EXPECT_TRUE(second.duplicate);
  EXPECT_EQ(second.id, first.id);
  EXPECT_EQ(in(tasks, TaskState::free), 63u) << "nothing was put in";
  EXPECT_FALSE(ask(tasks, {.key = "other"}).duplicate);
  EXPECT_FALSE(ask(tasks, {}).duplicate);
  EXPECT_EQ(tasks.submit(bytes_of("three"), {.key = "report"}, kPatience).id, first.id);
  auto worker = tasks.worker();
  shmq::Run run = worker.next(kPatience);
  EXPECT_EQ(text_of(run.payload()), "one");
  EXPECT_TRUE(ask(tasks, {.key = "report"}).duplicate) << "it runs";
  EXPECT_EQ(run.done(), Outcome::ok);
  const Submitted next = ask(tasks, {.key = "report"});
  ASSERT_TRUE(next);
  EXPECT_FALSE(next.duplicate);
  EXPECT_NE(next.id, first.id);
}

TEST_F(TaskKeyTest, IsAnyBytesUpTo63) {
  auto segment = make();
  auto tasks = keyed(segment);
  const std::string longest(63, 'k'), too_long(64, 'k');
  const std::vector<std::string> keys{"a", std::string("a\0", 2), std::string("a\0b", 3), std::string("\0", 1), longest,
                                      longest.substr(1), "\xff\xfe"};
  std::set<TaskId> ids;
  for (const std::string& key : keys) {
    const Submitted submitted = ask(tasks, {.key = key});
    ASSERT_TRUE(submitted);
    EXPECT_FALSE(submitted.duplicate) << key;
    ids.insert(submitted.id);
    EXPECT_EQ(tasks.info(submitted.id)->key, key);
  }
  EXPECT_EQ(ids.size(), keys.size());
  for (const std::string& key : keys) EXPECT_TRUE(ask(tasks, {.key = key}).duplicate) << key;
  EXPECT_EQ(ask(tasks, {.key = too_long}).outcome, Outcome::too_large);
  auto without = segment.task_table("without", {.capacity = 8}).value();
  EXPECT_EQ(ask(without, {.key = "a"}).outcome, Outcome::too_large);
  EXPECT_EQ(in(without, TaskState::free), 8u);
  const auto differs = segment.task_table("t", {.capacity = 64, .keys = 32});
  ASSERT_FALSE(differs);
  EXPECT_NE(differs.error().message().find("number of keys is 64, not 32"), std::string::npos) << differs.error().message();
}

TEST_F(TaskKeyTest, UntilDoneIsFreeOnceTheTaskIsCancelledRemovedOrDone) {
  auto segment = make();
  auto tasks = keyed(segment);
  const TaskOptions options{.failures_max = 0, .key = "k"};
  const Submitted a = ask(tasks, options);
  EXPECT_EQ(tasks.cancel(a.id), Outcome::ok);
  const Submitted b = ask(tasks, options);
  EXPECT_FALSE(b.duplicate);
  EXPECT_EQ(tasks.remove(b.id), Outcome::ok);
  const Submitted c = ask(tasks, options);
  EXPECT_FALSE(c.duplicate);
  run_one(tasks, true);
  EXPECT_EQ(state(tasks, c.id), TaskState::dead);
  EXPECT_EQ(ask(tasks, options).id, c.id) << "somebody may kick it";
  EXPECT_EQ(tasks.kick(c.id), Outcome::ok);
  EXPECT_EQ(ask(tasks, options).id, c.id);
  run_one(tasks);
  EXPECT_FALSE(ask(tasks, options).duplicate);
}

TEST_F(TaskKeyTest, UntilStartedIsFreeWhileTheTaskRunsAndEverAfter) {
  auto segment = make();
  auto tasks = keyed(segment);
  const TaskOptions options{.key = "k", .key_scope = KeyScope::until_started};
  const Submitted a = ask(tasks, options);
  EXPECT_EQ(ask(tasks, options).id, a.id);
  EXPECT_EQ(tasks.hold(a.id), Outcome::ok);
  EXPECT_EQ(ask(tasks, options).id, a.id);
  EXPECT_EQ(tasks.unhold(a.id), Outcome::ok);
  auto worker = tasks.worker();
  shmq::Run run = worker.next(kPatience);
  const Submitted b = ask(tasks, options);
  EXPECT_FALSE(b.duplicate);
  EXPECT_EQ(run.fail(), Outcome::ok);
  EXPECT_EQ(state(tasks, a.id), TaskState::ready);
  EXPECT_EQ(ask(tasks, options).id, b.id) << "the one that was started and is ready again has no key any more";
}

TEST_F(TaskKeyTest, ForATimeIsKeptByATaskThatIsDoneAndByOneThatWouldNotBeKept) {
  auto segment = make();
  auto tasks = keyed(segment);
  const TaskOptions hour{.keep = false, .key = "hour", .key_scope = KeyScope::for_time, .key_time = std::chrono::hours(1)};
  const Submitted a = ask(tasks, hour);
  run_one(tasks);
  EXPECT_EQ(state(tasks, a.id), TaskState::done);
  EXPECT_EQ(ask(tasks, hour).id, a.id);
  EXPECT_EQ(tasks.remove(a.id), Outcome::ok);
  EXPECT_FALSE(ask(tasks, hour).duplicate) << "the table does not know it any more";
  const TaskOptions instant{.key = "instant", .key_scope = KeyScope::for_time, .key_time = std::chrono::nanoseconds(1)};
  EXPECT_FALSE(ask(tasks, instant).duplicate);
  EXPECT_FALSE(ask(tasks, instant).duplicate) << "the time is over, although the first one still waits";
  const TaskOptions ever{.key = "ever", .key_scope = KeyScope::for_time, .key_time = std::chrono::nanoseconds::max()};
  EXPECT_FALSE(ask(tasks, ever).duplicate);
  EXPECT_TRUE(ask(tasks, ever).duplicate);
}

TEST_F(TaskKeyTest, OfATaskThatIsThereNeedsNoRoomInTheTable) {
  auto segment = make();
  auto tasks = keyed(segment, 2);
  const Submitted a = ask(tasks, {.key = "a"});
  ASSERT_TRUE(ask(tasks, {}));
  EXPECT_EQ(ask(tasks, {}).outcome, Outcome::full);
  EXPECT_EQ(ask(tasks, {.key = "b"}).outcome, Outcome::full);
  EXPECT_EQ(ask(tasks, {.key = "a"}).id, a.id);
}

TEST_F(TaskKeyTest, ARefusedSubmissionGivesBackWhatItTook) {
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{4096, 1}}}});
  auto tasks = keyed(segment);
  ASSERT_TRUE(ask(tasks, {.key = "a"}));
  const std::string large(3000, 'x');
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(ask(tasks, {.key = "a"}, large).duplicate);
    const TaskId id = ask(tasks, {.key = "b"}, large).id;
    ASSERT_NE(id, 0u) << "the only block is free";
    EXPECT_EQ(tasks.remove(id), Outcome::ok);
  }
}

TEST_F(TaskKeyTest, OfADelayedOrHeldTaskIsItsOwn) {
  auto segment = make();
  auto tasks = keyed(segment);
  const Submitted later = ask(tasks, {.delay = std::chrono::hours(1), .key = "later"});
  const Submitted held = ask(tasks, {.hold = true, .key = "held"});
  EXPECT_EQ(state(tasks, later.id), TaskState::delayed);
  EXPECT_EQ(state(tasks, held.id), TaskState::held);
  EXPECT_EQ(ask(tasks, {.key = "later"}).id, later.id);
  EXPECT_EQ(ask(tasks, {.key = "held"}).id, held.id);
}

// 4 threads submit each of 2,000 keys, while others complete the tasks: for each key one task, until it is done.
TEST_F(TaskKeyTest, OfSeveralWhoSubmitItAtTheSameTimeOneIsFirst) {
  constexpr unsigned kThreads = 4, kKeys = 2000;
  auto segment = make({.size_bytes = 16u << 20});
  auto tasks = keyed(segment, 2 * kKeys);
  std::array<std::vector<Submitted>, kThreads> got;
  std::vector<std::thread> threads;
  std::atomic<unsigned> ready{0};
  for (unsigned t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      auto mine = tasks;
      ready.fetch_add(1);
      while (ready.load() < kThreads) std::this_thread::yield();
      for (unsigned i = 0; i < kKeys; ++i) {
        const std::string key = "key " + std::to_string(i);
        got[t].push_back(mine.submit(bytes_of(key), {.key = key}, kPatience));
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (unsigned i = 0; i < kKeys; ++i) {
    unsigned first = 0;
    for (unsigned t = 0; t < kThreads; ++t) {
      ASSERT_TRUE(got[t][i]) << got[t][i].outcome;
      EXPECT_EQ(got[t][i].id, got[0][i].id) << i;
      first += !got[t][i].duplicate;
    }
    EXPECT_EQ(first, 1u) << i;
  }
  EXPECT_EQ(in(tasks, TaskState::ready), kKeys);
  EXPECT_EQ(in(tasks, TaskState::free), kKeys);
}

// Submitted and completed all the time: never two at once.
TEST_F(TaskKeyTest, IsNeverHeldByTwoTasksAtOnce) {
  constexpr unsigned kThreads = 3, kRounds = 3000, kKeys = 4;
  auto segment = make();
  auto tasks = keyed(segment, 16);
  std::atomic<unsigned> running[kKeys] = {};
  std::atomic<unsigned> twice{0}, submitted{0}, done{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> workers, submitters;
  for (unsigned t = 0; t < 2; ++t)
    workers.emplace_back([&] {
      auto worker = tasks.worker();
      while (!over.load()) {
        shmq::Run run = worker.next(1ms);
        if (!run) continue;
        const unsigned key = static_cast<unsigned>(std::stoul(text_of(run.payload())));
        if (running[key].fetch_add(1) != 0) twice.fetch_add(1);
        std::this_thread::yield();
        running[key].fetch_sub(1);
        if (run.done() == Outcome::ok) done.fetch_add(1);
      }
    });
  for (unsigned t = 0; t < kThreads; ++t)
    submitters.emplace_back([&, t] {
      auto mine = tasks;
      for (unsigned i = 0; i < kRounds; ++i) {
        const std::string key = std::to_string((i + t) % kKeys);
        const Submitted got = mine.submit(bytes_of(key), {.keep = false, .key = key}, kPatience);
        EXPECT_TRUE(got) << got.outcome;
        submitted.fetch_add(!got.duplicate);
      }
    });
  for (std::thread& thread : submitters) thread.join();
  const auto patience = std::chrono::steady_clock::now() + kPatience;
  while (done.load() < submitted.load() && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  over.store(true);
  for (std::thread& thread : workers) thread.join();
  EXPECT_EQ(twice.load(), 0u);
  EXPECT_EQ(done.load(), submitted.load());
  EXPECT_GE(submitted.load(), kKeys);
}

}  // namespace
}  // namespace shmq::test
