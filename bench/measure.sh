#!/usr/bin/env bash
# measure.sh [CASES...]: measures kevent against its peers on one kernel.
#
# Nothing here looks at a clock: an emulated machine counts the instructions
# between two marks (plugin/insn.c).  That needs
#   -icount shift=0,sleep=off  the guest's time is the number of instructions,
#			so that a run repeats exactly and waiting costs nothing
#   erms=off,fsrm=off	else the kernel copies with "rep movsb", which the
#			emulator executes, and we would count, byte by byte
#   noreplace-smp	else the kernel, finding one CPU, patches LOCK away
#   nokaslr		addresses are those of System.map
# Only where events go from one processor to another, what is counted is system
# calls and IPIs: a second boot, with two vCPUs that run at a time.
#
# CASES: lists of cases, bench/cases if not given.
# BZIMAGE, SYSTEM_MAP: the kernel, build/plain's if not set.
# BENCH_OUT: where the results go, build/bench if not set.
# BENCH_STALL: seconds for one case; then the guest counts as hanging.
. "$(dirname "$0")/../scripts/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

if (($#)); then cases=("$@"); else cases=("$TOP/bench/cases"); fi
bzimage=${BZIMAGE:-$OUT/plain/bzImage}
system_map=${SYSTEM_MAP:-$OUT/plain/objects/System.map}
dir=${BENCH_OUT:-$OUT/bench}
stall=${BENCH_STALL:-900}

missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need qemu-system-x86_64 qemu-system-x86
need gcc gcc
need nm binutils
need cpio cpio
need mkfs.ext4 e2fsprogs
need python3 python3
if [[ ! -e $(gcc -print-file-name=libc.a 2>/dev/null) ]]; then missing+=(libc6-dev); fi
if [[ ! -e $(gcc -print-file-name=liburing.a 2>/dev/null) ]]; then missing+=(liburing-dev); fi
if ((${#missing[@]})); then die "missing packages: ${missing[*]}"; fi
[[ -f $bzimage && -f $system_map ]] ||
	die "no kernel ($(short "$bzimage"), $(short "$system_map")): make kernel, or set BZIMAGE and SYSTEM_MAP"
for file in "${cases[@]}"; do [[ -f $file ]] || die "no list of cases: $file"; done

mkdir -p "$dir"
rm -f "$dir"/{console,windows,cases,qemu}{,-smp}.{log,txt} "$dir"/results.{txt,json} \
	"$dir"/profile-*.txt "$dir"/{profiles,native}.json "$dir/report.html"
rm -rf "$dir/again" "$dir/nokevent" "$dir/plots"
# A kernel that is built meanwhile shall not give its names to our addresses.
cp "$bzimage" "$dir/bzImage"
cp "$system_map" "$dir/System.map"

step "bench: building the workloads and the counting plugin"
# Static and at fixed addresses: its functions are found by nm.
gcc -std=gnu11 -O2 -Wall -Wextra -Wno-missing-field-initializers -static -no-pie -pthread \
	-isystem "$TOP/include/uapi" -o "$dir/workloads" "$TOP"/bench/*.c -luring
gcc -std=gnu11 -O2 -Wall -Wextra -shared -fPIC -o "$dir/insn.so" "$TOP/bench/plugin/insn.c"

# Files that are sent, named by their sizes.  The guest copies this to a disk of its
# own, see disk.c.
mkdir -p "$dir/files"
for size in 4096 131072 4194304 8388608; do
	head -c "$size" /dev/zero | tr '\0' k >"$dir/files/$size"
done
rm -f "$dir/disk.img"
truncate -s 24M "$dir/disk.img"
logged bench-disk mkfs.ext4 -q -F -O ^has_journal -d "$dir/files" "$dir/disk.img"
rm -r "$dir/files"

{
	qemu-system-x86_64 --version | head -n 1
	gcc --version | head -n 1
} >"$dir/about.txt"

# One case per line, as the workloads want them.  A consumer that spins needs a
# processor of its own; from the first memory cgroup on allocations cost more.
awk '/^[[:space:]]*(#|$)/ { next }
	NF == 1 { print > (dir "/cases.txt") }
	{
		for (i = 6; i <= NF; i++) {
			line = $1 " " $i " " $2 " " $3 " " $4 " " $5
			if (/^memory/)
				last = last line "\n"
			else
				print line > (dir "/cases" (/^(spin|smp)-/ ? "-smp" : "") ".txt")
		}
	}
	END { if (last) printf "%s", last > (dir "/cases.txt") }' \
	dir="$dir" "${cases[@]}"

emulator=''
trap 'if [[ $emulator ]]; then kill "$emulator" 2>/dev/null || true; fi' EXIT

# boot SUFFIX VCPUS ARGUMENT...: runs the cases in cases$SUFFIX.txt, if there are
# any, on a machine with these arguments of QEMU
boot()
{
	local suffix=$1 vcpus=$2 total ended before='' since=$EPOCHSECONDS status=0
	local console=$dir/console$suffix.log qemu_log=$dir/qemu$suffix.log root=$dir/guest$suffix
	local files=(init cases)
	shift 2
	[[ -f $dir/cases$suffix.txt ]] || return 0
	mkdir -p "$root"
	cp "$dir/workloads" "$root/init"
	cp "$dir/cases$suffix.txt" "$root/cases"
	if grep -qE '^(file|cold):' "$root/cases"; then
		files+=(disk.img)
		ln -f "$dir/disk.img" "$root/disk.img"
	fi
	(cd "$root" && printf '%s\n' "${files[@]}" | cpio --quiet -o -H newc -R 0:0) |
		gzip -1 >"$dir/initramfs$suffix.gz"

	total=$(wc -l <"$root/cases")
	step "bench: $total cases on $vcpus vCPU, console in $(short "$console")"
	# The emulator exits where the guest reboots, so an oops or the end end it.
	qemu-system-x86_64 -smp "$vcpus" "$@" \
		-cpu max,erms=off,fsrm=off -m 1024 \
		-nodefaults -no-reboot -display none -serial "file:$console" \
		-kernel "$dir/bzImage" -initrd "$dir/initramfs$suffix.gz" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check noreplace-smp nokaslr $null_blk" \
		-plugin "file=$dir/insn.so,out=$dir/windows$suffix.txt" \
		</dev/null >"$qemu_log" 2>&1 &
	emulator=$!
	while kill -0 "$emulator" 2>/dev/null; do
		ended=$(grep -c '^BENCH-CASE' "$console" 2>/dev/null || true)
		if [[ $ended != "$before" ]]; then before=$ended since=$EPOCHSECONDS; fi
		((EPOCHSECONDS - since < stall)) || die "a case did not end within $stall s, see $(short "$console")"
		progress "bench: $ended of $total cases"
		sleep 0.5
	done
	progress_done
	wait "$emulator" || status=$?
	emulator=''
	if [[ -s $qemu_log ]]; then cat "$qemu_log" >&2; fi
	case $status in
	0) ;;
	*) die "the emulator failed with status $status, see $(short "$qemu_log")" ;;
	esac
}

# A disk in memory: each request is answered 8 ms later, by a timer.
null_blk='null_blk.gb=1 null_blk.memory_backed=1 null_blk.irqmode=2 null_blk.completion_nsec=8000000'

boot '' 1 -accel tcg -icount shift=0,sleep=off
boot -smp 2 -accel tcg,thread=multi
