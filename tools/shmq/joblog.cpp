#include "joblog.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::cli {

namespace {

/// One field of a line: what would end it is written as \t, \n, \\ and \r.
void append_field(std::string& to, const std::string& text) {
  for (const char c : text) {
    const char* const mark = c == '\t' ? "\\t" : c == '\n' ? "\\n" : c == '\\' ? "\\\\" : c == '\r' ? "\\r" : nullptr;
    if (mark != nullptr)
      to += mark;
    else
      to += c;
  }
}

std::string seconds_text(std::int64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(ns / 1'000'000'000),
                static_cast<long long>(ns / 1'000'000 % 1000));
  return text;
}

}  // namespace

Joblog::Joblog(const std::string& path) {
  if (path.empty()) return;
  file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file_) throw Failure{kFailed, "cannot write --joblog " + path + ": " + base::errno_text(errno)};
  text_ = "Seq\tStart\tRuntime\tExit\tSignal\tCommand\n";
}

void Joblog::add(const JobRow& row) {
  text_ += std::to_string(row.number) + '\t' + seconds_text(row.started_ns) + '\t' + seconds_text(row.took_ns) + '\t' +
           std::to_string(row.status) + '\t' + std::to_string(row.signal) + '\t';
  for (std::size_t i = 0; i < row.command.size(); ++i) {
    if (i != 0) text_ += ' ';
    append_field(text_, row.command[i]);
  }
  text_ += '\n';
}

int Joblog::write() {
  std::size_t done = 0;
  while (file_ && done < text_.size()) {
    const ssize_t n = ::write(file_.get(), text_.data() + done, text_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    done += static_cast<std::size_t>(n);
  }
  text_.clear();
  return 0;
}

}  // namespace shmq::cli
