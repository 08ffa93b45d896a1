// The parts of the harness, each on the smallest victim that shows it.
#include "scenario.hpp"
#include "shared_object.hpp"
#include "stepper.hpp"

#include <gtest/gtest.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <atomic>
#include <csignal>
#include <cstring>
#include <functional>

namespace killtest {
namespace {

using Words = std::array<std::atomic<std::uint64_t>, 512>;
using Kind = Point::Kind;

class Does : public Actor {
 public:
  Does(const std::string& name, std::function<void(Words&)> operation)
      : words_(name), operation_(std::move(operation)) {}
  void operate() override { operation_(*words_); }
  std::string handle(std::string_view request) override {
    if (request == "spin") {
      for (static volatile bool forever = true; forever;) {
      }
    }
    if (request == "sleep") pause();
    if (request == "throw") throw std::runtime_error("on request");
    if (request == "abort") std::raise(SIGKILL);
    return std::to_string(words_->at(0).load());
  }

 private:
  SharedObject<Words> words_;
  std::function<void(Words&)> operation_;
};

class Engine : public testing::Test {
 protected:
  Engine() {
    world_.run("creator", [&] { create_shared_object(world_.name(), sizeof(Words)); });
  }
  Process& spawn(std::function<void(Words&)> operation) {
    return world_.spawn("victim", [&] { return std::make_unique<Does>(world_.name(), operation); });
  }
  std::vector<Point> points_of(std::function<void(Words&)> operation) {
    Process& victim = spawn(std::move(operation));
    Stepper stepper(victim, false);
    std::vector<Point> points;
    while (auto point = stepper.next()) points.push_back(*point);
    stepper.finish();
    return points;
  }
  static FailureKind failure_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Failure& failure) {
      return failure.kind();
    }
    ADD_FAILURE() << "did not fail";
    return FailureKind::setup;
  }

  World world_{Limits{}};
};

TEST_F(Engine, counts_a_store_that_changes_memory_and_none_that_does_not) {
  const auto points = points_of([](Words& words) {
    words[3] = 0;
    words[3] = 42;
    words[3] = 42;
  });
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].kind, Kind::begin);
  EXPECT_EQ(points[1].kind, Kind::memory);
  ASSERT_TRUE(points[1].change);
  EXPECT_EQ(points[1].change->offset, 24U);
  EXPECT_EQ(points[1].change->after, 42U);
}

TEST_F(Engine, counts_a_system_call_twice) {
  const auto points = points_of([](Words&) { syscall(SYS_getpid); });
  ASSERT_EQ(points.size(), 3U);
  EXPECT_EQ(points[1].kind, Kind::syscall_enter);
  EXPECT_EQ(points[2].kind, Kind::syscall_return);
  EXPECT_EQ(points[2].call, SYS_getpid);
  EXPECT_GT(points[2].result, 0);
}

TEST_F(Engine, merges_the_middle_of_a_repeated_instruction) {
  const auto points = points_of([](Words& words) {
    void* to = &words[1];
    static const std::string text(100, 'x');
    const void* from = text.data();
    std::size_t count = text.size();
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
  });
  EXPECT_LE(points.size(), 3U);
  EXPECT_GE(points.size(), 2U);
}

TEST_F(Engine, follows_an_object_that_is_created_grown_written_and_renamed_meanwhile) {
  const std::string name = world_.name("new");
  const auto points = points_of([name](Words&) {
    const int file = open_shared_object(name, O_CREAT | O_EXCL);
    if (ftruncate(file, 4096) != 0) return;
    void* memory = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    static_cast<std::atomic<int>*>(memory)[0] = 1;
    if (ftruncate(file, 8192) != 0) return;
    const std::string path = "/dev/shm/shmq." + name;
    if (rename(path.c_str(), (path + ".moved").c_str()) != 0) return;
    static_cast<std::atomic<int>*>(memory)[1024] = 2;
    if (unlink((path + ".moved").c_str()) != 0) return;
    static_cast<std::atomic<int>*>(memory)[1025] = 3;
  });
  std::vector<std::size_t> offsets;
  for (const Point& point : points) {
    if (point.change) offsets.push_back(point.change->offset);
  }
  EXPECT_EQ(offsets, (std::vector<std::size_t>{0, 4096, 4100}));
}

TEST_F(Engine, watches_an_object_that_had_no_name_left_when_it_was_mapped) {
  const std::string name = world_.name("nameless");
  const auto points = points_of([name](Words&) {
    const int file = open_shared_object(name, O_CREAT | O_EXCL);
    if (ftruncate(file, 4096) != 0 || shm_unlink(("/shmq." + name).c_str()) != 0) return;
    void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    static_cast<std::atomic<int>*>(memory)[1] = 1;
  });
  ASSERT_TRUE(points.back().change);
  EXPECT_EQ(points.back().change->offset, 4U);
}

TEST_F(Engine, reports_an_operation_that_spins_with_the_place) {
  World world(Limits{.steps = 3000});
  world.run("creator", [&] { create_shared_object(world.name(), sizeof(Words)); });
  Process& victim = world.spawn("victim", [&] {
    return std::make_unique<Does>(world.name(), [](Words& words) {
      while (words[0] == 0) {
      }
    });
  });
  Stepper stepper(victim, false);
  EXPECT_EQ(failure_of([&] {
              while (stepper.next()) {
              }
            }),
            FailureKind::stuck);
}

