// Other users: mode 0600 keeps them out and says so, a mode and a group let them in, the sticky bit keeps
// names safe.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "support.hpp"

namespace faults {
namespace {

using shmq::ErrorCode;
using shmq::Outcome;

constexpr uid_t kAlice = 65534, kBob = 65533;  // neither needs an account
constexpr gid_t kGroup = 65532;

/// Runs the story as another user.
std::string as(uid_t user, gid_t group, const Story& story) {
  return in_child([&]() -> std::string {
    if (::setgroups(0, nullptr) != 0 || ::setgid(group) != 0 || ::setuid(user) != 0)
      return "cannot become another user";
    return story();
  });
}

/// Another user must be able to get at /dev/shm at all: in a chroot whose root is closed to them, none can.
#define FAULTS_NEED_OTHER_USERS()                                                                           \
  FAULTS_NEED_ROOT();                                                                                       \
  if (!as(kAlice, kAlice, [] { return std::string(::access("/dev/shm", W_OK) == 0 ? "" : "no"); }).empty()) \
  GTEST_SKIP() << "other users cannot reach /dev/shm here"

TEST(OtherUsers, AreRefusedByMode0600WithAMessageThatSaysWhy) {
  FAULTS_NEED_OTHER_USERS();
  const Name name("mode");
  auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20}).value();
  EXPECT_EQ(as(kAlice, kAlice,
               [&]() -> std::string {
                 const auto mine = shmq::Segment::open(name);
                 if (mine) return "it was opened";
                 std::printf("%s\n", mine.error().message().c_str());
                 if (mine.error().code() != ErrorCode::permission) return to_string(mine.error().code());
                 for (const char* words : {name.text().c_str(), "mode", "group"})
                   if (mine.error().message().find(words) == std::string::npos) return mine.error().message();
                 const auto removed = shmq::Segment::remove(name);
                 if (removed) return "it was removed";
                 std::printf("%s\n", removed.error().message().c_str());
                 if (removed.error().code() != ErrorCode::permission)
                   return to_string(removed.error().code());
                 const auto made = shmq::Segment::create(name, {.size_bytes = 1u << 20});
                 if (made || made.error().code() != ErrorCode::already_exists)
                   return "the name could be taken";
                 return {};
               }),
            "");
  EXPECT_TRUE(segment.queue("q", {.capacity = 4}));
}

TEST(OtherUsers, OfTheGroupShareASegmentWhoseModeSaysSo) {
  FAULTS_NEED_OTHER_USERS();
  const Name name("group");
  ::umask(0077);  // must not matter
  auto segment =
      shmq::Segment::create(name, {.size_bytes = 8u << 20, .mode = 0660, .group = std::to_string(kGroup)})
          .value();
  ::umask(0022);
  struct stat status {};
  ASSERT_EQ(::stat(name.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0660u);
  EXPECT_EQ(status.st_gid, kGroup);
  auto queue = queue_of(segment, "q", {.capacity = 8});
  auto producer = queue.producer();
  ASSERT_EQ(producer.send(bytes_of("held")), Outcome::ok);
  // A member works with it, and its death is seen by another user.
  EXPECT_EQ(as(kAlice, kGroup,
               [&]() -> std::string {
                 auto mine = opened(name);
                 auto theirs = mine.open_queue("q").value();
                 auto held = theirs.consumer().receive(kPatience);
                 if (text_of(held) != "held") return "got " + text_of(held);
                 ::_exit(0);
               }),
            "");
  shmq::Message again = queue.consumer().receive(kPatience);
  EXPECT_EQ(text_of(again), "held");
  EXPECT_TRUE(again.redelivered());
  // And a member sees the death of root, by a lock of another user's.
  Shared<std::atomic<bool>> ready;
  ASSERT_EQ(producer.send(bytes_of("more")), Outcome::ok);
  Child victim([&]() -> std::string {
    auto mine = opened(name);
    auto held = mine.open_queue("q").value().consumer().receive();
    ready->store(true);
    ::pause();
    return {};
  });
  ASSERT_TRUE(eventually([&] { return ready->load(); }));
  victim.kill();
  EXPECT_EQ(as(kBob, kGroup,
               [&]() -> std::string {
                 auto mine = opened(name);
                 auto message = mine.open_queue("q").value().consumer().receive(kPatience);
                 if (!message.redelivered()) return "not redelivered";
                 message.release();
                 return {};
               }),
            "");
  EXPECT_EQ(as(kAlice, kAlice,
               [&]() -> std::string {
                 const auto mine = shmq::Segment::open(name);
                 return !mine && mine.error().code() == ErrorCode::permission
                            ? ""
                            : "who is no member was admitted";
               }),
            "");
  again.release();
}

TEST(OtherUsers, WithOnlyReadPermissionAreRefused) {
  FAULTS_NEED_OTHER_USERS();
  const Name name("readers");
  auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20, .mode = 0644}).value();
  EXPECT_EQ(as(kAlice, kAlice,
               [&]() -> std::string {
                 const auto mine = shmq::Segment::open(name);
                 return !mine && mine.error().code() == ErrorCode::permission ? "" : "a reader was attached";
               }),
            "");
}

