# libuv's own suite: each test in a process of its own, which it runs itself.
. /integrations/common.sh
cd $here || exit 1
# Its limits are for a machine that is not emulated.
export UV_TEST_TIMEOUT_MULTIPLIER=6
for mode in epoll exact; do
	with $mode
	forget_counts
	timeout 2400 "${with[@]}" ./uv_run_tests_a >/tmp/out.$mode 2>&1
	grep -E '^not ok' /tmp/out.$mode | sed 's/^not ok [0-9]* - //' | sort >/tmp/bad.$mode
	report libuv $mode "$(grep -cE '^ok' /tmp/out.$mode) of $(grep -E '^1\.\.' /tmp/out.$mode) ok, of which $(grep -cE '^ok.*# SKIP' /tmp/out.$mode) skipped; failed: $(tr '\n' ' ' </tmp/bad.$mode)"
	[[ $mode = epoll ]] || report_counts libuv $mode
done
# Not worse than epoll.
new=$(comm -13 /tmp/bad.epoll /tmp/bad.exact)
for test in $new; do
	grep -A12 -E "^not ok [0-9]* - $test" /tmp/out.exact | head -n 13
done
[[ ! $new ]] || fail "libuv: only on kevent: $(echo $new)"
grep -q '^ok' /tmp/out.exact || fail "libuv ran no test"
((failures == 0))
