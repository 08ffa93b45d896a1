#include "corpus.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "words.hpp"

namespace wordcount {

namespace fs = std::filesystem;

namespace {

std::runtime_error failure(const std::string& what, const std::string& path, int error) {
  return std::runtime_error("cannot " + what + " " + path + ": " + std::strerror(error));
}

void add_file(Corpus& corpus, const fs::path& path) {
  if (::access(path.c_str(), R_OK) != 0) throw failure("read", path, errno);
  corpus.files.push_back(path);
  corpus.bytes += fs::file_size(path);
}

}  // namespace

Corpus find_corpus(const std::vector<std::string>& arguments) {
  Corpus corpus;
  for (const std::string& argument : arguments) {
    std::error_code error;
    const fs::file_status status = fs::status(argument, error);
    if (status.type() == fs::file_type::not_found) throw failure("read", argument, ENOENT);
    if (fs::is_directory(status)) {
      for (const auto& entry : fs::recursive_directory_iterator(argument, error))
        if (entry.is_regular_file()) add_file(corpus, entry.path());
      if (error) throw failure("walk", argument, error.value());
    } else if (fs::is_regular_file(status)) {
      add_file(corpus, argument);
    } else {
      throw std::runtime_error(argument + " is neither a file nor a folder: the corpus is read twice");
    }
  }
  std::sort(corpus.files.begin(), corpus.files.end());
  return corpus;
}

void for_each_chunk(const std::string& path, const std::function<bool(std::string_view)>& chunk) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw failure("read", path, errno);
  std::string buffer(kChunkBytes, '\0');
  std::size_t kept = 0;
  for (;;) {
    const ssize_t got = ::read(file, buffer.data() + kept, buffer.size() - kept);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::close(file);
      throw failure("read", path, error);
    }
    const std::size_t have = kept + static_cast<std::size_t>(got);
    std::size_t end = have;
    if (got != 0)
      while (end > 0 && is_letter(buffer[end - 1])) --end;
    if (end == 0 && have == buffer.size()) {
      ::close(file);
      throw std::runtime_error(path + " has a run of more than " + std::to_string(kChunkBytes) +
                               " letters: it is no text, leave it out");
    }
    const bool wanted = end == 0 || chunk(std::string_view(buffer).substr(0, end));
    if (got == 0 || !wanted) break;
    kept = have - end;
    std::memmove(buffer.data(), buffer.data() + end, kept);
  }
  ::close(file);
}

}  // namespace wordcount
