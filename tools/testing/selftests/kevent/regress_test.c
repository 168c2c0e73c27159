// SPDX-License-Identifier: GPL-2.0
/*
 * One test for each bug that was found by reading, and fixed.
 *
 * Some need a thread that was woken not to run yet.  It is bound to the
 * processor of the test, which then runs with a real-time priority.
 */
#include <linux/io_uring.h>

#include "kevent_test.h"

#define LAST		KEVENT_REC_LAST
#define RACE_SECONDS	4

/* Binds two threads to two processors; -ENODEV if there is but one. */
static int keep_apart(pthread_t one, pthread_t two)
{
	cpu_set_t all, set;
	int cpu, n = 0;

	if (sched_getaffinity(0, sizeof(all), &all))
		return -errno;
	for (cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (pthread_setaffinity_np(n++ ? two : one, sizeof(set), &set))
			return -EINVAL;
	}
	return n < 2 ? -ENODEV : 0;
}

/*
 * An entry with a tail this kernel does not know has its error, and nothing
 * else, written to it.  What the kernel had on its stack came out in its id.
 *
 *   entry 0   ADD, tail 0    -> 0, id
 *   entry 1   ADD, tail 1    -> -E2BIG, id as it was
 *   entry 2   ADD, tail 0    -> 0, id
 */
TEST(unknown_tail)
{
	struct {
		struct kevent_change c;
		__u64 tail;
	} entry[3], before;
	struct ukevent_queue q;
	int fds[3], i;

	ASSERT_EQ(0, queue_init(&q, 8));
	for (i = 0; i < 3; i++) {
		fds[i] = make_eventfd(1);
		ASSERT_LE(0, fds[i]);
		entry[i].c = make_change(KEVENT_OP_ADD, fds[i], EV_IN,
					 KEVENT_EDGE, i);
		entry[i].tail = 0;
	}
	entry[1].c.id = 0x5eed5eed5eed5eedULL;
	entry[1].tail = 1;
	before = entry[1];
	before.c.result = -E2BIG;

	ASSERT_EQ(104, sizeof(entry[0]));
	EXPECT_EQ(3, sys_kevent_ctl(q.fd, &entry[0].c, 3, sizeof(entry[0]), 0));
	EXPECT_EQ(0, entry[0].c.result);
	EXPECT_NE(0, entry[0].c.id);
	EXPECT_EQ(-E2BIG, entry[1].c.result);
	EXPECT_EQ(0x5eed5eed5eed5eedULL, entry[1].c.id);
	EXPECT_EQ(0, memcmp(&before, &entry[1], sizeof(before)));
	EXPECT_EQ(0, entry[2].c.result);
	EXPECT_NE(0, entry[2].c.id);

	EXPECT_TAKE(&q, 0, EV_IN, 0);
	EXPECT_TAKE(&q, 2, EV_IN, 0);
	EXPECT_QUIET(&q);
	ukevent_queue_exit(&q);
}

FIXTURE(full_ring) {
	struct ukevent_queue q;
};

FIXTURE_VARIANT(full_ring) {
	int entries;
};

FIXTURE_VARIANT_ADD(full_ring, one) {
	.entries = 1,
};

FIXTURE_VARIANT_ADD(full_ring, four) {
	.entries = 4,
};

FIXTURE_SETUP(full_ring)
{
	ASSERT_EQ(0, queue_init(&self->q, variant->entries));
}

FIXTURE_TEARDOWN(full_ring)
{
	ukevent_queue_exit(&self->q);
}

#define COOKIE_LEVEL	100
#define COOKIE_PIPE	101

/*
 * Those that keep the ring full do not starve those that wait for a query.
 *
 *   ring      h0 h1 h2 h3         always full, each is written again when its
 *   backlog   h4 h5 h6 h7         record was taken
 *   recheck   level               half read, its record consumed
 *   deferred  pipe                a wake-up that does not say what happened
 */
