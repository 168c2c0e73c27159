// SPDX-License-Identifier: GPL-2.0
/*
 * The source TIMER: clocks, modes, counts that add up to the periods that
 * passed, timers that stop while nobody looks, changes while they fire, clocks
 * that are set.
 */
#include "kevent_test.h"

#include <limits.h>
#include <sys/timex.h>

#define LAST	KEVENT_REC_LAST
#define TIMER	KEVENT_TYPE_TIMER
#define EXPIRED	KEVENT_TIMER_EXPIRED
#define FAR	(3600 * NSEC_PER_SEC)
#define MAX_NS	0x7fffffffffffffffULL

static const __u32 modes[] = {
	0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
};

static const clockid_t clocks[] = {
	CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI
};

#define EXPECT_TIMER(q, cookie, flags, count) \
	EXPECT_TAKE_TYPED(q, TIMER, cookie, EXPIRED, flags, count, 0)

/* ---- helpers ---- */

static int add_timer(struct ukevent_queue *q, __u64 number, __u64 time,
		     __u64 period, __u32 flags, __u64 cookie)
{
	return ukevent_set_timer(q, KEVENT_OP_ADD, number, time, period,
				 CLOCK_MONOTONIC, flags, cookie);
}

static int modify_timer(struct ukevent_queue *q, __u64 number, __u64 time,
			__u64 period, __u32 flags, __u64 cookie)
{
	return ukevent_set_timer(q, KEVENT_OP_MODIFY, number, time, period,
				 CLOCK_MONOTONIC, flags, cookie);
}

static int op_timer(struct ukevent_queue *q, unsigned int op, __u64 number)
{
	return ukevent_op(q, op, TIMER, number);
}

static struct kevent_change timer_change(unsigned int op, __u64 number,
					 __u64 time, __u64 period, __u32 flags,
					 __u64 cookie)
{
	struct kevent_change c = make_typed(op, TIMER, number, 0, flags, cookie);

	c.param[KEVENT_TIMER_TIME] = time;
	c.param[KEVENT_TIMER_PERIOD] = period;
	c.param[KEVENT_TIMER_CLOCK] = CLOCK_MONOTONIC;
	return c;
}

/* The number that follows @key in fdinfo, after @from; LLONG_MIN: none. */
static long long queue_info(struct ukevent_queue *q, const char *from,
			    const char *key)
{
	static char buf[65536];
	char path[64], *p;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	if (read_text(path, buf, sizeof(buf)) <= 0)
		return LLONG_MIN;
	p = strstr(buf, from);
	p = p ? strstr(p, key) : NULL;
	return p ? strtoll(p + strlen(key), NULL, 10) : LLONG_MIN;
}

static long long timer_info(struct ukevent_queue *q, __u64 number,
			    const char *key)
{
	char from[64];

	snprintf(from, sizeof(from), "type: timer ident: %llu ",
		 (unsigned long long)number);
	return queue_info(q, from, key);
}

/**
 * struct tally - what the records of one timer said
 * @sum: expirations
 * @records: how many records
 * @wrong: records that are not of this timer, or say nothing
 */
struct tally {
	__u64 sum;
	int records;
	int wrong;
};

static void tally_all(struct ukevent_queue *q, struct tally *t, __u64 cookie)
{
	struct ukevent ev;

	while (ukevent_take(q, &ev, 1)) {
		t->wrong += ev.cookie != cookie || ev.type != TIMER ||
			    ev.events != EXPIRED || ev.flags || !ev.data[0] ||
			    ev.data[1];
		t->sum += ev.data[0];
		t->records++;
	}
}

/**
 * struct grid - when a periodic timer expires
 * @clock: a clock that runs as the timer does
 * @earliest: first expiry, not before
 * @latest: first expiry, not after; the same if it was given as a time
 * @period: of the timer
 */
struct grid {
	clockid_t clock;
	__u64 earliest;
	__u64 latest;
	__u64 period;
};

static __u64 periods_since(__u64 first, __u64 period, __u64 now)
{
	return now < first ? 0 : (now - first) / period + 1;
}

static int grid_set(struct grid *g, struct ukevent_queue *q, unsigned int op,
		    clockid_t clock, __u32 flags, __u64 span, __u64 cookie)
{
	bool absolute = flags & KEVENT_ABSTIME;
	int ret;

	/* What a span is measured by; setting the clock does not move it. */
	g->clock = absolute || clock == CLOCK_BOOTTIME ? clock :
							 CLOCK_MONOTONIC;
	g->earliest = now_ns(g->clock) + span;
	ret = ukevent_set_timer(q, op, 1, absolute ? g->earliest : span,
				g->period, clock, flags, cookie);
	g->latest = absolute ? g->earliest : now_ns(g->clock) + span;
	return ret;
}

/*
 * Have all expirations told and compare.  For a timer that has stopped, which is
 * told about when its records are consumed and the queue is flushed; one that
 * runs may be late.  Returns whether only one number would have been right.
 */
static bool check_grid(struct __test_metadata *_metadata, int line,
		       const struct grid *g, struct ukevent_queue *q,
		       struct tally *t, __u64 cookie)
{
	__u64 least, most;

	tally_all(q, t, cookie);
	least = periods_since(g->latest, g->period, now_ns(g->clock));
	flush_ring(q);
	tally_all(q, t, cookie);
	most = periods_since(g->earliest, g->period, now_ns(g->clock));
	if (t->sum < least || t->sum > most || t->wrong) {
		TH_LOG("line %d: %llu in %d records (%d wrong), not %llu to %llu",
		       line, (unsigned long long)t->sum, t->records, t->wrong,
		       (unsigned long long)least, (unsigned long long)most);
		_metadata->exit_code = KSFT_FAIL;
	}
	return least == most;
}

#define EXPECT_GRID(g, q, t, cookie) \
	check_grid(_metadata, __LINE__, g, q, t, cookie)

/*
 * On one processor a thread that slept longer than a timer finds that it has
 * fired; on several that one may be late.
 */
static int pin_to_cpu(int nr)
{
	cpu_set_t all;
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all))
		return -errno;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && !nr--)
			break;
	return cpu == CPU_SETSIZE ? -ENODEV : run_on(cpu);
}

/* ---- all clocks, times and spans ---- */

FIXTURE(clock)
{
	struct ukevent_queue q;
};

FIXTURE_VARIANT(clock)
{
	clockid_t clock;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(clock, monotonic_span)
{
	.clock = CLOCK_MONOTONIC,
};

FIXTURE_VARIANT_ADD(clock, monotonic_time)
{
	.clock = CLOCK_MONOTONIC,
	.flags = KEVENT_ABSTIME,
};

FIXTURE_VARIANT_ADD(clock, realtime_span)
{
	.clock = CLOCK_REALTIME,
};

FIXTURE_VARIANT_ADD(clock, realtime_time)
{
	.clock = CLOCK_REALTIME,
	.flags = KEVENT_ABSTIME,
};

FIXTURE_VARIANT_ADD(clock, boottime_span)
{
	.clock = CLOCK_BOOTTIME,
};

FIXTURE_VARIANT_ADD(clock, boottime_time)
{
	.clock = CLOCK_BOOTTIME,
	.flags = KEVENT_ABSTIME,
};

FIXTURE_VARIANT_ADD(clock, tai_span)
{
	.clock = CLOCK_TAI,
};

FIXTURE_VARIANT_ADD(clock, tai_time)
{
	.clock = CLOCK_TAI,
	.flags = KEVENT_ABSTIME,
};

FIXTURE_SETUP(clock)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(clock)
{
	ukevent_queue_exit(&self->q);
}

TEST_F(clock, one_expiry)
{
	struct ukevent_queue *q = &self->q;
	struct grid g = { .period = 0 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, variant->clock,
				      modes[i] | variant->flags,
				      5 * NSEC_PER_MSEC, i));
		/* comes into the ring by itself, not early, and once */
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_LE(g.earliest, now_ns(g.clock));
		EXPECT_EQ(0, is_pending(q));
		EXPECT_TIMER(q, i, 0, 1);
		sleep_ms(TEST_SHORT_MS);
		EXPECT_QUIET(q);
		EXPECT_EQ(removed(modes[i]), op_timer(q, KEVENT_OP_REMOVE, 1));
		EXPECT_QUIET(q);
	}
}

/* T41: 0 and times that have passed. */
TEST_F(clock, at_once)
{
	struct ukevent_queue *q = &self->q;
	__u64 past = variant->flags ? now_ns(variant->clock) - 1 : 0, time;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		for (n = 0; n < 2; n++) {
			time = n ? past : 0;
			ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 1, time,
						       0, variant->clock,
						       modes[i] | variant->flags,
						       i));
			EXPECT_EQ(1, in_ring(q));
			EXPECT_TIMER(q, i, 0, 1);
			EXPECT_QUIET(q);
			EXPECT_EQ(removed(modes[i]),
				  op_timer(q, KEVENT_OP_REMOVE, 1));
		}
	}
}

/* The same of periodic ones: what has passed is told in one record. */
TEST_F(clock, at_once_periodic)
{
	__u64 before, after, past = 0, period = 1000 * NSEC_PER_SEC;
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};
	size_t i;

	if (variant->flags) {
		past = now_ns(variant->clock);
		past -= past > 2500 ? 2500 : 0;
		period = 1000;
	}
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		before = now_ns(variant->clock);
		ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 1, past, period,
					       variant->clock, modes[i] |
					       variant->flags, i));
		after = now_ns(variant->clock);
		EXPECT_LE(1, in_ring(q));
		ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
		EXPECT_EQ((__u64)i, ev.cookie);
		if (variant->flags) {
			EXPECT_LE(periods_since(past, period, before),
				  ev.data[0]);
			EXPECT_GE(periods_since(past, period, after),
				  ev.data[0]);
		} else {
			EXPECT_EQ(1ULL, ev.data[0]);
			EXPECT_QUIET(q);
		}
		EXPECT_EQ(removed(modes[i]), op_timer(q, KEVENT_OP_REMOVE, 1));
		take_all(q, NULL);
		EXPECT_QUIET(q);
	}
}

/* Two records, then it stops until they are consumed; nothing is lost. */
TEST_F(clock, periodic)
{
	struct grid g = { .period = 3 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t;
	size_t i;
	int n;

	for (i = 0; i < 2; i++) {
		memset(&t, 0, sizeof(t));
		ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, variant->clock,
				      modes[i] | variant->flags, g.period, i));
		for (n = 0; n < 3; n++) {
			/* on a slow machine it stopped while they were taken */
			if (is_pending(q) && in_ring(q) < 2)
				flush_ring(q);
			EXPECT_EQ(1, pending_reaches(q, 1));
			EXPECT_EQ(2, in_ring(q));
			sleep_ms(TEST_SHORT_MS);
			EXPECT_EQ(2, flush_ring(q));
			EXPECT_EQ(2, in_ring(q));
			EXPECT_EQ(1, is_pending(q));
			/* the third has the sum, and then it goes on */
			EXPECT_GRID(&g, q, &t, i);
			EXPECT_LE(3 * n + 3, t.records);
			EXPECT_EQ(0, t.wrong);
			t.records = 3 * n + 3;
		}
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
		take_all(q, NULL);
		EXPECT_QUIET(q);
	}
}

