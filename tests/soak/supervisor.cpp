#include "supervisor.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "accounting.hpp"
#include "oracle.hpp"
#include "shmq/base/clock.hpp"

namespace soak {

namespace {

using shmq::base::monotonic_ns;

constexpr double kHangSeconds = 120;  // a detector of hangs, not a measure of speed

}  // namespace

Supervisor::Supervisor(const Settings& settings) : settings_(settings), dice_(settings.seed) {
  segment_ = "soak-" + std::to_string(::getpid());
  folder_ = (std::filesystem::temp_directory_path() / ("shmq-" + segment_)).string();
  std::filesystem::create_directories(folder_);
  void* shared = ::mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) std::abort();
  control_ = new (shared) Control;
  const auto add = [&](Role role, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count && children_.size() < kWorkersMax; ++i) {
      Child child;
      child.place.role = role;
      child.place.veteran = i == 0 && count > 1;
      child.place.slot = static_cast<std::uint32_t>(children_.size());
      child.place.segment = segment_;
      child.place.journal = folder_ + "/" + std::to_string(child.place.slot);
      children_.push_back(child);
    }
  };
  if (settings.mpmc) {
    add(Role::producer, settings.producers);
    add(Role::consumer, settings.consumers);
    add(Role::single_consumer, 1);
    add(Role::forwarder, settings.forwarders);
  }
  if (settings.spsc) {
    add(Role::spsc_producer, settings.spsc_producers);
    add(Role::spsc_consumer, settings.spsc_consumers);
  }
}

Supervisor::~Supervisor() {
  for (Child& child : children_)
    if (child.pid != 0) {
      ::kill(child.pid, SIGKILL);
      ::waitpid(child.pid, nullptr, 0);
    }
  attachment_.reset();
  const bool leave = settings_.keep && totals_.violations != 0;
  if (!leave) {
    (void)shmq::Segment::remove(segment_);
    std::filesystem::remove_all(folder_);
  }
  ::munmap(control_, sizeof(Control));
}

bool Supervisor::complain(const std::string& what) {
  ++totals_.violations;
  std::fprintf(stderr, "shmq-soak: epoch %llu: %s\n", static_cast<unsigned long long>(totals_.epochs),
               what.c_str());
  return false;
}

void Supervisor::start(Child& child) {
  child.place.number = ++next_number_;
  child.place.seed = dice_();
  child.killed = false;
  child.stopped_until_ns = 0;
  control_->workers[child.place.slot].acknowledged.store(~0u);
  ++totals_.started;
  const pid_t parent = ::getpid();
  child.pid = ::fork();
  if (child.pid != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(3);
  ::_exit(run_worker(*control_, child.place));
}

void Supervisor::resume(Child& child) {
  child.stopped_until_ns = 0;
  ::kill(child.pid, SIGCONT);
  control_->last_resume_ns.store(monotonic_ns());
  control_->stopped.fetch_sub(1);
}

void Supervisor::harm_somebody() {
  const std::int64_t now = monotonic_ns();
  for (Child& child : children_)
    if (child.stopped_until_ns != 0 && now >= child.stopped_until_ns) resume(child);
  if (now < next_harm_ns_) return;
  next_harm_ns_ = now + static_cast<std::int64_t>(pick(1'000, 60'000)) * 1000;
  Child& child = children_[pick(0, children_.size() - 1)];
  if (pick(0, 3) == 0) {
    if (child.stopped_until_ns != 0) return;
    control_->stopped.fetch_add(1);
    ::kill(child.pid, SIGSTOP);
    child.stopped_until_ns =
        now + static_cast<std::int64_t>(pick(100, pick(0, 9) == 0 ? 150'000 : 15'000)) * 1000;
    ++totals_.stops;
    return;
  }
  if (child.place.veteran) return;
  // A stopped one may be killed, too.
  ::kill(child.pid, SIGKILL);
  child.killed = true;
  ++totals_.kills;
}

bool Supervisor::look_after_children() {
  bool fine = true;
  for (Child& child : children_) {
    int status = 0;
    if (child.pid == 0 || ::waitpid(child.pid, &status, child.killed ? 0 : WNOHANG) != child.pid) continue;
    control_->last_kill_ns.store(monotonic_ns());
    if (child.stopped_until_ns != 0) {
      control_->last_resume_ns.store(monotonic_ns());
      control_->stopped.fetch_sub(1);
    }
    const bool left = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!child.killed && !left)
      fine = complain("worker " + std::to_string(child.place.number) + " ended " +
                      (WIFSIGNALED(status) ? "by signal " + std::to_string(WTERMSIG(status))
                                           : "with status " + std::to_string(WEXITSTATUS(status))));
    if (!child.killed && left) ++totals_.exits;
    for (auto& sides : control_->ends)
      for (Control::End& end : sides)
        if (std::uint32_t number = child.place.number; end.owner.compare_exchange_strong(number, 0))
          end.owner_died.store(true);
    child.pid = 0;
    start(child);
  }
  return fine;
}

