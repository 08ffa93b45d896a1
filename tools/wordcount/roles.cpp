#include "roles.hpp"

#include <unistd.h>

#include <cstring>
#include <iostream>
#include <shmq/base/clock.hpp>
#include <shmq/shmq.hpp>
#include <stdexcept>

#include "words.hpp"

namespace wordcount {

namespace {

int failed(const char* role, const std::string& why) {
  std::cerr << "shmq-wordcount: " << role << ": " << why << '\n';
  return 1;
}

void hold(const Victim& victim, const shmq::Message& message) {
  const HeldMessage held{message.id().generation, message.id().position};
  if (::write(victim.report_to, &held, sizeof held) != sizeof held) return;
  for (;;) ::pause();  // until it is killed, with the message in its hands
}

}  // namespace

int feed(const std::string& name, const Corpus& corpus) {
  auto segment = shmq::Segment::open(name, {.name = "feeder"});
  if (!segment) return failed("feeder", segment.error().message());
  auto chunks = segment->open_queue(kChunks);
  if (!chunks) return failed("feeder", chunks.error().message());
  shmq::Producer<> out = chunks->producer();
  shmq::Outcome outcome = shmq::Outcome::ok;
  try {
    for (const std::string& path : corpus.files) {
      for_each_chunk(path, [&](std::string_view text) {
        outcome = out.send(std::as_bytes(std::span(text)));
        return outcome == shmq::Outcome::ok;
      });
      if (outcome != shmq::Outcome::ok)
        return failed("feeder", std::string("cannot send: ") + to_string(outcome));
    }
  } catch (const std::runtime_error& error) {
    return failed("feeder", error.what());
  }
  chunks->close();
  return 0;
}

int work(const std::string& name, const Victim* victim) {
  auto segment = shmq::Segment::open(name, {.name = victim == nullptr ? "worker" : "victim"});
  if (!segment) return failed("worker", segment.error().message());
  auto chunks = segment->open_queue(kChunks);
  auto counts = segment->open_queue(kCounts);
  if (!chunks || !counts) return failed("worker", (!chunks ? chunks.error() : counts.error()).message());
  shmq::Consumer<> in = chunks->consumer();
  shmq::Producer<> out = counts->producer();
  std::vector<std::byte> encoded;
  for (std::uint64_t number = 1;; ++number) {
    shmq::Message message = in.receive();
    if (message.outcome() == shmq::Outcome::closed) return 0;
    if (!message) return failed("worker", std::string("cannot receive: ") + to_string(message.outcome()));
    const std::int64_t received_ns = shmq::base::monotonic_ns();
    if (victim != nullptr && number == victim->hold_at) hold(*victim, message);
    Counts words;
    count_words({reinterpret_cast<const char*>(message.data().data()), message.size()}, words);
    encode(words, encoded);
    const ResultHeader header{
        message.id().generation, message.id().position, message.size(), received_ns, ::getpid(),
        message.redelivered()};
    // The result first, the release after it: killed in between, the chunk is counted again, and the
    // collector drops one.
    auto claim = out.claim(sizeof header + encoded.size());
    if (!claim) return failed("worker", std::string("cannot send a count: ") + to_string(claim.outcome()));
    std::memcpy(claim.data().data(), &header, sizeof header);
    if (!encoded.empty()) std::memcpy(claim.data().data() + sizeof header, encoded.data(), encoded.size());
    claim.publish();
    message.release();
  }
}

}  // namespace wordcount
