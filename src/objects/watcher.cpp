#include "objects/watcher.hpp"

#include <algorithm>

#include "objects/waiter.hpp"
#include "os/event_descriptor.hpp"
#include "os/helper_thread.hpp"

namespace shmq::objects {

constinit std::atomic<Watcher*> Watcher::current_{nullptr};
constinit Watcher* Watcher::inherited_ = nullptr;

/// The thread is not in the child, and the locks may be held by threads that are not either: the child starts
/// anew.
void Watcher::in_child() {
  Watcher* const parents = current_.exchange(nullptr, std::memory_order_relaxed);
  if (parents == nullptr) return;
  parents->older_ = inherited_;
  inherited_ = parents;
}

// Before main(), as in core/fork_guard.cpp.
const int Watcher::registered_ = ::pthread_atfork(nullptr, nullptr, in_child);

// Never destroyed: consumers may be destroyed when the process exits, in any order.
Watcher& Watcher::of_this_process() {
  Watcher* known = current_.load(std::memory_order_acquire);
  if (known != nullptr) return *known;
  auto* const made = new Watcher;
  if (current_.compare_exchange_strong(known, made, std::memory_order_acq_rel)) return *made;
  delete made;
  return *known;
}

Status Watcher::add(Watch& watch) {
  const std::lock_guard control(control_);
  bool first = false;
  {
    const std::scoped_lock lock(reap_, state_);
    first = watches_.empty();
    spare_.reserve(watches_.size() + 2);
    attachments_.reserve(watches_.size() + 1);
    watches_.push_back(&watch);
  }
  if (!first) return Done{};
  ends_ = false;
  const auto run = [](void* self) -> void* {
    static_cast<Watcher*>(self)->run();
    return nullptr;
  };
  const Result<pthread_t> started = os::start_helper_thread("shmq-watch", run, this);
  if (started) {
    thread_ = *started;
    return Done{};
  }
  watches_.clear();
  return started.error();
}

void Watcher::remove(Watch& watch) {
  const std::lock_guard control(control_);
  {
    const std::scoped_lock lock(reap_, state_);
    std::erase(watches_, &watch);
    ends_ = watches_.empty();
  }
  poke();
  if (ends_) ::pthread_join(thread_, nullptr);
}

void Watcher::arm(Watch& watch, core::EventWord& word, std::uint32_t expected, const core::Lookout& lookout) {
  const std::lock_guard lock(state_);
  if (watch.raised) os::clear_event(watch.descriptor);
  watch.raised = false;
  watch.word = &word;
  watch.expected = expected;
  watch.lookout = lookout;
  watch.armed = true;
  if (watch.listed != &word) poke();
}

void Watcher::raise(Watch& watch) {
  const std::lock_guard lock(state_);
  if (watch.armed) raise_locked(watch);
}

void Watcher::raise_locked(Watch& watch) {
  watch.armed = false;
  if (!watch.raised) os::raise_event(watch.descriptor);
  watch.raised = true;
}

void Watcher::disarm(Watch& watch) {
  const std::lock_guard lock(state_);
  watch.armed = false;
  if (watch.raised) os::clear_event(watch.descriptor);
  watch.raised = false;
}

/// Ends the helper's sleep, or keeps it from beginning.
void Watcher::poke() {
  poked_.fetch_add(1, std::memory_order_acq_rel);
  os::futex_wake_all(poked_);
}

/// Raises what has moved, and says what to sleep on and how long. False at the end.
bool Watcher::look_around(std::int64_t& timeout_ns) {
  const std::int64_t now_ns = base::monotonic_ns();
  const bool slice = now_ns >= slice_ends_ns_;
  if (slice) slice_ends_ns_ = now_ns + core::kSleepSliceNs;
  if (slice) keep_house(now_ns);
  const std::lock_guard lock(state_);
  if (ends_) return false;
  if (sleeps_.capacity() <= watches_.size()) sleeps_.swap(spare_);
  sleeps_.clear();
  sleeps_.push_back({&poked_, poked_.load(std::memory_order_acquire)});
  for (Watch* const watch : watches_) {
    if (watch->word == nullptr) continue;
    const std::uint32_t value = watch->word->load(std::memory_order_acquire);
    if (watch->armed && (value != watch->expected || (slice && core::ready(*watch->queue, watch->lookout))))
      raise_locked(*watch);
    const bool listed = watch->armed || (watch->listed == watch->word && !slice);
    watch->listed = listed ? watch->word : nullptr;
    if (listed) sleeps_.push_back({watch->word, value});
  }
  timeout_ns = sleeps_.size() == 1 ? -1 : slice_ends_ns_ - now_ns;
  return true;
}

void Watcher::keep_house(std::int64_t now_ns) {
  const std::lock_guard reaping(reap_);
  {
    const std::lock_guard lock(state_);
    attachments_.clear();
    for (const Watch* const watch : watches_) {
      core::Attachment* const attachment = watch->queue->attachment.get();
      if (watch->armed &&
          std::find(attachments_.begin(), attachments_.end(), attachment) == attachments_.end())
        attachments_.push_back(attachment);
    }
  }
  for (core::Attachment* const attachment : attachments_) {
    try {
      housekeeping(*attachment, now_ns);
    } catch (const std::bad_alloc&) {
      // A sweep takes some memory. Nobody is here to be told; the next slice tries again.
    }
  }
}

void Watcher::run() {
  std::int64_t timeout_ns = 0;
  while (look_around(timeout_ns)) os::futex_wait_any(sleeps_, timeout_ns);
}

}  // namespace shmq::objects
