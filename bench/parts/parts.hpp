// The parts of shmq, each by itself: what the files of this folder share.
#pragma once

#include <benchmark/benchmark.h>
#include <shmq/shmq.hpp>
#include <unistd.h>

#include <string>

#include "harness/queue_kind.hpp"
#include "harness/ticks.hpp"

namespace bench {

/// A segment with one queue in it, gone with this object.
class OneQueue {
 public:
  OneQueue(QueueKind kind, std::size_t bytes, std::size_t depth)
      : segment_(make_segment("shmq-bench-parts-" + std::to_string(::getpid()), queue_options(kind, bytes, depth), bytes)),
        queue_(segment_.open_queue(kQueueName).value()) {}
  OneQueue(const OneQueue&) = delete;
  OneQueue& operator=(const OneQueue&) = delete;
  ~OneQueue() { (void)shmq::Segment::remove(segment_.name()); }

  shmq::Segment& segment() { return segment_; }
  shmq::Queue<>& queue() { return queue_; }

 private:
  shmq::Segment segment_;
  shmq::Queue<> queue_;
};

/// Each file registers its rows.
void add_step_rows();
void add_message_rows();
void add_block_rows();
void add_wake_rows();
void add_scaling_rows();  // with --scaling, instead of all others
void add_several_rows();
void add_reap_rows();
void add_segment_rows();
void add_inspect_rows();

}  // namespace bench
