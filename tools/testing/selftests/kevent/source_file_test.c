// SPDX-License-Identifier: GPL-2.0
/*
 * S9 with the sources TIMER, USER and SOCKET: the queue's descriptor in poll,
 * select, epoll and io_uring; queues and sockets in the hands of other processes;
 * fdinfo.
 */
#include "source_test.h"
#include "uring.h"
#include <sys/select.h>

/* ---- the queue's descriptor in other calls that wait ---- */

enum sleep_in { IN_POLL, IN_SELECT, IN_EPOLL, IN_EPOLL_EDGE, IN_URING };

FIXTURE(outside)
{
	struct ukevent_queue q;
	struct source s;
	struct uring u;
	int ep;
};

FIXTURE_VARIANT(outside)
{
	enum sleep_in in;
};

FIXTURE_VARIANT_ADD(outside, poll)
{
	.in = IN_POLL,
};

FIXTURE_VARIANT_ADD(outside, select)
{
	.in = IN_SELECT,
};

FIXTURE_VARIANT_ADD(outside, epoll)
{
	.in = IN_EPOLL,
};

FIXTURE_VARIANT_ADD(outside, epoll_edge)
{
	.in = IN_EPOLL_EDGE,
};

FIXTURE_VARIANT_ADD(outside, io_uring)
{
	.in = IN_URING,
};

FIXTURE_SETUP(outside)
{
	struct epoll_event ev = { .events = EPOLLIN };

	ASSERT_EQ(0, queue_init(&self->q, 4));
	ASSERT_EQ(0, add_far_timer(&self->q, 5, 50));
	ASSERT_EQ(0, add_user(&self->q, 6, 0, 60));
	ASSERT_EQ(0, source_open(&self->s, SRC_TCP4));
	self->ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_LE(0, self->ep);
	if (variant->in == IN_EPOLL_EDGE)
		ev.events |= EPOLLET;
	ASSERT_EQ(0, epoll_ctl(self->ep, EPOLL_CTL_ADD, self->q.fd, &ev));
	ASSERT_EQ(0, uring_init(&self->u));
}

FIXTURE_TEARDOWN(outside)
{
	close(self->u.fd);
	close(self->ep);
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

/* Sleeps until the queue is readable: 1. */
static int sleep_outside(FIXTURE_DATA(outside) * self, enum sleep_in in)
{
	struct pollfd p = { .fd = self->q.fd, .events = POLLIN };
	struct timeval tv = { TEST_LONG_MS / 1000, 0 };
	struct epoll_event ev;
	fd_set fds;
	__u32 flags;

	switch (in) {
	case IN_POLL:
		return poll(&p, 1, TEST_LONG_MS);
	case IN_SELECT:
		FD_ZERO(&fds);
		FD_SET(self->q.fd, &fds);
		return select(self->q.fd + 1, &fds, NULL, NULL, &tv);
	case IN_EPOLL:
	case IN_EPOLL_EDGE:
		return epoll_wait(self->ep, &ev, 1, TEST_LONG_MS);
	case IN_URING:
		if (uring_poll(&self->u, self->q.fd, 0) != 1)
			return -EPROTO;
		return uring_next(&self->u, &flags);
	}
	return -EINVAL;
}

/**
 * struct alarm_clock - a thread or process that ends the sleep of another
 * @q: the queue
 * @tid: of who must sleep first
 * @fd: where to write, -1 for not
 * @timer: whether to let the timer expire, else it triggers
 */
struct alarm_clock {
	struct ukevent_queue *q;
	int tid;
	int fd;
	bool timer;
};

static void *ring_alarm(void *arg)
{
	struct alarm_clock *a = arg;

	task_asleep(a->tid);
	if (a->fd >= 0)
		return (void *)(long)(write(a->fd, "x", 1) - 1);
	if (a->timer)
		return (void *)(long)fire_timer(a->q, 5, 50);
	return (void *)(long)ukevent_trigger(a->q, 6, 7);
}

/* Runs @sleep, which must give 1, while the alarm clock rings. */
#define WOKEN_BY(alarm, sleep) \
do { \
	struct alarm_clock *__a = (alarm); \
	pthread_t __t; \
	void *__ret; \
	__a->tid = (int)syscall(SYS_gettid); \
	ASSERT_EQ(0, pthread_create(&__t, NULL, ring_alarm, __a)); \
	EXPECT_EQ(1, (sleep)); \
	pthread_join(__t, &__ret); \
	EXPECT_EQ(NULL, __ret); \
} while (0)

/*
 *   asleep in poll ... io_uring on the queue
 *   hard interrupt: timer: record, irq_work     wakes
 */
TEST_F(outside, woken_by_timer)
{
	struct alarm_clock a = { .q = &self->q, .fd = -1, .timer = true };
	int i;

	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, is_ready(self->q.fd, POLLIN, 0));
		WOKEN_BY(&a, sleep_outside(self, variant->in));
		EXPECT_TAKE_TYPED(&self->q, KEVENT_TYPE_TIMER, 50, EXPIRED, 0,
				  1, 0);
	}
	EXPECT_QUIET(&self->q);
}

