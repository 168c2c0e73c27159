# memcached as Debian builds it, under 32 connections.
. /integrations/common.sh
for mode in off exact ring spin; do
	with $mode
	forget_counts
	"${with[@]}" memcached -u root -l 127.0.0.1 -p 11211 -t "${THREADS:-1}" -c 1024 &
	pid=$!
	until_answers 11211 || break
	python3.11 $here/memcached_protocol.py 11211 || fail "memcached $mode: protocol"
	kill -INT $pid
	ended $pid
	report_counts memcached-protocol $mode

	forget_counts
	"${with[@]}" memcached -u root -l 127.0.0.1 -p 11211 -t "${THREADS:-1}" -c 1024 &
	pid=$!
	until_answers 11211 || break
	load=$($here/load -p 11211 -c 32 -n "${REQUESTS:-20000}" memcached) || fail "memcached $mode: load"
	kill -INT $pid
	ended $pid
	report memcached $mode "$load"
	report_counts memcached $mode
	[[ $mode = off || $(counted sets) -gt 0 ]] || fail "memcached $mode: no set was made"
done
((failures == 0))
