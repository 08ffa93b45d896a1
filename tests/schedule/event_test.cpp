// The sleepers' protocol of include/shmq/core/event.hpp, mirrored line by line over simulated atomics: no
// wake-up is lost, with the fence on the sleeper's side alone (membarrier) or, where that is refused, on both
// sides; and leaving out any step loses one. A sleeper that nobody wakes sleeps for ever here: the real one's
// slices are not simulated.

#include <gtest/gtest.h>

#include <iostream>

#include "sim.hpp"

namespace {

enum class Without { nothing, membarrier, second_look, flag, publishers_fence };

constexpr std::uint32_t waiting = 1, fenced = 2, step = 8;  // kEventWaiting, kEventFence, kEventStep

struct Sleepers : sim::Scenario {
  Sleepers(unsigned publishers_, unsigned sleepers_, bool membarrier_refused, Without without_)
      : publishers(publishers_),
        sleepers(sleepers_),
        without(without_),
        event(membarrier_refused ? fenced : 0, "event") {}
  unsigned publishers, sleepers;
  Without without;
  sim::Atom<std::uint32_t> event;
  sim::Atom<std::uint64_t> published[2];

  unsigned threads() const override { return publishers + sleepers; }
  std::string name(unsigned thread) const override {
    return (thread < publishers ? "publisher " : "sleeper ") + std::to_string(thread);
  }

  void run(unsigned thread) override {
    if (thread < publishers) {
      published[thread].store(1, std::memory_order_release);
      notify();
      return;
    }
    for (;;) {
      sim::local_state(1);
      if (everything_is_there()) return;
      const std::uint32_t expected = prepare_sleep();
      if (without != Without::second_look && everything_is_there()) return;
      event.futex_wait(expected);
    }
  }

  bool everything_is_there() {
    for (unsigned i = 0; i < publishers; ++i) {
      if (published[i].load(std::memory_order_acquire) == 0) return false;
    }
    return true;
  }

  void notify() {
    std::uint32_t seen = event.load(std::memory_order_relaxed);
    if ((seen & (waiting | fenced)) == 0) return;
    if ((seen & fenced) != 0 && without != Without::publishers_fence) {
      sim::fence(std::memory_order_seq_cst);
      seen = event.load(std::memory_order_relaxed);
    }
    while ((seen & waiting) != 0) {
      const std::uint32_t next = (seen + step) & ~waiting;
      if (!event.compare_exchange_weak(seen, next, std::memory_order_acq_rel, std::memory_order_relaxed))
        continue;
      return event.futex_wake();
    }
  }

  std::uint32_t prepare_sleep() {
    if (without == Without::flag) return event.load(std::memory_order_relaxed);
    const std::uint32_t seen = event.fetch_or(waiting, std::memory_order_seq_cst) | waiting;
    if ((seen & fenced) != 0) {
      sim::fence(std::memory_order_seq_cst);
    } else if (without != Without::membarrier) {
      sim::membarrier();
    }
    return seen;
  }
};

sim::Report explore(const char* name, unsigned publishers, unsigned sleepers, bool refused, Without without) {
  const sim::Bounds bounds{.preemptions = sim::unbounded, .delays = sim::unbounded};
  const sim::Report report = sim::explore<Sleepers>(
      {.name = name, .bounds = bounds, .executions_max = 20'000'000}, publishers, sleepers, refused, without);
  std::cout << report.name << ": " << report.executions << " executions, " << report.seconds << " s of CPU\n";
  return report;
}

class Event : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Membarrier, Event, testing::Bool(),
                         [](const auto& each) { return each.param ? "Refused" : "Granted"; });

TEST_P(Event, LosesNoWakeUp) {
  for (const auto& [publishers, sleepers] : {std::pair{1u, 1u}, {2u, 1u}, {1u, 2u}, {2u, 2u}}) {
    if (publishers + sleepers == 4 && GetParam() && !sim::long_run()) continue;
    const sim::Report report = explore("event", publishers, sleepers, GetParam(), Without::nothing);
    EXPECT_FALSE(report.failed) << report;
    EXPECT_TRUE(report.exhausted) << report;
  }
}

void expect_lost(bool refused, Without without) {
  const sim::Report report = explore("broken event", 1, 1, refused, without);
  EXPECT_TRUE(report.failed) << report;
  EXPECT_NE(report.message.find("wedge"), std::string::npos) << report;
}
TEST(Event, WithoutTheMembarrierLosesAWakeUp) { expect_lost(false, Without::membarrier); }
TEST(Event, WithoutThePublishersFenceLosesAWakeUpWhereMembarrierIsRefused) {
  expect_lost(true, Without::publishers_fence);
}
TEST_P(Event, WithoutTheSecondLookLosesAWakeUp) { expect_lost(GetParam(), Without::second_look); }
TEST_P(Event, WithoutTheFlagLosesAWakeUp) { expect_lost(GetParam(), Without::flag); }

}  // namespace
