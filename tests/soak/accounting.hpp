// Looks into the segment once nobody does anything: is everything where it belongs?
#pragma once

#include <string>
#include <vector>

#include "shmq/core/attachment.hpp"

namespace soak {

/// Whether every message has been taken and every slot is free again.
bool drained(shmq::core::Attachment& attachment);

/// What is not accounted for, as sentences: slots and blocks that are not FREE, rows beyond `living` workers
/// and the caller's, space that no object has.
std::vector<std::string> unaccounted(shmq::core::Attachment& attachment, std::uint32_t living);

/// Everything that is not free, with owners: for the log of a soak that hangs.
std::string describe(shmq::core::Attachment& attachment);

}  // namespace soak
