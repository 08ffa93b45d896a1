#pragma once
// One execution: simulated threads, the memory they share, and the scheduler between them.
//
// Memory model. Every thread has a store buffer. A store is either visible at once or, by choice, held back
// (that costs one of Bounds::delays) and made visible at a later step by another choice. Held stores become
// visible in program order if they are to one location, if the later one is a release or seq_cst store, or if
// a release fence lies between them; otherwise in any order (PSO with release stores, so weaker than x86). A
// load sees the newest store of its own thread that is still held, else memory. A read-modify-write acts on
// memory in one step: with release semantics everything before it becomes visible first, without them only
// the stores to its own location. One that fails is a load. A seq_cst load waits for the thread's seq_cst
// stores, a seq_cst fence for all of them. With Bounds::stale, loads may also return what memory held
// earlier, as far back as coherence and the thread's last acquire allow: that is how a missing acquire shows.
// Not modelled: a load that takes a value not stored yet (out-of-thin-air, load buffering), spurious failures
// of compare_exchange_weak, mixed-size access.
//
// Crash. A crashed thread never runs again; its held stores still become visible at arbitrary later times.
// Others learn of the death through dead(), which by default answers yes only after the buffer has drained:
// the kernel releases a dead process's locks on the processor that ran it, after its stores.
// Bounds::early_news drops that guarantee.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim_choice.hpp"
#include "sim_fiber.hpp"
#include "sim_states.hpp"

namespace sim {

class Scenario;

inline constexpr unsigned unbounded = 0xffff;

// What an execution may cost at most. A search is exhaustive within its bounds.
struct Bounds {
  unsigned preemptions = 2;  // switches away from a thread that could have gone on; leaving a pause is free
  unsigned delays = 0;       // stores held back, and deaths that become known late
  unsigned stale = 0;        // loads that return an older value
  unsigned crashes = 0;
  unsigned stops = 0;             // SIGSTOP: not scheduled until nothing else can run
  std::uint32_t may_crash = ~0u;  // bit per thread
  std::uint32_t may_stop = ~0u;
  bool early_news = false;
};

enum class Op : std::uint8_t { start, read, write, rmw, fence, pause, ask, wait, exit };
enum class Order : std::uint8_t { relaxed, acquire, release, acq_rel, seq_cst };

// The memory behind one sim::Atom.
struct Cell {
  std::uint64_t value = 0;
  std::uint32_t id = 0;
  std::uint32_t since = 0;  // time of the store that wrote `value`
  const char* label = nullptr;
  unsigned index = 0;
  struct Past {
    std::uint64_t value;
    std::uint32_t since, until;
  };
  std::array<Past, 4> past{};  // ring, newest at (pasts - 1) % 4; kept only with Bounds::stale
  std::uint32_t pasts = 0;
  std::array<std::uint32_t, threads_max>
      seen{};  // coherence: no thread reads what is older than what it read before
};

enum class Ending : std::uint8_t { completed, failed, pruned, too_long };

class World {
 public:
  static World& current();  // the world of the execution in progress
  static World* current_or_null();

  World(const Bounds& bounds, unsigned steps_max);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Forgets the execution before. The scenario, whose atoms register themselves, is made between begin and
  // run.
  void begin(bool recording);
  // Runs the threads of `scenario` to the end of one execution. `seen` may be null: no state is compared
  // then.
  Ending run(Scenario& scenario, Chooser& chooser, StateTable* seen);

  const std::string& failure() const { return failure_; }
  const std::string& trace() const { return trace_; }
  const std::vector<std::uint8_t>& choices() const { return choices_; }
  unsigned steps() const { return steps_; }

  // Called by Atom and by the functions in sim.hpp. Outside the threads they act at once on memory.
  void add(Cell& cell);
  std::uint64_t load(Cell& cell, Order order);
  void store(Cell& cell, std::uint64_t value, Order order);
  // Returns the old value; stores update(old) where wanted(old).
  template <class Wanted, class Update>
  std::uint64_t modify(Cell& cell, Order success, Order failure, Wanted wanted, Update update);
  void fence(Order order);
  void barrier_everywhere();
  void pause();
  void futex_wait(std::span<Cell* const> cells, std::span<const std::uint64_t> expected);
  void futex_wake(Cell& cell);
  bool dead(unsigned thread);
  bool ended(unsigned thread);
  bool crashed_now(unsigned thread);
  bool ended_now(unsigned thread);
  unsigned choose(unsigned options);
  void local_state(std::uint64_t hash);
  void note(std::string text);  // into the trace
  void fail(std::string_view message);
  bool recording() const { return recording_; }
  bool crashed(unsigned thread) const { return threads_[thread].status == Status::crashed; }
  bool waited_for_stopped() const { return waited_for_stopped_; }
  unsigned running() const { return running_; }  // threads_max outside the threads

