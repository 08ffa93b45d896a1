// Sending, killed and stopped at every point: a message is published whole or not at all, and no room is lost.
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

const auto may_have_come = [](Ledger& ledger, Fate fate) {
  ledger.may(1);
  if (fate == Fate::completed) ledger.must(1);
};

Deed claim(std::size_t bytes) {
  return {.act = [bytes](Party& p) { p.claims.push_back(p.to("a").claim(bytes)); }, .start = near_the_wrap};
}

Deed publish(std::size_t bytes) {
  return {.before = [bytes](Party& p) { p.claims.push_back(p.claim("a", 1, bytes)); },
          .act = [](Party& p) { p.claims[0].publish(); },
          .rules = may_have_come,
          .start = near_the_wrap};
}

Deed send(std::size_t bytes) {
  return {.act =
              [bytes](Party& p) {
                auto room = p.to("a").claim(bytes);
                Party::fill(room, 1);
                room.publish();
              },
          .rules = may_have_come};
}

shmq::QueueOptions dropping() {
  shmq::QueueOptions options = queue_options();
  options.on_full = shmq::OnFull::drop_oldest;
  return options;
}

// The queue is full of messages 1 to 4, none of which was ever received: the victim takes 1 away and claims its place.
// Killed in between, it held 1 like a consumer. Past a stopped victim others go on dropping.
Deed drop(std::size_t bytes) {
  return {.setting = [bytes](Crew& crew) { crew.send("a", 1, 4, bytes); },
          .act = [bytes](Party& p) { p.claims.push_back(p.to("a").claim(bytes, party_patience)); },
          .rules =
              [](Ledger& ledger, Fate fate) {
                ledger.may(1), ledger.touched(1);
                for (std::uint64_t value = 2; fate == Fate::stopped && value <= 4; ++value) ledger.may(value);
              },
          .start = near_the_wrap,
          .a = dropping()};
}

Deed abort(std::size_t bytes) {
  return {.before = [bytes](Party& p) { p.claims.push_back(p.claim("a", 1, bytes)); },
          .act = [](Party& p) { p.claims[0].abort(); },
          .start = near_the_wrap};
}

TEST(Claim, of_inline_room_is_repaired_after_a_kill_at_any_point) { killed_and_stopped("claim", claim(8)); }

TEST(Claim, of_inline_room_can_be_stopped_at_any_instruction) {
  at_every_instruction("claim", claim(8));
}

TEST(Claim, of_a_block_is_repaired_after_a_kill_at_any_point) { killed_and_stopped("claim_block", claim(block_bytes)); }

TEST(Claim, of_a_batch_is_repaired_after_a_kill_at_any_point) {
  killed_and_stopped("claim_batch",
                     {.act = [](Party& p) { p.claim_batches.push_back(p.to("a").claim_batch(3, inline_bytes)); },
                      .start = near_the_wrap});
}

TEST(Claim, behind_another_producers_notes_it_and_survives_a_kill) {
  killed_and_stopped("claim_note",
                     {.setting = [](Crew& crew) { crew.send("a", 10, 2); },
                      .act = [](Party& p) { p.claims.push_back(p.to("a").claim(8)); },
                      .start = near_the_wrap});
}

TEST(Claim, on_a_full_queue_that_is_killed_while_it_waits_leaves_nothing) {
  killed("claim_full", {.setting = [](Crew& crew) { crew.send("a", 10, 4); },
                                    .act = [](Party& p) { (void)p.to("a").claim(8, one_slice); }});
}

TEST(Claim, that_waits_for_a_block_is_killed_and_leaves_nothing) {
  killed("claim_no_block",
         {.setting = [](Crew& crew) { crew.send("b", 10, 4, block_bytes); },
          .act = [](Party& p) { (void)p.to("a").claim(block_bytes, one_slice); },
          .after = [](Crew& crew, Fate) { crew.ledger.add("b", crew.receiver.ask("recv b 4")); }});
}

TEST(Claim, that_is_tried_on_a_full_queue_leaves_nothing) {
  killed_and_stopped("try_claim_full", {.setting = [](Crew& crew) { crew.send("a", 10, 4); },
                                        .act = [](Party& p) { p.claims.push_back(p.to("a").try_claim(8)); }});
}

TEST(Drop, of_the_oldest_message_takes_that_one_and_no_other) { killed_and_stopped("drop", drop(inline_bytes)); }

TEST(Drop, of_the_oldest_message_can_be_stopped_at_any_instruction) { at_every_instruction("drop", drop(inline_bytes)); }

TEST(Drop, of_a_block_gives_it_to_the_new_message_or_back) { killed_and_stopped("drop_block", drop(block_bytes)); }

