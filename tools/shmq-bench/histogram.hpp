// A histogram of durations with log-linear buckets, 128 to each power of two: values below 256 are exact,
// larger ones share a bucket with those within 1/128 of them. Percentiles are interpolated inside a bucket: a
// clock that moves in coarse steps then still tells a median finer than its step, since where in a step a
// duration begins is chance. No pointers: it may lie in shared memory.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace shmq::bench {

class Histogram {
 public:
  static constexpr unsigned kSubBits = 7;
  /// The largest value that has a bucket of its own magnitude; larger ones count as it.
  static constexpr unsigned kValueBits = 40;
  static constexpr std::uint64_t kValueMax = (std::uint64_t{1} << kValueBits) - 1;
  /// |percentile - true value| <= 0.5 + kErrorBound * true value.
  static constexpr double kErrorBound = 1.0 / 128;

  void record(std::uint64_t value) {
    if (value > largest_) largest_ = value;
    ++counts_[bucket_of(value < kValueMax ? value : kValueMax)];
    ++total_;
  }

  void add(const Histogram& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    if (other.largest_ > largest_) largest_ = other.largest_;
  }

  std::uint64_t count() const { return total_; }
  std::uint64_t max() const { return largest_; }

  /// The value that `fraction` of all recorded values do not exceed: of n sorted values the one of rank
  /// ceil(fraction * n), as if those of one bucket lay evenly in it. 0 where nothing was recorded.
  double percentile(double fraction) const {
    if (total_ == 0) return 0;
    double rank = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(total_);
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      const auto count = static_cast<double>(counts_[i]);
      if (count > 0 && rank <= count) {
        const Range range = range_of(i);
        // A value stands for half a unit to both sides of it.
        const double at =
            static_cast<double>(range.low) - 0.5 + rank / count * static_cast<double>(range.width);
        return std::clamp(at, 0.0, static_cast<double>(largest_));
      }
      rank -= count;
    }
    return static_cast<double>(largest_);
  }

 private:
  static constexpr std::uint64_t kSub = std::uint64_t{1} << kSubBits;

  static std::size_t bucket_of(std::uint64_t value) {
    if (value < 2 * kSub) return static_cast<std::size_t>(value);
    const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - kSubBits;
    return static_cast<std::size_t>(shift * kSub + (value >> shift));
  }

  struct Range {
    std::uint64_t low = 0;
    std::uint64_t width = 1;
  };
  static Range range_of(std::size_t bucket) {
    if (bucket < 2 * kSub) return {bucket, 1};
    const std::uint64_t shift = bucket / kSub - 1;
    return {(bucket - shift * kSub) << shift, std::uint64_t{1} << shift};
  }

  std::uint64_t total_ = 0;
  std::uint64_t largest_ = 0;
  std::array<std::uint64_t, (kValueBits - kSubBits + 1) * kSub> counts_{};
};

}  // namespace shmq::bench
