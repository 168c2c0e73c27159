// SPDX-License-Identifier: GPL-2.0
/*
 * S8 with the sources TIMER and USER: waits that begin with changes, on both
 * kinds of queue; who is woken by a record from a hard interrupt or a trigger.
 */
#include "source_test.h"

#define NR_BUF		32

static void with_changes(struct kevent_wait_args *a, struct kevent_change *c,
			 int nr)
{
	memset(a, 0, sizeof(*a));
	a->changes = (unsigned long)c;
	a->nr_changes = nr;
	a->change_size = sizeof(*c);
	a->changes_done = 77;
}

static void with_timeout(struct kevent_wait_args *a, int clock, __u64 ns,
			 __u32 flags)
{
	memset(a, 0, sizeof(*a));
	a->flags = KEVENT_WAIT_TIMEOUT | flags;
	a->clockid = clock;
	a->timeout_ns = ns;
}

/* ---- both kinds of queue ---- */

/* Waits, then takes all there is: how many, at least as many as it was told. */
static int wait_take(struct ukevent_queue *q, struct ukevent *buf, __u32 min_nr,
		     struct kevent_wait_args *a)
{
	size_t size = a ? sizeof(*a) : 0;
	int ret, n;

	if (!q->ring_map)
		return sys_kevent_get_events(q->fd, buf, min_nr, NR_BUF, a,
					     size);
	ret = sys_kevent_wait(q->fd, min_nr, a, size);
	if (ret < 0)
		return ret;
	n = ukevent_take(q, buf, NR_BUF);
	return n < ret ? -EPROTO : n;
}

/**
 * struct taker - a thread inside wait_take()
 * @q: in: the queue
 * @min_nr: in: argument
 * @args: in: argument, may be NULL
 * @buf: the records
 * @thread: the thread
 * @tid: its kernel number, once it runs
 * @done: set after the call returned
 * @ret: what it returned
 */
struct taker {
	struct ukevent_queue *q;
	__u32 min_nr;
	struct kevent_wait_args *args;
	struct ukevent buf[NR_BUF];
	pthread_t thread;
	int tid;
	int done;
	int ret;
};

