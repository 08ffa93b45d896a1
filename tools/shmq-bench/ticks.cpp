#include "ticks.hpp"

#include <algorithm>
#include <map>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace shmq::bench {

TickClock tick_clock;

#if defined(__x86_64__)
namespace {

bool invariant_tsc() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

struct Pair {
  std::uint64_t tsc = 0;
  std::int64_t ns = 0;
};

/// Both clocks at one moment: the tightest of many tries.
Pair both() {
  Pair best;
  std::uint64_t width = UINT64_MAX;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t before = __builtin_ia32_rdtsc();
    const std::int64_t ns = base::monotonic_ns();
    const std::uint64_t after = __builtin_ia32_rdtsc();
    if (after - before >= width) continue;
    width = after - before;
    best = {before + width / 2, ns};
  }
  return best;
}

/// How far readings move at once, by the differences of readings taken as fast as can be: the commonest
/// difference, if nearly all are multiples of it, within what a hypervisor's scaling adds, and many are
/// higher multiples. Else 1.
std::uint64_t step_of_tsc() {
  constexpr int kReadings = 20'000;
  std::map<std::uint64_t, int> seen;
  std::uint64_t last = __builtin_ia32_rdtsc();
  for (int i = 0; i < kReadings; ++i) {
    const std::uint64_t now = __builtin_ia32_rdtsc();
    ++seen[now - last];
    last = now;
  }
  const auto commonest = std::max_element(seen.begin(), seen.end(),
                                          [](const auto& a, const auto& b) { return a.second < b.second; });
  const std::uint64_t step = commonest->first;
  if (step < 2) return 1;
  int multiples = 0, higher = 0;
  for (const auto& [difference, times] : seen) {
    const std::uint64_t nearest = (difference + step / 2) / step;
    const std::uint64_t off =
        difference > nearest * step ? difference - nearest * step : nearest * step - difference;
    if (off > 1 + nearest / 8) continue;
    multiples += times;
    if (nearest > 1) higher += times;
  }
  return multiples > kReadings * 98 / 100 && higher > kReadings / 50 ? step : 1;
}

}  // namespace

void calibrate() {
  if (!invariant_tsc()) return;
  const Pair first = both();
  while (base::monotonic_ns() - first.ns < 50'000'000) base::cpu_relax();
  const Pair last = both();
  tick_clock.step = step_of_tsc();
  tick_clock.ns_per_tick = static_cast<double>(last.ns - first.ns) /
                           static_cast<double>(last.tsc - first.tsc) * static_cast<double>(tick_clock.step);
  tick_clock.tsc = true;
}
#else
void calibrate() {}
#endif

}  // namespace shmq::bench
