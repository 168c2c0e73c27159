// SPDX-License-Identifier: GPL-2.0
/*
 * Queues without a ring: kevent_get_events().
 */
#include "kevent_test.h"

#define NR_FDS	24

FIXTURE(noring)
{
	struct ukevent_queue q;
	struct ukevent buf[64];
	int fds[NR_FDS];
};

FIXTURE_SETUP(noring)
{
	int i;

	ASSERT_EQ(0, queue_init_noring(&self->q, 16));
	for (i = 0; i < NR_FDS; i++) {
		self->fds[i] = make_eventfd(0);
		ASSERT_LE(0, self->fds[i]);
		ASSERT_EQ(0, add_fd(self->q.fd, self->fds[i], EV_IN,
				    KEVENT_EDGE, i, NULL));
	}
}

FIXTURE_TEARDOWN(noring)
{
	ukevent_queue_exit(&self->q);
}

static int get(struct ukevent_queue *q, void *buf, __u32 min_nr, __u32 max_nr)
{
	return sys_kevent_get_events(q->fd, buf, min_nr, max_nr, NULL, 0);
}

TEST_F(noring, copies)
{
	int i;

	EXPECT_EQ(0, get(&self->q, self->buf, 0, 64));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	memset(self->buf, 0x55, sizeof(self->buf));
	EXPECT_EQ(10, get(&self->q, self->buf, 1, 64));
	for (i = 0; i < 10; i++)
		EXPECT_RECORD(&self->buf[i], i, EV_IN, 0);
	/* not a byte more than that */
	EXPECT_EQ(0x5555555555555555ULL, self->buf[10].cookie);
	EXPECT_EQ(0, get(&self->q, self->buf, 0, 64));
}

/* As many as asked for; the rest stays, in order. */
TEST_F(noring, maximum)
{
	int i, n;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	for (i = 0; i < 10; i += n) {
		memset(self->buf, 0x55, sizeof(self->buf));
		n = get(&self->q, self->buf, 1, 3);
		ASSERT_EQ(i == 9 ? 1 : 3, n);
		EXPECT_RECORD(&self->buf[0], i, EV_IN, 0);
		EXPECT_RECORD(&self->buf[n - 1], i + n - 1, EV_IN, 0);
		EXPECT_EQ(0x5555555555555555ULL, self->buf[n].cookie);
	}
	EXPECT_EQ(0, get(&self->q, self->buf, 0, 64));
}

