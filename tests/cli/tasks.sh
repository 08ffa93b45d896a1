#!/bin/bash
# Task tables from the shell: submission, results in order, and what can be done to a task.
. "$(dirname "$0")/lib.sh"
worker=$2

"$shmq" create "$seg" --size 16M --blocks 16x64K || exit 1

new_table() {
  "$shmq" rm "$seg/t" 2>/dev/null
  "$shmq" table "$seg/t" "$@" || fail "cannot declare $seg/t"
}
# state ID: of the task.
state() { "$shmq" task "$seg/t" list | grep "^$1	" | cut -f2; }
is_in() { [ "$(state "$2")" = "$1" ]; }
# in_state STATE: how many tasks are.
in_state() { "$shmq" task "$seg/t" list --state "$1" | wc -l; }
has_in_state() { [ "$(in_state "$1")" = "$2" ]; }
# field NAME: a number of $work/json.
field() { grep -o "\"$1\":[0-9]*" "$work/json" | head -n 1 | cut -d: -f2; }

begin "a table is declared once, and in the same way by everybody"
expect 0 "$shmq" table "$seg/t" --capacity 100 --payload 100 --result 0
expect 0 "$shmq" table "$seg/t" --capacity 100 --payload 100 --result 0
expect 1 "$shmq" table "$seg/t" --capacity 101 --payload 100 --result 0
says "100"
expect 2 "$shmq" table "$seg/t" --payload 65K
expect 2 "$shmq" table "$seg"
says "this wants a task table: $seg/TABLE"
expect 3 "$shmq" table "$seg-none/t"
"$shmq" ls -l "$seg" | grep -qx "$seg/t	tasks 100x128x0	0 waiting	0 running" || fail "ls -l says $("$shmq" ls -l "$seg")"
"$shmq" ls -l | grep -q "^$seg	16 MiB	0 queues, 1 task table	" || fail "ls -l says $("$shmq" ls -l | grep "$seg")"
expect 1 "$shmq" send "$seg/t" </dev/null
expect 0 "$shmq" queue "$seg/q"
expect 1 "$shmq" submit "$seg/q" x
says "is a queue, not a task table"
expect 0 "$shmq" rm "$seg/t" "$seg/q"
[ -z "$("$shmq" ls "$seg")" ] || fail "rm left $("$shmq" ls "$seg")"

begin "plan gives a segment that holds the tables, and not one page more"
"$shmq" plan --table 1000x100x10 --table 50x64 --blocks 2x64K >"$work/plan"
grep -q '^1000 tasks with payloads of 128 B and results of 64 B, 50 tasks with payloads of 64 B and results of 64 B and 2 blocks of 64 KiB need ' "$work/plan" ||
  fail "plan says $(cat "$work/plan")"
options=$(sed -n 's/^shmq create SEG//p' "$work/plan")
# shellcheck disable=SC2086  # the words of the command
expect 0 "$shmq" create "$seg-a" $options
expect 0 "$shmq" table "$seg-a/a" --capacity 1000 --payload 100 --result 10
expect 0 "$shmq" table "$seg-a/b" --capacity 50
expect 1 "$shmq" table "$seg-a/c" --capacity 50
"$shmq" rm "$seg-a"
expect 2 "$shmq" plan --table 100
says "CAPACITYxPAYLOAD"