static void *taker_main(void *arg)
{
	struct taker *t = arg;

	__atomic_store_n(&t->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	t->ret = wait_take(t->q, t->buf, t->min_nr, t->args);
	__atomic_store_n(&t->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int taker_done(struct taker *t, unsigned int ms)
{
	while (!__atomic_load_n(&t->done, __ATOMIC_ACQUIRE)) {
		if (!ms--)
			return 0;
		sleep_ms(1);
	}
	return 1;
}

/* Returns when it sleeps, or was done at once. */
static int taker_start(struct taker *t, struct ukevent_queue *q, __u32 min_nr,
		       struct kevent_wait_args *args)
{
	int ret;

	memset(t, 0, sizeof(*t));
	t->q = q;
	t->min_nr = min_nr;
	t->args = args;
	ret = -pthread_create(&t->thread, NULL, taker_main, t);
	if (!ret)
		ret = started(&t->tid);
	while (!ret && !taker_done(t, 0) && task_state(t->tid) != 'S')
		sleep_ms(1);
	return ret;
}

static int taker_result(struct taker *t)
{
	if (!taker_done(t, TEST_LONG_MS))
		return -ETIME;
	pthread_join(t->thread, NULL);
	return t->ret;
}

/* Nothing there, and nothing to come. */
#define EXPECT_NOTHING(q) \
do { \
	struct ukevent __buf[NR_BUF]; \
	EXPECT_EQ(0, wait_take(q, __buf, 0, NULL)); \
} while (0)

/* ---- a turn of the loop in one call ---- */

FIXTURE(turn)
{
	struct ukevent_queue q;
	struct kevent_wait_args a;
	struct ukevent buf[NR_BUF];
};

FIXTURE_VARIANT(turn)
{
	bool noring;
};

FIXTURE_VARIANT_ADD(turn, ring)
{
	.noring = false,
};

FIXTURE_VARIANT_ADD(turn, noring)
{
	.noring = true,
};

FIXTURE_SETUP(turn)
{
	ASSERT_EQ(0, variant->noring ? queue_init_noring(&self->q, NR_BUF) :
				       queue_init(&self->q, NR_BUF));
}

FIXTURE_TEARDOWN(turn)
{
	ukevent_queue_exit(&self->q);
}

/*
 *   kevent_wait(1, changes: ADD timer, 1 ms)
 *     applies it, sleeps                      hard interrupt: record, wakes
 *   returns 1
 */
TEST_F(turn, add_timer_and_wait)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c = make_timer(KEVENT_OP_ADD, 5, NSEC_PER_MSEC, 0,
					    CLOCK_MONOTONIC, KEVENT_ONESHOT,
					    50);

	with_changes(&self->a, &c, 1);
	EXPECT_EQ(1, wait_take(q, self->buf, 1, &self->a));
	EXPECT_EQ(1U, self->a.changes_done);
	EXPECT_EQ(0, c.result);
	EXPECT_NE(0ULL, c.id);
	EXPECT_TIMER(&self->buf[0], 50, 1);
	/* one-shot: it has ended with the record */
	EXPECT_EQ(-ENOENT, ukevent_op(q, KEVENT_OP_REMOVE, KEVENT_TYPE_TIMER,
				      5));
	EXPECT_NOTHING(q);
}

/* A periodic timer has two unread records at most: they meet a minimum of two. */
TEST_F(turn, periodic_timer_alone)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct kevent_change c = make_timer(KEVENT_OP_ADD, 5, NSEC_PER_MSEC,
					    NSEC_PER_MSEC, CLOCK_MONOTONIC, 0,
					    50);

	with_changes(&self->a, &c, 1);
	EXPECT_EQ(2, wait_take(&self->q, self->buf, 2, &self->a));
	EXPECT_EQ(50ULL, self->buf[0].cookie);
	EXPECT_EQ(50ULL, self->buf[1].cookie);
	EXPECT_LE(1ULL, self->buf[0].data[0]);
	EXPECT_LE(1ULL, self->buf[1].data[0]);
	/* no more expirations than there were */
	EXPECT_LE(self->buf[0].data[0] + self->buf[1].data[0],
		  (now_ns(CLOCK_MONOTONIC) - start) / NSEC_PER_MSEC);
}

/* What a loop of many turns does: a call for each, and no other. */
TEST_F(turn, enable_and_wait)
{
	struct kevent_change c = make_timer(KEVENT_OP_ADD, 5, NSEC_PER_MSEC, 0,
					    CLOCK_MONOTONIC, KEVENT_DISPATCH,
					    50);
	int i;

	with_changes(&self->a, &c, 1);
	EXPECT_EQ(1, wait_take(&self->q, self->buf, 1, &self->a));
	EXPECT_TIMER(&self->buf[0], 50, 1);
	for (i = 0; i < 20; i++) {
		c = make_typed(KEVENT_OP_ENABLE, KEVENT_TYPE_TIMER, 5, 0, 0, 0);
		with_changes(&self->a, &c, 1);
		EXPECT_EQ(1, wait_take(&self->q, self->buf, 1, &self->a));
		EXPECT_TIMER(&self->buf[0], 50, 1);
	}
	EXPECT_NOTHING(&self->q);
}

/*
 *   ADD user, three TRIGGERs, wait for 1: two records, the third is counted until
 *   they are consumed
 */
TEST_F(turn, trigger_and_wait)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c[4] = {
		make_user(KEVENT_OP_ADD, 6, 0, 60),
		make_trigger(6, 1),
		make_trigger(6, 2),
		make_trigger(6, 3),
	};

	with_changes(&self->a, c, 4);
	EXPECT_EQ(2, wait_take(q, self->buf, 1, &self->a));
	EXPECT_EQ(4U, self->a.changes_done);
	EXPECT_EQ(0, c[0].result | c[1].result | c[2].result | c[3].result);
	EXPECT_USER(&self->buf[0], 60, 1, 1);
	EXPECT_USER(&self->buf[1], 60, 2, 1);
	EXPECT_EQ(1, wait_take(q, self->buf, 1, NULL));
	EXPECT_USER(&self->buf[0], 60, 3, 1);
	EXPECT_NOTHING(q);
}

