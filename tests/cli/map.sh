#!/bin/bash
# shmq map: a command for each item, several at a time, whoever is killed.
. "$(dirname "$0")/lib.sh"

export work
segments() { find /dev/shm -maxdepth 1 -name "shmq.map-$1*" | wc -l; }
no_segment_of() { [ "$(segments "$1")" = 0 ]; }
has_lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
gone() { ! kill -0 "$1" 2>/dev/null || [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat")" = Z ]; }

# script NAME: standard input becomes an executable file $work/NAME.
script() { cat >"$work/$1"; chmod +x "$work/$1"; }

begin "an empty input runs nothing"
expect 0 "$shmq" map -- touch "$work/ran" </dev/null
[ -e "$work/ran" ] && fail "it ran something"

begin "each item is one argument, whatever is in it"
printf '%s\n' 'two words' "it's \"quoted\"" '' '$HOME `id` \\ *' ' lead and trail ' '{}' >"$work/in"
expect 0 "$shmq" map --keep-order --workers 3 -- printf '[%s]\n' <"$work/in" >"$work/out"
sed 's/.*/[&]/' "$work/in" >"$work/expected"
same "$work/expected" "$work/out"

begin "{} stands wherever it is in an argument, as often as it is there"
printf 'a b\nc\n' | "$shmq" map --keep-order printf '%s|' 'x{}y' '{}{}' z '{' >"$work/out" || fail "status $?"
printf 'xa by|a ba b|z|{|xcy|cc|z|{|' >"$work/expected"
same "$work/expected" "$work/out"

begin "with -0, items may hold newlines"
printf 'one\ntwo\0\0three' | "$shmq" map -0 --keep-order -- printf '<%s>' >"$work/out" || fail "status $?"
printf '<one\ntwo><><three>' >"$work/expected"
same "$work/expected" "$work/out"

begin "a last line without a newline counts, as an argument of 100 KB does"
{ seq 3; head -c 100000 /dev/zero | tr '\0' x; } >"$work/in"
expect 0 "$shmq" map --keep-order echo <"$work/in" >"$work/out"
{ cat "$work/in"; echo; } | cmp - "$work/out" || fail "another output"

begin "a program whose name has {} in it is looked up for each item"
printf 'echo\nprintf\n' | "$shmq" map --keep-order -- {} '{}
' >"$work/out" || fail "status $?"
printf 'echo\n\nprintf\n' | cmp - "$work/out" || fail "it wrote $(cat "$work/out")"

script late <<'S'
#!/bin/bash
# The first item ends after the last one has: outputs come in another order than the items.
if [ "$1" = 1 ]; then until [ -e "$work/last" ]; do sleep 0.01; done; fi
if [ "$1" = 2000 ]; then touch "$work/last"; fi
echo "$1"
S
begin "--keep-order writes in the order of the items, also where the first one is the last to end"
seq 500 | sed '$s/.*/2000/' >"$work/in"
expect 0 "$shmq" map --keep-order --workers 4 -- "$work/late" <"$work/in" >"$work/out"
same "$work/in" "$work/out"

begin "without it, nothing waits for an item that takes long"
rm -f "$work/last"
expect 0 "$shmq" map --workers 4 -- "$work/late" <"$work/in" >"$work/out"
[ "$(head -n 1 "$work/out")" != 1 ] || fail "the first item came first"
sort "$work/in" | cmp - <(sort "$work/out") || fail "not the same items"

begin "more items than the table holds"
seq 3000 >"$work/in"
expect 0 "$shmq" map --keep-order --workers 2 -- echo <"$work/in" >"$work/out"
same "$work/in" "$work/out"

