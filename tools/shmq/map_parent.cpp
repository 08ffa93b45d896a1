// map's parent: items become tasks, results become output. It has no thread but its own, so that it may fork.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <unordered_map>

#include "base/text.hpp"
#include "failure.hpp"
#include "joblog.hpp"
#include "map.hpp"
#include "map_crew.hpp"
#include "map_output.hpp"
#include "output.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/capacity_plan.hpp"
#include "shmq/segment.hpp"
#include "shmq/tasks.hpp"
#include "signal_inbox.hpp"

namespace shmq::cli {

namespace {

/// So many workers may be killed with the same item in hand, and it is run again.
constexpr std::uint16_t kCrashesMax = 3;
/// After a worker was killed: how often all items are looked at, for one that was given up by whoever mended the table.
constexpr std::int64_t kLookEveryNs = 50'000'000;
/// What was begun to be written when the signal came is written to its end, where the reader takes it.
constexpr std::int64_t kLastWriteNs = 500'000'000;

/// The segment of one map; its name goes with it.
class OwnSegment {
 public:
  explicit OwnSegment(unsigned workers) {
    const TaskTableOptions table{
        .capacity = kMapItems, .payload_bytes = 192, .result_bytes = kMapResultBytes, .errors = 0, .names = 0};
    // A killed worker keeps its row until it is swept.
    CapacityPlan plan(2 * workers + 8, 8);
    plan.task_table(table).blocks(1024, 256).blocks(kMapItemMax + 1, std::max(8u, 2 * workers));
    const SegmentOptions options = need(plan.options());
    const std::string base = "map-" + std::to_string(::getpid());
    for (int attempt = 1;; ++attempt) {
      name_ = base + (attempt == 1 ? "" : "-" + std::to_string(attempt));
      Result<Segment> made = Segment::create(name_, options, {.name = "shmq map"});
      if (made) {
        segment_.emplace(std::move(*made));
        break;
      }
      // Of a map that was killed with SIGKILL and had this pid.
      if (made.error().code() == ErrorCode::already_exists && attempt < 100) continue;
      throw Failure{kMapTrouble, made.error().message()};
    }
    Result<TaskTable> declared = segment_->task_table(kMapTable, table);
    if (!declared) {
      (void)Segment::remove(name_);
      throw Failure{kMapTrouble, declared.error().message()};
    }
    table_.emplace(std::move(*declared));
  }
  ~OwnSegment() { (void)Segment::remove(name_); }
  OwnSegment(const OwnSegment&) = delete;
  OwnSegment& operator=(const OwnSegment&) = delete;

  const std::string& name() const { return name_; }
  Segment& segment() { return *segment_; }
  TaskTable& table() { return *table_; }

 private:
  std::string name_;
  std::optional<Segment> segment_;
  std::optional<TaskTable> table_;
};

class MapParent {
 public:
  MapParent(const CommandLine& command, const MapOptions& options)
      : command_(command),
        options_(options),
        joblog_(options.joblog),
        own_(options.workers),
        crew_(command, options, own_.name()),
        reader_(STDIN_FILENO, options.framing, kMapItemMax) {}

  int run();

 private:
  struct Flight {
    TaskId id = 0;
    std::string item;  // for the job log
  };

  void feed();
  void read_input();
  void hear();
  void look_everywhere();
  void note_over(std::uint64_t number);
  bool take_results();
  void collect();
  void emit(std::uint64_t number, const Flight& flight);
  void look_after_crew();
  void give_up(int status, const std::string& why);
  void wait();
  void show_progress(bool last);
  int finish();

