// SPDX-License-Identifier: GPL-2.0
/*
 * The library: level interests, whoever makes them; changes that are gathered and
 * ride along with a wait; dequeueing by one and by several consumers, with and
 * without a ring; forks.
 */
#include "counted.h"
#include "process_test.h"

#include <sys/time.h>

/* ---- level interests are told again, whoever made them ---- */

static int by_add(struct ukevent_queue *q, int fd)
{
	return ukevent_add_poll(q, fd, POLLIN, 0, 1);
}

static int by_change(struct ukevent_queue *q, int fd)
{
	struct kevent_change c;

	return ukevent_change(q, ukevent_prep_poll(&c, KEVENT_OP_SET, fd, POLLIN,
						   0, 1));
}

static int by_ctl(struct ukevent_queue *q, int fd)
{
	return add_fd(q->fd, fd, POLLIN, 0, 1, NULL);
}

static int by_modify(struct ukevent_queue *q, int fd)
{
	return add_fd(q->fd, fd, POLLIN, KEVENT_EDGE, 2, NULL) ?:
	       modify_fd(q->fd, fd, POLLIN, 0, 1);
}

static int by_set(struct ukevent_queue *q, int fd)
{
	struct kevent_change c = make_change(KEVENT_OP_SET, fd, POLLIN, 0, 1);

	return add_fd(q->fd, fd, POLLIN, KEVENT_DISPATCH, 2, NULL) ?:
	       do_change(q->fd, &c);
}

static int by_gathered(struct ukevent_queue *q, int fd)
{
	struct ukevent_loop loop;

	ukevent_loop_init(&loop, q, NULL);
	ukevent_prep_poll(ukevent_next(&loop), KEVENT_OP_ADD, fd, POLLIN, 0, 1);
	return ukevent_flush(&loop);
}

static int by_wait(struct ukevent_queue *q, int fd)
{
	struct kevent_change c = make_change(KEVENT_OP_ADD, fd, POLLIN, 0, 1);
	struct kevent_wait_args args = {
		.nr_changes = 1, .changes = (uintptr_t)&c,
		.change_size = sizeof(c),
	};

	return sys_kevent_wait(q->fd, 1, &args, sizeof(args)) == 1 ? 0 : -EPROTO;
}

static int by_child(struct ukevent_queue *q, int fd)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-by_ctl(q, fd));
	return child_status(pid);
}

/* A queue that is opened finds what there is. */
static int by_who_opens(struct ukevent_queue *q, int fd)
{
	return by_ctl(q, fd) ?: ukevent_queue_remap(q);
}

FIXTURE(starved)
{
	struct ukevent_queue q;
	int fd;
};

FIXTURE_VARIANT(starved)
{
	int (*make)(struct ukevent_queue *q, int fd);
};

#define STARVED(path)						\
FIXTURE_VARIANT_ADD(starved, path)				\
{								\
	.make = path,						\
}

STARVED(by_add);
STARVED(by_change);
STARVED(by_ctl);
STARVED(by_modify);
STARVED(by_set);
STARVED(by_gathered);
STARVED(by_wait);
STARVED(by_child);
STARVED(by_who_opens);

FIXTURE_SETUP(starved)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	self->fd = make_eventfd(1);
	ASSERT_GE(self->fd, 0);
	ASSERT_EQ(0, variant->make(&self->q, self->fd));
}

FIXTURE_TEARDOWN(starved)
{
	close(self->fd);
	ukevent_queue_exit(&self->q);
}

/* It stays ready, and each look tells it, also of who never sleeps. */
TEST_F(starved, told_each_time)
{
	struct ukevent ev;
	int i, told = 0;

	for (i = 0; i < 1000; i++)
		told += ukevent_dequeue(&self->q, &ev, 0);
	EXPECT_EQ(1000, told);
}

/* Beside one that keeps the ring from being empty. */
TEST_F(starved, told_beside_others)
{
	int i, n, fd = make_eventfd(0), told = 0, others = 0;
	struct ukevent ev;

	ASSERT_EQ(0, add_fd(self->q.fd, fd, POLLIN, KEVENT_EDGE, 3, NULL));
	for (i = 0; i < 1000; i++) {
		ASSERT_EQ(0, eventfd_add(fd, 1));
		n = ukevent_dequeue(&self->q, &ev, 0);
		ASSERT_EQ(1, n);
		if (ev.cookie == 1)
			told++;
		else
			others++;
	}
	EXPECT_GE(told, 50);
	EXPECT_GE(others, 50);
	close(fd);
}

