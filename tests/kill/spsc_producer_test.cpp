// The producer's end of an spsc queue, killed and stopped at every point of every operation: what was published arrives,
// what was only claimed is stepped over, the end goes to the standby producer and to nobody while its owner lives.
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

/// The ring of 1024 bytes and the 64-bit positions both wrap 96 bytes further on: one small message fits, and for a
/// large one the end of the ring is left out.
inline constexpr std::uint64_t before_the_wrap = std::uint64_t{0} - 96;

const auto may_have_come = [](Ledger& ledger, Fate fate) {
  ledger.may(1);
  if (fate == Fate::completed) ledger.must(1);
};

/// The victim is the producer, the receiver the consumer.
Deed producing(std::function<void(Party&)> before, std::function<void(Party&)> act) {
  Deed deed;
  deed.setting = [](Crew& crew) { crew.receiver.ask("tryrecv a 1"); };
  deed.before = [before = std::move(before)](Party& p) {
    p.to("a");
    before(p);
  };
  deed.act = std::move(act);
  deed.start = before_the_wrap;
  deed.a = spsc_options();
  deed.owns = producers_end;
  return deed;
}

void nothing(Party&) {}

Deed claim(std::size_t bytes) {
  return producing(nothing, [bytes](Party& p) { p.claims.push_back(p.to("a").claim(bytes)); });
}

Deed publish(std::size_t bytes) {
  Deed deed = producing([bytes](Party& p) { p.claims.push_back(p.claim("a", 1, bytes)); },
                        [](Party& p) { p.claims[0].publish(); });
  deed.rules = may_have_come;
  return deed;
}

Deed send(std::size_t bytes) {
  Deed deed = producing(nothing, [bytes](Party& p) { p.claim("a", 1, bytes).publish(); });
  deed.rules = may_have_come;
  return deed;
}

TEST(SpscClaim, of_a_small_message_is_stepped_over_after_a_kill) { killed_and_stopped("spsc_claim", claim(inline_bytes)); }

TEST(SpscClaim, of_a_small_message_can_be_stopped_at_any_instruction) {
  at_every_instruction("spsc_claim", claim(inline_bytes));
}

TEST(SpscClaim, that_leaves_out_the_end_of_the_ring_is_stepped_over_after_a_kill) {
  killed_and_stopped("spsc_claim_padding", claim(block_bytes));
}

TEST(SpscClaim, that_leaves_out_the_end_of_the_ring_can_be_stopped_at_any_instruction) {
  at_every_instruction("spsc_claim_padding", claim(block_bytes));
}

TEST(SpscClaim, of_several_is_stepped_over_after_a_kill) {
  Deed deed = producing([](Party& p) { p.claim("a", 1).publish(); },
                        [](Party& p) { p.claim_batches.push_back(p.to("a").claim_batch(3, inline_bytes)); });
  deed.rules = [](Ledger& ledger, Fate) { ledger.must(1); };
  for (const std::uint64_t start : {std::uint64_t{0}, before_the_wrap}) {
    deed.start = start;
    killed_and_stopped("spsc_claim_batch_" + std::to_string(start % 1024), deed);
  }
}

// Fifteen messages fill the ring. The one that the receiver releases while the victim sleeps makes room.
TEST(SpscClaim, that_waits_for_room_leaves_nothing) {
  Deed deed = producing([](Party& p) { p.handle("send a 1 15"); },
                        [](Party& p) { (void)p.to("a").claim(inline_bytes, one_slice); });
  deed.rules = [](Ledger& ledger, Fate) { ledger.must(1, 15); };
  deed.start = 0;
  killed("spsc_claim_full", deed);
  deed.act = [](Party& p) { (void)p.to("a").try_claim(inline_bytes); };
  killed_and_stopped("spsc_try_claim_full", deed);
}

// The look that finds the room is one at a word which the consumer writes late.
TEST(SpscClaim, that_looks_thoroughly_is_stepped_over_after_a_kill) {
  Deed deed = producing(
      [](Party& p) {
        p.handle("send a 1 15");
        p.leave_corpse([](Party& other) { other.segment(); });  // so that there is something to reap, too
      },
      [](Party& p) { p.claims.push_back(p.to("a").try_claim(inline_bytes)); });
  deed.start = 0;
  deed.rules = [](Ledger& ledger, Fate) { ledger.must(1, 15); };
  deed.meanwhile = [](Crew&) {};
  killed_and_stopped("spsc_claim_thorough", deed);
}

