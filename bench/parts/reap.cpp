// The sweep: a look that finds nobody dead, and the repair of one process that died with a claim and a message.
#include <sys/wait.h>

#include <vector>

#include "parts/parts.hpp"
#include "shmq/base/clock.hpp"

namespace bench {

namespace {

void nobody_dead(benchmark::State& state, unsigned others) {
  OneQueue one(QueueKind::mpmc, 64, 1024);
  std::vector<shmq::Segment> attached;
  for (unsigned i = 0; i < others; ++i) attached.push_back(shmq::Segment::open(one.segment().name()).value());
  for (auto _ : state) benchmark::DoNotOptimize(one.segment().reap());
}

/// A child attaches, claims, receives, and is gone without a word; the time is that of the reap() after it.
void one_dead(benchmark::State& state, std::size_t depth) {
  OneQueue one(QueueKind::mpmc, 64, depth);
  auto producer = one.queue().producer();
  auto consumer = one.queue().consumer();
  const std::string name = one.segment().name();
  for (auto _ : state) {
    if (producer.try_send({}) != shmq::Outcome::ok) return state.SkipWithError("the queue is full");
    const pid_t child = ::fork();
    if (child == 0) {
      auto segment = shmq::Segment::open(name);
      auto queue = segment->open_queue(kQueueName);
      auto out = queue->producer();
      auto in = queue->consumer();
      auto claim = out.try_claim(64);
      auto message = in.try_receive();
      ::_exit(claim && message ? 0 : 1);
    }
    int status = -1;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0)
      return state.SkipWithError("the process that is to die could not do its part");
    const std::int64_t start = shmq::base::monotonic_ns();
    const shmq::Repairs repairs = one.segment().reap();
    state.SetIterationTime(static_cast<double>(shmq::base::monotonic_ns() - start) * 1e-9);
    if (repairs.participants != 1 || repairs.messages != 1 || repairs.claims != 1)
      return state.SkipWithError("the sweep did not mend one claim and one message");
    while (auto message = consumer.try_receive()) message.release();
  }
}

}  // namespace

void add_reap_rows() {
  for (const unsigned others : {0u, 12u})
    benchmark::RegisterBenchmark(("reap/nobody_dead/" + std::to_string(others + 1) + "_participants").c_str(),
                                 [others](benchmark::State& state) { nobody_dead(state, others); });
  for (const std::size_t depth : {std::size_t{1024}, std::size_t{65536}})
    benchmark::RegisterBenchmark(("reap/one_dead/queue_of_" + std::to_string(depth)).c_str(),
                                 [depth](benchmark::State& state) { one_dead(state, depth); })
        ->UseManualTime();
}

}  // namespace bench