TEST_F(full_ring, starves_nobody)
{
	int n = 2 * variant->entries, levels = 0, pipes = 0, i;
	int fds[8], sv[2], pfd[2];
	struct ukevent ev;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
	ASSERT_EQ(0, pipe2(pfd, O_CLOEXEC));
	ASSERT_EQ(0, add_fd(self->q.fd, sv[0], EV_IN, 0, COOKIE_LEVEL, NULL));
	ASSERT_EQ(0, add_fd(self->q.fd, pfd[0], EV_IN, KEVENT_EDGE, COOKIE_PIPE,
			    NULL));
	ASSERT_EQ(2, write(sv[1], "ab", 2));
	EXPECT_TAKE(&self->q, COOKIE_LEVEL, EV_IN, 0);
	ASSERT_EQ(1, read(sv[0], &ev, 1));

	for (i = 0; i < n; i++) {
		fds[i] = make_eventfd(0);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, add_fd(self->q.fd, fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
		ASSERT_EQ(0, eventfd_add(fds[i], 1));
	}
	ASSERT_EQ(variant->entries, in_ring(&self->q));
	close(pfd[1]);

	for (i = 0; i < 64; i++) {
		while (ukevent_take(&self->q, &ev, 1)) {
			if (ev.cookie == COOKIE_LEVEL) {
				EXPECT_RECORD(&ev, COOKIE_LEVEL, EV_IN, 0);
				levels++;
			} else if (ev.cookie == COOKIE_PIPE) {
				EXPECT_RECORD(&ev, COOKIE_PIPE, EV_HUP, 0);
				pipes++;
			} else {
				ASSERT_EQ(0, eventfd_add(fds[ev.cookie], 1));
				/* it publishes what waits before it */
				if (in_ring(&self->q) == variant->entries)
					break;
			}
		}
		ASSERT_LE(1, sys_kevent_wait(self->q.fd, i & 1, NULL, 0));
	}
	EXPECT_EQ(1, pipes);
	EXPECT_LE(2, levels);
	close(pfd[0]);
	close(sv[0]);
	close(sv[1]);
}

/*
 * One that was woken and wants more hands on what it does not take.  This and
 * the next two never failed here: a waiter that wakes collects, and that looks
 * for others to wake.  They are to stay true if it ever does not.
 *
 *   W2 sleeps, for 1 first, then for 5 at most 1000 s more
 *   W3 sleeps, for 1
 *                        a record     W2 is woken, the record promised to it
 *   W2 sleeps, for 5                  W3 must be woken
 *                        4 records
 *   W2 returns
 */
TEST(hand_on_min_wait)
{
	struct kevent_wait_args args = { .min_wait_ns = 1000 * NSEC_PER_SEC };
	struct ukevent_queue q;
	struct waiter w2, w3;
	int fds[5], i;

	ASSERT_EQ(0, queue_init(&q, 8));
	for (i = 0; i < 5; i++) {
		fds[i] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q.fd, fds[i], EV_IN, KEVENT_EDGE, i, NULL));
	}
	ASSERT_EQ(0, waiter_start(&w2, &q, 5, &args));
	ASSERT_EQ(0, waiter_start(&w3, &q, 1, NULL));
	ASSERT_EQ(0, eventfd_add(fds[0], 1));
	ASSERT_EQ(1, waiter_result(&w3));
	EXPECT_FALSE(waiter_done(&w2, TEST_SHORT_MS));
	for (i = 1; i < 5; i++)
		ASSERT_EQ(0, eventfd_add(fds[i], 1));
	ASSERT_EQ(5, waiter_result(&w2));
	ukevent_queue_exit(&q);
}

/*
 * The same when a third thread takes what A was woken for.
 *
 *   ring LLL, each L deferred with something that is not in its record
 *   A sleeps, for 5
 *   B sleeps, for 4
 *        main: takes LLL, three others are published       ring eee
 *              kevent_wait(0) publishes LLL in one go      ring eeeLLL
 *              A is woken, 5 of 6 promised to it: not B
 *              takes two                                   ring eLLL
 *   A wants 5, sleeps: now B must be woken
 */
TEST(hand_on_taken)
{
	struct ukevent_queue q;
	struct ukevent ev[3];
	struct waiter a, b;
	int fds[6], i;

	if (!may_run_alone())
		SKIP(return, "no real-time priority");
	ASSERT_EQ(0, queue_init(&q, 16));
	for (i = 0; i < 3; i++) {
		fds[i] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q.fd, fds[i], EV_IN | EV_OUT, 0, i, NULL));
		ASSERT_EQ(0, eventfd_add(fds[i], 1));
	}
	for (i = 3; i < 6; i++) {
		fds[i] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q.fd, fds[i], EV_IN, KEVENT_EDGE, i, NULL));
	}
	ASSERT_EQ(3, in_ring(&q));
	ASSERT_EQ(1, is_pending(&q));
	ASSERT_EQ(0, waiter_start(&a, &q, 5, NULL));
	ASSERT_EQ(0, waiter_start(&b, &q, 4, NULL));

	ASSERT_EQ(0, run_alone());
	ASSERT_EQ(3, ukevent_take(&q, ev, 3));
	for (i = 3; i < 6; i++)
		ASSERT_EQ(0, eventfd_add(fds[i], 1));
	ASSERT_EQ(3, in_ring(&q));
	ASSERT_EQ(6, flush_ring(&q));
	ASSERT_EQ(2, ukevent_take(&q, ev, 2));
	ASSERT_EQ(0, run_together());

	ASSERT_EQ(4, waiter_result(&b));
	EXPECT_FALSE(waiter_done(&a, TEST_SHORT_MS));
	ASSERT_EQ(0, eventfd_add(fds[3], 1));
	ASSERT_EQ(5, waiter_result(&a));
	ukevent_queue_exit(&q);
}

