// SPDX-License-Identifier: GPL-2.0
/*
 * S9: the queue as a file: poll, select, epoll and io_uring wait on it; queues
 * and epoll sets that watch each other; fork, exec, SCM_RIGHTS; fdinfo.
 */
#include "kevent_test.h"
#include "uring.h"
#include <sys/select.h>

FIXTURE(pollable)
{
	struct ukevent_queue q;
	int fd;
};

FIXTURE_SETUP(pollable)
{
	ASSERT_EQ(0, queue_init(&self->q, 2));
	self->fd = make_eventfd(0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(pollable)
{
	ukevent_queue_exit(&self->q);
	close(self->fd);
}

static int readable(struct ukevent_queue *q)
{
	return is_ready(q->fd, POLLIN | POLLOUT | POLLPRI, 0);
}

TEST_F(pollable, records)
{
	struct ukevent_queue *q = &self->q;

	EXPECT_EQ(0, readable(q));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_EDGE, 1, NULL));
	EXPECT_EQ(0, readable(q));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(POLLIN, readable(q));
	EXPECT_EQ(POLLIN, readable(q));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(0, readable(q));
}

TEST_F(pollable, pending)
{
	struct ukevent_queue *q = &self->q;
	int i, copy[3];

	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	for (i = 0; i < 3; i++) {
		copy[i] = dup(self->fd);
		ASSERT_EQ(0, add_fd(q->fd, copy[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	}
	EXPECT_EQ(2, take_all(q, NULL));
	EXPECT_EQ(1, is_pending(q));
	EXPECT_EQ(POLLIN, readable(q));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(POLLIN, readable(q));
	EXPECT_TAKE(q, 2, EV_IN, 0);
	EXPECT_EQ(0, readable(q));
}

/* A level interest that is to be looked at again makes it readable. */
TEST_F(pollable, level_recheck)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, 0, 1, NULL));
	EXPECT_EQ(0, readable(q));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(POLLIN, readable(q));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	eventfd_take(self->fd);
	EXPECT_EQ(POLLIN, readable(q));
	EXPECT_EQ(0, flush_ring(q));
	EXPECT_EQ(0, readable(q));
}

struct writer {
	int fd;
	int tid;	/* of who must sleep first */
};

static void *write_when_asleep(void *arg)
{
	struct writer *w = arg;

	task_asleep(w->tid);
	eventfd_add(w->fd, 1);
	return NULL;
}

/* Runs @sleep while another thread fires the source as soon as it sleeps. */
#define WOKEN(fd_, sleep) \
do { \
	struct writer __w = { (fd_), (int)syscall(SYS_gettid) }; \
	pthread_t __t; \
	ASSERT_EQ(0, pthread_create(&__t, NULL, write_when_asleep, &__w)); \
	EXPECT_EQ(1, (sleep)); \
	pthread_join(__t, NULL); \
} while (0)

TEST_F(pollable, poll_sleeps)
{
	struct pollfd p = { .fd = self->q.fd, .events = POLLIN };
	int i;

	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, KEVENT_EDGE, 1, NULL));
	for (i = 0; i < 20; i++) {
		WOKEN(self->fd, poll(&p, 1, TEST_LONG_MS));
		EXPECT_EQ(POLLIN, p.revents);
		EXPECT_TAKE(&self->q, 1, EV_IN, 0);
	}
}

TEST_F(pollable, select_sleeps)
{
	struct timeval tv = { TEST_LONG_MS / 1000, 0 };
	fd_set fds;

	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, KEVENT_EDGE, 1, NULL));
	FD_ZERO(&fds);
	FD_SET(self->q.fd, &fds);
	WOKEN(self->fd, select(self->q.fd + 1, &fds, NULL, NULL, &tv));
	EXPECT_NE(0, FD_ISSET(self->q.fd, &fds));
}

