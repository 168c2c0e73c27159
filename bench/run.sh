#!/usr/bin/env bash
# run.sh [CASES...]: measures (see measure.sh) and shows the tables.
. "$(dirname "$0")/../scripts/lib.sh"

dir=${BENCH_OUT:-$OUT/bench}
"$TOP/bench/measure.sh" "$@"
step "bench: done, tables in $(short "$dir")/results.txt"
python3 "$TOP/bench/report.py" "$dir"
