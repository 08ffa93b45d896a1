#include "boost_queue.hpp"

#include <unistd.h>

#include <boost/interprocess/ipc/message_queue.hpp>

#include "failure.hpp"

namespace shmq::bench {

namespace ipc = boost::interprocess;

struct BoostQueue::Queue {
  ipc::message_queue queue;
};

BoostQueue::BoostQueue(std::uint64_t capacity, std::size_t bytes) {
  static unsigned count = 0;
  const std::string name = "shmq-bench-boost-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
  try {
    queue_.reset(new Queue{ipc::message_queue(ipc::create_only, name.c_str(), capacity, bytes)});
  } catch (const ipc::interprocess_exception& error) {
    ipc::message_queue::remove(name.c_str());
    throw cli::Failure{cli::kFailed,
                       std::string("cannot make a boost::interprocess::message_queue: ") + error.what()};
  }
  ipc::message_queue::remove(name.c_str());
}

BoostQueue::~BoostQueue() = default;

void BoostQueue::send(const std::byte* data, std::size_t bytes) { queue_->queue.send(data, bytes, 0); }

void BoostQueue::receive(std::byte* data, std::size_t bytes) {
  ipc::message_queue::size_type received = 0;
  unsigned priority = 0;
  queue_->queue.receive(data, bytes, received, priority);
}

}  // namespace shmq::bench
