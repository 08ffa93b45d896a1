// The driver. It kills (or stops) the victim of a scenario at every point of its operation, each time in a
// new world.
//
//   class ClaimDies : public killtest::Scenario {
//     void setup(World& world) override {               // in the driver: create, spawn survivors
//       segment_ = world.name();
//       survivor_ = &world.spawn("survivor", [s = segment_] { return std::make_unique<Consumer>(s); });
//     }
//     ActorFactory victim() override { return [s = segment_] { return std::make_unique<Claimer>(s); }; }
//     void check(World&, const Instant&) override {     // in the driver: have the survivors work, account
//     for all
//       require(survivor_->ask("drain") == "3", "a message is missing");
//     }
//     std::string segment_;
//     Process* survivor_ = nullptr;
//   };
//   TEST(Claim, survives_a_kill_at_every_point) {
//     const auto report = killtest::run_killed("claim", killtest::make<ClaimDies>());
//     EXPECT_TRUE(report.clean()) << report;
//   }
//
// Environment:
//   SHMQ_KILL_EXHAUSTIVE=1    every single instruction is a point
//   SHMQ_KILL_STEP_ALL=1      steps from the beginning of the operation to each point, not from the last landmark before it
//   SHMQ_KILL_ONLY=NAME:POINT only that point of that scenario; NAME/killed:POINT or NAME/stopped:POINT for
//   one mode SHMQ_KILL_TRACE=1         print every point of the dry run with its source line
#pragma once

#include "point.hpp"
#include "process.hpp"
#include "report.hpp"
#include "world.hpp"

#include <functional>
#include <memory>
#include <string>

namespace killtest {

/// What has become of the victim when check() is called.
enum class Fate {
  killed,
  stopped,    // at the point, for as long as check() runs; it has not died and must not be robbed
  completed,  // its operation has returned; it is still there and can be asked
};

struct Instant {
  Fate fate;
  const Point& point;  // where it was killed or stopped; the last point reached, for a dry run
  Process& victim;
};

/// One object for one world: setup(), victim(), then check(), once after a kill, twice (stopped, completed)
/// in a stopping run. All are called in the driver and report by throwing.
class Scenario {
 public:
  Scenario() = default;
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;
  virtual ~Scenario() = default;

  virtual void setup(World& world) = 0;
  /// The victim is spawned after setup(), so that everybody else attached before it.
  virtual ActorFactory victim() = 0;
  virtual void check(World& world, const Instant& instant) = 0;
  /// The victim sleeps in a system call of its operation: have somebody do what it waits for. The sleep
  /// itself is a kill point. Called at most once a world.
  virtual void wake(World& world);
};

using ScenarioFactory = std::function<std::unique_ptr<Scenario>()>;

template <class S, class... Args>
ScenarioFactory make(Args... args) {
  return [args...] { return std::make_unique<S>(args...); };
}

/// How fine the points are. A kill between two `changes` is like a kill at the first of them. That does not
/// hold for a stop: a victim stopped after a load goes on with a value that others have since changed.
/// `every_instruction` covers that, and is affordable for operations of some hundred instructions.
enum class Detail { changes, every_instruction };

/// Counts the points in a dry run, whose completion is checked too, then kills at each.
Report run_killed(const std::string& name, const ScenarioFactory& make, const Limits& limits = {},
                  Detail detail = Detail::changes);
/// The same, but the victim is stopped at each point, checked, continued to the end of its operation, checked
/// again.
Report run_stopped(const std::string& name, const ScenarioFactory& make, const Limits& limits = {},
                   Detail detail = Detail::changes);

/// For setup(): has the process operate and kills it at the point with that index. False, and the process
/// lives on with its operation completed, if the operation has no such point. For scenarios whose victim
/// repairs.
bool kill_at_point(Process& process, std::size_t index);

}  // namespace killtest
