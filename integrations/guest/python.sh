# shellcheck shell=bash
# program: Python's own tests of what stands on epoll, each on epoll and then on kevent.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
tests=(test_epoll test_poll test_select test_selectors)
for file in /usr/lib/python3.11/test/test_asyncio/test_*.py; do
	file=${file##*/}
	# They have nothing to run but on that system.
	[[ $file != test_windows_* ]] || continue
	tests+=("test_asyncio.${file%.py}")
done
if [[ ${SHORT:-} ]]; then tests=(test_epoll test_select test_selectors); fi
# They ask for the number of http.
[[ -f /etc/services ]] || printf 'http\t80/tcp\nhttp\t80/udp\n' >/etc/services
# test_selectors uses as many descriptors as it may.
ulimit -n 4096
forget_counts
declare -A had all=([epoll]=0 [exact]=0)
# run MODE TEST TRIES: one that goes by the clock has some, as the machine is slow
run()
{
	local mode=$1 test=$2 try status ran
	with "$mode"
	for ((try = 1; try <= $3; try++)); do
		timeout 1200 "${with[@]}" python3.11 -m unittest "test.$test" >/tmp/out."$mode" 2>&1
		status=$?
		grep -E '^(FAIL|ERROR): ' /tmp/out."$mode" | sort -u >/tmp/bad."$mode"
		ran=$(awk '/^Ran / { n = $2 } END { print n + 0 }' /tmp/out."$mode")
		if ((ran == 0 || status == 124)); then
			echo "did not come to its end" >>/tmp/bad."$mode"
		elif ((status)) && [[ ! -s /tmp/bad."$mode" ]]; then
			echo "exit status $status" >>/tmp/bad."$mode"
		fi
		[[ -s /tmp/bad."$mode" ]] || break
		report python "$mode" "$test: try $try, exit status $status, $ran ran, failed: $(tr '\n' ' ' </tmp/bad."$mode")"
		[[ $mode = epoll || $(comm -13 /tmp/bad.epoll /tmp/bad.exact) ]] || break
	done
	had[$mode]=$ran
	all[$mode]=$((all[$mode] + ran))
}
for test in "${tests[@]}"; do
	run epoll "$test" 1
	run exact "$test" 3
	# Not worse than epoll.
	new=$(comm -13 /tmp/bad.epoll /tmp/bad.exact)
	[[ ! $new ]] || { fail "python: only on kevent: $test $new"; tail -n 30 /tmp/out.exact; }
	((had[epoll] > 0)) || fail "python: $test does not run on epoll"
	! grep -q _FailedTest /tmp/bad.epoll || fail "python: $test cannot be loaded"
	((had[exact] >= had[epoll])) || fail "python: $test: ${had[exact]} ran, on epoll ${had[epoll]}"
	passed "python $test"
done
report python epoll "${all[epoll]} tests ran"
report python exact "${all[exact]} tests ran"
report_counts python exact
made_sets python exact
((failures == 0))