/* One record, of as many periods as passed until then, and the end. */
TEST_F(clock, periodic_oneshot)
{
	struct grid g = { .period = 3 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};
	int n;

	for (n = 0; n < 3; n++) {
		ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, variant->clock,
				      KEVENT_ONESHOT | KEVENT_WANT_LAST |
				      variant->flags, g.period, n));
		EXPECT_EQ(1, ring_reaches(q, 1));
		ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
		EXPECT_GE(periods_since(g.earliest, g.period, now_ns(g.clock)),
			  ev.data[0]);
		check_record(_metadata, __LINE__, &ev, TIMER, n, EXPIRED, LAST,
			     ev.data[0] ?: 1, 0);
		sleep_ms(TEST_SHORT_MS);
		EXPECT_QUIET(q);
		EXPECT_EQ(-ENOENT, op_timer(q, KEVENT_OP_REMOVE, 1));
	}
}

/* One record, then it counts until ENABLE. */
TEST_F(clock, periodic_dispatch)
{
	struct grid g = { .period = 3 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	__u64 least, most;
	struct tally t = {};
	int n;

	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, variant->clock,
			      KEVENT_DISPATCH | variant->flags, g.period, 1));
	for (n = 1; n < 4; n++) {
		EXPECT_EQ(1, ring_reaches(q, 1));
		tally_all(q, &t, 1);
		EXPECT_EQ(n, t.records);
		sleep_ms(TEST_SHORT_MS);
		EXPECT_QUIET(q);
		least = periods_since(g.latest, g.period, now_ns(g.clock));
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
	}
	/* the last of them has told of all there was */
	EXPECT_EQ(1, ring_reaches(q, 1));
	most = periods_since(g.earliest, g.period, now_ns(g.clock));
	tally_all(q, &t, 1);
	EXPECT_LE(least, t.sum);
	EXPECT_GE(most, t.sum);
	EXPECT_EQ(0, t.wrong);
}

/* ---- counts ---- */

FIXTURE(timer)
{
	struct ukevent_queue q;
};

FIXTURE_SETUP(timer)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(timer)
{
	ukevent_queue_exit(&self->q);
}

/* Until the answer could only be one number, and was that. */
TEST_F(timer, exact_on_grid)
{
	struct grid g = { .period = 20 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t = {};
	int n, exact = 0;

	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, CLOCK_MONOTONIC,
			      KEVENT_ABSTIME, 1, 7));
	for (n = 0; n < 200 && exact < 5; n++) {
		ASSERT_EQ(1, pending_reaches(q, 1));
		exact += EXPECT_GRID(&g, q, &t, 7);
	}
	EXPECT_EQ(5, exact);
	EXPECT_LT(5ULL, t.sum);
}

/* A record is immutable: what comes later is not added to it. */
TEST_F(timer, unread_records_stay)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent before[2], after[2];

	ASSERT_EQ(0, add_timer(q, 1, 1, NSEC_PER_MSEC, 0, 3));
	ASSERT_EQ(1, pending_reaches(q, 1));
	ukevent_copy(q, q->head, before, 2);
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(2, flush_ring(q));
	ukevent_copy(q, q->head, after, 2);
	EXPECT_EQ(0, memcmp(before, after, sizeof(before)));
}

/* Nobody is interrupted for records that nobody reads. */
TEST_F(timer, unread_costs_nothing)
{
	struct grid g = { .period = 2 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t = {};
	long long left;
	__u32 produced;

	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, CLOCK_MONOTONIC, 0, FAR, 1));
	left = timer_info(q, 1, "left: ");
	EXPECT_LT(0, left);
	EXPECT_GE((long long)FAR, left);
	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_MODIFY, CLOCK_MONOTONIC, 0,
			      g.period, 1));
	ASSERT_EQ(1, pending_reaches(q, 1));
	produced = producer_index(q);
	left = timer_info(q, 1, "left: ");
	EXPECT_GT(0, left);
	sleep_ms(TEST_SHORT_MS);
	/* it did not look at the clock since, only we did */
	EXPECT_GE(left - (long long)(TEST_SHORT_MS * NSEC_PER_MSEC),
		  timer_info(q, 1, "left: "));
	EXPECT_EQ(produced, producer_index(q));
	EXPECT_EQ(1, queue_info(q, "entries", "deferred: "));
	EXPECT_GRID(&g, q, &t, 1);
	EXPECT_LE(TEST_SHORT_MS / 2ULL, t.sum);
}

TEST_F(timer, disabled_costs_nothing)
{
	struct grid g = { .period = 2 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t = {};
	int n;

	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, CLOCK_MONOTONIC,
			      KEVENT_ABSTIME, g.period, 1));
	for (n = 0; n < 3; n++) {
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_DISABLE, 1));
		tally_all(q, &t, 1);
		sleep_ms(TEST_SHORT_MS);
		EXPECT_QUIET(q);
		EXPECT_GT(-10000000LL, timer_info(q, 1, "left: "));
		/* all of it at once */
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
		ASSERT_EQ(1, pending_reaches(q, 1));
		EXPECT_GRID(&g, q, &t, 1);
	}
	EXPECT_LE(TEST_SHORT_MS * 3 / 2ULL, t.sum);
}

/* ENABLE of one that has nothing to say says nothing. */
TEST_F(timer, enable_before_expiry)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_timer(q, i, FAR, i % 2 ? FAR : 0, modes[i],
				       1));
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, i));
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_DISABLE, i));
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_DISABLE, i));
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, i));
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, i));
		EXPECT_QUIET(q);
	}
}

TEST_F(timer, starts_disabled)
{
	struct ukevent_queue *q = &self->q;
	__u64 time;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes) * 2; i++) {
		time = i % 2 ? NSEC_PER_MSEC : 0;
		ASSERT_EQ(0, add_timer(q, 1, time, 0, modes[i / 2] |
				       KEVENT_START_DISABLED, i));
		sleep_ms(TEST_SHORT_MS);
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_TIMER(q, i, 0, 1);
		EXPECT_QUIET(q);
		EXPECT_EQ(removed(modes[i / 2]),
			  op_timer(q, KEVENT_OP_REMOVE, 1));
	}
}

/* Disabled with unread records: ENABLE does not publish beyond the two. */
TEST_F(timer, enable_while_unread)
{
	struct grid g = { .period = 2 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t = {};

	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, CLOCK_MONOTONIC,
			      KEVENT_ABSTIME, 0, 1));
	ASSERT_EQ(1, pending_reaches(q, 1));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_DISABLE, 1));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(2, flush_ring(q));
	EXPECT_GRID(&g, q, &t, 1);
}

/* All that was counted is in the ring when ENABLE returns. */
TEST_F(timer, dispatch_periodic)
{
	struct grid g = { .period = 2 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t = {};
	__u64 least, most;
	int n;

	ASSERT_EQ(0, pin_to_cpu(0));
	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, CLOCK_MONOTONIC,
			      KEVENT_DISPATCH | KEVENT_ABSTIME, 0, 5));
	for (n = 0; n < 20; n++) {
		tally_all(q, &t, 5);
		sleep_ms(TEST_SHORT_MS);
		least = periods_since(g.latest, g.period, now_ns(g.clock));
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
		most = periods_since(g.latest, g.period, now_ns(g.clock));
		EXPECT_EQ(1, in_ring(q));
		tally_all(q, &t, 5);
		EXPECT_LE(least, t.sum);
		EXPECT_GE(most, t.sum);
	}
	EXPECT_EQ(0, t.wrong);
}

TEST_F(timer, oneshot_periodic)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_timer(q, 1, 1, NSEC_PER_MSEC, KEVENT_ONESHOT, 5));
	EXPECT_EQ(1, ring_reaches(q, 1));
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(-ENOENT, op_timer(q, KEVENT_OP_ENABLE, 1));
	EXPECT_EQ(1, take_all(q, NULL));
	EXPECT_QUIET(q);
	EXPECT_EQ(LLONG_MIN, timer_info(q, 1, "left: "));
}

/* Unread, disabled or never published: the number is free only at the end. */
TEST_F(timer, oneshot_then_again)
{
	struct ukevent_queue *q = &self->q;
	int n;

	for (n = 0; n < 5; n++) {
		ASSERT_EQ(0, add_timer(q, 1, n % 2, 0, KEVENT_ONESHOT |
				       KEVENT_START_DISABLED, n));
		EXPECT_EQ(-EEXIST, add_timer(q, 1, 0, 0, KEVENT_ONESHOT, 9));
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(n + 1, ring_reaches(q, n + 1));
		EXPECT_EQ(-ENOENT, op_timer(q, KEVENT_OP_REMOVE, 1));
	}
	for (n = 0; n < 5; n++)
		EXPECT_TIMER(q, n, 0, 1);
	EXPECT_QUIET(q);
}

/* Told about every so often, counted on the grid. */
TEST_F(timer, short_periods)
{
	static const __u64 periods[] = {
		1, 7, 1000, 33333, KEVENT_TIMER_MIN_PERIOD - 1,
		KEVENT_TIMER_MIN_PERIOD, KEVENT_TIMER_MIN_PERIOD + 1,
	};
	struct ukevent_queue *q = &self->q;
	__u64 start, most;
	struct tally t;
	struct grid g;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(periods); i++) {
		memset(&t, 0, sizeof(t));
		g.period = periods[i];
		start = now_ns(CLOCK_MONOTONIC);
		ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, CLOCK_MONOTONIC,
				      KEVENT_ABSTIME, 0, i));
		/* by itself: no flush, so none is told beyond the interrupts */
		while (!is_pending(q) &&
		       now_ns(CLOCK_MONOTONIC) < start + 50 * NSEC_PER_MSEC)
			tally_all(q, &t, i);
		most = (now_ns(CLOCK_MONOTONIC) - start) /
		       KEVENT_TIMER_MIN_PERIOD + 2;
		EXPECT_GE(most, (__u64)t.records) TH_LOG("period %zu", i);
		EXPECT_LE(1, t.records + in_ring(q));
		ASSERT_EQ(1, pending_reaches(q, 1));
		EXPECT_GRID(&g, q, &t, i);
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
		take_all(q, NULL);
		EXPECT_QUIET(q);
	}
}

/* The largest numbers there are: far away, and no overflow on the way. */
TEST_F(timer, far_away)
{
	struct ukevent_queue *q = &self->q;
	size_t i, c;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		for (c = 0; c < ARRAY_SIZE(clocks); c++) {
			EXPECT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, c,
						       MAX_NS, MAX_NS, clocks[c],
						       modes[i], 0));
			EXPECT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, c + 4,
						       MAX_NS, 1, clocks[c],
						       modes[i] | KEVENT_ABSTIME,
						       0));
		}
		sleep_ms(TEST_SHORT_MS);
		EXPECT_QUIET(q);
		for (c = 0; c < 8; c++) {
			EXPECT_LT(0, timer_info(q, c, "left: "));
			EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, c));
		}
	}
	/* and a period that ends after all time */
	ASSERT_EQ(0, add_timer(q, 1, 0, MAX_NS, 0, 2));
	EXPECT_TIMER(q, 2, 0, 1);
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
	EXPECT_LT(0, timer_info(q, 1, "left: "));
}

/* ---- slack ---- */

static int add_slack(struct ukevent_queue *q, __u64 number, __u64 time,
		     __u64 period, __u64 slack)
{
	struct kevent_change c = timer_change(KEVENT_OP_ADD, number, time,
					      period, KEVENT_ABSTIME, number);

	c.param[KEVENT_TIMER_SLACK] = slack;
	return do_change(q->fd, &c);
}

