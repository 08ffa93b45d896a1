#include "job.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <deque>
#include <iostream>
#include <shmq/base/clock.hpp>
#include <shmq/inspect.hpp>
#include <shmq/shmq.hpp>
#include <stdexcept>

#include "children.hpp"
#include "roles.hpp"

namespace wordcount {

using namespace std::chrono_literals;

namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // a signal handler writes it

void check_stop() {
  if (stop_requested) throw std::runtime_error("interrupted");
}

template <class T>
T require(shmq::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}

constexpr shmq::TaskTableOptions kTable{.capacity = kWindow};

shmq::SegmentOptions size_of_segment() {
  // A count of 32 KiB of text is at most 2.7 times as long as the text: six bytes more for each word, of two
  // letters.
  return require(shmq::CapacityPlan()
                     .task_table(kTable)
                     .blocks(kChunkBytes, kWindow)
                     .blocks(4 * kChunkBytes, kWindow)
                     .options());
}

/// What `shmq-stat tasks SEGMENT/TABLE` prints: the program beside this one, or the one in PATH.
std::string stat_table(const std::string& segment) {
  char self[4096] = {};
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self - 1);
  std::string program = length > 0 ? std::string(self, static_cast<std::size_t>(length)) : "";
  program.erase(program.rfind('/') == std::string::npos ? 0 : program.rfind('/') + 1);
  program += "shmq-stat";
  if (::access(program.c_str(), X_OK) != 0) program = "shmq-stat";
  FILE* pipe = ::popen(("'" + program + "' tasks " + segment + "/" + kShards + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return "(shmq-stat could not be started)\n";
  std::string text;
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, got);
  return ::pclose(pipe) == 0 ? text : "(shmq-stat failed: " + text + ")\n";
}

class Job {
 public:
  Job(const Corpus& corpus, const JobOptions& options)
      : corpus_(corpus),
        options_(options),
        name_("wordcount-" + std::to_string(::getpid())),
        segment_(require(shmq::Segment::create(name_, size_of_segment(), {.name = "submitter"}))),
        shards_(require(segment_.task_table(kShards, kTable))) {}

  ~Job() {
    children_.end_all();
    if (!options_.keep_segment) (void)shmq::Segment::remove(name_);
  }

  JobResult run() {
    const std::int64_t begin_ns = shmq::base::monotonic_ns();
    if (options_.kill_one)
      start_victim();
    else
      start_workers(options_.workers);
    for (const std::string& file : corpus_.files)
      for_each_chunk(file, [&](std::string_view text) {
        submit(text);
        return true;
      });
    if (options_.kill_one && held_ == 0)
      throw std::runtime_error("the worker that was to be killed got no shard to run: the corpus is empty");
    shards_.drain();
    while (!submitted_.empty()) collect_oldest();
    if (victim_ > 0) kill_victim();
    while (children_.any_running()) check_children();
    check_children();
    result_.seconds = static_cast<double>(shmq::base::monotonic_ns() - begin_ns) / 1e9;
    return std::move(result_);
  }

 private:
  void start_workers(unsigned count) {
    for (unsigned i = 0; i < count; ++i) children_.start("worker", [&] { return work(name_, nullptr); });
  }

  /// The victim works alone until it runs a shard and says so: so it is certain to get one.
  void start_victim() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("cannot make a pipe");
    hold_at_ = corpus_.bytes / kChunkBytes >= 20 ? 5 : 1;
    const Victim victim{hold_at_, ends[1]};
    victim_ = children_.start("victim", [&] { return work(name_, &victim); });
    ::close(ends[1]);
    reports_ = ends[0];
  }

  void wait_for_report() {
    pollfd readable{reports_, POLLIN, 0};
    while (::poll(&readable, 1, 100) <= 0) {
      check_stop();
      check_children();
    }
    const bool told = ::read(reports_, &held_, sizeof held_) == sizeof held_;
    ::close(reports_);
    reports_ = -1;
    if (!told) throw std::runtime_error("the worker that was to be killed ended before");
    start_workers(options_.workers - 1);
  }

  void submit(std::string_view text) {
    if (submitted_.size() == kWindow) collect_oldest();
    const shmq::Submitted submitted = shards_.submit(std::as_bytes(std::span(text)));
    if (!submitted) throw std::runtime_error(std::string("cannot submit a shard: ") + to_string(submitted.outcome));
    submitted_.push_back(submitted.id);
    ++count_;
    if (reports_ >= 0 && count_ == hold_at_) wait_for_report();
  }

