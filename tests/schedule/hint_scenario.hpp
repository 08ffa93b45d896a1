#pragma once
// A ring of hints and the threads that push and pop, each a few times and without ever waiting. The oracle is
// a plain queue, kept up in the steps in which a cell changes.

#include <array>
#include <cstdint>
#include <string>

#include "sim_hash.hpp"
#include "task_memory.hpp"

namespace task_test {

struct HintCast {
  std::array<const char*, 4> scripts{};  // of each thread: '+' pushes, '-' pops
  unsigned log2 = 1;
  std::uint64_t start = 0;
  unsigned there = 0;  // hints that are there at first
  Flaw flaw = Flaw::none;
};

class HintScenario : public sim::Scenario, private Listener {
 public:
  explicit HintScenario(const HintCast& cast);

  unsigned threads() const override { return threads_; }
  void run(unsigned thread) override;
  void check() override;
  std::uint64_t shadow() const override;

 private:
  static constexpr unsigned queue_max = 16;

  void changed(const Proxy& proxy, std::uint64_t from, std::uint64_t to) override;
  void look();
  void begin(unsigned thread);
  void push(unsigned thread, std::uint32_t hint);
  shmq::core::HintStatus pop(unsigned thread);

  HintCast cast_;
  unsigned threads_ = 0;
  RingWords words_;
  Ring ring_;
  std::array<std::uint32_t, queue_max> queue_{};  // what is in the ring, the oldest first
  unsigned length_ = 0;
  struct Call {  // of one thread, since it began
    bool was_full = false, was_empty = false;
    unsigned changes = 0;
    std::uint32_t hint = 0;
  };
  std::array<Call, sim::threads_max + 1> calls_{};
};

}  // namespace task_test
