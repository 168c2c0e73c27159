// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The guide's event loop: an echo server in one thread, with a listening socket,
 * connections, an idle time limit for each, and SIGTERM.
 *
 * Two clients come with it: one is echoed to and leaves, the other one says nothing
 * and is disconnected.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <ukevent_loop.h>

#define BATCH		64
#define IDLE_NS		200000000ULL

enum { LISTENER = 1, TERMINATE = 2 };	/* cookies that are no pointers */

/* ---- a connection ---- */

struct conn {
	int		fd;		/* -1 once it is closed */
	unsigned int	interests;	/* that have not told their last */
	__u64	timer;		/* number of its timer */
};

static struct ukevent_queue queue;
static struct ukevent_loop loop;
static int listener;

static void conn_set_timer(struct conn *c, unsigned int op)
{
	ukevent_prep_timer(ukevent_next(&loop), op, c->timer, IDLE_NS, 0,
			   IDLE_NS / 16, UKEVENT_MONOTONIC,
			   KEVENT_DISPATCH | KEVENT_WANT_LAST, (uintptr_t)c);
}

static void conn_open(int fd)
{
	static __u64 timers;
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		exit(1);
	c->fd = fd;
	c->timer = ++timers;
	c->interests = 2;
	ukevent_prep_socket(ukevent_next(&loop), KEVENT_OP_ADD, fd,
			    KEVENT_SOCK_RECV, 0, KEVENT_EDGE | KEVENT_WANT_LAST,
			    (uintptr_t)c);
	conn_set_timer(c, KEVENT_OP_ADD);
}

/* Ends both interests; the last record of the second one frees the connection. */
static void conn_close(struct conn *c)
{
	if (c->fd < 0)
		return;
	/* No gathered change may name a number that is another file's by then. */
	ukevent_prep_op(ukevent_next(&loop), KEVENT_OP_REMOVE, KEVENT_TYPE_TIMER,
			c->timer, 0);
	ukevent_flush(&loop);
	close(c->fd);
	c->fd = -1;
}

static void conn_put(struct conn *c)
{
	if (!--c->interests)
		free(c);
}

static void conn_echo(struct conn *c)
{
	char buf[4096];
	ssize_t n;

	while ((n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		if (send(c->fd, buf, n, MSG_NOSIGNAL | MSG_DONTWAIT) != n)
			break;		/* a real server keeps the rest */
	if (n < 0 && errno == EAGAIN)
		conn_set_timer(c, KEVENT_OP_MODIFY);
	else
		conn_close(c);
}

/* ---- what a record is about ---- */

static void conn_event(struct conn *c, const struct ukevent *ev)
{
	if (ev->flags & KEVENT_REC_LAST) {
		conn_put(c);
	} else if (c->fd < 0) {
		return;		/* a record from before the close */
	} else if (ev->type == KEVENT_TYPE_TIMER) {
		printf("a client was idle for too long\n");
		conn_close(c);
	} else {
		conn_echo(c);
	}
}

static void accept_all(void)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		conn_open(fd);
}

/* An interest that could not be added has no last record. */
static void change_failed(struct ukevent_loop *l,
			  const struct kevent_change *change)
{
	(void)l;
	if (change->op == KEVENT_OP_ADD && change->cookie > TERMINATE)
		conn_put((struct conn *)(uintptr_t)change->cookie);
}

static void run(void)
{
	struct ukevent ev[BATCH];
	int i, n;

	for (;;) {
		/* Applies what was gathered, takes records, or sleeps: one call. */
		n = ukevent_turn(&loop, ev, BATCH, UKEVENT_FOREVER);
		if (n < 0 && n != -EINTR)
			exit(1);
		for (i = 0; i < n; i++) {
			if (ev[i].cookie == TERMINATE)
				return;
			if (ev[i].cookie == LISTENER)
				accept_all();
			else
				conn_event((struct conn *)(uintptr_t)ev[i].cookie,
					   ev + i);
		}
	}
}

/* ---- the start, and two clients ---- */

static void *clients(void *arg)
{
	int talker = socket(AF_INET, SOCK_STREAM, 0);
	int idler = socket(AF_INET, SOCK_STREAM, 0);
	char buf[16] = "";

	if (connect(talker, arg, sizeof(struct sockaddr_in)) ||
	    send(talker, "hello", 5, 0) != 5 || recv(talker, buf, 5, MSG_WAITALL) != 5)
		exit(1);
	printf("echoed: %s\n", buf);
	close(talker);
	if (connect(idler, arg, sizeof(struct sockaddr_in)) || recv(idler, buf, 1, 0))
		exit(1);
	close(idler);
	kill(getpid(), SIGTERM);
	return NULL;
}

int main(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct kevent_params params = { .nr_expected = 1024 };
	socklen_t len = sizeof(sin);
	pthread_t thread;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(listener, SOMAXCONN) ||
	    getsockname(listener, (struct sockaddr *)&sin, &len) ||
	    ukevent_queue_init(&queue, &params))
		return 1;
	ukevent_loop_init(&loop, &queue, change_failed);

	ukevent_prep_socket(ukevent_next(&loop), KEVENT_OP_ADD, listener,
			    KEVENT_SOCK_ACCEPT, 0, KEVENT_EDGE, LISTENER);
	/* The record takes the place of the delivery. */
	signal(SIGTERM, SIG_IGN);
	ukevent_prep_signal(ukevent_next(&loop), KEVENT_OP_ADD, SIGTERM, 0,
			    TERMINATE);

	if (pthread_create(&thread, NULL, clients, &sin))
		return 1;
	run();
	pthread_join(thread, NULL);
	printf("terminated\n");
	ukevent_queue_exit(&queue);
	return 0;
}
