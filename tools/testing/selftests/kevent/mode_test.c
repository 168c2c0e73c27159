// SPDX-License-Identifier: GPL-2.0
/*
 * S5, S1: level, edge, one-shot and dispatch interests in every kind of source;
 * hang-ups and errors, which sources announce without saying so in the key of
 * the wake-up; events that are asked for and must not be made up.
 */
#include "kevent_test.h"

FIXTURE(mode)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(mode)
{
	enum source_kind kind;
	bool one_unit;	/* one read takes all there is */
	bool asked;	/* its wake-ups are not believed */
	bool unsure;	/* nor are they for a one-shot */
};

FIXTURE_VARIANT_ADD(mode, eventfd)
{
	.kind = SRC_EVENTFD,
};

FIXTURE_VARIANT_ADD(mode, pipe)
{
	.kind = SRC_PIPE,
	.unsure = true,
};

FIXTURE_VARIANT_ADD(mode, fifo)
{
	.kind = SRC_FIFO,
	.unsure = true,
};

FIXTURE_VARIANT_ADD(mode, unix)
{
	.kind = SRC_UNIX,
};

FIXTURE_VARIANT_ADD(mode, tcp4)
{
	.kind = SRC_TCP4,
};

FIXTURE_VARIANT_ADD(mode, tcp6)
{
	.kind = SRC_TCP6,
};

FIXTURE_VARIANT_ADD(mode, udp)
{
	.kind = SRC_UDP,
	.unsure = true,
};

FIXTURE_VARIANT_ADD(mode, timerfd)
{
	.kind = SRC_TIMERFD,
	.one_unit = true,
};

FIXTURE_VARIANT_ADD(mode, pty)
{
	.kind = SRC_PTY,
	.asked = true,
	.unsure = true,
};

FIXTURE_SETUP(mode)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, source_open(&self->s, variant->kind));
}

FIXTURE_TEARDOWN(mode)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

/* Waits until the ring holds @nr: without a call, or with one for who is asked. */
static int comes(struct ukevent_queue *q, int nr, bool asked)
{
	if (asked && pending_reaches(q, 1))
		flush_ring(q);
	return ring_reaches(q, nr);
}

#define ADD(flags, cookie) \
	add_fd(self->q.fd, self->s.fd, EV_IN, flags, cookie, NULL)

/* ---- level ---- */

TEST_F(mode, level_holds_at_add)
{
	ASSERT_EQ(0, source_fire(&self->s));
	ASSERT_EQ(0, ADD(0, 1));
	EXPECT_EQ(1, in_ring(&self->q));
	EXPECT_TAKE(&self->q, 1, EV_IN, 0);
	EXPECT_EQ(0, source_drain(&self->s));
	EXPECT_QUIET(&self->q);
}

TEST_F(mode, level_later)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, ADD(0, 2));
	EXPECT_QUIET(q);
	/* comes into the ring by itself, no call made, if it is believed */
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes(q, 1, variant->asked));
	/* who is asked may have woken once more */
	EXPECT_EQ(0, is_pending(q) && !variant->asked);
	/* no second one while this is unconsumed, whatever happens */
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, wait_ms(q, 2, TEST_SHORT_MS));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE(q, 2, EV_IN, 0);
	/* still true: again, but not without a call */
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(0, in_ring(q));
	EXPECT_EQ(0, is_pending(q) && !variant->asked);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 2, EV_IN, 0);
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 2, EV_IN, 0);
	/* false: not any more */
	EXPECT_EQ(0, source_drain(&self->s));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	/* and true once more */
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes(q, 1, variant->asked));
	EXPECT_TAKE(q, 2, EV_IN, 0);
}

/* T17: half the data read, the rest must be reported again. */
TEST_F(mode, level_half_read)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, ADD(0, 3));
	for (n = 0; n < 4; n++)
		ASSERT_EQ(0, source_fire(&self->s));
	for (n = 4; n; n--) {
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_TAKE(q, 3, EV_IN, 0);
		/* of a timer nothing is read instead, but for the last time */
		if (!variant->one_unit || n == 1)
			EXPECT_EQ(8, source_take(&self->s));
	}
	EXPECT_QUIET(q);
}

