// Starts workers, kills and stops them at random (one of each role lives on), replaces them, and at the end
// of each epoch drains the queues and lets the oracle judge.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "journal.hpp"
#include "shmq/core/attachment.hpp"
#include "world.hpp"

namespace soak {

struct Settings {
  double seconds = 20;
  double epoch_seconds = 20;
  std::uint64_t seed = 1;
  std::uint32_t producers = 3;
  std::uint32_t consumers = 3;
  std::uint32_t forwarders = 2;
  std::uint32_t spsc_producers = 3;
  std::uint32_t spsc_consumers = 3;
  bool mpmc = true, spsc = true;
  bool keep = false;  // leaves segment and journals where something is wrong
};

struct Totals {
  std::uint64_t epochs = 0, kills = 0, stops = 0, exits = 0, started = 0;
  std::uint64_t published = 0, unsure = 0, got = 0, redeliveries = 0, forwarded = 0, forwarded_twice = 0,
                violations = 0;
};

class Supervisor {
 public:
  explicit Supervisor(const Settings& settings);
  ~Supervisor();
  /// Returns whether everything was as it should be; what was not is said on stderr.
  bool run();

 private:
  struct Child {
    WorkerPlace place;
    pid_t pid = 0;
    std::int64_t stopped_until_ns = 0;  // 0: running
    bool killed = false;                // by us
  };

  void start(Child& child);
  void harm_somebody();
  void resume(Child& child);
  /// Replaces who is gone; false where somebody ended otherwise than by our hand or of its own will.
  bool look_after_children();
  bool epoch(double seconds);
  bool drain(bool by_closing);
  bool wait_for(const char* what, const std::function<bool()>& condition);
  bool acknowledged(const std::function<bool(const Child&)>& whom) const;
  void command(Phase phase);
  bool declare_queues();
  bool judge_journals();
  bool account();
  bool complain(const std::string& what);
  std::uint64_t pick(std::uint64_t low, std::uint64_t high) {
    return std::uniform_int_distribution<std::uint64_t>(low, high)(dice_);
  }

  Settings settings_;
  std::mt19937_64 dice_;
  std::string segment_;
  std::string folder_;
  Control* control_ = nullptr;
  std::vector<Child> children_;
  std::shared_ptr<shmq::core::Attachment> attachment_;  // between epochs only
  std::uint32_t serial_ = 0;
  std::uint32_t next_number_ = 0;
  std::int64_t next_harm_ns_ = 0;
  Totals totals_;
};

}  // namespace soak
