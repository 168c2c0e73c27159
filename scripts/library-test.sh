#!/usr/bin/env bash
# What of libkevent can be tested without a kernel that has kevent: symbols, installation,
# texts, manual pages.  Writes "passed failed skipped" to build/logs/library/counts; exit
# status 1 after any failure.
. "$(dirname "$0")/lib.sh"

logs=$LOGS/library
mkdir -p "$logs"
rm -f "$logs"/*
step "library: building and checking, log in $(short "$logs")/check.log"
status=0
make -C "$TOP/tools/lib/kevent" OUT="$OUT/libkevent" check >"$logs/check.log" 2>&1 </dev/null || status=$?

passed=$(grep -c '^ok ' "$logs/check.log" || true)
failed=$(grep -c '^not ok ' "$logs/check.log" || true)
# The explanation of a test follows it.
sed -n 's/^not ok [0-9]* /FAILED TEST (library): /p; s/^# /    /p' "$logs/check.log"
planned=$(sed -n 's/^1\.\.//p' "$logs/check.log")
if ((failed == 0)) && [[ $status != 0 || $planned != "$passed" ]]; then
	failed=1
	echo "FAILED TEST (library): make check ended with status $status"
	tail -n 5 "$logs/check.log" | sed 's/^/    /'
fi
printf '%d %d 0\n' "$passed" "$failed" >"$logs/counts"
step "library: $passed passed, $failed failed, 0 skipped"
((failed == 0))
