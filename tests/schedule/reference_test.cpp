// The explorer leaves out schedules that it takes to be equivalent (flushes nobody could notice, crashes
// between two reads, states it has met). Here it is held to an enumerator of the same memory model that
// leaves out nothing: on random small programs both must reach the same outcomes.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "sim.hpp"

namespace {

enum class Kind { load, store, exchange, fence };
struct Instruction {
  Kind kind;
  unsigned location;
  unsigned value;
  std::memory_order order;
};
using Thread = std::vector<Instruction>;
using Program = std::vector<Thread>;
using Outcomes = std::set<std::string>;

constexpr unsigned locations = 2;

std::string describe(const std::vector<std::string>& registers, const std::array<unsigned, locations>& memory,
                     unsigned crashed) {
  std::string text;
  for (unsigned i = 0; i < registers.size(); ++i) text += (i == crashed ? "crashed" : registers[i]) + " | ";
  for (const unsigned value : memory) text += std::to_string(value) + ' ';
  return text;
}

// --- every step of the model, one recursion each ------------------------------------------------------

struct HeldStore {
  unsigned location, value, epoch;
  bool release, seq_cst;
};
struct State {
  std::vector<unsigned> pc;
  std::vector<std::string> registers;
  std::vector<std::vector<HeldStore>> held;
  std::vector<unsigned> epoch;
  std::array<unsigned, locations> memory{};
  unsigned crashed = ~0u;

  std::string key() const {
    std::string text = describe(registers, memory, ~0u) + std::to_string(crashed) + ';';
    for (unsigned i = 0; i < pc.size(); ++i) {
      text += std::to_string(pc[i]) + '/' + std::to_string(epoch[i]) + ':';
      for (const HeldStore& h : held[i]) {
        text += std::to_string(h.location) + '=' + std::to_string(h.value) + ',' + std::to_string(h.epoch) +
                (h.release ? "r" : "") + (h.seq_cst ? "s" : "") + ' ';
      }
    }
    return text;
  }
};

bool releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

class Enumerator {
 public:
  Enumerator(const Program& program, bool may_crash) : program_(program), may_crash_(may_crash) {
    State start;
    start.pc.resize(program.size());
    start.registers.resize(program.size());
    start.held.resize(program.size());
    start.epoch.resize(program.size());
    visit(start);
  }
  Outcomes outcomes;

 private:
  static bool must_wait(const std::vector<HeldStore>& held, std::size_t entry) {
    for (std::size_t i = 0; i < entry; ++i) {
      if (held[i].location == held[entry].location || held[entry].release ||
          held[i].epoch < held[entry].epoch)
        return true;
    }
    return false;
  }

  void visit(const State& state) {
    if (!seen_.insert(state.key()).second) return;
    bool over = true;
    for (unsigned t = 0; t < program_.size(); ++t) {
      for (std::size_t i = 0; i < state.held[t].size(); ++i) {
        over = false;
        if (must_wait(state.held[t], i)) continue;
        State next = state;
        next.memory[state.held[t][i].location] = state.held[t][i].value;
        next.held[t].erase(next.held[t].begin() + static_cast<std::ptrdiff_t>(i));
        visit(next);
      }
      if (state.crashed == t) continue;
      if (may_crash_ && t == 0) {
        State next = state;
        next.crashed = t;
        visit(next);
      }
      if (state.pc[t] == program_[t].size()) continue;
      over = false;
      step(state, t);
    }
    if (over) outcomes.insert(describe(state.registers, state.memory, state.crashed));
  }

  // Held stores must be gone before some instructions: those are simply not possible yet.
  void step(State state, unsigned t) {
    const Instruction& op = program_[t][state.pc[t]++];
    std::vector<HeldStore>& held = state.held[t];
    const auto holds = [&](auto&& which) { return std::any_of(held.begin(), held.end(), which); };
    const bool sc = op.order == std::memory_order_seq_cst;
    switch (op.kind) {
      case Kind::load: {
        if (sc && holds([](const HeldStore& h) { return h.seq_cst; })) return;
        unsigned value = state.memory[op.location];
        for (const HeldStore& h : held) value = h.location == op.location ? h.value : value;
        state.registers[t] += std::to_string(value) + ' ';
        break;
      }
      case Kind::store:
        held.push_back({op.location, op.value, state.epoch[t], releases(op.order), sc});
        break;
      case Kind::exchange:
        if (releases(op.order) && !held.empty()) return;
        if (holds([&](const HeldStore& h) { return h.location == op.location || h.epoch < state.epoch[t]; }))
          return;
        state.registers[t] += std::to_string(state.memory[op.location]) + ' ';
        state.memory[op.location] = op.value;
        break;
      case Kind::fence:
        if (sc && !held.empty()) return;
        ++state.epoch[t];
        break;
    }
    visit(state);
  }