begin "words and lines become tasks, and each id is printed once its task is there"
new_table --capacity 100
expect 0 "$shmq" submit "$seg/t" --name one --retries 0 --correlation 77 first "second one" >"$work/ids"
printf 'third\n\nfifth' | "$shmq" submit "$seg/t" >>"$work/ids" || fail "submit ended with $?"
[ "$(wc -l <"$work/ids")" = 5 ] || fail "not five ids: $(cat "$work/ids")"
"$shmq" task "$seg/t" list | cut -f1 | sort | cmp - <(sort "$work/ids") || fail "list has other ids"
"$shmq" task "$seg/t" list --name one | cut -f2-5 | sort | tr '\n' ';' >"$work/out"
[ "$(cat "$work/out")" = "ready	one	0 runs	10 B;ready	one	0 runs	5 B;" ] || fail "list says $(cat "$work/out")"
"$worker" "$seg" t 5 || fail "the worker ended with $?"
mapfile -t ids <"$work/ids"
expect 0 "$shmq" task "$seg/t" wait "${ids[@]}" --results >"$work/out"
printf 'FIRST\nSECOND ONE\nTHIRD\n\nFIFTH\n' | cmp - "$work/out" || fail "other results: $(cat "$work/out")"
expect 0 "$shmq" task "$seg/t" show "${ids[1]}" --json >"$work/json"
[ "$(field correlation)" = 77 ] || fail "show says $(cat "$work/json")"
grep -q '"result":{"size":10,"text":"SECOND ONE"}' "$work/json" || fail "show says $(cat "$work/json")"
grep -q '"payload":{"size":10,"text":"second one"}' "$work/json" || fail "show says $(cat "$work/json")"
expect 0 "$shmq" task "$seg/t" show "${ids[0]}" >"$work/out"
grep -q "result  *5 B  FIRST" "$work/out" || fail "show says $(cat "$work/out")"
grep -q "payload  *5 B  first" "$work/out" || fail "show says $(cat "$work/out")"
[ "$("$shmq" task "$seg/t" purge --name one)" = "2 tasks purged" ] || fail "purge --name"
[ "$("$shmq" task "$seg/t" purge)" = "3 tasks purged" ] || fail "purge"
expect 3 "$shmq" task "$seg/t" show "${ids[0]}"
says "there is no task ${ids[0]}"

begin "--wait prints results in the order of submission, through a table that is much smaller than the input"
new_table --capacity 8
"$worker" "$seg" t & first=$!
"$worker" "$seg" t & second=$!
seq 1 5000 | sed 's/^/line /' | "$shmq" submit "$seg/t" --wait >"$work/out" || fail "submit ended with $?"
seq 1 5000 | sed 's/^/LINE /' | cmp - "$work/out" || fail "other results"
[ -z "$("$shmq" task "$seg/t" list)" ] || fail "tasks stay: $("$shmq" task "$seg/t" list | head -3)"

begin "--wait answers a slow input line by line, with NUL where that is asked for, and large results"
exec 5> >("$shmq" submit "$seg/t" --wait -0 >"$work/answers"; echo "ended with $?" >"$work/ended")
printf 'a\0' >&5
until_true grep -q A "$work/answers"
head -c 50000 /dev/zero | tr '\0' x >&5
printf '\0none\0' >&5
exec 5>&-
until_true grep -q . "$work/ended"
grep -qx "ended with 0" "$work/ended" || fail "submit $(cat "$work/ended")"
{ printf 'A\0'; head -c 50000 /dev/zero | tr '\0' X; printf '\0\0'; } | cmp - "$work/answers" || fail "other answers"

begin "--wait says which tasks did not get done, keeps their lines, and fails"
expect 1 "$shmq" submit "$seg/t" --wait --retries 1 a fail b >"$work/out"
says "task 2 of this submission"
says "is dead after 2 runs (2 failures)"
says "1 of 3 tasks did not get done"
printf 'A\n\nB\n' | cmp - "$work/out" || fail "other results: $(cat "$work/out")"
expect 0 "$shmq" submit "$seg/t" --wait --keep x >"$work/out"
has_in_state done 1 || fail "--keep: $("$shmq" task "$seg/t" list)"
expect 2 "$shmq" submit "$seg/t" --wait --forget x
says "exclude one another"

begin "a task whose worker is killed runs again, until its crashes are used up"
expect 1 "$shmq" submit "$seg/t" --wait --crashes 1 die >"$work/out"
says "dead after 2 runs (2 crashes)"
{ wait $first $second; } 2>/dev/null

