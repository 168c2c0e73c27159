#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR MIT
# examples.sh ROOT OUT [PROGRAM.c...]: compiles the program of each manual page in
# ROOT/usr/share/man, and the others, as a stranger would: with what pkg-config says of the
# library in ROOT/usr/lib.  OUT gets NAME, NAME-static, and NAME.expected, what they print,
# which stands in the page, or beside the program.
#   CC   with options, if any
set -e
here=$(dirname "$0")
root=$1 out=$2
shift 2
mkdir -p "$out"

# The library of ROOT and no other; without the first its -L would be left out.
export PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 PKG_CONFIG_SYSROOT_DIR="$root"
export PKG_CONFIG_LIBDIR="$root/usr/lib/pkgconfig"
cflags=$(pkg-config --cflags libkevent)
libs=$(pkg-config --libs libkevent)
static=$(pkg-config --static --libs libkevent)

# compile NAME: from OUT/NAME.c
compile()
{
	# shellcheck disable=SC2086
	${CC:-cc} -O2 -Wall -Wextra -Werror -pthread $cflags -o "$out/$1" "$out/$1.c" $libs
	# shellcheck disable=SC2086
	${CC:-cc} -O2 -static -pthread $cflags -o "$out/$1-static" "$out/$1.c" $static
}

for page in "$root"/usr/share/man/man[237]/*; do
	name=$(basename "$page")
	# An alias has no example.
	! grep -q '^\.so ' "$page" || continue
	awk -v out="$out/$name" -f "$here/examples.awk" "$page"
	compile "$name"
done

for program; do
	name=$(basename "$program" .c)
	cp "$program" "${program%.c}.expected" "$out"
	compile "$name"
done
