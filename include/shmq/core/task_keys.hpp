// What the record of a task says of its key: the judge of the key index (core/key_index.hpp), and the hash of
// a key.
//
// A submitter writes the record in ALLOC, puts it into the index, and publishes it: in this order. So what
// the index names is a whole record; and one that is still in ALLOC of the epoch in its id is a task as soon
// as anybody publishes it, which is what whoever comes with the same key does, before he answers with its id.
//
// That is why the reaper first takes such a record from the dead (TaskWords::inherit), and clears it away
// then: what it gives back is not the payload of a task that somebody publishes at the same time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "shmq/core/key_index.hpp"
#include "shmq/core/task_words.hpp"

namespace shmq::core {

/// FNV-1a of 64 bits (G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake, The FNV Non-Cryptographic Hash
/// Algorithm), whose low bits are then mixed with the high ones by the finalizer of MurmurHash3 (A. Appleby).
constexpr std::uint64_t key_hash(std::string_view key) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdu;
  hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53u;
  return hash ^ hash >> 33;
}

/// Whether a task whose word, and its tally at that time, are these has never been started: its tally is the
/// one it was submitted with. T2: a task that is not running and was has an end in its word, or in its tally.
constexpr bool never_started(std::uint64_t id, std::uint64_t word, std::uint64_t tally) {
  const layout::TaskState state = layout::task_state(word);
  if (!layout::is_owned(state) && layout::task_end(word) != layout::RunEnd::none) return false;
  return state <= layout::TaskState::claimed && tally == layout::tally_word(id >> 24, {});
}

/// Whether the task of that id, whose word reads `word`, still has its key.
template <class Records>
bool key_is_live(const Records& records, std::uint32_t index, std::uint64_t id, std::uint64_t word) {
  using layout::TaskState;
  const TaskState state = layout::task_state(word);
  switch (records.key_scope(index)) {
    case layout::KeyScope::until_done:
      return state != TaskState::done && state != TaskState::cancelled && state != TaskState::expired;
    case layout::KeyScope::until_started:
      return never_started(id, word, records.tally(index).load(std::memory_order_acquire));
    case layout::KeyScope::for_time:
      return !records.key_timed_out(index);
  }
  return true;
}

/// `Records` supplies capacity(), id(i), tally(i); key_is_asked(i) and key_timed_out(i), which may be wrong
/// where the record changes meanwhile, and end with an acquire fence where they read what is not an atomic;
/// key_scope(i); publish(lease), of a record that somebody has in ALLOC. `id` becomes the id of the `same`.
template <class Memory, class Records>
KeyVerdict judge_key(const TaskWords<Memory>& words, Records&& records, std::uint64_t reference,
                     std::uint64_t& id) {
  constexpr std::uint32_t kRacesMax = 100'000;
  using layout::TaskState;
  const std::uint32_t index = layout::key_index_of(reference);
  if (index >= records.capacity()) return KeyVerdict::corrupt;
  for (std::uint32_t race = 0; race < kRacesMax; ++race) {
    const std::uint64_t word = words.look(index);
    const TaskState state = layout::task_state(word);
    if (state == TaskState::free) return KeyVerdict::dead;
    const bool submitted = state == TaskState::alloc;
    // In ALLOC of a later epoch it is cleared away, or written anew for another task.
    if (submitted && !layout::key_epoch_is(reference, layout::word_epoch(word))) return KeyVerdict::dead;
    // The id was there before the cell, so another one is a later task's.
    const std::uint64_t its_id = records.id(index).load(std::memory_order_acquire);
    if (layout::key_reference(its_id) != reference) return KeyVerdict::dead;

    const bool live = key_is_live(records, index, its_id, word);
    const bool same = live && records.key_is_asked(index);
    if (words.look(index) != word) continue;
    if (!live) return KeyVerdict::dead;
    if (!same) return KeyVerdict::other;
    if (!submitted) {
      id = its_id;
      return KeyVerdict::same;
    }
    records.publish(Lease{index, word});
  }
  return KeyVerdict::corrupt;  // nothing changes so often that keeps to the protocol
}

}  // namespace shmq::core
