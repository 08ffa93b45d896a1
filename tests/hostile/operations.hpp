// Every public operation of the library on one segment, in an order that the dice decide. Nothing is expected of what
// they answer; that they answer, and touch nothing but the segment, is what is tested.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dice.hpp"
#include "image.hpp"
#include "shmq/selector.hpp"
#include "shmq/shmq.hpp"

namespace hostile {

/// Says where a process is, to whoever watches it. In shared memory.
struct Progress {
  std::atomic<std::uint64_t> seed{0};
  std::atomic<std::uint32_t> step{0};
  std::atomic<const char*> operation{nullptr};  // a literal: the same address in each process forked from here
  char story[2048] = {};
};

class Operations {
 public:
  Operations(std::string name, Dice& dice, Progress& progress);

  /// Attaches and opens everything, and takes some of it.
  void open();
  /// Waits end at once: for who runs many of them.
  void hurry() { hurry_ = true; }
  /// One operation.
  void step();
  /// Gives everything back, in an order that the dice decide.
  void close();

  /// So that no read can be left out.
  std::uint64_t seen() const { return seen_; }

 private:
  struct Opened {
    shmq::Queue<void> queue;
    shmq::Producer<void> producer;
    shmq::Consumer<void> consumer;
  };

  void enter(const char* operation);
  void produce();
  void consume();
  void settle();
  void manage();
  void inspect();
  void add_queue(shmq::Result<shmq::Queue<void>> queue);
  void look_at(const shmq::Message& message);
  void look_at(const shmq::Result<shmq::SegmentSnapshot>& snapshot);
  void fill(std::span<std::byte> room);
  void keep(shmq::Message message);
  Opened* any_queue();
  shmq::Limit soon();
  std::size_t some_size();
  const char* some_name();
  shmq::Result<shmq::Segment> attach();

  const std::string name_;
  Dice& dice_;
  Progress& progress_;
  std::uint64_t seen_ = 0;
  bool hurry_ = false;
  std::optional<shmq::Segment> segment_;
  std::vector<Opened> queues_;
  std::vector<shmq::Message> messages_;
  std::vector<shmq::MessageBatch> batches_;
  std::vector<shmq::Claim<void>> claims_;
  std::vector<shmq::ClaimBatch> claim_batches_;
};

}  // namespace hostile
