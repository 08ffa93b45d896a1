// The sweep: what a dead participant held is mended by whoever comes across it.
//
// Order of one sweep, and why: say `sweeping` in one's own row, then establish once more that it is dead (its
// id is not given away while a living row says so); its slots in every queue it used; its blocks (after the
// slots, which decide where a block belongs); half-made and half-removed objects; wake everybody; take back
// its use of objects; mark the row SWEPT; and only then free the row.
//
// The row goes in two steps because "nobody else is sweeping it" and "it is free" are two words: a sweeper
// that says so before the row is SWEPT is seen by whoever frees the row, and one that says so later sees
// SWEPT and leaves it alone.
//
// No lock is held. Every step is a CAS from the exact state that was judged and may be repeated by anybody.
#pragma once

#include <cstdint>

#include "shmq/core/attachment.hpp"

namespace shmq::core {

class Reaper {
 public:
  explicit Reaper(Attachment& attachment) : attachment_(attachment), view_(attachment.view()) {}
  Repairs run();
  /// Mends what a dead participant left under the id that is now this one's (Participants::take_over).
  void mend_predecessor() { repair(attachment_.me().id); }

 private:
  void sweep(std::uint32_t index, std::uint64_t word);
  void repair(std::uint32_t dead);
  void free_row(std::uint32_t index, std::uint64_t word);

  Attachment& attachment_;
  const SegmentView& view_;
  Repairs repairs_;
};

}  // namespace shmq::core
