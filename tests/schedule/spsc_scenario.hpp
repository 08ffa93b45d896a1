#pragma once
// A byte ring and the processes that use it: producers and consumers, of which one at a time has an end and the next
// one succeeds it, a reaper, and a closer. Who has to wait reaps first, and closes the queue once every producer has
// ended. A process that dies is known to be dead once its stores have landed, as the kernel has it.

#include <cstdint>
#include <string>
#include <string_view>

#include "spsc_books.hpp"
#include "spsc_memory.hpp"

namespace spsc_test {

enum class Part : std::uint8_t { none, producer, consumer, reaper, closer };

struct Cast {
  std::array<Part, 5> parts{};
  std::array<std::uint8_t, 4> extents{32, 32, 32, 32};  // of the messages of each producer, in turn
  unsigned messages = 2;                                // by each producer
  unsigned claim_batch = 1, take_batch = 1;
  unsigned ring_bytes = 128;
  std::uint64_t start = std::uint64_t{0} - 32;  // positions wrap after the first record
  unsigned aborts = 0;       // bit i: the i-th message of each producer is aborted
  bool two_claims = false;   // each producer claims its first two before it publishes them, the second one first
  bool holds_two = false;    // a consumer holds two messages and releases the second one first
  bool gives_back = false;   // a consumer gives each message back once before it releases it
  bool lets_go = false;      // a consumer lets go after its first message, and comes back
  bool fenced = false;       // membarrier is refused: claims fence
  bool exact = true;         // full and empty are compared with the books: right where no store is held back
  Flaw flaw = Flaw::none;
};

class SpscScenario : public sim::Scenario {
 public:
  explicit SpscScenario(const Cast& cast);

  unsigned threads() const override { return threads_; }
  void run(unsigned thread) override;
  void check() override;
  std::uint64_t shadow() const override { return books_.hash(); }
  std::string name(unsigned thread) const override;

 private:
  using Producer = shmq::core::SpscProducer<SimMemory>;
  using Consumer = shmq::core::SpscConsumer<SimMemory>;
  enum class Look : std::uint8_t { took, nothing, over };

  static shmq::layout::Owner owner(unsigned thread) { return {thread + 1, 1}; }
  bool take(Producer& producer, unsigned thread);
  bool take(Consumer& consumer, unsigned thread);
  void produce(unsigned thread);
  void write(std::uint64_t position, unsigned extent, unsigned message);
  void publish(Producer& producer, std::uint64_t position, unsigned extent, unsigned message);
  void consume(unsigned thread);
  Look look(Consumer& consumer, unsigned thread);
  void use(Consumer& consumer, std::uint64_t position, bool again);
  void read(std::uint64_t position);
  void release(Consumer& consumer, std::uint64_t position);
  void close();
  void wait(unsigned thread);
  bool reap(unsigned thread);
  bool all_ended(Part part) const;

  Cast cast_;
  unsigned threads_ = 0;
  Words words_;
  SimMemory memory_;
  Books books_;
};

}  // namespace spsc_test
