#include "operations.hpp"

#include <cstring>
#include <utility>

#include "shmq/inspect.hpp"

namespace hostile {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t kHeldMax = 6;

template <class T>
T take_out(std::vector<T>& from, std::size_t i) {
  T taken = std::move(from[i]);
  from.erase(from.begin() + static_cast<std::ptrdiff_t>(i));
  return taken;
}
}  // namespace

Operations::Operations(std::string name, Dice& dice, Progress& progress)
    : name_(std::move(name)), dice_(dice), progress_(progress) {}

void Operations::enter(const char* operation) {
  progress_.operation.store(operation, std::memory_order_relaxed);
  progress_.step.fetch_add(1, std::memory_order_relaxed);
}

shmq::Limit Operations::soon() { return !hurry_ && dice_.one_in(4) ? shmq::Limit(1ms) : shmq::Limit(0ms); }

std::size_t Operations::some_size() {
  static constexpr std::size_t kSizes[] = {0, 1, 16, 32, 33, 48, 49, 80, 112, 400, 512, 513, 3000, 4096, 4097, std::size_t{1} << 40};
  return kSizes[dice_.below(std::size(kSizes))];
}

const char* Operations::some_name() { return kQueueNames[dice_.below(std::size(kQueueNames))]; }

Operations::Opened* Operations::any_queue() {
  return queues_.empty() ? nullptr : &queues_[dice_.below(queues_.size())];
}

void Operations::fill(std::span<std::byte> room) { std::memset(room.data(), 0x5a, room.size()); }

void Operations::look_at(const shmq::Message& m) {
  if (!m) return;
  for (const std::byte b : m.data()) seen_ += static_cast<unsigned char>(b);
  seen_ += m.type() + m.id().position + m.id().generation + m.deliveries() + m.producer_pid() + m.correlation() +
           static_cast<std::uint64_t>(m.published_ns()) + m.redelivered();
}

void Operations::look_at(const shmq::Result<shmq::SegmentSnapshot>& snapshot) {
  if (!snapshot) {
    seen_ += snapshot.error().message().size();
    return;
  }
  for (const auto& p : snapshot->participants) seen_ += p.name.size() + std::strlen(shmq::to_string(p.state));
  for (const auto& o : snapshot->objects) {
    seen_ += o.name.size() + o.kind.size() + o.damaged.size() + o.users.size();
    if (o.queue) seen_ += o.queue->depth + o.queue->holds.size();
    seen_ += snapshot->queue(o.name) != nullptr;
  }
  for (const auto& b : snapshot->blocks) seen_ += b.in_messages;
  seen_ += snapshot->participant(static_cast<std::uint32_t>(dice_.below(8))) != nullptr;
}

shmq::Result<shmq::Segment> Operations::attach() {
  enter("Segment::open");
  return shmq::Segment::open(name_, {.name = "hostile", .prefault = dice_.one_in(16)});
}

void Operations::add_queue(shmq::Result<shmq::Queue<void>> queue) {
  if (!queue || queues_.size() > 8) return;
  enter("Queue::producer");
  auto producer = queue->producer({.wait = dice_.one_in(8) ? shmq::Wait::spin_yield : shmq::Wait::spin_futex});
  enter("Queue::consumer");
  auto consumer = queue->consumer();
  queues_.push_back({std::move(*queue), std::move(producer), std::move(consumer)});
}

void Operations::open() {
  auto segment = attach();
  if (!segment) return;
  segment_ = std::move(*segment);
  for (const char* const name : kQueueNames) {
    enter("Segment::open_queue");
    add_queue(segment_->open_queue(name));
  }
  for (Opened& opened : queues_) {
    if (dice_.one_in(2)) {
      enter("Producer::try_claim");
      claims_.push_back(opened.producer.try_claim(dice_.one_in(2) ? 20 : 300));
    }
    if (dice_.one_in(2)) {
      enter("Consumer::try_receive");
      messages_.push_back(opened.consumer.try_receive());
    }
  }
}

void Operations::keep(shmq::Message message) {
  enter("Message, read");
  look_at(message);
  if (messages_.size() >= kHeldMax) {
    enter("Message::release");
    take_out(messages_, 0).release();
  }
  messages_.push_back(std::move(message));
}

