// SPDX-License-Identifier: GPL-2.0
/*
 * S8: who is woken and when; timeouts on every clock; signals; changes inside a
 * wait; waiters that die.
 */
#include "kevent_test.h"

#define NR_FDS	16

FIXTURE(waiting)
{
	struct ukevent_queue q;
	struct kevent_wait_args a;
	int fds[NR_FDS];
};

FIXTURE_SETUP(waiting)
{
	int i;

	ASSERT_EQ(0, queue_init(&self->q, 32));
	for (i = 0; i < NR_FDS; i++) {
		self->fds[i] = make_eventfd(0);
		ASSERT_LE(0, self->fds[i]);
		ASSERT_EQ(0, add_fd(self->q.fd, self->fds[i], EV_IN,
				    KEVENT_EDGE, i, NULL));
	}
}

FIXTURE_TEARDOWN(waiting)
{
	ukevent_queue_exit(&self->q);
}

static void relative(struct kevent_wait_args *a, int clock, __u64 ns)
{
	memset(a, 0, sizeof(*a));
	a->flags = KEVENT_WAIT_TIMEOUT;
	a->clockid = clock;
	a->timeout_ns = ns;
}

static void absolute(struct kevent_wait_args *a, int clock, __u64 ns)
{
	relative(a, clock, ns);
	a->flags |= KEVENT_WAIT_ABSTIME;
}

/* T2: fewer than the minimum: until the timeout, and then those. */
TEST_F(waiting, minimum_not_met)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	relative(&self->a, CLOCK_MONOTONIC, 50 * NSEC_PER_MSEC);
	EXPECT_EQ(3, sys_kevent_wait(self->q.fd, 4, &self->a, 72));
	EXPECT_LE(50 * NSEC_PER_MSEC, now_ns(CLOCK_MONOTONIC) - start);
	/* met: at once, and older ones count */
	ASSERT_EQ(0, eventfd_add(self->fds[3], 1));
	EXPECT_EQ(4, sys_kevent_wait(self->q.fd, 4, NULL, 0));
	EXPECT_EQ(4, sys_kevent_wait(self->q.fd, 1, NULL, 0));
	EXPECT_EQ(4, sys_kevent_wait(self->q.fd, 0, NULL, 0));
}

TEST_F(waiting, minimum_met_later)
{
	struct waiter w;
	int i;

	ASSERT_EQ(0, waiter_start(&w, &self->q, 4, NULL));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		EXPECT_EQ(0, waiter_done(&w, 10));
	}
	ASSERT_EQ(0, eventfd_add(self->fds[3], 1));
	EXPECT_EQ(4, waiter_result(&w));
}

/* The whole ring can be waited for. */
TEST_F(waiting, minimum_is_ring)
{
	struct ukevent_queue q;
	struct waiter w;
	int i;

	ASSERT_EQ(0, queue_init(&q, 8));
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, add_fd(q.fd, self->fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	ASSERT_EQ(0, waiter_start(&w, &q, 8, NULL));
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(0, waiter_done(&w, 2));
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	}
	EXPECT_EQ(8, waiter_result(&w));
	ukevent_queue_exit(&q);
}

/*
 * A waiter is woken only if its own minimum is met: those who ask for more do
 * not even run.
 */
TEST_F(waiting, own_minimum)
{
	struct waiter w[4];
	long before[4], n;
	int i, next, nr = 0;

	for (i = 3; i >= 0; i--)
		ASSERT_EQ(0, waiter_start(&w[i], &self->q, 2 * (i + 1), NULL));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, task_left(w[i].tid));
	for (next = 0; next < 4; next++) {
		for (i = next + 1; i < 4; i++)
			before[i] = task_sleeps(w[i].tid);
		EXPECT_EQ(0, waiter_done(&w[next], 5));
		ASSERT_EQ(0, eventfd_add(self->fds[nr++], 1));
		EXPECT_EQ(0, waiter_done(&w[next], 5));
		ASSERT_EQ(0, eventfd_add(self->fds[nr++], 1));
		EXPECT_EQ(nr, waiter_result(&w[next]));
		for (i = next + 1; i < 4; i++) {
			n = task_sleeps(w[i].tid);
			EXPECT_EQ(before[i], n)
				TH_LOG("waiter for %d woken at %d", 2 * (i + 1),
				       nr);
			EXPECT_EQ('S', task_state(w[i].tid));
		}
	}
}

