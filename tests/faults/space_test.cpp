// Memory that runs out: a full tmpfs, Docker's 64 MiB, a cgroup's limit. Never a SIGBUS, always a message
// with numbers.
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "support.hpp"

namespace faults {
namespace {

bool says(const shmq::Error& error, const std::string& words) {
  return error.message().find(words) != std::string::npos;
}

TEST(FullTmpfs, SaysTheBytesNeededTheBytesFreeAndWhatToRaise) {
  FAULTS_NEED_ROOT();
  const std::string said = in_child([]() -> std::string {
    if (const std::string why = own_shm("8m"); !why.empty()) return why;
    const auto made = shmq::Segment::create("large", {.size_bytes = 16u << 20});
    if (made) return "a segment of 16 MiB fits into 8 MiB";
    const shmq::Error& error = made.error();
    std::printf("%s\n", error.message().c_str());
    if (error.code() != shmq::ErrorCode::no_space) return std::string("code ") + to_string(error.code());
    for (const char* words : {"16777216 bytes", "16 MiB", "8 MiB", "remount,size=", "--shm-size"})
      if (!says(error, words)) return std::string("no \"") + words + "\" in: " + error.message();
    if (!shm_files("").empty()) return "left behind: " + shm_files("").front();
    return {};
  });
  EXPECT_EQ(said, "");
}

TEST(FullTmpfs, FilledToTheLastPageKillsNobodyWhoUsesASegmentThatIsThere) {
  FAULTS_NEED_ROOT();
  const std::string said = in_child([]() -> std::string {
    if (const std::string why = own_shm("8m"); !why.empty()) return why;
    auto segment = shmq::Segment::create("first", {.size_bytes = 4u << 20}).value();
    int more = 0;
    for (;; ++more) {
      const auto next = shmq::Segment::create("more" + std::to_string(more), {.size_bytes = 512u << 10});
      if (next) continue;
      if (next.error().code() != shmq::ErrorCode::no_space) return next.error().message();
      break;
    }
    if (more < 5) return "only " + std::to_string(more) + " segments of 512 KiB fit beside 4 MiB";
    std::ofstream("/dev/shm/filler") << std::string(8u << 20, 'x');  // whatever is left
    struct statvfs space {};
    ::statvfs("/dev/shm", &space);
    if (space.f_bavail > 1) return "the file system is not full";
    // Every page of it is used for the first time now.
    auto queue = queue_of(segment, "q", {.capacity = 4096, .slot_bytes = 256});
    auto producer = queue.producer();
    auto consumer = queue.consumer();
    const std::string payload(200, 'p'), block(4000, 'b');
    for (int lap = 0; lap < 3; ++lap) {
      for (std::uint64_t i = 0; i < queue.capacity(); ++i)
        if (producer.try_send(bytes_of(payload)) != shmq::Outcome::ok) return "a send fails";
      for (std::uint64_t i = 0; i < queue.capacity(); ++i) consumer.try_receive().release();
    }
    int blocks = 0;
    while (producer.try_send(bytes_of(block)) == shmq::Outcome::ok) ++blocks;
    if (blocks < 100) return "only " + std::to_string(blocks) + " blocks";
    // And when one goes there is room again.
    (void)shmq::Segment::remove("more0");
    if (auto again = shmq::Segment::create("again", {.size_bytes = 512u << 10}); !again)
      return again.error().message();
    return {};
  });
  EXPECT_EQ(said, "");
}

TEST(Docker, SixtyFourMebibytesHoldWhatFitsAndSayHowToGetMore) {
  FAULTS_NEED_ROOT();
  const std::string said = in_child([]() -> std::string {
    if (const std::string why = own_shm("64m"); !why.empty()) return why;
    const auto plan = shmq::CapacityPlan().queue({.capacity = 1024, .slot_bytes = 64}).blocks(64 << 10, 256);
    std::printf("%s\n", plan.text().c_str());
    if (plan.text().find("/dev/shm has 64 MiB free of 64 MiB") == std::string::npos) return plan.text();
    if (auto fits = shmq::Segment::create("fits", plan.options().value()); !fits)
      return fits.error().message();
    const auto large = shmq::Segment::create("large", {.size_bytes = 64u << 20});
    if (large) return "64 MiB more fit";
    std::printf("%s\n", large.error().message().c_str());
    if (!says(large.error(), "--shm-size")) return large.error().message();
    return {};
  });
  EXPECT_EQ(said, "");
}

TEST(Docker, ADefaultSegmentFitsAnEmptyShmOfSixtyFourMebibytes) {
  FAULTS_NEED_ROOT();
  const std::string said = in_child([]() -> std::string {
    if (const std::string why = own_shm("64m"); !why.empty()) return why;
    const auto made = shmq::Segment::create("default");
    return made ? std::string() : made.error().message();
  });
  EXPECT_EQ(said, "");
}

// ---- a cgroup's memory limit
// ----------------------------------------------------------------------------------------

class Cgroup {
 public:
  explicit Cgroup(std::uint64_t limit) {
    namespace fs = std::filesystem;
    const std::string name = "shmq-faults-" + std::to_string(::getpid());
    std::error_code error;
    // The unified hierarchy where it has the memory controller, else the older one.
    std::string controllers;
    std::getline(std::ifstream("/sys/fs/cgroup/cgroup.controllers"), controllers);
    if (controllers.find("memory") != std::string::npos) {
      std::ofstream("/sys/fs/cgroup/cgroup.subtree_control") << "+memory";
      fs::create_directory("/sys/fs/cgroup/" + name, error);
      folder_ = "/sys/fs/cgroup/" + name;
      usable_ = !error && write("memory.max", std::to_string(limit));
      (void)write("memory.swap.max", "0");
    } else if (fs::exists("/sys/fs/cgroup/memory/memory.limit_in_bytes")) {
      fs::create_directory("/sys/fs/cgroup/memory/" + name, error);
      folder_ = "/sys/fs/cgroup/memory/" + name;
      usable_ = !error && write("memory.limit_in_bytes", std::to_string(limit));
      (void)write("memory.memsw.limit_in_bytes", std::to_string(limit));
    }
  }
  ~Cgroup() {
    if (!folder_.empty()) ::rmdir(folder_.c_str());
  }
  bool usable() const { return usable_; }
  bool enter() const { return write("cgroup.procs", std::to_string(::getpid())); }