/**
 * struct getter - a thread inside kevent_get_events()
 * @kfd: in: the queue
 * @min_nr: in: argument
 * @max_nr: in: argument
 * @to: in: where to, @buf if NULL
 * @args: in: argument
 * @buf: the records
 * @thread: the thread
 * @tid: its kernel number, once it runs
 * @done: set after the call returned
 * @ret: what it returned
 */
struct getter {
	int kfd;
	__u32 min_nr;
	__u32 max_nr;
	struct ukevent *to;
	struct kevent_wait_args args;
	struct ukevent buf[16];
	pthread_t thread;
	int tid;
	int done;
	int ret;
};

static void *getter_main(void *arg)
{
	struct getter *g = (struct getter *)arg;

	__atomic_store_n(&g->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	g->ret = sys_kevent_get_events(g->kfd, g->to ? g->to : g->buf,
				       g->min_nr, g->max_nr, &g->args,
				       sizeof(g->args));
	__atomic_store_n(&g->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* Returns when it sleeps, or was done at once. */
static int getter_start(struct getter *g)
{
	int ret = -pthread_create(&g->thread, NULL, getter_main, g);

	if (!ret)
		ret = started(&g->tid);
	while (!ret && !__atomic_load_n(&g->done, __ATOMIC_ACQUIRE) &&
	       task_state(g->tid) != 'S')
		sleep_ms(1);
	return ret;
}

static int getter_result(struct getter *g)
{
	int i;

	for (i = 0; !__atomic_load_n(&g->done, __ATOMIC_ACQUIRE); i++) {
		if (i == TEST_LONG_MS)
			return -ETIME;
		sleep_ms(1);
	}
	pthread_join(g->thread, NULL);
	return g->ret;
}

static int get_now(struct ukevent_queue *q, struct ukevent *buf, __u32 max_nr)
{
	return sys_kevent_get_events(q->fd, buf, 0, max_nr, NULL, 0);
}

/*
 * What was in the backlog is for the next one, who must be woken.
 *
 *   A, B sleep, for 4 each
 *        main: 8 events              ring 0123, backlog 4567, A is woken
 *   A copies 0123                    ring 4567: B must be woken
 */
TEST(noring_backlog_wakes)
{
	struct getter g[2] = {};
	struct ukevent_queue q;
	int fds[8], first, i;

	if (!may_run_alone())
		SKIP(return, "no real-time priority");
	ASSERT_EQ(0, queue_init_noring(&q, 4));
	for (i = 0; i < 8; i++) {
		fds[i] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q.fd, fds[i], EV_IN, KEVENT_EDGE, i, NULL));
	}
	for (i = 0; i < 2; i++) {
		g[i].kfd = q.fd;
		g[i].min_nr = 4;
		g[i].max_nr = 4;
		ASSERT_EQ(0, getter_start(&g[i]));
	}
	ASSERT_EQ(0, run_alone());
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, eventfd_add(fds[i], 1));
	ASSERT_EQ(0, run_together());
	ASSERT_EQ(4, getter_result(&g[0]));
	ASSERT_EQ(4, getter_result(&g[1]));
	/* B may have been the faster one */
	first = g[0].buf[0].cookie != 0;
	for (i = 0; i < 8; i++)
		EXPECT_RECORD(&g[first ^ i / 4].buf[i % 4], i, EV_IN, 0);
	ukevent_queue_exit(&q);
}

/*
 * The minimum wait goes on when the ring was emptied on the way to the minimum.
 *
 *   ring 0123, get_events(6 of 8, 1 ms): copies 4, ring empty, 2 are missing
 *   after 1 ms: returns 4
 */
TEST(noring_min_wait_rounds)
{
	struct getter g = { .min_nr = 6, .max_nr = 8 };
	struct ukevent_queue q;
	int fds[4], i;

	ASSERT_EQ(0, queue_init_noring(&q, 4));
	for (i = 0; i < 4; i++) {
		fds[i] = make_eventfd(1);
		ASSERT_EQ(0, add_fd(q.fd, fds[i], EV_IN, KEVENT_EDGE, i, NULL));
	}
	g.kfd = q.fd;
	g.args.min_wait_ns = NSEC_PER_MSEC;
	ASSERT_EQ(0, getter_start(&g));
	ASSERT_EQ(4, getter_result(&g));
	for (i = 0; i < 4; i++)
		EXPECT_RECORD(&g.buf[i], i, EV_IN, 0);
	ukevent_queue_exit(&q);
}

/*
 * A fault ends the call, also with less than the minimum and less in the ring.
 *
 *   ring 01, buffer for one, get_events(4 of 4): copies 0, faults, returns 1
 *   ring 1
 */
