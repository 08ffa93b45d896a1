// What --help says. docs/cli-shmq.md is the same at more length.
#include "commands.hpp"
#include "task_help.hpp"
#include "work_help.hpp"

namespace shmq::cli {

const char* const kProgramHelp = R"help(Usage: shmq COMMAND [NAME] [OPTIONS]

Segments of shared memory, and the queues and task tables in them. A segment is named SEG, a queue in it SEG/Q, a task
table SEG/T. Names have letters, digits, '.', '_' and '-' (SEG up to 200, Q and T up to 63 characters).

Segments
  create SEG       make a segment                  ls [SEG]      list segments, or what is in one
  plan             how large one has to be         rm SEG        remove a segment, or a queue or table: rm SEG/Q
  reap SEG         mend what dead processes held   gc            clear away what was left behind
Queues
  queue SEG/Q      declare a queue                 browse SEG/Q  show its messages, take none
  send SEG/Q       lines of stdin become messages  purge SEG/Q   throw away what is in it
  recv SEG/Q       messages become lines           close SEG/Q   no more messages; receivers drain it
Tasks
  table SEG/T      declare a task table            task SEG/T    list, show, cancel, kick, delete, wait, pause, ...
  submit SEG/T     lines of stdin become tasks
Commands
  map COMMAND      run a command for each line of stdin, several at a time
  work SEG/T -- COMMAND
                   run a command for each task of a table

  shmq COMMAND --help     all about one command
  shmq --version

Example
  shmq create demo --size 64M
  shmq queue demo/lines --capacity 1024 --slot 256
  shmq recv demo/lines --until-closed > copy.txt &
  shmq send demo/lines < /etc/services
  shmq close demo/lines; wait
  shmq rm demo

What is going on in a segment: shmq-stat show SEG, and in a task table: shmq-stat tasks SEG/T.

Exit status
  0  done; also when recv's reader has gone, and after a signal where nothing was lost
  1  failed: damaged, no permission, no space, different, a line too large, an input or output error, a task that was
     waited for and did not get done
  2  wrong usage; also a name, size or option that can never be right
  3  there is no such segment, queue, task table or task
  4  the queue is closed, the table drains, or it or its segment was removed
  5  full (a queue that rejects, or whose oldest message cannot be dropped), or the time was over before what was asked
     for had come
  129, 130, 143  send or submit was ended by SIGHUP, SIGINT or SIGTERM before all of its input was passed on, or it or
     shmq task ... wait before what was waited for had come
Errors are one line on standard error: shmq: WHAT: WHY; MEND.
)help";

namespace {

constexpr char kCreate[] =
    R"help(Usage: shmq create SEG [--size SIZE] [--blocks COUNTxSIZE,...] [--mode MODE] [--group GROUP]
                       [--participants N] [--objects N] [--prefault]

Makes a segment. All of its memory is reserved now, so that nothing runs out of it later; the name appears when it is
complete. Fails (1) where the name is taken.

  --size SIZE          the whole of it, tables included: 64M (the default), 1.5G, 4096K; shmq plan finds it
  --blocks LIST        the pool for payloads that do not fit a slot: 256x64K,16x1M is 256 blocks of 64 KiB and 16 of
                       1 MiB; up to 8 sizes; "none". Default: three eighths of the segment in 4 KiB, 64 KiB and 1 MiB.
                       The largest block is the largest message
  --mode MODE          octal, exactly (no umask): 0600 is the default, 0660 with --group lets a group use it
  --group GROUP        give the file to this group (name or number)
  --participants N     how many can be attached at once: 64, up to 4094
  --objects N          how many queues and task tables: 128, up to 4095
  --prefault           touch every page now, so that no first use waits for the kernel

Example: shmq create market --size 256M --blocks 1024x4K,64x1M --mode 0660 --group traders
)help";

constexpr char kPlan[] =
    R"help(Usage: shmq plan [--queue CAPACITYxSLOT]... [--table CAPACITYxPAYLOAD[xRESULT]]... [--blocks COUNTxSIZE,...]
                [--metadata] [--policy fifo|priority|edf] [--participants N] [--objects N]

