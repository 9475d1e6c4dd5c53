# Hangs at first, and is quick when it is tried again.
. "$COMMON"
[ "$REMUDA_ATTEMPT" -gt 1 ] || sleep 60
effect
result
