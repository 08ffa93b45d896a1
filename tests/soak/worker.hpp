// What every worker has: the segment, its endpoints, a journal and dice.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "journal.hpp"
#include "shmq/base/clock.hpp"
#include "world.hpp"

namespace soak {

class Worker {
 public:
  Worker(Control& control, const WorkerPlace& place)
      : control_(control), place_(place), journal_(place.journal), dice_(place.seed) {}
  virtual ~Worker() = default;
  int run();

 protected:
  /// One piece of work, some milliseconds at most.
  virtual void step(Phase phase) = 0;
  /// Whether it has nothing left to do in a drain (never for those who empty the queues) or has seen the end
  /// of the stream in a close.
  virtual bool finished(Phase phase) = 0;
  virtual void open_queues(shmq::Segment& segment) = 0;
  /// Gives back what it holds; `queues`: and lets go of its handles.
  virtual void let_go(bool queues) = 0;

  bool chance(double p) { return std::uniform_real_distribution<double>(0, 1)(dice_) < p; }
  std::uint64_t pick(std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>(low, high)(dice_);
  }
  shmq::Queue<void> queue(shmq::Segment& segment, QueueNumber number);
  /// Ends this process now and then, with all that it holds.
  void perhaps_leave();
  /// Ends this process, and the soak with it.
  [[noreturn]] void wrong(const std::string& what);
  /// It has the end of an spsc queue, or is about to let go of it.
  void has_end(QueueNumber queue, bool producers);
  void leaves_end(QueueNumber queue, bool producers);
  /// A call that began to wait at `since_ns` has got on.
  void waited(std::int64_t since_ns);
  Record record_of(const shmq::Message& message, QueueNumber queue);

  Control& control_;
  const WorkerPlace& place_;
  Journal journal_;
  std::mt19937_64 dice_;

 private:
  bool has_[kQueues][2] = {};
};

std::unique_ptr<Worker> make_producer(Control& control, const WorkerPlace& place);
std::unique_ptr<Worker> make_consumer(Control& control, const WorkerPlace& place);
std::unique_ptr<Worker> make_forwarder(Control& control, const WorkerPlace& place);

}  // namespace soak
