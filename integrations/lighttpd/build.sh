#!/usr/bin/env bash
# build.sh DIR: lighttpd from Debian's source with our patch, in DIR/lighttpd: one program
# with both back-ends, server.event-handler says which.
. "$(dirname "$0")/../../scripts/lib.sh"

dir=$1
source=$("$TOP/integrations/source.sh" lighttpd 1.4 "$TOP/integrations/lighttpd/kevent.patch")
# What was built of another version is not looked at.
work=$OUT/integrations/$(basename "$source")

build()
{
	rsync -a "$source" "$work/source/" && cd "$work/source" &&
		./configure CC="ccache gcc" CPPFLAGS="-DHAVE_KEVENT_RING -I$TOP/include/uapi -I$TOP/tools/lib/kevent" \
			--prefix=/integrations/lighttpd --disable-dependency-tracking --without-pcre2 --without-zlib \
			--without-brotli --without-bzip2 --without-libunwind &&
		make -j"$JOBS" && rm -rf "$work/install" && make install DESTDIR="$work/install"
}

command -v rsync >/dev/null || die "integrations: rsync is missing"
stamp="$source $(digest "$0" "$TOP/integrations/lighttpd/kevent.patch" "$TOP"/tools/lib/kevent/*.h "$TOP/include/uapi/linux/kevent.h")"
if [[ ! -f $work/stamp || $(<"$work/stamp") != "$stamp" ]]; then
	mkdir -p "$work/source"
	rm -f "$work/stamp"
	logged integrations-lighttpd build
	printf '%s\n' "$stamp" >"$work/stamp"
fi
rsync -a --delete --exclude='*.la' "$work/install/integrations/lighttpd" "$dir/"
