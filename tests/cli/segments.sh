#!/bin/bash
# Segments come, are seen and go; what was left behind is cleared away.
. "$(dirname "$0")/lib.sh"

file=/dev/shm/shmq.$seg

begin "help is there for the program and for every command"
expect 0 "$shmq" --help >"$work/help"
grep -q "Exit status" "$work/help" || fail "it does not tell the exit status"
for command in create plan ls rm gc reap queue send recv browse purge close table submit task; do
  grep -q "  $command\\b" "$work/help" || fail "$command is not in shmq --help"
  expect 0 "$shmq" $command --help >"$work/own"
  grep -q "^Usage: shmq $command" "$work/own" || fail "$command --help has no usage line"
  "$shmq" help $command | cmp - "$work/own" || fail "shmq help $command differs"
done
"$shmq" --version | grep -Eqx 'shmq [0-9]+\.[0-9]+\.[0-9]+' || fail "--version says $("$shmq" --version)"

begin "a segment has the size, the mode and the group that were asked for, whatever the umask"
(umask 077; exec "$shmq" create "$seg" --size 8M --mode 0660 --group "$(id -g)") || fail "create ended with $?"
[ "$(stat -c '%s %a %g' "$file")" = "8388608 660 $(id -g)" ] || fail "it has $(stat -c '%s %a %g' "$file")"
if [ "$(id -u)" = 0 ] && getent group daemon >/dev/null; then
  expect 0 "$shmq" create "$seg-a" --size 2M --group daemon --mode 0640
  [ "$(stat -c '%a %G' "/dev/shm/shmq.$seg-a")" = "640 daemon" ] || fail "it has $(stat -c '%a %G' "/dev/shm/shmq.$seg-a")"
  expect 0 "$shmq" rm "$seg-a"
fi
expect 0 "$shmq" create "$seg-a" --size 2M --prefault --participants 4 --objects 2
[ "$(stat -c %a "/dev/shm/shmq.$seg-a")" = 600 ] || fail "the mode is not 600"
expect 0 "$shmq" rm "$seg-a"
"$shmq" create "$seg-a" --group no-such-group-$$ 2>/dev/null && fail "a group that is not there was taken"

begin "a name that is taken is refused"
expect 1 "$shmq" create "$seg"
says "exists"

begin "more than the file system has is refused, with what to raise"
expect 1 "$shmq" create "$seg-a" --size 40T
says "--shm-size"
ls -A /dev/shm | grep -F "$seg-a" && fail "something was left behind"

begin "ls names segments and queues"
"$shmq" queue "$seg/one" && "$shmq" queue "$seg/two" --capacity 64 --slot 256 --on-full reject --metadata
"$shmq" ls | grep -qx "$seg" || fail "ls does not list it"
[ "$("$shmq" ls "$seg" | sort | tr '\n' ' ')" = "$seg/one $seg/two " ] || fail "ls $seg says $("$shmq" ls "$seg")"
"$shmq" ls -l "$seg" | grep -qx "$seg/two	64x256	0 waiting	reject, metadata" || fail "ls -l says $("$shmq" ls -l "$seg")"
"$shmq" queue "$seg/ring" --kind spsc --ring 60K
"$shmq" ls -l "$seg" | grep -qx "$seg/ring	spsc ring 64 KiB	0 waiting	block" || fail "ls -l says $("$shmq" ls -l "$seg")"
"$shmq" rm "$seg/ring"
"$shmq" ls -l | grep -qx "$seg	8 MiB	2 queues	0 attached" || fail "ls -l says $("$shmq" ls -l | grep "$seg")"

begin "rm removes a queue, and a segment"
expect 0 "$shmq" rm "$seg/one"
[ "$("$shmq" ls "$seg")" = "$seg/two" ] || fail "ls $seg says $("$shmq" ls "$seg")"
expect 2 "$shmq" rm "$seg" "a b"
[ -e "$file" ] || fail "a command line with a wrong name removed something"
expect 0 "$shmq" rm "$seg"
[ -e "$file" ] && fail "its file is still there"
expect 3 "$shmq" rm "$seg"

begin "plan gives a command that makes a segment which holds the plan"
command=$("$shmq" plan --queue 1024x64 --queue 512x256 --blocks 16x64K,2x1M --participants 8 | sed -n 's/^shmq create SEG//p')
# shellcheck disable=SC2086  # the words of the command
expect 0 "$shmq" create "$seg" $command
expect 0 "$shmq" queue "$seg/a" --capacity 1024 --slot 64
expect 0 "$shmq" queue "$seg/b" --capacity 512 --slot 256
"$shmq" plan --queue 1024x64 --blocks 256x64K | head -n 1 |
  grep -Eq '^1024 slots of 64 B and 256 blocks of 64 KiB need [0-9.]+ MiB; /dev/shm has .* free' || fail "plan says otherwise"

