// Sends to all queues but `relay_out`: one by one and in batches, inline and in blocks, and gives some claims
// up.
#include <memory>
#include <vector>

#include "worker.hpp"

namespace soak {

namespace {

using namespace std::chrono_literals;
using shmq::Outcome;

class SoakProducer : public Worker {
 public:
  using Worker::Worker;

 private:
  static constexpr std::array kTargets = {wide, small, single, relay_in};

  void open_queues(shmq::Segment& segment) override {
    for (const QueueNumber q : kTargets) producers_[q].emplace(queue(segment, q).producer());
  }
  void let_go(bool queues) override {
    if (queues)
      for (auto& producer : producers_) producer.reset();
  }
  bool finished(Phase) override { return true; }

  void step(Phase) override {
    const QueueNumber q = kTargets[pick(0, kTargets.size() - 1)];
    const std::uint64_t turns = pick(1, 20);
    for (std::uint64_t i = 0; i < turns && control_.phase() == Phase::run; ++i) {
      if (chance(0.15))
        batch(q);
      else
        one(q);
    }
  }

  std::size_t size_for(QueueNumber q) {
    const std::size_t room = producers_[q]->max_inline();
    const double kind = std::uniform_real_distribution<double>(0, 1)(dice_);
    if (kind < 0.70) return pick(kPayloadMin, room);
    if (kind < 0.90) return pick(room + 1, 1024);
    if (kind < 0.97) return pick(1024, 8192);
    if (kind < 0.998) return pick(8192, 65536);
    return pick(65536, 1u << 20);
  }

  Record said(QueueNumber q, Event event, std::uint64_t id) {
    Record record;
    record.id = id;
    record.time_ns = shmq::base::monotonic_ns();
    record.event = event;
    record.queue = q;
    return record;
  }

  /// Whether to try again; ends the process where the outcome can't be.
  bool not_now(Outcome outcome, QueueNumber q) {
    if (outcome != Outcome::timeout && outcome != Outcome::full && outcome != Outcome::no_block)
      wrong(std::string("claim in ") + queue_plans()[q].name + " said " + to_string(outcome));
    return control_.phase() == Phase::run;
  }

  void one(QueueNumber q) {
    const std::size_t size = size_for(q);
    const std::int64_t since = shmq::base::monotonic_ns();
    shmq::Claim<void> claim;
    do {
      claim = chance(0.05) ? producers_[q]->try_claim(size) : producers_[q]->claim(size, 20ms);
    } while (!claim && not_now(claim.outcome(), q));
    if (!claim) return;
    waited(since);
    const std::uint64_t id = payload_id(place_.number, sequence_++);
    write_payload(claim.data(), id);
    if (chance(0.02)) return;                                             // given up: it was never intended
    if (chance(0.001)) ::usleep(static_cast<useconds_t>(pick(1, 3000)));  // a kill likes to find a claim
    journal_.write(said(q, Event::intent, id));
    perhaps_leave();
    claim.publish();
    journal_.write(said(q, Event::published, id));
  }

  void batch(QueueNumber q) {
    const std::size_t size = pick(kPayloadMin, producers_[q]->max_inline());
    const std::int64_t since = shmq::base::monotonic_ns();
    shmq::ClaimBatch batch;
    do {
      batch = producers_[q]->claim_batch(pick(1, 64), size, 20ms);
    } while (!batch && not_now(batch.outcome(), q));
    if (!batch) return;
    waited(since);
    const std::size_t count = chance(0.1) ? pick(0, batch.size()) : batch.size();
    std::vector<Record> records;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t id = payload_id(place_.number, sequence_++);
      const std::size_t used = pick(kPayloadMin, size);
      write_payload(batch[i].first(used), id);
      batch.set(i, used, 7);
      records.push_back(said(q, Event::intent, id));
    }
    journal_.write(records.data(), records.size());
    perhaps_leave();
    batch.publish(count);
    for (Record& record : records) record.event = Event::published;
    journal_.write(records.data(), records.size());
  }

  std::array<std::optional<shmq::Producer<void>>, kQueues> producers_;
  std::uint64_t sequence_ = 0;
};

}  // namespace

std::unique_ptr<Worker> make_producer(Control& control, const WorkerPlace& place) {
  return std::make_unique<SoakProducer>(control, place);
}

}  // namespace soak
