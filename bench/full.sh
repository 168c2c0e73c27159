#!/usr/bin/env bash
# full.sh: all peers and curves, a kernel without kevent, and the ring code on the
# processors of this machine; the result is report.html.
#
# BENCH_OUT: where the results go, build/bench if not set.
. "$(dirname "$0")/../scripts/lib.sh"

"$TOP/scripts/packages.sh" bench bench-full browser
"$TOP/scripts/build.sh" plain nokevent

dir=${BENCH_OUT:-$OUT/bench}
"$TOP/bench/measure.sh" "$TOP/bench/cases" "$TOP/bench/cases-full"

# From run to run: another boot, where each case finds what others have left.
step "bench: once more, in reverse order"
cat "$TOP/bench/cases" <(grep -E '^(echo:|bulk|file:)' "$TOP/bench/cases-full") | tac |
	grep -vE '^(spin-|smp-|memory|sleepers)' >"$dir/cases.again"
BENCH_OUT=$dir/again "$TOP/bench/measure.sh" "$dir/cases.again"

step "bench: a kernel without kevent"
BENCH_OUT=$dir/nokevent BZIMAGE=$OUT/nokevent/bzImage SYSTEM_MAP=$OUT/nokevent/objects/System.map \
	"$TOP/bench/measure.sh" "$TOP/bench/cases-nokevent"

step "bench: the ring code on this machine's processors, wall time"
gcc -std=gnu11 -O2 -Wall -Wextra -pthread -isystem "$TOP/include/uapi" -I "$TOP/bench/native" \
	-o "$dir/ring" "$TOP/bench/native/ring.c"
"$dir/ring" >"$dir/native.json"

python3 "$TOP/bench/report.py" "$dir"
python3 "$TOP/bench/page.py" "$dir"
# The distribution's own, for which selenium is.
/usr/bin/python3 "$TOP/bench/test-page.py" "$dir"
step "bench: done, the report is $(short "$dir")/report.html"
