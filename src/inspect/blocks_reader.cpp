#include <algorithm>
#include <unordered_set>

#include "inspect/reader.hpp"
#include "shmq/layout/queue_header.hpp"

namespace shmq::inspect {

using layout::BlockState;

std::vector<BlockClassSnapshot> read_blocks(const Source& source, const core::References& named,
                                            std::vector<ParticipantSnapshot>& participants) {
  const core::Geometry& geometry = source.view.geometry();
  const std::unordered_set<std::uint64_t> references(named.begin(), named.end());
  std::vector<ParticipantSnapshot*> by_id(geometry.rows + 1, nullptr);
  for (ParticipantSnapshot& p : participants) by_id[p.id] = &p;

  std::vector<BlockClassSnapshot> classes;
  for (const layout::BlockClassGeometry& c : geometry.block_classes()) {
    BlockClassSnapshot seen;
    seen.block_bytes = c.block_bytes;
    seen.count = c.count;
    for (std::uint32_t i = 0; i < c.count; ++i) {
      const std::uint32_t index = c.first_index + i;
      const std::uint64_t word = source.view.block_word(index).load(std::memory_order_acquire);
      if (static_cast<BlockState>(layout::word_state(word)) == BlockState::free) {
        ++seen.free;
        continue;
      }
      if (!source.slots) continue;
      // A message's block is its slot's, whoever the word still names.
      if (references.contains(layout::block_reference(layout::word_epoch(word), index))) {
        ++seen.in_messages;
        continue;
      }
      const std::uint32_t owner = layout::owner_of(word);
      if (owner == layout::kNobody) continue;
      ++seen.by_participants;
      if (owner < by_id.size() && by_id[owner] != nullptr) ++by_id[owner]->blocks;
    }
    classes.push_back(seen);
  }
  return classes;
}

}  // namespace shmq::inspect
