// Segments made and removed, killed at every point: a name is there with a whole segment or not at all, and nothing is
// left behind in /dev/shm.
#include "audit.hpp"
#include "operation.hpp"

#include <gtest/gtest.h>

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <iostream>

namespace killtest {
namespace {

class Maker : public Actor {
 public:
  explicit Maker(std::string name) : name_(std::move(name)) {}
  void operate() override { segment_ = expect(shmq::Segment::open_or_create(name_, segment_options())); }
  std::string handle(std::string_view) override {
    segment_ = expect(shmq::Segment::open_or_create(name_, segment_options()));
    return "there";
  }

 private:
  std::string name_;
  std::optional<shmq::Segment> segment_;
};

// The rival and the victim start at the same moment; whoever comes second finds the other's segment.
class Make : public Scenario {
 public:
  void setup(World& world) override {
    name_ = world.name();
    rival_ = &world.spawn("rival", [name = name_] { return std::make_unique<Maker>(name); });
    rival_->post("make");
  }
  ActorFactory victim() override {
    return [name = name_] { return std::make_unique<Maker>(name); };
  }
  void check(World& world, const Instant& instant) override {
    rival_->await();
    if (instant.fate == Fate::completed) instant.victim.quit();
    world.run("collector", [] { (void)shmq::Segment::collect_leftovers(); });
    const std::vector<std::string> files = world.leftovers();
    require(files.size() == 1, std::to_string(files.size()) + " files are left, the last is " + files.back());
    const auto party = [name = name_] {
      auto made = std::make_unique<Party>(name);
      made->handle("declare a");
      made->handle("declare b");
      return made;
    };
    Crew crew{world, name_, world.spawn("sender", party), world.spawn("receiver", party), {}};
    crew.others = 1;  // the rival
    finish(crew);
  }

 private:
  std::string name_;
  Process* rival_ = nullptr;
};

// Creating executes a million instructions, most of them to find out how much memory there is. Until the segment has
// its name, what it writes can be seen by nobody, so here the system calls are the points: before and after each.
bool create_killed_at(const std::string& name, std::size_t stop) {
  const pid_t child = fork();
  require_system(child >= 0, "fork");
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    _exit(shmq::Segment::create(name, segment_options()) ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, __WALL);
  for (std::size_t i = 0; i < stop && WIFSTOPPED(status); ++i) {
    ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
    waitpid(child, &status, __WALL);
  }
  if (!WIFSTOPPED(status)) {
    require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "create() failed with nobody killed");
    return false;
  }
  ::kill(child, SIGKILL);
  waitpid(child, &status, __WALL);
  return true;
}

TEST(Create, of_a_segment_makes_it_whole_or_not_at_all) {
  bool more = true;
  std::size_t stop = 0;
  for (; more && !HasFailure(); ++stop) {
    SCOPED_TRACE("killed at system call stop " + std::to_string(stop));
    World world(Limits{});
    const std::string name = world.name();
    more = create_killed_at(name, stop);
    try {
      // Creating collects what dead creators left; the segment itself may be there already, whole.
      world.run("creator", [name] {
        auto made = shmq::Segment::create(name, segment_options());
        if (made) return;
        require(made.error().code() == shmq::ErrorCode::already_exists, made.error().message());
        (void)shmq::Segment::create(name + "2", segment_options());
        expect(shmq::Segment::open(name));
        expect(shmq::Status(shmq::Segment::remove(name + "2")));
      });
      const std::vector<std::string> files = world.leftovers();
      require(files.size() == 1, std::to_string(files.size()) + " files are left, the last is " + files.back());
      const auto party = [name] {
        auto attached = std::make_unique<Party>(name);
        attached->handle("declare a");
        attached->handle("declare b");
        return attached;
      };
      Crew crew{world, name, world.spawn("sender", party), world.spawn("receiver", party), {}};
      finish(crew);
    } catch (const Failure& failure) {
      ADD_FAILURE() << failure.what();
    }
  }
  std::cout << "create/killed: " << stop << " points\n";
  EXPECT_GT(stop, 20U);
}

TEST(OpenOrCreate, that_races_with_another_leaves_one_segment) {
  const Report report = run_killed("open_or_create", make<Make>(), scenario_limits());
  EXPECT_TRUE(report.clean()) << report;
}

// A segment with two users, one asleep on a queue, is removed by a third who is killed.
class RemoveSegment : public Scenario {
 public:
  void setup(World& world) override {
    name_ = world.name();
    world.run("creator", [&] { create_segment(name_); });
    user_ = &world.spawn("user", [name = name_] { return std::make_unique<Party>(name); });
    user_->post("until a");
    await_sleep(*user_);
  }
  ActorFactory victim() override {
    class Remover : public Actor {
     public:
      explicit Remover(std::string name) : name_(std::move(name)) {}
      void operate() override { (void)shmq::Segment::remove(name_); }

     private:
      std::string name_;
    };
    return [name = name_] { return std::make_unique<Remover>(name); };
  }
  void check(World& world, const Instant&) override {
    world.run("second remover", [&] { (void)shmq::Segment::remove(name_); });
    require(user_->await() == "removed", "who sleeps on a queue of the segment is not told");
    user_->quit();
    require(world.leftovers().empty(), "the name is still taken");
    world.run("creator", [&] { create_segment(name_); });
  }

 private:
  std::string name_;
  Process* user_ = nullptr;
};

TEST(Remove, of_a_segment_frees_the_name_and_is_heard_of_by_who_sleeps) {
  const Report report = run_killed("remove_segment", make<RemoveSegment>(), scenario_limits());
  EXPECT_TRUE(report.clean()) << report;
}

// The same, but what comes after the kill is a creator of the same name.
class RemoveThenCreate : public RemoveSegment {
 public:
  void check(World& world, const Instant& instant) override {
    world.run("creator", [&] {
      auto created = shmq::Segment::create(world.name(), segment_options());
      if (!created) require(created.error().code() == shmq::ErrorCode::already_exists, created.error().message());
      expect(shmq::Segment::open_or_create(world.name(), segment_options()));
    });
    RemoveSegment::check(world, instant);
  }
};

TEST(Remove, of_a_segment_that_died_half_way_does_not_keep_the_name) {
  const Report report = run_killed("remove_segment_create", make<RemoveThenCreate>(), scenario_limits());
  EXPECT_TRUE(report.clean()) << report;
}

}  // namespace
}  // namespace killtest
