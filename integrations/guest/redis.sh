# shellcheck shell=bash
# program: redis, by its own benchmark and by the closed loop.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
for mode in off exact ring; do
	with "$mode"
	forget_counts
	"${with[@]}" redis-server --port 6399 --bind 127.0.0.1 --save '' --appendonly no --daemonize no --dir /tmp >/tmp/redis.log 2>&1 &
	pid=$!
	until_answers 6399 || break
	[[ $(redis-cli -p 6399 ping) = PONG ]] || fail "redis $mode: ping"
	timeout 300 redis-benchmark -p 6399 -c 32 -n "${REDIS_REQUESTS:-5000}" -q -t ping,set,get,lpush,lrange_100 >/tmp/out 2>&1 ||
		fail "redis $mode: redis-benchmark"
	kinds=$(tr '\r' '\n' </tmp/out | grep -c 'requests per second, p50')
	report redis "$mode" "$kinds kinds of redis-benchmark"
	((kinds >= 5)) || fail "redis $mode: redis-benchmark told of $kinds kinds"
	load=$($here/load -p 6399 -c 32 -n "${REQUESTS:-30000}" redis) || fail "redis $mode: load"
	report redis "$mode" "$load"
	redis-cli -p 6399 shutdown nosave
	ended $pid
	report_counts redis "$mode"
	made_sets redis "$mode"
	[[ $mode = ring ]] || most redis "$mode" 1.01
	passed "redis $mode"
done
((failures == 0))
