#include "queue_ends.hpp"

#include <algorithm>
#include <bit>
#include <map>

#include "shmq/capacity_plan.hpp"

namespace shmq::bench {

QueueOptions QueuePlan::options() const {
  QueueOptions options;
  if (kind == Kind::spsc) {
    options.kind = QueueKind::spsc;
    // As many bytes as the slots of a plain ring take; but a record has a header, and half the ring at most.
    const std::uint64_t lines = (bytes + kLine - 1) / kLine * kLine;
    options.ring_bytes = std::bit_ceil(std::max<std::uint64_t>(capacity * lines, 4 * (lines + kLine)));
  } else {
    options.capacity = capacity;
    options.slot_bytes = slot_bytes_for(bytes);
  }
  return options;
}

Segment create_segment(const std::string& name, const std::vector<NamedQueue>& queues, unsigned roles) {
  CapacityPlan plan(roles + 4, static_cast<std::uint32_t>(queues.size()) + 4);
  std::map<std::uint64_t, std::uint32_t> blocks;
  for (const NamedQueue& queue : queues) {
    plan.queue(queue.plan.options());
    // A claim takes its block before its slot.
    if (queue.plan.kind == Kind::mpmc && !travels_inline(queue.plan.bytes))
      blocks[queue.plan.bytes] += static_cast<std::uint32_t>(queue.plan.capacity) + roles;
  }
  for (const auto& [bytes, count] : blocks) plan.blocks(bytes, count);
  SegmentOptions options = cli::need(plan.options());
  options.prefault = true;
  Segment segment = cli::need(Segment::create(name, options, {.name = "shmq-bench", .prefault = true}));
  for (const NamedQueue& queue : queues) (void)cli::need(segment.queue(queue.name, queue.plan.options()));
  return segment;
}

void fail_with(const char* what, Outcome outcome) {
  throw cli::Failure{cli::kFailed, std::string(what) + " answered " + to_string(outcome)};
}

}  // namespace shmq::bench
