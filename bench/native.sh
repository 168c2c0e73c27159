#!/usr/bin/env bash
# native.sh [build]: the workloads on the kernel that runs here, which has to have kevent:
# wall time and, where the machine counts them, cycles and instructions.
#   CASES      lists of cases, default bench/cases-native
#   BENCH_OUT  where the results go, build/bench if not set
# build: only leaves the program in build/bench/native/, with which native/cases.sh runs
# them elsewhere.
. "$(dirname "$0")/../scripts/lib.sh"

"$TOP/scripts/packages.sh" bench
dir=${BENCH_OUT:-$OUT/bench}/native
mkdir -p "$dir"
gcc -std=gnu11 -O2 -Wall -Wextra -Wno-missing-field-initializers -static -pthread -DBENCH_NATIVE \
	-isystem "$TOP/include/uapi" -o "$dir/workloads" "$TOP"/bench/*.c "$TOP/bench/native/counters.c" -luring
[[ ${1:-} != build ]] || exit 0

read -ra lists <<<"${CASES:-$TOP/bench/cases-native}"
cat "${lists[@]}" >"$dir/cases"
# All of them say first whether there is something to measure.
status=0
"$TOP/bench/native/cases.sh" "$dir/workloads" "$dir/cases" >"$dir/output.txt" || status=$?
((status != 2)) || exit 1
python3 "$TOP/bench/native/table.py" "$dir/output.txt" | tee "$dir/results.txt"
((status == 0)) || die "not all cases ended well, see $(short "$dir")/output.txt"
step "bench: done, the table is $(short "$dir")/results.txt"