/*
 *   asleep in poll ... io_uring on the queue
 *   TRIGGER by another thread: record, irq_work     wakes
 */
TEST_F(outside, woken_by_trigger)
{
	struct alarm_clock a = { .q = &self->q, .fd = -1 };
	int i;

	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, is_ready(self->q.fd, POLLIN, 0));
		WOKEN_BY(&a, sleep_outside(self, variant->in));
		EXPECT_TAKE_TYPED(&self->q, KEVENT_TYPE_USER, 60, TRIGGERED, 0,
				  7, 1);
	}
	EXPECT_QUIET(&self->q);
}

/* The same by another process, which dies at once. */
TEST_F(outside, woken_by_process)
{
	struct alarm_clock a = {
		.q = &self->q, .tid = getpid(), .fd = -1, .timer = true
	};
	int i, status;
	pid_t pid;

	for (i = 0; i < 4; i++) {
		a.timer = i % 2;
		pid = fork();
		if (!pid)
			_exit(!!ring_alarm(&a));
		ASSERT_LT(0, pid);
		EXPECT_EQ(1, sleep_outside(self, variant->in));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(1, take_all(&self->q, NULL));
	}
}

/*
 *   asleep in poll ... io_uring on the queue
 *   softirq: TCP data: record, irq_work     wakes
 */
TEST_F(outside, woken_by_socket)
{
	struct alarm_clock a = { .q = &self->q, .fd = self->s.peer };
	struct ukevent ev = {};
	char c;
	int i;

	ASSERT_EQ(0, ukevent_add_socket(&self->q, self->s.fd, KEVENT_SOCK_RECV,
					KEVENT_EDGE, 70));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, is_ready(self->q.fd, POLLIN, 0));
		WOKEN_BY(&a, sleep_outside(self, variant->in));
		EXPECT_EQ(1, take_all(&self->q, &ev));
		EXPECT_EQ(70ULL, ev.cookie);
		EXPECT_EQ((__u32)KEVENT_SOCK_RECV, ev.events);
		EXPECT_EQ(1, (int)recv(self->s.fd, &c, 1, MSG_DONTWAIT));
	}
}

/*
 *   USER triggered 3 times     ring 2, 1 counted: readable
 *   both taken                 ring 0, PENDING: readable, also for who comes now
 *   kevent_wait(0)             ring 1: readable
 *   taken                      not readable
 */
TEST_F(outside, counted)
{
	struct ukevent_queue *q = &self->q;
	int i;

	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ukevent_trigger(q, 6, i));
	EXPECT_EQ(1, sleep_outside(self, variant->in));
	EXPECT_EQ(2, take_all(q, NULL));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(POLLIN, is_ready(q->fd, POLLIN, 0));
	if (variant->in != IN_EPOLL_EDGE)
		EXPECT_EQ(1, sleep_outside(self, variant->in));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, sleep_outside(self, variant->in));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 60, TRIGGERED, 0, 2, 1);
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
	/* what is counted while it is disabled makes nobody come */
	ASSERT_EQ(0, ukevent_op(q, KEVENT_OP_DISABLE, KEVENT_TYPE_USER, 6));
	ASSERT_EQ(0, ukevent_trigger(q, 6, 3));
	EXPECT_EQ(0, is_ready(q->fd, POLLIN, 0));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, ukevent_op(q, KEVENT_OP_ENABLE, KEVENT_TYPE_USER, 6));
	EXPECT_EQ(1, sleep_outside(self, variant->in));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 60, TRIGGERED, 0, 3, 1);
}

/* A multishot poll ends with each completion, and is armed again. */
TEST(io_uring_multishot)
{
	struct ukevent_queue q;
	struct uring u;
	__u32 flags;
	int i;

	ASSERT_EQ(0, queue_init(&q, 4));
	ASSERT_EQ(0, uring_init(&u));
	ASSERT_EQ(0, add_user(&q, 6, 0, 60));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(1, uring_poll(&u, q.fd, IORING_POLL_ADD_MULTI));
		EXPECT_TRUE(uring_empty(&u));
		ASSERT_EQ(0, ukevent_trigger(&q, 6, i));
		EXPECT_EQ(POLLIN, uring_next(&u, &flags));
		EXPECT_EQ(0U, flags & IORING_CQE_F_MORE);
		EXPECT_TAKE_TYPED(&q, KEVENT_TYPE_USER, 60, TRIGGERED, 0, i, 1);
	}
	close(u.fd);
	ukevent_queue_exit(&q);
}

/* ---- in the hands of other processes ---- */

