#!/bin/sh
# Says the time whenever a minute begins. While it stands still nothing is said; when it goes on, it says
# the right time again.
trap 'exit 0' TERM
while :; do
    date '+%H:%M'
    sleep $((60 - $(date +%s) % 60)) &
    wait $!
done
