// Setting up: segments created, attached to, queues declared and opened, handles made.
#include "parts/parts.hpp"

namespace bench {

namespace {

std::string own_name() { return "shmq-bench-segment-" + std::to_string(::getpid()); }

void create(benchmark::State& state, std::uint64_t size_bytes) {
  for (auto _ : state) {
    {
      auto segment = shmq::Segment::create(own_name(), {.size_bytes = size_bytes});
      if (!segment) return state.SkipWithError(segment.error().message().c_str());
      (void)shmq::Segment::remove(own_name());
    }
  }
}

/// Open and detach: the mapping, the participant row, the lock.
void attach(benchmark::State& state, std::uint64_t size_bytes) {
  auto segment = shmq::Segment::create(own_name(), {.size_bytes = size_bytes});
  if (!segment) return state.SkipWithError(segment.error().message().c_str());
  for (auto _ : state) benchmark::DoNotOptimize(shmq::Segment::open(own_name()));
  (void)shmq::Segment::remove(own_name());
}

void declare(benchmark::State& state) {
  auto segment = shmq::Segment::create(own_name(), {.size_bytes = 64u << 20});
  if (!segment) return state.SkipWithError(segment.error().message().c_str());
  for (auto _ : state) {
    (void)segment->queue("declared", {.capacity = 1024}).value();
    (void)segment->remove_queue("declared");
  }
  (void)shmq::Segment::remove(own_name());
}

void open_queue(benchmark::State& state) {
  OneQueue one(QueueKind::mpmc, 64, 1024);
  for (auto _ : state) benchmark::DoNotOptimize(one.segment().open_queue(kQueueName));
}

void make_ends(benchmark::State& state) {
  OneQueue one(QueueKind::mpmc, 64, 1024);
  for (auto _ : state) {
    auto producer = one.queue().producer();
    auto consumer = one.queue().consumer();
    benchmark::DoNotOptimize(producer);
    benchmark::DoNotOptimize(consumer);
  }
}

}  // namespace

void add_segment_rows() {
  for (const std::uint64_t mib : {1, 64}) {
    const std::string size = std::to_string(mib) + "_MiB";
    benchmark::RegisterBenchmark(("segment/create_and_remove/" + size).c_str(),
                                 [mib](benchmark::State& state) { create(state, mib << 20); });
    benchmark::RegisterBenchmark(("segment/attach_and_detach/" + size).c_str(),
                                 [mib](benchmark::State& state) { attach(state, mib << 20); });
  }
  benchmark::RegisterBenchmark("queue/declare_and_remove", declare);
  benchmark::RegisterBenchmark("queue/open", open_queue);
  benchmark::RegisterBenchmark("queue/make_producer_and_consumer", make_ends);
}

}  // namespace bench
