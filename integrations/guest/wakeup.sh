# The kernel's own test of epoll, filesystems/epoll/epoll_wakeup_test.
. /integrations/common.sh
for mode in epoll exact ring; do
	with $mode
	forget_counts
	timeout 600 "${with[@]}" $here/epoll_wakeup_test >/tmp/out 2>&1
	grep -E '^not ok' /tmp/out | sed "s/^/$mode: /"
	report wakeup $mode "$(grep -E '^# Totals' /tmp/out || echo did not end)"
	[[ $mode = epoll ]] || report_counts wakeup $mode
	if [[ $mode != ring ]] && ! grep -q '^# Totals.*fail:0' /tmp/out; then fail "wakeup $mode"; fi
done
((failures == 0))
