// Which index has the smallest key: the ready index of a table that is not first in, first out, and the times at which
// something is to be done. A tree of minima: a leaf for each index, and above each sixteen nodes the least of them.
//
// Who may call     any participant, any thread, at any time.
// Progress         lock-free: a call repeats a step only where somebody else changed what it had read.
// Source           the f-array of P. Jayanti (2002), with sixteen children a node (two cache lines, which are fetched
//                  together), and in place of LL/SC a compare-and-swap after which the writer looks at the children again.
//
// What it holds are hints, as in hint_ring.hpp: the truth about an index is elsewhere, and `key_of` reads it there. Whoever
// changes that truth calls refresh() afterwards.
//
// Invariant  A node differs from the least of its children only while somebody who changed one of them is on the way up,
//            or was killed or stopped there. Whoever writes a node looks at the children afterwards, so the last one to
//            write it has seen all changes that were made before its look; one that is made later has a refresh of its own,
//            and each refresh looks at all nodes up to the top: a stopped one hides nothing but its own change.
//            rebuild() sets right what a killed or stopped one left.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace shmq::core {

/// The key of an index that is to be found by nobody.
inline constexpr std::uint64_t kNoKey = ~std::uint64_t{0};

/// How many nodes each level has, and where it begins: a function of the number of indices.
template <std::uint32_t Fan>
class BasicMinTreeShape {
 public:
  static constexpr std::uint32_t kFan = Fan;
  static constexpr unsigned kLevelsMax = 8;
  constexpr BasicMinTreeShape() = default;
  constexpr explicit BasicMinTreeShape(std::uint32_t indices) : indices_(indices) {
    std::uint64_t nodes = indices;
    do {
      const std::uint64_t lines = (nodes + kFan - 1) / kFan;
      begin_[levels_ + 1] = begin_[levels_] + lines * kFan;
      ++levels_;
      nodes = lines;
    } while (nodes > 1);
  }
  constexpr unsigned levels() const { return levels_; }
  /// Of all levels together; each begins a pair of cache lines.
  constexpr std::uint64_t nodes() const { return begin_[levels_]; }
  constexpr std::uint64_t at(unsigned level, std::uint64_t i) const { return begin_[level] + i; }
  constexpr std::uint64_t nodes(unsigned level) const { return begin_[level + 1] - begin_[level]; }
  /// … of which so many stand for something. Nobody looks at the others, whatever they say.
  constexpr std::uint64_t used(unsigned level) const {
    return ((std::uint64_t{indices_} - 1) >> (level * (std::bit_width(Fan) - 1))) + 1;
  }

 private:
  static_assert(std::has_single_bit(Fan));
  unsigned levels_ = 0;
  std::uint32_t indices_ = 0;
  std::uint64_t begin_[kLevelsMax + 2] = {};
};

using MinTreeShape = BasicMinTreeShape<16>;

/// `Memory` supplies shape() and node(i), an atomic word each. All of them are kNoKey at first.
template <class Memory>
class MinTree {
 public:
  MinTree() = default;
  explicit MinTree(Memory memory) : memory_(memory) {}
  Memory& memory() { return memory_; }

  /// Says what `key_of()` says of the index, now that it may have changed.
  template <class KeyOf>
  void refresh(std::uint32_t index, KeyOf&& key_of) {
    set_leaf(index, key_of);
    climb_from(0, index / kFan);
  }

  /// The least key of all.
  std::uint64_t least() const { return least_of(look_at(memory_.shape().levels() - 1, 0)); }

  /// An index that has the least key, as far as nobody is on the way up. False: there is none.
  bool find(std::uint32_t& index, std::uint64_t& key) {
    std::uint64_t node = 0;
    if (!descend(0, node, key)) return false;
    index = static_cast<std::uint32_t>(node);
    return true;
  }

  /// The line of leaves where find() would look now, for whoever wants it in his cache by then. False: there is none.
  bool find_line(std::uint64_t& line) {
    std::uint64_t key = 0;
    line = 0;
    return memory_.shape().levels() == 1 ? least() != kNoKey : descend(1, line, key);
  }
  /// The index of a line of leaves that has its least key. False: none has one.
  bool least_in(std::uint64_t line, std::uint32_t& index, std::uint64_t& key) const {
    const Line keys = look_at(0, line);
    key = least_of(keys);
    index = static_cast<std::uint32_t>(line * kFan + place_of(key, keys));
    return key != kNoKey;
  }

