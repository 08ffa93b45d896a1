#include "task_roles.hpp"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "shmq/base/clock.hpp"
#include "world.hpp"

namespace soak {

namespace {

using namespace std::chrono_literals;
using shmq::Outcome;
using shmq::TaskState;

using shmq::base::monotonic_ns;

constexpr std::size_t kSmall = 32, kLarge = 600;  // inline; in a block
constexpr unsigned kKeys = 16;
constexpr auto kRunLimit = 20ms;
constexpr unsigned kTooLongUs = 30'000;

class Process {
 public:
  Process(TaskLedger& ledger, const TaskPlace& place) : ledger_(ledger), place_(place), dice_(place.seed) {}

  int run() {
    auto segment = shmq::Segment::open(place_.segment, {.name = "soak " + std::to_string(place_.number)});
    if (!segment) wrong("cannot open the segment: " + segment.error().message());
    auto table = segment->open_task_table(kTaskTable);
    if (!table) wrong("cannot open the table: " + table.error().message());
    switch (place_.role) {
      case TaskRole::submitter:
        return submit(*table);
      case TaskRole::worker:
        return work(*table);
      case TaskRole::collector:
        return collect(*table);
    }
    return 3;
  }

 private:
  [[noreturn]] void wrong(const std::string& what) {
    std::fprintf(stderr, "shmq-soak-tasks: process %u (role %u, pid %d): %s\n", place_.number,
                 static_cast<unsigned>(place_.role), ::getpid(), what.c_str());
    ledger_.wrong.fetch_add(1);
    ::_exit(3);
  }
  bool one_in(unsigned n) { return std::uniform_int_distribution<unsigned>(1, n)(dice_) == 1; }
  TaskEntry& entry(std::uint64_t number) {
    if (number >= ledger_.next) wrong("a task that nobody submitted: " + std::to_string(number));
    return ledger_.entries[number];
  }

  /// A quarter of the time, 34 ms at once.
  static bool is_a_lull() { return (monotonic_ns() >> 25) % 4 == 0; }

  /// Once there is room, SIGKILL within the next 30 us: in the middle of what comes next, where from outside it would mostly be
  /// in a wait.
  void die_while_submitting(const shmq::TaskTable& table) {
    while (table.counts()[static_cast<std::size_t>(TaskState::free)] == 0 && ledger_.phase == TaskLedger::submit)
      ::usleep(50);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGKILL;
    timer_t timer{};
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) wrong("timer_create");
    itimerspec when{};
    when.it_value.tv_nsec = std::uniform_int_distribution<long>(1, 30'000)(dice_);
    if (::timer_settime(timer, 0, &when, nullptr) != 0) wrong("timer_settime");
  }

  int submit(shmq::TaskTable& table) {
    while (ledger_.phase == TaskLedger::submit) {
      const std::uint32_t number = ledger_.next.fetch_add(1);
      if (number >= TaskLedger::kNumbers) wrong("more tasks than the ledger has room for");
      std::byte payload[kLarge];
      const std::size_t bytes = number % 32 == 0 ? kLarge : kSmall;
      write_payload({payload, bytes}, number);
      TaskEntry& mine = entry(number);
      shmq::TaskOptions options;
      std::string key;
      if (one_in(4)) {
        const unsigned which = std::uniform_int_distribution<unsigned>(1, kKeys)(dice_);
        mine.key = static_cast<std::uint8_t>(which);
        options.key = key = "key " + std::to_string(which);
      }
      if (one_in(8)) mine.limited = 1, options.run_limit = kRunLimit;
      if (one_in(16)) options.delay = std::chrono::milliseconds(std::uniform_int_distribution<int>(1, 20)(dice_));
      options.name = number % 2 == 0 ? "even" : "odd";
      options.failures_max = options.crashes_max = options.timeouts_max = 1000;
      options.correlation = number;
      if (one_in(1000)) die_while_submitting(table);
      mine.intended_ns = monotonic_ns();
      mine.submission = TaskEntry::intended;
      shmq::Submitted done;
      for (;;) {
        done = table.submit({payload, bytes}, options, 50ms);
        if (done) break;
        if (done.outcome != Outcome::timeout)
          wrong(std::string("submit said ") + shmq::to_string(done.outcome));
      }
      mine.submitted_ns = monotonic_ns();
      if (done.duplicate && key.empty()) wrong("a duplicate of a task without a key");
      (done.duplicate ? mine.answered : mine.id) = done.id;
      mine.submission = done.duplicate ? TaskEntry::duplicate : TaskEntry::submitted;
      // All pause at the same time: workers go idle, and one of them keeps the time.
      while (is_a_lull() && ledger_.phase == TaskLedger::submit) ::usleep(500);
      if (number > TaskLedger::kNumbers / 2)
        ::usleep(1000);  // the ledger lasts until enough of us were killed
    }
    while (ledger_.phase != TaskLedger::leave) ::usleep(1000);
    return 0;
  }

