// The index of idempotency keys and its judge, over plain memory.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "shmq/core/task_keys.hpp"

namespace shmq::test {
namespace {

using core::KeyStatus;
using core::KeyVerdict;
using core::Lease;
using layout::KeyScope;
using layout::RunEnd;
using layout::TaskState;

constexpr std::uint32_t kRecords = 16;

struct Memory {
  layout::KeyBucket* buckets;
  unsigned log2;
  layout::Word* words;
  layout::Word* tallies;
  layout::Word& control(std::uint64_t bucket) const { return buckets[bucket].control; }
  layout::Word& cell(std::uint64_t bucket, unsigned i) const { return buckets[bucket].cells[i]; }
  unsigned cells() const { return layout::kKeyCells; }
  unsigned buckets_log2() const { return log2; }
  layout::Word& word(std::uint32_t i) const { return words[i]; }
  layout::Word& tally(std::uint32_t i) const { return tallies[i]; }
};

/// One bucket, so that every key meets every other one.
class TaskKeysTest : public testing::Test {
 protected:
  struct Asked {
    TaskKeysTest* self;
    std::string key;
    std::uint32_t capacity() const { return kRecords; }
    layout::Word& id(std::uint32_t i) const { return self->ids[i]; }
    layout::Word& tally(std::uint32_t i) const { return self->tallies[i]; }
    KeyScope key_scope(std::uint32_t /*i*/) const { return self->scope; }
    bool key_timed_out(std::uint32_t /*i*/) const { return self->timed_out; }
    bool key_is_asked(std::uint32_t i) const { return self->keys[i] == key; }
    void publish(const Lease& lease) const {
      ++self->published;
      self->tasks.publish(lease, TaskState::ready);
    }
  };
  auto judge(const std::string& key) {
    return [this, key](std::uint64_t reference) {
      return core::judge_key(tasks, Asked{this, key}, reference, found);
    };
  }
  /// A record in ALLOC, written.
  Lease write(std::uint32_t i, const std::string& key) {
    Lease lease;
    EXPECT_TRUE(tasks.allocate(i, me, lease));
    ids[i] = layout::task_id(lease.epoch(), i);
    keys[i] = key;
    tasks.clear_tally(lease);
    return lease;
  }
  KeyStatus put_in(const Lease& lease) {
    return index.insert(0, layout::key_reference(ids[lease.index]), judge(keys[lease.index]));
  }
  Lease submit(std::uint32_t i, const std::string& key) {
    const Lease lease = write(i, key);
    EXPECT_EQ(put_in(lease), KeyStatus::inserted);
    tasks.publish(lease, TaskState::ready);
    return lease;
  }
  KeyStatus find(const std::string& key) {
    found = 0;
    return index.find(0, judge(key));
  }
  void run(std::uint32_t i, RunEnd end, TaskState to) {
    Lease lease;
    ASSERT_TRUE(tasks.claim(i, me, lease));
    ASSERT_TRUE(tasks.start(lease));
    ASSERT_TRUE(tasks.settle(lease, end, to));
  }

