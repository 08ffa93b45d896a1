#pragma once
// The ways in which the owner-trail protocol is broken on purpose, one at a time.

#include <cstdint>

namespace ring_test {

enum class Mutation : std::uint8_t {
  none,
  // What broke the protocol in the model, one by one (design, end of section 4).
  shared_trail,               // one trail for tail and head
  trail_before_tail,          // the sweep reads the trail, then tail (and head)
  note_after_claim,           // the note is made when the claim has won, before the publication
  note_gives_up,              // a note whose CAS fails is not tried again
  seen_before_scan,           // a consumer takes the sequence as seen before its scan, whatever that finds
  seen_after_scan,            // a consumer takes the sequence that it loads after its scan
  tomb_unrepaired,            // TOMB below head, held by the dead, stays
  reading_unrepaired,         // READING by the dead stays
  id_freed_before_the_sweep,  // the row is free before what it held is mended
  id_freed_while_swept,       // the row is freed though a living one says that it is sweeping it
  closed_apart,               // `closed` in a word of its own
  // The other repairs.
  claim_unrepaired,      // FREE below tail, owned by the dead, stays
  ready_unrepaired,      // READY below head, held by the dead, stays
  no_announcement,       // the sweep does not raise the redelivery sequence
  announced_if_mended,   // it does so only when it mended something itself
  no_second_look,        // death is not established again after the `sweeping` mark
  tomb_by_store,         // the sweep stores TOMB over whatever is there
  redelivered_by_store,  // the sweep stores REDELIVER over whatever is there
  lock_after_row,        // an attaching process takes its lock byte after the row
  count_apart,           // a redelivery does not count
  end_without_slots,     // the end of the stream is "closed, and head = tail"
  // Memory orders.
  relaxed_publish,    // READY by a relaxed store
  relaxed_mark,       // the `sweeping` mark is a relaxed store
  relaxed_slot_load,  // slots are loaded without acquire (needs stale loads)
  relaxed_end_load,   // tail and head are loaded without acquire (needs stale loads)
};

}  // namespace ring_test
