// SPDX-License-Identifier: GPL-2.0
/*
 * The source USER: triggers are published or added to a later record, and none
 * is ever lost, whoever triggers and whatever the consumer does meanwhile.
 */
#include "kevent_test.h"

#include <linux/userfaultfd.h>

#define LAST		KEVENT_REC_LAST
#define SATURATED	KEVENT_REC_SATURATED
#define USER		KEVENT_TYPE_USER
#define TRIGGERED	KEVENT_USER_TRIGGERED

static const __u32 modes[] = {
	0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
};

#define EXPECT_USER(q, cookie, flags, payload, count) \
	EXPECT_TAKE_TYPED(q, USER, cookie, TRIGGERED, flags, payload, count)

/* ---- helpers ---- */

static int add_user(struct ukevent_queue *q, __u64 number, __u32 flags,
		    __u64 cookie)
{
	return ukevent_add(q, USER, number, 0, flags, cookie);
}

static int op_user(struct ukevent_queue *q, unsigned int op, __u64 number)
{
	return ukevent_op(q, op, USER, number);
}

static int modify_user(struct ukevent_queue *q, __u64 number, __u32 flags,
		       __u64 cookie)
{
	struct kevent_change c = make_typed(KEVENT_OP_MODIFY, USER, number, 0,
					    flags, cookie);

	return do_change(q->fd, &c);
}

static struct kevent_change trigger_change(__u64 number, __u64 payload,
					   __u64 count)
{
	struct kevent_change c = make_typed(KEVENT_OP_TRIGGER, USER, number, 0,
					    0, 0);

	c.param[KEVENT_USER_PAYLOAD] = payload;
	c.param[KEVENT_USER_COUNT] = count;
	return c;
}

static int trigger_fd(int kfd, __u64 number, __u64 payload, __u64 count)
{
	struct kevent_change c = trigger_change(number, payload, count);

	return do_change(kfd, &c);
}

static int trigger_id(int kfd, __u64 id, __u64 payload)
{
	struct kevent_change c = trigger_change(0, payload, 0);

	c.flags = KEVENT_BY_ID;
	c.id = id;
	return do_change(kfd, &c);
}

static int op_user_id(struct ukevent_queue *q, unsigned int op, __u64 id,
		      __u32 flags)
{
	struct kevent_change c = make_typed(op, USER, 0, 0, KEVENT_BY_ID | flags,
					    0);

	c.id = id;
	return do_change(q->fd, &c);
}

FIXTURE(user)
{
	struct ukevent_queue q;
};

FIXTURE_SETUP(user)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(user)
{
	ukevent_queue_exit(&self->q);
}

/* ---- records ---- */

/* In the ring when the call returns, with no other one. */
TEST_F(user, payload)
{
	static const __u64 payloads[] = {
		0, 1, ~0ULL, 0x123456789abcdef0ULL, 1ULL << 63
	};
	struct ukevent_queue *q = &self->q;
	size_t i, m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		for (i = 0; i < ARRAY_SIZE(payloads); i++) {
			ASSERT_EQ(0, add_user(q, 1, modes[m], m));
			EXPECT_QUIET(q);
			EXPECT_EQ(0, ukevent_trigger(q, 1, payloads[i]));
			EXPECT_EQ(1, in_ring(q));
			EXPECT_EQ(0, is_pending(q));
			EXPECT_USER(q, m, 0, payloads[i], 1);
			EXPECT_QUIET(q);
			EXPECT_EQ(removed(modes[m]),
				  op_user(q, KEVENT_OP_REMOVE, 1));
		}
	}
}

TEST_F(user, count)
{
	static const __u64 counts[] = { 1, 2, 1000, 1ULL << 40, ~0ULL };
	struct ukevent_queue *q = &self->q;
	size_t i;

	ASSERT_EQ(0, add_user(q, 1, 0, 7));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 5, 0));
	EXPECT_USER(q, 7, 0, 5, 1);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		EXPECT_EQ(0, trigger_fd(q->fd, 1, i, counts[i]));
		EXPECT_USER(q, 7, 0, i, counts[i]);
	}
	EXPECT_QUIET(q);
}

/* Edge, or level, which is the same: two records, then they merge. */
TEST_F(user, merges_after_two)
{
	struct ukevent_queue *q = &self->q;
	int m, n;

	for (m = 0; m < 2; m++) {
		ASSERT_EQ(0, add_user(q, 1, modes[m], m));
		for (n = 1; n <= 10; n++) {
			EXPECT_EQ(0, ukevent_trigger(q, 1, n));
			EXPECT_EQ(n < 2 ? n : 2, in_ring(q));
			EXPECT_EQ(n > 2, is_pending(q));
		}
		EXPECT_EQ(2, flush_ring(q));
		EXPECT_USER(q, m, 0, 1, 1);
		EXPECT_EQ(1, is_pending(q));
		EXPECT_EQ(2, flush_ring(q));
		EXPECT_EQ(0, is_pending(q));
		EXPECT_USER(q, m, 0, 2, 1);
		EXPECT_USER(q, m, 0, 10, 8);
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_user(q, KEVENT_OP_REMOVE, 1));
	}
}

TEST_F(user, merges_with_count)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 3));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 1, 10));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 2, 20));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 3, 30));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 4, 0));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 0, 1ULL << 40));
	EXPECT_USER(q, 3, 0, 1, 10);
	EXPECT_USER(q, 3, 0, 2, 20);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_USER(q, 3, 0, 0, 31 + (1ULL << 40));
	EXPECT_QUIET(q);
}

/* A trigger itself brings what was held back, if there is room by then. */
TEST_F(user, trigger_publishes_all)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 3));
	for (n = 1; n <= 5; n++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, n));
	EXPECT_USER(q, 3, 0, 1, 1);
	EXPECT_EQ(0, ukevent_trigger(q, 1, 6));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(2, in_ring(q));
	EXPECT_USER(q, 3, 0, 2, 1);
	EXPECT_USER(q, 3, 0, 6, 4);
	EXPECT_QUIET(q);
}

/* Disabled with its record; what comes until ENABLE is in the next one. */
TEST_F(user, dispatch)
{
	struct ukevent_queue *q = &self->q;
	int n, round;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_DISPATCH, 4));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 9));
	EXPECT_USER(q, 4, 0, 9, 1);
	for (round = 1; round < 4; round++) {
		for (n = 0; n < 10; n++)
			EXPECT_EQ(0, ukevent_trigger(q, 1, 10 * round + n));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_EQ(0, is_pending(q));
		EXPECT_USER(q, 4, 0, 10 * round + 9, 10);
		EXPECT_QUIET(q);
	}
	/* nothing happened: ENABLE has nothing */
	EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, ukevent_trigger(q, 1, 50));
	EXPECT_USER(q, 4, 0, 50, 1);
}

/* One unread record is all of a dispatch interest, enabled or not. */
TEST_F(user, dispatch_enabled_unread)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_DISPATCH, 4));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 2));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 3));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_USER(q, 4, 0, 1, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_USER(q, 4, 0, 3, 2);
	/* disabled again by that */
	EXPECT_EQ(0, ukevent_trigger(q, 1, 4));
	EXPECT_QUIET(q);
}

TEST_F(user, oneshot)
{
	struct ukevent_queue *q = &self->q;
	int n;

	for (n = 0; n < 4; n++) {
		ASSERT_EQ(0, add_user(q, 1, KEVENT_ONESHOT, n));
		EXPECT_EQ(-EEXIST, add_user(q, 1, KEVENT_ONESHOT, 9));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 10 + n));
		/* it has ended, read or not; the number is free */
		EXPECT_EQ(-ENOENT, ukevent_trigger(q, 1, 99));
		EXPECT_EQ(-ENOENT, op_user(q, KEVENT_OP_REMOVE, 1));
		EXPECT_EQ(-ENOENT, op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(n + 1, in_ring(q));
	}
	for (n = 0; n < 4; n++)
		EXPECT_USER(q, n, 0, 10 + n, 1);
	EXPECT_QUIET(q);
}

/* Until its record is published triggers merge: in a full ring, or disabled. */
TEST_F(user, oneshot_merges)
{
	struct ukevent_queue *q = &self->q;
	int n;

	for (n = 0; n < 8; n++) {
		ASSERT_EQ(0, add_user(q, 100 + n, 0, n));
		EXPECT_EQ(0, ukevent_trigger(q, 100 + n, 0));
	}
	ASSERT_EQ(0, add_user(q, 1, KEVENT_ONESHOT | KEVENT_WANT_LAST, 1));
	for (n = 0; n < 5; n++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, n));
	ASSERT_EQ(0, add_user(q, 2, KEVENT_ONESHOT | KEVENT_START_DISABLED, 2));
	for (n = 0; n < 6; n++)
		EXPECT_EQ(0, ukevent_trigger(q, 2, n));
	EXPECT_EQ(8, take_all(q, NULL));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_USER(q, 1, LAST, 4, 5);
	EXPECT_EQ(-ENOENT, ukevent_trigger(q, 1, 0));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 2));
	EXPECT_USER(q, 2, 0, 5, 6);
	EXPECT_EQ(-ENOENT, ukevent_trigger(q, 2, 0));
	EXPECT_QUIET(q);
}

/* ---- disabled ---- */

TEST_F(user, disabled_counts)
{
	struct ukevent_queue *q = &self->q;
	size_t m;
	int n;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ASSERT_EQ(0, add_user(q, 1, modes[m], m));
		EXPECT_EQ(0, op_user(q, KEVENT_OP_DISABLE, 1));
		for (n = 0; n < 5; n++)
			EXPECT_EQ(0, trigger_fd(q->fd, 1, n, 3));
		EXPECT_EQ(0, op_user(q, KEVENT_OP_DISABLE, 1));
		EXPECT_EQ(0, trigger_fd(q->fd, 1, n, 3));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_USER(q, m, 0, 5, 18);
		EXPECT_EQ(removed(modes[m]), op_user(q, KEVENT_OP_REMOVE, 1));
		EXPECT_QUIET(q);
	}
}