script long <<'S'
#!/bin/bash
for i in 1 2 3; do head -c 70000 /dev/zero | tr '\0' "$1"; echo; done
S
begin "outputs are whole: short ones, long ones, and those without an end of line"
for i in $(seq 30); do echo $((i % 10)); done >"$work/in"
expect 0 "$shmq" map --keep-order --workers 4 -- "$work/long" <"$work/in" >"$work/out"
while read -r item; do "$work/long" "$item"; done <"$work/in" >"$work/expected"
same "$work/expected" "$work/out"
"$shmq" map --workers 4 -- "$work/long" <"$work/in" | cat >"$work/out"
statuses=("${PIPESTATUS[@]}")
[ "${statuses[0]}" = 0 ] || fail "status ${statuses[0]}"
sort "$work/expected" | cmp - <(sort "$work/out") || fail "not the same lines"

begin "standard error passes through; standard input is empty"
expect 0 "$shmq" map -- sh -c 'cat; echo "error {}" >&2' <"$work/in" >"$work/out"
says "error 7"
[ -s "$work/out" ] && fail "a command read standard input"

begin "the exit status is the number of items that failed; 101: more than 100"
expect 3 "$shmq" map -- sh -c 'echo {}; test {} -gt 3' < <(seq 10) >"$work/out"
[ "$(wc -l <"$work/out")" = 10 ] || fail "the output of failed commands is missing"
expect 100 "$shmq" map false < <(seq 100)
expect 101 "$shmq" map false < <(seq 101)
expect 1 "$shmq" map -- sh -c 'kill -SEGV $$' < <(seq 1)

script flaky <<'S'
#!/bin/bash
# Fails twice for each item.
echo run >>"$work/flaky.$1"
echo "try $(wc -l <"$work/flaky.$1") of $1"
[ "$(wc -l <"$work/flaky.$1")" -ge 3 ]
S
begin "--retries runs a failed command again, and writes its last output alone"
expect 0 "$shmq" map --keep-order --retries 2 -- "$work/flaky" < <(seq 5) >"$work/out"
for i in 1 2 3 4 5; do echo "try 3 of $i"; done | cmp - "$work/out" || fail "it wrote $(cat "$work/out")"
rm -f "$work"/flaky.*
expect 5 "$shmq" map --retries 1 -- "$work/flaky" < <(seq 5) >"$work/out"
[ "$(cat "$work"/flaky.? | wc -l)" = 10 ] || fail "$(cat "$work"/flaky.? | wc -l) runs, not 10"
rm -f "$work"/flaky.*

begin "--joblog has a line for each item"
expect 2 "$shmq" map --keep-order --joblog "$work/log" -- sh -c 'case "$1" in a) exit 7;; b) kill -KILL $$;; esac' _ < <(printf 'a\nb\nc\td\n') >"$work/out"
[ "$(wc -l <"$work/log")" = 4 ] || fail "it has $(wc -l <"$work/log") lines"
[ "$(sed -n 1p "$work/log")" = 'Seq	Start	Runtime	Exit	Signal	Command' ] || fail "its first line: $(sed -n 1p "$work/log")"
[ "$(cut -f1,4,5 "$work/log" | tail -n 3 | tr '\t\n' ' ;')" = "1 7 0;2 0 9;3 0 0;" ] || fail "it says $(cat "$work/log")"
cut -f6 "$work/log" | tail -n 1 | grep -qF '_ c\td' || fail "the tab of an item is a tab of the table"
expect 255 "$shmq" map --joblog "$work/no/log" true < <(seq 1)
says "cannot write --joblog"

begin "--timeout ends a command that takes too long, with what it started"
expect 1 "$shmq" map --timeout 1 -- sh -c 'sleep 1000 & echo $! >"$work/sleeper"; wait' < <(seq 1)
[ ! -s "$work/sleeper" ] || until_true gone "$(cat "$work/sleeper")"

begin "--progress says at the end what was done"
expect 1 "$shmq" map --progress -- test 1 = < <(seq 2)
says "2 done, 1 failed, 0 to do"

