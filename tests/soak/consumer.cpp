// Receives from `wide`, `small` and `relay_out`, or (there is one such) from `single`: one by one and in
// batches, holds some messages for a while, and gives some back. Those of the spsc queues take turns: whoever has the
// end lets go of it now and then, and the others try until they get it.
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "worker.hpp"

namespace soak {

namespace {

using namespace std::chrono_literals;
using shmq::Outcome;

class SoakConsumer : public Worker {
 public:
  SoakConsumer(Control& control, const WorkerPlace& place) : Worker(control, place) {
    if (place.role == Role::single_consumer)
      sources_ = {single};
    else if (place.role == Role::spsc_consumer)
      sources_ = {ring, large_ring};
    else
      sources_ = {wide, small, relay_out};
  }

 private:
  struct Held {
    shmq::Message message;
    Record record;
  };

  void open_queues(shmq::Segment& segment) override {
    for (const QueueNumber q : sources_) {
      queues_[q].emplace(queue(segment, q));
      consumers_[q].emplace(queues_[q]->consumer());
    }
    ended_ = {};
    blocked_since_ = {};
  }
  void let_go(bool queues) override {
    held_.clear();
    blocked_since_ = {};
    if (!queues) return;
    for (const QueueNumber q : sources_) leaves_end(q, false);
    for (auto& consumer : consumers_) consumer.reset();
    for (auto& opened : queues_) opened.reset();
  }
  bool finished(Phase phase) override {
    if (phase != Phase::close) return false;
    for (const QueueNumber q : sources_)
      if (!ended_[q]) return false;
    return true;
  }

  void step(Phase phase) override {
    const QueueNumber q = sources_[pick(0, sources_.size() - 1)];
    if (ended_[q]) return;
    if (!consumers_[q]) consumers_[q].emplace(queues_[q]->consumer());
    const std::size_t keep = phase == Phase::run && chance(0.3) ? pick(1, 3) : 0;
    const std::uint64_t turns = phase == Phase::run ? pick(1, 100) : 10;
    for (std::uint64_t i = 0; i < turns; ++i) {
      if (!(chance(0.3) ? batch(q) : one(q))) break;
      while (held_.size() > keep) {
        if (chance(0.1)) std::swap(held_.front(), held_.back());  // before its turn
        release_oldest();
      }
    }
    while (!held_.empty()) release_oldest();
    // The end of the stream is heard by one after the other.
    if (is_spsc(q) && (ended_[q] || chance(0.1))) leave_end(q);
  }

  void leave_end(QueueNumber q) {
    leaves_end(q, false);
    consumers_[q].reset();
  }

  /// False where nothing came.
  bool came(Outcome outcome, QueueNumber q) {
    if (is_spsc(q)) {
      if (outcome == Outcome::busy) {
        ::usleep(static_cast<useconds_t>(pick(50, 1000)));
        return false;
      }
      has_end(q, false);
    }
    if (outcome == Outcome::ok) {
      if (const std::int64_t since = std::exchange(blocked_since_[q], 0); since != 0) waited(since);
      return true;
    }
    // Nothing to be had although there is something: whoever is in the way is stopped, slow or dead.
    if (is_spsc(q) || queues_[q]->depth() == 0)
      blocked_since_[q] = 0;
    else if (blocked_since_[q] == 0)
      blocked_since_[q] = shmq::base::monotonic_ns();
    if (outcome == Outcome::closed && control_.phase() == Phase::close) {
      ended_[q] = true;
      return false;
    }
    if (outcome != Outcome::timeout && outcome != Outcome::empty)
      wrong(std::string("receive from ") + queue_plans()[q].name + " said " + to_string(outcome));
    return false;
  }

  bool one(QueueNumber q) {
    shmq::Message message = chance(0.1) ? consumers_[q]->try_receive() : consumers_[q]->receive(2ms);
    if (!came(message.outcome(), q)) return false;
    const Record record = record_of(message, q);
    journal_.write(record);
    perhaps_leave();
    if (chance(0.01)) return true;  // dropped: it comes again
    if (chance(0.001)) ::usleep(static_cast<useconds_t>(pick(1, 3000)));
    held_.push_back({std::move(message), record});
    return true;
  }

  bool batch(QueueNumber q) {
    shmq::MessageBatch batch = consumers_[q]->receive_batch(pick(1, 64), 2ms);
    if (!came(batch.outcome(), q)) return false;
    std::vector<Record> records;
    batch.for_each([&](const shmq::Message& message) { records.push_back(record_of(message, q)); });
    journal_.write(records.data(), records.size());
    perhaps_leave();
    if (chance(0.01)) return true;
    // Some of them as messages of their own.
    const std::size_t alone = chance(0.2) ? pick(0, records.size()) : 0;
    for (std::size_t i = 0; i < alone; ++i) held_.push_back({batch.pop_front(), records[i]});
    batch.release();
    for (std::size_t i = alone; i < records.size(); ++i) records[i] = released(records[i]);
    journal_.write(records.data() + alone, records.size() - alone);
    return true;
  }

  void release_oldest() {
    held_.front().message.release();
    journal_.write(released(held_.front().record));
    held_.pop_front();
  }

  static Record released(Record record) {
    record.time_ns = shmq::base::monotonic_ns();
    record.event = Event::released;
    return record;
  }

  std::vector<QueueNumber> sources_;
  std::array<std::optional<shmq::Queue<void>>, kQueues> queues_;
  std::array<std::optional<shmq::Consumer<void>>, kQueues> consumers_;
  std::array<std::int64_t, kQueues> blocked_since_{};
  std::array<bool, kQueues> ended_{};
  std::deque<Held> held_;
};

}  // namespace

std::unique_ptr<Worker> make_consumer(Control& control, const WorkerPlace& place) {
  return std::make_unique<SoakConsumer>(control, place);
}

}  // namespace soak
