#!/bin/bash
# What cannot be done is refused with the status and the message that --help promises.
. "$(dirname "$0")/lib.sh"

"$shmq" create "$seg" --size 16M --blocks 4x64K || exit 1

begin "a full queue that rejects ends send, which says how many lines were sent"
new_queue --slot 64 --capacity 16 --on-full reject
expect 5 "$shmq" send "$seg/q" < <(seq 1 100)
says "shmq: send $seg/q: the queue is full; 16 messages were sent; line 17 is the first that was not"
"$shmq" recv "$seg/q" --idle 0 >"$work/out"
seq 1 16 | cmp - "$work/out" || fail "other lines were sent"

begin "a full queue that drops its oldest keeps the newest"
new_queue --slot 64 --capacity 16 --on-full drop_oldest
expect 0 "$shmq" send "$seg/q" < <(seq 1 100)
"$shmq" ls "$seg" --long | grep -q "drop_oldest" || fail "ls --long does not say so"
"$shmq" recv "$seg/q" --idle 0 >"$work/out"
seq 85 100 | cmp - "$work/out" || fail "other lines were kept"

begin "recv --requeue puts back what it wrote, up to the delivery limit"
new_queue --slot 64
"$shmq" queue "$seg/dead" --capacity 2 || fail "no dead-letter queue"
"$shmq" rm "$seg/q"
expect 0 "$shmq" queue "$seg/q" --capacity 16 --dead-letter dead --delivery-limit 2
"$shmq" ls "$seg" --long | grep -q "delivery limit 2, dead letters to dead" || fail "ls --long does not say so"
seq 1 3 | "$shmq" send "$seg/q"
for _ in 1 2; do [ "$("$shmq" recv "$seg/q" --requeue --count 1)" = 1 ] || fail "not the first message"; done
[ "$("$shmq" recv "$seg/q" --count 1)" = 2 ] || fail "not the second message"
[ "$("$shmq" recv "$seg/dead" --idle 0)" = 1 ] || fail "not in the dead-letter queue"
expect 2 "$shmq" recv "$seg/q" --requeue
says "--requeue needs --count"

begin "recv --reject moves what it wrote to the dead-letter queue, and says where that is full"
seq 4 5 | "$shmq" send "$seg/q"
expect 5 "$shmq" recv "$seg/q" --reject --idle 0 >"$work/out"
says "the dead-letter queue does not take message"
says "(full)"
says "2 messages were rejected before it"
[ "$("$shmq" recv "$seg/q" --idle 0)" = 5 ] || fail "it is not where it was"
expect 1 "$shmq" queue "$seg/q" --capacity 16
says "dead-letter queue is \"dead\", not none"
"$shmq" rm "$seg/q"
expect 3 "$shmq" queue "$seg/q" --dead-letter nowhere
says "declare \"nowhere\" first"
expect 2 "$shmq" queue "$seg/q" --delivery-limit 3
says "there is no dead-letter queue"
"$shmq" rm "$seg/dead"
"$shmq" queue "$seg/q"

begin "--timeout ends a wait for room"
new_queue --slot 64 --capacity 16
expect 5 "$shmq" send "$seg/q" --timeout 0.05 < <(seq 1 100)
says "no room within --timeout; 16 messages were sent"

begin "blocks that are all taken end send where the queue rejects"
new_queue --slot 64 --capacity 16 --on-full reject
expect 5 "$shmq" send "$seg/q" < <(awk 'BEGIN { for (i = 0; i < 9; i++) printf "%60000d\n", i }')
says "no block of 58.6 KiB is free; 4 messages were sent; line 5"
says "shmq create --blocks"

begin "a line that no block holds is refused with its size, the largest there is, and the mend"
new_queue --slot 64
expect 1 "$shmq" send "$seg/q" < <(echo one; head -c 100000 /dev/zero | tr '\0' x; echo; echo three)
says "line 2 has 100000 bytes, and the largest payload that this segment carries is 65536 bytes; 1 message was sent"
says "shmq create --blocks NxSIZE"
expect 1 "$shmq" send "$seg/q" --whole < <(head -c 5000000 /dev/zero)
says "input has 5000000 bytes"
[ "$("$shmq" recv "$seg/q" --idle 0)" = one ] || fail "not exactly one message was sent"

begin "a line that is too large for a byte ring, and a ring that is full, are mended with a larger ring"
new_queue --kind spsc --ring 1K --on-full reject
expect 1 "$shmq" send "$seg/q" < <(head -c 1000 /dev/zero | tr '\0' x; echo)
says "line 1 has 1000 bytes, and the largest payload that this queue carries is 496 bytes"
says "--ring BYTES"
grep -q -- "--blocks" "$work/stderr" && fail "an spsc queue has no blocks"
expect 5 "$shmq" send "$seg/q" < <(seq 1 100)
says "the queue is full"
says "a larger --ring"
"$shmq" rm "$seg/q"
new_queue --kind spsc --ring 4K
head -c 1000 /dev/zero | tr '\0' x >"$work/in"
expect 0 "$shmq" send "$seg/q" <"$work/in"
"$shmq" recv "$seg/q" --count 1 | tr -d '\n' | cmp - "$work/in" || fail "it changed"
new_queue --slot 64

