// What a first user writes: one value through a typed queue. The segment's name is the only argument.
#include <cstdint>
#include <iostream>
#include <shmq/shmq.hpp>
#include <string>

struct Quote {
  std::uint64_t symbol;
  double bid;
};

static int run(const std::string& name) {
  auto segment = shmq::Segment::open_or_create(name, {.size_bytes = 4 << 20});
  if (!segment) {
    std::cerr << segment.error() << '\n';
    return 1;
  }
  auto quotes = segment->queue<Quote>("quotes", {.capacity = 64});
  if (!quotes) {
    std::cerr << quotes.error() << '\n';
    return 1;
  }
  auto out = quotes->producer();
  auto in = quotes->consumer();
  auto claim = out.try_claim();
  if (!claim) return 2;
  *claim = Quote{42, 99.5};
  claim.publish();
  auto message = in.try_receive();
  if (!message || message->symbol != 42) return 3;
  message.release();
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const int status = run(argv[1]);
  if (auto removed = shmq::Segment::remove(argv[1]); !removed) {
    std::cerr << removed.error() << '\n';
    return 4;
  }
  if (status == 0) std::cout << "consumer: ok\n";
  return status;
}