/* T3: everybody has a deadline of his own. */
TEST_F(waiting, own_deadlines)
{
	static const int clocks[] = {
		CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI
	};
	struct kevent_wait_args a[8];
	struct waiter w[8], w9;
	__u64 start, span;
	int i;

	ASSERT_EQ(0, waiter_start(&w9, &self->q, 1, NULL));
	start = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < 8; i++) {
		/* neither in the order of starting nor of ending */
		span = (100 + 20 * ((i * 5) % 8)) * NSEC_PER_MSEC;
		if (i % 2)
			relative(&a[i], clocks[i / 2], span);
		else
			absolute(&a[i], clocks[i / 2],
				 now_ns(clocks[i / 2]) + span);
		ASSERT_EQ(0, waiter_start(&w[i], &self->q, 1 + i % 3, &a[i]));
	}
	for (i = 0; i < 8; i++) {
		span = (100 + 20 * ((i * 5) % 8)) * NSEC_PER_MSEC;
		EXPECT_EQ(0, waiter_result(&w[i]));
		EXPECT_LE(span, w[i].returned_at - start) TH_LOG("%d", i);
	}
	EXPECT_EQ(0, waiter_done(&w9, 1));
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	EXPECT_EQ(1, waiter_result(&w9));
}

/* T41 */
TEST_F(waiting, clocks)
{
	static const int clocks[] = {
		CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI
	};
	const __u64 ms20 = 20 * NSEC_PER_MSEC;
	int kfd = self->q.fd, c;
	__u64 start;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		c = clocks[i];
		/* no time at all, the past, the dawn of time */
		relative(&self->a, c, 0);
		EXPECT_EQ(0, sys_kevent_wait(kfd, 1, &self->a, 72));
		absolute(&self->a, c, now_ns(c) - 1);
		EXPECT_EQ(0, sys_kevent_wait(kfd, 1, &self->a, 72));
		absolute(&self->a, c, 0);
		EXPECT_EQ(0, sys_kevent_wait(kfd, 1, &self->a, 72));
		/* not before the time has come */
		start = now_ns(c);
		relative(&self->a, c, ms20);
		EXPECT_EQ(0, sys_kevent_wait(kfd, 1, &self->a, 72));
		EXPECT_LE(start + ms20, now_ns(c)) TH_LOG("clock %d", c);
		start = now_ns(c);
		absolute(&self->a, c, start + ms20);
		EXPECT_EQ(0, sys_kevent_wait(kfd, 1, &self->a, 72));
		EXPECT_LE(start + ms20, now_ns(c)) TH_LOG("clock %d", c);
	}
	/* the end of time is allowed, and a record ends the wait */
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	relative(&self->a, CLOCK_BOOTTIME, INT64_MAX);
	EXPECT_EQ(1, sys_kevent_wait(kfd, 1, &self->a, 72));
	absolute(&self->a, CLOCK_REALTIME, INT64_MAX);
	EXPECT_EQ(1, sys_kevent_wait(kfd, 1, &self->a, 72));
	/* a past deadline does not hide what is there, nor stop the flush */
	relative(&self->a, CLOCK_MONOTONIC, 0);
	EXPECT_EQ(1, sys_kevent_wait(kfd, 2, &self->a, 72));
}

static int set_clock(__s64 by)
{
	struct timespec ts;
	__u64 now = now_ns(CLOCK_REALTIME) + by;

	ts.tv_sec = now / NSEC_PER_SEC;
	ts.tv_nsec = now % NSEC_PER_SEC;
	return clock_settime(CLOCK_REALTIME, &ts) ? -errno : 0;
}

