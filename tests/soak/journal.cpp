#include "journal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace soak {

namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::fprintf(stderr, "shmq-soak: %s: %s\n", what.c_str(), std::strerror(errno));
  ::_exit(3);
}

}  // namespace

Journal::Journal(const std::string& path)
    : descriptor_(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {
  if (descriptor_ < 0) give_up("cannot open " + path);
}

Journal::~Journal() { ::close(descriptor_); }

void Journal::write(const Record* records, std::size_t count) {
  const char* bytes = reinterpret_cast<const char*>(records);
  std::size_t left = count * sizeof(Record);
  while (left > 0) {
    const ssize_t written = ::write(descriptor_, bytes, left);
    if (written < 0 && errno != EINTR) give_up("cannot write the journal");
    if (written <= 0) continue;
    bytes += written;
    left -= static_cast<std::size_t>(written);
  }
}

std::vector<Record> read_journal(const std::string& path) {
  std::vector<Record> records;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) give_up("cannot read " + path);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) give_up("cannot look at " + path);
  records.resize(static_cast<std::size_t>(status.st_size) / sizeof(Record));
  char* bytes = reinterpret_cast<char*>(records.data());
  std::size_t left = records.size() * sizeof(Record);
  while (left > 0) {
    const ssize_t got = ::read(descriptor, bytes, left);
    if (got < 0 && errno != EINTR) give_up("cannot read " + path);
    if (got == 0) break;
    bytes += got;
    left -= static_cast<std::size_t>(got);
  }
  ::close(descriptor);
  return records;
}

}  // namespace soak