void Supervisor::command(Phase phase) {
  control_->command.store(++serial_ << 3 | static_cast<std::uint32_t>(phase));
}

bool Supervisor::acknowledged(const std::function<bool(const Child&)>& whom) const {
  const std::uint32_t now = control_->command.load();
  for (const Child& child : children_)
    if (whom(child) && control_->workers[child.place.slot].acknowledged.load() != now) return false;
  return true;
}

bool Supervisor::wait_for(const char* what, const std::function<bool()>& condition) {
  const std::int64_t began = monotonic_ns();
  while (!condition()) {
    if (!look_after_children()) return false;
    if (static_cast<double>(monotonic_ns() - began) > kHangSeconds * 1e9) {
      if (!attachment_)
        if (auto opened = shmq::core::Attachment::open(segment_, {.name = "soak supervisor"}))
          attachment_ = *opened;
      if (attachment_) std::fputs(describe(*attachment_).c_str(), stderr);
      return complain(std::string("hangs: ") + what);
    }
    ::usleep(500);
  }
  return true;
}

bool Supervisor::declare_queues() {
  auto segment = shmq::Segment::open(segment_, {.name = "soak supervisor"});
  if (!segment) return complain(segment.error().message());
  for (const QueuePlan& plan : queue_plans()) {
    (void)segment->remove_queue(plan.name);
    if (auto queue = segment->queue(plan.name, plan.options); !queue)
      return complain(queue.error().message());
  }
  control_->queue_set.fetch_add(1);
  return true;
}

bool Supervisor::drain(bool by_closing) {
  command(Phase::drain);
  // The first part of it under fire, too.
  const std::int64_t quiet_at = monotonic_ns() + static_cast<std::int64_t>(pick(0, 400)) * 1'000'000;
  while (monotonic_ns() < quiet_at) {
    harm_somebody();
    if (!look_after_children()) return false;
    ::usleep(500);
  }
  for (Child& child : children_)
    if (child.stopped_until_ns != 0) resume(child);
  const auto producers = [](const Child& c) { return is_producer(c.place.role); };
  if (!wait_for("a producer does not finish", [&] { return acknowledged(producers); })) return false;

  if (by_closing) {
    auto segment = shmq::Segment::open(segment_, {.name = "soak supervisor"});
    if (!segment) return complain(segment.error().message());
    command(Phase::close);
    const auto close = [&](QueueNumber q) {
      if (auto queue = segment->open_queue(queue_plans()[q].name)) queue->close();
    };
    for (const QueueNumber q : {wide, small, single, relay_in, ring, large_ring}) close(q);
    const auto forwarders = [](const Child& c) { return c.place.role == Role::forwarder; };
    if (!wait_for("a forwarder does not reach the end of its stream",
                  [&] { return acknowledged(forwarders); }))
      return false;
    close(relay_out);
    const auto consumers = [](const Child& c) { return is_consumer(c.place.role); };
    if (!wait_for("a consumer does not reach the end of its stream", [&] { return acknowledged(consumers); }))
      return false;
  }

  auto opened = shmq::core::Attachment::open(segment_, {.name = "soak supervisor"});
  if (!opened) return complain(opened.error().message());
  attachment_ = *opened;
  if (!wait_for("the queues do not drain", [&] { return drained(*attachment_); })) return false;
  command(Phase::pause);
  return wait_for("a worker does not pause", [&] { return acknowledged([](const Child&) { return true; }); });
}

bool Supervisor::account() {
  (void)attachment_->reap();
  bool fine = true;
  for (const std::string& what : unaccounted(*attachment_, static_cast<std::uint32_t>(children_.size())))
    fine = complain(what);
  if (!fine) std::fputs(describe(*attachment_).c_str(), stderr);
  return fine;
}

