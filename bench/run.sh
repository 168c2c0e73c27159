#!/usr/bin/env bash
# run.sh [CASES]: measures kevent against its peers on one kernel, in one boot.
#
# Nothing here looks at a clock: an emulated machine counts the instructions
# between two marks (plugin/insn.c).  That needs
#   -icount shift=0,sleep=off  the guest's time is the number of instructions,
#			so that a run repeats exactly and waiting costs nothing
#   erms=off,fsrm=off	else the kernel copies with "rep movsb", which the
#			emulator executes, and we would count, byte by byte
#   noreplace-smp	else the kernel, finding one CPU, patches LOCK away
#   nokaslr		addresses are those of System.map
#
# CASES: the list of cases, bench/cases if not given.
# BZIMAGE, SYSTEM_MAP: the kernel, build/plain's if not set.
# BENCH_OUT: where the results go, build/bench if not set.
. "$(dirname "$0")/../scripts/lib.sh"

cases=${1:-$TOP/bench/cases}
bzimage=${BZIMAGE:-$OUT/plain/bzImage}
system_map=${SYSTEM_MAP:-$OUT/plain/objects/System.map}
dir=${BENCH_OUT:-$OUT/bench}
time_limit=${BENCH_TIME_LIMIT:-900}

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need qemu-system-x86_64 qemu-system-x86
need gcc gcc
need nm binutils
need cpio cpio
need python3 python3
if [[ ! -e $(gcc -print-file-name=libc.a 2>/dev/null) ]]; then missing+=(libc6-dev); fi
if ((${#missing[@]})); then die "missing packages: ${missing[*]}"; fi
[[ -f $bzimage && -f $system_map ]] ||
	die "no kernel ($(short "$bzimage"), $(short "$system_map")): make kernel, or set BZIMAGE and SYSTEM_MAP"
[[ -f $cases ]] || die "no list of cases: $cases"

mkdir -p "$dir/guest"
rm -f "$dir"/{console.log,windows.txt,results.txt,results.json} "$dir"/profile-*.txt
# A kernel that is built meanwhile shall not give its names to our addresses.
cp "$bzimage" "$dir/bzImage"
cp "$system_map" "$dir/System.map"

step "bench: building the workloads and the counting plugin"
# Static and at fixed addresses: its functions are found by nm.
gcc -std=gnu11 -O2 -Wall -Wextra -static -no-pie -isystem "$TOP/include/uapi" \
	-o "$dir/workloads" "$TOP/bench/workloads.c"
gcc -std=gnu11 -O2 -Wall -Wextra -shared -fPIC -o "$dir/insn.so" "$TOP/bench/plugin/insn.c"

cp "$dir/workloads" "$dir/guest/init"
cp "$cases" "$dir/guest/cases"
(cd "$dir/guest" && printf '%s\n' init cases | cpio --quiet -o -H newc -R 0:0) |
	gzip -1 >"$dir/initramfs.gz"

{
	qemu-system-x86_64 --version | head -n 1
	gcc --version | head -n 1
} >"$dir/about.txt"

total=$(grep -cvE '^[[:space:]]*(#|$)' "$cases")
step "bench: $total cases, console in $(short "$dir/console.log")"
# The emulator exits where the guest reboots, so an oops or the end end it.
timeout --foreground "$time_limit" qemu-system-x86_64 \
	-accel tcg -icount shift=0,sleep=off -smp 1 -cpu max,erms=off,fsrm=off -m 1024 \
	-nodefaults -no-reboot -display none -serial "file:$dir/console.log" \
	-kernel "$dir/bzImage" -initrd "$dir/initramfs.gz" \
	-append 'console=ttyS0 quiet panic=-1 noreplace-smp nokaslr' \
	-plugin "file=$dir/insn.so,out=$dir/windows.txt" \
	</dev/null >"$dir/qemu.log" 2>&1 &
emulator=$!
trap 'kill $emulator 2>/dev/null || true' EXIT
while kill -0 "$emulator" 2>/dev/null; do
	progress "bench: $(grep -c '^BENCH-CASE' "$dir/console.log" 2>/dev/null || true) of $total cases"
	sleep 0.5
done
progress_done
status=0
wait "$emulator" || status=$?
trap - EXIT
if [[ -s $dir/qemu.log ]]; then cat "$dir/qemu.log" >&2; fi
case $status in
0) ;;
124) die "the guest did not end within $time_limit s, see $(short "$dir/console.log")" ;;
*) die "the emulator failed with status $status, see $(short "$dir/qemu.log")" ;;
esac

step "bench: done, tables in $(short "$dir")/results.txt"
python3 "$TOP/bench/report.py" "$dir"
