#include "tree_scenario.hpp"

#include <algorithm>

#include "sim_hash.hpp"

namespace tree_test {

using shmq::core::kNoKey;

TreeScenario::TreeScenario(const TreeCast& cast) : cast_(cast), shape_(cast.indices), tree_(Memory{this}) {
  while (threads_ < cast.scripts.size() && cast.scripts[threads_] != nullptr) ++threads_;
  for (unsigned level = 0, i = 0; level < shape_.levels(); ++level)
    for (std::uint64_t n = 0; n < shape_.nodes(level); ++n, ++i) {
      nodes_[i].scenario = this;
      nodes_[i].index = i;
      nodes_[i].level = level;
      nodes_[i].word.label("node", i);
      nodes_[i].word.store(kNoKey);
    }
  for (std::uint32_t i = 0; i < cast.indices; ++i) {
    truth_[i].label("truth", i);
    truth_[i].store(cast.keys[i]);
  }
  tree_.rebuild([&](std::uint32_t i) { return truth_[i].peek(); });
}

std::uint64_t TreeScenario::Node::load(std::memory_order order) const {
  Memories& mine = scenario->of_[sim::World::current().running()];
  if (scenario->cast_.flaw == Flaw::node_not_looked_at_again) {
    if (static_cast<int>(level) == mine.frozen_level) return mine.seen[index];
    mine.frozen_level = -1;
  }
  return mine.seen[index] = word.load(order);
}

bool TreeScenario::Node::compare_exchange_strong(std::uint64_t& expected, std::uint64_t desired, std::memory_order order) {
  const bool written = word.compare_exchange_strong(expected, desired, order);
  if (written && level > 0) scenario->of_[sim::World::current().running()].frozen_level = static_cast<int>(level) - 1;
  return written;
}

void TreeScenario::refresh(unsigned thread, std::uint32_t index) {
  Memories& mine = of_[thread];
  mine.frozen_level = -1;
  mine.key_seen = false;
  tree_.refresh(index, [&] {
    if (cast_.flaw == Flaw::leaf_not_looked_at_again && mine.key_seen) return mine.key;
    mine.key_seen = true;
    return mine.key = truth_[index].load(std::memory_order_seq_cst);
  });
}

void TreeScenario::change(unsigned thread, std::uint32_t index, std::uint64_t key) {
  truth_[index].store(key, std::memory_order_seq_cst);  // as the compare-and-swap of a task's word
  refresh(thread, index);
}

void TreeScenario::run(unsigned thread) {
  const char* const script = cast_.scripts[thread];
  for (unsigned i = 0; script[i] != '\0';) {
    of_[thread] = {};
    sim::local_state(i);
    if (script[i] == '?') {
      std::uint32_t index = 0;
      std::uint64_t key = 0;
      if (tree_.find(index, key)) {
        sim::require(index < cast_.indices, "an index that there is not");
        change(thread, index, kNoKey);
      }
      i += 1;
    } else {
      change(thread, static_cast<std::uint32_t>(script[i] - '0'),
             script[i + 1] == 'x' ? kNoKey : static_cast<std::uint64_t>(script[i + 1] - '0'));
      i += 2;
    }
  }
  of_[thread] = {};
  sim::local_state(~0ull);
}

void TreeScenario::check() {
  const unsigned last = sim::threads_max;
  of_[last] = {};
  bool all_ended = true;
  for (unsigned i = 0; i < threads_; ++i) all_ended &= sim::ended_now(i) && !sim::crashed_now(i);
  if (!all_ended && cast_.flaw != Flaw::nothing_rebuilt)
    tree_.rebuild([&](std::uint32_t i) { return truth_[i].load(std::memory_order_seq_cst); });
  std::uint64_t least = kNoKey;
  for (std::uint32_t i = 0; i < cast_.indices; ++i) {
    sim::require(nodes_[i].word.peek() == truth_[i].peek(), "a leaf is not what the truth says");
    least = std::min(least, truth_[i].peek());
  }
  for (unsigned level = 1; level < shape_.levels(); ++level)
    for (std::uint64_t n = 0; n < shape_.nodes(level - 1) / 2; ++n)
      sim::require(nodes_[shape_.at(level, n)].word.peek() == std::min(nodes_[shape_.at(level - 1, 2 * n)].word.peek(),
                                                                     nodes_[shape_.at(level - 1, 2 * n + 1)].word.peek()),
                   "a node is not the least of its children");
  std::uint32_t index = 0;
  std::uint64_t key = kNoKey;
  const bool found = tree_.find(index, key);
  sim::require(found == (least != kNoKey) && key == least, "another key was found than the least");
}

std::uint64_t TreeScenario::shadow() const {
  std::uint64_t hash = 0;
  if (cast_.flaw == Flaw::none) return hash;
  for (unsigned i = 0; i < threads_; ++i) {
    if (sim::World::current().crashed(i)) continue;
    for (const std::uint64_t seen : of_[i].seen) hash = sim::mix(hash, seen);
    hash = sim::mix(hash, of_[i].key << 8 | static_cast<std::uint64_t>(of_[i].frozen_level + 1) << 1 | of_[i].key_seen);
  }
  return hash;
}

}  // namespace tree_test
