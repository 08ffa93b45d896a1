// Whole messages in one thread: claim, write every line, publish, receive, read every line, release.
#include "harness/payload.hpp"
#include "parts/parts.hpp"

namespace bench {

namespace {

template <std::size_t Bytes>
void send_and_receive(benchmark::State& state, QueueKind kind) {
  OneQueue one(kind, Bytes, 64);
  auto producer = one.queue().producer();
  auto consumer = one.queue().consumer();
  std::uint64_t stamp = 0;
  bool sound = true;
  for (auto _ : state) {
    auto claim = producer.claim(Bytes);
    write_payload<Bytes>(claim.data().data(), ++stamp);
    claim.publish();
    auto message = consumer.receive();
    sound &= read_payload<Bytes>(message.data().data(), sound) == stamp;
    message.release();
  }
  if (!sound) state.SkipWithError("what was received is not what was sent");
}

template <std::size_t Bytes>
void send_and_receive_batches(benchmark::State& state, QueueKind kind) {
  constexpr std::size_t kBatch = 16;
  OneQueue one(kind, Bytes, 64);
  auto producer = one.queue().producer();
  auto consumer = one.queue().consumer();
  std::uint64_t stamp = 0;
  bool sound = true;
  while (state.KeepRunningBatch(kBatch)) {
    // Either side gets fewer at once where a ring of bytes wraps.
    for (std::size_t sent = 0; sent < kBatch;) {
      auto rooms = producer.claim_batch(kBatch - sent, Bytes);
      if (!rooms) return state.SkipWithError(to_string(rooms.outcome()));
      for (std::size_t i = 0; i < rooms.size(); ++i) write_payload<Bytes>(rooms[i].data(), ++stamp);
      sent += rooms.size();
      rooms.publish();
    }
    std::uint64_t last = 0;
    for (std::size_t got = 0; got < kBatch;) {
      auto messages = consumer.receive_batch(kBatch);
      if (!messages) return state.SkipWithError(to_string(messages.outcome()));
      got += messages.size();
      messages.for_each(
          [&](const shmq::Message& message) { last = read_payload<Bytes>(message.data().data(), sound); });
      messages.release();
    }
    sound &= last == stamp;
  }
  if (!sound) state.SkipWithError("what was received is not what was sent");
}

void typed(benchmark::State& state, QueueKind kind) {
  struct Quote {
    std::uint32_t symbol;
    double bid, ask;
  };
  const std::string name = "shmq-bench-typed-" + std::to_string(::getpid());
  auto segment = shmq::Segment::create(name, {.size_bytes = 4u << 20}).value();
  auto options = queue_options(kind, sizeof(Quote), 64);
  options.slot_bytes = 0;  // as Queue<T> chooses
  auto quotes = segment.queue<Quote>("quotes", options);
  if (!quotes) return state.SkipWithError(quotes.error().message().c_str());
  auto producer = quotes->producer();
  auto consumer = quotes->consumer();
  for (auto _ : state) {
    auto claim = producer.claim();
    *claim = Quote{42, 99.5, 99.6};
    claim.publish();
    auto quote = consumer.receive();
    benchmark::DoNotOptimize(quote->bid);
    quote.release();
  }
  (void)shmq::Segment::remove(name);
}

template <std::size_t Bytes>
void add(QueueKind kind) {
  const std::string tail = std::string("/") + to_string(kind) + "/" + std::to_string(Bytes);
  benchmark::RegisterBenchmark(("message" + tail).c_str(),
                               [kind](benchmark::State& state) { send_and_receive<Bytes>(state, kind); });
  if constexpr (Bytes <= kInlineMax)
    benchmark::RegisterBenchmark(("message_of_batch16" + tail).c_str(),
                                 [kind](benchmark::State& state) { send_and_receive_batches<Bytes>(state, kind); });
}

}  // namespace

void add_message_rows() {
  for (const QueueKind kind : kQueueKinds) {
    add<8>(kind);
    add<64>(kind);
    add<1024>(kind);
    add<65536>(kind);
    benchmark::RegisterBenchmark((std::string("message_typed/") + to_string(kind) + "/24").c_str(),
                                 [kind](benchmark::State& state) { typed(state, kind); });
  }
}

}  // namespace bench