/* Setting a clock moves times, not spans. */
TEST_F(waiting, clock_set)
{
	const __s64 hour = 3600 * NSEC_PER_SEC;
	struct kevent_wait_args span, mono, time;
	struct waiter ws, wm, wt;
	int ret;

	relative(&span, CLOCK_REALTIME, hour);
	absolute(&mono, CLOCK_MONOTONIC, now_ns(CLOCK_MONOTONIC) + hour);
	absolute(&time, CLOCK_REALTIME, now_ns(CLOCK_REALTIME) + hour);
	ASSERT_EQ(0, waiter_start(&ws, &self->q, 1, &span));
	ASSERT_EQ(0, waiter_start(&wm, &self->q, 1, &mono));
	ASSERT_EQ(0, waiter_start(&wt, &self->q, 1, &time));
	ret = set_clock(2 * hour);
	if (ret)
		SKIP(return, "clock_settime: %s", strerror(-ret));
	EXPECT_EQ(0, waiter_result(&wt));
	EXPECT_EQ(0, waiter_done(&ws, TEST_SHORT_MS));
	EXPECT_EQ(0, waiter_done(&wm, 1));
	/* back again: a time that has passed lies ahead now */
	absolute(&time, CLOCK_REALTIME, now_ns(CLOCK_REALTIME) - hour);
	EXPECT_EQ(0, set_clock(-2 * hour));
	ASSERT_EQ(0, waiter_start(&wt, &self->q, 1, &time));
	EXPECT_EQ(0, waiter_done(&wt, TEST_SHORT_MS));
	EXPECT_EQ(0, waiter_done(&ws, 1));
	/* one record each ends them, kept unconsumed for all to see */
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	ASSERT_EQ(0, eventfd_add(self->fds[1], 1));
	ASSERT_EQ(0, eventfd_add(self->fds[2], 1));
	EXPECT_LE(1, waiter_result(&ws));
	EXPECT_LE(1, waiter_result(&wm));
	EXPECT_LE(1, waiter_result(&wt));
}

/* "N, or a timeout, or at least one" */
TEST_F(waiting, min_wait)
{
	const __u64 ms40 = 40 * NSEC_PER_MSEC;
	__u64 start, hour = 3600 * NSEC_PER_SEC;
	struct waiter w;

	/* counts from entry if there is one already */
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	self->a.min_wait_ns = ms40;
	start = now_ns(CLOCK_MONOTONIC);
	EXPECT_EQ(1, sys_kevent_wait(self->q.fd, 4, &self->a, 72));
	EXPECT_LE(start + ms40, now_ns(CLOCK_MONOTONIC));
	take_all(&self->q, NULL);

	/* from the first one else; without one for ever */
	ASSERT_EQ(0, waiter_start(&w, &self->q, 4, &self->a));
	EXPECT_EQ(0, waiter_done(&w, 80));
	start = now_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_LE(start + ms40, w.returned_at);

	/* not waited out if the minimum is met */
	self->a.min_wait_ns = hour;
	ASSERT_EQ(0, waiter_start(&w, &self->q, 3, &self->a));
	ASSERT_EQ(0, eventfd_add(self->fds[1], 1));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, eventfd_add(self->fds[2], 1));
	EXPECT_EQ(3, waiter_result(&w));

	/* the timeout stays what it is */
	relative(&self->a, CLOCK_MONOTONIC, ms40);
	self->a.min_wait_ns = hour;
	start = now_ns(CLOCK_MONOTONIC);
	EXPECT_EQ(3, sys_kevent_wait(self->q.fd, 4, &self->a, 72));
	EXPECT_LE(start + ms40, now_ns(CLOCK_MONOTONIC));
	relative(&self->a, CLOCK_MONOTONIC, hour);
	self->a.min_wait_ns = ms40;
	EXPECT_EQ(3, sys_kevent_wait(self->q.fd, 4, &self->a, 72));
}

/* ---- signals ---- */

static int nr_signals;

static void on_signal(int sig)
{
	__atomic_add_fetch(&nr_signals, 1, __ATOMIC_RELAXED);
}

static void catch_signal(int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	__atomic_store_n(&nr_signals, 0, __ATOMIC_RELAXED);
	sigaction(SIGUSR1, &sa, NULL);
}