begin "dead tasks are kept, listed and kicked"
new_table --capacity 8
"$shmq" submit "$seg/t" --retries 0 --name bad fail fail fail >"$work/ids"
"$shmq" submit "$seg/t" --retries 0 --name worse fail >>"$work/ids"
"$worker" "$seg" t 4
has_in_state dead 4 || fail "not four are dead: $("$shmq" task "$seg/t" list)"
[ "$("$shmq" task "$seg/t" purge)" = "0 tasks purged" ] || fail "purge took a dead one"
mapfile -t ids <"$work/ids"
expect 0 "$shmq" task "$seg/t" kick "${ids[0]}"
is_in ready "${ids[0]}" || fail "it is $(state "${ids[0]}")"
expect 1 "$shmq" task "$seg/t" kick "${ids[0]}"
says "only a dead task can be kicked"
[ "$("$shmq" task "$seg/t" kick --name bad)" = "2 tasks kicked" ] || fail "kick --name"
[ "$("$shmq" task "$seg/t" kick --all)" = "1 task kicked" ] || fail "kick --all"
expect 2 "$shmq" task "$seg/t" kick
"$worker" "$seg" t 4
expect 1 "$shmq" task "$seg/t" wait "${ids[3]}" >"$work/out"
[ "$(cat "$work/out")" = "${ids[3]}	dead" ] || fail "wait says $(cat "$work/out")"
expect 2 "$shmq" task "$seg/t" purge --state ready
[ "$("$shmq" task "$seg/t" purge --state dead)" = "4 tasks purged" ] || fail "purge --state dead"

begin "a task that waits is cancelled, one that runs is asked to stop"
"$shmq" submit "$seg/t" --name held "wait $work/never" waits >"$work/ids"
mapfile -t ids <"$work/ids"
"$worker" "$seg" t 1 & pid=$!
until_true is_in running "${ids[0]}"
"$shmq" task "$seg/t" list --state running | grep -q "by \"task_worker\" (id [0-9]*, pid $pid)" || fail "list does not say who runs it"
expect 1 "$shmq" task "$seg/t" delete "${ids[0]}"
says "cancel it first"
[ "$("$shmq" ls -l "$seg" | cut -f3,4)" = "1 waiting	1 running" ] || fail "ls -l says $("$shmq" ls -l "$seg")"

begin "shmq-stat tells who runs what"
shows_progress() { "$stat" tasks "$seg/t" | grep -q "50 %"; }
until_true shows_progress
expect 0 "$stat" tasks "$seg/t" >"$work/out"
grep -q "^ *${ids[0]}  running  *50 %  held  task_worker (id [0-9]*, pid $pid, Alive)" "$work/out" || fail "it says $(cat "$work/out")"
grep -q "^ *ready  *1$" "$work/out" || fail "it says $(cat "$work/out")"
expect 0 "$stat" tasks "$seg/t" --json >"$work/json"
grep -q "\"command\":\"tasks\".*\"states\":{.*\"running\":1.*\"in_hand\":\[{\"id\":${ids[0]},.*\"state\":\"running\",\"percent\":50,\"name\":\"held\"}\]" "$work/json" ||
  fail "it says $(cat "$work/json")"
expect 2 "$stat" tasks "$seg"
expect 3 "$stat" tasks "$seg/none"
"$shmq" queue "$seg/q" && expect 1 "$stat" tasks "$seg/q"
grep -q "is a queue, not a task table" "$work/stderr" || fail "it says $(cat "$work/stderr")"
"$shmq" rm "$seg/q"

expect 0 "$shmq" task "$seg/t" cancel "${ids[@]}"
ends 0 $pid
expect 1 "$shmq" task "$seg/t" wait "${ids[@]}" >"$work/out"
[ "$(cut -f2 "$work/out" | tr '\n' ' ')" = "cancelled cancelled " ] || fail "they are $(cat "$work/out")"
expect 1 "$shmq" task "$seg/t" cancel "${ids[1]}"
says "over already"
expect 0 "$shmq" task "$seg/t" delete "${ids[@]}"
expect 3 "$shmq" task "$seg/t" delete "${ids[0]}"