  const CommandLine& command_;
  const MapOptions& options_;
  SignalInbox signals_{SIGINT, SIGTERM, SIGHUP, SIGCHLD};
  Joblog joblog_;
  OwnSegment own_;
  MapCrew crew_;
  MapOutput output_{STDOUT_FILENO};
  RecordReader reader_;
  bool starved_ = false;      // nothing that was read as a whole is left to be taken
  bool input_ended_ = false;  // read to its end
  bool input_over_ = false;   // and all of it was taken
  bool draining_ = false;
  std::optional<std::string> pending_;  // read, and not submitted
  std::uint64_t read_ = 0;              // items
  std::unordered_map<std::uint64_t, Flight> flights_;  // submitted, and not collected
  std::map<std::uint64_t, bool> over_;  // their tasks are over, by number (--keep-order)
  std::deque<std::uint64_t> in_order_of_completion_;
  std::uint64_t next_ = 1;  // to be written, with --keep-order
  std::uint64_t done_ = 0, failed_ = 0;
  std::int64_t look_at_ns_ = INT64_MAX;
  std::int64_t began_ns_ = base::monotonic_ns(), shown_ns_ = 0;
  int ends_with_ = 0;  // exit status of an early end
};

int MapParent::run() {
  while (ends_with_ == 0) {
    collect();
    feed();  // after it: there may be room now, and nothing else would say so
    crew_.fill(flights_.size());  // no more than there is to do
    if (input_over_ && !pending_ && !draining_) {
      draining_ = true;
      own_.table().drain();
    }
    if (input_over_ && !pending_ && flights_.empty() && output_.empty()) break;
    if (ends_with_ == 0) wait();
  }
  return finish();
}

void MapParent::give_up(int status, const std::string& why) {
  if (ends_with_ != 0) return;
  ends_with_ = status;
  if (!why.empty()) remark("map: " + why + "; " + std::to_string(done_) + " items were done before that");
}

/// Items that were read as a whole become tasks, as far as there is room.
void MapParent::feed() {
  for (;;) {
    if (!pending_) {
      if (input_over_ || flights_.size() >= kMapItems) return;
      const std::optional<Record> record = reader_.take();
      starved_ = !record;
      if (!record) {
        input_over_ = input_ended_;
        return;
      }
      pending_.emplace(reinterpret_cast<const char*>(record->payload.data()), record->payload.size());
      ++read_;
      if (options_.framing == Framing::line && pending_->find('\0') != std::string::npos)
        return give_up(kMapTrouble, "line " + std::to_string(read_) +
                                        " has a NUL in it, which no argument can have; items that end with NUL are read with -0");
    }
    TaskOptions task;
    task.failures_max = UINT16_MAX;  // its worker counts
    task.crashes_max = kCrashesMax;
    task.correlation = read_;
    const Submitted submitted = own_.table().try_submit(std::as_bytes(std::span(*pending_)), task);
    if (submitted.outcome == Outcome::full || submitted.outcome == Outcome::no_block) return;
    if (!submitted)
      return give_up(kMapTrouble, std::string("cannot put an item into the table: ") + to_string(submitted.outcome));
    flights_[read_] = {submitted.id, joblog_.wanted() ? std::move(*pending_) : std::string()};
    pending_.reset();
  }
}

void MapParent::read_input() {
  switch (reader_.fill()) {
    case RecordReader::Filled::more:
    case RecordReader::Filled::stopped:
      break;
    case RecordReader::Filled::end:
      input_ended_ = true;
      break;
    case RecordReader::Filled::too_large:
      give_up(kMapTrouble, "item " + std::to_string(read_ + 1) + " has more than " + std::to_string(kMapItemMax) +
                               " bytes, and no argument may; have the command read it from a file");
      break;
    case RecordReader::Filled::failed:
      give_up(kMapTrouble, "cannot read standard input: " + base::errno_text(errno));
      break;
  }
}

/// What the workers say is over.
void MapParent::hear() {
  std::uint64_t numbers[512];
  for (;;) {
    const ssize_t n = ::read(crew_.told(), numbers, sizeof numbers);
    if (n <= 0) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n) / sizeof numbers[0]; ++i) note_over(numbers[i]);
    if (static_cast<std::size_t>(n) < sizeof numbers) return;
  }
}

/// A worker that is killed between its completion and its word in the pipe, and a task that is given up because its
/// workers were killed, tell nobody.
void MapParent::look_everywhere() {
  for (const auto& [number, flight] : flights_) {
    const std::optional<TaskInfo> info = own_.table().info(flight.id);
    if (!info || info->state == TaskState::done || info->state == TaskState::dead) note_over(number);
  }
}

void MapParent::note_over(std::uint64_t number) {
  if (!flights_.contains(number) || !over_.emplace(number, true).second) return;
  if (!options_.keep_order) in_order_of_completion_.push_back(number);
}

/// Takes results as far as there is room for them. False: there was none that could be.
bool MapParent::take_results() {
  bool any = false;
  for (; output_.roomy(); any = true) {
    std::uint64_t number = next_;
    if (options_.keep_order) {
      if (!over_.contains(number)) break;
      ++next_;
    } else {
      if (in_order_of_completion_.empty()) break;
      number = in_order_of_completion_.front();
      in_order_of_completion_.pop_front();
    }
    const auto flight = flights_.find(number);
    emit(number, flight->second);
    (void)own_.table().remove(flight->second.id);
    flights_.erase(flight);
    over_.erase(number);
  }
  return any;
}

/// Afterwards nothing is left to be written that could be, or the output says when it can.
void MapParent::collect() {
  while (ends_with_ == 0) {
    const bool any = take_results();
    if (const int error = joblog_.write(); error != 0)
      give_up(kMapTrouble, "cannot write --joblog " + options_.joblog + ": " + base::errno_text(error));
    if (const int error = output_.write_some(); error == EPIPE)
      give_up(kSignal + SIGPIPE, "");  // as any program does whose reader has gone
    else if (error != 0)
      give_up(kMapTrouble, "cannot write to standard output: " + base::errno_text(error));
    if (!any || !output_.empty()) return;
  }
}