FIXTURE(shared)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_SETUP(shared)
{
	struct kevent_params p = {
		.flags = KEVENT_CREATE_INHERIT, .ring_entries = 16,
	};
	ASSERT_EQ(0, ukevent_queue_init(&self->q, &p));
	ASSERT_EQ(0, add_far_timer(&self->q, 5, 50));
	ASSERT_EQ(0, add_user(&self->q, 6, 0, 60));
	ASSERT_EQ(0, source_open(&self->s, SRC_UNIX));
}

FIXTURE_TEARDOWN(shared)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

/* What a child adds and triggers is the queue's, and outlives the child. */
TEST_F(shared, fork_changes)
{
	struct ukevent_queue *q = &self->q;
	pid_t pid;

	pid = fork();
	if (!pid) {
		if (ukevent_trigger(q, 6, 77))
			_exit(1);
		if (add_user(q, 6, 0, 0) != -EEXIST || add_user(q, 7, 0, 70))
			_exit(2);
		if (fire_timer(q, 5, 51))
			_exit(3);
		if (ukevent_set_timer(q, KEVENT_OP_ADD, 8, NSEC_PER_MSEC,
				      NSEC_PER_MSEC, CLOCK_MONOTONIC,
				      KEVENT_DISPATCH, 80))
			_exit(4);
		_exit(0);
	}
	ASSERT_EQ(0, child_status(pid));
	EXPECT_EQ(3, wait_ms(q, 3, TEST_LONG_MS));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 60, TRIGGERED, 0, 77, 1);
	EXPECT_EQ(2, take_all(q, NULL));
	EXPECT_EQ(0, ukevent_trigger(q, 7, 1));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 70, TRIGGERED, 0, 1, 1);
	/* its timer goes on without it */
	EXPECT_EQ(0, ukevent_op(q, KEVENT_OP_ENABLE, KEVENT_TYPE_TIMER, 8));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_EQ(0, ukevent_op(q, KEVENT_OP_REMOVE, KEVENT_TYPE_TIMER, 8));
}

/*
 * A socket of both: the interest ends with the last of the descriptors.  One that
 * only the child has goes with the child.
 */
TEST_F(shared, fork_sockets)
{
	struct ukevent_queue *q = &self->q;
	struct source own;
	struct ukevent ev;
	pid_t pid;

	ASSERT_EQ(0, ukevent_add_socket(q, self->s.fd, KEVENT_SOCK_RECV,
					KEVENT_EDGE | KEVENT_WANT_LAST, 70));
	pid = fork();
	if (!pid) {
		close(self->s.fd);
		if (source_open(&own, SRC_TCP4) ||
		    ukevent_add_socket(q, own.fd, KEVENT_SOCK_RECV,
				       KEVENT_EDGE | KEVENT_WANT_LAST, 71))
			_exit(1);
		if (send(own.peer, "a", 1, 0) != 1 ||
		    send(self->s.peer, "b", 1, 0) != 1)
			_exit(2);
		_exit(sys_kevent_wait(q->fd, 2, NULL, 0) == 2 ? 0 : 3);
	}
	ASSERT_EQ(0, child_status(pid));
	EXPECT_EQ(3, wait_ms(q, 3, TEST_LONG_MS));
	EXPECT_EQ(1, (int)ukevent_take(q, &ev, 1));
	EXPECT_EQ((__u32)KEVENT_SOCK_RECV, ev.events);
	EXPECT_EQ(1, (int)ukevent_take(q, &ev, 1));
	EXPECT_EQ((__u32)KEVENT_SOCK_RECV, ev.events);
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_SOCKET, 71, KEVENT_SOCK_HUP, LAST, 0,
			  0);
	/* ours is as it was */
	ASSERT_EQ(0, source_drain(&self->s));
	ASSERT_EQ(1, send(self->s.peer, "c", 1, 0));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(1, (int)ukevent_take(q, &ev, 1));
	EXPECT_EQ(70ULL, ev.cookie);
	close(self->s.fd);
	self->s.fd = -1;
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_SOCKET, 70, KEVENT_SOCK_HUP, LAST, 0,
			  0);
	EXPECT_QUIET(q);
}

#define EXEC_ARG	"--after-exec"

/* The new program maps anew; all it knows is the descriptor. */
static int after_exec(int fd)
{
	struct ukevent_queue q;
	struct ukevent ev = {};

	if (ukevent_queue_open(&q, fd))
		return 1;
	/* what came before is there; the socket's last one came with exec */
	if (ukevent_take_shared(&q, &ev, 1) != 1 || ev.cookie != 60 ||
	    ev.data[0] != 1)
		return 3;
	if (wait_ms(&q, 1, TEST_LONG_MS) != 1 ||
	    ukevent_take_shared(&q, &ev, 1) != 1 || ev.cookie != 70 ||
	    ev.flags != LAST)
		return 4;
	/* so are the interests */
	if (add_far_timer(&q, 5, 0) != -EEXIST)
		return 5;
	if (fire_timer(&q, 5, 51) || ring_reaches(&q, 1) != 1 ||
	    ukevent_take_shared(&q, &ev, 1) != 1 || ev.cookie != 51)
		return 6;
	if (ukevent_trigger(&q, 6, 2))
		return 7;
	return 0;
}