  /// A line of leaves and all above it anew, whatever they say. `key_of(index)`. Whoever refreshes meanwhile is not disturbed.
  template <class KeyOf>
  void mend(std::uint64_t line, KeyOf&& key_of) {
    const auto& shape = memory_.shape();
    const std::uint64_t end = std::min<std::uint64_t>((line + 1) * kFan, shape.used(0));
    for (std::uint64_t i = line * kFan; i < end; ++i)
      set_leaf(static_cast<std::uint32_t>(i), [&] { return key_of(static_cast<std::uint32_t>(i)); });
    climb_from(0, line);
  }
  /// Everything anew, after a kill.
  template <class KeyOf>
  void rebuild(KeyOf&& key_of) {
    const std::uint64_t lines = (memory_.shape().used(0) + kFan - 1) / kFan;
    for (std::uint64_t line = 0; line < lines; ++line) mend(line, key_of);
  }

 private:
  static constexpr std::uint32_t kFan = std::remove_cvref_t<decltype(std::declval<const Memory&>().shape())>::kFan;
  static constexpr unsigned kRacesMax = 100'000;

  std::uint64_t look(unsigned level, std::uint64_t i) const {
    return memory_.node(memory_.shape().at(level, i)).load(std::memory_order_seq_cst);
  }
  bool swap(unsigned level, std::uint64_t i, std::uint64_t from, std::uint64_t to) {
    return memory_.node(memory_.shape().at(level, i)).compare_exchange_strong(from, to, std::memory_order_seq_cst);
  }
  using Line = std::array<std::uint64_t, kFan>;
  /// What the nodes of a line say, as far as they stand for something.
  Line look_at(unsigned level, std::uint64_t line) const {
    Line keys;
    const std::uint64_t first = line * kFan, used = memory_.shape().used(level) - first;
    if (used >= kFan) [[likely]] {
#pragma GCC unroll 16
      for (std::uint32_t i = 0; i < kFan; ++i) keys[i] = look(level, first + i);
    } else {
      for (std::uint32_t i = 0; i < kFan; ++i) keys[i] = i < used ? look(level, first + i) : kNoKey;
    }
    return keys;
  }
  // Keys are in no order that a branch predictor could learn: there are no branches on them.
  static std::uint64_t least_of(const Line& keys) {
    std::uint64_t best = keys[0];
#pragma GCC unroll 16
    for (std::uint32_t i = 1; i < kFan; ++i) best = std::min(best, keys[i]);
    return best;
  }
  /// The first of those that are the least.
  static std::uint32_t place_of(std::uint64_t least, const Line& keys) {
    std::uint32_t places = 0;
#pragma GCC unroll 16
    for (std::uint32_t i = 0; i < kFan; ++i) places |= std::uint32_t{keys[i] == least} << i;
    return static_cast<std::uint32_t>(std::countr_zero(places));
  }

  /// The node of that level, and its key, to which the least keys lead down from the top. False: there is none.
  bool descend(unsigned to_level, std::uint64_t& node, std::uint64_t& key) {
    const unsigned top = memory_.shape().levels() - 1;
    for (unsigned race = 0; race < kRacesMax; ++race) {
      std::uint64_t line = 0;
      for (unsigned level = top;; --level) {
        const Line keys = look_at(level, line);
        const std::uint64_t best = least_of(keys);
        if (level == top && best == kNoKey) return false;
        if (level != top && best > key) {  // the way down was said to be shorter: set it right, and begin again
          climb_from(level, line);
          break;
        }
        key = best;
        node = line * kFan + place_of(best, keys);
        if (level == to_level) return true;
        line = node;
      }
    }
    return false;
  }

  template <class KeyOf>
  void set_leaf(std::uint32_t index, KeyOf&& key_of) {
    for (unsigned race = 0; race < kRacesMax; ++race) {
      const std::uint64_t seen = look(0, index), key = key_of();
      if (seen != key && !swap(0, index, seen, key)) continue;
      if (key_of() == key) return;  // else it changed meanwhile, and a later one's leaf may have been written over
    }
  }
  /// The node above a line of nodes.
  void set_node(unsigned level, std::uint64_t line) {
    for (unsigned race = 0; race < kRacesMax; ++race) {
      const std::uint64_t seen = look(level + 1, line), least = least_of(look_at(level, line));
      if (seen == least) return;
      if (!swap(level + 1, line, seen, least)) continue;
      if (least_of(look_at(level, line)) == least) return;
    }
  }
  /// To the top, also past nodes that say what they should: who wrote one may have been stopped before the next.
  void climb_from(unsigned level, std::uint64_t line) {
    for (; level + 1 < memory_.shape().levels(); ++level, line /= kFan) set_node(level, line);
  }

  Memory memory_{};
};

}  // namespace shmq::core
