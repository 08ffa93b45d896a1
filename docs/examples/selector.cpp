// One loop over two queues of different types: whichever has a message is served, and the busy one does not starve the
// other.
#include <shmq/shmq.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <string_view>

struct Quote {
  std::uint32_t symbol;
  double bid, ask;
};

int produce(const std::string& name) {
  auto segment = shmq::Segment::open(name);
  if (!segment) return std::cerr << segment.error() << '\n', 1;
  auto quotes = segment->open_queue<Quote>("quotes").value();
  auto notes = segment->open_queue("notes").value();
  auto out = quotes.producer();
  for (std::uint32_t i = 0; i < 1000; ++i) {
    if (out.send({i, 99.5, 99.6}) != shmq::Outcome::ok) return 2;
    const std::string_view note = "a hundred more";
    if (i % 100 == 99 && notes.producer().send(std::as_bytes(std::span(note))) != shmq::Outcome::ok) return 2;
  }
  quotes.close();
  notes.close();
  return 0;
}

int consume(shmq::Segment& segment) {
  auto quotes = segment.open_queue<Quote>("quotes").value().consumer();
  auto notes = segment.open_queue("notes").value().consumer();
  shmq::Selector selector;
  const std::size_t of_quotes = selector.add(quotes);
  const std::size_t of_notes = selector.add(notes);
  std::uint64_t symbols = 0, noted = 0;
  while (auto got = selector.receive()) {  // spins, then sleeps on both queues
    if (got.source == of_quotes) {
      auto quote = got.as<Quote>();
      symbols += quote->symbol;
      quote.release();
    } else if (got.source == of_notes) {
      ++noted;
      got.message.release();
    }
  }  // ends when both are closed and drained
  std::cout << "sum of symbols: " << symbols << ", notes: " << noted << '\n';
  return symbols == 499500 && noted == 10 ? 0 : 3;
}

int main() {
  const std::string name = "example-selector-" + std::to_string(::getpid());
  int result = 0, status = 0;
  {
    auto segment = shmq::Segment::create(name, {.size_bytes = 1 << 20}).value();
    (void)segment.queue<Quote>("quotes", {.capacity = 64}).value();
    (void)segment.queue("notes", {.capacity = 64}).value();
    const pid_t child = ::fork();
    if (child == 0) return produce(name);
    result = consume(segment);
    ::waitpid(child, &status, 0);
  }
  (void)shmq::Segment::remove(name);
  return result != 0 ? result : WEXITSTATUS(status);
}
