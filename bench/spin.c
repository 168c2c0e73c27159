// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * spin.c - P6, D4: a consumer that runs anyway, on a processor of its own
 *
 * Not instructions are of interest here, but how often the consumer enters the
 * kernel and how often one processor interrupts the other.  The consumer is
 * pinned to CPU 1, who makes the events to CPU 0.
 *
 * Workloads spin-eventfd, spin-socket: a producer makes an event, waits until
 * the consumer has it, takes away what was sent, and so on.
 * Workload spin-stream: the same with messages over TCP, which the consumer
 * receives.
 * Workload spin-user: a producer makes events as fast as it can, which peers
 * get through an eventfd; the events are counted, however many a record or a
 * read() tells of.
 * Workload spin-timer: the same, and the producer is a periodic timer.
 *
 * Mode epoll-et-sleep sleeps instead, given the time for it, which must show as
 * one system call and one IPI for each event, else they are not counted right.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <time.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include "bench.h"

#define PERIOD_NS	250000
#define MESSAGE		64	/* bytes, of spin-stream */
#define ROOM		4096	/* to receive one */

/*
 * So many times nothing in a row, then a consumer asks the kernel if that says
 * that it holds something back.  Until then the next event may bring it along.
 */
#define PATIENCE	100000

/* each written by one thread only */
static uint64_t wanted __attribute__((aligned(64)));	/* up to here */
static uint64_t seen __attribute__((aligned(64)));

static int sender;		/* the other end of the socket */
static bool free_running;	/* nobody asks how many are wanted */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static inline uint64_t get(uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void put(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELEASE);
}

/* what is watched; made on CPU 0, where a timer then stays */

static void one_source(struct bench *b, int fd)
{
	pin(0);
	if (b->registered != 1)
		die_of("a consumer spins on one source");
	b->fd = get_memory(1, sizeof(*b->fd));
	b->fd[0] = fd;
	if (fd < 0)
		die("source");
}

