// Segments made and removed, killed at every point: a name is there with a whole segment or not at all, and nothing is
// left behind in /dev/shm.
#include "audit.hpp"
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

class Maker : public Actor {
 public:
  Maker(std::string name, bool open_too) : name_(std::move(name)), open_too_(open_too) {}
  void operate() override {
    auto made = open_too_ ? shmq::Segment::open_or_create(name_, segment_options())
                          : shmq::Segment::create(name_, segment_options());
    segment_ = expect(std::move(made));
  }
  std::string handle(std::string_view) override {
    segment_ = expect(shmq::Segment::open_or_create(name_, segment_options()));
    return "there";
  }

 private:
  std::string name_;
  bool open_too_;
  std::optional<shmq::Segment> segment_;
};

class Make : public Scenario {
 public:
  explicit Make(bool open_too, bool race) : open_too_(open_too), race_(race) {}

  void setup(World& world) override {
    name_ = world.name();
    rival_ = &world.spawn("rival", [name = name_] { return std::make_unique<Maker>(name, true); });
    if (race_) rival_->post("make");
  }
  ActorFactory victim() override {
    return [name = name_, open_too = open_too_] { return std::make_unique<Maker>(name, open_too); };
  }
  void check(World& world, const Instant& instant) override {
    if (instant.fate == Fate::stopped) {
      if (!race_) rival_->ask("make");
      race_ = true;
      return;
    }
    race_ ? (void)0 : rival_->post("make");
    if (instant.fate != Fate::stopped && !answered_) rival_->await();
    answered_ = true;
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
  bool open_too_, race_, answered_ = false;
  std::string name_;
  Process* rival_ = nullptr;
};

TEST(Create, of_a_segment_makes_it_whole_or_not_at_all) {
  const Report report = run_killed("create", make<Make>(false, false));
  EXPECT_TRUE(report.clean()) << report;
}

TEST(OpenOrCreate, that_races_with_another_leaves_one_segment) {
  const Report report = run_killed("open_or_create", make<Make>(true, true));
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
  const Report report = run_killed("remove_segment", make<RemoveSegment>());
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
  const Report report = run_killed("remove_segment_create", make<RemoveThenCreate>());
  EXPECT_TRUE(report.clean()) << report;
}

}  // namespace
}  // namespace killtest
