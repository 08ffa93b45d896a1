#!/bin/bash
# shmq-bench: what it measures is there, what it is asked wrongly is refused, and nothing is left behind. No check is
# about a duration.
. "$(dirname "$0")/lib.sh"
bench=$1/shmq-bench

left_behind() { find /dev/shm -maxdepth 1 -name "*bench-$1-*"; }
# field ID NAME: a member of one row of $work/json.
field() { sed 's/{"id"/\n&/g' "$work/json" | grep -F "{\"id\":\"$1\"" | grep -o "\"$2\":[^,}]*" | head -n 1 | cut -d: -f2; }
has() { [ -n "$(field "$1" "$2")" ] || fail "row $1 lacks $2: $(head -c 600 "$work/json")"; }
one_document() { [ "$(wc -l <"$work/json")" = 1 ] || fail "not one line of JSON"; }

begin "round trips: a row for each kind and size, beside the floor and a plain ring"
if [ "$(nproc)" -gt 1 ]; then
  expect 0 "$bench" rtt --kind mpmc --size 8,1K,64K --count 200 --repeats 2 --json >"$work/json"
  one_document
  for id in rtt/mpmc/8 rtt/mpmc/1024 rtt/mpmc/65536; do
    for name in p50_ns p99_ns p999_ns max_ns floor_p50_ns vs_floor vs_floor_min vs_floor_max vs_plain_ring left_out_smt; do
      has $id $name
    done
    [ "$(field $id rounds)" -ge 200 ] || fail "$id: not the rounds that were asked for"
  done
  has rtt/plain/8 p50_ns
  for name in cpu cores kernel compiler placement clock; do grep -q "\"$name\":" "$work/json" || fail "machine lacks $name"; done
fi

begin "throughput: one to one beside a ring of the same slots, singly and in batches"
expect 0 "$bench" throughput --kind mpmc --size 8,128K --count 3000 --repeats 2 --batch 1,16 --json >"$work/json"
one_document
for name in msgs_per_s bytes_per_s; do has throughput/mpmc/8 $name; has throughput/mpmc/131072 $name; done
has throughput/mpmc/8/batch16 vs_singles
if [ "$(nproc)" -gt 1 ]; then has throughput/mpmc/8 vs_plain_ring; fi

begin "throughput: more roles than cores, whatever they wait like"
for wait in spin_yield spin_futex; do
  expect 0 "$bench" throughput --kind mpmc --size 64 --count 2000 --repeats 1 --producers 3 --consumers 4 --wait $wait --json >"$work/json"
  has throughput/mpmc/64/3x4 vs_boost_mq
done

begin "spsc is measured the same way"
expect 0 "$bench" throughput --kind spsc --size 8,1K,128K --count 2000 --repeats 2 --batch 1,16 --json >"$work/json"
for id in throughput/spsc/8 throughput/spsc/8/batch16 throughput/spsc/131072; do has $id msgs_per_s; done
if [ "$(nproc)" -gt 1 ]; then
  expect 0 "$bench" rtt --kind all --size 48 --count 200 --repeats 1 --json >"$work/json"
  has rtt/mpmc/48 vs_floor
  has rtt/spsc/48 vs_floor
fi

begin "wake: both sides sleep, beside a bare futex"
expect 0 "$bench" wake --count 100 --repeats 1 --json >"$work/json"
for name in vs_futex one_way_p50_ns waker_p50_ns futex_waker_p50_ns; do has wake/mpmc/8 $name; done
slept=$(field wake/mpmc/8 sleeps_per_round)
[ -n "$slept" ] && [ "$slept" != 0 ] || fail "nobody slept: $slept"

