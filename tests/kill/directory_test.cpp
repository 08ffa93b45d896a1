// Queues made and removed while others use the segment, killed and stopped at every point: a name is there with a
// sound queue or not at all, and its entry and its space come back.
#include "operation.hpp"
#include "stepper.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

void declare_c(Party& p) { expect(p.segment().queue("c", queue_options())); }

// The survivors declare the same name, use it and remove it: it must be free or sound.
void use_c(Process& one, Process& other) {
  require(one.ask("declare c") == "ok", "c cannot be declared: " + one.ask("declare c"));
  require(other.ask("declare c") == "ok", "c cannot be declared again");
  require(one.ask("send c 300 3") == "3", "c takes no messages");
  require(!other.ask("recv c 3").empty(), "c gives no messages");
  require(one.ask("remove c") == "ok", "c cannot be removed");
  require(other.ask("until c") == "removed", "a user of c does not see that it was removed");
  one.ask("shut c");
  other.ask("shut c");
}

Deed declaring() {
  Deed deed;
  deed.act = declare_c;
  deed.after = [](Crew& crew, Fate) { use_c(crew.sender, crew.receiver); };
  // A stopped creator has its name and is waited for; another name is nobody's.
  deed.meanwhile = [](Crew& crew) {
    require(crew.sender.ask("reap") == "0", "a stopped process was robbed");
    require(crew.sender.ask("declare d") == "ok", "a stopped creator is in the way of another name");
    require(crew.receiver.ask("remove d") == "ok", "d cannot be removed");
  };
  return deed;
}

TEST(Declare, of_a_queue_makes_it_whole_or_not_at_all) { killed_and_stopped("declare", declaring()); }

TEST(Declare, of_a_queue_that_is_there_opens_it) {
  Deed deed = declaring();
  deed.setting = [](Crew& crew) { require(crew.sender.ask("declare c") == "ok", "c cannot be declared"); };
  killed_and_stopped("declare_again", deed);
}

TEST(Declare, that_races_with_another_declaration_leaves_one_queue) {
  Deed deed = declaring();
  deed.setting = [](Crew& crew) { crew.receiver.post("declare c"); };
  deed.after = [](Crew& crew, Fate) {
    require(crew.receiver.await() == "ok", "the race was lost by both");
    use_c(crew.sender, crew.receiver);
  };
  killed("declare_race", deed);
}

// Stopped before its name counts, a creator goes on to find that another was faster, and opens the other's queue.
TEST(Declare, that_goes_on_after_another_was_faster_leaves_one_queue) {
  class Creator : public Party {
   public:
    using Party::Party;
    void operate() override { declare_c(*this); }
  };
  for (std::size_t stop = 0; stop < 3; ++stop) {
    World world(Limits{});
    const std::string name = world.name();
    world.run("creator", [&] { create_segment(name); });
    Process& sender = world.spawn("sender", [name] { return std::make_unique<Party>(name); });
    Process& receiver = world.spawn("receiver", [name] { return std::make_unique<Party>(name); });
    Process& late = world.spawn("late", [name] { return std::make_unique<Creator>(name); });
    try {
      Stepper stepper(late, false);
      for (auto point = stepper.next(); point && point->index < stop; point = stepper.next()) continue;
      require(sender.ask("declare c") == "ok", "a creator whose name does not count yet is in the way");
      stepper.run_to_end([] {});
      stepper.finish();
      late.quit();
      Crew crew{world, name, sender, receiver, {}};
      require(sender.ask("send c 300 3") == "3" && !receiver.ask("recv c 3").empty(), "there are two queues c");
      finish(crew);
    } catch (const Failure& failure) {
      ADD_FAILURE() << "stopped at point " << stop << ": " << failure.what();
    }
  }
}

// A queue "c" with a message in a block, one that the receiver waits on.
Deed removing(bool used) {
  Deed deed;
  deed.setting = [used](Crew& crew) {
    require(crew.sender.ask("declare c") == "ok", "c cannot be declared");
    crew.sender.ask("send c 300 2 200");
    crew.sender.ask("shut c");
    if (!used) return;
    crew.receiver.ask("recv c 2");
    crew.receiver.post("until c");
    await_sleep(crew.receiver);
  };
  deed.act = [](Party& p) { (void)p.segment().remove_queue("c"); };
  deed.after = [used](Crew& crew, Fate) {
    const std::string removed = crew.sender.ask("remove c");  // where the victim did not get to it
    require(removed == "ok" || removed == "not_found", "c cannot be removed: " + removed);
    if (used) {
      require(crew.receiver.await() == "removed", "who sleeps on c is not told");
      crew.receiver.ask("shut c");
    }
    use_c(crew.sender, crew.receiver);
  };
  deed.meanwhile = [](Crew& crew) {
    require(crew.sender.ask("reap") == "0", "a stopped process was robbed");
    require(crew.sender.ask("declare d") == "ok", "a stopped remover is in the way of another name");
    require(crew.sender.ask("remove d") == "ok", "d cannot be removed");
  };
  return deed;
}

TEST(Remove, of_a_queue_with_messages_gives_everything_back) { killed_and_stopped("remove", removing(false)); }

TEST(Remove, of_a_queue_in_use_is_heard_of_by_who_sleeps) { killed_and_stopped("remove_used", removing(true)); }

TEST(Remove, of_a_queue_whose_last_user_dies_while_it_closes_gives_everything_back) {
  Deed deed;
  deed.setting = removing(false).setting;
  deed.before = [](Party& p) {
    p.to("c");
    expect(p.segment().remove_queue("c"));
  };
  deed.act = [](Party& p) { p.handle("shut c"); };
  deed.after = [](Crew& crew, Fate) { use_c(crew.sender, crew.receiver); };
  killed_and_stopped("close_removed", deed);
}

// The reaper over a half-made and a half-removed queue.
void reap_half(const std::string& name, const std::vector<std::size_t>& points, bool removes) {
  for (const std::size_t point : points) {
    Deed deed = removes ? removing(false) : declaring();
    deed.before = [point, removes](Party& p) {
      p.leave_corpse_at(point, [](Party&) {},
                        [removes](Party& corpse) { removes ? (void)corpse.segment().remove_queue("c") : declare_c(corpse); });
    };
    deed.act = [](Party& p) { p.segment().reap(); };
    deed.meanwhile = [](Crew& crew) {
      crew.sender.ask("reap");
      require(crew.sender.ask("declare d") == "ok", "a stopped reaper is in the way of a declaration");
      require(crew.sender.ask("remove d") == "ok", "d cannot be removed");
    };
    killed_and_stopped(name + "_" + std::to_string(point), deed);
  }
}

TEST(Reaper, of_a_half_made_queue_may_die_or_stop_at_any_point) { reap_half("reap_declare", {1, 3, 7, 12}, false); }
TEST(Reaper, of_a_half_removed_queue_may_die_or_stop_at_any_point) { reap_half("reap_remove", {2, 3, 12, 16}, true); }

}  // namespace
}  // namespace killtest