/* Late perhaps, never early; both come, whoever takes the other along. */
TEST_F(timer, slack)
{
	__u64 first = now_ns(CLOCK_MONOTONIC) + 20 * NSEC_PER_MSEC;
	__u64 due[2] = { first, first + 10 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct ukevent ev;
	int n;

	ASSERT_EQ(0, add_slack(q, 0, due[0], 0, 50 * NSEC_PER_MSEC));
	ASSERT_EQ(0, add_slack(q, 1, due[1], 0, 50 * NSEC_PER_MSEC));
	EXPECT_EQ(50000000LL, timer_info(q, 0, "slack: "));
	for (n = 0; n < 2; n++) {
		EXPECT_LE(1, ring_reaches(q, 1));
		ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
		ASSERT_GT(2, (int)ev.cookie);
		EXPECT_LE(due[ev.cookie], now_ns(CLOCK_MONOTONIC));
		EXPECT_EQ(1ULL, ev.data[0]);
		due[ev.cookie] = ~0ULL;	/* not twice */
	}
	EXPECT_QUIET(q);
}

TEST_F(timer, slack_periodic)
{
	struct grid g = { .clock = CLOCK_MONOTONIC, .period = NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t = {};
	int n;

	g.earliest = now_ns(CLOCK_MONOTONIC) + g.period;
	g.latest = g.earliest;
	ASSERT_EQ(0, add_slack(q, 1, g.earliest, g.period, 5 * g.period));
	for (n = 0; n < 10; n++) {
		ASSERT_EQ(1, pending_reaches(q, 1));
		EXPECT_GRID(&g, q, &t, 1);
	}
}

/* The largest slack: when it comes is open, but not before its time. */
TEST_F(timer, slack_without_end)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_slack(q, 1, now_ns(CLOCK_MONOTONIC) + FAR, 1, MAX_NS));
	ASSERT_EQ(0, add_slack(q, 2, 1, 0, MAX_NS));
	EXPECT_TIMER(q, 2, 0, 1);
	ASSERT_EQ(0, add_timer(q, 3, NSEC_PER_MSEC, 0, 0, 3));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TIMER(q, 3, 0, 1);
	EXPECT_QUIET(q);
}

/* ---- MODIFY ---- */

TEST_F(timer, modify_running)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_timer(q, 1, FAR, FAR, modes[i], 1));
		/* later, sooner, at once; from then on with the new cookie */
		EXPECT_EQ(0, modify_timer(q, 1, 2 * FAR, 0, modes[i], 2));
		EXPECT_LT((long long)FAR, timer_info(q, 1, "left: "));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, modify_timer(q, 1, NSEC_PER_MSEC, 0, 0, 3));
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_TIMER(q, 3, 0, 1);
		EXPECT_EQ(0, modify_timer(q, 1, 0, 0, modes[i], 4));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_TIMER(q, 4, 0, 1);
		EXPECT_QUIET(q);
		EXPECT_EQ(removed(modes[i]), op_timer(q, KEVENT_OP_REMOVE, 1));
	}
}

/* After the only expiry was told MODIFY starts it again, ENABLE too. */
TEST_F(timer, modify_expired)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_timer(q, 1, 0, 0, 0, 0));
	EXPECT_TIMER(q, 0, 0, 1);
	for (n = 1; n < 10; n++) {
		EXPECT_EQ(0, modify_timer(q, 1, n % 3, 0, 0, n));
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_TIMER(q, n, 0, 1);
	}
	EXPECT_QUIET(q);
}

/* Expirations that were not published are forgotten, records stay. */
TEST_F(timer, modify_forgets)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_timer(q, 1, 1, 1000, 0, 1));
	ASSERT_EQ(1, pending_reaches(q, 1));
	EXPECT_EQ(0, modify_timer(q, 1, FAR, 0, 0, 2));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(2, flush_ring(q));
	EXPECT_EQ(2, take_all(q, NULL));
	EXPECT_QUIET(q);
	/* the same with what was counted while it was disabled */
	EXPECT_EQ(0, modify_timer(q, 1, 1, 1000, 0, 3));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_DISABLE, 1));
	take_all(q, NULL);
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(0, modify_timer(q, 1, FAR, 0, 0, 4));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
	EXPECT_QUIET(q);
	/* what is armed is what counts */
	EXPECT_EQ(0, modify_timer(q, 1, 0, 0, 0, 5));
	EXPECT_TIMER(q, 5, 0, 1);
	EXPECT_QUIET(q);
}

TEST_F(timer, modify_forgets_backlog)
{
	struct ukevent_queue *q = &self->q;
	int n;

	for (n = 0; n < 8; n++)
		ASSERT_EQ(0, add_timer(q, n, 0, 0, KEVENT_ONESHOT, n));
	ASSERT_EQ(0, add_timer(q, 100, 0, 1000, 0, 100));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, modify_timer(q, 100, FAR, 0, 0, 101));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(8, take_all(q, NULL));
	EXPECT_QUIET(q);
}

/* A new time waits for room as the old one did. */
TEST_F(timer, modify_unread)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_timer(q, 1, 0, 0, KEVENT_DISPATCH, 1));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_EQ(0, modify_timer(q, 1, 0, 0, KEVENT_DISPATCH |
				  KEVENT_START_DISABLED, 2));
	/* disabled by the publication, and it stays so */
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(0, modify_timer(q, 1, 0, 0, KEVENT_DISPATCH, 2));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_TIMER(q, 1, 0, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TIMER(q, 2, 0, 1);
	EXPECT_QUIET(q);
}

TEST_F(timer, modify_disabled)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_timer(q, 1, FAR, 0, modes[i] |
				       KEVENT_START_DISABLED, 1));
		EXPECT_EQ(0, modify_timer(q, 1, i % 2, 0, modes[i] |
					  KEVENT_START_DISABLED, 2));
		sleep_ms(TEST_SHORT_MS);
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_TIMER(q, 2, 0, 1);
		EXPECT_EQ(removed(modes[i]), op_timer(q, KEVENT_OP_REMOVE, 1));
	}
}

/* Everything about it can be replaced. */
TEST_F(timer, modify_all)
{
	struct ukevent_queue *q = &self->q;
	size_t i, c;

	ASSERT_EQ(0, add_timer(q, 1, FAR, 1, 0, 0));
	for (c = 0; c < ARRAY_SIZE(clocks); c++) {
		for (i = 0; i < 8; i++) {
			__u32 flags = modes[i / 2] & ~KEVENT_ONESHOT;
			__u64 time = 0;

			if (i % 2) {
				flags |= KEVENT_ABSTIME;
				time = now_ns(clocks[c]) + NSEC_PER_MSEC;
			}
			EXPECT_EQ(0, ukevent_set_timer(q, KEVENT_OP_MODIFY, 1,
						       time, 0, clocks[c], flags,
						       10 * c + i));
			EXPECT_EQ(1, ring_reaches(q, 1));
			EXPECT_TIMER(q, 10 * c + i, 0, 1);
			EXPECT_QUIET(q);
			EXPECT_EQ(0, op_timer(q, KEVENT_OP_DISABLE, 1));
			EXPECT_EQ(0, ukevent_set_timer(q, KEVENT_OP_MODIFY, 1,
						       MAX_NS, 0, clocks[c], 0,
						       0));
			EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
		}
	}
	EXPECT_EQ(0, modify_timer(q, 1, 0, 0, KEVENT_ONESHOT, 99));
	EXPECT_TIMER(q, 99, 0, 1);
	EXPECT_EQ(-ENOENT, modify_timer(q, 1, 0, 0, 0, 100));
}

/* ---- ENABLE starts a span again ---- */

TEST_F(timer, enable_restarts)
{
	struct ukevent_queue *q = &self->q;
	__u64 start;
	int n;

	ASSERT_EQ(0, add_timer(q, 1, 2 * NSEC_PER_MSEC, 0, KEVENT_DISPATCH, 1));
	for (n = 0; n < 5; n++) {
		start = now_ns(CLOCK_MONOTONIC);
		if (n)
			EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(1, ring_reaches(q, 1));
		if (n)
			EXPECT_LE(start + 2 * NSEC_PER_MSEC,
				  now_ns(CLOCK_MONOTONIC));
		EXPECT_TIMER(q, 1, 0, 1);
		sleep_ms(5);
		EXPECT_QUIET(q);
	}
}

/* So it is in the other modes; a second ENABLE while it runs changes nothing. */
TEST_F(timer, enable_restarts_edge)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_timer(q, 1, NSEC_PER_MSEC, 0, KEVENT_EDGE, 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TIMER(q, 1, 0, 1);
	for (n = 0; n < 5; n++) {
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_TIMER(q, 1, 0, 1);
		EXPECT_QUIET(q);
	}
	EXPECT_EQ(0, modify_timer(q, 1, FAR, 0, 0, 2));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
	EXPECT_QUIET(q);
}

/* The record is unread when it expires again: it waits. */
TEST_F(timer, enable_restarts_unread)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_timer(q, 1, NSEC_PER_MSEC, 0, KEVENT_DISPATCH, 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
	EXPECT_EQ(1, pending_reaches(q, 1));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TIMER(q, 1, 0, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TIMER(q, 1, 0, 1);
	EXPECT_QUIET(q);
}

/* A time does not come again. */
TEST_F(timer, enable_keeps_time)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_timer(q, 1, now_ns(CLOCK_MONOTONIC), 0,
			       KEVENT_DISPATCH | KEVENT_ABSTIME, 1));
	EXPECT_TIMER(q, 1, 0, 1);
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
	EXPECT_EQ(0, ukevent_set_timer(q, KEVENT_OP_MODIFY, 1,
				       now_ns(CLOCK_MONOTONIC), 0,
				       CLOCK_MONOTONIC, KEVENT_DISPATCH |
				       KEVENT_ABSTIME, 2));
	EXPECT_TIMER(q, 2, 0, 1);
	EXPECT_QUIET(q);
}

#define NR_BATCH	1000

/* P8: a thousand, started again in one batch, each comes with count 1. */
TEST_F(timer, enable_batch)
{
	static struct kevent_change c[NR_BATCH];
	static struct ukevent ev[NR_BATCH];
	struct ukevent_queue q;
	char seen[NR_BATCH];
	int i, n, round;

	ASSERT_EQ(0, queue_init(&q, 1024));
	for (i = 0; i < NR_BATCH; i++)
		c[i] = timer_change(KEVENT_OP_ADD, i, NSEC_PER_MSEC, 0,
				    KEVENT_DISPATCH, i);
	for (round = 0; round < 4; round++) {
		ASSERT_EQ(NR_BATCH, sys_kevent_ctl(q.fd, c, NR_BATCH,
						   sizeof(*c), 0));
		memset(seen, 0, sizeof(seen));
		for (n = 0; n < NR_BATCH; n += i) {
			i = ukevent_dequeue_batch(&q, ev + n, NR_BATCH - n,
						  TEST_LONG_MS * NSEC_PER_MSEC);
			ASSERT_LT(0, i);
		}
		for (i = 0; i < NR_BATCH; i++) {
			ASSERT_EQ(0, c[i].result);
			ASSERT_GT(NR_BATCH, (int)ev[i].cookie);
			ASSERT_EQ(0, seen[ev[i].cookie]++);
			ASSERT_EQ(1ULL, ev[i].data[0]);
		}
		EXPECT_QUIET(&q);
		for (i = 0; i < NR_BATCH; i++)
			c[i] = make_typed(KEVENT_OP_ENABLE, TIMER, i, 0, 0, 0);
	}
	ukevent_queue_exit(&q);
}

/* ---- the queue: order, backlog, sleepers ---- */

#define NR_ORDER	32

