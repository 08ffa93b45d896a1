// Attaching and detaching, killed and stopped at every point: a row is taken by the living only.
#include "audit.hpp"
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

TEST(Attach, is_undone_by_a_kill) {
  killed_and_stopped("attach", {.act = [](Party& p) { p.again = expect(shmq::Segment::open(p.segment().name())); }});
}

TEST(Attach, that_finds_a_corpse_repairs_it_or_leaves_it) {
  Deed deed;
  deed.setting = [](Crew& crew) {
    crew.send("a", 1, 2);
    const std::string name = crew.segment;
    crew.world
        .spawn("corpse",
               [name] {
                 auto corpse = std::make_unique<Party>(name);
                 corpse->messages.push_back(corpse->receive("a"));
                 corpse->claims.push_back(corpse->claim("a", 3));
                 corpse->to("b");
                 return corpse;
               })
        .kill();
    crew.ledger.seen(1);
  };
  // The victim's own attachment repairs the corpse at full speed; what is stepped is the second one.
  deed.act = [](Party& p) { p.again = expect(shmq::Segment::open(p.segment().name())); };
  killed("attach_corpse", deed);
}

TEST(Detach, of_a_process_that_holds_things_lets_go_of_them_or_the_reaper_does) {
  killed_and_stopped("detach", {.setting = [](Crew& crew) { crew.send("a", 1, 2); },
                                .before =
                                    [](Party& p) {
                                      p.messages.push_back(p.receive("a"));
                                      p.claims.push_back(p.claim("a", 2000, block_bytes));
                                    },
                                .act = [](Party& p) { p.detach(); },
                                .rules = [](Ledger& ledger, Fate) { ledger.seen(1), ledger.touched(2); },
                                .start = near_the_wrap});
}

// Every row is taken by the dead, and nobody is left who would sweep them.
class AttachToTheDead : public Scenario {
 public:
  void setup(World& world) override {
    name_ = world.name();
    world.run("creator", [&] { create_segment(name_, near_the_wrap, 3); });
    std::vector<Process*> corpses;
    for (int i = 0; i < 3; ++i)
      corpses.push_back(&world.spawn("corpse", [name = name_, i] {
        auto corpse = std::make_unique<Party>(name);
        corpse->claim("a", static_cast<std::uint64_t>(10 + i)).publish();
        if (i == 1) corpse->claims.push_back(corpse->claim("a", 20));
        if (i == 2) corpse->messages.push_back(corpse->receive("a"));
        return corpse;
      }));
    for (Process* corpse : corpses) corpse->kill();
  }

  ActorFactory victim() override {
    class Attacher : public Actor {
     public:
      explicit Attacher(std::string name) : name_(std::move(name)) {}
      void operate() override { party_.emplace(name_); }

     private:
      std::string name_;
      std::optional<Party> party_;
    };
    return [name = name_] { return std::make_unique<Attacher>(name); };
  }

  void check(World& world, const Instant& instant) override {
    const auto party = [name = name_] { return std::make_unique<Party>(name); };
    if (instant.fate == Fate::stopped) return;  // it may be in the one spare row, and is waited for
    Process& sender = world.spawn("sender", party);
    Process& receiver = world.spawn("receiver", party);
    if (instant.fate == Fate::completed) instant.victim.quit();
    Crew crew{world, name_, sender, receiver, {}};
    crew.ledger.must(10, 3);
    crew.ledger.touched(10);
    crew.ledger.seen(10);
    finish(crew);
  }

 private:
  std::string name_;
};

TEST(Attach, to_a_table_full_of_the_dead_works_whoever_died_trying) {
  const Report report = run_killed("attach_full", make<AttachToTheDead>(), scenario_limits());
  EXPECT_TRUE(report.clean()) << report;
}

}  // namespace
}  // namespace killtest
