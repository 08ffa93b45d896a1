#include "core/blocks.hpp"

#include <algorithm>
#include <unordered_set>

#include "core/directory.hpp"
#include "core/patience.hpp"
#include "shmq/core/event.hpp"
#include "shmq/layout/queue_header.hpp"

namespace shmq::core {

using layout::BlockState;
using layout::reference_epoch;
using layout::reference_index;

namespace {

std::uint64_t word_of(std::uint64_t epoch, layout::Owner owner, BlockState state) {
  return layout::owner_word(epoch, owner.incarnation, owner.id, static_cast<std::uint8_t>(state));
}
BlockState state_of(std::uint64_t word) { return static_cast<BlockState>(layout::word_state(word)); }

bool in_range(const SegmentView& view, std::uint64_t reference) {
  return reference_index(reference) < view.geometry().block_count;
}

bool try_take(const SegmentView& view, layout::Owner me, std::uint32_t index, TakenBlock& taken) {
  std::uint64_t word = view.block_word(index).load(std::memory_order_relaxed);
  if (state_of(word) != BlockState::free) return false;
  const std::uint64_t epoch = layout::word_epoch(word);
  // Acquire: pairs with the release that freed it, so that the last reader's reads came before our writes.
  if (!view.block_word(index).compare_exchange_strong(word, word_of(epoch, me, BlockState::taken),
                                                      std::memory_order_acq_rel, std::memory_order_relaxed))
    return false;
  taken = {index, epoch};
  return true;
}

/// Changes the word from whatever it is now, as long as its epoch is `epoch` and it is not free.
bool take_over(const SegmentView& view, std::uint32_t index, std::uint64_t epoch, std::uint64_t next) {
  std::uint64_t word = view.block_word(index).load(std::memory_order_acquire);
  for (std::uint32_t look = 0; look < kLooksMax; ++look) {
    if (layout::word_epoch(word) != epoch || state_of(word) == BlockState::free) return false;
    if (view.block_word(index).compare_exchange_strong(word, next, std::memory_order_acq_rel,
                                                       std::memory_order_acquire))
      return true;
  }
  return false;
}

std::uint64_t free_word_after(std::uint64_t epoch) {
  return word_of(layout::epoch_add(epoch, 1), {}, BlockState::free);
}

}  // namespace

bool fits_a_block(const SegmentView& view, std::uint64_t bytes) { return bytes <= view.largest_block(); }

std::optional<TakenBlock> take_block(const SegmentView& view, layout::Owner me, std::uint64_t bytes,
                                     BlockHints& hints) {
  TakenBlock taken;
  while (hints.count > 0) {
    const std::uint32_t index = hints.recent[--hints.count];
    const std::size_t room = view.block(index).size();
    if (room >= bytes && room / 16 <= bytes && try_take(view, me, index, taken)) return taken;
  }
  std::uint32_t number = 0;
  for (const layout::BlockClassGeometry& c : view.geometry().block_classes()) {
    std::uint32_t& next = hints.next[number++];
    if (c.block_bytes < bytes) continue;
    if (next == 0 && c.count > 1)
      next = (me.id * 0x9e3779b9u) % c.count;  // participants begin at different blocks
    for (std::uint32_t i = 0; i < c.count; ++i) {
      const std::uint32_t at = (next + i) % c.count;
      if (!try_take(view, me, c.first_index + at, taken)) continue;
      next = at + 1;
      return taken;
    }
  }
  return std::nullopt;
}

void give_back_block(const SegmentView& view, TakenBlock block) {
  if (block.index >= view.geometry().block_count) return;  // it came out of a slot
  view.block_word(block.index).store(free_word_after(block.epoch), std::memory_order_release);
  notify(view.header().blocks_event);
}

bool begin_release(const SegmentView& view, layout::Owner me, std::uint64_t reference) {
  if (!in_range(view, reference)) return false;
  const std::uint64_t epoch = reference_epoch(reference);
  return take_over(view, reference_index(reference), epoch, word_of(epoch, me, BlockState::releasing));
}

void finish_release(const SegmentView& view, std::uint64_t reference, BlockHints& hints) {
  const std::uint32_t index = reference_index(reference);
  view.block_word(index).store(free_word_after(reference_epoch(reference)), std::memory_order_release);
  hints.remember(index);
  notify(view.header().blocks_event);
}

std::optional<std::uint64_t> begin_forward(const SegmentView& view, layout::Owner me,
                                           std::uint64_t reference) {
  if (!in_range(view, reference)) return std::nullopt;
  const std::uint32_t index = reference_index(reference);
  const std::uint64_t next = layout::epoch_add(reference_epoch(reference), 1);
  if (!take_over(view, index, reference_epoch(reference), word_of(next, me, BlockState::handed)))
    return std::nullopt;
  return layout::block_reference(next, index);
}

std::span<std::byte> referenced_bytes(const SegmentView& view, std::uint64_t reference) {
  if (!in_range(view, reference)) return {};
  const std::uint64_t word = view.block_word(reference_index(reference)).load(std::memory_order_acquire);
  if (layout::word_epoch(word) != reference_epoch(reference) || state_of(word) == BlockState::free) return {};
  return view.block(reference_index(reference));
}

void free_referenced(const SegmentView& view, std::uint64_t reference) {
  if (!in_range(view, reference)) return;
  take_over(view, reference_index(reference), reference_epoch(reference),
            free_word_after(reference_epoch(reference)));
}

References all_references(Attachment& by) {
  References found;
  Directory(by).for_each([&](const ObjectSpace& space, layout::ObjectKind kind) {
    if (const ObjectKindOperations* operations = operations_of(kind))
      operations->references(by.view(), space, found);
  });
  return found;
}

ReferenceFate settle_reference(Attachment& by, std::uint64_t reference, std::uint32_t dead) {
  const SegmentView& view = by.view();
  if (!in_range(view, reference)) return ReferenceFate::passed_on;  // nothing could be delivered
  layout::Word& word = view.block_word(reference_index(reference));
  const std::uint64_t epoch = reference_epoch(reference);
  const std::uint64_t forwarded = layout::epoch_add(epoch, 1);
  for (std::uint32_t look = 0; look < kLooksMax; ++look) {
    std::uint64_t seen = word.load(std::memory_order_acquire);
    if (layout::word_epoch(seen) == epoch && state_of(seen) != BlockState::free)
      return ReferenceFate::deliver_again;
    const bool half_forwarded = layout::word_epoch(seen) == forwarded &&
                                state_of(seen) == BlockState::handed && layout::owner_of(seen) == dead;
    if (!half_forwarded) return ReferenceFate::passed_on;
    // Was the new slot published? If it was, it is still there as long as the word says HANDED(dead): whoever
    // takes the message from it changes the word before the slot.
    const References references = all_references(by);
    const std::uint64_t wanted = layout::block_reference(forwarded, reference_index(reference));
    const bool published = std::find(references.begin(), references.end(), wanted) != references.end();
    if (word.load(std::memory_order_acquire) != seen) continue;
    if (published) return ReferenceFate::passed_on;
    if (word.compare_exchange_strong(seen, word_of(epoch, {}, BlockState::queued), std::memory_order_acq_rel))
      return ReferenceFate::deliver_again;
  }
  return ReferenceFate::passed_on;
}

std::uint32_t sweep_blocks(Attachment& by, std::uint32_t dead) {
  const SegmentView& view = by.view();
  struct Candidate {
    std::uint32_t index;
    std::uint64_t word;
  };
  std::vector<Candidate> candidates;
  for (std::uint32_t i = 0; i < view.geometry().block_count; ++i) {
    const std::uint64_t word = view.block_word(i).load(std::memory_order_acquire);
    if (state_of(word) != BlockState::free && layout::owner_of(word) == dead) candidates.push_back({i, word});
  }
  if (candidates.empty()) return 0;
  // After the words: a slot gives up its reference only after the word was changed, and then our CAS fails.
  const References references = all_references(by);
  const std::unordered_set<std::uint64_t> named(references.begin(), references.end());
  std::uint32_t freed = 0;
  for (Candidate& c : candidates) {
    const std::uint64_t epoch = layout::word_epoch(c.word);
    const bool in_a_slot = named.contains(layout::block_reference(epoch, c.index));
    const std::uint64_t next = in_a_slot ? word_of(epoch, {}, BlockState::queued) : free_word_after(epoch);
    if (view.block_word(c.index).compare_exchange_strong(c.word, next, std::memory_order_acq_rel) &&
        !in_a_slot)
      ++freed;
  }
  return freed;
}

}  // namespace shmq::core
