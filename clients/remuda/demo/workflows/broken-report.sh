# Fails whenever it is tried.
. "$COMMON"
echo "the template is broken" >&2
exit 3
