#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The small programs of samples/kevent, each used as one would try it by hand.  No step is
# judged by how long it takes: what is waited for comes, or the test fails after minutes.
dir=${KEVENT_SAMPLES:-/usr/bin}
tests="tiny_server loop_server_page loop_server_jobs loop_server_idle loop_server_end
	loop_server_frees pool_server_others_go_on pool_server_frees watch_dirs noring
	fallback_kevent fallback_epoll"

skip_all() { echo "1..0 # SKIP $*"; exit 4; }
for program in fallback loop-server noring pool-server tiny-server watch-dirs; do
	[ -x "$dir/$program" ] || skip_all "no program $program of samples/kevent in $dir"
done
for tool in nc wget mkfifo; do
	command -v $tool >/dev/null || skip_all "no $tool"
done
tmp=$(mktemp -d)
pids=
# shellcheck disable=SC2086
trap '[ -z "$pids" ] || kill -9 $pids 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
# Descriptors of the servers are counted, and these would be inherited.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-

# within COMMAND...: tried until it succeeds
within()
{
	tries=1200
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { echo "# in vain: $*"; return 1; }
		sleep 0.1
	done
}

# same WHAT GOT WANTED
same()
{
	[ "$2" = "$3" ] && return
	echo "# $1: \"$2\" instead of \"$3\""
	return 1
}

