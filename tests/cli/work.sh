#!/bin/bash
# shmq work: a command for each task, and what becomes of the task whoever ends, and how.
. "$(dirname "$0")/lib.sh"

export work
"$shmq" create "$seg" --size 16M --blocks 8x64K,2x1M || exit 1

new_table() {
  "$shmq" rm "$seg/t" 2>/dev/null
  "$shmq" table "$seg/t" "$@" || fail "cannot declare $seg/t"
  rm -f "$work"/pid.* "$work/began"
}
state() { "$shmq" task "$seg/t" list | grep "^$1	" | cut -f2; }
is_in() { [ "$(state "$2")" = "$1" ]; }
has_in_state() { [ "$("$shmq" task "$seg/t" list --state "$1" | wc -l)" = "$2" ]; }
owner_of() { "$shmq" task "$seg/t" list --state running | sed 's/.*pid \([0-9]*\)).*/\1/' | head -n 1; }
gone() { ! kill -0 "$1" 2>/dev/null || [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat")" = Z ]; }
script() { cat >"$work/$1"; chmod +x "$work/$1"; }

script waits <<'S'
#!/bin/bash
# Says who it is, and waits until it may end, or for ever.
echo $$ >"$work/pid.new.$$"
mv "$work/pid.new.$$" "$work/pid.$1"
until [ -e "$work/go.$1" ]; do sleep 0.02; done
echo "went $1"
S

begin "the payload is an argument, the output is the result"
new_table
"$shmq" work "$seg/t" --slots 3 --until-drained -- echo 'got <{}>' '{}!' &
worker=$!
printf '%s\n' one 'two words' '' "it's" >"$work/in"
"$shmq" submit "$seg/t" --wait <"$work/in" >"$work/out" || fail "submit ended with $?"
sed 's/.*/got <&> &!/' "$work/in" | cmp - "$work/out" || fail "it wrote $(cat "$work/out")"
"$shmq" task "$seg/t" drain
ends 0 $worker

begin "without {} the payload is standard input, of any bytes and any size; --whole keeps the last newline"
new_table
head -c 600000 /dev/urandom >"$work/in"
"$shmq" work "$seg/t" --count 1 --whole -- cat &
worker=$!
"$shmq" submit "$seg/t" --whole --wait <"$work/in" >"$work/out" || fail "submit ended with $?"
same "$work/in" "$work/out"
ends 0 $worker
"$shmq" work "$seg/t" --count 1 --whole -- echo &
worker=$!
"$shmq" submit "$seg/t" --whole --wait </dev/null >"$work/out" || fail "submit ended with $?"
[ "$(wc -c <"$work/out")" = 1 ] || fail "the newline is gone"
ends 0 $worker

begin "a command that does not read its input is no worse for it"
new_table
"$shmq" work "$seg/t" --count 1 -- true &
worker=$!
"$shmq" submit "$seg/t" --whole --wait <"$work/in" >"$work/out" || fail "submit ended with $?"
ends 0 $worker

begin "each run knows its task"
new_table
id=$("$shmq" submit "$seg/t" --name resize x)
expect 0 "$shmq" work "$seg/t" --count 1 -- sh -c 'echo "$SHMQ_TASK_ID $SHMQ_TASK_NAME $SHMQ_TASK_RUNS_BEFORE"'
"$shmq" task "$seg/t" wait "$id" --results >"$work/out"
[ "$(cat "$work/out")" = "$id resize 0" ] || fail "it said $(cat "$work/out")"

begin "as many at a time as there are slots, and no more"
new_table
"$shmq" submit "$seg/t" a b c >/dev/null
"$shmq" work "$seg/t" --slots 2 --count 3 -- "$work/waits" {} &
worker=$!
until_true test -e "$work/pid.a" -a -e "$work/pid.b"
has_in_state running 2 || fail "not two run"
[ -e "$work/pid.c" ] && fail "a third one runs"
touch "$work/go.a"
until_true test -e "$work/pid.c"
touch "$work/go.b" "$work/go.c"
ends 0 $worker
has_in_state done 3 || fail "not three are done"

begin "a task that comes while others run does not wait for them"
new_table
rm -f "$work"/go.*
"$shmq" work "$seg/t" --slots 2 --count 2 -- "$work/waits" {} &
worker=$!
"$shmq" submit "$seg/t" a >/dev/null
until_true test -e "$work/pid.a"
"$shmq" submit "$seg/t" b >/dev/null
until_true test -e "$work/pid.b"
touch "$work/go.a" "$work/go.b"
ends 0 $worker