/* S4: added in another order than they expire; on one processor. */
TEST_F(timer, order_of_expiry)
{
	struct kevent_change c[NR_ORDER];
	__u64 first, span = 50 * NSEC_PER_MSEC;
	struct ukevent_queue q;
	int i, nr;

	ASSERT_EQ(0, pin_to_cpu(0));
	ASSERT_EQ(0, queue_init(&q, NR_ORDER));
	for (;;) {
		first = now_ns(CLOCK_MONOTONIC) + span;
		for (i = 0; i < NR_ORDER; i++) {
			nr = i * 13 % NR_ORDER;
			c[i] = timer_change(KEVENT_OP_ADD, nr,
					    first + nr * NSEC_PER_MSEC, 0,
					    KEVENT_ABSTIME, nr);
		}
		ASSERT_EQ(NR_ORDER, sys_kevent_ctl(q.fd, c, NR_ORDER,
						   sizeof(c[0]), 0));
		for (i = 0; i < NR_ORDER; i++)
			ASSERT_EQ(0, c[i].result);
		if (now_ns(CLOCK_MONOTONIC) < first)
			break;
		/* a slow machine: all were to be added before the first */
		span *= 2;
		for (i = 0; i < NR_ORDER; i++)
			ASSERT_EQ(0, op_timer(&q, KEVENT_OP_REMOVE, i));
		take_all(&q, NULL);
	}
	EXPECT_EQ(NR_ORDER, ring_reaches(&q, NR_ORDER));
	for (i = 0; i < NR_ORDER; i++)
		EXPECT_TIMER(&q, i, 0, 1);
	EXPECT_QUIET(&q);
	ukevent_queue_exit(&q);
}

/* S3: waits for room in the ring, first come first served, and is counted. */
TEST_F(timer, backlog)
{
	struct grid g = { .period = 2 * NSEC_PER_MSEC };
	struct ukevent_queue q;
	struct tally t = {};
	struct ukevent ev;

	ASSERT_EQ(0, queue_init(&q, 1));
	ASSERT_EQ(0, add_timer(&q, 8, 0, 0, 0, 8));
	EXPECT_EQ(0, is_pending(&q));
	ASSERT_EQ(0, grid_set(&g, &q, KEVENT_OP_ADD, CLOCK_MONOTONIC,
			      KEVENT_ABSTIME, g.period, 1));
	ASSERT_EQ(1, pending_reaches(&q, 1));
	ASSERT_EQ(0, add_timer(&q, 9, 0, 0, KEVENT_ONESHOT, 9));
	EXPECT_EQ(2, queue_info(&q, "entries", "backlog: "));
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_TIMER(&q, 8, 0, 1);
	EXPECT_EQ(1, flush_ring(&q));
	ASSERT_EQ(1, (int)ukevent_take(&q, &ev, 1));
	EXPECT_EQ(1ULL, ev.cookie);
	EXPECT_LE(TEST_SHORT_MS / 2ULL, ev.data[0]);
	t.sum = ev.data[0];
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_TIMER(&q, 9, 0, 1);
	/* it stands in the ring or before it, and goes on */
	ASSERT_EQ(1, pending_reaches(&q, 1));
	EXPECT_GRID(&g, &q, &t, 1);
	ukevent_queue_exit(&q);
}

/* While it is on the backlog it is disabled, and enabled, and removed. */
TEST_F(timer, backlog_changes)
{
	struct ukevent_queue q;
	struct ukevent ev;

	ASSERT_EQ(0, queue_init(&q, 1));
	ASSERT_EQ(0, add_timer(&q, 8, 0, 0, 0, 8));
	ASSERT_EQ(0, add_timer(&q, 1, 0, 1000, 0, 1));
	EXPECT_EQ(1, is_pending(&q));
	EXPECT_EQ(0, op_timer(&q, KEVENT_OP_DISABLE, 1));
	EXPECT_EQ(0, is_pending(&q));
	EXPECT_TIMER(&q, 8, 0, 1);
	EXPECT_QUIET(&q);
	EXPECT_EQ(0, op_timer(&q, KEVENT_OP_ENABLE, 1));
	EXPECT_EQ(1, in_ring(&q));
	EXPECT_EQ(1, pending_reaches(&q, 1));
	EXPECT_EQ(0, op_timer(&q, KEVENT_OP_REMOVE, 1));
	EXPECT_EQ(0, is_pending(&q));
	EXPECT_EQ(1, (int)ukevent_take(&q, &ev, 1));
	EXPECT_EQ(1ULL, ev.cookie);
	EXPECT_QUIET(&q);
	ukevent_queue_exit(&q);
}

/* The sleeper is asleep before the timer is set to expire. */
TEST_F(timer, wakes_sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_timer(q, 1, FAR, 0, modes[i], 0));
		ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
		EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
		EXPECT_EQ(0, modify_timer(q, 1, NSEC_PER_MSEC, 0, modes[i], i));
		EXPECT_EQ(1, waiter_result(&w));
		EXPECT_TIMER(q, i, 0, 1);
		EXPECT_EQ(removed(modes[i]), op_timer(q, KEVENT_OP_REMOVE, 1));
	}
}

TEST_F(timer, sleeper_counts)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	/* one timer has two records for it ... */
	ASSERT_EQ(0, add_timer(q, 1, 1, NSEC_PER_MSEC, 0, 1));
	EXPECT_EQ(2, wait_ms(q, 2, TEST_LONG_MS));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
	EXPECT_EQ(2, take_all(q, NULL));
	/* ... and three of them three */
	ASSERT_EQ(0, add_timer(q, 1, FAR, 0, 0, 1));
	ASSERT_EQ(0, add_timer(q, 2, FAR, 0, 0, 2));
	ASSERT_EQ(0, add_timer(q, 3, FAR, 0, 0, 3));
	ASSERT_EQ(0, waiter_start(&w, q, 3, NULL));
	EXPECT_EQ(0, modify_timer(q, 3, 1, 0, 0, 3));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(0, modify_timer(q, 1, 1, 0, 0, 1));
	EXPECT_EQ(2, ring_reaches(q, 2));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	EXPECT_EQ(0, modify_timer(q, 2, 1, 0, 0, 2));
	EXPECT_EQ(3, waiter_result(&w));
	EXPECT_TIMER(q, 3, 0, 1);
	EXPECT_TIMER(q, 1, 0, 1);
	EXPECT_TIMER(q, 2, 0, 1);
	EXPECT_QUIET(q);
}

/* A sleeper that consumed both records has the sum without asking for it. */
TEST_F(timer, sleeps_through_periods)
{
	struct grid g = { .period = NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t = {};
	int n;

	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, CLOCK_MONOTONIC,
			      KEVENT_ABSTIME, g.period, 1));
	for (n = 0; n < 20; n++) {
		ASSERT_LE(1, wait_ms(q, 1, TEST_LONG_MS));
		tally_all(q, &t, 1);
		if (n % 2)
			sleep_ms(5);
	}
	ASSERT_EQ(1, pending_reaches(q, 1));
	EXPECT_GRID(&g, q, &t, 1);
}

/* The queue's own descriptor. */
TEST_F(timer, queue_is_readable)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_timer(q, 1, FAR, 0, 0, 1));
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
	EXPECT_EQ(0, modify_timer(q, 1, 20 * NSEC_PER_MSEC, 0, 0, 1));
	EXPECT_EQ(POLLIN, is_ready(q->fd, POLLIN, TEST_LONG_MS));
	EXPECT_TIMER(q, 1, 0, 1);
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
}

TEST_F(timer, without_ring)
{
	struct grid g = { .period = NSEC_PER_MSEC };
	struct ukevent ev[4];
	struct ukevent_queue q;
	__u64 sum = 0, least, most;
	int i, n, round;

	ASSERT_EQ(0, queue_init_noring(&q, 4));
	ASSERT_EQ(0, grid_set(&g, &q, KEVENT_OP_ADD, CLOCK_MONOTONIC,
			      KEVENT_ABSTIME, 0, 6));
	for (round = 0; round < 10; round++) {
		n = sys_kevent_get_events(q.fd, ev, 1, 4, NULL, 0);
		ASSERT_LE(1, n);
		for (i = 0; i < n; i++) {
			EXPECT_EQ(6ULL, ev[i].cookie);
			sum += ev[i].data[0];
		}
		if (round % 3 == 0)
			sleep_ms(TEST_SHORT_MS);
	}
	EXPECT_EQ(0, op_timer(&q, KEVENT_OP_DISABLE, 1));
	n = sys_kevent_get_events(q.fd, ev, 0, 4, NULL, 0);
	for (i = 0; i < n; i++)
		sum += ev[i].data[0];
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(0, sys_kevent_get_events(q.fd, ev, 0, 4, NULL, 0));
	least = periods_since(g.earliest, g.period, now_ns(g.clock));
	EXPECT_EQ(0, op_timer(&q, KEVENT_OP_ENABLE, 1));
	EXPECT_EQ(1, sys_kevent_get_events(q.fd, ev, 1, 1, NULL, 0));
	most = periods_since(g.earliest, g.period, now_ns(g.clock));
	sum += ev[0].data[0];
	EXPECT_LE(least, sum);
	EXPECT_GE(most, sum);
	ukevent_queue_exit(&q);
}

/* ---- numbers and ids ---- */

TEST_F(timer, numbers_per_queue)
{
	struct ukevent_queue *q = &self->q, other;

	ASSERT_EQ(0, queue_init(&other, 4));
	ASSERT_EQ(0, add_timer(q, 5, FAR, 0, 0, 1));
	ASSERT_EQ(0, add_timer(&other, 5, 0, 0, 0, 2));
	EXPECT_TIMER(&other, 2, 0, 1);
	EXPECT_EQ(0, op_timer(&other, KEVENT_OP_REMOVE, 5));
	EXPECT_EQ(-ENOENT, op_timer(&other, KEVENT_OP_REMOVE, 5));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, modify_timer(q, 5, 0, 0, 0, 3));
	EXPECT_TIMER(q, 3, 0, 1);
	EXPECT_QUIET(&other);
	ukevent_queue_exit(&other);
}

/* A number belongs to its type: timer 5, event 5 and descriptor 5. */
TEST_F(timer, numbers_per_type)
{
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0);

	ASSERT_EQ(0, add_timer(q, fd, FAR, 0, 0, 1));
	ASSERT_EQ(0, ukevent_add(q, KEVENT_TYPE_USER, fd, 0, 0, 2));
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_EDGE, 3, NULL));
	EXPECT_EQ(-EEXIST, add_timer(q, fd, FAR, 0, 0, 1));
	EXPECT_EQ(0, ukevent_trigger(q, fd, 99));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 2, KEVENT_USER_TRIGGERED, 0, 99,
			  1);
	EXPECT_EQ(0, modify_timer(q, fd, 0, 0, 0, 1));
	EXPECT_TIMER(q, 1, 0, 1);
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_TAKE(q, 3, EV_IN, 0);
	/* and so do their ends */
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, fd));
	EXPECT_EQ(-ENOENT, op_timer(q, KEVENT_OP_REMOVE, fd));
	EXPECT_EQ(0, ukevent_trigger(q, fd, 98));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 2, KEVENT_USER_TRIGGERED, 0, 98,
			  1);
	EXPECT_EQ(0, ukevent_op(q, KEVENT_OP_REMOVE, KEVENT_TYPE_USER, fd));
	EXPECT_EQ(0, remove_fd(q->fd, fd));
	EXPECT_QUIET(q);
	close(fd);
}

TEST_F(timer, any_number)
{
	static const __u64 numbers[] = {
		0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000ULL,
		0x100000001ULL, ~0ULL,
	};
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		ASSERT_EQ(0, add_timer(q, numbers[i], FAR, 0, 0, 0));
	for (i = ARRAY_SIZE(numbers); i--;)
		EXPECT_EQ(0, modify_timer(q, numbers[i], 0, 0, 0, i));
	for (i = ARRAY_SIZE(numbers); i--;)
		EXPECT_TIMER(q, i, 0, 1);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, numbers[i]));
	EXPECT_QUIET(q);
}

