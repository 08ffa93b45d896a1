// Rates of several lanes, repeat by repeat, and the ratios that come of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "flow.hpp"
#include "histogram.hpp"
#include "report.hpp"
#include "settings.hpp"

namespace shmq::bench {

/// Messages a second of one sample, from the notes of its producers and then of its consumers; throws Failure where what
/// was received is not what was sent: messages of `bytes` each, and the end.
double rate_of(const Notes* notes, unsigned producers, unsigned consumers, std::size_t bytes);

/// Repeats on SMT siblings, as a floor beside them says, count only where there are no others.
class Rates {
 public:
  explicit Rates(const Settings& settings) : settings_(settings) {}

  /// One repeat: a rate for each lane, 0 where there is none, and the floors before and after them.
  void add(std::vector<double> rates, const Histogram& before, const Histogram& after);

  /// Of a lane; nothing where it has none.
  std::optional<Spread> rate(std::size_t lane) const;
  /// To `reference` in the same repeat.
  std::optional<Spread> ratio(std::size_t lane, std::size_t reference) const;
  /// How long one message takes, over the floor of its repeat.
  std::optional<Spread> one_vs_floor(std::size_t lane) const;
  /// The median of the floors of the repeats; nothing where there is one processor.
  std::optional<double> floor_ns() const;
  /// repeats, left_out_smt, smt_only.
  void describe_repeats(Row& row) const;

 private:
  struct Repeat {
    std::vector<double> rates;
    double floor_ns = 0;
  };
  const std::vector<Repeat>& counted() const { return good_.empty() ? on_siblings_ : good_; }

  const Settings& settings_;
  std::vector<Repeat> good_;
  std::vector<Repeat> on_siblings_;
};

}  // namespace shmq::bench
