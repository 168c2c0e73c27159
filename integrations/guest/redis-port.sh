# shellcheck shell=bash disable=SC2154
# program: redis with src/ae_kevent.c, beside the same redis with src/ae_epoll.c; in its
# mode in which the kernel receives and sends as well, too (kevent-io).
# Its own tests, its own benchmark as the server and as the client, a load, and what
# happens to a connection that a child goes on to hold; a module's thread that changes what
# is watched while the server waits.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
read -ra tests <<<"${REDIS_TESTS:-unit/protocol unit/keyspace unit/info unit/auth unit/quit unit/multi unit/type/list unit/pubsub unit/limits unit/querybuf unit/networking unit/introspection unit/wait unit/obuf-limits unit/moduleapi/eventloop integration/block-repl integration/replication-3 integration/redis-benchmark}"
port=6399
read -ra modes <<<"${REDIS_MODES:-epoll kevent kevent-io}"

# mode API: sets $redis, where it is, and how its server and its tests are told
mode()
{
	redis=$here/redis-${1%-io} options=() test_options=()
	[[ $1 != *-io ]] || options=(--kevent-io yes) test_options=(--config kevent-io yes)
}

# server API ARGUMENT...: leaves its pid in $pid
server()
{
	local api=$1 redis options test_options
	shift
	mode "$api"
	"$redis/src/redis-server" "${options[@]}" --port $port --bind 127.0.0.1 --save '' --appendonly no \
		--daemonize no --dir /tmp --enable-debug-command yes "$@" >"/tmp/redis-$api.log" 2>&1 &
	pid=$!
	until_answers $port || { cat "/tmp/redis-$api.log"; return 1; }
}
cli() { "$here/redis-epoll/src/redis-cli" -p $port "$@"; }
stop() { cli shutdown nosave >/dev/null 2>&1; ended $pid; }

# uses API: that is what the server waits by
uses()
{
	local says fds kind=eventpoll
	says=$(cli info server | tr -d '\r' | sed -n 's/^multiplexing_api://p')
	[[ $says = "$1" ]] || fail "redis-port $1: it says that it uses $says"
	fds=$(ls -l "/proc/$pid/fd")
	[[ $1 != kevent* ]] || kind=kevent
	[[ $fds = *"[$kind]"* ]] || fail "redis-port $1: no $kind among its descriptors"
	[[ $1 = epoll || $fds != *'[eventpoll]'* ]] || fail "redis-port $1: it has an epoll set as well"
}

# The child that saves holds every connection; the server closes one meanwhile.
child_holds()
{
	local before after
	cli debug populate 20000 >/dev/null
	exec 4<>/dev/tcp/127.0.0.1/$port
	printf 'client setname held\r\n' >&4
	cli config set rdb-key-save-delay 100 >/dev/null
	cli bgsave >/dev/null
	cli client kill type normal skipme yes >/dev/null
	exec 4<&-
	cli ping >/dev/null
	before=$(awk '{ print $14 + $15 }' /proc/$pid/stat)
	sleep 1
	after=$(awk '{ print $14 + $15 }' /proc/$pid/stat)
	[[ $(cli info persistence | tr -d '\r' | sed -n 's/^rdb_bgsave_in_progress://p') = 1 ]] ||
		fail "redis-port $1: the child ended too early"
	# Ticks of a second in which it has nothing to do.
	((after - before < 50)) || fail "redis-port $1: busy while a child holds a closed connection: $((after - before)) ticks"
	cli config set rdb-key-save-delay 0 >/dev/null
}

for api in "${modes[@]}"; do
	server $api || { fail "redis-port $api: no server"; continue; }
	uses $api
	# Both ends: the benchmark has the same event loop.
	for client in epoll kevent; do
		timeout 300 $here/redis-$client/src/redis-benchmark -p $port -c 32 -n "${REDIS_REQUESTS:-3000}" -q -t ping,set,get,lpush,lrange_100 \
			>/tmp/out 2>&1 || fail "redis-port $api: redis-benchmark on $client"
		kinds=$(tr '\r' '\n' </tmp/out | grep -c 'requests per second, p50')
		report redis-port $api "$kinds kinds of redis-benchmark on $client"
		((kinds == 7)) || fail "redis-port $api: redis-benchmark on $client did not do all"
		timeout 300 $here/redis-$client/src/redis-benchmark -p $port -c 32 -n 2000 -q -k 0 -t get >/tmp/out 2>&1 ||
			fail "redis-port $api: redis-benchmark without keep-alive on $client"
	done
	report redis-port $api "$($here/load -p $port -c 32 -n "${REQUESTS:-20000}" redis)" || fail "redis-port $api: load"
	if checks=$(python3.11 $here/redis_check.py $port 2>&1); then report redis-port $api "$checks"; else fail "redis-port $api: $checks"; fi
	child_holds $api
	stop
	passed "redis-port $api"
