#!/bin/sh
# Takes longer than a guest may be silent, and passes.
printf 'TAP version 13\n1..8\n'
for i in 1 2 3 4 5 6 7 8; do
	sleep 2
	echo "ok $i $i"
done
