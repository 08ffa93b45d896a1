// The reaper, killed and stopped at every point of its sweep over a corpse. The corpse attaches after the victim of the
// scenario and is killed before it operates, so that the victim's reap() is the first to come across it.
#include "audit.hpp"
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

// Others repair regardless of a reaper that is stopped; then they hold things again, in the same slots and blocks. The
// reaper that goes on late must take none of them, nor may its corpse's id have been given to a newcomer.
void finish_the_repair(Crew& crew) {
  crew.receiver.post("recv a 6");
  crew.send("a", 600, 6);
  crew.ledger.add("a", crew.receiver.await());
}

const auto hold_again = [](Crew& crew) {
  crew.ledger.add("a", crew.receiver.ask("tryrecv a 4"));
  crew.ledger.add("b", crew.receiver.ask("tryrecv b 4"));
  crew.sender.ask("reap");
  crew.ledger.add("a", crew.receiver.ask("tryrecv a 4"));
  crew.ledger.add("b", crew.receiver.ask("tryrecv b 4"));
  finish_the_repair(crew);
  crew.send("a", 700, 1);
  crew.send("a", 701, 1, block_bytes);
  // The newcomer would have the corpse's id, were that given away while the stopped reaper is at it.
  const std::string name = crew.segment;
  crew.newcomer = &crew.world.spawn("newcomer", [name] { return std::make_unique<Party>(name); });
  crew.ledger.add("a", crew.newcomer->ask("hold a 2"));
  require(crew.newcomer->ask("claim a 710") == "ok" && crew.newcomer->ask("claim a 711 200") == "ok",
          "there is no room to claim, or no block");
};

const auto still_held = [](Crew& crew, Fate) {
  if (crew.newcomer == nullptr) return;
  for (const char* request : {"look", "release", "publish"}) crew.newcomer->ask(request);
  crew.newcomer->quit();
};

// What is held again only exists where the victim was stopped; a dry run has nothing to publish.
Deed reaping(std::function<void(Party&)> corpse, std::function<void(Crew&)> setting,
             std::function<void(Ledger&)> rules) {
  Deed deed;
  deed.setting = std::move(setting);
  deed.before = [corpse](Party& p) { p.leave_corpse(corpse); };
  deed.act = [](Party& p) { p.segment().reap(); };
  deed.rules = [rules](Ledger& ledger, Fate fate) {
    rules(ledger);
    if (fate == Fate::stopped) ledger.must(710, 2);
  };
  deed.meanwhile = hold_again;
  deed.after = still_held;
  deed.start = near_the_wrap;
  return deed;
}

void no_messages(Ledger&) {}

TEST(Reaper, that_sweeps_a_dead_claim_may_die_or_stop_at_any_point) {
  killed_and_stopped("reap_claim", reaping([](Party& p) { p.claims.push_back(p.claim("a", 1)); },
                                           [](Crew& crew) { crew.send("b", 20, 2); }, no_messages));
}

TEST(Reaper, that_sweeps_a_dead_batch_may_die_or_stop_at_any_point) {
  killed_and_stopped("reap_claim_batch",
                     reaping([](Party& p) { p.claim_batches.push_back(p.to("a").claim_batch(4, 8)); },
                             [](Crew&) {}, no_messages));
}

TEST(Reaper, that_sweeps_dead_claims_between_others_may_die_or_stop_at_any_point) {
  killed_and_stopped("reap_claims_between",
                     reaping(
                         [](Party& p) {
                           p.claims.push_back(p.claim("a", 1));
                           p.claim("a", 2).publish();
                           p.claims.push_back(p.claim("a", 3, block_bytes));
                         },
                         [](Crew& crew) { crew.send("a", 20, 1); }, [](Ledger& ledger) { ledger.must(2); }));
}

TEST(Reaper, that_sweeps_dead_messages_may_die_or_stop_at_any_point) {
  killed_and_stopped(
      "reap_messages",
      reaping(
          [](Party& p) {
            for (int i = 0; i < 2; ++i) p.messages.push_back(p.receive("a"));
          },
          [](Crew& crew) { crew.send("a", 1, 3); }, [](Ledger& ledger) { ledger.seen(1), ledger.seen(2); }));
}

TEST(Reaper, that_sweeps_a_dead_batch_of_messages_may_die_or_stop_at_any_point) {
  killed_and_stopped("reap_message_batch",
                     reaping([](Party& p) { p.batches.push_back(p.from("a").try_receive_batch(4)); },
                             [](Crew& crew) { crew.send("a", 1, 4); },
                             [](Ledger& ledger) {
                               for (const std::uint64_t value : {1, 2, 3, 4}) ledger.seen(value);
                             }));
}

TEST(Reaper, that_sweeps_a_dead_redelivered_message_may_die_or_stop_at_any_point) {
  killed_and_stopped("reap_redelivered", reaping([](Party& p) { p.messages.push_back(p.receive("a")); },
                                                 [](Crew& crew) {
                                                   crew.send("a", 1, 2);
                                                   crew.receiver.ask("hold a 1");
                                                   crew.receiver.ask("requeue");
                                                 },
                                                 [](Ledger& ledger) { ledger.seen(1); }));
}

TEST(Reaper, that_sweeps_dead_blocks_may_die_or_stop_at_any_point) {
  // One block published, one received, one claimed, one free.
  killed_and_stopped("reap_blocks", reaping(
                                        [](Party& p) {
                                          p.messages.push_back(p.receive("a"));
                                          p.claim("b", 5, block_bytes).publish();
                                          p.claims.push_back(p.claim("b", 6, block_bytes));
                                        },
                                        [](Crew& crew) { crew.send("a", 1, 1, block_bytes); },
                                        [](Ledger& ledger) {
                                          ledger.seen(1);
                                          ledger.must(5);
                                        }));
}

// The corpse dies at one point of an operation, and for each of these the reaper dies or stops at each of its own.
void reap_half_done(const std::string& name, const std::vector<std::size_t>& points, std::function<void(Party&)> before,
                    std::function<void(Party&)> act, std::function<void(Crew&)> setting,
                    std::function<void(Ledger&)> rules) {
  for (const std::size_t point : points) {
    Deed deed = reaping([](Party&) {}, setting, rules);
    deed.before = [=](Party& p) { p.leave_corpse_at(point, before, act); };
    killed_and_stopped(name + "_" + std::to_string(point), deed);
  }
}

TEST(Reaper, that_sweeps_a_half_done_forward_may_die_or_stop_at_any_point) {
  reap_half_done(
      "reap_forward", {2, 3, 6, 7},
      [](Party& p) {
        p.to("b");
        p.messages.push_back(p.receive("a"));
      },
      [](Party& p) { (void)p.messages[0].forward(p.to("b")); },
      [](Crew& crew) { crew.send("a", 1, 1, block_bytes); }, [](Ledger& ledger) { ledger.touched(1); });
}

TEST(Reaper, that_sweeps_a_half_done_release_may_die_or_stop_at_any_point) {
  reap_half_done(
      "reap_release", {1, 2, 3}, [](Party& p) { p.messages.push_back(p.receive("a")); },
      [](Party& p) { p.messages[0].release(); }, [](Crew& crew) { crew.send("a", 1, 1, block_bytes); },
      [](Ledger& ledger) { ledger.seen(1), ledger.may(1); });
}

}  // namespace
}  // namespace killtest