/* With a failed entry it does not sleep, and the others are applied. */
TEST_F(turn, failed_entry)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c[5] = {
		make_timer(KEVENT_OP_ADD, 5, HOUR, 0, CLOCK_MONOTONIC, 0, 50),
		make_trigger(99, 0),
		make_timer(KEVENT_OP_ADD, 7, HOUR, 0, 99, 0, 70),
		make_timer(KEVENT_OP_ADD, 5, 0, 0, CLOCK_MONOTONIC, 0, 51),
		make_user(KEVENT_OP_ADD, 5, 0, 60),
	};
	static const int want[5] = { 0, -ENOENT, -EINVAL, -EEXIST, 0 };
	int i;

	with_changes(&self->a, c, 5);
	EXPECT_EQ(0, wait_take(q, self->buf, 1, &self->a));
	EXPECT_EQ(5U, self->a.changes_done);
	for (i = 0; i < 5; i++)
		EXPECT_EQ(want[i], c[i].result) TH_LOG("entry %d", i);
	/* nor for more than is there */
	c[0] = make_trigger(5, 7);
	with_changes(&self->a, c, 2);
	EXPECT_EQ(1, wait_take(q, self->buf, 2, &self->a));
	EXPECT_EQ(0, c[0].result);
	EXPECT_EQ(-ENOENT, c[1].result);
	EXPECT_USER(&self->buf[0], 60, 7, 1);
	EXPECT_NOTHING(q);
}

/* What is to be removed, and has ended already, keeps nobody awake. */
TEST_F(turn, removed_before)
{
	struct kevent_change c[2] = {
		make_user(KEVENT_OP_REMOVE, 9, 0, 0),
		make_typed(KEVENT_OP_REMOVE, KEVENT_TYPE_POLL, 0, 0, KEVENT_BY_ID, 0),
	};

	c[1].id = 1ULL << 40;
	ASSERT_EQ(0, ukevent_set_timer(&self->q, KEVENT_OP_ADD, 5, 30 * NSEC_PER_MSEC, 0,
				       CLOCK_MONOTONIC, 0, 51));
	with_changes(&self->a, c, 2);
	EXPECT_EQ(1, wait_take(&self->q, self->buf, 1, &self->a));
	EXPECT_EQ(2U, self->a.changes_done);
	EXPECT_EQ(-ENOENT, c[0].result);
	EXPECT_EQ(-ENOENT, c[1].result);
	EXPECT_EQ(51ULL, self->buf[0].cookie);
}

/* The array ends in a page that is not there: two are done, no sleep. */
TEST_F(turn, faulting_changes)
{
	struct kevent_change *c;
	char *end = guarded_end(1);

	ASSERT_NE(NULL, end);
	ASSERT_EQ(0, add_user(&self->q, 6, 0, 60));
	c = (struct kevent_change *)end - 2;
	c[0] = make_trigger(6, 1);
	c[1] = make_trigger(6, 2);
	with_changes(&self->a, c, 5);
	EXPECT_EQ(2, wait_take(&self->q, self->buf, 8, &self->a));
	EXPECT_EQ(2U, self->a.changes_done);
	EXPECT_USER(&self->buf[0], 60, 1, 1);
	EXPECT_USER(&self->buf[1], 60, 2, 1);
	EXPECT_NOTHING(&self->q);
}

static void no_action(int sig)
{
}

/* A signal does not make it trigger twice, not even with SA_RESTART. */
TEST_F(turn, triggers_once)
{
	struct sigaction sa = { .sa_handler = no_action, .sa_flags = SA_RESTART };
	struct kevent_change c = make_trigger(6, 1);
	struct taker t;
	int i;

	sigaction(SIGUSR1, &sa, NULL);
	ASSERT_EQ(0, add_user(&self->q, 6, 0, 60));
	for (i = 0; i < 10; i++) {
		c.result = 12345;
		with_changes(&self->a, &c, 1);
		ASSERT_EQ(0, taker_start(&t, &self->q, 3, &self->a));
		ASSERT_EQ(0, pthread_kill(t.thread, SIGUSR1));
		ASSERT_EQ(-EINTR, taker_result(&t));
		EXPECT_EQ(1U, self->a.changes_done);
		EXPECT_EQ(0, c.result);
		EXPECT_EQ(1, wait_take(&self->q, self->buf, 0, NULL));
		EXPECT_USER(&self->buf[0], 60, 1, 1);
	}
	EXPECT_NOTHING(&self->q);
}

