// Forwarding from "a" to "b", killed and stopped at every point: the message is in one of the two, or in both under one
// id and then marked in one; its block is in one place at any instant.
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

// The victim holds the first message of "a"; "b" has one of another producer, so that the trail is written, too.
Deed forward(std::size_t bytes) {
  return {.setting =
              [bytes](Crew& crew) {
                crew.send("a", 1, 2, bytes);
                crew.send("b", 20, 1);
              },
          .before = [](Party& p) { p.messages.push_back(p.from("a").try_receive()); },
          .act =
              [](Party& p) {
                require(p.messages[0].forward(p.to("b"), party_patience) == shmq::Outcome::ok, "forward() failed");
              },
          .rules =
              [](Ledger& ledger, Fate fate) {
                if (fate != Fate::completed) ledger.touched(1);
              },
          .start = near_the_wrap};
}

void make_redelivered(Crew& crew, std::size_t bytes) {
  crew.send("a", 1, 2, bytes);
  crew.send("b", 20, 1);
  crew.receiver.ask("hold a 1");
  crew.receiver.ask("requeue");
  crew.ledger.seen(1);  // so it is marked wherever it comes out
}

TEST(Forward, of_a_block_hands_it_over_or_not) { killed_and_stopped("forward_block", forward(block_bytes)); }

TEST(Forward, of_a_block_can_be_stopped_at_any_instruction) {
  at_every_instruction("forward_block", forward(block_bytes));
}

TEST(Forward, of_an_inline_message_copies_it_or_not) { killed_and_stopped("forward_inline", forward(inline_bytes)); }

TEST(Forward, of_a_redelivered_block_marks_it_in_both_places) {
  Deed deed = forward(block_bytes);
  deed.setting = [](Crew& crew) { make_redelivered(crew, block_bytes); };
  killed_and_stopped("forward_redelivered_block", deed);
}

TEST(Forward, of_a_redelivered_inline_message_marks_it_in_both_places) {
  Deed deed = forward(inline_bytes);
  deed.setting = [](Crew& crew) { make_redelivered(crew, inline_bytes); };
  killed_and_stopped("forward_redelivered_inline", deed);
}

TEST(Forward, within_one_queue_hands_it_over_or_not) {
  Deed deed = forward(block_bytes);
  deed.act = [](Party& p) { (void)p.messages[0].forward(p.to("a"), party_patience); };
  killed_and_stopped("forward_same_queue", deed);
}

TEST(Forward, to_a_full_queue_that_is_killed_while_it_waits_keeps_the_message) {
  Deed deed = forward(block_bytes);
  deed.setting = [](Crew& crew) {
    crew.send("a", 1, 2, block_bytes);
    crew.send("b", 20, 4);
  };
  deed.act = [](Party& p) { (void)p.messages[0].forward(p.to("b"), one_slice); };
  deed.rules = [](Ledger& ledger, Fate) { ledger.seen(1); };
  killed("forward_full", deed);
}

// The block of a message that was forwarded and that its next reader holds when the forwarder dies half-way.
TEST(Forward, that_dies_after_it_published_leaves_the_block_to_its_new_reader) {
  Deed deed = forward(block_bytes);
  deed.after = [](Crew& crew, Fate) {
    crew.ledger.add("b", crew.receiver.ask("hold b 1"));
    crew.sender.ask("reap");
    const std::string held = crew.receiver.ask("look");
    require(!held.empty(), "a held message is gone");
    crew.receiver.ask("release");
  };
  killed("forward_then_read", deed);
}

// A slot that still names a block which went on to another message, and another again.
TEST(Forward, that_is_stopped_shows_nobody_the_block_of_a_later_message) {
  Deed deed = forward(block_bytes);
  deed.meanwhile = [](Crew& crew) {
    crew.ledger.add("b", crew.receiver.ask("tryrecv b 2"));
    for (std::uint64_t value = 60; value < 64; ++value)
      if (crew.sender.ask("trysend b " + std::to_string(value) + " " + std::to_string(block_bytes)) == "ok")
        crew.ledger.must(value);
    crew.receiver.ask("browse a");
    crew.receiver.ask("browse b");
    crew.ledger.add("b", crew.receiver.ask("tryrecv b 4"));
  };
  stopped("forward_browse", deed);
}

}  // namespace
}  // namespace killtest
