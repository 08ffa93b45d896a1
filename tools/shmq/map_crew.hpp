// The workers of map as processes: started, replaced, told to end, and what they leave behind when they are killed.
#pragma once

#include <sys/types.h>

#include <vector>

#include "descriptor.hpp"
#include "map.hpp"

namespace shmq::cli {

class MapCrew {
 public:
  /// Starts nobody yet. Failure where there is no place for files.
  MapCrew(const CommandLine& command, const MapOptions& options, std::string segment);
  /// Ends whoever is left.
  ~MapCrew();
  MapCrew(const MapCrew&) = delete;
  MapCrew& operator=(const MapCrew&) = delete;

  /// Forks until `wanted` workers run, or as many as there may be. Failure where not one could be started.
  void fill(std::size_t wanted);
  /// Looks who has ended.
  struct Ended {
    unsigned killed = 0;  // by a signal: their items are to be run again
    unsigned failed = 0;  // they said why on standard error
  };
  Ended look();
  unsigned running() const { return running_; }
  void tell_to_end();

  int told() const { return told_read_.get(); }
  int file(std::uint32_t slot) const { return slot < files_.size() ? files_[slot].get() : -1; }

 private:
  const CommandLine& command_;
  const MapOptions& options_;
  const std::string segment_;
  std::vector<pid_t> pids_;  // 0: none
  unsigned running_ = 0;
  bool refused_ = false;  // a fork was: said once
  std::vector<Descriptor> files_;
  CommandPids commands_;  // one for each worker
  Descriptor told_read_, told_write_;
};

}  // namespace shmq::cli
