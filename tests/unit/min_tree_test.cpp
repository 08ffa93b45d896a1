// Trees of minima: against a plain search, from one level to several, and from several threads.

#include "shmq/core/min_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

namespace shmq::core {
namespace {

class PlainMemory {
 public:
  explicit PlainMemory(std::uint32_t indices) : shape_(indices), nodes_(shape_.nodes()) {
    for (auto& node : nodes_) node.store(kNoKey);
  }
  std::atomic<std::uint64_t>& node(std::uint64_t i) { return nodes_[i]; }
  std::atomic<std::uint64_t>& node(std::uint64_t i) const { return nodes_[i]; }
  const MinTreeShape& shape() const { return shape_; }

 private:
  MinTreeShape shape_;
  mutable std::vector<std::atomic<std::uint64_t>> nodes_;
};

/// A handle, as a table has one.
struct Ref {
  PlainMemory* memory;
  std::atomic<std::uint64_t>& node(std::uint64_t i) const { return memory->node(i); }
  const MinTreeShape& shape() const { return memory->shape(); }
};

TEST(MinTreeShape, EachLevelBeginsALineAndTheTopIsOne) {
  for (const std::uint32_t n : {1u, 2u, 8u, 9u, 64u, 65u, 512u, 513u, 1u << 20, (1u << 24) - 1}) {
    const MinTreeShape shape(n);
    EXPECT_GE(shape.nodes(0), n);
    EXPECT_EQ(shape.nodes(shape.levels() - 1), MinTreeShape::kFan) << n;
    for (unsigned level = 0; level < shape.levels(); ++level) {
      EXPECT_EQ(shape.at(level, 0) % MinTreeShape::kFan, 0u);
      if (level == 0) continue;
      EXPECT_GE(shape.nodes(level) * MinTreeShape::kFan, shape.nodes(level - 1));
    }
  }
}

class MinTrees : public testing::TestWithParam<std::uint32_t> {};

TEST_P(MinTrees, FindTheLeastOfWhatIsThere) {
  const std::uint32_t n = GetParam();
  PlainMemory memory(n);
  MinTree<Ref> tree(Ref{&memory});
  std::vector<std::uint64_t> keys(n, kNoKey);
  std::mt19937 random(n);
  std::uint32_t index = 0;
  std::uint64_t key = 0;
  EXPECT_FALSE(tree.find(index, key));
  EXPECT_EQ(tree.least(), kNoKey);
  for (int step = 0; step < 3000; ++step) {
    const auto i = static_cast<std::uint32_t>(random() % n);
    keys[i] = random() % 3 == 0 ? kNoKey : random() % 1000;
    tree.refresh(i, [&] { return keys[i]; });
    const std::uint64_t least = *std::min_element(keys.begin(), keys.end());
    ASSERT_EQ(tree.least(), least);
    ASSERT_EQ(tree.find(index, key), least != kNoKey);
    if (least == kNoKey) continue;
    ASSERT_EQ(key, least);
    ASSERT_EQ(keys[index], least);
    // The same in two steps.
    std::uint64_t line = ~std::uint64_t{0}, its_key = 0;
    std::uint32_t in_line = 0;
    ASSERT_TRUE(tree.find_line(line));
    ASSERT_TRUE(tree.least_in(line, in_line, its_key));
    ASSERT_EQ(in_line, index);
    ASSERT_EQ(its_key, least);
  }
}

TEST_P(MinTrees, AreMadeAnewWhateverTheirNodesSay) {
  const std::uint32_t n = GetParam();
  std::mt19937 random(n);
  for (int round = 0; round < 20; ++round) {
    PlainMemory memory(n);
    MinTree<Ref> tree(Ref{&memory});
    for (std::uint64_t i = 0; i < memory.shape().nodes(); ++i)
      if (random() % 2) memory.node(i).store(random() % 100);
    // Leaves that stand for no index are nobody's to write; a hostile one is passed over by whoever finds it.
    for (std::uint64_t i = n; i < memory.shape().nodes(0); ++i) memory.node(i).store(kNoKey);
    for (unsigned level = 1; level < memory.shape().levels(); ++level)
      for (std::uint64_t i = memory.shape().used(level); i < memory.shape().nodes(level); ++i)
        memory.node(memory.shape().at(level, i)).store(kNoKey);
    tree.rebuild([](std::uint32_t i) { return std::uint64_t{1000} + i; });
    std::uint32_t index = 77;
    std::uint64_t key = 0;
    ASSERT_TRUE(tree.find(index, key));
    EXPECT_EQ(index, 0u);
    EXPECT_EQ(key, 1000u);
    EXPECT_EQ(tree.least(), 1000u);
  }
}

TEST_P(MinTrees, AWayThatIsSaidToBeShorterThanItIsIsSetRight) {
  const std::uint32_t n = GetParam();
  PlainMemory memory(n);
  if (memory.shape().levels() < 2) return;
  MinTree<Ref> tree(Ref{&memory});
  tree.refresh(n - 1, [] { return std::uint64_t{500}; });
  // As somebody left it who was killed on the way up.
  memory.node(memory.shape().at(memory.shape().levels() - 1, 0)).store(3);
  std::uint32_t index = 0;
  std::uint64_t key = 0;
  ASSERT_TRUE(tree.find(index, key));
  EXPECT_EQ(index, n - 1);
  EXPECT_EQ(tree.least(), 500u);
}

TEST(MinTree, WhoWasStoppedOnTheWayUpHidesNothingOfOthers) {
  PlainMemory memory(5000);
  MinTree<Ref> tree(Ref{&memory});
  ASSERT_GE(memory.shape().levels(), 3u);
  // Index 0 has a key, and the node above says so; nobody has said so further up.
  memory.node(0).store(5);
  memory.node(memory.shape().at(1, 0)).store(5);
  // A later one, below the same node.
  tree.refresh(1, [] { return std::uint64_t{7}; });
  std::uint32_t index = 0;
  std::uint64_t key = 0;
  ASSERT_TRUE(tree.find(index, key));
  EXPECT_EQ(key, 5u);
  // The very leaf, again.
  memory.node(4000).store(3);
  tree.refresh(4000, [] { return std::uint64_t{3}; });
  ASSERT_TRUE(tree.find(index, key));
  EXPECT_EQ(index, 4000u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, MinTrees, testing::Values(1u, 7u, 16u, 17u, 100u, 256u, 513u, 5000u));

TEST(MinTreeThreads, AgreeOnceAllOfThemAreDone) {
  constexpr std::uint32_t n = 200, kFan = MinTreeShape::kFan;
  PlainMemory memory(n);
  std::vector<std::atomic<std::uint64_t>> keys(n);
  for (auto& key : keys) key.store(kNoKey);
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        MinTree<Ref> tree(Ref{&memory});
        std::mt19937 random(t);
        for (int step = 0; step < 20'000; ++step) {
          const auto i = static_cast<std::uint32_t>(random() % n);
          keys[i].store(random() % 4 == 0 ? kNoKey : random() % 1000);
          tree.refresh(i, [&] { return keys[i].load(); });
          std::uint32_t index = 0;
          std::uint64_t key = 0;
          if (tree.find(index, key)) {
            ASSERT_LT(index, n);
          }
        }
      });
  }
  for (unsigned level = 0; level + 1 < memory.shape().levels(); ++level)
    for (std::uint64_t line = 0; line < memory.shape().nodes(level) / kFan; ++line) {
      std::uint64_t least = kNoKey;
      for (std::uint64_t i = 0; i < kFan; ++i) least = std::min(least, memory.node(memory.shape().at(level, line * kFan + i)).load());
      EXPECT_EQ(memory.node(memory.shape().at(level + 1, line)).load(), least) << level << ' ' << line;
    }
  for (std::uint32_t i = 0; i < n; ++i) EXPECT_EQ(memory.node(i).load(), keys[i].load());
}

}  // namespace
}  // namespace shmq::core
