// Large payloads travel in blocks and are handed from queue to queue without a copy.
#include <shmq/shmq.hpp>

#include <unistd.h>

#include <cstring>
#include <iostream>
#include <thread>

using namespace std::chrono_literals;

int main() {
  const std::string name = "example-pipeline-" + std::to_string(::getpid());
  // 16 images of up to 1 MiB, two queues of 64 places each: how large must the segment be?
  auto plan = shmq::CapacityPlan().queue({.capacity = 64}).queue({.capacity = 64}).blocks(1 << 20, 16);
  std::cout << plan.text() << '\n';
  auto segment = shmq::Segment::create(name, plan.options().value());
  if (!segment) return std::cerr << segment.error() << '\n', 1;
  auto raw = segment->queue("raw", {.capacity = 64}).value();
  auto checked = segment->queue("checked", {.capacity = 64}).value();

  std::jthread camera([&] {
    auto out = raw.producer();
    for (unsigned i = 0; i < 100; ++i) {
      auto image = out.claim(1'000'000);  // waits for a free block
      std::memset(image.data().data(), static_cast<int>(i), image.size());
      image.set_type(i);
      image.publish();
    }
    raw.close();
  });
  std::jthread checker([&] {
    auto in = raw.consumer();
    auto out = checked.producer();
    while (auto image = in.receive())
      if (image.forward(out) != shmq::Outcome::ok) return;  // the block itself moves on, under the same id
    checked.close();
  });

  auto in = checked.consumer();
  unsigned count = 0;
  while (auto image = in.receive()) {
    if (image.type() != count || image.data()[999'999] != std::byte(count)) return 2;
    ++count;
    image.release();
  }
  std::cout << count << " images of " << 1'000'000 << " bytes\n";
  (void)shmq::Segment::remove(name);
  return count == 100 ? 0 : 3;
}
