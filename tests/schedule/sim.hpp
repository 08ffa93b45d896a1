#pragma once
// Schedule exploration: what a test of a lock-free algorithm uses.
//
//   struct MessagePassing : sim::Scenario {
//     sim::Atom<int> data{0}, flag{0};
//     unsigned threads() const override { return 2; }
//     void run(unsigned thread) override {
//       if (thread == 0) {
//         data.store(1, std::memory_order_relaxed);
//         flag.store(1, std::memory_order_release);
//       } else if (flag.load(std::memory_order_acquire) == 1) {
//         sim::require(data.load(std::memory_order_relaxed) == 1, "flag came before data");
//       }
//     }
//   };
//   sim::Report report = sim::explore<MessagePassing>({.name = "mp", .bounds = {.delays = 2}});
//   EXPECT_FALSE(report.failed) << report;
//
// A fresh scenario is made for each execution. Its threads must be deterministic: all they may depend on is
// what they read through sim::Atom and ask of the functions below. They own no memory across an operation on
// an Atom (a crashed thread is not unwound), throw nothing, and wait only through sim::pause or
// sim::futex_wait. Model and limits: sim_world.hpp.

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "sim_world.hpp"

namespace sim {

class Scenario {
 public:
  virtual ~Scenario() = default;
  virtual unsigned threads() const = 0;   // at most threads_max
  virtual void run(unsigned thread) = 0;  // the body of a thread
  virtual void check() {}                 // after the end; every store is visible; Atoms act at once here
  virtual void observe() {}  // after each change of memory, inside the step; looks with peek only
  // A hash of what the threads share outside Atoms (an oracle's books), and of what outlives a crashed thread
  // there. Needed for the comparison of states to be right.
  virtual std::uint64_t shadow() const { return 0; }
  virtual std::string name(unsigned thread) const { return "thread " + std::to_string(thread); }
  virtual std::string show(const char* label, std::uint64_t value) const;  // in a trace
};

enum class Search : std::uint8_t {
  exhaustive,  // every schedule within the bounds
  random,      // random walks
  priorities,  // probabilistic concurrency testing
};

struct Options {
  std::string name;  // names the exploration in SHMQ_SCHED_REPLAY
  Search search = Search::exhaustive;
  Bounds bounds = {};
  std::uint64_t executions_max = 1'000'000;
  std::uint64_t seed = 1;      // of the random searches; execution i uses seed + i
  unsigned steps_max = 2000;   // an execution longer than this fails as a livelock
  bool compare_states = true;  // cut an exhaustive search where a state comes back (never with Bounds::stale)
  std::size_t states_max = 48'000'000;
};

struct Report {
  bool failed = false;
  bool exhausted = false;  // every schedule within the bounds was covered
  std::string name, message, trace, replay;
  std::uint64_t executions = 0, steps = 0, states = 0, completed = 0;
  double seconds = 0;  // of processor time
};
std::ostream& operator<<(std::ostream& out, const Report& report);

// Explores with fresh scenarios from `make`, up to the first failure. With SHMQ_SCHED_REPLAY=<report.replay>
// in the environment the exploration of that name repeats this one execution, and prints it.
using Make = std::unique_ptr<Scenario> (*)(void* arguments);
Report explore(const Options& options, Make make, void* arguments);

template <class S, class... Args>
Report explore(const Options& options, const Args&... args) {
  auto build = [&] { return std::unique_ptr<Scenario>(std::make_unique<S>(args...)); };
  return explore(
      options, [](void* self) { return (*static_cast<decltype(build)*>(self))(); }, &build);
}

// Bounds of long runs: SHMQ_LONG=1 in the environment gives `long_run`, else `slice`.
bool long_run();

// --- for the threads of a scenario --------------------------------------------------------------------

// Waits until another thread's store (or death, or end) has become visible since this thread last began to
// look.
inline void pause() { World::current().pause(); }
// True once the kernel would say that the thread is dead. See Bounds::early_news.
inline bool dead(unsigned thread) { return World::current().dead(thread); }
inline bool ended(unsigned thread) { return World::current().ended(thread); }  // returned, or crashed
// The same without a step of their own: the answer belongs to the moment of the caller's last operation.
inline bool crashed_now(unsigned thread) { return World::current().crashed_now(thread); }
inline bool ended_now(unsigned thread) { return World::current().ended_now(thread); }
inline unsigned choose(unsigned options) { return World::current().choose(options); }
// "All that this thread still remembers hashes to `hash`": lets states meet that were reached in different
// ways.
inline void local_state(std::uint64_t hash) { World::current().local_state(hash); }
inline void membarrier() { World::current().barrier_everywhere(); }
void require(bool holds, const char* message);
inline void fail(std::string_view message) { World::current().fail(message); }
void note(const std::string& text);

// --- the atomic ---------------------------------------------------------------------------------------

constexpr Order to_order(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return Order::relaxed;
    case std::memory_order_release:
      return Order::release;
    case std::memory_order_acq_rel:
      return Order::acq_rel;
    case std::memory_order_seq_cst:
      return Order::seq_cst;
    default:
      return Order::acquire;
  }
}