/* ---- edge ---- */

TEST_F(mode, edge_holds_at_add)
{
	ASSERT_EQ(0, source_fire(&self->s));
	ASSERT_EQ(0, ADD(KEVENT_EDGE, 4));
	EXPECT_EQ(1, in_ring(&self->q));
	EXPECT_TAKE(&self->q, 4, EV_IN, 0);
	EXPECT_QUIET(&self->q);
}

TEST_F(mode, edge_later)
{
	struct ukevent_queue *q = &self->q;
	int i;

	ASSERT_EQ(0, ADD(KEVENT_EDGE, 5));
	EXPECT_QUIET(q);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_EQ(1, comes(q, 1, variant->asked));
	}
	/* the same event three times, one record */
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE(q, 5, EV_IN, 0);
	/* still true, but that is no event */
	EXPECT_QUIET(q);
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	/* more of it is one, with nothing read in between */
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes(q, 1, variant->asked));
	EXPECT_TAKE(q, 5, EV_IN, 0);
	/* and after everything was read */
	EXPECT_EQ(0, source_drain(&self->s));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes(q, 1, variant->asked));
	EXPECT_TAKE(q, 5, EV_IN, 0);
	EXPECT_QUIET(q);
}

/* S1: what comes between taking the record and reading is reported. */
TEST_F(mode, edge_between)
{
	struct ukevent_queue *q = &self->q;
	int i;

	ASSERT_EQ(0, ADD(KEVENT_EDGE, 6));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, source_fire(&self->s));
		ASSERT_EQ(1, comes(q, 1, variant->asked));
		EXPECT_TAKE(q, 6, EV_IN, 0);
		ASSERT_EQ(0, source_fire(&self->s));
		ASSERT_EQ(1, comes(q, 1, variant->asked));
		EXPECT_TAKE(q, 6, EV_IN, 0);
		ASSERT_EQ(0, source_drain(&self->s));
	}
	EXPECT_QUIET(q);
}

/* ---- one-shot ---- */

TEST_F(mode, oneshot)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, ADD(KEVENT_ONESHOT, 7));
	EXPECT_EQ(-EEXIST, ADD(KEVENT_ONESHOT, 7));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes(q, 1, variant->unsure));
	/* ended with its publication, consumed or not */
	EXPECT_EQ(-ENOENT, remove_fd(q->fd, self->s.fd));
	EXPECT_EQ(-ENOENT, modify_fd(q->fd, self->s.fd, EV_IN, 0, 9));
	EXPECT_EQ(-ENOENT, op_fd(q->fd, KEVENT_OP_ENABLE, self->s.fd));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 7, EV_IN, 0);
	EXPECT_QUIET(q);
	/* a new one, for which the condition holds */
	EXPECT_EQ(0, ADD(KEVENT_ONESHOT, 8));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_EQ(-ENOENT, remove_fd(q->fd, self->s.fd));
	EXPECT_TAKE(q, 8, EV_IN, 0);
	EXPECT_QUIET(q);
}

TEST_F(mode, oneshot_last)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, ADD(KEVENT_ONESHOT | KEVENT_WANT_LAST, 9));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes(q, 1, variant->unsure));
	EXPECT_TAKE(q, 9, EV_IN, KEVENT_REC_LAST);
	EXPECT_QUIET(q);
}

/* ---- dispatch ---- */

TEST_F(mode, dispatch)
{
	struct ukevent_queue *q = &self->q;
	int fd = self->s.fd;

	ASSERT_EQ(0, ADD(KEVENT_DISPATCH, 10));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes(q, 1, variant->asked));
	EXPECT_TAKE(q, 10, EV_IN, 0);
	/* disabled until enabled */
	ASSERT_EQ(0, source_fire(&self->s));
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
	/* which looks at once */
	EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_ENABLE, fd));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE(q, 10, EV_IN, 0);
	/* and finds nothing if there is nothing */
	EXPECT_EQ(0, source_drain(&self->s));
	EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_ENABLE, fd));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes(q, 1, variant->asked));
	EXPECT_TAKE(q, 10, EV_IN, 0);
	EXPECT_EQ(0, remove_fd(q->fd, fd));
	EXPECT_QUIET(q);
}

