// The idempotency keys of a task table: every byte of its key area. docs/layout.md mirrors this file.
//
// A power of two of KeyBuckets, at least twice as many as keys were asked for. The hash of a key's bytes says
// in which bucket it is.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "shmq/layout/name_field.hpp"
#include "shmq/layout/segment_header.hpp"  // Word

namespace shmq::layout {

inline constexpr unsigned kKeyCells = 7;

struct alignas(64) KeyBucket {
  Word control;
  Word cells[kKeyCells];
};
static_assert(sizeof(KeyBucket) == 64 && offsetof(KeyBucket, cells) == 8);

/// How many buckets an index of so many keys has, as a power of two.
constexpr unsigned key_buckets_log2(std::uint32_t keys) {
  return static_cast<unsigned>(std::bit_width(std::bit_ceil(std::uint64_t{keys} * 2)) - 1);
}

/// A key as its record has it, in a NameField: up to 63 bytes of any value, zeros, and its length in the last byte.
struct PackedKey {
  static constexpr std::size_t kBytesMax = 63;
  std::array<std::uint64_t, 8> words{};

  explicit PackedKey(std::string_view key) {
    char bytes[sizeof words] = {};
    const std::size_t size = std::min(key.size(), kBytesMax);
    std::memcpy(bytes, key.data(), size);
    bytes[kBytesMax] = static_cast<char>(size);
    std::memcpy(words.data(), bytes, sizeof bytes);
  }
  void store(NameField& field) const {
    for (std::size_t i = 0; i < words.size(); ++i) field.words[i].store(words[i], std::memory_order_relaxed);
  }
  bool is_in(const NameField& field) const {
    for (std::size_t i = 0; i < words.size(); ++i)
      if (field.words[i].load(std::memory_order_relaxed) != words[i]) return false;
    return true;
  }
};

inline std::string key_of(const NameField& field) {
  char bytes[sizeof field.words];
  for (std::size_t i = 0; i < 8; ++i) {
    const std::uint64_t word = field.words[i].load(std::memory_order_relaxed);
    std::memcpy(bytes + 8 * i, &word, 8);
  }
  const auto size = static_cast<unsigned char>(bytes[PackedKey::kBytesMax]);
  return std::string(bytes, std::min<std::size_t>(size, PackedKey::kBytesMax));
}

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
