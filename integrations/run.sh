#!/usr/bin/env bash
# run.sh: runs programs that use epoll on kevent, by libkevent-epoll.so, in the guest,
# and beside that on epoll.
#   PROGRAMS   which, default: all in guest/
#   LIMIT      seconds for all of them (default 3600)
. "$(dirname "$0")/../scripts/lib.sh"

"$TOP/scripts/packages.sh" build test
[[ ${KEVENT_NO_BUILD:-} ]] || "$TOP/scripts/build.sh" plain
step "integrations: packages"
debian=$("$TOP/integrations/root.sh")
out=$OUT/integrations
mkdir -p "$out/top/debian"

step "integrations: building"
logged integrations-shim make -C "$TOP/tools/lib/kevent/epoll" OUT="$out"
tree=$(<"$OUT/source")
wakeup() { gcc -O2 -I"$OUT/user/objects/usr/include" -o "$out/epoll_wakeup_test" \
	"$tree/tools/testing/selftests/filesystems/epoll/epoll_wakeup_test.c" -lpthread; }
logged integrations-wakeup wakeup
logged integrations-load gcc -O2 -Wall -Wextra -o "$out/load" "$TOP/integrations/load.c"

# Behind each other in one file, two archives are one initramfs.
rm -rf "$out/top"
mkdir -p "$out/top/debian/integrations" "$out/top/integrations"
cp "$TOP"/integrations/guest/* "$out/libkevent-epoll.so" "$out/epoll_wakeup_test" "$out/load" \
	"$debian/libuv/uv_run_tests_a" "$out/top/debian/integrations/"
cp -r "$debian"/libuv1-*/test "$out/top/debian/integrations/"
cp "$TOP/integrations/guest/main" "$out/top/integrations/main"
chmod +x "$out/top/integrations/main"
"$TOP/scripts/initramfs.sh" "$out/programs.gz" "$out/top"
cat "$debian/root.gz" "$out/programs.gz" >"$out/initramfs.gz"

step "integrations: booting"
status=0
"$TOP/scripts/boot.sh" --kernel "$OUT/plain/bzImage" --initrd "$out/initramfs.gz" --logs "$LOGS/integrations" \
	--mem 3G --limit "${LIMIT:-3600}" --append "kevent.mode=integrations ${PROGRAMS:+kevent.programs=${PROGRAMS// /,}}" \
	</dev/null >"$LOGS/integrations.log" 2>&1 || status=$?
log=$LOGS/integrations/guest.log
tr -d '\r' <"$log" | grep -E '^(RESULT|FAILED|integrations:)' || true
grep -q '^kevent-guest: finished 0' "$log" || die "not all is well (status $status), see $(short "$log")"
