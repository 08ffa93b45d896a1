// shmq-bench: how fast shmq is on this machine, beside the least that the machine allows.
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "failure.hpp"
#include "gate.hpp"
#include "help.hpp"
#include "rtt.hpp"
#include "settings.hpp"
#include "stage.hpp"
#include "tasks.hpp"
#include "throughput.hpp"
#include "ticks.hpp"
#include "wake.hpp"

namespace {

using namespace shmq;
using namespace shmq::bench;
using cli::Failure;

void remark(const std::string& text) {
  const std::string line = "shmq-bench: " + text + "\n";
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
}

void print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EPIPE) return;
    if (n < 0) throw Failure{cli::kFailed, "cannot write to standard output: " + base::errno_text(errno)};
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

int gate(const Settings& settings, const Machine& machine, Progress& progress) {
  Gate gate = run_gate(settings, progress);
  if (settings.json) {
    for (Row& row : gate_rows(gate)) gate.rows.push_back(std::move(row));
    print(json_document(machine, settings, "gate", gate.rows));
  } else {
    print(machine_text(machine, settings) + gate_text(gate));
  }
  return gate.holds() ? cli::kOk : cli::kFailed;
}

int measure(const std::string& command, const std::vector<std::string>& words) {
  const Settings settings = read_settings(command, words);
  hold_signals();
  calibrate();
  const Machine machine = describe_machine();
  Progress progress(settings.progress);
  std::vector<Row> rows;
  if (command == "rtt") rows = run_rtt(settings, progress);
  if (command == "wake") rows = run_wake(settings, progress);
  if (command == "throughput") rows = run_throughput(settings, progress);
  if (command == "tasks") rows = run_tasks(settings, progress);
  if (command == "gate") return gate(settings, machine, progress);
  progress.clear();
  print(settings.json ? json_document(machine, settings, command, rows)
                      : machine_text(machine, settings) + table(rows) + notes(rows));
  int status = cli::kOk;
  for (const Row& row : rows) {
    if (const auto skipped = row.text("skipped")) remark(command + ": " + row.id + ": passed over: " + *skipped);
    const auto why = row.text("why");
    if (!why) continue;
    remark(command + ": " + row.id + ": not measurable here: " + *why + "; give more --time, or a --count");
    status = cli::kFailed;
  }
  return status;
}

int run_program(const std::vector<std::string>& all) {
  if (all.empty()) {
    remark("needs a command: rtt, throughput, wake, tasks or gate; see shmq-bench --help");
    return cli::kUsage;
  }
  for (const std::string& word : all)
    if (word == "--help" || word == "-h" || all[0] == "help") {
      print(kHelp);
      return cli::kOk;
    }
  if (all[0] == "--version") {
    print("shmq-bench " SHMQ_VERSION "\n");
    return cli::kOk;
  }
  const std::string& command = all[0];
  if (command != "rtt" && command != "throughput" && command != "wake" && command != "tasks" && command != "gate") {
    remark("there is no command \"" + command + "\"; use rtt, throughput, wake, tasks or gate");
    return cli::kUsage;
  }
  try {
    return measure(command, {all.begin() + 1, all.end()});
  } catch (const cli::UsageError& error) {
    remark(command + ": " + error.message + "; see shmq-bench --help");
    return cli::kUsage;
  } catch (const Failure& failure) {
    remark(command + ": " + failure.message);
    return failure.status;
  } catch (const Interrupted& interrupted) {
    return cli::kSignal + interrupted.signal;
  } catch (const std::exception& error) {
    remark(command + ": " + error.what());
    return cli::kFailed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run_program({argv + 1, argv + argc});
  } catch (const Failure& failure) {  // of print()
    remark(failure.message);
    return failure.status;
  }
}