/*
 *   parent               child
 *   ADD timer, USER
 *                        ADD its own socket, which is closed by exec
 *                        TRIGGER, exec
 *                        new program: maps, takes both, fires the timer, TRIGGER
 *   takes what it left
 */
TEST_F(shared, exec_inherited)
{
	struct ukevent_queue *q = &self->q;
	char fd_arg[16];
	struct source own;
	struct ukevent ev;
	pid_t pid;

	snprintf(fd_arg, sizeof(fd_arg), "%d", q->fd);
	pid = fork();
	if (!pid) {
		if (source_open(&own, SRC_TCP4) ||
		    ukevent_add_socket(q, own.fd, KEVENT_SOCK_RECV,
				       KEVENT_EDGE | KEVENT_WANT_LAST, 70) ||
		    ukevent_trigger(q, 6, 1))
			_exit(98);
		execl("/proc/self/exe", "source_file_test", EXEC_ARG, fd_arg,
		      NULL);
		_exit(99);
	}
	ASSERT_EQ(0, child_status(pid));
	/* one consumer index for all */
	EXPECT_EQ(1, in_ring(q));
	EXPECT_EQ(1, (int)ukevent_take_shared(q, &ev, 1));
	EXPECT_USER(&ev, 60, 2, 1);
	EXPECT_QUIET(q);
}

/* Not inherited: exec closes the child's queue, whatever is going on in it. */
TEST_F(shared, exec_closed)
{
	struct kevent_params p = { .ring_entries = 4 };
	struct ukevent_queue *q = &self->q, mine;
	char test[64];
	int i;
	pid_t pid;

	ASSERT_EQ(0, ukevent_add_socket(q, self->s.fd, KEVENT_SOCK_RECV,
					KEVENT_EDGE, 70));
	for (i = 0; i < 4; i++) {
		pid = fork();
		if (!pid) {
			if (ukevent_queue_init(&mine, &p) ||
			    ukevent_set_timer(&mine, KEVENT_OP_ADD, 1, 1000,
					      100000, CLOCK_MONOTONIC, 0, 1) ||
			    add_user(&mine, 1, KEVENT_WANT_LAST, 2) ||
			    ukevent_add_socket(&mine, self->s.fd,
					       KEVENT_SOCK_RECV,
					       KEVENT_WANT_LAST, 3) ||
			    ukevent_trigger(&mine, 1, 1))
				_exit(98);
			snprintf(test, sizeof(test),
				 "! test -e /proc/self/fd/%d", mine.fd);
			execl("/bin/sh", "sh", "-c", test, NULL);
			_exit(99);
		}
		ASSERT_EQ(0, child_status(pid));
		/* the socket has one queue less, and is as it was */
		ASSERT_EQ(1, send(self->s.peer, "x", 1, 0));
		EXPECT_EQ(1, ring_reaches(q, 1));
		take_all(q, NULL);
		ASSERT_EQ(0, source_drain(&self->s));
	}
}

/* A duplicate is the same queue, and a mapping keeps it without any. */
TEST_F(shared, dup)
{
	struct ukevent_queue *q = &self->q, copy = { .fd = dup(q->fd) };
	__u64 told = 0;
	struct ukevent ev;
	int i;

	ASSERT_LE(0, copy.fd);
	EXPECT_EQ(0, ukevent_trigger(&copy, 6, 1));
	EXPECT_EQ(POLLIN, is_ready(copy.fd, POLLIN, 0));
	EXPECT_EQ(POLLIN, is_ready(q->fd, POLLIN, 0));
	EXPECT_EQ(-EEXIST, add_far_timer(&copy, 5, 0));
	ASSERT_EQ(0, ukevent_add_socket(&copy, self->s.fd, KEVENT_SOCK_RECV,
					KEVENT_EDGE, 70));
	close(q->fd);
	q->fd = copy.fd;
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 60, TRIGGERED, 0, 1, 1);
	ASSERT_EQ(0, fire_timer(q, 5, 51));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_TIMER, 51, EXPIRED, 0, 1, 0);
	ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_MODIFY, 5, 0, 1000000,
				       CLOCK_MONOTONIC, 0, 52));
	close(q->fd);
	q->fd = -1;
	/* nobody can enter it any more, and events still come */
	for (i = 0; i < 10; i++) {
		ASSERT_LE(1, ring_reaches(q, 1));
		ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
		EXPECT_EQ(52ULL, ev.cookie);
		told += ev.data[0];
		/* two unread stop it for ever now */
		if (is_pending(q))
			break;
	}
	EXPECT_LT(0ULL, told);
	take_all(q, NULL);
	ASSERT_EQ(1, send(self->s.peer, "x", 1, 0));
	EXPECT_LE(1, ring_reaches(q, 1));
}

