# The kernel's own test of epoll, filesystems/epoll/epoll_wakeup_test.
. /integrations/common.sh
for mode in epoll exact ring; do
	with $mode
	forget_counts
	timeout 900 "${with[@]}" $here/epoll_wakeup_test >/tmp/out 2>&1
	grep -E '^not ok' /tmp/out | awk '{ print $4 }' | sort >/tmp/bad.$mode
	report wakeup $mode "$(grep -cE '^ok' /tmp/out) passed, failed: $(tr '\n' ' ' </tmp/bad.$mode)"
	grep -q '^# Totals' /tmp/out || fail "wakeup $mode: did not end"
	[[ $mode = epoll ]] || report_counts wakeup $mode
done
# Some go by the clock, and fail where the machine is slow.
new=$(comm -13 /tmp/bad.epoll /tmp/bad.exact)
[[ ! $new ]] || fail "wakeup: only on kevent: $(echo $new)"
((failures == 0))
