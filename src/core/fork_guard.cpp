#include "core/fork_guard.hpp"

#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "shmq/core/attachment.hpp"

namespace shmq::core {

namespace {

// Never destroyed: a fork may happen while static objects are being destroyed.
struct Registry {
  std::mutex mutex;
  std::vector<Attachment*> attachments;
};

Registry& registry() {
  static Registry* const kRegistry = new Registry;
  return *kRegistry;
}

void before_fork() { registry().mutex.lock(); }
void in_parent() { registry().mutex.unlock(); }
void in_child() {
  for (Attachment* attachment : registry().attachments) attachment->fork_child();
  registry().attachments.clear();
  registry().mutex.unlock();
}

// Before main(), and not with the first attachment: a child that is forked while another thread does it would find it
// begun, and wait for that thread for ever.
[[maybe_unused]] const int kRegistered = ::pthread_atfork(before_fork, in_parent, in_child);

}  // namespace

std::unique_lock<std::mutex> hold_forks() { return std::unique_lock(registry().mutex); }

void guard_forks(Attachment& attachment) { registry().attachments.push_back(&attachment); }

void unguard_forks(Attachment& attachment) { std::erase(registry().attachments, &attachment); }

}  // namespace shmq::core