TEST(noring_fault_ends)
{
	struct getter g = { .min_nr = 4, .max_nr = 4 };
	char *end = guarded_end(1);
	struct ukevent_queue q;
	struct ukevent buf[4];
	int fds[2], i;

	ASSERT_NE(NULL, end);
	ASSERT_EQ(0, queue_init_noring(&q, 2));
	for (i = 0; i < 2; i++) {
		fds[i] = make_eventfd(1);
		ASSERT_EQ(0, add_fd(q.fd, fds[i], EV_IN, KEVENT_EDGE, i, NULL));
	}
	g.kfd = q.fd;
	g.to = (struct ukevent *)end - 1;
	ASSERT_EQ(0, getter_start(&g));
	ASSERT_EQ(1, getter_result(&g));
	EXPECT_RECORD(g.to, 0, EV_IN, 0);
	EXPECT_EQ(1, get_now(&q, buf, 4));
	EXPECT_RECORD(&buf[0], 1, EV_IN, 0);
	EXPECT_EQ(0, get_now(&q, buf, 4));
	ukevent_queue_exit(&q);
}

/*
 * An unread record from before DISABLE does not stand for what ENABLE finds.
 *
 *   ab arrives: record    DISABLE    ENABLE: still readable, record unread
 *   take it, read a       kevent_wait(1): b is still there
 */
TEST(level_disable_enable)
{
	struct ukevent_queue q;
	int sv[2], i;
	char c;

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
	ASSERT_EQ(0, add_fd(q.fd, sv[0], EV_IN, 0, 7, NULL));
	ASSERT_EQ(2, write(sv[1], "ab", 2));
	ASSERT_EQ(1, in_ring(&q));
	ASSERT_EQ(0, op_fd(q.fd, KEVENT_OP_DISABLE, sv[0]));
	ASSERT_EQ(0, op_fd(q.fd, KEVENT_OP_ENABLE, sv[0]));
	EXPECT_TAKE(&q, 7, EV_IN, 0);
	ASSERT_EQ(1, read(sv[0], &c, 1));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, wait_ms(&q, 1, 1000));
		EXPECT_TAKE(&q, 7, EV_IN, 0);
	}
	ASSERT_EQ(1, read(sv[0], &c, 1));
	EXPECT_QUIET(&q);
	ukevent_queue_exit(&q);
	close(sv[0]);
	close(sv[1]);
}

static int fill_socket(int fd)
{
	char buf[4096] = {};

	while (send(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	return errno == EAGAIN ? 0 : -errno;
}

static int drain_socket(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	return errno == EAGAIN ? 0 : -errno;
}

/*
 * What a query says replaces what was kept for the interest before.
 *
 *   a full: not writable          a byte to a: record IN, unread
 *   peer reads all: OUT, kept until the record is consumed
 *   a full again                  peer shuts down: a query is due
 *   take IN                       kevent_wait(0) asks: IN, and not OUT
 */
TEST(query_replaces_pending)
{
	struct ukevent_queue q;
	int sv[2];

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
	ASSERT_EQ(0, fill_socket(sv[0]));
	ASSERT_EQ(0, add_fd(q.fd, sv[0], EV_IN | EV_OUT, 0, 7, NULL));
	ASSERT_EQ(0, in_ring(&q));
	ASSERT_EQ(1, write(sv[1], "a", 1));
	ASSERT_EQ(1, in_ring(&q));
	ASSERT_EQ(0, is_pending(&q));
	ASSERT_EQ(0, drain_socket(sv[1]));
	ASSERT_EQ(1, is_pending(&q));
	ASSERT_EQ(0, fill_socket(sv[0]));
	ASSERT_EQ(0, shutdown(sv[1], SHUT_WR));
	EXPECT_TAKE(&q, 7, EV_IN, 0);
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_TAKE(&q, 7, EV_IN, 0);
	ukevent_queue_exit(&q);
	close(sv[0]);
	close(sv[1]);
}

struct fifo_race {
	struct ukevent_queue q;
	int fd;
	int stop;
};

static void *fifo_writer(void *arg)
{
	struct fifo_race *r = (struct fifo_race *)arg;
	char c = 0;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (write(r->fd, &c, 1) < 0)
			break;
		flush_ring(&r->q);
		if (read(r->fd, &c, 1) < 0)
			break;
	}
	return NULL;
}

static void *fifo_reaper(void *arg)
{
	struct fifo_race *r = (struct fifo_race *)arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE))
		if (wait_ms(&r->q, 1, 1) > 0)
			sched_yield();
	return NULL;
}

/*
 * MODIFY walks the hooks of an interest; its end must not free them meanwhile.
 * Without KASAN this shows little.
 *
 *   main               writer                   reaper
 *   ADD, edge
 *   MODIFY, one-shot
 *     |                write: record, ended
 *     | walks hooks                             kevent_wait(): detaches
 *   takes: one LAST for each ADD
 */
