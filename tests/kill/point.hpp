// A kill point: an instant of the victim's operation at which it may be killed.
#pragma once

#include "watch.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace killtest {

/// Between two neighbouring points the victim changes nothing that anybody else can see, so that all kills
/// between them are alike.
struct Point {
  enum class Kind {
    begin,           // before the operation's first instruction
    memory,          // after an instruction that changed watched memory
    syscall_enter,   // before a system call
    syscall_return,  // after it; `change` tells what memory it changed, if any
    asleep,          // inside a system call that blocks
    instruction,     // exhaustive mode only: after an instruction that did none of this
  };

  Kind kind = Kind::begin;
  std::size_t index = 0;   // 0 is begin
  std::uint64_t step = 0;  // instructions executed since BEGIN
  std::uintptr_t rip = 0;  // of the instruction that did it, or is about to
  std::optional<Change> change;
  long call = -1;  // system call number
  std::int64_t result = 0;
};

/// One line without symbols, e.g. "point 7, step 312: changed shmq.k1 +0x40, 8 bytes (word 0 -> 2a)".
std::string describe(const Point& point);
/// Function, file and line of an address of this program, with inlined callers as far as debug information
/// tells. Works for addresses of processes forked from this one, since they share its layout. Slow: for
/// reports.
std::string symbolise(std::uintptr_t address);

}  // namespace killtest
