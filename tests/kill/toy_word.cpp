#include "toy_word.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace killtest {
namespace {

struct flock byte_lock(std::uint64_t id) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(id);
  lock.l_len = 1;
  return lock;
}

}  // namespace

Toy::Toy(const std::string& name, std::uint64_t id, Protocol protocol)
    : id_(id), protocol_(protocol), memory_(name), alive_(open_shared_object(name, 0)) {
  struct flock lock = byte_lock(id);
  require_system(fcntl(alive_, F_OFD_SETLK, &lock) == 0, "F_OFD_SETLK");
}

Toy::~Toy() { close(alive_); }

bool Toy::dead(std::uint64_t id) const {
  if (protocol_ == Protocol::robs_the_stopped) return true;
  struct flock lock = byte_lock(id);
  require_system(fcntl(alive_, F_OFD_GETLK, &lock) == 0, "F_OFD_GETLK");
  return lock.l_type == F_UNLCK;
}

bool Toy::try_lock() {
  if (protocol_ == Protocol::taken_then_owner) return try_lock_in_two_words();
  std::uint64_t owner = 0;
  if (memory_->lock.compare_exchange_strong(owner, id_)) return true;
  if (!dead(owner) || !memory_->lock.compare_exchange_strong(owner, id_)) return false;
  if (protocol_ != Protocol::without_repair) memory_->second.store(memory_->first.load());
  return true;
}

bool Toy::try_lock_in_two_words() {
  std::uint64_t expected = 0;
  if (memory_->taken.compare_exchange_strong(expected, 1)) {
    memory_->owner.store(id_);
    return true;
  }
  std::uint64_t owner = memory_->owner.load();
  if (owner == 0) return false;  // nobody can tell whether its taker is slow or dead
  if (!dead(owner) || !memory_->owner.compare_exchange_strong(owner, id_)) return false;
  memory_->second.store(memory_->first.load());
  return true;
}

void Toy::add_locked() {
  memory_->first.store(memory_->first.load() + 1);
  memory_->second.store(memory_->second.load() + 1);
  memory_->owner.store(0);
  memory_->taken.store(0);
  memory_->lock.store(0);
}

void Toy::add() {
  while (!try_lock()) {
  }
  add_locked();
}

bool Toy::try_add() {
  if (!try_lock()) return false;
  add_locked();
  return true;
}

}  // namespace killtest