TEST(modify_while_reaped)
{
	int rounds = test_loops(20000), adds = 0, lasts = 0, i, ret;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct fifo_race r = {};
	pthread_t writer, reaper;
	struct ukevent ev;

	ASSERT_EQ(0, queue_init(&r.q, 64));
	ASSERT_EQ(0, fifo_open(&r.fd));
	ASSERT_EQ(0, fcntl(r.fd, F_SETFL, O_RDWR | O_NONBLOCK));
	ASSERT_EQ(0, pthread_create(&writer, NULL, fifo_writer, &r));
	ASSERT_EQ(0, pthread_create(&reaper, NULL, fifo_reaper, &r));
	for (i = 0; i < rounds && !test_loops_done(start, RACE_SECONDS); i++) {
		ret = add_fd(r.q.fd, r.fd, EV_IN,
			     KEVENT_EDGE | KEVENT_WANT_LAST, 7, NULL);
		if (ret != -EEXIST) {
			ASSERT_EQ(0, ret);
			adds++;
		}
		ret = modify_fd(r.q.fd, r.fd, EV_IN, KEVENT_ONESHOT |
				KEVENT_WANT_LAST, 8);
		if (ret != -ENOENT)
			ASSERT_EQ(0, ret);
		while (ukevent_take(&r.q, &ev, 1))
			lasts += !!(ev.flags & LAST);
	}
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELEASE);
	pthread_join(writer, NULL);
	pthread_join(reaper, NULL);
	remove_fd(r.q.fd, r.fd);
	flush_ring(&r.q);
	while (ukevent_take(&r.q, &ev, 1))
		lasts += !!(ev.flags & LAST);
	EXPECT_EQ(adds, lasts);
	EXPECT_QUIET(&r.q);
	close(r.fd);
	ukevent_queue_exit(&r.q);
}

/* As little of io_uring as does it. */
struct uring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static int uring_init(struct uring *u)
{
	struct io_uring_params p = {};
	int prot = PROT_READ | PROT_WRITE;
	char *sq, *cq;

	u->fd = syscall(__NR_io_uring_setup, 4, &p);
	if (u->fd < 0)
		return -errno;
	sq = (char *)mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(int),
			  prot, MAP_SHARED, u->fd, IORING_OFF_SQ_RING);
	cq = (char *)mmap(NULL, p.cq_off.cqes +
			  p.cq_entries * sizeof(struct io_uring_cqe),
			  prot, MAP_SHARED, u->fd, IORING_OFF_CQ_RING);
	u->sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe),
		       prot, MAP_SHARED, u->fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || u->sqes == MAP_FAILED)
		return -errno;
	u->sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	u->sq_mask = (unsigned int *)(sq + p.sq_off.ring_mask);
	u->sq_array = (unsigned int *)(sq + p.sq_off.array);
	u->cq_head = (unsigned int *)(cq + p.cq_off.head);
	u->cq_tail = (unsigned int *)(cq + p.cq_off.tail);
	u->cq_mask = (unsigned int *)(cq + p.cq_off.ring_mask);
	u->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
	return 0;
}

static struct io_uring_sqe *uring_next(struct uring *u, int nr)
{
	unsigned int i = (*u->sq_tail + nr) & *u->sq_mask;

	u->sq_array[i] = i;
	memset(&u->sqes[i], 0, sizeof(u->sqes[i]));
	return &u->sqes[i];
}

/* When @fd becomes readable, close @victim. */
static int uring_close_on(struct uring *u, int fd, int victim)
{
	struct io_uring_sqe *sqe = uring_next(u, 0);
	int ret;

	sqe->opcode = IORING_OP_POLL_ADD;
	sqe->flags = IOSQE_IO_LINK;
	sqe->fd = fd;
	sqe->poll32_events = POLLIN;
	sqe = uring_next(u, 1);
	sqe->opcode = IORING_OP_CLOSE;
	sqe->fd = victim;
	sqe->user_data = 1;
	__atomic_store_n(u->sq_tail, *u->sq_tail + 2, __ATOMIC_RELEASE);
	ret = syscall(__NR_io_uring_enter, u->fd, 2, 0, 0, NULL, 0);
	return ret < 0 ? -errno : ret;
}

/* Waits for both completions; result of the close. */
static int uring_closed(struct uring *u)
{
	unsigned int head = *u->cq_head;
	int i, ret = -EPROTO;

	while (__atomic_load_n(u->cq_tail, __ATOMIC_ACQUIRE) - head < 2)
		if (syscall(__NR_io_uring_enter, u->fd, 0, 2,
			    IORING_ENTER_GETEVENTS, NULL, 0) < 0 &&
		    errno != EINTR)
			return -errno;
	for (i = 0; i < 2; i++)
		if (u->cqes[(head + i) & *u->cq_mask].user_data)
			ret = u->cqes[(head + i) & *u->cq_mask].res;
	__atomic_store_n(u->cq_head, head + 2, __ATOMIC_RELEASE);
	return ret;
}

#define CLOSE_SENDS	32

/* The other process: on each byte from @go some wake-ups, and the end. */
static void close_helper(int go, int sock, int efd)
{
	unsigned int seed = 1;
	char buf[1];
	int i, at;

	while (read(go, buf, 1) == 1) {
		at = rand_r(&seed) % CLOSE_SENDS;
		for (i = 0; i < CLOSE_SENDS; i++) {
			send(sock, "x", 1, MSG_DONTWAIT);
			if (i == at)
				eventfd_add(efd, 1);
		}
	}
	_exit(0);
}

