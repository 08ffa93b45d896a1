// The idempotency keys of a task table: every byte of its key area. docs/layout.md mirrors this file.
//
// A power of two of KeyBuckets, at least twice as many as keys were asked for. The hash of a key's bytes says
// in which bucket it is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmq/layout/segment_header.hpp"  // Word

namespace shmq::layout {

inline constexpr unsigned kKeyCells = 7;

struct alignas(64) KeyBucket {
  Word control;
  Word cells[kKeyCells];
};
static_assert(sizeof(KeyBucket) == 64 && offsetof(KeyBucket, cells) == 8);

/// How long a task's key keeps others with the same key out of the table.
enum class KeyScope : std::uint8_t {
  until_done = 0,     // until it is DONE, CANCELLED, EXPIRED or removed; DEAD, it may be kicked, and keeps it
  until_started = 1,  // until a run of it starts
  for_time = 2,       // for a time, whatever becomes of it, as long as its record is kept
};

// ---- references: what a cell names. The low 61 bits of a task's id: [60:24] epoch at submission | [23:0]
// record.

inline constexpr std::uint64_t kKeyReferenceMask = (std::uint64_t{1} << 61) - 1;

constexpr std::uint64_t key_reference(std::uint64_t id) { return id & kKeyReferenceMask; }
constexpr std::uint32_t key_index_of(std::uint64_t reference) {
  return static_cast<std::uint32_t>(reference) & 0xff'ffff;
}
/// Whether `epoch`, of a word, is the one at which the task was submitted.
constexpr bool key_epoch_is(std::uint64_t reference, std::uint64_t epoch) {
  return key_reference(epoch << 24 | key_index_of(reference)) == reference;
}

// ---- a cell: 0, nobody's yet; else [63:3] reference | 1

constexpr std::uint64_t key_cell(std::uint64_t reference) { return reference << 3 | 1; }
constexpr std::uint64_t key_cell_reference(std::uint64_t cell) { return cell >> 3; }

// ---- a control word: [63:3] reference of the last one put in | [2:0] 0: it is in; c + 1: it is being put
// into cell c

constexpr std::uint64_t key_pending(std::uint64_t reference, unsigned cell) {
  return reference << 3 | (cell + 1);
}
constexpr bool is_key_pending(std::uint64_t control) { return (control & 7) != 0; }
constexpr unsigned key_pending_cell(std::uint64_t control) { return static_cast<unsigned>(control & 7) - 1; }
constexpr std::uint64_t key_settled(std::uint64_t control) { return control & ~std::uint64_t{7}; }

}  // namespace shmq::layout