/* Who has no level interest does not enter the kernel for any. */
TEST(no_level_no_calls)
{
	static const __u32 others[] = {
		KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
	};
	struct ukevent_queue q;
	struct ukevent ev;
	unsigned int i, before;
	int fd[3];

	ASSERT_EQ(0, queue_init(&q, 8));
	for (i = 0; i < 3; i++) {
		fd[i] = make_eventfd(0);
		ASSERT_EQ(0, ukevent_add_poll(&q, fd[i], POLLIN, others[i], i));
	}
	/* Level and edge are the same. */
	ASSERT_EQ(0, ukevent_add(&q, KEVENT_TYPE_USER, 1, 1, 0, 9));
	before = counted.wait;
	for (i = 0; i < 100; i++)
		EXPECT_EQ(0, ukevent_dequeue(&q, &ev, 0));
	EXPECT_EQ(before, counted.wait);
	ukevent_queue_exit(&q);
	for (i = 0; i < 3; i++)
		close(fd[i]);
}

/* ---- what is gathered ---- */

/**
 * struct told - what the callback was told
 * @nr: how often
 * @last: result of the last one
 * @ident: sum of what they named
 * @more: ADDs it gathers for each
 * @added: number of the next one
 */
struct told {
	unsigned int	nr;
	int		last;
	__u64		ident;
	unsigned int	more;
	__u64		added;
};

static void told_failed(struct ukevent_loop *loop,
			const struct kevent_change *change)
{
	struct told *told = loop->data;
	unsigned int i;

	told->nr++;
	told->last = change->result;
	told->ident += change->ident;
	for (i = 0; i < told->more; i++)
		ukevent_prep_user(ukevent_next(loop), KEVENT_OP_ADD,
				  ++told->added, KEVENT_EDGE, 0);
}

/**
 * struct order - of all that was told, of both kinds
 * @nr: how many
 * @change: what was told
 * @more: an ADD that each of those that were applied gathers, until there are so many
 */
struct order {
	unsigned int		nr;
	struct kevent_change	change[4 * UKEVENT_GATHERED];
	unsigned int		more;
};

static void order_told(struct ukevent_loop *loop, const struct kevent_change *change)
{
	struct order *order = loop->data;

	if (order->nr < ARRAY_SIZE(order->change))
		order->change[order->nr++] = *change;
	if (order->nr <= order->more)
		ukevent_prep_user(ukevent_next(loop), KEVENT_OP_ADD,
				  1000 + order->nr, KEVENT_EDGE, 0);
}

FIXTURE(loop)
{
	struct ukevent_queue q;
	struct ukevent_loop loop;
	struct told told;
	struct order order;
	struct ukevent ev[64];
	unsigned int ctl, wait;
};

FIXTURE_VARIANT(loop)
{
	bool noring;
	int (*turn)(struct ukevent_loop *loop, struct ukevent *buf, uint32_t max,
		    uint64_t timeout_ns);
};

FIXTURE_VARIANT_ADD(loop, ring)
{
	.turn = ukevent_turn,
};

FIXTURE_VARIANT_ADD(loop, ring_shared)
{
	.turn = ukevent_turn_shared,
};

FIXTURE_VARIANT_ADD(loop, get_events)
{
	.noring = true,
	.turn = ukevent_turn,
};

FIXTURE_VARIANT_ADD(loop, get_events_shared)
{
	.noring = true,
	.turn = ukevent_turn_shared,
};

FIXTURE_SETUP(loop)
{
	ASSERT_EQ(0, variant->noring ? queue_init_noring(&self->q, 256) :
				       queue_init(&self->q, 256));
	ukevent_loop_init(&self->loop, &self->q, told_failed);
	memset(&self->told, 0, sizeof(self->told));
	self->loop.data = &self->told;
	memset(&counted, 0, sizeof(counted));
}

FIXTURE_TEARDOWN(loop)
{
	ukevent_queue_exit(&self->q);
}

#define TURN(max, timeout) \
	variant->turn(&self->loop, self->ev, max, timeout)

#define EXPECT_CALLS(ctls, waits) \
do { \
	EXPECT_EQ((unsigned int)(ctls), counted.ctl); \
	EXPECT_EQ((unsigned int)(waits), counted.wait); \
} while (0)

static void gather_user(struct ukevent_loop *loop, __u64 number)
{
	ukevent_prep_user(ukevent_next(loop), KEVENT_OP_ADD, number,
			  KEVENT_EDGE, number);
}

/* Changes and sleep in one entry, in order. */
TEST_F(loop, rides_along)
{
	gather_user(&self->loop, 1);
	gather_user(&self->loop, 2);
	ukevent_prep_trigger(ukevent_next(&self->loop), 2, 20, 0);
	ukevent_prep_trigger(ukevent_next(&self->loop), 1, 10, 7);
	EXPECT_CALLS(0, 0);
	ASSERT_EQ(2, TURN(64, UKEVENT_FOREVER));
	EXPECT_CALLS(0, 1);
	EXPECT_EQ(2U, self->ev[0].cookie);
	EXPECT_EQ(20U, self->ev[0].data[0]);
	EXPECT_EQ(1U, self->ev[1].cookie);
	EXPECT_EQ(7U, self->ev[1].data[1]);
	EXPECT_EQ(0U, self->loop.nr);
	EXPECT_EQ(0U, self->told.nr);
}

