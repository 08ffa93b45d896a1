// The loop over executions, and what a person reads of a failed one.

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <ostream>
#include <sstream>

#include "sim.hpp"

namespace sim {
namespace {

struct Run {
  Ending ending;
  std::string message, trace;
};

Run run_once(World& world, Make make, void* arguments, Chooser& chooser, StateTable* seen, bool recording) {
  world.begin(recording);
  const std::unique_ptr<Scenario> scenario = make(arguments);
  const Ending ending = world.run(*scenario, chooser, seen);
  std::string message = ending == Ending::too_long ? "livelock: the execution does not end" : world.failure();
  return {ending, std::move(message), recording ? world.trace() : std::string()};
}

bool is_failure(Ending ending) { return ending == Ending::failed || ending == Ending::too_long; }

// Repeats the execution of `choices` with its steps written down.
void fill_in(Report& report, World& world, Make make, void* arguments,
             const std::vector<std::uint8_t>& choices) {
  Recorded recorded(choices);
  Run again = run_once(world, make, arguments, recorded, nullptr, true);
  report.failed = is_failure(again.ending);
  report.message = std::move(again.message);
  report.trace = std::move(again.trace);
  report.replay = report.name + ':' + write_choices(choices);
}

// The choices of SHMQ_SCHED_REPLAY, if they are for this exploration.
const char* replay_for(const std::string& name) {
  const char* text = std::getenv("SHMQ_SCHED_REPLAY");
  if (text == nullptr || std::strncmp(text, name.c_str(), name.size()) != 0 || text[name.size()] != ':')
    return nullptr;
  return text + name.size() + 1;
}

}  // namespace

bool long_run() {
  const char* text = std::getenv("SHMQ_LONG");
  return text != nullptr && *text != '\0' && *text != '0';
}

Report explore(const Options& options, Make make, void* arguments) {
  Report report;
  report.name = options.name;
  World world(options.bounds, options.steps_max);
  if (const char* replay = replay_for(options.name)) {
    fill_in(report, world, make, arguments, parse_choices(replay));
    std::ostringstream text;
    text << report;
    std::fprintf(stderr, "%s\n", text.str().c_str());
    return report;
  }

  DepthFirst depth_first;
  RandomWalk random_walk;
  Priorities priorities;
  Chooser& chooser = options.search == Search::exhaustive ? static_cast<Chooser&>(depth_first)
                     : options.search == Search::random   ? static_cast<Chooser&>(random_walk)
                                                          : static_cast<Chooser&>(priorities);
  const bool compare =
      options.search == Search::exhaustive && options.compare_states && options.bounds.stale == 0;
  StateTable states(options.states_max);
  const std::clock_t start = std::clock();
  unsigned longest = 50;
  while (report.executions < options.executions_max) {
    random_walk.start(options.seed + report.executions);
    priorities.start(options.seed + report.executions, longest);
    const Run run = run_once(world, make, arguments, chooser, compare ? &states : nullptr, false);
    ++report.executions;
    report.steps += world.steps();
    longest = std::max(longest, static_cast<unsigned>(world.choices().size()));
    report.completed += run.ending == Ending::completed;
    if (is_failure(run.ending)) {
      const std::vector<std::uint8_t> choices = world.choices();
      fill_in(report, world, make, arguments, choices);
      if (!report.failed || report.message != run.message) {
        report.failed = true;
        report.message = "not deterministic: " + run.message + " did not come back in a replay";
      }
      break;
    }
    if (options.search == Search::exhaustive && !depth_first.next_execution()) {
      report.exhausted = true;
      break;
    }
  }
  report.seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  report.states = states.size();
  return report;
}

std::ostream& operator<<(std::ostream& out, const Report& report) {
  out << report.name << ": " << (report.failed ? "FAILED: " + report.message : std::string("no failure"))
      << "\n  " << report.executions << " executions (" << report.completed << " to the end), "
      << report.steps << " steps, " << report.states << " states, " << (report.exhausted ? "exhausted, " : "")
      << report.seconds << " s of CPU";
  if (report.seconds > 0) {
    out << ", " << static_cast<std::uint64_t>(static_cast<double>(report.executions) / report.seconds)
        << " executions/s";
  }
  if (report.failed)
    out << "\n" << report.trace << "  repeat with SHMQ_SCHED_REPLAY='" << report.replay << "'";
  return out << '\n';
}

// --- traces -------------------------------------------------------------------------------------------

std::string Scenario::show(const char* /*label*/, std::uint64_t value) const {
  std::ostringstream text;
  if (value >= 1000) text << "0x" << std::hex;
  text << value;
  return text.str();
}

std::string World::describe(const Cell& cell, std::uint64_t value) const {
  const std::string name = cell.label != nullptr ? cell.label : "cell";
  const unsigned index = cell.label != nullptr ? cell.index : cell.id;
  return name + '[' + std::to_string(index) + "] = " + scenario_->show(cell.label, value);
}

void World::record(const char* what, const Cell* cell, std::uint64_t value) {
  if (!recording_ || running_ == nobody) return;
  record_thread(running_,
                std::string(what) + (cell != nullptr ? ' ' + describe(*cell, value) : std::string()));
}

void World::record_thread(unsigned thread, const std::string& text) {
  trace_ += "  " + std::to_string(steps_) + "  " + scenario_->name(thread) + "  " + text + '\n';
}

void World::note(std::string text) {
  if (recording_ && running_ != nobody) record_thread(running_, "-- " + text);
}

void require(bool holds, const char* message) {
  if (!holds) World::current().fail(message);
}

void note(const std::string& text) {
  if (World::current().recording()) World::current().note(text);
}

}  // namespace sim
