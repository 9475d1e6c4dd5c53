# Cancelled while it runs.
. "$COMMON"
echo "::remuda progress 1 on the way"
sleep 60
effect
result