/* T41: a timer of each clock under a timeout of each: the one that is due ends it. */
TEST_F(turn, clocks)
{
	const __u64 soon = 10 * NSEC_PER_MSEC;
	struct ukevent_queue *q = &self->q;
	int timer, wait;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		for (j = 0; j < ARRAY_SIZE(clocks); j++) {
			timer = clocks[i];
			wait = clocks[j];
			ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 5,
						       now_ns(timer) + HOUR, 0,
						       timer, KEVENT_ABSTIME,
						       i));
			with_timeout(&self->a, wait, now_ns(wait) + soon,
				     KEVENT_WAIT_ABSTIME);
			EXPECT_EQ(0, wait_take(q, self->buf, 1, &self->a))
				TH_LOG("timer %d, wait %d", timer, wait);
			EXPECT_LE(self->a.timeout_ns, now_ns(wait));
			ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_MODIFY, 5,
						       now_ns(timer) + soon, 0,
						       timer, KEVENT_ABSTIME |
						       KEVENT_ONESHOT, i));
			with_timeout(&self->a, wait, now_ns(wait) + HOUR,
				     KEVENT_WAIT_ABSTIME);
			EXPECT_EQ(1, wait_take(q, self->buf, 1, &self->a))
				TH_LOG("timer %d, wait %d", timer, wait);
			EXPECT_TIMER(&self->buf[0], i, 1);
		}
	}
	EXPECT_NOTHING(q);
}

/* "N, or a timeout, or at least one" */
TEST_F(turn, min_wait)
{
	const __u64 ms20 = 20 * NSEC_PER_MSEC;
	struct ukevent_queue *q = &self->q;
	struct kevent_change c = make_timer(KEVENT_OP_ADD, 5, NSEC_PER_MSEC,
					    NSEC_PER_MSEC, CLOCK_MONOTONIC, 0,
					    50);
	__u64 start;
	struct taker t;

	/* of a timer there are two: what is waited for more is the rest */
	with_changes(&self->a, &c, 1);
	self->a.min_wait_ns = ms20;
	start = now_ns(CLOCK_MONOTONIC);
	EXPECT_EQ(2, wait_take(q, self->buf, 8, &self->a));
	EXPECT_LE(start + ms20, now_ns(CLOCK_MONOTONIC));
	ASSERT_EQ(0, ukevent_op(q, KEVENT_OP_REMOVE, KEVENT_TYPE_TIMER, 5));
	wait_take(q, self->buf, 0, NULL);

	/* nobody waits it out when there are enough */
	ASSERT_EQ(0, add_far_timer(q, 5, 50));
	ASSERT_EQ(0, add_user(q, 6, 0, 60));
	memset(&self->a, 0, sizeof(self->a));
	self->a.min_wait_ns = HOUR;
	ASSERT_EQ(0, taker_start(&t, q, 3, &self->a));
	EXPECT_EQ(0, fire_timer(q, 5, 50));
	EXPECT_EQ(0, taker_done(&t, TEST_SHORT_MS));
	EXPECT_EQ(0, ukevent_trigger(q, 6, 1));
	EXPECT_EQ(0, taker_done(&t, TEST_SHORT_MS));
	EXPECT_EQ(0, ukevent_trigger(q, 6, 2));
	EXPECT_EQ(3, taker_result(&t));
	EXPECT_TIMER(&t.buf[0], 50, 1);
	EXPECT_USER(&t.buf[1], 60, 1, 1);
	EXPECT_USER(&t.buf[2], 60, 2, 1);
	EXPECT_NOTHING(q);
}

static struct ukevent_queue *handler_queue;
static int handler_ret;

static void trigger_in_handler(int sig)
{
	__atomic_store_n(&handler_ret, ukevent_trigger(handler_queue, 6, sig),
			 __ATOMIC_RELAXED);
}

/* What the handler's TRIGGER answered, 1 if it did not run. */
static int handler_result(void)
{
	return __atomic_exchange_n(&handler_ret, 1, __ATOMIC_RELAXED);
}

/*
 * What a pipe to oneself is for, without the pipe.
 *
 *   SIGUSR1 is blocked, and comes
 *   kevent_wait(1, mask without it)   -EINTR; the handler has run: TRIGGER
 *   kevent_wait(1)                    its record
 */
