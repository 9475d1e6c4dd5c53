# Cancelled before it runs.
. "$COMMON"
effect
result