  const Program& program_;
  bool may_crash_;
  std::set<std::string> seen_;
};

// --- the same program under the explorer --------------------------------------------------------------

struct UnderTest : sim::Scenario {
  UnderTest(const Program* program_, Outcomes* outcomes_) : program(*program_), outcomes(*outcomes_) {}
  const Program& program;
  Outcomes& outcomes;
  sim::Atom<unsigned> memory[locations];
  std::array<std::array<unsigned, 8>, 3> values{};
  std::array<unsigned, 3> count{};

  unsigned threads() const override { return static_cast<unsigned>(program.size()); }
  void run(unsigned thread) override {
    for (const Instruction& op : program[thread]) {
      if (op.kind == Kind::load) values[thread][count[thread]++] = memory[op.location].load(op.order);
      if (op.kind == Kind::store) memory[op.location].store(op.value, op.order);
      if (op.kind == Kind::exchange)
        values[thread][count[thread]++] = memory[op.location].exchange(op.value, op.order);
      if (op.kind == Kind::fence) sim::fence(op.order);
    }
  }
  void check() override {
    std::vector<std::string> registers(program.size());
    unsigned crashed = ~0u;
    for (unsigned t = 0; t < program.size(); ++t) {
      for (unsigned i = 0; i < count[t]; ++i) registers[t] += std::to_string(values[t][i]) + ' ';
      if (sim::World::current().crashed(t)) crashed = t;
    }
    outcomes.insert(describe(registers, {memory[0].peek(), memory[1].peek()}, crashed));
  }
};

Program random_program(std::mt19937& random) {
  const auto pick = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  constexpr std::array store_orders{std::memory_order_relaxed, std::memory_order_relaxed,
                                    std::memory_order_release, std::memory_order_seq_cst};
  constexpr std::array load_orders{std::memory_order_relaxed, std::memory_order_acquire,
                                   std::memory_order_seq_cst};
  constexpr std::array rmw_orders{std::memory_order_relaxed, std::memory_order_acq_rel,
                                  std::memory_order_seq_cst};
  Program program(2 + pick(2));
  unsigned value = 0;
  for (Thread& thread : program) {
    const unsigned length = program.size() == 2 ? 2 + pick(4) : 1 + pick(3);
    for (unsigned i = 0; i < length; ++i) {
      const unsigned what = pick(10);
      const unsigned location = pick(locations);
      if (what < 4) {
        thread.push_back({Kind::store, location, ++value, store_orders[pick(store_orders.size())]});
      } else if (what < 8) {
        thread.push_back({Kind::load, location, 0, load_orders[pick(load_orders.size())]});
      } else if (what < 9) {
        thread.push_back({Kind::exchange, location, ++value, rmw_orders[pick(rmw_orders.size())]});
      } else {
        thread.push_back(
            {Kind::fence, 0, 0, pick(2) == 0 ? std::memory_order_release : std::memory_order_seq_cst});
      }
    }
  }
  return program;
}

std::string listing(const Program& program) {
  constexpr std::array names{"load", "store", "exchange", "fence"};
  std::string text;
  for (const Thread& thread : program) {
    for (const Instruction& op : thread) {
      text += std::string(names[static_cast<std::size_t>(op.kind)]) + ' ' + "xy"[op.location] + ' ' +
              std::to_string(op.value) + " order " + std::to_string(static_cast<int>(op.order)) + "; ";
    }
    text += '\n';
  }
  return text;
}

class Reference : public testing::TestWithParam<bool> {};

TEST_P(Reference, TheExplorerReachesExactlyTheOutcomesOfTheFullModel) {
  const bool may_crash = GetParam();
  std::mt19937 random(may_crash ? 7 : 1);
  const unsigned programs = sim::long_run() ? 20'000 : 120;
  std::size_t weak = 0;
  for (unsigned i = 0; i < programs; ++i) {
    const Program program = random_program(random);
    const Enumerator full(program, may_crash);
    for (const bool compare_states : {true, false}) {
      if (!compare_states && i % 8 != 0) continue;
      Outcomes reached;
      sim::Options options{.name = "reference",
                           .bounds = {.preemptions = sim::unbounded, .delays = sim::unbounded},
                           .executions_max = ~std::uint64_t{0},
                           .compare_states = compare_states};
      if (!compare_states) options.executions_max = 100'000;
      options.bounds.crashes = may_crash;
      options.bounds.may_crash = 1;
      const sim::Report report = sim::explore<UnderTest>(options, &program, &reached);
      if (!compare_states && !report.exhausted) continue;
      ASSERT_TRUE(report.exhausted);
      ASSERT_EQ(reached, full.outcomes) << listing(program);
    }
    weak += full.outcomes.size() > 1;
  }
  EXPECT_GT(weak, programs / 2) << "the programs are too tame to tell";
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutCrashes, Reference, testing::Bool());

}  // namespace
