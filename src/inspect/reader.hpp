// The parts of one look at a segment. Each reader takes a checked, read-only mapping and loads words from it;
// nothing here may call what stores to shared memory: the mapping is PROT_READ, and a store ends the process.
#pragma once

#include <cstdint>
#include <vector>

#include "core/object_kinds.hpp"
#include "os/liveness_lock.hpp"
#include "shmq/core/segment_view.hpp"
#include "shmq/inspect.hpp"

namespace shmq::inspect {

struct Source {
  core::SegmentView view;
  /// Null for a copy.
  const os::LivenessLock* lock = nullptr;
  bool slots = true;
  std::int64_t now_monotonic_ns = 0;
  std::int64_t now_realtime_ns = 0;
};

std::vector<ParticipantSnapshot> read_participants(const Source& source);

struct Findings {
  /// The blocks that messages own, as their slots name them.
  core::References references;
  /// How many slots there can still be: objects of a sound segment do not overlap, so a damaged directory
  /// that names one large queue a thousand times costs no more than a sound one.
  std::uint64_t slots_left = 0;
};

/// These fill `object.queue`, or `object.damaged`.
void read_queue(const Source& source, const core::ObjectSpace& space,
                const std::vector<ParticipantSnapshot>& participants, ObjectSnapshot& object,
                Findings& findings);

void read_spsc_queue(const Source& source, const core::ObjectSpace& space, ObjectSnapshot& object, Findings& findings);

/// Fills `object.tasks`, or `object.damaged`.
void read_task_table(const Source& source, const core::ObjectSpace& space, ObjectSnapshot& object, Findings& findings);

std::vector<ObjectSnapshot> read_objects(const Source& source,
                                         const std::vector<ParticipantSnapshot>& participants,
                                         Findings& findings);

/// Also counts what each participant answers for.
std::vector<BlockClassSnapshot> read_blocks(const Source& source, const core::References& named,
                                            std::vector<ParticipantSnapshot>& participants);

}  // namespace shmq::inspect
