// shmq: segments and queues on the command line.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "commands.hpp"
#include "failure.hpp"
#include "output.hpp"

namespace {

using namespace shmq::cli;

/// A descriptor that the program was started without must not become a segment's file: reading or writing it
/// fails.
void occupy_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd)
    if (::fcntl(fd, F_GETFD) < 0) (void)::open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

int run(const Command& command, const Words& words) {
  for (const std::string& word : words) {
    if (word == "--") break;
    if (word == "--help" || word == "-h") {
      print(command.help);
      return kOk;
    }
  }
  const std::string name = command.name;
  // The name that it is about goes in front of what happened to it; the message of a wrong one has it
  // already.
  const bool about = !words.empty() && !words[0].empty() && words[0][0] != '-';
  try {
    return command.run(words);
  } catch (const UsageError& error) {
    remark(name + ": " + error.message + "; see shmq " + name + " --help");
    return kUsage;
  } catch (const Failure& failure) {
    remark((about && failure.status != kUsage ? name + " " + words[0] : name) + ": " + failure.message);
    return failure.status;
  } catch (const std::exception& error) {
    remark(name + ": " + error.what());
    return kFailed;
  }
}

int run_program(int argc, char** argv) {
  Words words(argv + 1, argv + argc);
  if (words.empty()) {
    remark("needs a command; see shmq --help");
    return kUsage;
  }
  std::string name = words.front();
  words.erase(words.begin());
  if (name == "--help" || name == "-h" || (name == "help" && words.empty())) {
    print(kProgramHelp);
    return kOk;
  }
  if (name == "help") {
    name = words.front();
    words = {"--help"};
  }
  if (name == "--version") {
    print("shmq " SHMQ_VERSION "\n");
    return kOk;
  }
  if (const Command* command = find_command(name)) return run(*command, words);
  remark("there is no command \"" + name + "\"; see shmq --help");
  return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  occupy_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // write() says EPIPE instead: what could not be written is given back
  try {
    return run_program(argc, argv);
  } catch (const Failure& failure) {  // of print()
    remark(failure.message);
    return failure.status;
  }
}
