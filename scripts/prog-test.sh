#!/usr/bin/env bash
# make run PROG=, make shell SHARE= and the bench on the running kernel, as their users
# have them, with the plain kernel.  Writes "passed failed skipped" to
# build/logs/prog/counts.
. "$(dirname "$0")/lib.sh"

logs=$LOGS/prog
mkdir -p "$logs"
rm -rf "${logs:?}"/*
tmp=$(mktemp -d)
guest=''
trap 'if [[ $guest ]]; then kill "$guest" 2>/dev/null || true; fi; rm -rf "$tmp"' EXIT
passed=0 failed=0

# check NAME LOG PATTERN...: LOG has a line for each; the guest ends them with CR.  grep
# reads all of it, as tr fails where nobody does.
check()
{
	local name=$1 log=$2 pattern
	shift 2
	for pattern; do
		if ! tr -d '\r' <"$log" 2>/dev/null | grep -E -- "$pattern" >/dev/null; then
			failed=$((failed + 1))
			printf 'FAILED TEST (prog): %s: no /%s/\n    log: %s\n' "$name" "$pattern" "$(short "$log")"
			return
		fi
	done
	passed=$((passed + 1))
}

# us TARGET VARIABLE=VALUE...: make, without a terminal, its output in $log
us()
{
	local status=0
	timeout "${TIMEOUT:-3600}" make --no-print-directory -C "$TOP" "$@" PORT="$port" </dev/null >"$log" 2>&1 || status=$?
	printf 'make: %d\n' $status >>"$log"
}
port=$(free_port)

step "prog: a program outside of the tree, by the library that is installed"
install_library() { make -C "$TOP/tools/lib/kevent" OUT="$OUT/libkevent" PREFIX=/usr DESTDIR="$tmp/dest" install; }
build_program()
{
	cd "$tmp"
	export PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 PKG_CONFIG_SYSROOT_DIR=$tmp/dest PKG_CONFIG_LIBDIR=$tmp/dest/usr/lib/pkgconfig
	# Its flags are words.
	# shellcheck disable=SC2046
	gcc -Wall -Wextra -Werror -pthread -o "$tmp/prog" prog-test.c $(pkg-config --cflags --libs libkevent)
	mkdir private
	echo 'int private(void) { return 5; }' | gcc -x c -shared -fPIC -Wl,-soname,libprivate.so.1 -o private/libprivate.so.1 -
	echo 'int private(void); int main(void) { return private(); }' | gcc -x c -o needs - -x none private/libprivate.so.1
}
cp "$TOP/scripts/prog-test.c" "$tmp/"
logged prog/install install_library
logged prog/build build_program
mkdir "$tmp/share"

step "prog: booting, logs in $(short "$logs")/"
echo "from the host, $$" >"$tmp/share/in"
log=$logs/prog.log
us run PROG="$tmp/prog" ARGS="7 'two words'" SHARE="$tmp/share"
check "make run PROG=" "$log" '^USER 7 told 42$' '^argument 1: 7$' '^argument 2: two words$' \
	'^line 500$' \
	'prog ended with status 7$' '^make: [^0]'
check "make run SHARE=" "$tmp/share/out" "^from the host, $$\$"

log=$logs/private.log
LD_LIBRARY_PATH=$tmp/private us run PROG="$tmp/needs"
check "a library from LD_LIBRARY_PATH" "$log" 'needs ended with status 5$'

log=$logs/native.log
BENCH_OUT=$tmp "$TOP/bench/native.sh" build
cp "$tmp/native/workloads" "$tmp/share/"
sed 's/#.*//' >"$tmp/share/cases" <<'END'
eventfd	10	1	10	3	floor epoll-et kevent-edge uring-defer
echo	2	2	10	3	epoll-et kevent-edge
no-such-one	1	1	1	1	epoll
END
us run PROG="$TOP/bench/native/cases.sh" ARGS="/share/workloads /share/cases" SHARE="$tmp/share"
tr -d '\r' <"$log" >"$logs/native.txt"
python3 "$TOP/bench/native/table.py" "$logs/native.txt" >"$logs/native.table" 2>&1 || true
# cases.sh fails as one of them does; the emulated machine has no counters.
check "the bench on the running kernel" "$logs/native.table" '^Linux ' \
	'^eventfd +10 +1 +floor +[1-9]' '^eventfd +10 +1 +kevent-edge +[1-9].* [0-9]+\.[0-9]+ ' \
	'^eventfd +10 +1 +uring-defer +[1-9]' '^echo +2 +2 +kevent-edge +[1-9]' \
	'this machine does not count them$' '^FAILED: NATIVE-FAILED no-such-one epoll'
check "a case that fails" "$log" 'cases.sh ended with status 1$'

# Commands are typed when the shell is there.
log=$logs/shell.log
mkfifo "$tmp/keys"
exec {keys}<>"$tmp/keys"
make --no-print-directory -C "$TOP" shell SHARE="$tmp/share" PORT="$port" <"$tmp/keys" >"$log" 2>&1 &
guest=$!
until grep -q 'kevent# ' "$log"; do
	kill -0 $guest 2>/dev/null || break
	! silent "$log" "$((10 * ${BOOT_TIMEOUT:-120}))" || break
	sleep 0.2
done
echo 'rev </share/in >/share/reversed; poweroff' >"$tmp/keys"
for ((i = 0; i < 3000; i++)); do if kill -0 $guest 2>/dev/null; then sleep 0.2; fi; done
check "make shell SHARE=" "$tmp/share/reversed" "^$(rev <"$tmp/share/in")\$"

# What cannot be is said before anything is booted.
log=$logs/refused.log
us run PROG="$tmp/none"
check "PROG= that is none" "$log" '^error: .*/none is no program$' '^make: [^0]'
us run PROG="$tmp/needs"
check "a library that is missing" "$log" '^error: .*/needs needs libprivate.so.1, which is not found' '^make: [^0]'
us shell PROG="$tmp/prog"
check "make shell PROG=" "$log" '^error: PROG= is for make run' '^make: [^0]'
us shell SHARE="$tmp/none"
check "SHARE= that is none" "$log" '^error: SHARE=.*/none is no directory$' '^make: [^0]'
us shell VARIANT=none
check "VARIANT= that is none" "$log" '^error: no such variant: none' '^make: [^0]'

printf '%d %d 0\n' $passed $failed >"$logs/counts"
step "prog: $passed passed, $failed failed"
((failed == 0))