/* ---- the other operations, in each mode ---- */

static const __u32 modes[] = {
	0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
};

TEST_F(mode, starts_disabled)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, source_fire(&self->s));
		ASSERT_EQ(0, ADD(modes[i] | KEVENT_START_DISABLED, 20 + i));
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_ENABLE, self->s.fd));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_TAKE(q, 20 + i, EV_IN, 0);
		EXPECT_EQ(modes[i] == KEVENT_ONESHOT ? -ENOENT : 0,
			  remove_fd(q->fd, self->s.fd));
		EXPECT_EQ(0, source_drain(&self->s));
		EXPECT_QUIET(q);
	}
}

TEST_F(mode, disable_enable)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, ADD(modes[i], 30 + i));
		EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_DISABLE, self->s.fd));
		EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_DISABLE, self->s.fd));
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_QUIET(q);
		/* S1: what happened meanwhile is found */
		EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_ENABLE, self->s.fd));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_TAKE(q, 30 + i, EV_IN, 0);
		EXPECT_EQ(0, source_drain(&self->s));
		EXPECT_EQ(modes[i] == KEVENT_ONESHOT ? -ENOENT : 0,
			  remove_fd(q->fd, self->s.fd));
		EXPECT_QUIET(q);
	}
}

/* A level interest whose record was consumed, disabled: no re-check. */
TEST_F(mode, disable_stops_recheck)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, source_fire(&self->s));
	ASSERT_EQ(0, ADD(0, 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_DISABLE, self->s.fd));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_fd(q->fd, KEVENT_OP_ENABLE, self->s.fd));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE(q, 1, EV_IN, 0);
}

TEST_F(mode, modify)
{
	struct ukevent_queue *q = &self->q;
	int fd = self->s.fd;

	ASSERT_EQ(0, ADD(KEVENT_EDGE, 40));
	/* the cookie */
	EXPECT_EQ(0, modify_fd(q->fd, fd, EV_IN, KEVENT_EDGE, 41));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes(q, 1, variant->asked));
	/* queries anew; a record from before keeps its cookie, hides nothing */
	EXPECT_EQ(0, modify_fd(q->fd, fd, EV_IN, KEVENT_EDGE, 42));
	EXPECT_EQ(2, in_ring(q));
	EXPECT_TAKE(q, 41, EV_IN, 0);
	EXPECT_TAKE(q, 42, EV_IN, 0);
	EXPECT_QUIET(q);
	/* the mode: now it is level */
	EXPECT_EQ(0, modify_fd(q->fd, fd, EV_IN, 0, 43));
	EXPECT_TAKE(q, 43, EV_IN, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 43, EV_IN, 0);
	/* the events: none but errors are left */
	EXPECT_EQ(0, modify_fd(q->fd, fd, 0, 0, 44));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_QUIET(q);
	/* to one-shot, and so to the end */
	EXPECT_EQ(0, modify_fd(q->fd, fd, EV_IN, KEVENT_ONESHOT, 45));
	EXPECT_TAKE(q, 45, EV_IN, 0);
	EXPECT_EQ(-ENOENT, remove_fd(q->fd, fd));
	EXPECT_QUIET(q);
}

/* One unconsumed record is all of a level interest: the new one waits. */
TEST_F(mode, modify_level)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, source_fire(&self->s));
	ASSERT_EQ(0, ADD(0, 46));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(0, modify_fd(q->fd, self->s.fd, EV_IN, 0, 47));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_TAKE(q, 46, EV_IN, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 47, EV_IN, 0);
	EXPECT_EQ(0, source_drain(&self->s));
	EXPECT_QUIET(q);
}

/* S6: after REMOVE nothing, in any mode; what is in the ring stays. */
TEST_F(mode, remove)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, ADD(modes[i], 50 + i));
		EXPECT_EQ(0, remove_fd(q->fd, self->s.fd));
		EXPECT_EQ(-ENOENT, remove_fd(q->fd, self->s.fd));
		ASSERT_EQ(0, source_fire(&self->s));
		sleep_ms(TEST_SHORT_MS);
		EXPECT_QUIET(q);

		ASSERT_EQ(0, ADD(modes[i], 60 + i));
		EXPECT_EQ(modes[i] == KEVENT_ONESHOT ? -ENOENT : 0,
			  remove_fd(q->fd, self->s.fd));
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_TAKE(q, 60 + i, EV_IN, 0);
		EXPECT_EQ(0, source_drain(&self->s));
		EXPECT_QUIET(q);
	}
}

