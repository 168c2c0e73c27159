// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * echo.c - P4, P14: what an event costs where it belongs to a request
 *
 * Workload echo: TCP over the loopback.  A client sends 64 bytes on each active
 * connection, then receives the answers; a server collects and echoes.  Client
 * and server are a thread each on one CPU, and each runs until it has to sleep:
 * the server finds everything ready once it is woken, and sleeps when it has
 * answered, so that a round has two switches in every mode.
 *
 * The server of the floor sleeps in recv() on the first active connection.
 *
 * Workload smp-echo: the scheduler is free to place the two threads, which
 * preempt each other, on the processors that it has.  How often it switches to
 * another one, and moves one, is counted in ten runs.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "bench.h"

#define REQUEST		64
#define ROOM		4096	/* of a server's buffer */

static int *clients;	/* the other ends of b->fd[] */

static void set_option(int fd, int level, int option, const void *value,
		       socklen_t size)
{
	if (setsockopt(fd, level, option, value, size))
		die("setsockopt");
}

static void connections(struct bench *b, int flags)
{
	/* its end leaves nothing to time out in somebody else's window */
	const struct linger reset = { .l_onoff = 1 };
	const int on = 1;
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	unsigned int i;
	int listener;

	b->fd = get_memory(b->registered, sizeof(*b->fd));
	clients = get_memory(b->registered, sizeof(*clients));
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		die("listener");
	for (i = 0; i < b->registered; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (clients[i] < 0 ||
		    connect(clients[i], (struct sockaddr *)&address, size))
			die("connect");
		b->fd[i] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | flags);
		if (b->fd[i] < 0)
			die("accept4");
		set_option(clients[i], SOL_SOCKET, SO_LINGER, &reset,
			   sizeof(reset));
		set_option(clients[i], IPPROTO_TCP, TCP_NODELAY, &on,
			   sizeof(on));
		set_option(b->fd[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	close(listener);
}

static void sources(struct bench *b)
{
	run_until_sleep();
	connections(b, SOCK_NONBLOCK);
}

static void floor_sources(struct bench *b)
{
	run_until_sleep();
	connections(b, 0);
}

/* a socket rather than anything that can be polled */
static void socket_queue(struct bench *b)
{
	unsigned int i;

	kevent_make(b);
	for (i = 0; i < b->registered; i++)
		kevent_check(ukevent_add_socket(&b->queue, b->fd[i],
						KEVENT_SOCK_RECV, KEVENT_EDGE,
						b->fd[i]), "kevent_ctl");
}

/* A short read says that there is no more, so nobody has to ask again. */
static inline void serve(int fd)
{
	char buf[ROOM];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n != REQUEST)
		die("server: recv");
	if (send(fd, buf, n, MSG_NOSIGNAL) != n)
		die("server: send");
}

static void floor_server(struct bench *b)
{
	unsigned int at = 0;

	for (;;) {
		serve(b->fd[at]);
		if (++at == b->registered)
			at = 0;
	}
}

static __always_inline void server(struct bench *b, enum peer peer)
{
	int i, n;

	for (;;) {
		n = collect(b, peer);
		for (i = 0; i < n; i++)
			serve(collected_fd(b, peer, i));
	}
}

ROUNDS(epoll_server, server(b, EPOLL))
ROUNDS(kevent_server, server(b, KEVENT))
ROUNDS(poll_server, server(b, POLL))

static void uring_server(struct bench *b)
{
	uring_queue(b);
	server(b, URING);
}

static void uring_defer_server(struct bench *b)
{
	uring_defer_queue(b);
	server(b, URING);
}

/*
 * io_uring all the way: requests arrive by one multishot receive per connection
 * in buffers that the kernel chooses, answers go out with the call that waits for
 * more.  An answer that was sent makes no completion; it lies in memory of its
 * connection, which the next request says to be free again.
 */
#define BUFFER_GROUP	0

static void recv_multishot(struct bench *b, unsigned int connection)
{
	struct io_uring_sqe *sqe = uring_sqe(b);

	io_uring_prep_recv_multishot(sqe, b->fd[connection], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
	sqe->user_data = connection;
}

static _Noreturn void recv_server(struct bench *b)
{
	const int mask = io_uring_buf_ring_mask(BATCH);
	struct io_uring_buf_reg reg = { .ring_entries = BATCH, .bgid = BUFFER_GROUP };
	char (*buffers)[ROOM] = get_memory(BATCH, ROOM);
	char (*answers)[REQUEST] = get_memory(b->registered, REQUEST);
	struct io_uring_buf_ring *ring;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned int head, i, n, id;

	ring = aligned_alloc(4096, BATCH * sizeof(struct io_uring_buf));
	if (!ring)
		die("aligned_alloc");
	reg.ring_addr = (uintptr_t)ring;
	uring_check(io_uring_register_buf_ring(&b->ring, &reg, 0),
		    "io_uring_register_buf_ring");
	io_uring_buf_ring_init(ring);
	for (i = 0; i < BATCH; i++)
		io_uring_buf_ring_add(ring, buffers[i], ROOM, i, mask, i);
	io_uring_buf_ring_advance(ring, BATCH);
	for (i = 0; i < b->registered; i++)
		recv_multishot(b, i);

	for (;;) {
		uring_check(io_uring_submit_and_wait(&b->ring, 1),
			    "io_uring_submit_and_wait");
		n = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			if (cqe->res != REQUEST ||
			    !(cqe->flags & IORING_CQE_F_MORE))
				uring_unexpected(cqe);
			id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
			i = cqe->user_data;
			memcpy(answers[i], buffers[id], REQUEST);
			io_uring_buf_ring_add(ring, buffers[id], ROOM, id, mask, n++);
			sqe = uring_sqe(b);
			io_uring_prep_send(sqe, b->fd[i], answers[i], REQUEST,
					   MSG_NOSIGNAL);
			sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		}
		io_uring_buf_ring_cq_advance(&b->ring, ring, n);
	}
}

static void uring_recv_server(struct bench *b)
{
	uring_make_default(b);
	recv_server(b);
}

static void uring_defer_recv_server(struct bench *b)
{
	uring_make_defer(b);
	recv_server(b);
}

static void client(struct bench *b)
{
	unsigned int round, i, at;
	char buf[REQUEST] = "";

	for (round = 0; round < b->rounds; round++) {
		for (i = 0, at = b->next; i < b->active; i++) {
			if (send(clients[at], buf, sizeof(buf), 0) != REQUEST)
				die("client: send");
			if (++at == b->registered)
				at = 0;
		}
		for (i = 0, at = b->next; i < b->active; i++) {
			if (recv(clients[at], buf, sizeof(buf), 0) != REQUEST)
				die("client: recv");
			if (++at == b->registered)
				at = 0;
		}
		b->next = at;
		b->collected += b->active;
	}
}

/* ---- two processors ---- */

#define SCHED_RUNS	10

/* of this thread and of those it makes from now on */
static int open_counter(uint64_t what)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = what,
		.inherit = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1,
			 PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		die_unless_missing("perf_event_open");
	return fd;
}