/*
 * A queue may be closed by task work that runs in the middle of a wait on it.
 * Without KASAN this shows little.
 *
 *   test, a process with a single thread         another process
 *   io_uring: when efd is readable, close kfd
 *   kevent_get_events(), sleeps
 *     is woken, asks, sleeps again        <----  sends to the socket, often
 *     io_uring's work closes kfd          <----  writes to efd
 *   returns: nothing, or -EINTR
 */
TEST(task_work_closes)
{
	struct kevent_wait_args args = { .flags = KEVENT_WAIT_TIMEOUT };
	int rounds = test_loops(5000), go[2], sv[2], efd, ret, i;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct ukevent_queue q;
	struct uring u = {};
	struct ukevent ev;
	pid_t pid;

	ret = uring_init(&u);
	if (ret)
		SKIP(return, "no io_uring: %d", ret);
	efd = make_eventfd(0);
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(u.fd);
		close(go[1]);
		close(sv[0]);
		close_helper(go[0], sv[1], efd);
	}
	args.timeout_ns = 10 * NSEC_PER_SEC;
	for (i = 0; i < rounds && !test_loops_done(start, RACE_SECONDS); i++) {
		ASSERT_EQ(0, queue_init_noring(&q, 4));
		/* it never comes, but each send makes the kernel ask for it */
		ASSERT_EQ(0, add_fd(q.fd, sv[0], EV_PRI, KEVENT_EDGE, 7, NULL));
		ASSERT_EQ(2, uring_close_on(&u, efd, q.fd));
		ASSERT_EQ(1, write(go[1], "x", 1));
		ret = sys_kevent_get_events(q.fd, &ev, 1, 1, &args,
					    sizeof(args));
		/* io_uring may have been done before the call was made */
		if (ret != -EBADF)
			ASSERT_EQ(-EINTR, ret);
		ASSERT_EQ(0, uring_closed(&u));
		EXPECT_EQ(-1, fcntl(q.fd, F_GETFD));
		ASSERT_EQ(1, eventfd_take(efd));
		ASSERT_EQ(0, drain_socket(sv[0]));
	}
	TH_LOG("%d rounds", i);
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	close(go[0]);
	close(sv[0]);
	close(sv[1]);
	close(efd);
	close(u.fd);
}

struct spinner {
	struct ukevent_queue *q;
	int go;
	int done;
	int delay;	/* loops */
	int got;
};

static void *spin_and_take(void *arg)
{
	struct spinner *s = (struct spinner *)arg;
	struct ukevent ev;
	int round = 0, n;

	for (;;) {
		while (__atomic_load_n(&s->go, __ATOMIC_ACQUIRE) == round)
			;
		round = s->go;
		if (round < 0)
			return NULL;
		for (n = s->delay; n > 0; n--)
			__asm__ __volatile__("" : : : "memory");
		s->got = 0;
		while (ukevent_take(s->q, &ev, 1))
			s->got++;
		__atomic_store_n(&s->done, round, __ATOMIC_RELEASE);
	}
}

/*
 * A record that the program did not see when it looked last is told to the
 * pollers: either side's store must be seen by the other.
 *
 *   ring 1, told to the poller
 *   program: take 1, consumer = 1, fence E, look: empty?
 *   kernel:  publish 2, fence, consumer = 1?: tell the poller
 *
 * Who is late is delayed less in the next round, so that they meet.
 */
TEST(edge_poller_misses_nothing)
{
	int rounds = test_loops(200000), delay = 0, left = 0, missed = 0;
	int step = 1024, early = 0, turned;
	struct epoll_event ee = { .events = EPOLLIN | EPOLLET };
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct ukevent_queue q;
	struct spinner s = {};
	int fd[2], ep, i, n;
	pthread_t thread;
	struct ukevent ev;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "a single processor");
	ASSERT_EQ(0, queue_init(&q, 8));
	for (i = 0; i < 2; i++) {
		fd[i] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q.fd, fd[i], EV_IN, KEVENT_EDGE, i, NULL));
	}
	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, q.fd, &ee));
	s.q = &q;
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin_and_take, &s));
	ASSERT_EQ(0, keep_apart(pthread_self(), thread));
	for (i = 1; i <= rounds && !test_loops_done(start, RACE_SECONDS); i++) {
		ASSERT_EQ(0, eventfd_add(fd[0], 1));
		ASSERT_EQ(1, epoll_wait(ep, &ee, 1, TEST_LONG_MS));
		s.delay = delay > 0 ? delay : 0;
		__atomic_store_n(&s.go, i, __ATOMIC_RELEASE);
		for (n = 0; n < -delay; n++)
			__asm__ __volatile__("" : : : "memory");
		ASSERT_EQ(0, eventfd_add(fd[1], 1));
		while (__atomic_load_n(&s.done, __ATOMIC_ACQUIRE) != i)
			;
		ASSERT_LE(1, s.got);
		turned = early;
		early = s.got == 1;
		turned ^= early;
		if (turned)
			step = step > 1 ? step / 2 : 1;
		else if (step < 4096)
			step *= 2;
		delay += early ? step : -step;
		if (!in_ring(&q)) {
			epoll_wait(ep, &ee, 1, 0);
			continue;
		}
		left++;
		if (epoll_wait(ep, &ee, 1, 10) != 1 &&
		    epoll_wait(ep, &ee, 1, TEST_LONG_MS) != 1)
			missed++;
		ASSERT_EQ(1, ukevent_take(&q, &ev, 1));
		if (missed)
			break;
	}
	__atomic_store_n(&s.go, -1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	TH_LOG("%d rounds, %d with a record left", i - 1, left);
	EXPECT_EQ(0, missed);
	close(ep);
	ukevent_queue_exit(&q);
}

