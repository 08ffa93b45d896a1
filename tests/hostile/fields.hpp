// Every field of a segment that decides something: where it lies, how wide it is, and what it should mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace hostile {

enum class Meaning : std::uint8_t {
  plain,       // anything: flags, counters, times, magic numbers
  count,       // how many of something
  place,       // an offset or a size in bytes
  row_word,    // owner words
  entry_word,
  block_word,
  unit_word,
  ring_word,   // head, tail, trail cells
  slot_word,
  descriptor,
  reference,   // {block, epoch}
  event,
  position,    // 64-bit
  ring_position,  // 64-bit, a multiple of 16, within one ring of the others
  record_word,
  record_extent,
  bitmap,
  name,        // the first of eight words
};

struct Field {
  std::uint64_t offset = 0;
  unsigned bytes = 8;
  Meaning meaning = Meaning::plain;
};

/// What a hostile peer would know of the segment: numbers that are just right, just wrong, or somebody else's.
struct Facts {
  std::uint64_t size_bytes = 0;
  std::uint64_t objects_offset = 0;
  std::uint32_t rows = 0;
  std::uint32_t objects = 0;
  std::uint32_t blocks = 0;
  std::uint64_t capacity_max = 0;
  std::uint64_t payload_max = 0;
};

struct Fields {
  /// By what they are called ("row.word", "a.tail"), so that a choice of a name does not prefer what there is a lot of.
  std::map<std::string, std::vector<Field>> by_name;
  std::vector<std::string> names;
  std::size_t count = 0;
  Facts facts;
};

/// Of a sound segment.
Fields fields_of(std::span<const std::byte> sound);

}  // namespace hostile
