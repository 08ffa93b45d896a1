// What the core needs of each kind of object without knowing it: one table, one row a kind. The objects layer
// fills it.
#pragma once

#include <cstdint>
#include <vector>

#include "shmq/core/attachment.hpp"
#include "shmq/core/segment_view.hpp"
#include "shmq/layout/segment_header.hpp"

namespace shmq::core {

/// A block reference in a slot: {block index, epoch}, as layout::block_reference packs them.
using References = std::vector<std::uint64_t>;

/// The space of an object as its directory entry describes it, already range-checked.
struct ObjectSpace {
  std::uint32_t entry = 0;
  std::uint64_t generation = 0;
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
};

struct ObjectKindOperations {
  /// Mends what `dead` held in the object. The object is pinned.
  void (*sweep)(Attachment& by, const ObjectSpace& space, std::uint32_t dead, Repairs& repairs);
  /// Wakes everybody who waits for it.
  void (*wake)(const SegmentView& view, const ObjectSpace& space);
  /// Lets users see `removed`, and wakes them.
  void (*mark_removed)(const SegmentView& view, const ObjectSpace& space);
  /// The blocks that its messages own just now.
  void (*references)(const SegmentView& view, const ObjectSpace& space, References& into);
};

/// Null for a kind that this program does not know.
const ObjectKindOperations* operations_of(layout::ObjectKind kind);

/// The entry's space, where it lies inside the object area; false otherwise.
bool space_of(const SegmentView& view, std::uint32_t entry, ObjectSpace& space);

void mark_objects_removed(const SegmentView& view);

}  // namespace shmq::core