TEST_F(pollable, epoll_sleeps)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 5 };
	int i, mode, ep = epoll_create1(EPOLL_CLOEXEC);
	struct source s;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->q.fd, &ev));
	for (mode = 0; mode < 2; mode++) {
		ev.events = mode ? EPOLLIN | EPOLLET : EPOLLIN;
		ev.data.u64 = 5;
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_MOD, self->q.fd, &ev));
		for (i = 0; i < 20; i++) {
			EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
			WOKEN(self->fd, epoll_wait(ep, &ev, 1, TEST_LONG_MS));
			EXPECT_EQ(5ULL, ev.data.u64);
			EXPECT_EQ(1, (int)ev.events);
			EXPECT_TAKE(&self->q, 1, EV_IN, 0);
		}
	}
	/* what only a query can find wakes as well */
	ASSERT_EQ(0, remove_fd(self->q.fd, self->fd));
	ASSERT_EQ(0, source_open(&s, SRC_PIPE));
	ASSERT_EQ(0, add_fd(self->q.fd, s.fd, EV_IN, 0, 2, NULL));
	close(s.peer);
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, TEST_LONG_MS));
	EXPECT_EQ(1, flush_ring(&self->q));
	EXPECT_TAKE(&self->q, 2, EV_HUP, 0);
	close(s.fd);
	close(ep);
}

/* ---- io_uring ---- */

TEST_F(pollable, io_uring_sleeps)
{
	struct uring u;
	__u32 flags;
	int i, ret;

	ret = uring_init(&u);
	if (ret)
		SKIP(return, "io_uring_setup: %s", strerror(-ret));
	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, KEVENT_EDGE, 1, NULL));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(1, uring_poll(&u, self->q.fd, 0));
		WOKEN(self->fd, uring_next(&u, &flags));
		EXPECT_TAKE(&self->q, 1, EV_IN, 0);
	}
	close(u.fd);
}

/* ---- who watches whom ---- */

TEST_F(pollable, loops_refused)
{
	struct ukevent_queue other;

	ASSERT_EQ(0, queue_init(&other, 4));
	EXPECT_EQ(-ELOOP, add_fd(self->q.fd, self->q.fd, EV_IN, 0, 0, NULL));
	EXPECT_EQ(-ELOOP, add_fd(self->q.fd, other.fd, EV_IN, 0, 0, NULL));
	EXPECT_EQ(-ELOOP, add_fd(other.fd, self->q.fd, EV_IN, 0, 0, NULL));
	ukevent_queue_exit(&other);
}

/* eventfd <- epoll <- queue */
TEST_F(pollable, watches_epoll)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct ukevent_queue *q = &self->q;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &ev));
	ASSERT_EQ(0, add_fd(q->fd, ep, EV_IN, 0, 1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	eventfd_take(self->fd);
	EXPECT_QUIET(q);
	close(ep);
	EXPECT_QUIET(q);
}

struct ring_of_watchers {
	struct ukevent_queue *q[2];
	int ep;
	int fd;
	int stop;
};

static void *stir(void *arg)
{
	struct ring_of_watchers *r = arg;
	struct epoll_event ev;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		eventfd_add(r->fd, 1);
		epoll_wait(r->ep, &ev, 1, 0);
		eventfd_take(r->fd);
	}
	return NULL;
}

/*
 * queue <- epoll <- queue, in a circle or in a line, built in either order.
 * Some of it may be refused; none of it may hang or go on by itself for ever.
 */
