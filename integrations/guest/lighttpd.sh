# shellcheck shell=bash
# program: lighttpd, whose event handler is epoll where there is one.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
# shellcheck source=integrations/guest/http.sh
. "$here/http.sh"
cat >/tmp/lighttpd.conf <<'END'
server.document-root = "/tmp/www"
server.port = 8081
server.bind = "127.0.0.1"
server.max-keep-alive-requests = 100000
server.event-handler = "linux-sysepoll"
END
http lighttpd 8081 lighttpd -D -f /tmp/lighttpd.conf
((failures == 0))
