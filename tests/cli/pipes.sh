#!/bin/bash
# What goes in comes out.
. "$(dirname "$0")/lib.sh"

"$shmq" create "$seg" --size 64M --blocks 64x4K,16x64K,8x4M || exit 1

# round_trip FILE [OPTIONS...]: FILE through send and recv into $work/out.
round_trip() {
  local file=$1 receiver
  shift
  "$shmq" recv "$seg/q" --until-closed "$@" >"$work/out" &
  receiver=$!
  "$shmq" send "$seg/q" "$@" <"$file" || fail "send ended with $?"
  "$shmq" close "$seg/q"
  ends 0 $receiver
}

begin "two million lines pass through files unchanged"
seq 1 2000000 >"$work/in"
new_queue --capacity 1024 --slot 64
round_trip "$work/in"
same "$work/in" "$work/out"

begin "two million lines pass through pipes unchanged"
new_queue --capacity 4096 --slot 128
"$shmq" recv "$seg/q" --until-closed | cat >"$work/out" &
receiver=$!
cat "$work/in" | "$shmq" send "$seg/q" || fail "send ended with $?"
"$shmq" close "$seg/q"
ends 0 $receiver
same "$work/in" "$work/out"

begin "a queue of two slots passes them as well"
new_queue --capacity 2 --slot 64
head -n 100000 "$work/in" >"$work/short"
round_trip "$work/short"
same "$work/short" "$work/out"

begin "lines of all lengths, in slots and in blocks, keep their order"
new_queue --capacity 256 --slot 256
awk 'BEGIN { for (i = 0; i < 20000; i++) { n = i * 7919 % 6000; printf "%d %*s\n", i, n, "x" } }' >"$work/mixed"
round_trip "$work/mixed"
same "$work/mixed" "$work/out"

begin "with -0, records may hold newlines"
new_queue --slot 64
printf 'one\0two\nlines\0\0last\0' >"$work/nul"
round_trip "$work/nul" -0
same "$work/nul" "$work/out"

begin "with --whole, all of the input is one message, of any bytes"
new_queue --slot 64
head -c 3000000 /dev/urandom >"$work/bytes"
round_trip "$work/bytes" --whole
same "$work/bytes" "$work/out"

begin "with --whole, an empty input is one empty message"
new_queue --slot 64
expect 0 "$shmq" send "$seg/q" --whole </dev/null
is_waiting 1 || fail "$(waiting) messages wait"

begin "empty lines are empty messages"
new_queue --slot 64
printf '\n\na\n\n' >"$work/empty"
round_trip "$work/empty"
same "$work/empty" "$work/out"

begin "an empty input sends nothing"
new_queue --slot 64
expect 0 "$shmq" send "$seg/q" </dev/null
is_waiting 0 || fail "$(waiting) messages wait"

begin "a line of 3 MiB passes"
new_queue --slot 64
{ head -c 3145728 /dev/zero | tr '\0' x; echo; echo after; } >"$work/long"
round_trip "$work/long"
same "$work/long" "$work/out"

begin "a last line without a newline counts, and gets one"
new_queue --slot 64
printf 'first\nlast' >"$work/open"
round_trip "$work/open"
printf 'first\nlast\n' >"$work/closed"
same "$work/closed" "$work/out"

begin "a lone message is passed on while both pipes stay open"
new_queue --slot 64
mkfifo "$work/to" "$work/from"
"$shmq" send "$seg/q" <"$work/to" &
sender=$!
"$shmq" recv "$seg/q" >"$work/from" &
receiver=$!
exec 5>"$work/to" 6<"$work/from"
for word in one two three; do
  echo $word >&5
  IFS= read -r answer <&6
  [ "$answer" = $word ] || fail "read $answer, not $word"
done
exec 5>&-
ends 0 $sender
"$shmq" close "$seg/q"
ends 0 $receiver
exec 6<&-

begin "--count takes exactly so many"
new_queue --slot 64
seq 1 100 | "$shmq" send "$seg/q"
expect 0 "$shmq" recv "$seg/q" --count 30 >"$work/out"
seq 1 30 >"$work/expected"
same "$work/expected" "$work/out"
is_waiting 70 || fail "$(waiting) messages wait, not 70"

begin "--idle 0 takes what is there and ends"
expect 0 "$shmq" recv "$seg/q" --idle 0 >"$work/out"
seq 31 100 >"$work/expected"
same "$work/expected" "$work/out"

begin "--idle before --count or --until-closed is reached is a failure of its own"
expect 5 "$shmq" recv "$seg/q" --count 1 --idle 0.05
expect 5 "$shmq" recv "$seg/q" --until-closed --idle 0.05

begin "browse takes nothing, and shows state, type, size, deliveries and bytes"
printf 'a\tb\n' | "$shmq" send "$seg/q" --type 7
expect 0 "$shmq" browse "$seg/q" >"$work/out"
grep -q '	ready	type 7	3 B	new	a\\x09b$' "$work/out" || fail "browse: $(cat "$work/out")"
"$shmq" recv "$seg/q" --requeue --count 1 >/dev/null
"$shmq" browse "$seg/q" | grep -q '	redeliver	type 7	3 B	delivered 1 time	a' || fail "browse: $("$shmq" browse "$seg/q")"
"$shmq" browse "$seg/q" --json >"$work/out"
grep -q '"state":"redeliver"' "$work/out" && grep -q '"text":"a\\u0009b"' "$work/out" || fail "browse --json: $(cat "$work/out")"
if command -v python3 >/dev/null; then python3 -m json.tool <"$work/out" >/dev/null || fail "that is no JSON"; fi
is_waiting 1 || fail "$(waiting) messages wait, not 1"

begin "purge says how many messages it took"
[ "$("$shmq" purge "$seg/q")" = "1 message purged" ] || fail "another number"
is_waiting 0 || fail "$(waiting) messages wait"

finish
