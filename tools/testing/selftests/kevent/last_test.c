// SPDX-License-Identifier: GPL-2.0
/*
 * S6: the last record of an interest: when it comes, when it does not, when it
 * waits, and when it is held back for who still works with the cookie.
 */
#include "kevent_test.h"

#define LAST	KEVENT_REC_LAST

FIXTURE(last)
{
	struct ukevent_queue q;
	int fd;
	int other;
};

FIXTURE_SETUP(last)
{
	ASSERT_EQ(0, queue_init(&self->q, 4));
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
	self->other = make_eventfd(1);
	ASSERT_LE(0, self->other);
}

FIXTURE_TEARDOWN(last)
{
	ukevent_queue_exit(&self->q);
}

static const __u32 modes[] = {
	0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
};

/* Fills the ring of four with records of copies of self->other. */
static int fill_ring(struct ukevent_queue *q, int fd)
{
	int i, ret;

	for (i = 0; i < 4; i++) {
		ret = add_fd(q->fd, dup(fd), EV_IN, KEVENT_ONESHOT, 1000 + i,
			     NULL);
		if (ret)
			return ret;
	}
	return in_ring(q) == 4 ? 0 : -EPROTO;
}

TEST_F(last, after_remove)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, modes[i] |
				    KEVENT_WANT_LAST, i, NULL));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, remove_fd(q->fd, self->fd));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_TAKE(q, i, 0, LAST);
		EXPECT_QUIET(q);
		EXPECT_EQ(-ENOENT, remove_fd(q->fd, self->fd));
		EXPECT_QUIET(q);
	}
}

TEST_F(last, after_data)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, modes[i] |
				    KEVENT_WANT_LAST, i, NULL));
		EXPECT_EQ(0, remove_fd(q->fd, self->fd));
		/* a published record is immutable: the flag is on another */
		EXPECT_EQ(2, in_ring(q));
		EXPECT_TAKE(q, i, EV_IN, 0);
		EXPECT_TAKE(q, i, 0, LAST);
		EXPECT_QUIET(q);
	}
}

TEST_F(last, not_asked_for)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		self->fd = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, modes[i], i, NULL));
		EXPECT_EQ(0, remove_fd(q->fd, self->fd));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, modes[i], i, NULL));
		close(self->fd);
		EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
		EXPECT_QUIET(q);
	}
}

TEST_F(last, after_close)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		self->fd = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, modes[i] |
				    KEVENT_WANT_LAST, i, NULL));
		close(self->fd);
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_TAKE(q, i, EV_HUP, LAST);
		EXPECT_QUIET(q);
	}
}

/* Disabled or not does not matter for the end. */
TEST_F(last, while_disabled)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_WANT_LAST |
			    KEVENT_START_DISABLED, 1, NULL));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_TAKE(q, 1, 0, LAST);
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_WANT_LAST, 2, NULL));
	EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_DISABLE, self->fd));
	close(self->fd);
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 2, EV_HUP, LAST);
	EXPECT_QUIET(q);
}

/* MODIFY says anew whether it is wanted; the cookie is new. */
TEST_F(last, after_modify)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, 0, 1, NULL));
	EXPECT_EQ(0, modify_fd(q->fd, self->fd, EV_IN, KEVENT_EDGE |
			       KEVENT_WANT_LAST, 2));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_TAKE(q, 2, 0, LAST);
	EXPECT_QUIET(q);
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_WANT_LAST, 3, NULL));
	EXPECT_EQ(0, modify_fd(q->fd, self->fd, EV_IN, KEVENT_EDGE, 4));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_QUIET(q);
}

TEST_F(last, waits_for_room)
{
	struct ukevent_queue *q = &self->q;
	int i;

	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, fill_ring(q, self->other));
	/* unpublished data is discarded, LAST is not */
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(4, in_ring(q));
	/* gone all the same: the next one comes after it */
	EXPECT_EQ(-ENOENT, remove_fd(q->fd, self->fd));
	EXPECT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_ONESHOT |
			    KEVENT_WANT_LAST, 2, NULL));
	/* until its record is published a one-shot is there, and merges */
	EXPECT_EQ(-EEXIST, add_fd(q->fd, self->fd, EV_IN, 0, 3, NULL));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	for (i = 0; i < 4; i++)
		EXPECT_TAKE(q, 1000 + i, EV_IN, 0);
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(2, flush_ring(q));
	EXPECT_TAKE(q, 1, 0, LAST);
	EXPECT_TAKE(q, 2, EV_IN, LAST);
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, remove_fd(q->fd, self->fd));
}

/* A one-shot taken away while its record waits for room. */
TEST_F(last, unpublished_oneshot)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, fill_ring(q, self->other));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_ONESHOT |
			    KEVENT_WANT_LAST, 1, NULL));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_EQ(4, take_all(q, NULL));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 1, 0, LAST);
	/* and one that did not ask */
	ASSERT_EQ(0, fill_ring(q, self->other));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_ONESHOT, 2, NULL));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(4, take_all(q, NULL));
	EXPECT_QUIET(q);
}

