// Task tables through the public API, in one process.

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "shmq/inspect.hpp"
#include "task_support.hpp"

namespace shmq::test {
namespace {

class TasksTest : public TaskTableTest {};

TEST_F(TasksTest, AreRunInOrderOfSubmissionAndCompletedWithAResult) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId a = put(tasks, "one", {.name = "count", .correlation = 7});
  const TaskId b = put(tasks, "two");
  EXPECT_NE(a, b);
  EXPECT_EQ(tasks.info(a)->state, TaskState::ready);
  EXPECT_EQ(tasks.info(a)->name, "count");
  EXPECT_EQ(tasks.info(a)->correlation, 7u);
  auto worker = tasks.worker();
  shmq::Run run = worker.next(kPatience);
  ASSERT_TRUE(run) << run.outcome();
  EXPECT_EQ(run.id(), a);
  EXPECT_EQ(run.name(), "count");
  EXPECT_EQ(text_of(run.payload()), "one");
  EXPECT_EQ(tasks.info(a)->state, TaskState::running);
  EXPECT_EQ(tasks.info(a)->runs, 1u);
  EXPECT_FALSE(tasks.result(a)) << "it is not done";
  EXPECT_EQ(tasks.wait(a, 1ms), Outcome::timeout);
  EXPECT_EQ(run.done(bytes_of("3")), Outcome::ok);
  EXPECT_FALSE(run);
  EXPECT_EQ(run.done(), Outcome::stale) << "a run ends once";
  EXPECT_EQ(tasks.wait(a, kPatience), Outcome::ok);
  EXPECT_EQ(text_of(*tasks.result(a)), "3");
  shmq::Run second = worker.next(kPatience);
  EXPECT_EQ(second.id(), b);
  EXPECT_EQ(second.done(), Outcome::ok);
  EXPECT_EQ(tasks.result(b)->size(), 0u);
  EXPECT_EQ(worker.try_next().outcome(), Outcome::empty);
  EXPECT_EQ(in(tasks, TaskState::done), 2u);
}

TEST_F(TasksTest, LargePayloadsAndResultsLieInBlocksThatComeBack) {
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{4096, 2}}}});
  auto tasks = table(segment);
  const std::string large(4000, 'x');
  for (int round = 0; round < 5; ++round) {
    const TaskId id = put(tasks, large);
    auto worker = tasks.worker();
    shmq::Run run = worker.next(kPatience);
    EXPECT_EQ(text_of(run.payload()), large);
    const std::string result(3000, static_cast<char>('a' + round));
    ASSERT_EQ(run.done(bytes_of(result)), Outcome::ok);
    EXPECT_EQ(text_of(*tasks.result(id)), result);
    EXPECT_EQ(tasks.try_submit(bytes_of(large)).outcome, Outcome::no_block) << "payload and result have both blocks";
    EXPECT_EQ(tasks.remove(id), Outcome::ok);
    EXPECT_FALSE(tasks.info(id));
    EXPECT_EQ(tasks.wait(id, kPatience), Outcome::empty);
    EXPECT_EQ(tasks.remove(id), Outcome::empty);
  }
  EXPECT_EQ(tasks.try_submit(bytes_of(std::string(5000, 'y'))).outcome, Outcome::too_large);
  EXPECT_EQ(in(tasks, TaskState::free), 64u);
}

TEST_F(TasksTest, AResultThatFindsNoBlockLeavesTheRunAsItIs) {
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{4096, 1}}}});
  auto tasks = table(segment);
  put(tasks, "one");
  const TaskId holder = put(tasks, std::string(4000, 'x'));
  auto worker = tasks.worker();
  shmq::Run run = worker.next(kPatience);
  EXPECT_EQ(run.done(bytes_of(std::string(100, 'r'))), Outcome::no_block);
  ASSERT_TRUE(run);
  EXPECT_TRUE(run.valid());
  EXPECT_EQ(run.done(bytes_of(std::string(5000, 'r'))), Outcome::too_large);
  EXPECT_EQ(tasks.remove(holder), Outcome::ok);
  EXPECT_EQ(run.done(bytes_of(std::string(100, 'r'))), Outcome::ok);
}