TEST(OtherUsers, CannotRemoveWhatIsNotTheirsBehindTheStickyBit) {
  FAULTS_NEED_OTHER_USERS();
  const Name name("sticky");
  // Everybody may write the segment; the name still belongs to its owner.
  auto segment = shmq::Segment::create(name, {.size_bytes = 1u << 20, .mode = 0666}).value();
  auto queue = queue_of(segment, "q", {.capacity = 4});
  EXPECT_EQ(as(kAlice, kAlice,
               [&]() -> std::string {
                 const auto removed = shmq::Segment::remove(name);
                 if (removed) return "it was removed";
                 if (removed.error().code() != ErrorCode::permission)
                   return to_string(removed.error().code());
                 // Refused as a whole: it is not marked removed either.
                 auto mine = opened(name);
                 return mine.open_queue("q").value().producer().try_send(bytes_of("x")) == Outcome::ok
                            ? ""
                            : "it does not work";
               }),
            "");
  EXPECT_EQ(queue.producer().try_send(bytes_of("y")), Outcome::ok);
}

TEST(OtherUsers, TheirLeftoverTemporariesStandInNobodysWay) {
  FAULTS_NEED_OTHER_USERS();
  const Name mine("theirs"), other("ours");
  // A temporary of root's that nobody locks, and one that Alice left.
  EXPECT_EQ(as(kAlice, kAlice,
               [&]() -> std::string {
                 auto made = shmq::Segment::create(mine, {.size_bytes = 1u << 20});
                 return made ? "" : made.error().message();
               }),
            "");
  ASSERT_EQ(::rename(mine.path().c_str(), ("/dev/shm/.shmq." + mine.text() + ".1.00").c_str()), 0);
  EXPECT_EQ(as(kBob, kBob,
               [&]() -> std::string {
                 auto made = shmq::Segment::create(other, {.size_bytes = 1u << 20});
                 if (!made) return made.error().message();
                 made = shmq::Error(ErrorCode::system, "");
                 auto removed = shmq::Segment::remove(other);
                 return removed ? "" : removed.error().message();
               }),
            "");
  (void)shmq::Segment::collect_leftovers();
  EXPECT_TRUE(shm_files(mine.text()).empty());
}

TEST(Groups, ThatDoNotExistAreNamed) {
  const Name name("nogroup");
  const auto made = shmq::Segment::create(name, {.size_bytes = 1u << 20, .group = "no-such-group"});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::invalid_argument);
  EXPECT_NE(made.error().message().find("no-such-group"), std::string::npos);
}

}  // namespace
}  // namespace faults