/* Records that are there do not keep changes from being applied. */
TEST_F(loop, not_put_off)
{
	gather_user(&self->loop, 1);
	ukevent_prep_trigger(ukevent_next(&self->loop), 1, 0, 0);
	ASSERT_EQ(0, ukevent_flush(&self->loop));
	gather_user(&self->loop, 2);
	ASSERT_EQ(1, TURN(1, UKEVENT_FOREVER));
	EXPECT_CALLS(1, 1);
	EXPECT_EQ(0, ukevent_trigger(&self->q, 2, 0));
	EXPECT_EQ(1, TURN(1, 0));
}

TEST_F(loop, timeout)
{
	gather_user(&self->loop, 1);
	EXPECT_EQ(0, TURN(64, NSEC_PER_MSEC));
	gather_user(&self->loop, 2);
	EXPECT_EQ(0, TURN(64, 0));
	EXPECT_EQ(0U, self->loop.nr);
	EXPECT_EQ(0U, self->told.nr);
	EXPECT_CALLS(0, 2);
}

/* Who would sleep for ever hears of it first. */
TEST_F(loop, one_fails)
{
	gather_user(&self->loop, 1);
	gather_user(&self->loop, 1);
	gather_user(&self->loop, 2);
	EXPECT_EQ(0, TURN(64, UKEVENT_FOREVER));
	EXPECT_EQ(1U, self->told.nr);
	EXPECT_EQ(-EEXIST, self->told.last);
	EXPECT_EQ(0, ukevent_trigger(&self->q, 2, 0));
	EXPECT_EQ(1, TURN(64, UKEVENT_FOREVER));
	EXPECT_EQ(1U, self->told.nr);
}

/* What each entry came to, in order: the id, by which it is removed, or the error. */
static const struct {
	unsigned int	op;
	__u32		flags;
	__u64		number;
	int		result;
} outcomes[] = {
	{ KEVENT_OP_ADD,	KEVENT_EDGE,	1, 0 },
	{ KEVENT_OP_ADD,	KEVENT_EDGE,	1, -EEXIST },
	{ KEVENT_OP_SET,	KEVENT_EDGE,	1, 0 },
	{ KEVENT_OP_MODIFY,	KEVENT_EDGE,	2, -ENOENT },
	{ KEVENT_OP_ADD,	KEVENT_EDGE,	2, 0 },
	{ KEVENT_OP_DISABLE,	0,		2, 0 },
	{ KEVENT_OP_REMOVE,	0,		3, -ENOENT },
};

TEST_F(loop, tells_ids)
{
	unsigned int i, with_id[2] = { 0, 4 };

	self->loop.failed = order_told;
	self->loop.applied = order_told;
	self->loop.data = &self->order;
	for (i = 0; i < ARRAY_SIZE(outcomes); i++)
		ukevent_prep(ukevent_next(&self->loop), outcomes[i].op, KEVENT_TYPE_USER,
			     outcomes[i].number, 0, outcomes[i].flags, 0);
	EXPECT_EQ(0, TURN(64, 0));
	ASSERT_EQ(ARRAY_SIZE(outcomes), self->order.nr);
	for (i = 0; i < ARRAY_SIZE(outcomes); i++) {
		EXPECT_EQ(outcomes[i].op, self->order.change[i].op);
		EXPECT_EQ(outcomes[i].number, self->order.change[i].ident);
		EXPECT_EQ(outcomes[i].result, self->order.change[i].result);
	}
	EXPECT_EQ(self->order.change[0].id, self->order.change[2].id);
	for (i = 0; i < ARRAY_SIZE(with_id); i++)
		EXPECT_EQ(0, ukevent_op_id(&self->q, KEVENT_OP_REMOVE, KEVENT_TYPE_USER,
					   self->order.change[with_id[i]].id, 0));
	EXPECT_EQ(-ENOENT, ukevent_trigger(&self->q, 1, 0));
	EXPECT_EQ(-ENOENT, ukevent_trigger(&self->q, 2, 0));
}

/* Who is told of an id gathers the next: each is told once, also when there was no room. */
TEST_F(loop, applied_gathers)
{
	const unsigned int nr = 2 * UKEVENT_GATHERED;
	unsigned int i;

	self->loop.applied = order_told;
	self->loop.data = &self->order;
	self->order.more = nr;
	for (i = 0; i < UKEVENT_GATHERED; i++)
		gather_user(&self->loop, i);
	EXPECT_EQ(0, TURN(64, 0));
	while (self->loop.nr)
		EXPECT_EQ(0, TURN(64, 0));
	ASSERT_EQ(UKEVENT_GATHERED + nr, self->order.nr);
	for (i = 0; i < self->order.nr; i++) {
		EXPECT_EQ(i < UKEVENT_GATHERED ? i : 1000 + i - UKEVENT_GATHERED + 1,
			  self->order.change[i].ident);
		EXPECT_NE(0U, self->order.change[i].id);
	}
}

