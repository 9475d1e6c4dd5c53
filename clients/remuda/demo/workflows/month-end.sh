# Long work in steps, each kept as a checkpoint: an attempt goes on where the one before was lost.
. "$COMMON"
steps=6
kept="$REMUDA_CHECKPOINT_DIR/step"
step=0
[ ! -f "$kept" ] || step=$(cat "$kept")
echo "starting after step $step"
while [ "$step" -lt "$steps" ]; do
  sleep 1
  step=$((step + 1))
  echo "$step" >"$kept.tmp" && mv "$kept.tmp" "$kept"
  echo "::remuda progress $((step * 100 / steps)) step $step of $steps"
done
effect
result