static int recv_fd(int sock)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	int fd;

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* The receiver has the same queue; descriptors in its changes are its own. */
TEST_F(shared, passed)
{
	struct ukevent_queue *q = &self->q, got;
	int sv[2], number;
	struct source own;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, ukevent_add_socket(q, self->s.fd, KEVENT_SOCK_RECV,
					KEVENT_EDGE | KEVENT_WANT_LAST, 70));
	number = self->s.fd;
	pid = fork();
	if (!pid) {
		close(q->fd);
		got.fd = recv_fd(sv[1]);
		if (got.fd < 0)
			_exit(1);
		if (ukevent_trigger(&got, 6, 77))
			_exit(2);
		/* another socket under the number that the parent's has */
		if (source_open(&own, SRC_TCP4) ||
		    dup2(own.fd, number) != number ||
		    ukevent_op(&got, KEVENT_OP_REMOVE, KEVENT_TYPE_SOCKET,
			       number) != -ENOENT ||
		    ukevent_add_socket(&got, number, KEVENT_SOCK_RECV,
				       KEVENT_EDGE | KEVENT_WANT_LAST, 71))
			_exit(3);
		_exit(sys_kevent_wait(got.fd, 1, NULL, 0) == 1 ? 0 : 4);
	}
	ASSERT_EQ(0, send_fd(sv[0], q->fd));
	ASSERT_EQ(0, child_status(pid));
	EXPECT_EQ(2, wait_ms(q, 2, TEST_LONG_MS));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_USER, 60, TRIGGERED, 0, 77, 1);
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_SOCKET, 71, KEVENT_SOCK_HUP, LAST, 0,
			  0);
	ASSERT_EQ(1, send(self->s.peer, "x", 1, 0));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(1, take_all(q, NULL));
	EXPECT_QUIET(q);
	close(sv[0]);
	close(sv[1]);
}

/*
 * A queue that only a message holds is as alive as any.
 *
 *   sendmsg(queue), close(queue)     its timer expires, and is counted
 *   recvmsg()                        the records are there
 *   sendmsg(queue), close all        it goes with the message, its timer running
 */
TEST_F(shared, queue_in_flight)
{
	struct ukevent_queue q, watcher;
	struct ukevent buf[4];
	int i, n, sv[2];
	__u64 sum = 0;

	ASSERT_EQ(0, queue_init(&watcher, 4));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, queue_init_noring(&q, 4));
	ASSERT_EQ(0, add_user(&q, 6, 0, 60));
	ASSERT_EQ(0, ukevent_set_timer(&q, KEVENT_OP_ADD, 5, 0, 100000,
				       CLOCK_MONOTONIC, 0, 50));
	ASSERT_EQ(0, send_fd(sv[0], q.fd));
	close(q.fd);
	sleep_ms(TEST_SHORT_MS);
	q.fd = recv_fd(sv[1]);
	ASSERT_LE(0, q.fd);
	/* two records, then the sum */
	for (i = 0; i < 3; i += n) {
		n = sys_kevent_get_events(q.fd, buf, 1, 1, NULL, 0);
		ASSERT_EQ(1, n);
		sum += buf[0].data[0];
	}
	EXPECT_LE((__u64)TEST_SHORT_MS * 10, sum);

	ASSERT_EQ(0, ukevent_add_socket(&q, self->s.fd, KEVENT_SOCK_RECV, 0,
					70));
	ASSERT_EQ(0, ukevent_trigger(&q, 6, 1));
	ASSERT_EQ(0, send_fd(sv[0], q.fd));
	close(q.fd);
	close(sv[0]);
	close(sv[1]);
	/* the socket it watched does not mind */
	ASSERT_EQ(0, ukevent_add_socket(&watcher, self->s.fd, KEVENT_SOCK_RECV,
					0, 1));
	ASSERT_EQ(1, send(self->s.peer, "x", 1, 0));
	EXPECT_EQ(1, ring_reaches(&watcher, 1));
	ukevent_queue_exit(&watcher);
}

/*
 * A watched socket that only a message holds is still watched, and its last
 * close is that of the message; here by the garbage collector, as the message
 * lies in the socket itself.
 */
TEST_F(shared, socket_in_flight)
{
	struct ukevent_queue *q = &self->q;
	int i, sv[2];

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
		ASSERT_EQ(0, ukevent_add_socket(q, sv[0], KEVENT_SOCK_RECV,
						KEVENT_EDGE | KEVENT_WANT_LAST,
						70 + i));
		/* each holds the other, and nobody holds them */
		ASSERT_EQ(0, send_fd(sv[1], sv[1]));
		ASSERT_EQ(0, send_fd(sv[0], sv[0]));
		EXPECT_EQ(1, take_all(q, NULL));
		close(sv[0]);
		close(sv[1]);
		EXPECT_QUIET(q);
		/* the collector runs when any socket is closed for good */
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
		close(sv[0]);
		close(sv[1]);
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_TAKE_TYPED(q, KEVENT_TYPE_SOCKET, 70 + i,
				  KEVENT_SOCK_HUP, LAST, 0, 0);
		EXPECT_QUIET(q);
	}
}

