// A worker of map: a process that runs one command at a time.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/text.hpp"
#include "child.hpp"
#include "failure.hpp"
#include "map.hpp"
#include "output.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/segment.hpp"
#include "shmq/tasks.hpp"
#include "signal_inbox.hpp"

namespace shmq::cli {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kGraceNs = 2'000'000'000;  // between SIGTERM and SIGKILL
constexpr std::uint64_t kFileStep = 4096;         // outputs begin at multiples of it: what was read can be given back

class MapWorker {
 public:
  explicit MapWorker(const MapPlace& place);
  int run();

 private:
  void execute(Run& run);
  Ending wait_for_command();
  void keep(std::string_view output);
  void settle(Run& run, const Ending& ending, std::int64_t started_ns, std::int64_t took_ns);
  void read_signals();

  const MapPlace& place_;
  SignalInbox signals_{SIGTERM};
  Descriptor epoll_;
  Segment segment_;
  TaskTable table_;
  std::optional<Child> child_;
  int stops_ = 0;          // how often it was told to end
  std::string output_;     // what is not in the file
  std::uint64_t begins_;   // where in the file the next output begins
  std::uint64_t written_ = 0;
  int write_error_ = 0;
};

MapWorker::MapWorker(const MapPlace& place)
    : place_(place),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      segment_(need(Segment::open(place.segment, {.name = "map worker"}))),
      table_(need(segment_.open_task_table(kMapTable))) {
  if (!epoll_) throw Failure{kMapTrouble, "cannot wait for commands: " + base::errno_text(errno)};
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signals_.fd(), &event);
  // The one that had this file before may have been killed.
  struct stat status {};
  if (::fstat(place.file, &status) != 0) throw Failure{kMapTrouble, "a file has gone: " + base::errno_text(errno)};
  begins_ = (static_cast<std::uint64_t>(status.st_size) + kFileStep - 1) / kFileStep * kFileStep;
}

int MapWorker::run() {
  TaskWorker worker = table_.worker();
  for (;;) {
    Run run = worker.next(100ms);  // in slices: a signal does not end a sleep
    read_signals();
    if (stops_ != 0) return kOk;  // and gives the run back
    if (run) {
      execute(run);
      if (stops_ != 0) return kOk;
    } else if (run.outcome() == Outcome::closed || run.outcome() == Outcome::removed) {
      return kOk;
    } else if (run.outcome() != Outcome::timeout) {
      throw Failure{kMapTrouble, std::string("cannot take an item: ") + to_string(run.outcome())};
    }
  }
}

/// SIGTERM comes from the parent, and from the kernel when the parent has gone. The others of a terminal are the parent's.
void MapWorker::read_signals() {
  while (signals_.take() != 0) ++stops_;
  if (stops_ == 0 || !child_) return;
  if (stops_ == 1)
    child_->end(kGraceNs);
  else
    child_->kill();
}

void MapWorker::execute(Run& run) {
  const std::span<const std::byte> payload = run.payload();
  const std::vector<std::string> arguments =
      place_.command.with({reinterpret_cast<const char*>(payload.data()), payload.size()});
  output_.clear();
  written_ = 0;
  write_error_ = 0;
  const std::int64_t started_ns = base::realtime_ns(), began_ns = base::monotonic_ns();
  const std::string program = place_.command.program(arguments);
  child_.emplace();
  const int error = program.empty() ? ENOENT : child_->start(epoll_.get(), {program, arguments});
  Ending ending;
  if (error != 0) {
    remark("map: cannot run \"" + base::printable(arguments.front()) + "\": " + base::errno_text(error));
    ending.status = error == ENOENT ? 127 : 126;
  } else {
    place_.running.store(child_->pid());
    ending = wait_for_command();
    place_.running.store(0);
  }
  child_.reset();
  if (stops_ == 0) settle(run, ending, started_ns, base::monotonic_ns() - began_ns);
}

