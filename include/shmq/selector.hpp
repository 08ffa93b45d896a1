// Waiting for several queues at once: a Selector receives from whichever of its consumers has a message.
//
// Thread rule: a Selector belongs to the thread of its consumers. Process safety: that of the consumers; a
// Selector holds nothing in shared memory by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "shmq/consumer.hpp"
#include "shmq/options.hpp"
#include "shmq/outcome.hpp"

namespace shmq {

namespace core {
struct Selection;
struct ConsumerEndpoint;
}  // namespace core

struct SelectorOptions {
  /// How it waits. What its consumers were made with counts only where they receive by themselves.
  Wait wait = Wait::spin_futex;
};

/// What a Selector received, and from which of its consumers.
struct [[nodiscard]] Selected {
  /// `source` where there is none.
  static constexpr std::size_t kNobody = SIZE_MAX;

  /// As if its consumer had received it: release() it.
  Message message;
  /// The number that add() gave that consumer; where the outcome is `corrupt`, `busy` or `detached`, of the one
  /// that fails.
  std::size_t source = kNobody;

  explicit operator bool() const { return static_cast<bool>(message); }
  Outcome outcome() const { return message.outcome(); }
  /// The message as the typed face of its consumer hands it out. This object has none afterwards.
  template <class T>
  TypedMessage<T> as() {
    return TypedMessage<T>(std::move(message));
  }
};

/// A set of consumers of any queues, in any segments that this process has attached. A queue that comes to
/// its end (closed and drained, or removed) drops out by itself.
///
/// Fair: each receive looks at the consumers in turn, from the one after the last that delivered. Before a
/// waiting message of one queue is received, every other queue delivers at most once, however busy it is.
class Selector {
 public:
  explicit Selector(const SelectorOptions& options = {});
  Selector(Selector&&) noexcept;
  Selector& operator=(Selector&&) noexcept;
  ~Selector();

  /// Adds a consumer and returns a number that stands for it in this selector, never given twice: 0, 1, 2, …
  /// One that is in already keeps its number; one that was moved from is not added: kNobody. The consumer may
  /// be moved, may receive by itself, and may be in several selectors. Destroying it takes it out at the next
  /// call here; until then an spsc queue's end stays taken.
  std::size_t add(Consumer<void>& consumer);
  template <class T>
  std::size_t add(Consumer<T>& consumer) {
    return add(consumer.bytes());
  }
  /// Takes one out; of a number that stands for nothing, nothing happens. Messages received from it stay
  /// valid.
  void remove(std::size_t number);

  /// How many take part: added, not removed, and their queue not at its end.
  std::size_t size() const;
  /// `ok` while it takes part; else how it ended: closed, removed, corrupt, busy, detached. `empty` for a number
  /// that stands for nothing.
  Outcome state(std::size_t number) const;

  /// A message of any of them; waits as long as `limit` allows. Outcomes: ok, timeout, stopped; corrupt, busy and
  /// detached where one consumer answers so: `source` says which, and it has dropped out. When none is left, at once:
  /// `closed` where all were closed, otherwise how the first one that was not closed ended.
  Selected receive(const Limit& limit = kNoLimit);
  /// Never waits; `empty` when there is nothing just now.
  Selected try_receive();

 private:
  Selected take(const Limit* limit);
  std::unique_ptr<core::Selection> selection_;
};

}  // namespace shmq
