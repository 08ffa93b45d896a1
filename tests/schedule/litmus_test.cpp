// The explorer is held to the litmus tests whose outcomes the memory model fixes: a weak outcome that must be
// possible is found, one that must not be is absent from an exhausted search.

#include <gtest/gtest.h>

#include "sim.hpp"

namespace {

using std::memory_order;

constexpr sim::Bounds everything{.preemptions = sim::unbounded, .delays = sim::unbounded};

void expect_never(const sim::Report& report) {
  EXPECT_FALSE(report.failed) << report;
  EXPECT_TRUE(report.exhausted) << report;
}
void expect_found(const sim::Report& report, const char* message) {
  EXPECT_TRUE(report.failed) << report;
  EXPECT_EQ(report.message, message) << report;
}

struct StoreBuffering : sim::Scenario {
  StoreBuffering(bool fenced_, memory_order store_, memory_order load_)
      : fenced(fenced_), store(store_), load(load_) {}
  bool fenced;
  memory_order store, load;
  sim::Atom<int> x{0, "x"}, y{0, "y"};
  int seen[2] = {-1, -1};
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    auto& mine = thread == 0 ? x : y;
    auto& other = thread == 0 ? y : x;
    mine.store(1, store);
    if (fenced) sim::fence(std::memory_order_seq_cst);
    seen[thread] = other.load(load);
  }
  void check() override { sim::require(seen[0] == 1 || seen[1] == 1, "both read 0"); }
};

TEST(Litmus, StoreBufferingIsObservedWithoutAFence) {
  expect_found(sim::explore<StoreBuffering>({.name = "sb", .bounds = everything}, false,
                                            std::memory_order_release, std::memory_order_acquire),
               "both read 0");
}

TEST(Litmus, StoreBufferingIsNeverObservedWithSeqCstFences) {
  expect_never(sim::explore<StoreBuffering>({.name = "sb+fences", .bounds = everything}, true,
                                            std::memory_order_relaxed, std::memory_order_relaxed));
}

TEST(Litmus, StoreBufferingIsNeverObservedWithSeqCstAccesses) {
  expect_never(sim::explore<StoreBuffering>({.name = "sb+sc", .bounds = everything}, false,
                                            std::memory_order_seq_cst, std::memory_order_seq_cst));
}

TEST(Litmus, StoreBufferingNeedsAHeldStoreSoAnInterleavingSearchMissesIt) {
  expect_never(sim::explore<StoreBuffering>({.name = "sb in sc", .bounds = {.preemptions = sim::unbounded}},
                                            false, std::memory_order_release, std::memory_order_acquire));
}

struct MessagePassing : sim::Scenario {
  MessagePassing(memory_order publish_, memory_order look_) : publish(publish_), look(look_) {}
  memory_order publish, look;
  sim::Atom<int> data{0, "data"}, flag{0, "flag"};
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      data.store(1, std::memory_order_relaxed);
      flag.store(1, publish);
    } else if (flag.load(look) == 1) {
      sim::require(data.load(std::memory_order_relaxed) == 1, "flag without data");
    }
  }
};

TEST(Litmus, MessagePassingHoldsWithReleaseAndAcquire) {
  expect_never(sim::explore<MessagePassing>({.name = "mp", .bounds = everything}, std::memory_order_release,
                                            std::memory_order_acquire));
  sim::Bounds stale = everything;
  stale.stale = sim::unbounded;
  expect_never(sim::explore<MessagePassing>({.name = "mp+stale", .bounds = stale}, std::memory_order_release,
                                            std::memory_order_acquire));
}

TEST(Litmus, MessagePassingBreaksWithARelaxedStore) {
  expect_found(sim::explore<MessagePassing>({.name = "mp relaxed", .bounds = everything},
                                            std::memory_order_relaxed, std::memory_order_acquire),
               "flag without data");
}

TEST(Litmus, MessagePassingBreaksWithARelaxedLoadOnceLoadsMayBeStale) {
  sim::Bounds bounds = everything;
  expect_never(sim::explore<MessagePassing>({.name = "mp late", .bounds = bounds}, std::memory_order_release,
                                            std::memory_order_relaxed));
  bounds.stale = sim::unbounded;
  expect_found(sim::explore<MessagePassing>({.name = "mp late+stale", .bounds = bounds},
                                            std::memory_order_release, std::memory_order_relaxed),
               "flag without data");
}