 private:
  bool write(const std::string& file, const std::string& text) const {
    std::ofstream out(folder_ + "/" + file);
    out << text << std::flush;
    return out.good();
  }
  std::string folder_;
  bool usable_ = false;
};

TEST(CgroupLimit, RefusesASegmentThatDoesNotFitInsteadOfBeingKilled) {
  FAULTS_NEED_ROOT();
  const Cgroup group(128u << 20);
  if (!group.usable()) GTEST_SKIP() << "no cgroup with a memory limit can be made here";
  const std::string said = in_child([&]() -> std::string {
    if (const std::string why = own_shm("1g"); !why.empty()) return why;
    if (!group.enter()) return "cannot enter the cgroup";
    const auto made = shmq::Segment::create("large", {.size_bytes = 256u << 20});
    if (made) return "256 MiB fit into a cgroup of 128 MiB";
    std::printf("%s\n", made.error().message().c_str());
    if (made.error().code() != shmq::ErrorCode::no_space)
      return std::string("code ") + to_string(made.error().code());
    for (const char* words : {"cgroup", "128 MiB", "--memory"})
      if (!says(made.error(), words))
        return std::string("no \"") + words + "\" in: " + made.error().message();
    if (auto fits = shmq::Segment::create("fits", {.size_bytes = 16u << 20}); !fits)
      return fits.error().message();
    return {};
  });
  EXPECT_EQ(said, "");
}

}  // namespace
}  // namespace faults
