#!/bin/sh
# A page that knows nothing of its lifecycle: it is started, stands still when it is not on the screen,
# and is ended by SIGTERM. What it keeps is in $ENSEMBLE_DATA_EL2.
times=$(cat "$ENSEMBLE_DATA_EL2/times" 2>/dev/null || echo 0)
times=$((times + 1))
echo "$times" >"$ENSEMBLE_DATA_EL2/times"
echo "Hello, started $times times"

trap 'exit 0' TERM
while :; do
    sleep 3600 &
    wait $!
done
