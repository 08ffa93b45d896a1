// Where a case's decisions come from: a seed, or bytes that a fuzzer chose.
#pragma once

#include <cstdint>
#include <random>
#include <span>

namespace hostile {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  /// Every decision eats bytes; when they are used up, `over()` is true and every decision is 0.
  explicit Dice(std::span<const std::uint8_t> bytes) : bytes_(bytes), from_bytes_(true) {}

  bool over() const { return from_bytes_ && bytes_.empty(); }

  std::uint64_t word() {
    if (!from_bytes_) return random_();
    return eat(8);
  }
  /// In [0, n); 0 where n is 0.
  std::uint64_t below(std::uint64_t n) {
    if (n <= 1) return 0;
    if (!from_bytes_) return random_() % n;
    return eat(n <= 256 ? 1 : n <= 65536 ? 2 : 8) % n;
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t eat(unsigned count) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < count && !bytes_.empty(); ++i, bytes_ = bytes_.subspan(1))
      value |= std::uint64_t{bytes_[0]} << (8 * i);
    return value;
  }

  std::mt19937_64 random_;
  std::span<const std::uint8_t> bytes_;
  bool from_bytes_ = false;
};

}  // namespace hostile