TEST_F(user, starts_disabled)
{
	struct ukevent_queue *q = &self->q;
	size_t m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ASSERT_EQ(0, add_user(q, 1, modes[m] | KEVENT_START_DISABLED,
				      m));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 8));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 9));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_USER(q, m, 0, 9, 2);
		EXPECT_QUIET(q);
		EXPECT_EQ(removed(modes[m]), op_user(q, KEVENT_OP_REMOVE, 1));
	}
}

/* DISABLE keeps what could not be published before: deferred, or backlog. */
TEST_F(user, disable_keeps)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	for (n = 1; n <= 5; n++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, n));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_DISABLE, 1));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(2, take_all(q, NULL));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, ukevent_trigger(q, 1, 6));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
	EXPECT_USER(q, 1, 0, 6, 4);
	EXPECT_QUIET(q);

	for (n = 0; n < 8; n++) {
		ASSERT_EQ(0, add_user(q, 100 + n, KEVENT_ONESHOT, 0));
		EXPECT_EQ(0, ukevent_trigger(q, 100 + n, 0));
	}
	EXPECT_EQ(0, ukevent_trigger(q, 1, 7));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 8));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_DISABLE, 1));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(8, take_all(q, NULL));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
	EXPECT_USER(q, 1, 0, 8, 2);
	EXPECT_QUIET(q);
}

/* ENABLE tells no more than there is room for. */
TEST_F(user, enable_while_unread)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 2));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_DISABLE, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 3));
	for (n = 0; n < 3; n++) {
		EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(1, is_pending(q));
		EXPECT_EQ(2, flush_ring(q));
	}
	EXPECT_USER(q, 1, 0, 1, 1);
	EXPECT_EQ(2, flush_ring(q));
	EXPECT_USER(q, 1, 0, 2, 1);
	EXPECT_USER(q, 1, 0, 3, 1);
	EXPECT_QUIET(q);
}

/* ---- MODIFY and REMOVE ---- */

/* The new cookie from now on; what was not told is told under it. */
TEST_F(user, modify_keeps)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	EXPECT_EQ(0, modify_user(q, 1, KEVENT_EDGE, 2));
	EXPECT_QUIET(q);
	for (n = 1; n <= 5; n++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, n));
	EXPECT_EQ(0, modify_user(q, 1, KEVENT_EDGE, 3));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_USER(q, 2, 0, 1, 1);
	EXPECT_USER(q, 2, 0, 2, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_USER(q, 3, 0, 5, 3);
	EXPECT_QUIET(q);
	/* disabled it stays, and keeps counting */
	EXPECT_EQ(0, op_user(q, KEVENT_OP_DISABLE, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 6));
	EXPECT_EQ(0, modify_user(q, 1, KEVENT_START_DISABLED, 4));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 7));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
	EXPECT_USER(q, 4, 0, 7, 2);
	EXPECT_QUIET(q);
	/* or is armed by it, and tells what it counted */
	EXPECT_EQ(0, op_user(q, KEVENT_OP_DISABLE, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 8));
	EXPECT_EQ(0, modify_user(q, 1, 0, 5));
	EXPECT_USER(q, 5, 0, 8, 1);
	EXPECT_QUIET(q);
}

TEST_F(user, modify_keeps_backlog)
{
	struct ukevent_queue *q = &self->q;
	int n;

	for (n = 0; n < 8; n++) {
		ASSERT_EQ(0, add_user(q, 100 + n, KEVENT_ONESHOT, 0));
		EXPECT_EQ(0, ukevent_trigger(q, 100 + n, 0));
	}
	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
	EXPECT_EQ(0, modify_user(q, 1, KEVENT_EDGE, 2));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 6));
	EXPECT_EQ(8, take_all(q, NULL));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_USER(q, 2, 0, 6, 2);
	EXPECT_QUIET(q);
}

TEST_F(user, modify_mode)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	for (n = 1; n <= 4; n++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, n));
	/* two records are there, a dispatch interest may have one */
	EXPECT_EQ(0, modify_user(q, 1, KEVENT_DISPATCH, 2));
	EXPECT_USER(q, 1, 0, 1, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_USER(q, 1, 0, 2, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_USER(q, 2, 0, 4, 2);
	/* it is disabled now; a one-shot that ends with what it counted */
	EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
	EXPECT_EQ(0, modify_user(q, 1, KEVENT_ONESHOT | KEVENT_START_DISABLED,
				 3));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
	EXPECT_USER(q, 3, 0, 5, 1);
	EXPECT_EQ(-ENOENT, modify_user(q, 1, 0, 4));
	EXPECT_QUIET(q);
}

TEST_F(user, remove_discards)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	for (n = 1; n <= 5; n++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, n));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_REMOVE, 1));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(-ENOENT, ukevent_trigger(q, 1, 6));
	EXPECT_EQ(-ENOENT, op_user(q, KEVENT_OP_REMOVE, 1));
	/* a new one begins at nothing */
	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 2));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 7));
	EXPECT_USER(q, 1, 0, 1, 1);
	EXPECT_USER(q, 1, 0, 2, 1);
	EXPECT_USER(q, 2, 0, 7, 1);
	EXPECT_QUIET(q);
	/* disabled, and from the backlog */
	EXPECT_EQ(0, op_user(q, KEVENT_OP_DISABLE, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 8));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_REMOVE, 1));
	for (n = 0; n < 10; n++) {
		ASSERT_EQ(0, add_user(q, n, KEVENT_EDGE, n));
		EXPECT_EQ(0, ukevent_trigger(q, n, n));
	}
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_REMOVE, 8));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_REMOVE, 9));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(8, take_all(q, NULL));
	EXPECT_QUIET(q);
}

/* ---- LAST ---- */

TEST_F(user, last)
{
	struct ukevent_queue *q = &self->q;
	size_t m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ASSERT_EQ(0, add_user(q, 1, modes[m] | KEVENT_WANT_LAST, m));
		EXPECT_EQ(0, op_user(q, KEVENT_OP_REMOVE, 1));
		EXPECT_TAKE_TYPED(q, USER, m, 0, LAST, 0, 0);
		EXPECT_QUIET(q);
		/* discarded are the payload and the count, too */
		ASSERT_EQ(0, add_user(q, 1, modes[m] | KEVENT_WANT_LAST |
				      KEVENT_START_DISABLED, m));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
		EXPECT_EQ(0, op_user(q, KEVENT_OP_REMOVE, 1));
		EXPECT_TAKE_TYPED(q, USER, m, 0, LAST, 0, 0);
		EXPECT_QUIET(q);
	}
}

TEST_F(user, last_after_data)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_WANT_LAST, 1));
	for (n = 1; n <= 4; n++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, n));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_REMOVE, 1));
	EXPECT_USER(q, 1, 0, 1, 1);
	EXPECT_USER(q, 1, 0, 2, 1);
	EXPECT_TAKE_TYPED(q, USER, 1, 0, LAST, 0, 0);
	EXPECT_QUIET(q);

	ASSERT_EQ(0, add_user(q, 1, KEVENT_WANT_LAST | KEVENT_ONESHOT, 2));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
	EXPECT_USER(q, 2, LAST, 5, 1);
	EXPECT_QUIET(q);
}

/* Held back until the holder of the record is done. */
TEST_F(user, last_held_back)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c;
	int ack;

	for (ack = 0; ack < 2; ack++) {
		c = make_typed(KEVENT_OP_ADD, USER, 1, 0, KEVENT_DISPATCH |
			       KEVENT_WANT_LAST | KEVENT_HOLD_LAST, 6);
		ASSERT_EQ(0, do_change(q->fd, &c));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
		EXPECT_USER(q, 6, 0, 5, 1);
		EXPECT_EQ(0, ukevent_trigger(q, 1, 7));
		EXPECT_EQ(0, op_user_id(q, KEVENT_OP_REMOVE, c.id,
					ack ? KEVENT_ACK : 0));
		/* dead it is, and nobody can trigger it */
		EXPECT_EQ(-ENOENT, ukevent_trigger(q, 1, 8));
		EXPECT_EQ(-ENOENT, trigger_id(q->fd, c.id, 9));
		if (!ack) {
			EXPECT_QUIET(q);
			EXPECT_EQ(-ENOENT, op_user_id(q, KEVENT_OP_ENABLE, c.id,
						      0));
		}
		EXPECT_TAKE_TYPED(q, USER, 6, 0, LAST, 0, 0);
		EXPECT_QUIET(q);
	}
}

/* ---- a counter that is full ---- */

TEST_F(user, saturates)
{
	static const __u64 more[] = { 1, 2, ~0ULL };
	struct ukevent_queue *q = &self->q;
	size_t i;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_DISPATCH, 1));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 1, ~0ULL));
	/* full to the brim is no more than that */
	EXPECT_USER(q, 1, 0, 1, ~0ULL);
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		EXPECT_EQ(0, trigger_fd(q->fd, 1, 2, ~0ULL - 1));
		EXPECT_EQ(0, trigger_fd(q->fd, 1, 3, 1));
		EXPECT_EQ(0, trigger_fd(q->fd, 1, 4, more[i]));
		EXPECT_EQ(0, trigger_fd(q->fd, 1, 5, 1));
		EXPECT_EQ(0, trigger_fd(q->fd, 1, 6, 1ULL << 63));
		EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_USER(q, 1, SATURATED, 6, ~0ULL);
		/* then it counts anew */
		EXPECT_EQ(0, trigger_fd(q->fd, 1, 7, 3));
		EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_USER(q, 1, 0, 7, 3);
	}
	/* exactly full by the last one */
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 8, ~0ULL - 1));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 9, 0));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
	EXPECT_USER(q, 1, 0, 9, ~0ULL);
	EXPECT_QUIET(q);
}