begin "wake: a short time is no reason to count nothing"
expect 0 "$bench" wake --time 0.001 --repeats 2 --json >"$work/json"
for kind in mpmc spsc; do
  [ "$(field wake/$kind/8 rounds)" -ge 100 ] || fail "wake/$kind/8 counted $(field wake/$kind/8 rounds) round trips"
  [ "$(field wake/$kind/8 repeats)" = 2 ] || fail "wake/$kind/8: not both repeats count"
  case $(field wake/$kind/8 vs_futex) in '' | 0 | 0.0*) fail "wake/$kind/8 vs_futex is $(field wake/$kind/8 vs_futex)" ;; esac
done

begin "a row whose time is over before a round trip counts has no figures, and says so"
if [ "$(nproc)" -gt 1 ]; then
  # A round trip of 16 MiB in a millisecond: no machine does that. One of 8 B may fall short too, where others have the
  # processors just then: every row has figures or the reason why not, never both; and 8 B has figures in some run.
  figures_or_why() {
    local name
    if [ -n "$(field "$1" why)" ]; then
      for name in p50_ns max_ns vs_floor vs_floor_min p99_vs_floor vs_plain_ring; do
        [ -z "$(field "$1" $name)" ] || fail "$1 says why not, and has $name: $(field "$1" $name)"
      done
    else
      has "$1" p50_ns
    fi
  }
  for run in $(seq 50); do
    expect 1 "$bench" rtt --kind spsc --size 8,16M --time 0.001 --repeats 1 --json >"$work/json"
    says "rtt/spsc/16777216: not measurable here: the time was over before"
    for id in rtt/spsc/16777216 rtt/plain/16777216; do has $id why; done
    for id in rtt/spsc/16777216 rtt/plain/16777216 rtt/spsc/8 rtt/plain/8; do figures_or_why $id; done
    [ -n "$(field rtt/spsc/8 why)" ] || break
  done
  [ -z "$(field rtt/spsc/8 why)" ] || fail "8 B had no figures in $run runs"
  for run in $(seq 50); do
    expect 1 "$bench" rtt --kind spsc --size 8,16M --time 0.001 --repeats 1 >"$work/out"
    ! grep -q p50_ns "$work/out" || break  # a column of which there is something to say
  done
  grep -qE '^rtt/spsc/16777216 .* - ' "$work/out" || fail "the row has figures: $(cat "$work/out")"
fi

begin "tasks: a row for each feature, latencies beside what they are compared with, and claims while so many wait"
if [ "$(nproc)" -gt 1 ]; then
  expect 0 "$bench" tasks --count 2000 --repeats 2 --waiting 100,5000 --delayed 300 --kills 3 --json >"$work/json"
  one_document
  for id in tasks/cycle/64 tasks/cycle/1 tasks/cycle/64/batch16 tasks/cycle/64/result tasks/cycle/64/payload1k \
    tasks/cycle/64/priority tasks/cycle/64/edf tasks/cycle/64/key; do
    has $id tasks_per_s
    has $id task_vs_floor
    [ $id = tasks/cycle/64 ] || has $id vs_cycle_64
  done
  for name in p50_ns p99_ns vs_floor floor_p50_ns; do has tasks/latency/spin $name; done
  for name in p50_ns p99_ns vs_futex futex_p50_ns sleeps_per_round; do has tasks/latency/sleep $name; done
  [ "$(field tasks/latency/spin rounds)" -ge 2000 ] || fail "not the tasks that were asked for: $(field tasks/latency/spin rounds)"
  for policy in "" /priority /edf; do
    for id in tasks/waiting/100$policy tasks/waiting/5000$policy; do has $id claim_ns; done
    has tasks/waiting/5000$policy vs_fewest
  done
  for name in p50_ns p99_ns max_ns timer_p50_ns timer_p99_ns timer_max_ns vs_timer; do has tasks/delayed/300 $name; done
  started=$(field tasks/delayed/300 rounds) late=$(field tasks/delayed/300 submitted_late)
  [ $((started + late)) = 600 ] || fail "of two times 300 delayed tasks $started started, and $late came too late to be delayed"
  for name in p50_ns max_ns gone_p50_ns gone_max_ns; do has tasks/killed $name; done
  [ "$(field tasks/killed kills)" = 3 ] || fail "not the kills that were asked for: $(field tasks/killed kills)"
  expect 0 "$bench" tasks --only cycle --count 500 --repeats 1 >"$work/out"
  grep -q '^tasks/cycle/64 ' "$work/out" || fail "no row: $(cat "$work/out")"
  grep -qE '^tasks/(latency|waiting|delayed|killed)' "$work/out" && fail "--only: $(cat "$work/out")"