#define CIRCLE_LIMIT	1000

struct circle {
	struct ukevent_queue q;
	int stop;
	int events;	/* records of the eventfd */
	int circles;	/* records of the epoll set */
};

static void *circle_main(void *arg)
{
	struct circle *c = (struct circle *)arg;
	struct ukevent ev;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE) &&
	       c->circles < CIRCLE_LIMIT) {
		if (!ukevent_take(&c->q, &ev, 1))
			continue;
		if (ev.cookie)
			c->circles++;
		else
			__atomic_add_fetch(&c->events, 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * A queue that watches itself through an epoll set does not feed itself.
 *
 *   eventfd --> queue --> epoll set --+     each record finds an empty ring, as
 *                 ^                   |     the program takes it at once: the
 *                 +-------------------+     pollers are woken, which is an event
 */
TEST(no_circle)
{
	struct epoll_event ee = { .events = EPOLLIN };
	int writes = 100, circles, efd, ep, i;
	struct circle c = {};
	struct ukevent ev = {};
	pthread_t thread;
	__u64 end;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "a single processor");
	ASSERT_EQ(0, queue_init(&c.q, 8));
	efd = make_eventfd(0);
	ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, c.q.fd, &ee));
	ASSERT_EQ(0, add_fd(c.q.fd, efd, EV_IN, KEVENT_EDGE, 0, NULL));
	ASSERT_EQ(0, add_fd(c.q.fd, ep, EV_IN, KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, circle_main, &c));
	ASSERT_EQ(0, keep_apart(pthread_self(), thread));
	for (i = 0; i < writes; i++) {
		ASSERT_EQ(0, eventfd_add(efd, 1));
		end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;
		while (__atomic_load_n(&c.events, __ATOMIC_ACQUIRE) == i &&
		       __atomic_load_n(&c.circles, __ATOMIC_RELAXED) < CIRCLE_LIMIT &&
		       now_ns(CLOCK_MONOTONIC) < end)
			;
		if (c.events != i + 1)
			break;
	}
	sleep_ms(TEST_SHORT_MS);
	__atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	TH_LOG("%d records of the set after %d writes", c.circles, writes);
	EXPECT_EQ(writes, c.events);
	/* The set must be asked, and nobody entered the kernel for that. */
	EXPECT_EQ(0, c.circles);

	/* It is told, if asked for. */
	circles = c.circles;
	ASSERT_EQ(0, eventfd_add(efd, 1));
	EXPECT_LE(1, flush_ring(&c.q));
	while (ukevent_take(&c.q, &ev, 1))
		circles += ev.cookie == 1;
	EXPECT_LT(c.circles, circles);
	close(ep);
	close(efd);
	ukevent_queue_exit(&c.q);
}

/*
 * MODIFY by one thread does not end what another one holds.
 *
 *   DISPATCH: record, held    MODIFY to edge    REMOVE    ENABLE: last record
 */
TEST(modify_keeps_held)
{
	static const __u32 held = KEVENT_DISPATCH | KEVENT_WANT_LAST |
				  KEVENT_HOLD_LAST;
	struct ukevent_queue q;
	int fd = make_eventfd(1);
	__u64 id;

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, add_fd(q.fd, fd, EV_IN, held, 7, &id));
	EXPECT_TAKE(&q, 7, EV_IN, 0);
	ASSERT_EQ(0, modify_fd(q.fd, fd, EV_IN, KEVENT_EDGE | KEVENT_WANT_LAST |
			       KEVENT_START_DISABLED, 8));
	ASSERT_EQ(0, remove_fd(q.fd, fd));
	EXPECT_QUIET(&q);
	EXPECT_EQ(-ENOENT, op_id(q.fd, KEVENT_OP_ENABLE, id, 0));
	EXPECT_TAKE(&q, 8, 0, LAST);
	EXPECT_QUIET(&q);

	/* A dispatch interest that stays one holds it. */
	ASSERT_EQ(0, add_fd(q.fd, fd, EV_IN, held, 7, NULL));
	EXPECT_TAKE(&q, 7, EV_IN, 0);
	ASSERT_EQ(0, modify_fd(q.fd, fd, EV_IN, held | KEVENT_START_DISABLED, 8));
	ASSERT_EQ(0, remove_fd(q.fd, fd));
	EXPECT_EQ(0, in_ring(&q));
	close(fd);
	ukevent_queue_exit(&q);
}

