# Any robot can do this one.
. "$COMMON"
echo "exporting the invoice over $(number amount)"
pause 0.2
effect
result