TEST_F(user, saturates_edge)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	for (n = 1; n <= 4; n++)
		EXPECT_EQ(0, trigger_fd(q->fd, 1, n, 1ULL << 63));
	EXPECT_USER(q, 1, 0, 1, 1ULL << 63);
	EXPECT_USER(q, 1, 0, 2, 1ULL << 63);
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 5, 1));
	EXPECT_USER(q, 1, SATURATED, 5, ~0ULL);
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 6, 1));
	EXPECT_USER(q, 1, 0, 6, 1);
	EXPECT_QUIET(q);
}

/* The flag goes with MODIFY, not with REMOVE. */
TEST_F(user, saturated_and_changed)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_START_DISABLED, 1));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 2, ~0ULL));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 3, ~0ULL));
	EXPECT_EQ(0, modify_user(q, 1, KEVENT_ONESHOT, 2));
	EXPECT_USER(q, 2, SATURATED, 3, ~0ULL);
	ASSERT_EQ(0, add_user(q, 1, 0, 3));
	EXPECT_EQ(0, trigger_fd(q->fd, 1, 4, 1));
	EXPECT_USER(q, 3, 0, 4, 1);
	EXPECT_QUIET(q);
}

/* ---- batches, numbers, ids ---- */

TEST_F(user, add_and_trigger)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c[5];
	int i;

	c[0] = trigger_change(1, 4, 0);
	c[1] = make_typed(KEVENT_OP_ADD, USER, 1, 0, 0, 1);
	c[2] = trigger_change(1, 5, 0);
	c[3] = make_typed(KEVENT_OP_REMOVE, USER, 1, 0, 0, 0);
	c[4] = trigger_change(1, 6, 0);
	EXPECT_EQ(5, sys_kevent_ctl(q->fd, c, 5, sizeof(c[0]), 0));
	EXPECT_EQ(-ENOENT, c[0].result);
	for (i = 1; i < 4; i++)
		EXPECT_EQ(0, c[i].result);
	EXPECT_EQ(-ENOENT, c[4].result);
	EXPECT_USER(q, 1, 0, 5, 1);
	EXPECT_QUIET(q);
}

/* More than is copied at a time, in their order. */
TEST_F(user, batch)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c[40];
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, add_user(q, i, 0, i));
	for (i = 0; i < 40; i++)
		c[i] = trigger_change(i * 5 % 8, i, i + 1);
	EXPECT_EQ(40, sys_kevent_ctl(q->fd, c, 40, sizeof(c[0]), 0));
	for (i = 0; i < 40; i++)
		EXPECT_EQ(0, c[i].result);
	EXPECT_EQ(8, in_ring(q));
	for (i = 0; i < 8; i++)
		EXPECT_USER(q, i * 5 % 8, 0, i, i + 1);
	/* each four times more: waited in the order of the second time */
	EXPECT_EQ(8, flush_ring(q));
	for (i = 8; i < 16; i++)
		EXPECT_USER(q, i * 5 % 8, 0, i + 24, 4 * (i + 1) + 48);
	EXPECT_QUIET(q);
}

/* In the same call as the wait, which does not sleep then. */
TEST_F(user, batch_in_wait)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_change c[2] = {
		make_typed(KEVENT_OP_ADD, USER, 1, 0, 0, 1),
		trigger_change(1, 5, 2),
	};
	struct kevent_wait_args args = {
		.nr_changes = 2,
		.changes = (unsigned long)c,
		.change_size = sizeof(c[0]),
	};

	EXPECT_EQ(1, sys_kevent_wait(q->fd, 1, &args, sizeof(args)));
	EXPECT_EQ(2U, args.changes_done);
	EXPECT_USER(q, 1, 0, 5, 2);
	EXPECT_QUIET(q);
}

TEST_F(user, by_id)
{
	struct kevent_change c = make_typed(KEVENT_OP_ADD, USER, 1, 0, 0, 1);
	struct ukevent_queue *q = &self->q;
	__u64 old;

	ASSERT_EQ(0, do_change(q->fd, &c));
	old = c.id;
	EXPECT_EQ(0, trigger_id(q->fd, old, 5));
	EXPECT_USER(q, 1, 0, 5, 1);
	EXPECT_EQ(0, op_user_id(q, KEVENT_OP_DISABLE, old, 0));
	EXPECT_EQ(0, trigger_id(q->fd, old, 6));
	EXPECT_EQ(0, op_user_id(q, KEVENT_OP_ENABLE, old, 0));
	EXPECT_USER(q, 1, 0, 6, 1);
	EXPECT_EQ(0, op_user_id(q, KEVENT_OP_REMOVE, old, 0));
	/* the number is used again: its new interest is another */
	c = make_typed(KEVENT_OP_ADD, USER, 1, 0, 0, 2);
	ASSERT_EQ(0, do_change(q->fd, &c));
	EXPECT_NE(old, c.id);
	EXPECT_EQ(-ENOENT, trigger_id(q->fd, old, 7));
	EXPECT_EQ(-ENOENT, trigger_id(q->fd, 0, 7));
	EXPECT_EQ(-ENOENT, trigger_id(q->fd, ~0ULL, 7));
	EXPECT_EQ(0, trigger_id(q->fd, c.id, 8));
	EXPECT_USER(q, 2, 0, 8, 1);
	EXPECT_QUIET(q);
}

/* An id of something that is not of this type. */
TEST_F(user, by_id_of_others)
{
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0);
	struct kevent_change c;
	__u64 id;

	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, 0, 1, &id));
	EXPECT_EQ(-ENOENT, trigger_id(q->fd, id, 5));
	c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_TIMER, 1, 0, 0, 1);
	c.param[KEVENT_TIMER_TIME] = 1000 * NSEC_PER_SEC;
	c.param[KEVENT_TIMER_CLOCK] = CLOCK_MONOTONIC;
	ASSERT_EQ(0, do_change(q->fd, &c));
	EXPECT_EQ(-ENOENT, trigger_id(q->fd, c.id, 5));
	EXPECT_EQ(-ENOENT, ukevent_trigger(q, 1, 5));
	EXPECT_QUIET(q);
	close(fd);
}

TEST_F(user, any_number)
{
	static const __u64 numbers[] = {
		0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000ULL,
		0x100000001ULL, ~0ULL,
	};
	struct ukevent_queue *q = &self->q, other;
	size_t i;

	ASSERT_EQ(0, queue_init(&other, 8));
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		ASSERT_EQ(0, add_user(q, numbers[i], 0, i));
		EXPECT_EQ(-EEXIST, add_user(q, numbers[i], 0, i));
		/* another queue has its own */
		EXPECT_EQ(-ENOENT, ukevent_trigger(&other, numbers[i], 0));
		ASSERT_EQ(0, add_user(&other, numbers[i], 0, i));
	}
	for (i = ARRAY_SIZE(numbers); i--;)
		EXPECT_EQ(0, ukevent_trigger(q, numbers[i], 100 + i));
	for (i = ARRAY_SIZE(numbers); i--;)
		EXPECT_USER(q, i, 0, 100 + i, 1);
	EXPECT_QUIET(&other);
	ukevent_queue_exit(&other);
}

/* ---- a full ring ---- */

/* S3, S4: what does not fit waits, in order; merged where it stands. */
TEST_F(user, backlog)
{
	static const __u32 entries[] = { 1, 2, 4 };
	struct ukevent_queue q;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(entries); i++) {
		ASSERT_EQ(0, queue_init(&q, entries[i]));
		for (n = 0; n < 10; n++) {
			ASSERT_EQ(0, add_user(&q, n, 0, n));
			EXPECT_EQ(0, ukevent_trigger(&q, n, 100 + n));
		}
		EXPECT_EQ((int)entries[i], in_ring(&q));
		EXPECT_EQ(1, is_pending(&q));
		/* one that is there, to the end; one that waits, where it is */
		EXPECT_EQ(0, ukevent_trigger(&q, 0, 200));
		EXPECT_EQ(0, ukevent_trigger(&q, 5, 205));
		EXPECT_EQ(0, ukevent_trigger(&q, 0, 300));
		for (n = 0; n < 10; n++) {
			if (!in_ring(&q))
				EXPECT_LT(0, flush_ring(&q));
			EXPECT_USER(&q, n, 0, n == 5 ? 205 : 100 + n,
				    n == 5 ? 2 : 1);
		}
		if (!in_ring(&q))
			EXPECT_EQ(1, flush_ring(&q));
		EXPECT_USER(&q, 0, 0, 300, 2);
		EXPECT_QUIET(&q);
		ukevent_queue_exit(&q);
	}
}

/* A trigger takes the first of the others along, and stays behind them. */
TEST_F(user, trigger_flushes_backlog)
{
	struct ukevent_queue q;
	int n, first;

	ASSERT_EQ(0, queue_init(&q, 16));
	for (n = 0; n < 36; n++) {
		ASSERT_EQ(0, add_user(&q, n, 0, n));
		EXPECT_EQ(0, ukevent_trigger(&q, n, n));
	}
	EXPECT_EQ(16, take_all(&q, NULL));
	EXPECT_EQ(0, in_ring(&q));
	EXPECT_EQ(0, ukevent_trigger(&q, 0, 50));
	first = in_ring(&q);
	EXPECT_EQ(2, first);
	EXPECT_EQ(1, is_pending(&q));
	EXPECT_EQ(16, flush_ring(&q));
	for (n = 16; n < 32; n++)
		EXPECT_USER(&q, n, 0, n, 1);
	EXPECT_EQ(5, flush_ring(&q));
	for (; n < 36; n++)
		EXPECT_USER(&q, n, 0, n, 1);
	EXPECT_USER(&q, 0, 0, 50, 1);
	EXPECT_QUIET(&q);
	ukevent_queue_exit(&q);
}