TEST_F(timer, by_id)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c, d;
	__u64 id, old;

	c = timer_change(KEVENT_OP_ADD, 1, FAR, 0, KEVENT_WANT_LAST, 1);
	ASSERT_EQ(0, do_change(q->fd, &c));
	old = c.id;
	EXPECT_LT(0ULL, old);
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
	EXPECT_TAKE_TYPED(q, TIMER, 1, 0, LAST, 0, 0);
	/* the number is used again, the id is not */
	c = timer_change(KEVENT_OP_ADD, 1, FAR, 0, KEVENT_WANT_LAST, 2);
	ASSERT_EQ(0, do_change(q->fd, &c));
	id = c.id;
	EXPECT_NE(old, id);

	c = timer_change(KEVENT_OP_MODIFY, 0, 0, 0, KEVENT_BY_ID |
			 KEVENT_DISPATCH | KEVENT_WANT_LAST, 3);
	d = c;
	c.id = old;
	EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
	d.id = id;
	EXPECT_EQ(0, do_change(q->fd, &d));
	EXPECT_TIMER(q, 3, 0, 1);
	c = make_typed(KEVENT_OP_ENABLE, TIMER, 0, 0, KEVENT_BY_ID, 0);
	c.id = id;
	EXPECT_EQ(0, do_change(q->fd, &c));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TIMER(q, 3, 0, 1);
	c.op = KEVENT_OP_DISABLE;
	EXPECT_EQ(0, do_change(q->fd, &c));
	/* of another type there is none with that id */
	c.type = KEVENT_TYPE_USER;
	EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
	c.type = KEVENT_TYPE_POLL;
	EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
	c.type = TIMER;
	c.op = KEVENT_OP_REMOVE;
	c.flags |= KEVENT_ACK;
	EXPECT_EQ(0, do_change(q->fd, &c));
	EXPECT_TAKE_TYPED(q, TIMER, 3, 0, LAST, 0, 0);
	EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
	EXPECT_QUIET(q);
}

/* ---- the end ---- */

TEST_F(timer, last_after_remove)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_timer(q, 1, FAR, 0, modes[i] | KEVENT_WANT_LAST,
				       i));
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_TAKE_TYPED(q, TIMER, i, 0, LAST, 0, 0);
		EXPECT_QUIET(q);
	}
}

TEST_F(timer, last_with_oneshot)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_timer(q, 1, 1, NSEC_PER_SEC * 1000, KEVENT_ONESHOT |
			       KEVENT_WANT_LAST, 5));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TIMER(q, 5, LAST, 1);
	EXPECT_EQ(-ENOENT, op_timer(q, KEVENT_OP_REMOVE, 1));
	EXPECT_QUIET(q);
}

/* What is unpublished is discarded: the last record says nothing else. */
TEST_F(timer, last_discards)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};

	ASSERT_EQ(0, add_timer(q, 1, 1, 1000, KEVENT_WANT_LAST, 6));
	ASSERT_EQ(1, pending_reaches(q, 1));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(3, take_all(q, &ev));
	check_record(_metadata, __LINE__, &ev, TIMER, 6, 0, LAST, 0, 0);
	EXPECT_QUIET(q);
}

TEST_F(timer, last_held_back)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c;
	__u64 id;

	c = timer_change(KEVENT_OP_ADD, 1, 0, NSEC_PER_MSEC, KEVENT_DISPATCH |
			 KEVENT_WANT_LAST | KEVENT_HOLD_LAST, 7);
	ASSERT_EQ(0, do_change(q->fd, &c));
	id = c.id;
	EXPECT_TIMER(q, 7, 0, 1);
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
	/* the number is free, the last record comes with the ENABLE */
	ASSERT_EQ(0, add_timer(q, 1, FAR, 0, 0, 8));
	c = make_typed(KEVENT_OP_ENABLE, TIMER, 0, 0, KEVENT_BY_ID, 0);
	c.id = id;
	EXPECT_EQ(-ENOENT, do_change(q->fd, &c));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE_TYPED(q, TIMER, 7, 0, LAST, 0, 0);
	EXPECT_QUIET(q);
}

/* S6: after REMOVE nothing, ring or no ring. */
TEST_F(timer, nothing_after_remove)
{
	struct ukevent_queue *q = &self->q;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_timer(q, 1, 1, 1000, modes[i], i));
		EXPECT_LE(1, ring_reaches(q, 1));
		EXPECT_EQ(removed(modes[i]), op_timer(q, KEVENT_OP_REMOVE, 1));
		n = in_ring(q);
		sleep_ms(TEST_SHORT_MS);
		EXPECT_EQ(n, flush_ring(q));
		EXPECT_EQ(n, take_all(q, NULL));
		EXPECT_QUIET(q);
	}
}

/* ---- races ---- */

/**
 * struct race - a main thread and its helpers
 * @q: the queue
 * @stop: the helpers shall end
 * @turn: whose turn it is, where they take turns
 * @number: of the timer that was added for this turn
 * @seed: of random numbers
 * @errors: what a helper found wrong
 * @done: what it did
 */
struct race {
	struct ukevent_queue *q;
	int stop;
	int turn;
	__u64 number;
	unsigned int seed;
	int errors;
	long done;
};

static int race_stopped(struct race *r)
{
	return __atomic_load_n(&r->stop, __ATOMIC_ACQUIRE);
}

static void race_end(struct race *r, pthread_t *thread, int nr)
{
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELEASE);
	while (nr--)
		pthread_join(thread[nr], NULL);
}

/* Sets the timer in all ways, under cookie 0. */
static void *race_modify(void *arg)
{
	static const __u64 periods[] = { 0, 0, 1000, 150000, FAR };
	struct race *r = arg;
	unsigned int seed = __atomic_add_fetch(&r->seed, 1, __ATOMIC_RELAXED);
	int ret;

	while (!race_stopped(r)) {
		__u64 time = rand_r(&seed) % 4 ? rand_r(&seed) % 200000 : 0;

		ret = modify_timer(r->q, 1, time,
				   periods[rand_r(&seed) % ARRAY_SIZE(periods)],
				   rand_r(&seed) % 2 ? KEVENT_DISPATCH : 0, 0);
		if (!ret && rand_r(&seed) % 4 == 0)
			ret = op_timer(r->q, rand_r(&seed) % 2 ?
				       KEVENT_OP_DISABLE : KEVENT_OP_ENABLE, 1);
		if (ret)
			__atomic_store_n(&r->errors, ret, __ATOMIC_RELAXED);
		__atomic_add_fetch(&r->done, 1, __ATOMIC_RELAXED);
		if (rand_r(&seed) % 8 == 0)
			sleep_ms(1);
	}
	return NULL;
}

/* Whatever went before, after the last MODIFY it does what that one says. */
TEST_F_TIMEOUT(timer, modify_races, 120)
{
	struct ukevent_queue *q = &self->q;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, n, loops = test_loops(100);
	struct ukevent ev = {};
	pthread_t thread[2];
	long done = 0;

	ASSERT_EQ(0, add_timer(q, 1, FAR, 0, 0, 0));
	for (n = 1; n <= loops && !test_loops_done(start, 30); n++) {
		struct race r = { .q = q, .seed = n };

		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL,
						    race_modify, &r));
		for (i = 0; i < 200; i++) {
			while (ukevent_take(q, &ev, 1)) {
				EXPECT_EQ(0ULL, ev.cookie);
				EXPECT_LE(1ULL, ev.data[0]);
			}
			EXPECT_LE(0, flush_ring(q));
			sched_yield();
		}
		race_end(&r, thread, 2);
		ASSERT_EQ(0, r.errors);
		done += r.done;
		/* enabled, with nothing to tell */
		ASSERT_EQ(0, modify_timer(q, 1, FAR, 0, 0, 0));
		ASSERT_EQ(0, op_timer(q, KEVENT_OP_ENABLE, 1));
		ASSERT_EQ(0, modify_timer(q, 1, n % 2 ? 100000 : 0, 0, 0, n));
		while (ukevent_take(q, &ev, 1) && ev.cookie != (__u64)n)
			EXPECT_EQ(0ULL, ev.cookie);
		if (ev.cookie != (__u64)n) {
			flush_ring(q);
			EXPECT_EQ(1, ring_reaches(q, 1));
			EXPECT_EQ(1, (int)ukevent_take(q, &ev, 1));
		}
		check_record(_metadata, __LINE__, &ev, TIMER, n, EXPIRED, 0, 1,
			     0);
		sleep_ms(1);
		EXPECT_QUIET(q);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	TH_LOG("%d rounds, %ld times modified", n - 1, done);
	EXPECT_LT(1, n);
}

/* Adds timers that expire about now on its processor, one per turn. */
static void *race_add(void *arg)
{
	struct race *r = arg;
	unsigned int seed = 1;
	int ret = pin_to_cpu(0);

	while (!ret && !race_stopped(r)) {
		__u32 flags = modes[rand_r(&seed) % ARRAY_SIZE(modes)];

		if (__atomic_load_n(&r->turn, __ATOMIC_ACQUIRE)) {
			sched_yield();
			continue;
		}
		/* held back, LAST would not come before an ENABLE */
		if (flags & KEVENT_DISPATCH && rand_r(&seed) % 2)
			flags |= KEVENT_START_DISABLED;
		ret = add_timer(r->q, r->number, rand_r(&seed) % 100000,
				rand_r(&seed) % 2 * 150000,
				flags | KEVENT_WANT_LAST, r->number);
		__atomic_store_n(&r->turn, 1, __ATOMIC_RELEASE);
	}
	r->errors = ret;
	return NULL;
}

/*
 * T5, T7, T19: REMOVE on one processor while the timer fires on the other.
 * When it returns that was the last record, and it says so.
 */
TEST_F_TIMEOUT(timer, remove_races, 120)
{
	__u64 end, start = now_ns(CLOCK_MONOTONIC);
	int i, n, ret, lasts, loops = test_loops(5000), fired = 0, ended = 0;
	struct race r = { .q = &self->q };
	struct ukevent_queue *q = r.q;
	struct kevent_change c;
	unsigned int seed = 2;
	struct ukevent ev[8];
	pthread_t thread;
	__u32 produced;

	ASSERT_EQ(0, pthread_create(&thread, NULL, race_add, &r));
	ASSERT_EQ(0, pin_to_cpu(1));
	for (n = 1; n <= loops && !test_loops_done(start, 40); n++) {
		while (!__atomic_load_n(&r.turn, __ATOMIC_ACQUIRE)) {
			ASSERT_FALSE(test_loops_done(start, 100));
			sched_yield();
		}
		end = now_ns(CLOCK_MONOTONIC) + rand_r(&seed) % 120000;
		while (now_ns(CLOCK_MONOTONIC) < end)
			;
		c = make_typed(KEVENT_OP_REMOVE, TIMER, r.number, 0, KEVENT_ACK,
			       0);
		ret = do_change(q->fd, &c);
		produced = producer_index(q);
		ASSERT_TRUE(!ret || ret == -ENOENT);
		if (n % 64 == 0)
			sleep_ms(1);
		EXPECT_EQ((int)(produced - q->head), flush_ring(q));
		EXPECT_EQ(produced, producer_index(q));
		lasts = 0;
		i = ukevent_take(q, ev, 8);
		ASSERT_LE(1, i);
		fired += i > 1 || ev[0].events;
		ended += !!ret;
		while (i--) {
			EXPECT_EQ(r.number, ev[i].cookie);
			EXPECT_EQ(!lasts, !!(ev[i].flags & LAST));
			lasts++;
		}
		EXPECT_EQ(produced, producer_index(q));
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
		r.number++;
		__atomic_store_n(&r.turn, 0, __ATOMIC_RELEASE);
	}
	race_end(&r, &thread, 1);
	EXPECT_EQ(0, r.errors);
	TH_LOG("%d rounds, %d fired, %d ended by themselves", n - 1, fired,
	       ended);
	EXPECT_LT(0, fired);
	EXPECT_GT(n - 1, fired);
}

