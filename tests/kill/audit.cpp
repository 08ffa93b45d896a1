#include "audit.hpp"

#include "failure.hpp"
#include "look.hpp"

#include "core/object_kinds.hpp"
#include "core/participants.hpp"
#include "objects/queue_object.hpp"
#include "objects/spsc_object.hpp"
#include "objects/task_object.hpp"
#include "os/liveness_lock.hpp"
#include "shmq/core/segment_view.hpp"

#include <cstdio>
#include <optional>
#include <set>
#include <vector>

namespace killtest {
namespace {

namespace core = shmq::core;
namespace layout = shmq::layout;
namespace os = shmq::os;

std::string hex(std::uint64_t word) {
  char text[20];
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(word));
  return text;
}

/// The invariants S2, S3 and S5 of core/spsc_ring.hpp. How far the records reach is said by their extents, and of the last
/// one, where it is not published, by `last`: the walk ends at tail exactly where all of them are written in time.
void sound_ring(const core::ShmSpscMemory& ring, const std::string& name) {
  const std::uint64_t tail = ring.tail().load(), settled = ring.settled().load(), received = ring.received().load(),
                      released = ring.released().load(), head = ring.head().load();
  const std::string where = name + " (head " + hex(head) + ", released " + hex(released) + ", received " +
                            hex(received) + ", settled " + hex(settled) + ", tail " + hex(tail) + ")";
  for (const std::uint64_t position : {tail, settled, received, released, head})
    require(position % layout::kRecordAlignment == 0, where + " has a position that no record can have");
  require(!core::lies_before(tail, released), where + " has released what was not claimed");
  require(!core::lies_before(tail, received), where + " has handed out what was not claimed");
  require(!core::lies_before(tail, settled), where + " has settled what was not claimed");
  require(!core::lies_before(released, head), where + " shows room that is not there");
  require(tail + sizeof(layout::RecordHeader) - released <= ring.ring_bytes(), where + " holds more than fits");
  require((ring.word(tail).load() & layout::kRecordPublished) == 0, where + " has a published record at tail");
  std::uint64_t reached = released;
  shmq::objects::for_each_record(ring, released, tail, [&](std::uint64_t position, std::uint64_t, std::uint64_t extent) {
    reached = core::record_after(ring, position, extent);
    require(reached != position, where + " has no sound extent at " + hex(position));
  });
  require(reached == tail, where + " has records that do not end at tail, but at " + hex(reached));
}

class Audit {
 public:
  Audit(const core::SegmentView& view, const os::LivenessLock& lock) : view_(view), lock_(lock) {}

  void rows(std::size_t living) {
    for (std::uint32_t i = 0; i < view_.geometry().rows; ++i) {
      const std::uint64_t word = view_.row(i).word.load();
      const std::string row = "row " + std::to_string(i) + " (" + hex(word) + ")";
      const bool held = lock_.state(i) == os::LockState::held;
      if (core::row_state(word) == layout::RowState::free) {
        require(!held, row + " is free, and its lock is held");
        continue;
      }
      require(core::row_state(word) == layout::RowState::alive, row + " is neither free nor alive");
      require(held, row + " is taken, and its owner is dead");
      require(layout::owner_of(word) == i + 1, row + " names another owner");
      require(view_.row(i).sweeping.load() == 0, row + " still says that it is sweeping");
      living_.insert(i);
    }
    require(living_.size() == living, std::to_string(living_.size()) + " rows are taken, " + std::to_string(living) +
                                          " processes are attached");
  }

  void entries() {
    for (std::uint32_t i = 0; i < view_.geometry().objects_max; ++i) {
      const std::uint64_t word = view_.entry(i).word.load();
      const auto state = static_cast<layout::EntryState>(layout::word_state(word));
      const std::string entry = "entry " + std::to_string(i) + " (" + hex(word) + ")";
      require(state == layout::EntryState::free || state == layout::EntryState::live, entry + " is neither free nor live");
      require(layout::owner_of(word) == layout::kNobody, entry + " still has an owner");
      for (std::uint32_t row = 0; row < view_.geometry().rows; ++row) {
        if ((view_.users(i, row).load() >> (row % 64) & 1) == 0) continue;
        require(living_.contains(row), entry + " has a user that is not there: row " + std::to_string(row));
        require(state == layout::EntryState::live, entry + " has a user: row " + std::to_string(row));
      }
      if (state == layout::EntryState::live) object(i, word);
    }
  }

  void units() const {
    for (std::uint64_t i = 0; i < view_.geometry().unit_count; ++i) {
      const std::uint64_t word = view_.unit(i).load();
      require(word == expected_units_[i],
              "unit " + std::to_string(i) + " is " + hex(word) + ", not " + hex(expected_units_[i]));
    }
  }

  void blocks() const {
    for (std::uint32_t i = 0; i < view_.geometry().block_count; ++i) {
      const std::uint64_t word = view_.block_word(i).load();
      require(layout::word_state(word) == static_cast<std::uint8_t>(layout::BlockState::free) &&
                  layout::owner_of(word) == layout::kNobody,
              "block " + std::to_string(i) + " is not free: " + hex(word));
    }
  }

