// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * loop-server - HTTP, and all that a server waits for beside it, in one small loop
 *
 * "/" is a page from a file, which is read anew when it changes; "/sum/N" has a thread
 * add up the numbers to N, "/exit/N" a child exit with N; all else is 404.  SIGTERM ends
 * the server when what was asked for is answered.  A connection has one request.
 *
 *	SOCKET	connections, by edge; each is freed by its last record
 *	TIMER	one for all time limits, armed while there are connections
 *	INODE	the directory of the page: an editor may put another file in its place
 *	USER	a result, in the record: each thread's own one-shot interest
 *	PROCESS	a child, with its status in the record
 *	SIGNAL	SIGTERM, which is ignored otherwise
 *
 * Changes are gathered, and applied by the next turn: a turn is one kernel entry.
 * http-server.c is the one for many connections and processors.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <ukevent_loop.h>
#include <ukevent_text.h>

#define BATCH	64
#define TEXT	8192		/* of a page, and of a request */
#define TICK	1		/* number and cookie of the timer */
#define PAGE	2		/* cookie of the directory */

struct conn {
	LIST_ENTRY(conn) link;
	int	fd;		/* -1: closed, wait for LAST */
	int	refs;		/* the interest, and a job */
	int	pidfd;		/* of a child, or -1 */
	int	ticks;		/* of silence */
	bool	asked, answered;
	__u64	number;		/* for a thread */
	size_t	len, sent;	/* of text */
	char	text[TEXT + 256];	/* the request, then the answer */
};

static LIST_HEAD(, conn) conns = LIST_HEAD_INITIALIZER(conns);
static struct ukevent_queue queue;
static struct ukevent_loop loop;
static const char *page_path;
static char page[TEXT];
static __u64 tick_ns;
static bool ticking, stopping;
static int listener, allocated;

static void die(const char *what)
{
	fprintf(stderr, "loop-server: %s\n", what);
	exit(1);
}

static void page_load(void)
{
	FILE *file = fopen(page_path, "re");

	page[file ? fread(page, 1, sizeof(page) - 1, file) : 0] = 0;
	if (file)
		fclose(file);
}

/* ---- connections ---- */

static void conn_put(struct conn *c)
{
	if (--c->refs)
		return;
	free(c);
	allocated--;
}

/* Ends the interest as well, whose last record is to come. */
static void conn_close(struct conn *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	LIST_REMOVE(c, link);
}

