#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR MIT
# examples.sh ROOT OUT: compiles the program of each manual page in ROOT/usr/share/man, as
# a stranger would: with what pkg-config says of the library in ROOT/usr/lib.  OUT gets
# PAGE, PAGE-static, and PAGE.expected, what they print.
#   CC   with options, if any
set -e
here=$(dirname "$0")
root=$1 out=$2
mkdir -p "$out"

# The library of ROOT and no other; without the first its -L would be left out.
export PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 PKG_CONFIG_SYSROOT_DIR="$root"
export PKG_CONFIG_LIBDIR="$root/usr/lib/pkgconfig"
cflags=$(pkg-config --cflags libkevent)
libs=$(pkg-config --libs libkevent)
static=$(pkg-config --static --libs libkevent)

for page in "$root"/usr/share/man/man[237]/*; do
	name=$(basename "$page")
	# An alias has no example.
	! grep -q '^\.so ' "$page" || continue
	awk -v out="$out/$name" -f "$here/examples.awk" "$page"
	# shellcheck disable=SC2086
	${CC:-cc} -O2 -Wall -Wextra -Werror -pthread $cflags -o "$out/$name" "$out/$name.c" $libs
	# shellcheck disable=SC2086
	${CC:-cc} -O2 -static -pthread $cflags -o "$out/$name-static" "$out/$name.c" $static
done
