// The consumer's end of an spsc queue, killed and stopped at every point of every operation: what was released does not
// come again, what was received and not released comes again, marked and in order, to the standby consumer.
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

/// The ring of 1024 bytes and the 64-bit positions wrap after the second of the messages.
inline constexpr std::uint64_t before_the_wrap = std::uint64_t{0} - 128;

/// The sender is the producer and has sent `count` messages, from 1 on; the victim is the consumer.
Deed consuming(std::uint64_t count, std::function<void(Party&)> before, std::function<void(Party&)> act,
               std::function<void(Ledger&, Fate)> rules) {
  Deed deed;
  deed.setting = [count](Crew& crew) {
    if (count != 0)
      crew.send("a", 1, count);
    else
      crew.sender.ask("claim a 90"), crew.sender.ask("abort");
  };
  deed.before = [before = std::move(before)](Party& p) {
    p.from("a");
    before(p);
  };
  deed.act = std::move(act);
  deed.rules = std::move(rules);
  deed.start = before_the_wrap;
  deed.a = spsc_options();
  deed.owns = consumers_end;
  return deed;
}

void nothing(Party&) {}
void receive_one(Party& p) { p.messages.push_back(p.from("a").try_receive()); }
void receive_three(Party& p) {
  for (int i = 0; i < 3; ++i) receive_one(p);
}
void no_rules(Ledger&, Fate) {}

auto touched(std::uint64_t first, std::uint64_t last) {
  return [=](Ledger& ledger, Fate) {
    for (std::uint64_t value = first; value <= last; ++value) ledger.touched(value);
  };
}
/// The victim has them; released are `gone` for certain (in any order), or may be.
auto seen(std::uint64_t last, std::set<std::uint64_t> may, std::set<std::uint64_t> when_done) {
  return [=](Ledger& ledger, Fate fate) {
    for (std::uint64_t value = 1; value <= last; ++value) ledger.seen(value);
    for (const std::uint64_t value : may) ledger.may(value);
    if (fate == Fate::completed)
      for (const std::uint64_t value : when_done) ledger.never(value);
  };
}

/// What a dead consumer had: it received 1 to 3, released 2 and is killed. The victim is its successor.
void leave_a_dead_consumer(Party& p) {
  p.leave_corpse([](Party& corpse) {
    receive_three(corpse);
    corpse.messages[1].release();
  });
  p.segment().reap();
}

TEST(SpscReceive, of_a_fresh_message_is_undone_by_a_kill) {
  killed_and_stopped("spsc_receive", consuming(2, nothing, receive_one, touched(1, 1)));
}

TEST(SpscReceive, of_a_fresh_message_can_be_stopped_at_any_instruction) {
  at_every_instruction("spsc_receive", consuming(2, nothing, receive_one, touched(1, 1)));
}

TEST(SpscReceive, of_several_is_undone_by_a_kill) {
  killed_and_stopped("spsc_receive_batch",
                     consuming(4, nothing,
                               [](Party& p) { p.batches.push_back(p.from("a").try_receive_batch(3)); }, touched(1, 3)));
}

TEST(SpscReceive, over_what_was_aborted_and_padding_is_undone_by_a_kill) {
  Deed deed = consuming(0, nothing, receive_one, touched(1, 2));
  deed.setting = [](Crew& crew) {
    crew.sender.ask("claim a 90");
    crew.send("a", 1);
    crew.sender.ask("abort");               // a tomb before it
    crew.send("a", 2, 1, block_bytes);      // and padding behind it: the end of the ring is 0 bytes away
    crew.sender.ask("claim a 91 200");
    crew.send("a", 3, 2);
    crew.sender.ask("abort");
  };
  deed.start = before_the_wrap - 64;
  killed_and_stopped("spsc_receive_tombs", deed);
  deed.act = [](Party& p) { p.batches.push_back(p.from("a").try_receive_batch(8)); };
  deed.rules = [](Ledger& ledger, Fate) {
    for (const std::uint64_t value : {1, 2, 3, 4, 500, 501}) ledger.touched(value);  // 500: sent past the stopped victim
  };
  killed_and_stopped("spsc_receive_batch_tombs", deed);
}

TEST(SpscReceive, over_what_a_dead_producer_left_is_undone_by_a_kill) {
  Deed deed = consuming(
      0,
      [](Party& p) {
        p.leave_corpse([](Party& corpse) {
          corpse.claims.push_back(corpse.claim("a", 90));
          corpse.claim("a", 1).publish();
          corpse.claims.push_back(corpse.claim("a", 91, block_bytes));
        });
      },
      [](Party& p) { p.batches.push_back(p.from("a").receive_batch(4, party_patience)); },
      [](Ledger& ledger, Fate) { ledger.must(1), ledger.touched(1); });
  deed.setting = [](Crew&) {};
  deed.meanwhile = [](Crew&) {};  // a stopped victim may be the one that frees the dead producer's end
  killed_and_stopped("spsc_receive_holes", deed);
}

TEST(SpscReceive, as_successor_of_the_dead_is_undone_by_a_kill) {
  const auto receive = [](Party& p) { p.messages.push_back(p.receive("a")); };
  Deed deed = consuming(4, nothing, receive, seen(3, {2}, {2}));
  deed.before = leave_a_dead_consumer;
  deed.rules = [](Ledger& ledger, Fate) {
    for (const std::uint64_t value : {1, 2, 3}) ledger.seen(value);
    ledger.never(2);
  };
  deed.owns = no_end;  // it takes it in the act
  deed.meanwhile = [](Crew&) {};
  killed_and_stopped("spsc_receive_succeeding", deed);
  deed.act = [receive](Party& p) { receive(p), receive(p), receive(p); };
  deed.rules = [rules = deed.rules](Ledger& ledger, Fate fate) { rules(ledger, fate), ledger.touched(4); };
  killed_and_stopped("spsc_receive_succeeding_all", deed);
}