TEST_F(TasksTest, AFullTableRefusesAndTakesAgainWhenOneIsRemoved) {
  auto segment = make();
  auto tasks = table(segment, {.capacity = 3});
  const TaskId first = put(tasks, "1");
  put(tasks, "2");
  put(tasks, "3");
  EXPECT_EQ(tasks.try_submit(bytes_of("4")).outcome, Outcome::full);
  EXPECT_EQ(tasks.submit(bytes_of("4"), {}, 1ms).outcome, Outcome::timeout);
  std::jthread remover([&] { EXPECT_EQ(tasks.remove(first), Outcome::ok); });
  const Submitted submitted = tasks.submit(bytes_of("4"), {}, kPatience);
  EXPECT_TRUE(submitted) << submitted.outcome;
  EXPECT_NE(submitted.id, first) << "ids are never used again";
  EXPECT_FALSE(tasks.info(first));
}

TEST_F(TasksTest, AFailedTaskIsRunAgainUpToItsLimitAndThenDeadUntilSomebodyKicksIt) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId id = put(tasks, "x", {.failures_max = 2});
  auto worker = tasks.worker();
  for (std::uint32_t i = 0; i < 3; ++i) {
    shmq::Run run = worker.next(kPatience);
    ASSERT_EQ(run.id(), id);
    EXPECT_EQ(run.runs_before(), i);
    EXPECT_EQ(run.fail(), Outcome::ok);
    EXPECT_EQ(tasks.info(id)->ended.failures, i + 1);
    EXPECT_EQ(tasks.info(id)->runs, i + 1);
  }
  EXPECT_EQ(tasks.info(id)->state, TaskState::dead);
  EXPECT_EQ(tasks.info(id)->last_end, RunEnd::failure);
  EXPECT_EQ(worker.try_next().outcome(), Outcome::empty);
  EXPECT_EQ(tasks.wait(id, kPatience), Outcome::ok) << "it is over";
  EXPECT_EQ(tasks.kick(id), Outcome::ok);
  EXPECT_EQ(tasks.kick(id), Outcome::empty);
  EXPECT_EQ(tasks.info(id)->ended.failures, 0u);
  shmq::Run run = worker.next(kPatience);
  EXPECT_EQ(run.id(), id);
  EXPECT_EQ(run.done(), Outcome::ok);
}

TEST_F(TasksTest, ReleasesAreCountedAndLimitNothing) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId id = put(tasks, "x", {.failures_max = 0, .crashes_max = 0});
  auto worker = tasks.worker();
  for (int i = 0; i < 5; ++i) {
    shmq::Run run = worker.next(kPatience);
    ASSERT_TRUE(run);
    if (i % 2) {
      EXPECT_EQ(run.release(), Outcome::ok);
    }
  }  // dropped: released
  EXPECT_EQ(tasks.info(id)->ended.releases, 5u);
  EXPECT_EQ(tasks.info(id)->state, TaskState::ready);
  EXPECT_EQ(worker.next(kPatience).fail(), Outcome::ok);
  EXPECT_EQ(tasks.info(id)->state, TaskState::dead);
}

TEST_F(TasksTest, ATaskThatWaitsIsCancelledAndOneThatRunsIsAsked) {
  auto segment = make();
  auto tasks = table(segment);
  const TaskId waiting = put(tasks, "w");
  EXPECT_EQ(tasks.cancel(waiting), Outcome::ok);
  EXPECT_EQ(tasks.cancel(waiting), Outcome::empty) << "it is over";
  EXPECT_EQ(tasks.info(waiting)->state, TaskState::cancelled);
  const TaskId id = put(tasks, "r");
  auto worker = tasks.worker();
  shmq::Run run = worker.next(kPatience);
  ASSERT_EQ(run.id(), id);
  EXPECT_FALSE(run.cancelled());
  EXPECT_EQ(tasks.cancel(id), Outcome::ok);
  EXPECT_TRUE(run.cancelled());
  EXPECT_EQ(run.progress(50), Outcome::ok) << "it may go on";
  EXPECT_EQ(run.cancel(), Outcome::ok);
  EXPECT_EQ(tasks.info(id)->state, TaskState::cancelled);
  EXPECT_EQ(worker.try_next().outcome(), Outcome::empty);
  // Its place goes to a task that nobody asked to stop.
  EXPECT_EQ(tasks.remove(id), Outcome::ok);
  EXPECT_EQ(tasks.remove(waiting), Outcome::ok);
  for (int i = 0; i < 64; ++i) put(tasks, "n");
  while (shmq::Run each = worker.try_next()) {
    EXPECT_FALSE(each.cancelled());
    EXPECT_EQ(each.done(), Outcome::ok);
  }
}