done

# A thread that has the lock of redis while the server waits, and clients that keep it
# from waiting for long: kept, and each for one request.
threads()
{
	local api=$1 checks loads i
	server $api --loadmodule $here/threads.so || { fail "redis-port $api: no server with a module"; return; }
	uses $api
	$here/load -p $port -c 32 -n "${REQUESTS:-20000}" redis >/tmp/load.0 2>&1 &
	loads=($!)
	$here/load -1 -p $port -c 32 -n 2000 redis >/tmp/load.1 2>&1 &
	loads+=($!)
	if checks=$(python3.11 $here/redis_check.py $port threads 2>&1); then
		report redis-port $api "$checks of threads"
	else
		fail "redis-port $api: threads: $checks"
		tail -n 60 /tmp/redis-$api.log
	fi
	for i in "${!loads[@]}"; do
		wait "${loads[i]}" || fail "redis-port $api: load beside threads: $(</tmp/load.$i)"
	done
	stop
	passed "redis-port $api with threads"
}
for api in "${modes[@]}"; do threads $api; done

# I/O threads read and write by themselves: then it has no effect, and says so.
if [[ ${modes[*]} = *-io* ]] && server kevent-io --io-threads 4 --io-threads-do-reads yes; then
	uses kevent
	grep -q 'kevent-io has no effect' /tmp/redis-kevent-io.log || fail "redis-port kevent-io: no word of threads"
	$here/load -p $port -c 32 -n 2000 redis >/tmp/out 2>&1 || fail "redis-port kevent-io: load with I/O threads: $(</tmp/out)"
	stop
	passed "redis-port kevent-io with I/O threads"
fi

# A kernel without it: redis says so and ends.
echo 2 >/proc/sys/kernel/kevent_disabled
if timeout 20 $here/redis-kevent/src/redis-server --port $port --save '' >/tmp/out 2>&1; then
	fail "redis-port kevent: a server without kevent"
fi
grep -q 'Failed creating the event loop' /tmp/out || fail "redis-port kevent: no message: $(tail -n 3 /tmp/out)"
echo 0 >/proc/sys/kernel/kevent_disabled
passed "redis-port without kevent"

declare -A counts ended_with
: >/tmp/bad.epoll
for api in "${modes[@]}"; do
	[[ ${tests[*]} ]] || continue
	mode $api
	cd $redis || exit 1
	ulimit -n 10240
	args=("${test_options[@]}")
	for test in "${tests[@]}"; do args+=(--single "$test"); done
	timeout "${REDIS_TIMEOUT:-2400}" tclsh8.6 tests/test_helper.tcl --clients 1 --timeout 900 "${args[@]}" >/tmp/suite.$api 2>&1
	status=$?
	sed 's/\x1b\[[0-9;]*m//g' /tmp/suite.$api | grep -aE '^\[(err|exception|TIMEOUT)\]' | sed 's/ in tests.*//; s/ (.*//' | sort -u >/tmp/bad.$api
	ok=$(sed 's/\x1b\[[0-9;]*m//g' /tmp/suite.$api | grep -acE '^\[ok\]')
	report redis-suite $api "$ok ok, $(wc -l </tmp/bad.$api) errors, exit status $status"
	((ok > 0)) || fail "redis-suite $api ran no test"
	((status == 0)) || tail -n 20 /tmp/suite.$api
	counts[$api]=$ok ended_with[$api]=$status
	[[ $api != epoll ]] || continue
	[[ ${counts[epoll]:-} ]] || { fail "redis-suite $api: without epoll (REDIS_MODES) there is nothing to judge it by"; continue; }
	((status == 0 || ended_with[epoll] != 0)) || fail "redis-suite: only on $api it ends with status $status"
	new=$(comm -13 /tmp/bad.epoll /tmp/bad.$api)
	[[ ! $new ]] || { fail "redis-suite: only on $api: $new"; grep -aA20 -E '\[(err|exception|TIMEOUT)\]' /tmp/suite.$api | head -n 60; }
	((ok >= counts[epoll])) || { fail "redis-suite: fewer tests on $api"; tail -n 30 /tmp/suite.$api; }
done
passed "redis-suite"
((failures == 0))