TEST(SpscReceive, of_a_message_given_back_is_undone_by_a_kill) {
  Deed deed = consuming(
      3,
      [](Party& p) {
        receive_three(p);
        p.messages[1].requeue();
      },
      receive_one, seen(3, {}, {}));
  killed_and_stopped("spsc_receive_requeued", deed);
}

TEST(SpscReceive, that_waits_for_a_message_leaves_nothing) {
  Deed deed = consuming(0, nothing, [](Party& p) { (void)p.from("a").receive(one_slice); }, no_rules);
  killed("spsc_receive_empty", deed);
  deed.act = [](Party& p) { (void)p.from("a").try_receive(); };
  deed.rules = touched(500, 500);  // sent past the stopped victim
  killed_and_stopped("spsc_try_receive_empty", deed);
}

TEST(SpscRelease, in_order_happens_or_not) {
  killed_and_stopped("spsc_release",
                     consuming(2, receive_one, [](Party& p) { p.messages[0].release(); }, seen(1, {1}, {1})));
}

TEST(SpscRelease, in_order_can_be_stopped_at_any_instruction) {
  at_every_instruction("spsc_release",
                       consuming(2, receive_one, [](Party& p) { p.messages[0].release(); }, seen(1, {1}, {1})));
}

TEST(SpscRelease, before_its_turn_happens_or_not) {
  const auto release = [](Party& p) {
    for (const std::size_t i : {2, 1, 0}) p.messages[i].release();
  };
  killed_and_stopped("spsc_release_backwards", consuming(4, receive_three, release, seen(3, {1, 2, 3}, {1, 2, 3})));
}

TEST(SpscRelease, that_was_done_before_its_turn_is_not_undone_by_a_kill) {
  const auto receive_and_release_two = [](Party& p) {
    receive_three(p);
    for (const std::size_t i : {1, 2}) p.messages[i].release();
  };
  Deed deed = consuming(4, receive_and_release_two, [](Party& p) { p.messages[0].release(); },
                        [](Ledger& ledger, Fate fate) {
                          ledger.seen(1), ledger.may(1);
                          for (const std::uint64_t value : {2, 3}) ledger.never(value);
                          if (fate == Fate::completed) ledger.never(1);
                        });
  killed_and_stopped("spsc_release_done_before", deed);
}

TEST(SpscRelease, of_a_batch_happens_or_not_message_by_message) {
  killed_and_stopped("spsc_release_batch",
                     consuming(4, [](Party& p) { p.batches.push_back(p.from("a").try_receive_batch(4)); },
                               [](Party& p) { p.batches[0].release(); }, seen(4, {1, 2, 3, 4}, {1, 2, 3, 4})));
}

TEST(SpscRelease, is_heard_of_by_a_producer_that_sleeps_on_the_full_queue) {
  Deed deed = consuming(15, receive_one, [](Party& p) { p.messages[0].release(); }, seen(1, {1}, {1}));
  deed.setting = [](Crew& crew) {
    crew.send("a", 1, 15);
    crew.post_send(50);
  };
  killed_and_stopped("spsc_release_wake", deed);
}

TEST(SpscRequeue, of_a_message_delivers_it_again) {
  killed_and_stopped("spsc_requeue",
                     consuming(2, receive_one, [](Party& p) { p.messages[0].requeue(); }, seen(1, {}, {})));
}

TEST(SpscRequeue, of_a_batch_delivers_each_again) {
  killed_and_stopped("spsc_requeue_batch",
                     consuming(4, [](Party& p) { p.batches.push_back(p.from("a").try_receive_batch(3)); },
                               [](Party& p) { p.batches[0].requeue(); }, seen(3, {}, {})));
}

TEST(SpscSelect, of_a_fresh_message_is_undone_by_a_kill) {
  Deed deed = consuming(2, [](Party& p) { p.selector.add(p.from("a")); },
                        [](Party& p) { p.messages.push_back(std::move(p.selector.try_receive().message)); },
                        touched(1, 1));
  killed_and_stopped("spsc_select", deed);
}

TEST(SpscPurge, takes_each_message_or_leaves_it) {
  Deed deed = consuming(4, nothing, [](Party& p) { expect(p.queue("a").purge()); },
                        [](Ledger& ledger, Fate) {
                          for (const std::uint64_t value : {1, 2, 3, 4, 500, 501})
                            ledger.touched(value), ledger.may(value);
                        });
  deed.before = [](Party& p) { p.queue("a"); };
  deed.owns = no_end;
  deed.meanwhile = [](Crew& crew) {
    require(crew.sender.ask("reap") == "0", "a stopped process was robbed");
    for (const std::uint64_t value : {500, 501})
      require(crew.sender.ask("trysend a " + std::to_string(value)) == "ok", "the producer is held up by a purge");
  };
  killed_and_stopped("spsc_purge", deed);
}

TEST(SpscBrowse, changes_nothing) {
  const auto browse = [](Party& p) {
    shmq::Browser browser = p.queue("a").browse();
    while (const auto message = browser.next()) p.values.push_back(message->payload.size());
  };
  Deed deed = consuming(2, nothing, browse, no_rules);
  deed.before = [](Party& p) { p.queue("a"); };
  deed.owns = no_end;
  killed_and_stopped("spsc_browse", deed);
}

}  // namespace
}  // namespace killtest
