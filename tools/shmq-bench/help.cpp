#include "help.hpp"

namespace shmq::bench {

const char* const kHelp =
    R"help(Usage: shmq-bench rtt [OPTIONS]         round trips between two busy processes
       shmq-bench throughput [OPTIONS]  messages a second
       shmq-bench wake [OPTIONS]        round trips between two processes that sleep
       shmq-bench tasks [OPTIONS]       tasks through a task table: how many a second, how soon one starts
       shmq-bench gate [OPTIONS]        what shmq promises on any machine: one line for each target

Measures queues on this machine, between processes pinned to cores, always beside something else measured in turn
with it: the least that the machine allows (one cache line each way between two processes), a plain ring of fixed
slots, a Vyukov ring, boost::interprocess::message_queue, a bare futex. Judge by the ratios: times change with the
machine's mood. vs_plain_ring of throughput/mpmc is the ratio to the Vyukov ring.

  --kind KIND        mpmc, spsc, or all
  --size LIST        payload sizes, multiples of 8: 8,64,1K
  --count N          messages (round trips) of one sample, instead of a time
  --time SECONDS     length of one sample (0.05; wake: 0.1, and 50 counted round trips at least)
  --repeats N        samples of each system (5)
  --wait STRATEGY    spin, spin_yield, spin_futex or futex. Without it: spin where each role has a core of its own,
                     else spin_yield; in wake spin_futex
  --quick            gate: 3 short samples of each instead of 5
  --producers N, --consumers N, --batch LIST    throughput: how many there are (1, 1), and how many messages are
                     claimed and received at once (1)
  --only LIST        tasks: cycle, latency, waiting, delayed, killed; without it all of them
  --waiting LIST     tasks: how many wait while claims are timed (1000,100000,1000000)
  --delayed N        tasks: how many are delayed (100000), 30 us between two of them
  --kills N          tasks: how many workers are killed (50)
  --peers            tasks: the same cycles on beanstalkd and redis-server, which are started on 127.0.0.1 for it
  --capacity N       messages that fit the queue (1024, fewer for large payloads: about 1 MiB)
  --cpus LIST        the processors to use, in the order of the roles
  --smt-below NS     a floor below this (90) was measured on two threads of one core: such samples are left out and
                     counted
  --json             one JSON document on one line; its fields are in docs/cli-shmq-bench.md
  --progress         say on standard error what is going on, also where that is no terminal
  --help, --version

Exit status: 0 done; 1 failed (no memory, one processor only, a role died, ...), a row could not be measured, or a
target of the gate does not hold or could not be measured; 2 wrong usage; 128 + N ended by signal N. Nothing is left in
/dev/shm.
)help";

}  // namespace shmq::bench