/* Those that find no room: one call for each array. */
TEST_F(loop, full)
{
	__u64 i;

	for (i = 0; i < 3 * UKEVENT_GATHERED; i++)
		gather_user(&self->loop, i / 2);	/* every second fails */
	EXPECT_CALLS(2, 0);
	EXPECT_EQ(UKEVENT_GATHERED, self->told.nr);
	EXPECT_EQ(0, TURN(64, UKEVENT_FOREVER));
	EXPECT_EQ(3 * UKEVENT_GATHERED / 2, self->told.nr);
	EXPECT_CALLS(2, 1);
	for (i = 0; i < 3 * UKEVENT_GATHERED / 2; i++)
		EXPECT_EQ(0, ukevent_trigger(&self->q, i, 0));
}

/* The callback gathers more than there were: all of it is applied, once. */
TEST_F(loop, callback_gathers)
{
	__u64 i, nr = 3 * UKEVENT_GATHERED;

	self->told.more = 3;
	self->told.added = 1000;
	for (i = 0; i < UKEVENT_GATHERED; i++)
		ukevent_prep_op(ukevent_next(&self->loop), KEVENT_OP_ENABLE,
				KEVENT_TYPE_USER, i + 1, 0);
	EXPECT_EQ(0, TURN(64, UKEVENT_FOREVER));
	ukevent_flush(&self->loop);
	EXPECT_EQ(UKEVENT_GATHERED, self->told.nr);
	EXPECT_EQ(UKEVENT_GATHERED * (UKEVENT_GATHERED + 1) / 2,
		  self->told.ident);
	EXPECT_EQ(UKEVENT_GATHERED, self->loop.room);
	for (i = 1; i <= nr; i++)
		EXPECT_EQ(0, ukevent_trigger(&self->q, 1000 + i, 0));
	EXPECT_EQ(-ENOENT, ukevent_trigger(&self->q, 1000 + i, 0));
}

static void on_alarm(int signo)
{
}

/* Interrupted while it sleeps: they are applied, and not again. */
TEST_F(loop, interrupted)
{
	/* Again and again: the first may come before it sleeps. */
	struct itimerval soon = {
		.it_value.tv_usec = 10000, .it_interval.tv_usec = 10000,
	}, never = {};
	struct sigaction sa = { .sa_handler = on_alarm };

	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	gather_user(&self->loop, 1);
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &soon, NULL));
	EXPECT_EQ(-EINTR, TURN(64, UKEVENT_FOREVER));
	setitimer(ITIMER_REAL, &never, NULL);
	EXPECT_EQ(0U, self->loop.nr);
	EXPECT_EQ(0, ukevent_trigger(&self->q, 1, 0));
	EXPECT_EQ(1, TURN(64, UKEVENT_FOREVER));
	EXPECT_EQ(0U, self->told.nr);
}

/* A call that fails as a whole: they stay, and each is told when room is needed. */
TEST_F(loop, call_fails)
{
	int fd = self->q.fd, i;

	gather_user(&self->loop, 1);
	self->q.fd = -1;
	EXPECT_EQ(-EBADF, TURN(64, 0));
	EXPECT_EQ(1U, self->loop.nr);
	EXPECT_EQ(0U, self->told.nr);
	for (i = 0; i < UKEVENT_GATHERED; i++)
		gather_user(&self->loop, 2);
	EXPECT_EQ(UKEVENT_GATHERED, self->told.nr);
	EXPECT_EQ(-EBADF, self->told.last);
	self->q.fd = fd;
	EXPECT_EQ(0, TURN(64, 0));
	EXPECT_EQ(0, ukevent_trigger(&self->q, 2, 0));
	EXPECT_EQ(-ENOENT, ukevent_trigger(&self->q, 1, 0));
}

