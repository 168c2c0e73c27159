#!/usr/bin/env bash
# libuv.sh DIR: builds libuv's test program, from its source package, into DIR.
. "$(dirname "$0")/../../scripts/lib.sh"
command -v cmake >/dev/null || die "integrations: cmake is missing, see package cmake"
source=$("$TOP/integrations/source.sh" libuv1 1.44.2)
build=$CACHE/integrations/libuv
build_libuv()
{
	cmake -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DLIBUV_BUILD_BENCH=OFF
	cmake --build "$build" -j"$JOBS" --target uv_run_tests_a
}
logged integrations-libuv build_libuv
cp "$build/uv_run_tests_a" "$1/"
cp -r "$source/test" "$1/"