void Operations::produce() {
  Opened* const queue = any_queue();
  if (queue == nullptr) return;
  shmq::Producer<void>& out = queue->producer;
  const std::size_t bytes = some_size();
  switch (dice_.below(6)) {
    case 0: {
      enter("Producer::claim");
      auto claim = out.claim(bytes, soon());
      if (claim) fill(claim.data());
      claim.set_type(5);
      claim.set_correlation(6);
      if (claims_.size() < kHeldMax) claims_.push_back(std::move(claim));
      break;
    }
    case 1: {
      enter("Producer::try_claim");
      auto claim = out.try_claim(bytes);
      if (claim) fill(claim.data());
      enter("Claim::publish");
      claim.publish(bytes / 2);
      break;
    }
    case 2: {
      const std::string payload(bytes < 10000 ? bytes : 10000, 'p');
      enter("Producer::send");
      seen_ += static_cast<unsigned>(out.send(std::as_bytes(std::span(payload)), soon(), 3));
      break;
    }
    case 3: {
      const std::string payload(bytes < 10000 ? bytes : 10000, 'q');
      enter("Producer::try_send");
      seen_ += static_cast<unsigned>(out.try_send(std::as_bytes(std::span(payload))));
      break;
    }
    case 4: {
      enter("Producer::claim_batch");
      auto batch = dice_.one_in(2) ? out.claim_batch(1 + dice_.below(70), bytes, soon()) : out.try_claim_batch(dice_.below(5), bytes);
      for (std::size_t i = 0; i < batch.size(); ++i) {
        fill(batch[i]);
        if (dice_.one_in(2)) batch.set(i, dice_.below(100), 4);
      }
      if (claim_batches_.size() < 3 && dice_.one_in(3)) {
        claim_batches_.push_back(std::move(batch));
        break;
      }
      enter("ClaimBatch::publish");
      batch.publish(dice_.below(5));
      break;
    }
    default:
      enter("Producer::max_payload");
      seen_ += out.max_payload() + out.max_inline();
  }
}

void Operations::consume() {
  Opened* const queue = any_queue();
  if (queue == nullptr) return;
  shmq::Consumer<void>& in = queue->consumer;
  switch (dice_.below(6)) {
    case 5: {
      enter("Selector::receive");
      shmq::Selector selector;
      for (Opened& opened : queues_) selector.add(opened.consumer);
      if (queues_.size() > 1) selector.remove(1);
      auto selected = dice_.one_in(2) ? selector.receive(soon()) : selector.try_receive();
      seen_ += selected.source + selector.size() + static_cast<unsigned>(selector.state(0));
      keep(std::move(selected.message));
      break;
    }
    case 0:
      enter("Consumer::receive");
      keep(in.receive(soon()));
      break;
    case 1:
    case 2:
      enter("Consumer::try_receive");
      keep(in.try_receive());
      break;
    case 3: {
      enter("Consumer::receive_batch");
      auto batch = dice_.one_in(2) ? in.receive_batch(1 + dice_.below(70), soon()) : in.try_receive_batch(8);
      enter("MessageBatch::for_each");
      batch.for_each([&](const shmq::Message& m) { look_at(m); });
      if (batches_.size() < 3) batches_.push_back(std::move(batch));
      break;
    }
    default: {
      enter("Queue::browse");
      shmq::Browser browser = queue->queue.browse(dice_.below(12));
      while (const auto m = browser.next()) {
        for (const std::byte b : m->payload) seen_ += static_cast<unsigned char>(b);
        seen_ += m->type + m->id.position + m->deliveries + m->holder_name.size() + std::strlen(to_string(m->state));
      }
    }
  }
}

/// Something that is held goes on.
void Operations::settle() {
  switch (dice_.below(7)) {
    case 6: {
      if (messages_.empty()) return;
      enter("Message::reject");
      seen_ += static_cast<unsigned>(messages_[dice_.below(messages_.size())].reject());
      return;
    }
    case 0:
    case 1: {
      if (messages_.empty()) return;
      auto message = take_out(messages_, dice_.below(messages_.size()));
      enter("Message, read");
      look_at(message);
      enter("Message::release");
      if (dice_.one_in(2)) return message.release();
      enter("Message::requeue");
      return message.requeue();
    }
    case 2: {
      Opened* const to = any_queue();
      if (messages_.empty() || to == nullptr) return;
      shmq::Message& message = messages_[dice_.below(messages_.size())];
      enter("Message::forward");
      seen_ += static_cast<unsigned>(message.forward(to->producer, soon()));
      return;
    }
    case 3: {
      if (batches_.empty()) return;
      auto batch = take_out(batches_, dice_.below(batches_.size()));
      enter("MessageBatch::pop_front");
      if (dice_.one_in(2)) keep(batch.pop_front());
      enter("MessageBatch::release");
      if (dice_.one_in(2)) return batch.release();
      enter("MessageBatch::requeue");
      return batch.requeue();
    }
    case 4: {
      if (claims_.empty()) return;
      auto claim = take_out(claims_, dice_.below(claims_.size()));
      if (claim) fill(claim.data());
      enter("Claim::publish");
      if (dice_.one_in(2)) return claim.publish();
      enter("Claim::abort");
      return claim.abort();
    }
    default: {
      if (claim_batches_.empty()) return;
      auto batch = take_out(claim_batches_, dice_.below(claim_batches_.size()));
      enter("ClaimBatch::publish");
      batch.publish(dice_.below(4));
    }
  }
}

