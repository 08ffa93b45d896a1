#include "audit.hpp"

#include "failure.hpp"

#include "core/object_kinds.hpp"
#include "core/participants.hpp"
#include "objects/queue_object.hpp"
#include "os/liveness_lock.hpp"
#include "os/shared_memory.hpp"
#include "shmq/core/segment_view.hpp"

#include <cstdio>
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
    core::ShmRing ring;
    require(shmq::objects::ring_of(view_, space, ring), entry + " is no sound queue");
    queue(ring, "queue " + view_.entry(index).name.get());
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
  const std::string file = os::kSegmentPrefix + segment;
  const auto sound = [](const auto& result) { require(static_cast<bool>(result), result ? "" : result.error().message()); };
  const shmq::Result<os::Mapping> mapping = os::map_existing(file, os::Access::read_only);
  sound(mapping);
  const auto view = core::SegmentView::check(mapping->data(), mapping->size(), segment);
  sound(view);
  const auto lock = os::LivenessLock::open(file, mapping->file(), os::Access::read_only);
  sound(lock);
  require(!view->removed(), "the segment says that it was removed");
  Audit work(*view, *lock);
  work.rows(living);
  work.entries();
  work.units();
  work.blocks();
}

}  // namespace killtest
