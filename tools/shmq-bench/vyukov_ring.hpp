// What an mpmc queue is measured against: D. Vyukov's bounded queue with a sequence number in each slot, in
// place, its slots as large as those of the shmq queue beside it. It wedges when a producer or consumer dies
// between its two steps; that is what it does not pay for.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shmq::bench {

struct VyukovRing {
  struct alignas(128) Index {
    std::atomic<std::uint64_t> value{0};
  };
  struct Slot {
    std::atomic<std::uint64_t> sequence;
    std::uint64_t length;
    std::byte* payload() { return reinterpret_cast<std::byte*>(this + 1); }
  };
  static constexpr std::size_t kSlotHeader = sizeof(Slot);

  Index tail;
  Index head;
  std::uint64_t capacity = 0;  // a power of two
  std::uint64_t slot_bytes = 0;
  std::byte* slots = nullptr;

  Slot& slot(std::uint64_t position) const {
    return *reinterpret_cast<Slot*>(slots + (position & (capacity - 1)) * slot_bytes);
  }
  void initialise() {
    for (std::uint64_t i = 0; i < capacity; ++i) slot(i).sequence.store(i, std::memory_order_relaxed);
  }
};

class VyukovSender {
 public:
  explicit VyukovSender(VyukovRing& ring) : ring_(ring) {}

  std::byte* claim() {
    for (std::uint64_t at = ring_.tail.value.load(std::memory_order_relaxed);;) {
      VyukovRing::Slot& slot = ring_.slot(at);
      const std::uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
      if (sequence == at) {
        if (ring_.tail.value.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
          position_ = at;
          return slot.payload();
        }
      } else {  // full, or another was faster
        at = ring_.tail.value.load(std::memory_order_relaxed);
      }
    }
  }
  void publish(std::uint64_t length) {
    VyukovRing::Slot& slot = ring_.slot(position_);
    slot.length = length;
    slot.sequence.store(position_ + 1, std::memory_order_release);
  }

 private:
  VyukovRing& ring_;
  std::uint64_t position_ = 0;
};

class VyukovReceiver {
 public:
  explicit VyukovReceiver(VyukovRing& ring) : ring_(ring) {}

  const std::byte* receive() {
    for (std::uint64_t at = ring_.head.value.load(std::memory_order_relaxed);;) {
      VyukovRing::Slot& slot = ring_.slot(at);
      const std::uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
      if (sequence == at + 1) {
        if (ring_.head.value.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) {
          position_ = at;
          return slot.payload();
        }
      } else {
        at = ring_.head.value.load(std::memory_order_relaxed);
      }
    }
  }
  void release() {
    ring_.slot(position_).sequence.store(position_ + ring_.capacity, std::memory_order_release);
  }

 private:
  VyukovRing& ring_;
  std::uint64_t position_ = 0;
};

}  // namespace shmq::bench
