// Consumers' descriptors. Contracts are in shmq/consumer.hpp; how they work, in objects/watcher.hpp.
#include <memory>

#include "objects/watcher.hpp"
#include "os/event_descriptor.hpp"
#include "shmq/consumer.hpp"

namespace shmq {

namespace core {

void unwatch(ConsumerEndpoint& consumer) {
  const std::unique_ptr<objects::Watch> watch(std::exchange(consumer.watch, nullptr));
  // In the child of a fork() the helper is not there, and only the copy of the descriptor is ours.
  if (!consumer.is_detached()) objects::Watcher::of_this_process().remove(*watch);
  os::close_event(watch->descriptor);
}

void raise_armed(ConsumerEndpoint& consumer) { objects::Watcher::of_this_process().raise(*consumer.watch); }

}  // namespace core

Result<int> Consumer<void>::descriptor() {
  core::ConsumerEndpoint& consumer = *endpoint_;
  const auto refused = [&](const Error& error) {
    return Error(error.code(), "no descriptor for a consumer of queue \"" + consumer.queue->name +
                                   "\": " + error.message());
  };
  if (consumer.is_detached())
    return refused(
        Error(ErrorCode::detached, "it was made before a fork(): open the segment again in the child"));
  if (consumer.watch != nullptr) return consumer.watch->descriptor;
  auto watch = std::make_unique<objects::Watch>();
  watch->queue = consumer.queue.get();
  const Result<int> descriptor = os::make_event_descriptor();
  if (!descriptor) return refused(descriptor.error());
  watch->descriptor = *descriptor;
  if (const Status added = objects::Watcher::of_this_process().add(*watch); !added) {
    os::close_event(watch->descriptor);
    return refused(added.error());
  }
  consumer.watch = watch.release();
  return consumer.watch->descriptor;
}

Outcome Consumer<void>::arm() {
  core::ConsumerEndpoint& consumer = *endpoint_;
  if (consumer.is_detached()) return Outcome::detached;
  const core::Lookout lookout = core::lookout_of(consumer);
  objects::Watch* const watch = consumer.watch;
  if (watch != nullptr) {
    core::EventWord& word = core::receive_event(*consumer.queue);
    objects::Watcher::of_this_process().arm(*watch, word, core::prepare_sleep(word), lookout);
  }
  // The second look: after the flag in the event was set, and the helper knows what to wait for.
  if (!core::ready(*consumer.queue, lookout)) return Outcome::empty;
  if (watch != nullptr) objects::Watcher::of_this_process().raise(*watch);
  return Outcome::ok;
}

void Consumer<void>::disarm() {
  core::ConsumerEndpoint& consumer = *endpoint_;
  if (consumer.watch != nullptr && !consumer.is_detached())
    objects::Watcher::of_this_process().disarm(*consumer.watch);
}

}  // namespace shmq