/* The kernel may end a call before the end of the array, at any entry. */
TEST_F(loop, short_counts)
{
	unsigned int most;

	for (most = 1; most < 5; most++) {
		counted.ctl_at_most = most;
		memset(&self->told, 0, sizeof(self->told));
		ukevent_together(&self->loop, 4);
		gather_user(&self->loop, 10 * most);
		gather_user(&self->loop, 10 * most);		/* fails */
		ukevent_prep_user(ukevent_next(&self->loop), KEVENT_OP_ADD,
				  10 * most + 1, KEVENT_EDGE | KEVENT_DEPENDS, 0);
		ukevent_prep_user(ukevent_next(&self->loop), KEVENT_OP_ADD,
				  10 * most + 2, KEVENT_EDGE | KEVENT_DEPENDS, 0);
		gather_user(&self->loop, 10 * most + 3);
		ukevent_prep_user(ukevent_next(&self->loop), KEVENT_OP_ADD,
				  10 * most + 4, KEVENT_EDGE | KEVENT_DEPENDS, 0);
		EXPECT_EQ(3U, ukevent_flush(&self->loop));
		EXPECT_EQ(3U, self->told.nr);
		EXPECT_EQ(-ECANCELED, self->told.last);
		EXPECT_EQ(-ENOENT, ukevent_trigger(&self->q, 10 * most + 1, 0));
		EXPECT_EQ(-ENOENT, ukevent_trigger(&self->q, 10 * most + 2, 0));
		EXPECT_EQ(0, ukevent_trigger(&self->q, 10 * most + 3, 0));
		EXPECT_EQ(0, ukevent_trigger(&self->q, 10 * most + 4, 0));
	}
}

/* Those that depend on each other are not parted. */
TEST_F(loop, together)
{
	int i;

	for (i = 0; i < UKEVENT_GATHERED - 1; i++)
		gather_user(&self->loop, 100 + i);
	ukevent_together(&self->loop, 2);
	EXPECT_CALLS(1, 0);
	ukevent_prep_op(ukevent_next(&self->loop), KEVENT_OP_REMOVE,
			KEVENT_TYPE_USER, 1, 0);
	ukevent_prep_user(ukevent_next(&self->loop), KEVENT_OP_ADD, 2,
			  KEVENT_DEPENDS, 0);
	EXPECT_EQ(0, TURN(64, 0));
	EXPECT_EQ(2U, self->told.nr);
	EXPECT_EQ(-ECANCELED, self->told.last);
}

/* Level, dispatch: as many as stay ready, in one entry each. */
TEST_F(loop, stays_ready)
{
	int fd[16], i, turns;

	for (i = 0; i < 16; i++) {
		fd[i] = make_eventfd(1);
		ukevent_prep_poll(ukevent_next(&self->loop), KEVENT_OP_ADD, fd[i],
				  POLLIN, i % 2 ? KEVENT_DISPATCH : 0, i);
	}
	for (turns = 0; turns < 20; turns++) {
		ASSERT_EQ(16, TURN(64, UKEVENT_FOREVER));
		for (i = 0; i < 16; i++)
			if (self->ev[i].cookie % 2)
				ukevent_prep_op(ukevent_next(&self->loop),
						KEVENT_OP_ENABLE,
						KEVENT_TYPE_POLL,
						fd[self->ev[i].cookie], 0);
	}
	EXPECT_CALLS(0, 20);
	EXPECT_EQ(0U, self->told.nr);
	for (i = 0; i < 16; i++)
		close(fd[i]);
}

/* ---- each source, each operation, all parameters ---- */

