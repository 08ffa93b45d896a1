// Other processes of a case. Each is killed with SIGKILL, and dies with its parent at the latest.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "corrupter.hpp"

namespace hostile {

/// A process that works until this object goes.
class Peer {
 public:
  explicit Peer(const std::function<void()>& work);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

 private:
  pid_t pid_;
};

/// Attaches, claims, receives, and is killed with all of it in its hands. What went wrong, or empty.
std::string somebody_is_killed(const std::string& segment, Dice& dice);

/// Writes to random fields for ever; mostly takes it back a moment later.
[[noreturn]] void scribble(Corrupter corrupter, std::uint64_t seed);
/// Writes one field for ever, as fast as it can.
[[noreturn]] void flicker(Corrupter corrupter, const Field& field, std::uint64_t seed);

/// Runs a program; its exit status, or -signal. `output` gets what it wrote to standard output and standard error.
int run_program(const std::vector<std::string>& words, std::string& output);

}  // namespace hostile
