// Queues of either kind, declared for payloads of one size: the same for the parts and beside the peers.
#pragma once

#include <shmq/shmq.hpp>

#include <cstdint>
#include <string>

namespace bench {

using shmq::QueueKind;
inline const char* to_string(QueueKind kind) { return kind == QueueKind::spsc ? "spsc" : "mpmc"; }
/// Those whose rows every part has.
inline constexpr QueueKind kQueueKinds[] = {QueueKind::mpmc, QueueKind::spsc};

inline constexpr const char* kQueueName = "q";

/// The largest payload that is put into the slot of an mpmc queue; what is larger travels in a block.
inline constexpr std::size_t kInlineMax = 4096 - 16;

/// A queue for `depth` payloads of `bytes`.
shmq::QueueOptions queue_options(QueueKind kind, std::size_t bytes, std::size_t depth);

/// A segment with that queue and, where the payload takes one, a block for each message and a few to spare.
/// Its pages are touched. Throws shmq::BadResult.
shmq::Segment make_segment(const std::string& name, const shmq::QueueOptions& options, std::size_t bytes);

/// Attaches, with every page touched.
shmq::Segment open_segment(const std::string& name);

}  // namespace bench