TEST_F(TasksTest, WhatAWorkerClaimedAndDidNotStartIsTakenOverByAnIdleOneAndGivenBackAtTheEnd) {
  auto segment = make();
  auto other = Segment::open(segment.name()).value();  // another participant
  auto tasks = table(segment);
  auto theirs = other.open_task_table("t").value();
  for (int i = 0; i < 4; ++i) put(tasks, std::to_string(i));
  {
    auto hoarder = tasks.worker({.batch = 8});
    shmq::Run first = hoarder.try_next();
    EXPECT_EQ(text_of(first.payload()), "0");
    EXPECT_EQ(in(tasks, TaskState::claimed), 3u);
    EXPECT_EQ(in(tasks, TaskState::running), 1u);
    auto idle = theirs.worker();
    shmq::Run taken = idle.next(kPatience);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken.done(), Outcome::ok);
    EXPECT_EQ(in(tasks, TaskState::claimed), 2u);
    EXPECT_EQ(first.done(), Outcome::ok);
  }
  EXPECT_EQ(in(tasks, TaskState::ready), 2u);
  EXPECT_EQ(in(tasks, TaskState::done), 2u);
}

TEST_F(TasksTest, AWorkerOfManyDoesNotStartWhatWasTakenOver) {
  auto segment = make();
  auto other = Segment::open(segment.name()).value();
  auto tasks = table(segment);
  auto theirs = other.open_task_table("t").value();
  for (int i = 0; i < 8; ++i) put(tasks, std::to_string(i));
  auto hoarder = tasks.worker({.batch = 8});
  std::map<std::string, int> seen;
  const auto finish = [&](shmq::Run run) {
    ASSERT_TRUE(run);
    ++seen[text_of(run.payload())];
    EXPECT_EQ(run.done(), Outcome::ok);
  };
  finish(hoarder.try_next());
  auto idle = theirs.worker();
  for (int i = 0; i < 3; ++i) {
    finish(idle.try_next());
    finish(hoarder.try_next());
  }
  finish(hoarder.try_next());
  EXPECT_EQ(hoarder.try_next().outcome(), Outcome::empty);
  EXPECT_EQ(seen.size(), 8u);
  for (const auto& [payload, times] : seen) EXPECT_EQ(times, 1) << payload;
}

TEST_F(TasksTest, ATaskThatIsNotKeptGoesWithItsCompletion) {
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{4096, 1}}}});
  auto tasks = table(segment, {.capacity = 1});
  auto worker = tasks.worker();
  for (int round = 0; round < 3; ++round) {
    const TaskId id = put(tasks, std::string(1000, 'x'), {.failures_max = 1, .keep = false});
    EXPECT_EQ(worker.next(kPatience).fail(), Outcome::ok) << "it is kept while it is not done";
    shmq::Run run = worker.next(kPatience);
    ASSERT_EQ(run.id(), id);
    EXPECT_EQ(run.done(bytes_of("dropped")), Outcome::ok);
    EXPECT_EQ(run.done(), Outcome::stale);
    EXPECT_FALSE(tasks.info(id));
    EXPECT_EQ(tasks.wait(id, kPatience), Outcome::empty);
    EXPECT_EQ(in(tasks, TaskState::free), 1u);
  }
}

TEST_F(TasksTest, PauseAndDrain) {
  auto segment = make();
  auto tasks = table(segment);
  put(tasks, "1");
  auto worker = tasks.worker();
  tasks.pause();
  EXPECT_TRUE(tasks.paused());
  EXPECT_EQ(worker.try_next().outcome(), Outcome::empty);
  EXPECT_EQ(worker.next(1ms).outcome(), Outcome::timeout);
  tasks.resume();
  tasks.drain();
  EXPECT_EQ(tasks.try_submit(bytes_of("2")).outcome, Outcome::closed);
  shmq::Run run = worker.next(kPatience);
  ASSERT_TRUE(run);
  std::jthread other([&] {
    auto second = tasks.worker();
    EXPECT_EQ(second.next(kPatience).outcome(), Outcome::closed);
  });
  EXPECT_EQ(run.done(), Outcome::ok);
  EXPECT_EQ(worker.next(kPatience).outcome(), Outcome::closed);
}