TEST_F(waiting, interrupted)
{
	struct waiter w;

	catch_signal(0);
	ASSERT_EQ(0, waiter_start(&w, &self->q, 2, NULL));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, waiter_result(&w));
	EXPECT_EQ(1, nr_signals);
	/* also if there is something, but less than asked for; it stays */
	ASSERT_EQ(0, waiter_start(&w, &self->q, 2, NULL));
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, waiter_result(&w));
	EXPECT_TAKE(&self->q, 0, EV_IN, 0);
	/* ignored ones do not count */
	signal(SIGUSR1, SIG_IGN);
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	EXPECT_EQ(1, waiter_result(&w));
}

TEST_F(waiting, sigmask)
{
	sigset_t block, old;
	__u64 empty = 0;
	struct waiter w;

	catch_signal(0);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &block, &old);
	raise(SIGUSR1);
	EXPECT_EQ(0, nr_signals);
	/* pending before the call, let in by it, without a gap */
	self->a.sigmask = (unsigned long)&empty;
	self->a.sigmask_size = 8;
	EXPECT_EQ(-EINTR, sys_kevent_wait(self->q.fd, 1, &self->a, 72));
	EXPECT_EQ(1, nr_signals);
	/* blocked again afterwards */
	raise(SIGUSR1);
	EXPECT_EQ(1, nr_signals);
	/* the minimum is met: no error, whether or not the handler runs */
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	EXPECT_EQ(1, sys_kevent_wait(self->q.fd, 1, &self->a, 72));
	pthread_sigmask(SIG_BLOCK, NULL, &old);
	EXPECT_EQ(1, sigismember(&old, SIGUSR1));
	take_all(&self->q, NULL);
	/* blocked by the mask of the call: sleeps through */
	pthread_sigmask(SIG_UNBLOCK, &block, NULL);
	EXPECT_EQ(2, nr_signals);
	empty = 1ULL << (SIGUSR1 - 1);
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, &self->a));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	EXPECT_EQ(2, nr_signals);
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_EQ(3, nr_signals);
}

/* ---- changes inside a wait ---- */

TEST_F(waiting, with_changes)
{
	int fd = make_eventfd(1), fd2 = make_eventfd(0);
	struct kevent_change c[3] = {
		make_change(KEVENT_OP_ADD, fd2, EV_IN, 0, 101),
		make_change(KEVENT_OP_ADD, fd, EV_IN, KEVENT_EDGE, 100),
		make_change(KEVENT_OP_DISABLE, self->fds[0], 0, 0, 0),
	};
	struct waiter w;

	self->a.changes = (unsigned long)c;
	self->a.nr_changes = 3;
	self->a.change_size = sizeof(c[0]);
	self->a.changes_done = 77;
	EXPECT_EQ(1, sys_kevent_wait(self->q.fd, 1, &self->a, 72));
	EXPECT_EQ(3U, self->a.changes_done);
	EXPECT_EQ(0, c[0].result | c[1].result | c[2].result);
	EXPECT_NE(0ULL, c[0].id);
	EXPECT_NE(c[0].id, c[1].id);
	EXPECT_TAKE(&self->q, 100, EV_IN, 0);
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	EXPECT_EQ(0, in_ring(&self->q));

	/* and then it sleeps as usual */
	c[0] = make_change(KEVENT_OP_ENABLE, self->fds[0], 0, 0, 0);
	self->a.nr_changes = 1;
	self->a.changes_done = 77;
	ASSERT_EQ(0, waiter_start(&w, &self->q, 2, &self->a));
	EXPECT_EQ(1, in_ring(&self->q));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, eventfd_add(fd2, 1));
	EXPECT_EQ(2, waiter_result(&w));
	EXPECT_EQ(1U, self->a.changes_done);
}

