// Two processes, one typed queue: the first twelve lines anybody writes.
#include <shmq/shmq.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <iostream>

using namespace std::chrono_literals;

struct Quote {
  std::uint32_t symbol;
  double bid, ask;
};

int produce(const std::string& name) {
  auto segment = shmq::Segment::open_or_create(name, {.size_bytes = 1 << 20});
  if (!segment) return std::cerr << segment.error() << '\n', 1;  // what, why, how to mend it
  auto quotes = segment->queue<Quote>("quotes", {.capacity = 1024});
  if (!quotes) return std::cerr << quotes.error() << '\n', 1;
  auto out = quotes->producer();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    auto claim = out.claim(100ms);  // one compare-and-swap, and it names me
    if (!claim) return std::cerr << claim.outcome() << '\n', 2;
    *claim = Quote{i, 99.5, 99.6};  // in place
    claim.publish();
  }
  quotes->close();
  return 0;
}

int consume(const std::string& name) {
  auto segment = shmq::Segment::open_or_create(name, {.size_bytes = 1 << 20}).value();
  auto quotes = segment.queue<Quote>("quotes", {.capacity = 1024}).value();
  auto in = quotes.consumer();
  std::uint64_t sum = 0;
  while (auto quote = in.receive()) {  // spins, then sleeps; ends when the queue is closed and drained
    sum += quote->symbol;              // in place
    quote.release();
  }
  std::cout << "sum of symbols: " << sum << '\n';
  return sum == 499500 ? 0 : 3;
}

int main() {
  const std::string name = "example-prices-" + std::to_string(::getpid());
  const pid_t child = ::fork();
  if (child == 0) return produce(name);
  const int result = consume(name);
  int status = 0;
  ::waitpid(child, &status, 0);
  (void)shmq::Segment::remove(name);
  return result != 0 ? result : WEXITSTATUS(status);
}