Says how large a segment has to be for these queues, task tables and blocks, what /dev/shm has, and the create command
for it. --metadata: the queues are declared with metadata (slots as large; it takes 32 bytes of each). --policy: of the
task tables.

Example: shmq plan --queue 1024x64 --queue 65536x256 --table 100000x128x64 --blocks 256x64K
)help";

constexpr char kList[] = R"help(Usage: shmq ls [SEG] [--long | -l]

Names of all segments, or of the queues and task tables of SEG, one a line. --long adds, after tabs: for a segment its
size, how many queues and task tables it has and how many processes are attached; for a queue CAPACITYxSLOT (or "spsc
ring SIZE"), how many messages wait, and how it was declared; for a task table "tasks CAPACITYxPAYLOADxRESULT", how many
tasks wait, and how many run or are over. Reads only. shmq-stat tells much more.
)help";

constexpr char kRemove[] = R"help(Usage: shmq rm SEG | SEG/Q | SEG/T ...

Removes segments, queues or task tables, with what is in them. The name is free at once; who uses it gets "removed" from
every call, and the memory goes with the last of them. A segment's owner and root can remove it.
)help";

constexpr char kGc[] = R"help(Usage: shmq gc [--unused [--yes]]

Removes the temporaries of creators that were killed half-way, and names them. (Every create does this too.)

  --unused         also lists the segments that nobody alive is attached to, with their size and how many messages and
                   tasks wait
  --unused --yes   removes those segments. A process that attaches at this very moment gets "removed". Segments that a
                   program keeps between its runs look the same: read the list first

Segments that cannot be read (another user's) are passed over, with a remark. Exit status 1 where one could not be
removed.
)help";

constexpr char kReap[] = R"help(Usage: shmq reap SEG

Mends what dead processes held: their messages are delivered again, their unfinished claims are stepped over, their
blocks are given back. Prints what was mended. Nothing depends on this: whoever waits or attaches does it by itself.
)help";

constexpr char kQueue[] =
    R"help(Usage: shmq queue SEG/Q [--kind KIND] [--capacity N] [--slot BYTES] [--ring BYTES] [--on-full WHAT] [--metadata]
                        [--dead-letter Q [--delivery-limit N]]

Declares a queue: makes it, or does nothing where it is declared the same way already; fails (1) and names the difference
where it is declared otherwise.

  --kind KIND      mpmc: many senders, many receivers, each message to one of them (the default); spsc: one sender and one
                   receiver at a time, messages of any length in a ring of bytes: the fastest
  --capacity N     messages it holds: 1024; rounded up to a power of two
  --slot BYTES     of one slot, a power of two from 64 (the default) to 64K. Its header takes 16 bytes (with --metadata
                   48); a payload that fits the rest travels in the slot, a larger one in a block of the segment
  --ring BYTES     of an spsc queue, which has no slots: the size of its ring, 1K to 512M, rounded up to a power of two;
                   a message may take half of it. Without it: enough for --capacity messages of 48 bytes
  --on-full WHAT   block: senders wait for room (the default); reject: they fail at once; drop_oldest: they take the
                   oldest message away where nobody has received it yet, and fail at once where somebody has
  --metadata       keep sender, time and correlation id with each message
  --dead-letter Q  another queue of SEG, declared before, that takes what receivers reject
  --delivery-limit N
                   what was handed out N times (1 to 255) and never released goes there as well

Example: shmq queue market/orders --capacity 65536 --slot 256 --on-full block
)help";

constexpr char kSend[] = R"help(Usage: shmq send SEG/Q [-0 | --whole] [--type N] [--timeout SECONDS]

Each line of standard input becomes a message, without its newline. An empty line is an empty message; a last line
without a newline counts. Lines are sent as they come: nothing that was read waits for more.

  -0                   NUL ends a record instead of newline
  --whole              all of standard input is one message
  --type N             a tag that goes with each message: 0
  --timeout SECONDS    how long to wait for room or for a block at a time (default: for ever; fractions allowed)

Where it ends early, standard error says how many messages were sent and which line is the first that was not: go on
with tail -n +LINE. A line larger than the largest block of the segment ends it (1): shmq create --blocks NxSIZE; of an
spsc queue one larger than half its ring: shmq queue --ring BYTES.

