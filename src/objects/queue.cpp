#include "shmq/queue.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "objects/spsc_queue.hpp"
#include "objects/waiter.hpp"

namespace shmq {

namespace {

template <class Kind>
Kind* make_endpoint(const std::shared_ptr<core::QueueHandle>& queue, Wait wait) {
  auto* endpoint = new Kind;
  endpoint->queue = queue;
  endpoint->ring = queue->ring;
  endpoint->me = queue->attachment->me();
  endpoint->is_spsc = queue->is_spsc;
  if (queue->is_spsc) endpoint->records = decltype(endpoint->records)(queue->records);
  endpoint->detached = &queue->attachment->detached_flag();
  endpoint->wait = wait;
  endpoint->dispose = [](core::Endpoint* e) {
    auto* const mine = static_cast<Kind*>(e);
    if (mine->is_spsc && !mine->is_detached()) mine->records.let_go();
    delete mine;
  };
  return endpoint;
}

}  // namespace

Producer<void> Queue<void>::producer(const ProducerOptions& options) const {
  auto* endpoint = make_endpoint<core::ProducerEndpoint>(handle_, options.wait);
  if (endpoint->is_spsc)
    core::take_end_of(*endpoint);  // where it is busy, each claim tries again
  else if (!endpoint->is_detached())
    core::keep_base_near(*handle_,
                         layout::ring_position(handle_->header->tail.load(std::memory_order_acquire)));
  return Producer<void>(endpoint);
}

Consumer<void> Queue<void>::consumer(const ConsumerOptions& options) const {
  auto* endpoint = make_endpoint<core::ConsumerEndpoint>(handle_, options.wait);
  if (endpoint->is_spsc) core::take_end_of(*endpoint);  // where it is busy, each receive tries again
  return Consumer<void>(endpoint);
}

namespace {

Error busy_end(const core::QueueHandle& queue, const char* end, std::uint64_t owner_word) {
  const core::SegmentView& view = queue.attachment->view();
  const std::uint32_t owner = layout::owner_of(owner_word);
  std::string who = "participant " + std::to_string(owner);
  if (owner >= 1 && owner <= view.geometry().rows) {
    const layout::ParticipantRow& row = view.row(owner - 1);
    who = "\"" + base::printable(row.name.get()) + "\"" + " (pid " + std::to_string(row.pid) + ")";
  }
  return Error(ErrorCode::busy, "the " + std::string(end) + "'s end of spsc queue \"" + queue.name +
                                    "\" in segment \"" + queue.attachment->name() + "\" belongs to " + who +
                                    ", which is alive: wait until it lets go, or declare the queue as mpmc");
}

/// The end, or who has it.
template <class Endpoint>
std::optional<Error> insist_on_end(Endpoint& endpoint, const char* end) {
  core::QueueHandle& queue = *endpoint.queue;
  if (endpoint.is_detached())
    return Error(ErrorCode::detached, "queue \"" + queue.name + "\" was opened before a fork(): attach again in the child");
  if (!endpoint.is_spsc) return std::nullopt;
  std::uint64_t owner = 0;
  const core::RingStatus status = core::take_end_of(endpoint, &owner);
  if (status == core::RingStatus::busy) return busy_end(queue, end, owner);
  if (status != core::RingStatus::ok)
    return Error(ErrorCode::corrupt, "queue \"" + queue.name + "\" in segment \"" + queue.attachment->name() +
                                         "\" has damaged positions: remove the queue and declare it again");
  return std::nullopt;
}

}  // namespace

Result<Producer<void>> Queue<void>::open_producer(const ProducerOptions& options) const {
  Producer<void> producer = this->producer(options);
  if (auto error = insist_on_end(*producer.endpoint_, "producer")) return *error;
  return producer;
}

Result<Consumer<void>> Queue<void>::open_consumer(const ConsumerOptions& options) const {
  Consumer<void> consumer = this->consumer(options);
  if (auto error = insist_on_end(*consumer.endpoint_, "consumer")) return *error;
  return consumer;
}

QueueKind Queue<void>::kind() const { return handle_->is_spsc ? QueueKind::spsc : QueueKind::mpmc; }

std::uint64_t Queue<void>::capacity() const {
  return handle_->is_spsc ? handle_->records.ring_bytes() : handle_->ring.capacity();
}

std::uint64_t Queue<void>::depth() const {
  if (handle_->is_spsc) return core::records_to_take(handle_->records);
  // head first: it only grows, so that the difference is never negative.
  const std::uint64_t head = layout::ring_position(handle_->header->head.load(std::memory_order_acquire));
  const std::uint64_t tail = layout::ring_position(handle_->header->tail.load(std::memory_order_acquire));
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, layout::position_diff(tail, head)));
}