/* One that fires all the time does not keep the others away. */
TEST_F(user, firehose)
{
	struct ukevent_queue q;
	struct ukevent ev;
	int n, round, seen = 0;

	ASSERT_EQ(0, queue_init(&q, 2));
	for (n = 0; n < 5; n++)
		ASSERT_EQ(0, add_user(&q, n, 0, n));
	for (n = 1; n < 5; n++)
		EXPECT_EQ(0, ukevent_trigger(&q, n, n));
	for (round = 0; round < 10; round++) {
		for (n = 0; n < 20; n++)
			EXPECT_EQ(0, ukevent_trigger(&q, 0, n));
		if (!in_ring(&q))
			EXPECT_LT(0, flush_ring(&q));
		ASSERT_EQ(1, (int)ukevent_take(&q, &ev, 1));
		seen |= 1 << ev.cookie;
	}
	EXPECT_EQ(31, seen);
	ukevent_queue_exit(&q);
}

/* ---- S1, step by step ---- */

/* What a consumer does, in its parts. */
static void copy_out(struct ukevent_queue *q, struct ukevent *ev, __u32 nr)
{
	ukevent_copy(q, q->head, ev, nr);
}

static void advance(struct ukevent_queue *q, __u32 nr)
{
	q->head += nr;
	__atomic_store_n(q->consumer, q->head, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Copied out, not advanced, triggered: a record of its own, or added to one. */
TEST_F(user, trigger_before_advance)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev[2];
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	for (n = 0; n < 10; n++) {
		EXPECT_EQ(0, ukevent_trigger(q, 1, 10));
		copy_out(q, ev, 1);
		EXPECT_EQ(0, ukevent_trigger(q, 1, 11));
		advance(q, 1);
		EXPECT_EQ(10ULL, ev[0].data[0]);
		EXPECT_EQ(1ULL, ev[0].data[1]);
		EXPECT_USER(q, 1, 0, 11, 1);
		EXPECT_QUIET(q);
		/* the same with as many records as there can be */
		EXPECT_EQ(0, ukevent_trigger(q, 1, 20));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 21));
		copy_out(q, ev, 2);
		EXPECT_EQ(0, ukevent_trigger(q, 1, 22));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 23));
		/* a published record is immutable */
		EXPECT_EQ(0, memcmp(ev, &q->records[q->head % 8],
				    sizeof(ev[0])));
		advance(q, 2);
		EXPECT_EQ(21ULL, ev[1].data[0]);
		EXPECT_EQ(1ULL, ev[1].data[1]);
		EXPECT_EQ(0, in_ring(q));
		EXPECT_EQ(1, is_pending(q));
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_USER(q, 1, 0, 23, 2);
		EXPECT_QUIET(q);
	}
}

TEST_F(user, trigger_before_advance_dispatch)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev;
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_DISPATCH, 1));
	for (n = 0; n < 10; n++) {
		EXPECT_EQ(0, ukevent_trigger(q, 1, 10));
		copy_out(q, &ev, 1);
		EXPECT_EQ(0, ukevent_trigger(q, 1, 11));
		/* acknowledged before it is given back: allowed, if not wise */
		if (n % 2)
			EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 12));
		advance(q, 1);
		EXPECT_EQ(10ULL, ev.data[0]);
		EXPECT_EQ(1ULL, ev.data[1]);
		EXPECT_EQ(n % 2, n % 2 ? flush_ring(q) :
				 op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_USER(q, 1, 0, 12, 2);
		EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
		EXPECT_QUIET(q);
	}
}

/* Advanced, not looked at the flags yet: it takes the rest along. */
TEST_F(user, trigger_after_advance)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev[2];
	int n;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	for (n = 0; n < 10; n++) {
		EXPECT_EQ(0, ukevent_trigger(q, 1, 1));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 2));
		copy_out(q, ev, 2);
		EXPECT_EQ(0, ukevent_trigger(q, 1, 3));
		advance(q, 2);
		EXPECT_EQ(0, ukevent_trigger(q, 1, 4));
		EXPECT_EQ(0, is_pending(q));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_USER(q, 1, 0, 4, 2);
		EXPECT_QUIET(q);
		/* nothing was held back: the first of three */
		EXPECT_EQ(0, ukevent_trigger(q, 1, 1));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 2));
		copy_out(q, ev, 2);
		advance(q, 2);
		EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
		EXPECT_EQ(0, is_pending(q));
		EXPECT_USER(q, 1, 0, 5, 1);
		EXPECT_QUIET(q);
	}
}

/* Advanced by one of two, in the middle of things. */
TEST_F(user, trigger_half_way)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_EDGE, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 1));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 2));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 3));
	copy_out(q, &ev, 1);
	advance(q, 1);
	/* one is unread: there is room for one, and not for two */
	EXPECT_EQ(0, ukevent_trigger(q, 1, 4));
	EXPECT_EQ(2, in_ring(q));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_USER(q, 1, 0, 2, 1);
	EXPECT_USER(q, 1, 0, 4, 2);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_USER(q, 1, 0, 5, 1);
	EXPECT_QUIET(q);
}

/* A full ring instead of full interests. */
TEST_F(user, trigger_before_advance_backlog)
{
	struct ukevent_queue q;
	struct ukevent ev;
	int n;

	ASSERT_EQ(0, queue_init(&q, 1));
	ASSERT_EQ(0, add_user(&q, 1, KEVENT_EDGE, 1));
	for (n = 0; n < 10; n++) {
		EXPECT_EQ(0, ukevent_trigger(&q, 1, 1));
		copy_out(&q, &ev, 1);
		EXPECT_EQ(0, ukevent_trigger(&q, 1, 2));
		EXPECT_EQ(1, is_pending(&q));
		advance(&q, 1);
		EXPECT_EQ(1ULL, ev.data[0]);
		if (n % 2) {
			EXPECT_EQ(1, flush_ring(&q));
			EXPECT_USER(&q, 1, 0, 2, 1);
		} else {
			/* it is on the backlog, and may stay there */
			EXPECT_EQ(0, ukevent_trigger(&q, 1, 3));
			EXPECT_EQ(!in_ring(&q), is_pending(&q));
			EXPECT_EQ(1, flush_ring(&q));
			EXPECT_USER(&q, 1, 0, 3, 2);
		}
		EXPECT_QUIET(&q);
	}
	ukevent_queue_exit(&q);
}

/* ---- from everywhere ---- */

static void *trigger_main(void *arg)
{
	return (void *)(long)ukevent_trigger(arg, 1, 77);
}

TEST_F(user, from_thread)
{
	struct ukevent_queue *q = &self->q;
	pthread_t thread;
	void *ret;

	ASSERT_EQ(0, add_user(q, 1, 0, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, trigger_main, q));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(NULL, ret);
	EXPECT_USER(q, 1, 0, 77, 1);
}

/* The sleeper is asleep when it is triggered. */
TEST_F(user, wakes_sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;
	size_t m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ASSERT_EQ(0, add_user(q, 1, modes[m], m));
		ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
		EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
		EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
		EXPECT_EQ(1, waiter_result(&w));
		EXPECT_USER(q, m, 0, 5, 1);
		EXPECT_EQ(removed(modes[m]), op_user(q, KEVENT_OP_REMOVE, 1));
	}
}

/* One interest has two records for it, the third must be of another. */
TEST_F(user, sleeper_counts)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;
	int n;

	ASSERT_EQ(0, add_user(q, 1, 0, 1));
	ASSERT_EQ(0, add_user(q, 2, 0, 2));
	ASSERT_EQ(0, waiter_start(&w, q, 3, NULL));
	for (n = 0; n < 10; n++)
		EXPECT_EQ(0, ukevent_trigger(q, 1, n));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	EXPECT_EQ(0, ukevent_trigger(q, 2, 0));
	EXPECT_EQ(3, waiter_result(&w));
	EXPECT_EQ(3, take_all(q, NULL));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_USER(q, 1, 0, 9, 8);
}

/* Disabled it does not wake, ENABLE does. */
TEST_F(user, enable_wakes_sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_START_DISABLED, 1));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	EXPECT_EQ(0, op_user(q, KEVENT_OP_ENABLE, 1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_USER(q, 1, 0, 5, 1);
}

TEST_F(user, queue_is_readable)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_user(q, 1, KEVENT_DISPATCH, 1));
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
	EXPECT_EQ(0, ukevent_trigger(q, 1, 1));
	EXPECT_EQ(POLLIN, is_ready(q->fd, POLLIN, 0));
	EXPECT_USER(q, 1, 0, 1, 1);
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
	/* counted is not ready */
	EXPECT_EQ(0, ukevent_trigger(q, 1, 2));
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
}

static int exit_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* A child that was forked has the descriptor, though not the mapping. */
TEST_F(user, from_child)
{
	struct ukevent_queue *q = &self->q;
	pid_t pid, parent = getpid();

	ASSERT_EQ(0, add_user(q, 1, 0, 1));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(task_asleep(parent) || ukevent_trigger(q, 1, 66));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_USER(q, 1, 0, 66, 1);
	EXPECT_EQ(0, exit_status(pid));
}

static int receive_fd(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &msg, 0) != 1)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* A stranger that was sent the queue; it was there before the queue was. */
TEST_F(user, from_process)
{
	struct ukevent_queue q;
	int fd, sv[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		fd = receive_fd(sv[1]);
		if (fd < 0 || trigger_fd(fd, 1, 44, 3) ||
		    trigger_fd(fd, 2, 0, 0) != -ENOENT ||
		    write(sv[1], "x", 1) != 1 ||
		    read(sv[1], &byte, 1) != 1)
			_exit(1);
		/* its maker has closed it meanwhile, it works all the same */
		_exit(!!trigger_fd(fd, 1, 45, 0));
	}
	ASSERT_EQ(0, queue_init(&q, 4));
	ASSERT_EQ(0, add_user(&q, 1, 0, 1));
	ASSERT_EQ(0, send_fd(sv[0], q.fd));
	EXPECT_EQ(1, wait_ms(&q, 1, TEST_LONG_MS));
	EXPECT_USER(&q, 1, 0, 44, 3);
	ASSERT_EQ(1, read(sv[0], &byte, 1));
	close(q.fd);
	q.fd = -1;
	ASSERT_EQ(1, write(sv[0], "x", 1));
	EXPECT_EQ(0, exit_status(pid));
	/* and the mapping shows it */
	EXPECT_EQ(1, in_ring(&q));
	EXPECT_USER(&q, 1, 0, 45, 1);
	ukevent_queue_exit(&q);
}