  int work(shmq::TaskTable& table) {
    shmq::TaskWorker worker =
        table.worker({.batch = 1u << std::uniform_int_distribution<unsigned>(0, 3)(dice_)});
    while (ledger_.phase != TaskLedger::leave) {
      shmq::Run run = worker.next(20ms);
      if (!run) {
        if (run.outcome() != Outcome::timeout)
          wrong(std::string("next said ") + shmq::to_string(run.outcome()));
        continue;
      }
      bool whole = false;
      const std::uint64_t number = read_payload(run.payload(), whole);
      if (!whole || number != run.correlation())
        wrong("the payload of task " + std::to_string(run.id()) + " is not whole");
      TaskEntry& mine = entry(number);
      mine.started.fetch_add(1);
      std::int64_t not_yet = 0;
      mine.running_ns.compare_exchange_strong(not_yet, monotonic_ns());
      if (mine.limited && one_in(64)) ::usleep(kTooLongUs);
      if (one_in(64)) ::usleep(std::uniform_int_distribution<unsigned>(100, 5000)(dice_));
      if (one_in(32)) {
        mine.given_back.fetch_add(1);
        const Outcome said = one_in(2) ? run.fail() : run.release();
        if (said == Outcome::stale) {
          mine.stale.fetch_add(1);
          mine.given_back.fetch_sub(1);
        } else if (said != Outcome::ok)
          wrong(std::string("a run was given back: ") + shmq::to_string(said));
        continue;
      }
      const std::uint32_t which = ledger_.next_run.fetch_add(1) + 1;
      if (which >= TaskLedger::kRuns) wrong("more runs than the ledger has room for");
      std::byte result[kLarge];
      const std::size_t bytes = one_in(32) ? kLarge : kSmall;
      write_payload({result, bytes}, std::uint64_t{which} << 32 | number);
      ledger_.done_began_ns[which] = monotonic_ns();
      Outcome said = run.done({result, bytes});
      while (said == Outcome::no_block) {
        ::usleep(200);
        said = run.done({result, bytes});
      }
      if (said == Outcome::stale) {
        mine.stale.fetch_add(1);
        continue;
      }
      if (said != Outcome::ok) wrong(std::string("done said ") + shmq::to_string(said));
      mine.winner = which;
      mine.wins.fetch_add(1);
    }
    return 0;
  }

  /// Removes what is done, and notes whose result it had. Never killed: what it has done is certain.
  int collect(shmq::TaskTable& table) {
    std::vector<shmq::TaskInfo> done;
    while (ledger_.phase != TaskLedger::leave) {
      done.clear();
      table.for_each([&](const shmq::TaskInfo& info) {
        if (info.state == TaskState::done) done.push_back(info);
        if (info.state > TaskState::done) wrong(std::string("a task is ") + shmq::to_string(info.state));
      });
      for (const shmq::TaskInfo& info : done) {
        const auto result = table.result(info.id);
        if (!result) wrong("a task that is done has no result");
        bool whole = false;
        const std::uint64_t said = read_payload(*result, whole);
        if (!whole || (said & 0xffff'ffff) != info.correlation)
          wrong("a result is not whole, or another task's");
        TaskEntry& its = entry(info.correlation);
        its.result_of = static_cast<std::uint32_t>(said >> 32);
        its.collected.fetch_add(1);
        its.id = info.id;
        its.collected_ns = monotonic_ns();
        ledger_.timeouts.fetch_add(info.ended.timeouts);
        ledger_.crashes.fetch_add(info.ended.crashes);
        if (info.ended.failures + info.ended.releases > its.given_back)
          wrong("more runs were given back than workers did");
        if (table.remove(info.id) != Outcome::ok) wrong("a task that is done cannot be removed");
        ledger_.collected.fetch_add(1);
      }
      const auto counts = table.counts();
      if (counts[static_cast<std::size_t>(TaskState::free)] == table.capacity())
        ledger_.empty.fetch_add(1);
      else
        ledger_.empty = 0;
      if (done.empty()) ::usleep(500);
    }
    return 0;
  }

  TaskLedger& ledger_;
  TaskPlace place_;
  std::mt19937_64 dice_;
};

}  // namespace

shmq::TaskTableOptions task_table_options() {
  return {.capacity = 512, .payload_bytes = 64, .result_bytes = 64, .keys = 64};
}

int run_task_role(TaskLedger& ledger, const TaskPlace& place) { return Process(ledger, place).run(); }

}  // namespace soak