TEST_F(turn, handler_triggers)
{
	struct sigaction sa = { .sa_handler = trigger_in_handler };
	struct ukevent_queue *q = &self->q;
	__u64 nothing_blocked = 0;
	sigset_t block;
	struct taker t;
	int i;

	ASSERT_EQ(0, add_user(q, 6, 0, 60));
	ASSERT_EQ(0, add_far_timer(q, 5, 50));
	handler_queue = q;
	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &block, NULL);
	handler_result();
	self->a.sigmask = (unsigned long)&nothing_blocked;
	self->a.sigmask_size = 8;
	for (i = 0; i < 10; i++) {
		raise(SIGUSR1);
		EXPECT_EQ(1, handler_result());
		EXPECT_EQ(-EINTR, wait_take(q, self->buf, 1, &self->a));
		EXPECT_EQ(0, handler_result());
		EXPECT_EQ(1, wait_take(q, self->buf, 1, NULL));
		EXPECT_USER(&self->buf[0], 60, SIGUSR1, 1);
	}
	/* the other way round: asleep first; the thread has it blocked too */
	ASSERT_EQ(0, taker_start(&t, q, 1, &self->a));
	ASSERT_EQ(0, pthread_kill(t.thread, SIGUSR1));
	EXPECT_EQ(-EINTR, taker_result(&t));
	EXPECT_EQ(0, handler_result());
	EXPECT_EQ(1, wait_take(q, self->buf, 1, NULL));
	EXPECT_USER(&self->buf[0], 60, SIGUSR1, 1);
	/* blocked by the mask of the call: sleeps through, until the timer */
	nothing_blocked = 1ULL << (SIGUSR1 - 1);
	pthread_sigmask(SIG_UNBLOCK, &block, NULL);
	ASSERT_EQ(0, taker_start(&t, q, 1, &self->a));
	pthread_sigmask(SIG_BLOCK, &block, NULL);
	ASSERT_EQ(0, pthread_kill(t.thread, SIGUSR1));
	EXPECT_EQ(0, taker_done(&t, TEST_SHORT_MS));
	EXPECT_EQ(1, handler_result());
	EXPECT_EQ(0, fire_timer(q, 5, 50));
	/* the handler may run before the records are taken */
	EXPECT_LE(1, taker_result(&t));
	EXPECT_TIMER(&t.buf[0], 50, 1);
	EXPECT_EQ(0, handler_result());
}

/* What an expired wait did not collect is there for the next one. */
TEST_F(turn, minimum_not_met)
{
	struct ukevent_queue *q = &self->q;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, add_user(q, i, 0, i));
	ASSERT_EQ(0, add_far_timer(q, 5, 50));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ukevent_trigger(q, i, 10 + i));
	/* T2: three of four: not before the timeout */
	with_timeout(&self->a, CLOCK_MONOTONIC,
		     now_ns(CLOCK_MONOTONIC) + 20 * NSEC_PER_MSEC,
		     KEVENT_WAIT_ABSTIME);
	EXPECT_EQ(3, wait_take(q, self->buf, 4, &self->a));
	EXPECT_LE(self->a.timeout_ns, now_ns(CLOCK_MONOTONIC));
	for (i = 0; i < 3; i++)
		EXPECT_USER(&self->buf[i], i, 10 + i, 1);
	EXPECT_EQ(0, fire_timer(q, 5, 50));
	EXPECT_EQ(1, wait_take(q, self->buf, 1, NULL));
	EXPECT_TIMER(&self->buf[0], 50, 1);
}

/* The data words: sums of what happened since the last record, of both types. */
TEST_F(turn, sums)
{
	const __u64 period = 2 * NSEC_PER_MSEC;
	__u64 told = 0, counted = 0, payload = 0, triggers = 0, start;
	struct kevent_change c = make_trigger(6, 0);
	struct ukevent_queue *q = &self->q;
	int i, n, round;

	ASSERT_EQ(0, add_user(q, 6, 0, 60));
	start = now_ns(CLOCK_MONOTONIC) + 4 * period;
	ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 5, start, period,
				       CLOCK_MONOTONIC, KEVENT_ABSTIME, 50));
	for (round = 0; round < 20; round++) {
		for (i = 0; i < round; i++) {
			c.param[KEVENT_USER_PAYLOAD] = ++payload;
			c.param[KEVENT_USER_COUNT] = i;
			triggers += i ? i : 1;
			ASSERT_EQ(0, do_change(q->fd, &c));
		}
		sleep_ms(round % 4);
		n = wait_take(q, self->buf, 1, NULL);
		ASSERT_LT(0, n);
		for (i = 0; i < n; i++) {
			if (self->buf[i].type == KEVENT_TYPE_TIMER) {
				told += self->buf[i].data[0];
				continue;
			}
			EXPECT_EQ(60ULL, self->buf[i].cookie);
			EXPECT_GE(payload, self->buf[i].data[0]);
			counted += self->buf[i].data[1];
		}
	}
	/* what is not told yet comes with a last look after the last trigger */
	n = wait_take(q, self->buf, 0, NULL);
	for (i = 0; i < n; i++)
		if (self->buf[i].type == KEVENT_TYPE_USER) {
			EXPECT_EQ(payload, self->buf[i].data[0]);
			counted += self->buf[i].data[1];
		}
	EXPECT_EQ(triggers, counted);
	EXPECT_LE(told, (now_ns(CLOCK_MONOTONIC) - start) / period + 1);
	EXPECT_LT(0ULL, told);
}

