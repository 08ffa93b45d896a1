#include "pair.hpp"

#include <optional>

namespace shmq::bench {

std::vector<std::unique_ptr<ShmqEnds>> attach_pair(const Settings& settings, const std::vector<Kind>& kinds,
                                                   const PairShape& shape, Barrier& both,
                                                   const std::string& segment_name, bool pings) {
  const auto name = [](const char* way, Kind kind) { return std::string(way) + "-" + to_string(kind); };
  std::optional<Segment> segment;
  if (pings) {
    std::vector<NamedQueue> queues;
    for (const Kind kind : kinds)
      for (const char* way : {"there", "back"})
        queues.push_back({name(way, kind), {kind, shape.bytes, shape.capacity}});
    segment = create_segment(segment_name, queues, 2);
  }
  both.meet();
  if (!pings) segment = cli::need(Segment::open(segment_name, {.name = "shmq-bench", .prefault = true}));
  std::vector<std::unique_ptr<ShmqEnds>> ends;
  for (const Kind kind : kinds) {
    Queue<void> there = cli::need(segment->open_queue(name("there", kind)));
    Queue<void> back = cli::need(segment->open_queue(name("back", kind)));
    ends.push_back(std::unique_ptr<ShmqEnds>(
        new ShmqEnds{ShmqSender(pings ? there : back, shape.bytes, settings.wait),
                     ShmqReceiver(pings ? back : there, shape.bytes, settings.wait)}));
  }
  return ends;
}

}  // namespace shmq::bench
