// SPDX-License-Identifier: GPL-2.0
/*
 * What a record promises, beside epoll: a test for each line of the table in
 * Documentation/kevent/reference.rst.
 */
#include "counted.h"
#include "kevent_test.h"

FIXTURE(promise)
{
	struct ukevent_queue q;
	int epfd;
	int fd;
};

FIXTURE_VARIANT(promise)
{
	__u32 mode;
	__u32 epoll;
};

FIXTURE_VARIANT_ADD(promise, level)
{
	.mode = 0,
	.epoll = 0,
};

FIXTURE_VARIANT_ADD(promise, edge)
{
	.mode = KEVENT_EDGE,
	.epoll = EPOLLET,
};

FIXTURE_VARIANT_ADD(promise, dispatch)
{
	.mode = KEVENT_DISPATCH,
	.epoll = EPOLLONESHOT,
};

/* An eventfd of 0, which is to be written to, in both. */
FIXTURE_SETUP(promise)
{
	struct epoll_event ev = { .events = EPOLLIN | variant->epoll };

	ASSERT_EQ(0, queue_init(&self->q, 8));
	self->epfd = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_GE(self->epfd, 0);
	self->fd = make_eventfd(0);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, variant->mode, 1,
			    NULL));
	ev.data.u64 = 1;
	ASSERT_EQ(0, epoll_ctl(self->epfd, EPOLL_CTL_ADD, self->fd, &ev));
}

FIXTURE_TEARDOWN(promise)
{
	close(self->fd);
	close(self->epfd);
	ukevent_queue_exit(&self->q);
}

/* What epoll tells now: events, 0 for nothing. */
static __u32 epoll_tells(int epfd)
{
	struct epoll_event ev;
	int n = epoll_wait(epfd, &ev, 1, 0);

	return n == 1 ? ev.events : (__u32)n;
}

/* What one dequeue tells. */
static __u32 kevent_tells(struct ukevent_queue *q)
{
	struct ukevent ev;
	int n = ukevent_dequeue(q, &ev, 0);

	return n == 1 ? ev.events : (__u32)n;
}

/* A record tells what was announced; epoll what holds when it is asked. */
TEST(announced_not_all)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	int epfd = epoll_create1(EPOLL_CLOEXEC), fd = make_eventfd(0);
	struct ukevent_queue q;

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, add_fd(q.fd, fd, EV_IN | EV_OUT, KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev));
	/* ADD asks, as does whoever looks because the kernel has to be entered */
	EXPECT_EQ(EV_OUT, kevent_tells(&q));
	EXPECT_EQ(EV_OUT, epoll_tells(epfd));
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(EV_IN, kevent_tells(&q));
	EXPECT_EQ(EV_IN | EV_OUT, epoll_tells(epfd));
	close(fd);
	close(epfd);
	ukevent_queue_exit(&q);
}

/* What was read meanwhile: one empty read, and one only. */
TEST_F(promise, read_meanwhile)
{
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(1, eventfd_take(self->fd));
	EXPECT_EQ(EV_IN, kevent_tells(&self->q));
	EXPECT_EQ(0, eventfd_take(self->fd));
	EXPECT_EQ(0, kevent_tells(&self->q));
	EXPECT_EQ(0, epoll_tells(self->epfd));
}

/* What comes while a record is unread: that one stands for it. */
TEST_F(promise, comes_while_unread)
{
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, in_ring(&self->q));
	EXPECT_EQ(EV_IN, kevent_tells(&self->q));
	EXPECT_EQ(2, eventfd_take(self->fd));
	EXPECT_EQ(0, kevent_tells(&self->q));
}

/* What comes after it was taken is in the next one. */
TEST_F(promise, comes_after)
{
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(EV_IN, kevent_tells(&self->q));
	EXPECT_EQ(EV_IN, epoll_tells(self->epfd));
	ASSERT_EQ(1, eventfd_take(self->fd));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	if (variant->mode == KEVENT_DISPATCH) {
		struct epoll_event ev = { .events = EPOLLIN | EPOLLONESHOT };

		EXPECT_EQ(0, kevent_tells(&self->q));
		EXPECT_EQ(0, epoll_tells(self->epfd));
		ASSERT_EQ(0, op_fd(self->q.fd, KEVENT_OP_ENABLE, self->fd));
		ASSERT_EQ(0, epoll_ctl(self->epfd, EPOLL_CTL_MOD, self->fd,
				       &ev));
	}
	EXPECT_EQ(EV_IN, kevent_tells(&self->q));
	EXPECT_EQ(EV_IN, epoll_tells(self->epfd));
}

