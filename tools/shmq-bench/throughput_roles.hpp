// The processes of one `throughput` run: what they share, and what each of them does.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arena.hpp"
#include "boost_queue.hpp"
#include "floor.hpp"
#include "flow.hpp"
#include "plain_ring.hpp"
#include "queue_ends.hpp"
#include "stage.hpp"
#include "throughput_plan.hpp"
#include "vyukov_ring.hpp"

namespace shmq::bench {

/// What all roles share beside the queues.
struct ThroughputShared {
  ThroughputShared(const ThroughputPlan& plan, unsigned repeats);
  // One sample more for each lane than is counted: the first warms up.
  static std::size_t controls_count(const ThroughputPlan& plan, unsigned repeats) {
    return plan.lanes.size() * (repeats + 1);
  }
  static std::size_t notes_count(const ThroughputPlan& plan, unsigned repeats) {
    return controls_count(plan, repeats) * plan.roles();
  }

  Arena arena;
  Notes* notes;
  FlowControl* controls;
  Histogram* floors;
  Barrier& everybody;
  FloorLines& lines;
  std::atomic<std::uint64_t>& done;
  PlainRing& plain;
  VyukovRing& vyukov;
};

/// One producer or consumer.
class ThroughputRole {
 public:
  ThroughputRole(const Settings& settings, const ThroughputPlan& plan, ThroughputShared& shared, const std::string& segment,
         BoostQueue* boost, unsigned index)
      : settings_(settings),
        plan_(plan),
        shared_(shared),
        segment_name_(segment),
        boost_(boost),
        index_(index) {}

  void run();

 private:
  bool produces() const { return index_ < plan_.producers; }
  FlowLength length(bool warms_up) const;
  void attach();
  Queue<void>& queue_of(Kind kind);
  void measure_floor(Histogram& into);
  void play(const Lane& lane, bool warms_up, FlowControl& control, Notes& notes);
  template <class Sender, class Publish, class Receiver>
  void play_ring(const FlowLength& how_long, FlowControl& control, Notes& notes, Sender& sender, Publish&& publish,
                 Receiver& receiver);
  void play_queue(const Lane& lane, FlowControl& control, const FlowLength& how_long, Notes& notes);

  const Settings& settings_;
  const ThroughputPlan& plan_;
  ThroughputShared& shared_;
  const std::string& segment_name_;
  BoostQueue* const boost_;
  const unsigned index_;
  std::optional<Segment> segment_;
  std::vector<Queue<void>> queues_;
  std::vector<NamedQueue> kinds_;
};

}  // namespace shmq::bench
