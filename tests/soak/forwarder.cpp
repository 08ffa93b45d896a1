// Moves what comes to `relay_in` on to `relay_out`.
#include <memory>

#include "worker.hpp"

namespace soak {

namespace {

using namespace std::chrono_literals;
using shmq::Outcome;

class SoakForwarder : public Worker {
 public:
  using Worker::Worker;

 private:
  void open_queues(shmq::Segment& segment) override {
    consumer_.emplace(queue(segment, relay_in).consumer());
    producer_.emplace(queue(segment, relay_out).producer());
    room_ = queue(segment, relay_in).producer().max_inline();
    ended_ = false;
  }
  void let_go(bool queues) override {
    if (!queues) return;
    consumer_.reset();
    producer_.reset();
  }
  bool finished(Phase phase) override { return phase == Phase::close && ended_; }

  void step(Phase) override {
    shmq::Message message = chance(0.1) ? consumer_->try_receive() : consumer_->receive(5ms);
    if (!message) {
      if (message.outcome() == Outcome::closed && control_.phase() == Phase::close) {
        ended_ = true;
        return;
      }
      if (message.outcome() != Outcome::timeout && message.outcome() != Outcome::empty)
        wrong(std::string("receive from relay_in said ") + to_string(message.outcome()));
      return;
    }
    Record record = record_of(message, relay_in);
    record.in_block = message.size() > room_;
    journal_.write(record);
    perhaps_leave();
    const std::int64_t since = shmq::base::monotonic_ns();
    const std::uint64_t patience = pick(1, 20);
    for (std::uint64_t i = 0; i < patience; ++i) {
      const Outcome outcome = message.forward(*producer_, 20ms);
      if (outcome == Outcome::ok) {
        record.time_ns = shmq::base::monotonic_ns();
        record.event = Event::released;
        journal_.write(record);
        waited(since);
        return;
      }
      if (outcome != Outcome::timeout && outcome != Outcome::no_block)
        wrong(std::string("forward to relay_out said ") + to_string(outcome));
    }
    // Dropped: it goes to another forwarder.
  }

  std::optional<shmq::Consumer<void>> consumer_;
  std::optional<shmq::Producer<void>> producer_;
  std::size_t room_ = 0;
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<Worker> make_forwarder(Control& control, const WorkerPlace& place) {
  return std::make_unique<SoakForwarder>(control, place);
}

}  // namespace soak