void Operations::manage() {
  if (!segment_) {
    auto segment = attach();
    if (segment) segment_ = std::move(*segment);
    return;
  }
  switch (dice_.below(16)) {
    case 12:
      if (Opened* const queue = any_queue(); queue != nullptr) {
        enter("Queue::open_producer");
        if (auto producer = queue->queue.open_producer()) queue->producer = std::move(*producer);
      }
      break;
    case 13:
      if (Opened* const queue = any_queue(); queue != nullptr) {
        enter("Queue::open_consumer");
        if (auto consumer = queue->queue.open_consumer()) queue->consumer = std::move(*consumer);
      }
      break;
    case 14:
      enter("Segment::queue, a new one of the other kind");
      add_queue(segment_->queue("pipe" + std::to_string(dice_.below(2)),
                                {.kind = shmq::QueueKind::spsc, .ring_bytes = std::uint64_t{1024} << dice_.below(4), .metadata = dice_.one_in(2)}));
      break;
    case 0:
      enter("Segment::reap");
      seen_ += segment_->reap().total();
      break;
    case 1:
      enter("Segment::queues");
      for (const std::string& name : segment_->queues()) seen_ += name.size();
      break;
    case 2: {
      auto again = attach();
      if (!again) break;
      enter("Segment::open_queue, a second attachment");
      if (auto queue = again->open_queue(some_name())) look_at(queue->consumer().try_receive());
      enter("detach");
      break;
    }
    case 3:
      enter("Segment::open_queue");
      add_queue(segment_->open_queue(some_name()));
      break;
    case 4:
      enter("Segment::queue, as it is");
      add_queue(segment_->queue("a", {.capacity = 4}));
      break;
    case 5:
      enter("Segment::queue, new");
      add_queue(segment_->queue("new" + std::to_string(dice_.below(3)), {.capacity = std::uint64_t{1} << dice_.below(12)}));
      break;
    case 6:
      if (!dice_.one_in(3)) break;
      enter("Segment::remove_queue");
      seen_ += static_cast<bool>(segment_->remove_queue(some_name()));
      break;
    case 7: {
      enter("Segment::open_queue, typed");
      auto typed = segment_->open_queue<Payload16>("typed");
      if (!typed) break;
      enter("Consumer<T>::try_receive");
      auto in = typed->consumer();
      if (auto message = in.try_receive()) seen_ += message->first + message->second;
      enter("Producer<T>::try_send");
      seen_ += static_cast<unsigned>(typed->producer().try_send({3, 4}));
      break;
    }
    case 8:
      if (Opened* const queue = any_queue(); queue != nullptr) {
        enter("Queue::depth");
        seen_ += queue->queue.depth() + queue->queue.closed() + queue->queue.capacity();
      }
      break;
    case 9:
      if (Opened* const queue = any_queue(); queue != nullptr) {
        enter("Queue::purge");
        if (const auto purged = queue->queue.purge()) seen_ += *purged;
      }
      break;
    case 10:
      if (Opened* const queue = any_queue(); queue != nullptr && dice_.one_in(4)) {
        enter("Queue::close");
        queue->queue.close();
      }
      break;
    case 11:
      if (queues_.empty() || !dice_.one_in(3)) break;
      enter("the last handle of a queue goes");
      take_out(queues_, dice_.below(queues_.size()));
      break;
    default: {
      enter("Segment::open_or_create");
      auto same = shmq::Segment::open_or_create(name_, {.size_bytes = 96u << 10,
                                                        .blocks = {{{512, 8}, {4096, 3}}},
                                                        .participants_max = 5,
                                                        .objects_max = 9});
      seen_ += static_cast<bool>(same);
      enter("detach");
    }
  }
}

void Operations::inspect() {
  switch (dice_.below(3)) {
    case 0:
      enter("inspect_segment");
      return look_at(shmq::inspect_segment(name_, {.slots = !dice_.one_in(4)}));
    case 1:
      enter("inspect_copy");
      return look_at(shmq::inspect_copy("/dev/shm/shmq." + name_));
    default:
      enter("list_segments");
      seen_ += shmq::list_segments().size() + shmq::Segment::list().size();
  }
}

void Operations::step() {
  const std::uint64_t which = dice_.below(16);
  if (which < 5) return produce();
  if (which < 10) return consume();
  if (which < 13) return settle();
  if (which < 15) return manage();
  inspect();
}

void Operations::close() {
  while (!messages_.empty() || !batches_.empty() || !claims_.empty() || !claim_batches_.empty() || !queues_.empty()) {
    enter("what was held goes");
    switch (dice_.over() ? 0 : dice_.below(5)) {
      case 0:
        messages_.clear();
        if (!dice_.over()) break;
        [[fallthrough]];
      case 1:
        batches_.clear();
        claims_.clear();
        claim_batches_.clear();
        if (!dice_.over()) break;
        [[fallthrough]];
      case 2:
        queues_.clear();  // before the loans that were made from them
        break;
      case 3:
        claims_.clear();
        break;
      default:
        claim_batches_.clear();
    }
  }
  enter("detach");
  segment_.reset();
}

}  // namespace hostile