begin "wait --any tells the first that is over; --timeout ends a wait"
"$shmq" submit "$seg/t" "wait $work/go" quick >"$work/ids"
mapfile -t ids <"$work/ids"
"$worker" "$seg" t 1 & first=$!
until_true is_in running "${ids[0]}"
"$worker" "$seg" t 1 || fail "the second worker ended with $?"
[ "$("$shmq" task "$seg/t" wait "${ids[@]}" --any)" = "${ids[1]}	done" ] || fail "wait --any"
expect 5 "$shmq" task "$seg/t" wait "${ids[@]}" --timeout 0.05
says "within --timeout"
"$shmq" task "$seg/t" wait "${ids[0]}" >"$work/out" & waiter=$!
until_true stays_asleep $waiter
kill -INT $waiter
ends 130 $waiter
touch "$work/go"
ends 0 $first

begin "a full table keeps submit waiting, up to --room-timeout"
new_table --capacity 4
expect 5 "$shmq" submit "$seg/t" --room-timeout 0.05 1 2 3 4 5 6 >"$work/ids"
says "4 tasks were submitted; payload 5 is the first that was not"
[ "$(wc -l <"$work/ids")" = 4 ] || fail "not four ids: $(cat "$work/ids")"
expect 5 "$shmq" submit "$seg/t" --wait --room-timeout 0.05 x
says "0 tasks were submitted"
seq 7 9 | "$shmq" submit "$seg/t" --forget >>"$work/ids" & pid=$!
until_true stays_asleep $pid
"$shmq" task "$seg/t" delete $(head -n 3 "$work/ids")
ends 0 $pid
[ "$(wc -l <"$work/ids")" = 7 ] || fail "not seven ids: $(cat "$work/ids")"

begin "who waits for room in a table of finished tasks is told once what is in it, and what mends it"
told() { grep -qF "the table is full" "$work/waiting"; }
new_table --capacity 4
"$shmq" submit "$seg/t" 1 2 3 >/dev/null
"$worker" "$seg" t 3
seq 4 9 | "$shmq" submit "$seg/t" 2>"$work/waiting" >"$work/out" & pid=$!
until_true told
grep -qF "shmq: submit $seg/t: the table is full: 3 done, 1 ready; waiting for room." "$work/waiting" || fail "it says $(cat "$work/waiting")"
for mend in "shmq task $seg/t purge" "--forget" "shmq table $seg/t --keep-max N"; do
  grep -qF -- "$mend" "$work/waiting" || fail "it does not name $mend: $(cat "$work/waiting")"
done
[ "$(wc -l <"$work/out")" = 1 ] || fail "the id of the one that is there was not printed"
expect 0 "$shmq" task "$seg/t" purge >/dev/null
until_true has_in_state ready 4
sleep 1.2  # full again: not told again
stays_asleep $pid || fail "it does not wait"
"$worker" "$seg" t 4
expect 0 "$shmq" table "$seg/t" --keep-max 1  # of a table that was declared with another --capacity
"$shmq" task "$seg/t" purge >/dev/null
ends 0 $pid
[ "$(wc -l <"$work/waiting")" = 1 ] || fail "not one line: $(cat "$work/waiting")"
"$worker" "$seg" t 2

