#pragma once
// A ring, its participants, and the processes that use it: producers, consumers, reapers, and newcomers that
// attach under the id of a dead one. Each thread is a process with a row of its own; whoever has to wait
// reaps first, and somebody who waits closes the queue once every producer has ended.

#include <cstdint>
#include <string>

#include "ring_books.hpp"
#include "ring_participants.hpp"

namespace ring_test {

enum class Part : std::uint8_t { none, producer, consumer, reaper, new_producer, new_consumer, closer };

struct Cast {
  std::array<Part, 6> parts{};     // new_*: comes when row 0 is free again
  unsigned messages = 1;           // by each producer
  unsigned messages_of_first = 0;  // by the first thread, where that differs
  unsigned claim_batch = 1, take_batch = 1;
  unsigned capacity_log2 = 1;
  std::uint64_t start = 5;
  std::uint64_t trail_age = 0;  // see Words; 0: one capacity
  bool aborts = false;          // every producer aborts its first claim
  bool gives_back = false;      // a consumer gives each message back once before it releases it
  bool drops = false;           // a producer that finds the ring full drops the oldest message
  bool stopped_reaper_holds_nobody_up = false;
  Mutation mutation = Mutation::none;
};

template <class Memory>
class RingScenario : public sim::Scenario {
 public:
  explicit RingScenario(const Cast& cast);

  unsigned threads() const override { return threads_; }
  void run(unsigned thread) override;
  void check() override;
  std::uint64_t shadow() const override { return books_.hash(); }
  std::string name(unsigned thread) const override;
  std::string show(const char* label, std::uint64_t value) const override;

 private:
  using Owner = shmq::layout::Owner;
  using Ring = shmq::core::MpmcRing<Memory>;

  struct Consumer {
    Owner me;
    std::uint64_t seen = ~std::uint64_t{0};
  };
  enum class Look : std::uint8_t { took, nothing, over };

  static std::uint64_t remembers(unsigned where, std::uint64_t a = 0, std::uint64_t b = 0) {
    return sim::mix(sim::mix(where, a), b);
  }

  void produce(Owner me, unsigned thread);
  bool drop_oldest(Owner me, std::uint64_t caller);
  void consume(Owner me);
  void reap_until_the_end(unsigned row);
  void close_at_any_time(unsigned row);
  bool attach_as_newcomer(Owner& me);
  Look look(Consumer& consumer);
  bool over() const;
  void use(Consumer& consumer, std::uint64_t position, std::uint64_t held, std::uint64_t rest);
  bool all_ended(Part a, Part b) const;
  bool housekeeping(unsigned row, std::uint64_t caller);
  void repair(std::uint32_t dead, std::uint64_t caller);
  void close();

  Cast cast_;
  unsigned threads_ = 0;
  Words words_;
  Ring ring_;
  Participants participants_;
  Books books_;
};

}  // namespace ring_test

#include "ring_scenario_inline.hpp"
