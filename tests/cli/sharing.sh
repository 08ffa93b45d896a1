#!/bin/bash
# Several receivers on one queue, and receivers that are killed.
. "$(dirname "$0")/lib.sh"

"$shmq" create "$seg" --size 64M || exit 1
seq 1 300000 >"$work/in"
sort "$work/in" >"$work/sorted"

# held_bytes: of the ring of $seg/q, received and not released.
held_bytes() {
  "$stat" show "$seg" --json >"$work/json"
  of() { grep -o "\"$1\":[0-9]*" "$work/json" | cut -d: -f2; }
  echo $(($(of bytes_used) - ($(of tail_position) - $(of head_position))))
}

begin "two receivers share a queue: each line goes to one of them"
new_queue --slot 64
"$shmq" recv "$seg/q" --until-closed >"$work/out-1" &
first=$!
"$shmq" recv "$seg/q" --until-closed >"$work/out-2" &
second=$!
"$shmq" send "$seg/q" <"$work/in" || fail "send ended with $?"
"$shmq" close "$seg/q"
ends 0 $first
ends 0 $second
sort "$work/out-1" "$work/out-2" >"$work/got"
same "$work/sorted" "$work/got"

begin "two senders share a queue: each one's lines keep their order"
new_queue --slot 64
"$shmq" recv "$seg/q" --until-closed >"$work/out" &
receiver=$!
sed 's/^/a /' "$work/in" | "$shmq" send "$seg/q" &
sender=$!
sed 's/^/b /' "$work/in" | "$shmq" send "$seg/q" || fail "send ended with $?"
ends 0 $sender
"$shmq" close "$seg/q"
ends 0 $receiver
for letter in a b; do
  sed -n "s/^$letter //p" "$work/out" >"$work/got"
  same "$work/in" "$work/got"
done

begin "one receiver of two queues in two segments: all lines of both, each queue's in order, and it ends with the last"
"$shmq" create "$seg-b" --size 8M && "$shmq" queue "$seg-b/q" --slot 64 || fail "no second segment"
new_queue --slot 64
"$shmq" recv "$seg/q" "$seg-b/q" --until-closed >"$work/out" &
receiver=$!
sed 's/^/a /' "$work/in" | "$shmq" send "$seg/q" &
sender=$!
sed 's/^/b /' "$work/in" | "$shmq" send "$seg-b/q" || fail "send ended with $?"
ends 0 $sender
"$shmq" close "$seg/q"
echo "b last" | "$shmq" send "$seg-b/q" || fail "send ended with $?"
"$shmq" close "$seg-b/q"
ends 0 $receiver
sed -n 's/^a //p' "$work/out" >"$work/got"
same "$work/in" "$work/got"
(cat "$work/in"; echo last) >"$work/expected"
sed -n 's/^b //p' "$work/out" >"$work/got"
same "$work/expected" "$work/got"
[ "$(seq 1 9 | "$shmq" recv "$seg/q" "$seg-b/q" | wc -l)" = 0 ] || fail "there is more"
expect 4 "$shmq" recv "$seg/q" "$seg-b/q" --count 1
"$shmq" rm "$seg-b"

# Its reader takes a part and then no more, so it is killed while it holds messages that it has received.
begin "a receiver that is killed with SIGKILL loses nothing: a second one gets what it held"
new_queue --slot 64 --capacity 4096
mkfifo "$work/stuck"
exec 6<>"$work/stuck"
"$shmq" recv "$seg/q" --until-closed >"$work/stuck" &
victim=$!
"$shmq" send "$seg/q" <"$work/in" &
sender=$!
head -n 5000 <&6 >"$work/out-1"  # reads ahead: what it drops is what the pipe's reader lost
until_true stays_asleep $victim
until_true stays_asleep $sender
kill -KILL $victim
{ wait $victim; } 2>/dev/null
# Still in the pipe: written, and so released.
cat <&6 >"$work/out-pipe" &
reader=$!
"$shmq" recv "$seg/q" --until-closed >"$work/out-2" &
receiver=$!
ends 0 $sender
"$shmq" close "$seg/q"
ends 0 $receiver
until_true stays_asleep $reader
kill -TERM $reader
wait $reader 2>/dev/null
exec 6<&-
# head may drop what it read beyond its lines; all that was never in the pipe must be in the second's output.
least=$(sort -n "$work/out-2" | head -n 1)
seq "$least" 300000 | sort >"$work/expected"
sort -u "$work/out-2" | comm -23 "$work/expected" - >"$work/lost"
[ -s "$work/lost" ] && fail "lost: $(head -n 3 "$work/lost" | tr '\n' ' ')"
# Only lines that have their newline were written: the kill may have cut the last one, or come between two writes.
last_written=$(head -n "$(wc -l <"$work/out-pipe")" "$work/out-pipe" | tail -n 1)
[ "$least" -le $((last_written + 1)) ] || fail "lines between $last_written and $least are missing"

# Its reader takes nothing, so that it holds what it may.
begin "a receiver of a byte ring holds a quarter of it at most"
for line in 8 100 1000; do
  new_queue --kind spsc --ring 16K
  exec 6<>"$work/stuck"
  "$shmq" recv "$seg/q" --until-closed >"$work/stuck" &
  receiver=$!
  awk -v n=$line 'BEGIN { for (i = 0; i < 300000 / n; ++i) printf "%" n "d\n", i }' | "$shmq" send "$seg/q" 2>/dev/null &
  sender=$!
  until_true stays_asleep $receiver
  until_true stays_asleep $sender
  until_true stays_asleep $receiver
  held=$(held_bytes)
  [ "$held" -gt 0 ] || fail "it holds nothing: there is nothing to see"
  [ "$held" -le 4096 ] || fail "it holds $held of 16384 bytes with lines of $line"
  kill -TERM $sender $receiver
  wait $sender $receiver 2>/dev/null
  exec 6<&-
done

begin "receivers that are killed at random: each line comes at least once"
new_queue --slot 64 --capacity 1024
"$shmq" send "$seg/q" <"$work/in" &
sender=$!
: >"$work/got"
for round in 1 2 3 4 5 6 7 8; do
  "$shmq" recv "$seg/q" >>"$work/got" &
  victim=$!
  sleep 0.0$round
  kill -KILL $victim
  { wait $victim; } 2>/dev/null
done
"$shmq" recv "$seg/q" --until-closed >>"$work/got" &
receiver=$!
ends 0 $sender
"$shmq" close "$seg/q"
ends 0 $receiver
# A line that was cut by a kill is followed by another on the same line; whole ones come again.
sort -u "$work/got" | comm -23 "$work/sorted" - >"$work/lost"
cut=$(wc -l <"$work/lost")
[ "$cut" -le 8 ] || fail "$cut lines are missing: $(head -n 3 "$work/lost" | tr '\n' ' ')"
while read -r line; do grep -q "$line\$" "$work/got" || fail "lost: $line"; done <"$work/lost"

finish
