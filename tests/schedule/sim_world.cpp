// An execution from its beginning to its end, and what its threads may ask of it besides memory.

#include "sim_world.hpp"

#include <algorithm>

#include "sim.hpp"
#include "sim_hash.hpp"

namespace sim {
namespace {
World* the_world = nullptr;
}

World& World::current() { return *the_world; }
World* World::current_or_null() { return the_world; }

World::World(const Bounds& bounds, unsigned steps_max)
    : bounds_(bounds), steps_max_(steps_max), outer_(the_world) {
  the_world = this;
  options_.reserve(64);
}

World::~World() { the_world = outer_; }

void World::begin(bool recording) {
  for (unsigned i = 0; i < thread_count_; ++i) static_cast<ThreadState&>(threads_[i]) = ThreadState{};
  left_ = bounds_;
  recording_ = recording;
  running_ = last_ = nobody;
  thread_count_ = 0;
  news_ = not_next_ = 0;
  steps_ = 0;
  clock_ = 0;
  cell_count_ = 0;
  memory_hash_ = 0;
  waited_for_stopped_ = false;
  ending_ = Ending::completed;
  failure_.clear();
  trace_.clear();
  choices_.clear();
}

Ending World::run(Scenario& scenario, Chooser& chooser, StateTable* seen) {
  scenario_ = &scenario;
  chooser_ = &chooser;
  seen_ = seen;
  thread_count_ = std::min(scenario.threads(), threads_max);
  for (unsigned i = 0; i < thread_count_; ++i) threads_[i].fiber.prepare(&World::thread_main, this);
  schedule();  // comes back when the execution is over
  running_ = nobody;
  if (ending_ != Ending::completed) return ending_;
  scenario.check();
  return ending_;
}

void World::thread_main(void* world) {
  World& self = *static_cast<World*>(world);
  self.scenario_->run(self.running_);
  self.point(Op::exit, nullptr);
  Thread& me = self.threads_[self.running_];
  me.status = Status::done;
  if (self.recording_) self.record_thread(self.running_, "ends");
  self.news_ = ~0u;
  self.schedule();  // never comes back
}

void World::point(Op op, Cell* cell, unsigned subject) {
  Thread& me = threads_[running_];
  me.next = op;
  me.next_cell = cell;
  me.next_subject = subject;
  schedule();
  observe(static_cast<std::uint64_t>(op));  // or two places in the code would look like one state
  look();
}

// A round of looking begins: what others did up to here is seen by this operation or by a later one.
void World::look() {
  if (!threads_[running_].fresh) return;
  threads_[running_].fresh = false;
  news_ &= ~(1u << running_);
}

void World::pause() {
  if (!on_fiber()) return;
  Thread& me = threads_[running_];
  me.next = Op::pause;
  me.next_cell = nullptr;
  me.status = Status::paused;
  schedule();
  observe(static_cast<std::uint64_t>(Op::pause));
}

// As the kernel does it: word by word, compared and queued for in one step. A wake on a word that was queued for
// already, while others are still compared, counts.
void World::futex_wait(std::span<Cell* const> cells, std::span<const std::uint64_t> expected) {
  Thread& me = threads_[running_];
  me.waits_on.fill(nullptr);
  me.woken = false;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    point(Op::wait, cells[i]);
    drain(running_);  // the kernel orders the caller's stores before its own look at the word
    observe(cells[i]->value);
    record("futex wait on", cells[i], expected[i]);
    if (cells[i]->value != expected[i]) return me.waits_on.fill(nullptr);
    me.waits_on[i] = cells[i];
  }
  observe(me.woken);
  if (me.woken) return me.waits_on.fill(nullptr);
  me.status = Status::futex;
  schedule();
}

void World::futex_wake(Cell& cell) {
  if (!on_fiber()) return;
  point(Op::fence, &cell);
  drain(running_);
  record("futex wake of", &cell, cell.value);
  for (unsigned i = 0; i < thread_count_; ++i) {
    Thread& t = threads_[i];
    if (std::find(t.waits_on.begin(), t.waits_on.end(), &cell) == t.waits_on.end()) continue;
    t.waits_on.fill(nullptr);
    t.woken = true;
    if (t.status == Status::futex) t.status = Status::ready;
  }
}

bool World::crashed_now(unsigned thread) {
  const bool answer = threads_[thread].status == Status::crashed;
  if (on_fiber()) look(), observe(answer);
  return answer;
}

bool World::ended_now(unsigned thread) {
  const bool answer = threads_[thread].status == Status::done || threads_[thread].status == Status::crashed;
  if (on_fiber()) look(), observe(answer);
  return answer;
}

bool World::dead(unsigned thread) {
  if (!on_fiber()) return crashed(thread);
  point(Op::ask, nullptr, thread);
  Thread& subject = threads_[thread];
  bool answer = subject.status == Status::crashed &&
                (subject.death_known || bounds_.early_news || subject.held_count == 0);
  if (answer && !subject.death_known && left_.delays > 0 && choose_value(2) == 1) {
    spend(left_.delays, bounds_.delays);
    news_ |= 1u << running_;  // worth asking again
    answer = false;
  }
  subject.death_known = subject.death_known || answer;
  if (answer && !bounds_.early_news)
    threads_[running_].floor = clock_;  // the kernel's lock was released after its stores
  observe(answer);
  if (recording_)
    record_thread(running_, "is " + scenario_->name(thread) + (answer ? " dead? yes" : " dead? no"));
  return answer;
}

bool World::ended(unsigned thread) {
  if (on_fiber()) point(Op::ask, nullptr, thread);
  return ended_now(thread);
}

unsigned World::choose(unsigned options) {
  if (!on_fiber()) return 0;
  const unsigned chosen = choose_value(options);
  observe(chosen);
  return chosen;
}

void World::observe(std::uint64_t value) {
  Thread& me = threads_[running_];
  me.history = mix(me.history, value);
}

void World::local_state(std::uint64_t hash) {
  if (on_fiber()) threads_[running_].history = mix(0, hash);
}

void World::fail(std::string_view message) {
  set_failure(message);
  if (on_fiber()) finish(ending_);
}

void World::set_failure(std::string_view message) {
  if (ending_ != Ending::completed) return;
  ending_ = Ending::failed;
  failure_ = message;
  if (recording_) trace_ += "FAILED: " + failure_ + '\n';
}

}  // namespace sim
