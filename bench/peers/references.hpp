// Rings and a ping-pong that are no products: what shared memory and the kernel give when nothing else is asked
// of them. None of them survives a killed process.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "harness/queue_kind.hpp"
#include "harness/shared_page.hpp"
#include "peers/channel.hpp"

namespace bench {

/// One producer, one consumer, fixed slots written and read in place, each side with a private copy of the
/// other's index (after Lamport; the copies after Lee, Bu and Chandranmenon's MCRingBuffer).
template <std::size_t Bytes>
class PlainRing {
  static constexpr std::uint64_t kSlots = kDepth<Bytes>;
  struct alignas(128) Ring {
    std::array<std::array<std::byte, std::max(Bytes, kLine)>, kSlots> slots;  // of whole cache lines
    alignas(128) std::atomic<std::uint64_t> tail{0};
    alignas(128) std::atomic<std::uint64_t> head{0};
  };

 public:
  static constexpr Place place = Place::processes;
  explicit PlainRing(const ChannelSpec& spec) : spec_(spec) {}

  class Sender {
   public:
    Sender(PlainRing& channel, unsigned) : ring_(*channel.ring_), backoff_(channel.spec_.crowded) {}
    template <class Write>
    void send(Write&& write) {
      while (tail_ - head_ == kSlots) {
        head_ = ring_.head.load(std::memory_order_acquire);
        if (tail_ - head_ == kSlots) backoff_();
      }
      write(ring_.slots[tail_ % kSlots].data());
      ring_.tail.store(++tail_, std::memory_order_release);
    }
    void finish(unsigned consumers) { send_ends<Bytes>(*this, consumers); }

   private:
    Ring& ring_;
    Backoff backoff_;
    std::uint64_t tail_ = 0;
    std::uint64_t head_ = 0;
  };

  class Receiver {
   public:
    Receiver(PlainRing& channel, unsigned) : ring_(*channel.ring_), backoff_(channel.spec_.crowded) {}
    template <class Read>
    std::uint64_t receive(Read&& read) {
      while (head_ == tail_) {
        tail_ = ring_.tail.load(std::memory_order_acquire);
        if (head_ == tail_) backoff_();
      }
      read(ring_.slots[head_ % kSlots].data());
      ring_.head.store(++head_, std::memory_order_release);
      return 1;
    }

   private:
    Ring& ring_;
    Backoff backoff_;
    std::uint64_t tail_ = 0;
    std::uint64_t head_ = 0;
  };

 private:
  ChannelSpec spec_;
  Shared<Ring> ring_;
};

/// D. Vyukov's bounded queue for many producers and consumers, payloads written and read in place.
template <std::size_t Bytes>
class VyukovRing {
  static constexpr std::uint64_t kSlots = kDepth<Bytes>;
  /// As large as a slot of the mpmc queue beside it.
  static constexpr std::size_t kSlotBytes =
      Bytes > kInlineMax ? Bytes + kLine : std::bit_ceil(std::max(Bytes + 16, kLine));
  struct alignas(kLine) Slot {
    std::atomic<std::uint64_t> sequence;
    std::array<std::byte, kSlotBytes - 8> payload;
  };
  struct Ring {
    Ring() {
      for (std::uint64_t i = 0; i < kSlots; ++i) slots[i].sequence = i;
    }
    alignas(128) std::atomic<std::uint64_t> tail{0};
    alignas(128) std::atomic<std::uint64_t> head{0};
    alignas(128) std::array<Slot, kSlots> slots;
  };

 public:
  static constexpr Place place = Place::processes;
  explicit VyukovRing(const ChannelSpec& spec) : spec_(spec) {}

  class Sender {
   public:
    Sender(VyukovRing& channel, unsigned) : ring_(*channel.ring_), backoff_(channel.spec_.crowded) {}
    template <class Write>
    void send(Write&& write) {
      std::uint64_t position = ring_.tail.load(std::memory_order_relaxed);
      for (;;) {
        Slot& slot = ring_.slots[position % kSlots];
        const auto ahead = static_cast<std::int64_t>(slot.sequence.load(std::memory_order_acquire) - position);
        if (ahead == 0) {
          if (!ring_.tail.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) continue;
          write(slot.payload.data());
          slot.sequence.store(position + 1, std::memory_order_release);
          return;
        }
        if (ahead < 0) backoff_();
        position = ring_.tail.load(std::memory_order_relaxed);
      }
    }
    void finish(unsigned consumers) { send_ends<Bytes>(*this, consumers); }

