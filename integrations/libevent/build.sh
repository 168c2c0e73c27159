#!/usr/bin/env bash
# build.sh DIR: libevent from Debian's source with its back-end for kevent, as shared
# libraries of the names that Debian's programs look for, its test programs and edges.c,
# in DIR/libevent.
. "$(dirname "$0")/../../scripts/lib.sh"

here=$TOP/integrations/libevent
to=$1/libevent
source=$("$TOP/integrations/source.sh" libevent 2.1.12 "$here/kevent.patch")
objects=$OUT/integrations/libevent
headers="-isystem $TOP/include/uapi -I$TOP/tools/lib/kevent"

# build TYPE TARGET...
build()
{
	local type=$1
	shift
	cmake -S "$source" -B "$objects/$type" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER_LAUNCHER=ccache \
		-DEVENT__LIBRARY_TYPE="$type" -DEVENT__DISABLE_OPENSSL=ON -DEVENT__DISABLE_SAMPLES=ON \
		"-DCMAKE_C_FLAGS=$headers" || return
	grep -q 'define EVENT__HAVE_KEVENT 1' "$objects/$type/include/event2/event-config.h" || return
	cmake --build "$objects/$type" -j"$JOBS" --target "$@"
}
# Its tests call what a shared library does not export.
build_libevent()
{
	build SHARED event_shared event_core_shared event_extra_shared event_pthreads_shared test-init bench bench_cascade &&
		build STATIC regress
}
build_edges()
{
	gcc -O2 -Wall -Wextra -Werror -I"$source/include" -I"$objects/SHARED/include" -o "$objects/edges" \
		"$here/edges.c" "$objects/SHARED/lib/libevent-2.1.so.7" "-Wl,-rpath-link,$objects/SHARED/lib"
}

command -v cmake >/dev/null || die "integrations: cmake is missing"
# What was configured from another source stays so.
stamp="$source $(digest "$0" "$here/kevent.patch" "$TOP"/tools/lib/kevent/*.h "$TOP/include/uapi/linux/kevent.h")"
if [[ ! -f $objects/stamp || $(<"$objects/stamp") != "$stamp" ]]; then
	rm -rf "$objects"
	mkdir -p "$objects"
	logged integrations-libevent build_libevent
	printf '%s\n' "$stamp" >"$objects/stamp"
fi
logged integrations-libevent-edges build_edges
mkdir -p "$to"
cp -d "$objects"/SHARED/lib/libevent*.so.7* "$to/"
cp "$objects"/SHARED/bin/{test-init,bench,bench_cascade} "$objects/STATIC/bin/regress" "$objects/edges" "$to/"
strip "$to"/*
