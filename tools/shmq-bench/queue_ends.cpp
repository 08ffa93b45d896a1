#include "queue_ends.hpp"

#include <algorithm>
#include <map>

#include "shmq/capacity_plan.hpp"

namespace shmq::bench {

namespace {

/// True where this build of the library has queues of the kind.
template <class Options>
bool choose_kind(Options& options, const QueuePlan& plan) {
  if (plan.kind == Kind::mpmc) return true;
  if constexpr (requires { options.ring_bytes; }) {
    using QueueKind = decltype(options.kind);
    options.kind = QueueKind::spsc;
    options.ring_bytes = std::max<std::uint64_t>(65536, plan.capacity * slot_bytes_for(plan.bytes));
    return true;
  }
  return false;
}

}  // namespace

bool available(Kind kind) {
  QueueOptions options;
  return choose_kind(options, {kind, kPayloadLeast, 16});
}

QueueOptions QueuePlan::options() const {
  QueueOptions options;
  options.capacity = capacity;
  options.slot_bytes = slot_bytes_for(bytes);
  choose_kind(options, *this);
  return options;
}

Segment create_segment(const std::string& name, const std::vector<NamedQueue>& queues, unsigned roles) {
  CapacityPlan plan(roles + 4, static_cast<std::uint32_t>(queues.size()) + 4);
  std::map<std::uint64_t, std::uint32_t> blocks;
  for (const NamedQueue& queue : queues) {
    plan.queue(queue.plan.options());
    // A claim takes its block before its slot.
    if (!travels_inline(queue.plan.bytes))
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
