#include "accounting.hpp"

#include <sstream>

#include "core/directory.hpp"
#include "core/participants.hpp"
#include "objects/queue_object.hpp"
#include "objects/spsc_object.hpp"
#include "shmq/layout/words.hpp"

namespace soak {

namespace {

using namespace shmq;

template <class Visit>
void for_each_ring(core::Attachment& attachment, Visit&& visit) {
  core::Directory(attachment).for_each([&](const core::ObjectSpace& space, layout::ObjectKind) {
    core::ShmRing ring;
    if (objects::ring_of(attachment.view(), space, ring))
      visit(attachment.view().entry(space.entry).name.get(), space, ring);
  });
}

template <class Visit>
void for_each_byte_ring(core::Attachment& attachment, Visit&& visit) {
  core::Directory(attachment).for_each([&](const core::ObjectSpace& space, layout::ObjectKind) {
    core::ShmSpscMemory memory;
    if (objects::spsc_ring_of(attachment.view(), space, memory))
      visit(attachment.view().entry(space.entry).name.get(), space, memory);
  });
}

/// Everything taken and released, and the lazily written head no more than a ring behind.
bool is_at_its_end(const core::ShmSpscMemory& memory) {
  const std::uint64_t head = memory.head().load(), released = memory.released().load();
  return released == memory.tail().load() && released - head <= memory.ring_bytes();
}

std::string described(const core::ShmSpscMemory& memory) {
  std::ostringstream out;
  const auto end = [&](const char* name, std::uint64_t word) {
    out << ", " << name << " state " << int(layout::word_state(word)) << " owner " << layout::owner_of(word)
        << " epoch " << layout::word_epoch(word);
  };
  out << "head " << memory.head().load() << " released " << memory.released().load() << " received "
      << memory.received().load() << " last " << memory.last().load() << " settled " << memory.settled().load()
      << " tail " << memory.tail().load() << " state " << memory.state().load();
  end("producer", memory.producer().load());
  end("consumer", memory.consumer().load());
  return out.str();
}

std::uint64_t slots_not_free(core::ShmRing& ring) {
  std::uint64_t count = 0;
  for (std::uint64_t i = 0; i < ring.capacity(); ++i)
    count += layout::slot_state(ring.memory().slot(i).load()) != layout::SlotState::free;
  return count;
}

}  // namespace

bool drained(core::Attachment& attachment) {
  bool all = true;
  for_each_ring(attachment, [&](const std::string&, const core::ObjectSpace&, core::ShmRing& ring) {
    const std::uint64_t tail = layout::ring_position(ring.memory().tail().load());
    const std::uint64_t head = layout::ring_position(ring.memory().head().load());
    all &= tail == head && slots_not_free(ring) == 0;
  });
  for_each_byte_ring(attachment, [&](const std::string&, const core::ObjectSpace&, core::ShmSpscMemory& memory) {
    all &= is_at_its_end(memory);
  });
  return all;
}

std::vector<std::string> unaccounted(core::Attachment& attachment, std::uint32_t living) {
  std::vector<std::string> found;
  const core::SegmentView& view = attachment.view();
  std::uint64_t units_owned = 0;
  for_each_ring(attachment,
                [&](const std::string& name, const core::ObjectSpace& space, core::ShmRing& ring) {
                  if (const std::uint64_t count = slots_not_free(ring); count != 0)
                    found.push_back(std::to_string(count) + " slots of " + name + " are not free");
                  units_owned += (space.size_bytes + layout::kUnitBytes - 1) / layout::kUnitBytes;
                });
  const auto look_at_byte_ring = [&](const std::string& name, const core::ObjectSpace& space,
                                     core::ShmSpscMemory& memory) {
    if (!is_at_its_end(memory)) found.push_back(name + " is not empty: " + described(memory));
    units_owned += (space.size_bytes + layout::kUnitBytes - 1) / layout::kUnitBytes;
    for (const std::uint64_t word : {memory.producer().load(), memory.consumer().load()}) {
      if (core::end_state(word) == layout::EndState::free) continue;
      const std::uint32_t row = layout::owner_of(word) - 1;
      if (row >= view.geometry().rows ||
          attachment.liveness(row, view.row(row).word.load()) != core::Liveness::alive)
        found.push_back("an end of " + name + " belongs to no living process: " + described(memory));
    }
  };
  for_each_byte_ring(attachment, look_at_byte_ring);
  std::uint64_t units_taken = 0;
  for (std::uint64_t i = 0; i < view.geometry().unit_count; ++i) units_taken += view.unit(i).load() != 0;
  if (units_taken != units_owned)
    found.push_back(std::to_string(units_taken) + " units of space are taken, the objects have " +
                    std::to_string(units_owned));
  for (std::uint32_t i = 0; i < view.geometry().block_count; ++i)
    if (const std::uint64_t word = view.block_word(i).load(); layout::word_state(word) != 0)
      found.push_back("block " + std::to_string(i) + " is in state " +
                      std::to_string(layout::word_state(word)) + " of owner " +
                      std::to_string(layout::owner_of(word)));
  std::uint32_t rows = 0;
  for (std::uint32_t i = 0; i < view.geometry().rows; ++i)
    if (core::row_state(view.row(i).word.load()) != layout::RowState::free) {
      ++rows;
      if (attachment.liveness(i, view.row(i).word.load()) != core::Liveness::alive)
        found.push_back("row " + std::to_string(i) + " belongs to no living process");
    }
  if (rows > living + 1)
    found.push_back(std::to_string(rows) + " rows are taken, " + std::to_string(living + 1) +
                    " participants can be alive");
  for (std::uint32_t entry = 0; entry < view.geometry().objects_max; ++entry) {
    const auto state = static_cast<layout::EntryState>(layout::word_state(view.entry(entry).word.load()));
    if (state != layout::EntryState::free && state != layout::EntryState::live)
      found.push_back("directory entry " + std::to_string(entry) + " is in state " +
                      std::to_string(static_cast<int>(state)));
  }
  return found;
}

std::string describe(core::Attachment& attachment) {
  std::ostringstream out;
  const core::SegmentView& view = attachment.view();
  for (std::uint32_t i = 0; i < view.geometry().rows; ++i) {
    const std::uint64_t word = view.row(i).word.load();
    if (core::row_state(word) == layout::RowState::free) continue;
    out << "row " << i + 1 << " state " << int(layout::word_state(word)) << " pid " << view.row(i).pid
        << " \"" << view.row(i).name.get() << "\" "
        << (attachment.liveness(i, word) == core::Liveness::alive ? "alive" : "DEAD") << " sweeping "
        << std::hex << view.row(i).sweeping.load() << std::dec << '\n';
  }
  for_each_ring(attachment, [&](const std::string& name, const core::ObjectSpace& space,
                                core::ShmRing& ring) {
    const std::uint64_t tail = ring.memory().tail().load(), head = ring.memory().head().load();
    const auto& header = *view.at<layout::QueueHeader>(space.offset);
    out << name << ": tail " << layout::ring_position(tail) << " by " << layout::owner_of(tail) << " flags "
        << (tail & 15) << ", head " << layout::ring_position(head) << " by " << layout::owner_of(head)
        << ", events " << std::hex << header.data_event.load() << ' ' << header.space_event.load() << std::dec
        << ", redeliveries " << header.redeliveries.load() << '\n';
    std::uint64_t shown = 0;
    for (std::uint64_t i = 0; i < ring.capacity() && shown < 40; ++i) {
      const std::uint64_t slot = ring.memory().slot(i).load();
      if (layout::slot_state(slot) == layout::SlotState::free) continue;
      out << "  slot " << i << " lap " << layout::slot_lap(slot) << " state " << int(layout::slot_state(slot))
          << " owner " << layout::owner_of(slot) << " deliveries " << layout::slot_deliveries(slot) << '\n';
      ++shown;
    }
  });
  for_each_byte_ring(attachment, [&](const std::string& name, const core::ObjectSpace&, core::ShmSpscMemory& memory) {
    out << name << ": " << described(memory) << '\n';
  });
  for (std::uint32_t i = 0; i < view.geometry().block_count; ++i)
    if (const std::uint64_t word = view.block_word(i).load(); layout::word_state(word) != 0)
      out << "block " << i << " state " << int(layout::word_state(word)) << " owner "
          << layout::owner_of(word) << " epoch " << layout::word_epoch(word) << '\n';
  return out.str();
}

}  // namespace soak
