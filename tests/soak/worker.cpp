#include "worker.hpp"

#include <unistd.h>

#include <cstdio>
#include <memory>

namespace soak {

int Worker::run() {
  std::optional<shmq::Segment> segment;
  std::uint32_t opened = ~0u;
  for (;;) {
    const std::uint32_t command = control_.command.load();
    const Phase phase = static_cast<Phase>(command & 7);
    if (phase == Phase::leave) {
      let_go(true);
      return 0;
    }
    const bool done =
        phase == Phase::pause || ((phase == Phase::drain || phase == Phase::close) && finished(phase));
    if (done) {
      let_go(phase == Phase::close);
      if (phase == Phase::close) opened = ~0u;
      control_.workers[place_.slot].acknowledged.store(command);
      ::usleep(500);
      continue;
    }
    if (!segment) {
      auto attached = shmq::Segment::open(place_.segment, {.name = "soak " + std::to_string(place_.number)});
      if (!attached) wrong("cannot open the segment: " + attached.error().message());
      segment.emplace(std::move(*attached));
      opened = ~0u;
    }
    if (const std::uint32_t set = control_.queue_set.load(); set != opened) {
      let_go(true);
      open_queues(*segment);
      opened = set;
    }
    step(phase);
    if (chance(0.0002)) {  // detaches and comes again
      let_go(true);
      segment.reset();
    }
  }
}

shmq::Queue<void> Worker::queue(shmq::Segment& segment, QueueNumber number) {
  auto opened = segment.open_queue(queue_plans()[number].name);
  if (!opened) wrong("cannot open a queue: " + opened.error().message());
  return *opened;
}

void Worker::perhaps_leave() {
  if (!place_.veteran && chance(0.0001)) ::_exit(0);
}

void Worker::wrong(const std::string& what) {
  std::fprintf(stderr, "shmq-soak: worker %u (role %u, pid %d): %s\n", place_.number,
               static_cast<unsigned>(place_.role), ::getpid(), what.c_str());
  control_.failures.fetch_add(1);
  ::_exit(3);
}

void Worker::waited(std::int64_t since_ns) {
  const std::int64_t now = shmq::base::monotonic_ns();
  if (now - since_ns < 1'000'000) return;
  // Only what a kill can have caused: one within the wait, and nobody stopped since.
  const std::int64_t kill = control_.last_kill_ns.load();
  if (kill < since_ns || kill > now || control_.stopped.load() != 0 ||
      control_.last_resume_ns.load() >= since_ns)
    return;
  std::int64_t longest = control_.longest_wait_ns.load();
  while (now - kill > longest && !control_.longest_wait_ns.compare_exchange_weak(longest, now - kill)) {
  }
}

void Worker::has_end(QueueNumber queue, bool producers) {
  if (has_[queue][producers]) return;
  has_[queue][producers] = true;
  Control::End& end = control_.ends[queue][producers];
  end.owner.store(place_.number);
  if (end.owner_died.exchange(false)) control_.successions.fetch_add(1);
}

void Worker::leaves_end(QueueNumber queue, bool producers) {
  if (!has_[queue][producers]) return;
  has_[queue][producers] = false;
  control_.ends[queue][producers].owner.store(0);
}

Record Worker::record_of(const shmq::Message& message, QueueNumber queue) {
  Record record;
  record.time_ns = shmq::base::monotonic_ns();
  bool intact = false;
  record.id = read_payload(message.data(), intact);
  if (!intact)
    wrong("the payload of message " + std::to_string(message.id().position) + " in " +
          queue_plans()[queue].name + " (" + std::to_string(message.size()) + " bytes, id " +
          std::to_string(record.id) + ") is not what was sent");
  const shmq::MessageId id = message.id();
  record.position = id.position;
  record.generation = static_cast<std::uint32_t>(id.generation);
  record.event = Event::got;
  record.queue = queue;
  record.marked = message.redelivered();
  return record;
}

int run_worker(Control& control, const WorkerPlace& place) {
  std::unique_ptr<Worker> worker;
  switch (place.role) {
    case Role::producer:
    case Role::spsc_producer:
      worker = make_producer(control, place);
      break;
    case Role::consumer:
    case Role::single_consumer:
    case Role::spsc_consumer:
      worker = make_consumer(control, place);
      break;
    case Role::forwarder:
      worker = make_forwarder(control, place);
      break;
  }
  return worker->run();
}

}  // namespace soak
