# Sourced by tools/quickstart, tests/run and .ci/run: each step is one line with the time it took; what it prints
# goes to a log, whose end is shown when the step fails. On a terminal the line shows how far the build is.

# elapsed_since MICROSECONDS: seconds since then, one decimal.
elapsed_since() {
  local tenths=$(( (${EPOCHREALTIME//[!0-9]/} - $1) / 100000 ))
  printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

# step WHAT LOG COMMAND [ARGUMENT...]: runs COMMAND; returns its exit status.
step() {
  local what=$1 log=$2 start=${EPOCHREALTIME//[!0-9]/} status=0 line
  shift 2
  mkdir -p "$(dirname "$log")"
  printf '%s ... ' "$what"
  if [[ -t 1 ]]; then
    { "$@" </dev/null 2>&1 | tee "$log" | while IFS= read -r line; do
        [[ $line =~ ^\[[0-9]+/[0-9]+\] ]] && printf '\r%s ... %s ' "$what" "${BASH_REMATCH[0]}"
      done; status=${PIPESTATUS[0]}; } || true
    printf '\r\033[K%s ... ' "$what"
  else
    "$@" </dev/null >"$log" 2>&1 || status=$?
  fi
  if ((status == 0)); then
    elapsed_since "$start"; echo
  else
    printf 'FAILED after %s (exit status %d)\n' "$(elapsed_since "$start")" "$status"
    echo "---- the last lines of $log"
    tail -n 60 "$log"
    echo "----"
  fi
  return "$status"
}