 private:
  enum class Status : std::uint8_t { ready, paused, futex, done, crashed };

  struct Held {  // a store that others do not see yet
    Cell* cell;
    std::uint64_t value;
    std::uint8_t epoch;  // release fences before it
    bool release, seq_cst;
    bool aged;  // another thread has stepped since: before that, holding it back changed nothing
  };
  static constexpr unsigned held_max = 8;

  struct ThreadState {
    Status status = Status::ready;
    Op next = Op::start;
    Cell* next_cell = nullptr;
    std::array<Cell*, 2> waits_on{};  // futex words it is queued for
    bool woken = false;               // and one of them was woken since
    unsigned next_subject = 0;  // ask: about whom
    bool stopped = false;
    bool fresh = true;         // the next operation opens a new round of looking
    bool death_known = false;  // dead() has said so to someone
    std::uint8_t epoch = 0;
    std::uint8_t held_count = 0;
    std::array<Held, held_max> held{};
    std::uint64_t history = 0;  // of everything the thread has observed: it stands for its local state
    std::uint32_t floor = 0, fence_floor = 0;  // stale loads: nothing overwritten before this time
  };
  struct Thread : ThreadState {
    Fiber fiber;
  };

  static constexpr unsigned nobody = threads_max;
  bool on_fiber() const { return running_ != nobody; }

  // Scheduling (sim_schedule.cpp).
  static void thread_main(void* world);
  void point(Op op, Cell* cell, unsigned subject = 0);
  void look();
  void schedule();
  bool enabled(unsigned thread) const;
  void list_options();
  void list_flushes(unsigned thread);
  void list_set_aside();
  void list_faults();
  bool flush_wanted(unsigned thread, const Held& held) const;
  void step(unsigned thread);
  void settle_or_wedge();
  void set_failure(std::string_view message);
  void finish(Ending ending);
  std::uint64_t state_key() const;
  unsigned choose_value(unsigned options);
  unsigned take(std::span<const Option> options);
  void spend(unsigned& budget, unsigned whole);

  // Memory (sim_memory.cpp).
  static bool precedes(const Held& earlier, const Held& later);
  bool can_flush(const Thread& thread, unsigned entry) const;
  void flush(unsigned thread, unsigned entry);
  void flush_with_predecessors(unsigned thread, unsigned entry);
  void drain(unsigned thread);
  void commit(unsigned thread, Cell& cell, std::uint64_t value);
  bool newest_held(const Thread& thread, const Cell& cell, std::uint64_t& value) const;
  std::uint64_t read_memory(Cell& cell, Order order, bool may_be_stale);
  void before_modify(Cell& cell, Order order);
  void after_modify(Cell& cell, Order order);
  void observe(std::uint64_t value);
  void record(const char* what, const Cell* cell, std::uint64_t value);
  void record_thread(unsigned thread, const std::string& text);
  std::string describe(const Cell& cell, std::uint64_t value) const;

  Bounds bounds_;
  Bounds left_;
  unsigned steps_max_;
  bool recording_ = false;
  Scenario* scenario_ = nullptr;
  Chooser* chooser_ = nullptr;
  StateTable* seen_ = nullptr;
  World* outer_ = nullptr;

  Fiber main_;
  std::array<Thread, threads_max> threads_;
  unsigned thread_count_ = 0;
  unsigned running_ = nobody;  // whose stack this is
  unsigned last_ = nobody;     // who took the last step
  std::uint32_t news_ = 0;     // threads that have not looked since another one changed memory
  std::uint32_t not_next_ =
      0;  // threads whose store was just flushed: another has to step before the next of theirs
  unsigned steps_ = 0;
  std::uint32_t clock_ = 0;
  std::uint32_t cell_count_ = 0;
  std::uint64_t memory_hash_ = 0;
  bool waited_for_stopped_ = false;
  Ending ending_ = Ending::completed;
  std::string failure_;
  std::string trace_;
  std::vector<std::uint8_t> choices_;
  std::vector<Option> options_;
};

template <class Wanted, class Update>
std::uint64_t World::modify(Cell& cell, Order success, Order failure, Wanted wanted, Update update) {
  if (!on_fiber()) {
    const std::uint64_t old = cell.value;
    if (wanted(old)) commit(nobody, cell, update(old));
    return old;
  }
  point(Op::rmw, &cell);
  std::uint64_t old = cell.value;
  newest_held(threads_[running_], cell, old);
  if (!wanted(old)) {
    old = read_memory(cell, failure, false);
    observe(old);
    record("reads, no swap,", &cell, old);
    return old;
  }
  before_modify(cell, success);
  const std::uint64_t value = update(old);
  commit(running_, cell, value);
  after_modify(cell, success);
  observe(old);
  record("swaps", &cell, value);
  return old;
}

}  // namespace sim
