# shellcheck shell=bash
# program: the kernel's own test of epoll, filesystems/epoll/epoll_wakeup_test.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
modes=(epoll exact ring) but=()
# These three go by the clock, and take longer than all others.
if [[ ${SHORT:-} ]]; then modes=(epoll exact) but=(-T epoll59 -T epoll60 -T epoll61); fi
for mode in "${modes[@]}"; do
	with "$mode"
	forget_counts
	timeout 3600 "${with[@]}" $here/epoll_wakeup_test "${but[@]}" >/tmp/out 2>&1
	grep -E '^not ok' /tmp/out | awk '{ print $4 }' | sort >/tmp/bad."$mode"
	report wakeup "$mode" "$(grep -cE '^ok' /tmp/out) passed, failed: $(tr '\n' ' ' </tmp/bad."$mode")"
	grep -q '^# Totals' /tmp/out || fail "wakeup $mode: did not end"
	plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' /tmp/out)
	[[ $plan && $plan = $(grep -cE '^(not )?ok ' /tmp/out) ]] || fail "wakeup $mode: not all of ${plan:-no} tests ran"
	if [[ "$mode" != epoll ]]; then
		report_counts wakeup "$mode"
		made_sets wakeup "$mode"
	fi
done
# Not worse than epoll; some go by the clock, and have three tries more.
new=''
with exact
for test in $(comm -13 /tmp/bad.epoll /tmp/bad.exact); do
	for try in 1 2 3; do
		if timeout 900 "${with[@]}" $here/epoll_wakeup_test -t "${test#global.}" >/tmp/out 2>&1; then continue 2; fi
		report wakeup exact "$test: try $try failed"
	done
	new+=" $test"
done
[[ ! $new ]] || fail "wakeup: only on kevent: $new"
passed "wakeup exact, as on epoll"
((failures == 0))
