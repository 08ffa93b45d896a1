// The harness can fail: it finds out that a textbook ring wedges, and exactly where.
#include "scenario.hpp"
#include "shared_object.hpp"
#include "vyukov_ring.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace killtest {
namespace {

constexpr std::uint64_t by_victim = 1000;
constexpr std::uint64_t messages =
    2 * VyukovRing::capacity;  // more than one lap, so that every cell is needed

class User : public Actor {
 public:
  explicit User(const std::string& name) : ring_(name) {}
  std::string handle(std::string_view request) override {
    for (std::uint64_t i = 0; i < messages; ++i) {
      if (request == "push") push(i);
      if (request == "pop") require(pop() == i, "a message is missing or out of order");
    }
    return "done";
  }

 protected:
  void push(std::uint64_t value) {
    while (!ring_->try_push(value)) {
    }
  }
  // The next message of the survivors: whether the victim's arrives depends on where it died.
  std::uint64_t pop() {
    std::uint64_t value = by_victim;
    while (!ring_->try_pop(value) || value == by_victim) {
    }
    return value;
  }

 private:
  SharedObject<VyukovRing> ring_;
};

class Pusher : public User {
 public:
  using User::User;
  void operate() override { push(by_victim); }
};

class Popper : public User {
 public:
  using User::User;
  void operate() override { pop(); }
};

template <class Victim>
class UserDies : public Scenario {
 public:
  void setup(World& world) override {
    name_ = world.name();
    world.run("creator", [&] {
      create_shared_object(name_, sizeof(VyukovRing));
      const SharedObject<VyukovRing> ring(name_);
      ring->initialise();
      if (std::is_same_v<Victim, Popper>) ring->try_push(1);
    });
    const auto user = [name = name_] { return std::make_unique<User>(name); };
    producer_ = &world.spawn("producer", user);
    consumer_ = &world.spawn("consumer", user);
  }
  ActorFactory victim() override {
    return [name = name_] { return std::make_unique<Victim>(name); };
  }
  void check(World&, const Instant&) override {
    // What the popper was to take is still there if it died early: another survivor would take it. Not this
    // test's subject, so the ring starts empty for the survivors either way.
    if (std::is_same_v<Victim, Popper>) drain();
    producer_->post("push");
    consumer_->post("pop");
    producer_->await();
    consumer_->await();
  }

 private:
  void drain() {
    Process drainer(
        "drainer",
        [name = name_] {
          const SharedObject<VyukovRing> ring(name);
          std::uint64_t value = 0;
          ring->try_pop(value);
          return std::make_unique<Actor>();
        },
        Limits{});
    drainer.quit();
  }

  std::string name_;
  Process* producer_ = nullptr;
  Process* consumer_ = nullptr;
};

constexpr Limits quick{.cpu = std::chrono::milliseconds(1000), .findings = 1000};

// From the claim (a change of head or tail) until a cell is handed on (a change of its sequence).
std::vector<std::size_t> points_of_a_claim(const Report& report, std::size_t claim_offset) {
  std::vector<std::size_t> inside;
  bool claimed = false;
  for (const Point& point : report.points) {
    if (point.change) {
      const std::size_t offset = point.change->offset;
      if (offset == claim_offset) claimed = true;
      if (offset < offsetof(VyukovRing, tail) && offset % sizeof(VyukovRing::Cell) == 0) claimed = false;
    }
    if (claimed) inside.push_back(point.index);
  }
  return inside;
}

void expect_wedged_at(const Report& report, const std::vector<std::size_t>& expected) {
  std::vector<std::size_t> found;
  for (const Finding& finding : report.findings) {
    found.push_back(finding.point.index);
    EXPECT_EQ(finding.kind, FailureKind::wedged) << report;
  }
  EXPECT_FALSE(expected.empty()) << report;
  EXPECT_EQ(found, expected) << report;
}

TEST(VyukovRing, is_reported_wedged_when_a_producer_dies_between_claim_and_publish) {
  const Report report = run_killed("vyukov.push", make<UserDies<Pusher>>(), quick);
  if (report.partial) GTEST_SKIP() << report;
  expect_wedged_at(report, points_of_a_claim(report, offsetof(VyukovRing, tail)));
}

TEST(VyukovRing, is_reported_wedged_when_a_consumer_dies_between_claim_and_release) {
  const Report report = run_killed("vyukov.pop", make<UserDies<Popper>>(), quick);
  if (report.partial) GTEST_SKIP() << report;
  expect_wedged_at(report, points_of_a_claim(report, offsetof(VyukovRing, head)));
}

}  // namespace
}  // namespace killtest
