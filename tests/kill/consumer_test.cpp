// Receiving, killed and stopped at every point: what was not released is delivered again, marked, and nothing else is.
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

void receive_one(Party& p) { p.messages.push_back(p.from("a").try_receive()); }

// Two messages; the victim receives the first.
Deed receive(std::size_t bytes = inline_bytes) {
  return {.setting = [bytes](Crew& crew) { crew.send("a", 1, 2, bytes); },
          .act = receive_one,
          .rules = [](Ledger& ledger, Fate) { ledger.touched(1), ledger.touched(2); },
          .start = near_the_wrap};
}

// The victim has received the first of two and lets go of it.
Deed let_go(void (*how)(Party&), std::size_t bytes = inline_bytes) {
  return {.setting = [bytes](Crew& crew) { crew.send("a", 1, 2, bytes); },
          .before = receive_one,
          .act = how,
          .rules = [](Ledger& ledger, Fate) { ledger.seen(1); },
          .start = near_the_wrap};
}

void release(Party& p) { p.messages[0].release(); }
void requeue(Party& p) { p.messages[0].requeue(); }

Deed releasing(Deed deed) {
  deed.rules = [](Ledger& ledger, Fate) { ledger.seen(1), ledger.may(1); };
  return deed;
}

void make_redelivered(Crew& crew) {
  crew.send("a", 1, 2);
  crew.receiver.ask("hold a 1");
  crew.receiver.ask("requeue");
  crew.ledger.seen(1);
}

TEST(Receive, of_a_fresh_message_is_undone_by_a_kill) { killed_and_stopped("receive", receive()); }

TEST(Receive, of_a_fresh_message_can_be_stopped_at_any_instruction) {
  at_every_instruction("receive", receive());
}

TEST(Receive, of_a_block_is_undone_by_a_kill) { killed_and_stopped("receive_block", receive(block_bytes)); }

TEST(Receive, of_a_redelivered_message_is_undone_by_a_kill) {
  Deed deed = receive();
  deed.setting = make_redelivered;
  killed_and_stopped("receive_redelivered", deed);
}

TEST(Receive, of_a_redelivered_message_can_be_stopped_at_any_instruction) {
  Deed deed = receive();
  deed.setting = make_redelivered;
  at_every_instruction("receive_redelivered", deed);
}

TEST(Receive, of_a_batch_is_undone_by_a_kill) {
  killed_and_stopped("receive_batch",
                     {.setting = [](Crew& crew) { crew.send("a", 1, 4); },
                      .act = [](Party& p) { p.batches.push_back(p.from("a").try_receive_batch(3)); },
                      .rules =
                          [](Ledger& ledger, Fate) {
                            for (const std::uint64_t value : {1, 2, 3, 4}) ledger.touched(value);
                          },
                      .start = near_the_wrap});
}

TEST(Receive, over_tombs_is_undone_by_a_kill) {
  Deed deed = receive();
  deed.setting = [](Crew& crew) {
    for (const char* request : {"claim a 90", "abort", "claim a 91", "abort"}) crew.sender.ask(request);
    crew.send("a", 1, 2);
  };
  killed_and_stopped("receive_tombs", deed);
  deed.act = [](Party& p) { p.batches.push_back(p.from("a").try_receive_batch(4)); };
  killed_and_stopped("receive_batch_tombs", deed);
}

TEST(Receive, from_an_empty_queue_that_is_killed_while_it_waits_leaves_nothing) {
  killed("receive_empty", {.act = [](Party& p) { (void)p.from("a").receive(one_slice); }});
}

TEST(Receive, that_is_tried_on_an_empty_queue_leaves_nothing) {
  killed_and_stopped("try_receive_empty", {.act = [](Party& p) { (void)p.from("a").try_receive(); },
                                           .rules = [](Ledger& ledger, Fate) { ledger.touched(501); }});
}

TEST(Release, of_an_inline_message_happens_or_not) { killed_and_stopped("release", releasing(let_go(release))); }

TEST(Release, of_an_inline_message_can_be_stopped_at_any_instruction) {
  at_every_instruction("release", releasing(let_go(release)));
}

TEST(Release, of_a_block_happens_or_not) {
  killed_and_stopped("release_block", releasing(let_go(release, block_bytes)));
}

TEST(Release, of_a_block_can_be_stopped_at_any_instruction) {
  at_every_instruction("release_block", releasing(let_go(release, block_bytes)));
}

