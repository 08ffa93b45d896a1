// map's parent: items become tasks, results become output. It has no thread but its own, so that it may fork.
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/text.hpp"
#include "failure.hpp"
#include "joblog.hpp"
#include "map.hpp"
#include "map_crew.hpp"
#include "map_flights.hpp"
#include "map_input.hpp"
#include "map_output.hpp"
#include "map_progress.hpp"
#include "map_segment.hpp"
#include "output.hpp"
#include "shmq/base/clock.hpp"
#include "signal_inbox.hpp"

namespace shmq::cli {

namespace {

/// After a worker was killed: how often all items are looked at, for one that was given up by whoever mended the table.
constexpr std::int64_t kLookEveryNs = 50'000'000;
/// What was begun to be written when the signal came is written to its end, where the reader takes it.
constexpr std::int64_t kLastWriteNs = 500'000'000;

class MapParent {
 public:
  MapParent(const CommandLine& command, const MapOptions& options)
      : command_(command),
        options_(options),
        joblog_(options.joblog),
        own_(options.workers),
        crew_(command, options, own_.name()),
        input_(options.framing),
        flights_(own_.table(), options.keep_order),
        progress_(options.progress) {}

  int run();

 private:
  void feed();
  void refuse();
  void hear();
  bool take_results();
  void collect();
  void emit(const MapFlights::Flight& flight);
  void look_after_crew();
  void give_up(int status, const std::string& why);
  void read_signals();
  void wait();
  void show_progress(bool last);
  int finish();

  const CommandLine& command_;
  const MapOptions& options_;
  SignalInbox signals_{SIGINT, SIGTERM, SIGHUP, SIGCHLD};
  Joblog joblog_;
  MapSegment own_;
  MapCrew crew_;
  MapInput input_;
  MapFlights flights_;
  MapOutput output_{STDOUT_FILENO};
  MapProgress progress_;
  bool draining_ = false;
  std::uint64_t done_ = 0, failed_ = 0;
  std::int64_t look_at_ns_ = INT64_MAX;
  int ends_with_ = 0;  // exit status of an early end
};

int MapParent::run() {
  while (ends_with_ == 0) {
    collect();
    feed();  // after it: there may be room now, and nothing else would say so
    crew_.fill(flights_.size());  // no more than there is to do
    if (input_.over() && !draining_) {
      draining_ = true;
      own_.table().drain();
    }
    if (input_.over() && flights_.empty() && output_.empty()) break;
    if (ends_with_ == 0 && !(flights_.ready() && output_.roomy())) wait();
  }
  return finish();
}

void MapParent::give_up(int status, const std::string& why) {
  if (ends_with_ != 0) return;
  ends_with_ = status;
  if (!why.empty()) remark("map: " + why + "; " + std::to_string(done_) +
                          (done_ == 1 ? " item was done before that" : " items were done before that"));
}

/// Each is one failed item, in its turn; the others go on.
void MapParent::refuse() {
  while (const std::optional<MapInput::Refused> refused = input_.refused()) {
    remark("map: item " + std::to_string(refused->number) + " " + refused->why);
    flights_.refuse(refused->number);
  }
}

/// Items that were read as a whole become tasks, as far as there is room.
void MapParent::feed() {
  for (;;) {
    const std::string* const item = input_.next();
    refuse();
    if (item == nullptr) break;
    const Outcome outcome = flights_.submit(input_.number(), *item);
    if (outcome == Outcome::full || outcome == Outcome::no_block) return;
    if (outcome != Outcome::ok)
      return give_up(kMapTrouble, std::string("cannot put an item into the table: ") + to_string(outcome));
    std::string taken = input_.take();
    if (joblog_.wanted()) flights_.remember(input_.number(), std::move(taken));
  }
  if (!input_.trouble().empty()) give_up(kMapTrouble, input_.trouble());
}

/// What the workers say is over.
void MapParent::hear() {
  std::uint64_t numbers[512];
  for (;;) {
    const ssize_t n = ::read(crew_.told(), numbers, sizeof numbers);
    if (n <= 0) return;
    for (std::size_t i = 0; i < static_cast<std::size_t>(n) / sizeof numbers[0]; ++i) flights_.note_over(numbers[i]);
    if (static_cast<std::size_t>(n) < sizeof numbers) return;
  }
}

/// Takes results as far as there is room for them. False: there was none that could be.
bool MapParent::take_results() {
  bool any = false;
  for (; output_.roomy(); any = true) {
    const std::optional<MapFlights::Flight> flight = flights_.take_over();
    if (!flight) break;
    emit(*flight);
    if (flight->id != 0) (void)own_.table().remove(flight->id);
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

void MapParent::emit(const MapFlights::Flight& flight) {
  JobRow row;
  row.number = flight.number;
  const std::optional<std::vector<std::byte>> bytes = flight.id == 0 ? std::nullopt : own_.table().result(flight.id);
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
  } else if (flight.id == 0) {
    row.status = 126;  // as one that cannot be executed
    row.started_ns = base::realtime_ns();
  } else {
    row.status = -1;
    row.signal = SIGKILL;
    remark("map: item " + std::to_string(flight.number) + " was given up: each of " + std::to_string(kMapCrashesMax + 1) +
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
  flights_.look_everywhere();
  look_at_ns_ = base::monotonic_ns() + kLookEveryNs;
}

void MapParent::read_signals() {
  for (int signal = 0; (signal = signals_.take()) != 0;)
    if (signal != SIGCHLD)
      give_up(kSignal + signal, "ended by " + std::string(signal == SIGINT   ? "SIGINT"
                                                          : signal == SIGHUP ? "SIGHUP"
                                                                             : "SIGTERM"));
}

void MapParent::wait() {
  const std::int64_t until_ns = std::min(look_at_ns_, progress_.due_ns());
  int wait_ms = -1;
  if (until_ns != INT64_MAX)
    wait_ms = static_cast<int>(std::clamp<std::int64_t>((until_ns - base::monotonic_ns()) / 1'000'000 + 1, 0, 60'000));
  pollfd watched[] = {{signals_.fd(), POLLIN, 0},
                      {crew_.told(), POLLIN, 0},
                      {input_.starved() && flights_.size() < kMapItems ? STDIN_FILENO : -1, POLLIN, 0},
                      {output_.empty() ? -1 : output_.fd(), POLLOUT, 0}};
  (void)::poll(watched, std::size(watched), wait_ms);
  read_signals();
  if (watched[0].revents != 0) look_after_crew();
  if (watched[1].revents != 0) hear();
  if (watched[2].revents != 0) input_.read();
  if (base::monotonic_ns() >= look_at_ns_) {
    own_.segment().reap();
    flights_.look_everywhere();
    look_at_ns_ = base::monotonic_ns() + kLookEveryNs;
  }
  show_progress(false);
}

void MapParent::show_progress(bool last) {
  progress_.show({done_ + flights_.over(), failed_, flights_.size() - flights_.over(), input_.over()}, last);
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
  show_progress(true);
  if (ends_with_ != 0) return ends_with_;
  return static_cast<int>(std::min<std::uint64_t>(failed_, 101));
}

}  // namespace

int run_map(const CommandLine& command, const MapOptions& options) { return MapParent(command, options).run(); }

}  // namespace shmq::cli
