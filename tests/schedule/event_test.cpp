// The sleepers' protocol of include/shmq/core/event.hpp, mirrored line by line over simulated atomics: no
// wake-up is lost, with the fence on the sleeper's side alone (membarrier) or, where that is refused, on both
// sides; and leaving out any step loses one. A sleeper that nobody wakes sleeps for ever here: the real one's
// slices are not simulated. With several events each publisher has one of its own, and a sleeper flags them
// all, makes one barrier, looks again, and sleeps on all of them.

#include <gtest/gtest.h>

#include <array>
#include <iostream>

#include "sim.hpp"

namespace {

enum class Without { nothing, membarrier, second_look, flag, second_flag, publishers_fence };

constexpr std::uint32_t waiting = 1, fenced = 2, step = 8;  // kEventWaiting, kEventFence, kEventStep

using Word = sim::Atom<std::uint32_t>;

struct Sleepers : sim::Scenario {
  Sleepers(unsigned publishers_, unsigned sleepers_, unsigned events_, bool membarrier_refused,
           Without without_)
      : publishers(publishers_),
        sleepers(sleepers_),
        events(events_),
        without(without_),
        event{Word(membarrier_refused ? fenced : 0, "event"),
              Word(membarrier_refused ? fenced : 0, "second event")} {}
  unsigned publishers, sleepers, events;
  Without without;
  Word event[2];
  sim::Atom<std::uint64_t> published[2];

  unsigned threads() const override { return publishers + sleepers; }
  std::string name(unsigned thread) const override {
    return (thread < publishers ? "publisher " : "sleeper ") + std::to_string(thread);
  }

  void run(unsigned thread) override {
    if (thread < publishers) {
      published[thread].store(1, std::memory_order_release);
      notify(event[thread % events]);
      return;
    }
    for (;;) {
      sim::local_state(1);
      if (everything_is_there()) return;
      const std::array<std::uint32_t, 2> expected = prepare_sleep();
      if (without != Without::second_look && everything_is_there()) return;
      if (events == 1)
        event[0].futex_wait(expected[0]);
      else
        Word::futex_wait_any({&event[0], &event[1]}, expected);
    }
  }

  bool everything_is_there() {
    for (unsigned i = 0; i < publishers; ++i) {
      if (published[i].load(std::memory_order_acquire) == 0) return false;
    }
    return true;
  }

  void notify(Word& word) {
    std::uint32_t seen = word.load(std::memory_order_relaxed);
    if ((seen & (waiting | fenced)) == 0) return;
    if ((seen & fenced) != 0 && without != Without::publishers_fence) {
      sim::fence(std::memory_order_seq_cst);
      seen = word.load(std::memory_order_relaxed);
    }
    while ((seen & waiting) != 0) {
      const std::uint32_t next = (seen + step) & ~waiting;
      if (!word.compare_exchange_weak(seen, next, std::memory_order_acq_rel, std::memory_order_relaxed))
        continue;
      return word.futex_wake();
    }
  }

  std::array<std::uint32_t, 2> prepare_sleep() {
    std::array<std::uint32_t, 2> expected{};
    bool fence = false;
    for (unsigned i = 0; i < events; ++i) {
      if (without == Without::flag || (without == Without::second_flag && i == 1)) {
        expected[i] = event[i].load(std::memory_order_relaxed);
        continue;
      }
      expected[i] = event[i].fetch_or(waiting, std::memory_order_seq_cst) | waiting;
      fence |= (expected[i] & fenced) != 0;
    }
    if (without == Without::flag) return expected;
    if (fence) {
      sim::fence(std::memory_order_seq_cst);
    } else if (without != Without::membarrier) {
      sim::membarrier();
    }
    return expected;
  }
};

sim::Report explore(const char* name, unsigned publishers, unsigned sleepers, unsigned events, bool refused,
                    Without without) {
  const sim::Bounds bounds{.preemptions = sim::unbounded, .delays = sim::unbounded};
  const sim::Report report =
      sim::explore<Sleepers>({.name = name, .bounds = bounds, .executions_max = 20'000'000}, publishers,
                             sleepers, events, refused, without);
  std::cout << report.name << ": " << report.executions << " executions, " << report.seconds << " s of CPU\n";
  return report;
}

class Event : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Membarrier, Event, testing::Bool(),
                         [](const auto& each) { return each.param ? "Refused" : "Granted"; });

TEST_P(Event, LosesNoWakeUp) {
  for (const auto& [publishers, sleepers] : {std::pair{1u, 1u}, {2u, 1u}, {1u, 2u}, {2u, 2u}}) {
    if (publishers + sleepers == 4 && GetParam() && !sim::long_run()) continue;
    const sim::Report report = explore("event", publishers, sleepers, 1, GetParam(), Without::nothing);
    EXPECT_FALSE(report.failed) << report;
    EXPECT_TRUE(report.exhausted) << report;
  }
}

// Two publishers with an event each; whoever waits for both flags both and makes one barrier.
TEST_P(Event, LosesNoWakeUpOfSeveral) {
  for (const unsigned sleepers : {1u, 2u}) {
    if (sleepers == 2 && !sim::long_run()) continue;
    const sim::Report report = explore("events", 2, sleepers, 2, GetParam(), Without::nothing);
    EXPECT_FALSE(report.failed) << report;
    EXPECT_TRUE(report.exhausted) << report;
  }
}

void expect_lost(bool refused, Without without, unsigned events = 1) {
  const sim::Report report = explore("broken event", events, 1, events, refused, without);
  EXPECT_TRUE(report.failed) << report;
  EXPECT_NE(report.message.find("wedge"), std::string::npos) << report;
}
TEST(Event, WithoutTheMembarrierLosesAWakeUp) { expect_lost(false, Without::membarrier); }
TEST(Event, WithoutThePublishersFenceLosesAWakeUpWhereMembarrierIsRefused) {
  expect_lost(true, Without::publishers_fence);
}
TEST_P(Event, WithoutTheSecondLookLosesAWakeUp) { expect_lost(GetParam(), Without::second_look); }
TEST_P(Event, WithoutTheFlagLosesAWakeUp) { expect_lost(GetParam(), Without::flag); }
TEST(Event, WithoutTheMembarrierLosesAWakeUpOfSeveral) { expect_lost(false, Without::membarrier, 2); }
TEST_P(Event, WithoutTheSecondLookLosesAWakeUpOfSeveral) { expect_lost(GetParam(), Without::second_look, 2); }
TEST_P(Event, WithoutTheFlagOfTheSecondLosesAWakeUp) { expect_lost(GetParam(), Without::second_flag, 2); }

}  // namespace