/* A wait with a failed entry does not sleep, and says what happened. */
TEST_F(waiting, with_failed_change)
{
	int fd = make_eventfd(0);
	struct kevent_change c[3] = {
		make_change(KEVENT_OP_ADD, fd, EV_IN, 0, 100),
		make_change(KEVENT_OP_ADD, fd, EV_IN, 0, 101),
		make_change(KEVENT_OP_MODIFY, fd, EV_IN, 0, 102),
	};

	self->a.changes = (unsigned long)c;
	self->a.nr_changes = 3;
	self->a.change_size = sizeof(c[0]);
	EXPECT_EQ(0, sys_kevent_wait(self->q.fd, 1, &self->a, 72));
	EXPECT_EQ(3U, self->a.changes_done);
	EXPECT_EQ(0, c[0].result);
	EXPECT_EQ(-EEXIST, c[1].result);
	EXPECT_EQ(0, c[2].result);
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(1, ring_reaches(&self->q, 1));
	EXPECT_TAKE(&self->q, 102, EV_IN, 0);
}

/* A fault behind the first entries: done is done, and there is no sleep. */
TEST_F(waiting, with_faulting_changes)
{
	struct kevent_change *c;
	char *end = guarded_end(1);
	int i, fds[2];

	ASSERT_NE(NULL, end);
	c = (struct kevent_change *)(end - 2 * sizeof(*c));
	for (i = 0; i < 2; i++) {
		fds[i] = make_eventfd(0);
		c[i] = make_change(KEVENT_OP_ADD, fds[i], EV_IN, 0, i);
	}
	self->a.changes = (unsigned long)c;
	self->a.nr_changes = 5;
	self->a.change_size = sizeof(*c);
	EXPECT_EQ(0, sys_kevent_wait(self->q.fd, 1, &self->a, 72));
	EXPECT_EQ(2U, self->a.changes_done);
	EXPECT_EQ(0, remove_fd(self->q.fd, fds[0]));
	EXPECT_EQ(0, remove_fd(self->q.fd, fds[1]));
}

/* Applied at most once: no restart after a signal, also with SA_RESTART. */
TEST_F(waiting, changes_interrupted)
{
	int fd = make_eventfd(0);
	struct kevent_change c = make_change(KEVENT_OP_ADD, fd, EV_IN, 0, 100);
	struct waiter w;

	catch_signal(SA_RESTART);
	self->a.changes = (unsigned long)&c;
	self->a.nr_changes = 1;
	self->a.change_size = sizeof(c);
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, &self->a));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, waiter_result(&w));
	EXPECT_EQ(1U, self->a.changes_done);
	EXPECT_EQ(0, c.result);
	EXPECT_EQ(0, remove_fd(self->q.fd, fd));
}

/* ---- several consumers ---- */

struct consumer {
	struct ukevent_queue *q;
	pthread_t thread;
	int tid;
	int max;		/* records taken per call */
	__u64 timeout_ns;	/* 0: none */
	int *total;		/* records taken by all */
	int *stop;
	int quit_after;		/* calls that brought something; 0: none */
};

static void *consume(void *arg)
{
	struct consumer *c = arg;
	struct kevent_wait_args a;
	struct ukevent ev[8];
	int n, rounds = 0;

	relative(&a, CLOCK_MONOTONIC, c->timeout_ns);
	__atomic_store_n(&c->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(c->stop, __ATOMIC_ACQUIRE)) {
		n = sys_kevent_wait(c->q->fd, 1, c->timeout_ns ? &a : NULL,
				    c->timeout_ns ? sizeof(a) : 0);
		if (n < 0 && n != -EINTR)
			break;
		n = ukevent_take_shared(c->q, ev, c->max);
		__atomic_add_fetch(c->total, n, __ATOMIC_SEQ_CST);
		if (n && c->quit_after && ++rounds == c->quit_after)
			break;
	}
	__atomic_store_n(&c->tid, -1, __ATOMIC_RELEASE);
	return NULL;
}

static int reaches(int *value, int want)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;

	while (__atomic_load_n(value, __ATOMIC_SEQ_CST) != want &&
	       now_ns(CLOCK_MONOTONIC) < end)
		sched_yield();
	return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

static void consumer_start(struct consumer *c, struct ukevent_queue *q,
			   int *total, int *stop)
{
	c->q = q;
	c->total = total;
	c->stop = stop;
	c->tid = 0;
	if (!c->max)
		c->max = 1;
	pthread_create(&c->thread, NULL, consume, c);
	started(&c->tid);
}