TEST_F(last, close_while_full)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, fill_ring(q, self->other));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_EDGE |
			    KEVENT_WANT_LAST, 1, NULL));
	close(self->fd);
	EXPECT_EQ(1, pending_reaches(q, 1));
	EXPECT_EQ(4, take_all(q, NULL));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 1, EV_HUP, LAST);
	EXPECT_QUIET(q);
}

/* ---- dispatch: held back until the holder acknowledges ---- */

#define DISPATCH_LAST	(KEVENT_DISPATCH | KEVENT_WANT_LAST | KEVENT_HOLD_LAST)

TEST_F(last, held_back_enable)
{
	struct ukevent_queue *q = &self->q;
	__u64 id;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, DISPATCH_LAST, 1, &id));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	/* another thread removes; the holder has not said it is done */
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	/* the number is free again meanwhile */
	EXPECT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_START_DISABLED, 2,
			    NULL));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_id(q->fd, KEVENT_OP_ENABLE, id, 0));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE(q, 1, 0, LAST);
	EXPECT_EQ(-ENOENT, op_id(q->fd, KEVENT_OP_ENABLE, id, 0));
	EXPECT_QUIET(q);
}

/* From publication on: consumed or not makes no difference. */
TEST_F(last, held_back_unconsumed)
{
	struct ukevent_queue *q = &self->q;
	__u64 id;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, DISPATCH_LAST, 1, &id));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_id(q->fd, KEVENT_OP_ENABLE, id, 0));
	EXPECT_TAKE(q, 1, 0, LAST);
	EXPECT_QUIET(q);
}

TEST_F(last, acknowledged_remove)
{
	struct ukevent_queue *q = &self->q;
	__u64 id;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, DISPATCH_LAST, 1, &id));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(0, op_id(q->fd, KEVENT_OP_REMOVE, id, KEVENT_ACK));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE(q, 1, 0, LAST);
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_id(q->fd, KEVENT_OP_REMOVE, id, KEVENT_ACK));
	EXPECT_QUIET(q);
}

/* The holder acknowledges with REMOVE after somebody else removed. */
TEST_F(last, acknowledged_late)
{
	struct ukevent_queue *q = &self->q;
	__u64 id;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, DISPATCH_LAST, 1, &id));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_id(q->fd, KEVENT_OP_REMOVE, id, 0));
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_id(q->fd, KEVENT_OP_REMOVE, id, KEVENT_ACK));
	EXPECT_TAKE(q, 1, 0, LAST);
	EXPECT_QUIET(q);
}

/* Acknowledged, so there is nobody to wait for. */
TEST_F(last, dispatch_enabled)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, DISPATCH_LAST, 1, NULL));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	eventfd_take(self->fd);
	EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_ENABLE, self->fd));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_TAKE(q, 1, 0, LAST);
	EXPECT_QUIET(q);
}

TEST_F(last, held_back_close)
{
	struct ukevent_queue *q = &self->q;
	__u64 id;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, DISPATCH_LAST, 1, &id));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	close(self->fd);
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, op_id(q->fd, KEVENT_OP_ENABLE, id, 0));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 1, EV_HUP, LAST);
	EXPECT_QUIET(q);
}

TEST_F(last, held_back_not_asked)
{
	struct ukevent_queue *q = &self->q;
	__u64 id;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_DISPATCH, 1, &id));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
	EXPECT_EQ(-ENOENT, op_id(q->fd, KEVENT_OP_ENABLE, id, 0));
	EXPECT_QUIET(q);
}

/* Queues are closed with records held back, waiting and unconsumed. */
TEST_F(last, queue_closed)
{
	struct ukevent_queue q;
	int i, fd, fds[8];

	for (i = 0; i < 8; i++)
		fds[i] = make_eventfd(1);
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, queue_init(&q, 4));
		ASSERT_EQ(0, add_fd(q.fd, fds[0], EV_IN, DISPATCH_LAST, 1,
				    NULL));
		ASSERT_EQ(0, add_fd(q.fd, fds[1], EV_IN, DISPATCH_LAST, 1,
				    NULL));
		ASSERT_EQ(0, remove_fd(q.fd, fds[0]));
		ASSERT_EQ(0, fill_ring(&q, self->other));
		ASSERT_EQ(0, add_fd(q.fd, fds[2], EV_IN, KEVENT_WANT_LAST, 1,
				    NULL));
		ASSERT_EQ(0, add_fd(q.fd, fds[3], EV_IN, KEVENT_WANT_LAST, 1,
				    NULL));
		ASSERT_EQ(0, remove_fd(q.fd, fds[2]));
		ukevent_queue_exit(&q);
		for (fd = fds[7] + 1; fd < 400; fd++)
			close(fd);
	}
}

TEST_HARNESS_MAIN
