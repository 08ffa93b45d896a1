// The ends of an spsc queue and its life, killed and stopped at every point: an end is free or has one owner, a queue is
// closed or not, a message that is forwarded is in one of two queues, or in both and marked in one.
#include "operation.hpp"

#include <gtest/gtest.h>

namespace killtest {
namespace {

inline constexpr std::uint64_t before_the_wrap = std::uint64_t{0} - 96;

// Opens the end and uses it, unless another was faster.
void open_and_send(Party& p) {
  auto opened = p.queue("a").open_producer();
  if (!opened) return;
  p.producers.push_back(std::move(*opened));
  shmq::Claim<> room = p.producers[0].claim(inline_bytes, party_patience);
  require(static_cast<bool>(room), std::string("the owner of the producer's end gets no room: ") + to_string(room.outcome()));
  Party::fill(room, 10);
  room.publish();
}

void open_and_receive(Party& p) {
  auto opened = p.queue("a").open_consumer();
  if (!opened) return;
  p.consumers.push_back(std::move(*opened));
  p.messages.push_back(p.consumers[0].try_receive());
  require(p.messages[0].outcome() == shmq::Outcome::ok || p.messages[0].outcome() == shmq::Outcome::empty,
          std::string("the owner of the consumer's end gets no message: ") + to_string(p.messages[0].outcome()));
}

// Past the stopped victim the sender and the receiver try for the same end. Were both to have it, messages of the one
// would be lost under the other's.
Deed taking(void (*act)(Party&), std::function<void(Crew&)> setting, std::function<void(Party&)> before) {
  Deed deed;
  deed.setting = std::move(setting);
  deed.before = [before = std::move(before)](Party& p) {
    p.queue("a");
    before(p);
  };
  deed.act = act;
  deed.rules = [](Ledger& ledger, Fate) {
    ledger.may(10);
    for (const std::uint64_t value : {1, 500, 501}) ledger.touched(value);
  };
  deed.meanwhile = [](Crew& crew) {
    for (const std::uint64_t value : {500, 501}) {
      const std::string outcome = crew.sender.ask("trysend a " + std::to_string(value));
      if (outcome == "ok") crew.ledger.must(value);
      require(outcome == "ok" || outcome == "busy", "the sender got " + outcome);
    }
    crew.ledger.add("a", crew.receiver.ask("tryrecv a 1"));
  };
  deed.start = before_the_wrap;
  deed.a = spsc_options();
  return deed;
}

void nothing(Party&) {}
void fresh(Crew&) {}
void sent_and_let_go(Crew& crew) {
  crew.send("a", 1, 2);
  crew.sender.ask("letgo a");
}
void received_and_let_go(Crew& crew) {
  crew.send("a", 1, 3);
  crew.receiver.ask("hold a 2");
  crew.receiver.ask("requeue");
  crew.receiver.ask("letgo a");
  for (const std::uint64_t value : {1, 2}) crew.ledger.seen(value);
}
void sent_and_died(Party& p) {
  p.leave_corpse([](Party& corpse) {
    corpse.claim("a", 1).publish();
    corpse.claims.push_back(corpse.claim("a", 90));
    corpse.claim("a", 2).publish();
    corpse.claims.push_back(corpse.claim("a", 91, block_bytes));
  });
}

TEST(SpscEnd, of_the_producer_is_taken_or_not) {
  killed_and_stopped("spsc_open_producer", taking(open_and_send, fresh, nothing));
}
TEST(SpscEnd, of_the_producer_can_be_taken_and_the_taker_stopped_at_any_instruction) {
  at_every_instruction("spsc_open_producer", taking(open_and_send, fresh, nothing));
}
TEST(SpscEnd, of_a_producer_that_let_go_is_taken_or_not) {
  killed_and_stopped("spsc_open_producer_again", taking(open_and_send, sent_and_let_go, nothing));
}
TEST(SpscEnd, of_a_dead_producer_is_taken_or_not) {
  Deed deed = taking(open_and_send, fresh, sent_and_died);
  deed.rules = [rules = deed.rules](Ledger& ledger, Fate fate) {
    rules(ledger, fate);
    ledger.must(1, 2);
  };
  killed_and_stopped("spsc_open_producer_dead", deed);
}

TEST(SpscEnd, of_the_consumer_is_taken_or_not) {
  killed_and_stopped("spsc_open_consumer", taking(open_and_receive, [](Crew& crew) { crew.send("a", 1, 2); }, nothing));
}
TEST(SpscEnd, of_the_consumer_can_be_taken_and_the_taker_stopped_at_any_instruction) {
  at_every_instruction("spsc_open_consumer",
                       taking(open_and_receive, [](Crew& crew) { crew.send("a", 1, 2); }, nothing));
}
TEST(SpscEnd, of_a_consumer_that_let_go_is_taken_or_not) {
  killed_and_stopped("spsc_open_consumer_again", taking(open_and_receive, received_and_let_go, nothing));
}
TEST(SpscEnd, of_a_dead_consumer_is_taken_or_not) {
  Deed deed = taking(open_and_receive, [](Crew& crew) { crew.send("a", 1, 4); }, [](Party& p) {
    p.leave_corpse([](Party& corpse) {
      for (int i = 0; i < 3; ++i) corpse.messages.push_back(corpse.receive("a"));
      corpse.messages[0].release();
      corpse.messages[2].release();
    });
  });
  deed.rules = [rules = deed.rules](Ledger& ledger, Fate fate) {
    rules(ledger, fate);
    for (const std::uint64_t value : {1, 3}) ledger.never(value);
    ledger.seen(2);
  };
  killed_and_stopped("spsc_open_consumer_dead", deed);
}

TEST(SpscEnd, that_is_let_go_of_is_free_or_its_dead_owners) {
  Deed deed = taking([](Party& p) { p.handle("letgo a"); }, fresh, [](Party& p) {
    p.claim("a", 1).publish();
    p.claim("a", 2).publish();
    p.receive("a").release();
    p.messages.push_back(p.receive("a"));
    p.messages[0].requeue();
  });
  deed.rules = [](Ledger& ledger, Fate) {
    ledger.must(2), ledger.seen(2);
    for (const std::uint64_t value : {500, 501}) ledger.touched(value);
  };
  killed_and_stopped("spsc_let_go", deed);
}

// The receiver alone, without a further close(), reaches the end of a stream that was closed by half.
void drain_where_closed(Crew& crew, Fate) {
  if (crew.sender.ask("closed a") == "yes" && !crew.receiver_waits) crew.ledger.add("a", crew.receiver.ask("drain a"));
}

Deed closing() {
  Deed deed;
  deed.setting = [](Crew& crew) { crew.send("a", 1, 2); };
  deed.act = [](Party& p) { p.queue("a").close(); };
  deed.after = drain_where_closed;
  deed.start = before_the_wrap;
  deed.a = spsc_options();
  return deed;
}

TEST(SpscClose, killed_half_way_is_finished_by_the_consumer) { killed_and_stopped("spsc_close", closing()); }

TEST(SpscClose, killed_half_way_is_heard_of_by_a_consumer_that_sleeps) {
  Deed deed = closing();
  deed.setting = [](Crew& crew) { crew.post_drain(); };
  killed_and_stopped("spsc_close_wake", deed);
}

TEST(SpscClose, killed_half_way_is_heard_of_by_a_producer_that_sleeps_on_the_full_queue) {
  Deed deed = closing();
  deed.setting = [](Crew& crew) {
    crew.send("a", 1, 15);
    crew.sender.post("send a 50");
    crew.sender_waits = true;
    await_sleep(crew.sender);
  };
  deed.rules = [](Ledger& ledger, Fate) { ledger.may(50); };
  deed.meanwhile = [](Crew&) {};
  deed.after = [](Crew& crew, Fate) {
    if (crew.receiver.ask("closed a") != "yes") return;
    require(crew.sender.await() == "0", "a message was sent to a queue that is full and closed");
    crew.sender_waits = false;
  };
  killed_and_stopped("spsc_close_full", deed);
}

TEST(SpscClose, is_finished_by_a_consumer_that_is_itself_killed_or_stopped) {
  for (const std::size_t point : {0, 1, 2, 3, 4}) {
    Deed deed = closing();
    deed.before = [point](Party& p) {
      p.from("a");
      p.leave_corpse_at(point, [](Party& corpse) { corpse.queue("a"); }, [](Party& corpse) { corpse.queue("a").close(); });
    };
    deed.act = [](Party& p) {
      for (int i = 0; i < 3; ++i)
        if (shmq::Message message = p.from("a").try_receive()) message.release();
    };
    deed.rules = [](Ledger& ledger, Fate fate) {
      for (const std::uint64_t value : {1, 2}) {
        ledger.touched(value), ledger.may(value);
        if (fate == Fate::completed) ledger.never(value);
      }
    };
    deed.owns = consumers_end;
    deed.meanwhile = [](Crew&) {};
    killed_and_stopped("spsc_close_finish_" + std::to_string(point), deed);
  }
}

// The survivors declare the same name, use it and remove it: it must be free or sound.
void use_c(Process& one, Process& other) {
  require(one.ask("declarespsc c") == "ok", "c cannot be declared");
  require(other.ask("declarespsc c") == "ok", "c cannot be declared again");
  require(one.ask("send c 300 3") == "3", "c takes no messages");
  require(!other.ask("recv c 3").empty(), "c gives no messages");
  require(one.ask("remove c") == "ok", "c cannot be removed");
  require(other.ask("until c") == "removed", "a user of c does not see that it was removed");
  one.ask("shut c");
  other.ask("shut c");
}

Deed living(std::function<void(Party&)> act) {
  Deed deed;
  deed.act = std::move(act);
  deed.after = [](Crew& crew, Fate) { use_c(crew.sender, crew.receiver); };
  deed.meanwhile = [](Crew& crew) { require(crew.sender.ask("reap") == "0", "a stopped process was robbed"); };
  deed.a = spsc_options();
  return deed;
}

TEST(SpscDeclare, makes_it_whole_or_not_at_all) {
  killed_and_stopped("spsc_declare", living([](Party& p) { expect(p.segment().queue("c", spsc_options())); }));
}

// `waits` sleeps on "c", which the victim removes.
Deed removing(std::function<void(Crew&)> setting, Process& (*waits)(Crew&), const std::string& hears) {
  Deed deed = living([](Party& p) { (void)p.segment().remove_queue("c"); });
  deed.setting = [=](Crew& crew) {
    require(crew.sender.ask("declarespsc c") == "ok", "c cannot be declared");
    setting(crew);
    await_sleep(waits(crew));
  };
  deed.after = [=](Crew& crew, Fate) {
    Process& waiting = waits(crew);
    Process& other = &waiting == &crew.sender ? crew.receiver : crew.sender;
    const std::string removed = other.ask("remove c");  // where the victim did not get to it
    require(removed == "ok" || removed == "not_found", "c cannot be removed: " + removed);
    const std::string heard = waiting.await();
    require(heard == hears, "who sleeps on c is told " + heard);
    crew.sender.ask("shut c");
    crew.receiver.ask("shut c");
    use_c(crew.sender, crew.receiver);
  };
  deed.meanwhile = [](Crew&) {};
  return deed;
}

TEST(SpscRemove, is_heard_of_by_a_consumer_that_sleeps) {
  killed_and_stopped("spsc_remove_empty", removing([](Crew& crew) { crew.receiver.post("until c"); },
                                                   [](Crew& crew) -> Process& { return crew.receiver; }, "removed"));
}

TEST(SpscRemove, is_heard_of_by_a_producer_that_sleeps) {
  killed_and_stopped("spsc_remove_full", removing(
                                             [](Crew& crew) {
                                               crew.sender.ask("send c 300 15");
                                               crew.sender.post("untilroom c");
                                             },
                                             [](Crew& crew) -> Process& { return crew.sender; }, "removed"));
}

// The victim holds the first message of "a" and forwards it.
Deed forward(const shmq::QueueOptions& from, const shmq::QueueOptions& to, std::size_t bytes) {
  Deed deed;
  deed.setting = [bytes](Crew& crew) {
    crew.send("a", 1, 2, bytes);
    crew.send("b", 20, 1);
    if (crew.b_is_spsc) crew.sender.ask("letgo b");
  };
  deed.before = [](Party& p) {
    p.messages.push_back(p.from("a").try_receive());
    p.to("b");
  };
  deed.act = [](Party& p) {
    require(p.messages[0].forward(p.to("b"), party_patience) == shmq::Outcome::ok, "forward() failed");
  };
  deed.rules = [](Ledger& ledger, Fate fate) {
    if (fate != Fate::completed) ledger.touched(1);
  };
  deed.start = before_the_wrap;
  deed.a = from;
  deed.b = to;
  if (from.kind == shmq::QueueKind::spsc) deed.owns = consumers_end;
  return deed;
}

TEST(SpscForward, to_another_kind_copies_it_or_not) {
  for (const std::size_t bytes : {inline_bytes, block_bytes}) {
    const std::string size = std::to_string(bytes);
    killed_and_stopped("spsc_forward_to_mpmc_" + size, forward(spsc_options(), queue_options(), bytes));
    Deed deed = forward(queue_options(), spsc_options(), bytes);
    deed.start = 0;
    killed_and_stopped("spsc_forward_from_mpmc_" + size, deed);
  }
}

TEST(SpscForward, within_the_kind_copies_it_or_not) {
  killed_and_stopped("spsc_forward", forward(spsc_options(), spsc_options(), inline_bytes));
}

TEST(SpscForward, of_a_message_that_came_again_marks_it_in_both_places) {
  Deed deed = forward(spsc_options(), queue_options(), inline_bytes);
  deed.before = [](Party& p) {
    p.receive("a").requeue();
    p.messages.push_back(p.receive("a"));
    p.to("b");
  };
  deed.rules = [](Ledger& ledger, Fate) { ledger.seen(1); };
  killed_and_stopped("spsc_forward_redelivered", deed);
}

}  // namespace
}  // namespace killtest