/* T29: two events, two waiters that take one each and go away. */
TEST_F(waiting, two_for_two)
{
	struct consumer c[2] = { { .quit_after = 1 }, { .quit_after = 1 } };
	int i, total = 0, stop = 0, loops = test_loops(300);

	for (i = 0; i < loops; i++) {
		total = 0;
		consumer_start(&c[0], &self->q, &total, &stop);
		consumer_start(&c[1], &self->q, &total, &stop);
		if (i % 2) {
			task_asleep(c[0].tid);
			task_asleep(c[1].tid);
		}
		ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
		ASSERT_EQ(0, eventfd_add(self->fds[1], 1));
		ASSERT_EQ(2, reaches(&total, 2)) TH_LOG("round %d", i);
		pthread_join(c[0].thread, NULL);
		pthread_join(c[1].thread, NULL);
	}
}

/*
 * T28: waiters that time out all the time beside one that does not, and one
 * event outstanding.  Whoever is chosen, it is consumed.
 */
TEST_F_TIMEOUT(waiting, timeout_storm, 120)
{
	struct consumer c[4] = {
		{ .timeout_ns = 20000 },
		{ .timeout_ns = 100000 },
		{ .timeout_ns = 333000 },
		{ .timeout_ns = 0 },
	};
	int i, total = 0, stop = 0, loops = test_loops(3000);
	__u64 start = now_ns(CLOCK_MONOTONIC);

	for (i = 0; i < 4; i++)
		consumer_start(&c[i], &self->q, &total, &stop);
	for (i = 1; i <= loops && !test_loops_done(start, 60); i++) {
		ASSERT_EQ(0, eventfd_add(self->fds[i % NR_FDS], 1));
		ASSERT_EQ(i, reaches(&total, i));
	}
	TH_LOG("%d rounds", i - 1);
	/* one more for each of them to see the end */
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 4; i++) {
		while (__atomic_load_n(&c[i].tid, __ATOMIC_ACQUIRE) > 0) {
			ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
			sched_yield();
		}
		pthread_join(c[i].thread, NULL);
	}
}

/* T28: signals instead of timeouts. */
TEST_F_TIMEOUT(waiting, signal_storm, 120)
{
	struct consumer c[2] = {};
	int i, total = 0, stop = 0, loops = test_loops(3000);
	__u64 start = now_ns(CLOCK_MONOTONIC);

	catch_signal(0);
	for (i = 0; i < 2; i++)
		consumer_start(&c[i], &self->q, &total, &stop);
	for (i = 1; i <= loops && !test_loops_done(start, 60); i++) {
		pthread_kill(c[i % 2].thread, SIGUSR1);
		ASSERT_EQ(0, eventfd_add(self->fds[i % NR_FDS], 1));
		pthread_kill(c[i % 3 == 0].thread, SIGUSR1);
		ASSERT_EQ(i, reaches(&total, i));
	}
	TH_LOG("%d rounds, %d signals", i - 1, nr_signals);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++) {
		while (__atomic_load_n(&c[i].tid, __ATOMIC_ACQUIRE) > 0) {
			ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
			sched_yield();
		}
		pthread_join(c[i].thread, NULL);
	}
}

/*
 * T28: of two waiting processes one is killed right after the event that it may
 * have been chosen for, or right before it.  The other one must get it.
 */
FIXTURE(killed)
{
	struct ukevent_queue q;
	int fds[2];
};

FIXTURE_VARIANT(killed)
{
	/* on one processor, where nobody returns between event and signal */
	bool alone;
	bool signal_first;
};

FIXTURE_VARIANT_ADD(killed, chosen)
{
	.alone = true,
};

FIXTURE_VARIANT_ADD(killed, dying)
{
	.alone = true,
	.signal_first = true,
};

FIXTURE_VARIANT_ADD(killed, running)
{
};

FIXTURE_VARIANT_ADD(killed, leaving)
{
	.signal_first = true,
};

FIXTURE_SETUP(killed)
{
	int i;

	ASSERT_EQ(0, queue_init(&self->q, 32));
	for (i = 0; i < 2; i++) {
		self->fds[i] = make_eventfd(0);
		ASSERT_LE(0, self->fds[i]);
		ASSERT_EQ(0, add_fd(self->q.fd, self->fds[i], EV_IN,
				    KEVENT_EDGE, i, NULL));
	}
}

