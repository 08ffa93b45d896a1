// What shmq is measured against: a plain ring of fixed slots for one producer and one consumer, payloads
// written and read in place. Each side has its index on a range of its own and keeps a copy of the other's,
// which it reads again only when the copy says full or empty. Both wait by looking again and again. Nothing
// here survives a crash. Source: L. Lamport's single-producer ring, with the cached indices of B-queue and
// many since.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shmq::bench {

struct PlainRing {
  struct alignas(128) Index {
    std::atomic<std::uint64_t> value{0};
  };
  Index tail;
  Index head;
  std::uint64_t capacity = 0;    // a power of two
  std::uint64_t slot_bytes = 0;  // whole lines
  std::byte* slots = nullptr;    // the roles are forked after the mapping was made: one address for all

  std::byte* slot(std::uint64_t position) const { return slots + (position & (capacity - 1)) * slot_bytes; }
};

class PlainSender {
 public:
  explicit PlainSender(PlainRing& ring)
      : ring_(ring),
        tail_(ring.tail.value.load(std::memory_order_relaxed)),
        head_(ring.head.value.load(std::memory_order_acquire)) {}

  std::byte* claim() {
    while (tail_ - head_ == ring_.capacity) head_ = ring_.head.value.load(std::memory_order_acquire);
    return ring_.slot(tail_);
  }
  void publish() { ring_.tail.value.store(++tail_, std::memory_order_release); }

 private:
  PlainRing& ring_;
  std::uint64_t tail_;
  std::uint64_t head_;
};

class PlainReceiver {
 public:
  explicit PlainReceiver(PlainRing& ring)
      : ring_(ring),
        head_(ring.head.value.load(std::memory_order_relaxed)),
        tail_(ring.tail.value.load(std::memory_order_acquire)) {}

  const std::byte* receive() {
    while (head_ == tail_) tail_ = ring_.tail.value.load(std::memory_order_acquire);
    return ring_.slot(head_);
  }
  void release() { ring_.head.value.store(++head_, std::memory_order_release); }

 private:
  PlainRing& ring_;
  std::uint64_t head_;
  std::uint64_t tail_;
};

}  // namespace shmq::bench
