// SPDX-License-Identifier: GPL-2.0
/*
 * What may surprise: a test for each entry of that section in
 * Documentation/kevent/guide.rst.
 */
#include "process_test.h"

#include <sys/ptrace.h>

#define HOUR	(3600 * NSEC_PER_SEC)

FIXTURE(surprise)
{
	struct ukevent_queue q;
	int pair[2];
};

FIXTURE_SETUP(surprise)
{
	ASSERT_EQ(0, queue_init(&self->q, 64));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
				0, self->pair));
}

FIXTURE_TEARDOWN(surprise)
{
	ukevent_queue_exit(&self->q);
}

static int modify_timer(struct ukevent_queue *q, __u64 time, __u32 flags,
			__u64 cookie)
{
	struct kevent_change c;

	return ukevent_change(q, ukevent_prep_timer(&c, KEVENT_OP_MODIFY, 1, time,
						    0, 0, CLOCK_MONOTONIC, flags,
						    cookie));
}

/* MODIFY arms, unless it says not to. */
TEST_F(surprise, expired_dispatch)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 1, 0, 0, CLOCK_MONOTONIC,
				       KEVENT_DISPATCH, 1));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_TIMER, 1, KEVENT_TIMER_EXPIRED, 0, 1, 0);
	ASSERT_EQ(0, modify_timer(q, 0, KEVENT_DISPATCH | KEVENT_START_DISABLED, 2));
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	ASSERT_EQ(0, modify_timer(q, 0, KEVENT_DISPATCH, 3));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_TIMER, 3, KEVENT_TIMER_EXPIRED, 0, 1, 0);
}

/* Flags of ADD that MODIFY and SET refuse, be there an interest or not. */
TEST_F(surprise, flags_of_add)
{
	static const __u16 ops[] = { KEVENT_OP_MODIFY, KEVENT_OP_SET };
	struct ukevent_queue *q = &self->q;
	struct kevent_change c;
	size_t i, there;

	for (there = 0; there < 2; there++) {
		for (i = 0; i < ARRAY_SIZE(ops); i++) {
			c = make_change(ops[i], self->pair[0], EV_IN,
					KEVENT_EDGE | KEVENT_EXCLUSIVE, 1);
			EXPECT_EQ(-EINVAL, do_change(q->fd, &c));
		}
		EXPECT_EQ(there ? -EEXIST : 0,
			  add_fd(q->fd, self->pair[0], EV_IN,
				 KEVENT_EDGE | KEVENT_EXCLUSIVE, 1, NULL));
	}
}

static int waits(int sock, const void *arg)
{
	return await(sock) ? 0 : 1;
}

/* A child that did not execute anything has the file, too. */
TEST_F(surprise, forked_copy)
{
	struct ukevent_queue *q = &self->q;
	struct child c;

	ASSERT_EQ(0, add_fd(q->fd, self->pair[0], EV_IN,
			    KEVENT_EDGE | KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, child_start(&c, waits, NULL));
	close(self->pair[0]);
	EXPECT_QUIET(q);
	/* so it still tells */
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	ASSERT_TRUE(step(c.sock));
	EXPECT_EQ(0, child_status(c.pid));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EPOLLHUP, LAST);
	child_close(&c);
}

/* A socket and a timer with one cookie: the second record frees the object. */
TEST_F(surprise, two_last_records)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_fd(q->fd, self->pair[0], EV_IN,
			    KEVENT_EDGE | KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_ADD, 1, HOUR, 0, CLOCK_MONOTONIC,
				       KEVENT_DISPATCH | KEVENT_WANT_LAST, 1));
	/* an ADD that fails has none */
	ASSERT_EQ(-EEXIST, ukevent_set_timer(q, KEVENT_OP_ADD, 1, HOUR, 0,
					     CLOCK_MONOTONIC, KEVENT_WANT_LAST, 1));
	close(self->pair[0]);
	EXPECT_TAKE(q, 1, EPOLLHUP, LAST);
	EXPECT_QUIET(q);
	ASSERT_EQ(0, ukevent_op(q, KEVENT_OP_REMOVE, KEVENT_TYPE_TIMER, 1));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_TIMER, 1, 0, LAST, 0, 0);
	EXPECT_QUIET(q);
}

#define EXPECT_USR1(q, count) \
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_SIGNAL, 1, KEVENT_SIGNAL_SENT, 0, \
			  (__u64)getpid() << 32 | (count), 0)

