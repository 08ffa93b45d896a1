#include "roles.hpp"

#include <unistd.h>

#include <cstring>
#include <iostream>
#include <shmq/base/clock.hpp>
#include <shmq/shmq.hpp>

#include "words.hpp"

namespace wordcount {

namespace {

int failed(const std::string& why) {
  std::cerr << "shmq-wordcount: worker: " << why << '\n';
  return 1;
}

void hold(const Victim& victim, const shmq::Run& run) {
  const shmq::TaskId id = run.id();
  if (::write(victim.report_to, &id, sizeof id) != sizeof id) return;
  for (;;) ::pause();  // until it is killed, in the middle of the run
}

}  // namespace

int work(const std::string& name, const Victim* victim) {
  auto segment = shmq::Segment::open(name, {.name = victim == nullptr ? "worker" : "victim"});
  if (!segment) return failed(segment.error().message());
  auto shards = segment->open_task_table(kShards);
  if (!shards) return failed(shards.error().message());
  shmq::TaskWorker worker = shards->worker();
  std::vector<std::byte> encoded, result;
  for (std::uint64_t number = 1;; ++number) {
    shmq::Run run = worker.next();
    if (run.outcome() == shmq::Outcome::closed) return 0;
    if (!run) return failed(std::string("cannot take a shard: ") + to_string(run.outcome()));
    const ResultHeader header{run.payload().size(), shmq::base::monotonic_ns(), ::getpid(), run.runs_before()};
    if (victim != nullptr && number == victim->hold_at) hold(*victim, run);
    Counts words;
    count_words({reinterpret_cast<const char*>(run.payload().data()), run.payload().size()}, words);
    encode(words, encoded);
    result.resize(sizeof header + encoded.size());
    std::memcpy(result.data(), &header, sizeof header);
    if (!encoded.empty()) std::memcpy(result.data() + sizeof header, encoded.data(), encoded.size());
    // Stale: the task was completed elsewhere, and this count is not wanted.
    if (const shmq::Outcome outcome = run.done(result); outcome != shmq::Outcome::ok && outcome != shmq::Outcome::stale)
      return failed(std::string("cannot give a count back: ") + to_string(outcome));
  }
}

}  // namespace wordcount
