#!/usr/bin/env bash
# The programs that run in the guest, from the tree of build/source: selftests,
# through the kernel's own infrastructure, and samples.  One build serves all
# variants.  Leaves in build/user: selftests (as run_kselftest.sh wants them), samples,
# and in library, as the guest's root, libkevent with the programs of its manual pages;
# the kernel's headers are in build/user/objects/usr/include.
#   KEVENT_BITS   32: all that as 32-bit programs, in build/user32
. "$(dirname "$0")/lib.sh"
lock_cache

bits=${KEVENT_BITS:-}
tree=$(<"$OUT/source")
objects=$(dirname "$tree")/build/user$bits
out=$OUT/user$bits
mkdir -p "$objects" "$out"
ln -sfn "$objects" "$out/objects"

cc="ccache gcc${bits:+ -m$bits}"

headers() { make -C "$tree" O="$objects" HOSTCC="ccache gcc" headers; }

# Static: the guest has no libraries.  The harness makes 64-bit numbers of pointers.
selftests()
{
	make -C "$tree/tools/testing/selftests" O="$objects" TARGETS=kevent FORCE_TARGETS=1 \
		KSFT_INSTALL_PATH="$objects/selftests" CC="$cc${bits:+ -Wno-pointer-to-int-cast}" USERLDFLAGS=-static \
		-j"$JOBS" install
}

# The small ones by the library, as the programs of its manual pages.
samples()
{
	local root=$objects/library
	export PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root/usr/lib/pkgconfig
	make -C "$tree/samples/kevent" BUILD="$objects/samples" UAPI="$objects/usr/include" CC="$cc" \
		LIBKEVENT_CFLAGS="$(pkg-config --cflags libkevent) -idirafter $objects/usr/include" \
		LIBKEVENT_LIBS="$(pkg-config --libs libkevent)"
}

# Installed, and then used by programs that know only what pkg-config says.
library()
{
	local here=$tree/tools/lib/kevent root=$objects/library headers=$objects/usr/include
	local programs=$root/usr/libexec/kevent
	make -C "$here" OUT="$objects/libkevent" UAPI="$tree/include/uapi" PREFIX=/usr DESTDIR="$root" \
		CC="$cc -idirafter $headers" install
	CC="$cc -idirafter $headers" sh "$here/tests/examples.sh" "$root" "$programs" \
		"$tree"/samples/kevent/guide/*.c
	$cc -idirafter "$headers" -O2 -o "$programs/dlopen_test" "$here/tests/dlopen_test.c"
}

stamp="$(<"$tree.state/digest.user") $(gcc -dumpfullversion -dumpmachine | tr '\n' ' ')"
if [[ -f $objects/kevent.stamp && $(<"$objects/kevent.stamp") = "$stamp" ]]; then
	step "user programs${bits:+, $bits bits}: up to date"
else
	step "user programs${bits:+, $bits bits}: headers, selftests, samples, library"
	rm -f "$objects/kevent.stamp"
	logged "user$bits-headers" headers
	# lib.mk does not follow includes, so nothing old may stay.
	rm -rf "$objects"/{kselftest,selftests,samples,library,libkevent}
	mkdir -p "$objects/selftests" "$objects/samples"
	if [[ -f $tree/tools/testing/selftests/kevent/Makefile ]]; then logged "user$bits-selftests" selftests; fi
	logged "user$bits-library" library
	if [[ -f $tree/samples/kevent/Makefile ]]; then logged "user$bits-samples" samples; fi
	printf '%s\n' "$stamp" >"$objects/kevent.stamp"
fi
for what in selftests samples library; do
	rm -rf "${out:?}/$what"
	cp -a "$objects/$what" "$out/$what"
done
