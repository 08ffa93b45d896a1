#include "job.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <set>
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

shmq::SegmentOptions size_of_segment() {
  // A count of 32 KiB of text is at most 2.7 times as long as the text: six bytes more for each word, of two
  // letters.
  return require(shmq::CapacityPlan()
                     .queue({.capacity = 64})
                     .queue({.capacity = 64})
                     .blocks(kChunkBytes, 96)
                     .blocks(4 * kChunkBytes, 48)
                     .options());
}

/// What `shmq-stat show SEGMENT` prints: the program beside this one, or the one in PATH.
std::string stat_table(const std::string& segment) {
  char self[4096] = {};
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self - 1);
  std::string program = length > 0 ? std::string(self, static_cast<std::size_t>(length)) : "";
  program.erase(program.rfind('/') == std::string::npos ? 0 : program.rfind('/') + 1);
  program += "shmq-stat";
  if (::access(program.c_str(), X_OK) != 0) program = "shmq-stat";
  FILE* pipe = ::popen(("'" + program + "' show " + segment + " 2>&1").c_str(), "r");
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
        segment_(require(shmq::Segment::create(name_, size_of_segment(), {.name = "collector"}))),
        chunks_(require(segment_.queue(kChunks, {.capacity = 64}))),
        counts_(require(segment_.queue(kCounts, {.capacity = 64}))) {}

  ~Job() {
    children_.end_all();
    if (!options_.keep_segment) (void)shmq::Segment::remove(name_);
  }

  JobResult run() {
    const std::int64_t begin_ns = shmq::base::monotonic_ns();
    children_.start("feeder", [&] { return feed(name_, corpus_); });
    if (options_.kill_one) start_victim();
    for (unsigned i = options_.kill_one ? 1 : 0; i < options_.workers; ++i)
      children_.start("worker", [&] { return work(name_, nullptr); });
    collect();
    result_.seconds = static_cast<double>(shmq::base::monotonic_ns() - begin_ns) / 1e9;
    result_.messages = result_.chunks * 2;
    return std::move(result_);
  }

 private:
  /// The victim works alone until it holds a message and says so: so it is certain to get one.
  void start_victim() {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("cannot make a pipe");
    const std::uint64_t expected_chunks = corpus_.bytes / kChunkBytes + corpus_.files.size();
    const Victim victim{expected_chunks >= 20 ? std::uint64_t{5} : 1, ends[1]};
    victim_ = children_.start("victim", [&] { return work(name_, &victim); });
    ::close(ends[1]);
    pollfd readable{ends[0], POLLIN, 0};
    while (::poll(&readable, 1, 100) <= 0) {
      check_stop();
      check_children();
    }
    const bool told = ::read(ends[0], &held_, sizeof held_) == sizeof held_;
    ::close(ends[0]);
    if (!told)
      throw std::runtime_error(
          "the worker that was to be killed got no message to hold: the corpus is empty");
  }

  void collect() {
    shmq::Consumer<> in = counts_.consumer();
    for (;;) {
      check_stop();
      shmq::Message message = in.receive(50ms);
      if (message) {
        take(message);
        message.release();
      } else if (message.outcome() == shmq::Outcome::closed) {
        return;
      } else if (message.outcome() != shmq::Outcome::timeout) {
        throw std::runtime_error(std::string("cannot receive a count: ") + to_string(message.outcome()));
      }
      // Others have worked beside it, or wait for it by now: it is time.
      if (victim_ > 0 && (result_.chunks >= 32 || message.outcome() == shmq::Outcome::timeout)) kill_victim();
      if (!children_.any_running()) counts_.close();
      check_children();
      show_progress();
    }
  }

  void check_children() {
    if (!children_.any_running() && chunks_.closed()) return;
    if (!children_.failed().empty()) throw std::runtime_error(children_.failed());
  }

  void take(const shmq::Message& message) {
    ResultHeader header{};
    if (message.size() < sizeof header) throw std::runtime_error("a count is too short");
    std::memcpy(&header, message.data().data(), sizeof header);
    if (header.redelivered != 0) ++result_.redelivered;
    const shmq::MessageId id{header.chunk_generation, header.chunk_position};
    if (killed_ns_ != 0 && header.redelivered != 0 && id.generation == held_.generation &&
        id.position == held_.position) {
      result_.repair_ms = static_cast<double>(header.received_ns - killed_ns_) / 1e6;
      result_.repaired_by = header.worker_pid;
    }
    if (!seen_.insert(id).second) {
      ++result_.repeats_dropped;
      return;
    }
    if (!decode_into(message.data().subspan(sizeof header), result_.words))
      throw std::runtime_error("a count is damaged");
    ++result_.chunks;
    result_.bytes += header.chunk_bytes;
  }

  /// It says that it holds the message, and so does the segment; only then is it killed.
  void kill_victim() {
    const shmq::SegmentSnapshot snapshot = require(shmq::inspect_segment(name_));
    const shmq::ObjectSnapshot* chunks = snapshot.queue(kChunks);
    bool holds = false;
    if (chunks != nullptr && chunks->queue)
      for (const shmq::HoldSnapshot& hold : chunks->queue->holds) {
        const shmq::ParticipantSnapshot* holder = snapshot.participant(hold.participant);
        holds |= hold.kind == shmq::HoldSnapshot::Kind::reading && holder != nullptr &&
                 holder->pid == static_cast<std::uint32_t>(victim_) && hold.oldest_position == held_.position;
      }
    if (!holds)
      throw std::runtime_error(
          "the segment does not say that the worker holds the message that it claims to hold");
    result_.stat_table = stat_table(name_);
    result_.held_id = std::to_string(held_.generation) + ":" + std::to_string(held_.position);
    std::cout << "kill        SIGKILL to worker " << victim_ << " while it holds message " << result_.held_id
              << std::endl;
    killed_ns_ = shmq::base::monotonic_ns();
    children_.kill(victim_);
    victim_ = 0;
  }

  void show_progress() {
    const std::uint64_t percent = corpus_.bytes == 0 ? 100 : result_.bytes * 100 / corpus_.bytes;
    if (percent < shown_ + 20 && percent != 100) return;
    if (percent == shown_) return;
    shown_ = percent;
    std::cout << "progress    " << percent << " %, " << result_.chunks << " chunks, " << result_.words.size()
              << " different words" << std::endl;
  }

  const Corpus& corpus_;
  const JobOptions options_;
  const std::string name_;
  shmq::Segment segment_;
  shmq::Queue<> chunks_;
  shmq::Queue<> counts_;
  Children children_;
  JobResult result_;
  std::set<shmq::MessageId> seen_;
  pid_t victim_ = 0;
  HeldMessage held_{};
  std::int64_t killed_ns_ = 0;
  std::uint64_t shown_ = 0;
};

}  // namespace

void request_stop() { stop_requested = true; }

JobResult run_job(const Corpus& corpus, const JobOptions& options) { return Job(corpus, options).run(); }

}  // namespace wordcount