TEST_F(TasksTest, DeclarationsThatDifferAndBadOnesAreRefused) {
  auto segment = make();
  auto tasks = table(segment);
  EXPECT_TRUE(segment.task_table("t", {.capacity = 64}));
  const auto different = segment.task_table("t", {.capacity = 65, .payload_bytes = 65});
  ASSERT_FALSE(different);
  EXPECT_EQ(different.error().code(), ErrorCode::different);
  EXPECT_NE(different.error().message().find("capacity is 64, not 65, inline payload is 64, not 128"), std::string::npos)
      << different.error();
  for (const TaskTableOptions& bad : {TaskTableOptions{.capacity = 0}, TaskTableOptions{.capacity = 1u << 24},
                                      TaskTableOptions{.payload_bytes = 65537}, TaskTableOptions{.result_bytes = 65537}})
    EXPECT_EQ(segment.task_table("bad", bad).error().code(), ErrorCode::invalid_argument);
  EXPECT_EQ(segment.task_table("huge", {.capacity = 1'000'000}).error().code(), ErrorCode::no_space);
  EXPECT_EQ(segment.open_task_table("none").error().code(), ErrorCode::not_found);
  queue(segment, "q");
  EXPECT_EQ(segment.open_task_table("q").error().code(), ErrorCode::different);
  EXPECT_EQ(segment.open_queue("t").error().code(), ErrorCode::different);
  EXPECT_EQ(segment.queue("t").error().code(), ErrorCode::different);
  EXPECT_EQ(segment.remove_queue("t").error().code(), ErrorCode::different);
  EXPECT_EQ(segment.remove_task_table("q").error().code(), ErrorCode::different);
  EXPECT_EQ(segment.task_tables(), std::vector<std::string>{"t"});
  EXPECT_EQ(segment.queues(), std::vector<std::string>{"q"});
}

TEST_F(TasksTest, ARemovedTableSaysSoToEverybody) {
  auto segment = make();
  auto tasks = table(segment);
  put(tasks, "1");
  auto worker = tasks.worker();
  shmq::Run run = worker.try_next();
  ASSERT_TRUE(run);
  ASSERT_TRUE(segment.remove_task_table("t"));
  EXPECT_EQ(tasks.try_submit(bytes_of("2")).outcome, Outcome::removed);
  EXPECT_EQ(worker.try_next().outcome(), Outcome::removed);
  EXPECT_EQ(tasks.wait(run.id(), kPatience), Outcome::removed);
  EXPECT_EQ(tasks.cancel(run.id()), Outcome::removed);
  EXPECT_TRUE(segment.task_tables().empty());
}

TEST_F(TasksTest, AnInspectorSeesStatesHandsAndBlocks) {
  auto segment = make({.size_bytes = 4u << 20, .blocks = {{{4096, 4}}}});
  auto tasks = table(segment);
  for (int i = 0; i < 4; ++i) put(tasks, i == 0 ? std::string(1000, 'x') : "x");
  auto worker = tasks.worker({.batch = 2});
  shmq::Run run = worker.try_next();
  ASSERT_TRUE(run);
  tasks.pause();
  const SegmentSnapshot snapshot = inspect_segment(segment.name()).value();
  ASSERT_EQ(snapshot.objects.size(), 1u);
  EXPECT_EQ(snapshot.objects[0].kind, "tasks");
  EXPECT_EQ(snapshot.objects[0].damaged, "");
  ASSERT_TRUE(snapshot.objects[0].tasks);
  const TaskTableSnapshot& seen = *snapshot.objects[0].tasks;
  const auto count = [&](TaskState state) { return seen.states[static_cast<std::size_t>(state)]; };
  EXPECT_EQ(count(TaskState::free), 60u);
  EXPECT_EQ(count(TaskState::ready), 2u);
  EXPECT_EQ(count(TaskState::claimed), 1u);
  EXPECT_EQ(count(TaskState::running), 1u);
  EXPECT_EQ(seen.hinted, 2u);
  EXPECT_TRUE(seen.paused);
  ASSERT_EQ(seen.shares.size(), 1u);
  EXPECT_EQ(seen.shares[0].participant, snapshot.participants[0].id);
  EXPECT_EQ(seen.shares[0].running, 1u);
  EXPECT_EQ(seen.shares[0].claimed, 1u);
  EXPECT_EQ(snapshot.blocks[0].in_messages, 1u);
  EXPECT_EQ(snapshot.blocks[0].by_participants, 0u);
}

