// Commands whose starter was killed: they become children of a process that watches over their starters, and are ended by it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <span>

namespace shmq::cli {

/// The pid of a command that runs; 0: none. Written by who starts commands, read by who watches over that process.
using CommandPid = std::atomic<pid_t>;
static_assert(CommandPid::is_always_lock_free);

/// `count` of them, in memory that this process shares with those that it forks.
class CommandPids {
 public:
  explicit CommandPids(std::size_t count);
  ~CommandPids();
  CommandPids(const CommandPids&) = delete;
  CommandPids& operator=(const CommandPids&) = delete;
  CommandPid& operator[](std::size_t i) { return pids_[i]; }
  std::span<CommandPid> all() { return pids_; }

 private:
  std::span<CommandPid> pids_;
};

/// From now on, who loses its parent among the descendants of this process becomes its child.
void adopt_left_behind();
/// Ends the command's whole process group (SIGKILL), once the process that started it is dead: then it is this process's
/// child, and its pid is nobody else's. Does nothing where there is none.
void end_left_behind(CommandPid& command);

/// Runs `body` in a process of its own and watches over it: passes SIGINT, SIGTERM and SIGHUP on as SIGTERM, ends its
/// commands where it is killed, and returns its exit status. When this process is killed, that one gets SIGTERM. To be
/// called before there is any thread.
int run_watched(std::size_t commands, const char* name, const std::function<int(std::span<CommandPid>)>& body);

}  // namespace shmq::cli