FIXTURE_TEARDOWN(killed)
{
	ukevent_queue_exit(&self->q);
}

TEST_F_TIMEOUT(killed, waiter, 120)
{
	/* One that had returned, and died before it took the record, tells nobody. */
	bool must = variant->alone || variant->signal_first;
	int i, k, status, rounds, nudged = 0, loops = test_loops(50);
	__u64 start = now_ns(CLOCK_MONOTONIC);
	pid_t pids[2], left, gone;

	if (variant->alone && !may_run_alone())
		SKIP(return, "no real-time priority");
	for (rounds = 0; rounds < loops && !(must && nudged) &&
	     !test_loops_done(start, 60); rounds++) {
		for (i = 0; i < 2; i++) {
			pids[i] = fork();
			if (!pids[i])
				_exit(sys_kevent_wait(self->q.fd, 1, NULL, 0) < 1);
			ASSERT_LT(0, pids[i]);
			ASSERT_EQ(0, task_asleep(pids[i]));
		}
		k = rounds % 2;
		left = pids[!k];
		if (variant->alone)
			ASSERT_EQ(0, run_alone());
		if (variant->signal_first)
			kill(pids[k], SIGKILL);
		EXPECT_EQ(0, eventfd_add(self->fds[0], 1));
		if (!variant->signal_first)
			kill(pids[k], SIGKILL);
		if (variant->alone)
			ASSERT_EQ(0, run_together());
		ASSERT_EQ(pids[k], waitpid(pids[k], &status, 0));
		if (WIFEXITED(status)) {
			/* it was faster, had the event, and may keep it */
			EXPECT_FALSE(must);
			kill(left, SIGKILL);
			ASSERT_EQ(left, waitpid(left, &status, 0));
			take_all(&self->q, NULL);
			continue;
		}
		gone = 0;
		for (i = 0; i < (must ? TEST_LONG_MS : 1000) && !gone; i++) {
			gone = waitpid(left, &status, WNOHANG);
			if (!gone)
				sleep_ms(1);
		}
		if (!gone) {
			nudged++;
			ASSERT_EQ(0, eventfd_add(self->fds[1], 1));
			ASSERT_EQ(left, waitpid(left, &status, 0));
		}
		EXPECT_EQ(0, status);
		take_all(&self->q, NULL);
	}
	TH_LOG("%d of %d rounds needed a second event", nudged, rounds);
	if (must)
		EXPECT_EQ(0, nudged);
}

/* One of several sleepers looks; then all sleep on, as there is nothing. */
TEST_F(waiting, query_by_one)
{
	struct waiter w[3];
	struct source s;
	int i;

	ASSERT_EQ(0, source_open(&s, SRC_TCP4));
	ASSERT_EQ(0, add_fd(self->q.fd, s.fd, EV_PRI, 0, 50, NULL));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, waiter_start(&w[i], &self->q, 1, NULL));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, source_fire(&s));
	/* nobody returns; what is pending was dealt with without a call */
	EXPECT_EQ(0, pending_reaches(&self->q, 0));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, waiter_done(&w[i], 5));
	EXPECT_EQ(0, in_ring(&self->q));
	/* now there is something for each of them */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	for (i = 0; i < 3; i++)
		EXPECT_LE(1, waiter_result(&w[i]));
	source_close(&s);
}

/* The queue's descriptor is closed under a sleeper. */
TEST_F(waiting, closed_under_sleeper)
{
	struct ukevent_queue q;
	struct waiter w;

	ASSERT_EQ(0, queue_init(&q, 4));
	ASSERT_EQ(0, add_fd(q.fd, self->fds[0], EV_IN, 0, 1, NULL));
	ASSERT_EQ(0, waiter_start(&w, &q, 1, NULL));
	close(q.fd);
	/* the call holds the file; an event still ends it */
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	EXPECT_EQ(1, waiter_result(&w));
}

TEST_HARNESS_MAIN
