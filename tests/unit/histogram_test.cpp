#include "shmq-bench/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

namespace shmq::bench {
namespace {

constexpr double kFractions[] = {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0};

double sorted_percentile(const std::vector<std::uint64_t>& sorted, double fraction) {
  const auto rank = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::max<std::size_t>(rank, 1) - 1]);
}

void expect_like_sorted(std::vector<std::uint64_t> values) {
  const auto histogram = std::make_unique<Histogram>();
  for (const std::uint64_t value : values) histogram->record(value);
  std::sort(values.begin(), values.end());
  ASSERT_EQ(histogram->count(), values.size());
  EXPECT_EQ(histogram->max(), values.back());
  for (const double fraction : kFractions) {
    const double truth = sorted_percentile(values, fraction);
    EXPECT_NEAR(histogram->percentile(fraction), truth, 0.5 + Histogram::kErrorBound * truth) << fraction;
  }
}

TEST(Histogram, AgreesWithSortedValuesOfEveryMagnitudeWithinItsBound) {
  std::mt19937_64 random(1);
  for (unsigned bits = 1; bits <= Histogram::kValueBits; ++bits) {
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 1000; ++i) values.push_back(random() >> (64 - bits));
    expect_like_sorted(values);
  }
}

TEST(Histogram, AgreesWithSortedValuesOfADistributionWithALongTail) {
  std::mt19937_64 random(2);
  std::lognormal_distribution<double> latency(6, 2);
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 100'000; ++i) values.push_back(static_cast<std::uint64_t>(latency(random)));
  expect_like_sorted(values);
}

TEST(Histogram, HoldsOneValueAtEveryEdgeOfItsBuckets) {
  for (unsigned bit = 0; bit < Histogram::kValueBits; ++bit)
    for (const std::int64_t off : {-1, 0, 1}) {
      const auto value = static_cast<std::int64_t>(std::uint64_t{1} << bit) + off;
      if (value >= 0) expect_like_sorted({static_cast<std::uint64_t>(value)});
    }
  expect_like_sorted({Histogram::kValueMax});
}

TEST(Histogram, TellsAMedianThatLiesBetweenTwoStepsOfTheClock) {
  // A duration of 12.25 steps reads 12 three times of four, and 13 otherwise.
  const auto histogram = std::make_unique<Histogram>();
  for (int i = 0; i < 4000; ++i) histogram->record(i % 4 == 0 ? 13 : 12);
  EXPECT_NEAR(histogram->percentile(0.5), 12.25, 0.1);
}

TEST(Histogram, KeepsTheTrueMaximumOfAValueThatIsTooLargeForIt) {
  const auto histogram = std::make_unique<Histogram>();
  histogram->record(UINT64_MAX);
  EXPECT_EQ(histogram->max(), UINT64_MAX);
  EXPECT_GE(histogram->percentile(0.5),
            static_cast<double>(Histogram::kValueMax) * (1 - Histogram::kErrorBound));
}

TEST(Histogram, OfTwoIsTheHistogramOfAllTheirValues) {
  std::mt19937_64 random(3);
  const auto all = std::make_unique<Histogram>(), one = std::make_unique<Histogram>(),
             other = std::make_unique<Histogram>();
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t value = random() >> 40;
    all->record(value);
    (i % 3 ? one : other)->record(value);
  }
  one->add(*other);
  EXPECT_EQ(one->count(), all->count());
  EXPECT_EQ(one->max(), all->max());
  for (const double fraction : kFractions) EXPECT_EQ(one->percentile(fraction), all->percentile(fraction));
}

TEST(Histogram, OfNothingHasNoPercentiles) {
  const auto histogram = std::make_unique<Histogram>();
  EXPECT_EQ(histogram->percentile(0.5), 0);
  EXPECT_EQ(histogram->count(), 0u);
}

}  // namespace
}  // namespace shmq::bench
