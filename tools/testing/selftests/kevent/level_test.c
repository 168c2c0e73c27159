// SPDX-License-Identifier: GPL-2.0
/*
 * S5: level interests that go on being ready: how many a call brings, what it says
 * of those it did not look at, and what others hear while one consumer is away.
 */
#include "kevent_test.h"

#define BUDGET	64	/* level interests that a kevent_wait() looks at */
#define NR_FDS	1000

/* Level interests in descriptors that are ready. */
static int add_ready(struct ukevent_queue *q, int *fds, int nr)
{
	int i, ret = raise_nofile(2048);

	for (i = 0; i < nr && !ret; i++) {
		fds[i] = make_eventfd(1);
		ret = ukevent_add_poll(q, fds[i], EV_IN, 0, i);
	}
	return ret;
}

static int drain(const int *fds, int nr)
{
	int i, n = 0;

	for (i = 0; i < nr; i++)
		n += eventfd_take(fds[i]) == 1;
	return n;
}

FIXTURE(level)
{
	struct ukevent_queue q;
	struct ukevent buf[1024];
	int fds[NR_FDS];
	int told[NR_FDS];
	int nr;
};

FIXTURE_VARIANT(level)
{
	bool noring;
	int nr;
};

FIXTURE_VARIANT_ADD(level, ring_1)
{
	.nr = 1,
};

FIXTURE_VARIANT_ADD(level, ring_16)
{
	.nr = 16,
};

FIXTURE_VARIANT_ADD(level, ring_100)
{
	.nr = 100,
};

FIXTURE_VARIANT_ADD(level, ring_1000)
{
	.nr = 1000,
};

FIXTURE_VARIANT_ADD(level, get_events_1)
{
	.noring = true,
	.nr = 1,
};

FIXTURE_VARIANT_ADD(level, get_events_16)
{
	.noring = true,
	.nr = 16,
};

FIXTURE_VARIANT_ADD(level, get_events_100)
{
	.noring = true,
	.nr = 100,
};

FIXTURE_VARIANT_ADD(level, get_events_1000)
{
	.noring = true,
	.nr = 1000,
};

FIXTURE_SETUP(level)
{
	ASSERT_EQ(0, variant->noring ? queue_init_noring(&self->q, 1024) :
				       queue_init(&self->q, 1024));
	self->nr = variant->nr;
	memset(self->told, 0, sizeof(self->told));
	ASSERT_EQ(0, add_ready(&self->q, self->fds, self->nr));
}

FIXTURE_TEARDOWN(level)
{
	ukevent_queue_exit(&self->q);
}

/* What one kernel entry brings, counted for each interest: how many records. */
static int one_entry(FIXTURE_DATA(level) * self, __u32 min_nr, __u32 max_nr)
{
	int i, n;

	if (self->q.producer) {
		n = sys_kevent_wait(self->q.fd, min_nr, NULL, 0);
		if (n > 0 && n != (int)ukevent_take(&self->q, self->buf, 1024))
			return -EPROTO;
	} else {
		n = sys_kevent_get_events(self->q.fd, self->buf, min_nr, max_nr,
					  NULL, 0);
	}
	for (i = 0; i < n; i++)
		self->told[self->buf[i].cookie]++;
	return n;
}

/* The same by the library, which enters the kernel when the ring is empty. */
static void check_library(struct __test_metadata *_metadata,
			  struct ukevent_queue *q, int batch)
{
	int n, total = 0, entries = 0;
	struct ukevent buf[64];

	while (total < 100 * batch) {
		entries += !in_ring(q);
		n = ukevent_dequeue_batch(q, buf, 64, UKEVENT_FOREVER);
		ASSERT_LT(0, n);
		total += n;
	}
	EXPECT_LE(batch * entries, total);
}

/* Who asks for all of them is told of all, whether it would sleep or not. */
TEST_F(level, all_at_once)
{
	struct kevent_wait_args args;
	int i, round, n;

	memset(&args, 0, sizeof(args));
	for (round = 0; round < 3; round++) {
		if (variant->noring) {
			n = sys_kevent_get_events(self->q.fd, self->buf, self->nr, 1024,
						  &args, sizeof(args));
		} else {
			n = sys_kevent_wait(self->q.fd, self->nr, &args, sizeof(args));
			ASSERT_EQ(n, (int)ukevent_take(&self->q, self->buf, 1024));
		}
		ASSERT_EQ(self->nr, n);
		for (i = 0; i < n; i++)
			EXPECT_EQ(round, self->told[self->buf[i].cookie]++);
	}
	EXPECT_EQ(self->nr, drain(self->fds, self->nr));
}