begin "what cannot be is refused, with status 255"
expect 255 "$shmq" map < <(seq 1)
says "needs a COMMAND"
expect 255 "$shmq" map --workers 0 true < <(seq 1)
expect 255 "$shmq" map --nonsense true < <(seq 1)
expect 255 "$shmq" map -- "no-such-program-$$" < <(seq 1)
says "there is no such program"
expect 255 "$shmq" map "echo -n" < <(seq 1)
says "there is no shell"
printf '#!/no/such/interpreter\n' | script broken
expect 2 "$shmq" map --joblog "$work/log" -- "$work/broken" < <(seq 2)
[ "$(cut -f4 "$work/log" | tail -n 1)" = 127 ] || fail "$(cat "$work/log")"

many() { head -c "$1" /dev/zero | tr '\0' x; }
begin "an item that no argument can be is one failed item; the others are run"
{ echo one; many 200000; echo; printf 'a\0b\n'; many 131072; echo; echo five; many 700000; } >"$work/in"
for cat in cat "dd bs=999 status=none"; do
  $cat <"$work/in" | "$shmq" map --keep-order --joblog "$work/log" echo >"$work/out" 2>"$work/stderr"
  statuses=("${PIPESTATUS[@]}")
  [ "${statuses[1]}" = 4 ] || fail "status ${statuses[1]}: $(cat "$work/stderr")"
  printf 'one\nfive\n' | cmp - "$work/out" || fail "it wrote $(head -c 100 "$work/out")"
  for item in 2 4 6; do says "map: item $item has more than 131071 bytes"; done
  says "map: item 3 has a NUL in it"
  says "-0"
  [ "$(sed 1d "$work/log" | cut -f1,4 | tr '\t\n' ' ;')" = "1 0;2 126;3 126;4 126;5 0;6 126;" ] || fail "the job log: $(cut -c1-60 "$work/log")"
done
many 131071 >"$work/in"
expect 0 "$shmq" map -- sh -c 'echo ${#1}' _ <"$work/in" >"$work/out"
[ "$(cat "$work/out")" = 131071 ] || fail "it says $(cat "$work/out")"
expect 3 "$shmq" map echo < <(printf 'a\0b\nc\0\n\0') >"$work/out"
[ -s "$work/out" ] && fail "it ran something"

begin "-P, -j and -k are what users of xargs and parallel type"
seq 20 >"$work/in"
for option in "-P 3" "-j 3"; do
  # shellcheck disable=SC2086  # two words
  expect 0 "$shmq" map $option -k -- sh -c 'sleep 0.0$((9 - $1 % 10)); echo $1' _ <"$work/in" >"$work/out"
  same "$work/in" "$work/out"
done
expect 255 "$shmq" map -P 0 true <"$work/in"
says "-P 0"

begin "items are run as they come, while the input stays open"
mkfifo "$work/to" "$work/from"
"$shmq" map --keep-order echo <"$work/to" >"$work/from" &
map=$!
exec 5>"$work/to" 6<"$work/from"
for word in one two three; do
  echo $word >&5
  IFS= read -r answer <&6
  [ "$answer" = $word ] || fail "read $answer, not $word"
done
exec 5>&-
ends 0 $map
exec 6<&-

script victim <<'S'
#!/bin/bash
# The first run of item 40 waits until it is killed; $PPID is its worker.
if [ "$1" = 40 ] && [ ! -e "$work/began" ]; then
  echo $PPID >"$work/worker"
  echo $$ >"$work/command"
  mv "$work/command" "$work/began"
  sleep 1000
fi
echo "$1"
S
begin "a worker that is killed with SIGKILL loses nothing: its command is ended, and run again by another"
seq 200 >"$work/in"
"$shmq" map --keep-order --workers 3 -- "$work/victim" <"$work/in" >"$work/out" 2>"$work/stderr" &
map=$!
until_true test -e "$work/began"
kill -KILL "$(cat "$work/worker")"
ends 0 $map
same "$work/in" "$work/out"
says "1 worker was killed"
gone "$(cat "$work/began")" || fail "its command still runs"
until_true no_segment_of $map

