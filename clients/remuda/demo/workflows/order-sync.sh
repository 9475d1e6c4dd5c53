# Has a dedup key: while it waits, the same order is not taken again.
. "$COMMON"
pause 0.1
effect
result
