// Every byte of a segment that can be held is accounted for, by a process that is no participant of it.
#pragma once

#include <cstddef>
#include <string>

namespace killtest {

/// To be called when all work is done: every queue drained, survivors idle and holding nothing, the dead reaped. Throws
/// a Failure that names what is still held: a slot, a block, a row that no living process has, a mark of a sweep, a
/// user bit, a directory entry, a unit of space. `living` is how many attachments there are.
void audit(const std::string& segment, std::size_t living);

/// What holds of the ring of each live spsc queue at any instant at which nobody runs: also with a victim stopped or
/// killed half-way, before anybody mended anything. Throws a Failure that says what does not.
void audit_rings(const std::string& segment);

}  // namespace killtest