struct FencedMessagePassing : sim::Scenario {
  FencedMessagePassing(bool release_, bool acquire_) : release(release_), acquire(acquire_) {}
  bool release, acquire;
  sim::Atom<int> data{0, "data"}, flag{0, "flag"};
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      data.store(1, std::memory_order_relaxed);
      if (release) sim::fence(std::memory_order_release);
      flag.store(1, std::memory_order_relaxed);
    } else if (flag.load(std::memory_order_relaxed) == 1) {
      if (acquire) sim::fence(std::memory_order_acquire);
      sim::require(data.load(std::memory_order_relaxed) == 1, "flag without data");
    }
  }
};

TEST(Litmus, MessagePassingThroughFencesNeedsBoth) {
  sim::Bounds bounds = everything;
  bounds.stale = sim::unbounded;
  expect_never(sim::explore<FencedMessagePassing>({.name = "mp+fences", .bounds = bounds}, true, true));
  expect_found(sim::explore<FencedMessagePassing>({.name = "mp-release", .bounds = bounds}, false, true),
               "flag without data");
  expect_found(sim::explore<FencedMessagePassing>({.name = "mp-acquire", .bounds = bounds}, true, false),
               "flag without data");
}

struct TwoPlusTwoWrites : sim::Scenario {
  explicit TwoPlusTwoWrites(memory_order order_) : order(order_) {}
  memory_order order;
  sim::Atom<int> x{0, "x"}, y{0, "y"};
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    auto& first = thread == 0 ? x : y;
    auto& second = thread == 0 ? y : x;
    first.store(1, order);
    second.store(2, order);
  }
  void check() override { sim::require(x.peek() != 1 || y.peek() != 1, "both first writes came last"); }
};

TEST(Litmus, TwoPlusTwoWritesOfRelaxedStoresMayEndWithBothFirstWrites) {
  expect_found(
      sim::explore<TwoPlusTwoWrites>({.name = "2+2w", .bounds = everything}, std::memory_order_relaxed),
      "both first writes came last");
  expect_never(sim::explore<TwoPlusTwoWrites>({.name = "2+2w release", .bounds = everything},
                                              std::memory_order_release));
}

struct Coherence : sim::Scenario {
  sim::Atom<int> x{0, "x"};
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      x.store(1, std::memory_order_relaxed);
      x.store(2, std::memory_order_relaxed);
    } else {
      const int first = x.load(std::memory_order_relaxed);
      const int second = x.load(std::memory_order_relaxed);
      sim::require(first <= second, "read backwards");
    }
  }
};

TEST(Litmus, OneLocationIsCoherentEvenWithStaleLoads) {
  sim::Bounds bounds = everything;
  bounds.stale = sim::unbounded;
  expect_never(sim::explore<Coherence>({.name = "coherence", .bounds = bounds}));
}

struct IndependentReads : sim::Scenario {
  sim::Atom<int> x{0, "x"}, y{0, "y"};
  int first[4] = {}, second[4] = {};
  unsigned threads() const override { return 4; }
  void run(unsigned thread) override {
    if (thread < 2) return (thread == 0 ? x : y).store(1, std::memory_order_release);
    auto& a = thread == 2 ? x : y;
    auto& b = thread == 2 ? y : x;
    first[thread] = a.load(std::memory_order_acquire);
    second[thread] = b.load(std::memory_order_acquire);
  }
  void check() override {
    const bool disagree = first[2] == 1 && second[2] == 0 && first[3] == 1 && second[3] == 0;
    sim::require(!disagree, "the readers disagree about the order");
  }
};

TEST(Litmus, ReadersAgreeOnTheOrderOfIndependentStores) {
  // True of every processor in use (one copy of memory), weaker than C++ promises: a limit of the model.
  expect_never(sim::explore<IndependentReads>({.name = "iriw", .bounds = everything}));
}

