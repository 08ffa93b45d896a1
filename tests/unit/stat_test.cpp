// shmq-stat as a person and as a script use it: the program itself, its output and its exit status.
#include <sys/wait.h>

#include <cctype>
#include <cstdio>
#include <optional>

#include "unit/inspect_support.hpp"

namespace shmq {
namespace {

using testing::Peer;
using testing::ScratchFile;
using testing::SegmentName;

struct Ran {
  int status = -1;
  std::string out;
};

/// Both streams, in the order they came. Names of tests hold nothing that a shell would change.
Ran stat(const std::string& arguments) {
  Ran run;
  FILE* pipe = ::popen((std::string(SHMQ_STAT) + " " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return run;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) run.out.append(buffer, n);
  const int status = ::pclose(pipe);
  run.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return run;
}

bool has(const Ran& run, const std::string& text) { return run.out.find(text) != std::string::npos; }

/// Whether a text is one JSON value (RFC 8259) and a newline.
class JsonCheck {
 public:
  static bool valid(std::string_view text) {
    JsonCheck check{text};
    return check.value() && check.rest_ == "\n";
  }

 private:
  explicit JsonCheck(std::string_view text) : rest_(text) {}
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool string() {
    if (!take("\"")) return false;
    while (!rest_.empty() && rest_[0] != '"') {
      const auto c = static_cast<unsigned char>(rest_[0]);
      if (c < 0x20) return false;
      if (c != '\\') {
        rest_.remove_prefix(1);
        continue;
      }
      rest_.remove_prefix(1);
      if (rest_.empty() || std::string_view("\"\\/bfnrtu").find(rest_[0]) == std::string_view::npos) return false;
      const std::size_t digits = rest_[0] == 'u' ? 4 : 0;
      if (rest_.size() < 1 + digits) return false;
      for (std::size_t i = 1; i <= digits; ++i)
        if (!std::isxdigit(static_cast<unsigned char>(rest_[i]))) return false;
      rest_.remove_prefix(1 + digits);
    }
    return take("\"");
  }
  bool number() {
    take("-");
    std::size_t digits = 0;
    while (digits < rest_.size() && std::isdigit(static_cast<unsigned char>(rest_[digits]))) ++digits;
    if (digits == 0 || (digits > 1 && rest_[0] == '0')) return false;
    rest_.remove_prefix(digits);
    return true;
  }
  template <class Item>
  bool list(std::string_view opening, std::string_view closing, Item&& item) {
    if (!take(opening)) return false;
    if (take(closing)) return true;
    do {
      if (!item()) return false;
    } while (take(","));
    return take(closing);
  }
  bool value() {
    if (rest_.empty()) return false;
    if (rest_[0] == '{') return list("{", "}", [&] { return string() && take(":") && value(); });
    if (rest_[0] == '[') return list("[", "]", [&] { return value(); });
    if (rest_[0] == '"') return string();
    return take("true") || take("false") || take("null") || number();
  }
  std::string_view rest_;
};

TEST(ShmqStat, ListsSegmentsWithWhoIsAttached) {
  const SegmentName name("stat-list");
  Segment segment = Segment::create(name, {.size_bytes = 4 << 20}).value();
  Queue<void> queue = segment.queue("q", {.capacity = 8}).value();
  Producer<void> out = queue.producer();
  testing::send(out, "x");
  for (const char* arguments : {"", "list"}) {
    const Ran run = stat(arguments);
    EXPECT_EQ(run.status, 0) << run.out;
    EXPECT_TRUE(has(run, name.text())) << run.out;
    EXPECT_TRUE(has(run, "1 Alive")) << run.out;
    EXPECT_TRUE(has(run, "4 MiB")) << run.out;
  }
}

TEST(ShmqStat, NamesTheStoppedHolderThatKeepsAFullQueueFull) {
  const SegmentName name("stat-stopped");
  Segment segment = Segment::create(name, {.size_bytes = 4 << 20}).value();
  Queue<void> queue = segment.queue("jobs", {.capacity = 2}).value();
  Producer<void> out = queue.producer();
  testing::send(out, "0");
  testing::send(out, "1");
  Peer peer([&] {
    auto mine = new Segment(Segment::open(name, {.name = "worker-2"}).value());
    auto in = new Consumer<void>(mine->open_queue("jobs").value().consumer());
    new Message(in->try_receive());
  });
  ASSERT_TRUE(peer.worked());
  peer.stop();
  const std::string who = "worker-2 (id 2, pid " + std::to_string(peer.pid()) + ", Alive, stopped)";
  const Ran run = stat("show " + name.text());
  EXPECT_EQ(run.status, 0);
  EXPECT_TRUE(has(run, "jobs: producers of the full queue cannot pass position 0, which " + who + " has been reading for at most ")) << run.out;
  EXPECT_TRUE(has(run, "kill -CONT")) << run.out;
  const std::string pid = std::to_string(peer.pid());
  peer.kill();
  const Ran dead = stat("show " + name.text() + "/jobs");
  EXPECT_TRUE(has(dead, "worker-2 (id 2, pid " + pid + ", Dead)")) << dead.out;
}

TEST(ShmqStat, WritesJsonThatIsJsonWhateverAParticipantIsCalled) {
  const SegmentName name("stat-json");
  Segment segment = Segment::create(name, {.size_bytes = 4 << 20}, {.name = "a\"b\\c\n\x1b[2J\xff\xc3\xa9"}).value();
  Queue<void> queue = segment.queue("q", {.capacity = 8}).value();
  Claim<void> claim = queue.producer().try_claim(1);
  for (const std::string& arguments : {std::string("--json"), "show --json " + name.text(), "show " + name.text() + "/q --json"}) {
    const Ran run = stat(arguments);
    EXPECT_EQ(run.status, 0) << run.out;
    EXPECT_TRUE(JsonCheck::valid(run.out)) << run.out;
    EXPECT_TRUE(run.out.starts_with("{\"schema\":\"shmq-stat\",\"version\":1,")) << run.out;
    EXPECT_TRUE(has(run, R"("name":"a\"b\\c\u000a\u001b[2J\ufffdé")")) << run.out;
  }
  const Ran human = stat("show " + name.text());
  EXPECT_TRUE(has(human, R"(a"b\c\x0a\x1b[2J\xffé)")) << human.out;
}

TEST(ShmqStat, ShowsACopiedFile) {
  const SegmentName name("stat-copy");
  Segment segment = Segment::create(name, {.size_bytes = 1 << 20}).value();
  (void)segment.queue("q", {.capacity = 8}).value();
  const ScratchFile file(testing::scratch_path("stat"));
  testing::write_file(file.path(), testing::contents(name.path()));
  const Ran run = stat("show --file " + file.path());
  EXPECT_EQ(run.status, 0);
  EXPECT_TRUE(has(run, "unknown (copy)")) << run.out;
  EXPECT_EQ(stat("show --file " + file.path() + " --queue q").status, 0);
  EXPECT_EQ(stat("show --file " + file.path() + " --queue other").status, 3);
}

TEST(ShmqStat, ExitsAsItsHelpSays) {
  const SegmentName name("stat-exit");
  Segment segment = Segment::create(name, {.size_bytes = 1 << 20}).value();
  EXPECT_EQ(stat("--help").status, 0);
  EXPECT_TRUE(has(stat("--help"), "Exit status"));
  EXPECT_EQ(stat("--version").status, 0);
  EXPECT_EQ(stat("show test-there-is-none").status, 3);
  EXPECT_EQ(stat("show " + name.text() + "/none").status, 3);
  EXPECT_EQ(stat("show --file /nowhere").status, 3);
  for (const char* wrong : {"show", "show a b", "list a", "market", "--frobnicate", "show --file", "--watch", "--watch x", "--watch 0",
                            "show --file x y", "show a/", "--file x", "show 'a b'"})
    EXPECT_EQ(stat(wrong).status, 2) << wrong;
}

TEST(ShmqStat, WatchesUntilNobodyReadsOrTheSegmentGoes) {
  const SegmentName name("stat-watch");
  std::optional<Segment> segment = Segment::create(name, {.size_bytes = 1 << 20}).value();
  const Ran read = stat("show " + name.text() + " --json --watch 0.1 | head -n 3 | wc -l");
  EXPECT_TRUE(has(read, "3")) << read.out;
  segment.reset();
  ASSERT_TRUE(Segment::remove(name));
  EXPECT_EQ(stat("show " + name.text() + " --watch 0.1").status, 3);
}

}  // namespace
}  // namespace shmq