   private:
    Ring& ring_;
    Backoff backoff_;
  };

  class Receiver {
   public:
    Receiver(VyukovRing& channel, unsigned) : ring_(*channel.ring_), backoff_(channel.spec_.crowded) {}
    template <class Read>
    std::uint64_t receive(Read&& read) {
      std::uint64_t position = ring_.head.load(std::memory_order_relaxed);
      for (;;) {
        Slot& slot = ring_.slots[position % kSlots];
        const auto ahead =
            static_cast<std::int64_t>(slot.sequence.load(std::memory_order_acquire) - position - 1);
        if (ahead == 0) {
          if (!ring_.head.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) continue;
          read(slot.payload.data());
          slot.sequence.store(position + kSlots, std::memory_order_release);
          return 1;
        }
        if (ahead < 0) backoff_();
        position = ring_.head.load(std::memory_order_relaxed);
      }
    }

   private:
    Ring& ring_;
    Backoff backoff_;
  };

 private:
  ChannelSpec spec_;
  Shared<Ring> ring_;
};

/// One slot under one futex, and nothing else: what sleeping and waking costs by itself. For round trips only: a
/// second message before the first was received would overwrite it.
template <std::size_t Bytes>
class FutexSlot {
  struct Slot {
    alignas(128) std::atomic<std::uint32_t> full{0};
    alignas(128) std::array<std::byte, Bytes> payload;
  };

 public:
  static constexpr Place place = Place::processes;
  explicit FutexSlot(const ChannelSpec&) {}

  class Sender {
   public:
    Sender(FutexSlot& channel, unsigned) : slot_(*channel.slot_) {}
    template <class Write>
    void send(Write&& write) {
      write(slot_.payload.data());
      slot_.full.store(1, std::memory_order_release);
      ::syscall(SYS_futex, &slot_.full, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }
    void finish(unsigned consumers) { send_ends<Bytes>(*this, consumers); }

   private:
    Slot& slot_;
  };

  class Receiver {
   public:
    Receiver(FutexSlot& channel, unsigned) : slot_(*channel.slot_) {}
    template <class Read>
    std::uint64_t receive(Read&& read) {
      while (slot_.full.load(std::memory_order_acquire) == 0)
        ::syscall(SYS_futex, &slot_.full, FUTEX_WAIT, 0, nullptr, nullptr, 0);
      read(slot_.payload.data());
      slot_.full.store(0, std::memory_order_release);
      return 1;
    }

   private:
    Slot& slot_;
  };

 private:
  Shared<Slot> slot_;
};

/// The floor itself as a row: the payload and its stamp in one cache line each way. For round trips only.
template <std::size_t Bytes>
class CacheLine {
  static_assert(Bytes <= 48);
  struct alignas(128) Line {
    std::atomic<std::uint64_t> sequence{0};
    std::array<std::byte, Bytes> payload;
  };

 public:
  static constexpr Place place = Place::processes;
  explicit CacheLine(const ChannelSpec&) {}

  class Sender {
   public:
    Sender(CacheLine& channel, unsigned) : line_(*channel.line_) {}
    template <class Write>
    void send(Write&& write) {
      write(line_.payload.data());
      line_.sequence.store(++sequence_, std::memory_order_release);
    }
    void finish(unsigned consumers) { send_ends<Bytes>(*this, consumers); }

   private:
    Line& line_;
    std::uint64_t sequence_ = 0;
  };

  class Receiver {
   public:
    Receiver(CacheLine& channel, unsigned) : line_(*channel.line_) {}
    template <class Read>
    std::uint64_t receive(Read&& read) {
      while (line_.sequence.load(std::memory_order_acquire) == sequence_) {
      }
      sequence_ = line_.sequence.load(std::memory_order_relaxed);
      read(line_.payload.data());
      return 1;
    }

   private:
    Line& line_;
    std::uint64_t sequence_ = 0;
  };

 private:
  Shared<Line> line_;
};

}  // namespace bench