TEST_F_TIMEOUT(pollable, queue_epoll_queue, 120)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct ring_of_watchers r = { .fd = self->fd };
	int way, i, ret, refused = 0;
	struct ukevent_queue q[2];
	pthread_t thread;

	for (way = 0; way < 4; way++) {
		r.ep = epoll_create1(EPOLL_CLOEXEC);
		r.stop = 0;
		ASSERT_EQ(0, queue_init(&q[0], 4));
		ASSERT_EQ(0, queue_init(&q[1], 4));
		ASSERT_EQ(0, add_fd(q[0].fd, self->fd, EV_IN, 0, 1, NULL));
		if (way & 1) {
			ret = epoll_ctl(r.ep, EPOLL_CTL_ADD, q[0].fd, &ev);
			EXPECT_TRUE(!ret || errno == ELOOP);
			refused += !!ret;
		}
		/* a circle, or a line with another queue at the end */
		ret = add_fd(q[way >> 1].fd, r.ep, EV_IN, 0, 2, NULL);
		EXPECT_TRUE(!ret || ret == -ELOOP);
		refused += !!ret;
		if (!(way & 1)) {
			ret = epoll_ctl(r.ep, EPOLL_CTL_ADD, q[0].fd, &ev);
			EXPECT_TRUE(!ret || errno == ELOOP);
			refused += !!ret;
		}
		ASSERT_EQ(0, pthread_create(&thread, NULL, stir, &r));
		for (i = 0; i < test_loops(300); i++) {
			EXPECT_LE(0, flush_ring(&q[0]));
			EXPECT_LE(0, flush_ring(&q[1]));
			readable(&q[0]);
			readable(&q[1]);
			take_all(&q[0], NULL);
			take_all(&q[1], NULL);
			EXPECT_LE(0, epoll_wait(r.ep, &ev, 1, 0));
		}
		__atomic_store_n(&r.stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		/* one event for a sleeper at the end of the line */
		eventfd_take(self->fd);
		for (i = 0; i < 20; i++) {
			flush_ring(&q[0]);
			take_all(&q[0], NULL);
			flush_ring(&q[1]);
			take_all(&q[1], NULL);
		}
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		EXPECT_LE(1, wait_ms(&q[0], 1, TEST_LONG_MS));
		if (way >> 1 && !refused)
			EXPECT_LE(1, wait_ms(&q[1], 1, TEST_LONG_MS));
		eventfd_take(self->fd);
		/* taken apart in different orders */
		if (way & 1) {
			ukevent_queue_exit(&q[0]);
			close(r.ep);
			ukevent_queue_exit(&q[1]);
		} else {
			close(r.ep);
			ukevent_queue_exit(&q[1]);
			ukevent_queue_exit(&q[0]);
		}
	}
	TH_LOG("%d of them refused", refused);
}

/* ---- fork, exec, SCM_RIGHTS ---- */

/* The child's changes and waits are on the same queue. */
TEST_F(pollable, shared_with_child)
{
	struct ukevent_queue *q = &self->q;
	int status, child_fd;
	pid_t pid;

	pid = fork();
	if (!pid) {
		/* a descriptor that only the child has */
		child_fd = make_eventfd(1);
		if (add_fd(q->fd, child_fd, EV_IN, KEVENT_WANT_LAST |
			   KEVENT_EDGE, 7, NULL))
			_exit(1);
		if (add_fd(q->fd, self->fd, EV_IN, KEVENT_EDGE, 8, NULL))
			_exit(2);
		_exit(sys_kevent_wait(q->fd, 1, NULL, 0) == 1 ? 0 : 3);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(2, wait_ms(q, 2, TEST_LONG_MS));
	EXPECT_TAKE(q, 7, EV_IN, 0);
	EXPECT_TAKE(q, 7, EV_HUP, KEVENT_REC_LAST);
	/* what it added in a file of both stays; the key is the same here */
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, 8, EV_IN, 0);
	EXPECT_EQ(0, remove_fd(q->fd, self->fd));
}

/* Closed by exec unless INHERIT: tested through /proc in the new program. */
TEST_F(pollable, exec)
{
	struct kevent_params p = { .flags = KEVENT_CREATE_INHERIT };
	int fd, i, status;
	char name[64];
	pid_t pid;

	if (access("/bin/sh", X_OK))
		SKIP(return, "no /bin/sh to exec");
	fd = sys_kevent_create(&p, sizeof(p), p.flags);
	ASSERT_LE(0, fd);
	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "test -e /proc/self/fd/%d",
			 i ? fd : self->q.fd);
		pid = fork();
		if (!pid) {
			execl("/bin/sh", "sh", "-c", name, NULL);
			_exit(99);
		}
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_TRUE(WIFEXITED(status));
		EXPECT_EQ(i ? 0 : 1, WEXITSTATUS(status));
	}
	close(fd);
}