/* A full counter says so, in either kind of queue. */
TEST_F(turn, saturated)
{
	struct kevent_change c = make_trigger(6, 1);
	struct ukevent_queue *q = &self->q;
	int i;

	ASSERT_EQ(0, add_user(q, 6, KEVENT_DISPATCH, 60));
	ASSERT_EQ(0, ukevent_trigger(q, 6, 0));
	EXPECT_EQ(1, wait_take(q, self->buf, 1, NULL));
	c.param[KEVENT_USER_COUNT] = UINT64_MAX / 2;
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, do_change(q->fd, &c));
	EXPECT_NOTHING(q);
	c = make_user(KEVENT_OP_ENABLE, 6, 0, 0);
	with_changes(&self->a, &c, 1);
	EXPECT_EQ(1, wait_take(q, self->buf, 1, &self->a));
	check_record(_metadata, __LINE__, &self->buf[0], KEVENT_TYPE_USER, 60,
		     TRIGGERED, KEVENT_REC_SATURATED, 1, UINT64_MAX);
}

/* ---- who is woken ---- */

FIXTURE(waking)
{
	struct ukevent_queue q;
	__s64 clock_moved;
};

/* Timers 1 to 4, which are set when they are wanted, and USER 1 to 4. */
FIXTURE_SETUP(waking)
{
	int i;

	ASSERT_EQ(0, queue_init(&self->q, NR_BUF));
	for (i = 1; i <= 4; i++) {
		ASSERT_EQ(0, add_far_timer(&self->q, i, 50 + i));
		ASSERT_EQ(0, add_user(&self->q, i, 0, 60 + i));
	}
	self->clock_moved = 0;
}

static int move_clock(FIXTURE_DATA(waking) * self, __s64 by)
{
	struct timespec ts;
	__u64 now = now_ns(CLOCK_REALTIME) + by;

	ts.tv_sec = now / NSEC_PER_SEC;
	ts.tv_nsec = now % NSEC_PER_SEC;
	if (clock_settime(CLOCK_REALTIME, &ts))
		return -errno;
	self->clock_moved += by;
	return 0;
}

FIXTURE_TEARDOWN(waking)
{
	if (self->clock_moved)
		move_clock(self, -self->clock_moved);
	ukevent_queue_exit(&self->q);
}

/*
 * Those who ask for more do not even run.
 *
 *   W1 sleeps for 1     W2 for 2     W3 for 3     W4 for 4
 *   timer 1, hard interrupt: record     ring 1: W1 returns
 *   timer 2                             ring 2: W2 returns
 *   timer 3                             ring 3: W3 returns
 *   timer 4                             ring 4: W4 returns
 */
TEST_F(waking, own_minimum)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w[4];
	long before[4];
	int i, next;

	for (i = 3; i >= 0; i--)
		ASSERT_EQ(0, waiter_start(&w[i], q, i + 1, NULL));
	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, task_left(w[i].tid));
	for (next = 0; next < 4; next++) {
		for (i = next + 1; i < 4; i++)
			before[i] = task_sleeps(w[i].tid);
		EXPECT_EQ(0, waiter_done(&w[next], 5));
		ASSERT_EQ(0, fire_timer(q, next + 1, 51 + next));
		EXPECT_EQ(next + 1, waiter_result(&w[next]));
		for (i = next + 1; i < 4; i++) {
			EXPECT_EQ(before[i], task_sleeps(w[i].tid))
				TH_LOG("waiter for %d ran at %d", i + 1,
				       next + 1);
			EXPECT_EQ('S', task_state(w[i].tid));
		}
	}
}

/*
 * T2, T3: a minimum and a deadline of his own for everybody.
 *
 *   A sleeps for 3, until 1:00     B for 3, until 2:00     C for 1, until 3:00
 *   D sleeps for 3, without end
 *   TRIGGER                        ring 1: C returns 1
 *   the clock is set to 1:30               A returns 1, below its minimum
 *   timer, hard interrupt          ring 2
 *   the clock is set to 2:30               B returns 2
 *   TRIGGER                        ring 3: D returns 3
 */
