#include "corrupter.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "shmq/layout/queue_header.hpp"
#include "shmq/layout/segment_header.hpp"
#include "shmq/layout/spsc_header.hpp"
#include "shmq/layout/words.hpp"

namespace hostile {

namespace {

namespace layout = shmq::layout;

std::string hex(std::uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

/// A step away from a number, or from where numbers wrap.
std::uint64_t near(std::uint64_t value, Dice& dice) {
  static constexpr std::uint64_t kSteps[] = {1, 2, 3, 4, 8, 64, 4096, 1u << 16, 1u << 24, 1ull << 32, 1ull << 47};
  const std::uint64_t step = kSteps[dice.below(std::size(kSteps))];
  return dice.one_in(2) ? value + step : value - step;
}

std::uint64_t boundary(Dice& dice) {
  const std::uint64_t power = std::uint64_t{1} << dice.below(64);
  switch (dice.below(5)) {
    case 0:
      return 0;
    case 1:
      return ~std::uint64_t{0};
    case 2:
      return power;
    case 3:
      return power - 1;
    default:
      return ~power + dice.below(3);
  }
}

std::uint32_t some_owner(const Facts& facts, Dice& dice) {
  switch (dice.below(6)) {
    case 0:
      return layout::kNobody;
    case 1:
      return facts.rows;  // the spare row
    case 2:
      return facts.rows + 1;
    case 3:
      return layout::kOwnerMax;
    default:
      return 1 + static_cast<std::uint32_t>(dice.below(facts.rows));
  }
}

std::uint64_t some_owner_word(const Facts& facts, std::uint64_t old, std::uint8_t states, Dice& dice) {
  std::uint64_t epoch = layout::word_epoch(old);
  if (dice.one_in(3)) epoch = near(epoch, dice);
  std::uint32_t owner = layout::owner_of(old);
  if (dice.one_in(2)) owner = some_owner(facts, dice);
  const std::uint32_t incarnation = dice.one_in(3) ? static_cast<std::uint32_t>(dice.below(256)) : static_cast<std::uint32_t>(epoch & 0xff);
  const auto state = static_cast<std::uint8_t>(dice.one_in(8) ? dice.below(16) : dice.below(states));
  return layout::owner_word(epoch & layout::kEpochMask, incarnation, owner, state);
}

std::uint64_t some_place(const Facts& facts, std::uint64_t old, Dice& dice) {
  switch (dice.below(9)) {
    case 0:
      return facts.size_bytes;
    case 1:
      return facts.size_bytes - 4096;
    case 2:
      return facts.size_bytes - dice.below(4096);
    case 3:
      return ~std::uint64_t{0} - dice.below(3) * 4096 + 1;  // added to anything it overflows
    case 4:
      return facts.objects_offset + dice.below((facts.size_bytes - facts.objects_offset) / 4096) * 4096;
    case 5:
      return facts.objects_offset - 4096;
    case 6:
      return old + 8 * dice.below(16) + dice.below(8);  // not aligned
    case 7:
      return dice.below(facts.size_bytes);
    default:
      return near(old, dice);
  }
}

std::uint64_t some_descriptor(const Facts& facts, std::uint64_t old, Dice& dice) {
  std::uint32_t length = layout::descriptor_length(old);
  switch (dice.below(4)) {
    case 0:
      length ^= (1u << 29) << dice.below(3);  // in a block, has an origin, repeat
      break;
    case 1:
      length = (length & ~layout::kLengthMask) | (static_cast<std::uint32_t>(facts.payload_max + dice.below(3) - 1) & layout::kLengthMask);
      break;
    case 2:
      length = (length & ~layout::kLengthMask) | (static_cast<std::uint32_t>(boundary(dice)) & layout::kLengthMask);
      break;
    default:
      length = static_cast<std::uint32_t>(dice.word());
  }
  return layout::descriptor(length, layout::descriptor_type(old));
}

}  // namespace

std::uint64_t Corrupter::load(const Field& field) const {
  std::byte* const at = base_ + field.offset;
  if (field.bytes == 4) return __atomic_load_n(reinterpret_cast<std::uint32_t*>(at), __ATOMIC_RELAXED);
  return __atomic_load_n(reinterpret_cast<std::uint64_t*>(at), __ATOMIC_RELAXED);
}

void Corrupter::store(const Field& field, std::uint64_t value) const {
  std::byte* const at = base_ + field.offset;
  if (field.bytes == 4)
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(at), static_cast<std::uint32_t>(value), __ATOMIC_RELAXED);
  else
    __atomic_store_n(reinterpret_cast<std::uint64_t*>(at), value, __ATOMIC_RELAXED);
}

const Field& Corrupter::any_field(Dice& dice, std::string* name) const {
  const std::string& chosen = fields_.names[dice.below(fields_.names.size())];
  if (name != nullptr) *name = chosen;
  const std::vector<Field>& list = fields_.by_name.at(chosen);
  return list[dice.below(list.size())];
}

std::uint64_t Corrupter::value_for(const Field& field, std::uint64_t old, Dice& dice) const {
  const Facts& facts = fields_.facts;
  switch (dice.below(8)) {  // what may be done to any field
    case 0:
      return boundary(dice);
    case 1:
      return old ^ (std::uint64_t{1} << dice.below(field.bytes * 8));
    case 2:
      return near(old, dice);
    case 3:
      return load(any_field(dice));
    case 4:
      return dice.word();
    default:
      break;
  }
  switch (field.meaning) {
    case Meaning::row_word:
      return some_owner_word(facts, old, 4, dice);
    case Meaning::entry_word:
      return some_owner_word(facts, old, 6, dice);
    case Meaning::block_word:
      return some_owner_word(facts, old, 5, dice);
    case Meaning::unit_word:
      return dice.one_in(4) ? 0 : layout::unit_word(near(old >> 24, dice) & layout::kEpochMask, static_cast<std::uint32_t>(dice.below(facts.objects + 2)));
    case Meaning::ring_word: {
      std::uint64_t position = layout::ring_position(old);
      if (!dice.one_in(3)) position = dice.one_in(2) ? near(position, dice) : position + facts.capacity_max - dice.below(2 * facts.capacity_max);
      return layout::ring_word(position & layout::kPositionMask, dice.one_in(2) ? layout::owner_of(old) : some_owner(facts, dice),
                               dice.one_in(4) ? dice.below(16) : old & layout::kRingFlags);
    }
    case Meaning::slot_word: {
      const std::uint32_t lap = layout::slot_lap(old) + static_cast<std::uint32_t>(dice.one_in(2) ? 0 : near(0, dice));
      const auto state = static_cast<layout::SlotState>(dice.one_in(8) ? dice.below(16) : dice.below(5));
      return layout::slot_word(lap, state, dice.one_in(3) ? 255 : layout::slot_deliveries(old),
                               dice.one_in(2) ? layout::owner_of(old) : some_owner(facts, dice),
                               static_cast<std::uint32_t>(dice.below(256)));
    }
    case Meaning::descriptor:
      return some_descriptor(facts, old, dice);
    case Meaning::reference: {
      const std::uint64_t index = dice.one_in(2) ? dice.below(facts.blocks) : facts.blocks - 1 + dice.below(3);
      return layout::block_reference(dice.one_in(2) ? layout::reference_epoch(old) : near(layout::reference_epoch(old), dice) & layout::kEpochMask,
                                     static_cast<std::uint32_t>(dice.one_in(8) ? 0xffffff : index));
    }
    case Meaning::event:
      return old ^ dice.below(8);
    case Meaning::position:
      return near(old, dice) + (dice.one_in(2) ? std::uint64_t{1} << 48 : 0);
    case Meaning::ring_position:
      switch (dice.below(4)) {
        case 0:
          return near(old, dice);
        case 1:
          return old / 1024 * 1024 + 1024 - 16 * dice.below(5) - dice.below(2) * 8;  // about the end of the ring
        default:
          return old + 1024 - 16 * dice.below(129);
      }
    case Meaning::record_word:
      return old ^ (std::uint64_t{1} << (dice.one_in(2) ? 63 - dice.below(4) : 28 + dice.below(36)));
    case Meaning::record_extent: {
      static constexpr std::uint64_t kExtents[] = {0, 8, 16, 24, 32, 48, 64, 512, 1008, 1024, 1040, 2048};
      const std::uint64_t extent = dice.one_in(2) ? layout::record_extent(old) : kExtents[dice.below(std::size(kExtents))];
      return extent << 32 | (dice.one_in(2) ? old & 0xffffffff : dice.below(4) << 8 | dice.below(256));
    }
    case Meaning::bitmap:
      return old ^ (std::uint64_t{1} << dice.below(facts.rows + 2));
    case Meaning::place:
      return some_place(facts, old, dice);
    case Meaning::count:
      return dice.one_in(2) ? dice.below(70) : near(old, dice);
    case Meaning::plain:
    case Meaning::name:
      break;
  }
  return dice.word();
}

void Corrupter::tell(const std::string& what) {
  if (remember_ && story_.size() < 2000) story_ += (story_.empty() ? "" : "; ") + what;
}

void Corrupter::set(const Field& field, Dice& dice) {
  if (field.meaning == Meaning::name && !dice.one_in(4)) return name(field, dice);
  const std::uint64_t old = load(field);
  const std::uint64_t value = value_for(field, old, dice);
  store(field, value);
  tell("byte " + std::to_string(field.offset) + ": " + hex(old) + " -> " + hex(value));
}

/// All 64 bytes: without an end, with bytes that move a cursor, with an early end, or the name of another.
void Corrupter::name(const Field& field, Dice& dice) {
  char bytes[64];
  switch (dice.below(4)) {
    case 0:
      std::memset(bytes, 'A', sizeof bytes);
      break;
    case 1:
      for (char& c : bytes) c = static_cast<char>(dice.below(256));
      break;
    case 2:
      std::memset(bytes, 0, sizeof bytes);
      std::strcpy(bytes, dice.one_in(2) ? "\x1b[2J../../a\n\"\\" : "%s%n{}");
      break;
    default: {
      const auto& others = fields_.by_name.at(dice.one_in(2) ? "entry.name" : "row.name");
      std::memcpy(bytes, base_ + others[dice.below(others.size())].offset, sizeof bytes);
    }
  }
  for (unsigned i = 0; i < 8; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + 8 * i, 8);
    store({field.offset + 8 * i, 8, Meaning::plain}, word);
  }
  tell("name at byte " + std::to_string(field.offset));
}

