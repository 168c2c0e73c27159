// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * echo-server - TCP echo on a kevent queue, in one thread
 *
 * The pattern in short:
 *
 * - A socket is registered once, in edge mode, with KEVENT_WANT_LAST.  It is
 *   never modified and never removed: close() ends the interest.
 * - A record says "try again", no more.  What is tried is kept in the
 *   connection, and tried until the socket says EAGAIN.
 * - After close() records of the connection may still lie in the ring.  Its
 *   memory is freed by the one with KEVENT_REC_LAST, which no other follows.
 *
 * What is read is written back before more is read, so a client that does not
 * read is not read from: one buffer is all a connection ever needs.  A real
 * server would also have a time limit, see http-server.c.
 *
 * With --stream the kernel receives: echo-stream.c.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo-stream.h"
#include "ukevent.h"

#define COOKIE_LISTENER	0
#define BATCH		64		/* records taken at once */
#define ROUNDS		8		/* reads or writes per connection and turn */
#define ACCEPT_PAUSE	100000000	/* ns, when accept() is out of resources */

struct conn {
	TAILQ_ENTRY(conn)	ready;
	bool			is_ready;
	int			fd;		/* -1: closed, wait for LAST */
	size_t			pos, end;	/* not yet echoed: buf[pos..end) */
	char			buf[16384];
};

static TAILQ_HEAD(conn_list, conn) ready =
	TAILQ_HEAD_INITIALIZER(ready);
static struct ukevent_queue queue;
static int listener;
static bool accept_more;	/* the listener did not say EAGAIN yet */
static bool accept_later;	/* ... because accept() failed */

void die(const char *what, int err)
{
	fprintf(stderr, "echo-server: %s: %s\n", what, strerror(err));
	exit(1);
}

/* Echo until the socket says EAGAIN; true if there was more to do than fair. */
static bool conn_echo(struct conn *c)
{
	ssize_t n;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		if (c->pos < c->end) {
			n = send(c->fd, c->buf + c->pos, c->end - c->pos,
				 MSG_NOSIGNAL);
			if (n > 0)
				c->pos += n;
		} else {
			n = recv(c->fd, c->buf, sizeof(c->buf), 0);
			c->pos = 0;
			c->end = n > 0 ? n : 0;
		}
		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		/* End of input, all of it echoed; or the client is gone. */
		close(c->fd);
		c->fd = -1;
		return false;
	}
	return true;
}

static void conn_ready(struct conn *c)
{
	if (c->is_ready)
		return;
	c->is_ready = true;
	TAILQ_INSERT_TAIL(&ready, c, ready);
}

static void conn_accept(void)
{
	struct conn *c;
	int fd, i, ret;

	accept_later = false;
	for (i = 0; i < BATCH; i++) {
		fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EINTR || errno == ECONNABORTED)
				continue;
			/* No descriptors, no memory: clients wait in the backlog. */
			accept_later = errno != EAGAIN;
			accept_more = accept_later;
			return;
		}
		c = malloc(sizeof(*c));
		if (!c) {
			close(fd);
			continue;
		}
		memset(c, 0, offsetof(struct conn, buf));
		c->fd = fd;
		ret = ukevent_add_socket(&queue, fd,
					 KEVENT_SOCK_RECV | KEVENT_SOCK_SEND,
					 KEVENT_EDGE | KEVENT_WANT_LAST,
					 (uintptr_t)c);
		if (ret < 0) {		/* never registered: no LAST either */
			fprintf(stderr, "echo-server: register: %s\n",
				strerror(-ret));
			close(fd);
			free(c);
		}
	}
}

static void listen_on(const char *addr, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int one = 1;

	sin.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1)
		die(addr, EINVAL);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
			  0);
	if (listener < 0)
		die("socket", errno);
	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("setsockopt", errno);
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)))
		die("bind", errno);
	if (listen(listener, SOMAXCONN))
		die("listen", errno);
}

static uint64_t next_timeout(void)
{
	if (!TAILQ_EMPTY(&ready) || (accept_more && !accept_later))
		return 0;
	return accept_later ? ACCEPT_PAUSE : UKEVENT_FOREVER;
}

int main(int argc, char **argv)
{
	struct kevent_params params = { .nr_expected = 1024 };
	struct ukevent ev[BATCH];
	struct conn *c, *last;
	bool stream = argc > 1 && !strcmp(argv[1], "--stream");
	int i, n, ret;

	argc -= stream;
	argv += stream;
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: echo-server [--stream] PORT [ADDRESS]\n");
		return 2;
	}
	listen_on(argc > 2 ? argv[2] : "0.0.0.0", atoi(argv[1]));
	if (stream)
		echo_stream(listener);
	ret = ukevent_queue_init(&queue, &params);
	if (ret < 0)
		die("kevent_create", -ret);
	ret = ukevent_add_socket(&queue, listener, KEVENT_SOCK_ACCEPT,
				 KEVENT_EDGE, COOKIE_LISTENER);
	if (ret < 0)
		die("register listener", -ret);

	for (;;) {
		n = ukevent_dequeue_batch(&queue, ev, BATCH, next_timeout());
		if (n < 0 && n != -EINTR)
			die("kevent_wait", -n);
		for (i = 0; i < n; i++) {
			c = (struct conn *)(uintptr_t)ev[i].cookie;
			if (ev[i].cookie == COOKIE_LISTENER)
				accept_more = true;
			else if (ev[i].flags & KEVENT_REC_LAST)
				free(c);
			else if (c->fd >= 0)
				conn_ready(c);
		}
		if (accept_more)
			conn_accept();

		/* One turn for each connection that is ready now. */
		last = TAILQ_LAST(&ready, conn_list);
		for (c = NULL; c != last;) {
			c = TAILQ_FIRST(&ready);
			TAILQ_REMOVE(&ready, c, ready);
			c->is_ready = false;
			if (conn_echo(c))
				conn_ready(c);
		}
	}
}