TEST(Release, of_a_redelivered_message_happens_or_not) {
  Deed deed = releasing(let_go(release));
  deed.setting = make_redelivered;
  killed_and_stopped("release_redelivered", deed);
}

TEST(Release, of_a_batch_happens_or_not_message_by_message) {
  killed_and_stopped("release_batch",
                     {.setting = [](Crew& crew) { crew.send("a", 1, 4); },
                      .before = [](Party& p) { p.batches.push_back(p.from("a").try_receive_batch(4)); },
                      .act = [](Party& p) { p.batches[0].release(); },
                      .rules =
                          [](Ledger& ledger, Fate) {
                            for (const std::uint64_t value : {1, 2, 3, 4}) ledger.seen(value), ledger.may(value);
                          },
                      .start = near_the_wrap});
}

TEST(Release, is_heard_of_by_a_producer_that_sleeps_on_the_full_queue) {
  Deed deed = releasing(let_go(release));
  deed.setting = [](Crew& crew) {
    crew.send("a", 1, 4);
    crew.post_send(50);
  };
  killed_and_stopped("release_wake", deed);
}

TEST(Requeue, of_a_message_delivers_it_again) { killed_and_stopped("requeue", let_go(requeue)); }

TEST(Requeue, of_a_message_can_be_stopped_at_any_instruction) {
  at_every_instruction("requeue", let_go(requeue));
}

TEST(Requeue, of_a_block_delivers_it_again) {
  killed_and_stopped("requeue_block", let_go(requeue, block_bytes));
}

TEST(Requeue, of_a_batch_delivers_each_again) {
  killed_and_stopped("requeue_batch",
                     {.setting = [](Crew& crew) { crew.send("a", 1, 3); },
                      .before = [](Party& p) { p.batches.push_back(p.from("a").try_receive_batch(3)); },
                      .act = [](Party& p) { p.batches[0].requeue(); },
                      .rules =
                          [](Ledger& ledger, Fate) {
                            for (const std::uint64_t value : {1, 2, 3}) ledger.seen(value);
                          }});
}

TEST(Requeue, to_a_closed_queue_is_heard_of_by_who_waits_for_its_end) {
  // The receiver has taken the rest and sleeps until the last message is released, or comes back.
  Deed deed = let_go(requeue);
  deed.setting = [](Crew& crew) { crew.send("a", 1, 2); };
  deed.before = [](Party& p) {
    receive_one(p);
    p.queue("a").close();
  };
  killed_and_stopped("requeue_closed", deed);
}

TEST(Purge, takes_each_message_or_leaves_it) {
  killed_and_stopped("purge", {.setting =
                                   [](Crew& crew) {
                                     make_redelivered(crew);
                                     crew.send("a", 3, 2);
                                   },
                               .act = [](Party& p) { expect(p.queue("a").purge()); },
                               .rules =
                                   [](Ledger& ledger, Fate) {
                                     for (const std::uint64_t value : {1, 2, 3, 4}) {
                                       ledger.touched(value);
                                       ledger.may(value);
                                     }
                                     for (const std::uint64_t value : {500, 501}) {  // sent past the stopped victim
                                       ledger.touched(value);
                                       ledger.may(value);
                                     }
                                   },
                               .start = near_the_wrap});
}

// One message is held by another, one waits for redelivery, one is in a block.
Deed browse() {
  return {.setting =
              [](Crew& crew) {
                crew.send("a", 1, 1);
                crew.receiver.ask("hold a 1");
                crew.receiver.ask("requeue");
                crew.ledger.seen(1);
                crew.send("a", 2, 2, block_bytes);
              },
          .act =
              [](Party& p) {
                shmq::Browser browser = p.queue("a").browse();
                while (const auto message = browser.next()) p.values.push_back(message->payload.size());
              },
          .start = near_the_wrap};
}
TEST(Browse, changes_nothing) { killed_and_stopped("browse", browse()); }

TEST(Close, killed_half_way_is_closed_or_not) {
  killed_and_stopped("close", {.setting = [](Crew& crew) { crew.send("a", 1, 2); },
                               .act = [](Party& p) { p.queue("a").close(); }});
}

TEST(Close, killed_half_way_is_heard_of_by_who_sleeps) {
  killed_and_stopped("close_wake", {.setting = [](Crew& crew) { crew.post_drain(); },
                                    .act = [](Party& p) { p.queue("a").close(); }});
}

}  // namespace
}  // namespace killtest
