// What --help says. docs/cli-shmq-bench.md is the same at more length.
#pragma once

namespace shmq::bench {

extern const char* const kHelp;

}  // namespace shmq::bench
