// The parts of an Attachment that belong to the operating system; kept out of the installed header.
#pragma once

#include "os/liveness_lock.hpp"
#include "os/shared_memory.hpp"
#include "shmq/core/attachment.hpp"

namespace shmq::core {

struct Attachment::Os {
  os::Mapping mapping;
  os::LivenessLock lock;
};

}  // namespace shmq::core