TEST_F(waking, own_deadline)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_wait_args a[3];
	struct waiter w[3], d;
	__u64 now;
	int i, ret;

	now = now_ns(CLOCK_REALTIME);
	for (i = 0; i < 3; i++) {
		with_timeout(&a[i], CLOCK_REALTIME, now + (i + 1) * HOUR,
			     KEVENT_WAIT_ABSTIME);
		ASSERT_EQ(0, waiter_start(&w[i], q, i < 2 ? 3 : 1, &a[i]));
	}
	ASSERT_EQ(0, waiter_start(&d, q, 3, NULL));

	EXPECT_EQ(0, ukevent_trigger(q, 1, 0));
	EXPECT_EQ(1, waiter_result(&w[2]));
	EXPECT_EQ(0, waiter_done(&w[0], TEST_SHORT_MS));
	ret = move_clock(self, HOUR + HOUR / 2);
	ASSERT_EQ(0, ret) TH_LOG("clock_settime: %s", strerror(-ret));
	EXPECT_EQ(1, waiter_result(&w[0]));
	EXPECT_EQ(0, waiter_done(&w[1], TEST_SHORT_MS));
	ASSERT_EQ(0, fire_timer(q, 2, 52));
	EXPECT_EQ(2, ring_reaches(q, 2));
	EXPECT_EQ(0, waiter_done(&w[1], TEST_SHORT_MS));
	EXPECT_EQ(0, move_clock(self, HOUR));
	EXPECT_EQ(2, waiter_result(&w[1]));
	EXPECT_EQ(0, waiter_done(&d, TEST_SHORT_MS));
	EXPECT_EQ(0, ukevent_trigger(q, 3, 0));
	EXPECT_EQ(3, waiter_result(&d));
}

/*
 * The minimum counts records, not what they stand for.
 *
 *   W sleeps for 3
 *   USER 1 triggered 5 times     ring 2, and 3 counted: W sleeps on
 *   USER 2 triggered             ring 3: W returns 3
 */
TEST_F(waking, records_count)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;
	int i;

	ASSERT_EQ(0, waiter_start(&w, q, 3, NULL));
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, i));
	EXPECT_EQ(2, in_ring(q));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	EXPECT_EQ(0, ukevent_trigger(q, 2, 9));
	EXPECT_EQ(3, waiter_result(&w));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 61, TRIGGERED, 0, 0, 1);
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 61, TRIGGERED, 0, 1, 1);
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 62, TRIGGERED, 0, 9, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 61, TRIGGERED, 0, 4, 3);
	EXPECT_QUIET(q);
}

/*
 * What another thread took is not there any more.
 *
 *   W sleeps for 2
 *   USER 1     ring 1     main takes it     ring 0
 *   timer 1    ring 1: W sleeps on
 *   USER 2     ring 2: W returns 2
 */
TEST_F(waking, taken_by_another)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	ASSERT_EQ(0, waiter_start(&w, q, 2, NULL));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 0));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 61, TRIGGERED, 0, 0, 1);
	ASSERT_EQ(0, fire_timer(q, 1, 51));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	EXPECT_EQ(0, ukevent_trigger(q, 2, 0));
	EXPECT_EQ(2, waiter_result(&w));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_TIMER, 51, EXPIRED, 0, 1, 0);
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 62, TRIGGERED, 0, 0, 1);
}

/*
 * A change of one thread publishes what another one sleeps for.
 *
 *   USER 1 disabled, triggered 3 times: counted     W sleeps for 1
 *   ENABLE                                          ring 1: W returns
 *   timer 1 in an hour                              W sleeps for 1
 *   MODIFY to now                                   ring 1: W returns
 */
TEST_F(waking, by_changes)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;
	int i;

	ASSERT_EQ(0, ukevent_op(q, KEVENT_OP_DISABLE, KEVENT_TYPE_USER, 1));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, i));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	EXPECT_EQ(0, ukevent_op(q, KEVENT_OP_ENABLE, KEVENT_TYPE_USER, 1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 61, TRIGGERED, 0, 2, 3);

	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	EXPECT_EQ(0, ukevent_set_timer(q, KEVENT_OP_MODIFY, 1, 0, 0,
				       CLOCK_MONOTONIC, 0, 51));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_TIMER, 51, EXPIRED, 0, 1, 0);
	EXPECT_QUIET(q);
}

