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

build_libevent()
{
	cmake -S "$source" -B "$objects" -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER_LAUNCHER=ccache \
		-DEVENT__DISABLE_OPENSSL=ON -DEVENT__DISABLE_SAMPLES=ON "-DCMAKE_C_FLAGS=$headers" || return
	grep -q 'define EVENT__HAVE_KEVENT 1' "$objects/include/event2/event-config.h" || return
	cmake --build "$objects" -j"$JOBS" --target event_shared event_core_shared event_extra_shared \
		event_pthreads_shared regress test-init bench bench_cascade
}
build_edges()
{
	gcc -O2 -Wall -Wextra -Werror -I"$source/include" -I"$objects/include" -o "$objects/bin/edges" \
		"$here/edges.c" "$objects/lib/libevent-2.1.so.7" "-Wl,-rpath-link,$objects/lib"
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
cp -d "$objects"/lib/libevent*.so.7* "$to/"
cp "$objects"/bin/{regress,test-init,bench,bench_cascade,edges} "$to/"
strip "$to"/*