begin "a lone worker that is killed is replaced"
rm -f "$work/began"
"$shmq" map --keep-order --workers 1 -- "$work/victim" <"$work/in" >"$work/out" 2>"$work/stderr" &
map=$!
until_true test -e "$work/began"
kill -KILL "$(cat "$work/worker")"
ends 0 $map
same "$work/in" "$work/out"

begin "an item with which 4 workers are killed is given up; the others are run"
expect 1 "$shmq" map --workers 2 --keep-order --joblog "$work/log" -- sh -c '[ "$1" != 5 ] || kill -KILL $PPID; echo $1' _ < <(seq 10) >"$work/out"
seq 10 | grep -vx 5 | cmp - "$work/out" || fail "it wrote $(tr '\n' ' ' <"$work/out")"
says "item 5 was given up"
[ "$(grep -c '	-1	9	' "$work/log")" = 1 ] || fail "$(cat "$work/log")"

script waits <<'S'
#!/bin/bash
echo $$ >>"$work/waiting"
sleep 1000
S
for signal in INT TERM HUP; do
  begin "SIG$signal ends the commands, the workers and the segment"
  rm -f "$work/waiting"
  touch "$work/waiting"
  "$shmq" map --workers 2 -- "$work/waits" <"$work/in" >"$work/out" 2>"$work/stderr" &
  map=$!
  until_true has_lines "$work/waiting" 2
  [ "$(segments $map)" = 1 ] || fail "there is no segment of its own"
  kill -$signal $map
  ends $((128 + $(kill -l $signal))) $map
  says "ended by SIG$signal"
  while read -r pid; do gone "$pid" || fail "a command goes on"; done <"$work/waiting"
  no_segment_of $map || fail "its segment is left"
done

begin "a command that does not end by SIGTERM is killed"
rm -f "$work/waiting"
"$shmq" map --workers 1 -- bash -c 'trap "" TERM; echo $$ >"$work/waiting"; while :; do sleep 1; done' <"$work/in" 2>"$work/stderr" &
map=$!
until_true test -s "$work/waiting"
kill -TERM $map
kill -TERM $map
ends 143 $map
until_true gone "$(cat "$work/waiting")"

begin "a reader that goes ends it"
yes | "$shmq" map --workers 2 echo 2>"$work/stderr" | head -n 1 >"$work/out"
statuses=("${PIPESTATUS[@]}")
[ "${statuses[1]}" = 141 ] || fail "status ${statuses[1]}: $(cat "$work/stderr")"
[ -s "$work/stderr" ] && fail "it complained: $(cat "$work/stderr")"

begin "an input that is always ahead is read as there is room"
for _ in 1 2 3 4 5; do
  yes | "$shmq" map --workers 2 echo 2>"$work/stderr" | head -n 1 >"$work/out"
  statuses=("${PIPESTATUS[@]}")
  [ "${statuses[1]}" = 141 ] || fail "status ${statuses[1]}: $(cat "$work/stderr")"
done

begin "a full disk ends it with a message"
if [ -w /dev/full ]; then
  expect 255 "$shmq" map echo < <(seq 3) >/dev/full
  says "No space left on device"
fi

begin "a map that is killed with SIGKILL takes its commands along; gc finds its segment"
rm -f "$work/waiting"
touch "$work/waiting"
"$shmq" map --workers 2 -- "$work/waits" <"$work/in" >"$work/out" 2>"$work/stderr" &
map=$!
until_true has_lines "$work/waiting" 2
kill -KILL $map
ends 137 $map
while read -r pid; do until_true gone "$pid"; done <"$work/waiting"
listed() { "$shmq" gc --unused 2>/dev/null | grep -q "unused map-$map	"; }
until_true listed
expect 0 "$shmq" rm "map-$map"

finish