/* T9: closed with thousands that fire just then. */
TEST_F_TIMEOUT(timer, close_while_firing, 120)
{
	int i, n, round, loops = test_loops(8), nr = 3000;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct kevent_change *c;
	struct ukevent_queue q;
	unsigned int seed = 3;

	c = calloc(nr, sizeof(*c));
	ASSERT_NE(NULL, c);
	for (round = 0; round < loops && !test_loops_done(start, 40); round++) {
		ASSERT_EQ(0, queue_init(&q, round % 2 ? 4096 : 8));
		for (i = 0; i < nr; i++)
			c[i] = timer_change(KEVENT_OP_ADD, i,
					    rand_r(&seed) % (20 * NSEC_PER_MSEC),
					    i % 2 * NSEC_PER_MSEC,
					    modes[i / 2 % 4] | (i % 3 ? 0 :
					    KEVENT_WANT_LAST), i);
		ASSERT_EQ(nr, sys_kevent_ctl(q.fd, c, nr, sizeof(*c), 0));
		for (i = 0, n = 0; i < nr; i++)
			n += !c[i].result;
		EXPECT_EQ(nr, n);
		if (round % 4 > 1)
			take_all(&q, NULL);
		sched_yield();
		ukevent_queue_exit(&q);
	}
	free(c);
	EXPECT_LT(0, round);
	/* what is left of them is nothing */
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(&self->q);
}

/* Several consumers, and timers that start again with the ENABLE. */
static void *race_consume(void *arg)
{
	struct race *r = arg;
	struct ukevent ev;

	while (!race_stopped(r)) {
		if (!ukevent_take_shared(r->q, &ev, 1)) {
			wait_ms(r->q, 1, 1);
			continue;
		}
		if (ev.data[0] != 1 || ev.events != EXPIRED ||
		    op_timer(r->q, KEVENT_OP_ENABLE, ev.cookie))
			__atomic_store_n(&r->errors, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&r->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* None is lost: each of them goes round and round. */
TEST_F_TIMEOUT(timer, dispatch_consumers, 120)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct race r = { .q = &self->q };
	long want = test_loops(3000);
	pthread_t thread[3];
	struct ukevent ev;
	int i, left, seen = 0;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, add_timer(r.q, i, i * 10000, 0, KEVENT_DISPATCH,
				       i));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, race_consume, &r));
	while (__atomic_load_n(&r.done, __ATOMIC_RELAXED) < want &&
	       !test_loops_done(start, 40))
		sleep_ms(1);
	race_end(&r, thread, 3);
	EXPECT_EQ(0, r.errors);
	TH_LOG("%ld expirations", r.done);
	EXPECT_LT(20, r.done);
	/* each is on its way, or here */
	for (left = 20; left; left--) {
		ASSERT_LE(1, wait_ms(r.q, 1, TEST_LONG_MS));
		ASSERT_EQ(1, (int)ukevent_take_shared(r.q, &ev, 1));
		EXPECT_EQ(0, seen & (1 << ev.cookie));
		seen |= 1 << ev.cookie;
	}
	EXPECT_EQ((1 << 20) - 1, seen);
}

/* ---- timers of a queue wait for one hrtimer ---- */

/* The one that is due first goes, or is put off: the next ones come in time. */
TEST_F(timer, first_goes)
{
	struct ukevent_queue *q = &self->q;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct ukevent ev;

	ASSERT_EQ(0, add_timer(q, 1, 20 * NSEC_PER_MSEC, 0, 0, 1));
	ASSERT_EQ(0, add_timer(q, 2, 30 * NSEC_PER_MSEC, 0, 0, 2));
	ASSERT_EQ(0, add_timer(q, 3, 40 * NSEC_PER_MSEC, 0, 0, 3));
	ASSERT_EQ(0, add_timer(q, 4, FAR, 0, 0, 4));
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
	EXPECT_EQ(0, modify_timer(q, 2, FAR, 0, 0, 5));
	EXPECT_EQ(0, modify_timer(q, 3, 20 * NSEC_PER_MSEC, 0, 0, 6));
	do {	/* on a slow machine the others have fired as well */
		ASSERT_LT(0, wait_ms(q, 1, TEST_LONG_MS));
		ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
	} while (ev.cookie < 4);
	EXPECT_LE(start + 20 * NSEC_PER_MSEC, now_ns(CLOCK_MONOTONIC));
	check_record(_metadata, __LINE__, &ev, TIMER, 6, EXPIRED, 0, 1, 0);
	EXPECT_QUIET(q);
}

/* One that is due before all others, twice. */
TEST_F(timer, another_first)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_timer(q, 1, FAR, 0, 0, 1));
	ASSERT_EQ(0, add_timer(q, 2, FAR / 2, 0, 0, 2));
	ASSERT_EQ(0, add_timer(q, 3, NSEC_PER_MSEC, 0, 0, 3));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TIMER(q, 3, 0, 1);
	EXPECT_EQ(0, modify_timer(q, 1, NSEC_PER_MSEC, 0, 0, 4));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TIMER(q, 4, 0, 1);
	EXPECT_QUIET(q);
}

/* A timer on each clock, and then each on another one. */
TEST_F(timer, all_clocks_in_a_queue)
{
	struct ukevent_queue *q = &self->q;
	int i, n, op = KEVENT_OP_ADD, seen;
	struct ukevent ev;
	clockid_t clock;

	for (n = 0; n < (int)ARRAY_SIZE(clocks); n++) {
		for (i = 0; i < (int)ARRAY_SIZE(clocks); i++) {
			clock = clocks[(i + n) % ARRAY_SIZE(clocks)];
			ASSERT_EQ(0, ukevent_set_timer(q, op, i, now_ns(clock) +
						       5 * NSEC_PER_MSEC, 0,
						       clock, KEVENT_ABSTIME,
						       i));
		}
		for (i = 0, seen = 0; i < (int)ARRAY_SIZE(clocks); i++) {
			ASSERT_LE(1, wait_ms(q, 1, TEST_LONG_MS));
			ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
			seen |= 1 << ev.cookie;
		}
		EXPECT_EQ((1 << ARRAY_SIZE(clocks)) - 1, seen);
		EXPECT_QUIET(q);
		op = KEVENT_OP_MODIFY;
	}
}

#define NOISE	1000	/* numbers and cookies from there */

/* Timers that come and go, often as the first that is due. */
static void *race_noise(void *arg)
{
	struct race *r = arg;
	unsigned int seed = 8;
	__u64 nr, span;
	int ret;

	while (!race_stopped(r)) {
		nr = NOISE + rand_r(&seed) % 8;
		span = rand_r(&seed) % 2 ? FAR : rand_r(&seed) % NSEC_PER_MSEC;
		if (rand_r(&seed) % 3)
			ret = modify_timer(r->q, nr, span, 0, KEVENT_EDGE, NOISE);
		else if (rand_r(&seed) % 2)
			ret = add_timer(r->q, nr, span, 0, KEVENT_EDGE, NOISE);
		else
			ret = op_timer(r->q, KEVENT_OP_REMOVE, nr);
		if (ret && ret != -EEXIST && ret != -ENOENT)
			__atomic_store_n(&r->errors, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 *   noise    adds, modifies and removes timers of the same queue
 *   main     starts one-shots: each expires, once, and not too early
 */
TEST_F_TIMEOUT(timer, none_forgotten, 120)
{
	__u64 begin, span, start = now_ns(CLOCK_MONOTONIC);
	struct race r = { .q = &self->q };
	int n, loops = test_loops(20000);
	unsigned int seed = 12;
	pthread_t thread[2];
	struct ukevent ev;

	for (n = 0; n < 2; n++)
		ASSERT_EQ(0, pthread_create(&thread[n], NULL, race_noise, &r));
	for (n = 0; n < loops && !test_loops_done(start, 20); n++) {
		span = rand_r(&seed) % (NSEC_PER_MSEC / 2);
		begin = now_ns(CLOCK_MONOTONIC);
		ASSERT_EQ(0, add_timer(r.q, n % 7, span, 0, KEVENT_ONESHOT,
				       n + NOISE + 1));
		do {
			ASSERT_LE(1, wait_ms(r.q, 1, TEST_LONG_MS))
				TH_LOG("round %d, span %llu", n,
				       (unsigned long long)span);
			ASSERT_EQ(1, (int)ukevent_take(r.q, &ev, 1));
			ASSERT_FALSE(test_loops_done(begin, TEST_LONG_MS / 1000));
		} while (ev.cookie == NOISE);
		ASSERT_EQ((__u64)n + NOISE + 1, ev.cookie);
		ASSERT_EQ(1ULL, ev.data[0]);
		ASSERT_LE(begin + span, now_ns(CLOCK_MONOTONIC));
	}
	race_end(&r, thread, 2);
	EXPECT_EQ(0, r.errors);
	TH_LOG("%d timers", n);
}

/* ---- clocks that are set ---- */

static void set_realtime(__u64 ns)
{
	struct timespec ts = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	clock_settime(CLOCK_REALTIME, &ts);
}

static int set_tai_offset(int seconds)
{
	struct timex tx = { .modes = ADJ_TAI, .constant = seconds };

	return adjtimex(&tx) < 0 ? -errno : 0;
}

/* The clocks are put right afterwards. */
FIXTURE(step)
{
	struct ukevent_queue q;
	__u64 mono;	/* CLOCK_MONOTONIC at the start */
	__u64 real;	/* CLOCK_REALTIME at that time */
	int tai;	/* seconds that CLOCK_TAI was ahead of it */
};

FIXTURE_SETUP(step)
{
	struct timex tx = {};

	ASSERT_EQ(0, queue_init(&self->q, 8));
	self->mono = now_ns(CLOCK_MONOTONIC);
	self->real = now_ns(CLOCK_REALTIME);
	/* some room to set it back; and the right to do so */
	if (self->real < 100 * FAR)
		self->real = 100 * FAR;
	set_realtime(self->real);
	ASSERT_LE(self->real, now_ns(CLOCK_REALTIME));
	ASSERT_LE(0, adjtimex(&tx));
	self->tai = tx.tai;
}

FIXTURE_TEARDOWN(step)
{
	set_tai_offset(self->tai);
	set_realtime(self->real + now_ns(CLOCK_MONOTONIC) - self->mono);
	ukevent_queue_exit(&self->q);
}

/* Forward: times come, spans do not, and other clocks were not set. */
TEST_F(step, forward)
{
	struct ukevent_queue *q = &self->q;
	__u32 want = 1 << 1 | 1 << 3, got = 0;
	struct ukevent ev;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, i,
					       now_ns(clocks[i]) + FAR, 0,
					       clocks[i], KEVENT_ABSTIME, i));
		ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, i + 4, FAR, FAR,
					       clocks[i], 0, i + 4));
	}
	set_realtime(now_ns(CLOCK_REALTIME) + FAR / 2);
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
	set_realtime(now_ns(CLOCK_REALTIME) + 2 * FAR);
	EXPECT_EQ(2, ring_reaches(q, 2));
	sleep_ms(TEST_SHORT_MS);
	while (ukevent_take(q, &ev, 1)) {
		EXPECT_EQ(1ULL, ev.data[0]);
		got |= 1 << ev.cookie;
	}
	EXPECT_EQ(want, got);
	EXPECT_QUIET(q);
}

