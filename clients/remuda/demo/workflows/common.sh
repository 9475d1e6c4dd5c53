# What the demo's workflows share. The world outside is one file, $EFFECTS: a line for each thing that was really done,
# so that what was done twice shows, whatever the server believes.

set -eu

# The number of that name in the payload.
number() {
  sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$REMUDA_PAYLOAD_FILE"
}

# Does in the world outside what the job is for. One write of one line: lines of several commands never mix.
effect() {
  echo "$REMUDA_JOB_ID $REMUDA_ATTEMPT $ROBOT $REMUDA_WORKFLOW" >>"$EFFECTS"
}

# Reports the result, with the payload's number, so that it can be told whose it is.
result() {
  echo "::remuda result {\"number\": $(number number), \"attempt\": $REMUDA_ATTEMPT}"
}

# Waits; where sleep knows no fractions, a whole second.
pause() {
  sleep "$1" 2>/dev/null || sleep 1
}
