# shellcheck shell=bash
# program: libuv with src/unix/kevent.c, its suite and programs of each kind, on epoll and
# then on kevent.
. /integrations/common.sh
uv=$here/libuv

# use MODE: what to put before a command
use()
{
	case $1 in
	epoll) with=(env UV_USE_KEVENT=0) ;;
	kevent) with=(env) ;;
	esac
}

for program in ${UV_PROGRAMS-tcp pipes fs-events signals children nested}; do
	for mode in epoll kevent; do
		use $mode
		mkdir -p /tmp/uv-programs
		(cd /tmp/uv-programs && timeout 300 "${with[@]}" $uv/$program $mode) >/tmp/out 2>&1
		status=$?
		report libuv-$program $mode "$(tail -n 1 /tmp/out)"
		[[ $status = 0 ]] || { fail "libuv: $program on $mode: exit status $status"; cat /tmp/out; }
		rm -rf /tmp/uv-programs
	done
done

[[ ${UV_SUITE-yes} ]] || exit $((failures != 0))

# The suite runs each test in a process of its own, though not as root.
mkdir -p /tmp/libuv
cp -r $uv/uv_run_tests_a $uv/test /tmp/libuv/
chown -R nobody:nogroup /tmp/libuv
chmod 1777 /tmp
# Its limits are for a machine that is not emulated.
export UV_TEST_TIMEOUT_MULTIPLIER=${UV_TEST_TIMEOUT_MULTIPLIER:-6}
ulimit -n 4096
tests() { timeout "$1" chroot --userspec=nobody:nogroup / /usr/bin/env -C /tmp/libuv "${with[@]}" ./uv_run_tests_a "${@:2}"; }
for mode in epoll kevent; do
	use $mode
	tests 2400 >/tmp/out.$mode 2>&1
	grep -E '^not ok' /tmp/out.$mode | sed 's/^not ok [0-9]* - //' | sort >/tmp/bad.$mode
	total=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' /tmp/out.$mode)
	ok=$(grep -cE '^ok' /tmp/out.$mode)
	report libuv-suite $mode "$ok of $total ok, of which $(grep -cE '^ok.*# SKIP' /tmp/out.$mode) skipped; failed: $(tr '\n' ' ' </tmp/bad.$mode)"
	[[ $((ok + $(wc -l </tmp/bad.$mode))) = "$total" ]] || fail "libuv: the suite on $mode did not end: $(tail -n 3 /tmp/out.$mode)"
done
# Not worse than epoll; those that go by the clock have three tries more.
new=''
use kevent
for test in $(comm -13 /tmp/bad.epoll /tmp/bad.kevent); do
	for try in 1 2 3; do
		tests 600 "$test" >/tmp/out 2>&1
		status=$?
		report libuv-suite kevent "$test: try $try, exit status $status"
		[[ $status != 0 ]] || break
	done
	[[ $status = 0 ]] || { new+=" $test"; tail -n 13 /tmp/out; }
done
[[ ! $new ]] || fail "libuv: only on kevent:$new"
((failures == 0))
