#!/usr/bin/env bash
# measure.sh: kernel entries and instructions per request of a TCP echo server on libuv
# (programs/tcp.c) with 32 connections, on epoll and on kevent.  On one processor, where
# all is counted exactly as in ../../bench/measure.sh, and on two, where system calls are.
. "$(dirname "$0")/../../scripts/lib.sh"

here=$TOP/integrations/libuv
dir=$OUT/integrations/libuv-measure
kernel=${BZIMAGE:-$OUT/plain/bzImage} map=${SYSTEM_MAP:-$OUT/plain/objects/System.map}
[[ -f $kernel && -f $map ]] || die "no kernel ($(short "$kernel"), $(short "$map")): make kernel"
"$here/build.sh" "$dir/programs"
mkdir -p "$dir/root"
cp "$map" "$dir/System.map"
build()
{
	local source=$CACHE/integrations/source/libuv1
	gcc -O2 -Wall -Wextra -shared -fPIC -o "$dir/insn.so" "$TOP/bench/plugin/insn.c" &&
		gcc -D_GNU_SOURCE -O2 -Wall -Wextra -static -I"$TOP/bench" -o "$dir/root/init" "$here/echo-load.c" &&
		gcc -O2 -Wno-unused-parameter -static -I"$(echo "$source"/libuv1-*)/include" -o "$dir/root/tcp" \
			"$here/programs/tcp.c" "$CACHE/integrations/libuv-kevent/libuv_a.a" -lpthread -ldl -lrt
}
logged integrations-libuv-measure build
mkdir -p "$dir/root/dev"
(cd "$dir/root" && printf '%s\n' dev init tcp | cpio --quiet -o -H newc -R 0:0) | gzip -1 >"$dir/initramfs.gz"

# boot NAME VCPUS ARGUMENT...
boot()
{
	local name=$1 vcpus=$2
	shift 2
	step "libuv: measuring on $vcpus vCPU"
	timeout "${LIMIT:-1200}" qemu-system-x86_64 -smp "$vcpus" "$@" -cpu max,erms=off,fsrm=off -m 1024 \
		-nodefaults -no-reboot -display none -serial "file:$dir/console$name.log" \
		-kernel "$kernel" -initrd "$dir/initramfs.gz" \
		-append "console=ttyS0 quiet panic=-1 no_timer_check noreplace-smp nokaslr" \
		-plugin "file=$dir/insn.so,out=$dir/windows$name.txt" </dev/null >"$dir/qemu$name.log" 2>&1 ||
		die "the emulator failed, see $(short "$dir/qemu$name.log")"
	grep -q '^MEASURE done' "$dir/console$name.log" || die "it did not end well, see $(short "$dir/console$name.log")"
}
boot '' 1 -accel tcg -icount shift=0,sleep=off
boot -smp 2 -accel tcg,thread=multi
python3 "$here/measure.py" "$dir"