TEST_F(loop, each_source)
{
	int sock, peer, efd, pidfd = open_pidfd(getpid(), 0), i, n, nr = 0;
	struct ukevent_loop *loop = &self->loop;
	struct kevent_change *e;
	char path[] = "/tmp";
	__u64 seen = 0;

	ASSERT_GE(pidfd, 0);
	ASSERT_EQ(0, inet_pair(AF_INET, SOCK_STREAM, &sock, &peer));
	efd = make_eventfd(1);
	signal(SIGUSR1, SIG_IGN);
	mkdir(path, 01777);

	ukevent_prep_poll(ukevent_next(loop), KEVENT_OP_SET, efd, POLLIN,
			  KEVENT_EDGE, 1);
	ukevent_prep_socket(ukevent_next(loop), KEVENT_OP_ADD, sock,
			    KEVENT_SOCK_RECV, 100, KEVENT_EDGE, 2);
	e = ukevent_prep_timer(ukevent_next(loop), KEVENT_OP_SET, 5, 1000, 0,
			       777, UKEVENT_MONOTONIC, KEVENT_DISPATCH, 3);
	EXPECT_EQ(777U, e->param[KEVENT_TIMER_SLACK]);
	ukevent_prep_user(ukevent_next(loop), KEVENT_OP_ADD, 5, 0, 4);
	ukevent_prep_trigger(ukevent_next(loop), 5, 50, 3);
	ukevent_prep_inode(ukevent_next(loop), AT_FDCWD, path,
			   KEVENT_INODE_ONLYDIR, KEVENT_INODE_CREATE, 0, 5);
	ukevent_prep_signal(ukevent_next(loop), KEVENT_OP_ADD, SIGUSR1, 0, 6);
	ukevent_prep_process(ukevent_next(loop), KEVENT_OP_ADD, pidfd, 0, 7);
	for (n = 0; n < 3; n += i) {
		i = TURN(64, UKEVENT_FOREVER);
		ASSERT_GT(i, 0);
		while (nr < i)
			seen |= 1 << self->ev[nr++].cookie;
		nr = 0;
	}
	EXPECT_EQ(1 << 1 | 1 << 3 | 1 << 4, seen);
	EXPECT_EQ(0U, self->told.nr);

	/* below the mark nothing, with a lower one at once */
	ASSERT_EQ(10, write(peer, "0123456789", 10));
	EXPECT_EQ(0, TURN(64, 0));
	ukevent_prep_socket(ukevent_next(loop), KEVENT_OP_MODIFY, sock,
			    KEVENT_SOCK_RECV, 10, KEVENT_EDGE, 12);
	ASSERT_EQ(1, TURN(64, UKEVENT_FOREVER));
	EXPECT_EQ(12U, self->ev[0].cookie);

	/* disabled nothing, enabled what there is */
	ukevent_prep_op(ukevent_next(loop), KEVENT_OP_DISABLE,
			KEVENT_TYPE_SIGNAL, SIGUSR1, 0);
	ASSERT_EQ(0, TURN(64, 0));
	raise(SIGUSR1);
	raise(SIGUSR1);
	EXPECT_EQ(0, TURN(64, 0));
	ukevent_prep_op(ukevent_next(loop), KEVENT_OP_ENABLE,
			KEVENT_TYPE_SIGNAL, SIGUSR1, 0);
	ASSERT_EQ(1, TURN(64, UKEVENT_FOREVER));
	EXPECT_EQ(6U, self->ev[0].cookie);
	EXPECT_EQ(2U, KEVENT_SIGNAL_COUNT(self->ev[0].data[0]));

	/* the next deadline, and the end of all */
	ukevent_prep_timer(ukevent_next(loop), KEVENT_OP_MODIFY, 5, 0, 0, 0,
			   UKEVENT_MONOTONIC, KEVENT_DISPATCH, 13);
	ASSERT_EQ(1, TURN(64, UKEVENT_FOREVER));
	EXPECT_EQ(13U, self->ev[0].cookie);
	ukevent_prep_op(ukevent_next(loop), KEVENT_OP_REMOVE, KEVENT_TYPE_TIMER,
			5, KEVENT_NO_LAST);
	ukevent_prep_op(ukevent_next(loop), KEVENT_OP_REMOVE, KEVENT_TYPE_USER,
			5, 0);
	ukevent_prep_op(ukevent_next(loop), KEVENT_OP_REMOVE,
			KEVENT_TYPE_PROCESS, pidfd, 0);
	ukevent_prep_op(ukevent_next(loop), KEVENT_OP_REMOVE,
			KEVENT_TYPE_SOCKET, sock, 0);
	ukevent_prep_op(ukevent_next(loop), KEVENT_OP_REMOVE, KEVENT_TYPE_POLL,
			efd, 0);
	EXPECT_EQ(0U, ukevent_flush(loop));
	EXPECT_EQ(0U, self->told.nr);
	close(sock);
	close(peer);
	close(efd);
	close(pidfd);
}

/* By id, as an inode can be reached only. */
TEST_F(loop, by_id)
{
	char path[] = "/tmp";
	__u64 id;

	mkdir(path, 01777);
	ASSERT_EQ(0, ukevent_add_inode(&self->q, AT_FDCWD, path, 0,
				       KEVENT_INODE_CREATE | KEVENT_INODE_OPEN,
				       0, 1, &id));
	ukevent_by_id(ukevent_prep(ukevent_next(&self->loop), KEVENT_OP_MODIFY,
				   KEVENT_TYPE_INODE, 0, KEVENT_INODE_OPEN, 0,
				   2), id);
	ukevent_by_id(ukevent_prep_op(ukevent_next(&self->loop),
				      KEVENT_OP_REMOVE, KEVENT_TYPE_INODE, 77,
				      KEVENT_DEPENDS), id);
	EXPECT_EQ(0U, ukevent_flush(&self->loop));
	EXPECT_EQ(-ENOENT, ukevent_op_id(&self->q, KEVENT_OP_ENABLE,
					 KEVENT_TYPE_INODE, id, 0));
}

/* ---- several consumers ---- */

#define WORKERS		3
#define TASKS		300

/**
 * struct pool - threads that share a queue, each with a loop
 * @q: the queue
 * @fd: what it watches, dispatch
 * @failed: changes that did
 * @done: by each number, how often
 */
struct pool {
	struct ukevent_queue	q;
	int			fd[8];
	unsigned int		failed;
	unsigned int		done;
};

/* Who takes records while others sleep has the kernel publish what it holds back. */
TEST(held_back_for_sleepers)
{
	struct ukevent_queue q;
	struct ukevent ev[2];
	int i;

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, ukevent_add(&q, KEVENT_TYPE_USER, 1, 0, KEVENT_EDGE, 7));
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ukevent_trigger(&q, 1, i));
	ASSERT_EQ(2, in_ring(&q));
	ASSERT_EQ(1, is_pending(&q));
	q.sleepers = 1;		/* as if one slept */
	EXPECT_EQ(2, ukevent_dequeue_shared(&q, ev, 2, 0));
	EXPECT_EQ(1, in_ring(&q));
	q.sleepers = 0;
	ukevent_queue_exit(&q);
}

