// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * acks.c - D8: what a receiver acknowledges, and when
 *
 * Workload acks: a client sends messages of 64 bytes over TCP, in bursts of as many
 * as the parameter says, with TCP_NODELAY; a server receives them and sends nothing.
 * The client waits for the server after each burst, by an eventfd.  What is told are
 * segments of the server without data, which are acknowledgements only, how many of
 * those came by the timer for them, and the time.
 * Workload nagle: the same without TCP_NODELAY: the client's kernel sends a message
 * that does not fill a segment only if the one before was acknowledged.
 *
 * Each runs until it has to sleep.  The time is the emulated machine's, where an
 * instruction takes a nanosecond and a timer as long as it says.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <time.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "bench.h"

#define MESSAGE		64
#define ROOM		8192	/* more than a burst */
#define RUNS		10

static int arrived;		/* eventfd: a burst */
static uint64_t received;

struct counts {
	uint64_t	acks;
	uint64_t	delayed;
	uint64_t	ns;
};

static void client(struct bench *b)
{
	const char message[MESSAGE] = "";
	unsigned int i, round;

	for (round = 0; round < b->rounds; round++) {
		for (i = 0; i < b->parameter; i++)
			if (send(b->clients[0], message, MESSAGE, 0) != MESSAGE)
				die("client: send");
		read_count(arrived);
	}
}

static inline void receive(struct bench *b, ssize_t n)
{
	if (n <= 0)
		die("server: recv");
	received += n;
	if (received == (uint64_t)b->parameter * MESSAGE) {
		received = 0;
		write_one(arrived);
	}
}

static void recv_server(struct bench *b)
{
	char room[ROOM];

	for (;;)
		receive(b, recv(b->fd[0], room, sizeof(room), 0));
}

static __always_inline void server(struct bench *b, enum peer peer)
{
	char room[ROOM];
	ssize_t n;

	for (;;) {
		if (!collect(b, peer))
			continue;
		/* A short receive says that there is no more. */
		do {
			n = recv(b->fd[0], room, sizeof(room), 0);
			if (n < 0 && errno == EAGAIN)
				break;
			receive(b, n);
		} while (n == sizeof(room));
	}
}

ROUNDS(epoll_server, server(b, EPOLL))
ROUNDS(kevent_server, server(b, KEVENT))

static void stream_queue(struct bench *b)
{
	kevent_data_make(b, 0);
	kevent_stream_add_all(b, 0, 0, 0);
}

static void stream_late_queue(struct bench *b)
{
	kevent_data_make(b, 0);
	kevent_stream_add_all(b, KEVENT_LATE, 0, 0);
}

static void stream_server(struct bench *b)
{
	const struct ukevent *record;
	int i, n;

	for (;;) {
		n = kevent_collect(b, UKEVENT_FOREVER);
		for (i = 0; i < n; i++) {
			record = &b->record_buf[i];
			kevent_release(b, record);
			receive(b, kevent_length(record));
		}
	}
}

static void uring_server(struct bench *b)
{
	struct io_uring_cqe *cqe;
	unsigned int head;
	ssize_t sum;
	int n;

	uring_make_defer(b);
	uring_make_buffers(b, BATCH, ROOM);
	uring_recv_multishot(b, 0);
	for (;;) {
		uring_check(io_uring_submit_and_wait(&b->ring, 1),
			    "io_uring_submit_and_wait");
		n = 0;
		sum = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			if (cqe->res <= 0 || !(cqe->flags & IORING_CQE_F_MORE))
				uring_unexpected(cqe);
			sum += cqe->res;
			uring_give_back(b, cqe->flags >> IORING_CQE_BUFFER_SHIFT, n++);
		}
		io_uring_buf_ring_cq_advance(&b->ring, b->buf_ring, n);
		if (sum)
			receive(b, sum);
	}
}

/* ---- counting ---- */

