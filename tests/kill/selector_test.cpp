// Receiving from several queues at once, killed and stopped at every point; and who waits for several is told of what
// a victim was killed in the middle of, as who waits for one is.
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

void add_both(Party& p) {
  p.selector.add(p.from("a"));
  p.selector.add(p.from("b"));
}

void select_one(Party& p) { p.messages.push_back(std::move(p.selector.try_receive().message)); }

// Two messages, in "a"; the victim receives the first.
Deed select() {
  return {.setting = [](Crew& crew) { crew.send("a", 1, 2); },
          .before = add_both,
          .act = select_one,
          .rules = [](Ledger& ledger, Fate) { ledger.touched(1), ledger.touched(2); },
          .start = near_the_wrap};
}

void make_redelivered(Crew& crew) {
  crew.send("a", 1, 2);
  crew.receiver.ask("hold a 1");
  crew.receiver.ask("requeue");
  crew.ledger.seen(1);
}

TEST(Select, of_a_fresh_message_is_undone_by_a_kill) { killed_and_stopped("select", select()); }

TEST(Select, of_a_fresh_message_can_be_stopped_at_any_instruction) { at_every_instruction("select", select()); }

TEST(Select, of_a_redelivered_message_is_undone_by_a_kill) {
  Deed deed = select();
  deed.setting = make_redelivered;
  killed_and_stopped("select_redelivered", deed);
}

TEST(Select, of_a_message_in_each_queue_is_undone_by_a_kill) {
  Deed deed = select();
  deed.setting = [](Crew& crew) { crew.send("a", 1), crew.send("b", 2, 1, block_bytes); };
  deed.act = [](Party& p) { select_one(p), select_one(p); };
  deed.rules = [](Ledger& ledger, Fate) {
    for (const std::uint64_t value : {1, 2, 500}) ledger.touched(value);  // 500: others take and send past a stop
  };
  killed_and_stopped("select_both", deed);
}

TEST(Select, from_empty_queues_that_is_killed_while_it_waits_leaves_nothing) {
  killed("select_empty",
         {.before = add_both, .act = [](Party& p) { (void)p.selector.receive(one_slice); }});
}

TEST(Select, that_is_tried_on_empty_queues_leaves_nothing) {
  killed_and_stopped("try_select_empty", {.before = add_both,
                                          .act = [](Party& p) { (void)p.selector.try_receive(); },
                                          .rules = [](Ledger& ledger, Fate) { ledger.touched(501); }});
}

TEST(Selector, asleep_hears_of_a_message_though_the_wake_was_never_sent) {
  killed_and_stopped("publish_select",
                     {.setting = [](Crew& crew) { crew.post_drain("select"); },
                      .before = [](Party& p) { p.claims.push_back(p.claim("a", 1)); },
                      .act = [](Party& p) { p.claims[0].publish(); },
                      .rules =
                          [](Ledger& ledger, Fate fate) {
                            fate == Fate::completed ? ledger.must(1) : ledger.may(1);
                          },
                      .start = near_the_wrap});
}

TEST(Selector, asleep_hears_of_a_close_that_was_killed_half_way) {
  killed_and_stopped("close_select", {.setting = [](Crew& crew) { crew.post_drain("select"); },
                                      .act = [](Party& p) { p.queue("a").close(); }});
}

}  // namespace
}  // namespace killtest
