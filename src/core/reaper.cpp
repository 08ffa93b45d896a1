#include "core/reaper.hpp"

#include "core/attachment_os.hpp"
#include "core/blocks.hpp"
#include "core/directory.hpp"
#include "core/participants.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/core/event.hpp"

namespace shmq::core {

using layout::RowState;

Repairs Reaper::run() {
  for (std::uint32_t index = 0; index < view_.geometry().rows; ++index) {
    if (index + 1 == attachment_.me().id) continue;
    const std::uint64_t word = view_.row(index).word.load(std::memory_order_acquire);
    const RowState state = row_state(word);
    if (state == RowState::free) continue;
    if (state == RowState::swept)
      free_row(index, word);
    else if (attachment_.liveness(index, word) == Liveness::dead)
      sweep(index, word);
  }
  return repairs_;
}

void Reaper::sweep(std::uint32_t index, std::uint64_t word) {
  layout::ParticipantRow& mine = view_.row(attachment_.me().id - 1);
  mine.sweeping.store(word, std::memory_order_seq_cst);
  if (attachment_.liveness(index, word) == Liveness::dead) {
    repair(index + 1);
    const std::uint64_t swept = with_row_state(word, RowState::swept);
    std::uint64_t expected = word;
    if (view_.row(index).word.compare_exchange_strong(expected, swept, std::memory_order_seq_cst))
      ++repairs_.participants;
    mine.sweeping.store(0, std::memory_order_seq_cst);
    free_row(index, swept);
  } else {
    mine.sweeping.store(0, std::memory_order_seq_cst);
  }
}

void Reaper::free_row(std::uint32_t index, std::uint64_t word) {
  Participants(view_, attachment_.os_->lock).free_if_unwatched(index, word, attachment_.me().id);
}

void Reaper::repair(std::uint32_t dead) {
  const std::uint64_t bit = std::uint64_t{1} << ((dead - 1) % 64);
  Directory directory(attachment_);
  directory.for_each([&](const ObjectSpace& space, layout::ObjectKind kind) {
    // Whoever used an object had pinned it, and its bit goes only after all that it held is mended.
    const ObjectKindOperations* operations = operations_of(kind);
    if (operations == nullptr || !(view_.users(space.entry, dead - 1).load(std::memory_order_acquire) & bit))
      return;
    operations->sweep(attachment_, space, dead, repairs_);
    // A remover killed half-way has taken the name away and not told the users.
    if (directory.is_being_removed(space.entry)) operations->mark_removed(view_, space);
  });
  repairs_.blocks += sweep_blocks(attachment_, dead);
  for (std::uint32_t entry = 0; entry < view_.geometry().objects_max; ++entry) {
    if (directory.reclaim_of_dead(entry, dead)) ++repairs_.objects;
    layout::Word& users = view_.users(entry, dead - 1);
    if (users.load(std::memory_order_acquire) & bit) users.fetch_and(~bit, std::memory_order_seq_cst);
    directory.reclaim_if_unused(entry);
  }
  notify_everyone(view_.header().blocks_event);
}

Repairs Attachment::reap() {
  if (detached()) return {};  // first: a fork may have come while the lock was held
  const std::unique_lock lock(reap_mutex_, std::try_to_lock);
  return lock ? reap_with_lock() : Repairs{};
}

Repairs Attachment::reap_in_turn() {
  if (detached()) return {};
  const std::lock_guard lock(reap_mutex_);
  return reap_with_lock();
}

Repairs Attachment::reap_with_lock() {
  reaped_ns_.store(base::monotonic_ns(), std::memory_order_relaxed);
  return Reaper(*this).run();
}

Repairs Attachment::reap_now_and_then(std::int64_t now_ns) {
  if (now_ns - reaped_ns_.load(std::memory_order_relaxed) < kSleepSliceNs || detached()) return {};
  reaped_ns_.store(now_ns, std::memory_order_relaxed);
  // One of all participants a slice: to ask the kernel for the locks of n participants takes time of the order of n², and n
  // would ask. Whoever is stopped after it put its time there is followed by another one a slice later. Clocks that are read
  // coarsely may be a little behind.
  layout::Word& last = view_.header().reaped_ns;
  std::uint64_t seen = last.load(std::memory_order_relaxed);
  const std::int64_t since = base::wrapping_difference(now_ns, static_cast<std::int64_t>(seen));
  if (since > -kSleepSliceNs && since < kSleepSliceNs) return {};
  if (!last.compare_exchange_strong(seen, static_cast<std::uint64_t>(now_ns), std::memory_order_relaxed)) return {};
  return reap();
}

}  // namespace shmq::core
