// SPDX-License-Identifier: GPL-2.0
/*
 * S2, S3, S4: full rings, the backlog and its order, the PENDING flag, deferred
 * interests, fairness, tiny rings.
 *
 * Not here: a consumer index that wraps at 2^32.  Indices start at 0 and only
 * publishing moves them; four thousand million records take hours.  The wild
 * values in mmap_test.c cover the arithmetic around 2^31 and 2^32.
 */
#include "kevent_test.h"

#define NR_FDS	80

FIXTURE(ring)
{
	struct ukevent_queue q;
	int fds[NR_FDS];
};

FIXTURE_VARIANT(ring)
{
	__u32 entries;
};

FIXTURE_VARIANT_ADD(ring, one)
{
	.entries = 1,
};

FIXTURE_VARIANT_ADD(ring, two)
{
	.entries = 2,
};

FIXTURE_VARIANT_ADD(ring, thirty_two)
{
	.entries = 32,
};

FIXTURE_SETUP(ring)
{
	int i;

	ASSERT_EQ(0, queue_init(&self->q, variant->entries));
	ASSERT_EQ(variant->entries, self->q.entries);
	for (i = 0; i < NR_FDS; i++) {
		self->fds[i] = make_eventfd(0);
		ASSERT_LE(0, self->fds[i]);
	}
}

FIXTURE_TEARDOWN(ring)
{
	ukevent_queue_exit(&self->q);
}

/* S4: what does not fit comes later, in the order in which it happened. */
TEST_F(ring, backlog_in_order)
{
	struct ukevent_queue *q = &self->q;
	int i, n, entries = variant->entries;

	for (i = 0; i < NR_FDS; i++)
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	EXPECT_QUIET(q);
	/* every second one, then the rest */
	for (i = 0; i < NR_FDS; i++) {
		n = i < NR_FDS / 2 ? 2 * i : 2 * (i - NR_FDS / 2) + 1;
		ASSERT_EQ(0, eventfd_add(self->fds[n], 1));
		EXPECT_EQ(i < entries ? i + 1 : entries, in_ring(q));
		EXPECT_EQ(i >= entries, is_pending(q));
	}
	for (i = 0; i < NR_FDS; i++) {
		n = i < NR_FDS / 2 ? 2 * i : 2 * (i - NR_FDS / 2) + 1;
		if (!in_ring(q)) {
			EXPECT_EQ(1, is_pending(q));
			EXPECT_EQ(NR_FDS - i < entries ? NR_FDS - i : entries,
				  flush_ring(q));
		}
		EXPECT_TAKE(q, n, EV_IN, 0);
		if (i < NR_FDS - entries)
			EXPECT_EQ(1, is_pending(q));
	}
	EXPECT_QUIET(q);
}

/*
 * S3: a trigger publishes a few of the backlog, never itself before them, and
 * never more than two.
 */
TEST_F(ring, trigger_flushes)
{
	struct ukevent_queue *q = &self->q;
	int i, n, entries = variant->entries, last = NR_FDS - 1;
	struct ukevent ev;

	for (i = 0; i < NR_FDS; i++)
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	for (i = 0; i < last; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	EXPECT_EQ(entries, take_all(q, NULL));
	EXPECT_EQ(1, is_pending(q));
	ASSERT_EQ(0, eventfd_add(self->fds[last], 1));
	n = in_ring(q);
	EXPECT_GE(entries < 2 ? entries : 2, n);
	TH_LOG("published with a trigger: %d", n);
	EXPECT_EQ(1, is_pending(q));
	for (i = entries; i <= last; i++) {
		while (!ukevent_take(q, &ev, 1))
			ASSERT_LT(0, flush_ring(q));
		EXPECT_EQ((__u64)i, ev.cookie);
	}
	EXPECT_QUIET(q);
}

/* A backlog short enough goes out with the next trigger, no call needed. */
TEST_F(ring, trigger_flushes_all)
{
	struct ukevent_queue *q = &self->q;
	int i, entries = variant->entries;
	int waiting = entries > 2 ? 2 : entries - 1;

	for (i = 0; i <= entries + waiting; i++)
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	for (i = 0; i < entries + waiting; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	EXPECT_EQ(!!waiting, is_pending(q));
	EXPECT_EQ(entries, take_all(q, NULL));
	ASSERT_EQ(0, eventfd_add(self->fds[entries + waiting], 1));
	EXPECT_EQ(waiting + 1, in_ring(q));
	EXPECT_EQ(0, is_pending(q));
	for (i = 0; i <= waiting; i++)
		EXPECT_TAKE(q, entries + i, EV_IN, 0);
	EXPECT_QUIET(q);
}

/* An interest on the backlog that triggers again stays where it is, once. */
TEST_F(ring, backlog_once)
{
	struct ukevent_queue *q = &self->q;
	int i, j, nr = variant->entries + 5;
	struct ukevent ev;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	for (i = 0; i < nr; i++)
		for (j = 0; j <= i; j++)
			ASSERT_EQ(0, eventfd_add(self->fds[j], 1));
	for (i = 0; i < nr; i++) {
		while (!ukevent_take(q, &ev, 1))
			ASSERT_LT(0, flush_ring(q));
		EXPECT_EQ((__u64)i, ev.cookie);
		EXPECT_EQ((__u64)(nr - i), eventfd_take(self->fds[i]));
	}
	EXPECT_QUIET(q);
}

/* PENDING goes with what it stood for. */
TEST_F(ring, pending_cleared)
{
	struct ukevent_queue *q = &self->q;
	int i, extra = variant->entries;

	for (i = 0; i <= extra; i++)
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	for (i = 0; i < extra; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	EXPECT_EQ(0, is_pending(q));
	/* removed */
	ASSERT_EQ(0, eventfd_add(self->fds[extra], 1));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, remove_fd(q->fd, self->fds[extra]));
	EXPECT_EQ(0, is_pending(q));
	/* added while its condition holds: waits for room; disabled */
	ASSERT_EQ(0, add_fd(q->fd, self->fds[extra], EV_IN, KEVENT_EDGE, 100,
			    NULL));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_DISABLE, self->fds[extra]));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_ENABLE, self->fds[extra]));
	EXPECT_EQ(1, is_pending(q));
	/* closed */
	close(self->fds[extra]);
	EXPECT_EQ(0, pending_reaches(q, 0));
	EXPECT_EQ((int)variant->entries, take_all(q, NULL));
	EXPECT_QUIET(q);
}

