// Which tasks have which idempotency key: an index in which two who submit the same key at the same time end
// with one task, and that nobody can wedge.
//
// Who may call     any participant, any thread, at any time.
// Progress         lock-free: whoever finds an insertion begun finishes it.
// Linearization    insert: the CAS of the bucket's control word. A duplicate: the look of the judge that
// found it live. Source           the bucket's own. That whoever comes next finishes an operation announced
// in a word is as in
//                  M. Herlihy, A methodology for implementing highly concurrent data objects (1993).
//
// The index names tasks; the truth about each is its record, of which the caller's judge tells: no live task
// (dead), a live one with another key, or one with this key. Nothing is ever removed: a cell that names a
// dead one is used again.
//
//   bucket                          control                     cell c
//   nothing is being put in         idle(last)                  0, or a task
//   a task is being put in          idle(last) → pending(task, c)    CAS; decided
//   by it, or by whoever comes      the same                    what was there → task        CAS
//   likewise                        pending(task, c) → idle(task)    CAS
//
// Invariants
//  K1  A task is put in once at most, so that no control word comes back, and no cell but an empty one.
//  K2  While control is pending(task, c), cell c is what it was when that began, or the task; no other cell
//  changes.
//      So one who looks at a cell and then finds the same control word knows what it was, and a late one's
//      CAS fails.
//  K3  Cells change only between two idle control words. So when the CAS of insert() wins, each cell is what
//  was judged. K4  The judge's "dead" and "other" are final: what was judged still holds when the CAS wins.
//
// A kill after any instruction leaves an idle bucket, or a pending one, which the next caller finishes. What
// it then names is a task whose submitter is dead; that is for the judge to know.
#pragma once

#include <atomic>
#include <cstdint>

#include "shmq/layout/key_index.hpp"

namespace shmq::core {

enum class KeyVerdict : std::uint8_t { dead, other, same, corrupt };
enum class KeyStatus : std::uint8_t { inserted, duplicate, absent, full, corrupt };

/// `Memory` supplies control(bucket), cell(bucket, i), cells() and buckets_log2(). A judge is called with a
/// reference, and gives a KeyVerdict; what else it found out about a task that is the `same` it keeps for its
/// caller.
template <class Memory>
class KeyIndex {
 public:
  KeyIndex() = default;
  explicit KeyIndex(Memory memory) : memory_(memory) {}
  Memory& memory() { return memory_; }
  std::uint64_t buckets() const { return std::uint64_t{1} << memory_.buckets_log2(); }
  std::uint64_t bucket_of(std::uint64_t hash) const { return hash & (buckets() - 1); }

  /// Puts in the task `reference`, unless there is a live one with its key. Not again for one that was put
  /// in. inserted; duplicate: the judge's last `same`; full: each cell of the bucket names a live task;
  /// corrupt.
  template <class Judge>
  KeyStatus insert(std::uint64_t hash, std::uint64_t reference, Judge&& judge) {
    const std::uint64_t bucket = bucket_of(hash);
    auto& control = memory_.control(bucket);
    for (std::uint32_t race = 0; race < kRacesMax; ++race) {
      std::uint64_t seen = settled(bucket);
      if (layout::is_key_pending(seen)) return KeyStatus::corrupt;
      unsigned room = memory_.cells();
      const KeyStatus status = look(bucket, judge, room);
      if (status != KeyStatus::absent) return status;
      if (room == memory_.cells()) {
        if (control.load(std::memory_order_acquire) == seen) return KeyStatus::full;
        continue;
      }
      const std::uint64_t pending = layout::key_pending(reference, room);
      // Release: the task's record. Pairs with settled(), and by it with the judge of whoever comes later.
      if (!control.compare_exchange_strong(seen, pending, std::memory_order_acq_rel,
                                           std::memory_order_acquire))
        continue;
      finish(bucket, pending);
      return KeyStatus::inserted;
    }
    return KeyStatus::corrupt;  // nobody loses so many races to others who keep to the protocol
  }

  /// duplicate: there is a live task with the key. absent: there was none at some time during the call.
  /// corrupt.
  template <class Judge>
  KeyStatus find(std::uint64_t hash, Judge&& judge) {
    const std::uint64_t bucket = bucket_of(hash);
    (void)settled(bucket);
    unsigned room = 0;
    return look(bucket, judge, room);
  }

 private:
  static constexpr std::uint32_t kRacesMax = 100'000;

  /// The control word, of a bucket into which nothing is being put.
  std::uint64_t settled(std::uint64_t bucket) {
    for (std::uint32_t race = 0;; ++race) {
      const std::uint64_t seen = memory_.control(bucket).load(std::memory_order_acquire);
      if (!layout::is_key_pending(seen) || race == kRacesMax) return seen;
      finish(bucket, seen);
    }
  }

  /// `room` becomes the first cell that names no live task, where there is one.
  template <class Judge>
  KeyStatus look(std::uint64_t bucket, Judge& judge, unsigned& room) {
    for (unsigned i = memory_.cells(); i-- > 0;) {
      const std::uint64_t cell = memory_.cell(bucket, i).load(std::memory_order_acquire);
      const KeyVerdict verdict = cell == 0 ? KeyVerdict::dead : judge(layout::key_cell_reference(cell));
      if (verdict == KeyVerdict::same) return KeyStatus::duplicate;
      if (verdict == KeyVerdict::corrupt) return KeyStatus::corrupt;
      if (verdict == KeyVerdict::dead) room = i;
    }
    return KeyStatus::absent;
  }

  void finish(std::uint64_t bucket, std::uint64_t pending) {
    auto& control = memory_.control(bucket);
    const unsigned c = layout::key_pending_cell(pending);
    if (c >= memory_.cells()) return;
    auto& cell = memory_.cell(bucket, c);
    const std::uint64_t named = layout::key_cell(layout::key_cell_reference(pending));
    std::uint64_t seen = cell.load(std::memory_order_acquire);
    if (seen != named) {
      if (control.load(std::memory_order_acquire) != pending)
        return;  // K2: finished, and the cell perhaps used again
      (void)cell.compare_exchange_strong(seen, named, std::memory_order_acq_rel, std::memory_order_acquire);
    }
    (void)control.compare_exchange_strong(pending, layout::key_settled(pending), std::memory_order_acq_rel,
                                          std::memory_order_relaxed);
  }

  Memory memory_{};
};

}  // namespace shmq::core