static void eventfd_source(struct bench *b)
{
	one_source(b, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
}

static void socket_source(struct bench *b)
{
	int pair[2] = { -1, -1 };

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
	one_source(b, pair[0]);
	sender = pair[1];
}

static void tcp_source(struct bench *b)
{
	pin(0);
	if (b->registered != 1)
		die_of("a consumer spins on one source");
	tcp_connections(b, SOCK_NONBLOCK);
}

static void timerfd_source(struct bench *b)
{
	one_source(b, timerfd_create(CLOCK_MONOTONIC,
				     TFD_NONBLOCK | TFD_CLOEXEC));
}

static void number_source(struct bench *b)
{
	one_source(b, 0);
}

/* producers: a thread on CPU 0 */

static void wait_until_wanted(uint64_t posted)
{
	while (get(&wanted) <= posted)
		;
}

static void wait_until_seen(uint64_t posted)
{
	while (get(&seen) < posted)
		;
}

static void eventfd_in_step(struct bench *b)
{
	uint64_t posted;

	pin(0);
	for (posted = 0; ; posted++) {
		wait_until_wanted(posted);
		write_one(b->fd[0]);
		wait_until_seen(posted + 1);
	}
}

/* gives the consumer the time to fall asleep */
static void eventfd_slowly(struct bench *b)
{
	const struct timespec t = { .tv_nsec = 1000 * 1000 };
	uint64_t posted;

	pin(0);
	for (posted = 0; ; posted++) {
		wait_until_wanted(posted);
		nanosleep(&t, NULL);
		write_one(b->fd[0]);
		wait_until_seen(posted + 1);
	}
}

static void socket_in_step(struct bench *b)
{
	uint64_t posted;
	char byte = 0;

	pin(0);
	for (posted = 0; ; posted++) {
		wait_until_wanted(posted);
		if (send(sender, &byte, 1, 0) != 1)
			die("send");
		wait_until_seen(posted + 1);
		if (recv(b->fd[0], &byte, 1, 0) != 1)
			die("recv");
	}
}

static void tcp_in_step(struct bench *b)
{
	const char message[MESSAGE] = "";
	uint64_t posted;

	pin(0);
	for (posted = 0; ; posted++) {
		wait_until_wanted(posted);
		if (send(b->clients[0], message, MESSAGE, 0) != MESSAGE)
			die("send");
		wait_until_seen(posted + 1);
	}
}

static void eventfd_at_will(struct bench *b)
{
	uint64_t posted;

	pin(0);
	for (posted = 0; ; posted++) {
		wait_until_wanted(posted);
		write_one(b->fd[0]);
	}
}

static void user_at_will(struct bench *b)
{
	uint64_t posted;

	pin(0);
	for (posted = 0; ; posted++) {
		wait_until_wanted(posted);
		kevent_check(ukevent_trigger(&b->queue, b->fd[0], posted),
			     "kevent_ctl");
	}
}

/* queues */

static void start_timerfd(struct bench *b)
{
	const struct itimerspec period = {
		.it_value.tv_nsec = PERIOD_NS,
		.it_interval.tv_nsec = PERIOD_NS,
	};

	free_running = true;
	epoll_et_queue(b);
	if (timerfd_settime(b->fd[0], 0, &period, NULL))
		die("timerfd_settime");
	pin(1);
}

static void watch_by_epoll(struct bench *b)
{
	epoll_et_queue(b);
	pin(1);
}

static void watch_by_uring(struct bench *b)
{
	uring_queue(b);
	pin(1);
}

static void watch_by_uring_defer(struct bench *b)
{
	uring_defer_queue(b);
	pin(1);
}

static void watch_by_poll(struct bench *b)
{
	kevent_edge_queue(b);
	pin(1);
}

static void watch_socket(struct bench *b)
{
	kevent_make(b);
	kevent_check(ukevent_add_socket(&b->queue, b->fd[0], KEVENT_SOCK_RECV,
					KEVENT_EDGE, 0), "kevent_ctl");
	pin(1);
}

static void watch_stream(struct bench *b)
{
	kevent_data_make(b, 0);
	kevent_stream_add_all(b, 0, 0, 0);
	pin(1);
}

static void recv_by_uring(struct bench *b)
{
	uring_make_buffers(b, BATCH, ROOM);
	uring_recv_multishot(b, 0);
	uring_check(io_uring_submit(&b->ring), "io_uring_submit");
	pin(1);
}

static void watch_by_uring_recv(struct bench *b)
{
	uring_make_default(b);
	recv_by_uring(b);
}

static void watch_by_uring_defer_recv(struct bench *b)
{
	uring_make_defer(b);
	recv_by_uring(b);
}

static void watch_user(struct bench *b)
{
	kevent_make(b);
	kevent_check(ukevent_add(&b->queue, KEVENT_TYPE_USER, b->fd[0],
				 KEVENT_USER_TRIGGERED, KEVENT_EDGE, 0),
		     "kevent_ctl");
	pin(1);
}

static void start_timer(struct bench *b)
{
	struct kevent_change change = {
		.op = KEVENT_OP_ADD,
		.type = KEVENT_TYPE_TIMER,
		.flags = KEVENT_EDGE,
		.ident = b->fd[0],
		.events = KEVENT_TIMER_EXPIRED,
		.param[KEVENT_TIMER_TIME] = PERIOD_NS,
		.param[KEVENT_TIMER_PERIOD] = PERIOD_NS,
		.param[KEVENT_TIMER_CLOCK] = CLOCK_MONOTONIC,
	};

	free_running = true;
	kevent_make(b);
	kevent_check(ukevent_change(&b->queue, &change), "kevent_ctl");
	pin(1);
}

/* consumers: the main thread, on CPU 1 */

static uint64_t begin(struct bench *b)
{
	uint64_t target = (free_running ? seen : wanted) +
			  b->rounds * b->active;

	put(&wanted, target);
	return target;
}

static void end(struct bench *b, uint64_t target)
{
	if (seen != target && !free_running) {
		fprintf(stderr, "workloads: saw %lu events of %lu\n", seen,
			target);
		exit(1);
	}
	b->collected += b->rounds * b->active;
}

static __always_inline void spin_epoll(struct bench *b, bool do_read,
				       int timeout_ms)
{
	uint64_t target = begin(b);
	int n;

	while (seen < target) {
		n = epoll_collect(b, timeout_ms);
		if (n)
			put(&seen, seen + (do_read ? read_count(b->fd[0]) : 1));
	}
	end(b, target);
}

static void spin_epoll_noread(struct bench *b)
{
	spin_epoll(b, false, 0);
}

static void spin_epoll_read(struct bench *b)
{
	spin_epoll(b, true, 0);
}

static void sleep_epoll_noread(struct bench *b)
{
	spin_epoll(b, false, -1);
}

/* messages in so many bytes */
static inline uint64_t messages(ssize_t bytes)
{
	if (bytes <= 0 || bytes % MESSAGE)
		die_of("received no whole messages");
	return bytes / MESSAGE;
}

/* All that there is: a short receive says that there is no more. */
static inline uint64_t recv_messages(struct bench *b)
{
	char buf[ROOM];

	return messages(recv(b->fd[0], buf, sizeof(buf), 0));
}

static void spin_epoll_recv(struct bench *b)
{
	uint64_t target = begin(b);

	while (seen < target)
		if (epoll_collect(b, 0))
			put(&seen, seen + recv_messages(b));
	end(b, target);
}

static void spin_uring_recv(struct bench *b)
{
	uint64_t target = begin(b), sum;
	struct io_uring_cqe *cqe;
	unsigned int head;
	int n;

	while (seen < target) {
		if (b->ring.flags & IORING_SETUP_DEFER_TASKRUN)
			uring_check(io_uring_get_events(&b->ring),
				    "io_uring_get_events");
		n = 0;
		sum = 0;
		io_uring_for_each_cqe(&b->ring, head, cqe) {
			if (!(cqe->flags & IORING_CQE_F_MORE))
				uring_unexpected(cqe);
			sum += messages(cqe->res);
			uring_give_back(b, cqe->flags >> IORING_CQE_BUFFER_SHIFT, n++);
		}
		if (n) {
			io_uring_buf_ring_cq_advance(&b->ring, b->buf_ring, n);
			put(&seen, seen + sum);
		}
	}
	end(b, target);
}

/* each event is a completion, so there is no need to read */
static void spin_uring(struct bench *b)
{
	uint64_t target = begin(b);
	int n;

	while (seen < target) {
		n = uring_peek(b);
		if (n)
			put(&seen, seen + n);
	}
	end(b, target);
}

static inline uint64_t events_of(struct bench *b, const struct ukevent *record)
{
	uint64_t n;

	switch (record->type) {
	case KEVENT_TYPE_USER:
		return record->data[1];
	case KEVENT_TYPE_TIMER:
		return record->data[0];
	case KEVENT_TYPE_STREAM:
		n = messages(kevent_length(record));
		kevent_release(b, record);
		return n;
	default:
		return 1;
	}
}

static __always_inline void spin_on_ring(struct bench *b, bool do_recv)
{
	struct ukevent_queue *q = &b->queue;
	uint64_t target = begin(b), sum;
	unsigned int nothing = 0;
	int i, n;

	while (seen < target) {
		n = ukevent_take(q, b->record_buf, BATCH);
		if (n) {
			nothing = 0;
			for (sum = 0, i = 0; i < n; i++)
				sum += do_recv ? recv_messages(b) :
					events_of(b, &b->record_buf[i]);
			put(&seen, seen + sum);
		}
		if (ukevent_flush_due(q, 0) ||
		    (++nothing > PATIENCE && ukevent_flush_due(q, 1))) {
			kevent_check(ukevent_wait(q, 0, 0), "kevent_wait");
			nothing = 0;
		}
	}
	end(b, target);
}

static void spin_kevent(struct bench *b)
{
	spin_on_ring(b, false);
}

static void spin_kevent_recv(struct bench *b)
{
	spin_on_ring(b, true);
}

const struct run spin_runs[] = {
	{ "spin-eventfd", "epoll-et", eventfd_source,
	  watch_by_epoll, spin_epoll_noread, eventfd_in_step },
	{ "spin-eventfd", "epoll-et-sleep", eventfd_source,
	  watch_by_epoll, sleep_epoll_noread, eventfd_slowly },
	{ "spin-eventfd", "kevent-edge", eventfd_source,
	  watch_by_poll, spin_kevent, eventfd_in_step },
	{ "spin-eventfd", "uring", eventfd_source, watch_by_uring, spin_uring, eventfd_in_step },
	{ "spin-eventfd", "uring-defer", eventfd_source,
	  watch_by_uring_defer, spin_uring, eventfd_in_step },
	{ "spin-socket", "epoll-et", socket_source,
	  watch_by_epoll, spin_epoll_noread, socket_in_step },
	{ "spin-socket", "kevent-edge", socket_source, watch_socket, spin_kevent, socket_in_step },
	{ "spin-socket", "kevent-poll-edge", socket_source,
	  watch_by_poll, spin_kevent, socket_in_step },
	{ "spin-socket", "uring", socket_source, watch_by_uring, spin_uring, socket_in_step },
	{ "spin-socket", "uring-defer", socket_source,
	  watch_by_uring_defer, spin_uring, socket_in_step },
	{ "spin-stream", "epoll-et", tcp_source, watch_by_epoll, spin_epoll_recv, tcp_in_step },
	{ "spin-stream", "kevent-edge", tcp_source, watch_socket, spin_kevent_recv, tcp_in_step },
	{ "spin-stream", "kevent-stream", tcp_source, watch_stream, spin_kevent, tcp_in_step },
	{ "spin-stream", "uring-recv", tcp_source,
	  watch_by_uring_recv, spin_uring_recv, tcp_in_step },
	{ "spin-stream", "uring-defer-recv", tcp_source,
	  watch_by_uring_defer_recv, spin_uring_recv, tcp_in_step },
	{ "spin-user", "epoll-et", eventfd_source,
	  watch_by_epoll, spin_epoll_read, eventfd_at_will },
	{ "spin-user", "kevent-edge", number_source, watch_user, spin_kevent, user_at_will },
	{ "spin-timer", "epoll-et", timerfd_source, start_timerfd, spin_epoll_read },
	{ "spin-timer", "kevent-edge", number_source, start_timer, spin_kevent },
	{ 0 },
};
