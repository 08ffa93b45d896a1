// map: what its command line says.
#include "commands.hpp"
#include "failure.hpp"
#include "map.hpp"
#include "options.hpp"
#include "output.hpp"
#include "processors.hpp"

namespace shmq::cli {

namespace {

constexpr unsigned kWorkersMax = 1000;

int run(const Words& words) {
  const Arguments arguments(words,
                            {{"--workers", "N"},
                             {"-P", "N"},
                             {"-j", "N"},
                             {"--keep-order"},
                             {"-k"},
                             {"--retries", "N"},
                             {"--timeout", "SECONDS"},
                             {"--joblog", "FILE"},
                             {"--progress"},
                             {"-0"}},
                            WordPlace::last);
  if (arguments.words().empty()) throw UsageError{"needs a COMMAND to run for each item"};
  MapOptions options;
  options.workers = processors();
  for (const char* const name : {"-j", "-P", "--workers"})  // as other programs that do this call it
    options.workers = static_cast<unsigned>(arguments.number(name, options.workers, 1, kWorkersMax));
  options.keep_order = arguments.has("--keep-order") || arguments.has("-k");
  options.retries = static_cast<unsigned>(arguments.number("--retries", 0, 0, 1000));
  options.framing = arguments.has("-0") ? Framing::nul : Framing::line;
  options.timeout_ns = arguments.seconds_ns("--timeout");
  options.joblog = arguments.get("--joblog").value_or("");
  options.progress = arguments.has("--progress");
  CommandLine command(arguments.words());
  if (!command.takes_payload()) command.append_payload();
  return run_map(command, options);
}

}  // namespace

/// Small exit statuses count items here, so what else goes wrong is told apart from them.
int map_command(const Words& words) {
  try {
    return run(words);
  } catch (const UsageError& error) {
    remark("map: " + error.message + "; see shmq map --help");
  } catch (const Failure& failure) {
    remark("map: " + failure.message);
  }
  return kMapTrouble;
}

}  // namespace shmq::cli