/* An interest removed from the middle of the backlog leaves the others. */
TEST_F(ring, removed_from_backlog)
{
	struct ukevent_queue *q = &self->q;
	int i, entries = variant->entries;
	struct ukevent ev;

	for (i = 0; i < NR_FDS; i++) {
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	}
	for (i = entries; i < NR_FDS; i += 3)
		EXPECT_EQ(0, remove_fd(q->fd, self->fds[i]));
	for (i = 0; i < NR_FDS; i++) {
		if (i >= entries && (i - entries) % 3 == 0)
			continue;
		while (!ukevent_take(q, &ev, 1))
			ASSERT_LT(0, flush_ring(q));
		EXPECT_EQ((__u64)i, ev.cookie);
	}
	EXPECT_QUIET(q);
}

/* T42, S4: level interests that always hold come round in turn. */
TEST_F(ring, level_round_robin)
{
	struct ukevent_queue *q = &self->q;
	int last_seen[NR_FDS] = {};
	struct ukevent ev;
	int i, gap, worst = 0, nr = 40;

	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, 0, i, NULL));
	}
	for (i = 1; i <= 20 * nr; i++) {
		if (!ukevent_take(q, &ev, 1)) {
			ASSERT_LT(0, flush_ring(q));
			ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
		}
		ASSERT_GT((__u64)nr, ev.cookie);
		gap = i - last_seen[ev.cookie];
		if (gap > worst)
			worst = gap;
		last_seen[ev.cookie] = i;
	}
	/* nobody waited longer than two rounds, and none was left out */
	EXPECT_GE(2 * nr, worst);
	for (i = 0; i < nr; i++)
		EXPECT_LT(18 * nr, last_seen[i]) TH_LOG("interest %d", i);
}

/* T42: one firehose and slow ones that come up behind it. */
TEST_F(ring, firehose)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev;
	int i, n, seen;

	for (i = 0; i < NR_FDS; i++)
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, 0, i, NULL));
	ASSERT_EQ(0, eventfd_add(self->fds[0], 1));
	for (i = 1; i < NR_FDS; i++) {
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		for (n = 0, seen = 0; !seen && n < 8; n++) {
			if (!in_ring(q))
				ASSERT_LT(0, flush_ring(q));
			ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
			seen = ev.cookie == (__u64)i;
			EXPECT_TRUE(seen || !ev.cookie);
		}
		EXPECT_EQ(1, seen) TH_LOG("interest %d starved", i);
		eventfd_take(self->fds[i]);
	}
}

/* S2: two unconsumed records of an edge interest, one of a level interest. */
TEST_F(ring, bounded)
{
	static const __u32 modes[] = { KEVENT_EDGE, 0, KEVENT_DISPATCH };
	struct ukevent_queue *q = &self->q;
	__u64 full = 0xfffffffffffffffeULL;
	int i, limit, fd = self->fds[0];
	size_t m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN | EV_OUT, modes[m], m,
				    NULL));
		limit = modes[m] == KEVENT_EDGE ? 2 : 1;
		if (limit > (int)variant->entries)
			limit = variant->entries;
		for (i = 0; i < 20; i++) {
			ASSERT_EQ(0, eventfd_add(fd, full));	/* OUT no more */
			EXPECT_GE(limit, in_ring(q));
			ASSERT_EQ(full, eventfd_take(fd));	/* IN no more */
			EXPECT_GE(limit, in_ring(q));
			EXPECT_GE(limit, flush_ring(q));
		}
		EXPECT_LE(1, in_ring(q));
		EXPECT_EQ(0, remove_fd(q->fd, fd));
		take_all(q, NULL);
		EXPECT_QUIET(q);
	}
}

