# Fails at first, and succeeds when it is tried again.
. "$COMMON"
if [ "$REMUDA_ATTEMPT" -eq 1 ]; then
  echo "the other side hung up" >&2
  exit 1
fi
pause 0.1
effect
result