begin "reap mends what a dead receiver held"
seq 1 10 | "$shmq" send "$seg/a"
mkfifo "$work/stuck"
exec 6<>"$work/stuck"
head -c 65536 /dev/zero >&6  # the pipe is full: its writer blocks with what it received
"$shmq" recv "$seg/a" >"$work/stuck" &
victim=$!
taken() { ! "$shmq" browse "$seg/a" | cut -f2 | grep -q ready; }
until_true taken
until_true stays_asleep $victim
kill -KILL $victim
{ wait $victim; } 2>/dev/null
exec 6<&-
# Opening the segment may have mended it before reap has its turn: what counts is that it is mended.
expect 0 "$shmq" reap "$seg" >"$work/out"
grep -Eq "dead participants swept|nothing to mend" "$work/out" || fail "it says $(cat "$work/out")"
expect 0 "$shmq" recv "$seg/a" --idle 0 >"$work/out"
seq 1 10 | cmp - <(sort -n "$work/out") || fail "the messages did not come again"
[ "$("$shmq" reap "$seg")" = "nothing to mend" ] || fail "reap found more"

begin "gc removes the temporary of a creator that was killed, and not that of a living one"
leftover=.shmq.$seg.1.00
truncate -s 4096 "/dev/shm/$leftover"
# Another program's create may be faster than this gc: it removes leftovers as well.
expect 0 "$shmq" gc >"$work/out"
[ -e "/dev/shm/$leftover" ] && fail "it is still there"
grep -v '^removed leftover /dev/shm/\.shmq\.' "$work/out" && fail "gc said something else"
"$shmq" create "$seg-a" --size 32M --blocks none --prefault &
creator=$!
kill -KILL $creator
{ wait $creator; } 2>/dev/null
expect 0 "$shmq" gc >"$work/out"
ls -A /dev/shm | grep -F ".shmq.$seg-a" && fail "the temporary of the killed creator is still there"

begin "gc --unused lists what nobody is attached to, and leaves it there"
echo one | "$shmq" send "$seg/a"
"$shmq" rm "$seg-a" 2>/dev/null
"$shmq" create "$seg-a" --size 2M --blocks none && "$shmq" queue "$seg-a/q"
"$shmq" recv "$seg-a/q" >/dev/null &
receiver=$!
until_true stays_asleep $receiver
until_true grep -q "shmq.$seg-a" "/proc/$receiver/maps"
expect 0 "$shmq" gc --unused >"$work/out"
says "shmq gc --unused --yes"
grep -q "^unused $seg	.*	1 message$" "$work/out" || fail "$seg is not listed: $(cat "$work/out")"
grep -q "$seg-a" "$work/out" && fail "$seg-a is listed, and somebody is attached to it"
[ -e "$file" ] || fail "it was removed"

# On a /dev/shm of its own: --yes would remove what other programs keep between their runs.
begin "gc --unused --yes removes it, and nothing else"
if unshare --mount true 2>/dev/null; then
  unshare --mount bash -c '
    mount -t tmpfs -o size=64M tmpfs /dev/shm || exit 99
    "$0" create idle --size 2M --blocks none && "$0" create busy --size 2M --blocks none && "$0" queue busy/q || exit 1
    "$0" recv busy/q & receiver=$!
    until grep -q shmq.busy /proc/$receiver/maps; do sleep 0.02; done
    until "$0" ls -l | grep -q "^busy.*1 attached"; do sleep 0.02; done
    "$0" gc --unused --yes || exit 1
    "$0" ls
    "$0" close busy/q; wait $receiver || exit 1
    "$0" gc --unused --yes >/dev/null && [ -z "$("$0" ls)" ]' "$shmq" >"$work/out"
  status=$?
  [ $status = 0 ] || [ $status = 99 ] || fail "status $status"
  [ $status = 99 ] || [ "$(cut -f1 "$work/out" | tr '\n' ' ')" = "removed idle busy " ] || fail "it said $(cat "$work/out")"
else
  echo "  passed over: needs a mount namespace"
fi

"$shmq" close "$seg-a/q"
ends 0 $receiver
finish