begin "who waits for results of others that fill the table is told as well; who waits shortly is not"
new_table --capacity 2
"$shmq" submit "$seg/t" 1 2 >/dev/null
expect 5 "$shmq" submit "$seg/t" --room-timeout 0.3 x
grep -q "the table is full" "$work/stderr" && fail "told at once: $(cat "$work/stderr")"
expect 5 "$shmq" submit "$seg/t" --wait --room-timeout 1.2 x
says "the table is full: 2 ready; waiting for room. There is some when tasks get done: shmq work $seg/t"
expect 5 "$shmq" submit "$seg/t" --room-timeout 1.2 x
says "the table is full: 2 ready"
new_table --capacity 4
seq 7 9 >"$work/in"
"$shmq" submit "$seg/t" --forget <"$work/in" >"$work/ids"
"$shmq" submit "$seg/t" 10 >>"$work/ids"

begin "what is done and was to be forgotten is gone"
"$worker" "$seg" t 4
[ "$("$shmq" task "$seg/t" list | cut -f1,2)" = "$(sed -n 4p "$work/ids")	done" ] || fail "list says $("$shmq" task "$seg/t" list)"

begin "a paused table starts nothing; one that drains takes nothing and lets its workers go"
new_table --capacity 8
expect 0 "$shmq" task "$seg/t" pause
"$shmq" submit "$seg/t" a b >"$work/ids"
"$worker" "$seg" t & pid=$!
until_true stays_asleep $pid
has_in_state ready 2 || fail "paused: $("$shmq" task "$seg/t" list)"
"$shmq" ls -l "$seg" | grep -q ", paused" || fail "ls -l does not say so"
expect 0 "$shmq" task "$seg/t" drain
expect 4 "$shmq" submit "$seg/t" c
says "the table drains"
expect 0 "$shmq" task "$seg/t" resume
says "it drains, and stays closed"
"$stat" show "$seg" | grep -qE "^ +TASK TABLE .* HELD +DELAYED +READY .* EXPIRED +STATE" || fail "shmq-stat show says $("$stat" show "$seg")"
ends 0 $pid
has_in_state done 2 || fail "drained: $("$shmq" task "$seg/t" list)"

begin "a payload that nothing carries is refused with its size, the largest there is, and the mend"
new_table --capacity 8
expect 1 "$shmq" submit "$seg/t" < <(echo one; head -c 100000 /dev/zero | tr '\0' x; echo) >"$work/ids"
says "line 2 has 100000 bytes, and the largest payload that this table carries is 65536 bytes; 1 task was submitted"
says "--payload"
[ "$(wc -l <"$work/ids")" = 1 ] || fail "the id of the first was not printed"
head -c 60000 /dev/zero | tr '\0' y | "$shmq" submit "$seg/t" --whole >"$work/ids" || fail "submit --whole ended with $?"
"$shmq" task "$seg/t" list | grep -q "^$(cat "$work/ids")	ready		0 runs	60000 B" || fail "list says $("$shmq" task "$seg/t" list)"

begin "a table with priorities starts the first one first; reprioritise changes which that is"
new_table --capacity 8 --policy priority --aging 3600
"$shmq" submit "$seg/t" --priority 9 late later >"$work/ids"
"$shmq" submit "$seg/t" --priority 1 soon >>"$work/ids"
mapfile -t ids <"$work/ids"
expect 0 "$shmq" task "$seg/t" reprioritise "${ids[1]}" 0
"$worker" "$seg" t 2
is_in done "${ids[1]}" && is_in done "${ids[2]}" && is_in ready "${ids[0]}" || fail "other ones were first: $("$shmq" task "$seg/t" list)"
expect 1 "$shmq" task "$seg/t" reprioritise "${ids[1]}" 5
says "only a task that waits"
expect 2 "$shmq" task "$seg/t" reprioritise "${ids[0]}" 256
says "is no priority"
expect 2 "$shmq" task "$seg/t" reprioritise "${ids[0]}"
expect 1 "$shmq" table "$seg/t" --capacity 8 --policy edf
expect 2 "$shmq" table "$seg/t" --policy lottery
expect 2 "$shmq" table "$seg/t" --aging 5
says "belongs to --policy priority"