/// Every way a run may end, taken at random, against books kept beside.
TEST_F(TasksTest, AtRandomAgainstBooks) {
  auto segment = make();
  auto other = Segment::open(segment.name()).value();
  auto tasks = table(segment, {.capacity = 16});
  auto theirs = other.open_task_table("t").value();
  std::mt19937 random(11);
  struct Book {
    TaskState state = TaskState::ready;
    std::uint32_t failures = 0, releases = 0, failures_max = 0;
    bool cancel = false;
  };
  std::map<TaskId, Book> books;
  std::vector<TaskId> gone;
  auto mine = tasks.worker({.batch = 3});
  auto yours = theirs.worker({.batch = 2});
  std::vector<shmq::Run> runs;
  for (int step = 0; step < 20'000; ++step) {
    const auto pick = [&](auto accept) -> TaskId {
      std::vector<TaskId> fit;
      for (const auto& [id, book] : books)
        if (accept(book)) fit.push_back(id);
      return fit.empty() ? 0 : fit[random() % fit.size()];
    };
    switch (random() % 8) {
      case 0: {
        const auto failures_max = static_cast<std::uint16_t>(random() % 3);
        const Submitted submitted = tasks.try_submit(bytes_of("p" + std::to_string(step)), {.failures_max = failures_max});
        ASSERT_EQ(submitted.outcome, books.size() == 16 ? Outcome::full : Outcome::ok);
        if (!submitted) break;
        ASSERT_FALSE(books.contains(submitted.id));
        ASSERT_TRUE(std::ranges::find(gone, submitted.id) == gone.end());
        books[submitted.id].failures_max = failures_max;
        break;
      }
      case 1:
      case 2: {
        shmq::Run run = (random() % 2 ? mine : yours).try_next();
        const bool some = std::ranges::any_of(books, [](auto& each) { return each.second.state == TaskState::ready; });
        ASSERT_EQ(static_cast<bool>(run), some) << run.outcome();
        if (!run) break;
        Book& book = books.at(run.id());
        ASSERT_EQ(book.state, TaskState::ready);
        ASSERT_EQ(run.runs_before(), book.failures + book.releases);
        book.state = TaskState::running;
        runs.push_back(std::move(run));
        break;
      }
      case 3:
      case 4: {
        if (runs.empty()) break;
        std::swap(runs[random() % runs.size()], runs.back());
        shmq::Run run = std::move(runs.back());
        runs.pop_back();
        Book& book = books.at(run.id());
        ASSERT_EQ(run.cancelled(), book.cancel);
        switch (random() % 4) {
          case 0:
            ASSERT_EQ(run.done(bytes_of("r")), Outcome::ok);
            book.state = TaskState::done;
            break;
          case 1:
            ASSERT_EQ(run.fail(), Outcome::ok);
            book.state = ++book.failures > book.failures_max ? TaskState::dead : TaskState::ready;
            break;
          case 2:
            ASSERT_EQ(run.cancel(), Outcome::ok);
            book.state = TaskState::cancelled;
            break;
          default:
            ++book.releases;
            book.state = TaskState::ready;
        }
        break;
      }
      case 5: {
        const TaskId id = pick([](const Book&) { return true; });
        if (id == 0) break;
        Book& book = books[id];
        const bool alive = book.state == TaskState::ready || book.state == TaskState::running;
        ASSERT_EQ(tasks.cancel(id), alive ? Outcome::ok : Outcome::empty);
        if (alive) book.cancel = true;
        if (book.state == TaskState::ready) book.state = TaskState::cancelled;
        break;
      }
      case 6: {
        const TaskId id = pick([](const Book& book) {
          return book.state != TaskState::running && book.state != TaskState::ready;
        });
        if (id == 0) break;
        ASSERT_EQ(theirs.remove(id), Outcome::ok);
        books.erase(id);
        gone.push_back(id);
        break;
      }
      default: {
        const TaskId id = pick([](const Book&) { return true; });
        if (id == 0) break;
        Book& book = books[id];
        ASSERT_EQ(tasks.kick(id), book.state == TaskState::dead ? Outcome::ok : Outcome::empty);
        if (book.state == TaskState::dead) book.state = TaskState::ready, book.failures = book.releases = 0;
      }
    }
    for (const auto& [id, book] : books) {
      const auto info = tasks.info(id);
      ASSERT_TRUE(info) << step;
      const TaskState shown = info->state == TaskState::claimed ? TaskState::ready : info->state;
      ASSERT_EQ(shown, book.state) << step;
      ASSERT_EQ(info->ended.failures, book.failures) << step;
      ASSERT_EQ(info->ended.releases, book.releases) << step;
    }
  }
  runs.clear();
}

