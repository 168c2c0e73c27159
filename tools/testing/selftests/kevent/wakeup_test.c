// SPDX-License-Identifier: GPL-2.0
/*
 * S8: how many sleepers an event wakes, and how.
 */
#include "kevent_test.h"

#define NR_SLEEPERS	8
#define NR_EVENTS	500

/**
 * struct sleeper - a thread that waits for one event at a time
 * @q: the queue
 * @thread: the thread
 * @tid: its number, once it runs
 * @got: events of all of them
 * @stop: they are to end
 */
struct sleeper {
	struct ukevent_queue *q;
	pthread_t thread;
	int tid;
	int *got;
	int *stop;
};

FIXTURE(sleepers)
{
	struct ukevent_queue q;
	struct sleeper s[NR_SLEEPERS];
	int got;
	int stop;
	int fd;
};

FIXTURE_VARIANT(sleepers)
{
	bool noring;
};

FIXTURE_VARIANT_ADD(sleepers, ring)
{
	.noring = false,
};

FIXTURE_VARIANT_ADD(sleepers, get_events)
{
	.noring = true,
};

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;
	struct ukevent ev;
	int n;

	__atomic_store_n(&s->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(s->stop, __ATOMIC_ACQUIRE)) {
		if (s->q->producer) {
			n = sys_kevent_wait(s->q->fd, 1, NULL, 0);
			if (n > 0)
				n = ukevent_take_shared(s->q, &ev, 1);
		} else {
			n = sys_kevent_get_events(s->q->fd, &ev, 1, 1, NULL, 0);
		}
		if (n > 0)
			__atomic_add_fetch(s->got, n, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

FIXTURE_SETUP(sleepers)
{
	int i;

	ASSERT_EQ(0, variant->noring ? queue_init_noring(&self->q, 64) :
				       queue_init(&self->q, 64));
	self->fd = make_eventfd(0);
	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, KEVENT_EDGE, 1, NULL));
	self->got = 0;
	self->stop = 0;
	for (i = 0; i < NR_SLEEPERS; i++) {
		self->s[i] = (struct sleeper){
			.q = &self->q, .got = &self->got, .stop = &self->stop,
		};
		ASSERT_EQ(0, pthread_create(&self->s[i].thread, NULL,
					    sleeper_main, &self->s[i]));
		ASSERT_EQ(0, started(&self->s[i].tid));
	}
}

FIXTURE_TEARDOWN(sleepers)
{
	int i, asked;

	__atomic_store_n(&self->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < NR_SLEEPERS; i++) {
		while (pthread_tryjoin_np(self->s[i].thread, NULL)) {
			asked = eventfd_add(self->fd, 1);
			EXPECT_EQ(0, asked);
			sched_yield();
		}
	}
	ukevent_queue_exit(&self->q);
}

static int all_asleep(FIXTURE_DATA(sleepers) * self)
{
	int i, ret = 0;

	for (i = 0; i < NR_SLEEPERS && !ret; i++)
		ret = task_asleep(self->s[i].tid);
	return ret;
}

static long all_sleeps(FIXTURE_DATA(sleepers) * self)
{
	long sum = 0;
	int i;

	for (i = 0; i < NR_SLEEPERS; i++)
		sum += task_sleeps(self->s[i].tid);
	return sum;
}

/* One event, one of them is woken, and sleeps again. */
TEST_F_TIMEOUT(sleepers, one_for_one, 120)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	long before;
	int i;

	ASSERT_EQ(0, all_asleep(self));
	/* seen asleep is not yet counted as asleep */
	sleep_ms(TEST_SHORT_MS);
	before = all_sleeps(self);
	for (i = 1; i <= NR_EVENTS && !test_loops_done(start, 60); i++) {
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		while (__atomic_load_n(&self->got, __ATOMIC_SEQ_CST) < i &&
		       !test_loops_done(start, 90))
			sched_yield();
		ASSERT_EQ(i, __atomic_load_n(&self->got, __ATOMIC_SEQ_CST));
		ASSERT_EQ(0, all_asleep(self));
	}
	i--;
	sleep_ms(TEST_SHORT_MS);
	before = all_sleeps(self) - before;
	TH_LOG("%ld wake-ups for %d events", before, i);
	EXPECT_LE(i, before);
	/* a page fault, or an unlucky look at who sleeps, is not a herd */
	EXPECT_GE(i + i / 10, before);
}

TEST_HARNESS_MAIN
