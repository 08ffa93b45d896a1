#include "point.hpp"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <array>
#include <cstdio>
#include <memory>
#include <sstream>

namespace killtest {
namespace {

// Those that a shared-memory library is likely to make; others appear by number.
std::string call_name(long number) {
  struct Name {
    long number;
    const char* text;
  };
  static constexpr std::array names{
      Name{SYS_read, "read"},
      Name{SYS_write, "write"},
      Name{SYS_open, "open"},
      Name{SYS_openat, "openat"},
      Name{SYS_close, "close"},
      Name{SYS_fstat, "fstat"},
      Name{SYS_newfstatat, "fstatat"},
      Name{SYS_lseek, "lseek"},
      Name{SYS_mmap, "mmap"},
      Name{SYS_munmap, "munmap"},
      Name{SYS_mprotect, "mprotect"},
      Name{SYS_madvise, "madvise"},
      Name{SYS_brk, "brk"},
      Name{SYS_fcntl, "fcntl"},
      Name{SYS_ftruncate, "ftruncate"},
      Name{SYS_fallocate, "fallocate"},
      Name{SYS_fchmod, "fchmod"},
      Name{SYS_fchown, "fchown"},
      Name{SYS_unlink, "unlink"},
      Name{SYS_unlinkat, "unlinkat"},
      Name{SYS_link, "link"},
      Name{SYS_linkat, "linkat"},
      Name{SYS_rename, "rename"},
      Name{SYS_renameat2, "renameat2"},
      Name{SYS_futex, "futex"},
      Name{SYS_membarrier, "membarrier"},
      Name{SYS_sched_yield, "sched_yield"},
      Name{SYS_getpid, "getpid"},
      Name{SYS_gettid, "gettid"},
      Name{SYS_getrandom, "getrandom"},
      Name{SYS_statfs, "statfs"},
      Name{SYS_fstatfs, "fstatfs"},
      Name{SYS_readlink, "readlink"},
      Name{SYS_getdents64, "getdents64"},
      Name{SYS_clock_gettime, "clock_gettime"},
      Name{SYS_clock_nanosleep, "clock_nanosleep"},
      Name{SYS_kill, "kill"},
      Name{SYS_pwrite64, "pwrite"},
      Name{SYS_pread64, "pread"},
      Name{SYS_umask, "umask"},
      Name{SYS_clone, "clone"},
      Name{SYS_clone3, "clone3"},
      Name{SYS_eventfd2, "eventfd2"},
      Name{SYS_pwritev2, "pwritev2"},
  };
  for (const Name& name : names) {
    if (name.number == number) return name.text;
  }
  return "system call " + std::to_string(number);
}

std::string output_of(const std::string& command) {
  std::string text;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::array<char, 512> part;
  while (pipe && std::fgets(part.data(), part.size(), pipe.get())) text += part.data();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

std::string describe(const Point& point) {
  std::ostringstream out;
  out << "point " << point.index << ", step " << point.step << ": ";
  switch (point.kind) {
    case Point::Kind::begin:
      out << "before the first instruction";
      break;
    case Point::Kind::memory:
      break;
    case Point::Kind::syscall_enter:
      out << "entering " << call_name(point.call);
      break;
    case Point::Kind::syscall_return:
      out << "returned from " << call_name(point.call) << " = " << point.result;
      break;
    case Point::Kind::asleep:
      out << "asleep in " << call_name(point.call);
      break;
    case Point::Kind::instruction:
      out << "nothing that others see";
      break;
  }
  if (const auto& change = point.change) {
    if (point.kind != Point::Kind::memory) out << ", ";
    out << "changed " << change->object << std::hex << " +0x" << change->offset << std::dec << ", "
        << change->length << (change->length == 1 ? " byte" : " bytes") << std::hex << " (word "
        << change->before << " -> " << change->after << ")";
  }
  return out.str();
}

std::string symbolise(std::uintptr_t address) {
  std::ostringstream out;
  out << std::hex << "0x" << address;
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(address), &info) == 0 || !info.dli_fname) return out.str();
  const auto offset = address - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  if (info.dli_sname) out << " " << info.dli_sname;
  out << " (" << info.dli_fname << "+0x" << offset << ")";
  std::ostringstream command;
  command << "addr2line -Cfips -e /proc/" << getpid() << "/exe 0x" << std::hex << offset << " 2>/dev/null";
  Dl_info own{};
  const bool in_program =
      dladdr(reinterpret_cast<void*>(&describe), &own) != 0 && own.dli_fbase == info.dli_fbase;
  if (const std::string lines = in_program ? output_of(command.str()) : ""; !lines.empty())
    out << "\n      " << lines;
  return out.str();
}

}  // namespace killtest