/* All fail, and each failure gathers another one: none lands outside. */
TEST_F(loop, all_fail_and_gather)
{
	struct kevent_change *e;
	unsigned int i;

	self->told.more = 1;
	for (i = 0; i < UKEVENT_GATHERED; i++)
		ukevent_prep_op(ukevent_next(&self->loop), KEVENT_OP_ENABLE,
				KEVENT_TYPE_USER, 1000 + i, 0);
	e = ukevent_next(&self->loop);
	ASSERT_LE(self->loop.nr, UKEVENT_GATHERED);
	EXPECT_EQ(&self->loop.change[0], e);
	EXPECT_EQ((unsigned int)UKEVENT_GATHERED, self->told.nr);
	EXPECT_EQ((unsigned int)UKEVENT_GATHERED, self->told.added);
	/* what they gathered was applied to make room */
	ukevent_prep_op(e, KEVENT_OP_REMOVE, KEVENT_TYPE_USER, 1, 0);
	EXPECT_EQ(0U, ukevent_flush(&self->loop));
}

static void pool_failed(struct ukevent_loop *loop,
			const struct kevent_change *change)
{
	struct pool *pool = loop->data;

	__atomic_fetch_add(&pool->failed, 1, __ATOMIC_RELAXED);
}

/* Takes one, and enables it in the call by which it sleeps. */
static void *pool_worker(void *arg)
{
	struct pool *pool = arg;
	struct ukevent_loop loop;
	struct ukevent ev;
	int n;

	ukevent_loop_init(&loop, &pool->q, pool_failed);
	loop.data = pool;
	for (;;) {
		n = ukevent_turn_shared(&loop, &ev, 1, UKEVENT_FOREVER);
		if (n < 0 && n != -EINTR)
			return (void *)(long)n;
		if (n <= 0)
			continue;
		if (ev.type == KEVENT_TYPE_USER) {	/* for all of them */
			ukevent_trigger(&pool->q, 0, 0);
			return NULL;
		}
		n = pool->fd[ev.cookie];
		__atomic_fetch_add(&pool->done, eventfd_take(n),
				   __ATOMIC_RELAXED);
		ukevent_prep_op(ukevent_next(&loop), KEVENT_OP_ENABLE,
				KEVENT_TYPE_POLL, n, 0);
	}
}

TEST_F(loop, workers)
{
	struct pool pool = {};
	pthread_t thread[WORKERS];
	__u64 end = now_ns(CLOCK_MONOTONIC) + TEST_LONG_MS * NSEC_PER_MSEC;
	void *ret;
	int i;

	ASSERT_EQ(0, variant->noring ? queue_init_noring(&pool.q, 4) :
				       queue_init(&pool.q, 4));
	ASSERT_EQ(0, ukevent_add(&pool.q, KEVENT_TYPE_USER, 0, 1, 0, 99));
	for (i = 0; i < 8; i++) {
		pool.fd[i] = make_eventfd(0);
		ASSERT_EQ(0, ukevent_add_poll(&pool.q, pool.fd[i], POLLIN,
					      KEVENT_DISPATCH, i));
	}
	for (i = 0; i < WORKERS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, pool_worker, &pool));
	for (i = 0; i < TASKS; i++)
		ASSERT_EQ(0, eventfd_add(pool.fd[i % 8], 1));
	while (__atomic_load_n(&pool.done, __ATOMIC_RELAXED) < TASKS &&
	       now_ns(CLOCK_MONOTONIC) < end)
		sched_yield();
	EXPECT_EQ(TASKS, pool.done);
	ASSERT_EQ(0, ukevent_trigger(&pool.q, 0, 0));
	for (i = 0; i < WORKERS; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &ret));
		EXPECT_EQ(NULL, ret);
	}
	EXPECT_EQ(0U, pool.failed);
	for (i = 0; i < 8; i++)
		close(pool.fd[i]);
	ukevent_queue_exit(&pool.q);
}

/* ---- a child, and who receives the descriptor ---- */

#define CHILD_CHECK(expr) \
do { \
	if (!(expr)) \
		_exit(__LINE__ & 0x7f ?: 1); \
} while (0)