/* ---- signal handlers ---- */

static struct ukevent_queue *handler_queue;
static int handler_runs;
static int handler_errors;

static void handler(int sig)
{
	int saved = errno;

	handler_runs++;
	if (ukevent_trigger(handler_queue, 1, handler_runs))
		handler_errors++;
	errno = saved;
}

static int install_handler(struct ukevent_queue *q)
{
	struct sigaction sa = { .sa_handler = handler };

	handler_queue = q;
	handler_runs = 0;
	handler_errors = 0;
	return sigaction(SIGUSR1, &sa, NULL) ? -errno : 0;
}

struct killer {
	pthread_t target;
	int tid;
	int ret;
};

static void *killer_main(void *arg)
{
	struct killer *k = arg;

	sleep_ms(TEST_SHORT_MS);
	k->ret = task_asleep(k->tid);
	pthread_kill(k->target, SIGUSR1);
	return NULL;
}

/* The main thread sleeps in kevent_wait() while its handler triggers. */
TEST_F(user, from_handler)
{
	struct ukevent_queue *q = &self->q;
	struct killer k = { .target = pthread_self(), .tid = getpid() };
	pthread_t thread;
	int n;

	ASSERT_EQ(0, add_user(q, 1, 0, 1));
	ASSERT_EQ(0, install_handler(q));
	for (n = 1; n < 4; n++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, killer_main, &k));
		EXPECT_EQ(-EINTR, wait_ms(q, 1, TEST_LONG_MS));
		pthread_join(thread, NULL);
		EXPECT_EQ(0, k.ret);
		EXPECT_EQ(n, handler_runs);
		EXPECT_EQ(0, handler_errors);
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_USER(q, 1, 0, n, 1);
		EXPECT_QUIET(q);
	}
}

/*
 * The self-pipe trick without a pipe and without a read: the signal arrives only
 * while waiting, and its record is there after that.
 */
TEST_F(user, instead_of_self_pipe)
{
	struct ukevent_queue *q = &self->q;
	struct kevent_wait_args args = {};
	sigset_t blocked, none;
	int n;

	ASSERT_EQ(0, add_user(q, 1, 0, 1));
	ASSERT_EQ(0, install_handler(q));
	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &blocked, NULL));
	args.sigmask = (unsigned long)&none;
	args.sigmask_size = 8;
	for (n = 1; n < 4; n++) {
		ASSERT_EQ(0, raise(SIGUSR1));
		EXPECT_EQ(n - 1, handler_runs);
		EXPECT_EQ(-EINTR, sys_kevent_wait(q->fd, 1, &args,
						  sizeof(args)));
		EXPECT_EQ(n, handler_runs);
		EXPECT_EQ(1, in_ring(q));
		EXPECT_USER(q, 1, 0, n, 1);
	}
	EXPECT_EQ(0, handler_errors);
}

/* The handler of one thread wakes another. */
TEST_F(user, handler_wakes_sleeper)
{
	struct ukevent_queue *q = &self->q;
	sigset_t set;
	struct waiter w;

	ASSERT_EQ(0, add_user(q, 1, 0, 1));
	ASSERT_EQ(0, install_handler(q));
	/* the waiter does not take the signal */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	ASSERT_EQ(0, pthread_sigmask(SIG_UNBLOCK, &set, NULL));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, raise(SIGUSR1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_USER(q, 1, 0, 1, 1);
}

struct storm {
	pthread_t target;
	int stop;
};

static void *storm_main(void *arg)
{
	struct storm *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		pthread_kill(s->target, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

/* Handlers between any two instructions of a consumer, and inside its calls. */
TEST_F_TIMEOUT(user, handler_storm, 120)
{
	struct storm s = { .target = pthread_self() };
	__u64 sum = 0, own = 0, start = now_ns(CLOCK_MONOTONIC);
	struct ukevent_queue *q = &self->q;
	int loops = test_loops(20000);
	struct ukevent ev;
	pthread_t thread;

	ASSERT_EQ(0, add_user(q, 1, 0, 1));
	ASSERT_EQ(0, install_handler(q));
	ASSERT_EQ(0, pthread_create(&thread, NULL, storm_main, &s));
	while (handler_runs < loops && !test_loops_done(start, 20)) {
		own += !ukevent_trigger(q, 1, 0);
		while (ukevent_take(q, &ev, 1))
			sum += ev.data[1];
		if (ukevent_flush_due(q, 1))
			flush_ring(q);
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	while (in_ring(q) || flush_ring(q) > 0)
		if (ukevent_take(q, &ev, 1))
			sum += ev.data[1];
	EXPECT_EQ(0, handler_errors);
	EXPECT_LT(0, handler_runs);
	EXPECT_EQ(own + handler_runs, sum);
	TH_LOG("%d handlers, %llu other triggers", handler_runs,
	       (unsigned long long)own);
}

/* ---- without a ring ---- */

static int get(struct ukevent_queue *q, struct ukevent *ev, __u32 min_nr,
	       __u32 max_nr)
{
	struct kevent_wait_args args = {
		.flags = KEVENT_WAIT_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.timeout_ns = TEST_LONG_MS * NSEC_PER_MSEC,
	};

	return sys_kevent_get_events(q->fd, ev, min_nr, max_nr, &args,
				     sizeof(args));
}

#define EXPECT_EV(ev, cookie, flags, payload, count) \
	check_record(_metadata, __LINE__, ev, USER, cookie, TRIGGERED, flags, \
		     payload, count)

TEST_F(user, without_ring)
{
	struct ukevent_queue q;
	struct ukevent ev[8];
	int n;

	ASSERT_EQ(0, queue_init_noring(&q, 4));
	ASSERT_EQ(0, add_user(&q, 1, 0, 1));
	ASSERT_EQ(0, add_user(&q, 2, KEVENT_DISPATCH, 2));
	for (n = 1; n <= 5; n++) {
		EXPECT_EQ(0, ukevent_trigger(&q, 1, n));
		EXPECT_EQ(0, ukevent_trigger(&q, 2, n));
	}
	EXPECT_EQ(3, get(&q, ev, 1, 8));
	EXPECT_EV(&ev[0], 1, 0, 1, 1);
	EXPECT_EV(&ev[1], 2, 0, 1, 1);
	EXPECT_EV(&ev[2], 1, 0, 2, 1);
	EXPECT_EQ(1, get(&q, ev, 1, 8));
	EXPECT_EV(&ev[0], 1, 0, 5, 3);
	EXPECT_EQ(0, op_user(&q, KEVENT_OP_ENABLE, 2));
	EXPECT_EQ(1, get(&q, ev, 1, 8));
	EXPECT_EV(&ev[0], 2, 0, 5, 4);
	EXPECT_EQ(0, sys_kevent_get_events(q.fd, ev, 0, 8, NULL, 0));
	ukevent_queue_exit(&q);
}

/* More interests than it holds inside. */
TEST_F(user, without_ring_backlog)
{
	struct ukevent_queue q;
	struct ukevent ev[16];
	int n, got;

	ASSERT_EQ(0, queue_init_noring(&q, 2));
	for (n = 0; n < 10; n++) {
		ASSERT_EQ(0, add_user(&q, n, 0, n));
		EXPECT_EQ(0, ukevent_trigger(&q, n, n));
	}
	EXPECT_EQ(0, ukevent_trigger(&q, 7, 70));
	got = get(&q, ev, 10, 16);
	EXPECT_EQ(10, got);
	for (n = 0; n < got; n++)
		EXPECT_EV(&ev[n], n, 0, n == 7 ? 70 : n, n == 7 ? 2 : 1);
	ukevent_queue_exit(&q);
}

struct getter {
	struct ukevent_queue *q;
	int tid;
	int ret;
	struct ukevent ev[4];
};

static void *getter_main(void *arg)
{
	struct getter *g = arg;

	__atomic_store_n(&g->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	g->ret = get(g->q, g->ev, 1, 4);
	return NULL;
}

TEST_F(user, without_ring_wakes)
{
	struct ukevent_queue q;
	struct getter g = { .q = &q };
	pthread_t thread;

	ASSERT_EQ(0, queue_init_noring(&q, 2));
	ASSERT_EQ(0, add_user(&q, 1, 0, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, getter_main, &g));
	ASSERT_EQ(0, started(&g.tid));
	ASSERT_EQ(0, task_asleep(g.tid));
	EXPECT_EQ(0, ukevent_trigger(&q, 1, 3));
	pthread_join(thread, NULL);
	EXPECT_EQ(1, g.ret);
	EXPECT_EV(&g.ev[0], 1, 0, 3, 1);
	ukevent_queue_exit(&q);
}

/* ---- while a change is stuck ---- */

static void *stuck_epoll(void *arg)
{
	int *fd_and_area = arg;
	struct epoll_event *area;

	memcpy(&area, fd_and_area + 2, sizeof(area));
	return (void *)(long)epoll_wait(fd_and_area[0], area, 1, -1);
}

struct adder {
	struct ukevent_queue *q;
	int fd;
	int tid;
	int ret;
	int done;
};

static void *stuck_add(void *arg)
{
	struct adder *a = arg;

	__atomic_store_n(&a->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	a->ret = add_fd(a->q->fd, a->fd, EV_IN, 0, 9, NULL);
	__atomic_store_n(&a->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * One thread is stuck in epoll_wait(), which holds the epoll set's mutex while it
 * writes to a page that is not there; another in an ADD of that set, whose
 * ->poll wants the mutex.  TRIGGER does not wait for that ADD.
 */
TEST_F(user, trigger_while_add_is_stuck)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct epoll_event event = { .events = EPOLLIN };
	struct uffdio_api api = { .api = UFFD_API };
	struct adder a = { .q = &self->q };
	int uffd, ready = make_eventfd(1);
	struct ukevent_queue *q = &self->q;
	struct kevent_change c[20];
	struct uffdio_copy copy;
	pthread_t thread[2];
	int args[4], i;
	char *area;
	void *ret;

	ASSERT_EQ(0, add_user(q, 1, 0, 1));
	ASSERT_EQ(0, add_user(q, 2, KEVENT_ONESHOT, 2));
	a.fd = epoll_create1(0);
	ASSERT_LE(0, a.fd);
	ASSERT_EQ(0, epoll_ctl(a.fd, EPOLL_CTL_ADD, ready, &event));
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_API, &api));
	area = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE((char *)MAP_FAILED, area);
	reg.range.start = (unsigned long)area;
	reg.range.len = page_size();
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_REGISTER, &reg));

	args[0] = a.fd;
	memcpy(args + 2, &area, sizeof(area));
	ASSERT_EQ(0, pthread_create(&thread[0], NULL, stuck_epoll, args));
	ASSERT_EQ(POLLIN, is_ready(uffd, POLLIN, TEST_LONG_MS));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, stuck_add, &a));
	ASSERT_EQ(0, started(&a.tid));
	for (i = 0; i < TEST_LONG_MS && task_state(a.tid) != 'D'; i++)
		sleep_ms(1);
	ASSERT_EQ('D', task_state(a.tid));

	EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
	EXPECT_USER(q, 1, 0, 5, 1);
	for (i = 0; i < 20; i++)
		c[i] = trigger_change(i == 15 ? 2 : 1, i, 0);
	EXPECT_EQ(20, sys_kevent_ctl(q->fd, c, 20, sizeof(c[0]), 0));
	EXPECT_EQ(3, wait_ms(q, 3, TEST_LONG_MS));
	EXPECT_USER(q, 1, 0, 0, 1);
	EXPECT_USER(q, 1, 0, 1, 1);
	EXPECT_USER(q, 2, 0, 15, 1);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_USER(q, 1, 0, 19, 17);
	EXPECT_EQ(-ENOENT, ukevent_trigger(q, 2, 5));
	EXPECT_EQ(0, __atomic_load_n(&a.done, __ATOMIC_ACQUIRE));

	memset(&copy, 0, sizeof(copy));
	copy.dst = (unsigned long)area;
	copy.src = (unsigned long)aligned_alloc(page_size(), page_size());
	copy.len = page_size();
	ASSERT_EQ(0, ioctl(uffd, UFFDIO_COPY, &copy));
	pthread_join(thread[0], &ret);
	EXPECT_EQ((void *)1, ret);
	pthread_join(thread[1], NULL);
	EXPECT_EQ(0, a.ret);
	/* the set is ready */
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 9, EV_IN, 0);
	close(uffd);
	close(a.fd);
	close(ready);
}

