// shmq itself, through its public API, as a program would use it.
#pragma once

#include <shmq/shmq.hpp>

#include <bit>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/queue_kind.hpp"
#include "peers/channel.hpp"

namespace bench {

/// `Batch` messages are claimed, and taken, by one compare-and-swap where it is more than 1.
template <QueueKind Kind, shmq::Wait How, std::size_t Batch, std::size_t Bytes>
class ShmqChannel {
 public:
  static constexpr Place place = Place::processes;

  explicit ShmqChannel(const ChannelSpec& spec)
      : wait_(How == shmq::Wait::spin && spec.crowded ? shmq::Wait::spin_yield : How),
        segment_(make_segment(unique_name("queue"), queue_options(Kind, Bytes, kDepth<Bytes>), Bytes)) {}
  ShmqChannel(const ShmqChannel&) = delete;
  ShmqChannel& operator=(const ShmqChannel&) = delete;
  ~ShmqChannel() { (void)shmq::Segment::remove(segment_.name()); }

  class Sender {
   public:
    Sender(ShmqChannel& channel, unsigned)
        : segment_(open_segment(channel.segment_.name())),
          producer_(segment_.open_queue(kQueueName).value().open_producer({.wait = channel.wait_}).value()) {}

    template <class Write>
    void send(Write&& write) {
      if constexpr (Batch == 1) {
        auto claim = producer_.claim(Bytes);
        if (!claim) [[unlikely]]
          fail("claim", claim.outcome());
        write(claim.data().data());
        claim.publish();
      } else {
        if (used_ == rooms_.size()) {
          rooms_ = producer_.claim_batch(Batch, Bytes);
          if (!rooms_) fail("claim_batch", rooms_.outcome());
          used_ = 0;
        }
        write(rooms_[used_++].data());
        if (used_ == rooms_.size()) flush();
      }
    }
    void finish(unsigned consumers) {
      flush();
      // A consumer takes up to a batch of them before it looks.
      for (unsigned i = 0; i < consumers * Batch; ++i) {
        auto claim = producer_.claim(Bytes);
        if (!claim) fail("claim", claim.outcome());
        write_payload<Bytes>(claim.data().data(), kEnd);
        claim.publish();
      }
    }

   private:
    void flush() {
      rooms_.publish(used_);
      used_ = 0;
    }
    shmq::Segment segment_;
    shmq::Producer<> producer_;
    shmq::ClaimBatch rooms_;
    std::size_t used_ = 0;
  };

  class Receiver {
   public:
    Receiver(ShmqChannel& channel, unsigned)
        : segment_(open_segment(channel.segment_.name())),
          consumer_(segment_.open_queue(kQueueName).value().open_consumer({.wait = channel.wait_}).value()) {}

    template <class Read>
    std::uint64_t receive(Read&& read) {
      if constexpr (Batch == 1) {
        auto message = consumer_.receive();
        if (!message) [[unlikely]]
          fail("receive", message.outcome());
        read(message.data().data());
        message.release();
        return 1;
      } else {
        auto messages = consumer_.receive_batch(Batch);
        if (!messages) [[unlikely]]
          fail("receive_batch", messages.outcome());
        const std::uint64_t count = messages.size();
        messages.for_each([&](const shmq::Message& message) { read(message.data().data()); });
        messages.release();
        return count;
      }
    }

   private:
    shmq::Segment segment_;
    shmq::Consumer<> consumer_;
  };

 private:
  [[noreturn]] static void fail(const char* call, shmq::Outcome outcome) {
    throw std::runtime_error(std::string(call) + ": " + to_string(outcome));
  }
  shmq::Wait wait_;
  shmq::Segment segment_;
};

/// A queue of its own for each pair of a producer and a consumer: what a program does that wants the spsc kind to scale.
template <std::size_t Bytes>
class ShmqSpscPairs {
  using Pair = ShmqChannel<QueueKind::spsc, shmq::Wait::spin_futex, 1, Bytes>;

 public:
  static constexpr Place place = Place::processes;
  explicit ShmqSpscPairs(const ChannelSpec& spec) {
    if (spec.producers != spec.consumers) throw std::runtime_error("pairs need as many producers as consumers");
    for (unsigned i = 0; i < spec.producers; ++i) pairs_.push_back(std::make_unique<Pair>(spec));
  }
  class Sender : public Pair::Sender {
   public:
    Sender(ShmqSpscPairs& channel, unsigned index) : Pair::Sender(*channel.pairs_[index], 0) {}
    void finish(unsigned consumers) {
      if (consumers == 0) Pair::Sender::finish(1);  // each producer ends its own consumer
    }
  };
  class Receiver : public Pair::Receiver {
   public:
    Receiver(ShmqSpscPairs& channel, unsigned index) : Pair::Receiver(*channel.pairs_[index], 0) {}
  };

 private:
  std::vector<std::unique_ptr<Pair>> pairs_;
};

template <std::size_t Bytes>
using ShmqMpmcSpin = ShmqChannel<QueueKind::mpmc, shmq::Wait::spin, 1, Bytes>;
template <std::size_t Bytes>
using ShmqMpmc = ShmqChannel<QueueKind::mpmc, shmq::Wait::spin_futex, 1, Bytes>;
template <std::size_t Bytes>
using ShmqMpmcBatch = ShmqChannel<QueueKind::mpmc, shmq::Wait::spin_futex, 16, Bytes>;
template <std::size_t Bytes>
using ShmqSpscSpin = ShmqChannel<QueueKind::spsc, shmq::Wait::spin, 1, Bytes>;
template <std::size_t Bytes>
using ShmqSpsc = ShmqChannel<QueueKind::spsc, shmq::Wait::spin_futex, 1, Bytes>;
template <std::size_t Bytes>
using ShmqSpscBatch = ShmqChannel<QueueKind::spsc, shmq::Wait::spin_futex, 16, Bytes>;

}  // namespace bench
