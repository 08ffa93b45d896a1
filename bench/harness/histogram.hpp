// A log-linear histogram: 128 steps in every power of two, so a value is known to 0.8 %. Plain memory without
// pointers: it may lie in a page that processes share, and one thread writes it.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace bench {

class Histogram {
 public:
  void add(std::uint64_t value) {
    ++counts_[index_of(value)];
    ++count_;
    if (value > max_) max_ = value;
  }
  void add(const Histogram& other) {
    for (std::size_t i = 0; i < kSteps; ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    if (other.max_ > max_) max_ = other.max_;
  }
  void clear() { *this = Histogram(); }

  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }

  /// The value that `share` (0 to 1) of the values do not exceed. A clock that moves in steps makes many values
  /// alike: between two steps that occur the quantile is interpolated, by how many values lie on each.
  double quantile(double share) const {
    const double rank = share * static_cast<double>(count_);
    double below = 0;
    double before = -1;  // the last step that occurred
    for (std::size_t i = 0; i < kSteps; ++i) {
      if (counts_[i] == 0) continue;
      const double here = middle_of(i);
      const double count = counts_[i];
      if (below + count >= rank) {
        std::size_t next = i + 1;
        while (next < kSteps && counts_[next] == 0) ++next;
        const double after = next < kSteps ? middle_of(next) : here;
        const double low = before < 0 ? here : nearby(here, before);
        const double high = nearby(here, after);
        return low + (high - low) * (count > 0 ? (rank - below) / count : 0);
      }
      below += count;
      before = here;
    }
    return static_cast<double>(max_);
  }

 private:
  static constexpr unsigned kBits = 7;  // of the step within a power of two
  static constexpr std::size_t kInPower = std::size_t{1} << kBits;
  static constexpr std::size_t kPowers = 34;  // ticks of a minute still have a step of their own
  static constexpr std::size_t kSteps = kInPower * kPowers;

  /// Below kInPower each value has its own step; above, the bits under the highest one choose it.
  static std::size_t index_of(std::uint64_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value));
    if (width <= kBits) return value;
    const unsigned power = width - kBits;
    const std::size_t index = power * kInPower + ((value >> (power - 1)) & (kInPower - 1));
    return index < kSteps ? index : kSteps - 1;
  }
  static double middle_of(std::size_t index) {
    const std::size_t power = index / kInPower;
    if (power == 0) return static_cast<double>(index);
    const auto step = static_cast<double>(std::uint64_t{1} << (power - 1));
    return (static_cast<double>(kInPower + index % kInPower) + 0.5) * step;
  }

  /// Half-way to a neighbouring step, unless that is far away: then nothing is known of what lies between.
  static double nearby(double here, double other) {
    const double half = (here + other) / 2;
    return half < here * 0.9 || half > here * 1.1 ? here : half;
  }

  std::array<std::uint32_t, kSteps> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace bench