/*
 * What an exclusive interest passes on was told by the source before: it unhooks
 * nobody else who watches.
 *
 *   A exclusive, unread    disabled or modified, then ended    write: E and B hear
 */
TEST(passed_on_as_told)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct ukevent_queue a, b;
	int way, efd, ep;

	for (way = 0; way < 4; way++) {
		efd = make_eventfd(0);
		ep = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev));
		ASSERT_EQ(0, queue_init(&a, 8));
		ASSERT_EQ(0, queue_init(&b, 8));
		ASSERT_EQ(0, add_fd(b.fd, efd, EV_IN, KEVENT_EDGE, 2, NULL));
		ASSERT_EQ(0, add_fd(a.fd, efd, EV_IN, KEVENT_EDGE |
				    KEVENT_EXCLUSIVE, 1, NULL));
		ASSERT_EQ(0, eventfd_add(efd, 1));
		ASSERT_EQ(1, in_ring(&a));
		ASSERT_EQ(1ULL, eventfd_take(efd));
		EXPECT_EQ(0, way & 1 ? op_fd(a.fd, KEVENT_OP_DISABLE, efd) :
			  modify_fd(a.fd, efd, EV_IN, KEVENT_EDGE, 1));
		EXPECT_EQ(0, way & 2 ? remove_fd(a.fd, efd) : 0);
		ukevent_queue_exit(&a);

		take_all(&b, NULL);
		EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
		ASSERT_EQ(0, eventfd_add(efd, 1));
		EXPECT_EQ(1, epoll_wait(ep, &ev, 1, 0));
		EXPECT_TAKE(&b, 2, EV_IN, 0);
		close(ep);
		close(efd);
		ukevent_queue_exit(&b);
	}
}

/*
 * One-shots that end with their ADD are detached on the way: not one of a large
 * batch is still in the file's list when the next batch looks there.
 */
TEST(ended_at_add)
{
	struct kevent_change c[1024];
	struct ukevent_queue q;
	int fd = make_eventfd(1);
	unsigned int i, round;

	ASSERT_EQ(0, queue_init(&q, 65536));
	for (round = 0; round < 32; round++) {
		for (i = 0; i < 1024; i++)
			c[i] = make_change(KEVENT_OP_ADD, fd, EV_IN,
					   KEVENT_ONESHOT, i);
		ASSERT_EQ(1024, sys_kevent_ctl(q.fd, c, 1024, sizeof(*c), 0));
		for (i = 0; i < 1024; i++)
			ASSERT_EQ(0, c[i].result);
	}
	EXPECT_EQ(32 * 1024, take_all(&q, NULL));
	close(fd);
	ukevent_queue_exit(&q);
}

#define MANY_WAITERS	64
#define MANY_WANT(i)	(2 + (i) % 5)

/*
 * Waiters whose minimum is not met delay no record, and each returns when there
 * are as many as all want.
 */
TEST(many_waiters)
{
	struct waiter w[MANY_WAITERS];
	int fds[512], total = 0, i;
	struct ukevent_queue q;

	ASSERT_EQ(0, raise_nofile(1024));
	ASSERT_EQ(0, queue_init(&q, 512));
	for (i = 0; i < MANY_WAITERS; i++)
		total += MANY_WANT(i);
	ASSERT_GE(512, total);
	for (i = 0; i < total; i++) {
		fds[i] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q.fd, fds[i], EV_IN, KEVENT_EDGE, i, NULL));
	}
	for (i = 0; i < MANY_WAITERS; i++)
		ASSERT_EQ(0, waiter_start(&w[i], &q, MANY_WANT(i), NULL));
	ASSERT_EQ(0, eventfd_add(fds[0], 1));
	ASSERT_EQ(1, in_ring(&q));
	sleep_ms(TEST_SHORT_MS);
	for (i = 0; i < MANY_WAITERS; i++)
		EXPECT_FALSE(waiter_done(&w[i], 0));
	for (i = 1; i < total; i++) {
		ASSERT_EQ(0, eventfd_add(fds[i], 1));
		ASSERT_EQ(i + 1, in_ring(&q));
	}
	for (i = 0; i < MANY_WAITERS; i++)
		ASSERT_LE(MANY_WANT(i), waiter_result(&w[i]));
	for (i = 0; i < total; i++)
		EXPECT_TAKE(&q, i, EV_IN, 0);
	EXPECT_QUIET(&q);
	ukevent_queue_exit(&q);
	for (i = 0; i < total; i++)
		close(fds[i]);
}

TEST_HARNESS_MAIN