has() { grep -qF -- "$2" "$tmp/$1"; }
# shellcheck disable=SC2012
nr_fds() { [ "$(ls "/proc/$1/fd" | wc -l)" -eq "$2" ]; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# serve PROGRAM PORT ARGUMENT...: in the background, its pid in $pid
serve()
{
	name=$1 port=$2
	shift 2
	"$dir/$name" "$port" "$@" >"$tmp/log" 2>&1 &
	pid=$!
	pids="$pids $pid"
	if ! within listens || gone "$pid"; then
		sed 's/^/# /' "$tmp/log"
		return 1
	fi
}
# 0A: LISTEN, which says more than a connection, as that is one the server has to end.
listens() { grep -qE "^ *[0-9]+: 0100007F:$(printf '%04X' "$port") 00000000:0000 0A" /proc/net/tcp; }
stop() { kill -9 "$pid"; wait "$pid" 2>/dev/null; true; }

echo_of() { printf '%s\n' "$1" | timeout 600 nc 127.0.0.1 "$port"; }
get() { timeout 600 wget -q -O - "http://127.0.0.1:$port$1"; }

tiny_server()
{
	serve tiny-server 27701 || return
	for word in one two three; do same echo "$(echo_of $word)" $word || return; done
	# The three are gone: standard input and output, the listener and the queue.
	within nr_fds "$pid" 5 || return
	stop
}

page_is() { [ "$(get / 2>/dev/null)" = "$1" ]; }
loop_server_page()
{
	echo first >"$tmp/page"
	serve loop-server 27702 "$tmp/page" 3600000 || return
	same "page" "$(get /)" first || return
	echo second >"$tmp/page"
	within page_is second || return
	echo third >"$tmp/new"
	mv "$tmp/new" "$tmp/page"
	within page_is third || return
	rm "$tmp/page"
	within page_is "" || return
	stop
}

loop_server_jobs()
{
	echo page >"$tmp/page"
	serve loop-server 27703 "$tmp/page" 3600000 || return
	for n in 0 1 100 65535; do
		same "/sum/$n" "$(get /sum/$n)" "sum $((n * (n + 1) / 2))" || return
	done
	for n in 0 7 255; do same "/exit/$n" "$(get /exit/$n)" "exit $n" || return; done
	same 404 "$(get /nothing 2>&1 | grep -o 404)" 404 || return
	stop
}

# A client, $client, that has more to say: by descriptor 5.
half_request()
{
	mkfifo "$tmp/keys"
	nc 127.0.0.1 "$port" <"$tmp/keys" >/dev/null &
	client=$!
	pids="$pids $client"
	exec 5>"$tmp/keys"
	rm "$tmp/keys"
	printf 'GET ' >&5
}

# Who says nothing is disconnected.
loop_server_idle()
{
	echo page >"$tmp/page"
	serve loop-server 27704 "$tmp/page" 200 || return
	half_request
	within gone $client || return
	exec 5>&-
	# Who is slow itself may be disconnected as well.
	within page_is page || return
	stop
}

# SIGTERM: who has asked is answered, who has not is disconnected.
loop_server_end()
{
	echo page >"$tmp/page"
	serve loop-server 27705 "$tmp/page" 3600000 || return
	half_request
	within nr_fds $pid 6 || return
	same "sum" "$(get /sum/10)" "sum 55" || return
	kill -TERM $pid
	wait $pid
	same "exit status" $? 0 || return
	wait $client
	exec 5>&-
}

loop_server_frees()
{
	echo page >"$tmp/page"
	serve loop-server 27706 "$tmp/page" 3600000 || return
	for n in 1 2 3 4 5 6 7 8; do
		get / >/dev/null && get /sum/5 >/dev/null && get /exit/1 >/dev/null || return
	done
	within nr_fds $pid 5 || return
	stop
}

# A thread blocks in a FIFO that nobody writes to yet.
pool_server_others_go_on()
{
	printf 12345 >"$tmp/file"
	mkfifo "$tmp/fifo"
	serve pool-server 27707 2 || return
	echo_of "$tmp/fifo" >"$tmp/late" &
	late=$!
	pids="$pids $late"
	# It is there when it is open at both ends.
	exec 6>"$tmp/fifo"
	same "the other" "$(echo_of "$tmp/file")" 5 || return
	same "once more" "$(printf '%s\n%s\n' "$tmp/file" "$tmp/none" | timeout 600 nc 127.0.0.1 "$port" | tr '\n' ' ')" "5 -1 " || return
	same "the first, as yet" "$(cat "$tmp/late")" "" || return
	printf 123 >&6
	exec 6>&-
	wait $late
	same "the first" "$(cat "$tmp/late")" 3 || return
	stop
}

pool_server_frees()
{
	printf 12345 >"$tmp/file"
	serve pool-server 27708 4 || return
	clients=
	for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		echo_of "$tmp/file" >"$tmp/answer$n" &
		clients="$clients $!"
	done
	# shellcheck disable=SC2086
	wait $clients
	for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		same "client $n" "$(cat "$tmp/answer$n")" 5 || return
	done
	within nr_fds "$pid" 5 || return
	stop
}

watch_dirs()
{
	mkdir "$tmp/a" "$tmp/b"
	"$dir/watch-dirs" "$tmp/a" "$tmp/b" >"$tmp/told" 2>&1 &
	pid=$!
	pids="$pids $pid"
	within has told "watching 2" || return
	mkdir "$tmp/a/new"
	within has told "$tmp/a: CREATE new" || return
	mv "$tmp/a/new" "$tmp/b/moved"
	within has told "$tmp/b: MOVED_TO moved" || return
	# Both have the cookie of the rename.
	cookie=$(sed -n "s,.*/b: MOVED_TO.*(rename \(.*\)),\1,p" "$tmp/told")
	[ "$cookie" ] || { echo "# no cookie"; return 1; }
	within has told "$tmp/a: MOVED_FROM (rename $cookie)" || return
	rmdir "$tmp/b/moved"
	within has told "$tmp/b: DELETE" || return
	rmdir "$tmp/a" "$tmp/b"
	wait $pid
	same "exit status" $? 0 || return
	for d in a b; do
		grep -q "^$tmp/$d: .*DELETE_SELF" "$tmp/told" || { echo "# no end of $d"; return 1; }
	done
}

noring()
{
	mkfifo "$tmp/input"
	"$dir/noring" 50 <"$tmp/input" >"$tmp/lines" 2>&1 &
	pid=$!
	pids="$pids $pid"
	exec 5>"$tmp/input"
	within has lines quiet || return
	printf 'a\nb\n' >&5
	within has lines "2 b" || return
	printf 'c\n' >&5
	exec 5>&-
	wait $pid
	same "exit status" $? 0 || return
	same "lines" "$(grep -v quiet "$tmp/lines" | tr '\n' ' ')" "1 a 2 b 3 c end "
}

fallback_kevent()
{
	same "input" "$(echo line | "$dir/fallback" 3600000)" "input, by kevent, timers of the queue" || return
	mkfifo "$tmp/silent"
	exec 5<>"$tmp/silent"
	same "no input" "$("$dir/fallback" 20 <&5)" "no input, by kevent, timers of the queue" || return
	exec 5>&-
}

fallback_epoll()
{
	switch=/proc/sys/kernel/kevent_disabled
	before=$(cat $switch)
	{ echo 2 >$switch; } 2>/dev/null || { skipped="$switch cannot be written"; return 1; }
	said=$(echo line | "$dir/fallback" 3600000 2>&1 | tr '\n' ' ')
	echo "$before" >$switch
	case $said in
	"fallback: "*" by epoll input, by epoll, timers of timerfd ") ;;
	*) echo "# $said"; return 1 ;;
	esac
}

# shellcheck disable=SC2086
set -- $tests
echo "1..$#"
nr=0 failed=0
for test; do
	nr=$((nr + 1)) skipped=
	if $test; then
		echo "ok $nr $test"
	elif [ "$skipped" ]; then
		echo "ok $nr $test # SKIP $skipped"
	else
		failed=$((failed + 1))
		echo "not ok $nr $test"
	fi
done
[ $failed -eq 0 ]
