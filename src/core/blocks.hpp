// The block pool: payloads too large for a slot, each in one block that has exactly one owner at any instant.
//
// A block word is {epoch, owner, state}. Who owns a block that is not FREE:
//   - the slot that names {block, epoch} and holds a message (READY, REDELIVER, READING), if there is one;
//   - else the participant in the word. A dead one's block without such a slot is given back by the reaper.
// So publishing a block is the publication of its slot and nothing else, and the word needs no second write.
//
//   take      FREE(e) → TAKEN(e, me)                                  the only step before the slot is
//   claimed free      … → RELEASING(e, me), then the slot FREE(L+1), then FREE(e+1) forward   … → HANDED(e+1,
//   me), then the new slot READY naming e+1, then the old slot FREE(L+1)
//
// The old slot of a forward still names e: once the word says e+1 that is stale, so a slot whose epoch is not
// the word's has passed its message on. Between the first two steps of a forward a kill leaves HANDED(e+1,
// dead) and no slot that names e+1: the reaper takes the word back to QUEUED(e) before it redelivers the old
// slot.
//
// Each change is a CAS from the exact word that was judged.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/object_kinds.hpp"
#include "shmq/core/attachment.hpp"
#include "shmq/core/block_hints.hpp"
#include "shmq/layout/words.hpp"

namespace shmq::core {

/// A block in the hands of a participant: what a slot will name.
struct TakenBlock {
  std::uint32_t index = 0;
  std::uint64_t epoch = 0;
};

/// Whether any class of the segment has blocks of at least `bytes`.
bool fits_a_block(const SegmentView& view, std::uint64_t bytes);

/// Takes a block of at least `bytes`, from the smallest class that fits and has one free, or from a larger
/// one.
std::optional<TakenBlock> take_block(const SegmentView& view, layout::Owner me, std::uint64_t bytes,
                                     BlockHints& hints);

/// Gives back a block that its taker never published.
void give_back_block(const SegmentView& view, TakenBlock block);

/// First step of a release: from here on the reaper of `me` answers for the block. False where the reference
/// is stale or out of range, which a sound segment never shows.
bool begin_release(const SegmentView& view, layout::Owner me, std::uint64_t reference);
/// Last step, once the slot is free.
void finish_release(const SegmentView& view, std::uint64_t reference, BlockHints& hints);

/// First step of a forward: returns the reference that the new slot must carry.
std::optional<std::uint64_t> begin_forward(const SegmentView& view, layout::Owner me,
                                           std::uint64_t reference);

/// The bytes of a referenced block; empty where the reference is stale or out of range.
std::span<std::byte> referenced_bytes(const SegmentView& view, std::uint64_t reference);

/// Frees a block that a slot of a removed queue names.
void free_referenced(const SegmentView& view, std::uint64_t reference);

/// Every reference of every message in the segment.
References all_references(Attachment& by);

/// Decides about a message that `dead` held and whose payload is in a block.
enum class ReferenceFate : std::uint8_t { deliver_again, passed_on };
ReferenceFate settle_reference(Attachment& by, std::uint64_t reference, std::uint32_t dead);

/// Gives back what `dead` answers for and no slot names. After its slots were settled. Returns how many.
std::uint32_t sweep_blocks(Attachment& by, std::uint32_t dead);

}  // namespace shmq::core