/*
 * First come, first served; one record wakes one of them.
 *
 *   A sleeps for 1, then B for 1
 *   timer 1     ring 1: A returns, B sleeps on
 *   USER 1      ring 2: B returns
 */
TEST_F(waking, first_come)
{
	struct ukevent_queue *q = &self->q;
	struct waiter a, b;

	ASSERT_EQ(0, waiter_start(&a, q, 1, NULL));
	ASSERT_EQ(0, task_left(a.tid));
	ASSERT_EQ(0, waiter_start(&b, q, 1, NULL));
	ASSERT_EQ(0, task_left(b.tid));
	ASSERT_EQ(0, fire_timer(q, 1, 51));
	EXPECT_EQ(1, waiter_result(&a));
	EXPECT_EQ(0, waiter_done(&b, TEST_SHORT_MS));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 0));
	EXPECT_EQ(2, waiter_result(&b));
}

#define NR_KICKED	8

struct kicked {
	struct ukevent_queue *q;
	pthread_t thread;
	struct ukevent ev;
	int tid;
	int ret;
	int *returned;
};

static void *kicked_main(void *arg)
{
	struct kicked *k = arg;

	__atomic_store_n(&k->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	k->ret = sys_kevent_get_events(k->q->fd, &k->ev, 1, 1, NULL, 0);
	__atomic_add_fetch(k->returned, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

struct looker {
	int fd;
	int stop;
	long seen;
};

static void *look_main(void *arg)
{
	struct looker *l = arg;

	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		if (is_ready(l->fd, POLLIN, 0))
			l->seen++;
		sched_yield();
	}
	return NULL;
}

/* Waits until @value is @want, and a little for it to go beyond. */
static int settles_at(int *value, int want)
{
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;

	while (__atomic_load_n(value, __ATOMIC_SEQ_CST) < want &&
	       now_ns(CLOCK_MONOTONIC) < end)
		sleep_ms(1);
	sleep_ms(TEST_SHORT_MS);
	return __atomic_load_n(value, __ATOMIC_SEQ_CST);
}

/*
 * T4: as many return as there are events, whoever else looks.
 *
 *   8 threads sleep for 1 and take 1     another one polls the queue all the time
 *   5 TRIGGERs                           5 return, 3 sleep on
 *   3 TRIGGERs                           they return
 */
TEST(kicked_one_by_one)
{
	struct kicked k[NR_KICKED] = {};
	struct looker look = {};
	int i, n, returned = 0;
	unsigned int seen = 0;
	struct ukevent_queue q;
	struct ukevent ev;
	pthread_t looks;

	ASSERT_EQ(0, queue_init_noring(&q, NR_BUF));
	look.fd = q.fd;
	ASSERT_EQ(0, pthread_create(&looks, NULL, look_main, &look));
	for (i = 0; i < NR_KICKED; i++) {
		ASSERT_EQ(0, add_user(&q, i, KEVENT_EDGE, i));
		k[i].q = &q;
		k[i].returned = &returned;
		ASSERT_EQ(0, pthread_create(&k[i].thread, NULL, kicked_main,
					    &k[i]));
		ASSERT_EQ(0, started(&k[i].tid));
		ASSERT_EQ(0, task_asleep(k[i].tid));
	}
	for (i = 0; i < 5; i++)
		EXPECT_EQ(0, ukevent_trigger(&q, i, 100 + i));
	EXPECT_EQ(5, settles_at(&returned, 5));
	for (; i < NR_KICKED; i++)
		EXPECT_EQ(0, ukevent_trigger(&q, i, 100 + i));
	EXPECT_EQ(NR_KICKED, settles_at(&returned, NR_KICKED));
	__atomic_store_n(&look.stop, 1, __ATOMIC_RELAXED);
	pthread_join(looks, NULL);
	for (i = 0; i < NR_KICKED; i++) {
		pthread_join(k[i].thread, NULL);
		EXPECT_EQ(1, k[i].ret);
		n = k[i].ev.cookie % NR_KICKED;
		EXPECT_USER(&k[i].ev, n, 100 + n, 1);
		seen |= 1U << n;
	}
	EXPECT_EQ((1U << NR_KICKED) - 1, seen);
	EXPECT_EQ(0, sys_kevent_get_events(q.fd, &ev, 0, 1, NULL, 0));
	TH_LOG("seen readable %ld times", look.seen);
	ukevent_queue_exit(&q);
}

TEST_HARNESS_MAIN
