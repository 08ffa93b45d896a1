#include "operation.hpp"

#include "audit.hpp"

#include "objects/queue_object.hpp"

#include <gtest/gtest.h>

#include <sys/syscall.h>
#include <unistd.h>
#include <cstdlib>
#include <fstream>

namespace killtest {

namespace {
bool asked_for(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' && *value != '0';
}
}  // namespace

Limits scenario_limits() {
  Limits limits;
  if (asked_for("SHMQ_KILL_FIRST")) limits.findings = 1;
  else if (!asked_for("SHMQ_LONG")) limits.instructions = 600;
  return limits;
}

void await_sleep(const Process& process) {
  constexpr long futex_waitv = 449;  // older headers do not name it
  const Patience patience(process.pid(), process.limits());
  for (;;) {
    std::ifstream file("/proc/" + std::to_string(process.pid()) + "/syscall");
    long call = -1;
    if (file >> call && (call == SYS_futex || call == futex_waitv || call == SYS_poll)) return;
    if (const std::string why = patience.exhausted(); !why.empty())
      throw Failure(FailureKind::setup, process.name() + " does not come to sleep in a futex: " + why);
    usleep(200);
  }
}

std::string Crew::send(const std::string& queue, std::uint64_t first, std::uint64_t count, std::size_t bytes) {
  const std::string verb = paced && queue == "a" ? "pacedsend " : "send ";
  const std::string sent = sender.ask(verb + queue + " " + std::to_string(first) + " " + std::to_string(count) +
                                      " " + std::to_string(bytes));
  ledger.must(first, std::stoull(sent));
  return sent;
}

void Crew::post_drain(const std::string& verb) {
  receiver.post(verb + " a");
  receiver_waits = true;
  await_sleep(receiver);
}

void Crew::post_send(std::uint64_t value) {
  sender.post("send a " + std::to_string(value));
  ledger.must(value);
  sender_waits = true;
  await_sleep(sender);
}

shmq::SegmentOptions segment_options(std::uint32_t participants_max) {
  shmq::SegmentOptions options;
  options.size_bytes = 32 << 10;
  options.blocks = {{256, 4}};
  options.participants_max = participants_max;
  options.objects_max = 4;
  return options;
}

void create_segment(const std::string& name, std::uint64_t start, std::uint32_t participants_max,
                    const shmq::QueueOptions& a, const shmq::QueueOptions& b) {
  const auto attachment = expect(shmq::core::Attachment::create(name, segment_options(participants_max), {}));
  expect(shmq::objects::declare_queue(attachment, "b", expect(shmq::objects::shape_of(b, 0))));
  expect(shmq::objects::declare_queue(attachment, "a", expect(shmq::objects::shape_of(a, 0)), start));
}

void finish(Crew& crew) {
  for (const std::string queue : {"a", "b"}) {
    if (!crew.receiver_waits || queue != "a") crew.receiver.post("drain " + queue);
    crew.paced = crew.drops;
    if (crew.sender_waits && queue == "a") crew.sender.await();
    const std::uint64_t first = queue == "a" ? 1000 : 2000;
    crew.send(queue, first, crew.spsc ? 18 : 6);  // fewer where the victim closed it
    crew.send(queue, first + 100, 2, block_bytes);
    crew.sender.ask("close " + queue);
    crew.ledger.add(queue, crew.receiver.await());
  }
  crew.ledger.verify();
  crew.sender.ask("reap");
  crew.receiver.ask("reap");
  require(crew.sender.ask("reap") == "0", "a second reap found something to repair");
  crew.world.run("auditor", [&] { audit(crew.segment, 2 + crew.others); });
}

namespace {

class Victim : public Party {
 public:
  Victim(const std::string& segment, const Deed& deed) : Party(segment), deed_(deed) {
    handle("open a");
    handle("open b");
    deed_.before(*this);
  }
  void operate() override { deed_.act(*this); }

 private:
  const Deed& deed_;  // of the driver, copied by the fork
};

class Operation : public Scenario {
 public:
  explicit Operation(const Deed& deed) : deed_(deed) {}

