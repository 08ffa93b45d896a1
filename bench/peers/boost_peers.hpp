// boost::interprocess::message_queue, and boost::lockfree's queues, whose variants of fixed capacity hold no
// pointers and are placed in shared memory here.
#pragma once

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>

#include <array>
#include <cstdint>
#include <memory>

#include "harness/shared_page.hpp"
#include "peers/channel.hpp"

namespace bench {

template <std::size_t Bytes, bool Spin>
class BoostMessageQueue {
  using Queue = boost::interprocess::message_queue;

 public:
  static constexpr Place place = Place::processes;
  explicit BoostMessageQueue(const ChannelSpec& spec)
      : spec_(spec),
        name_(unique_name("boost")),
        queue_(boost::interprocess::create_only, name_.c_str(), kDepth<Bytes>, Bytes) {}
  BoostMessageQueue(const BoostMessageQueue&) = delete;
  BoostMessageQueue& operator=(const BoostMessageQueue&) = delete;
  ~BoostMessageQueue() { Queue::remove(name_.c_str()); }

  class Sender {
   public:
    Sender(BoostMessageQueue& channel, unsigned)
        : queue_(boost::interprocess::open_only, channel.name_.c_str()), backoff_(channel.spec_.crowded) {}
    template <class Write>
    void send(Write&& write) {
      write(buffer_.data());
      if constexpr (Spin)
        while (!queue_.try_send(buffer_.data(), Bytes, 0)) backoff_();
      else
        queue_.send(buffer_.data(), Bytes, 0);
    }
    void finish(unsigned consumers) { send_ends<Bytes>(*this, consumers); }

   private:
    Queue queue_;
    Backoff backoff_;
    alignas(64) std::array<std::byte, Bytes> buffer_{};
  };

  class Receiver {
   public:
    Receiver(BoostMessageQueue& channel, unsigned)
        : queue_(boost::interprocess::open_only, channel.name_.c_str()), backoff_(channel.spec_.crowded) {}
    template <class Read>
    std::uint64_t receive(Read&& read) {
      std::size_t size = 0;
      unsigned priority = 0;
      if constexpr (Spin)
        while (!queue_.try_receive(buffer_.data(), Bytes, size, priority)) backoff_();
      else
        queue_.receive(buffer_.data(), Bytes, size, priority);
      read(buffer_.data());
      return 1;
    }

   private:
    Queue queue_;
    Backoff backoff_;
    alignas(64) std::array<std::byte, Bytes> buffer_{};
  };

 private:
  ChannelSpec spec_;
  std::string name_;
  Queue queue_;
};

template <std::size_t Bytes>
using BoostMqSpin = BoostMessageQueue<Bytes, true>;
template <std::size_t Bytes>
using BoostMqBlocking = BoostMessageQueue<Bytes, false>;

/// What boost::lockfree copies in and out.
template <std::size_t Bytes>
struct alignas(8) Element {
  std::array<std::byte, Bytes> bytes;
};

/// `Queue` lies in shared memory, without any pointer in it.
template <std::size_t Bytes, class Queue>
class LockfreeChannel {
 public:
  static constexpr Place place = Place::processes;
  explicit LockfreeChannel(const ChannelSpec& spec) : spec_(spec) {}

  class Sender {
   public:
    Sender(LockfreeChannel& channel, unsigned) : queue_(*channel.queue_), backoff_(channel.spec_.crowded) {}
    template <class Write>
    void send(Write&& write) {
      write(element_->bytes.data());
      while (!queue_.push(*element_)) backoff_();
    }
    void finish(unsigned consumers) { send_ends<Bytes>(*this, consumers); }

   private:
    Queue& queue_;
    Backoff backoff_;
    std::unique_ptr<Element<Bytes>> element_ = std::make_unique<Element<Bytes>>();
  };

  class Receiver {
   public:
    Receiver(LockfreeChannel& channel, unsigned) : queue_(*channel.queue_), backoff_(channel.spec_.crowded) {}
    template <class Read>
    std::uint64_t receive(Read&& read) {
      while (!queue_.consume_one([&](const Element<Bytes>& element) { read(element.bytes.data()); })) backoff_();
      return 1;
    }

   private:
    Queue& queue_;
    Backoff backoff_;
  };

 private:
  ChannelSpec spec_;
  Shared<Queue> queue_;
};

template <std::size_t Bytes>
using LockfreeSpsc =
    LockfreeChannel<Bytes, boost::lockfree::spsc_queue<Element<Bytes>, boost::lockfree::capacity<kDepth<Bytes>>>>;
template <std::size_t Bytes>
using LockfreeQueue =
    LockfreeChannel<Bytes, boost::lockfree::queue<Element<Bytes>, boost::lockfree::capacity<kDepth<Bytes>>>>;

}  // namespace bench
