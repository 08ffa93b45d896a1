// Waiting for several queues at once, and in an event loop: what each costs beside a receive that waits for
// one queue.
#include <sys/epoll.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "harness/crew.hpp"
#include "harness/histogram.hpp"
#include "harness/shared_page.hpp"
#include "parts/parts.hpp"
#include "shmq/base/clock.hpp"

namespace bench {

namespace {

/// Waits for one message and releases it; what it was sent at, CLOCK_MONOTONIC.
using Wait = std::function<std::int64_t()>;

std::int64_t sent_at(shmq::Message message) {
  std::int64_t ns = 0;
  std::memcpy(&ns, message.data().data(), sizeof ns);
  message.release();
  return ns;
}

Wait receiving(shmq::Segment& segment) {
  auto consumer = std::make_shared<shmq::Consumer<>>(segment.open_queue(kQueueName).value().consumer());
  return [consumer] { return sent_at(consumer->receive()); };
}

/// Queues of which nothing comes, in a segment of their own. Lives where nothing is killed, so that it is
/// removed.
class Quiet {
 public:
  Quiet(const shmq::Segment& beside, std::size_t queues)
      : segment_(shmq::Segment::create(beside.name() + "-quiet", {.size_bytes = 4 << 20, .blocks = {{}}}).value()) {
    for (std::size_t i = 0; i < queues; ++i) (void)segment_.queue(std::to_string(i), {.capacity = 2}).value();
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() { (void)shmq::Segment::remove(segment_.name()); }

 private:
  shmq::Segment segment_;
};

/// A selector over the queue of the messages and all the quiet ones.
struct Many {
  explicit Many(shmq::Segment& segment) : quiet(open_segment(segment.name() + "-quiet")) {
    for (const std::string& name : quiet.queues())
      consumers.push_back(quiet.open_queue(name).value().consumer());
    consumers.push_back(segment.open_queue(kQueueName).value().consumer());
    for (auto& consumer : consumers) selector.add(consumer);
  }
  shmq::Segment quiet;
  std::vector<shmq::Consumer<>> consumers;
  shmq::Selector selector;
};

Wait selecting(shmq::Segment& segment) {
  auto many = std::make_shared<Many>(segment);
  return [many] { return sent_at(std::move(many->selector.receive().message)); };
}

Wait polling(shmq::Segment& segment) {
  struct Loop {
    explicit Loop(shmq::Consumer<> of) : consumer(std::move(of)) {}
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;
    ~Loop() { ::close(epoll); }
    shmq::Consumer<> consumer;
    int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  };
  auto loop = std::make_shared<Loop>(segment.open_queue(kQueueName).value().consumer());
  const int descriptor = loop->consumer.descriptor().value();
  epoll_event interest{.events = EPOLLIN, .data = {}};
  ::epoll_ctl(loop->epoll, EPOLL_CTL_ADD, descriptor, &interest);
  return [loop]() -> std::int64_t {
    for (;;) {
      loop->consumer.arm();
      epoll_event event{};
      ::epoll_wait(loop->epoll, &event, 1, -1);
      if (shmq::Message message = loop->consumer.try_receive()) return sent_at(std::move(message));
    }
  };
}

/// From before publish() until the sleeper has its message; the sleeper is asleep each time.
void wake(benchmark::State& state, std::size_t queues, Wait (*make)(shmq::Segment&)) {
  constexpr std::int64_t kAsleepNs = 300'000;
  const auto& cpus = settings().cpus;
  if (cpus.size() < 2) return state.SkipWithError("needs two CPUs, for the two sides (see --cpus)");
  try {
    OneQueue one(QueueKind::mpmc, sizeof(std::int64_t), 64);
    const Quiet quiet(one.segment(), queues - 1);
    Shared<Histogram> times;
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
        std::memcpy(claim.data().data(), &before, sizeof before);
        claim.publish();
      }
    });
    crew.add(cpus[1], [&] {
      shmq::Segment segment = open_segment(one.segment().name());
      const Wait wait = make(segment);
      crew.meet();
      for (std::uint64_t i = 0; i < wakes; ++i) {
        const std::int64_t before = wait();
        times->add(static_cast<std::uint64_t>(shmq::base::monotonic_ns() - before));
      }
    });
    crew.run();
    const auto count = static_cast<benchmark::IterationCount>(times->count());
    while (state.KeepRunningBatch(count))
      state.SetIterationTime(times->quantile(0.5) * 1e-9 * static_cast<double>(count));
    state.counters["p50_ns"] = times->quantile(0.5);
    state.counters["p99_ns"] = times->quantile(0.99);
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

/// arm() of an empty queue: the flag, the barrier, the helper's list, the second look. Nothing is raised.
void arm(benchmark::State& state) {
  OneQueue one(QueueKind::mpmc, 8, 64);
  auto consumer = one.queue().consumer();
  if (const auto descriptor = consumer.descriptor(); !descriptor)
    return state.SkipWithError(descriptor.error().message().c_str());
  for (auto _ : state) benchmark::DoNotOptimize(consumer.arm());
}

/// A message that is there, received through a selector over so many queues.
void select(benchmark::State& state, std::size_t queues) {
  OneQueue one(QueueKind::mpmc, 8, 64);
  auto producer = one.queue().producer();
  const Quiet quiet(one.segment(), queues - 1);
  Many many(one.segment());
  for (auto _ : state) {
    producer.try_claim(8).publish();
    many.selector.try_receive().message.release();
  }
}

}  // namespace

void add_several_rows() {
  const auto add_wake = [](const std::string& name, std::size_t queues, Wait (*make)(shmq::Segment&)) {
    benchmark::RegisterBenchmark(("several/wake/" + name).c_str(),
                                 [queues, make](benchmark::State& state) { wake(state, queues, make); })
        ->UseManualTime()
        ->Iterations(1);
  };
  add_wake("receive", 1, receiving);
  for (const std::size_t queues : {1u, 2u, 8u, 64u})
    add_wake("selector/" + std::to_string(queues), queues, selecting);
  add_wake("descriptor", 1, polling);
  benchmark::RegisterBenchmark("several/arm", arm);
  for (const std::size_t queues : {1u, 2u, 8u, 64u})
    benchmark::RegisterBenchmark(("several/message/selector/" + std::to_string(queues)).c_str(),
                                 [queues](benchmark::State& state) { select(state, queues); });
}

}  // namespace bench
