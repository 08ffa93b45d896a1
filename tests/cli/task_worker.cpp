// Runs tasks for the scripts of this folder: task_worker SEG TABLE [COUNT]; ends when the table drains, or after COUNT runs.
// What it does is what the payload says: "fail" fails, "die" kills it, "none" has no result, "wait FILE" is done when FILE
// is there or it is asked to stop, and anything else has itself in capital letters as its result.
#include <signal.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <iostream>
#include <span>
#include <string>

#include "shmq/segment.hpp"

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  auto segment = shmq::Segment::open(argv[1], {.name = "task_worker"});
  if (!segment) return std::cerr << segment.error() << '\n', 1;
  auto table = segment->open_task_table(argv[2]);
  if (!table) return std::cerr << table.error() << '\n', 1;
  shmq::TaskWorker worker = table->worker();
  for (long left = argc > 3 ? std::atol(argv[3]) : -1; left != 0; --left) {
    shmq::Run run = worker.next();
    if (!run) return run.outcome() == shmq::Outcome::closed ? 0 : 1;
    std::string text(reinterpret_cast<const char*>(run.payload().data()), run.payload().size());
    if (text == "die") ::kill(::getpid(), SIGKILL);
    if (text == "fail") {
      run.fail();
      continue;
    }
    if (text == "none") text.clear();
    if (text.starts_with("wait ")) {
      run.progress(50);
      while (!run.cancelled() && ::access(text.c_str() + 5, F_OK) != 0) ::usleep(1000);
      if (run.cancelled()) {
        run.cancel();
        continue;
      }
    }
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (run.done(std::as_bytes(std::span(text))) != shmq::Outcome::ok) return 1;
  }
  return 0;
}
