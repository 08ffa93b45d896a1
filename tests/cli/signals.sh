#!/bin/bash
# SIGINT, SIGTERM, SIGHUP and a reader that goes: both sides end, and nothing is lost.
. "$(dirname "$0")/lib.sh"

"$shmq" create "$seg" --size 64M || exit 1
seq 1 100000 >"$work/in"

for signal in INT TERM HUP; do
  number=$((128 + $(kill -l $signal)))

  begin "SIG$signal ends a receiver that waits for a message"
  new_queue --slot 64
  "$shmq" recv "$seg/q" >"$work/out" &
  receiver=$!
  until_true attached_at_least 1
  until_true stays_asleep $receiver
  kill -$signal $receiver
  ends 0 $receiver

  begin "SIG$signal ends a receiver whose reader is stuck, and gives back what was not written"
  new_queue --slot 64 --capacity 65536
  mkfifo "$work/pipe-$signal"
  exec 6<>"$work/pipe-$signal"
  head -n 50000 "$work/in" | "$shmq" send "$seg/q" || fail "cannot fill the queue"
  "$shmq" recv "$seg/q" >"$work/pipe-$signal" &
  receiver=$!
  until_true stays_asleep $receiver
  kill -$signal $receiver
  ends 0 $receiver
  cat <&6 >"$work/first" &
  reader=$!
  "$shmq" recv "$seg/q" --idle 0 >"$work/second"
  # exec 6<> keeps a writer open: the reader is ended once it has drained the pipe.
  until_true stays_asleep $reader
  kill -TERM $reader
  wait $reader 2>/dev/null
  exec 6<&-
  [ -s "$work/first" ] && [ -s "$work/second" ] || fail "one of the two receivers got nothing"
  # The last line of the first may be torn: then the second has it as a whole.
  cat "$work/first" "$work/second" | sort -u >"$work/got"
  head -n 50000 "$work/in" | sort >"$work/sorted"
  [ -z "$(comm -23 "$work/sorted" "$work/got")" ] || fail "lost: $(comm -23 "$work/sorted" "$work/got" | head -n 3 | tr '\n' ' ')"

  begin "SIG$signal ends a sender that waits for input; nothing of it is unsent, so it is clean"
  new_queue --slot 64
  mkfifo "$work/in-$signal"
  exec 5<>"$work/in-$signal"
  echo one >&5
  "$shmq" send "$seg/q" <"$work/in-$signal" &
  sender=$!
  until_true is_waiting 1
  until_true stays_asleep $sender
  kill -$signal $sender
  ends 0 $sender
  exec 5<&-
  is_waiting 1 || fail "$(waiting) messages wait, not 1"

  begin "SIG$signal ends a sender that waits for room, which says where to go on"
  new_queue --slot 64 --capacity 64
  "$shmq" send "$seg/q" <"$work/in" 2>"$work/stderr" &
  sender=$!
  until_true is_waiting 64
  until_true stays_asleep $sender
  kill -$signal $sender
  ends $number $sender
  says "ended by SIG$signal; 64 messages were sent; line 65 is the first that was not"
  { "$shmq" recv "$seg/q" --idle 0; tail -n +65 "$work/in"; } >"$work/out"
  same "$work/in" "$work/out"
done

begin "a signal that was ignored from the start stays ignored"
new_queue --slot 64
(trap '' HUP; exec "$shmq" recv "$seg/q" --until-closed) >"$work/out" &
receiver=$!
until_true attached_at_least 1
until_true stays_asleep $receiver
kill -HUP $receiver
echo one | "$shmq" send "$seg/q"
"$shmq" close "$seg/q"
ends 0 $receiver
[ "$(cat "$work/out")" = one ] || fail "it received \"$(cat "$work/out")\""

begin "a reader that goes ends recv cleanly; what was not written stays in the queue"
new_queue --slot 64 --capacity 65536
head -n 60000 "$work/in" | "$shmq" send "$seg/q"
"$shmq" recv "$seg/q" 2>"$work/stderr" | head -n 1 >"$work/first"
statuses=("${PIPESTATUS[@]}")
[ "${statuses[0]}" = 0 ] || fail "recv ended with ${statuses[0]}"
[ -s "$work/stderr" ] && fail "it complained: $(cat "$work/stderr")"
[ "$(cat "$work/first")" = 1 ] || fail "head read $(cat "$work/first")"
left=$(waiting)
"$shmq" recv "$seg/q" --idle 0 >"$work/rest"
tail -n 1 "$work/rest" | grep -qx 60000 || fail "the rest ends with $(tail -n 1 "$work/rest")"
# A pipe took at most its own 64 KiB of the 60,000 lines; the others are there, all of them.
first=$(sort -n "$work/rest" | head -n 1)
seq "$first" 60000 | cmp - <(sort -n "$work/rest") || fail "the rest has gaps, or repeats"
[ "$left" -gt 30000 ] || fail "only $left were left"

begin "a reader that goes ends a recv that waits for messages"
new_queue --slot 64
seq 50 | "$shmq" send "$seg/q"
"$shmq" recv "$seg/q" 2>"$work/stderr" | head -n 1 >"$work/first"
statuses=("${PIPESTATUS[@]}")
[ "${statuses[0]}" = 0 ] || fail "recv ended with ${statuses[0]}"
[ "$(cat "$work/first")" = 1 ] || fail "head read $(cat "$work/first")"

begin "a full disk ends recv with a message; what was not written stays in the queue"
if [ -w /dev/full ]; then
  new_queue --slot 64
  printf '%s\n' a b c | "$shmq" send "$seg/q"
  expect 1 "$shmq" recv "$seg/q" >/dev/full
  says "No space left on device"
  is_waiting 3 || fail "$(waiting) messages wait, not 3"
  [ "$("$shmq" recv "$seg/q" --idle 0 | sort | tr '\n' ' ')" = "a b c " ] || fail "not all three came again"
fi

finish
