// shmq-stat: a read-only look at segments.
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "documents.hpp"
#include "failure.hpp"
#include "human.hpp"
#include "shmq/base/clock.hpp"
#include "shmq/inspect.hpp"

namespace {

using namespace shmq;
using namespace shmq::stat;

using cli::kFailed;
using cli::kOk;
using cli::kUsage;

constexpr char kHelp[] = R"help(Usage: shmq-stat [list] [--json] [--watch SECONDS]
       shmq-stat show SEG[/QUEUE] [--json] [--watch SECONDS]
       shmq-stat show --file PATH [--queue QUEUE] [--json] [--watch SECONDS]
       shmq-stat tasks SEG/TABLE [--json] [--watch SECONDS | --over SECONDS]

Looks at shared-memory segments without taking part in them: maps them read-only, takes no lock and no
participant row, and so is right when every process is stopped or dead.

  list         every segment of this host: size, room, queues, waiting messages, who is attached
  show SEG     one segment: participants and whether they live, blocks, queues, who holds what and for how
               long, and who blocks whom
  show SEG/Q   the same, with nothing but queue (or task table) Q of its objects
  tasks SEG/T  one task table: how many tasks are in each state, who runs which, how long they wait and run

  --file PATH        show a copy of a segment's file (liveness then reads "unknown (copy)")
  --queue QUEUE      with --file: nothing but this queue
  --json             one JSON document instead, on one line; its fields are in docs/cli-shmq-stat.md
  --watch SECONDS    again every so many seconds (0.1 and more), until it is interrupted
  --over SECONDS     with tasks: looks twice, so many seconds (0.1 and more) apart, and says how many tasks a second
                     were submitted, started and done in between. With --watch: of the time since the look before
  --help, --version

Participants are Alive (the kernel says that the process holds its lock), Dead, Inaccessible (the kernel refuses
to say), Undefined (impossible contents), or unknown (copy). A stopped process is Alive; where its pid can be
looked up here, "stopped" is added.

"AT MOST" is the longest that the oldest position can have been held: participants note the time every 64
operations and after each wait, not at every one. "LAST USE" is how long ago the last such note was made.

Reading a segment takes read permission on its file, /dev/shm/shmq.SEG.

Exit status: 0 done; 1 it cannot be read, or is damaged; 2 wrong usage; 3 no such segment, queue, table or file.
)help";

volatile sig_atomic_t interrupted = 0;

struct Request {
  bool show = false;
  bool tasks = false;
  bool json = false;
  std::string segment;
  std::string file;
  std::string queue;
  std::optional<double> watch_s;
  std::optional<double> over_s;
};

int usage_error(const std::string& what) {
  std::fprintf(stderr, "shmq-stat: %s (shmq-stat --help)\n", what.c_str());
  return kUsage;
}

/// Nothing when the request is complete, else the exit status.
std::optional<int> parse(int argc, char** argv, Request& request) {
  std::vector<std::string> words;
  const auto parameter = [&](int& i, std::string& into) {
    if (i + 1 >= argc) return false;
    into = argv[++i];
    return !into.empty();
  };
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    std::string text;
    if (word == "--help" || word == "-h") {
      std::fputs(kHelp, stdout);
      return std::fflush(stdout) == 0 ? kOk : kFailed;
    } else if (word == "--version") {
      std::puts("shmq-stat " SHMQ_VERSION);
      return std::fflush(stdout) == 0 ? kOk : kFailed;
    } else if (word == "--json") {
      request.json = true;
    } else if (word == "--file") {
      if (!parameter(i, request.file)) return usage_error("--file needs a path");
    } else if (word == "--queue") {
      if (!parameter(i, request.queue)) return usage_error("--queue needs a name");
    } else if (word == "--watch" || word == "--over") {
      double seconds = 0;
      if (!parameter(i, text)) return usage_error(std::string(word) + " needs a number of seconds");
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
      if (error != std::errc{} || end != text.data() + text.size() || !(seconds >= 0.1 && seconds <= 86400))
        return usage_error(std::string(word) + " " + text + ": not a number of seconds from 0.1 to 86400");
      (word == "--watch" ? request.watch_s : request.over_s) = seconds;
    } else if (word.size() > 1 && word[0] == '-') {
      return usage_error("unknown option " + std::string(word));
    } else {
      words.emplace_back(word);
    }
  }
  if (request.over_s && (words.empty() || words[0] != "tasks")) return usage_error("--over belongs to tasks: shmq-stat tasks SEG/TABLE --over SECONDS");
  if (request.over_s && request.watch_s) return usage_error("--over and --watch exclude each other: with --watch, each look tells of the time since the one before");
  const bool list = words.empty() || words[0] == "list";
  if (list && words.size() > 1) return usage_error("list takes no name: shmq-stat show " + words[1]);
  if (list && words.empty() && !request.file.empty()) return usage_error("--file belongs to show: shmq-stat show --file PATH");
  if (list && (!request.file.empty() || !request.queue.empty())) return usage_error("list takes neither --file nor --queue");
  if (list) return std::nullopt;
  request.tasks = words[0] == "tasks";
  if (request.tasks && !request.file.empty()) return usage_error("--file belongs to show: shmq-stat show --file PATH");
  if (request.tasks && words.size() != 2) return usage_error("tasks takes one task table: tasks SEG/TABLE");
  if (words[0] != "show" && !request.tasks) return usage_error("unknown command \"" + words[0] + "\"; did you mean: shmq-stat show " + words[0]);
  request.show = true;
  if (request.file.empty()) {
    if (!request.queue.empty()) return usage_error("--queue belongs to --file: say SEG/QUEUE");
    if (words.size() != 2) return usage_error("show takes one segment: show SEG, show SEG/QUEUE or show --file PATH");
    const std::size_t slash = words[1].find('/');
    request.segment = words[1].substr(0, slash);
    if (slash != std::string::npos) request.queue = words[1].substr(slash + 1);
    if (slash != std::string::npos && request.queue.empty()) return usage_error("\"" + words[1] + "\" names no queue after the '/'");
    if (request.tasks && slash == std::string::npos) return usage_error("\"" + words[1] + "\" names a segment; tasks wants a task table: " + words[1] + "/TABLE");
  } else if (words.size() != 1) {
    return usage_error("show takes a segment or --file, not both");
  }
  return std::nullopt;
}