fi

begin "tasks --peers: the same cycles on those that are installed; the others are passed over, with the reason"
server_of() { pgrep -P "$1" -x "$2"; }
if [ "$(nproc)" -gt 1 ]; then
  mkdir "$work/nothing" "$work/broken"
  expect 0 env PATH="$work/nothing" "$bench" tasks --only cycle --peers --count 500 --repeats 1 --json >"$work/json"
  says "tasks/peer/beanstalkd: passed over: beanstalkd is not installed; apt-get install beanstalkd"
  says "tasks/peer/redis: passed over: redis-server is not installed"
  has tasks/peer/redis skipped
  printf '#!/bin/sh\nexit 1\n' >"$work/broken/beanstalkd"
  chmod +x "$work/broken/beanstalkd"
  expect 0 env PATH="$work/broken" "$bench" tasks --only cycle --peers --count 500 --repeats 1 --json >"$work/json"
  says "does not answer on 127.0.0.1"
  for peer in beanstalkd:beanstalkd redis-server:redis; do
    program=${peer%:*} name=${peer#*:}
    if ! command -v "$program" >/dev/null; then
      echo "  passed over: $program is not installed"
      continue
    fi
    mkdir "$work/only-$name"
    ln -s "$(command -v "$program")" "$work/only-$name/$program"
    expect 0 env PATH="$work/only-$name:$work/nothing" "$bench" tasks --only cycle --peers --count 640 --repeats 1 --json >"$work/json"
    for flight in 1 64; do has "tasks/peer/$name/$flight" tasks_per_s; done
    has tasks/cycle/64 "vs_$name"
    has tasks/cycle/64 "vs_${name}_1"
    has tasks/cycle/1 "vs_$name"
    PATH="$work/only-$name:$PATH" "$bench" tasks --only cycle --peers --time 60 2>/dev/null &
    pid=$!
    until_true server_of $pid "$program" >/dev/null
    server=$(server_of $pid "$program")
    until [ -n "$(left_behind $pid)" ]; do sleep 0.02; done
    kill -INT $pid
    ends 130 $pid
    [ -e "/proc/$server" ] && fail "$program is still there"
  done
fi

begin "gate: a verdict on each target; which, is no matter of a test"
if [ "$(nproc)" -gt 1 ]; then
  "$bench" gate --quick --json >"$work/json"
  status=$?
  [ $status -le 1 ] || fail "exit status $status"
  one_document
  verdicts=$(grep -o '"verdict":"[^"]*"' "$work/json" | sort | uniq -c)
  [ "$(grep -o '"verdict":' "$work/json" | wc -l)" -ge 30 ] || fail "targets are missing: $verdicts"
  # Counted on both sides, or said why not: every build has these rows.
  for kind in mpmc spsc; do
    grep -qE "\"id\":\"gate/costs/$kind/system_calls_per_message\",\"verdict\":\"[^\"]*\",\"at_most\":[^,]*,\"(measured|why)\":" "$work/json" ||
      fail "no verdict on the system calls of $kind"
  done
  # Sleepers are measured in short samples as well: 3 repeats of 50 round trips at least.
  for kind in mpmc spsc; do
    [ "$(field wake/$kind/8 rounds)" -ge 150 ] || fail "wake/$kind/8: $(field wake/$kind/8 rounds) round trips counted"
  done
  ! grep -qE '"id":"gate/wake/[^}]*"measured":0[,}]' "$work/json" || fail "a ratio of 0"
  if [ $status = 0 ]; then ! grep -q '"verdict":"does not hold"' "$work/json" || fail "exit status 0, and: $verdicts"; fi
fi

begin "a table for people"
expect 0 "$bench" throughput --kind mpmc --size 8 --count 1000 --repeats 1 >"$work/out"
grep -q '^throughput/mpmc/8 ' "$work/out" || fail "no row: $(cat "$work/out")"
if [ "$(nproc)" -gt 1 ]; then
  grep -q '^vs_plain_ring of throughput/mpmc.*Vyukov' "$work/out" || fail "vs_plain_ring is not explained: $(cat "$work/out")"
fi

begin "--progress says what is going on"
expect 0 "$bench" throughput --kind mpmc --size 8 --count 1000 --repeats 1 --progress >/dev/null
says "throughput, 8 B"

begin "a row of valid JSON"
expect 0 "$bench" throughput --kind mpmc --size 8 --count 1000 --repeats 1 --json >"$work/json"
if command -v python3 >/dev/null; then
  python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["schema"] == 1 and d["results"][-1]["id"] == "throughput/mpmc/8"' \
    "$work/json" || fail "not the JSON that is documented"
fi

begin "wrong usage is refused with its reason"
expect 2 "$bench"
says "needs a command"
expect 2 "$bench" jump
says 'there is no command "jump"'
expect 2 "$bench" rtt --size 7
says "--size 7: not a size from 8"
expect 2 "$bench" rtt --producers 2
says "--producers means nothing to rtt"
expect 2 "$bench" rtt --peers
says "--peers means nothing to rtt"
expect 2 "$bench" tasks --only all
says "use cycle, latency, waiting, delayed, killed"
expect 2 "$bench" throughput --kind ring
says "use mpmc, spsc or all"
expect 2 "$bench" throughput --cpus 4095
says "this process may not run there"
expect 2 "$bench" throughput --batch 65
says "--batch 65"
expect 0 "$bench" --help >"$work/out"
grep -q -- --producers "$work/out" || fail "its help lacks --producers"
[ -z "$(grep -E '.{121}' "$work/out")" ] || fail "a line of its help is too long: $(grep -E '.{121}' "$work/out")"

begin "tasks killed: a signal ends the workers that are to be killed, too"
if [ "$(nproc)" -gt 1 ]; then
  "$bench" tasks --only killed --kills 100000 &
  pid=$!
  victim_of() { for role in $(pgrep -P "$1"); do pgrep -P "$role" && return; done; return 1; }
  until_true victim_of $pid >/dev/null
  kill -TERM $pid
  ends 143 $pid
  none_left() { ! pgrep -f "^$bench tasks --only killed --kills 100000" >/dev/null; }
  until_true none_left
  [ -z "$(left_behind $pid)" ] || fail "left behind: $(left_behind $pid)"
fi

begin "a signal ends it, and nothing is left behind"
for signal in INT TERM; do
  "$bench" throughput --kind mpmc --size 8 --time 60 &
  pid=$!
  until [ -n "$(left_behind $pid)" ]; do sleep 0.02; done
  kill -$signal $pid
  if [ $signal = INT ]; then ends 130 $pid; else ends 143 $pid; fi
  [ -z "$(left_behind $pid)" ] || fail "left behind: $(left_behind $pid)"
done

begin "the death of a role ends it with a message, and nothing is left behind"
"$bench" throughput --kind mpmc --size 8 --time 60 2>"$work/stderr" &
pid=$!
until role=$(pgrep -P $pid | tail -n 1) && [ -n "$role" ]; do sleep 0.02; done
kill -KILL "$role"
ends 1 $pid
says "was killed by signal 9"
[ -z "$(left_behind $pid)" ] || fail "left behind: $(left_behind $pid)"

finish