/* ---- no trigger is lost ---- */

enum consumer {
	SPINS,		/* enters the kernel only when the flag says so */
	SLEEPS,		/* when there is nothing */
	SHARES,		/* two of them, spinning */
	COPIES,		/* kevent_get_events() */
};

#define MAX_PRODUCERS	4
#define MAX_NUMBERS	20

/**
 * struct lossless - producers, an interest or many, and who consumes
 * @q: the queue
 * @wanted: triggers that each producer makes
 * @target: triggers of all of them
 * @made: triggers so far
 * @told: triggers that records told of
 * @records: how many records
 * @wrong: a record that cannot be, an error
 * @failed: give up
 * @last: for each interest and producer its newest trigger that was told
 */
struct lossless {
	struct ukevent_queue q;
	__u64 wanted;
	__u64 target;
	__u64 made;
	__u64 told;
	__u64 records;
	const char *wrong;
	int failed;
	__u64 last[MAX_NUMBERS][MAX_PRODUCERS];
};

struct lossless_thread {
	struct lossless *l;
	const struct _fixture_variant_lossless *variant;
	unsigned int nr;
};

FIXTURE(lossless)
{
	struct lossless *l;	/* shared with the producers that are forked */
};

FIXTURE_VARIANT(lossless)
{
	enum consumer consumer;
	__u32 mode;
	__u32 entries;
	int numbers;
	bool churn;
};

FIXTURE_VARIANT_ADD(lossless, edge)
{
	.consumer = SPINS,
	.mode = KEVENT_EDGE,
	.entries = 64,
	.numbers = 3,
};

FIXTURE_VARIANT_ADD(lossless, level_tiny)
{
	.consumer = SPINS,
	.entries = 1,
	.numbers = 1,
};

FIXTURE_VARIANT_ADD(lossless, edge_two)
{
	.consumer = SPINS,
	.mode = KEVENT_EDGE,
	.entries = 2,
	.numbers = 3,
};

FIXTURE_VARIANT_ADD(lossless, edge_sleeps)
{
	.consumer = SLEEPS,
	.mode = KEVENT_EDGE,
	.entries = 8,
	.numbers = 2,
};

FIXTURE_VARIANT_ADD(lossless, tiny_sleeps)
{
	.consumer = SLEEPS,
	.mode = KEVENT_EDGE,
	.entries = 1,
	.numbers = 4,
};

FIXTURE_VARIANT_ADD(lossless, dispatch)
{
	.consumer = SPINS,
	.mode = KEVENT_DISPATCH,
	.entries = 16,
	.numbers = 4,
};

FIXTURE_VARIANT_ADD(lossless, dispatch_tiny)
{
	.consumer = SLEEPS,
	.mode = KEVENT_DISPATCH,
	.entries = 1,
	.numbers = 3,
};

FIXTURE_VARIANT_ADD(lossless, shared)
{
	.consumer = SHARES,
	.mode = KEVENT_EDGE,
	.entries = 4,
	.numbers = 6,
};

FIXTURE_VARIANT_ADD(lossless, shared_dispatch)
{
	.consumer = SHARES,
	.mode = KEVENT_DISPATCH,
	.entries = 2,
	.numbers = 6,
};

FIXTURE_VARIANT_ADD(lossless, copied)
{
	.consumer = COPIES,
	.mode = KEVENT_EDGE,
	.entries = 8,
	.numbers = 3,
};

FIXTURE_VARIANT_ADD(lossless, copied_tiny)
{
	.consumer = COPIES,
	.mode = KEVENT_DISPATCH,
	.entries = 1,
	.numbers = 3,
};

FIXTURE_VARIANT_ADD(lossless, churned)
{
	.consumer = SPINS,
	.mode = KEVENT_EDGE,
	.entries = 8,
	.numbers = 3,
	.churn = true,
};

FIXTURE_VARIANT_ADD(lossless, churned_tiny)
{
	.consumer = SLEEPS,
	.mode = KEVENT_EDGE,
	.entries = 1,
	.numbers = 20,
	.churn = true,
};

FIXTURE_VARIANT_ADD(lossless, churned_copied)
{
	.consumer = COPIES,
	.mode = KEVENT_EDGE,
	.entries = 4,
	.numbers = 6,
	.churn = true,
};

/* Triggers that a producer makes in about @seconds, at most @wanted. */
static __u64 affordable(struct ukevent_queue *q, int wanted, int seconds)
{
	__u64 start = now_ns(CLOCK_MONOTONIC), can;
	int i;

	for (i = 0; i < 500; i++)
		ukevent_trigger(q, ~0ULL, 0);
	/* the consumer, the other producers, and a share of the processors */
	can = seconds * NSEC_PER_SEC /
	      ((now_ns(CLOCK_MONOTONIC) - start) * 8 / 500 + 1);
	wanted = test_loops(wanted);
	return can < (__u64)wanted ? can + 1 : (__u64)wanted;
}