/* ---- fdinfo ---- */

struct info {
	unsigned int entries, pending, interests;
	unsigned long long produced, consumed;
	unsigned int backlog, deferred, recheck;
	char text[65536];
	char *line;		/* of the next interest, NULL for none */
};

/* Reads it, and the lines that each queue has; 0 or a negative number. */
static int read_info(int fd, struct info *info)
{
	char path[64], *p;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	if (read_text(path, info->text, sizeof(info->text)) <= 0)
		return -EIO;
	p = strstr(info->text, "entries:");
	if (!p || sscanf(p, "entries: %u produced: %llu consumed: %llu pending: %u interests: %u\n",
			 &info->entries, &info->produced, &info->consumed,
			 &info->pending, &info->interests) != 5)
		return -1;
	p = strchr(p, '\n');
	if (!p || sscanf(p + 1, "backlog: %u deferred: %u recheck: %u\n",
			 &info->backlog, &info->deferred, &info->recheck) != 3)
		return -2;
	p = strchr(p + 1, '\n');
	if (!p || strncmp(p + 1, "waits: ", 7))
		return -4;
	info->line = strchr(p + 1, '\n');
	return info->line ? 0 : -3;
}

struct info_line {
	unsigned long long id, ident, cookie;
	unsigned int events, flags;
	char type[16];
	const char *rest;	/* the source's own part */
};

/* The next interest: 0, 1 if there is none, -EPROTO if the line is odd. */
static int next_line(struct info *info, struct info_line *l)
{
	int used = 0;
	char *p;

	if (!info->line)
		return -EPROTO;
	p = info->line + 1;
	if (!*p)
		return 1;
	info->line = strchr(p, '\n');
	if (!info->line)
		return -EPROTO;
	*info->line = 0;
	if (sscanf(p, "id: %llu type: %15s ident: %llu events: %x cookie: %llx flags: %x%n",
		   &l->id, l->type, &l->ident, &l->events, &l->cookie,
		   &l->flags, &used) != 6)
		return -EPROTO;
	l->rest = p + used;
	return 0;
}

/* The number after @name in the source's own part, -1 if it is not there. */
static long long own_part(const struct info_line *l, const char *name)
{
	const char *p = strstr(l->rest, name);

	return p ? strtoll(p + strlen(name), NULL, 10) : -1;
}

FIXTURE(fdinfo)
{
	struct info *info;
	struct ukevent_queue q;
	struct source s;
	int fd;
};

FIXTURE_SETUP(fdinfo)
{
	self->info = calloc(1, sizeof(*self->info));
	ASSERT_NE(NULL, self->info);
	ASSERT_EQ(0, queue_init(&self->q, 4));
	ASSERT_EQ(0, source_open(&self->s, SRC_TCP4));
	self->fd = make_eventfd(0);
}

FIXTURE_TEARDOWN(fdinfo)
{
	close(self->fd);
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
	free(self->info);
}

/* Where the ring is, and how many wait for what. */
TEST_F(fdinfo, counts)
{
	struct ukevent_queue *q = &self->q;
	struct info *info = self->info;
	int i;

	ASSERT_EQ(0, read_info(q->fd, info));
	EXPECT_EQ(4U, info->entries);
	EXPECT_EQ(0ULL, info->produced | info->consumed);
	EXPECT_EQ(0U, info->pending | info->interests | info->backlog |
		  info->deferred | info->recheck);

	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, add_user(q, i, 0, i));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, 0, 6, NULL));
	ASSERT_EQ(0, read_info(q->fd, info));
	EXPECT_EQ(1ULL, info->produced);
	EXPECT_EQ(7U, info->interests);
	EXPECT_EQ(1U, info->recheck);
	EXPECT_EQ(0U, info->pending | info->backlog | info->deferred);
	/* three fill the ring, one with two of them waits for itself */
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, ukevent_trigger(q, 0, 0));
	ASSERT_EQ(0, ukevent_trigger(q, 1, 0));
	/* and two for room */
	for (i = 2; i < 4; i++)
		ASSERT_EQ(0, ukevent_trigger(q, i, 0));
	ASSERT_EQ(0, read_info(q->fd, info));
	EXPECT_EQ(4ULL, info->produced);
	EXPECT_EQ(0ULL, info->consumed);
	EXPECT_EQ(1U, info->pending);
	EXPECT_EQ(2U, info->backlog);
	EXPECT_EQ(1U, info->deferred);
	/* it sees at once what was taken */
	EXPECT_EQ(4, take_all(q, NULL));
	ASSERT_EQ(0, read_info(q->fd, info));
	EXPECT_EQ(4ULL, info->consumed);
	/* those three, and the level one again */
	EXPECT_EQ(4, flush_ring(q));
	ASSERT_EQ(0, read_info(q->fd, info));
	EXPECT_EQ(8ULL, info->produced);
	EXPECT_EQ(0U, info->backlog | info->deferred | info->pending);
	EXPECT_EQ(1U, info->recheck);
	for (i = 0; i < 6; i++)
		ASSERT_EQ(0, ukevent_op(q, KEVENT_OP_REMOVE, KEVENT_TYPE_USER,
					i));
	ASSERT_EQ(0, remove_fd(q->fd, self->fd));
	ASSERT_EQ(0, read_info(q->fd, info));
	EXPECT_EQ(0U, info->interests | info->recheck);
}