begin "the earliest deadline first"
new_table --capacity 8 --policy edf
"$shmq" submit "$seg/t" none >"$work/ids"
"$shmq" submit "$seg/t" --deadline 7200 far >>"$work/ids"
"$shmq" submit "$seg/t" --deadline 3600 near >>"$work/ids"
mapfile -t ids <"$work/ids"
"$worker" "$seg" t 1
is_in done "${ids[2]}" || fail "another one was first: $("$shmq" task "$seg/t" list)"
"$shmq" task "$seg/t" show "${ids[1]}" | grep -q "deadline  *in 1 h " || fail "show says $("$shmq" task "$seg/t" show "${ids[1]}")"

begin "what is held, or delayed, waits"
new_table --capacity 8
"$shmq" submit "$seg/t" --hold a >"$work/ids"
"$shmq" submit "$seg/t" --delay 3600 b >>"$work/ids"
"$shmq" submit "$seg/t" --delay 0.01 c >>"$work/ids"
mapfile -t ids <"$work/ids"
is_in held "${ids[0]}" && is_in delayed "${ids[1]}" || fail "they are not: $("$shmq" task "$seg/t" list)"
"$worker" "$seg" t 1
is_in done "${ids[2]}" || fail "$("$shmq" task "$seg/t" list)"
expect 0 "$shmq" task "$seg/t" unhold "${ids[0]}"
expect 1 "$shmq" task "$seg/t" unhold "${ids[0]}"
"$worker" "$seg" t 1
is_in done "${ids[0]}" || fail "$("$shmq" task "$seg/t" list)"
[ "$("$shmq" ls -l "$seg" | cut -f3)" = "1 waiting" ] || fail "ls -l says $("$shmq" ls -l "$seg")"

begin "what has expired, or takes too long, says so"
expect 1 "$shmq" submit "$seg/t" --wait --expires 0.01 x >"$work/out"
says "is expired"
"$worker" "$seg" t & pid=$!
expect 1 "$shmq" submit "$seg/t" --wait --timeout 0.02 --timeouts 0 --retries 0 "wait $work/never" >"$work/out"
says "is dead after 1 run (1 timeout)"
kill -KILL $pid
{ wait $pid; } 2>/dev/null

begin "errors and figures are told"
"$worker" "$seg" t & pid=$!
expect 1 "$shmq" submit "$seg/t" --wait --keep --name shaky --retries 1 --backoff 0.01:0.02 --jitter 50 fail >"$work/out"
id=$("$shmq" task "$seg/t" list --name shaky | cut -f1)
expect 0 "$shmq" task "$seg/t" show "$id" >"$work/out"
grep -q "error  *run 1: failure" "$work/out" || fail "show says $(cat "$work/out")"
expect 0 "$shmq" task "$seg/t" show "$id" --json >"$work/json"
[ "$(grep -o '"end":"failure"' "$work/json" | wc -l)" = 2 ] || fail "show says $(cat "$work/json")"
expect 0 "$stat" tasks "$seg/t" >"$work/out"
grep -q "^ *named shaky  *1  *2  *0  *2 " "$work/out" || fail "shmq-stat says $(cat "$work/out")"
expect 0 "$stat" tasks "$seg/t" --json >"$work/json"
grep -q '"figures_by_name":\[.*"name":"shaky","submitted":1,"started":2,"done":0,"failures":2' "$work/json" || fail "shmq-stat says $(cat "$work/json")"
kill -KILL $pid
{ wait $pid; } 2>/dev/null
expect 2 "$shmq" submit "$seg/t" --backoff 5:1 x
says "the first delay is longer"
expect 2 "$shmq" submit "$seg/t" --jitter 5 x
expect 2 "$shmq" submit "$seg/t" --overdue run x

