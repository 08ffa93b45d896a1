// Samples of several systems, taken in turn with samples of the floor, and the ratios that come of them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "histogram.hpp"
#include "report.hpp"

namespace shmq::bench {

/// What one repeat found: for each system its histogram, between two of the floor.
class Samples {
 public:
  /// `floors` has systems + 1 histograms for each repeat, `systems` one less.
  Samples(const Histogram* floors, const Histogram* samples, std::size_t systems, std::size_t repeats,
          double smt_below_ns)
      : floors_(floors),
        samples_(samples),
        systems_(systems),
        repeats_(repeats),
        smt_below_ns_(smt_below_ns) {}

  const Histogram& sample(std::size_t repeat, std::size_t system) const {
    return samples_[repeat * systems_ + system];
  }
  /// The median of the two floors around a sample, in nanoseconds.
  double floor_ns(std::size_t repeat, std::size_t system) const;
  /// A floor beside it says that the two roles were on SMT siblings just then, or moved.
  bool on_siblings(std::size_t repeat, std::size_t system) const;
  /// The repeats whose sample of `system` counts: those not on siblings, or all where all were.
  std::vector<std::size_t> counted(std::size_t system) const;
  std::uint64_t left_out(std::size_t system) const;
  /// p50_ns … max_ns, FLOOR_p50_ns, vs_FLOOR, p99_vs_FLOOR, left_out_smt, and smt_only where nothing else was
  /// there. Where no round trip was counted: `why`, and neither durations nor ratios.
  void describe(std::size_t system, Row& row, const std::string& floor = "floor") const;
  /// percentile(system) / percentile(reference), repeat by repeat, where both count.
  std::optional<Spread> ratio(std::size_t system, std::size_t reference, double fraction) const;

 private:
  const Histogram& floor(std::size_t repeat, std::size_t i) const {
    return floors_[repeat * (systems_ + 1) + i];
  }
  const Histogram* floors_;
  const Histogram* samples_;
  std::size_t systems_;
  std::size_t repeats_;
  double smt_below_ns_;
};

}  // namespace shmq::bench
