# shellcheck shell=bash
# program: memcached as Debian builds it, on libevent with kevent.c, under 32 connections.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh

# server MODE: leaves its pid in $pid
server()
{
	local use=(env "LD_LIBRARY_PATH=$here/libevent")
	case $1 in
	epoll) use+=(EVENT_NOKEVENT=1) ;;
	kevent-hints) use+=(EVENT_KEVENT_HINTS=1) ;;
	esac
	"${use[@]}" memcached -u root -l 127.0.0.1 -p 11211 -t "${THREADS:-2}" -c 1024 &
	pid=$!
	until_answers 11211
}
stop()
{
	kill -INT $pid
	ended $pid
}
# uses MODE: the server has queues, or sets, and none of the other kind
uses()
{
	local kind=kevent other=eventpoll fds
	[[ $1 != epoll ]] || kind=eventpoll other=kevent
	fds=$(ls -l "/proc/$pid/fd")
	[[ $fds = *"anon_inode:[$kind]"* && $fds != *"anon_inode:[$other]"* ]] ||
		fail "memcached-libevent $1: does not wait by $kind: $fds"
	grep -q "$here/libevent/libevent-2.1.so.7" "/proc/$pid/maps" || fail "memcached-libevent $1: runs on another libevent"
}

for mode in epoll kevent kevent-hints; do
	server $mode || { fail "memcached-libevent $mode: no server"; continue; }
	uses $mode
	python3.11 $here/memcached_protocol.py 11211 || fail "memcached-libevent $mode: protocol"
	load=$($here/load -p 11211 -c 32 -n "${REQUESTS:-20000}" memcached) || fail "memcached-libevent $mode: load"
	report memcached-libevent $mode "$load"
	stop
done
((failures == 0))
