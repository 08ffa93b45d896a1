#include "command_line.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.hpp"
#include "failure.hpp"

namespace shmq::cli {

namespace {

constexpr std::string_view kPlace = "{}";

bool is_program(const std::string& path) {
  struct stat status {};
  return ::access(path.c_str(), X_OK) == 0 && ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

/// As a shell does: a name with a slash is a path, any other is looked for in PATH. Empty where it is not there.
std::string find_program(const std::string& name) {
  if (name.empty()) return "";
  if (name.find('/') != std::string::npos) return name;
  const char* const given = std::getenv("PATH");
  const std::string_view folders = given != nullptr ? given : "/usr/local/bin:/usr/bin:/bin";
  for (std::size_t begin = 0; begin <= folders.size();) {
    const std::size_t colon = std::min(folders.find(':', begin), folders.size());
    const std::string folder(folders.substr(begin, colon - begin));
    std::string path = (folder.empty() ? "." : folder) + "/" + name;
    if (is_program(path)) return path;
    begin = colon + 1;
  }
  return "";
}

}  // namespace

CommandLine::CommandLine(std::vector<std::string> words) : words_(std::move(words)) {
  takes_payload_ = std::any_of(words_.begin(), words_.end(),
                               [](const std::string& word) { return word.find(kPlace) != std::string::npos; });
  if (words_.front().find(kPlace) != std::string::npos) return;
  program_ = find_program(words_.front());
  if (program_.empty() || (words_.front().find('/') != std::string::npos && !is_program(program_)))
    throw Failure{kNotFound, "cannot run \"" + base::printable(words_.front()) +
                                 "\": there is no such program; name one that is in PATH, or give its path" +
                                 (words_.front().find(' ') == std::string::npos
                                      ? ""
                                      : "; there is no shell: give each argument as a word, or run sh -c '...'")};
}

void CommandLine::append_payload() {
  words_.emplace_back(kPlace);
  takes_payload_ = true;
}

std::vector<std::string> CommandLine::with(std::string_view payload) const {
  std::vector<std::string> arguments;
  arguments.reserve(words_.size());
  for (const std::string& word : words_) {
    std::string& argument = arguments.emplace_back();
    std::size_t begin = 0;
    for (std::size_t at = 0; (at = word.find(kPlace, begin)) != std::string::npos; begin = at + kPlace.size()) {
      argument.append(word, begin, at - begin);
      argument.append(payload);
    }
    argument.append(word, begin);
  }
  return arguments;
}

std::string CommandLine::program(const std::vector<std::string>& arguments) const {
  return program_.empty() ? find_program(arguments.front()) : program_;
}

}  // namespace shmq::cli
