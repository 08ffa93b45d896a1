// Every word that names an owner, and how its bits are laid out. docs/layout.md mirrors this file.
//
//   ring word (head, tail, trail cell)  [63:16] position | [15:4] owner of the position before it | [3:0]
//   flags slot word                           [63:32] lap | [31:24] deliveries | [23:16] incarnation | [15:4]
//   owner | [3:0] state owner word (row, block, entry)      [63:24] epoch | [23:16] incarnation | [15:4]
//   owner | [3:0] state
//
// The owner sits in bits [15:4] in all three, so that one reader of a segment can name a holder from any of
// them. Owner id 0 means nobody; participants are numbered from 1.
#pragma once

#include <cstdint>

#include "shmq/layout/position.hpp"

namespace shmq::layout {

inline constexpr std::uint32_t kOwnerMax = 4095;
inline constexpr std::uint32_t kNobody = 0;

constexpr std::uint32_t owner_of(std::uint64_t word) { return static_cast<std::uint32_t>(word >> 4) & 0xfff; }

// ---- ring words
// -----------------------------------------------------------------------------------------------------

inline constexpr std::uint64_t kRingClosed = 1;   // no further claims (tail only)
inline constexpr std::uint64_t kRingRemoved = 2;  // the queue or its segment was removed (tail and head)
inline constexpr std::uint64_t kRingFlags = 0xf;

constexpr std::uint64_t ring_word(std::uint64_t position, std::uint32_t owner, std::uint64_t flags = 0) {
  return (position << 16) | (std::uint64_t{owner} << 4) | flags;
}
constexpr std::uint64_t ring_position(std::uint64_t word) { return word >> 16; }

// ---- slot words
// -----------------------------------------------------------------------------------------------------

enum class SlotState : std::uint8_t {
  free = 0,       // awaits the producer of this lap
  ready = 1,      // published; held by whoever moved head past it, if anybody did
  tomb = 2,       // aborted, or its producer died: consumers step over it
  redeliver = 3,  // received once or more, not released: whoever comes takes it
  reading = 4,    // a redelivered message in the hands of the owner named in the word
};

inline constexpr std::uint32_t kDeliveriesMax = 255;  // the count saturates here

constexpr SlotState slot_state(std::uint64_t word) { return static_cast<SlotState>(word & 0xf); }
constexpr std::uint32_t slot_lap(std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); }
/// How often the message was handed out and came back: 0 at its first delivery.
constexpr std::uint32_t slot_deliveries(std::uint64_t word) {
  return static_cast<std::uint32_t>(word >> 24) & 0xff;
}
constexpr std::uint32_t slot_incarnation(std::uint64_t word) {
  return static_cast<std::uint32_t>(word >> 16) & 0xff;
}

constexpr std::uint64_t slot_word(std::uint32_t lap, SlotState state, std::uint32_t deliveries = 0,
                                  std::uint32_t owner = 0, std::uint32_t incarnation = 0) {
  return (std::uint64_t{lap} << 32) | (std::uint64_t{deliveries} << 24) |
         (std::uint64_t{incarnation & 0xff} << 16) | (std::uint64_t{owner} << 4) |
         static_cast<std::uint64_t>(state);
}

// ---- owner words
// ----------------------------------------------------------------------------------------------------

inline constexpr std::uint64_t kEpochMask = (std::uint64_t{1} << 40) - 1;

constexpr std::uint64_t owner_word(std::uint64_t epoch, std::uint32_t incarnation, std::uint32_t owner,
                                   std::uint8_t state) {
  return (epoch << 24) | (std::uint64_t{incarnation & 0xff} << 16) | (std::uint64_t{owner} << 4) | state;
}
constexpr std::uint64_t word_epoch(std::uint64_t word) { return word >> 24; }
constexpr std::uint32_t word_incarnation(std::uint64_t word) {
  return static_cast<std::uint32_t>(word >> 16) & 0xff;
}
constexpr std::uint8_t word_state(std::uint64_t word) { return static_cast<std::uint8_t>(word & 0xf); }
constexpr std::uint64_t epoch_add(std::uint64_t epoch, std::uint64_t n) { return (epoch + n) & kEpochMask; }

/// A participant as words name it.
struct Owner {
  std::uint32_t id = kNobody;
  std::uint32_t incarnation = 0;
};

}  // namespace shmq::layout