/* Back: what would have come by now waits for its time. */
TEST_F(step, backward)
{
	struct ukevent_queue *q = &self->q;
	__u64 time, span = 100 * NSEC_PER_MSEC;

	/* where none is on its way to the ring while this one runs */
	ASSERT_EQ(0, pin_to_cpu(0));
	for (;;) {
		time = now_ns(CLOCK_REALTIME) + span;
		ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 1, time, 0,
					       CLOCK_REALTIME, KEVENT_ABSTIME,
					       1));
		ASSERT_EQ(0, add_timer(q, 2, 2 * span, 0, 0, 2));
		ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 3, 2 * span, 0,
					       CLOCK_REALTIME, 0, 3));
		set_realtime(now_ns(CLOCK_REALTIME) - FAR);
		if (!in_ring(q))
			break;
		/* a slow machine: it came before the clock was set */
		span *= 2;
		ASSERT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
		ASSERT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 2));
		ASSERT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 3));
		take_all(q, NULL);
	}
	/* the spans end meanwhile, both of them */
	EXPECT_EQ(2, ring_reaches(q, 2));
	EXPECT_EQ(2, take_all(q, NULL));
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
	EXPECT_LT((long long)FAR / 2, timer_info(q, 1, "left: "));
	set_realtime(time);
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TIMER(q, 1, 0, 1);
	EXPECT_QUIET(q);
}

/* A record that was held back says 1 at least, though its time is to come. */
TEST_F(step, backward_periodic)
{
	struct grid g = { .period = 2 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	__u64 before = now_ns(CLOCK_REALTIME), mono = now_ns(CLOCK_MONOTONIC);
	struct tally t = {};
	struct ukevent ev;

	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, CLOCK_REALTIME,
			      KEVENT_ABSTIME, g.period, 1));
	ASSERT_EQ(1, pending_reaches(q, 1));
	set_realtime(before - FAR);
	tally_all(q, &t, 1);
	EXPECT_EQ(1, flush_ring(q));
	ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
	EXPECT_EQ(1ULL, ev.data[0]);
	t.sum += ev.data[0];
	/* the next one is far away again */
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
	EXPECT_LT((long long)FAR / 2, timer_info(q, 1, "left: "));
	/* until that time comes, and then nothing was lost or told twice */
	set_realtime(before + now_ns(CLOCK_MONOTONIC) - mono);
	ASSERT_EQ(1, pending_reaches(q, 1));
	EXPECT_GRID(&g, q, &t, 1);
	EXPECT_EQ(0, t.wrong);
}

/* The periods that were jumped over count. */
TEST_F(step, forward_periodic)
{
	struct grid g = { .period = 10 * NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t = {};

	ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, CLOCK_REALTIME,
			      KEVENT_ABSTIME, FAR, 1));
	EXPECT_QUIET(q);
	set_realtime(now_ns(CLOCK_REALTIME) + 2 * FAR);
	ASSERT_EQ(1, pending_reaches(q, 1));
	EXPECT_GRID(&g, q, &t, 1);
	EXPECT_LE(FAR / g.period, t.sum);
}

/* A span is counted by its own clock, wherever the other one jumps. */
TEST_F(step, spans_run_on)
{
	static const clockid_t by_real[] = { CLOCK_REALTIME, CLOCK_TAI };
	struct ukevent_queue *q = &self->q;
	struct tally t;
	struct grid g;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(by_real); i++) {
		memset(&t, 0, sizeof(t));
		g.period = 2 * NSEC_PER_MSEC;
		ASSERT_EQ(0, grid_set(&g, q, KEVENT_OP_ADD, by_real[i], 0,
				      g.period, 1));
		for (n = 0; n < 6; n++) {
			set_realtime(now_ns(CLOCK_REALTIME) +
				     (n % 2 ? -FAR : FAR));
			ASSERT_EQ(1, pending_reaches(q, 1));
			EXPECT_GRID(&g, q, &t, 1);
		}
		EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
		take_all(q, NULL);
	}
}

#define NR_FIRING	300

struct beat {
	int stop;
	unsigned long count;
};

static void *beat_main(void *arg)
{
	struct beat *b = arg;

	if (run_on(1))
		return NULL;
	while (!__atomic_load_n(&b->stop, __ATOMIC_ACQUIRE)) {
		__atomic_add_fetch(&b->count, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

/*
 *   processor 1   timers of many queues are due, one softirq expires them
 *   processor 0   sets the clock back meanwhile
 *
 * The softirq comes to an end before the clock is where it was.
 */
TEST_F_TIMEOUT(step, back_while_firing, 120)
{
	static struct ukevent_queue q[NR_FIRING];
	__u64 start = now_ns(CLOCK_MONOTONIC), due, step = 30 * NSEC_PER_SEC;
	int i, n, told = 0, loops = test_loops(60);
	struct beat b = {};
	unsigned int seed = 5;
	unsigned long count;
	struct ukevent ev;
	pthread_t thread;

	if (run_on(1))
		SKIP(return, "one processor");
	for (i = 0; i < NR_FIRING; i++)
		ASSERT_EQ(0, queue_init_noring(&q[i], 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, beat_main, &b));
	/* a host that is busy may let none expire in time, of a few rounds */
	for (n = 0; (n < loops || !told) && !test_loops_done(start, 40); n++) {
		ASSERT_EQ(0, run_on(1));
		due = now_ns(CLOCK_REALTIME) + 20 * NSEC_PER_MSEC;
		for (i = 0; i < NR_FIRING; i++)
			ASSERT_EQ(0, ukevent_set_timer(&q[i], n ? KEVENT_OP_MODIFY :
						       KEVENT_OP_ADD, 1, due, 0,
						       CLOCK_REALTIME,
						       KEVENT_ABSTIME, 1));
		ASSERT_EQ(0, run_on(0));
		while (now_ns(CLOCK_REALTIME) < due + rand_r(&seed) % NSEC_PER_MSEC)
			;
		count = __atomic_load_n(&b.count, __ATOMIC_RELAXED);
		set_realtime(due - step);
		while (__atomic_load_n(&b.count, __ATOMIC_RELAXED) < count + 2)
			ASSERT_GT(due, now_ns(CLOCK_REALTIME))
				TH_LOG("round %d", n);
		for (i = 0; i < NR_FIRING; i++)
			told += sys_kevent_get_events(q[i].fd, &ev, 0, 1, NULL, 0);
		set_realtime(due + NSEC_PER_SEC);
	}
	__atomic_store_n(&b.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	TH_LOG("%d of %d told before the clock was set", told, n * NR_FIRING);
	EXPECT_LT(0, told);
	for (i = 0; i < NR_FIRING; i++)
		ukevent_queue_exit(&q[i]);
}

/* CLOCK_TAI can be set without the others. */
TEST_F(step, tai_offset)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 1,
				       now_ns(CLOCK_TAI) + FAR, 0, CLOCK_TAI,
				       KEVENT_ABSTIME, 1));
	ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 2,
				       now_ns(CLOCK_REALTIME) + FAR, 0,
				       CLOCK_REALTIME, KEVENT_ABSTIME, 2));
	ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 3, FAR, 0, CLOCK_TAI, 0,
				       3));
	ASSERT_EQ(0, set_tai_offset(self->tai + 7200));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TIMER(q, 1, 0, 1);
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
}

/* ---- time namespaces ---- */

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x00000080
#endif

/* A queue, and a time namespace for children. */
FIXTURE(timens)
{
	struct ukevent_queue q;
};

FIXTURE_VARIANT(timens)
{
	clockid_t clock;
	const char *offset;
	int seconds;	/* that @clock is ahead inside */
};

FIXTURE_VARIANT_ADD(timens, monotonic_ahead)
{
	.clock = CLOCK_MONOTONIC,
	.offset = "monotonic 100000 0",
	.seconds = 100000,
};

FIXTURE_VARIANT_ADD(timens, monotonic_behind)
{
	.clock = CLOCK_MONOTONIC,
	.offset = "monotonic -1 0",
	.seconds = -1,
};

FIXTURE_VARIANT_ADD(timens, boottime_ahead)
{
	.clock = CLOCK_BOOTTIME,
	.offset = "boottime 100000 0",
	.seconds = 100000,
};

FIXTURE_VARIANT_ADD(timens, boottime_behind)
{
	.clock = CLOCK_BOOTTIME,
	.offset = "boottime -1 0",
	.seconds = -1,
};

FIXTURE_VARIANT_ADD(timens, realtime)
{
	.clock = CLOCK_REALTIME,
	.offset = "monotonic 100000 0",
};

FIXTURE_SETUP(timens)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	while (now_ns(CLOCK_MONOTONIC) < 2 * NSEC_PER_SEC)
		sleep_ms(100);	/* just booted: clocks do not go below 0 */
	ASSERT_EQ(0, unshare(CLONE_NEWTIME));
	ASSERT_EQ(0, write_text("/proc/self/timens_offsets", variant->offset));
}

FIXTURE_TEARDOWN(timens)
{
	ukevent_queue_exit(&self->q);
}

/* The error of the first one that failed in the child, or what the clock says. */
static int in_timens(struct ukevent_queue *q, clockid_t clock, __u64 *now)
{
	__u64 *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ret, status;
	pid_t pid;

	if (shared == MAP_FAILED)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		*shared = now_ns(clock);
		ret = ukevent_set_timer(q, KEVENT_OP_ADD, 2, *shared - 1000, 0,
					clock, KEVENT_ABSTIME, 2);
		if (!ret)
			ret = ukevent_set_timer(q, KEVENT_OP_ADD, 1,
						*shared + 20 * NSEC_PER_MSEC,
						NSEC_PER_MSEC, clock,
						KEVENT_ABSTIME, 1);
		if (!ret)
			ret = ukevent_set_timer(q, KEVENT_OP_ADD, 3,
						*shared + FAR, 0, clock,
						KEVENT_ABSTIME, 3);
		if (!ret)
			ret = ukevent_set_timer(q, KEVENT_OP_ADD, 4, FAR, 0,
						clock, 0, 4);
		_exit(-ret);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	*now = *shared;
	munmap(shared, sizeof(*shared));
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPROTO;
}

/* Times are those of whoever gives them, the queue may be of elsewhere. */
TEST_F(timens, abstime)
{
	struct grid g = { .clock = variant->clock, .period = NSEC_PER_MSEC };
	struct ukevent_queue *q = &self->q;
	struct tally t = {};
	__u64 now;

	ASSERT_EQ(0, in_timens(q, variant->clock, &now));
	/* that it was in the namespace */
	g.earliest = now - variant->seconds * NSEC_PER_SEC;
	EXPECT_GE(now_ns(variant->clock), g.earliest);
	EXPECT_LE(now_ns(variant->clock), g.earliest + 60 * NSEC_PER_SEC);
	g.earliest += 20 * NSEC_PER_MSEC;
	g.latest = g.earliest;
	EXPECT_TIMER(q, 2, 0, 1);
	ASSERT_EQ(1, pending_reaches(q, 1));
	EXPECT_LE(g.earliest, now_ns(variant->clock));
	EXPECT_GRID(&g, q, &t, 1);
	/* and what is far away is, spans are spans */
	EXPECT_LT((long long)FAR - 60000000000LL, timer_info(q, 3, "left: "));
	EXPECT_GE((long long)FAR, timer_info(q, 3, "left: "));
	EXPECT_LT((long long)FAR - 60000000000LL, timer_info(q, 4, "left: "));
	EXPECT_GE((long long)FAR, timer_info(q, 4, "left: "));
}