TEST_F(pollable, passed_in_socket)
{
	struct ukevent_queue *q = &self->q, q2;
	struct kevent_params p = { .ring_entries = 8 };
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
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int sv[2], got;

	ASSERT_EQ(0, ukevent_queue_init(&q2, &p));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &q2.fd, sizeof(int));
	ASSERT_EQ(1, sendmsg(sv[0], &msg, 0));
	/* in flight in a socket that the queue itself watches */
	ASSERT_EQ(0, add_fd(q2.fd, sv[1], EV_IN, 0, 1, NULL));
	EXPECT_EQ(1, in_ring(&q2));
	ASSERT_EQ(1, recvmsg(sv[1], &msg, 0));
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	close(q2.fd);
	q2.fd = got;
	/* the receiver has the same queue */
	EXPECT_EQ(1, sys_kevent_wait(got, 1, NULL, 0));
	EXPECT_TAKE(&q2, 1, EV_IN, 0);
	EXPECT_EQ(0, flush_ring(&q2));
	/* and one that is never received goes with its socket */
	cmsg = CMSG_FIRSTHDR(&msg);
	memcpy(CMSG_DATA(cmsg), &q2.fd, sizeof(int));
	ASSERT_EQ(1, sendmsg(sv[0], &msg, 0));
	ukevent_queue_exit(&q2);
	close(sv[0]);
	close(sv[1]);
	EXPECT_QUIET(q);
}

/* ---- fdinfo ---- */

static int count_lines(const char *s)
{
	int n = 0;

	while ((s = strchr(s, '\n'))) {
		s++;
		n++;
	}
	return n;
}

TEST_F(pollable, fdinfo)
{
	static char before[65536], after[65536];
	struct ukevent_queue *q = &self->q;
	char path[64], *p;
	int i, copy[10];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", q->fd);
	ASSERT_LT(0, read_text(path, before, sizeof(before)));
	for (i = 0; i < 10; i++) {
		copy[i] = dup(self->fd);
		ASSERT_EQ(0, add_fd(q->fd, copy[i], EV_IN, i % 2 ? KEVENT_EDGE :
				    0, 0xabcdef00 + i, NULL));
	}
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_LT(0, read_text(path, after, sizeof(after)));
	/* a line at least for each of them */
	EXPECT_LE(count_lines(before) + 10, count_lines(after));
	/* no address of the kernel's (S12) */
	for (p = strstr(after, "ffff"); p; p = strstr(p + 4, "ffff"))
		EXPECT_GT((size_t)16, strspn(p, "0123456789abcdef"));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, remove_fd(q->fd, copy[i]));
	ASSERT_LT(0, read_text(path, after, sizeof(after)));
	EXPECT_EQ(count_lines(before), count_lines(after));
}

/* fdinfo while interests come and go, and their files are closed. */
struct churner {
	int kfd;
	int stop;
};

static void *churn(void *arg)
{
	struct churner *c = arg;
	int i, fds[8];

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < 8; i++) {
			fds[i] = make_eventfd(1);
			add_fd(c->kfd, fds[i], EV_IN, 0, i, NULL);
		}
		for (i = 0; i < 8; i++) {
			if (i % 2)
				remove_fd(c->kfd, fds[i]);
			close(fds[i]);
		}
	}
	return NULL;
}

TEST_F(pollable, fdinfo_races)
{
	struct churner c = { .kfd = self->q.fd };
	static char buf[65536];
	pthread_t thread;
	char path[64];
	int i;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->q.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, churn, &c));
	for (i = 0; i < test_loops(300); i++)
		EXPECT_LT(0, read_text(path, buf, sizeof(buf)));
	__atomic_store_n(&c.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

/* What a queue cannot do. */
TEST_F(pollable, not_a_stream)
{
	char c = 0;

	EXPECT_EQ(-1, read(self->q.fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->q.fd, &c, 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