/* What holds on is told again to level only. */
TEST_F(promise, holds_on)
{
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(EV_IN, kevent_tells(&self->q));
	EXPECT_EQ(EV_IN, epoll_tells(self->epfd));
	EXPECT_EQ(variant->mode ? 0 : EV_IN, kevent_tells(&self->q));
	EXPECT_EQ(variant->mode ? 0 : EV_IN, epoll_tells(self->epfd));
}

/* Records of before a REMOVE, or the close, are there after it. */
TEST_F(promise, removed)
{
	struct ukevent ev;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, remove_fd(self->q.fd, self->fd));
	ASSERT_EQ(0, epoll_ctl(self->epfd, EPOLL_CTL_DEL, self->fd, NULL));
	ASSERT_EQ(1, ukevent_dequeue(&self->q, &ev, 0));
	EXPECT_EQ(1, ev.cookie);
	EXPECT_EQ(0, kevent_tells(&self->q));
	EXPECT_EQ(0, epoll_tells(self->epfd));
}

/* So are those of before a MODIFY, with the old cookie and for what was asked. */
TEST_F(promise, modified)
{
	struct epoll_event epoll = {
		.events = EPOLLOUT | variant->epoll, .data.u64 = 2,
	};
	struct ukevent ev;

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, modify_fd(self->q.fd, self->fd, EV_OUT, variant->mode, 2));
	ASSERT_EQ(0, epoll_ctl(self->epfd, EPOLL_CTL_MOD, self->fd, &epoll));
	ASSERT_EQ(1, ukevent_dequeue(&self->q, &ev, 0));
	EXPECT_EQ(1, ev.cookie);
	EXPECT_EQ(EV_IN, ev.events);
	ASSERT_EQ(1, ukevent_dequeue(&self->q, &ev, 0));
	EXPECT_EQ(2, ev.cookie);
	EXPECT_EQ(EV_OUT, ev.events);
	ASSERT_EQ(1, epoll_wait(self->epfd, &epoll, 1, 0));
	EXPECT_EQ(2, epoll.data.u64);
	EXPECT_EQ(EV_OUT, epoll.events);
}

/* Errors and hang-ups are told to who has not asked. */
TEST_F(promise, hang_up)
{
	struct epoll_event ev = { .events = variant->epoll };
	int end[2];

	ASSERT_EQ(0, pipe(end));
	ASSERT_EQ(0, add_fd(self->q.fd, end[0], 0, variant->mode, 2, NULL));
	ASSERT_EQ(0, epoll_ctl(self->epfd, EPOLL_CTL_ADD, end[0], &ev));
	close(end[1]);
	EXPECT_EQ(EV_HUP, kevent_tells(&self->q));
	EXPECT_EQ(EV_HUP, epoll_tells(self->epfd));
	close(end[0]);
}

/* ---- asking poll(2) first: as epoll ---- */

/**
 * struct asked - what ukevent_ask() is told of interests
 * @fd: by cookie
 * @mode: of all of them
 * @events: of all of them
 */
struct asked {
	int	fd[16];
	__u32	mode;
	__u32	events;
};

static __u32 asked_interest(struct ukevent_loop *loop, const struct ukevent *ev,
			    struct pollfd *pfd)
{
	const struct asked *asked = loop->data;

	pfd->fd = asked->fd[ev->cookie];
	pfd->events = asked->events;
	return asked->mode;
}

FIXTURE(ask)
{
	struct ukevent_loop loop;
	struct ukevent_queue q;
	struct asked asked;
	struct ukevent ev[64];
};

FIXTURE_VARIANT(ask)
{
	bool noring;
	__u32 mode;
	int (*turn)(struct ukevent_loop *loop, struct ukevent *buf, uint32_t max,
		    uint64_t timeout_ns);
};

FIXTURE_VARIANT_ADD(ask, level)
{
	.turn = ukevent_turn,
};

FIXTURE_VARIANT_ADD(ask, edge)
{
	.mode = KEVENT_EDGE,
	.turn = ukevent_turn,
};

FIXTURE_VARIANT_ADD(ask, edge_shared)
{
	.mode = KEVENT_EDGE,
	.turn = ukevent_turn_shared,
};

FIXTURE_VARIANT_ADD(ask, dispatch)
{
	.mode = KEVENT_DISPATCH,
	.turn = ukevent_turn,
};

FIXTURE_VARIANT_ADD(ask, get_events)
{
	.noring = true,
	.mode = KEVENT_EDGE,
	.turn = ukevent_turn,
};