  void setup(World& world) override {
    const std::string name = world.name();
    world.run("creator", [&] { create_segment(name, deed_.start, 6, deed_.a, deed_.b); });
    const auto party = [name] {
      auto made = std::make_unique<Party>(name);
      made->handle("open a");
      made->handle("open b");
      return made;
    };
    Process& sender = world.spawn("sender", party);
    Process& receiver = world.spawn("receiver", party);
    crew_.emplace(Crew{world, name, sender, receiver, {}});
    crew_->drops = deed_.a.on_full == shmq::OnFull::drop_oldest;
    crew_->spsc = deed_.a.kind == shmq::QueueKind::spsc;
    crew_->b_is_spsc = deed_.b.kind == shmq::QueueKind::spsc;
    for (const auto& [queue, options] : {std::pair{"a", deed_.a}, std::pair{"b", deed_.b}})
      if (options.kind == shmq::QueueKind::spsc)
        crew_->ledger.in_order(queue, sender.ask("generation " + std::string(queue)));
    deed_.setting(*crew_);
  }
  ActorFactory victim() override {
    return [name = crew_->segment, &deed = deed_] { return std::make_unique<Victim>(name, deed); };
  }

  void check(World& world, const Instant& instant) override {
    deed_.rules(crew_->ledger, instant.fate);
    if (crew_->spsc && instant.fate != Fate::completed)
      world.run("auditor", [&] { audit_rings(crew_->segment); });
    if (instant.fate == Fate::stopped) {
      nobody_else_gets_its_ends(instant.victim);
      if (deed_.meanwhile) return deed_.meanwhile(*crew_);
      go_on_past_it();
      return;
    }
    if (instant.fate == Fate::completed) instant.victim.quit();
    deed_.after(*crew_, instant.fate);
    finish(*crew_);
  }

 private:
  void nobody_else_gets_its_ends(const Process& victim) {
    const std::string name = "(pid " + std::to_string(victim.pid()) + ")";
    for (const auto& [end, verb] : {std::pair{producers_end, "producerof a"}, std::pair{consumers_end, "consumerof a"}}) {
      if ((deed_.owns & end) == 0) continue;
      Process& asked = crew_->receiver_waits ? crew_->sender : crew_->receiver;
      const std::string answer = asked.ask(verb);
      require(answer.find(name) != std::string::npos, "a stopped owner was robbed of its end, or is not named: " + answer);
    }
  }

  // Nobody is dead, so nothing is to be repaired; what can be done without the victim is done.
  void go_on_past_it() {
    if (!crew_->sender_waits) {
      require(crew_->sender.ask("reap") == "0", "a stopped process was robbed");
      for (const std::uint64_t value : {500, 501})
        if (crew_->sender.ask("trysend a " + std::to_string(value)) == "ok") crew_->ledger.must(value);
    }
    if (crew_->receiver_waits) return;
    require(crew_->receiver.ask("reap") == "0", "a stopped process was robbed");
    crew_->ledger.add("a", crew_->receiver.ask("tryrecv a 1"));
  }

  const Deed& deed_;
  std::optional<Crew> crew_;
};

void report(const Report& report) { EXPECT_TRUE(report.clean()) << report; }

}  // namespace

void killed(const std::string& name, const Deed& deed, Detail detail) {
  report(run_killed(name, [&] { return std::make_unique<Operation>(deed); }, scenario_limits(), detail));
}
void stopped(const std::string& name, const Deed& deed, Detail detail) {
  report(run_stopped(name, [&] { return std::make_unique<Operation>(deed); }, scenario_limits(), detail));
}
void at_every_instruction(const std::string& name, const Deed& deed) {
  stopped(name + ".each", deed, Detail::every_instruction);
  if (asked_for("SHMQ_LONG")) killed(name + ".each", deed, Detail::every_instruction);
}
void killed_and_stopped(const std::string& name, const Deed& deed) {
  killed(name, deed);
  stopped(name, deed);
}

}  // namespace killtest