  /// In the order of submission. The one that the victim runs is waited for when all others that fit the table are
  /// submitted, and run beside it: then it is time.
  void collect_oldest() {
    const shmq::TaskId id = submitted_.front();
    submitted_.pop_front();
    if (id == held_ && victim_ > 0) kill_victim();
    shmq::Outcome outcome = shmq::Outcome::timeout;
    while ((outcome = shards_.wait(id, 50ms)) == shmq::Outcome::timeout) {
      check_stop();
      check_children();
    }
    const auto result = shards_.result(id);
    if (outcome != shmq::Outcome::ok || !result)
      throw std::runtime_error("shard " + std::to_string(id) + " was not done: " + why_not(id, outcome));
    take(id, *result);
    (void)shards_.remove(id);
    show_progress();
  }

  std::string why_not(shmq::TaskId id, shmq::Outcome outcome) const {
    const std::optional<shmq::TaskInfo> info = shards_.info(id);
    return info ? shmq::to_string(info->state) : shmq::to_string(outcome);
  }

  void check_children() {
    (void)children_.any_running();
    if (!children_.failed().empty()) throw std::runtime_error(children_.failed());
  }

  void take(shmq::TaskId id, std::span<const std::byte> result) {
    ResultHeader header{};
    if (result.size() < sizeof header) throw std::runtime_error("a count is too short");
    std::memcpy(&header, result.data(), sizeof header);
    if (header.runs_before != 0) ++result_.rerun;
    if (id == held_ && killed_ns_ != 0 && header.runs_before != 0) {
      result_.repair_ms = static_cast<double>(header.started_ns - killed_ns_) / 1e6;
      result_.repaired_by = header.worker_pid;
    }
    if (!decode_into(result.subspan(sizeof header), result_.words)) throw std::runtime_error("a count is damaged");
    ++result_.shards;
    result_.bytes += header.shard_bytes;
  }

  /// It says that it runs the task, and so does the segment; only then is it killed.
  void kill_victim() {
    const shmq::SegmentSnapshot snapshot = require(shmq::inspect_segment(name_));
    bool runs = false;
    for (const shmq::ObjectSnapshot& object : snapshot.objects) {
      if (object.name != kShards || !object.tasks) continue;
      for (const shmq::TaskTableSnapshot::InHand& task : object.tasks->in_hand) {
        const shmq::ParticipantSnapshot* worker = snapshot.participant(task.participant);
        runs |= task.id == held_ && task.running && worker != nullptr &&
                worker->pid == static_cast<std::uint32_t>(victim_);
      }
    }
    if (!runs) throw std::runtime_error("the segment does not say that the worker runs the task that it claims to run");
    result_.stat_table = stat_table(name_);
    result_.held_id = held_;
    std::cout << "kill        SIGKILL to worker " << victim_ << " while it runs task " << held_ << std::endl;
    killed_ns_ = shmq::base::monotonic_ns();
    children_.kill(victim_);
    victim_ = 0;
  }

  void show_progress() {
    const std::uint64_t percent = corpus_.bytes == 0 ? 100 : result_.bytes * 100 / corpus_.bytes;
    if (percent < shown_ + 20 && percent != 100) return;
    if (percent == shown_) return;
    shown_ = percent;
    std::cout << "progress    " << percent << " %, " << result_.shards << " shards, " << result_.words.size()
              << " different words" << std::endl;
  }

  const Corpus& corpus_;
  const JobOptions options_;
  const std::string name_;
  shmq::Segment segment_;
  shmq::TaskTable shards_;
  Children children_;
  JobResult result_;
  std::deque<shmq::TaskId> submitted_;  // and not collected
  std::uint64_t count_ = 0;             // that were submitted
  std::uint64_t hold_at_ = 0;
  int reports_ = -1;  // where the victim says what it runs; -1: nothing is expected
  pid_t victim_ = 0;
  shmq::TaskId held_ = 0;
  std::int64_t killed_ns_ = 0;
  std::uint64_t shown_ = 0;
};

}  // namespace

void request_stop() { stop_requested = true; }

JobResult run_job(const Corpus& corpus, const JobOptions& options) { return Job(corpus, options).run(); }

}  // namespace wordcount