void MapParent::emit(std::uint64_t number, const Flight& flight) {
  JobRow row;
  row.number = number;
  const std::optional<std::vector<std::byte>> bytes = own_.table().result(flight.id);
  MapResult result{};
  if (bytes && bytes->size() >= sizeof result) {
    std::memcpy(&result, bytes->data(), sizeof result);
    row.started_ns = result.started_ns;
    row.took_ns = result.took_ns;
    row.status = result.status;
    row.signal = result.signal;
    if (result.in_file != 0)
      output_.add_file(crew_.file(result.slot), result.offset, result.bytes);
    else
      output_.add({reinterpret_cast<const char*>(bytes->data()) + sizeof result, bytes->size() - sizeof result});
  } else {
    row.status = -1;
    row.signal = SIGKILL;
    remark("map: item " + std::to_string(number) + " was given up: each of " + std::to_string(kCrashesMax + 1) +
           " workers was killed while it ran it");
  }
  ++done_;
  failed_ += row.status != 0 || row.signal != 0;
  if (!joblog_.wanted()) return;
  row.command = command_.with(flight.item);
  joblog_.add(row);
}

void MapParent::look_after_crew() {
  const MapCrew::Ended ended = crew_.look();
  if (ended.failed != 0) return give_up(kMapTrouble, "a worker could not go on");
  if (ended.killed == 0) return;
  remark("map: " + std::to_string(ended.killed) + (ended.killed == 1 ? " worker was" : " workers were") +
         " killed; what was running is run again");
  own_.segment().reap();
  hear();
  look_everywhere();
  look_at_ns_ = base::monotonic_ns() + kLookEveryNs;
}

void MapParent::wait() {
  std::int64_t until_ns = look_at_ns_;
  if (options_.progress) until_ns = std::min(until_ns, shown_ns_ + 200'000'000);
  int wait_ms = -1;
  if (until_ns != INT64_MAX)
    wait_ms = static_cast<int>(std::clamp<std::int64_t>((until_ns - base::monotonic_ns()) / 1'000'000 + 1, 0, 60'000));
  pollfd watched[] = {{signals_.fd(), POLLIN, 0},
                      {crew_.told(), POLLIN, 0},
                      {starved_ && !input_ended_ ? STDIN_FILENO : -1, POLLIN, 0},
                      {output_.empty() ? -1 : output_.fd(), POLLOUT, 0}};
  (void)::poll(watched, std::size(watched), wait_ms);
  for (int signal = 0; (signal = signals_.take()) != 0;)
    if (signal != SIGCHLD)
      give_up(kSignal + signal, "ended by " + std::string(signal == SIGINT   ? "SIGINT"
                                                          : signal == SIGHUP ? "SIGHUP"
                                                                             : "SIGTERM"));
  if (watched[0].revents != 0) look_after_crew();
  if (watched[1].revents != 0) hear();
  if (watched[2].revents != 0) read_input();
  if (base::monotonic_ns() >= look_at_ns_) {
    own_.segment().reap();
    look_everywhere();
    look_at_ns_ = base::monotonic_ns() + kLookEveryNs;
  }
  if (options_.progress) show_progress(false);
}

void MapParent::show_progress(bool last) {
  const std::int64_t now_ns = base::monotonic_ns();
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  if (!last && now_ns - shown_ns_ < (terminal ? 200'000'000 : 1'000'000'000)) return;
  shown_ns_ = now_ns;
  const double seconds = std::max(1e-3, static_cast<double>(now_ns - began_ns_) / 1e9);
  const std::uint64_t over = done_ + over_.size();
  std::string text = "shmq: map: " + std::to_string(over) + " done, " + std::to_string(failed_) + " failed, " +
                     std::to_string(flights_.size() - over_.size()) + " to do" + (input_over_ ? "" : " so far") + ", " +
                     std::to_string(static_cast<std::uint64_t>(static_cast<double>(over) / seconds)) + "/s";
  text = (terminal ? "\r" : "") + text + (terminal ? "\x1b[K" : "") + (terminal && !last ? "" : "\n");
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
}

int MapParent::finish() {
  if (ends_with_ != 0) {
    crew_.tell_to_end();
    const std::int64_t until_ns = base::monotonic_ns() + kLastWriteNs;
    while (!output_.empty() && ends_with_ != kSignal + SIGPIPE && base::monotonic_ns() < until_ns) {
      if (output_.write_some() != 0) break;
      pollfd writable{output_.fd(), POLLOUT, 0};
      (void)::poll(&writable, output_.empty() ? 0 : 1, output_.empty() ? 0 : 50);
    }
  }
  // A second signal does not wait for the commands' own endings.
  while (crew_.running() != 0) {
    pollfd signal{signals_.fd(), POLLIN, 0};
    (void)::poll(&signal, 1, -1);
    for (int came = 0; (came = signals_.take()) != 0;)
      if (came != SIGCHLD) crew_.tell_to_end();
    (void)crew_.look();
  }
  if (options_.progress) show_progress(true);
  if (ends_with_ != 0) return ends_with_;
  return static_cast<int>(std::min<std::uint64_t>(failed_, 101));
}

}  // namespace

int run_map(const CommandLine& command, const MapOptions& options) { return MapParent(command, options).run(); }

}  // namespace shmq::cli