/* Blocked until it is ignored: none is missed, and none delivered. */
TEST_F(surprise, ignored_signal)
{
	struct ukevent_queue *q = &self->q;
	const struct timespec now = {};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	ASSERT_EQ(0, ukevent_add(q, KEVENT_TYPE_SIGNAL, SIGUSR1, KEVENT_SIGNAL_SENT,
				 0, 1));
	/* what was sent before is pending, and not told */
	EXPECT_EQ(SIGUSR1, sigtimedwait(&set, NULL, &now));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	ASSERT_NE(SIG_ERR, signal(SIGUSR1, SIG_IGN));
	EXPECT_EQ(-1, sigtimedwait(&set, NULL, &now));
	ASSERT_EQ(0, sigprocmask(SIG_UNBLOCK, &set, NULL));
	EXPECT_USR1(q, 1);
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_USR1(q, 1);
	EXPECT_QUIET(q);
}

static int ignores(int sock, const void *arg)
{
	struct sigaction sa;

	return sigaction(SIGUSR1, NULL, &sa) || sa.sa_handler != SIG_IGN;
}

TEST_F(surprise, ignored_by_children)
{
	struct child c;

	ASSERT_NE(SIG_ERR, signal(SIGUSR1, SIG_IGN));
	ASSERT_EQ(0, child_start(&c, ignores, NULL));
	EXPECT_EQ(0, child_status(c.pid));
	child_close(&c);
}

/* Who has the record finds the zombie without waiting, but has to ask. */
TEST_F(surprise, record_does_not_reap)
{
	struct ukevent_queue *q = &self->q;
	int i, loops = test_loops(40), status;
	struct ukevent ev;
	struct child c;

	for (i = 0; i < loops; i++) {
		ASSERT_EQ(0, start_exit(&c, 7));
		ASSERT_EQ(0, add_process(q, c.pidfd, modes[i % ARRAY_SIZE(modes)], i));
		ASSERT_TRUE(step(c.sock));
		/* as soon as the record is there, or woken by it */
		while (i % 2 && !in_ring(q))
			sched_yield();
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		ASSERT_EQ(1, ukevent_take(q, &ev, 1));
		EXPECT_EQ(7 << 8, (int)ev.data[0]);
		EXPECT_EQ(0, kill(c.pid, 0));
		EXPECT_EQ(c.pid, waitpid(c.pid, &status, WNOHANG));
		EXPECT_EQ(7 << 8, status);
		EXPECT_EQ(-1, kill(c.pid, 0));
		child_close(&c);
	}
}

static int traces_and_reaps(int sock, const void *arg)
{
	const struct child *target = arg;

	if (ptrace(PTRACE_SEIZE, target->pid, NULL, NULL))
		return 1;
	if (!step(sock) || !await(sock))
		return 2;
	return reap(target->pid) == 7 << 8 ? 0 : 3;
}

/* The queue knows, the parent cannot reap before the tracer has. */
TEST_F(surprise, tracer_comes_first)
{
	struct ukevent_queue *q = &self->q;
	struct child c, tracer;
	int status;

	ASSERT_EQ(0, start_exit(&c, 7));
	ASSERT_EQ(0, child_start(&tracer, traces_and_reaps, &c));
	ASSERT_TRUE(await(tracer.sock));
	ASSERT_EQ(0, add_process(q, c.pidfd, 0, 1));
	ASSERT_TRUE(step(c.sock));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EXIT(q, 1, 0, 7 << 8);
	EXPECT_EQ(0, waitpid(c.pid, &status, WNOHANG));
	ASSERT_TRUE(step(tracer.sock));
	EXPECT_EQ(0, child_status(tracer.pid));
	EXPECT_EQ(c.pid, waitpid(c.pid, &status, WNOHANG));
	EXPECT_EQ(7 << 8, status);
	child_close(&tracer);
	child_close(&c);
}

/* What the source says at ADD is told once. */
TEST_F(surprise, edge_holds_at_add)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	ASSERT_EQ(0, add_fd(q->fd, self->pair[0], EV_IN, KEVENT_EDGE, 1, NULL));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_QUIET(q);
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_QUIET(q);
}

/* Neither MODIFY nor REMOVE changes what is in the ring. */
TEST_F(surprise, old_record)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_fd(q->fd, self->pair[0], EV_IN,
			    KEVENT_EDGE | KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(1, write(self->pair[1], "x", 1));
	ASSERT_EQ(0, modify_fd(q->fd, self->pair[0], EV_IN,
			       KEVENT_EDGE | KEVENT_WANT_LAST, 2));
	ASSERT_EQ(0, remove_fd(q->fd, self->pair[0]));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	/* MODIFY has asked; then the end */
	EXPECT_TAKE(q, 2, EV_IN, 0);
	EXPECT_TAKE(q, 2, 0, LAST);
	EXPECT_QUIET(q);
}

TEST_HARNESS_MAIN
