// Sends to all mpmc queues but `relay_out`, or to the spsc queues: one by one, in pairs and in batches, inline and in
// blocks, and gives some claims up. Those of the spsc queues take turns, as their consumers do.
#include <memory>
#include <vector>

#include "worker.hpp"

namespace soak {

namespace {

using namespace std::chrono_literals;
using shmq::Outcome;

class SoakProducer : public Worker {
 public:
  SoakProducer(Control& control, const WorkerPlace& place) : Worker(control, place) {
    if (place.role == Role::spsc_producer)
      targets_ = {ring, large_ring};
    else
      targets_ = {wide, small, single, relay_in};
  }

 private:
  void open_queues(shmq::Segment& segment) override {
    for (const QueueNumber q : targets_) {
      queues_[q].emplace(queue(segment, q));
      producers_[q].emplace(queues_[q]->producer());
    }
    had_ = {};
  }
  void let_go(bool queues) override {
    if (!queues) return;
    for (const QueueNumber q : targets_) leaves_end(q, true);
    for (auto& producer : producers_) producer.reset();
    for (auto& opened : queues_) opened.reset();
  }
  /// An end that nobody can get would be seen by nothing else than that its queue falls silent.
  bool finished(Phase phase) override {
    if (phase == Phase::drain)
      for (const QueueNumber q : targets_)
        if (is_spsc(q) && !had_[q]) return false;
    return true;
  }

  void step(Phase phase) override {
    if (phase == Phase::run) had_ = {};
    const QueueNumber q = targets_[pick(0, targets_.size() - 1)];
    if (phase == Phase::drain && had_[q]) return;
    if (!producers_[q]) producers_[q].emplace(queues_[q]->producer());
    const std::uint64_t turns = phase == Phase::run ? pick(1, 20) : 1;
    bool goes_on = true;
    for (std::uint64_t i = 0; goes_on && i < turns && control_.phase() == phase; ++i) {
      if (chance(0.15))
        goes_on = batch(q);
      else if (is_spsc(q) && chance(0.1))
        goes_on = pair(q);
      else
        goes_on = one(q);
    }
    if (!is_spsc(q)) return;
    if (phase == Phase::drain) had_[q] = goes_on;
    if (phase == Phase::drain || chance(0.1)) {
      leaves_end(q, true);
      producers_[q].reset();
    }
  }

  std::size_t size_for(QueueNumber q) {
    const std::size_t room = producers_[q]->max_inline();
    if (is_spsc(q)) return chance(0.9) ? pick(kPayloadMin, std::min<std::size_t>(room, 256)) : pick(kPayloadMin, room);
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
    if (is_spsc(q) && outcome == Outcome::busy) {
      ::usleep(static_cast<useconds_t>(pick(50, 1000)));
      return false;
    }
    if (outcome != Outcome::timeout && outcome != Outcome::full && outcome != Outcome::no_block)
      wrong(std::string("claim in ") + queue_plans()[q].name + " said " + to_string(outcome));
    return control_.phase() == Phase::run;
  }

  /// False where there was no room, or the end is another's.
  bool one(QueueNumber q) {
    const std::size_t size = size_for(q);
    const std::int64_t since = shmq::base::monotonic_ns();
    shmq::Claim<void> claim;
    do {
      claim = chance(0.05) ? producers_[q]->try_claim(size) : producers_[q]->claim(size, 20ms);
    } while (!claim && not_now(claim.outcome(), q));
    if (!claim) return false;
    got_room(q, since);
    const std::uint64_t id = payload_id(place_.number, sequence_++);
    write_payload(claim.data(), id);
    if (chance(0.02)) return true;                                        // given up: it was never intended
    if (chance(0.001)) ::usleep(static_cast<useconds_t>(pick(1, 3000)));  // a kill likes to find a claim
    journal_.write(said(q, Event::intent, id));
    perhaps_leave();
    claim.publish();
    journal_.write(said(q, Event::published, id));
    return true;
  }

  void got_room(QueueNumber q, std::int64_t since) {
    if (is_spsc(q))
      has_end(q, true);
    else
      waited(since);
  }

  /// Two claims, the second of which is published first, or without the first.
  bool pair(QueueNumber q) {
    std::array<shmq::Claim<void>, 2> claims;
    std::array<std::uint64_t, 2> ids{};
    for (std::size_t i = 0; i < 2; ++i) {
      claims[i] = producers_[q]->claim(pick(kPayloadMin, 128), 5ms);
      if (!claims[i]) return not_now(claims[i].outcome(), q) && i > 0;
      got_room(q, 0);
      ids[i] = payload_id(place_.number, sequence_++);
      write_payload(claims[i].data(), ids[i]);
    }
    for (const std::size_t i : {1, 0}) {
      if (chance(0.1)) {
        claims[i].abort();
        continue;
      }
      journal_.write(said(q, Event::intent, ids[i]));
      perhaps_leave();
      claims[i].publish();
      journal_.write(said(q, Event::published, ids[i]));
    }
    return true;
  }

  bool batch(QueueNumber q) {
    const std::size_t size = is_spsc(q) ? size_for(q) : pick(kPayloadMin, producers_[q]->max_inline());
    const std::int64_t since = shmq::base::monotonic_ns();
    shmq::ClaimBatch batch;
    do {
      batch = producers_[q]->claim_batch(pick(1, 64), size, 20ms);
    } while (!batch && not_now(batch.outcome(), q));
    if (!batch) return false;
    got_room(q, since);
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
    return true;
  }

  std::vector<QueueNumber> targets_;
  std::array<std::optional<shmq::Queue<void>>, kQueues> queues_;
  std::array<std::optional<shmq::Producer<void>>, kQueues> producers_;
  std::array<bool, kQueues> had_{};  // each end, since the drain began
  std::uint64_t sequence_ = 0;
};

}  // namespace

std::unique_ptr<Worker> make_producer(Control& control, const WorkerPlace& place) {
  return std::make_unique<SoakProducer>(control, place);
}

}  // namespace soak