/* P12: as many for each call as there are and as fit, and each in its turn. */
TEST_F(level, all_stay_ready)
{
	int i, n, least, most = 0, total = 0;
	int batch = self->nr < BUDGET ? self->nr : BUDGET;

	/* what was published by ADD */
	while (total < self->nr) {
		n = one_entry(self, 0, 1024);
		ASSERT_LT(0, n);
		total += n;
	}
	memset(self->told, 0, sizeof(self->told));
	for (total = 0, i = 0; i < 100; i++) {
		n = one_entry(self, 1, BUDGET);
		ASSERT_EQ(batch, n);
		total += n;
	}
	for (least = total, i = 0; i < self->nr; i++) {
		if (self->told[i] < least)
			least = self->told[i];
		if (self->told[i] > most)
			most = self->told[i];
	}
	/* a round more or less */
	EXPECT_GE(1, most - least);
	if (!variant->noring)
		check_library(_metadata, &self->q, batch);
}

/* Many that hold no more, and one that does: nobody takes it for nothing. */
TEST_F(level, one_of_many)
{
	struct ukevent_queue *q = &self->q;
	int n, calls = 0, nr = self->nr;
	struct pollfd p = { .fd = q->fd, .events = POLLIN };

	while (one_entry(self, 0, 1024) < nr && ++calls < 20)
		;
	ASSERT_EQ(nr - 1, drain(self->fds, nr - 1));
	memset(self->told, 0, sizeof(self->told));
	if (variant->noring) {
		EXPECT_EQ(1, one_entry(self, 0, 64));
	} else {
		for (calls = 1; calls < 100; calls++) {
			n = one_entry(self, 0, 64);
			ASSERT_EQ(calls * BUDGET < nr, is_pending(q));
			if (n)
				break;
			/* looked at some, and says so */
			ASSERT_EQ(1, is_pending(q));
			EXPECT_EQ(1, poll(&p, 1, 0));
		}
		EXPECT_EQ((nr + BUDGET - 1) / BUDGET, calls);
	}
	EXPECT_EQ(1, self->told[nr - 1]);
	/* and a call that would sleep looks at all of them */
	EXPECT_EQ(1, one_entry(self, 1, 64));
	EXPECT_EQ(2, self->told[nr - 1]);
	ASSERT_EQ(1, drain(self->fds + nr - 1, 1));
	EXPECT_EQ(0, one_entry(self, 0, 64));
	EXPECT_EQ(0, poll(&p, 1, 0));
}

FIXTURE(left_out)
{
	struct ukevent_queue q;
	int fds[NR_FDS];
};

/* Nothing is ready any more, but a call looked at some of them only. */
FIXTURE_SETUP(left_out)
{
	ASSERT_EQ(0, queue_init(&self->q, 1024));
	ASSERT_EQ(0, add_ready(&self->q, self->fds, NR_FDS));
	ASSERT_EQ(NR_FDS, take_all(&self->q, NULL));
	EXPECT_EQ(0, is_pending(&self->q));
	ASSERT_EQ(NR_FDS, drain(self->fds, NR_FDS));
	EXPECT_EQ(0, flush_ring(&self->q));
	ASSERT_EQ(1, is_pending(&self->q));
}

FIXTURE_TEARDOWN(left_out)
{
	ukevent_queue_exit(&self->q);
}

TEST_F(left_out, looked_at)
{
	int calls;

	for (calls = 1; is_pending(&self->q) && calls < NR_FDS; calls++)
		EXPECT_EQ(0, flush_ring(&self->q));
	EXPECT_EQ((NR_FDS + BUDGET - 1) / BUDGET, calls);
	EXPECT_QUIET(&self->q);
}

/* They go away: nothing is held back. */
TEST_F(left_out, removed)
{
	int i;

	for (i = 0; i < NR_FDS; i++)
		ASSERT_EQ(0, remove_fd(self->q.fd, self->fds[i]));
	EXPECT_EQ(0, is_pending(&self->q));
	EXPECT_QUIET(&self->q);
}

/* Triggers do not wait for a call, and are not told twice. */
TEST_F(left_out, triggered)
{
	int i, fd = make_eventfd(0);

	ASSERT_EQ(0, add_fd(self->q.fd, fd, EV_IN, KEVENT_EDGE, 7777, NULL));
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_TAKE(&self->q, 7777, EV_IN, 0);
	for (i = 0; i < NR_FDS; i++) {
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		EXPECT_TAKE(&self->q, i, EV_IN, 0);
	}
	ASSERT_EQ(NR_FDS, drain(self->fds, NR_FDS));
	for (i = 0; i < NR_FDS; i += BUDGET)
		EXPECT_EQ(0, flush_ring(&self->q));
	EXPECT_QUIET(&self->q);
}