struct server {
	struct bench	*b;
	void		(*serve)(struct bench *b);
};

static void *server_thread(void *arg)
{
	struct server *server = arg;

	server->serve(server->b);
	return NULL;
}

static void sched_runs(struct bench *b, const char *mode,
		       void (*queue)(struct bench *b),
		       void (*serve)(struct bench *b))
{
	struct server server = { b, serve };
	int switches, migrations, run;
	uint64_t first[2];
	pthread_t thread;

	connections(b, SOCK_NONBLOCK);
	queue(b);
	switches = open_counter(PERF_COUNT_SW_CONTEXT_SWITCHES);
	migrations = open_counter(PERF_COUNT_SW_CPU_MIGRATIONS);
	errno = pthread_create(&thread, NULL, server_thread, &server);
	if (errno)
		die("pthread_create");
	client(b);
	for (run = 0; run < SCHED_RUNS; run++) {
		first[0] = read_count(switches);
		first[1] = read_count(migrations);
		client(b);
		printf("BENCH-SCHED workload=smp-echo mode=%s registered=%u requests=%u switches=%lu migrations=%lu\n",
		       mode, b->registered, b->rounds * b->active,
		       read_count(switches) - first[0],
		       read_count(migrations) - first[1]);
	}
}

static void epoll_sched(struct bench *b)
{
	sched_runs(b, "epoll-et", epoll_et_queue, epoll_server);
}

static void kevent_sched(struct bench *b)
{
	sched_runs(b, "kevent-edge", socket_queue, kevent_server);
}

static void kevent_poll_sched(struct bench *b)
{
	sched_runs(b, "kevent-poll-edge", kevent_edge_queue, kevent_server);
}

const struct run echo_runs[] = {
	{ "echo", "floor", floor_sources, NULL, client, floor_server },
	{ "echo", "poll", sources, poll_queue, client, poll_server },
	{ "echo", "epoll-lt", sources, epoll_lt_queue, client, epoll_server },
	{ "echo", "epoll-et", sources, epoll_et_queue, client, epoll_server },
	{ "echo", "kevent-edge", sources, socket_queue, client, kevent_server },
	{ "echo", "kevent-poll-edge", sources, kevent_edge_queue, client, kevent_server },
	{ "echo", "uring", sources, NULL, client, uring_server },
	{ "echo", "uring-defer", sources, NULL, client, uring_defer_server },
	{ "echo", "uring-recv", sources, NULL, client, uring_recv_server },
	{ "echo", "uring-defer-recv", sources, NULL, client, uring_defer_recv_server },
	{ "smp-echo", "epoll-et", .once = epoll_sched },
	{ "smp-echo", "kevent-edge", .once = kevent_sched },
	{ "smp-echo", "kevent-poll-edge", .once = kevent_poll_sched },
	{ 0 },
};