Ending MapWorker::wait_for_command() {
  const std::int64_t ends_ns =
      place_.options.timeout_ns ? base::monotonic_ns() + *place_.options.timeout_ns : INT64_MAX;
  const Child::Sink sink = [this](std::string_view output) { keep(output); };
  do {
    const std::int64_t due_ns = child_->ending_asked() ? child_->due_ns() : ends_ns;
    int wait_ms = -1;
    if (due_ns != INT64_MAX)
      wait_ms = static_cast<int>(
          std::clamp<std::int64_t>((due_ns - base::monotonic_ns()) / 1'000'000 + 1, 0, 3'600'000));
    epoll_event events[4];
    ::epoll_wait(epoll_.get(), events, 4, wait_ms);
    read_signals();
    if (ends_ns != INT64_MAX && !child_->ending_asked() && base::monotonic_ns() >= ends_ns) child_->end(kGraceNs);
  } while (!child_->advance(sink));
  Ending ending = child_->ending();
  // One that took its SIGTERM for a reason to exit well was not done for that.
  if (child_->ending_asked() && ending.good()) ending.signal = SIGTERM;
  if (write_error_ != 0) {
    remark("map: cannot keep the output of a command: " + base::errno_text(write_error_) +
           "; make room in the folder that TMPDIR names, or name another one");
    if (ending.good()) ending.status = 1;
  }
  return ending;
}

void MapWorker::keep(std::string_view output) {
  if (written_ == 0 && output_.size() + output.size() <= kMapInlineMax) {
    output_.append(output);
    return;
  }
  const auto write = [this](std::string_view text) {
    while (!text.empty() && write_error_ == 0) {
      const ssize_t n = ::pwrite(place_.file, text.data(), text.size(), static_cast<off_t>(begins_ + written_));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        write_error_ = n < 0 ? errno : EIO;
        child_->end(kGraceNs);
        return;
      }
      text.remove_prefix(static_cast<std::size_t>(n));
      written_ += static_cast<std::uint64_t>(n);
    }
  };
  if (written_ == 0) write(output_);
  write(output);
}

void MapWorker::settle(Run& run, const Ending& ending, std::int64_t started_ns, std::int64_t took_ns) {
  if (!ending.good() && place_.options.retries != 0) {
    const std::optional<TaskInfo> info = table_.info(run.id());
    if (info && info->ended.failures < place_.options.retries) {
      (void)run.fail(ending_text(ending));
      return;
    }
  }
  MapResult result{};
  result.started_ns = started_ns;
  result.took_ns = took_ns;
  result.status = ending.status;
  result.signal = ending.signal;
  result.slot = place_.slot;
  result.in_file = written_ != 0;
  result.offset = begins_;
  result.bytes = written_ != 0 ? written_ : output_.size();
  std::byte bytes[kMapResultBytes];
  std::memcpy(bytes, &result, sizeof result);
  const std::size_t in_place = written_ != 0 ? 0 : output_.size();
  if (in_place != 0) std::memcpy(bytes + sizeof result, output_.data(), in_place);
  const std::uint64_t number = run.correlation();
  const Outcome outcome = run.done(std::span(bytes, sizeof result + in_place));
  if (outcome == Outcome::stale) return;
  if (outcome != Outcome::ok)
    throw Failure{kMapTrouble, std::string("cannot store what came of an item: ") + to_string(outcome)};
  begins_ += (written_ + kFileStep - 1) / kFileStep * kFileStep;
  // Never full: it has room for more numbers than the table has for items.
  [[maybe_unused]] const ssize_t n = ::write(place_.told, &number, sizeof number);
}

}  // namespace

int run_map_worker(const MapPlace& place) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != place.parent) return kOk;
  // What is left of the items is the parent's to read.
  if (const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC)); nothing)
    ::dup2(nothing.get(), STDIN_FILENO);
  try {
    return MapWorker(place).run();
  } catch (const Failure& failure) {
    remark("map: a worker: " + failure.message);
  } catch (const std::exception& error) {
    remark(std::string("map: a worker: ") + error.what());
  }
  return kMapTrouble;
}

}  // namespace shmq::cli
