// The four steps of a message by themselves: claim, publish, receive, release. Each is timed over many messages at
// once, in one thread, so no line moves between cores: this is what the instructions cost.
#include <vector>

#include "parts/parts.hpp"

namespace bench {

namespace {

enum class Step { claim, publish, receive, release };

void measure_step(benchmark::State& state, Step step, QueueKind kind, std::size_t bytes) {
  const std::size_t count = bytes > 4096 ? 32 : 512;
  OneQueue one(kind, bytes, count);
  auto producer = one.queue().producer();
  auto consumer = one.queue().consumer();
  std::vector<shmq::Claim<>> claims(count);
  std::vector<shmq::Message> messages(count);
  const TickLength tick;
  std::vector<std::uint64_t> spent;
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(count))) {
    std::uint64_t at[5] = {};
    at[0] = ticks();
    for (auto& claim : claims) claim = producer.try_claim(bytes);
    at[1] = ticks();
    for (auto& claim : claims) claim.publish();
    at[2] = ticks();
    for (auto& message : messages) message = consumer.try_receive();
    at[3] = ticks();
    for (auto& message : messages) {
      if (!message) return state.SkipWithError("a message did not arrive");
      message.release();
    }
    at[4] = ticks();
    const auto i = static_cast<std::size_t>(step);
    state.SetIterationTime(static_cast<double>(at[i + 1] - at[i]) * tick.ns() * 1e-9);
  }
}

}  // namespace

void add_step_rows() {
  const struct {
    Step step;
    const char* name;
  } steps[] = {{Step::claim, "claim"}, {Step::publish, "publish"}, {Step::receive, "receive"}, {Step::release, "release"}};
  for (const std::size_t bytes : {std::size_t{64}, std::size_t{65536}})
    for (const auto& [step, name] : steps)
      for (const QueueKind kind : kQueueKinds)
        benchmark::RegisterBenchmark(
            (std::string(name) + "/" + to_string(kind) + "/" + std::to_string(bytes)).c_str(),
            [step = step, kind, bytes](benchmark::State& state) { measure_step(state, step, kind, bytes); })
            ->UseManualTime();
}

}  // namespace bench
