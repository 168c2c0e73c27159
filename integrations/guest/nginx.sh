# shellcheck shell=bash
# program: nginx, which watches by edge.
# shellcheck source=integrations/guest/common.sh
. /integrations/common.sh
# shellcheck source=integrations/guest/http.sh
. "$here/http.sh"
mkdir -p /var/log/nginx /var/lib/nginx
cat >/tmp/nginx.conf <<'END'
daemon off;
user root;
worker_processes 1;
pid /tmp/nginx.pid;
error_log /tmp/nginx.error;
events { use epoll; worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 1000000;
	server { listen 127.0.0.1:8082; root /tmp/www; }
}
END
http nginx 8082 nginx -c /tmp/nginx.conf
((failures == 0))