  static constexpr layout::Owner me{1, 0};
  layout::KeyBucket bucket{};
  std::array<layout::Word, kRecords> words{}, tallies{}, ids{};
  std::array<std::string, kRecords> keys;
  KeyScope scope = KeyScope::until_done;
  bool timed_out = false;
  int published = 0;
  std::uint64_t found = 0;
  core::KeyIndex<Memory> index{Memory{&bucket, 0, words.data(), tallies.data()}};
  core::TaskWords<Memory> tasks{index.memory()};
};

TEST_F(TaskKeysTest, ASecondTaskWithTheKeyIsTheFirstOne) {
  EXPECT_EQ(find("a"), KeyStatus::absent);
  submit(3, "a");
  EXPECT_EQ(find("a"), KeyStatus::duplicate);
  EXPECT_EQ(found, ids[3]);
  EXPECT_EQ(find("b"), KeyStatus::absent);
  EXPECT_EQ(put_in(write(4, "a")), KeyStatus::duplicate);
  EXPECT_EQ(found, ids[3]);
  EXPECT_EQ(published, 0);
}

TEST_F(TaskKeysTest, ATaskThatIsStillBeingSubmittedIsPublishedByWhoeverFindsIt) {
  const Lease lease = write(2, "a");
  ASSERT_EQ(put_in(lease), KeyStatus::inserted);
  EXPECT_EQ(find("b"), KeyStatus::absent);
  EXPECT_EQ(layout::task_state(tasks.look(2)), TaskState::alloc) << "published for another key";
  EXPECT_EQ(find("a"), KeyStatus::duplicate);
  EXPECT_EQ(found, ids[2]);
  EXPECT_EQ(published, 1);
  EXPECT_EQ(layout::task_state(tasks.look(2)), TaskState::ready);
}

TEST_F(TaskKeysTest, ATaskOfADeadSubmitterThatWasClearedAwayLeavesItsKeyFree) {
  const Lease lease = write(2, "a");
  ASSERT_EQ(put_in(lease), KeyStatus::inserted);
  Lease mine;
  ASSERT_TRUE(tasks.inherit(2, lease.word, {2, 0}, mine));
  EXPECT_EQ(find("a"), KeyStatus::absent) << "it is being cleared away";
  ASSERT_TRUE(tasks.free(mine));
  EXPECT_EQ(find("a"), KeyStatus::absent);
  tasks.publish(lease, TaskState::ready);
  EXPECT_EQ(layout::task_state(tasks.look(2)), TaskState::free) << "published too late";
  submit(2, "a");
}

TEST_F(TaskKeysTest, ABucketThatIsFullSaysSoUntilOneOfItsTasksIsDone) {
  for (std::uint32_t i = 0; i < layout::kKeyCells; ++i) submit(i, std::to_string(i));
  EXPECT_EQ(put_in(write(9, "more")), KeyStatus::full);
  run(4, RunEnd::done, TaskState::done);
  EXPECT_EQ(index.insert(0, layout::key_reference(ids[9]), judge("more")), KeyStatus::inserted);
  for (std::uint32_t i = 0; i < layout::kKeyCells; ++i)
    EXPECT_EQ(find(std::to_string(i)), i == 4 ? KeyStatus::absent : KeyStatus::duplicate);
}

TEST_F(TaskKeysTest, UntilDoneAKeyIsKeptByATaskThatIsRunAgainOrDead) {
  submit(0, "a");
  run(0, RunEnd::failure, TaskState::ready);
  EXPECT_EQ(find("a"), KeyStatus::duplicate);
  run(0, RunEnd::failure, TaskState::dead);
  EXPECT_EQ(find("a"), KeyStatus::duplicate) << "somebody may kick it";
  ASSERT_TRUE(tasks.revive(0, tasks.look(0)));
  EXPECT_EQ(find("a"), KeyStatus::duplicate);
  run(0, RunEnd::done, TaskState::done);
  EXPECT_EQ(find("a"), KeyStatus::absent);
}

TEST_F(TaskKeysTest, UntilStartedAKeyIsFreeFromTheFirstStartOn) {
  scope = KeyScope::until_started;
  submit(0, "a");
  Lease lease;
  ASSERT_TRUE(tasks.claim(0, me, lease));
  EXPECT_EQ(find("a"), KeyStatus::duplicate);
  ASSERT_TRUE(tasks.unclaim(lease));
  EXPECT_EQ(find("a"), KeyStatus::duplicate) << "given back, and never started";
  ASSERT_TRUE(tasks.claim(0, me, lease));
  ASSERT_TRUE(tasks.start(lease));
  EXPECT_EQ(find("a"), KeyStatus::absent);
  ASSERT_TRUE(tasks.settle(lease, RunEnd::failure, TaskState::ready));
  EXPECT_EQ(find("a"), KeyStatus::absent) << "it was started";
  ASSERT_TRUE(tasks.claim(0, me, lease));
  EXPECT_EQ(find("a"), KeyStatus::absent) << "it was started";
  ASSERT_TRUE(tasks.unclaim(lease));
  EXPECT_EQ(find("a"), KeyStatus::absent) << "it was started";
  run(0, RunEnd::failure, TaskState::dead);
  ASSERT_TRUE(tasks.revive(0, tasks.look(0)));
  EXPECT_EQ(find("a"), KeyStatus::absent) << "revived: its tally is zeros, and it was started";
  ASSERT_TRUE(tasks.claim(0, me, lease));
  EXPECT_EQ(find("a"), KeyStatus::absent) << "revived: its tally is zeros, and it was started";
}

TEST_F(TaskKeysTest, ForATimeAKeyIsKeptWhateverBecomesOfTheTask) {
  scope = KeyScope::for_time;
  submit(0, "a");
  run(0, RunEnd::done, TaskState::done);
  EXPECT_EQ(find("a"), KeyStatus::duplicate);
  timed_out = true;
  EXPECT_EQ(find("a"), KeyStatus::absent);
}

TEST_F(TaskKeysTest, AnInsertionThatItsOwnerLeftHalfDoneIsFinished) {
  submit(0, "a");
  const Lease lease = write(1, "b");
  // Killed right after the CAS of the control word.
  bucket.control = layout::key_pending(layout::key_reference(ids[1]), 1);
  EXPECT_EQ(find("b"), KeyStatus::duplicate);
  EXPECT_EQ(found, ids[1]);
  EXPECT_EQ(published, 1);
  EXPECT_EQ(bucket.cells[1], layout::key_cell(layout::key_reference(ids[1])));
  EXPECT_FALSE(layout::is_key_pending(bucket.control));
  EXPECT_EQ(find("a"), KeyStatus::duplicate);
  (void)lease;
}

TEST_F(TaskKeysTest, EpochsThatWrapMakeNoDifference) {
  for (const unsigned bits : {37u, 40u}) {
    words[0] = layout::task_word((std::uint64_t{1} << bits) - 2, TaskState::free);
    for (int round = 0; round < 4; ++round) {
      submit(0, "a");
      EXPECT_EQ(find("a"), KeyStatus::duplicate);
      EXPECT_EQ(found, ids[0]);
      Lease lease;
      ASSERT_TRUE(tasks.seize(0, tasks.look(0), me, lease));
      EXPECT_EQ(find("a"), KeyStatus::absent);
      ASSERT_TRUE(tasks.free(lease));
      EXPECT_EQ(find("a"), KeyStatus::absent);
    }
  }
}

TEST_F(TaskKeysTest, DamageIsSaidOrPassedOverAndNeverFollowed) {
  submit(0, "a");
  const std::uint64_t beyond = layout::task_id(7, kRecords);
  bucket.cells[3] = layout::key_cell(beyond);
  EXPECT_EQ(find("a"), KeyStatus::corrupt);
  EXPECT_EQ(put_in(write(1, "b")), KeyStatus::corrupt);
  bucket.cells[3] = 0;
  bucket.control = layout::key_pending(beyond, 5);
  EXPECT_EQ(find("a"), KeyStatus::corrupt);
  for (const std::uint64_t garbage :
       {~std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{0x8000000000000007}}) {
    for (layout::Word& cell : bucket.cells) cell = garbage;
    bucket.control = garbage;
    const KeyStatus status = find("a");
    EXPECT_TRUE(status == KeyStatus::corrupt || status == KeyStatus::absent) << garbage;
  }
}

TEST_F(TaskKeysTest, TheHashOfAKeyIsTheSameInEveryBuild) {
  // FNV-1a of "" and "a" as published, mixed.
  const auto mixed = [](std::uint64_t h) {
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
  };
  EXPECT_EQ(core::key_hash(""), mixed(0xcbf29ce484222325u));
  EXPECT_EQ(core::key_hash("a"), mixed(0xaf63dc4c8601ec8cu));
  EXPECT_EQ(core::key_hash("foobar"), mixed(0x85944171f73967e8u));
}

// With twice as many buckets as keys, no bucket of 65,536 numbered keys needs more cells than it has.
TEST_F(TaskKeysTest, NumberedKeysAreSpreadOverTheBuckets) {
  for (const char* prefix : {"", "order-", "https://example.org/a/rather/long/name/"}) {
    std::vector<unsigned> used(std::size_t{1} << 17);
    for (unsigned i = 0; i < 1u << 16; ++i) ++used[core::key_hash(prefix + std::to_string(i)) % used.size()];
    EXPECT_LE(*std::max_element(used.begin(), used.end()), layout::kKeyCells) << prefix;
  }
}

}  // namespace
}  // namespace shmq::test
