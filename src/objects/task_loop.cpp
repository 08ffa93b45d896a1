// A worker that calls a handler for each task.
#include <exception>
#include <thread>

#include "shmq/tasks.hpp"

namespace shmq {

void TaskWorker::on(std::string name, Handler handler) { handlers_[std::move(name)] = std::move(handler); }

Outcome TaskWorker::serve(const std::stop_token& stop, const std::map<std::string, Handler, std::less<>>& handlers) {
  for (;;) {
    if (stop.stop_requested()) return Outcome::stopped;  // also where there is always something to do
    Run run = next(stop);
    if (!run) return run.outcome();
    auto handler = handlers.find(run.name());
    if (handler == handlers.end()) handler = handlers.find(std::string_view());
    if (handler == handlers.end()) {
      (void)run.fail("no handler for its name");
      continue;
    }
    try {
      Verdict verdict = handler->second(run);
      if (!run) continue;  // it ended the run by itself
      switch (verdict.end_) {
        case RunEnd::done:
          switch (const Outcome outcome = run.done(verdict.result_)) {
            case Outcome::no_block:
            case Outcome::too_large:
              (void)run.fail(outcome == Outcome::no_block ? "no block free for its result" : "its result is too large");
              break;
            default:
              break;
          }
          break;
        case RunEnd::failure:
          (void)run.fail(verdict.why_);
          break;
        case RunEnd::cancelled:
          (void)run.cancel();
          break;
        default:
          (void)run.release();
      }
    } catch (const std::exception& error) {
      (void)run.fail(error.what());
    } catch (...) {
      (void)run.fail("it threw something that is no std::exception");
    }
  }
}

Outcome TaskWorker::run(std::stop_token stop) {
  std::vector<std::jthread> others;
  for (std::uint32_t i = 1; i < options_.slots; ++i)
    others.emplace_back([this, &stop] {
      TaskWorker worker(table_, options_);
      (void)worker.serve(stop, handlers_);
    });
  return serve(stop, handlers_);
}

}  // namespace shmq
