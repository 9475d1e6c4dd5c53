# For the one robot with SAP.
. "$COMMON"
pause 0.2
effect
result