TEST_F(TasksTest, ManyThreadsCompleteEachTaskOnce) {
  auto segment = make({.size_bytes = 16u << 20});
  auto tasks = table(segment, {.capacity = 100});
  constexpr std::uint32_t kTasks = 20'000, kSubmitters = 2, kWorkers = 3;
  std::vector<std::atomic<std::uint32_t>> completed(kTasks);
  std::atomic<std::uint32_t> left = kTasks;
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t s = 0; s < kSubmitters; ++s)
      threads.emplace_back([&, s] {
        auto mine = Segment::open(segment.name()).value().open_task_table("t").value();
        for (std::uint32_t i = s; i < kTasks; i += kSubmitters) {
          const auto bytes = std::as_bytes(std::span(&i, 1));
          const Submitted submitted = mine.submit(bytes, {.failures_max = 1000}, kPatience);
          ASSERT_TRUE(submitted) << submitted.outcome;
        }
      });
    for (std::uint32_t w = 0; w < kWorkers; ++w)
      threads.emplace_back([&, w] {
        auto mine = Segment::open(segment.name()).value().open_task_table("t").value();
        auto worker = mine.worker({.batch = 1 + w * 4});
        std::mt19937 random(w);
        while (shmq::Run run = worker.next(kPatience)) {
          std::uint32_t number = 0;
          ASSERT_EQ(run.payload().size(), sizeof number);
          std::memcpy(&number, run.payload().data(), sizeof number);
          if (random() % 10 == 0) {
            ASSERT_EQ(run.fail(), Outcome::ok);
            continue;
          }
          const TaskId id = run.id();
          ASSERT_EQ(run.done(), Outcome::ok);
          ++completed[number];
          ASSERT_EQ(mine.remove(id), Outcome::ok);
          if (--left == 0) mine.drain();
        }
      });
  }
  for (std::uint32_t i = 0; i < kTasks; ++i) ASSERT_EQ(completed[i].load(), 1u) << i;
  EXPECT_EQ(in(tasks, TaskState::free), 100u);
}

TEST_F(TasksTest, WhatATaskIsAboutCanBeReadAsLongAsItIsThere) {
  auto segment = make();
  auto tasks = table(segment);
  const auto payload_of = [&](TaskId id) -> std::optional<std::string> {
    const auto payload = tasks.payload(id);
    if (!payload) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(payload->data()), payload->size());
  };
  const std::string large(3000, 'x');
  const TaskId small = put(tasks, "small"), in_block = put(tasks, large), none = put(tasks, "");
  EXPECT_EQ(payload_of(small), "small");
  EXPECT_EQ(payload_of(in_block), large);
  EXPECT_EQ(payload_of(none), "");
  auto worker = tasks.worker();
  shmq::Run run = worker.try_next();
  EXPECT_EQ(payload_of(small), "small") << "while it runs";
  EXPECT_EQ(run.done(), Outcome::ok);
  EXPECT_EQ(payload_of(small), "small") << "when it is over";
  EXPECT_EQ(tasks.remove(small), Outcome::ok);
  EXPECT_EQ(payload_of(small), std::nullopt);
  put(tasks, "another");
  EXPECT_EQ(payload_of(small), std::nullopt);
  EXPECT_EQ(payload_of(0), std::nullopt);
}

// A worker that has just looked through all records does so again only after a while: what another one says that it
// claimed it finds all the same.
TEST_F(TasksTest, WhatAnotherHoardsIsTakenOverAtOnceAlsoAfterALookThroughAllRecords) {
  auto segment = make();
  auto tasks = table(segment);
  auto other = Segment::open(segment.name()).value();
  auto idle = other.open_task_table("t").value().worker();
  EXPECT_EQ(idle.try_next().outcome(), Outcome::empty);
  for (int i = 0; i < 3; ++i) put(tasks, "x");
  auto hoarder = tasks.worker({.batch = 8});
  shmq::Run first = hoarder.try_next();
  shmq::Run second = idle.try_next();
  EXPECT_TRUE(second) << second.outcome();
  EXPECT_EQ(first.done(), Outcome::ok);
  EXPECT_EQ(second.done(), Outcome::ok);
}

}  // namespace
}  // namespace shmq::test