FIXTURE_SETUP(lossless)
{
	struct lossless *l;
	int i;

	l = mmap(NULL, sizeof(*l), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE((void *)MAP_FAILED, (void *)l);
	self->l = l;
	ASSERT_EQ(0, variant->consumer == COPIES ?
		     queue_init_noring(&l->q, variant->entries) :
		     queue_init(&l->q, variant->entries));
	for (i = 0; i < variant->numbers; i++)
		ASSERT_EQ(0, add_user(&l->q, i, variant->mode, i));
}

FIXTURE_TEARDOWN(lossless)
{
	ukevent_queue_exit(&self->l->q);
}

static void lossless_wrong(struct lossless *l, const char *wrong)
{
	l->wrong = wrong;
	__atomic_store_n(&l->failed, 1, __ATOMIC_RELEASE);
}

static bool lossless_goes_on(struct lossless *l)
{
	return __atomic_load_n(&l->told, __ATOMIC_ACQUIRE) !=
	       __atomic_load_n(&l->target, __ATOMIC_ACQUIRE) &&
	       !__atomic_load_n(&l->failed, __ATOMIC_ACQUIRE);
}

/* The payload tells who triggered, and which one of its triggers it was. */
static void lossless_trigger(struct lossless *l, unsigned int producer, __u64 n,
			     int number)
{
	if (ukevent_trigger(&l->q, number, (__u64)producer << 48 | n))
		lossless_wrong(l, "a trigger failed");
	__atomic_add_fetch(&l->made, 1, __ATOMIC_RELEASE);
}

static void lossless_record(struct lossless *l,
			    const struct _fixture_variant_lossless *variant,
			    const struct ukevent *ev)
{
	__u64 producer = ev->data[0] >> 48, n = ev->data[0] << 16 >> 16;

	if (ev->type != USER || ev->events != TRIGGERED || ev->flags ||
	    ev->cookie >= (__u64)variant->numbers || !ev->data[1] ||
	    producer >= MAX_PRODUCERS) {
		lossless_wrong(l, "not a record of ours");
		return;
	}
	/* each has a newer payload than the one before */
	if (variant->consumer != SHARES) {
		if (l->last[ev->cookie][producer] >= n)
			lossless_wrong(l, "an old payload");
		l->last[ev->cookie][producer] = n;
	}
	__atomic_add_fetch(&l->records, 1, __ATOMIC_RELAXED);
	if (__atomic_add_fetch(&l->told, ev->data[1], __ATOMIC_ACQ_REL) >
	    l->target)
		lossless_wrong(l, "more than there were");
	if (variant->mode & KEVENT_DISPATCH &&
	    op_user(&l->q, KEVENT_OP_ENABLE, ev->cookie))
		lossless_wrong(l, "ENABLE failed");
}

static int lossless_spin(struct ukevent_queue *q, struct ukevent *ev,
			 enum consumer consumer)
{
	int ret, n;

	n = consumer == SHARES ? ukevent_take_shared(q, ev, 4) :
				 ukevent_take(q, ev, 4);
	/* several: what the other one flushes need not be for this one */
	if (ukevent_flush_due(q, !n)) {
		ret = ukevent_wait(q, 0, 0);
		if (ret < 0)
			return ret;
	}
	if (!n)
		sched_yield();
	return n;
}

static void *lossless_consume(void *arg)
{
	struct lossless_thread *t = arg;
	struct lossless *l = t->l;
	struct ukevent ev[4];
	__u64 progress = now_ns(CLOCK_MONOTONIC);
	int i, n;

	while (lossless_goes_on(l)) {
		switch (t->variant->consumer) {
		case SLEEPS:
			n = ukevent_dequeue_batch(&l->q, ev, 4, TEST_LONG_MS *
						  NSEC_PER_MSEC);
			break;
		case COPIES:
			n = get(&l->q, ev, 1, 4);
			break;
		default:
			n = lossless_spin(&l->q, ev, t->variant->consumer);
			break;
		}
		if (n < 0)
			lossless_wrong(l, "a wait failed");
		for (i = 0; i < n; i++)
			lossless_record(l, t->variant, &ev[i]);
		if (n > 0)
			progress = now_ns(CLOCK_MONOTONIC);
		else if (test_loops_done(progress, TEST_LONG_MS / 1000 - 1))
			lossless_wrong(l, "nothing comes any more");
	}
	return NULL;
}

static void *lossless_produce(void *arg)
{
	struct lossless_thread *t = arg;
	unsigned int seed = t->nr + 1;
	__u64 n;

	for (n = 1; n <= t->l->wanted; n++) {
		if (__atomic_load_n(&t->l->failed, __ATOMIC_ACQUIRE))
			break;
		lossless_trigger(t->l, t->nr, n,
				 rand_r(&seed) % t->variant->numbers);
		if (rand_r(&seed) % 16 == 0)
			sched_yield();
	}
	return NULL;
}

/* Bursts; after each everything must come without one more trigger. */
static void *lossless_burst(void *arg)
{
	struct lossless_thread *t = arg;
	struct lossless *l = t->l;
	unsigned int seed = 5;
	__u64 n;
	int i;

	for (n = 1; n <= l->wanted;) {
		for (i = rand_r(&seed) % 6; i >= 0 && n <= l->wanted; i--)
			lossless_trigger(l, t->nr, n++, rand_r(&seed) %
					 t->variant->numbers);
		while (__atomic_load_n(&l->told, __ATOMIC_ACQUIRE) != n - 1) {
			if (__atomic_load_n(&l->failed, __ATOMIC_ACQUIRE))
				return NULL;
			sched_yield();
		}
	}
	return NULL;
}

/* Off and on, and modified; on in the end. */
static void *lossless_churn(void *arg)
{
	struct lossless_thread *t = arg;
	struct ukevent_queue *q = &t->l->q;
	unsigned int seed = 77;
	int ret = 0, nr;

	while (lossless_goes_on(t->l)) {
		nr = rand_r(&seed) % t->variant->numbers;
		ret = op_user(q, KEVENT_OP_DISABLE, nr);
		if (!ret && rand_r(&seed) % 2)
			ret = modify_user(q, nr, rand_r(&seed) % 2 *
					  KEVENT_EDGE, nr);
		if (rand_r(&seed) % 4 == 0)
			sched_yield();
		if (!ret)
			ret = op_user(q, KEVENT_OP_ENABLE, nr);
		if (!ret && rand_r(&seed) % 4 == 0)
			ret = modify_user(q, nr, KEVENT_EDGE, nr);
		if (ret)
			lossless_wrong(t->l, "a change failed");
		if (rand_r(&seed) % 8 == 0)
			sleep_ms(1);
	}
	return NULL;
}

static void lossless_run(struct __test_metadata *_metadata, struct lossless *l,
			 const struct _fixture_variant_lossless *variant,
			 void *(*produce)(void *arg), int threads, int processes)
{
	struct lossless_thread t[MAX_PRODUCERS + 3];
	pthread_t thread[MAX_PRODUCERS + 3];
	int consumers = variant->consumer == SHARES ? 2 : 1;
	int i, nr = 0;
	pid_t pid = 0;

	l->target = l->wanted * (threads + processes);
	for (i = 0; i < MAX_PRODUCERS + 3; i++) {
		t[i].l = l;
		t[i].variant = variant;
		t[i].nr = i;
	}
	if (processes) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid) {
			t[threads].nr = threads;
			produce(&t[threads]);
			_exit(0);
		}
	}
	for (i = 0; i < threads; i++, nr++)
		ASSERT_EQ(0, pthread_create(&thread[nr], NULL, produce, &t[i]));
	for (i = 0; i < consumers; i++, nr++)
		ASSERT_EQ(0, pthread_create(&thread[nr], NULL, lossless_consume,
					    &t[i]));
	if (variant->churn) {
		ASSERT_EQ(0, pthread_create(&thread[nr], NULL, lossless_churn,
					    &t[0]));
		nr++;
	}
	while (nr--)
		pthread_join(thread[nr], NULL);
	if (pid)
		EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(NULL, l->wrong) TH_LOG("%s", l->wrong);
	EXPECT_EQ(l->target, l->made);
	EXPECT_EQ(l->target, l->told);
	TH_LOG("%llu triggers, %llu told in %llu records",
	       (unsigned long long)l->made, (unsigned long long)l->told,
	       (unsigned long long)l->records);
}

TEST_F_TIMEOUT(lossless, producers, 180)
{
	self->l->wanted = affordable(&self->l->q, 10000, 3);
	lossless_run(_metadata, self->l, variant, lossless_produce, 2, 1);
}

TEST_F_TIMEOUT(lossless, bursts, 180)
{
	self->l->wanted = affordable(&self->l->q, 20000, 3);
	lossless_run(_metadata, self->l, variant, lossless_burst, 1, 0);
}

TEST_F_TIMEOUT(lossless, bursts_of_process, 180)
{
	self->l->wanted = affordable(&self->l->q, 5000, 2);
	lossless_run(_metadata, self->l, variant, lossless_burst, 0, 1);
}

/* ---- triggers against the end ---- */

struct ending {
	int kfd;
	int stop;
	__u64 id;
	int errors;
	long hit;
	long missed;
};

/* By id, and the payload is that id. */
static void *ending_trigger(void *arg)
{
	struct ending *e = arg;

	while (!__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE)) {
		__u64 id = __atomic_load_n(&e->id, __ATOMIC_ACQUIRE);
		int kfd = __atomic_load_n(&e->kfd, __ATOMIC_ACQUIRE);
		int ret = trigger_id(kfd, id, id);

		if (!ret)
			__atomic_add_fetch(&e->hit, 1, __ATOMIC_RELAXED);
		else if (ret == -ENOENT || ret == -EBADF)
			__atomic_add_fetch(&e->missed, 1, __ATOMIC_RELAXED);
		else
			__atomic_store_n(&e->errors, ret, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* A few rounds may be over before the threads run: not until they did both. */
static bool ending_met(struct ending *e)
{
	return __atomic_load_n(&e->hit, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&e->missed, __ATOMIC_RELAXED);
}

/* After REMOVE nothing, but one last record; and nothing for the next one. */
TEST_F_TIMEOUT(user, remove_races, 120)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct ending e = { .kfd = self->q.fd };
	struct ukevent_queue *q = &self->q;
	int n, ret, ends, loops = test_loops(10000);
	unsigned int seed = 4;
	struct kevent_change c;
	pthread_t thread[2];
	struct ukevent ev;
	__u32 produced;

	for (n = 0; n < 2; n++)
		ASSERT_EQ(0, pthread_create(&thread[n], NULL, ending_trigger,
					    &e));
	for (n = 1; (n <= loops || !ending_met(&e)) &&
	     !test_loops_done(start, 30); n++) {
		c = make_typed(KEVENT_OP_ADD, USER, n % 3, 0, KEVENT_WANT_LAST |
			       modes[rand_r(&seed) % ARRAY_SIZE(modes)], n);
		ASSERT_EQ(0, do_change(q->fd, &c));
		__atomic_store_n(&e.id, c.id, __ATOMIC_RELEASE);
		while (rand_r(&seed) % 4)
			sched_yield();
		ret = op_user_id(q, KEVENT_OP_REMOVE, c.id, KEVENT_ACK);
		produced = producer_index(q);
		ASSERT_TRUE(!ret || ret == -ENOENT);
		ends = 0;
		while (ukevent_take(q, &ev, 1)) {
			EXPECT_EQ(0, ends);
			EXPECT_EQ((__u64)n, ev.cookie);
			if (ev.events)
				EXPECT_EQ(c.id, ev.data[0]);
			ends += !!(ev.flags & LAST);
		}
		EXPECT_EQ(1, ends);
		EXPECT_EQ(produced, producer_index(q));
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	__atomic_store_n(&e.stop, 1, __ATOMIC_RELEASE);
	for (ret = 0; ret < 2; ret++)
		pthread_join(thread[ret], NULL);
	EXPECT_EQ(0, e.errors);
	TH_LOG("%d rounds, %ld hit, %ld missed", n - 1, e.hit, e.missed);
	EXPECT_LT(0, e.hit);
	EXPECT_LT(0, e.missed);
	EXPECT_QUIET(q);
}

/* Queues that are closed while they are triggered. */
TEST_F_TIMEOUT(user, close_races, 120)
{
	int i, n, loops = test_loops(1000);
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct ending e = { .kfd = -1, .id = 5 };
	unsigned int seed = 6;
	struct kevent_change c;
	pthread_t thread[2];
	struct ukevent_queue q;

	for (n = 0; n < 2; n++)
		ASSERT_EQ(0, pthread_create(&thread[n], NULL, ending_trigger,
					    &e));
	for (n = 0; (n < loops || !ending_met(&e)) &&
	     !test_loops_done(start, 30); n++) {
		ASSERT_EQ(0, queue_init(&q, n % 2 ? 1 : 8));
		for (i = 0; i < 10; i++) {
			c = make_typed(KEVENT_OP_ADD, USER, i, 0, modes[n % 4] |
				       (n % 3 ? 0 : KEVENT_WANT_LAST), i);
			ASSERT_EQ(0, do_change(q.fd, &c));
		}
		__atomic_store_n(&e.id, c.id, __ATOMIC_RELEASE);
		__atomic_store_n(&e.kfd, q.fd, __ATOMIC_RELEASE);
		while (rand_r(&seed) % 4)
			sched_yield();
		ukevent_queue_exit(&q);
	}
	__atomic_store_n(&e.stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, e.errors);
	TH_LOG("%d rounds, %ld hit, %ld missed", n, e.hit, e.missed);
	EXPECT_LT(0, e.hit);
	EXPECT_LT(0, e.missed);
}

/* ---- errors ---- */

FIXTURE(error)
{
	struct ukevent_queue q;
};

/* 1 is there, 2 can be added. */
FIXTURE_SETUP(error)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, add_user(&self->q, 1, KEVENT_EDGE, 1));
}