/*
 * Sockets wake with PRI, RDNORM and RDBAND set whatever happened.  What is
 * published was looked at.
 */
TEST_F(mode, nothing_made_up)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};
	short now;

	ASSERT_EQ(0, add_fd(q->fd, self->s.fd, EV_PRI | EV_RDBAND | EV_RDHUP,
			    KEVENT_EDGE, 70, NULL));
	take_all(q, NULL);
	ASSERT_EQ(0, source_fire(&self->s));
	now = is_ready(self->s.fd, POLLPRI | POLLRDBAND | POLLRDHUP, 0);
	EXPECT_EQ(0, now);
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	EXPECT_QUIET(q);

	/* RDNORM is true, and goes by the same way */
	EXPECT_EQ(0, remove_fd(q->fd, self->s.fd));
	EXPECT_EQ(0, source_drain(&self->s));
	ASSERT_EQ(0, add_fd(q->fd, self->s.fd, EV_IN | EV_PRI | EV_RDNORM,
			    KEVENT_EDGE, 71, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	now = is_ready(self->s.fd, POLLIN | POLLRDNORM | POLLPRI, 0);
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	take_all(q, &ev);
	EXPECT_RECORD(&ev, 71, (__u32)now, 0);
	EXPECT_QUIET(q);
}

/* A sleeper is woken by what only a query can tell, and by nothing else. */
TEST_F(mode, sleeper_and_query)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	ASSERT_EQ(0, add_fd(q->fd, self->s.fd, EV_IN | EV_PRI, 0, 81, NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE(q, 81, EV_IN, 0);
}

/* ---- hang-ups and errors ---- */

FIXTURE(hangup)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(hangup)
{
	enum source_kind kind;
	void (*hang_up)(struct source *s);
	__u32 asked;
	__u32 events;
};

static void shut_peer(struct source *s)
{
	shutdown(s->peer, SHUT_WR);
}

static void reset_peer(struct source *s)
{
	struct linger l = { 1, 0 };

	setsockopt(s->peer, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close_peer(s);
}

static void shut_self(struct source *s)
{
	shutdown(s->fd, SHUT_RDWR);
}

FIXTURE_VARIANT_ADD(hangup, pipe_writer)
{
	.kind = SRC_PIPE,
	.hang_up = close_peer,
	.events = EV_HUP,
};

FIXTURE_VARIANT_ADD(hangup, unix_close)
{
	.kind = SRC_UNIX,
	.hang_up = close_peer,
	.asked = EV_IN | EV_RDHUP,
	.events = EV_IN | EV_RDHUP | EV_HUP,
};

FIXTURE_VARIANT_ADD(hangup, unix_close_unasked)
{
	.kind = SRC_UNIX,
	.hang_up = close_peer,
	.events = EV_HUP,
};

FIXTURE_VARIANT_ADD(hangup, unix_shutdown)
{
	.kind = SRC_UNIX,
	.hang_up = shut_peer,
	.asked = EV_RDHUP,
	.events = EV_RDHUP,
};

FIXTURE_VARIANT_ADD(hangup, tcp4_fin)
{
	.kind = SRC_TCP4,
	.hang_up = shut_peer,
	.asked = EV_RDHUP,
	.events = EV_RDHUP,
};

FIXTURE_VARIANT_ADD(hangup, tcp6_fin_in)
{
	.kind = SRC_TCP6,
	.hang_up = close_peer,
	.asked = EV_IN | EV_RDHUP,
	.events = EV_IN | EV_RDHUP,
};

FIXTURE_VARIANT_ADD(hangup, tcp4_reset)
{
	.kind = SRC_TCP4,
	.hang_up = reset_peer,
	.asked = EV_RDHUP,
	.events = EV_RDHUP | EV_ERR | EV_HUP,
};

FIXTURE_VARIANT_ADD(hangup, tcp6_reset_unasked)
{
	.kind = SRC_TCP6,
	.hang_up = reset_peer,
	.events = EV_ERR | EV_HUP,
};

FIXTURE_VARIANT_ADD(hangup, tcp4_own_shutdown)
{
	.kind = SRC_TCP4,
	.hang_up = shut_self,
	.asked = EV_RDHUP,
	.events = EV_RDHUP,
};

FIXTURE_VARIANT_ADD(hangup, pty_master)
{
	.kind = SRC_PTY,
	.hang_up = close_peer,
	.events = EV_HUP,
};

FIXTURE_SETUP(hangup)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, source_open(&self->s, variant->kind));
}

FIXTURE_TEARDOWN(hangup)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

/* All bits of the records until those wanted are there, or nothing comes. */
static __u32 collect(struct ukevent_queue *q, __u32 want)
{
	struct ukevent ev;
	__u32 got = 0;

	while ((got & want) != want && wait_ms(q, 1, TEST_LONG_MS) > 0)
		while (ukevent_take(q, &ev, 1))
			got |= ev.events;
	return got;
}

TEST_F(hangup, while_running)
{
	struct ukevent_queue *q = &self->q;
	__u32 got;

	ASSERT_EQ(0, add_fd(q->fd, self->s.fd, variant->asked, KEVENT_EDGE, 1,
			    NULL));
	EXPECT_QUIET(q);
	variant->hang_up(&self->s);
	/* in the ring or held back for a query: the flag word says so */
	while (!in_ring(q) && !is_pending(q))
		sched_yield();
	got = collect(q, variant->events);
	EXPECT_EQ(variant->events, got & variant->events);
	/* nothing but what poll() sees and what was asked for */
	EXPECT_EQ(0U, got & ~(variant->asked | EV_ERR | EV_HUP));
	EXPECT_EQ(0U, got & ~(__u32)is_ready(self->s.fd, POLLIN | POLLRDHUP,
					     0));
}

TEST_F(hangup, while_asleep)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};
	struct waiter w;
	__u32 got = 0;

	ASSERT_EQ(0, add_fd(q->fd, self->s.fd, variant->asked, KEVENT_EDGE, 1,
			    NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	variant->hang_up(&self->s);
	EXPECT_LE(1, waiter_result(&w));
	while (ukevent_take(q, &ev, 1))
		got |= ev.events;
	got |= collect(q, variant->events & ~got);
	EXPECT_EQ(variant->events, got & variant->events);
	EXPECT_EQ(0U, got & ~(variant->asked | EV_ERR | EV_HUP));
}

TEST_F(hangup, level_again)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};
	int i;

	ASSERT_EQ(0, add_fd(q->fd, self->s.fd, variant->asked, 0, 1, NULL));
	variant->hang_up(&self->s);
	EXPECT_EQ(variant->events, collect(q, variant->events) &
		  variant->events);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_EQ(1, take_all(q, &ev));
		EXPECT_EQ(variant->events, ev.events & variant->events);
	}
}

