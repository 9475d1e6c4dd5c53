# Hangs until its run timeout ends it.
. "$COMMON"
sleep 60
effect
result