begin "a command that fails, or cannot be run, has its task run again, as often as that says"
new_table
id=$("$shmq" submit "$seg/t" --retries 2 x)
expect 0 "$shmq" work "$seg/t" --count 3 -- sh -c 'echo "no luck with {}" >&2; echo run >>"$work/runs"; exit 3'
says "no luck with x"
[ "$(wc -l <"$work/runs")" = 3 ] || fail "$(wc -l <"$work/runs") runs"
is_in dead "$id" || fail "the task is $(state "$id")"
id=$("$shmq" submit "$seg/t" --retries 0 "no-such-program-$$")
expect 0 "$shmq" work "$seg/t" --count 1 -- {}
says "cannot run \"no-such-program-$$"
is_in dead "$id" || fail "the task is $(state "$id")"
id=$(printf 'a\0b' | "$shmq" submit "$seg/t" --whole --retries 0)
expect 0 "$shmq" work "$seg/t" --count 1 -- echo {}
says "the payload has a NUL in it"
is_in dead "$id" || fail "the task is $(state "$id")"

begin "a command that a signal ends is a crash"
new_table
id=$("$shmq" submit "$seg/t" --retries 0 --crashes 0 x)
expect 0 "$shmq" work "$seg/t" --count 1 -- sh -c 'echo "the end of it" >&2; kill -SEGV $$'
is_in dead "$id" || fail "the task is $(state "$id")"
"$shmq" task "$seg/t" list | grep -q '1 crash' || fail "$("$shmq" task "$seg/t" list)"

begin "an output that is too large is a failure that says so"
new_table
id=$("$shmq" submit "$seg/t" --retries 0 x)
expect 0 "$shmq" work "$seg/t" --count 1 --result-max 64K -- yes
says "its output is larger than --result-max (64 KiB)"
is_in dead "$id" || fail "the task is $(state "$id")"
id=$("$shmq" submit "$seg/t" --retries 0 x)
expect 0 "$shmq" work "$seg/t" --count 1 --result-max 8M -- head -c 2000000 /dev/zero
says "fits neither the table"
is_in dead "$id" || fail "the task is $(state "$id")"
id=$("$shmq" submit "$seg/t" --retries 0 x)
expect 0 "$shmq" work "$seg/t" --count 1 --result-max 4 -- echo 1234
is_in done "$id" || fail "four bytes were too many"

begin "--timeout ends a command, and the run has failed"
new_table
rm -f "$work"/go.*
id=$("$shmq" submit "$seg/t" --retries 0 a)
expect 0 "$shmq" work "$seg/t" --count 1 --timeout 1 -- "$work/waits" {}
says "it took longer than --timeout"
is_in dead "$id" || fail "the task is $(state "$id")"
[ ! -e "$work/pid.a" ] || gone "$(cat "$work/pid.a")" || fail "the command goes on"

begin "a task that is cancelled while it runs has its command ended, with all that it started"
new_table
id=$("$shmq" submit "$seg/t" a)
"$shmq" work "$seg/t" --count 1 -- sh -c '"$work/waits" {}; true' &
worker=$!
until_true test -e "$work/pid.a"
expect 0 "$shmq" task "$seg/t" cancel "$id"
ends 0 $worker
is_in cancelled "$id" || fail "the task is $(state "$id")"
until_true gone "$(cat "$work/pid.a")"

for slots in 1 2; do
  begin "a command whose run took longer than its task allows has lost its lease, and is ended: $slots slots"
  new_table
  rm -f "$work"/go.*
  id=$("$shmq" submit "$seg/t" --timeout 0.3 --timeouts 0 a)
  expect 0 "$shmq" work "$seg/t" --count 1 --slots $slots -- "$work/waits" {}
  says "its lease was lost"
  is_in dead "$id" || fail "the task is $(state "$id")"
  [ ! -e "$work/pid.a" ] || gone "$(cat "$work/pid.a")" || fail "the command goes on"
done

begin "a worker that is killed with SIGKILL: its commands are ended, and its tasks run elsewhere"
new_table
id=$("$shmq" submit "$seg/t" a)
"$shmq" work "$seg/t" -- "$work/waits" {} 2>"$work/stderr" &
worker=$!
until_true test -e "$work/pid.a"
first=$(cat "$work/pid.a")
owner=$(owner_of)
rm "$work/pid.a"
kill -KILL "$owner"
ends 137 $worker
gone "$first" || fail "its command goes on"
grep -q "its worker was killed by signal 9" "$work/stderr" || fail "it said $(cat "$work/stderr")"
"$shmq" work "$seg/t" --count 1 -- "$work/waits" {} &
worker=$!
until_true test -e "$work/pid.a"
touch "$work/go.a"
ends 0 $worker
is_in done "$id" || fail "the task is $(state "$id")"
"$shmq" task "$seg/t" list | grep -q '2 runs' || fail "$("$shmq" task "$seg/t" list)"

