#pragma once
// A tree of minima with two children a node, and threads that change the keys of its indices: each change of the truth is
// followed by a refresh, as objects/task_times.cpp does it. At the end every node is the least of its children and every
// leaf what the truth says; where a thread was killed or stopped on the way, after rebuild().

#include <array>
#include <cstdint>

#include "shmq/core/min_tree.hpp"
#include "sim.hpp"

namespace tree_test {

enum class Flaw : std::uint8_t {
  none,
  node_not_looked_at_again,  // whoever wrote a node does not look at its children afterwards
  leaf_not_looked_at_again,  // whoever wrote a leaf does not look at the truth afterwards
  nothing_rebuilt,           // a sweep leaves the tree as it is
};

struct TreeCast {
  /// Of each thread: pairs of an index and the key that it gets; "x" is none. "?" finds, and takes what it found.
  std::array<const char*, 3> scripts{};
  std::array<std::uint64_t, 4> keys = {shmq::core::kNoKey, shmq::core::kNoKey, shmq::core::kNoKey, shmq::core::kNoKey};
  std::uint32_t indices = 4;
  Flaw flaw = Flaw::none;
};

class TreeScenario : public sim::Scenario {
 public:
  explicit TreeScenario(const TreeCast& cast);
  unsigned threads() const override { return threads_; }
  void run(unsigned thread) override;
  void check() override;
  std::uint64_t shadow() const override;

 private:
  static constexpr unsigned nodes_max = 8;
  using Shape = shmq::core::BasicMinTreeShape<2>;

  struct Node {
    sim::Atom<std::uint64_t> word;
    TreeScenario* scenario = nullptr;
    unsigned index = 0, level = 0;
    std::uint64_t load(std::memory_order order) const;
    bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order order);
  };
  struct Memory {
    TreeScenario* scenario = nullptr;
    Node& node(std::uint64_t i) const { return scenario->nodes_[i]; }
    const Shape& shape() const { return scenario->shape_; }
  };
  /// What a flawed thread goes by in place of a second look.
  struct Memories {
    std::array<std::uint64_t, nodes_max> seen{};
    int frozen_level = -1;
    std::uint64_t key = 0;
    bool key_seen = false;
  };

  void change(unsigned thread, std::uint32_t index, std::uint64_t key);
  void refresh(unsigned thread, std::uint32_t index);

  TreeCast cast_;
  unsigned threads_ = 0;
  Shape shape_;
  std::array<Node, nodes_max> nodes_;
  std::array<sim::Atom<std::uint64_t>, 4> truth_;
  mutable std::array<Memories, sim::threads_max + 1> of_;
  shmq::core::MinTree<Memory> tree_;
};

}  // namespace tree_test
