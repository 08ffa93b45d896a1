#!/bin/bash
# shmq-wordcount, which tools/quickstart runs: identical to a plain count, with a worker killed on the way and without.
. "$(dirname "$0")/lib.sh"
wordcount=$1/shmq-wordcount
corpus=$(cd "$(dirname "$0")/../.." && pwd)

no_segment_is_left() { [ -z "$(find /dev/shm -maxdepth 1 -name "shmq.wordcount-$1*")" ]; }

for workers in 2 5; do
  begin "one of $workers workers is killed while it runs a task: another runs it, and the counts are those of a plain count"
  "$wordcount" --workers $workers "$corpus/docs" "$corpus/include" "$corpus/src" >"$work/out" 2>"$work/stderr" &
  job=$!
  ends 0 $job
  grep -q 'identical to the plain count' "$work/out" && ! grep -q 'NOT identical' "$work/out" || fail "$(tail -n 1 "$work/out" "$work/stderr")"
  task=$(sed -n 's/^kill .* while it runs task \([0-9]*\)$/\1/p' "$work/out")
  [ -n "$task" ] && grep -q "^repair      task $task was run by worker [0-9]* .* ms after the kill" "$work/out" || fail "$(cat "$work/out" "$work/stderr")"
  grep -q "^ *$task  running .*victim" "$work/out" || fail "shmq-stat did not say who ran it: $(cat "$work/out")"
  no_segment_is_left $job || fail "its segment is left"
done

begin "a file of one shard"
expect 0 "$wordcount" "$corpus/LICENSE" >"$work/out"
grep -q '(1 tasks' "$work/out" || fail "it is more than one task: $(cat "$work/out")"

begin "nobody is killed with --no-kill"
expect 0 "$wordcount" --no-kill "$corpus/docs" >"$work/out"
grep -q '^kill' "$work/out" && fail "somebody was"

begin "an empty corpus is refused where one is to be killed"
: >"$work/empty"
expect 1 "$wordcount" "$work/empty" >"$work/out"
says "the corpus is empty"

finish