begin "when the process that watches over it is killed, the commands are ended, and the tasks run elsewhere"
new_table
rm -f "$work"/go.*
id=$("$shmq" submit "$seg/t" a)
"$shmq" work "$seg/t" -- "$work/waits" {} 2>"$work/stderr" &
worker=$!
until_true test -e "$work/pid.a"
kill -KILL $worker
ends 137 $worker
until_true gone "$(cat "$work/pid.a")"
until_true is_in ready "$id"

for signal in INT TERM HUP; do
  begin "SIG$signal: commands that end within the grace are done; nothing else is taken"
  new_table
  rm -f "$work"/go.*
  "$shmq" submit "$seg/t" a b >/dev/null
  "$shmq" work "$seg/t" --slots 1 --grace 1000 -- "$work/waits" {} 2>"$work/stderr" &
  worker=$!
  until_true test -e "$work/pid.a"
  kill -$signal $worker
  until_true grep -q "takes no more tasks" "$work/stderr"
  touch "$work/go.a"
  ends 0 $worker
  has_in_state done 1 || fail "$("$shmq" task "$seg/t" list)"
  has_in_state ready 1 || fail "$("$shmq" task "$seg/t" list)"

  begin "SIG$signal: commands that do not are ended, and their tasks given back"
  new_table
  rm -f "$work"/go.*
  id=$("$shmq" submit "$seg/t" a)
  "$shmq" work "$seg/t" --slots 1 --grace 0 -- "$work/waits" {} 2>"$work/stderr" &
  worker=$!
  until_true test -e "$work/pid.a"
  kill -$signal $worker
  ends 0 $worker
  is_in ready "$id" || fail "the task is $(state "$id")"
  gone "$(cat "$work/pid.a")" || fail "its command goes on"
  "$shmq" task "$seg/t" list | grep -q '1 release' || fail "$("$shmq" task "$seg/t" list)"
done

begin "a second signal does not wait for the grace"
new_table
id=$("$shmq" submit "$seg/t" a)
"$shmq" work "$seg/t" --slots 1 --grace 1000 -- "$work/waits" {} 2>"$work/stderr" &
worker=$!
until_true test -e "$work/pid.a"
kill -TERM $worker
until_true grep -q "takes no more tasks" "$work/stderr"
kill -TERM $worker
ends 0 $worker
is_in ready "$id" || fail "the task is $(state "$id")"

begin "SIGTERM ends one that has nothing to do"
new_table
"$shmq" work "$seg/t" -- true &
worker=$!
attached() { "$shmq" ls -l | grep "^$seg	" | grep -q "	1 attached"; }
until_true attached
kill -TERM $worker
ends 0 $worker

begin "--until-drained ends when nothing is left, also where nothing was there"
new_table
seq 50 | "$shmq" submit "$seg/t" >/dev/null
"$shmq" task "$seg/t" drain
"$shmq" work "$seg/t" --slots 2 --until-drained -- true &
first=$!
"$shmq" work "$seg/t" --slots 2 --until-drained -- true &
second=$!
ends 0 $first
ends 0 $second
has_in_state done 50 || fail "not all are done"
expect 0 "$shmq" work "$seg/t" --until-drained -- true

begin "a table that is removed ends its workers, and their commands"
new_table
rm -f "$work"/go.*
"$shmq" submit "$seg/t" a >/dev/null
"$shmq" work "$seg/t" --slots 2 -- "$work/waits" {} 2>"$work/stderr" &
worker=$!
until_true test -e "$work/pid.a"
"$shmq" rm "$seg/t"
ends 4 $worker
gone "$(cat "$work/pid.a")" || fail "its command goes on"

begin "so does a segment that is removed while all slots are taken"
new_table
rm -f "$work"/go.*
"$shmq" submit "$seg/t" a b >/dev/null
"$shmq" work "$seg/t" --slots 2 -- "$work/waits" {} 2>"$work/stderr" &
worker=$!
until_true test -e "$work/pid.a" -a -e "$work/pid.b"
"$shmq" rm "$seg"
ends 4 $worker
says "was removed"
for task in a b; do gone "$(cat "$work/pid.$task")" || fail "the command of $task goes on"; done
"$shmq" create "$seg" --size 16M --blocks 8x64K,2x1M || exit 1

begin "what cannot be is refused"
new_table
expect 2 "$shmq" work "$seg/t"
says "needs -- COMMAND"
expect 2 "$shmq" work "$seg" -- true
expect 2 "$shmq" work "$seg/t" --slots 0 -- true
expect 3 "$shmq" work "$seg/none" -- true
expect 3 "$shmq" work "$seg/t" -- "no-such-program-$$"

finish
