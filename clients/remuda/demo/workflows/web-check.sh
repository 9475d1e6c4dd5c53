# For robots with a browser.
. "$COMMON"
echo "::remuda progress 50 opening the page"
pause 0.3
effect
result
