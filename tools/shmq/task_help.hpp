// What --help says about the commands of task tables.
#pragma once

namespace shmq::cli {

extern const char* const kTableHelp;
extern const char* const kSubmitHelp;
extern const char* const kTaskHelp;

}  // namespace shmq::cli
