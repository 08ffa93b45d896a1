#include "scenario.hpp"

#include "stepper.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <limits>
#include <optional>
#include <random>

namespace killtest {
namespace {

constexpr std::size_t no_point = std::numeric_limits<std::size_t>::max();

bool flag(const char* name) {
  const char* value = std::getenv(name);
  return value && *value && std::string(value) != "0";
}

struct Clock {
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
  }
};

const char* to_string(Fate fate) {
  switch (fate) {
    case Fate::killed:
      return "killed";
    case Fate::stopped:
      return "stopped";
    case Fate::completed:
      return "completed";
  }
  return "?";
}

class Driver {
 public:
  Driver(const std::string& name, Fate mode, const ScenarioFactory& make, const Limits& limits, Detail detail)
      : scenario_name_(name),
        mode_(mode),
        make_(make),
        limits_(limits),
        exhaustive_(detail == Detail::every_instruction || flag("SHMQ_KILL_EXHAUSTIVE")) {
    report_.name = name + "/" + to_string(mode);
  }

  Report run() {
    const Clock clock;
    const std::optional<std::size_t> only = chosen_point();
    report_.partial = only.has_value();
    if (only == no_point) return finish(clock);
    visit(no_point);
    if (exhaustive_) repeat_dry_run();
    if (flag("SHMQ_KILL_TRACE")) trace();
    if (!report_.clean() && !only) return finish(clock);  // the operation fails with nobody killed
    if (only) {
      visit(*only);
      return finish(clock);
    }
    // A run may have more points than the dry run had, when it depends on time or on what survivors do.
    const std::size_t counted = report_.points.size();
    const std::size_t stride = limits_.instructions && exhaustive_ && !flag("SHMQ_KILL_EXHAUSTIVE") ? counted / limits_.instructions + 1 : 1;
    const std::size_t first = stride == 1 ? 0 : std::random_device{}() % stride;
    for (std::size_t index = first; index < 2 * counted + 16; index += stride) {
      const bool reached = visit(index);
      if (!reached && index >= counted) break;
      if (report_.findings.size() >= limits_.findings) break;
    }
    return finish(clock);
  }

 private:
  // Nothing: all points. no_point: none of this scenario.
  std::optional<std::size_t> chosen_point() const {
    const char* value = std::getenv("SHMQ_KILL_ONLY");
    if (!value || !*value) return std::nullopt;
    const std::string text = value;
    const auto colon = text.rfind(':');
    const std::string name = text.substr(0, colon);
    if (name != scenario_name_ && name != report_.name) return no_point;
    if (colon == std::string::npos) return std::nullopt;
    return static_cast<std::size_t>(std::strtoull(text.c_str() + colon + 1, nullptr, 10));
  }

  // One world and what has happened in it.
  struct Visit {
    explicit Visit(const Driver& driver) : world(driver.limits_), scenario(driver.make_()) {}
    void wake_once() {
      if (!woken) scenario->wake(world);
      woken = true;
    }
    void check(Fate now) {
      fate = now;
      scenario->check(world, Instant{now, here, *victim});
    }

    World world;
    std::unique_ptr<Scenario> scenario;
    Process* victim = nullptr;
    std::optional<Stepper> stepper;
    Point here;  // the last point it came to
    Fate fate = Fate::completed;
    bool reached = false;
    bool woken = false;
  };

  // The first run is the slowest, and may do what is done now and then by the clock. The points are those of the shorter one.
  void repeat_dry_run() {
    std::vector<Point> points;
    std::vector<Landmark> landmarks;
    points.swap(report_.points);
    landmarks.swap(landmarks_);
    visit(no_point);
    if (report_.points.size() <= points.size() || !report_.clean()) return;
    points.swap(report_.points);
    landmarks.swap(landmarks_);
  }

  // The last landmark before the point from which it is worth while to step. Nothing: step from the beginning.
  const Landmark* landmark_before(std::size_t index) const {
    constexpr std::uint64_t worth_while = 30;
    if (index == no_point || step_all_) return nullptr;
    const auto after = std::upper_bound(landmarks_.begin(), landmarks_.end(), index,
                                        [](std::size_t i, const Landmark& l) { return i < l.points; });
    if (after == landmarks_.begin()) return nullptr;
    const Landmark& found = *std::prev(after);
    return found.points == 0 || found.steps < worth_while ? nullptr : &found;
  }

