// Sleeping and waking: what a publisher pays where nobody sleeps and where somebody does, when the sleeper runs, and
// what going to sleep costs beyond the sleep.
#include <atomic>

#include "harness/crew.hpp"
#include "harness/histogram.hpp"
#include "harness/shared_page.hpp"
#include "parts/parts.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/core/event.hpp"

namespace bench {

namespace {

struct WakePage {
  Histogram waker;    // how long publish() took
  Histogram sleeper;  // from before publish() until the sleeper has its message
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

/// `of_sleeper`: the row is the sleeper's time, else the waker's. Clock: CLOCK_MONOTONIC, the same on all cores.
void wake(benchmark::State& state, QueueKind kind, bool of_sleeper) {
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
      auto producer = segment.open_queue(kQueueName).value().producer();
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
    });
    crew.add(cpus[1], [&] {
      shmq::Segment segment = open_segment(one.segment().name());
      auto consumer = segment.open_queue(kQueueName).value().consumer();
      crew.meet();
      for (std::uint64_t i = 0; i < wakes; ++i) {
        auto message = consumer.receive();
        const std::int64_t now = shmq::base::monotonic_ns();
        std::int64_t before = 0;
        std::memcpy(&before, message.data().data(), sizeof(before));
        page->sleeper.add(static_cast<std::uint64_t>(now - before));
        message.release();
      }
    });
    crew.run();
    const Histogram& times = of_sleeper ? page->sleeper : page->waker;
    const auto count = static_cast<benchmark::IterationCount>(times.count());
    while (state.KeepRunningBatch(count))
      state.SetIterationTime(times.quantile(0.5) * 1e-9 * static_cast<double>(count));  // the median, as a row's time
    state.counters["p50_ns"] = times.quantile(0.5);
    state.counters["p99_ns"] = times.quantile(0.99);
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

}  // namespace

void add_wake_rows() {
  benchmark::RegisterBenchmark("wake/notify_nobody", notify_nobody);
  benchmark::RegisterBenchmark("wake/announce_sleep", announce_sleep);
  for (const QueueKind kind : kQueueKinds)
    for (const bool of_sleeper : {false, true})
      benchmark::RegisterBenchmark(
          (std::string(of_sleeper ? "wake/until_the_sleeper_has_it/" : "wake/publish_to_a_sleeper/") + to_string(kind))
              .c_str(),
          [kind, of_sleeper](benchmark::State& state) { wake(state, kind, of_sleeper); })
          ->UseManualTime()
          ->Iterations(1);
}

}  // namespace bench
