// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * echo.c - P4, P14, D1 to D6: what an event costs where it belongs to a request
 *
 * Workload echo: TCP over the loopback.  A client sends 64 bytes, or as many as the
 * parameter says, on each active connection, then receives the answers; a server
 * collects and echoes.  Client and server are a thread each on one CPU, and each
 * runs until it has to sleep: the server finds everything ready once it is woken,
 * and sleeps when it has answered, so that a round has two switches in every mode.
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
#include <sys/socket.h>
#include <sys/syscall.h>

#include "bench.h"

#define REQUEST		64	/* bytes, without a parameter */
#define ROOM		8192	/* of a server's buffer */

/* as many bytes as the workload's parameter says */
static inline ssize_t request_size(const struct bench *b)
{
	return b->parameter ? b->parameter : REQUEST;
}

static void connections(struct bench *b, int flags)
{
	if (request_size(b) >= ROOM)
		die_of("a request is larger than the server's buffer");
	tcp_connections(b, flags);
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

/* A short read says that there is no more, so nobody has to ask again. */
static inline void serve(struct bench *b, int fd)
{
	char buf[ROOM];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);

	if (n != request_size(b))
		die("server: recv");
	if (send(fd, buf, n, MSG_NOSIGNAL) != n)
		die("server: send");
}

static void floor_server(struct bench *b)
{
	unsigned int at = 0;

	for (;;) {
		serve(b, b->fd[at]);
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
			serve(b, collected_fd(b, peer, i));
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
 * STREAM: requests arrive in the data area, answers leave from there with the call
 * that waits for more, then the area gets them back.  What comes meanwhile must
 * find room beside them.
 */
static void make_streams(struct bench *b, uint32_t flags)
{
	const uint64_t area = 4ULL * b->active * request_size(b);

	kevent_data_make(b, area > DEFAULT_AREA ? area : 0);
	kevent_stream_add_all(b, flags, 0, 0);
}

static void stream_queue(struct bench *b)
{
	make_streams(b, 0);
}

static void stream_late_queue(struct bench *b)
{
	make_streams(b, KEVENT_LATE);
}

/* What was sent is as long as it should be. */
static inline void check_sent(const struct bench *b, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (b->sends[i].result != request_size(b))
			die_of("server: kevent_send sent something else");
}

static void stream_server(struct bench *b)
{
	const struct ukevent *record = NULL;
	int i, n = 0;

	for (;;) {
		kevent_send_wait(b, n);
		if (n) {
			check_sent(b, n);
			kevent_release(b, record);
		}
		n = ukevent_take(&b->queue, b->record_buf, b->batch);
		for (i = 0; i < n; i++) {
			record = &b->record_buf[i];
			b->sends[i].addr = (uintptr_t)kevent_bytes(b, record);
			b->sends[i].fd = record->cookie;
			b->sends[i].len = kevent_length(record);
		}
	}
}

/* the same with a call for each answer */
static void stream_send_server(struct bench *b)
{
	const struct ukevent *record = NULL;
	int i, n;

	for (;;) {
		n = kevent_collect(b, UKEVENT_FOREVER);
		for (i = 0; i < n; i++) {
			record = &b->record_buf[i];
			if (kevent_length(record) != request_size(b) ||
			    send(record->cookie, kevent_bytes(b, record),
				 request_size(b), MSG_NOSIGNAL) != request_size(b))
				die("server: send");
		}
		if (n)
			kevent_release(b, record);
	}
}

/* SOCKET: only the sends go with the call that waits */
static void send_queue(struct bench *b)
{
	kevent_data_make(b, 0);
	kevent_socket_add_all(b);
}

static void send_server(struct bench *b)
{
	char (*rooms)[ROOM] = get_memory(BATCH, ROOM);
	int fd, i, n = 0;

	for (;;) {
		kevent_send_wait(b, n);
		check_sent(b, n);
		n = ukevent_take(&b->queue, b->record_buf, b->batch);
		for (i = 0; i < n; i++) {
			fd = b->record_buf[i].cookie;
			if (recv(fd, rooms[i], ROOM, 0) != request_size(b))
				die("server: recv");
			b->sends[i].addr = (uintptr_t)rooms[i];
			b->sends[i].fd = fd;
			b->sends[i].len = request_size(b);
		}
	}
}

/*
 * io_uring all the way: requests arrive by one multishot receive per connection
 * in buffers that the kernel chooses, answers go out with the call that waits for
 * more.  An answer that was sent makes no completion; it lies in memory of its
 * connection, which the next request says to be free again.
 */
static __always_inline void recv_loop(struct bench *b, const int size)
{
	char *answers = get_memory(b->registered, size);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned int head, i, n, id;

	for (;;) {
		uring_check(io_uring_submit_and_wait(&b->ring, 1),
			    "io_uring_submit_and_wait");
		n = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			if (cqe->res != size || !(cqe->flags & IORING_CQE_F_MORE))
				uring_unexpected(cqe);
			id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
			i = cqe->user_data;
			memcpy(answers + i * size, uring_buffer(b, id), size);
			uring_give_back(b, id, n++);
			sqe = uring_sqe(b);
			io_uring_prep_send(sqe, b->fd[i], answers + i * size, size,
					   MSG_NOSIGNAL);
			sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		}
		io_uring_buf_ring_cq_advance(&b->ring, b->buf_ring, n);
	}
}

static void recv_server(struct bench *b)
{
	unsigned int i;

	uring_make_buffers(b, BATCH, ROOM);
	for (i = 0; i < b->registered; i++)
		uring_recv_multishot(b, i);
	/* so few bytes are copied without a call */
	if (request_size(b) == REQUEST)
		recv_loop(b, REQUEST);
	else
		recv_loop(b, request_size(b));
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
	const ssize_t size = request_size(b);
	unsigned int round, i, at;
	static char buf[ROOM];

	for (round = 0; round < b->rounds; round++) {
		for (i = 0, at = b->next; i < b->active; i++) {
			if (send(b->clients[at], buf, size, 0) != size)
				die("client: send");
			if (++at == b->registered)
				at = 0;
		}
		for (i = 0, at = b->next; i < b->active; i++) {
			if (recv(b->clients[at], buf, size, 0) != size)
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
	sched_runs(b, "kevent-edge", kevent_socket_queue, kevent_server);
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
	{ "echo", "kevent-edge", sources, kevent_socket_queue, client, kevent_server },
	{ "echo", "kevent-poll-edge", sources, kevent_edge_queue, client, kevent_server },
	{ "echo", "kevent-send", sources, send_queue, client, send_server },
	{ "echo", "kevent-stream", sources, stream_queue, client, stream_server },
	{ "echo", "kevent-stream-late", sources, stream_late_queue, client, stream_server },
	{ "echo", "kevent-stream-send", sources, stream_queue, client, stream_send_server },
	{ "echo", "uring", sources, NULL, client, uring_server },
	{ "echo", "uring-defer", sources, NULL, client, uring_defer_server },
	{ "echo", "uring-recv", sources, NULL, client, uring_recv_server },
	{ "echo", "uring-defer-recv", sources, NULL, client, uring_defer_recv_server },
	{ "smp-echo", "epoll-et", .once = epoll_sched },
	{ "smp-echo", "kevent-edge", .once = kevent_sched },
	{ "smp-echo", "kevent-poll-edge", .once = kevent_poll_sched },
	{ 0 },
};
