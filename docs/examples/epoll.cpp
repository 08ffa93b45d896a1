// A queue in an event loop that has other things to wait for: here a timer. The rule: arm() before each wait.
#include <shmq/shmq.hpp>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>

using namespace std::chrono_literals;

int produce(const std::string& name) {
  auto segment = shmq::Segment::open(name);
  if (!segment) return std::cerr << segment.error() << '\n', 1;
  auto queue = segment->open_queue<std::uint64_t>("numbers").value();
  auto out = queue.producer();
  for (std::uint64_t i = 0; i < 1000; ++i) {
    if (i % 100 == 0) ::usleep(2000);
    if (out.send(i) != shmq::Outcome::ok) return 2;
  }
  queue.close();
  return 0;
}

int serve(shmq::Segment& segment) {
  auto in = segment.open_queue<std::uint64_t>("numbers").value().consumer();
  const auto descriptor = in.descriptor();
  if (!descriptor) return std::cerr << descriptor.error() << '\n', 1;
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  const itimerspec every{{0, 5'000'000}, {0, 5'000'000}};
  ::timerfd_settime(timer, 0, &every, nullptr);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  for (const int each : {*descriptor, timer}) {
    epoll_event interest{.events = EPOLLIN, .data = {.fd = each}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, each, &interest);
  }
  std::uint64_t sum = 0, ticks = 0;
  for (;;) {
    in.arm();  // before each wait; what is there already makes the descriptor readable at once
    epoll_event events[2];
    const int count = ::epoll_wait(epoll, events, 2, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.fd == timer) {
        std::uint64_t expired = 0;
        if (::read(timer, &expired, sizeof expired) > 0) ticks += expired;
        continue;
      }
      for (int turn = 0; turn < 64; ++turn) {  // at most so many at a time: the timer has its turn, too
        auto number = in.try_receive();
        if (number.outcome() == shmq::Outcome::closed) {  // closed and drained
          ::close(epoll);
          ::close(timer);
          std::cout << "sum: " << sum << (ticks == 0 ? ", too fast for a tick\n" : ", with ticks between\n");
          return sum == 499500 ? 0 : 3;
        }
        if (!number) break;
        sum += *number;
        number.release();
      }
    }
  }
}

int main() {
  const std::string name = "example-epoll-" + std::to_string(::getpid());
  int result = 0, status = 0;
  {
    auto segment = shmq::Segment::create(name, {.size_bytes = 1 << 20}).value();
    (void)segment.queue<std::uint64_t>("numbers", {.capacity = 64}).value();
    const pid_t child = ::fork();
    if (child == 0) return produce(name);
    result = serve(segment);
    ::waitpid(child, &status, 0);
  }
  (void)shmq::Segment::remove(name);
  return result != 0 ? result : WEXITSTATUS(status);
}
