#!/bin/sh
# SPDX-License-Identifier: GPL-2.0 OR MIT
# check.sh OUT UAPI: tests the library in OUT, as far as they need no kernel with kevent;
# prints TAP.  What needs one is libkevent_test.sh of the selftests.
#   CC, PYTHON   other programs than cc and python3
cd "$(dirname "$0")" || exit 1
out=$(cd .. && cd "$1" && pwd) uapi=$(cd .. && cd "$2" && pwd)
CC=${CC:-cc}
for tool in mandoc pkg-config nm readelf "${PYTHON:-python3}"; do
	command -v "$tool" >/dev/null || { echo "Bail out! $tool is not installed"; exit 1; }
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export LD_LIBRARY_PATH="$out" LC_ALL=C
headers="../ukevent.h ../ukevent_prep.h ../ukevent_loop.h ../ukevent_data.h ../ukevent_text.h"

# same WHAT FILE FILE: two lists that must not differ
same()
{
	sort -u "$2" >"$tmp/a"
	sort -u "$3" >"$tmp/b"
	if ! diff "$tmp/a" "$tmp/b" >"$tmp/diff"; then
		echo "$1:"
		cat "$tmp/diff"
		return 1
	fi
}

# Functions of the headers: in line and public, or declared.
functions()
{
	# shellcheck disable=SC2086
	awk '
		/^UKEVENT_INLINE/ || /^(const char \*|int )ukevent_.*;$/ { open = 1 }
		open && match($0, /[a-z_0-9]+\(/) {
			print substr($0, RSTART, RLENGTH - 1)
			open = 0
		}' $headers
}

# A function that is documented is public, and a public one is a symbol of both libraries,
# in the map of versions, and in a manual page.
test_symbols()
{
	functions >"$tmp/functions"
	# shellcheck disable=SC2086
	sed -n 's/^ \* \(ukevent_[a-z_0-9]*\) - .*/\1/p' $headers | sort -u >"$tmp/documented"
	sort -u "$tmp/functions" | comm -13 - "$tmp/documented" >"$tmp/private"
	if [ -s "$tmp/private" ]; then
		echo "documented, but not UKEVENT_INLINE: $(cat "$tmp/private")"
		return 1
	fi
	nm -D --defined-only "$out/libkevent.so.1" | awk '$2 == "T" { print $3 }' >"$tmp/versions"
	sed 's/@.*//' "$tmp/versions" >"$tmp/shared"
	nm -g --defined-only "$out/libkevent.a" | awk '$2 == "T" { print $3 }' >"$tmp/static"
	sed -n 's/^\t\t\([a-z_0-9]*\);$/\1/p' ../libkevent.map >"$tmp/map"
	! grep -v '@@LIBKEVENT_[0-9.]*$' "$tmp/versions" &&
	same "headers and libkevent.so" "$tmp/functions" "$tmp/shared" &&
	same "headers and libkevent.a" "$tmp/functions" "$tmp/static" &&
	same "headers and libkevent.map" "$tmp/functions" "$tmp/map"
}

test_pages_name_functions()
{
	functions >"$tmp/functions"
	sed -n '/^\.Sh NAME/,/^\.Nd/s/^\.Nm \([a-z_0-9]*\).*/\1/p' ../man/*.3 |
		grep -E '^(sys_kevent|ukevent)_' | grep -v '^ukevent_text$' >"$tmp/named"
	same "headers and manual pages" "$tmp/functions" "$tmp/named"
}

# Pages of the system need not be there.
test_pages_lint()
{
	mandoc -T lint -W style ../man/*.[237] >"$tmp/stdout" 2>"$tmp/stderr"
	grep -hvE 'outdated mandoc.db lacks|referenced manual not found' "$tmp/stdout" "$tmp/stderr"
	[ $? -eq 1 ]
}

# Pages that are referred to and have our names are there.
test_pages_refer()
{
	sed -n 's/^\.Xr \(l*i*b*u*kevent[a-z_]*\) \([237]\).*/\1.\2/p' ../man/*.[237] | sort -u >"$tmp/refer"
	[ -s "$tmp/refer" ] || return 1
	sh ../man/install.sh "$tmp/man" ../man/*.[237] || return 1
	while read -r page; do
		[ -e "$tmp/man/man${page##*.}/$page" ] || { echo "$page is missing"; return 1; }
	done <"$tmp/refer"
}

test_names()
{
	awk -f names.awk "$uapi/linux/kevent.h" >"$tmp/names.h" &&
	$CC -std=c99 -pedantic -Wall -Wextra -Werror -I"$out/include" -I.. -I"$tmp" \
		-o "$tmp/text_test" text_test.c -L"$out" -lkevent &&
	"$tmp/text_test"
}

# The nth list of a page's ERRORS, as "WHERE NAME".
page_errors()
{
	awk -v where="$1" -v nth="$3" '
		/^\.Sh / { errors = /ERRORS/; nr = 0 }
		errors && /^\.Bl/ { nr++ }
		errors && nr == nth && /^\.It Er/ { print where, $3 }' "../man/$2"
}

# An error that has a text is in the page of the call, and the other way round.
test_errors()
{
	echo '#include <errno.h>' | $CC -E -dM - | awk '$2 ~ /^E/ && $3 ~ /^[0-9]+$/ { print $3, $2 }' >"$tmp/errno"
	"$tmp/text_test" errors >"$tmp/numbers" || return 1
	awk 'NR == FNR { name[$1] = $2; next } { print $1, name[$2] }' "$tmp/errno" "$tmp/numbers" >"$tmp/texts"
	{
		page_errors create kevent_create.2 1
		page_errors mmap kevent_create.2 2
		page_errors ctl kevent_ctl.2 1
		page_errors change kevent_ctl.2 2
		page_errors wait kevent_wait.2 1
		page_errors send kevent_send.2 1
		page_errors of_send kevent_send.2 2
		# The library's own.
		echo wait ECHILD
	} >"$tmp/pages"
	same "texts and manual pages" "$tmp/texts" "$tmp/pages" || return 1
	page_errors wait kevent_get_events.2 1 >"$tmp/get_events"
	page_errors wait kevent_wait.2 1 >"$tmp/wait"
	same "kevent_get_events(2) and kevent_wait(2)" "$tmp/get_events" "$tmp/wait"
}

# From what make dist packs, without a kernel tree, into an empty folder.
test_install()
{
	{
		make -C .. OUT="$tmp/dist" UAPI="$uapi" dist &&
		tar -C "$tmp" -xf "$tmp"/dist/libkevent-*.tar.gz &&
		make -C "$tmp"/libkevent-* PREFIX=/usr DESTDIR="$tmp/dest" install
	} >"$tmp/log" 2>&1 || { cat "$tmp/log"; return 1; }
	(cd "$tmp/dest/usr" && find . -path ./share/man -prune -o ! -type d -print) >"$tmp/installed"
	cat >"$tmp/expected" <<-'END'
		./include/kevent/linux/kevent.h
		./include/kevent/ukevent.h
		./include/kevent/ukevent_data.h
		./include/kevent/ukevent_loop.h
		./include/kevent/ukevent_prep.h
		./include/kevent/ukevent_text.h
		./lib/libkevent.a
		./lib/libkevent.so
		./lib/libkevent.so.1
		./lib/libkevent.so.1.0
		./lib/pkgconfig/libkevent.pc
	END
	same "expected and installed" "$tmp/expected" "$tmp/installed" || return 1
	readelf -d "$tmp/dest/usr/lib/libkevent.so" | grep 'SONAME.*\[libkevent.so.1\]' >/dev/null || return 1
	for page in man2/kevent_send.2 man3/ukevent_turn.3 man3/ukevent_next.3 man7/kevent.7; do
		[ -s "$tmp/dest/usr/share/man/$page" ] || { echo "no $page"; return 1; }
	done
}

test_examples_compile() { CC=$CC sh examples.sh "$tmp/dest" "$tmp/examples"; }

# With the kernel's header that the system has, under any name.
test_headers_together()
{
	mkdir -p "$tmp/system"
	sed 's/_UAPI_/_/' "$uapi/linux/kevent.h" >"$tmp/system/kevent_of_system.h"
	printf '#include <kevent_of_system.h>\n#include <ukevent_data.h>\n' >"$tmp/t.c"
	$CC -Werror -fsyntax-only -I"$tmp/system" -I"$tmp/dest/usr/include/kevent" "$tmp/t.c"
}

# C++ programs link what is not in line.
test_cxx()
{
	cat >"$tmp/t.cc" <<-'END'
		#include <ukevent_data.h>
		#include <ukevent_text.h>
		int main()
		{
			return *ukevent_type_name(KEVENT_TYPE_POLL) == 'P' ? 0 : 1;
		}
	END
	for std in c++98 c++11 c++14 c++17 c++20; do
		$CC -x c++ -std=$std -pedantic-errors -Wall -Wextra -Werror -isystem "$out/include" \
			-I.. -o "$tmp/cxx" "$tmp/t.cc" -L"$out" -lkevent && "$tmp/cxx" || return 1
	done
}

# The example of libkevent(3) does the same by epoll where there is no kevent.
test_fallback()
{
	for program in libkevent.3 libkevent.3-static; do
		timeout 60 "$tmp/examples/$program" >"$tmp/printed" &&
			cmp "$tmp/printed" "$tmp/examples/libkevent.3.expected" || return 1
	done
}

# Also for the next: is there a kevent here?
test_dlopen()
{
	$CC -Wall -Wextra -Werror -o "$tmp/dlopen_test" dlopen_test.c || return 1
	"$tmp/dlopen_test" >"$tmp/here" || return 1
	grep -qxE 'ready|-ENOSYS' "$tmp/here"
}

test_python()
{
	timeout 60 "${PYTHON:-python3}" ../../../../samples/kevent/timer.py >"$tmp/printed" 2>&1
	case "$?$(cat "$tmp/here")$(cat "$tmp/printed")" in
	"0readytimer 42 expired three times") ;;
	"1-ENOSYSthis kernel has no kevent") ;;
	*)	cat "$tmp/printed"; return 1 ;;
	esac
}

nr=0 failed=0
for test in symbols pages_name_functions pages_lint pages_refer names errors install \
	examples_compile headers_together cxx fallback dlopen python; do
	nr=$((nr + 1))
	if "test_$test" >"$tmp/says" 2>&1; then
		echo "ok $nr $test"
	else
		failed=$((failed + 1))
		echo "not ok $nr $test"
		sed 's/^/# /' "$tmp/says"
	fi
done
echo "1..$nr"
[ $failed -eq 0 ]
