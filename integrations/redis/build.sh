#!/usr/bin/env bash
# build.sh DIR: redis from Debian's source with our patches in DIR/redis-epoll and
# DIR/redis-kevent, the same but for the back-end of its event loop, and its tests; and
# the module DIR/threads.so.
. "$(dirname "$0")/../../scripts/lib.sh"

dir=$1
patches=("$TOP"/integrations/redis/{kevent,io}.patch)
source=$("$TOP/integrations/source.sh" redis 7.0 "${patches[@]}")
# What was built of another version is not looked at.
work=$OUT/integrations/$(basename "$source")
programs=(redis-server redis-cli redis-benchmark redis-check-aof redis-check-rdb redis-sentinel)

build_epoll()
{
	rsync -a "$source" "$work/epoll/" &&
		make -C "$work/epoll/src" -j"$JOBS" CC="ccache gcc" MALLOC=libc "${programs[@]}" &&
		make -C "$work/epoll/tests/modules" -j"$JOBS" CC="ccache gcc" LD=gcc eventloop.so
}
# All but what knows of the event loop is as it was built; CC is no setting that its
# Makefile looks at.
build_kevent()
{
	rsync -a "$work/epoll/" "$work/kevent/" &&
		rm -f "$work"/kevent/src/{ae,config,connection,server}.o "${programs[@]/#/$work/kevent/src/}" &&
		make -C "$work/kevent/src" -j"$JOBS" MALLOC=libc "${programs[@]}" \
			CC="ccache gcc -DHAVE_KEVENT_RING -I$TOP/include/uapi -I$TOP/tools/lib/kevent"
}

build_module()
{
	gcc -std=gnu11 -O2 -Wall -Wextra -fno-common -fPIC -shared -pthread -I"$work/epoll/src" \
		-o "$work/threads.so" "$TOP/integrations/redis/threads.c"
}

command -v rsync >/dev/null || die "integrations: rsync is missing"
stamp="$source $(digest "$0" "${patches[@]}" "$TOP/integrations/redis/threads.c" "$TOP"/tools/lib/kevent/*.h "$TOP/include/uapi/linux/kevent.h")"
if [[ ! -f $work/stamp || $(<"$work/stamp") != "$stamp" ]]; then
	mkdir -p "$work/epoll" "$work/kevent"
	rm -f "$work/stamp"
	logged integrations-redis-epoll build_epoll
	logged integrations-redis-kevent build_kevent
	logged integrations-redis-module build_module
	printf '%s\n' "$stamp" >"$work/stamp"
fi
for api in epoll kevent; do
	mkdir -p "$dir/redis-$api/src" "$dir/redis-$api/tests/modules"
	cp -a "${programs[@]/#/$work/$api/src/}" "$dir/redis-$api/src/"
	cp -a "$work/$api"/{runtest,redis.conf,sentinel.conf} "$dir/redis-$api/"
	rsync -a --exclude='*.c' --exclude='*.xo' "$work/$api/tests" "$dir/redis-$api/"
done
cp -a "$work/threads.so" "$dir/"
