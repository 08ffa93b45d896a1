// Known algorithms, right and wrong: the explorer must pass the right ones exhaustively and find what is
// wrong with the others. That is what makes its silence about the real ring worth something.

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <sstream>

#include "sim.hpp"
#include "sim_hash.hpp"
#include "vyukov_ring.hpp"

namespace {

void expect_sound(const sim::Report& report) {
  EXPECT_FALSE(report.failed) << report;
  EXPECT_TRUE(report.exhausted) << report;
  std::ostringstream text;
  text << report;
  std::cout << text.str();
}
void expect_found(const sim::Report& report, const std::string& message) {
  EXPECT_TRUE(report.failed) << report;
  EXPECT_NE(report.message.find(message), std::string::npos) << report;
  std::cout << report.name << ": " << report.message << " (after " << report.executions << " executions)\n";
}

// --- locks --------------------------------------------------------------------------------------------

enum class Lock { exchange, test_then_set, relaxed_release };

struct Spinlock : sim::Scenario {
  explicit Spinlock(Lock lock_) : lock(lock_) {}
  Lock lock;
  sim::Atom<int> taken{0, "taken"}, inside{0, "inside"}, count{0, "count"};

  unsigned threads() const override { return 3; }
  void run(unsigned) override {
    for (;;) {
      if (lock == Lock::test_then_set) {
        if (taken.load(std::memory_order_acquire) == 0) {
          taken.store(1, std::memory_order_seq_cst);
          break;
        }
      } else if (taken.exchange(1, std::memory_order_acquire) == 0) {
        break;
      }
      sim::local_state(1);
      sim::pause();
    }
    const int before = count.load(std::memory_order_relaxed);
    sim::require(inside.fetch_add(1, std::memory_order_relaxed) == 0, "two inside");
    count.store(before + 1, std::memory_order_relaxed);
    inside.fetch_sub(1, std::memory_order_relaxed);
    taken.store(0, lock == Lock::relaxed_release ? std::memory_order_relaxed : std::memory_order_release);
  }
  void check() override {
    for (unsigned i = 0; i < threads(); ++i) {
      if (sim::World::current().crashed(i)) return;
    }
    sim::require(count.peek() == 3, "an increment was lost");
  }
};

constexpr sim::Bounds everything{.preemptions = sim::unbounded, .delays = sim::unbounded};

TEST(Classics, ASpinlockByExchangeIsSound) {
  expect_sound(sim::explore<Spinlock>({.name = "spinlock", .bounds = everything}, Lock::exchange));
}
TEST(Classics, ASpinlockThatTestsAndThenSetsLetsTwoIn) {
  expect_found(sim::explore<Spinlock>({.name = "spinlock tts"}, Lock::test_then_set), "two inside");
}
TEST(Classics, ASpinlockReleasedByARelaxedStoreLosesAnIncrement) {
  expect_found(sim::explore<Spinlock>({.name = "spinlock relaxed", .bounds = {.preemptions = 2, .delays = 1}},
                                      Lock::relaxed_release),
               "an increment was lost");
}
TEST(Classics, ASpinlockWhoseHolderDiesWedges) {
  expect_found(sim::explore<Spinlock>({.name = "spinlock crash", .bounds = {.crashes = 1}}, Lock::exchange),
               "wedge");
}

struct TwoLocks : sim::Scenario {
  sim::Atom<int> locks[2];
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    for (unsigned i = 0; i < 2; ++i) {
      while (locks[(thread + i) % 2].exchange(1, std::memory_order_acquire) != 0) sim::pause();
    }
    for (auto& lock : locks) lock.store(0, std::memory_order_release);
  }
};
TEST(Classics, LocksTakenInOppositeOrderAreReportedAsAWedge) {
  expect_found(sim::explore<TwoLocks>({.name = "two locks"}), "these still wait: thread 0, thread 1");
}

struct Endless : sim::Scenario {
  sim::Atom<int> x;
  unsigned threads() const override { return 1; }
  void run(unsigned) override {
    while (x.load() == 0) {
    }
  }
};
TEST(Classics, ALoopThatNeverEndsIsReportedAsALivelock) {
  expect_found(sim::explore<Endless>({.name = "endless", .steps_max = 500}), "livelock");
}

struct StoppedHolder : sim::Scenario {
  sim::Atom<int> turn{0, "turn"};
  bool waited = false;
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      turn.load();
      turn.store(1);
    } else {
      while (turn.load() == 0) sim::pause();
      waited = sim::World::current().waited_for_stopped();
    }
  }
  void check() override { sim::require(!waited, "somebody had to wait for the stopped one"); }
};
TEST(Classics, AStoppedThreadIsContinuedOnlyWhenNothingElseCanRun) {
  expect_sound(sim::explore<StoppedHolder>({.name = "not stopped"}));
  expect_found(sim::explore<StoppedHolder>({.name = "stopped", .bounds = {.stops = 1}}), "had to wait");
}

struct Transient : sim::Scenario {
  sim::Atom<int> x{0, "x"}, y{0, "y"};
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    auto& mine = thread == 0 ? x : y;
    mine.store(1);
    mine.store(0);
  }
  void observe() override { sim::require(x.peek() + y.peek() < 2, "both at once"); }
};
TEST(Classics, AnInvariantIsLookedAtAfterEveryStep) {
  expect_found(sim::explore<Transient>({.name = "transient"}), "both at once");
}

