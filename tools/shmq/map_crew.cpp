#include "map_crew.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/text.hpp"
#include "failure.hpp"
#include "output.hpp"

namespace shmq::cli {

namespace {

/// A file without a name: it goes with the last process that has it.
Descriptor nameless_file() {
  const char* const given = std::getenv("TMPDIR");
  const std::string folder = given != nullptr && *given != '\0' ? given : "/tmp";
  Descriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!file) {  // not every file system has such
    std::string path = folder + "/shmq-map.XXXXXX";
    file = Descriptor(::mkostemp(path.data(), O_CLOEXEC));
    if (file) ::unlink(path.c_str());
  }
  if (!file)
    throw Failure{kMapTrouble, "cannot make a file in " + folder + " for long outputs: " + base::errno_text(errno) +
                                   "; name another folder with TMPDIR"};
  return file;
}

}  // namespace

MapCrew::MapCrew(const CommandLine& command, const MapOptions& options, std::string segment)
    : command_(command), options_(options), segment_(std::move(segment)), pids_(options.workers), commands_(options.workers) {
  for (unsigned i = 0; i < options.workers; ++i) files_.push_back(nameless_file());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw Failure{kMapTrouble, "cannot make a pipe: " + base::errno_text(errno)};
  told_read_ = Descriptor(ends[0]);
  told_write_ = Descriptor(ends[1]);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  adopt_left_behind();
}

MapCrew::~MapCrew() {
  tell_to_end();
  for (std::uint32_t slot = 0; slot < pids_.size(); ++slot) {
    if (pids_[slot] == 0) continue;
    while (::waitpid(pids_[slot], nullptr, 0) < 0 && errno == EINTR) {
    }
    end_left_behind(commands_[slot]);
  }
}

void MapCrew::fill(std::size_t wanted) {
  if (running_ >= std::min(wanted, pids_.size())) return;
  for (std::uint32_t slot = 0; slot < pids_.size() && running_ < wanted; ++slot) {
    if (pids_[slot] != 0) continue;
    const MapPlace place{command_, options_,      segment_,           ::getpid(),
                         slot,     commands_[slot], files_[slot].get(), told_write_.get()};
    const pid_t pid = ::fork();
    if (pid == 0) ::_exit(run_map_worker(place));
    if (pid < 0) {
      if (running_ == 0) throw Failure{kMapTrouble, "cannot start a worker: " + base::errno_text(errno)};
      if (!refused_) remark("map: goes on with " + std::to_string(running_) + " workers: " + base::errno_text(errno));
      refused_ = true;
      return;
    }
    pids_[slot] = pid;
    ++running_;
  }
}

MapCrew::Ended MapCrew::look() {
  Ended ended;
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    const auto at = std::find(pids_.begin(), pids_.end(), pid);
    if (at == pids_.end()) continue;  // left behind by a command
    *at = 0;
    --running_;
    end_left_behind(commands_[static_cast<std::size_t>(at - pids_.begin())]);
    if (WIFSIGNALED(status))
      ++ended.killed;
    else if (WEXITSTATUS(status) != 0)
      ++ended.failed;
  }
  return ended;
}

void MapCrew::tell_to_end() {
  for (const pid_t pid : pids_)
    if (pid != 0) ::kill(pid, SIGTERM);  // not reaped yet: nobody else has this pid
}

}  // namespace shmq::cli
