// What --help says about the commands that run commands.
#pragma once

namespace shmq::cli {

extern const char* const kMapHelp;
extern const char* const kWorkHelp;

}  // namespace shmq::cli
