#!/usr/bin/env bash
# run.sh: runs programs that use epoll on kevent, by libkevent-epoll.so, in the guest,
# and beside that on epoll.  Writes "passed failed skipped" to
# build/logs/integrations/counts.
#   PROGRAMS   which, default: all in guest/ that say "# program:"
#   SHORT      set: no more of each than .ci/run has time for
#   LIMIT      seconds for all of them (default 7200)
# What guest/NAME.sh needs beside Debian's packages is built by prepare/NAME.sh DIR, if
# there is one, into DIR, which is /integrations there.
. "$(dirname "$0")/../scripts/lib.sh"

here=$TOP/integrations
read -ra programs <<<"${PROGRAMS:-$(cd "$here/guest" && grep -l '^# program:' ./*.sh | sed 's,^\./,,; s,\.sh$,,' | tr '\n' ' ')}"
for program in "${programs[@]}"; do
	[[ -f $here/guest/$program.sh ]] || die "no such program: $program (see integrations/guest/)"
done
logs=$LOGS/integrations
mkdir -p "$logs"
rm -f "$logs"/*

"$TOP/scripts/packages.sh" build test integrations
[[ ${KEVENT_NO_BUILD:-} ]] || "$TOP/scripts/build.sh" plain
step "integrations: packages, from the archives of this system's apt"
debian=$("$here/root.sh") || die "integrations: the packages are missing: they come over the network, see above"
out=$OUT/integrations
guest=$out/top/debian/integrations
rm -rf "$out/top"
mkdir -p "$guest" "$out/top/integrations"

step "integrations: building for ${programs[*]}"
logged integrations-shim make -C "$TOP/tools/lib/kevent/epoll" OUT="$out"
logged integrations-load gcc -O2 -Wall -Wextra -I"$TOP/bench" -o "$guest/load" "$here/load.c"
cp "$here"/guest/* "$out/libkevent-epoll.so" "$guest/"
for program in "${programs[@]}"; do
	if [[ -f $here/prepare/$program.sh ]]; then "$here/prepare/$program.sh" "$guest"; fi
done
cp "$here/guest/main" "$out/top/integrations/main"
chmod +x "$out/top/integrations/main"

# Behind each other in one file, two archives are one initramfs.
"$TOP/scripts/initramfs.sh" "$out/programs.gz" "$out/top"
cat "$debian/root.gz" "$out/programs.gz" >"$out/initramfs.gz"

step "integrations: booting, logs in $(short "$logs")/"
status=0
names=${programs[*]}
"$TOP/scripts/boot.sh" --kernel "$OUT/plain/bzImage" --initrd "$out/initramfs.gz" --logs "$logs" \
	--mem 3G --limit "${LIMIT:-7200}" --append "kevent.mode=integrations kevent.programs=${names// /,} ${SHORT:+kevent.short=1}" \
	</dev/null >"$logs/qemu.log" 2>&1 || status=$?

touch "$logs/guest.log" "$logs/kernel.log"
tr -d '\r' <"$logs/guest.log" | grep '^RESULT' || true
awk -v programs="$names" -f "$here/judge.awk" "$logs/guest.log" >"$logs/results"
awk -f "$TOP/scripts/splats.awk" "$logs/kernel.log" >"$logs/splats" 2>/dev/null
if [[ -s $logs/splats ]]; then
	printf 'fail\t%s\n' "the kernel log, at line $(head -n 1 "$logs/splats" | cut -c1-200)" >>"$logs/results"
fi
sed -n 's/^fail\t/FAILED INTEGRATION: /p' "$logs/results"
count() { grep -c "^$1" "$logs/results" || true; }
printf '%d %d %d\n' "$(count pass)" "$(count fail)" "$(count skip)" >"$logs/counts"
step "integrations: $(count pass) passed, $(count fail) failed, $(count skip) skipped (QEMU: $status)"
[[ $(count fail) = 0 ]] || die "not all is well, see $(short "$logs")/guest.log"
