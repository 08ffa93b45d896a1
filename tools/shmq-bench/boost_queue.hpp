// boost::interprocess::message_queue, as its users use it: send() and receive() copy and may block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "payload.hpp"

namespace shmq::bench {

/// Made before the roles are forked; its name is gone again by then, so that nothing can be left behind.
class BoostQueue {
 public:
  BoostQueue(std::uint64_t capacity, std::size_t bytes);
  ~BoostQueue();
  void send(const std::byte* data, std::size_t bytes);
  void receive(std::byte* data, std::size_t bytes);

 private:
  struct Queue;
  std::unique_ptr<Queue> queue_;
};

class BoostSender {
 public:
  BoostSender(BoostQueue& queue, std::size_t bytes) : queue_(queue), buffer_(bytes) {}
  std::uint64_t send(std::uint64_t first) {
    const std::uint64_t sum = write_payload(buffer_.data(), buffer_.size(), first);
    queue_.send(buffer_.data(), buffer_.size());
    return sum;
  }

 private:
  BoostQueue& queue_;
  std::vector<std::byte> buffer_;
};

class BoostReceiver {
 public:
  BoostReceiver(BoostQueue& queue, std::size_t bytes) : queue_(queue), buffer_(bytes) {}
  template <class After>
  std::uint64_t receive(std::uint64_t& sum, After&& after) {
    queue_.receive(buffer_.data(), buffer_.size());
    const std::uint64_t first = first_word(buffer_.data());
    sum += read_payload(buffer_.data(), buffer_.size());
    after(first);
    return first;
  }

 private:
  BoostQueue& queue_;
  std::vector<std::byte> buffer_;
};

}  // namespace shmq::bench
