// Work shared out among processes: a table of tasks, two workers, and a third one that is killed while it runs one. That
// task is run again by another worker, and says that a run of it crashed.
#include <shmq/shmq.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <iostream>
#include <string>
#include <vector>

using namespace std::chrono_literals;

namespace {

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Squares numbers until the table is drained; `dies`: is killed during its first run.
int work(const std::string& segment, bool dies) {
  auto table = shmq::Segment::open(segment).value().open_task_table("squares").value();
  auto worker = table.worker();
  while (shmq::Run run = worker.next()) {
    if (dies) ::raise(SIGKILL);
    const long number = std::stol(text_of(run.payload()));
    if (run.done(bytes_of(std::to_string(number * number))) != shmq::Outcome::ok) return 1;
  }
  return 0;
}

}  // namespace

int main() {
  const std::string name = "example-tasks-" + std::to_string(::getpid());
  auto segment = shmq::Segment::create(name, {.size_bytes = 4 << 20}).value();
  auto table = segment.task_table("squares", {.capacity = 1000}).value();

  std::vector<shmq::TaskId> ids;
  for (int number = 1; number <= 100; ++number)
    ids.push_back(table.submit(bytes_of(std::to_string(number)), {.name = "square"}).id);

  std::vector<pid_t> children;
  for (const bool dies : {true, false, false}) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(work(name, dies));  // attaches anew: inherited handles are of no use
    children.push_back(child);
    if (dies) ::waitpid(child, nullptr, 0);  // it is dead before the others begin
  }

  long sum = 0, crashes = 0;
  for (const shmq::TaskId id : ids) {
    if (table.wait(id, 30s) != shmq::Outcome::ok) return 1;
    sum += std::stol(text_of(*table.result(id)));
    crashes += table.info(id)->ended.crashes;
    (void)table.remove(id);
  }
  table.drain();  // the workers get `closed`
  int failed = 0;
  for (std::size_t i = 1; i < children.size(); ++i) {
    int status = 0;
    ::waitpid(children[i], &status, 0);
    failed += status != 0;
  }
  (void)shmq::Segment::remove(name);
  std::cout << "sum of squares " << sum << ", runs that crashed " << crashes << "\n";
  return sum == 338350 && crashes == 1 && failed == 0 ? 0 : 1;
}
