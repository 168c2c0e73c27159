# Python's own tests of what stands on epoll.
. /integrations/common.sh
# test_selectors uses as many as it may.
ulimit -n 4096
tests=(test_epoll test_poll test_select test_selectors test_asyncio)
for mode in epoll exact; do
	with $mode
	forget_counts
	for test in "${tests[@]}"; do
		timeout 3000 "${with[@]}" python3.11 -m test -v -u network "$test" >/tmp/out.$mode 2>&1
		status=$?
		grep -E '^(FAIL|ERROR): ' /tmp/out.$mode | sort -u >/tmp/bad.$mode.$test
		report python $mode "$test: exit status $status, $(grep -E '^Ran ' /tmp/out.$mode | tail -n 1), $(grep -cE '^(FAIL|ERROR): ' /tmp/out.$mode) failed: $(tr '\n' ' ' </tmp/bad.$mode.$test)"
		grep -q '^Ran ' /tmp/out.$mode || fail "python $mode: $test did not run"
	done
	[[ $mode = epoll ]] || report_counts python $mode
done
[[ $(counted sets) -gt 0 ]] || fail "python: no set was made"
# Not worse than epoll.
for test in "${tests[@]}"; do
	new=$(comm -13 /tmp/bad.epoll.$test /tmp/bad.exact.$test)
	[[ ! $new ]] || fail "python: only on kevent: $new"
done
((failures == 0))