inline void fence(std::memory_order order) { World::current().fence(to_order(order)); }

template <class T>
class Atom {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  using MO = std::memory_order;

 public:
  using value_type = T;
  static constexpr bool is_always_lock_free = true;

  Atom() : Atom(T{}) {}
  explicit Atom(T value, const char* label = nullptr, unsigned index = 0) {
    cell_.value = pack(value);
    cell_.label = label;
    cell_.index = index;
    World::current().add(cell_);
  }
  Atom(const Atom&) = delete;
  Atom& operator=(const Atom&) = delete;

  void label(const char* text, unsigned index = 0) { cell_.label = text, cell_.index = index; }

  T load(MO order = std::memory_order_seq_cst) const {
    return unpack(World::current().load(cell_, to_order(order)));
  }
  void store(T value, MO order = std::memory_order_seq_cst) {
    World::current().store(cell_, pack(value), to_order(order));
  }
  T exchange(T value, MO order = std::memory_order_seq_cst) {
    return rmw(order, [&](T) { return value; });
  }
  bool compare_exchange_strong(T& expected, T desired, MO success, MO failure) {
    const std::uint64_t wanted = pack(expected);
    const std::uint64_t old = World::current().modify(
        cell_, to_order(success), to_order(failure), [&](std::uint64_t value) { return value == wanted; },
        [&](std::uint64_t) { return pack(desired); });
    expected = unpack(old);
    return old == wanted;
  }
  bool compare_exchange_strong(T& expected, T desired, MO order = std::memory_order_seq_cst) {
    const MO failure = order == std::memory_order_acq_rel   ? std::memory_order_acquire
                       : order == std::memory_order_release ? std::memory_order_relaxed
                                                            : order;
    return compare_exchange_strong(expected, desired, order, failure);
  }
  bool compare_exchange_weak(T& expected, T desired, MO success, MO failure) {
    return compare_exchange_strong(expected, desired, success, failure);
  }
  bool compare_exchange_weak(T& expected, T desired, MO order = std::memory_order_seq_cst) {
    return compare_exchange_strong(expected, desired, order);
  }
  T fetch_add(T by, MO order = std::memory_order_seq_cst) {
    return rmw(order, [&](T old) { return static_cast<T>(old + by); });
  }
  T fetch_sub(T by, MO order = std::memory_order_seq_cst) {
    return rmw(order, [&](T old) { return static_cast<T>(old - by); });
  }
  T fetch_or(T bits, MO order = std::memory_order_seq_cst) {
    return rmw(order, [&](T old) { return static_cast<T>(old | bits); });
  }
  T fetch_and(T bits, MO order = std::memory_order_seq_cst) {
    return rmw(order, [&](T old) { return static_cast<T>(old & bits); });
  }

  void futex_wait(T expected) {
    Cell* const cell = &cell_;
    const std::uint64_t value = pack(expected);
    World::current().futex_wait({&cell, 1}, {&value, 1});
  }
  /// Sleeps on two words: until either of them is woken.
  static void futex_wait_any(std::array<Atom*, 2> words, std::array<T, 2> expected) {
    Cell* const cells[] = {&words[0]->cell_, &words[1]->cell_};
    const std::uint64_t values[] = {pack(expected[0]), pack(expected[1])};
    World::current().futex_wait(cells, values);
  }
  void futex_wake() { World::current().futex_wake(cell_); }  // everyone

  T peek() const { return unpack(cell_.value); }  // memory as it is; no step: for oracles only

 private:
  template <class Update>
  T rmw(MO order, Update update) {
    return unpack(World::current().modify(
        cell_, to_order(order), to_order(order), [](std::uint64_t) { return true; },
        [&](std::uint64_t old) { return pack(update(unpack(old))); }));
  }
  static std::uint64_t pack(T value) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
  }
  static T unpack(std::uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }

  mutable Cell cell_;
};

}  // namespace sim
