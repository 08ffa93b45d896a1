// The harness on a toy: the safe protocol passes at every point, and each unsafe one is reported where it is
// unsafe.
#include "scenario.hpp"
#include "toy_word.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <vector>

namespace killtest {
namespace {

class Adder : public Actor {
 public:
  Adder(const std::string& name, std::uint64_t id, Protocol protocol) : toy_(name, id, protocol) {}
  void operate() override { toy_.add(); }
  std::string handle(std::string_view request) override {
    if (request == "try") return toy_.try_add() ? "added" : "busy";
    require(request == "add", "unknown request");
    for (int i = 0; i < 10; ++i) toy_.add();
    return "added";
  }

 private:
  Toy toy_;
};

class Add : public Scenario {
 public:
  explicit Add(Protocol protocol, std::size_t size_bytes = 64 << 10)
      : protocol_(protocol), size_(size_bytes) {}

  void setup(World& world) override {
    name_ = world.name();
    world.run("creator", [&] { create_shared_object(name_, size_); });
    one_ = &world.spawn("survivor 1", adder(1));
    two_ = &world.spawn("survivor 2", adder(2));
  }
  ActorFactory victim() override { return adder(3); }

  void check(World& world, const Instant& instant) override {
    if (instant.fate == Fate::stopped) {
      if (one_->ask("try") == "added") ++added_;
      if (two_->ask("try") == "added") ++added_;
      return;
    }
    one_->post("add");
    two_->post("add");
    one_->await();
    two_->await();
    added_ += 20;
    world.run("auditor", [&] { audit(instant.fate); });
  }

 private:
  ActorFactory adder(std::uint64_t id) const {
    return [name = name_, id, protocol = protocol_] { return std::make_unique<Adder>(name, id, protocol); };
  }
  void audit(Fate fate) const {
    const Toy toy(name_, 9, protocol_);
    require(toy.lock_is_free(), "the lock is still taken");
    const std::string sums = std::to_string(toy.first()) + " and " + std::to_string(toy.second());
    require(toy.first() == toy.second(), "the counters differ: " + sums);
    const std::uint64_t by_victim = toy.first() - added_;
    require(by_victim == 1 || (by_victim == 0 && fate == Fate::killed),
            "additions were lost or made up: " + sums);
  }

  Protocol protocol_;
  std::size_t size_;
  std::string name_;
  Process* one_ = nullptr;
  Process* two_ = nullptr;
  std::uint64_t added_ = 0;  // by survivors
};

constexpr Limits quick{.cpu = std::chrono::milliseconds(1000), .findings = 1000};

// The points at which the object's words meet a condition, going by the changes of the dry run.
template <class Condition>
std::vector<std::size_t> points_where(const Report& report, Condition condition) {
  std::map<std::size_t, std::uint64_t> words;  // by offset
  std::vector<std::size_t> inside;
  for (const Point& point : report.points) {
    if (point.change) words[point.change->offset] = point.change->after;
    if (condition(words)) inside.push_back(point.index);
  }
  return inside;
}

std::vector<std::size_t> found_at(const Report& report) {
  std::vector<std::size_t> points;
  for (const Finding& finding : report.findings) points.push_back(finding.point.index);
  return points;
}

TEST(ToyWord, whose_claim_names_its_owner_survives_a_kill_at_every_point) {
  const Report report = run_killed("toy.safe", make<Add>(Protocol::owner_in_the_cas));
  EXPECT_TRUE(report.clean()) << report;
  EXPECT_TRUE(report.partial || report.points.size() >= 5) << report;  // begin, lock, first, second, unlock
}

TEST(ToyWord, whose_claim_names_its_owner_survives_a_kill_at_every_instruction) {
  const Report report =
      run_killed("toy.safe_each", make<Add>(Protocol::owner_in_the_cas), {}, Detail::every_instruction);
  EXPECT_TRUE(report.clean()) << report;
  // Nothing here goes by the clock: at full speed to a landmark and on from there is the same place as by single steps.
  EXPECT_EQ(report.diverged, 0u) << report;
}

TEST(ToyWord, whose_holder_is_stopped_is_waited_for_at_every_instruction) {
  const Report report =
      run_stopped("toy.safe", make<Add>(Protocol::owner_in_the_cas), {}, Detail::every_instruction);
  EXPECT_TRUE(report.clean()) << report;
}

TEST(ToyWord, with_a_separate_owner_word_is_reported_wedged_between_the_two_words) {
  const Report report = run_killed("toy.two_words", make<Add>(Protocol::taken_then_owner), quick);
  if (report.partial) GTEST_SKIP() << report;
  const auto expected = points_where(report, [](auto& words) {
    return words[offsetof(ToyMemory, taken)] != 0 && words[offsetof(ToyMemory, owner)] == 0;
  });
  EXPECT_EQ(found_at(report), expected) << report;
  EXPECT_GE(expected.size(), 2U) << report;  // one on taking the lock, one on giving it back
  for (const Finding& finding : report.findings) EXPECT_EQ(finding.kind, FailureKind::wedged) << report;
}

TEST(ToyWord, without_its_repair_branch_is_reported_wrong_between_the_two_counters) {
  const Report report = run_killed("toy.no_repair", make<Add>(Protocol::without_repair), quick);
  if (report.partial) GTEST_SKIP() << report;
  const auto expected = points_where(report, [](auto& words) {
    return words[offsetof(ToyMemory, first)] != words[offsetof(ToyMemory, second)];
  });
  EXPECT_EQ(found_at(report), expected) << report;
  ASSERT_FALSE(report.clean());
  EXPECT_EQ(report.findings[0].kind, FailureKind::wrong) << report;
}

TEST(ToyWord, that_robs_a_stopped_holder_is_reported) {
  const Report report = run_stopped("toy.robs", make<Add>(Protocol::robs_the_stopped), quick);
  if (report.partial) GTEST_SKIP() << report;
  ASSERT_FALSE(report.clean());
  EXPECT_EQ(report.findings[0].kind, FailureKind::wrong) << report;
}

}  // namespace
}  // namespace killtest