struct Increments : sim::Scenario {
  explicit Increments(bool atomic_) : atomic(atomic_) {}
  bool atomic;
  sim::Atom<int> count{0, "count"};
  unsigned threads() const override { return 3; }
  void run(unsigned) override {
    if (atomic) {
      count.fetch_add(1, std::memory_order_relaxed);
    } else {
      count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
  }
  void check() override { sim::require(count.peek() == 3, "an increment was lost"); }
};

TEST(Litmus, AReadModifyWriteIsOneStepAndALoadWithAStoreIsNot) {
  expect_never(sim::explore<Increments>({.name = "fetch_add", .bounds = everything}, true));
  expect_found(sim::explore<Increments>({.name = "load+store", .bounds = everything}, false),
               "an increment was lost");
}

struct CrashedStore : sim::Scenario {
  CrashedStore(const char* forbidden_) : forbidden(forbidden_) {}
  std::string forbidden;
  sim::Atom<int> x{0, "x"}, y{0, "y"};
  std::string seen;
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      x.store(1, std::memory_order_release);
      y.exchange(1, std::memory_order_relaxed);
      return;
    }
    const bool dead = sim::dead(0);
    const int value = x.load(std::memory_order_acquire);
    seen = std::string(dead ? "dead" : "alive") + (value != 0 ? ", stored" : ", not stored");
  }
  void check() override {
    if (!sim::World::current().crashed(0)) return;
    sim::require(seen != forbidden, "the outcome in question");
    sim::require(y.peek() == 1 || x.peek() == 1 || forbidden != "nothing ever", "a held store was lost");
  }
};

TEST(Litmus, TheStoresOfACrashedThreadStillArrive) {
  // It may die between the store and the exchange; even a held store must be in memory at the end.
  struct Arrives : CrashedStore {
    Arrives() : CrashedStore("") {}
    int after_store = 0;
    std::uint64_t shadow() const override { return static_cast<std::uint64_t>(after_store); }
    void run(unsigned thread) override {
      if (thread != 0) return CrashedStore::run(thread);
      x.store(1, std::memory_order_release);
      after_store = 1;
      y.exchange(1, std::memory_order_relaxed);
    }
    void check() override { sim::require(after_store == 0 || x.peek() == 1, "a held store was lost"); }
  };
  sim::Bounds bounds = everything;
  bounds.crashes = 1;
  bounds.may_crash = 1;
  expect_never(sim::explore<Arrives>({.name = "crash drains", .bounds = bounds}));
}

TEST(Litmus, ACrashLeavesAStoreInTheBufferWhileOthersGoOn) {
  sim::Bounds bounds = everything;
  bounds.crashes = 1;
  bounds.may_crash = 1;
  // All four outcomes are found, save that a death is news only after the stores before it.
  expect_found(sim::explore<CrashedStore>({.name = "crash 1", .bounds = bounds}, "alive, not stored"),
               "the outcome in question");
  expect_found(sim::explore<CrashedStore>({.name = "crash 2", .bounds = bounds}, "alive, stored"),
               "the outcome in question");
  expect_found(sim::explore<CrashedStore>({.name = "crash 3", .bounds = bounds}, "dead, stored"),
               "the outcome in question");
}

struct DeadThenLook : sim::Scenario {
  sim::Atom<int> x{0, "x"}, y{0, "y"};
  int stored = 0, seen = -1;
  std::uint64_t shadow() const override { return static_cast<std::uint64_t>(stored); }
  unsigned threads() const override { return 2; }
  void run(unsigned thread) override {
    if (thread == 0) {
      x.store(1, std::memory_order_relaxed);
      stored = 1;
      y.exchange(1, std::memory_order_relaxed);
    } else if (sim::dead(0)) {
      seen = x.load(std::memory_order_relaxed);
    }
  }
  void check() override { sim::require(seen != 0 || stored == 0, "known dead, its store not visible"); }
};

TEST(Litmus, ADeathIsKnownOnlyAfterTheStoresBeforeItUnlessAskedForEarlyNews) {
  sim::Bounds bounds = everything;
  bounds.crashes = 1;
  bounds.may_crash = 1;
  expect_never(sim::explore<DeadThenLook>({.name = "news", .bounds = bounds}));
  bounds.early_news = true;
  expect_found(sim::explore<DeadThenLook>({.name = "early news", .bounds = bounds}),
               "known dead, its store not visible");
}

}  // namespace