/* A line for each interest, by id, with what only its source has. */
TEST_F(fdinfo, interests)
{
	struct ukevent_queue *q = &self->q;
	struct info *info = self->info;
	struct kevent_change c[4];
	struct info_line l = {};

	c[0] = make_timer(KEVENT_OP_ADD, 0xfffffffffffffff0ULL, HOUR, 7000000,
			  CLOCK_BOOTTIME, KEVENT_EDGE, 0xabc);
	c[0].param[KEVENT_TIMER_SLACK] = 12345;
	c[1] = make_user(KEVENT_OP_ADD, 9, KEVENT_DISPATCH | KEVENT_WANT_LAST |
			 KEVENT_START_DISABLED, 1);
	c[2] = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_SOCKET, self->s.fd,
			  KEVENT_SOCK_RECV | KEVENT_SOCK_RDHUP, KEVENT_HINTS, 2);
	c[2].param[KEVENT_SOCK_LOWAT] = 4321;
	c[3] = make_change(KEVENT_OP_ADD, self->fd, EV_IN, KEVENT_ONESHOT |
			   KEVENT_EXCLUSIVE, 3);
	ASSERT_EQ(4, sys_kevent_ctl(q->fd, c, 4, sizeof(c[0]), 0));
	ASSERT_EQ(0, c[0].result | c[1].result | c[2].result | c[3].result);
	ASSERT_EQ(0, ukevent_trigger(q, 9, 0));
	ASSERT_EQ(0, ukevent_trigger(q, 9, 0));

	ASSERT_EQ(0, read_info(q->fd, info));
	EXPECT_FALSE(has_address(info->line));
	EXPECT_EQ(4U, info->interests);

	ASSERT_EQ(0, next_line(info, &l));
	EXPECT_EQ(c[0].id, l.id);
	EXPECT_STREQ("timer", l.type);
	EXPECT_EQ(c[0].ident, l.ident);
	EXPECT_EQ((__u32)EXPIRED, l.events);
	EXPECT_EQ(0xabcULL, l.cookie);
	EXPECT_EQ(KEVENT_EDGE, l.flags);
	EXPECT_EQ(CLOCK_BOOTTIME, own_part(&l, " clock: "));
	EXPECT_LT(0, own_part(&l, " left: "));
	EXPECT_GE((long long)HOUR, own_part(&l, " left: "));
	EXPECT_EQ(7000000, own_part(&l, " period: "));
	EXPECT_EQ(12345, own_part(&l, " slack: "));

	ASSERT_EQ(0, next_line(info, &l));
	EXPECT_EQ(c[1].id, l.id);
	EXPECT_STREQ("user", l.type);
	EXPECT_EQ(9ULL, l.ident);
	EXPECT_EQ((__u32)TRIGGERED, l.events);
	EXPECT_EQ(KEVENT_DISPATCH | KEVENT_WANT_LAST | KEVENT_START_DISABLED, l.flags);
	EXPECT_STREQ(" count: 2", l.rest);

	ASSERT_EQ(0, next_line(info, &l));
	EXPECT_EQ(c[2].id, l.id);
	EXPECT_STREQ("socket", l.type);
	EXPECT_EQ((__u64)self->s.fd, l.ident);
	EXPECT_EQ((__u32)(KEVENT_SOCK_RECV | KEVENT_SOCK_RDHUP),
		  l.events & ~(KEVENT_SOCK_HUP | KEVENT_SOCK_ERROR));
	EXPECT_EQ(0U, l.flags);
	EXPECT_EQ(4321, own_part(&l, " lowat: "));
	EXPECT_EQ(1, own_part(&l, " hints: "));

	ASSERT_EQ(0, next_line(info, &l));
	EXPECT_EQ(c[3].id, l.id);
	EXPECT_STREQ("poll", l.type);
	EXPECT_EQ((__u64)self->fd, l.ident);
	EXPECT_EQ(EV_IN, l.events & ~(EV_HUP | EV_ERR));
	EXPECT_EQ(KEVENT_ONESHOT | KEVENT_EXCLUSIVE, l.flags);
	EXPECT_STREQ("", l.rest);

	EXPECT_EQ(1, next_line(info, &l));
}