  // False if the operation ended before the point was reached.
  bool visit(std::size_t index) {
    if (index != no_point) ++report_.worlds;
    if (const Landmark* landmark = landmark_before(index)) {
      bool reached = false;
      if (visit_from(landmark, index, reached)) return reached;
      ++report_.strayed;
      landmarks_.erase(landmarks_.begin() + (landmark - landmarks_.data()));
    }
    bool reached = false;
    visit_from(nullptr, index, reached);
    return reached;
  }

  // False if the landmark was not reached: then nothing has been found out.
  bool visit_from(const Landmark* landmark, std::size_t index, bool& reached) {
    Visit visit(*this);
    try {
      visit.scenario->setup(visit.world);
      visit.victim = &visit.world.spawn("victim", visit.scenario->victim());
      visit.stepper.emplace(*visit.victim, exhaustive_);
      if (landmark && !visit.stepper->skip_to(*landmark)) return false;
      step_to(index, visit);
      if (visit.reached && mode_ == Fate::killed) {
        visit.victim->kill();
        visit.check(Fate::killed);
      } else {
        if (visit.reached) visit.check(Fate::stopped);
        visit.fate = Fate::completed;
        visit.stepper->run_to_end([&] { visit.wake_once(); });
        visit.stepper->finish();
        visit.check(Fate::completed);
      }
    } catch (const Failure& failure) {
      report_.findings.push_back({visit.here, to_string(visit.fate), failure.kind(), failure.what()});
    } catch (const std::exception& error) {
      report_.findings.push_back({visit.here, to_string(visit.fate), FailureKind::wrong, error.what()});
    }
    if (visit.stepper) {
      for (const std::string& path : visit.stepper->watch().paths()) visit.world.adopt(path);
    }
    reached = visit.reached;
    return true;
  }

  void step_to(std::size_t index, Visit& visit) {
    const Clock stepping;
    while (!visit.reached) {
      const auto next = visit.stepper->next();
      if (!next) break;
      visit.here = *next;
      if (index == no_point) report_.points.push_back(*next);
      visit.reached = next->index == index;
      if (!visit.reached && next->kind == Point::Kind::asleep) visit.wake_once();
    }
    visit.stepper->pause();
    if (index == no_point) landmarks_ = visit.stepper->landmarks();
    account(*visit.stepper, stepping, visit.here, visit.reached);
  }

  void account(Stepper& stepper, const Clock& stepping, const Point& here, bool reached) {
    report_.stepping_seconds += stepping.seconds();
    report_.steps += stepper.steps();
    report_.watched_bytes = std::max(report_.watched_bytes, stepper.watch().bytes());
    if (!reached) return;
    const bool same = here.index < report_.points.size() && here.kind == report_.points[here.index].kind &&
                      here.rip == report_.points[here.index].rip;
    if (!same) ++report_.diverged;
  }

  void trace() const {
    for (const Point& point : report_.points)
      std::cerr << describe(point) << "\n    " << symbolise(point.rip) << "\n";
  }

  Report finish(const Clock& clock) {
    report_.seconds = clock.seconds();
    return std::move(report_);
  }

  const std::string scenario_name_;
  const Fate mode_;
  const ScenarioFactory& make_;
  const Limits limits_;
  const bool exhaustive_;
  const bool step_all_ = flag("SHMQ_KILL_STEP_ALL");
  std::vector<Landmark> landmarks_;  // of the dry run
  Report report_;
};

Report run(const std::string& name, Fate mode, const ScenarioFactory& make, const Limits& limits,
           Detail detail) {
  Report report = Driver(name, mode, make, limits, detail).run();
  if (report.clean()) std::cout << report << std::flush;  // a test that fails prints it itself
  return report;
}

}  // namespace

void Scenario::wake(World&) {}

Report run_killed(const std::string& name, const ScenarioFactory& make, const Limits& limits, Detail detail) {
  return run(name, Fate::killed, make, limits, detail);
}

Report run_stopped(const std::string& name, const ScenarioFactory& make, const Limits& limits,
                   Detail detail) {
  return run(name, Fate::stopped, make, limits, detail);
}

bool kill_at_point(Process& process, std::size_t index) {
  Stepper stepper(process, false);
  while (const auto point = stepper.next()) {
    if (point->index != index) continue;
    process.kill();
    return true;
  }
  stepper.finish();
  return false;
}

}  // namespace killtest
