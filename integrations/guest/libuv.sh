# shellcheck shell=bash
# program: libuv's own suite: each test in a process of its own, which it runs itself, though not
# as root.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
mkdir -p /tmp/libuv
cp -r $here/uv_run_tests_a $here/test /tmp/libuv/
chown -R nobody:nogroup /tmp/libuv
chmod 1777 /tmp
cd /tmp/libuv || exit 1
# Its limits are for a machine that is not emulated.
export UV_TEST_TIMEOUT_MULTIPLIER=${UV_TEST_TIMEOUT_MULTIPLIER:-6}
ulimit -n 4096
for mode in epoll exact; do
	with "$mode"
	forget_counts
	touch /tmp/stats
	chmod 666 /tmp/stats
	timeout 2400 chroot --userspec=nobody:nogroup / /usr/bin/env -C /tmp/libuv "${with[@]}" ./uv_run_tests_a >/tmp/out."$mode" 2>&1
	grep -E '^not ok' /tmp/out."$mode" | sed 's/^not ok [0-9]* - //' | sort >/tmp/bad."$mode"
	report libuv "$mode" "$(grep -cE '^ok' /tmp/out.$mode) of $(grep -oE '^1\.\.[0-9]+' /tmp/out.$mode) ok, of which $(grep -cE '^ok.*# SKIP' /tmp/out.$mode) skipped; failed: $(tr '\n' ' ' </tmp/bad."$mode")"
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' /tmp/out."$mode")
	told=$(grep -cE '^(not )?ok ' /tmp/out."$mode")
	[[ $plan && $plan = "$told" ]] || fail "libuv $mode told of $told of ${plan:-no} tests: $(tail -n 3 /tmp/out.$mode)"
	# Most of them pass, or something else is wrong.
	(($(grep -c '^ok' /tmp/out."$mode") * 100 >= told * 95)) || fail "libuv $mode: hardly anything passes"
	if [[ "$mode" != epoll ]]; then
		report_counts libuv "$mode"
		made_sets libuv "$mode"
	fi
done
# Not worse than epoll; those that go by the clock have three tries more.
new=''
with exact
status=0
for test in $(comm -13 /tmp/bad.epoll /tmp/bad.exact); do
	for try in 1 2 3; do
		timeout 600 chroot --userspec=nobody:nogroup / /usr/bin/env -C /tmp/libuv "${with[@]}" ./uv_run_tests_a "$test" >/tmp/out 2>&1
		status=$?
		report libuv exact "$test: try $try, exit status $status"
		[[ $status != 0 ]] || break
	done
	[[ $status = 0 ]] || new+=" $test"
done
for test in $new; do
	grep -A12 -E "^not ok [0-9]* - $test" /tmp/out.exact | head -n 13
done
[[ ! $new ]] || fail "libuv: only on kevent: ${new//$'\n'/ }"
passed "libuv exact, as on epoll"
((failures == 0))
