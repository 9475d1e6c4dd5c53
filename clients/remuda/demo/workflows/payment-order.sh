# A mistake in the business: trying again would not help. Either way of saying so is used.
. "$COMMON"
pause 0.1
[ $(($(number number) % 2)) -eq 0 ] || exit 65
echo "::remuda error business NO_IBAN the customer has no IBAN"