/* More interests than the queue has room for inside: nothing is lost. */
TEST_F(noring, more_than_fits)
{
	int i, n, got = 0;

	for (i = 0; i < NR_FDS; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	while (got < NR_FDS) {
		n = get(&self->q, self->buf, 0, 64);
		ASSERT_LT(0, n);
		for (i = 0; i < n; i++)
			EXPECT_RECORD(&self->buf[i], got + i, EV_IN, 0);
		got += n;
	}
	EXPECT_EQ(NR_FDS, got);
	EXPECT_EQ(0, get(&self->q, self->buf, 0, 64));
}

/* T12, T38: the buffer ends at a page that is not there. */
TEST_F(noring, fault_in_the_middle)
{
	char *end = guarded_end(1);
	struct ukevent *to;
	int i;

	ASSERT_NE(NULL, end);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	to = (struct ukevent *)end - 4;
	EXPECT_EQ(4, get(&self->q, to, 1, 10));
	for (i = 0; i < 4; i++)
		EXPECT_RECORD(&to[i], i, EV_IN, 0);
	/* inside a record: that one is not delivered */
	to = (struct ukevent *)(end - 2 * 32 - 16);
	EXPECT_EQ(2, get(&self->q, to, 1, 10));
	EXPECT_RECORD(&to[0], 4, EV_IN, 0);
	EXPECT_RECORD(&to[1], 5, EV_IN, 0);
	EXPECT_EQ(-EFAULT, get(&self->q, end, 1, 10));
	EXPECT_EQ(4, get(&self->q, self->buf, 1, 10));
	for (i = 0; i < 4; i++)
		EXPECT_RECORD(&self->buf[i], 6 + i, EV_IN, 0);
}

/* A minimum above what the buffer takes before it faults does not hang. */
TEST_F(noring, fault_below_minimum)
{
	char *end = guarded_end(1);
	struct ukevent *to;
	int i;

	ASSERT_NE(NULL, end);
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	to = (struct ukevent *)end - 2;
	EXPECT_EQ(2, get(&self->q, to, 6, 6));
	EXPECT_EQ(4, get(&self->q, self->buf, 4, 6));
	EXPECT_RECORD(&self->buf[0], 2, EV_IN, 0);
}

struct getter {
	struct ukevent_queue *q;
	struct ukevent buf[16];
	__u32 min_nr;
	int tid;
	int done;
	int ret;
};

static void *getter_main(void *arg)
{
	struct getter *g = arg;

	__atomic_store_n(&g->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	g->ret = get(g->q, g->buf, g->min_nr, 16);
	__atomic_store_n(&g->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

TEST_F(noring, sleeps)
{
	struct getter g = { .q = &self->q, .min_nr = 3 };
	pthread_t thread;
	int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, getter_main, &g));
	ASSERT_EQ(0, started(&g.tid));
	ASSERT_EQ(0, task_asleep(g.tid));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(0, __atomic_load_n(&g.done, __ATOMIC_ACQUIRE));
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		sleep_ms(5);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(3, g.ret);
	for (i = 0; i < 3; i++)
		EXPECT_RECORD(&g.buf[i], i, EV_IN, 0);
}

TEST_F(noring, timeout)
{
	struct kevent_wait_args a = {
		.flags = KEVENT_WAIT_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.timeout_ns = 20 * NSEC_PER_MSEC,
	};
	__u64 start = now_ns(CLOCK_MONOTONIC);

	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	EXPECT_EQ(1, sys_kevent_get_events(self->q.fd, self->buf, 2, 8, &a,
					   sizeof(a)));
	EXPECT_LE(start + 20 * NSEC_PER_MSEC, now_ns(CLOCK_MONOTONIC));
	EXPECT_RECORD(&self->buf[0], 0, EV_IN, 0);
	EXPECT_EQ(0, sys_kevent_get_events(self->q.fd, self->buf, 2, 8, &a,
					   sizeof(a)));
}

/* A loop turn in one call: changes and events. */
TEST_F(noring, with_changes)
{
	int fd = make_eventfd(1);
	struct kevent_change c = make_change(KEVENT_OP_ADD, fd, EV_IN, 0, 99);
	struct kevent_wait_args a = {
		.changes = (unsigned long)&c,
		.nr_changes = 1,
		.change_size = sizeof(c),
	};

	EXPECT_EQ(1, sys_kevent_get_events(self->q.fd, self->buf, 1, 8, &a,
					   sizeof(a)));
	EXPECT_EQ(1U, a.changes_done);
	EXPECT_RECORD(&self->buf[0], 99, EV_IN, 0);
	/* level: again and again until it is read */
	EXPECT_EQ(1, get(&self->q, self->buf, 1, 8));
	EXPECT_RECORD(&self->buf[0], 99, EV_IN, 0);
	eventfd_take(fd);
	EXPECT_EQ(0, get(&self->q, self->buf, 0, 8));
}

TEST_F(noring, modes)
{
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0);

	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_ONESHOT | KEVENT_WANT_LAST,
			    1, NULL));
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(1, get(q, self->buf, 1, 8));
	EXPECT_RECORD(&self->buf[0], 1, EV_IN, KEVENT_REC_LAST);
	EXPECT_EQ(-ENOENT, remove_fd(q->fd, fd));
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_DISPATCH |
			    KEVENT_WANT_LAST, 2, NULL));
	EXPECT_EQ(1, get(q, self->buf, 1, 8));
	EXPECT_RECORD(&self->buf[0], 2, EV_IN, 0);
	EXPECT_EQ(0, get(q, self->buf, 0, 8));
	EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_ENABLE, fd));
	EXPECT_EQ(1, get(q, self->buf, 1, 8));
	close(fd);
	EXPECT_EQ(1, get(q, self->buf, 1, 8));
	EXPECT_RECORD(&self->buf[0], 2, EV_HUP, KEVENT_REC_LAST);
}

/* Several collectors: each record goes to one of them. */
struct collector {
	struct ukevent_queue *q;
	int *total;
	int *stop;
	int got[NR_FDS];
};

static void *collect(void *arg)
{
	struct collector *c = arg;
	struct ukevent buf[4];
	int i, n;

	while (!__atomic_load_n(c->stop, __ATOMIC_ACQUIRE)) {
		n = get(c->q, buf, 1, 4);
		for (i = 0; i < n; i++)
			c->got[buf[i].cookie % NR_FDS]++;
		if (n > 0)
			__atomic_add_fetch(c->total, n, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

TEST_F_TIMEOUT(noring, collectors, 120)
{
	int i, n, t, total = 0, stop = 0, want = 0, loops = test_loops(500);
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct collector c[3] = {};
	pthread_t thread[3];

	for (t = 0; t < 3; t++) {
		c[t].q = &self->q;
		c[t].total = &total;
		c[t].stop = &stop;
		ASSERT_EQ(0, pthread_create(&thread[t], NULL, collect, &c[t]));
	}
	for (i = 0; i < loops && !test_loops_done(start, 60); i++) {
		for (n = 0; n < NR_FDS; n++)
			ASSERT_EQ(0, eventfd_add(self->fds[n], 1));
		want += NR_FDS;
		start = now_ns(CLOCK_MONOTONIC);
		while (__atomic_load_n(&total, __ATOMIC_SEQ_CST) < want &&
		       !test_loops_done(start, 20))
			sched_yield();
		ASSERT_EQ(want, __atomic_load_n(&total, __ATOMIC_SEQ_CST));
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (n = 0; n < 3 * 4; n++)
		ASSERT_EQ(0, eventfd_add(self->fds[n], 1));
	for (t = 0; t < 3; t++)
		pthread_join(thread[t], NULL);
	for (n = 12; n < NR_FDS; n++)
		EXPECT_EQ(i, c[0].got[n] + c[1].got[n] + c[2].got[n]);
}

TEST_HARNESS_MAIN
