#include "throughput_roles.hpp"

#include <algorithm>

#include "failure.hpp"
#include "payload.hpp"

namespace shmq::bench {

namespace {

constexpr std::int64_t kFloorNs = 10'000'000;

std::uint64_t whole_lines(std::uint64_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

/// The slots of a Vyukov ring are those of the mpmc queue beside it, also where that takes blocks.
std::uint64_t vyukov_slot(std::size_t bytes) {
  return travels_inline(bytes) ? slot_bytes_for(bytes) : whole_lines(bytes + VyukovRing::kSlotHeader);
}

}  // namespace

ThroughputShared::ThroughputShared(const ThroughputPlan& plan, unsigned repeats)
    : arena(plan.capacity * (whole_lines(plan.bytes) + vyukov_slot(plan.bytes)) +
            notes_count(plan, repeats) * sizeof(Notes) +
            controls_count(plan, repeats) * sizeof(FlowControl) + 2 * repeats * sizeof(Histogram) +
            (96u << 10)),
      notes(arena.make_array<Notes>(notes_count(plan, repeats))),
      controls(arena.make_array<FlowControl>(controls_count(plan, repeats))),
      floors(arena.make_array<Histogram>(std::size_t{2} * repeats)),
      everybody(arena.make<Barrier>(plan.roles())),
      lines(arena.make<FloorLines>()),
      done(arena.make<std::atomic<std::uint64_t>>()),
      plain(arena.make<PlainRing>()),
      vyukov(arena.make<VyukovRing>()) {
  plain.capacity = vyukov.capacity = plan.capacity;
  plain.slot_bytes = whole_lines(plan.bytes);
  plain.slots = arena.take(plan.capacity * plain.slot_bytes);
  vyukov.slot_bytes = vyukov_slot(plan.bytes);
  vyukov.slots = arena.take(plan.capacity * vyukov.slot_bytes);
  vyukov.initialise();
  for (std::size_t i = 0; i < controls_count(plan, repeats); ++i) {
    controls[i].producing.value.store(plan.producers);
    controls[i].consuming.value.store(plan.consumers);
  }
}

void ThroughputRole::run() {
  attach();
  for (unsigned repeat = 0; repeat <= settings_.repeats; ++repeat) {
    if (repeat > 0) measure_floor(shared_.floors[2 * (repeat - 1)]);
    for (std::size_t lane = 0; lane < plan_.lanes.size(); ++lane) {
      const std::size_t sample = repeat * plan_.lanes.size() + lane;
      shared_.everybody.meet();
      play(plan_.lanes[lane], repeat == 0, shared_.controls[sample],
           shared_.notes[sample * plan_.roles() + index_]);
      if (index_ == 0) shared_.done.fetch_add(1, std::memory_order_relaxed);
    }
    if (repeat > 0) measure_floor(shared_.floors[2 * (repeat - 1) + 1]);
  }
}

void ThroughputRole::attach() {
  std::vector<NamedQueue> queues;
  for (const Lane& lane : plan_.lanes)
    if (lane.system == System::queue &&
        std::none_of(queues.begin(), queues.end(),
                     [&](const NamedQueue& q) { return q.plan.kind == lane.kind; }))
      queues.push_back({to_string(lane.kind), {lane.kind, plan_.bytes, plan_.capacity}});
  if (index_ == 0) segment_ = create_segment(segment_name_, queues, plan_.roles());
  shared_.everybody.meet();
  if (!segment_)
    segment_ = cli::need(Segment::open(segment_name_, {.name = "shmq-bench", .prefault = true}));
  for (const NamedQueue& queue : queues) queues_.push_back(cli::need(segment_->open_queue(queue.name)));
  kinds_ = queues;
}

Queue<void>& ThroughputRole::queue_of(Kind kind) {
  for (std::size_t i = 0; i < kinds_.size(); ++i)
    if (kinds_[i].plan.kind == kind) return queues_[i];
  throw cli::Failure{cli::kFailed, "no queue of that kind"};
}

void ThroughputRole::measure_floor(Histogram& into) {
  shared_.everybody.meet();
  if (!settings_.two_cpus()) return;
  if (index_ == 0) floor_ping(shared_.lines, {0, tick_clock.units(kFloorNs), 200}, into);
  // The first role that is on another processor.
  if (index_ == 1) floor_pong(shared_.lines);
}

FlowLength ThroughputRole::length(bool warms_up) const {
  const std::int64_t ns = warms_up ? settings_.sample_ns / 4 : settings_.sample_ns;
  return {settings_.count == 0 ? 0 : (settings_.count + plan_.producers - 1) / plan_.producers,
          tick_clock.units(ns)};
}

template <class Sender, class Publish, class Receiver>
void ThroughputRole::play_ring(const FlowLength& how_long, FlowControl& control, Notes& notes, Sender& sender,
                       Publish&& publish, Receiver& receiver) {
  if (produces()) {
    produce(control, how_long, index_ == 0, notes, [&](std::uint64_t first, std::uint64_t, std::uint64_t& sum) {
      sum += write_payload(sender.claim(), plan_.bytes, first);
      publish();
      return 1u;
    });
    return;
  }
  consume(
      control, notes,
      [&](std::uint64_t& sum, auto&& each) {
        const std::byte* const data = receiver.receive();
        each(first_word(data));
        sum += read_payload(data, plan_.bytes);
        receiver.release();
      },
      [] {});
}

void ThroughputRole::play(const Lane& lane, bool warms_up, FlowControl& control, Notes& notes) {
  const FlowLength how_long = length(warms_up);
  switch (lane.system) {
    case System::plain: {
      PlainSender sender(shared_.plain);
      PlainReceiver receiver(shared_.plain);
      play_ring(how_long, control, notes, sender, [&] { sender.publish(); }, receiver);
      break;
    }
    case System::vyukov: {
      VyukovSender sender(shared_.vyukov);
      VyukovReceiver receiver(shared_.vyukov);
      play_ring(how_long, control, notes, sender, [&] { sender.publish(plan_.bytes); }, receiver);
      break;
    }
    case System::boost: {
      BoostSender sender(*boost_, plan_.bytes);
      if (produces()) {
        produce(control, how_long, index_ == 0, notes,
                [&](std::uint64_t first, std::uint64_t, std::uint64_t& sum) {
                  sum += sender.send(first);
                  return 1u;
                });
      } else {
        BoostReceiver receiver(*boost_, plan_.bytes);
        consume(
            control, notes, [&](std::uint64_t& sum, auto&& each) { receiver.receive(sum, each); },
            [&] { sender.send(kEnd); });
      }
      break;
    }
    case System::queue:
      play_queue(lane, control, how_long, notes);
      break;
  }
}

void ThroughputRole::play_queue(const Lane& lane, FlowControl& control, const FlowLength& how_long, Notes& notes) {
  Queue<void>& queue = queue_of(lane.kind);
  if (produces()) {
    ShmqSender sender(queue, plan_.bytes, settings_.wait);
    if (lane.batch == 1)
      produce(control, how_long, index_ == 0, notes,
              [&](std::uint64_t first, std::uint64_t, std::uint64_t& sum) {
                sum += sender.send(first);
                return 1u;
              });
    else
      produce(control, how_long, index_ == 0, notes,
              [&](std::uint64_t first, std::uint64_t most, std::uint64_t& sum) {
                return sender.send_batch(first, std::min<std::uint64_t>(most, lane.batch), sum);
              });
    return;
  }
  ShmqReceiver receiver(queue, plan_.bytes, settings_.wait);
  // Only where consumers compete: an spsc queue has one producer.
  const auto pass_on = [&] { ShmqSender(queue, plan_.bytes, settings_.wait).send(kEnd); };
  if (lane.batch == 1)
    consume(
        control, notes, [&](std::uint64_t& sum, auto&& each) { receiver.receive(sum, each); }, pass_on);
  else
    consume(
        control, notes,
        [&](std::uint64_t& sum, auto&& each) { receiver.receive_batch(lane.batch, sum, each); }, pass_on);
}

}  // namespace shmq::bench
