// The words of a ring in ordinary memory, as a fresh queue would have them.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include "shmq/layout/words.hpp"

namespace shmq::test {

class PlainRingMemory {
 public:
  using Word = std::atomic<std::uint64_t>;
  PlainRingMemory() = default;
  PlainRingMemory(unsigned log2, std::uint64_t start)
      : log2_(log2), words_(new Word[3 + 3 * (std::size_t{1} << log2)], std::default_delete<Word[]>()) {
    const std::uint64_t n = std::uint64_t{1} << log2;
    start &= layout::kPositionMask;
    tail() = layout::ring_word(start, 0);
    head() = layout::ring_word(start, 0);
    redeliveries() = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t p = layout::position_add(start, i), index = p & (n - 1);
      slot(index) = layout::slot_word(static_cast<std::uint32_t>(p >> log2), layout::SlotState::free);
      producer_trail(index) = consumer_trail(index) =
          layout::ring_word(layout::position_add(layout::position_sub(p, n), 1), 0);
    }
  }
  Word& tail() const { return words_.get()[0]; }
  Word& head() const { return words_.get()[1]; }
  Word& redeliveries() const { return words_.get()[2]; }
  Word& producer_trail(std::uint64_t i) const { return words_.get()[3 + 3 * i]; }
  Word& consumer_trail(std::uint64_t i) const { return words_.get()[4 + 3 * i]; }
  Word& slot(std::uint64_t i) const { return words_.get()[5 + 3 * i]; }
  unsigned capacity_log2() const { return log2_; }

 private:
  unsigned log2_ = 0;
  std::shared_ptr<Word> words_;
};

}  // namespace shmq::test
