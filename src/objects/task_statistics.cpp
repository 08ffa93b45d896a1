#include "objects/task_statistics.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "shmq/core/task_figures.hpp"

namespace shmq::objects {

using layout::RunEnd;
using layout::TaskFigures;

namespace {

constexpr std::uint32_t kProbes = 8;
constexpr std::size_t kNameWords = sizeof(layout::NameField) / sizeof(layout::Word);

/// All counters of one, as an array.
constexpr std::size_t kWords = sizeof(TaskFigures) / sizeof(layout::Word);
layout::Word* words_of(TaskFigures& figures) { return &figures.submitted; }

struct Sum {
  std::array<std::uint64_t, kWords> words{};
  void add(TaskFigures& figures) {
    for (std::size_t i = 0; i < kWords; ++i) words[i] += words_of(figures)[i].load(std::memory_order_relaxed);
  }
};

TaskTimes times_of(const std::uint64_t* buckets, std::uint64_t sum_ns) {
  TaskTimes times;
  times.count = std::accumulate(buckets, buckets + TaskFigures::kBuckets, std::uint64_t{0});
  if (times.count == 0) return times;
  times.mean = std::chrono::nanoseconds(sum_ns / times.count);
  const auto percentile = [&](std::uint64_t percent) {
    std::uint64_t rank = (times.count * percent + 99) / 100;
    for (unsigned i = 0; i < TaskFigures::kBuckets; ++i) {
      if (rank > buckets[i]) {
        rank -= buckets[i];
        continue;
      }
      // In the middle of its bucket.
      const std::uint64_t begin = core::figure_bucket_begin(i), end = core::figure_bucket_begin(i + 1);
      return std::chrono::nanoseconds((begin + std::max(begin, end)) / 2);
    }
    return std::chrono::nanoseconds(core::figure_bucket_begin(TaskFigures::kBuckets - 1));
  };
  times.p50 = percentile(50);
  times.p99 = percentile(99);
  return times;
}

TaskStatistics read(const Sum& sum) {
  const auto at = [&](std::size_t offset) { return sum.words[offset / sizeof(layout::Word)]; };
  const auto ended = [&](RunEnd end) { return at(offsetof(TaskFigures, ended) + static_cast<std::size_t>(end) * sizeof(layout::Word)); };
  TaskStatistics s;
  s.submitted = at(offsetof(TaskFigures, submitted));
  s.started = at(offsetof(TaskFigures, started));
  s.done = ended(RunEnd::done);
  s.failures = ended(RunEnd::failure);
  s.crashes = ended(RunEnd::crash);
  s.timeouts = ended(RunEnd::timeout);
  s.releases = ended(RunEnd::release);
  s.cancelled = ended(RunEnd::cancelled);
  s.wait = times_of(&sum.words[offsetof(TaskFigures, waits) / sizeof(layout::Word)], at(offsetof(TaskFigures, wait_ns)));
  s.run = times_of(&sum.words[offsetof(TaskFigures, runs) / sizeof(layout::Word)], at(offsetof(TaskFigures, run_ns)));
  return s;
}

TaskStatistics read(TaskFigures& figures) {
  Sum sum;
  sum.add(figures);
  return read(sum);
}

}  // namespace

void retire_figures(const core::TaskTableParts& parts, std::uint32_t id) {
  layout::TaskUser& user = parts.users[id - 1];
  for (std::size_t i = 0; i < kWords; ++i)
    if (const std::uint64_t count = words_of(user.figures)[i].exchange(0, std::memory_order_relaxed))
      core::count_figure(words_of(parts.names[0].figures)[i], count);
}

void begin_figures(const core::TaskTableParts& parts, layout::Owner me) {
  layout::TaskUser& user = parts.users[me.id - 1];
  const std::uint64_t mine = layout::owned_task(1, me, layout::TaskState::free);
  if (user.figures_of.exchange(mine, std::memory_order_relaxed) != mine) retire_figures(parts, me.id);
}

TaskFigures* figures_of_its_name(const core::TaskTableParts& parts, std::uint32_t index) {
  if (parts.names_kept == 0 || !(parts.record(index).flags.load(std::memory_order_relaxed) & layout::kTaskNamed)) return nullptr;
  const layout::NameField& name = parts.body(index).name;
  std::uint64_t words[kNameWords], hash = 0xcbf2'9ce4'8422'2325u;
  for (std::size_t i = 0; i < kNameWords; ++i) {
    words[i] = name.words[i].load(std::memory_order_relaxed);
    hash = (hash ^ words[i]) * 0x9e37'79b9'7f4a'7c15u;
    hash ^= hash >> 29;
  }
  if (words[0] == 0) return nullptr;
  for (std::uint32_t probe = 0; probe < std::min(kProbes, parts.names_kept); ++probe) {
    layout::TaskNameFigures& slot = parts.names[1 + (hash + probe) % parts.names_kept];
    std::uint64_t first = slot.name.words[0].load(std::memory_order_relaxed);
    if (first == 0 && slot.name.words[0].compare_exchange_strong(first, words[0], std::memory_order_relaxed)) {
      // Who looks meanwhile takes it for another name, and the next slot: names are summed up when they are read.
      for (std::size_t i = 1; i < kNameWords; ++i) slot.name.words[i].store(words[i], std::memory_order_relaxed);
      return &slot.figures;
    }
    bool same = first == words[0];
    for (std::size_t i = 1; same && i < kNameWords; ++i) same = slot.name.words[i].load(std::memory_order_relaxed) == words[i];
    if (same) return &slot.figures;
  }
  return nullptr;
}

TaskStatistics statistics_of_all(const core::TaskTableParts& parts) {
  Sum sum;
  sum.add(parts.names[0].figures);
  for (std::uint32_t i = 0; i < parts.rows; ++i) sum.add(parts.users[i].figures);
  return read(sum);
}

std::vector<TaskStatistics> statistics_of_workers(const core::TaskTableParts& parts) {
  std::vector<TaskStatistics> all;
  for (std::uint32_t i = 0; i < parts.rows; ++i) {
    TaskStatistics one = read(parts.users[i].figures);
    one.participant = i + 1;
    if (one.submitted + one.started + one.crashes + one.timeouts != 0) all.push_back(std::move(one));
  }
  return all;
}

std::vector<TaskStatistics> statistics_of_names(const core::TaskTableParts& parts) {
  std::vector<std::pair<std::string, Sum>> sums;
  for (std::uint32_t i = 1; i <= parts.names_kept; ++i) {
    const std::string name = parts.names[i].name.get();
    if (name.empty()) continue;
    auto at = std::find_if(sums.begin(), sums.end(), [&](const auto& sum) { return sum.first == name; });
    if (at == sums.end()) at = sums.insert(sums.end(), {name, {}});
    at->second.add(parts.names[i].figures);
  }
  std::sort(sums.begin(), sums.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<TaskStatistics> all;
  for (const auto& [name, sum] : sums) {
    all.push_back(read(sum));
    all.back().name = name;
  }
  return all;
}

}  // namespace shmq::objects
