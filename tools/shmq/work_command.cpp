// work: runs a command for each task of a table.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "address.hpp"
#include "base/text.hpp"
#include "bell.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "output.hpp"
#include "processors.hpp"
#include "shmq/base/clock.hpp"
#include "signal_inbox.hpp"
#include "work_job.hpp"

namespace shmq::cli {

namespace {

constexpr unsigned kSlotsMax = 1000;
/// How often leases and cancellations are looked at while commands run.
constexpr std::int64_t kLookNs = 50'000'000;

class Work {
 public:
  Work(const Address& address, const CommandLine& command, const WorkOptions& options, std::span<CommandPid> pids);
  int run();

 private:
  bool wants_more() const {
    return stops_ == 0 && !over_ && running_ < slots_.size() && (!options_.count || taken_ < *options_.count);
  }
  void read_signals();
  void look_after_table();
  void removed();
  void advance();
  void take_one();
  void start(Run run);
  void sleep();
  std::int64_t wait_ns() const;

  const CommandLine& command_;
  const WorkOptions& options_;
  const std::span<CommandPid> pids_;
  const pid_t parent_ = ::getppid();
  SignalInbox signals_{SIGINT, SIGTERM, SIGHUP};
  Descriptor epoll_;
  OpenTable open_;
  TaskWorker worker_;
  Bell bell_;
  std::vector<std::unique_ptr<WorkJob>> slots_;
  std::size_t running_ = 0;
  std::uint64_t taken_ = 0;
  bool over_ = false;  // no more tasks will come
  int from_parent_ = 0, direct_ = 0;  // signals
  int stops_ = 0;                     // how often it was told to end
  std::int64_t stop_at_ns_ = INT64_MAX;
  int status_ = kOk;
};

Work::Work(const Address& address, const CommandLine& command, const WorkOptions& options, std::span<CommandPid> pids)
    : command_(command),
      options_(options),
      pids_(pids),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      open_(open_table(address, "work")),
      worker_(open_.table.worker({.wait = Wait::futex})),
      bell_(epoll_.get()),
      slots_(options.slots) {
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.fd(), &event);
}

/// From a terminal they come twice: to this process, and through the one that watches over it.
void Work::read_signals() {
  const int before = stops_;
  int from_parent = 0, direct = 0;
  for (SignalInbox::Taken came; (came = signals_.take_from()).signal != 0;) ++(came.from == parent_ ? from_parent : direct);
  from_parent_ += from_parent;
  direct_ += direct;
  stops_ = std::max(from_parent_, direct_);
  if (::getppid() != parent_) stops_ = std::max(stops_, 2);  // nobody would end the commands after us
  if (stops_ == before) return;
  if (before == 0) {
    worker_.give_back();
    stop_at_ns_ = base::monotonic_ns() + options_.grace_ns;
    if (running_ != 0 && stops_ == 1)
      remark("work: takes no more tasks; " + std::to_string(running_) + (running_ == 1 ? " command" : " commands") +
             " may go on for " + std::to_string(options_.grace_ns / 1'000'000'000) + " s");
  }
  if (stops_ > 1) stop_at_ns_ = 0;
}

void Work::advance() {
  if (base::monotonic_ns() >= stop_at_ns_)
    for (const auto& job : slots_)
      if (job) job->stop();
  for (auto& job : slots_) {
    if (!job || !job->advance()) continue;
    job.reset();
    --running_;
  }
}

void Work::start(Run run) {
  const auto free = std::find(slots_.begin(), slots_.end(), nullptr);
  *free = std::make_unique<WorkJob>(std::move(run), command_, options_, epoll_.get(),
                                    pids_[static_cast<std::size_t>(free - slots_.begin())]);
  ++running_;
  ++taken_;
}

std::int64_t Work::wait_ns() const {
  if (running_ == 0) return stops_ != 0 || over_ ? 0 : 1'000'000'000;
  std::int64_t until_ns = std::min(stop_at_ns_, base::monotonic_ns() + kLookNs);
  for (const auto& job : slots_)
    if (job) until_ns = std::min(until_ns, job->due_ns());
  return std::max<std::int64_t>(0, until_ns - base::monotonic_ns());
}

void Work::sleep() {
  epoll_event events[16];
  ::epoll_wait(epoll_.get(), events, 16, static_cast<int>(wait_ns() / 1'000'000 + 1));
}

/// Waits for a task, or for something of those that run.
void Work::take_one() {
  Run run = worker_.next(Limit(bell_.arm(), std::chrono::nanoseconds(wait_ns())));
  bell_.silence();
  switch (run.outcome()) {
    case Outcome::ok:
      return start(std::move(run));
    case Outcome::timeout:
    case Outcome::stopped:
      return;
    case Outcome::closed:
      // A dead task may be kicked even then.
      over_ = options_.until_drained;
      if (!over_) sleep();
      return;
    case Outcome::removed:
      return removed();
    default:
      throw Failure{kFailed, std::string("cannot take a task: ") + to_string(run.outcome())};
  }
}

/// While all slots are taken nothing waits in the table, where the time is kept and the dead are found: this does it instead.
/// Once the table is removed, nobody wants what its commands are doing.
void Work::look_after_table() {
  const auto job = std::find_if(slots_.begin(), slots_.end(), [](const auto& slot) { return slot != nullptr; });
  if (job == slots_.end() || status_ == kClosed) return;
  const Outcome outcome = open_.table.wait((*job)->id(), std::chrono::nanoseconds(0));
  if (outcome == Outcome::removed) removed();
}

void Work::removed() {
  if (status_ == kClosed) return;
  remark("work: the table was removed");
  status_ = kClosed;
  over_ = true;
  stop_at_ns_ = 0;
}

int Work::run() {
  for (;;) {
    read_signals();
    look_after_table();
    advance();
    if (wants_more())
      take_one();
    else if (running_ != 0)
      sleep();
    else
      return status_;
  }
}

}  // namespace

int work_command(const Words& words) {
  // The table comes first, and then the command, which has options of its own.
  const auto dashes = std::find(words.begin(), words.end(), "--");
  const Arguments arguments({words.begin(), dashes}, {{"--slots", "N"},
                                                      {"--grace", "SECONDS"},
                                                      {"--timeout", "SECONDS"},
                                                      {"--result-max", "SIZE"},
                                                      {"--whole"},
                                                      {"--until-drained"},
                                                      {"--count", "N"}});
  const Address address = parse_table(arguments.only_word("SEG/T"));
  if (dashes == words.end() || dashes + 1 == words.end()) throw UsageError{"needs -- COMMAND to run for each task"};
  const CommandLine command({dashes + 1, words.end()});
  WorkOptions options;
  options.slots = arguments.number("--slots", processors(), 1, kSlotsMax);
  options.grace_ns = arguments.seconds_ns("--grace").value_or(options.grace_ns);
  options.timeout_ns = arguments.seconds_ns("--timeout");
  options.result_max = arguments.size("--result-max", options.result_max);
  options.whole = arguments.has("--whole");
  options.until_drained = arguments.has("--until-drained");
  if (arguments.has("--count")) options.count = arguments.number("--count", 0, 1, UINT64_MAX);
  return run_watched(options.slots, "work", [&](std::span<CommandPid> pids) {
    return Work(address, command, options, pids).run();
  });
}

}  // namespace shmq::cli
