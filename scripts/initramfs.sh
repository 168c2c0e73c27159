#!/usr/bin/env bash
# initramfs.sh RESULT [DIR...]: an initramfs from busybox, scripts/guest, the
# programs in build/user and what stands in each DIR, as the guest's root.
#   KEVENT_BITS   32: the programs in build/user32
. "$(dirname "$0")/lib.sh"

result=$1
shift
user=$OUT/user${KEVENT_BITS:-}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,tmp,run,root,srv/www,usr/bin,usr/sbin,selftests}
cp "$(command -v busybox)" "$root/bin/busybox"
ln -s busybox "$root/bin/sh"
ln -s bin/busybox "$root/init"
cp "$TOP"/scripts/guest/{inittab,common,setup,main,console,count} "$root/etc/"
chmod +x "$root"/etc/{setup,main,console,count}
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"

# libraries PROGRAM...: those of the host that they need
libraries()
{
	ldd "$@" | grep -o '/[^ :]*' | sort -u | while read -r library; do
		if [[ $library != "$user"/* ]]; then
			mkdir -p "$root$(dirname "$library")"
			cp -L "$library" "$root$library"
		fi
	done
}

# The kselftest runner wants what busybox's timeout cannot do.
timeout=$(command -v timeout)
cp "$timeout" "$root/usr/bin/timeout"
libraries "$timeout"

# libkevent as it is installed: the shared library and what its manual pages have.
mkdir -p "$root"/usr/{lib,libexec}
cp -a "$user"/library/usr/lib/libkevent.so.* "$root/usr/lib/"
cp -a "$user/library/usr/libexec/kevent" "$root/usr/libexec/"
libraries "$user/library/usr/libexec/kevent/dlopen_test" "$user"/library/usr/lib/libkevent.so.?

cp -a "$user/selftests/." "$root/selftests/"
# Tests that check the harness, see test-harness.sh; not run by default.
cp -a "$TOP/scripts/guest/harness" "$root/selftests/harness"
for test in "$root"/selftests/harness/*.sh; do
	printf 'harness:%s\n' "$(basename "$test")" >>"$root/selftests/kselftest-list.txt"
done

# Some are linked statically, and have no libraries.
for program in "$user"/samples/*; do
	[[ -f $program && -x $program ]] || continue
	cp "$program" "$root/usr/bin/"
	if ldd "$program" >/dev/null 2>&1; then libraries "$program"; fi
done
if [[ -d $user/samples/www ]]; then cp -a "$user/samples/www/." "$root/srv/www/"; fi

for dir in "$@"; do cp -a "$dir/." "$root/"; done

mkdir -p "$(dirname "$result")"
(cd "$root" && find . -mindepth 1 -printf '%P\0' | sort -z |
	cpio --quiet -0 -o -H newc --owner=0:0 --reproducible) | gzip -1 >"$result.tmp"
mv "$result.tmp" "$result"
