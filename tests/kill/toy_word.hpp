// The smallest protocol that a kill can break: a lock word that guards two counters which must stay equal.
// One variant is safe, each other lacks one thing. They prove that the harness tells them apart.
#pragma once

#include "shared_object.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace killtest {

enum class Protocol {
  owner_in_the_cas,  // safe: one CAS takes the lock and says who has it
  taken_then_owner,  // the owner is written by a second instruction
  without_repair,    // takes a dead owner's lock over, but leaves the counters as they are
  robs_the_stopped,  // takes any owner's lock over, without asking the kernel whether it is dead
};

struct ToyMemory {
  alignas(64) std::atomic<std::uint64_t> lock;   // owner id, or 0
  alignas(64) std::atomic<std::uint64_t> taken;  // of taken_then_owner
  std::atomic<std::uint64_t> owner;
  alignas(64) std::atomic<std::uint64_t> first;  // equal to second whenever the lock is free
  std::atomic<std::uint64_t> second;
};

/// One participant. Its liveness is an OFD lock on byte `id` of the object's file, through a descriptor of
/// its own.
class Toy {
 public:
  Toy(const std::string& name, std::uint64_t id, Protocol protocol);
  Toy(const Toy&) = delete;
  Toy& operator=(const Toy&) = delete;
  ~Toy();

  void add();      // waits for the lock
  bool try_add();  // false if a living owner has it
  std::uint64_t first() const { return memory_->first.load(); }
  std::uint64_t second() const { return memory_->second.load(); }
  bool lock_is_free() const { return memory_->lock.load() == 0 && memory_->taken.load() == 0; }

 private:
  bool try_lock();
  bool try_lock_in_two_words();
  bool dead(std::uint64_t id) const;
  void add_locked();

  std::uint64_t id_;
  Protocol protocol_;
  SharedObject<ToyMemory> memory_;
  int alive_;
};

}  // namespace killtest