/* Who would sleep looks at all of them first. */
TEST_F(left_out, sleeper)
{
	struct waiter w;

	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	EXPECT_EQ(0, is_pending(&self->q));
	ASSERT_EQ(0, eventfd_add(self->fds[500], 1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE(&self->q, 500, EV_IN, 0);
}

/* ---- several consumers ---- */

#define NR_POOL	4

enum pool_kind {
	POOL_EPOLL,
	POOL_RING,
	POOL_GET_EVENTS,
};

FIXTURE(pool)
{
	struct ukevent_queue q;
	int epfd;
	int fd;
	int got;
	int may_go;
};

FIXTURE_VARIANT(pool)
{
	enum pool_kind kind;
};

FIXTURE_VARIANT_ADD(pool, epoll)
{
	.kind = POOL_EPOLL,
};

FIXTURE_VARIANT_ADD(pool, ring)
{
	.kind = POOL_RING,
};

FIXTURE_VARIANT_ADD(pool, get_events)
{
	.kind = POOL_GET_EVENTS,
};

FIXTURE_SETUP(pool)
{
	struct epoll_event ev = { .events = EPOLLIN };

	self->q.fd = -1;
	self->fd = make_eventfd(0);
	self->epfd = epoll_create1(EPOLL_CLOEXEC);
	self->got = 0;
	self->may_go = 0;
	switch (variant->kind) {
	case POOL_EPOLL:
		ASSERT_EQ(0, epoll_ctl(self->epfd, EPOLL_CTL_ADD, self->fd, &ev));
		return;
	case POOL_RING:
		ASSERT_EQ(0, queue_init(&self->q, 64));
		break;
	case POOL_GET_EVENTS:
		ASSERT_EQ(0, queue_init_noring(&self->q, 64));
		break;
	}
	ASSERT_EQ(0, ukevent_add_poll(&self->q, self->fd, EV_IN, 0, 1));
}

FIXTURE_TEARDOWN(pool)
{
	if (self->q.fd >= 0)
		ukevent_queue_exit(&self->q);
	close(self->epfd);
	close(self->fd);
}

/**
 * struct worker - a thread of the pool
 * @pool: the pool
 * @kind: how it waits
 * @thread: the thread
 * @tid: its number, once it runs
 */
struct worker {
	FIXTURE_DATA(pool) * pool;
	enum pool_kind kind;
	pthread_t thread;
	int tid;
};

static int wait_for_one(struct worker *w)
{
	struct epoll_event event;
	struct ukevent ev;

	switch (w->kind) {
	case POOL_EPOLL:
		return epoll_wait(w->pool->epfd, &event, 1, -1);
	case POOL_RING:
		return ukevent_dequeue_shared(&w->pool->q, &ev, 1,
					      UKEVENT_FOREVER);
	case POOL_GET_EVENTS:
		return sys_kevent_get_events(w->pool->q.fd, &ev, 1, 1, NULL, 0);
	}
	return -EINVAL;
}

/* Takes one record and does not come back. */
static void *worker_main(void *arg)
{
	struct worker *w = arg;

	__atomic_store_n(&w->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	if (wait_for_one(w) == 1)
		__atomic_add_fetch(&w->pool->got, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&w->pool->may_go, __ATOMIC_ACQUIRE))
		sleep_ms(1);
	return NULL;
}

static int pool_reaches(FIXTURE_DATA(pool) * self, int nr)
{
	int i;

	for (i = 0; i < TEST_LONG_MS; i++) {
		if (__atomic_load_n(&self->got, __ATOMIC_SEQ_CST) >= nr)
			break;
		sleep_ms(1);
	}
	return __atomic_load_n(&self->got, __ATOMIC_SEQ_CST);
}

static void pool_start(struct __test_metadata *_metadata,
		       FIXTURE_DATA(pool) * self, struct worker *w,
		       enum pool_kind kind)
{
	int i;

	for (i = 0; i < NR_POOL; i++) {
		w[i] = (struct worker){ .pool = self, .kind = kind };
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, worker_main,
					    &w[i]));
		ASSERT_EQ(0, started(&w[i].tid));
		ASSERT_EQ(0, task_asleep(w[i].tid));
	}
}

/* One descriptor is ready and stays so, whoever takes a record stays away. */
TEST_F(pool, all_hear_of_it)
{
	struct worker w[NR_POOL];
	int i;

	pool_start(_metadata, self, w, variant->kind);
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(NR_POOL, pool_reaches(self, NR_POOL));
	__atomic_store_n(&self->may_go, 1, __ATOMIC_RELEASE);
	for (i = 0; i < NR_POOL; i++)
		pthread_join(w[i].thread, NULL);
}

/* Read before the next one looks: it sleeps on. */
TEST_F(pool, no_longer_ready)
{
	struct worker w[NR_POOL];
	int i, got = 0;

	pool_start(_metadata, self, w, variant->kind);
	/* whoever sleeps still is there for the next event */
	while (got < NR_POOL) {
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		ASSERT_LT(got, pool_reaches(self, got + 1));
		ASSERT_LT(0ULL, eventfd_take(self->fd));
		/* those on their way have found it, or sleep again */
		sleep_ms(TEST_SHORT_MS);
		got = pool_reaches(self, 1);
	}
	__atomic_store_n(&self->may_go, 1, __ATOMIC_RELEASE);
	for (i = 0; i < NR_POOL; i++)
		pthread_join(w[i].thread, NULL);
}

TEST_HARNESS_MAIN
