#!/usr/bin/env bash
# measure.sh: what a request costs memcached, redis, lighttpd and an echo server on libuv
# on kevent, beside epoll; with connections that are kept, and with one for each request.
# Fails if redis, where the kernel receives and sends (kevent-io), is entered for each.
#
# By the method of bench/measure.sh: a plugin of the emulator counts between marks that
# the load makes.  Twice: with one vCPU, where a run repeats exactly and instructions are
# those of the whole system, and with two that run at a time, as the load and the server
# do on a real machine: there the kernel is entered less the busier the server is.
#   REQUESTS   in each window (default 4000)
#   ROUNDS     windows with two vCPUs, of which the median counts (default 5)
. "$(dirname "$0")/../scripts/lib.sh"

[[ ${KEVENT_NO_BUILD:-} ]] || "$TOP/scripts/build.sh" plain
debian=$("$TOP/integrations/root.sh")
out=$OUT/integrations-measure
rm -rf "$out"
guest=$out/top/debian/integrations
mkdir -p "$guest" "$out/top/integrations"
cp "$TOP"/integrations/guest/* "$guest/"
cp "$TOP/integrations/guest/main" "$out/top/integrations/main"
chmod +x "$out/top/integrations/main"
sed -i "1i REQUESTS=${REQUESTS:-4000} ROUNDS=${ROUNDS:-5}" "$guest/measure.sh"
logged integrations-load gcc -O2 -Wall -Wextra -I"$TOP/bench" -o "$guest/load" "$TOP/integrations/load.c"
logged integrations-plugin gcc -std=gnu11 -O2 -Wall -Wextra -shared -fPIC -o "$out/insn.so" "$TOP/bench/plugin/insn.c"
for program in libevent redis lighttpd; do "$TOP/integrations/$program/build.sh" "$guest"; done
"$TOP/integrations/libuv/build.sh" "$guest/libuv"
"$TOP/scripts/initramfs.sh" "$out/programs.gz" "$out/top"
cat "$debian/root.gz" "$out/programs.gz" >"$out/initramfs.gz"
# A kernel that is built meanwhile shall not give its names to our addresses.
cp "$OUT/plain/bzImage" "$OUT/plain/objects/System.map" "$out/"

# boot VCPUS OPTION...
boot()
{
	local vcpus=$1
	shift
	step "integrations: measuring with $vcpus vCPU"
	"$TOP/scripts/boot.sh" --kernel "$out/bzImage" --initrd "$out/initramfs.gz" --logs "$out/logs-$vcpus" --smp "$vcpus" \
		--mem 3G --cpu max,erms=off,fsrm=off --limit "${LIMIT:-3600}" "$@" \
		-plugin "file=$out/insn.so,out=$out/windows-$vcpus.txt" </dev/null >"$out/qemu-$vcpus.log" 2>&1 || true
	tr -d '\r' <"$out/logs-$vcpus/guest.log" >"$out/guest-$vcpus.log"
	grep -q '^kevent-guest: finished 0' "$out/guest-$vcpus.log" || die "the guest did not end well, see $(short "$out")/guest-$vcpus.log"
}
append="kevent.mode=integrations kevent.programs=measure noreplace-smp nokaslr"
boot 1 --accel tcg --append "$append" -- -icount shift=0,sleep=off
boot 2 --accel tcg,thread=multi --append "$append" --
python3 "$TOP/integrations/measure.py" "$out"
