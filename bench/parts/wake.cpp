// Sleeping and waking: what a publisher pays where nobody sleeps and where somebody does, when the sleeper runs, and
// what going to sleep costs beyond the sleep.
#include <array>
#include <atomic>
#include <cstring>

#include "harness/crew.hpp"
#include "harness/histogram.hpp"
#include "harness/shared_page.hpp"
#include "parts/parts.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/core/event.hpp"

namespace bench {

namespace {

constexpr unsigned kSleepersMax = 16;

struct WakePage {
  Histogram waker;                              // how long publish() took
  std::array<Histogram, kSleepersMax> sleeper;  // from before publish() until this sleeper had the message
};

void notify_nobody(benchmark::State& state) {
  shmq::core::EventWord event{0};
  for (auto _ : state) {
    shmq::core::notify(event);
    benchmark::ClobberMemory();
  }
}

/// The flag and the barrier; the event is taken back at once, as by a waker.
void announce_sleep(benchmark::State& state) {
  shmq::core::EventWord event{0};
  shmq::core::declare_barriers(event);
  for (auto _ : state) benchmark::DoNotOptimize(shmq::core::prepare_sleep(event));
}

/// `of_sleeper`: the row is the sleepers' time, else the waker's. All `sleepers` wait at one queue; each message goes to
/// one of them. Clock: CLOCK_MONOTONIC, the same on all cores.
void wake(benchmark::State& state, QueueKind kind, unsigned sleepers, bool of_sleeper) {
  constexpr std::int64_t kAsleepNs = 100'000;  // five times what a receiver spins
  const auto& cpus = settings().cpus;
  if (cpus.size() < 2) return state.SkipWithError("needs two CPUs, for the two sides (see --cpus)");
  try {
    OneQueue one(kind, sizeof(std::int64_t), 64);
    Shared<WakePage> page;
    const auto wakes = static_cast<std::uint64_t>(settings().burst_ms * 1e6 / (2 * kAsleepNs)) + 2;
    Crew crew(Place::processes);
    crew.add(cpus[0], [&] {
      shmq::Segment segment = open_segment(one.segment().name());
      auto queue = segment.open_queue(kQueueName).value();
      auto producer = queue.producer();
      crew.meet();
      for (std::uint64_t i = 0; i < wakes; ++i) {
        const std::int64_t until = shmq::base::monotonic_ns() + kAsleepNs;
        while (shmq::base::monotonic_ns() < until) shmq::base::cpu_relax();
        auto claim = producer.claim(sizeof(std::int64_t));
        const std::int64_t before = shmq::base::monotonic_ns();
        std::memcpy(claim.data().data(), &before, sizeof(before));
        claim.publish();
        page->waker.add(static_cast<std::uint64_t>(shmq::base::monotonic_ns() - before));
      }
      queue.close();
    });
    for (unsigned k = 0; k < sleepers; ++k)
      crew.add(cpus[1 + k % (cpus.size() - 1)], [&, k] {
        shmq::Segment segment = open_segment(one.segment().name());
        auto consumer = segment.open_queue(kQueueName).value().consumer();
        crew.meet();
        while (auto message = consumer.receive()) {
          const std::int64_t now = shmq::base::monotonic_ns();
          std::int64_t before = 0;
          std::memcpy(&before, message.data().data(), sizeof(before));
          page->sleeper[k].add(static_cast<std::uint64_t>(now - before));
          message.release();
        }
      });
    crew.run();
    Histogram all;
    for (const Histogram& times : page->sleeper) all.add(times);
    const Histogram& times = of_sleeper ? all : page->waker;
    const auto count = static_cast<benchmark::IterationCount>(times.count());
    while (state.KeepRunningBatch(count))
      state.SetIterationTime(times.quantile(0.5) * 1e-9 * static_cast<double>(count));  // the median, as a row's time
    state.counters["p50_ns"] = times.quantile(0.5);
    state.counters["p99_ns"] = times.quantile(0.99);
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

void add_wake(const std::string& before, const std::string& after, QueueKind kind, unsigned sleepers) {
  for (const bool of_sleeper : {false, true})
    benchmark::RegisterBenchmark(
        (before + (of_sleeper ? "wake/until_the_sleeper_has_it/" : "wake/publish_to_a_sleeper/") + to_string(kind) + after)
            .c_str(),
        [=](benchmark::State& state) { wake(state, kind, sleepers, of_sleeper); })
        ->UseManualTime()
        ->Iterations(1);
}

}  // namespace

void add_wake_rows() {
  benchmark::RegisterBenchmark("wake/notify_nobody", notify_nobody);
  benchmark::RegisterBenchmark("wake/announce_sleep", announce_sleep);
  for (const QueueKind kind : kQueueKinds) add_wake("", "", kind, 1);
}

void add_scaling_rows() {
  add_wake("scaling/", "/1_sleeper", QueueKind::spsc, 1);
  for (const unsigned n : scaling_steps())
    add_wake("scaling/", "/" + std::to_string(n) + (n == 1 ? "_sleeper" : "_sleepers"), QueueKind::mpmc, n);
}

}  // namespace bench
