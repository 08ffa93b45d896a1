// What --help says about the commands of task tables. docs/cli-shmq.md is the same at more length.
#include "task_help.hpp"

namespace shmq::cli {

const char* const kTableHelp =
    R"help(Usage: shmq table SEG/T [--capacity N] [--policy POLICY] [--payload BYTES] [--result BYTES] [OPTIONS]

Declares a task table: makes it, or does nothing where it is declared the same way already; fails (1) and names the
difference where it is declared otherwise.

  --capacity N      tasks that it holds in whatever state, those that are over and not removed included: 4096
  --payload BYTES   what a payload may have without a block of the segment: 64; rounded up to a multiple of 64; 0 to 64K
  --result BYTES    the same of results: 64
  --policy POLICY   which task is next: fifo, the one that became ready first (the default, and the fastest); priority,
                    the one with the least priority, where waiting counts as well (--aging); edf, the one with the
                    earliest deadline
  --aging SECONDS   with priority: a task of priority p goes before all that are submitted later than p times this after
                    it, whatever theirs: 1
  --errors N        how many of its last errors are kept with a task: 2, up to 16
  --names N         how many names of tasks have figures of their own in shmq-stat tasks: 32, up to 4096
  --keys N          how many tasks may have a --key at once: 0
  --keep-max N      how many tasks that are over are kept; beyond it the oldest go. 0, the default: nothing goes by itself,
                    and a table full of finished tasks takes no more. Alone, it changes a table that is there already

Examples
  shmq table demo/jobs --capacity 100000 --payload 256 --policy priority
  shmq table demo/jobs --keep-max 1000
)help";

const char* const kSubmitHelp =
    R"help(Usage: shmq submit SEG/T [PAYLOAD...] [OPTIONS]

Each PAYLOAD becomes a task, or, where none is given, each line of standard input, without its newline. Lines are
submitted as they come. Prints the ids of the tasks, one a line. A task whose id is printed is there, whoever is killed.

  --name NAME        what kind of task it is: workers may look at it; up to 63 bytes
  --retries N        how often a run that failed is followed by another one: 3. After that the task is dead
  --crashes N        how often one whose worker was killed is: 3
  --timeouts N       how often one that took longer than --timeout is: 3
  --timeout SECONDS  how long a run may take. Then it cannot complete the task any more, and the task is run again
  --backoff FIRST[:MOST]
                     seconds until the next run: FIRST, then twice as long each time, up to MOST (an hour). 5:5 is
                     always 5. Without it: at once
  --jitter PERCENT   how much of that chance decides on: 0
  --priority N       0, the first, to 255: 128. Counts in a table with --policy priority
  --deadline SECONDS from now on: counts in a table with --policy edf, and for --overdue
  --overdue WHAT     what becomes of a task that was not started by its deadline: run (the default) or expire
  --expires SECONDS  it expires where it was not started by then
  --delay SECONDS    it is not started before
  --hold             it is not started before shmq task SEG/T unhold
  --key KEY          while a task with this key is there, another one is not submitted: the id of the first is printed
  --key-until WHAT   how long it counts: done (the default; a dead task keeps it), started, or so many SECONDS
  --keep-for SECONDS how long it stays in the table once it is over
  --correlation N    a number of yours that goes with it
  --forget           it leaves the table as soon as it is done, and its result with it (a dead one stays). Otherwise it
                     stays until it is removed: shmq task SEG/T purge
  -0                 NUL ends a record of the input instead of newline, and a result with --wait
  --whole            all of standard input is one payload; nothing after a result
  --room-timeout SECONDS
                     how long to wait for room in a full table, or for a block (default: for ever; after a second
                     standard error says, once, why there is none)
  --wait             prints results instead of ids, each followed by a newline, in the order of submission, as soon as
                     their turn comes; then removes the task. Of a task that did not get done: an empty line, and why on
                     standard error
  --keep             with --wait: leaves the tasks in the table

Where it ends early, standard error says how many tasks were submitted and which line is the first that was not. With
--wait the table bounds what is under way, not the input: while it is full, results are printed, and make room.

Exit status: 0 all is submitted, and with --wait done; 1 with --wait: some did not get done, standard error says which;
4 the table drains, or was removed; 5 --room-timeout passed; 129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM with input
not submitted or results not printed: their tasks stay in the table. Others: shmq --help.

Examples
  shmq submit demo/jobs --name resize --retries 5 a.jpg b.jpg
  find /data -name '*.jpg' -print0 | shmq submit demo/jobs -0 --name resize --forget
  seq 1 1000000 | shmq submit demo/sums --wait > sums.txt
)help";

const char* const kTaskHelp =
    R"help(Usage: shmq task SEG/T list [--state STATE]... [--name NAME] [--max N] [--json]
       shmq task SEG/T show ID... [--json]
       shmq task SEG/T cancel ID...
       shmq task SEG/T kick ID... | --name NAME | --all
       shmq task SEG/T delete ID...
       shmq task SEG/T reprioritise ID... PRIORITY
       shmq task SEG/T hold ID... | unhold ID...
       shmq task SEG/T wait ID... [--any] [--timeout SECONDS] [--results]
       shmq task SEG/T purge [--state STATE]... [--name NAME]
       shmq task SEG/T pause | resume | drain

What is in a task table, and what can be done to it.

  list     one line for each task, tabs between: id, state, name, how often it was run, the size of its payload, and who
           has it or how its runs ended. --json: one JSON document
  show     all about some tasks, the first bytes of their payloads and results included; with --json all bytes: "text"
           where they are UTF-8, otherwise "hex"
  cancel   a task that waits is cancelled; one that runs is asked to stop, and may get done all the same
  kick     dead tasks are made ready again, as if they had never been run: some, those of a name, or all
  delete   tasks that wait or are over leave the table, and their results with them
  reprioritise
           tasks that wait have another priority from now on, 0 (first) to 255
  hold     tasks that wait are not started before unhold
  wait     until all of them are over (--any: the first), or --timeout passes (5). Prints id and state; with --results the
           results, each followed by a newline. Fails (1) where one did not get done
  purge    removes the tasks that are done, cancelled or expired; dead ones only where --state dead asks for it
  pause    nothing is started until resume; what runs goes on
  drain    nothing can be submitted any more, for good; workers take what is there and then end. resume ends a pause, not
           this

States: held, waiting, delayed, ready, claimed (by a worker, and not started), running, done, dead (its retries are used
up), cancelled, expired. Several --state mean any of them.

Exit status: 0 done; 1 a task is in a state that does not allow this, or did not get done; 3 there is no such task; where
several IDs are given, the others are dealt with all the same. Others: shmq --help.

Examples
  shmq task demo/jobs list --state dead
  shmq task demo/jobs kick --name resize
  shmq task demo/jobs wait 1099511627776 --timeout 60 --results
)help";

}  // namespace shmq::cli
