// shmq-soak: many processes over several queues, killed and stopped at random, judged by journals outside.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include "supervisor.hpp"

namespace {

constexpr const char* kUsage = R"(Usage: shmq-soak [OPTION...]

Producers, consumers and forwarders over five mpmc queues of one segment, and producers and consumers that compete for
the ends of two spsc queues. They are killed (SIGKILL) and stopped (SIGSTOP,
SIGCONT) at random instants and replaced. Each journals to a file of its own what it does; every epoch ends with a
drain, in which the journals are judged and the segment is accounted for.

  --seconds S         how long (20; with SHMQ_LONG=1 in the environment 1920)
  --epoch S           how long an epoch is (20, or a third of a short run)
  --seed N            of the dice (from the clock); the schedule of the processes is the kernel's and is not repeated
  --producers N       3
  --consumers N       3, and one more of the queue that has only one
  --forwarders N      2
  --spsc-producers N  3
  --spsc-consumers N  3
  --only KIND         mpmc or spsc: only the processes of that kind of queue
  --keep              leaves segment and journals behind where something is wrong

Exit status: 0 no violation; 1 a violation, said on stderr; 2 usage.
)";

}  // namespace

int main(int argc, char** argv) {
  soak::Settings settings;
  const char* const is_long = std::getenv("SHMQ_LONG");
  settings.seconds = is_long != nullptr && std::strcmp(is_long, "1") == 0 ? 1920 : 20;
  settings.epoch_seconds = 0;
  settings.seed = std::random_device{}();
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--help" || option == "-h") {
      std::fputs(kUsage, stdout);
      return 0;
    }
    if (option == "--keep") {
      settings.keep = true;
      continue;
    }
    if (option == "--only" && i + 1 < argc) {
      const std::string kind = argv[++i];
      settings.mpmc = kind == "mpmc";
      settings.spsc = kind == "spsc";
      if (settings.mpmc || settings.spsc) continue;
      std::fputs(kUsage, stderr);
      return 2;
    }
    char* end = nullptr;
    const double number = i + 1 < argc ? std::strtod(argv[++i], &end) : -1;
    const bool sound = end != nullptr && *end == '\0' && number >= 0;
    const auto count = static_cast<std::uint32_t>(sound ? number : 0);
    if (sound && option == "--seconds")
      settings.seconds = number;
    else if (sound && option == "--epoch")
      settings.epoch_seconds = number;
    else if (sound && option == "--seed")
      settings.seed = static_cast<std::uint64_t>(number);
    else if (count > 0 && count <= 20 && option == "--producers")
      settings.producers = count;
    else if (count > 0 && count <= 20 && option == "--consumers")
      settings.consumers = count;
    else if (count > 0 && count <= 20 && option == "--forwarders")
      settings.forwarders = count;
    else if (count > 0 && count <= 20 && option == "--spsc-producers")
      settings.spsc_producers = count;
    else if (count > 0 && count <= 20 && option == "--spsc-consumers")
      settings.spsc_consumers = count;
    else {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  if (settings.epoch_seconds <= 0) settings.epoch_seconds = settings.seconds < 60 ? settings.seconds / 3 : 20;
  return soak::Supervisor(settings).run() ? 0 : 1;
}