bool Supervisor::judge_journals() {
  std::vector<Record> records;
  for (const Child& child : children_) {
    const std::vector<Record> more = read_journal(child.place.journal);
    records.insert(records.end(), more.begin(), more.end());
  }
  const Verdict verdict = judge(records);
  totals_.published += verdict.published;
  totals_.unsure += verdict.unsure;
  totals_.got += verdict.got;
  totals_.redeliveries += verdict.redeliveries;
  totals_.forwarded += verdict.forwarded;
  totals_.forwarded_twice += verdict.forwarded_twice;
  for (const std::string& violation : verdict.violations) complain(violation);
  if (verdict.violation_count != 0) return complain(std::to_string(verdict.violation_count) + " violations");
  // Judged: what comes is another epoch.
  for (const Child& child : children_)
    if (::truncate(child.place.journal.c_str(), 0) != 0)
      return complain("cannot empty " + child.place.journal);
  return true;
}

bool Supervisor::epoch(double seconds) {
  ++totals_.epochs;
  command(Phase::run);
  const std::int64_t ends = monotonic_ns() + static_cast<std::int64_t>(seconds * 1e9);
  while (monotonic_ns() < ends) {
    harm_somebody();
    if (!look_after_children()) return false;
    ::usleep(500);
  }
  const bool by_closing = totals_.epochs % 2 == 0;
  if (!drain(by_closing)) return false;
  bool fine = account();
  fine &= judge_journals();
  attachment_.reset();
  if (fine && by_closing) fine = declare_queues();
  return fine;
}

bool Supervisor::run() {
  shmq::SegmentOptions options;
  options.size_bytes = 32u << 20;
  options.blocks = {{256, 256}, {4096, 128}, {65536, 48}, {1u << 20, 6}};
  options.participants_max = static_cast<std::uint32_t>(children_.size()) + 6;
  options.objects_max = 16;
  {
    auto made = shmq::Segment::create(segment_, options, {.name = "soak supervisor"});
    if (!made) return complain(made.error().message());
  }
  bool fine = declare_queues();
  command(Phase::pause);
  for (Child& child : children_) start(child);
  const std::int64_t began = monotonic_ns();
  std::int64_t told = began;
  while (fine) {
    const double left = settings_.seconds - static_cast<double>(monotonic_ns() - began) / 1e9;
    if (left <= 0) break;
    fine = epoch(std::min(settings_.epoch_seconds, left));
    if (monotonic_ns() - told > 60'000'000'000) {
      told = monotonic_ns();
      std::fprintf(stderr, "%.0f s: %llu epochs, %llu kills, %llu messages\n",
                   static_cast<double>(told - began) / 1e9, static_cast<unsigned long long>(totals_.epochs),
                   static_cast<unsigned long long>(totals_.kills),
                   static_cast<unsigned long long>(totals_.published));
    }
  }
  command(Phase::leave);
  const double seconds = static_cast<double>(monotonic_ns() - began) / 1e9;
  for (Child& child : children_) {
    if (!fine) ::kill(child.pid, SIGKILL);
    int status = 0;
    ::waitpid(child.pid, &status, 0);
    if (fine && status != 0)
      fine = complain("worker " + std::to_string(child.place.number) + " left with status " +
                      std::to_string(status));
    child.pid = 0;
  }
  if (fine || !settings_.keep) {
    if (auto removed = shmq::Segment::remove(segment_); !removed) fine = complain(removed.error().message());
    for (const auto& file : std::filesystem::directory_iterator("/dev/shm"))
      if (file.path().filename().string().find(segment_) != std::string::npos)
        fine = complain("left in /dev/shm: " + file.path().string());
  }
  const auto n = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
  std::printf(
      "soak: seed %llu, %.0f s, %llu epochs, %llu processes, %llu kills, %llu stops, %llu exits with loans "
      "held; "
      "%llu messages published and all got, %llu intended by the killed; %llu deliveries, %llu marked as "
      "repeats, "
      "%llu forwarded (%llu twice); %llu ends of spsc queues had after a dead owner; "
      "longest wait behind a killed peer %.1f ms; %s\n",
      n(settings_.seed), seconds, n(totals_.epochs), n(totals_.started), n(totals_.kills), n(totals_.stops),
      n(totals_.exits), n(totals_.published), n(totals_.unsure), n(totals_.got), n(totals_.redeliveries),
      n(totals_.forwarded), n(totals_.forwarded_twice), n(control_->successions.load()),
      static_cast<double>(control_->longest_wait_ns.load()) / 1e6, fine ? "no violation" : "FAILED");
  return fine;
}

}  // namespace soak
