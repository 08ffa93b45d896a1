#include "work_job.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.hpp"
#include "failure.hpp"
#include "output.hpp"
#include "shmq/base/clock.hpp"

namespace shmq::cli {

namespace {

constexpr std::int64_t kKillAfterNs = 2'000'000'000;  // between SIGTERM and SIGKILL
constexpr std::size_t kLineMax = 256;                 // of what is kept of a line of standard error

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

WorkJob::WorkJob(Run run, const CommandLine& command, const WorkOptions& options, int epoll, CommandPid& running)
    : run_(std::move(run)), id_(run_.id()), options_(options), running_(running) {
  const std::string payload(text_of(run_.payload()));  // a copy: the original is ours only as long as the lease is
  const bool as_argument = command.takes_payload();
  if (as_argument && payload.find('\0') != std::string::npos) {
    last_line_ = "the payload has a NUL in it, which no argument can have: give it on standard input, without {}";
    return;
  }
  Child::Start start;
  start.arguments = command.with(payload);
  start.program = command.program(start.arguments);
  if (!as_argument) start.input = payload;
  start.take_errors = true;
  start.environment = {"SHMQ_TASK_ID=" + std::to_string(id_), "SHMQ_TASK_NAME=" + run_.name(),
                       "SHMQ_TASK_RUNS_BEFORE=" + std::to_string(run_.runs_before())};
  const std::string name = base::printable(start.arguments.front());
  const int error = start.program.empty() ? ENOENT : child_.start(epoll, std::move(start));
  if (error != 0) {
    last_line_ = "cannot run \"" + name + "\": " + base::errno_text(error);
    return;
  }
  running_.store(child_.pid());
  started_ = true;
  if (options.timeout_ns) ends_ns_ = base::monotonic_ns() + *options.timeout_ns;
}

std::string WorkJob::label() const { return "work: task " + std::to_string(id_); }

void WorkJob::end_for(Why why) {
  if (why_ != Why::none || child_.finished()) return;
  why_ = why;
  child_.end(kKillAfterNs);
}

void WorkJob::stop() {
  if (child_.finished())
    why_ = Why::stopped;  // it waits for a block
  else if (started_)
    end_for(Why::stopped);
}

/// Whether the run may go on.
void WorkJob::watch() {
  if (run_.heartbeat() != Outcome::ok)
    end_for(Why::lost);
  else if (run_.cancelled())
    end_for(Why::cancelled);
  else if (base::monotonic_ns() >= ends_ns_)
    end_for(Why::timeout);
}

void WorkJob::take(std::string_view output) {
  if (why_ == Why::too_large) return;
  result_.append(output);
  // The newline that is left away does not count.
  if (result_.size() > options_.result_max + (options_.whole ? 0 : 1)) {
    end_for(Why::too_large);
    why_ = why_ == Why::none ? Why::too_large : why_;  // it may have ended by itself already
    result_ = {};
  }
}

/// Passed on, and the last line kept: it is what people look for first.
void WorkJob::take_errors(std::string_view text) {
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t n = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  for (const char c : text) {
    if (c != '\n') {
      if (line_.size() < kLineMax) line_ += c;
      continue;
    }
    if (!line_.empty()) last_line_ = line_;
    line_.clear();
  }
}

bool WorkJob::advance() {
  if (!started_) {
    fail({.status = 126});
    return true;
  }
  if (!child_.finished()) {
    watch();
    if (!child_.advance([this](std::string_view output) { take(output); },
                        [this](std::string_view text) { take_errors(text); }))
      return false;
    running_.store(0);
    if (!line_.empty()) last_line_ = line_;
    if (!options_.whole && result_.ends_with('\n')) result_.pop_back();
    if (result_.size() > options_.result_max) why_ = why_ == Why::none ? Why::too_large : why_;
  }
  return settle();
}

/// The command is over; true once the run is, too.
bool WorkJob::settle() {
  switch (why_) {
    case Why::none:
      if (child_.ending().good()) return complete();
      fail(child_.ending());
      return true;
    case Why::stopped:
      (void)run_.release();
      return true;
    case Why::cancelled:
      (void)run_.cancel();
      return true;
    case Why::lost:
      remark(label() + ": its lease was lost, so its command was ended");
      (void)run_.release();  // stale
      return true;
    case Why::timeout:
      last_line_ = "it took longer than --timeout";
      break;
    case Why::too_large:
      last_line_ = "its output is larger than --result-max (" + base::size_text(options_.result_max) + ")";
      break;
  }
  remark(label() + ": " + last_line_);
  fail({.status = 1});
  return true;
}

bool WorkJob::complete() {
  const Outcome outcome = run_.done(std::as_bytes(std::span(result_)));
  switch (outcome) {
    case Outcome::ok:
    case Outcome::removed:
      return true;
    case Outcome::stale:
      remark(label() + ": its lease was lost before its command was done");
      return true;
    case Outcome::no_block:
      return false;  // another task's block will be free; its lease is looked at by done()
    case Outcome::too_large:
      last_line_ = "its output of " + base::size_text(result_.size()) +
                   " fits neither the table (shmq table --result) nor a block of the segment (shmq create --blocks)";
      remark(label() + ": " + last_line_);
      fail({.status = 1});
      return true;
    default:
      throw Failure{kFailed, std::string("cannot store a result: ") + to_string(outcome)};
  }
}

void WorkJob::fail(const Ending& ending) {
  if (!started_) remark(label() + ": " + last_line_);
  if (ending.signal != 0)
    (void)run_.crash(ending.signal, ending.core, last_line_);
  else
    (void)run_.fail(last_line_.empty() ? ending_text(ending) : last_line_);
}

std::int64_t WorkJob::due_ns() const { return std::min(child_.due_ns(), ends_ns_); }

}  // namespace shmq::cli
