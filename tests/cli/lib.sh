# shellcheck shell=bash
# Sourced by the scripts of this folder: bash SCRIPT FOLDER-OF-THE-PROGRAMS.
# Names are the script's own; what it leaves behind, it clears away; only processes that it started are signalled.
set -u
set -m  # background jobs get SIGINT as they would from a terminal, instead of ignoring it

shmq=$1/shmq
stat=$1/shmq-stat
test_name=$(basename "$0" .sh)
seg=cli-$test_name-$$
work=$(mktemp -d "${TMPDIR:-/tmp}/shmq-cli.XXXXXX")
failures=0

clean_up() {
  local pid name
  for pid in $(jobs -p); do kill -KILL -- "-$pid" 2>/dev/null; done
  for name in "$seg" "$seg-a" "$seg-b"; do "$shmq" rm "$name" 2>/dev/null; done
  rm -rf "$work"
}
trap clean_up EXIT

fail() {
  echo "FAILED: $current: $*" >&2
  failures=$((failures + 1))
}

# begin SENTENCE: what the checks up to the next one are about.
current=
begin() {
  current=$*
  echo "- $current"
}

finish() {
  [ "$failures" = 0 ] || { echo "$failures checks failed" >&2; exit 1; }
  exit 0
}

# expect STATUS COMMAND...: standard error goes to $work/stderr.
expect() {
  local expected=$1 status
  shift
  "$@" 2>"$work/stderr"
  status=$?
  [ "$status" = "$expected" ] || fail "status $status, not $expected, of: $* ($(head -c 300 "$work/stderr"))"
}

# says WORDS: the last expect's standard error has them.
says() { grep -qF -- "$*" "$work/stderr" || fail "its message lacks \"$*\": $(head -c 400 "$work/stderr")"; }

# ends STATUS PID: waits for a background job.
ends() {
  local status
  wait "$2"
  status=$?
  [ "$status" = "$1" ] || fail "a background process ended with $status, not $1"
}

same() { cmp "$1" "$2" || fail "$1 and $2 differ"; }

# until_true COMMAND...: asks again until it holds; CTest's time limit ends a wait that has no end.
until_true() {
  until "$@" 2>/dev/null; do sleep 0.02; done
}

# new_queue [OPTIONS...]: an empty queue $seg/q.
new_queue() {
  "$shmq" rm "$seg/q" 2>/dev/null
  "$shmq" queue "$seg/q" "$@" || fail "cannot declare $seg/q"
}

waiting() { "$shmq" ls -l "$seg" | cut -f3 | cut -d' ' -f1; }
is_waiting() { [ "$(waiting)" = "$1" ]; }
attached_at_least() { [ "$("$shmq" ls -l | grep "^$seg	" | cut -f4 | cut -d' ' -f1)" -ge "$1" ]; }
# sleeps PID: it is blocked in the kernel.
sleeps() { [ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat")" = S ]; }
# stays_asleep PID: several looks in a row.
stays_asleep() {
  for _ in 1 2 3 4 5 6 7 8; do
    sleeps "$1" || return 1
    sleep 0.02
  done
}
