// moodycamel::ConcurrentQueue: threads only, since its blocks hold pointers. FIFO for each producer, not among
// producers. It is unbounded; to be bounded like the others each producer first makes it allocate room for as many
// messages as the others hold, and from then on sends only what fits into that.
#pragma once

#include <concurrentqueue/concurrentqueue.h>

#include <array>
#include <cstdint>
#include <memory>

#include "peers/channel.hpp"

namespace bench {

template <std::size_t Bytes>
class Moodycamel {
  struct Element {
    std::array<std::byte, Bytes> bytes;
  };
  using Queue = moodycamel::ConcurrentQueue<Element>;

  static constexpr std::uint64_t kFiller = kEnd - 1024;  // no message is that; receivers drop it

 public:
  static constexpr Place place = Place::threads;
  explicit Moodycamel(const ChannelSpec& spec) : spec_(spec), queue_(1, spec.producers, 0) {}

  class Sender {
   public:
    Sender(Moodycamel& channel, unsigned)
        : queue_(channel.queue_), token_(channel.queue_), backoff_(channel.spec_.crowded) {
      write_payload<Bytes>(element_->bytes.data(), kFiller);
      for (std::size_t i = 0; i < kDepth<Bytes>; ++i) queue_.enqueue(token_, *element_);
    }
    template <class Write>
    void send(Write&& write) {
      write(element_->bytes.data());
      while (!queue_.try_enqueue(token_, *element_)) backoff_();  // never allocates
    }
    void finish(unsigned consumers) { send_ends<Bytes>(*this, consumers); }

   private:
    Queue& queue_;
    moodycamel::ProducerToken token_;
    Backoff backoff_;
    std::unique_ptr<Element> element_ = std::make_unique<Element>();
  };

  class Receiver {
   public:
    Receiver(Moodycamel& channel, unsigned)
        : queue_(channel.queue_), token_(channel.queue_), backoff_(channel.spec_.crowded) {}
    template <class Read>
    std::uint64_t receive(Read&& read) {
      do {
        while (!queue_.try_dequeue(token_, *element_)) backoff_();
      } while (stamp_of(element_->bytes.data()) == kFiller);
      read(element_->bytes.data());
      return 1;
    }

   private:
    Queue& queue_;
    moodycamel::ConsumerToken token_;
    Backoff backoff_;
    std::unique_ptr<Element> element_ = std::make_unique<Element>();
  };

 private:
  ChannelSpec spec_;
  Queue queue_;
};

}  // namespace bench