/*
 * S3, deferred: events not in the unconsumed record wait in the interest.
 * PENDING says so, and nobody else is held up.
 */
TEST_F(ring, deferred)
{
	struct ukevent_queue *q = &self->q;
	__u64 full = 0xfffffffffffffffeULL;
	int fd = self->fds[0];

	ASSERT_EQ(0, eventfd_add(fd, full));
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN | EV_OUT, 0, 1, NULL));
	ASSERT_EQ(0, add_fd(q->fd, self->fds[1], EV_IN, KEVENT_EDGE, 2, NULL));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(full, eventfd_take(fd));	/* wakes with OUT */
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, is_pending(q));
	if (variant->entries > 1) {
		ASSERT_EQ(0, eventfd_add(self->fds[1], 1));
		EXPECT_EQ(2, in_ring(q));
	}
	EXPECT_TAKE(q, 1, EV_IN, 0);
	if (variant->entries > 1)
		EXPECT_TAKE(q, 2, EV_IN, 0);
	EXPECT_EQ(0, in_ring(q));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 1, EV_OUT, 0);
	/* the same again, published by its own next trigger this time */
	EXPECT_EQ(0, remove_fd(q->fd, fd));
	ASSERT_EQ(0, eventfd_add(fd, full));
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN | EV_OUT, 0, 3, NULL));
	EXPECT_EQ(full, eventfd_take(fd));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_TAKE(q, 3, EV_IN, 0);
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE(q, 3, EV_IN | EV_OUT, 0);
	EXPECT_EQ(0, is_pending(q));
}

/*
 * T11: whole laps.  A commit of exactly one lap frees the ring; nothing of a
 * lap is lost or seen twice.
 */
TEST_F(ring, laps)
{
	struct ukevent_queue *q = &self->q;
	int i, lap, nr = variant->entries;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	for (lap = 0; lap < 100; lap++) {
		for (i = 0; i < nr; i++)
			ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		ASSERT_EQ(nr, in_ring(q));
		EXPECT_EQ(0, is_pending(q));
		for (i = 0; i < nr; i++) {
			EXPECT_TAKE(q, i, EV_IN, 0);
			EXPECT_EQ(1ULL, eventfd_take(self->fds[i]));
		}
	}
	EXPECT_EQ(100 * nr, (int)producer_index(q));
	EXPECT_QUIET(q);
}

/* All of it at once: the indices need not move one by one. */
TEST_F(ring, batches)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev[32];
	int i, lap, nr = variant->entries;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	for (lap = 0; lap < 50; lap++) {
		for (i = 0; i < nr; i++)
			ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		ASSERT_EQ(nr, (int)ukevent_take(q, ev, 32));
		for (i = 0; i < nr; i++)
			EXPECT_RECORD(&ev[i], i, EV_IN, 0);
	}
	EXPECT_QUIET(q);
}

/* More level interests than are looked at in one call that does not sleep. */
TEST_F(ring, recheck_in_portions)
{
	struct ukevent_queue *q = &self->q;
	char seen[NR_FDS] = {};
	struct ukevent ev;
	int i, calls, n = 0;

	/* all published once and consumed; only the last one still holds */
	for (i = 0; i < NR_FDS; i++) {
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		ASSERT_EQ(0, add_fd(q->fd, self->fds[i], EV_IN, 0, i, NULL));
	}
	while (n < NR_FDS) {
		while (!ukevent_take(q, &ev, 1))
			ASSERT_LT(0, flush_ring(q));
		ASSERT_GT((__u64)NR_FDS, ev.cookie);
		if (!seen[ev.cookie % NR_FDS]) {
			seen[ev.cookie % NR_FDS] = 1;
			n++;
		}
		if (ev.cookie != NR_FDS - 1)
			eventfd_take(self->fds[ev.cookie]);
	}
	take_all(q, NULL);
	/* it is found within a few calls ... */
	for (calls = 0; calls < 8 && !in_ring(q); calls++)
		flush_ring(q);
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE(q, NR_FDS - 1, EV_IN, 0);
	/* ... and in one that would sleep */
	EXPECT_EQ(1, sys_kevent_wait(q->fd, 1, NULL, 0));
	EXPECT_TAKE(q, NR_FDS - 1, EV_IN, 0);
}

TEST_HARNESS_MAIN
