// Arming a descriptor, killed and stopped at every point: it leaves nothing that anybody has to mend. And who waits in
// poll() is told of what a victim was killed in the middle of.
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

Deed arm() {
  return {.before = [](Party& p) { expect(p.from("a").descriptor()); },
          .act = [](Party& p) { (void)p.from("a").arm(); }};
}

TEST(Arm, of_an_empty_queue_that_is_killed_leaves_nothing) { killed_and_stopped("arm_empty", arm()); }

TEST(Arm, of_an_empty_queue_can_be_stopped_at_any_instruction) { at_every_instruction("arm_empty", arm()); }

TEST(Arm, of_a_queue_with_a_message_takes_nothing) {
  Deed deed = arm();
  deed.setting = [](Crew& crew) { crew.send("a", 1, 2); };
  deed.start = near_the_wrap;
  killed_and_stopped("arm", deed);
}

TEST(Arm, of_a_closed_queue_takes_nothing) {
  Deed deed = arm();
  deed.setting = [](Crew& crew) { crew.send("a", 1, 2), crew.sender.ask("close a"); };
  killed_and_stopped("arm_closed", deed);
}

TEST(Poll, hears_of_a_message_though_the_wake_was_never_sent) {
  killed_and_stopped("publish_poll", {.setting = [](Crew& crew) { crew.post_drain("poll"); },
                                      .before = [](Party& p) { p.claims.push_back(p.claim("a", 1)); },
                                      .act = [](Party& p) { p.claims[0].publish(); },
                                      .rules =
                                          [](Ledger& ledger, Fate fate) {
                                            fate == Fate::completed ? ledger.must(1) : ledger.may(1);
                                          },
                                      .start = near_the_wrap});
}

TEST(Poll, hears_of_a_close_that_was_killed_half_way) {
  killed_and_stopped("close_poll", {.setting = [](Crew& crew) { crew.post_drain("poll"); },
                                    .act = [](Party& p) { p.queue("a").close(); }});
}

}  // namespace
}  // namespace killtest
