// shmq-wordcount: counts the words of a corpus with several processes over a task table, kills one of them while it runs a
// task, and compares the result with a plain count.
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <stdexcept>
#include <thread>

#include "corpus.hpp"
#include "job.hpp"
#include "words.hpp"

namespace {

constexpr const char* kHelp = R"(Usage: shmq-wordcount [OPTION...] FILE...

Counts the words (runs of ASCII letters) of the files, and of the files below folders, with several processes: pieces
of text become tasks of a task table in shared memory, workers count them, and the counts are added up. One worker is
killed with SIGKILL while it runs a task, which is run again by another. The result is compared with a plain count by a
single process.

  --workers N   how many workers, the one that is killed included (default 3, at least 2)
  --no-kill     kill nobody
  --keep        leave the segment wordcount-PID for a look with shmq-stat
  --help, --version

Exit status: 0 identical; 1 not identical, the killed worker's task was not run again, or the job failed; 2 wrong arguments.
)";

int usage(const std::string& why) {
  std::cerr << "shmq-wordcount: " << why << "; see shmq-wordcount --help\n";
  return 2;
}

/// True where both counts say the same; else shows the first differences.
bool compare(const wordcount::Counts& found, const std::map<std::string, std::uint64_t>& plain) {
  int shown = 0;
  const auto differ = [&](const std::string& word, std::uint64_t a, std::uint64_t b) {
    if (++shown <= 10)
      std::cerr << "  \"" << word << "\": " << a << " over the table, " << b << " in the plain count\n";
  };
  for (const auto& [word, count] : plain) {
    const auto at = found.find(word);
    const std::uint64_t other = at == found.end() ? 0 : at->second;
    if (other != count) differ(word, other, count);
  }
  for (const auto& [word, count] : found)
    if (!plain.contains(word)) differ(word, count, 0);
  return shown == 0;
}

int run(const std::vector<std::string>& arguments, const wordcount::JobOptions& options) {
  const wordcount::Corpus corpus = wordcount::find_corpus(arguments);
  std::cout << std::fixed << std::setprecision(1);
  std::cout << "corpus      " << corpus.files.size() << " files, " << static_cast<double>(corpus.bytes) / 1e6
            << " MB\n"
            << "processes   1 submitter, " << options.workers << " workers, 1 table of " << wordcount::kWindow << " tasks"
            << std::endl;
  const wordcount::JobResult job = run_job(corpus, options);

  const auto begin = std::chrono::steady_clock::now();
  std::map<std::string, std::uint64_t> plain;
  for (const std::string& file : corpus.files) wordcount::count_file_plainly(file, plain);
  const double plain_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::uint64_t total = 0;
  for (const auto& [word, count] : plain) total += count;

  if (options.kill_one) {
    std::cout << "repair      task " << job.held_id;
    if (job.repair_ms >= 0)
      std::cout << " was run by worker " << job.repaired_by << " " << job.repair_ms
                << " ms after the kill; the killed run counts as a crash\n";
    else
      std::cout << " was not run again\n";
    std::cout << "\njust before the kill, shmq-stat said:\n\n" << job.stat_table << '\n';
  }
  std::cout << "throughput  " << static_cast<double>(job.bytes) / 1e6 / job.seconds << " MB/s, "
            << static_cast<double>(job.shards) / job.seconds << " tasks/s (" << job.shards << " tasks in "
            << std::setprecision(2) << job.seconds << " s; a plain count by one process took " << plain_seconds
            << " s)\n";
  const bool identical = compare(job.words, plain);
  std::cout << "result      " << total << " words, " << plain.size()
            << " different: " << (identical ? "identical" : "NOT identical") << " to the plain count"
            << std::endl;
  if (options.kill_one && (job.repair_ms < 0 || job.rerun != 1)) {
    std::cerr << "shmq-wordcount: a worker was killed while it ran a task, and " << job.rerun
              << " tasks were run again, not that one alone\n";
    return 1;
  }
  return identical ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  wordcount::JobOptions options;
  static const option kOptions[] = {
      {"workers", required_argument, nullptr, 'w'}, {"no-kill", no_argument, nullptr, 'n'},
      {"keep", no_argument, nullptr, 'k'},          {"help", no_argument, nullptr, 'h'},
      {"version", no_argument, nullptr, 'v'},       {nullptr, 0, nullptr, 0}};
  opterr = 0;
  for (int c = 0; (c = ::getopt_long(argc, argv, "h", kOptions, nullptr)) != -1;) {
    switch (c) {
      case 'w': {
        char* end = nullptr;
        const unsigned long n = std::strtoul(optarg, &end, 10);
        if (*end != '\0' || n < 1 || n > 60) return usage("--workers takes a number from 1 to 60");
        options.workers = static_cast<unsigned>(n);
        break;
      }
      case 'n':
        options.kill_one = false;
        break;
      case 'k':
        options.keep_segment = true;
        break;
      case 'h':
        std::cout << kHelp;
        return 0;
      case 'v':
        std::cout << "shmq-wordcount " SHMQ_VERSION "\n";
        return 0;
      default:
        return usage(std::string("unknown option ") + argv[optind - 1]);
    }
  }
  if (options.kill_one && options.workers < 2)
    return usage("one worker is killed, so there must be at least 2 (or --no-kill)");
  if (optind == argc) return usage("no files to count");

  struct sigaction action {};
  action.sa_handler = [](int) { wordcount::request_stop(); };
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  try {
    return run({argv + optind, argv + argc}, options);
  } catch (const std::exception& error) {
    std::cerr << "shmq-wordcount: " << error.what() << '\n';
    return 1;
  }
}
