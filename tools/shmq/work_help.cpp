// What --help says about the commands that run commands. docs/cli-shmq.md is the same at more length.
#include "work_help.hpp"

namespace shmq::cli {

const char* const kMapHelp =
    R"help(Usage: shmq map [--workers N] [--keep-order] [--retries N] [--timeout SECONDS] [--joblog FILE] [--progress] [-0]
                [--] COMMAND [ARGUMENT...] < items

Runs COMMAND once for each line of standard input, N at a time, and writes the output of each as a whole. The line, without
its newline, stands at each {} in the arguments, or is the last argument where there is no {}. There is no shell: an item
with spaces, quotes or nothing in it is one argument. An empty line is an item. Commands read /dev/null; their standard
error passes through.

  --workers N          how many at a time: the processors, up to 1000; also -P N, -j N
  --keep-order, -k     write the outputs in the order of the items; otherwise as they come
  --retries N          run a command that failed up to N times more; only its last output is written
  --timeout SECONDS    end a command that takes longer (SIGTERM, after 2 s SIGKILL); it has failed then
  --joblog FILE        a line for each item, tabs between: number, start, seconds, exit status, signal, command
  --progress           on standard error, how far it is
  -0                   NUL ends an item instead of newline

Each worker is a process of its own. One that is killed loses nothing: what it ran is ended, and run again by another; an
item with which 4 workers were killed is given up. What a command leaves running in the background is not waited for.
SIGINT, SIGTERM and SIGHUP end the commands, too.

An item that no argument can be (longer than 131071 bytes, or with a NUL) is a failed one.

Exit status: 0 all commands did well; 1 to 100: so many failed; 101: more than 100; 129, 130, 143: a signal; 141: the reader
of the output has gone; 255: anything else.

Examples
  find . -name '*.png' -print0 | shmq map -0 --progress optipng -quiet {}
  shmq map --workers 8 --keep-order --retries 2 -- curl -fsS https://example.org/{} < pages
)help";

const char* const kWorkHelp =
    R"help(Usage: shmq work SEG/T [OPTIONS] -- COMMAND [ARGUMENT...]

Takes tasks of a table and runs COMMAND for each. The payload stands at each {} in the arguments; where there is no {}, it is
the command's standard input. There is no shell. What the command writes to standard output is the task's result, without
its last newline; standard error passes through. Exit status 0: the task is done. Any other: the run failed, a signal: it
crashed, and the task is run again as often as it says (shmq submit --retries, --crashes). Any number of shmq work may serve
one table.

  --slots N            commands at a time: the processors, up to 1000
  --timeout SECONDS    end a command that takes longer; the run has failed
  --result-max SIZE    a larger output is a failure, and its command is ended: 1M
  --whole              the result is the output as it is, its last newline included
  --count N            end after N runs; a task that is run again counts again
  --until-drained      end when the table drains (shmq task SEG/T drain) and nothing is left to run; tasks
                       that are held or delayed are left, too
  --grace SECONDS      after SIGTERM: how long commands may go on: 10

A task that is cancelled (shmq task SEG/T cancel), or whose lease is lost, has its command ended: SIGTERM for its whole
process group, after 2 s SIGKILL. On SIGTERM, SIGINT or SIGHUP it takes no more tasks, lets its commands go on for the grace,
and then ends them and gives their tasks back; a second signal ends them at once. Killed with SIGKILL, its commands are
ended, and its tasks are run by others.

Commands find SHMQ_TASK_ID, SHMQ_TASK_NAME and SHMQ_TASK_RUNS_BEFORE in their environment.

Exit status: 0 --count or --until-drained was reached, or a signal came; 3 no such table or command; 4 the table was removed.

Example
  shmq work demo/jobs --slots 4 -- gzip -k {}
)help";

}  // namespace shmq::cli
