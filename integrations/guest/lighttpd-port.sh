# shellcheck shell=bash disable=SC2154
# program: lighttpd with the event handler kevent, beside its own for epoll, the same
# program.  Files, CGI programs, and loads whose connections are kept and are not.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
www=/tmp/www
mkdir -p $www
printf 'hello\n' >$www/small
head -c 300000 /dev/urandom >$www/large
cat >$www/program.cgi <<'END_CGI'
#!/bin/bash
printf 'Content-Type: text/plain\r\n\r\n'
cat
END_CGI
chmod +x $www/program.cgi
port=8083
for handler in linux-sysepoll kevent; do
	cat >/tmp/lighttpd-port.conf <<-END
		server.document-root = "$www"
		server.port = $port
		server.bind = "127.0.0.1"
		server.max-keep-alive-requests = 1000000
		server.event-handler = "$handler"
		server.modules = ( "mod_cgi" )
		cgi.assign = ( ".cgi" => "" )
	END
	$here/lighttpd/sbin/lighttpd -D -f /tmp/lighttpd-port.conf >/tmp/lighttpd-port.log 2>&1 &
	pid=$!
	until_answers $port || { cat /tmp/lighttpd-port.log; break; }
	kind=eventpoll
	[[ $handler = linux-sysepoll ]] || kind=kevent
	fds=$(ls -l "/proc/$pid/fd")
	[[ $fds = *"[$kind]"* ]] || fail "lighttpd-port $handler: no $kind among its descriptors"
	[[ $kind = eventpoll || $fds != *'[eventpoll]'* ]] || fail "lighttpd-port $handler: it has an epoll set as well"
	python3.11 $here/http_check.py $port $www || fail "lighttpd-port $handler: files"
	python3.11 $here/http_cgi.py $port || fail "lighttpd-port $handler: CGI"
	timeout 120 wrk -t 1 -c 32 -d "${SECONDS_OF_LOAD:-6}" "http://127.0.0.1:$port/small" >/tmp/out 2>&1 ||
		fail "lighttpd-port $handler: wrk"
	report lighttpd-port $kind "wrk, kept alive:$(grep -E 'requests in' /tmp/out | tr -s ' ')$(grep -E 'Socket errors|Non-2xx' /tmp/out | tr -s ' ')"
	grep -qE '[1-9][0-9]* requests in' /tmp/out || fail "lighttpd-port $handler: wrk had no answer"
	if grep -qE 'Socket errors|Non-2xx' /tmp/out; then fail "lighttpd-port $handler: errors under load"; fi
	timeout 120 wrk -t 1 -c 32 -d "${SECONDS_OF_LOAD:-6}" -H 'Connection: close' "http://127.0.0.1:$port/small" >/tmp/out 2>&1 ||
		fail "lighttpd-port $handler: wrk, closing"
	report lighttpd-port $kind "wrk, closed each time:$(grep -E 'requests in' /tmp/out | tr -s ' ')"
	grep -qE '[1-9][0-9]* requests in' /tmp/out || fail "lighttpd-port $handler: wrk, closing, had no answer"
	report lighttpd-port $kind "$($here/load -p $port -c 32 -n "${REQUESTS:-10000}" http)" || fail "lighttpd-port $handler: load"
	kill -TERM $pid
	ended $pid
	! grep -iE 'fdevent|error' /tmp/lighttpd-port.log || fail "lighttpd-port $handler: it complains"
	passed "lighttpd-port $handler"
done
((failures == 0))