TEST_F(hangup, holds_at_add)
{
	struct ukevent_queue *q = &self->q;
	struct pollfd p = { .fd = self->s.fd, .events = variant->asked };

	variant->hang_up(&self->s);
	while (poll(&p, 1, TEST_LONG_MS) == 1 &&
	       (p.revents & variant->events) != variant->events)
		sched_yield();
	ASSERT_EQ(0, add_fd(q->fd, self->s.fd, variant->asked, KEVENT_ONESHOT,
			    1, NULL));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE(q, 1, (__u32)(unsigned short)p.revents, 0);
}

/* ---- events that are not about reading ---- */

FIXTURE(write_side)
{
	struct ukevent_queue q;
	int fds[2];
};

FIXTURE_SETUP(write_side)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, pipe2(self->fds, O_CLOEXEC | O_NONBLOCK));
}

FIXTURE_TEARDOWN(write_side)
{
	ukevent_queue_exit(&self->q);
}

static void fill(int fd)
{
	static char junk[65536];

	while (write(fd, junk, sizeof(junk)) > 0)
		;
}

static void drain(int fd)
{
	static char junk[65536];

	while (read(fd, junk, sizeof(junk)) > 0)
		;
}

TEST_F(write_side, pipe)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_fd(q->fd, self->fds[1], EV_OUT, 0, 1, NULL));
	EXPECT_TAKE(q, 1, EV_OUT, 0);
	fill(self->fds[1]);
	EXPECT_QUIET(q);
	drain(self->fds[0]);
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EV_OUT, 0);
	fill(self->fds[1]);
	EXPECT_QUIET(q);
	/* no reader: an error, which needs not be asked for */
	close(self->fds[0]);
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EV_ERR, 0);
}

