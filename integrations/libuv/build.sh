#!/usr/bin/env bash
# build.sh DIR: libuv with its back-end for kevent, the test program of that and the
# programs of programs/, in DIR.
. "$(dirname "$0")/../../scripts/lib.sh"

here=$TOP/integrations/libuv
to=$1
command -v cmake >/dev/null || die "integrations: cmake is missing"
source=$("$TOP/integrations/source.sh" libuv1 1.44.2 "$here/kevent.patch")
objects=$CACHE/integrations/libuv-kevent
headers="-I$TOP/include/uapi -I$TOP/tools/lib/kevent"

build_libuv()
{
	# As it builds Debian's, but for the back-end.
	cmake -S "$source" -B "$objects" -DCMAKE_BUILD_TYPE=Release -DLIBUV_BUILD_BENCH=OFF \
		-DCMAKE_C_COMPILER_LAUNCHER=ccache \
		-DLIBUV_KEVENT=ON "-DCMAKE_C_FLAGS=$headers" || return
	cmake --build "$objects" -j"$JOBS" --target uv_run_tests_a uv_a
}
build_programs()
{
	local file
	for file in "$here"/programs/*.c; do
		gcc -O2 -Wall -Wextra -Werror -Wno-unused-parameter -I"$source/include" -I"$TOP/bench" \
			-o "$to/$(basename "${file%.c}")" "$file" "$objects/libuv_a.a" -lpthread -ldl -lrt || return
	done
}

# What was configured from another source stays so.
stamp="$source $(digest "$0" "$here/kevent.patch" "$TOP"/tools/lib/kevent/*.h "$TOP/include/uapi/linux/kevent.h")"
if [[ ! -f $objects/stamp || $(<"$objects/stamp") != "$stamp" ]]; then
	rm -rf "$objects"
	logged integrations-libuv-kevent build_libuv
	printf '%s\n' "$stamp" >"$objects/stamp"
fi
rm -rf "$to"
mkdir -p "$to"
logged integrations-libuv-programs build_programs
cp "$objects/uv_run_tests_a" "$to/"
cp -r "$source/test" "$to/"
