// Participant rows: taking one, and telling the living from the dead.
//
// The table has one row more than was asked for. It is the spare: who finds every other row taken attaches
// there for as long as it takes to sweep the dead, since a sweep has to be announced in a row of one's own.
#pragma once

#include <cstdint>

#include "os/liveness_lock.hpp"
#include "shmq/core/attachment.hpp"
#include "shmq/core/segment_view.hpp"

namespace shmq::core {

class Participants {
 public:
  Participants(const SegmentView& view, os::LivenessLock& lock) : view_(view), lock_(lock) {}

  /// Takes a free row in [first, end) and fills it; returns its word, or 0 when every row is taken. The lock
  /// byte comes before the row's CAS: no row is ever seen taken and unlocked while its owner lives.
  std::uint64_t take_row(const AttachOptions& attach, std::uint32_t first, std::uint32_t end) const;

  /// Takes a row over from its dead owner, id and all; 0 where the owner lives, or where somebody living sweeps it. Only
  /// for the spare row: whoever died there held no more than its marks, and nobody could get at a row to sweep it from.
  /// The caller then mends what the dead left under the id that is now its own, before anything else.
  std::uint64_t take_over(const AttachOptions& attach, std::uint32_t index) const;

  /// Whether the participant whose row word was just read as `word` is gone. Not for one's own row.
  Liveness liveness(std::uint32_t index, std::uint64_t word) const;

  /// Frees a row whose participant was swept, unless a living participant says that it is still sweeping it.
  void free_if_unwatched(std::uint32_t index, std::uint64_t swept_word, std::uint32_t me) const;

 private:
  /// The lock is held: the row goes from `word` to its new owner. Returns the row's word, or 0 after unlocking it.
  std::uint64_t occupy(std::uint32_t index, std::uint64_t word, const AttachOptions& attach) const;
  /// Whether a living participant other than `me` says that it is sweeping the one whose row word this is.
  bool watched(std::uint32_t index, std::uint64_t word, std::uint32_t me) const;

  const SegmentView& view_;
  os::LivenessLock& lock_;
};

constexpr layout::RowState row_state(std::uint64_t word) {
  return static_cast<layout::RowState>(layout::word_state(word));
}
constexpr std::uint64_t with_row_state(std::uint64_t word, layout::RowState state) {
  return (word & ~std::uint64_t{0xf}) | static_cast<std::uint64_t>(state);
}

}  // namespace shmq::core