TEST_F(write_side, tcp)
{
	struct ukevent_queue *q = &self->q;
	struct source s;

	ASSERT_EQ(0, source_open(&s, SRC_TCP4));
	ASSERT_EQ(0, add_fd(q->fd, s.fd, EV_IN | EV_OUT, KEVENT_EDGE, 1, NULL));
	EXPECT_TAKE(q, 1, EV_OUT, 0);
	do {	/* until the other side has taken what it can, which is told, too */
		fill(s.fd);
	} while (is_ready(s.fd, POLLOUT, TEST_SHORT_MS) || take_all(q, NULL));
	fcntl(s.peer, F_SETFL, O_NONBLOCK);
	do {
		drain(s.peer);
	} while (!(is_ready(s.fd, POLLOUT, 1) & POLLOUT));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EV_OUT, 0);
	source_close(&s);
}

TEST_F(write_side, listener)
{
	struct ukevent_queue *q = &self->q;
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int l, c[3], i, fd;

	loopback_up();
	l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, bind(l, (struct sockaddr *)&addr, len));
	ASSERT_EQ(0, listen(l, 8));
	ASSERT_EQ(0, getsockname(l, (struct sockaddr *)&addr, &len));
	ASSERT_EQ(0, add_fd(q->fd, l, EV_IN, 0, 1, NULL));
	EXPECT_QUIET(q);
	for (i = 0; i < 3; i++) {
		c[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ASSERT_EQ(0, connect(c[i], (struct sockaddr *)&addr, len));
	}
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_TAKE(q, 1, EV_IN, 0);
		fd = accept4(l, NULL, NULL, SOCK_CLOEXEC);
		EXPECT_LE(0, fd);
		close(fd);
	}
	EXPECT_QUIET(q);
}

/* Urgent data is PRI, and PRI is looked at before it is said. */
TEST_F(write_side, urgent)
{
	struct ukevent_queue *q = &self->q;
	struct source s;

	ASSERT_EQ(0, source_open(&s, SRC_TCP4));
	ASSERT_EQ(0, add_fd(q->fd, s.fd, EV_PRI, KEVENT_EDGE, 1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(1, send(s.peer, "u", 1, MSG_OOB));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EV_PRI, 0);
	source_close(&s);
}

/*
 * T24: a wait queue that dies before its file.  A signalfd is polled on the
 * signal handlers of who calls, here a child that goes away.
 */
TEST_F(write_side, signalfd_of_the_dead)
{
	struct ukevent_queue *q = &self->q;
	sigset_t set;
	int i, fd, status;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = syscall(SYS_signalfd4, -1, &set, 8, O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, fd);
	for (i = 0; i < 20; i++) {
		pid = fork();
		if (!pid)
			_exit(-add_fd(q->fd, fd, EV_IN, KEVENT_EDGE, 1, NULL));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
		/* no use of the head that is gone, no hang, no loop */
		EXPECT_LE(0, flush_ring(q));
		take_all(q, NULL);
		EXPECT_QUIET(q);
		if (i % 2)
			EXPECT_EQ(0, modify_fd(q->fd, fd, EV_IN, 0, 2));
		EXPECT_EQ(0, remove_fd(q->fd, fd));
		EXPECT_QUIET(q);
	}
	/* and with the file closed last */
	pid = fork();
	if (!pid)
		_exit(-add_fd(q->fd, fd, EV_IN, KEVENT_WANT_LAST, 3, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	close(fd);
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 3, EV_HUP, KEVENT_REC_LAST);
	EXPECT_QUIET(q);
}

TEST_HARNESS_MAIN