TEST_F(Engine, reports_an_operation_that_crashes) {
  EXPECT_EQ(failure_of([&] { points_of([](Words&) { std::raise(SIGKILL); }); }), FailureKind::died);
}

TEST_F(Engine, reports_what_an_operation_threw) {
  EXPECT_EQ(failure_of([&] { points_of([](Words&) { throw std::runtime_error("refused"); }); }),
            FailureKind::wrong);
}

TEST_F(Engine, delivers_signals_to_an_operation_that_handles_them) {
  static std::atomic<int> handled;
  const auto points = points_of([](Words& words) {
    std::signal(SIGUSR1, [](int) { ++handled; });
    std::raise(SIGUSR1);
    words[0] = static_cast<std::uint64_t>(handled.load());
  });
  ASSERT_TRUE(points.back().change);
  EXPECT_EQ(points.back().change->after, 1U);
}

TEST_F(Engine, tells_a_process_that_spins_sleeps_or_dies_from_one_that_answers) {
  World impatient(Limits{.cpu = std::chrono::milliseconds(500), .asleep = std::chrono::milliseconds(2000)});
  const auto start = [&]() -> Process& {
    return impatient.spawn("any", [&] { return std::make_unique<Does>(world_.name(), nullptr); });
  };
  Process& process = start();
  EXPECT_EQ(process.ask("read"), "0");
  EXPECT_EQ(failure_of([&] { process.ask("throw"); }), FailureKind::wrong);
  EXPECT_EQ(process.ask("read"), "0");
  EXPECT_EQ(failure_of([&] { process.ask("spin"); }), FailureKind::wedged);
  EXPECT_EQ(failure_of([&] { start().ask("sleep"); }), FailureKind::wedged);
  EXPECT_EQ(failure_of([&] { start().ask("abort"); }), FailureKind::died);
}

TEST_F(Engine, kills_a_process_at_a_chosen_point_and_lets_it_live_when_there_is_none) {
  const auto three_stores = [](Words& words) {
    for (std::uint64_t i = 1; i <= 3; ++i) words[0] = i;
  };
  Process& reader = spawn({});
  Process& victim = spawn(three_stores);
  EXPECT_TRUE(kill_at_point(victim, 2));
  EXPECT_FALSE(victim.running());
  EXPECT_EQ(reader.ask("read"), "2");
  Process& survivor = spawn(three_stores);
  EXPECT_FALSE(kill_at_point(survivor, 99));
  EXPECT_EQ(survivor.ask("read"), "3");
}

TEST_F(Engine, leaves_nothing_in_dev_shm) {
  std::string tag;
  {
    World world({});
    tag = world.tag();
    world.run("creator", [&] { create_shared_object(world.name("a"), 1); });
    EXPECT_EQ(world.leftovers().size(), 1U);
  }
  EXPECT_NE(access(("/dev/shm/shmq." + tag + "-a").c_str(), F_OK), 0);
}

// A victim that sleeps until word 0 is 1, and a survivor that wakes it.
class Sleeper : public Scenario {
 public:
  void setup(World& world) override {
    name_ = world.name();
    world.run("creator", [&] { create_shared_object(name_, sizeof(Words)); });
    waker_ = &world.spawn("waker", [name = name_] { return std::make_unique<Waker>(name); });
  }
  ActorFactory victim() override {
    return [name = name_] {
      return std::make_unique<Does>(name, [](Words& words) {
        while (words[0] == 0) syscall(SYS_futex, &words[0], FUTEX_WAIT, 0, nullptr, nullptr, 0);
        words[1] = 1;
      });
    };
  }
  void wake(World&) override { waker_->ask("wake"); }
  void check(World&, const Instant& instant) override {
    if (instant.fate == Fate::completed) require(instant.victim.ask("read") == "1", "not woken");
  }

 private:
  struct Waker : Actor {
    explicit Waker(const std::string& name) : words(name) {}
    std::string handle(std::string_view) override {
      words->at(0) = 1;
      syscall(SYS_futex, &words->at(0), FUTEX_WAKE, 1, nullptr, nullptr, 0);
      return "woken";
    }
    SharedObject<Words> words;
  };
  std::string name_;
  Process* waker_ = nullptr;
};

TEST(Blocking, is_a_kill_point_of_its_own_and_the_victim_is_woken_to_go_on) {
  const Report report = run_killed("engine.sleeper", make<Sleeper>());
  EXPECT_TRUE(report.clean()) << report;
  if (report.partial) return;
  std::vector<Kind> kinds;
  for (const Point& point : report.points) kinds.push_back(point.kind);
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::begin, Kind::syscall_enter, Kind::asleep, Kind::syscall_return,
                                      Kind::memory}))
      << report;
}

TEST(Blocking, victims_are_stopped_and_go_on_as_well) {
  const Report report = run_stopped("engine.sleeper", make<Sleeper>());
  EXPECT_TRUE(report.clean()) << report;
}

}  // namespace
}  // namespace killtest
