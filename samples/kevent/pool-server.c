// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * pool-server - one queue, several threads that each may block
 *
 * A line from a client names a file; the answer is how many bytes can be read there.
 * That may take long (a disk, a pipe), and the other threads go on meanwhile.
 *
 * - All threads take from the same queue, ukevent_turn_shared(), each with the changes
 *   that it gathered.
 * - An interest is disabled when its record is published (KEVENT_DISPATCH), so a client
 *   is one thread's until that enables it again.
 * - A thread that ends a client removes the interest and says by KEVENT_ACK that it is
 *   done with it.  Whoever takes the last record closes and frees: it is held back
 *   (KEVENT_HOLD_LAST) as long as a thread works on the client, so that any other could
 *   remove the interest, for a time limit, say.
 *
 * Threads that do not block are better off with a queue each: http-server.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <ukevent_loop.h>
#include <ukevent_text.h>

struct client {
	int	fd;
	size_t	len;
	char	line[512];
};

static struct ukevent_queue queue;
static struct client listener;

static void die(const char *what)
{
	fprintf(stderr, "pool-server: %s\n", what);
	exit(1);
}

static void watch(struct ukevent_loop *loop, struct client *c, __u32 events)
{
	ukevent_prep_socket(ukevent_next(loop), KEVENT_OP_ADD, c->fd, events, 0,
			    KEVENT_DISPATCH | KEVENT_WANT_LAST | KEVENT_HOLD_LAST,
			    (uintptr_t)c);
}

static void client_free(struct client *c)
{
	close(c->fd);
	free(c);
}

/* What could not be added tells nothing, and is known to nobody else. */
static void change_failed(struct ukevent_loop *loop, const struct kevent_change *e)
{
	(void)loop;
	fprintf(stderr, "pool-server: %s: %s\n", ukevent_op_name(e->op),
		ukevent_change_error(e));
	if (e->op == KEVENT_OP_ADD)
		client_free((struct client *)(uintptr_t)e->cookie);
}

static void accept_clients(struct ukevent_loop *loop)
{
	struct client *c;
	int fd;

	while ((fd = accept4(listener.fd, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		c = calloc(1, sizeof(*c));
		if (!c) {
			close(fd);
			continue;
		}
		c->fd = fd;
		watch(loop, c, KEVENT_SOCK_RECV);
	}
}

/* May block. */
static long file_size(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long size = 0;
	char buf[4096];
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		size += n;
	close(fd);
	return n ? -1 : size;
}

/* Answers the lines that are there; whether the client goes on. */
static bool client_serve(struct client *c)
{
	char answer[32], *end;
	ssize_t n;
	int len;

	for (;;) {
		n = recv(c->fd, c->line + c->len, sizeof(c->line) - 1 - c->len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)		/* gone, or a line too long */
			return false;
		c->len += n;
		c->line[c->len] = 0;
		while ((end = strchr(c->line, '\n'))) {
			*end++ = 0;
			len = snprintf(answer, sizeof(answer), "%ld\n",
				       file_size(c->line));
			c->len -= end - c->line;
			memmove(c->line, end, c->len + 1);
			if (send(c->fd, answer, len, MSG_NOSIGNAL) != len)
				return false;
		}
	}
}

static void handle(struct ukevent_loop *loop, const struct ukevent *ev)
{
	struct client *c = (struct client *)(uintptr_t)ev->cookie;
	bool goes_on = true;

	if (ev->flags & KEVENT_REC_LAST)
		return client_free(c);
	if (c == &listener)
		accept_clients(loop);
	else
		goes_on = client_serve(c);
	ukevent_prep_op(ukevent_next(loop),
			goes_on ? KEVENT_OP_ENABLE : KEVENT_OP_REMOVE,
			KEVENT_TYPE_SOCKET, c->fd, goes_on ? 0 : KEVENT_ACK);
}

static void *work(void *unused)
{
	struct ukevent_loop loop;
	struct ukevent ev;
	int n;

	ukevent_loop_init(&loop, &queue, change_failed);
	for (;;) {
		/* One at a time, as each may take long. */
		n = ukevent_turn_shared(&loop, &ev, 1, UKEVENT_FOREVER);
		if (n < 0 && n != -EINTR)
			die(ukevent_strerror(UKEVENT_WAIT, n));
		if (n == 1)
			handle(&loop, &ev);
	}
	return unused;
}

int main(int argc, char **argv)
{
	struct kevent_params params = { .nr_expected = 1024 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct ukevent_loop loop;
	pthread_t thread;
	int i, ret, one = 1;

	if (argc != 3) {
		fprintf(stderr, "usage: pool-server PORT THREADS\n");
		return 2;
	}
	sin.sin_port = htons(atoi(argv[1]));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener.fd, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(listener.fd, SOMAXCONN))
		die(strerror(errno));
	ret = ukevent_queue_init(&queue, &params);
	if (ret)
		die(ukevent_strerror(UKEVENT_CREATE, ret));
	ukevent_loop_init(&loop, &queue, NULL);
	watch(&loop, &listener, KEVENT_SOCK_ACCEPT);
	if (ukevent_flush(&loop))
		die(ukevent_change_error(&loop.change[0]));
	for (i = 1; i < atoi(argv[2]); i++) {
		ret = pthread_create(&thread, NULL, work, NULL);
		if (ret)
			die(strerror(ret));
	}
	work(NULL);
	return 0;
}