/* All that the queue of the parent answers in the child. */
TEST_F(loop, child)
{
	struct ukevent_queue q;
	struct ukevent ev;
	char *there;
	pid_t pid;

	gather_user(&self->loop, 1);
	ukevent_prep_trigger(ukevent_next(&self->loop), 1, 0, 0);
	ASSERT_EQ(0, ukevent_flush(&self->loop));
	gather_user(&self->loop, 2);
	pid = fork();
	if (!pid) {
		q = self->q;
		CHILD_CHECK(ukevent_take(&q, &ev, 1) == -ECHILD);
		CHILD_CHECK(ukevent_take_shared(&q, &ev, 1) == -ECHILD);
		CHILD_CHECK(ukevent_dequeue(&q, &ev, 0) == -ECHILD);
		CHILD_CHECK(ukevent_dequeue_batch(&q, &ev, 1, UKEVENT_FOREVER) ==
			    -ECHILD);
		CHILD_CHECK(ukevent_dequeue_shared(&q, &ev, 1, 1) == -ECHILD);
		CHILD_CHECK(ukevent_wait(&q, 1, UKEVENT_FOREVER) == -ECHILD);
		CHILD_CHECK(TURN(1, UKEVENT_FOREVER) == -ECHILD);
		/* what the parent has gathered is applied by the parent */
		CHILD_CHECK(ukevent_flush(&self->loop) == 1);
		CHILD_CHECK(self->told.last == -ECHILD);
		/* changes go by the descriptor */
		CHILD_CHECK(ukevent_trigger(&q, 1, 8) == 0);
		/* what it has mapped there by now is its own */
		if (q.ring_map) {
			there = mmap(q.ring_map, q.ring_size,
				     PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				     -1, 0);
			CHILD_CHECK(there == q.ring_map);
			*there = 42;
		} else {
			there = NULL;
		}
		CHILD_CHECK(ukevent_queue_remap(&q) == 0);
		CHILD_CHECK(!there || *there == 42);
		CHILD_CHECK(ukevent_dequeue(&q, &ev, UKEVENT_FOREVER) == 1);
		CHILD_CHECK(ev.cookie == 1);
		ukevent_queue_exit(&q);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	/* Its ADD is still to come; one of two triggers was taken, or both. */
	EXPECT_LE(0, TURN(64, 0));
	EXPECT_EQ(0U, self->told.nr);
	EXPECT_EQ(0, ukevent_trigger(&self->q, 2, 0));
}

/* One that ends its copy of the queue leaves its memory, and the parent's, alone. */
TEST_F(loop, child_exits)
{
	char *there;
	pid_t pid = fork();

	if (!pid) {
		if (variant->noring) {
			ukevent_queue_exit(&self->q);
			_exit(0);
		}
		there = mmap(self->q.consumer_map, self->q.consumer_size,
			     PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		CHILD_CHECK(there == self->q.consumer_map);
		ukevent_queue_exit(&self->q);
		*there = 1;
		CHILD_CHECK(self->q.fd == -1);
		_exit(0);
	}
	EXPECT_EQ(0, child_status(pid));
	gather_user(&self->loop, 1);
	ukevent_prep_trigger(ukevent_next(&self->loop), 1, 0, 0);
	EXPECT_EQ(1, TURN(64, UKEVENT_FOREVER));
}

/* As after exec: what is known is a number. */
TEST_F(loop, received)
{
	int sv[2], fd = -1;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u;
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	struct ukevent_queue q;
	struct ukevent ev;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, send_fd(sv[0], self->q.fd));
	ASSERT_EQ(1, recvmsg(sv[1], &msg, 0));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	ASSERT_EQ(0, ukevent_queue_open(&q, fd));
	gather_user(&self->loop, 1);
	ASSERT_EQ(0, ukevent_flush(&self->loop));
	EXPECT_EQ(0, ukevent_trigger(&q, 1, 0));
	EXPECT_EQ(1, ukevent_dequeue(&q, &ev, UKEVENT_FOREVER));
	EXPECT_EQ(1U, ev.cookie);
	ukevent_queue_exit(&q);
	close(sv[0]);
	close(sv[1]);
}

/* ---- errno ---- */

TEST_F(loop, errno_stays)
{
	struct kevent_params params = { .size = 1, .queue = 5 };
	struct ukevent_queue q;
	struct ukevent ev;
	int fd = self->q.fd;

	errno = 12345;
	EXPECT_GT(0, ukevent_queue_init(&q, &params));
	EXPECT_GT(0, ukevent_queue_open(&q, -1));
	EXPECT_GT(0, ukevent_queue_open(&q, 0));
	ukevent_queue_exit(&q);
	EXPECT_GT(0, ukevent_add_poll(&self->q, -1, 1, 0, 0));
	EXPECT_GT(0, ukevent_trigger(&self->q, 9, 0));
	self->q.fd = -1;
	EXPECT_GT(0, ukevent_wait(&self->q, 0, 0));
	EXPECT_GT(0, ukevent_dequeue(&self->q, &ev, 1));
	gather_user(&self->loop, 1);
	EXPECT_GT(0, TURN(64, 1));
	EXPECT_EQ(1U, ukevent_flush(&self->loop));
	EXPECT_EQ(12345, errno);
	self->q.fd = fd;
}

TEST_HARNESS_MAIN
