#include "harness/queue_kind.hpp"

#include <algorithm>
#include <bit>

namespace bench {

shmq::QueueOptions queue_options(QueueKind kind, std::size_t bytes, std::size_t depth) {
  shmq::QueueOptions options;
  options.kind = kind;
  if (kind == QueueKind::spsc) {
    options.ring_bytes = std::bit_ceil((bytes + 16) * depth);
    return options;
  }
  options.capacity = depth;
  options.slot_bytes =
      bytes > kInlineMax ? 64 : static_cast<std::uint32_t>(std::bit_ceil(std::max<std::size_t>(bytes + 16, 64)));
  return options;
}

shmq::Segment make_segment(const std::string& name, const shmq::QueueOptions& options, std::size_t bytes) {
  shmq::CapacityPlan plan(48, 8);  // 16x16 workers and who made it
  plan.queue(options);
  if (options.kind == QueueKind::mpmc && bytes > kInlineMax) plan.blocks(bytes, static_cast<std::uint32_t>(options.capacity) + 16);
  shmq::SegmentOptions segment_options = plan.options().value();
  segment_options.prefault = true;
  shmq::Segment segment = shmq::Segment::create(name, segment_options).value();
  (void)segment.queue(kQueueName, options).value();
  return segment;
}

shmq::Segment open_segment(const std::string& name) {
  return shmq::Segment::open(name, {.prefault = true}).value();
}

}  // namespace bench