Exit status: 0 all of it was sent, or a signal came while nothing that was read was unsent; 4 closed or removed; 5 full
(reject), or --timeout passed; 129, 130, 143 ended by SIGHUP, SIGINT, SIGTERM with input unsent. Others: shmq --help.

Examples
  zcat log.gz | shmq send jobs/lines
  find /data -type f -print0 | shmq send -0 jobs/files
  shmq send --whole jobs/documents < report.pdf
)help";

constexpr char kRecv[] =
    R"help(Usage: shmq recv SEG/Q... [-0 | --whole] [--count N] [--until-closed] [--idle SECONDS] [--requeue | --reject]

Takes messages and writes each to standard output, followed by a newline. Waits for more until every queue that is named
is closed and empty, or a signal comes. Several queues take turns: a busy one does not keep the others waiting.
Messages are written as they come: nothing that was received waits for more. Any number of receivers may share a queue;
each message goes to one of them.

  -0                 NUL after each message instead of newline: the counterpart of send -0
  --whole            nothing after each message: the bytes alone
  --count N          end after N messages; exactly N are taken
  --until-closed     the end of the queue is what is waited for: --idle passing first is an error then (5), closing
                     before --count is not
  --idle SECONDS     end when no message came for so long (fractions allowed; 0: take what is there)
  --reject           what was written goes to the queue's dead-letter queue, or is discarded where it has none
  --requeue          what was written goes back and is delivered again; needs --count

A message is released only after write() took all of it. What is not written is given back and is delivered again: when
the reader of a pipe goes, the disk is full, or a signal comes; likewise when recv is killed with SIGKILL. So none is
lost, and one may be written twice, or in part and then again. What a pipe holds when its reader goes is lost with the
pipe. After a signal, recv goes on for up to half a second with what it is writing, so that a live reader gets whole
messages.

Exit status: 0 as asked: N messages, closed, idle, the reader has gone, or SIGHUP, SIGINT, SIGTERM (nothing is lost);
4 removed, or closed before --count; 5 idle before --count, or before the close with --until-closed. Others: shmq --help.

Examples
  shmq recv jobs/lines --until-closed | gzip > log.gz
  shmq recv jobs/files -0 | xargs -0 -n1 process
  while shmq recv jobs/documents --whole --count 1 --idle 60 > next.pdf; do print next.pdf; done
)help";

constexpr char kBrowse[] = R"help(Usage: shmq browse SEG/Q [--max N] [--json]

Shows what the queue keeps, oldest first, and takes none away: messages that nobody has received, messages that receivers
hold, and messages that wait to be delivered again. One line each, tabs between: id, state ("ready", "redeliver", or who
holds it), type, size, how often it was delivered before ("again": elsewhere), and the first bytes. It works while others
send and receive, and when they are stopped.

  --max N    N messages at most
  --json     one JSON document, with all of the payload: "text" where it is UTF-8, otherwise "hex"
)help";

constexpr char kPurge[] = R"help(Usage: shmq purge SEG/Q

Takes away what is in the queue at this moment, and says how many messages that was. What receivers hold stays theirs.
)help";

constexpr char kClose[] = R"help(Usage: shmq close SEG/Q

No more messages: send gets "closed" (4). Receivers take what is there, and then end. A closed queue stays closed; remove
it with shmq rm SEG/Q to declare it anew.
)help";

const Command kCommands[] = {
    {"create", create_command, kCreate}, {"plan", plan_command, kPlan},    {"ls", list_command, kList},
    {"rm", remove_command, kRemove},     {"gc", gc_command, kGc},          {"reap", reap_command, kReap},
    {"queue", queue_command, kQueue},    {"send", send_command, kSend},    {"recv", recv_command, kRecv},
    {"browse", browse_command, kBrowse}, {"purge", purge_command, kPurge}, {"close", close_command, kClose},
    {"table", table_command, kTableHelp},    {"submit", submit_command, kSubmitHelp}, {"task", task_command, kTaskHelp},
    {"map", map_command, kMapHelp},       {"work", work_command, kWorkHelp},
};

}  // namespace

const Command* find_command(const std::string& name) {
  for (const Command& command : kCommands)
    if (name == command.name) return &command;
  return nullptr;
}

}  // namespace shmq::cli