begin "a key is one task"
expect 0 "$shmq" table "$seg/keyed" --capacity 8 --keys 8
expect 0 "$shmq" submit "$seg/keyed" --key day-1 a b >"$work/out"
[ "$(sort -u "$work/out" | wc -l)" = 1 ] || fail "two tasks with one key: $(cat "$work/out")"
expect 0 "$shmq" submit "$seg/keyed" --key day-2 --key-until started c >>"$work/out"
expect 0 "$shmq" submit "$seg/keyed" --key day-3 --key-until 60 d d >>"$work/out"
[ "$("$shmq" task "$seg/keyed" list | wc -l)" = 3 ] || fail "it has $("$shmq" task "$seg/keyed" list)"
expect 1 "$shmq" submit "$seg/t" --key day-1 a
says "no room for keys"
expect 2 "$shmq" submit "$seg/keyed" --key "$(printf 'k%.0s' $(seq 64))" a
says "a key 1 to 63"
expect 2 "$shmq" submit "$seg/keyed" --key-until done a
holds() { "$stat" tasks "$seg/keyed" | grep -q "^  $1 of 8 idempotency keys are held$"; }
holds 3 || fail "shmq-stat says $("$stat" tasks "$seg/keyed")"
"$worker" "$seg" keyed 3 >/dev/null
# One is done, one was started; the third has a time.
holds 1 || fail "shmq-stat says $("$stat" tasks "$seg/keyed")"
expect 0 "$stat" tasks "$seg/keyed" --json >"$work/json"
grep -q '"keys":8,"keys_held":1,' "$work/json" || fail "shmq-stat says $(cat "$work/json")"
expect 0 "$shmq" rm "$seg/keyed"

begin "shmq-stat says how fast tasks come and go"
expect 0 "$shmq" table "$seg/busy" --capacity 64
"$shmq" submit "$seg/busy" --forget --name early early >/dev/null
"$shmq" work "$seg/busy" -- true &
busy=$!
early_is_done() { "$stat" tasks "$seg/busy" --json | grep -q '"figures":{"submitted":1,"started":1,"done":1,'; }
until_true early_is_done
expect 0 "$stat" tasks "$seg/busy" --json >"$work/json"
grep -q '"rates_over_ns":null' "$work/json" || fail "rates of one look: $(cat "$work/json")"
grep -q '"rates":' "$work/json" && fail "rates of one look: $(cat "$work/json")"
"$stat" tasks "$seg/busy" --over 0.5 --json >"$work/json" &
looks=$!
late=0
while kill -0 $looks 2>/dev/null; do
  "$shmq" submit "$seg/busy" --forget --name late late >/dev/null
  late=$((late + 1))
done
ends 0 $looks
rate() { grep -o "\"$1\":[{\[].*" "$work/json" | grep -o "\"$2\":[0-9.e+]*" | head -n 1 | cut -d: -f2; }
over_ns=$(grep -o '"rates_over_ns":[0-9]*' "$work/json" | cut -d: -f2)
[ "$over_ns" -ge 500000000 ] || fail "it looked for $over_ns ns"
awk -v rate="$(rate figures submitted_per_s)" -v ns="$over_ns" -v late=$late 'BEGIN { n = rate * ns / 1e9; exit !(n > 0.99 && n < late + 0.01) }' ||
  fail "$late were submitted, and it says $(cat "$work/json")"
awk -v rate="$(rate figures done_per_s)" 'BEGIN { exit !(rate > 0) }' || fail "nothing was done: $(cat "$work/json")"
grep -q '"name":"early",[^[]*"rates":{"submitted_per_s":0,"started_per_s":0,"done_per_s":0,"otherwise_per_s":0}' "$work/json" ||
  fail "early ones count as late: $(cat "$work/json")"
expect 0 "$stat" tasks "$seg/busy" --over 0.1 >"$work/out"
grep -qE '^  A SECOND, IN THE LAST 1.. ms +SUBMITTED +STARTED +DONE +ENDED OTHERWISE$' "$work/out" || fail "it says $(cat "$work/out")"
"$stat" tasks "$seg/busy" --watch 0.1 | awk '/^  A SECOND, IN/ { if (++n == 2) exit }' || fail "--watch"
kill -TERM $busy
ends 0 $busy
expect 2 "$stat" show "$seg" --over 1
expect 2 "$stat" tasks "$seg/busy" --over 1 --watch 1
expect 0 "$shmq" rm "$seg/busy"