TEST(SpscClaim, that_meets_a_closed_queue_takes_itself_back) {
  for (const std::size_t bytes : {inline_bytes, block_bytes}) {
    Deed deed = claim(bytes);
    deed.before = [](Party& p) {
      p.claim("a", 1).publish();
      p.queue("a").close();
    };
    deed.rules = [](Ledger& ledger, Fate) { ledger.must(1); };
    // The receiver drains to the end of the stream by itself: a claim that was taken back, or died, is not in its way.
    deed.after = [](Crew& crew, Fate) { crew.ledger.add("a", crew.receiver.ask("drain a")); };
    killed_and_stopped("spsc_claim_closed_" + std::to_string(bytes), deed);
  }
}

TEST(SpscPublish, of_a_small_message_is_all_or_nothing) { killed_and_stopped("spsc_publish", publish(inline_bytes)); }

TEST(SpscPublish, of_a_small_message_can_be_stopped_at_any_instruction) {
  at_every_instruction("spsc_publish", publish(inline_bytes));
}

TEST(SpscPublish, to_a_sleeping_consumer_is_heard_of_though_the_wake_was_never_sent) {
  Deed deed = publish(inline_bytes);
  deed.setting = [](Crew& crew) { crew.post_drain(); };
  killed_and_stopped("spsc_publish_wake", deed);
}

TEST(SpscPublish, out_of_order_waits_for_nobody_who_is_dead) {
  Deed deed = producing(
      [](Party& p) {
        for (const std::uint64_t value : {90, 1}) p.claims.push_back(p.claim("a", value));
      },
      [](Party& p) { p.claims[1].publish(), p.claims[0].abort(); });
  deed.rules = may_have_come;
  killed_and_stopped("spsc_publish_second", deed);
}

TEST(SpscPublish, of_a_batch_is_all_or_nothing_message_by_message) {
  for (const std::size_t published : {0, 2, 3}) {
    Deed deed = producing(
        [](Party& p) {
          p.claim_batches.push_back(p.to("a").claim_batch(3, inline_bytes));
          for (std::uint64_t i = 0; i < 3; ++i) Party::fill(p.claim_batches[0], i, 1 + i);
        },
        [published](Party& p) { p.claim_batches[0].publish(published); });
    deed.start = 0;  // three in a row
    deed.rules = [published](Ledger& ledger, Fate fate) {
      for (std::uint64_t value = 1; value <= published; ++value)
        fate == Fate::completed ? ledger.must(value) : ledger.may(value);
    };
    killed_and_stopped("spsc_publish_batch_" + std::to_string(published), deed);
  }
}

TEST(SpscSend, of_a_small_message_is_all_or_nothing) { killed_and_stopped("spsc_send", send(inline_bytes)); }
TEST(SpscSend, of_a_large_message_is_all_or_nothing) { killed_and_stopped("spsc_send_padding", send(block_bytes)); }

TEST(SpscSend, with_metadata_is_all_or_nothing) {
  Deed deed = send(inline_bytes);
  deed.a.metadata = true;
  killed_and_stopped("spsc_send_metadata", deed);
}

TEST(SpscAbort, of_the_last_claim_takes_it_back_or_leaves_a_hole) {
  for (const std::size_t bytes : {inline_bytes, block_bytes}) {
    Deed deed = publish(bytes);
    deed.act = [](Party& p) { p.claims[0].abort(); };
    deed.rules = [](Ledger&, Fate) {};
    killed_and_stopped("spsc_abort_" + std::to_string(bytes), deed);
  }
}

TEST(SpscAbort, of_a_claim_before_others_leaves_what_is_stepped_over) {
  Deed deed = producing(
      [](Party& p) {
        p.claims.push_back(p.claim("a", 90));
        p.claim("a", 1).publish();
      },
      [](Party& p) { p.claims[0].abort(); });
  deed.rules = [](Ledger& ledger, Fate) { ledger.must(1); };
  killed_and_stopped("spsc_abort_first", deed);
}

TEST(SpscAbort, is_heard_of_by_a_consumer_that_sleeps_behind_it) {
  Deed deed = producing(
      [](Party& p) {
        p.claims.push_back(p.claim("a", 90));
        p.claim("a", 1).publish();
      },
      [](Party& p) { p.claims[0].abort(); });
  deed.rules = [](Ledger& ledger, Fate) { ledger.must(1); };
  deed.setting = [](Crew& crew) { crew.post_drain(); };
  killed_and_stopped("spsc_abort_wake", deed);
}

}  // namespace
}  // namespace killtest
