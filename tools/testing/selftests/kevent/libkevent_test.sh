#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The library as it is installed, by programs that were built with what pkg-config says of
# it: the examples of its manual pages and of Documentation/kevent/guide.rst, which must
# print what is written there, and one that has no header.  tools/lib/kevent/tests builds them.
dir=${KEVENT_EXAMPLES:-/usr/libexec/kevent}
if [ ! -d "$dir" ]; then
	echo "1..0 # SKIP no programs of libkevent in $dir"
	exit 4
fi
printed=$(mktemp)
trap 'rm -f "$printed"' EXIT

nr=0 failed=0
# result NAME: of the program that has printed
result()
{
	nr=$((nr + 1))
	if [ "$2" -eq 0 ] && cmp -s "$printed" "$3"; then
		echo "ok $nr $1"
	else
		failed=$((failed + 1))
		echo "# exit status $2, and printed:"
		sed 's/^/#   /' "$printed"
		echo "not ok $nr $1"
	fi
}

# Who runs long has hung; the runner's own limit is for all of them.
run()
{
	timeout 300 "$dir/$1" >"$printed" 2>&1
	result "$1" $? "$2"
}

set -- "$dir"/*.expected
echo "1..$((2 * $# + 1))"
for expected in "$@"; do
	name=$(basename "$expected" .expected)
	run "$name" "$expected"
	run "$name-static" "$expected"
done
echo ready >"$printed.ready"
run dlopen_test "$printed.ready"
rm -f "$printed.ready"
[ $failed -eq 0 ]