TEST(Drop, of_the_oldest_message_notes_the_consumer_before) {
  Deed deed = drop(inline_bytes);
  deed.setting = [](Crew& crew) {
    crew.send("a", 90, 2);
    crew.ledger.add("a", crew.receiver.ask("recv a 2"));
    crew.send("a", 1, 4);
  };
  killed_and_stopped("drop_note", deed);
}

TEST(Drop, of_a_tomb_drops_nothing) {
  Deed deed = drop(inline_bytes);
  deed.setting = [](Crew& crew) {
    crew.sender.ask("claim a 90");
    crew.sender.ask("abort");
    crew.send("a", 1, 3);
  };
  deed.rules = [](Ledger& ledger, Fate fate) {
    for (std::uint64_t value = 1; fate == Fate::stopped && value <= 3; ++value) ledger.may(value);
  };
  killed_and_stopped("drop_tomb", deed);
}

TEST(Drop, leaves_a_message_that_is_held_or_came_back) {
  Deed deed = drop(inline_bytes);
  deed.setting = [](Crew& crew) {
    crew.send("a", 1, 4);
    crew.receiver.ask("hold a 1");
  };
  deed.rules = [](Ledger&, Fate) {};
  deed.meanwhile = [](Crew&) {};
  deed.after = [](Crew& crew, Fate) {
    crew.receiver.ask("requeue");
    crew.ledger.seen(1);
    require(crew.sender.ask("trysend a 70") == "full", "a message that had been received was dropped");
  };
  killed_and_stopped("drop_held", deed);
}

TEST(Drop, of_one_for_a_batch_takes_that_one_and_no_other) {
  Deed deed = drop(inline_bytes);
  deed.act = [](Party& p) { p.claim_batches.push_back(p.to("a").claim_batch(3, inline_bytes)); };
  killed_and_stopped("drop_batch", deed);
}

TEST(Publish, of_an_inline_message_is_all_or_nothing) { killed_and_stopped("publish", publish(inline_bytes)); }

TEST(Publish, of_an_inline_message_can_be_stopped_at_any_instruction) {
  at_every_instruction("publish", publish(inline_bytes));
}

TEST(Publish, of_a_block_is_all_or_nothing) { killed_and_stopped("publish_block", publish(block_bytes)); }

TEST(Publish, to_a_sleeping_consumer_is_heard_of_though_the_wake_was_never_sent) {
  Deed deed = publish(inline_bytes);
  deed.setting = [](Crew& crew) { crew.post_drain(); };
  killed_and_stopped("publish_wake", deed);
}

TEST(Publish, with_metadata_is_all_or_nothing) {
  Deed deed = send(inline_bytes);
  deed.a.metadata = true;
  deed.a.slot_bytes = 128;
  killed("send_metadata", deed);
}

TEST(Publish, of_a_batch_is_all_or_nothing_message_by_message) {
  killed_and_stopped("publish_batch",
                     {.before =
                          [](Party& p) {
                            p.claim_batches.push_back(p.to("a").claim_batch(3, inline_bytes));
                            for (std::uint64_t i = 0; i < 3; ++i) Party::fill(p.claim_batches[0], i, 1 + i);
                          },
                      .act = [](Party& p) { p.claim_batches[0].publish(2); },
                      .rules =
                          [](Ledger& ledger, Fate fate) {
                            for (const std::uint64_t value : {1, 2})
                              fate == Fate::completed ? ledger.must(value) : ledger.may(value);
                          },
                      .start = near_the_wrap});
}

TEST(Send, of_an_inline_message_is_all_or_nothing) { killed_and_stopped("send", send(inline_bytes)); }
TEST(Send, of_a_block_is_all_or_nothing) { killed_and_stopped("send_block", send(block_bytes)); }

TEST(Send, that_is_tried_on_a_full_queue_sends_nothing) {
  killed("try_send_full", {.setting = [](Crew& crew) { crew.send("a", 10, 4); },
                           .act = [](Party& p) { (void)p.to("a").try_send({}); }});
}

TEST(Abort, of_an_inline_claim_is_stepped_over) { killed_and_stopped("abort", abort(inline_bytes)); }
TEST(Abort, of_a_block_gives_the_block_back) { killed_and_stopped("abort_block", abort(block_bytes)); }

TEST(Abort, is_heard_of_by_a_consumer_that_sleeps_behind_it) {
  Deed deed = abort(inline_bytes);
  deed.setting = [](Crew& crew) { crew.post_drain(); };
  killed_and_stopped("abort_wake", deed);
}

TEST(Abort, of_a_batch_is_stepped_over) {
  killed("abort_batch", {.before = [](Party& p) { p.claim_batches.push_back(p.to("a").claim_batch(3, 8)); },
                         .act = [](Party& p) { p.claim_batches[0].abort(); }});
}

}  // namespace
}  // namespace killtest
