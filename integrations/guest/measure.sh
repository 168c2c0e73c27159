# shellcheck shell=bash disable=SC2154
# Each server on epoll and on kevent under 32 connections that are kept, between two
# marks.  The host counts, see ../measure.sh, and looks for the lines MEASURED, which are
# in the order of the marks.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
mkdir -p /tmp/www
printf 'hello\n' >/tmp/www/small

# measured PROGRAM API PORT PROTOCOL COMMAND...
measured()
{
	local program=$1 api=$2 port=$3 protocol=$4 pid load
	shift 4
	"$@" >/tmp/measured.log 2>&1 &
	pid=$!
	until_answers "$port" || { cat /tmp/measured.log; return; }
	# Its timer runs with the load from here on.
	load=$($here/load -p "$port" -c 32 -n "${REQUESTS:-4000}" "$protocol") || fail "measure: $program on $api"
	printf 'MEASURED %s %s %s\n' "$program" "$api" "$load"
	kill -TERM $pid
	ended $pid
}

for api in epoll kevent; do
	measured redis $api 6399 redis $here/redis-$api/src/redis-server --port 6399 --bind 127.0.0.1 --save '' --appendonly no --dir /tmp
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
done
((failures == 0))
