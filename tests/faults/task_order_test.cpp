// The order that a policy promises, checked from outside: submitters and workers are processes that note when they called and
// when that returned; the checker knows these times, priorities and deadlines, and nothing that the table keeps.
//
// A task's place is submission + priority * aging, or its deadline: from the notes a span, since it was submitted at some time
// during submit(). That X was started before Y is wrong where Y was there before X's worker asked, Y's worker asked only
// after X's had its task, and the least place X may have lies behind the greatest that Y may have.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support.hpp"

namespace faults {
namespace {

using shmq::Outcome;
using shmq::TaskPolicy;

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

struct Note {
  std::atomic<std::int64_t> submitting{0}, submitted{0};  // before and after submit()
  std::atomic<std::int64_t> asking{0}, started{0};        // before and after next()
  std::int64_t shift_ns = 0;                              // of its place behind its submission
  std::int64_t least() const { return submitting + shift_ns; }
  std::int64_t greatest() const { return submitted + shift_ns; }
};

constexpr unsigned kSubmitters = 3, kEach = 1200, kTasks = kSubmitters * kEach;
/// A day: behind all that have a deadline.
constexpr std::int64_t kNoDeadline = 86'400'000'000'000;

struct Journal {
  Note notes[kTasks];
  std::atomic<unsigned> started{0}, submitters_done{0};
  std::atomic<bool> go{false};
};

struct Verdict {
  std::uint64_t compared = 0;  // pairs whose order the policy says
  std::uint64_t wrong = 0;     // … and that were started the other way round
  std::uint64_t told = 0;      // … of those compared, that order of submission would have started the other way round
  std::int64_t worst_ns = 0;
};

Verdict judge(const Journal& journal) {
  Verdict verdict;
  for (const Note& x : journal.notes)
    for (const Note& y : journal.notes) {
      if (y.submitted > x.asking || y.asking < x.started) continue;
      if (x.greatest() < y.least()) ++verdict.compared, verdict.told += x.submitting > y.submitted;
      if (x.least() <= y.greatest()) continue;
      ++verdict.wrong;
      verdict.worst_ns = std::max(verdict.worst_ns, x.least() - y.greatest());
    }
  return verdict;
}

/// Submitters and workers at the same time, always with some hundred tasks that wait.
Verdict order_of(TaskPolicy policy, unsigned workers, const std::function<void(Note&, shmq::TaskOptions&, std::mt19937&)>& draw) {
  const Name name("order");
  auto segment = shmq::Segment::create(name, {.size_bytes = 16u << 20}).value();
  const std::string table = "t";
  auto tasks = segment.task_table(table, {.capacity = 512, .policy = policy, .aging = 5ms}).value();
  auto journal = std::make_unique<Shared<Journal>>();
  Journal& notes = **journal;
  std::vector<std::unique_ptr<Child>> children;
  for (unsigned s = 0; s < kSubmitters; ++s)
    children.push_back(std::make_unique<Child>([&, s]() -> std::string {
      auto mine = opened(name);
      auto to = mine.open_task_table(table).value();
      std::mt19937 dice(s + 1);
      for (unsigned i = 0; i < kEach; ++i) {
        const unsigned number = s * kEach + i;
        Note& note = notes.notes[number];
        shmq::TaskOptions options;
        options.correlation = number;
        options.keep = false;
        draw(note, options, dice);
        // Full, it is tried again with a new time, so that the span stays short.
        Outcome said = Outcome::full;
        while (said == Outcome::full) {
          note.submitting = now_ns();
          said = to.try_submit({}, options).outcome;
          note.submitted = now_ns();
          if (said == Outcome::full) std::this_thread::sleep_for(200us);
        }
        if (said != Outcome::ok) return std::string("submit said ") + shmq::to_string(said);
      }
      return {};
    }));
  for (unsigned w = 0; w < workers; ++w)
    children.push_back(std::make_unique<Child>([&]() -> std::string {
      auto mine = opened(name);
      auto worker = mine.open_task_table(table).value().worker();
      while (!notes.go) std::this_thread::yield();
      while (notes.started < kTasks) {
        const std::int64_t asking = now_ns();
        shmq::Run run = worker.next(20ms);
        if (run.outcome() == Outcome::timeout) continue;
        if (!run) return std::string("next said ") + shmq::to_string(run.outcome());
        Note& note = notes.notes[run.correlation()];
        note.asking = asking;
        note.started = now_ns();
        std::this_thread::sleep_for(50us);
        if (run.done() != Outcome::ok) return "a run could not be completed";
        ++notes.started;
      }
      return {};
    }));
  EXPECT_TRUE(eventually([&] { return tasks.counts()[0] == 0; })) << "the table does not fill";
  notes.go = true;
  for (auto& child : children) EXPECT_EQ(child->result(), "");
  return judge(notes);
}

Verdict aging(unsigned workers) {
  return order_of(TaskPolicy::priority, workers, [](Note& note, shmq::TaskOptions& options, std::mt19937& dice) {
    options.priority = static_cast<std::uint8_t>(std::uniform_int_distribution<int>(0, 20)(dice));
    note.shift_ns = options.priority * 5'000'000LL;
  });
}
Verdict deadlines(unsigned workers) {
  return order_of(TaskPolicy::edf, workers, [](Note& note, shmq::TaskOptions& options, std::mt19937& dice) {
    const int which = std::uniform_int_distribution<int>(0, 9)(dice);
    options.deadline = std::chrono::microseconds(std::uniform_int_distribution<int>(1000, 300'000)(dice));
    if (which == 0) options.deadline = {};
    note.shift_ns = which == 0 ? kNoDeadline : options.deadline.count();
  });
}

void expect_order(const char* what, const Verdict& verdict) {
  std::printf("%s: %llu pairs, %llu against the order of submission, %llu wrong, by %lld us at most\n", what,
              static_cast<unsigned long long>(verdict.compared), static_cast<unsigned long long>(verdict.told),
              static_cast<unsigned long long>(verdict.wrong), static_cast<long long>(verdict.worst_ns / 1000));
  EXPECT_GT(verdict.told, kTasks) << "there is not much to be seen: too few tasks waited at once";
  EXPECT_EQ(verdict.wrong, 0u) << "by " << verdict.worst_ns << " ns at most";
}

TEST(OrderOfStarts, KeepsToTheBoundOfAgingWithOneWorker) { expect_order("aging, one worker", aging(1)); }
TEST(OrderOfStarts, KeepsToTheBoundOfAgingWithSeveralWorkers) { expect_order("aging, three workers", aging(3)); }
TEST(OrderOfStarts, IsThatOfDeadlinesWithOneWorker) { expect_order("deadlines, one worker", deadlines(1)); }
TEST(OrderOfStarts, IsThatOfDeadlinesWithSeveralWorkers) { expect_order("deadlines, three workers", deadlines(3)); }

}  // namespace
}  // namespace faults
