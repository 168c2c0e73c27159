// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * bulk.c - D7: one stream of bytes, one way
 *
 * Workload bulk: a client writes 64 KiB at a time over TCP, as fast as the socket
 * takes them, a server receives them and leaves the bytes where they are.  An event
 * is a write; the client waits for the server at the end of each window only.
 * Each runs until it has to sleep, so the client sleeps when the connection is full
 * of bytes and the server when it is empty, in every mode.
 *
 * The server of mode recv sleeps in recv(), which is asked for 64 KiB as well.
 */
#include <sys/socket.h>

#include "bench.h"

#define WRITE		65536
#define AREA		(1 << 20)	/* of the queue, all for this connection */
#define URING_BUFFERS	64

static char to_write[WRITE], room[WRITE];
static int arrived;		/* eventfd: all that was written */
static uint64_t received;

static void connection(struct bench *b, int flags)
{
	run_until_sleep();
	if (b->registered != 1)
		die_of("bulk is one connection");
	tcp_connections(b, flags);
	arrived = eventfd(0, EFD_CLOEXEC);
	if (arrived < 0)
		die("eventfd");
	memset(to_write, 'a', sizeof(to_write));
	memset(room, 0, sizeof(room));
}

static void sources(struct bench *b)
{
	connection(b, SOCK_NONBLOCK);
}

static void recv_sources(struct bench *b)
{
	connection(b, 0);
}

static void client(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < b->rounds; i++)
		if (send(b->clients[0], to_write, WRITE, 0) != WRITE)
			die("client: send");
	read_count(arrived);
	b->collected += b->rounds;
}

static inline void receive(struct bench *b, ssize_t n)
{
	received += n;
	if (received == (uint64_t)b->rounds * WRITE) {
		received = 0;
		write_one(arrived);
	}
}

static void recv_server(struct bench *b)
{
	ssize_t n;

	for (;;) {
		n = recv(b->fd[0], room, WRITE, 0);
		if (n <= 0)
			die("server: recv");
		receive(b, n);
	}
}

static __always_inline void server(struct bench *b, enum peer peer)
{
	ssize_t n;

	for (;;) {
		if (!collect(b, peer))
			continue;
		/* A short receive says that there is no more. */
		do {
			n = recv(b->fd[0], room, WRITE, 0);
			if (n < 0 && errno == EAGAIN)
				break;
			if (n <= 0)
				die("server: recv");
			receive(b, n);
		} while (n == WRITE);
	}
}

ROUNDS(epoll_server, server(b, EPOLL))
ROUNDS(kevent_server, server(b, KEVENT))

static void stream_queue(struct bench *b)
{
	kevent_data_make(b, AREA);
	kevent_stream_add_all(b, 0, KEVENT_STREAM_MAX_MOST, AREA);
}

static void stream_late_queue(struct bench *b)
{
	kevent_data_make(b, AREA);
	kevent_stream_add_all(b, KEVENT_LATE, KEVENT_STREAM_MAX_MOST, AREA);
}

static void stream_server(struct bench *b)
{
	ssize_t sum;
	int i, n;

	for (;;) {
		n = kevent_collect(b, UKEVENT_FOREVER);
		if (!n)
			continue;
		for (sum = 0, i = 0; i < n; i++)
			sum += kevent_length(&b->record_buf[i]);
		kevent_release(b, &b->record_buf[n - 1]);
		receive(b, sum);
	}
}

static void uring_server(struct bench *b)
{
	struct io_uring_cqe *cqe;
	unsigned int head, seen;
	ssize_t sum;
	bool ended;
	int n;

	uring_make_defer(b);
	uring_make_buffers(b, URING_BUFFERS, WRITE);
	uring_recv_multishot(b, 0);
	for (;;) {
		uring_check(io_uring_submit_and_wait(&b->ring, 1),
			    "io_uring_submit_and_wait");
		seen = n = 0;
		sum = 0;
		ended = false;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			seen++;
			if (cqe->res > 0) {
				sum += cqe->res;
				uring_give_back(b, cqe->flags >> IORING_CQE_BUFFER_SHIFT,
						n++);
			} else if (cqe->res != -ENOBUFS) {
				uring_unexpected(cqe);
			}
			if (!(cqe->flags & IORING_CQE_F_MORE))
				ended = true;
		}
		io_uring_buf_ring_advance(b->buf_ring, n);
		io_uring_cq_advance(&b->ring, seen);
		if (ended)
			uring_recv_multishot(b, 0);
		if (sum)
			receive(b, sum);
	}
}

const struct run bulk_runs[] = {
	{ "bulk", "recv", recv_sources, NULL, client, recv_server },
	{ "bulk", "epoll-et", sources, epoll_et_queue, client, epoll_server },
	{ "bulk", "kevent-edge", sources, kevent_socket_queue, client, kevent_server },
	{ "bulk", "kevent-stream", sources, stream_queue, client, stream_server },
	{ "bulk", "kevent-stream-late", sources, stream_late_queue, client, stream_server },
	{ "bulk", "uring-defer-recv", sources, NULL, client, uring_server },
	{ 0 },
};