FIXTURE_SETUP(ask)
{
	int i;

	ASSERT_EQ(0, variant->noring ? queue_init_noring(&self->q, 64) :
				       queue_init(&self->q, 64));
	ukevent_loop_init(&self->loop, &self->q, NULL);
	self->loop.interest = asked_interest;
	self->loop.data = &self->asked;
	self->asked.mode = variant->mode;
	self->asked.events = POLLIN;
	for (i = 0; i < 16; i++) {
		self->asked.fd[i] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(self->q.fd, self->asked.fd[i], EV_IN,
				    variant->mode, i, NULL));
	}
}

FIXTURE_TEARDOWN(ask)
{
	int i;

	for (i = 0; i < 16; i++)
		close(self->asked.fd[i]);
	ukevent_queue_exit(&self->q);
}

#define TURN(timeout) variant->turn(&self->loop, self->ev, 64, timeout)

/* What was read meanwhile is not told, by one poll(2) for all. */
TEST_F(ask, read_meanwhile)
{
	int i;

	for (i = 0; i < 16; i++)
		ASSERT_EQ(0, eventfd_add(self->asked.fd[i], 1));
	for (i = 0; i < 16; i += 2)
		ASSERT_EQ(1, eventfd_take(self->asked.fd[i]));
	counted.poll = 0;
	ASSERT_EQ(8, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(1, counted.poll);
	for (i = 0; i < 8; i++) {
		EXPECT_EQ(2 * i + 1, self->ev[i].cookie);
		EXPECT_EQ(1, eventfd_take(self->asked.fd[2 * i + 1]));
	}
	/* those come back that were dropped, also if they had to be enabled */
	ASSERT_EQ(0, TURN(0));
	ASSERT_EQ(0, eventfd_add(self->asked.fd[4], 1));
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(4, self->ev[0].cookie);
	EXPECT_EQ(1, eventfd_take(self->asked.fd[4]));
}

static void *writes_later(void *fd)
{
	sleep_ms(TEST_SHORT_MS);
	eventfd_add((long)fd, 1);
	return NULL;
}

/* Who sleeps for ever sleeps on if nothing holds. */
TEST_F(ask, sleeps_on)
{
	pthread_t thread;

	ASSERT_EQ(0, eventfd_add(self->asked.fd[0], 1));
	ASSERT_EQ(1, eventfd_take(self->asked.fd[0]));
	ASSERT_EQ(0, pthread_create(&thread, NULL, writes_later,
				    (void *)(long)self->asked.fd[0]));
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(0, self->ev[0].cookie);
	EXPECT_EQ(1, eventfd_take(self->asked.fd[0]));
	pthread_join(thread, NULL);
}

/* All that holds is told, as by epoll. */
TEST_F(ask, all_that_holds)
{
	int fd = self->asked.fd[0];

	ASSERT_EQ(0, modify_fd(self->q.fd, fd, EV_IN | EV_OUT, variant->mode, 0));
	self->asked.events = POLLIN | POLLOUT;
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(EV_OUT, self->ev[0].events);
	/* a record of one of the two */
	if (variant->mode == KEVENT_DISPATCH)
		ASSERT_EQ(0, op_fd(self->q.fd, KEVENT_OP_ENABLE, fd));
	ASSERT_EQ(0, eventfd_add(fd, 1));
	ASSERT_EQ(1, TURN(UKEVENT_FOREVER));
	EXPECT_EQ(EV_IN | EV_OUT, self->ev[0].events);
}

/* No other record would follow: they are told as they are. */
TEST_F(ask, never_dropped)
{
	int one = make_eventfd(1), last = make_eventfd(1);
	__u32 seen = 0;
	int i, n;

	ASSERT_EQ(0, add_fd(self->q.fd, one, EV_IN, KEVENT_ONESHOT, 0, NULL));
	ASSERT_EQ(0, add_fd(self->q.fd, last, EV_IN,
			    KEVENT_ONESHOT | KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, ukevent_add(&self->q, KEVENT_TYPE_USER, 2, 1, 0, 2));
	ASSERT_EQ(0, ukevent_trigger(&self->q, 2, 0));
	self->asked.mode = KEVENT_ONESHOT;
	ASSERT_EQ(1, eventfd_take(one));
	ASSERT_EQ(1, eventfd_take(last));
	n = TURN(UKEVENT_FOREVER);
	ASSERT_EQ(3, n);
	for (i = 0; i < n; i++)
		seen |= 1 << self->ev[i].cookie;
	EXPECT_EQ(7, seen);
	close(one);
	close(last);
}

TEST_HARNESS_MAIN
