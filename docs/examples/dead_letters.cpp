// A message that nobody can deal with does not come back for ever: after three deliveries it goes to another queue, where
// somebody can look at it. A consumer that knows at once that a message is hopeless rejects it.
#include <shmq/shmq.hpp>

#include <unistd.h>

#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

using namespace std::chrono_literals;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
std::string text_of(const shmq::Message& m) {
  return {reinterpret_cast<const char*>(m.data().data()), m.size()};
}

/// Fails at each line that says so; a worker that dies here, of whatever, would have the same effect.
void work(const std::string& line) {
  if (line.find("boom") != std::string::npos) throw std::runtime_error("cannot do " + line);
}

}  // namespace

int main() {
  const std::string name = "example-dead-letters-" + std::to_string(::getpid());
  auto segment = shmq::Segment::create(name, {.size_bytes = 1 << 20}).value();
  auto dead = segment.queue("jobs.dead", {.capacity = 64}).value();  // first: "jobs" names it
  auto jobs = segment.queue("jobs", {.capacity = 64, .delivery_limit = 3, .dead_letter = "jobs.dead"}).value();
  auto out = jobs.producer();
  for (const char* line : {"one", "boom", "", "two"}) (void)out.send(bytes_of(line));
  jobs.close();

  auto in = jobs.consumer();
  int done = 0;
  for (;;) {
    auto message = in.receive(5s);
    if (message.outcome() == shmq::Outcome::closed) break;  // also the last of them is done with, or elsewhere
    if (!message) return std::cerr << message.outcome() << '\n', 1;
    const std::string line = text_of(message);
    if (line.empty()) {  // it will never be better
      if (const auto outcome = message.reject(); outcome != shmq::Outcome::ok)
        std::cerr << "kept, since " << outcome << '\n';
      continue;
    }
    try {
      work(line);
      message.release();
      ++done;
    } catch (const std::exception& error) {
      std::cout << "delivery " << message.deliveries() + 1 << ": " << error.what() << '\n';
    }  // dropped: delivered again, up to the limit
  }

  auto graves = dead.consumer();
  int buried = 0;
  while (auto message = graves.try_receive()) {
    std::cout << "dead letter " << message.id() << ": \"" << text_of(message) << "\"\n";
    message.release();
    ++buried;
  }
  (void)shmq::Segment::remove(name);
  return done == 2 && buried == 2 ? 0 : 2;
}
