// The first seeds of image_fuzz: small sound segments. Run once in the folder they are kept in; the rest of a corpus is
// what a fuzzer found and `-merge=1` kept.
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <span>
#include <string>

#include "shmq/shmq.hpp"

namespace {

void keep(const std::string& segment, const std::string& file) {
  std::ifstream from("/dev/shm/shmq." + segment, std::ios::binary);
  std::ofstream(file, std::ios::binary) << from.rdbuf();
}

}  // namespace

int main() {
  const std::string name = "fuzz-seeds-" + std::to_string(::getpid());
  const std::string payload(200, 'x');
  {
    auto segment = shmq::Segment::create(name, {.size_bytes = 24u << 10,
                                                .blocks = {{{512, 2}}},
                                                .participants_max = 2,
                                                .objects_max = 2})
                       .value();
    keep(name, "empty");
    auto a = segment.queue("a", {.capacity = 2}).value();
    auto producer = a.producer();
    auto consumer = a.consumer();
    (void)producer.try_send(std::as_bytes(std::span(payload)));
    (void)producer.try_send({});
    keep(name, "full");
    shmq::Message held = consumer.try_receive();
    keep(name, "held");
    held.requeue();
    held = consumer.try_receive();
    consumer.try_receive().release();
    shmq::Claim<void> claimed = producer.try_claim(300);
    a.close();
    keep(name, "closed");
  }
  (void)shmq::Segment::remove(name);
  return 0;
}