/* MODIFY and the end of interests show; a clock is shown as it counts. */
TEST_F(fdinfo, changes)
{
	struct ukevent_queue *q = &self->q;
	struct info *info = self->info;
	struct info_line l = {};
	int i;

	ASSERT_EQ(0, add_far_timer(q, 5, 50));
	ASSERT_EQ(0, add_user(q, 6, KEVENT_ONESHOT, 60));
	for (i = 0; i < (int)ARRAY_SIZE(clocks); i++) {
		ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_MODIFY, 5,
					       now_ns(clocks[i]) + HOUR, 0,
					       clocks[i], KEVENT_ABSTIME |
					       KEVENT_ONESHOT, 100 + i));
		ASSERT_EQ(0, read_info(q->fd, info));
		ASSERT_EQ(0, next_line(info, &l));
		EXPECT_EQ(100ULL + i, l.cookie);
		EXPECT_EQ(KEVENT_ONESHOT, l.flags);
		EXPECT_EQ(clocks[i], own_part(&l, " clock: "));
	}
	/* a span is not that of a clock that can be set */
	ASSERT_EQ(0, ukevent_set_timer(q, KEVENT_OP_MODIFY, 5, HOUR, 0,
				       CLOCK_REALTIME, 0, 50));
	ASSERT_EQ(0, read_info(q->fd, info));
	ASSERT_EQ(0, next_line(info, &l));
	EXPECT_EQ(CLOCK_MONOTONIC, own_part(&l, " clock: "));
	EXPECT_EQ(0, next_line(info, &l));
	EXPECT_STREQ("user", l.type);
	/* one-shot: gone with its record */
	ASSERT_EQ(0, ukevent_trigger(q, 6, 0));
	ASSERT_EQ(0, read_info(q->fd, info));
	EXPECT_EQ(0, next_line(info, &l));
	EXPECT_EQ(50ULL, l.cookie);
	EXPECT_EQ(1, next_line(info, &l));
}

/* Another process reads it too. */
TEST_F(fdinfo, of_another_process)
{
	struct ukevent_queue *q = &self->q;
	char path[64];
	pid_t pid;

	ASSERT_EQ(0, add_user(q, 6, 0, 60));
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", getpid(), q->fd);
	pid = fork();
	if (!pid) {
		close(q->fd);
		if (read_text(path, self->info->text, 4096) <= 0)
			_exit(1);
		_exit(strstr(self->info->text, "type: user ident: 6 ") ? 0 : 2);
	}
	EXPECT_EQ(0, child_status(pid));
}

struct changer {
	struct ukevent_queue *q;
	int stop;
	int error;
};

static void *change_main(void *arg)
{
	struct changer *c = arg;
	struct ukevent_queue *q = c->q;
	int i, ret;

	for (i = 0; !__atomic_load_n(&c->stop, __ATOMIC_RELAXED); i++) {
		ret = ukevent_set_timer(q, KEVENT_OP_MODIFY, 5, i % 3 * 20000,
					i % 2 * 50000, clocks[i % 4],
					KEVENT_EDGE, i);
		if (!ret)
			ret = ukevent_trigger(q, 6, i);
		if (!ret)
			ret = add_user(q, 7, 0, i);
		if (!ret)
			ret = ukevent_op(q, KEVENT_OP_REMOVE, KEVENT_TYPE_USER,
					 7);
		if (ret)
			c->error = ret;
	}
	return NULL;
}

/* While a timer expires and is set anew, and others come and go. */
TEST_F(fdinfo, races)
{
	int i, n, ret, rounds = test_loops(500);
	struct changer c = { .q = &self->q };
	struct ukevent_queue *q = &self->q;
	__u64 start = now_ns(CLOCK_MONOTONIC), id;
	struct info_line l = {};
	pthread_t thread;

	ASSERT_EQ(0, add_far_timer(q, 5, 50));
	ASSERT_EQ(0, add_user(q, 6, 0, 60));
	ASSERT_EQ(0, pthread_create(&thread, NULL, change_main, &c));
	for (i = 0; i < rounds && !test_loops_done(start, 20); i++) {
		ASSERT_EQ(0, read_info(q->fd, self->info));
		EXPECT_GE(self->info->produced, self->info->consumed);
		EXPECT_FALSE(has_address(self->info->line));
		for (n = 0, id = 0; !(ret = next_line(self->info, &l)); n++) {
			EXPECT_LT(id, l.id);
			id = l.id;
		}
		EXPECT_EQ(1, ret);
		EXPECT_TRUE(n == 2 || n == 3) TH_LOG("%d lines", n);
		flush_ring(q);
		take_all(q, NULL);
	}
	__atomic_store_n(&c.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, c.error);
	TH_LOG("%d times read", i);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], EXEC_ARG))
		return after_exec(atoi(argv[2]));
	return test_harness_run(argc, argv);
}
