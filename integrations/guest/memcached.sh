# shellcheck shell=bash
# program: memcached as Debian builds it, under 32 connections.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
requests=20000
if [[ ${SHORT:-} ]]; then requests=4000; fi
modes=(off exact ring nospin)
if [[ ${SHORT:-} ]]; then modes=(off exact ring); fi
for mode in "${modes[@]}"; do
	with "$mode"
	forget_counts
	"${with[@]}" memcached -u root -l 127.0.0.1 -p 11211 -t "${THREADS:-1}" -c 1024 &
	pid=$!
	until_answers 11211 || break
	python3.11 $here/memcached_protocol.py 11211 || fail "memcached $mode: protocol"
	kill -INT $pid
	ended $pid
	report_counts memcached-protocol "$mode"

	forget_counts
	"${with[@]}" memcached -u root -l 127.0.0.1 -p 11211 -t "${THREADS:-1}" -c 1024 &
	pid=$!
	until_answers 11211 || break
	load=$($here/load -p 11211 -c 32 -n "${REQUESTS:-$requests}" memcached) || fail "memcached $mode: load"
	kill -INT $pid
	ended $pid
	report memcached "$mode" "$load"
	report_counts memcached "$mode"
	made_sets memcached "$mode"
	# Of a few hundred calls those that ask, and then sleep, may be one in twenty, by who
	# runs when: that is for a long load to judge.
	[[ ${SHORT:-} ]] || case $mode in off | exact) most memcached "$mode" 1.01 ;; esac
	passed "memcached $mode"
done
((failures == 0))