/// The whole text, or the reason for the program to end: nobody reads it any more (0), or it cannot be written (1).
std::optional<int> put(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (written) return std::nullopt;
  if (errno == EPIPE) return kOk;
  std::fprintf(stderr, "shmq-stat: cannot write: %s\n", std::strerror(errno));
  return kFailed;
}

int fail(const Error& error) {
  std::fprintf(stderr, "shmq-stat: %s\n", error.message().c_str());
  return cli::status_of(error.code());
}

std::string list(const Request& request) {
  std::vector<Listed> segments;
  for (const std::string& name : list_segments()) {
    Result<SegmentSnapshot> snapshot = inspect_segment(name, {.slots = false});
    if (!snapshot && snapshot.error().code() == ErrorCode::not_found) continue;  // removed since it was listed
    segments.push_back({name, std::move(snapshot)});
  }
  return request.json ? list_document(segments) : list_text(segments);
}

/// The look before, at one task table.
class LastLook {
 public:
  /// What there is to compare with; remembers this one for the next.
  std::optional<EarlierLook> exchange(const TaskTableSnapshot& now) {
    const std::int64_t now_ns = base::monotonic_ns(), ago_ns = now_ns - std::exchange(at_ns_, now_ns);
    std::optional<TaskTableSnapshot> then = std::exchange(table_, now);
    if (!then || then->generation != now.generation || ago_ns <= 0) return std::nullopt;
    return EarlierLook{std::move(*then), ago_ns};
  }

 private:
  std::optional<TaskTableSnapshot> table_;
  std::int64_t at_ns_ = 0;
};

Result<std::string> show(const Request& request, LastLook& last) {
  const Result<SegmentSnapshot> snapshot = request.file.empty() ? inspect_segment(request.segment) : inspect_copy(request.file);
  if (!snapshot) return snapshot.error();
  const auto named = [&](const ObjectSnapshot& object) { return object.name == request.queue; };
  if (!request.queue.empty() && std::none_of(snapshot->objects.begin(), snapshot->objects.end(), named)) {
    const std::string segment = request.file.empty() ? request.segment : request.file;
    return Error(ErrorCode::not_found, "segment \"" + segment + "\" has no queue or task table \"" + request.queue + "\" (shmq-stat show " +
                                           (request.file.empty() ? segment : "--file " + segment) + " lists what it has)");
  }
  if (request.tasks) {
    for (const ObjectSnapshot& object : snapshot->objects)
      if (named(object) && object.tasks) {
        const std::optional<EarlierLook> earlier = last.exchange(*object.tasks);
        const EarlierLook* const then = earlier ? &*earlier : nullptr;
        return request.json ? tasks_document(*snapshot, object, then) : table_text(*snapshot, object, then);
      }
    const auto found = std::find_if(snapshot->objects.begin(), snapshot->objects.end(), named);
    return found->damaged.empty()
               ? Error(ErrorCode::different, "\"" + request.queue + "\" in segment \"" + request.segment +
                                                 "\" is a queue, not a task table (shmq-stat show " + request.segment + "/" +
                                                 request.queue + ")")
               : Error(ErrorCode::corrupt, "task table \"" + request.queue + "\" in segment \"" + request.segment +
                                               "\" is damaged: " + found->damaged);
  }
  return request.json ? show_document(*snapshot, request.queue) : show_text(*snapshot, request.queue);
}

void sleep_for(double seconds) {
  timespec rest{};
  rest.tv_sec = static_cast<time_t>(seconds);
  rest.tv_nsec = static_cast<long>((seconds - static_cast<double>(rest.tv_sec)) * 1e9);
  ::nanosleep(&rest, nullptr);  // a signal ends it early
}

void on_signal(int) { interrupted = 1; }

void on_bus_error(int) {
  static constexpr char kText[] = "shmq-stat: the file was truncated while it was being read\n";
  (void)!::write(STDERR_FILENO, kText, sizeof kText - 1);
  ::_exit(kFailed);
}

void handle(int signal_number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(signal_number, &action, nullptr);
}

}  // namespace

int main(int argc, char** argv) {
  Request request;
  if (const std::optional<int> status = parse(argc, argv, request)) return *status;
  handle(SIGPIPE, SIG_IGN);
  handle(SIGBUS, on_bus_error);
  LastLook last;
  if (request.over_s) {
    const Result<std::string> first = show(request, last);
    if (!first) return fail(first.error());
    sleep_for(*request.over_s);
  }
  if (request.watch_s) {
    handle(SIGINT, on_signal);
    handle(SIGTERM, on_signal);
  }
  const bool clear = request.watch_s && !request.json && ::isatty(STDOUT_FILENO);
  for (bool first = true; interrupted == 0; first = false) {
    std::string text;
    if (request.show) {
      Result<std::string> shown = show(request, last);
      if (!shown) return fail(shown.error());
      text = std::move(*shown);
    } else {
      text = list(request);
    }
    if (clear) text = "\033[H\033[2J" + text;
    else if (!first && !request.json) text = "\n" + text;
    if (const std::optional<int> status = put(text)) return *status;
    if (!request.watch_s) return kOk;
    sleep_for(*request.watch_s);
  }
  return kOk;
}