bool Queue<void>::closed() const {
  if (handle_->is_spsc)
    return handle_->records.state().load(std::memory_order_acquire) & layout::kSpscClosing;
  return handle_->header->tail.load(std::memory_order_acquire) & layout::kRingClosed;
}

void Queue<void>::close() {
  if (handle_->attachment->detached()) return;
  if (handle_->is_spsc)
    core::close_records(handle_->records);
  else
    handle_->ring.close();
  handle_->data_event->fetch_or(core::kEventClosed, std::memory_order_acq_rel);
  core::notify_everyone(*handle_->data_event);
  core::notify_everyone(*handle_->space_event);
  core::notify_everyone(handle_->attachment->view().header().blocks_event);
}

Result<std::uint64_t> Queue<void>::purge() {
  if (handle_->is_spsc) {
    Result<Consumer<void>> consumer = open_consumer();
    if (!consumer) return consumer.error();
    return core::purge_records(*consumer->endpoint_);
  }
  const std::uint64_t end = layout::ring_position(handle_->header->tail.load(std::memory_order_acquire));
  const auto newer = [&](std::uint64_t position) { return layout::position_diff(position, end) >= 0; };
  Consumer<void> consumer = this->consumer();
  core::ConsumerEndpoint& endpoint = *consumer.endpoint_;
  if (endpoint.is_detached())
    return Error(ErrorCode::detached, "queue \"" + name() + "\" was opened before a fork(): attach again in the child");
  std::uint64_t purged = 0, passed = 0;
  while (passed < capacity()) {  // never more between head and tail, whatever they say
    const std::uint64_t head = layout::ring_position(handle_->header->head.load(std::memory_order_acquire));
    const std::int64_t left = layout::position_diff(end, head);
    if (left <= 0) break;
    const core::Grant grant =
        endpoint.ring.try_take(endpoint.me, static_cast<std::uint32_t>(std::min<std::int64_t>(left, 64)));
    if (grant.status != core::RingStatus::ok) break;
    passed += grant.count;
    for (std::uint64_t rest = endpoint.messages_of(grant); rest != 0; rest &= rest - 1) {
      const std::uint64_t position =
          layout::position_add(grant.position, static_cast<std::uint64_t>(__builtin_ctzll(rest)));
      // Other consumers may have moved head past `end` meanwhile: what is newer goes back, to be delivered.
      if (newer(position)) {
        core::requeue_message(endpoint, position);
        continue;
      }
      endpoint.release(position);
      ++purged;
    }
  }
  // What waits for redelivery, oldest first, as far as it is older than the purge.
  for (std::uint64_t i = 0; i < capacity(); ++i) {
    const core::Grant again = endpoint.ring.try_take_redelivered(endpoint.me);
    if (again.status != core::RingStatus::ok) break;
    if (newer(again.position)) {
      core::requeue_message(endpoint, again.position);
      break;
    }
    endpoint.release(again.position);
    ++purged;
  }
  handle_->header->purged.fetch_add(purged, std::memory_order_relaxed);
  return purged;
}

}  // namespace shmq