/* No error has left anything behind, or taken anything away. */
FIXTURE_TEARDOWN(error)
{
	struct ukevent_queue *q = &self->q;

	EXPECT_QUIET(q);
	EXPECT_EQ(0, ukevent_trigger(q, 1, 5));
	EXPECT_USER(q, 1, 0, 5, 1);
	EXPECT_EQ(-ENOENT, ukevent_trigger(q, 2, 5));
	EXPECT_EQ(0, add_user(q, 2, 0, 2));
	EXPECT_QUIET(q);
	ukevent_queue_exit(q);
}

static const __u16 ops[] = {
	KEVENT_OP_ADD, KEVENT_OP_MODIFY, KEVENT_OP_REMOVE, KEVENT_OP_ENABLE,
	KEVENT_OP_DISABLE, KEVENT_OP_TRIGGER,
};

/* A change that would be all right, of 2 for ADD, else of 1. */
static struct kevent_change good_change(__u16 op)
{
	return make_typed(op, USER, op == KEVENT_OP_ADD ? 2 : 1, 0, 0,
			  op <= KEVENT_OP_MODIFY);
}

TEST_F(error, unknown_events)
{
	struct kevent_change c;
	size_t op;
	int bit;

	for (op = 0; op < ARRAY_SIZE(ops); op++) {
		for (bit = op < 2; bit < 32; bit++) {
			c = good_change(ops[op]);
			c.events = 1U << bit;
			EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c))
				TH_LOG("op %d bit %d", ops[op], bit);
		}
	}
}

/* Watched whether asked for or not. */
TEST_F(error, known_events)
{
	struct kevent_change c = make_typed(KEVENT_OP_ADD, USER, 3, TRIGGERED, 0,
					    3);

	EXPECT_EQ(0, do_change(self->q.fd, &c));
	EXPECT_EQ(0, ukevent_trigger(&self->q, 3, 1));
	EXPECT_USER(&self->q, 3, 0, 1, 1);
	c = make_typed(KEVENT_OP_MODIFY, USER, 3, TRIGGERED, 0, 4);
	EXPECT_EQ(0, do_change(self->q.fd, &c));
	EXPECT_EQ(0, ukevent_trigger(&self->q, 3, 2));
	EXPECT_USER(&self->q, 4, 0, 2, 1);
}

TEST_F(error, unknown_flags)
{
	struct kevent_change c;
	size_t op;
	int bit;

	for (op = 0; op < ARRAY_SIZE(ops); op++) {
		for (bit = 0; bit < 32; bit++) {
			if (flags_taken(ops[op]) & 1U << bit)
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

/* Payload and count are the trigger's; whatever else there is must be 0. */
TEST_F(error, unused_fields)
{
	struct kevent_change c;
	size_t op;
	int i, bit;

	for (op = 0; op < ARRAY_SIZE(ops); op++) {
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
			i = ops[op] == KEVENT_OP_TRIGGER ?
			    KEVENT_USER_COUNT + 1 : 0;
			for (; i < 4; i++) {
				c = good_change(ops[op]);
				c.param[i] = 1ULL << bit;
				EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c))
					TH_LOG("op %d param %d", ops[op], i);
			}
		}
	}
}

TEST_F(error, exists)
{
	EXPECT_EQ(-EEXIST, add_user(&self->q, 1, 0, 9));
	EXPECT_EQ(-EEXIST, add_user(&self->q, 1, KEVENT_ONESHOT |
				    KEVENT_WANT_LAST, 9));
}

TEST_F(error, no_such_event)
{
	struct kevent_change c;
	size_t op;

	for (op = 1; op < ARRAY_SIZE(ops); op++) {
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

/* What is not triggered by programs, there or not, built in or not. */
TEST_F(error, trigger_of_others)
{
	struct kevent_change c;
	int fd = make_eventfd(0);
	unsigned int type;

	ASSERT_EQ(0, add_fd(self->q.fd, fd, EV_IN, 0, 3, NULL));
	for (type = KEVENT_TYPE_POLL; type <= KEVENT_TYPE_SENDFILE; type++) {
		if (type == USER)
			continue;
		c = make_typed(KEVENT_OP_TRIGGER, type, fd, 0, 0, 0);
		EXPECT_EQ(-EOPNOTSUPP, do_change(self->q.fd, &c));
		c.ident = ~0ULL;
		EXPECT_EQ(-EOPNOTSUPP, do_change(self->q.fd, &c));
	}
	c = make_typed(KEVENT_OP_TRIGGER, 0, 1, 0, 0, 0);
	EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
	c.type = type;
	EXPECT_EQ(-EINVAL, do_change(self->q.fd, &c));
	EXPECT_EQ(0, remove_fd(self->q.fd, fd));
	close(fd);
}

TEST_F(error, trigger_of_no_queue)
{
	int fd = make_eventfd(0);

	EXPECT_EQ(-EBADF, trigger_fd(-1, 1, 0, 0));
	EXPECT_EQ(-EINVAL, trigger_fd(fd, 1, 0, 0));
	close(fd);
	EXPECT_EQ(-EBADF, trigger_fd(fd, 1, 0, 0));
}

/* The result cannot be written: it has not happened. */
TEST_F(error, result_faults)
{
	struct kevent_change c = trigger_change(1, 5, 0);
	size_t page = page_size(), size = sizeof(c);
	char *end = guarded_end(1);

	ASSERT_NE(NULL, end);
	memcpy(end - size, &c, size);
	ASSERT_EQ(0, mprotect(end - page, page, PROT_READ));
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->q.fd, (void *)(end - size), 1,
					  size, 0));
	EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->q.fd, (void *)end, 1, size, 0));
	EXPECT_QUIET(&self->q);
	/* of two the one that can be read has happened */
	ASSERT_EQ(0, mprotect(end - page, page, PROT_READ | PROT_WRITE));
	EXPECT_EQ(1, sys_kevent_ctl(self->q.fd, (void *)(end - size), 2, size,
				    0));
	EXPECT_USER(&self->q, 1, 0, 5, 1);
}

TEST_F(error, in_batch)
{
	struct kevent_change c[10];
	int i;

	for (i = 0; i < 10; i++)
		c[i] = trigger_change(1, i, 0);
	c[2].ident = 2;
	c[4].param[3] = 1;
	c[8].type = KEVENT_TYPE_TIMER;
	EXPECT_EQ(10, sys_kevent_ctl(self->q.fd, c, 10, sizeof(c[0]), 0));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(i == 2 ? -ENOENT : i == 4 ? -EINVAL : i == 8 ?
			  -EOPNOTSUPP : 0, c[i].result);
	EXPECT_USER(&self->q, 1, 0, 0, 1);
	EXPECT_USER(&self->q, 1, 0, 1, 1);
	EXPECT_EQ(1, flush_ring(&self->q));
	EXPECT_USER(&self->q, 1, 0, 9, 5);
}

TEST_F(error, no_space)
{
	struct ukevent_queue q;
	int n, ret = 0;

	ASSERT_EQ(0, own_limits());
	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "10"));
	for (n = 0; n < 100 && !ret; n++)
		ret = add_user(&q, 100 + n, 0, 0);
	EXPECT_EQ(-ENOSPC, ret);
	EXPECT_EQ(-ENOENT, ukevent_trigger(&q, 99 + n, 0));
	/* the number of the one that failed is free */
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "11"));
	EXPECT_EQ(0, add_user(&q, 99 + n, 0, 0));
	for (; n > 0; n--)
		EXPECT_EQ(0, op_user(&q, KEVENT_OP_REMOVE, 99 + n));
	ukevent_queue_exit(&q);
}

/* What the kernel says it has. */
TEST(announced)
{
	struct kevent_params p = {};
	int fd = sys_kevent_create(&p, sizeof(p), 0);

	ASSERT_LE(0, fd);
	EXPECT_NE(0ULL, p.types & 1ULL << USER);
	EXPECT_NE(0ULL, p.ops & 1ULL << KEVENT_OP_TRIGGER);
	close(fd);
}

TEST_HARNESS_MAIN