// --- queues -------------------------------------------------------------------------------------------

struct Queue : sim::Scenario {
  Queue(unsigned producers_, unsigned consumers_, unsigned messages_,
        std::memory_order publish = std::memory_order_release)
      : producers(producers_), consumers(consumers_), messages(messages_), ring(publish) {}
  unsigned producers, consumers, messages;
  VyukovRing ring;
  std::array<std::uint8_t, 64> times_received{};
  std::uint64_t received_hash = 0;

  unsigned threads() const override { return producers + consumers; }
  std::string name(unsigned thread) const override {
    return thread < producers ? "producer " + std::to_string(thread)
                              : "consumer " + std::to_string(thread - producers);
  }
  std::uint64_t shadow() const override { return received_hash; }

  void run(unsigned thread) override {
    if (thread < producers) {
      for (unsigned i = 0; i < messages; ++i) {
        sim::local_state(1 + i);
        while (!ring.try_push(1 + thread * messages + i)) {
          sim::pause();
          sim::local_state(1 + i);
        }
      }
      return;
    }
    for (;;) {
      sim::local_state(100);
      std::uint64_t value = 0;
      if (ring.try_pop(value)) {
        sim::require(value > 0 && value <= producers * messages, "a value that nobody sent");
        sim::require(++times_received[value] == 1, "a value twice");
        received_hash ^= sim::mix(value, 0);
      } else if (all_sent() && ring.drained()) {
        return;
      } else {
        sim::pause();
      }
    }
  }
  bool all_sent() const {
    for (unsigned i = 0; i < producers; ++i) {
      if (!sim::ended(i)) return false;
    }
    return true;
  }
};

TEST(Classics, AVyukovRingIsSoundWithoutCrashes) {
  const unsigned more = sim::long_run() ? 1 : 0;
  expect_sound(sim::explore<Queue>({.name = "vyukov 2p 1c",
                                    .bounds = {.preemptions = 3 + more, .delays = 1},
                                    .executions_max = 50'000'000},
                                   2, 1, 2));
  expect_sound(sim::explore<Queue>({.name = "vyukov 2p 2c",
                                    .bounds = {.preemptions = 2 + more, .delays = more},
                                    .executions_max = 50'000'000},
                                   2, 2, 2));
}
TEST(Classics, AVyukovRingIsSoundInEveryInterleavingOfTwoProducersAndAConsumer) {
  expect_sound(sim::explore<Queue>({.name = "vyukov all",
                                    .bounds = {.preemptions = sim::unbounded, .delays = 1},
                                    .executions_max = 50'000'000},
                                   2, 1, 2));
}
TEST(Classics, AVyukovRingWhoseProducerDiesWedges) {
  expect_found(
      sim::explore<Queue>({.name = "vyukov crash", .bounds = {.crashes = 1, .may_crash = 1}}, 2, 1, 2),
      "wedge");
}
TEST(Classics, AQueueThatPublishesBeforeItWritesIsFound) {
  expect_found(sim::explore<Queue>({.name = "vyukov relaxed", .bounds = {.preemptions = 2, .delays = 1}}, 2,
                                   1, 1, std::memory_order_relaxed),
               "a value that nobody sent");
}

class RandomSearch : public testing::TestWithParam<sim::Search> {};
TEST_P(RandomSearch, FindsTheSameFaultsAndGivesChoicesThatRepeatThem) {
  sim::Options options{
      .name = "walk", .search = GetParam(), .bounds = {.preemptions = sim::unbounded, .delays = 3}};
  const sim::Report relaxed = sim::explore<Queue>(options, 2, 1, 2, std::memory_order_relaxed);
  expect_found(relaxed, "a value ");
  options.bounds = {.preemptions = sim::unbounded, .delays = 3, .crashes = 1, .may_crash = 1};
  expect_found(sim::explore<Queue>(options, 2, 2, 2), "wedge");
  options.bounds.crashes = 0;
  options.executions_max = sim::long_run() ? 3'000'000 : 30'000;
  const sim::Report sound = sim::explore<Queue>(options, 2, 2, 2);
  EXPECT_FALSE(sound.failed) << sound;
  std::cout << sound;

  options.bounds = {.preemptions = sim::unbounded, .delays = 3};
  ::setenv("SHMQ_SCHED_REPLAY", relaxed.replay.c_str(), 1);
  testing::internal::CaptureStderr();
  const sim::Report again = sim::explore<Queue>(options, 2, 1, 2, std::memory_order_relaxed);
  testing::internal::GetCapturedStderr();
  ::unsetenv("SHMQ_SCHED_REPLAY");
  EXPECT_TRUE(again.failed);
  EXPECT_EQ(again.message, relaxed.message);
  EXPECT_EQ(again.trace, relaxed.trace);
}
INSTANTIATE_TEST_SUITE_P(Searches, RandomSearch,
                         testing::Values(sim::Search::random, sim::Search::priorities), [](const auto& each) {
                           return each.param == sim::Search::random ? "random" : "priorities";
                         });

}  // namespace
