# shellcheck shell=bash disable=SC2154
# Each server on epoll and on kevent, redis as kevent-io too, under 32 connections,
# between two marks.  The host counts, see ../measure.sh, and looks for the lines
# MEASURED, which are in the order of the marks.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
mkdir -p /tmp/www
printf 'hello\n' >/tmp/www/small

# With one vCPU a run repeats exactly.
rounds=1
if (($(nproc) > 1)); then rounds=${ROUNDS:-5}; fi

# measured PROGRAM API PORT PROTOCOL COMMAND...: with connections that are kept, and with
# one for each request
measured()
{
	local program=$1 api=$2 port=$3 protocol=$4 pid load kind i
	shift 4
	"$@" >/tmp/measured.log 2>&1 &
	pid=$!
	until_answers "$port" || { cat /tmp/measured.log; return; }
	for kind in kept each; do
		local options=(-p "$port" -c 32 -n "${REQUESTS:-4000}")
		[[ $kind = kept ]] || options+=(-1)
		# Its timer runs with the load from here on.
		for ((i = 0; i < rounds; i++)); do
			load=$($here/load "${options[@]}" "$protocol") || fail "measure: $program on $api, $kind"
			printf 'MEASURED %s %s %s %s\n' "$program" "$api" "$kind" "$load"
		done
	done
	kill -TERM $pid
	ended $pid
}

for api in epoll kevent kevent-hints; do
	memcached=(env "LD_LIBRARY_PATH=$here/libevent")
	case $api in
	epoll) memcached+=(EVENT_NOKEVENT=1) ;;
	kevent-hints) memcached+=(EVENT_KEVENT_HINTS=1) ;;
	esac
	measured memcached $api 11211 memcached "${memcached[@]}" memcached -u root -l 127.0.0.1 -p 11211 -t 1 -c 1024
done
for api in epoll kevent; do
	measured redis $api 6399 redis $here/redis-$api/src/redis-server --port 6399 --bind 127.0.0.1 --save '' --appendonly no --dir /tmp
	[[ $api = epoll ]] || measured redis kevent-io 6399 redis $here/redis-kevent/src/redis-server --kevent-io yes --port 6399 --bind 127.0.0.1 --save '' --appendonly no --dir /tmp
	handler=$api
	[[ $api = kevent ]] || handler=linux-sysepoll
	cat >/tmp/measured.conf <<-END_CONF
		server.document-root = "/tmp/www"
		server.port = 8083
		server.bind = "127.0.0.1"
		server.max-keep-alive-requests = 1000000
		server.event-handler = "$handler"
	END_CONF
	measured lighttpd $api 8083 http $here/lighttpd/sbin/lighttpd -D -f /tmp/measured.conf
	# The same program, with and without the back-end.
	use=1
	[[ $api = kevent ]] || use=0
	measured libuv $api 7000 echo env UV_USE_KEVENT=$use $here/libuv/tcp $api 7000
done
((failures == 0))
