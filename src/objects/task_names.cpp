// What the states, ends and policies of tasks are called.
#include "shmq/tasks.hpp"

namespace shmq {

const char* to_string(TaskState state) {
  switch (state) {
    case TaskState::free:
      return "free";
    case TaskState::alloc:
      return "alloc";
    case TaskState::held:
      return "held";
    case TaskState::waiting:
      return "waiting";
    case TaskState::delayed:
      return "delayed";
    case TaskState::ready:
      return "ready";
    case TaskState::claimed:
      return "claimed";
    case TaskState::running:
      return "running";
    case TaskState::done:
      return "done";
    case TaskState::dead:
      return "dead";
    case TaskState::cancelled:
      return "cancelled";
    case TaskState::expired:
      return "expired";
    case TaskState::spilled:
      return "spilled";
  }
  return "unknown";
}

const char* to_string(RunEnd end) {
  switch (end) {
    case RunEnd::none:
      return "none";
    case RunEnd::done:
      return "done";
    case RunEnd::failure:
      return "failure";
    case RunEnd::crash:
      return "crash";
    case RunEnd::timeout:
      return "timeout";
    case RunEnd::release:
      return "release";
    case RunEnd::cancelled:
      return "cancelled";
    case RunEnd::revived:
      return "revived";
  }
  return "unknown";
}

const char* to_string(TaskPolicy policy) {
  switch (policy) {
    case TaskPolicy::fifo:
      return "fifo";
    case TaskPolicy::priority:
      return "priority";
    case TaskPolicy::edf:
      return "edf";
  }
  return "unknown";
}

}  // namespace shmq