/// Writes one place over another: a row over a row, a queue over a queue, anything over anything.
void Corrupter::region(Dice& dice) {
  const std::uint64_t lengths[] = {8, 64, sizeof(layout::ParticipantRow), sizeof(layout::QueueHeader), 4096};
  const std::uint64_t length = lengths[dice.below(std::size(lengths))];
  const auto place = [&] { return std::min(any_field(dice).offset & ~std::uint64_t{7}, fields_.facts.size_bytes - length); };
  const std::uint64_t from = place(), to = place();
  for (std::uint64_t i = 0; i < length; i += 8) store({to + i, 8, Meaning::plain}, load({from + i, 8, Meaning::plain}));
  tell(std::to_string(length) + " bytes at " + std::to_string(from) + " over those at " + std::to_string(to));
}

void Corrupter::strike(Dice& dice) {
  switch (dice.below(12)) {
    case 0: {
      const Field& one = any_field(dice);
      const Field& other = any_field(dice);
      const std::uint64_t a = load(one), b = load(other);
      store(one, b);
      store(other, a);
      tell("bytes " + std::to_string(one.offset) + " and " + std::to_string(other.offset) + " swapped");
      break;
    }
    case 1:
      region(dice);
      break;
    case 2: {  // anywhere: payloads, reserved bytes, the rest of a block
      const std::uint64_t at = dice.below(fields_.facts.size_bytes / 8) * 8;
      store({at, 8, Meaning::plain}, dice.word());
      tell("byte " + std::to_string(at));
      break;
    }
    default:
      set(any_field(dice), dice);
  }
}

}  // namespace hostile