begin "the largest line passes"
head -c 65536 /dev/zero | tr '\0' x >"$work/in"
expect 0 "$shmq" send "$seg/q" <"$work/in"
"$shmq" recv "$seg/q" --count 1 | tr -d '\n' | cmp - "$work/in" || fail "it changed"

begin "a closed queue takes no more, gives what it has, and then ends"
new_queue --slot 64
echo one | "$shmq" send "$seg/q"
expect 0 "$shmq" close "$seg/q"
expect 0 "$shmq" close "$seg/q"
expect 4 "$shmq" send "$seg/q" < <(echo two)
says "the queue is closed; 0 messages were sent"
expect 4 "$shmq" recv "$seg/q" --count 2 >"$work/out"
[ "$(cat "$work/out")" = one ] || fail "received \"$(cat "$work/out")\""
expect 0 "$shmq" recv "$seg/q"
expect 0 "$shmq" recv "$seg/q" --count 1 --until-closed

begin "a removed queue ends both sides"
new_queue --slot 64
"$shmq" recv "$seg/q" 2>"$work/stderr" &
receiver=$!
until_true attached_at_least 1
until_true stays_asleep $receiver
"$shmq" rm "$seg/q"
ends 4 $receiver
says "the queue was removed"
new_queue --slot 64 --capacity 2
seq 1 100 | "$shmq" send "$seg/q" 2>"$work/stderr" &
sender=$!
until_true is_waiting 2
"$shmq" rm "$seg/q"
wait $sender
[ $? = 4 ] || fail "send ended otherwise"
says "the queue was removed; 2 messages were sent"

begin "a removed segment ends a receiver"
"$shmq" create "$seg-a" --size 2M --blocks none && "$shmq" queue "$seg-a/q"
"$shmq" recv "$seg-a/q" 2>"$work/stderr" &
receiver=$!
until_true stays_asleep $receiver
until_true grep -q "shmq.$seg-a" "/proc/$receiver/maps"
until_true stays_asleep $receiver
"$shmq" rm "$seg-a"
ends 4 $receiver

begin "what is not there is status 3"
expect 3 "$shmq" recv "$seg-none/q"
says "there is no segment \"$seg-none\""
expect 3 "$shmq" send "$seg/none" </dev/null
says "none"
for command in browse purge close; do expect 3 "$shmq" $command "$seg/none"; done
expect 3 "$shmq" rm "$seg-none"
expect 3 "$shmq" rm "$seg/none"
expect 3 "$shmq" ls "$seg-none"
expect 3 "$shmq" reap "$seg-none"

begin "names that cannot be names are status 2"
long=$(printf 'x%.0s' $(seq 1 300))
for name in "a b" "" "$long" ".hidden" "-x" $'new\nline' "ümlaut"; do
  expect 2 "$shmq" create -- "$name"
  expect 2 "$shmq" queue -- "$seg/$name"
  expect 2 "$shmq" send -- "$name/q" </dev/null
done
expect 2 "$shmq" create "$long"
says "has 300 characters"
expect 2 "$shmq" create "a/b"
says "names a queue"
expect 2 "$shmq" queue "$seg"
says "names a segment"
expect 2 "$shmq" send "$seg/a/b" </dev/null

begin "options that cannot be are status 2"
new_queue --slot 64
while read -r line; do
  # shellcheck disable=SC2086  # the words of a line
  expect 2 "$shmq" $line </dev/null
  says "--help"
done <<EOF
frobnicate
create
create one two
create $seg-b --size
create $seg-b --size 1Z
create $seg-b --size 0
create $seg-b --sise 1M
create $seg-b --mode 888
create $seg-b --mode 01777
create $seg-b --blocks 16
create $seg-b --blocks 16x
create $seg-b --blocks 16x64K,
create $seg-b --participants 0
create $seg-b --participants 4095
create $seg-b --objects many
create $seg-b --prefault=yes
plan
plan --queue 1024
queue $seg/q --kind ring
queue $seg/q --on-full maybe
queue $seg/q --capacity x
send $seg/q -0 --whole
send $seg/q --type -1
send $seg/q --timeout soon
recv $seg/q --count 0
recv $seg/q --count 1.5
recv $seg/q --idle -1
recv $seg/q --idle nan
recv $seg/q -0 --whole
browse $seg/q --max 0
browse $seg/q --count 3
peek $seg/q
gc --yes
gc $seg
rm
EOF
expect 2 "$shmq"
for shape in "--capacity 99999999999" "--slot 100" "--slot 1G"; do
  # shellcheck disable=SC2086
  expect 2 "$shmq" queue "$seg/other" $shape
done
[ -e "/dev/shm/shmq.$seg-b" ] && fail "one of them made a segment"

begin "a queue that is declared otherwise is named with the difference"
expect 0 "$shmq" queue "$seg/q" --slot 64
expect 1 "$shmq" queue "$seg/q" --slot 128
says "128"

begin "closed standard descriptors are errors, not somebody's memory"
echo one | "$shmq" send "$seg/q"
expect 1 "$shmq" recv "$seg/q" --count 1 >&-
expect 1 "$shmq" send "$seg/q" <&-
says "cannot read standard input"
[ "$("$shmq" recv "$seg/q" --idle 0)" = one ] || fail "the message was lost"

finish
