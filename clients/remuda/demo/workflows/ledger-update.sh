# For robots with Excel. The result goes by the file.
. "$COMMON"
pause 0.2
effect
echo "{\"number\": $(number number), \"booked\": $(number amount)}" >"$REMUDA_RESULT_FILE"