/* ---- errors ---- */

FIXTURE(error)
{
	struct ukevent_queue q;
	struct kevent_change good;
};

/* 1 runs, 2 can be added. */
FIXTURE_SETUP(error)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, add_timer(&self->q, 1, FAR, FAR, 0, 1));
	self->good = timer_change(KEVENT_OP_ADD, 2, FAR, FAR, 0, 2);
}

/* No error has left anything behind, or taken anything away. */
FIXTURE_TEARDOWN(error)
{
	struct ukevent_queue *q = &self->q;

	EXPECT_EQ(0, do_change(q->fd, &self->good));
	EXPECT_EQ(2, queue_info(q, "entries", "interests: "));
	EXPECT_LT(0, timer_info(q, 1, "left: "));
	EXPECT_EQ((long long)FAR, timer_info(q, 1, "period: "));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, 1));
	ukevent_queue_exit(q);
}

#define NR_OPS	5

static const __u16 ops[NR_OPS] = {
	KEVENT_OP_ADD, KEVENT_OP_MODIFY, KEVENT_OP_REMOVE, KEVENT_OP_ENABLE,
	KEVENT_OP_DISABLE,
};

/* A change that would be all right, of 2 for ADD, else of 1. */
static struct kevent_change good_change(__u16 op)
{
	struct kevent_change c;

	if (op != KEVENT_OP_ADD && op != KEVENT_OP_MODIFY)
		return make_typed(op, TIMER, 1, 0, 0, 0);
	c = timer_change(op, op == KEVENT_OP_ADD ? 2 : 1, FAR, FAR, 0, 2);
	return c;
}

TEST_F(error, clock_unknown)
{
	static const __u64 known[] = {
		CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI
	};
	int kfd = self->q.fd, op;
	struct kevent_change c;
	__u64 clock;
	size_t i;

	for (op = 0; op < 2; op++) {
		for (clock = 0; clock < 32; clock++) {
			for (i = 0; i < 4; i++)
				if (clock == known[i])
					break;
			c = good_change(ops[op]);
			c.param[KEVENT_TIMER_CLOCK] = clock;
			if (i == 4)
				EXPECT_EQ(-EINVAL, do_change(kfd, &c));
			/* the whole word counts */
			c.param[KEVENT_TIMER_CLOCK] = clock | 1ULL << 32;
			EXPECT_EQ(-EINVAL, do_change(kfd, &c));
			c.param[KEVENT_TIMER_CLOCK] = ~clock;
			EXPECT_EQ(-EINVAL, do_change(kfd, &c));
		}
	}
}

TEST_F(error, time_too_large)
{
	static const __u64 values[] = { MAX_NS + 1, ~0ULL };
	static const int params[] = {
		KEVENT_TIMER_TIME, KEVENT_TIMER_PERIOD, KEVENT_TIMER_SLACK
	};
	struct kevent_change c;
	size_t i, v;
	int op;

	for (op = 0; op < 2; op++) {
		for (i = 0; i < ARRAY_SIZE(params); i++) {
			for (v = 0; v < 2; v++) {
				c = good_change(ops[op]);
				c.param[params[i]] = values[v];
				EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
				c.flags |= KEVENT_ABSTIME;
				EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
			}
		}
	}
}

TEST_F(error, unknown_events)
{
	struct kevent_change c;
	int op, bit;

	for (op = 0; op < NR_OPS; op++) {
		for (bit = op < 2; bit < 32; bit++) {
			c = good_change(ops[op]);
			c.events = 1U << bit;
			EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
		}
	}
}

/* It is watched whether asked for or not. */
TEST_F(error, known_events)
{
	struct kevent_change c;

	c = timer_change(KEVENT_OP_ADD, 3, 0, 0, KEVENT_ONESHOT, 3);
	c.events = EXPIRED;
	EXPECT_EQ(0, do_change(self->q.fd, &c));
	EXPECT_TIMER(&self->q, 3, 0, 1);
	c = timer_change(KEVENT_OP_ADD, 3, FAR, 0, 0, 3);
	EXPECT_EQ(0, do_change(self->q.fd, &c));
	c = timer_change(KEVENT_OP_MODIFY, 3, 0, 0, KEVENT_ONESHOT, 4);
	c.events = EXPIRED;
	EXPECT_EQ(0, do_change(self->q.fd, &c));
	EXPECT_TIMER(&self->q, 4, 0, 1);
}

TEST_F(error, unknown_flags)
{
	struct kevent_change c;
	__u32 takes;
	int op, bit;

	for (op = 0; op < NR_OPS; op++) {
		takes = flags_taken(ops[op]) | (op < 2 ? KEVENT_ABSTIME : 0);
		for (bit = 0; bit < 32; bit++) {
			if (takes & 1U << bit)
				continue;
			c = good_change(ops[op]);
			c.flags = 1U << bit;
			EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c))
				TH_LOG("op %d bit %d", ops[op], bit);
		}
	}
}

TEST_F(error, two_modes)
{
	struct kevent_change c;
	__u32 flags;
	int op;

	for (op = 0; op < 2; op++) {
		for (flags = 3; flags < 8; flags++) {
			if (flags == KEVENT_DISPATCH)
				continue;
			c = good_change(ops[op]);
			c.flags = flags;
			EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
		}
	}
}

TEST_F(error, unused_fields)
{
	struct kevent_change c;
	int op, i, bit;

	for (op = 0; op < NR_OPS; op++) {
		for (bit = 0; bit < 64; bit += 21) {
			c = good_change(ops[op]);
			c.addr = 1ULL << bit;
			EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
			c = good_change(ops[op]);
			c.id = 1ULL << bit;
			EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
			for (i = 0; i < 2; i++) {
				c = good_change(ops[op]);
				c.reserved[i] = 1ULL << bit;
				EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
			}
			for (i = 0; i < 4 && op > 1; i++) {
				c = good_change(ops[op]);
				c.param[i] = 1ULL << bit;
				EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
			}
		}
	}
}

TEST_F(error, exists)
{
	EXPECT_EQ(-EEXIST, add_timer(&self->q, 1, 0, 0, 0, 9));
	EXPECT_EQ(-EEXIST, add_timer(&self->q, 1, FAR, 0, KEVENT_ONESHOT |
				     KEVENT_WANT_LAST, 9));
}

TEST_F(error, no_such_timer)
{
	struct kevent_change c;
	int op;

	for (op = 1; op < NR_OPS; op++) {
		c = good_change(ops[op]);
		c.ident = 2;
		EXPECT_EQ(-ENOENT, do_change(self->q.fd, &c));
		c.ident = 1ULL << 32 | 1;
		EXPECT_EQ(-ENOENT, do_change(self->q.fd, &c));
		c = good_change(ops[op]);
		c.flags = KEVENT_BY_ID;
		c.ident = 0;
		EXPECT_EQ(-ENOENT, do_change(self->q.fd, &c));
		c.id = ~0ULL;
		EXPECT_EQ(-ENOENT, do_change(self->q.fd, &c));
	}
}

TEST_F(error, trigger)
{
	struct kevent_change c = make_typed(KEVENT_OP_TRIGGER, TIMER, 1, 0, 0,
					    0);

	EXPECT_EQ(-EOPNOTSUPP, do_change(self->q.fd, &c));
	c.ident = 2;
	EXPECT_EQ(-EOPNOTSUPP, do_change(self->q.fd, &c));
	/* what is not even a change is that first */
	c.reserved[0] = 1;
	EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
}

/* The entry of a batch that fails changes nothing for the others. */
TEST_F(error, in_batch)
{
	struct kevent_change c[4];
	int i;

	c[0] = timer_change(KEVENT_OP_ADD, 3, 0, 0, KEVENT_ONESHOT, 3);
	c[1] = timer_change(KEVENT_OP_ADD, 4, MAX_NS + 1, 0, 0, 4);
	c[2] = timer_change(KEVENT_OP_ADD, 1, 0, 0, 0, 5);
	c[3] = timer_change(KEVENT_OP_ADD, 6, 0, 0, KEVENT_ONESHOT, 6);
	EXPECT_EQ(4, sys_kevent_ctl(self->q.fd, c, 4, sizeof(c[0]), 0));
	EXPECT_EQ(0, c[0].result);
	EXPECT_EQ(-EINVAL, c[1].result);
	EXPECT_EQ(-EEXIST, c[2].result);
	EXPECT_EQ(0, c[3].result);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(i % 3 != 0, !c[i].id);
	EXPECT_TIMER(&self->q, 3, 0, 1);
	EXPECT_TIMER(&self->q, 6, 0, 1);
}

TEST_F(error, no_space)
{
	struct ukevent_queue q;
	int n, ret = 0;

	ASSERT_EQ(0, own_limits());
	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "10"));
	for (n = 0; n < 100 && !ret; n++)
		ret = add_timer(&q, 100 + n, FAR, 0, 0, 0);
	EXPECT_EQ(-ENOSPC, ret);
	/* the number of the one that failed is free, the others are there */
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "11"));
	EXPECT_EQ(0, add_timer(&q, 100 + n - 1, FAR, 0, 0, 0));
	for (; n > 0; n--)
		EXPECT_EQ(0, op_timer(&q, KEVENT_OP_REMOVE, 99 + n));
	ukevent_queue_exit(&q);
}

/* The result of an ADD cannot be written: there was none. */
TEST_F(error, result_faults)
{
	size_t page = page_size();
	char *end = guarded_end(1);
	struct kevent_change c;

	ASSERT_NE(NULL, end);
	c = timer_change(KEVENT_OP_ADD, 3, 0, 0, 0, 3);
	memcpy(end - sizeof(c), &c, sizeof(c));
	ASSERT_EQ(0, mprotect(end - page, page, PROT_READ));
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->q.fd, (void *)(end - sizeof(c)),
					  1, sizeof(c), 0));
	EXPECT_EQ(-ENOENT, op_timer(&self->q, KEVENT_OP_REMOVE, 3));
}

/* ---- fdinfo ---- */

FIXTURE(fdinfo)
{
	struct ukevent_queue q;
};

FIXTURE_SETUP(fdinfo)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(fdinfo)
{
	ukevent_queue_exit(&self->q);
}

static void *race_fdinfo(void *arg)
{
	struct race *r = arg;

	while (!race_stopped(r)) {
		queue_info(r->q, "entries", "produced: ");
		__atomic_add_fetch(&r->done, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Looked at while they come, change and go. */
TEST_F_TIMEOUT(fdinfo, races, 120)
{
	struct race r = { .q = &self->q };
	struct ukevent_queue *q = r.q;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int n, loops = test_loops(20000);
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, race_fdinfo, &r));
	for (n = 0; (n < loops || !__atomic_load_n(&r.done, __ATOMIC_RELAXED)) &&
	     !test_loops_done(start, 20); n++) {
		ASSERT_EQ(0, add_timer(q, n, n % 2 ? FAR : 1, FAR, 0, n));
		ASSERT_EQ(0, modify_timer(q, n, FAR, 0, 0, n));
		ASSERT_EQ(0, op_timer(q, KEVENT_OP_REMOVE, n));
		take_all(q, NULL);
	}
	race_end(&r, &thread, 1);
	TH_LOG("%d rounds, looked %ld times", n, r.done);
	EXPECT_LT(0, r.done);
}

TEST_HARNESS_MAIN
