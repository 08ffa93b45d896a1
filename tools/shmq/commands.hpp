// Every command: what runs it and what its --help says.
#pragma once

#include <string>
#include <vector>

namespace shmq::cli {

/// What follows the command's name.
using Words = std::vector<std::string>;

// Each returns the exit status, or throws Failure or UsageError (failure.hpp).
int create_command(const Words& words);
int plan_command(const Words& words);
int list_command(const Words& words);
int remove_command(const Words& words);
int gc_command(const Words& words);
int reap_command(const Words& words);
int queue_command(const Words& words);
int send_command(const Words& words);
int recv_command(const Words& words);
int browse_command(const Words& words);
int purge_command(const Words& words);
int close_command(const Words& words);
int table_command(const Words& words);
int submit_command(const Words& words);
int task_command(const Words& words);
int map_command(const Words& words);
int work_command(const Words& words);

struct Command {
  const char* name;
  int (*run)(const Words& words);
  const char* help;
};

/// Null where there is none of that name.
const Command* find_command(const std::string& name);

extern const char* const kProgramHelp;

}  // namespace shmq::cli
