// The strongest hostile writer: one who changes shared memory between any two instructions of somebody else's operation.
// Whatever an operation reads twice is different the second time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace hostile {

struct Stepped {
  std::string wrong;        // a crash or a hang; empty where there was none
  std::uint64_t steps = 0;  // instructions of the operation
  bool ended = false;       // within the limit, while `between` was at work
};

/// Runs `prepare` and then `operation` in a process of its own, `operation` instruction by instruction under ptrace, with a
/// call of `between` after each. After `most` steps `between` is called no more and the operation runs on freely: what
/// stands still has to let it end.
Stepped step_through(const std::function<void()>& prepare, const std::function<void()>& operation,
                     const std::function<void(std::uint64_t)>& between, std::uint64_t most);

}  // namespace hostile
