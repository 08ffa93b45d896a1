// A worker is killed while it holds a message; the message is delivered again, marked, and the queue goes on.
#include <shmq/shmq.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

int main() {
  const std::string name = "example-survivor-" + std::to_string(::getpid());
  auto segment = shmq::Segment::create(name, {.size_bytes = 1 << 20}).value();
  auto work = segment.queue("work", {.capacity = 16}).value();
  const std::string text = "count the words of page 17";
  (void)work.producer().send(std::as_bytes(std::span(text)));

  const pid_t worker = ::fork();
  if (worker == 0) {
    // A child attaches anew: what it inherited answers `detached`.
    auto mine = shmq::Segment::open(name).value().open_queue("work").value();
    auto in = mine.consumer();
    auto message = in.receive();
    ::raise(SIGKILL);  // with the message in its hands
  }
  ::waitpid(worker, nullptr, 0);

  auto in = work.consumer();
  auto message = in.receive(5s);  // nobody told us that the worker died: the kernel did
  if (!message) return std::cerr << message.outcome() << '\n', 1;
  std::cout << "message " << message.id() << (message.redelivered() ? ", delivered again: " : ": ")
            << std::string(reinterpret_cast<const char*>(message.data().data()), message.size()) << '\n';
  const bool right = message.redelivered() && message.deliveries() == 1;
  message.release();
  (void)shmq::Segment::remove(name);
  return right ? 0 : 2;
}
