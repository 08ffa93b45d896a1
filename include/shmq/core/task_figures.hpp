// How long tasks waited and ran: a histogram of 64 buckets, two for each power of two of nanoseconds from 64 ns on.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "shmq/layout/task_table.hpp"

namespace shmq::core {

constexpr unsigned kFirstOctave = 6;

/// From 64 ns (and below) in bucket 0 to 274 s and more in bucket 63.
constexpr unsigned figure_bucket(std::uint64_t ns) {
  if (ns < (std::uint64_t{1} << kFirstOctave)) return 0;
  const unsigned octave = static_cast<unsigned>(std::bit_width(ns)) - 1;
  const unsigned half = static_cast<unsigned>(ns >> (octave - 1)) & 1;
  return std::min((octave - kFirstOctave) * 2 + half, layout::TaskFigures::kBuckets - 1);
}
/// The least time that falls into a bucket.
constexpr std::uint64_t figure_bucket_begin(unsigned bucket) {
  if (bucket == 0) return 0;
  const std::uint64_t octave = std::uint64_t{1} << (kFirstOctave + bucket / 2);
  return octave + (bucket % 2 != 0 ? octave / 2 : 0);
}

inline void count_figure(layout::Word& word, std::uint64_t by = 1) { word.fetch_add(by, std::memory_order_relaxed); }

inline void count_start(layout::TaskFigures& figures, std::int64_t waited_ns) {
  const std::uint64_t ns = static_cast<std::uint64_t>(std::max<std::int64_t>(waited_ns, 0));
  count_figure(figures.started);
  count_figure(figures.wait_ns, ns);
  count_figure(figures.waits[figure_bucket(ns)]);
}
inline void count_end(layout::TaskFigures& figures, layout::RunEnd end, std::int64_t ran_ns) {
  const std::uint64_t ns = static_cast<std::uint64_t>(std::max<std::int64_t>(ran_ns, 0));
  count_figure(figures.ended[static_cast<unsigned>(end)]);
  count_figure(figures.run_ns, ns);
  count_figure(figures.runs[figure_bucket(ns)]);
}

}  // namespace shmq::core