 private:
  void object(std::uint32_t index, std::uint64_t word) {
    core::ObjectSpace space;
    const std::string entry = "entry " + std::to_string(index);
    require(names_.insert(view_.entry(index).name.get()).second,
            entry + " has another entry's name: " + view_.entry(index).name.get());
    require(core::space_of(view_, index, space), entry + " has a space outside the object area");
    const std::uint64_t first = (space.offset - view_.geometry().objects_offset) / layout::kUnitBytes;
    const std::uint64_t end = first + (space.size_bytes + layout::kUnitBytes - 1) / layout::kUnitBytes;
    require(end <= expected_units_.size(), entry + " ends after the object area");
    for (std::uint64_t i = first; i < end; ++i) {
      require(expected_units_[i] == 0, entry + " shares unit " + std::to_string(i) + " with another object");
      expected_units_[i] = layout::unit_word(layout::word_epoch(word), index);
    }
    const std::string name = "queue " + view_.entry(index).name.get();
    core::TaskTableParts parts;
    if (shmq::objects::table_of(view_, space, parts)) return table(parts, "task table " + view_.entry(index).name.get());
    core::ShmSpscMemory records;
    if (shmq::objects::spsc_ring_of(view_, space, records)) return drained(records, name);
    core::ShmRing ring;
    require(shmq::objects::ring_of(view_, space, ring), entry + " is no sound queue");
    queue(ring, name);
  }

  void table(const core::TaskTableParts& parts, const std::string& name) const {
    require((parts.header->state.load() & layout::kTableRemoved) == 0, name + " is live and says that it was removed");
    std::set<std::uint32_t> hinted;
    parts.free.for_each([&](std::uint32_t i) { hinted.insert(i); });
    for (std::uint32_t i = 0; i < parts.capacity; ++i) {
      const std::uint64_t word = parts.words.look(i);
      const std::string record = name + ", record " + std::to_string(i) + " (" + hex(word) + ")";
      require(layout::task_state(word) == layout::TaskState::free, record + " is not free");
      require(hinted.contains(i), record + " is free, and the free list does not have it");
    }
    for (std::uint32_t row = 0; row < parts.rows; ++row)
      for (const auto& cell : parts.users[row].claimed)
        require(cell.load() == 0, name + " has a cell of row " + std::to_string(row) + " that names a task");
  }

  void drained(const core::ShmSpscMemory& ring, const std::string& name) const {
    sound_ring(ring, name);
    require(ring.released().load() == ring.tail().load(), name + " is not drained");
    require((ring.state().load() & layout::kSpscRemoved) == 0, name + " is live and says that it was removed");
    const std::uint64_t closing = ring.state().load() & (layout::kSpscClosing | layout::kSpscClosed);
    require(closing == 0 || closing == (layout::kSpscClosing | layout::kSpscClosed), name + " was not quite closed");
    for (const layout::Word* end : {&ring.producer(), &ring.consumer()}) {
      const std::uint64_t word = end->load();
      require(core::end_state(word) == layout::EndState::free || living_.contains(layout::owner_of(word) - 1),
              name + " has an end whose owner is not there: " + hex(word));
    }
  }

  void queue(core::ShmRing& ring, const std::string& name) const {
    const std::uint64_t tail = ring.memory().tail().load();
    const std::uint64_t head = ring.memory().head().load();
    require(layout::ring_position(tail) == layout::ring_position(head),
            name + " is not drained: head " + hex(head) + ", tail " + hex(tail));
    require((tail & layout::kRingRemoved) == 0, name + " is live and says that it was removed");
    for (std::uint64_t i = 0; i < ring.capacity(); ++i) {
      const std::uint64_t position = layout::position_add(layout::ring_position(tail), i);
      const std::uint64_t word = ring.memory().slot(ring.index_of(position)).load();
      require(word == ring.free_word(position), name + " has a slot that is not free for its next lap: " + hex(word) +
                                                    " at index " + std::to_string(ring.index_of(position)) + ", not " +
                                                    hex(ring.free_word(position)));
      trail(ring.memory().producer_trail(i), tail, name);
      trail(ring.memory().consumer_trail(i), head, name);
    }
  }

  static void trail(const layout::Word& cell, std::uint64_t end, const std::string& name) {
    require(layout::position_diff(layout::ring_position(cell.load()), layout::ring_position(end)) <= 0,
            name + " has a note about a position that was not claimed yet: " + hex(cell.load()));
  }

  const core::SegmentView& view_;
  const os::LivenessLock& lock_;
  std::set<std::uint32_t> living_;
  std::set<std::string> names_;
  std::vector<std::uint64_t> expected_units_ = std::vector<std::uint64_t>(view_.geometry().unit_count);
};

}  // namespace

void audit(const std::string& segment, std::size_t living) {
  const Look look(segment);
  const os::LivenessLock lock = look.lock();
  Audit work(look.view(), lock);
  work.rows(living);
  work.entries();
  work.units();
  work.blocks();
}

void audit_rings(const std::string& segment) {
  const Look look(segment);
  const core::SegmentView& view = look.view();
  for (std::uint32_t i = 0; i < view.geometry().objects_max; ++i) {
    core::ObjectSpace space;
    core::ShmSpscMemory ring;
    if (static_cast<layout::EntryState>(layout::word_state(view.entry(i).word.load())) != layout::EntryState::live) continue;
    if (core::space_of(view, i, space) && shmq::objects::spsc_ring_of(view, space, ring))
      sound_ring(ring, "queue " + view.entry(i).name.get());
  }
}

}  // namespace killtest
