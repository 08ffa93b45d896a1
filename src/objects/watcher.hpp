// The helper thread that makes consumers' descriptors readable: one in a process, while a consumer has a
// descriptor.
//
// It sleeps on the event words of all watched consumers at once. arm() announces the sleeper in the event, in
// its caller's thread, gives the word's value here, and then looks at the queue again; the helper raises the
// descriptor when the word holds another value. Whatever was published before the caller's second look is
// seen by that look; whatever comes later finds the flag in the event, changes the word, and so is seen here
// (core/event.hpp).
//
// A word that is not armed stays among those slept on until the end of the slice: to arm it again then needs
// no wake of the helper. It sees that the word has moved, or that it is armed now, before it sleeps:
// futex_waitv compares.
//
// Every slice of 20 ms, while somebody is armed, it does what a waiting call does (objects/waiter.hpp), and
// looks by itself whether there is something to receive: the publisher may have been killed before its wake.
//
// Locks, in this order: control_ (starting, ending; nobody else waits for it), reap_ (while the dead are
// looked for), state_. arm() takes only the last, which is never held for long.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "objects/receiving.hpp"
#include "shmq/core/event.hpp"
#include "shmq/result.hpp"

namespace shmq::objects {

/// A consumer's descriptor and what is waited for on its behalf. All but the first two are the watcher's.
struct Watch {
  core::QueueHandle* queue = nullptr;
  int descriptor = -1;

  core::EventWord* word = nullptr;  // while it is armed: the event of its queue, and its value then
  std::uint32_t expected = 0;
  core::Lookout lookout;
  bool armed = false;
  bool raised = false;                // the descriptor is readable
  core::EventWord* listed = nullptr;  // the word that the helper sleeps on for it
};

class Watcher {
 public:
  /// This process's; the child of a fork() gets another, without what its parent watched.
  static Watcher& of_this_process();

  /// Starts the thread with the first. The watch must not move until it is removed.
  Status add(Watch& watch);
  /// Ends the thread with the last. When this returns the helper does not know the watch any more, nor its
  /// segment.
  void remove(Watch& watch);

  /// From now on the descriptor becomes readable when `word` holds something else than `expected`. It is not
  /// readable before that.
  void arm(Watch& watch, core::EventWord& word, std::uint32_t expected, const core::Lookout& lookout);
  /// There is something to receive already: where it is armed it is readable now, and not armed any more.
  void raise(Watch& watch);
  /// Neither readable nor armed.
  void disarm(Watch& watch);

 private:
  Watcher() = default;
  static void in_child();
  static const int registered_;
  void run();
  bool look_around(std::int64_t& timeout_ns);
  void keep_house(std::int64_t now_ns);
  void poke();
  void raise_locked(Watch& watch);

  static std::atomic<Watcher*> current_;
  static Watcher*
      inherited_;  // of the processes that this one was forked from: what they hold is never given back

  std::mutex control_, reap_, state_;
  std::vector<Watch*> watches_;
  std::vector<core::Attachment*> attachments_;  // of the armed, under reap_
  std::vector<os::FutexSleep> sleeps_;          // the helper's
  std::vector<os::FutexSleep> spare_;  // with room for all, where sleeps_ has not: the helper never allocates
  std::atomic<std::uint32_t> poked_{0};
  std::int64_t slice_ends_ns_ = 0;  // the helper's
  bool ends_ = false;
  pthread_t thread_{};
  Watcher* older_ = nullptr;
};

}  // namespace shmq::objects