/* of the machine, on which nobody else uses TCP */
static uint64_t delayed_acks(void)
{
	static char names[8192], values[8192];
	char *name, *value, *at_name, *at_value;
	FILE *f = fopen("/proc/net/netstat", "re");

	if (!f || !fgets(names, sizeof(names), f) ||
	    !fgets(values, sizeof(values), f))
		die("/proc/net/netstat");
	fclose(f);
	name = strtok_r(names, " \n", &at_name);
	value = strtok_r(values, " \n", &at_value);
	while (name && value && strcmp(name, "DelayedACKs")) {
		name = strtok_r(NULL, " \n", &at_name);
		value = strtok_r(NULL, " \n", &at_value);
	}
	if (!name || !value)
		die_of("/proc/net/netstat has no DelayedACKs");
	return strtoull(value, NULL, 10);
}

static struct counts look(struct bench *b)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);
	struct counts counts;
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t))
		die("clock_gettime");
	if (getsockopt(b->fd[0], IPPROTO_TCP, TCP_INFO, &info, &size))
		die("getsockopt");
	counts.acks = info.tcpi_segs_out - info.tcpi_data_segs_out;
	counts.delayed = delayed_acks();
	counts.ns = t.tv_sec * 1000000000ULL + t.tv_nsec;
	return counts;
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

static void count(struct bench *b, const char *workload, const char *mode, int flags,
		  void (*queue)(struct bench *b), void (*serve)(struct bench *b))
{
	struct server server = { b, serve };
	struct counts first, last;
	pthread_t thread;
	int run;

	if (b->registered != 1 || !b->parameter)
		die_of("acks are those of one connection, in bursts of the parameter");
	run_until_sleep();
	tcp_connections(b, flags);
	if (!strcmp(workload, "nagle"))
		tcp_nodelay(b->clients[0], 0);
	arrived = eventfd(0, EFD_CLOEXEC);
	if (arrived < 0)
		die("eventfd");
	if (queue)
		queue(b);
	errno = pthread_create(&thread, NULL, server_thread, &server);
	if (errno)
		die("pthread_create");
	client(b);
	for (run = 0; run < RUNS; run++) {
		first = look(b);
		client(b);
		last = look(b);
		printf("BENCH-ACKS workload=%s:%u mode=%s bursts=%u messages=%u acks=%lu delayed=%lu ns=%lu\n",
		       workload, b->parameter, mode, b->rounds,
		       b->rounds * b->parameter, last.acks - first.acks,
		       last.delayed - first.delayed, last.ns - first.ns);
	}
}

#define ACKS(workload, name, mode, flags, queue, serve)			\
static void workload##_##name(struct bench *b)				\
{									\
	count(b, #workload, mode, flags, queue, serve);			\
}

#define BOTH(name, mode, flags, queue, serve)				\
ACKS(acks, name, mode, flags, queue, serve)				\
ACKS(nagle, name, mode, flags, queue, serve)

BOTH(recv, "recv", 0, NULL, recv_server)
BOTH(epoll, "epoll-et", SOCK_NONBLOCK, epoll_et_queue, epoll_server)
BOTH(kevent, "kevent-edge", SOCK_NONBLOCK, kevent_socket_queue, kevent_server)
BOTH(stream, "kevent-stream", SOCK_NONBLOCK, stream_queue, stream_server)
BOTH(late, "kevent-stream-late", SOCK_NONBLOCK, stream_late_queue, stream_server)
BOTH(uring, "uring-defer-recv", SOCK_NONBLOCK, NULL, uring_server)

const struct run acks_runs[] = {
	{ "acks", "recv", .once = acks_recv },
	{ "acks", "epoll-et", .once = acks_epoll },
	{ "acks", "kevent-edge", .once = acks_kevent },
	{ "acks", "kevent-stream", .once = acks_stream },
	{ "acks", "kevent-stream-late", .once = acks_late },
	{ "acks", "uring-defer-recv", .once = acks_uring },
	{ "nagle", "recv", .once = nagle_recv },
	{ "nagle", "epoll-et", .once = nagle_epoll },
	{ "nagle", "kevent-edge", .once = nagle_kevent },
	{ "nagle", "kevent-stream", .once = nagle_stream },
	{ "nagle", "kevent-stream-late", .once = nagle_late },
	{ "nagle", "uring-defer-recv", .once = nagle_uring },
	{ 0 },
};
