// Rejecting, and the delivery limit, killed and stopped at every point: the message is in its queue, or in the dead-letter
// queue, or in both under one id; it is marked wherever it comes out.
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

shmq::QueueOptions with_dead_letters(std::uint32_t limit) {
  shmq::QueueOptions options = queue_options();
  options.delivery_limit = limit;
  options.dead_letter = "b";
  return options;
}

// The victim holds the first of two messages of "a".
Deed reject(std::size_t bytes, const shmq::QueueOptions& a) {
  return {.setting =
              [bytes](Crew& crew) {
                crew.send("a", 1, 2, bytes);
                crew.send("b", 20, 1);
              },
          .before = [](Party& p) { p.messages.push_back(p.from("a").try_receive()); },
          .act = [](Party& p) { require(p.messages[0].reject() == shmq::Outcome::ok, "reject() failed"); },
          .rules = [](Ledger& ledger, Fate) { ledger.seen(1); },
          .start = near_the_wrap,
          .a = a};
}

Deed discard(std::size_t bytes) {
  Deed deed = reject(bytes, queue_options());
  deed.rules = [](Ledger& ledger, Fate) { ledger.seen(1), ledger.may(1); };
  return deed;
}

// The first of two messages came back as often as it may: the victim finds that, moves it to "b", and gets the second.
Deed receive(std::size_t bytes) {
  return {.setting =
              [bytes](Crew& crew) {
                crew.send("a", 1, 2, bytes);
                crew.send("b", 20, 1);
                crew.receiver.ask("hold a 1");
                crew.receiver.ask("requeue");
                crew.ledger.seen(1);
              },
          .act = [](Party& p) { p.messages.push_back(p.from("a").try_receive()); },
          .rules =
              [](Ledger& ledger, Fate) {  // what it receives goes to "b" when it lets go of it
                for (const std::uint64_t value : {2, 500, 501}) ledger.touched(value);
              },
          .start = near_the_wrap,
          .a = with_dead_letters(1)};
}

// "b" is full, so that nothing can go there until the receiver has emptied it, at the end.
Deed to_a_full_queue(Deed deed) {
  deed.setting = [](Crew& crew) {
    crew.send("b", 20, 4);
    crew.send("a", 1, 1);
    crew.receiver.ask("hold a 1");
    crew.receiver.ask("requeue");
    crew.ledger.seen(1);
  };
  deed.meanwhile = [](Crew& crew) { crew.ledger.add("a", crew.receiver.ask("tryrecv a 1")); };
  deed.after = [](Crew& crew, Fate) { crew.ledger.add("b", crew.receiver.ask("recv b 4")); };
  return deed;
}

// The same with the dead-letter queue already open in the victim, which takes most of the instructions of a first move.
Deed reject_once_more(std::size_t bytes) {
  Deed deed = reject(bytes, with_dead_letters(0));
  deed.setting = [bytes](Crew& crew) { crew.send("a", 1, 3, bytes); };
  deed.before = [](Party& p) {
    require(p.from("a").try_receive().reject() == shmq::Outcome::ok, "reject() failed");
    p.messages.push_back(p.from("a").try_receive());
  };
  deed.rules = [](Ledger& ledger, Fate) { ledger.seen(1), ledger.seen(2); };
  return deed;
}
Deed receive_once_more(std::size_t bytes) {
  Deed deed = receive(bytes);
  deed.setting = [bytes](Crew& crew) { crew.send("a", 1, 4, bytes); };
  deed.before = [](Party& p) {
    p.from("a").try_receive().requeue();
    p.from("a").try_receive().requeue();  // moves the first, gets the second
  };
  deed.rules = [](Ledger& ledger, Fate) {
    ledger.seen(1), ledger.seen(2);
    for (const std::uint64_t value : {3, 4, 500, 501}) ledger.touched(value);
  };
  return deed;
}

TEST(Reject, of_an_inline_message_discards_it_or_not) {
  killed_and_stopped("reject_discard", discard(inline_bytes));
}
TEST(Reject, of_a_block_discards_it_and_gives_it_back) {
  killed_and_stopped("reject_discard_block", discard(block_bytes));
}

TEST(Reject, of_an_inline_message_moves_a_copy_to_the_dead_letters_or_not) {
  killed_and_stopped("reject", reject(inline_bytes, with_dead_letters(0)));
}
TEST(Reject, of_a_block_hands_it_over_to_the_dead_letters_or_not) {
  killed_and_stopped("reject_block", reject(block_bytes, with_dead_letters(0)));
}
TEST(Reject, of_a_block_can_be_stopped_at_any_instruction) {
  at_every_instruction("reject_block", reject_once_more(block_bytes));
}

TEST(Reject, to_a_full_queue_of_dead_letters_keeps_the_message) {
  Deed deed = to_a_full_queue(reject(inline_bytes, with_dead_letters(2)));
  deed.act = [](Party& p) { require(p.messages[0].reject() == shmq::Outcome::full, "reject() was not refused"); };
  deed.rules = [](Ledger& ledger, Fate) { ledger.seen(1); };
  killed_and_stopped("reject_full", deed);
}

TEST(DeliveryLimit, moves_an_inline_message_to_the_dead_letters_or_not) {
  killed_and_stopped("limit", receive(inline_bytes));
}
TEST(DeliveryLimit, hands_a_block_over_to_the_dead_letters_or_not) {
  killed_and_stopped("limit_block", receive(block_bytes));
}
TEST(DeliveryLimit, can_be_stopped_at_any_instruction) {
  at_every_instruction("limit", receive_once_more(inline_bytes));
}

// Whoever looks while the victim has the message in its hands finds nothing, and must look again afterwards.
TEST(DeliveryLimit, with_a_full_queue_of_dead_letters_keeps_the_message_and_has_somebody_try_again) {
  killed_and_stopped("limit_full", to_a_full_queue(receive(inline_bytes)));
}

TEST(DeliveryLimit, that_a_requeue_reaches_is_noticed_by_the_next_consumer) {
  Deed deed = reject(inline_bytes, with_dead_letters(1));
  deed.act = [](Party& p) { p.messages[0].requeue(); };
  killed_and_stopped("limit_requeue", deed);
}

TEST(DeliveryLimit, is_noticed_by_a_consumer_that_sleeps_until_the_end) {
  Deed deed = reject(block_bytes, with_dead_letters(1));
  deed.before = [](Party& p) {
    p.messages.push_back(p.from("a").try_receive());
    p.messages.push_back(p.from("a").try_receive());
    p.queue("a").close();
  };
  deed.act = [](Party& p) { p.messages[0].requeue(); };
  deed.rules = [](Ledger& ledger, Fate) { ledger.seen(1), ledger.seen(2); };
  killed_and_stopped("limit_closed", deed);
}

}  // namespace
}  // namespace killtest
