// The ends of real shmq queues, with what the roles do to a message: claim, write every line, publish;
// receive, read every line, release. Whatever a call answers but ok ends the run with what it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "failure.hpp"
#include "payload.hpp"
#include "settings.hpp"
#include "shmq/segment.hpp"

namespace shmq::bench {

/// What a segment needs for queues of messages of one size.
struct QueuePlan {
  Kind kind = Kind::mpmc;
  std::size_t bytes = 0;
  std::uint64_t capacity = 0;
  QueueOptions options() const;
};

/// Creates the segment with room for `queues`, all of them declared under their names.
struct NamedQueue {
  std::string name;
  QueuePlan plan;
};
Segment create_segment(const std::string& name, const std::vector<NamedQueue>& queues, unsigned roles);

[[noreturn]] void fail_with(const char* what, Outcome outcome);

class ShmqSender {
 public:
  ShmqSender(Queue<void>& queue, std::size_t bytes, Wait wait)
      : producer_(queue.producer({.wait = wait})), bytes_(bytes) {}

  std::uint64_t send(std::uint64_t first) {
    Claim<void> room = producer_.claim(bytes_);
    if (!room) [[unlikely]]
      fail_with("claim", room.outcome());
    const std::uint64_t sum = write_payload(room.data().data(), bytes_, first);
    room.publish();
    return sum;
  }

  /// Sends messages first, first + 1, … as many as one claim gives, `most` at most; their number.
  std::uint64_t send_batch(std::uint64_t first, std::uint64_t most, std::uint64_t& sum) {
    ClaimBatch rooms = producer_.claim_batch(most, bytes_);
    if (!rooms) [[unlikely]]
      fail_with("claim_batch", rooms.outcome());
    const std::size_t count = rooms.size();
    for (std::size_t i = 0; i < count; ++i) sum += write_payload(rooms[i].data(), bytes_, first + i);
    rooms.publish();
    return count;
  }

 private:
  Producer<void> producer_;
  std::size_t bytes_;
};

class ShmqReceiver {
 public:
  ShmqReceiver(Queue<void>& queue, std::size_t bytes, Wait wait)
      : consumer_(queue.consumer({.wait = wait})), bytes_(bytes) {}

  /// The first word of a message, its lines added to `sum`; `after` is called before the message is released.
  template <class After>
  std::uint64_t receive(std::uint64_t& sum, After&& after) {
    Message message = consumer_.receive();
    if (!message) [[unlikely]]
      fail_with("receive", message.outcome());
    if (message.size() != bytes_) [[unlikely]]
      throw cli::Failure{cli::kFailed, "a message of " + std::to_string(message.size()) + " bytes came"};
    const std::uint64_t first = first_word(message.data().data());
    sum += read_payload(message.data().data(), bytes_);
    after(first);
    message.release();
    return first;
  }

  /// Receives and releases a batch; `each(first)` for every message of it.
  template <class Each>
  void receive_batch(std::uint64_t most, std::uint64_t& sum, Each&& each) {
    MessageBatch batch = consumer_.receive_batch(most);
    if (!batch) [[unlikely]]
      fail_with("receive_batch", batch.outcome());
    batch.for_each([&](const Message& message) {
      sum += read_payload(message.data().data(), bytes_);
      each(first_word(message.data().data()));
    });
    batch.release();
  }

 private:
  Consumer<void> consumer_;
  std::size_t bytes_;
};

}  // namespace shmq::bench