/* Until all is sent or the socket is full, of which there will be a record. */
static void conn_send(struct conn *c)
{
	ssize_t n;

	while (c->fd >= 0 && c->answered && c->sent < c->len) {
		n = send(c->fd, c->text + c->sent, c->len - c->sent, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			return conn_close(c);
		if (n > 0)
			c->sent += n;
		c->ticks = 0;
	}
	if (c->answered)
		conn_close(c);
}

static void conn_answer(struct conn *c, const char *status, const char *body)
{
	if (c->fd < 0)
		return;
	c->len = snprintf(c->text, sizeof(c->text),
			  "HTTP/1.0 %s\r\nContent-Type: text/plain\r\n"
			  "Content-Length: %zu\r\n\r\n%s", status, strlen(body), body);
	c->answered = true;
	conn_send(c);
}

/* Of a thread or a child, for a connection that may be gone by now. */
static void conn_result(struct conn *c, const char *what, unsigned long long value)
{
	char body[64];

	snprintf(body, sizeof(body), "%s %llu\n", what, value);
	conn_answer(c, "200 OK", body);
	conn_put(c);
}

static void *sum(void *arg)
{
	struct conn *c = arg;

	ukevent_trigger(&queue, (uintptr_t)c, c->number * (c->number + 1) / 2);
	return NULL;
}

static void start_thread(struct conn *c)
{
	pthread_t thread;

	/* Applied now: the interest has to be there when the thread triggers it. */
	ukevent_prep_user(ukevent_next(&loop), KEVENT_OP_ADD, (uintptr_t)c,
			  KEVENT_ONESHOT, (uintptr_t)c);
	if (ukevent_flush(&loop) || pthread_create(&thread, NULL, sum, c))
		die("no thread");
	pthread_detach(thread);
	c->refs++;
}

static void start_child(struct conn *c, int status)
{
	pid_t pid = fork();

	if (!pid)
		_exit(status);
	c->pidfd = pid < 0 ? -1 : syscall(SYS_pidfd_open, pid, 0);
	if (c->pidfd < 0)
		die("no child");
	ukevent_prep_process(ukevent_next(&loop), KEVENT_OP_ADD, c->pidfd, 0,
			     (uintptr_t)c);
	c->refs++;
}

static void child_exited(struct conn *c, int status)
{
	siginfo_t info;

	waitid(P_PIDFD, c->pidfd, &info, WEXITED);
	close(c->pidfd);
	conn_result(c, "exit", WEXITSTATUS(status));
}

static void conn_request(struct conn *c)
{
	unsigned int status;

	c->asked = true;	/* no more is read */
	if (sscanf(c->text, "GET /sum/%llu", &c->number) == 1)
		start_thread(c);
	else if (sscanf(c->text, "GET /exit/%u", &status) == 1)
		start_child(c, status);
	else if (!strncmp(c->text, "GET / ", 6) && *page)
		conn_answer(c, "200 OK", page);
	else
		conn_answer(c, "404 Not Found", "not found\n");
}

static void conn_read(struct conn *c)
{
	ssize_t n;

	while (c->fd >= 0 && !c->asked) {
		n = recv(c->fd, c->text + c->len, TEXT - 1 - c->len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)		/* gone, or a request too long */
			return conn_close(c);
		c->ticks = 0;
		c->len += n;
		c->text[c->len] = 0;
		if (strstr(c->text, "\r\n\r\n"))
			conn_request(c);
	}
}

static void start_ticking(void)
{
	if (ticking || LIST_EMPTY(&conns))
		return;
	ticking = true;
	ukevent_prep_timer(ukevent_next(&loop), KEVENT_OP_ADD, TICK, tick_ns, 0,
			   tick_ns / 4, UKEVENT_MONOTONIC, KEVENT_ONESHOT, TICK);
}

/* Who is silent for two ticks, and waits for nothing of ours, is gone. */
static void tick(void)
{
	struct conn *c, *next;

	ticking = false;
	for (c = LIST_FIRST(&conns); c; c = next) {
		next = LIST_NEXT(c, link);
		if (c->refs == 1 && ++c->ticks > 2)
			conn_close(c);
	}
	start_ticking();
}

static void accept_conns(void)
{
	struct conn *c;
	int fd;

	while ((fd = accept4(listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		c = stopping ? NULL : calloc(1, sizeof(*c));
		if (!c) {
			close(fd);
			continue;
		}
		c->fd = fd;
		c->refs = 1;
		allocated++;
		LIST_INSERT_HEAD(&conns, c, link);
		ukevent_prep_socket(ukevent_next(&loop), KEVENT_OP_ADD, fd,
				    KEVENT_SOCK_RECV | KEVENT_SOCK_SEND, 0,
				    KEVENT_EDGE | KEVENT_WANT_LAST, (uintptr_t)c);
	}
	start_ticking();
}

static void stop(void)
{
	struct conn *c, *next;

	stopping = true;
	/* No change that is gathered names what is closed here. */
	ukevent_flush(&loop);
	for (c = LIST_FIRST(&conns); c; c = next) {
		next = LIST_NEXT(c, link);
		if (!c->asked)
			conn_close(c);
	}
}

/* ---- the loop ---- */

static void handle(const struct ukevent *ev)
{
	struct conn *c = (struct conn *)(uintptr_t)ev->cookie;

	switch (ev->type) {
	case KEVENT_TYPE_SOCKET:
		if (!c)
			return accept_conns();
		conn_read(c);
		conn_send(c);
		if (ev->flags & KEVENT_REC_LAST)
			conn_put(c);
		break;
	case KEVENT_TYPE_TIMER:
		tick();
		break;
	case KEVENT_TYPE_INODE:
		page_load();
		break;
	case KEVENT_TYPE_USER:
		conn_result(c, "sum", ev->data[0]);
		break;
	case KEVENT_TYPE_PROCESS:
		child_exited(c, ev->data[0]);
		break;
	case KEVENT_TYPE_SIGNAL:
		stop();
		break;
	}
}

/* What could not be added tells no more. */
static void change_failed(struct ukevent_loop *l, const struct kevent_change *e)
{
	(void)l;
	fprintf(stderr, "loop-server: %s %s: %s\n", ukevent_op_name(e->op),
		ukevent_type_name(e->type), ukevent_change_error(e));
	if (e->type != KEVENT_TYPE_SOCKET || !e->cookie)
		exit(1);
	conn_close((struct conn *)(uintptr_t)e->cookie);
	conn_put((struct conn *)(uintptr_t)e->cookie);
}

static void watch_all(void)
{
	char *dir = strdup(page_path);

	signal(SIGTERM, SIG_IGN);
	ukevent_prep_signal(ukevent_next(&loop), KEVENT_OP_ADD, SIGTERM, 0, 0);
	ukevent_prep_inode(ukevent_next(&loop), AT_FDCWD, dirname(dir),
			   KEVENT_INODE_ONLYDIR, KEVENT_INODE_CLOSE_WRITE |
			   KEVENT_INODE_MOVE | KEVENT_INODE_DELETE, 0, PAGE);
	ukevent_prep_socket(ukevent_next(&loop), KEVENT_OP_ADD, listener,
			    KEVENT_SOCK_ACCEPT, 0, KEVENT_EDGE, 0);
	ukevent_flush(&loop);
	free(dir);
	/* Watched first, so that no change is missed. */
	page_load();
}

int main(int argc, char **argv)
{
	struct kevent_params params = { .nr_expected = 1024 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct ukevent ev[BATCH];
	int i, n, one = 1;

	if (argc != 4) {
		fprintf(stderr, "usage: loop-server PORT PAGE IDLE-MS\n");
		return 2;
	}
	page_path = argv[2];
	tick_ns = strtoull(argv[3], NULL, 10) * 1000000 / 2;
	sin.sin_port = htons(atoi(argv[1]));
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) ||
	    listen(listener, SOMAXCONN))
		die(strerror(errno));
	n = ukevent_queue_init(&queue, &params);
	if (n)
		die(ukevent_strerror(UKEVENT_CREATE, n));
	ukevent_loop_init(&loop, &queue, change_failed);
	watch_all();

	while (!stopping || allocated) {
		n = ukevent_turn(&loop, ev, BATCH, UKEVENT_FOREVER);
		if (n < 0 && n != -EINTR)
			die(ukevent_strerror(UKEVENT_WAIT, n));
		for (i = 0; i < n; i++)
			handle(&ev[i]);
	}
	ukevent_queue_exit(&queue);
	return 0;
}