begin "no more finished tasks are kept than --keep-max says"
expect 0 "$shmq" table "$seg/t" --capacity 8 --keep-max 1
"$shmq" submit "$seg/t" --name last 1 2 3 >/dev/null
"$worker" "$seg" t 3
at_most_one() { [ "$("$shmq" task "$seg/t" list --state done | wc -l)" -le 1 ]; }
until_true at_most_one
new_table --capacity 8
head -c 60000 /dev/zero | tr '\0' y | "$shmq" submit "$seg/t" --whole >/dev/null
"$shmq" submit "$seg/t" one >/dev/null

begin "list --json is one document, whatever names say"
"$shmq" submit "$seg/t" --name $'tab\there \xff"' x >"$work/ids"
expect 0 "$shmq" task "$seg/t" list --json --state ready --max 2 >"$work/json"
[ "$(grep -c '"id":' "$work/json")" = 2 ] || fail "--max: $(cat "$work/json")"
expect 0 "$shmq" task "$seg/t" list --json >"$work/json"
if command -v python3 >/dev/null; then
  python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["schema"] == "shmq-task" and len(d["tasks"]) == 3' "$work/json" ||
    fail "not the JSON that is documented: $(cat "$work/json")"
fi
"$shmq" task "$seg/t" list | grep -q $'\ttab\\\\x09here \\\\xff"\t' || fail "list says $("$shmq" task "$seg/t" list | cat -v)"

begin "wrong usage is refused with its reason"
expect 2 "$shmq" task "$seg/t"
says "list, show"
expect 2 "$shmq" task "$seg/t" dance
says "there is no \"dance\""
expect 2 "$shmq" task "$seg/t" list --any
says "--any means nothing to list"
expect 2 "$shmq" task "$seg/t" show
says "needs an ID"
expect 2 "$shmq" task "$seg/t" show 12x
says "is no task's id"
expect 2 "$shmq" task "$seg/t" list --state asleep
says "ready, claimed, running"
expect 2 "$shmq" task "$seg/t" pause 5
expect 3 "$shmq" task "$seg/none" list
expect 2 "$shmq" submit "$seg/t" --retries many x
expect 2 "$shmq" submit "$seg/t" --name "$(printf '%064d' 0)" x
says "has 64 bytes"

begin "a signal ends submit where its results are still to come, and the tasks stay"
"$shmq" task "$seg/t" delete $("$shmq" task "$seg/t" list | cut -f1)
"$shmq" submit "$seg/t" --wait a b >"$work/out" 2>"$work/stderr" & pid=$!
until_true has_in_state ready 2
until_true stays_asleep $pid
kill -TERM $pid
ends 143 $pid
says "ended by SIGTERM; 2 tasks were submitted; 0 results were written, the others stay in the table"
has_in_state ready 2 || fail "they are gone"

begin "submit --wait ends when nobody reads its results"
"$worker" "$seg" t & pid=$!
yes | "$shmq" submit "$seg/t" --wait | head -n 3 >"$work/out"
status="${PIPESTATUS[1]}"
[ "$status" = 0 ] || fail "status $status"
[ "$(tr '\n' ' ' <"$work/out")" = "Y Y Y " ] || fail "it says $(cat "$work/out")"

begin "who waits is told when the table is removed"
new_table --capacity 8
{ wait $pid; } 2>/dev/null
"$shmq" submit "$seg/t" --wait a 2>"$work/stderr2" & pid=$!
until_true has_in_state ready 1
until_true stays_asleep $pid
"$shmq" rm "$seg/t"
ends 4 $pid
grep -q "the table was removed" "$work/stderr2" || fail "it says $(cat "$work/stderr2")"

finish
