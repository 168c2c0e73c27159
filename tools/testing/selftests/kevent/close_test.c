// SPDX-License-Identifier: GPL-2.0
/*
 * S7: a queue never keeps what it watches alive; the last close ends an
 * interest; close, REMOVE and close of the queue against each other; threads
 * stuck in user memory stand in nobody's way.
 */
#include "kevent_test.h"
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>

#define LAST	KEVENT_REC_LAST

FIXTURE(closing)
{
	struct ukevent_queue q;
};

FIXTURE_SETUP(closing)
{
	ASSERT_EQ(0, queue_init(&self->q, 16));
}

FIXTURE_TEARDOWN(closing)
{
	ukevent_queue_exit(&self->q);
}

/* ---- the other end notices ---- */

FIXTURE(peer)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(peer)
{
	enum source_kind kind;
};

FIXTURE_VARIANT_ADD(peer, tcp4)
{
	.kind = SRC_TCP4,
};

FIXTURE_VARIANT_ADD(peer, tcp6)
{
	.kind = SRC_TCP6,
};

FIXTURE_VARIANT_ADD(peer, unix)
{
	.kind = SRC_UNIX,
};

FIXTURE_VARIANT_ADD(peer, pipe)
{
	.kind = SRC_PIPE,
};

FIXTURE_SETUP(peer)
{
	ASSERT_EQ(0, queue_init(&self->q, 16));
	ASSERT_EQ(0, source_open(&self->s, variant->kind));
	signal(SIGPIPE, SIG_IGN);
}

FIXTURE_TEARDOWN(peer)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

/* EOF at a socket, an error at the writing end of a pipe. */
static int peer_hung_up(struct source *s)
{
	struct pollfd p = { .fd = s->peer, .events = POLLRDHUP };

	return poll(&p, 1, TEST_LONG_MS) == 1 &&
	       (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

TEST_F(peer, closed)
{
	ASSERT_EQ(0, add_fd(self->q.fd, self->s.fd, EV_IN | EV_RDHUP,
			    KEVENT_WANT_LAST, 1, NULL));
	close(self->s.fd);
	self->s.fd = -1;
	EXPECT_TRUE(peer_hung_up(&self->s));
	EXPECT_EQ(1, wait_ms(&self->q, 1, TEST_LONG_MS));
	EXPECT_TAKE(&self->q, 1, EV_HUP, LAST);
	EXPECT_QUIET(&self->q);
}

/* T10: with a thread asleep in the queue, which is woken for the record. */
TEST_F(peer, closed_under_sleeper)
{
	struct waiter w;

	ASSERT_EQ(0, add_fd(self->q.fd, self->s.fd, EV_IN | EV_RDHUP,
			    KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	close(self->s.fd);
	self->s.fd = -1;
	EXPECT_TRUE(peer_hung_up(&self->s));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE(&self->q, 1, EV_HUP, LAST);
}

/* A sleeper that goes on sleeping does not hold anything back either. */
TEST_F(peer, sleeper_sleeps_on)
{
	struct waiter w;
	int fd = make_eventfd(0);

	ASSERT_EQ(0, add_fd(self->q.fd, fd, EV_IN, 0, 2, NULL));
	ASSERT_EQ(0, add_fd(self->q.fd, self->s.fd, EV_IN | EV_PRI | EV_RDHUP,
			    0, 1, NULL));
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	close(self->s.fd);
	self->s.fd = -1;
	EXPECT_TRUE(peer_hung_up(&self->s));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE(&self->q, 2, EV_IN, 0);
}

struct flipper {
	struct source *s;
	int stop;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;
	char c = 1;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED))
		if (write(f->s->peer, &c, 1) < 0)
			break;
	return NULL;
}

/*
 * The sleeper is busy with queries of the very socket that is closed, so that
 * the last reference may well be the query's own.
 */
TEST_F_TIMEOUT(peer, closed_under_query, 120)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct flipper f = { .s = &self->s };
	int i, loops = test_loops(200);
	struct waiter w;
	pthread_t thread;

	source_close(&self->s);
	for (i = 0; i < loops && !test_loops_done(start, 60); i++) {
		ASSERT_EQ(0, source_open(&self->s, variant->kind));
		fcntl(self->s.peer, F_SETFL, O_NONBLOCK);
		f.stop = 0;
		/* bits that have to be looked for, and are never found */
		ASSERT_EQ(0, add_fd(self->q.fd, self->s.fd, EV_PRI | EV_RDBAND,
				    KEVENT_WANT_LAST, i, NULL));
		ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
		ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &f));
		if (i % 4)
			sched_yield();
		close(self->s.fd);
		self->s.fd = -1;
		EXPECT_TRUE(peer_hung_up(&self->s)) TH_LOG("round %d", i);
		__atomic_store_n(&f.stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		ASSERT_LE(1, waiter_result(&w)) TH_LOG("round %d", i);
		/* a hang-up that was seen may come first; then the end */
		while (in_ring(&self->q) > 1)
			take_all(&self->q, NULL);
		if (in_ring(&self->q)) {
			struct ukevent ev;

			take_all(&self->q, &ev);
			EXPECT_EQ((__u64)i, ev.cookie);
			EXPECT_EQ(KEVENT_REC_LAST, ev.flags);
		}
		source_close(&self->s);
		EXPECT_QUIET(&self->q);
	}
}

/* ---- descriptors and files ---- */

TEST_F(closing, dup_keeps_alive)
{
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0), copy = dup(fd);
	__u64 id;

	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_EDGE | KEVENT_WANT_LAST, 1,
			    &id));
	close(fd);
	EXPECT_QUIET(q);
	/* it still fires, by its old name out of reach, by its id within */
	ASSERT_EQ(0, eventfd_add(copy, 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(-EBADF, remove_fd(q->fd, fd));
	EXPECT_EQ(-ENOENT, remove_fd(q->fd, copy));
	EXPECT_EQ(0, op_id(q->fd, KEVENT_OP_DISABLE, id, 0));
	ASSERT_EQ(0, eventfd_add(copy, 1));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_id(q->fd, KEVENT_OP_ENABLE, id, 0));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_EQ(0, op_id(q->fd, KEVENT_OP_REMOVE, id, 0));
	EXPECT_TAKE(q, 1, 0, LAST);
	close(copy);
	EXPECT_QUIET(q);
}

/* T22: the number is used again for something else. */
TEST_F(closing, number_reused)
{
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0), copy = dup(fd), fd2;
	__u64 id, id2;

	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_EDGE | KEVENT_WANT_LAST, 1,
			    &id));
	close(fd);
	fd2 = make_eventfd(0);
	ASSERT_EQ(fd, fd2);
	/* the number does not reach the old file's interest */
	EXPECT_EQ(-ENOENT, remove_fd(q->fd, fd2));
	EXPECT_EQ(0, add_fd(q->fd, fd2, EV_IN, KEVENT_EDGE | KEVENT_WANT_LAST,
			    2, &id2));
	EXPECT_NE(id, id2);
	ASSERT_EQ(0, eventfd_add(copy, 1));
	ASSERT_EQ(0, eventfd_add(fd2, 1));
	EXPECT_EQ(2, ring_reaches(q, 2));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	EXPECT_TAKE(q, 2, EV_IN, 0);
	EXPECT_EQ(0, remove_fd(q->fd, fd2));
	EXPECT_TAKE(q, 2, 0, LAST);
	close(copy);
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EV_HUP, LAST);
	EXPECT_EQ(-ENOENT, op_id(q->fd, KEVENT_OP_REMOVE, id, 0));
	EXPECT_QUIET(q);
}

TEST_F(closing, several_interests)
{
	struct ukevent_queue *q = &self->q, other;
	int fd = make_eventfd(0), copy = dup(fd);
	unsigned int seen = 0, i;
	struct ukevent ev;

	ASSERT_EQ(0, queue_init(&other, 4));
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, add_fd(q->fd, copy, EV_IN, KEVENT_WANT_LAST, 2, NULL));
	ASSERT_EQ(0, add_fd(other.fd, fd, EV_IN, KEVENT_WANT_LAST, 3, NULL));
	/* T1: each queue gets it */
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(2, ring_reaches(q, 2));
	EXPECT_EQ(1, ring_reaches(&other, 1));
	take_all(q, NULL);
	EXPECT_TAKE(&other, 3, EV_IN, 0);
	eventfd_take(fd);
	close(fd);
	EXPECT_QUIET(q);
	close(copy);
	EXPECT_EQ(2, wait_ms(q, 2, TEST_LONG_MS));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
		EXPECT_RECORD(&ev, ev.cookie, EV_HUP, LAST);
		seen |= 1 << ev.cookie;
	}
	EXPECT_EQ(6U, seen);
	EXPECT_EQ(1, wait_ms(&other, 1, TEST_LONG_MS));
	EXPECT_TAKE(&other, 3, EV_HUP, LAST);
	EXPECT_QUIET(q);
	EXPECT_QUIET(&other);
	ukevent_queue_exit(&other);
}

/* A forked copy keeps it; the last close happens in the other process. */
TEST_F(closing, by_another_process)
{
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0), status, go[2];
	struct waiter w;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_EDGE | KEVENT_WANT_LAST, 1,
			    NULL));
	pid = fork();
	if (!pid) {
		close(go[1]);
		read(go[0], &c, 1);
		eventfd_add(fd, 1);
		read(go[0], &c, 1);
		_exit(0);	/* the queue's own descriptor goes as well */
	}
	close(fd);
	EXPECT_QUIET(q);
	ASSERT_EQ(1, write(go[1], "1", 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, 1, EV_IN, 0);
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	ASSERT_EQ(1, write(go[1], "2", 1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE(q, 1, EV_HUP, LAST);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_QUIET(q);
}

/* A descriptor in flight in a socket keeps its file, and so the interest. */
TEST_F(closing, in_flight)
{
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0), sv[2];
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char c = 0;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_WANT_LAST, 1, NULL));
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	ASSERT_EQ(1, sendmsg(sv[0], &msg, 0));
	close(fd);
	EXPECT_QUIET(q);
	close(sv[0]);
	close(sv[1]);
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EV_HUP, LAST);
}

/* A registered file of io_uring keeps it as well. */
TEST_F(closing, io_uring_fixed_file)
{
	struct ukevent_queue *q = &self->q;
	int ring, fd = make_eventfd(0);
	struct io_uring_params p = {};

	ring = syscall(__NR_io_uring_setup, 4, &p);
	if (ring < 0)
		SKIP(return, "io_uring_setup: %s", strerror(errno));
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, syscall(__NR_io_uring_register, ring,
			     IORING_REGISTER_FILES, &fd, 1));
	close(fd);
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	ASSERT_EQ(0, syscall(__NR_io_uring_register, ring,
			     IORING_UNREGISTER_FILES, NULL, 0));
	EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
	EXPECT_TAKE(q, 1, EV_HUP, LAST);
	close(ring);
}

/* T9: a queue with many interests goes while they fire; and other queues stay. */
TEST_F(closing, queue_with_many)
{
	enum { NR = 2000 };
	static int fds[NR];
	struct ukevent_queue q;
	int i, nr = test_loops(NR) < NR ? test_loops(NR) : NR;

	ASSERT_EQ(0, raise_nofile(NR + 100));
	for (i = 0; i < nr; i++) {
		fds[i] = make_eventfd(0);
		ASSERT_LE(0, fds[i]);
	}
	ASSERT_EQ(0, queue_init(&q, 64));
	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, add_fd(q.fd, fds[i], EV_IN, KEVENT_WANT_LAST, i,
				    NULL));
		if (i % 3 == 0)
			ASSERT_EQ(0, eventfd_add(fds[i], 1));
	}
	ASSERT_EQ(0, add_fd(self->q.fd, fds[5], EV_IN, 0, 5, NULL));
	ukevent_queue_exit(&q);
	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, eventfd_add(fds[i], 1));
	EXPECT_EQ(1, ring_reaches(&self->q, 1));
	EXPECT_TAKE(&self->q, 5, EV_IN, 0);
}

/* ---- races ---- */

/*
 * Two or three of: close the watched file, REMOVE it, close the queue, fire it.
 * They start together and must all return; whoever wins, there is exactly one
 * last record if the queue survives.
 */
enum { DO_CLOSE = 1, DO_REMOVE = 2, DO_QUEUE = 4, DO_FIRE = 8, DO_WAIT = 16 };

FIXTURE(race)
{
	struct ukevent_queue q;
};

FIXTURE_VARIANT(race)
{
	int a, b;
};

FIXTURE_VARIANT_ADD(race, close_remove)
{
	.a = DO_CLOSE,
	.b = DO_REMOVE,
};

FIXTURE_VARIANT_ADD(race, close_queue)
{
	.a = DO_CLOSE,
	.b = DO_QUEUE,
};

FIXTURE_VARIANT_ADD(race, remove_queue)
{
	.a = DO_REMOVE,
	.b = DO_QUEUE,
};

FIXTURE_VARIANT_ADD(race, fire_close)
{
	.a = DO_FIRE,
	.b = DO_CLOSE,
};

FIXTURE_VARIANT_ADD(race, fire_remove)
{
	.a = DO_FIRE,
	.b = DO_REMOVE,
};

FIXTURE_VARIANT_ADD(race, fire_queue)
{
	.a = DO_FIRE,
	.b = DO_QUEUE,
};

FIXTURE_VARIANT_ADD(race, wait_close)
{
	.a = DO_WAIT,
	.b = DO_CLOSE,
};

FIXTURE_VARIANT_ADD(race, wait_remove)
{
	.a = DO_WAIT,
	.b = DO_REMOVE,
};

FIXTURE_VARIANT_ADD(race, wait_queue)
{
	.a = DO_WAIT,
	.b = DO_QUEUE,
};

FIXTURE_SETUP(race)
{
	self->q.fd = -1;
}

FIXTURE_TEARDOWN(race)
{
	ukevent_queue_exit(&self->q);
}

struct racer {
	struct ukevent_queue *q;
	int what;	/* DO_... for the other thread */
	int fds[2];	/* pipe; fds[0] is watched */
	int kfd;
	__u64 id;
	int round;	/* counts up to start one */
	int ended;	/* follows */
	int removed;	/* result of REMOVE */
};

static void race_do(struct racer *r, int what)
{
	switch (what) {
	case DO_CLOSE:
		close(r->fds[0]);
		break;
	case DO_REMOVE:
		r->removed = op_id(r->kfd, KEVENT_OP_REMOVE, r->id, 0);
		break;
	case DO_QUEUE:
		close(r->kfd);
		break;
	case DO_FIRE:
		write(r->fds[1], "x", 1);
		break;
	case DO_WAIT:
		sys_kevent_wait(r->kfd, 0, NULL, 0);
		break;
	}
}

static void *race_thread(void *arg)
{
	struct racer *r = arg;
	int round = 0, now;

	for (;;) {
		do {
			now = __atomic_load_n(&r->round, __ATOMIC_ACQUIRE);
			if (now == round)
				sched_yield();
		} while (now == round);
		if (now < 0)
			return NULL;
		round = now;
		race_do(r, r->what);
		__atomic_store_n(&r->ended, round, __ATOMIC_RELEASE);
	}
}

TEST_F_TIMEOUT(race, pair, 300)
{
	static const __u32 modes[] = {
		0, KEVENT_EDGE, KEVENT_ONESHOT,
		KEVENT_DISPATCH | KEVENT_HOLD_LAST
	};
	int i, n, last, loops = test_loops(3000);
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int both = variant->a | variant->b;
	struct racer r = { .what = variant->a };
	struct ukevent_queue *q = &self->q;
	int spin;
	struct ukevent ev;
	pthread_t thread;

	signal(SIGPIPE, SIG_IGN);
	ASSERT_EQ(0, pthread_create(&thread, NULL, race_thread, &r));
	for (i = 1; i <= loops && !test_loops_done(start, 120); i++) {
		if (q->fd < 0)
			ASSERT_EQ(0, queue_init(q, 4));
		r.kfd = q->fd;
		r.removed = 1;
		ASSERT_EQ(0, pipe2(r.fds, O_NONBLOCK));
		ASSERT_EQ(0, add_fd(q->fd, r.fds[0],
				    i % 3 ? EV_IN : EV_IN | EV_RDNORM,
				    modes[i % 4] | KEVENT_WANT_LAST, i, &r.id));
		/* for waits there is something to look at */
		if (both & DO_WAIT)
			write(r.fds[1], "x", 1);
		__atomic_store_n(&r.round, i, __ATOMIC_RELEASE);
		for (spin = i * 7 % 400; spin; spin--)
			__asm__ __volatile__("");
		race_do(&r, variant->b);
		while (__atomic_load_n(&r.ended, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		if (!(both & DO_CLOSE))
			close(r.fds[0]);
		close(r.fds[1]);
		if (both & DO_QUEUE) {
			q->fd = -1;
			ukevent_queue_exit(q);
			continue;
		}
		/* data is optional, one LAST is not, and nothing follows it */
		for (n = 0, last = 0; n < 4 && !last; n++) {
			EXPECT_LE(0, flush_ring(q));
			while (ukevent_take(q, &ev, 1)) {
				EXPECT_EQ((__u64)i, ev.cookie);
				EXPECT_EQ(0, last);
				last += !!(ev.flags & KEVENT_REC_LAST);
			}
			/* whoever held a dispatch record is done with it */
			if (!last && modes[i % 4] & KEVENT_DISPATCH)
				EXPECT_EQ(-ENOENT, op_id(q->fd,
							 KEVENT_OP_ENABLE, r.id,
							 0));
		}
		EXPECT_EQ(1, last) TH_LOG("round %d", i);
		EXPECT_TRUE(r.removed == 1 || !r.removed ||
			    r.removed == -ENOENT);
		EXPECT_QUIET(q);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	TH_LOG("%d rounds", i - 1);
	__atomic_store_n(&r.round, -1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

/* ---- threads stuck in user memory ---- */

FIXTURE(stall)
{
	struct ukevent_queue q;
	struct ukevent_queue noring;
	int uffd;
	char *area;	/* a page of which every touch stalls */
	int fd;
	int fd2;
};

FIXTURE_SETUP(stall)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	ASSERT_EQ(0, queue_init(&self->q, 16));
	ASSERT_EQ(0, queue_init_noring(&self->noring, 16));
	self->fd = make_eventfd(0);
	self->fd2 = make_eventfd(0);
	self->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (self->uffd < 0)
		SKIP(return, "userfaultfd: %s (CONFIG_USERFAULTFD?)",
		     strerror(errno));
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_API, &api));
	self->area = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE((char *)MAP_FAILED, self->area);
	reg.range.start = (unsigned long)self->area;
	reg.range.len = page_size();
	ASSERT_EQ(0, ioctl(self->uffd, UFFDIO_REGISTER, &reg));
}

FIXTURE_TEARDOWN(stall)
{
	if (self->uffd >= 0)
		close(self->uffd);
	ukevent_queue_exit(&self->q);
	ukevent_queue_exit(&self->noring);
}

/* Waits until somebody stalls. */
static int stalled(int uffd)
{
	struct uffd_msg msg;

	if (!is_ready(uffd, POLLIN, TEST_LONG_MS))
		return -ETIME;
	if (read(uffd, &msg, sizeof(msg)) != sizeof(msg))
		return -errno;
	return msg.event == UFFD_EVENT_PAGEFAULT ? 0 : -EPROTO;
}

/* Lets it go on, with this page. */
static int release(int uffd, char *area, const void *page)
{
	struct uffdio_copy copy = {
		.dst = (unsigned long)area,
		.src = (unsigned long)page,
		.len = page_size(),
	};

	return ioctl(uffd, UFFDIO_COPY, &copy) ? -errno : 0;
}

struct stuck {
	int kfd;
	char *area;
	int call;
	int tid;
	int ret;
	int done;
};

enum {
	CALL_CTL, CALL_WAIT_CHANGES, CALL_WAIT_ARGS, CALL_GET, CALL_GET_TWO,
	CALL_GET_NOW,
};

static void interrupt(int sig)
{
}

static void *stuck_main(void *arg)
{
	struct stuck *s = arg;
	struct kevent_wait_args args;
	struct ukevent buf[4];

	__atomic_store_n(&s->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	switch (s->call) {
	case CALL_CTL:
		s->ret = sys_kevent_ctl(s->kfd, (void *)s->area, 1, 96, 0);
		break;
	case CALL_WAIT_CHANGES:
		memset(&args, 0, sizeof(args));
		args.changes = (unsigned long)s->area;
		args.nr_changes = 1;
		args.change_size = 96;
		s->ret = sys_kevent_wait(s->kfd, 0, &args, sizeof(args));
		break;
	case CALL_WAIT_ARGS:
		s->ret = sys_kevent_wait(s->kfd, 0, (void *)s->area, 72);
		break;
	case CALL_GET:
		s->ret = sys_kevent_get_events(s->kfd, (void *)s->area, 1, 4,
					       NULL, 0);
		break;
	case CALL_GET_NOW:
		memset(&args, 0, sizeof(args));
		args.flags = KEVENT_WAIT_TIMEOUT;
		s->ret = sys_kevent_get_events(s->kfd, buf, 1, 4, &args,
					       sizeof(args));
		break;
	case CALL_GET_TWO:
		s->ret = sys_kevent_get_events(s->kfd, (void *)s->area, 0, 2,
					       NULL, 0);
		break;
	}
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

/*
 * Everything others may want of the queue while a thread is stuck.  Whoever
 * waits for that thread makes the test run into its time limit.
 */
TEST_F(stall, changes)
{
	char page[8192] = {};
	struct ukevent_queue *q = &self->q;
	struct stuck s = { .kfd = q->fd, .area = self->area };
	int call, fd, fd3;
	pthread_t thread;

	for (call = CALL_CTL; call <= CALL_WAIT_ARGS; call++) {
		memset(page, 0, sizeof(page));
		if (call != CALL_WAIT_ARGS) {
			struct kevent_change c;

			c = make_change(KEVENT_OP_ADD, self->fd2, EV_IN, 0, 7);
			memcpy(page, &c, sizeof(c));
		}
		fd = make_eventfd(0);
		fd3 = make_eventfd(0);
		ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_WANT_LAST, 1,
				    NULL));
		ASSERT_EQ(0, add_fd(q->fd, fd3, EV_IN, 0, 2, NULL));
		s.call = call;
		s.done = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, stuck_main, &s));
		ASSERT_EQ(0, stalled(self->uffd));

		/* close of a watched file, REMOVE, ADD, wait, poll */
		close(fd);
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_TAKE(q, 1, EV_HUP, LAST);
		EXPECT_EQ(0, remove_fd(q->fd, fd3));
		EXPECT_EQ(0, add_fd(q->fd, self->fd, EV_IN, 0, 3, NULL));
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_EQ(POLLIN, is_ready(q->fd, POLLIN, 0));
		EXPECT_TAKE(q, 3, EV_IN, 0);
		eventfd_take(self->fd);
		EXPECT_EQ(0, remove_fd(q->fd, self->fd));
		EXPECT_EQ(0, __atomic_load_n(&s.done, __ATOMIC_ACQUIRE));

		ASSERT_EQ(0, release(self->uffd, self->area, page));
		pthread_join(thread, NULL);
		EXPECT_EQ(call == CALL_CTL ? 1 : 0, s.ret);
		EXPECT_EQ(call == CALL_WAIT_ARGS ? -ENOENT : 0,
			  remove_fd(q->fd, self->fd2));
		ASSERT_EQ(0, madvise(self->area, page_size(), MADV_DONTNEED));
		close(fd3);
	}
	EXPECT_QUIET(q);
}

/* T6, T30: stuck while records are written out; none is lost meanwhile. */
TEST_F(stall, get_events)
{
	static char page[8192];
	struct ukevent_queue *q = &self->noring;
	struct stuck s = {
		.kfd = q->fd, .area = self->area, .call = CALL_GET
	};
	struct sigaction sa = { .sa_handler = interrupt };
	struct ukevent buf[16];
	struct stuck s2 = {
		.kfd = q->fd, .area = (char *)buf, .call = CALL_GET_TWO
	};
	int fd, i, n, got = 0, last = 0;
	pthread_t thread, thread2;

	fd = make_eventfd(1);
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_EDGE | KEVENT_WANT_LAST, 1,
			    NULL));
	ASSERT_EQ(0, add_fd(q->fd, self->fd, EV_IN, KEVENT_EDGE, 2, NULL));
	ASSERT_EQ(0, add_fd(q->fd, self->fd2, EV_IN, KEVENT_EDGE |
			    KEVENT_WANT_LAST, 3, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, stuck_main, &s));
	ASSERT_EQ(0, stalled(self->uffd));

	/* the file whose record is being written, another, a removal */
	close(fd);
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	EXPECT_EQ(0, remove_fd(q->fd, self->fd2));
	/*
	 * Another collector: may have to wait for its turn, but not in the way
	 * of a signal; and leaves something for the stuck one.
	 */
	sigaction(SIGUSR1, &sa, NULL);
	ASSERT_EQ(0, pthread_create(&thread2, NULL, stuck_main, &s2));
	ASSERT_EQ(0, started(&s2.tid));
	while (!__atomic_load_n(&s2.done, __ATOMIC_ACQUIRE)) {
		if (task_state(s2.tid) == 'S')
			pthread_kill(thread2, SIGUSR1);
		sleep_ms(1);
	}
	pthread_join(thread2, NULL);
	EXPECT_TRUE(s2.ret == -EINTR || s2.ret >= 0);
	n = s2.ret > 0 ? s2.ret : 0;
	EXPECT_EQ(0, __atomic_load_n(&s.done, __ATOMIC_ACQUIRE));
	ASSERT_EQ(0, release(self->uffd, self->area, page));
	pthread_join(thread, NULL);
	ASSERT_LE(1, s.ret);
	ASSERT_GE(4, s.ret);
	memcpy(buf + n, self->area, s.ret * sizeof(buf[0]));
	n += s.ret;
	n += sys_kevent_get_events(q->fd, buf + n, 0, 16 - n, NULL, 0);
	/* 1: data, LAST; 2: data; 3: LAST */
	EXPECT_EQ(4, n);
	for (i = 0; i < n; i++) {
		got += 1 << (4 * buf[i].cookie);
		if (buf[i].flags & KEVENT_REC_LAST)
			last += 1 << (4 * buf[i].cookie);
	}
	EXPECT_EQ(0x1120, got);
	EXPECT_EQ(0x1010, last);
}

/* And the queue itself is closed under the stuck thread. */
/* Who must not sleep does not wait for who copies, whatever minimum it asks for. */
TEST_F(stall, get_now)
{
	struct stuck s = { .kfd = self->noring.fd, .area = self->area,
			   .call = CALL_GET };
	struct stuck now = { .kfd = self->noring.fd, .call = CALL_GET_NOW };
	static char page[65536] __attribute__((aligned(65536)));
	pthread_t thread, other;
	int ms;

	ASSERT_EQ(0, add_fd(self->noring.fd, self->fd, EV_IN, KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, eventfd_add(self->fd, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, stuck_main, &s));
	ASSERT_EQ(0, stalled(self->uffd));
	ASSERT_EQ(0, pthread_create(&other, NULL, stuck_main, &now));
	for (ms = 0; ms < TEST_LONG_MS; ms += 10) {
		if (__atomic_load_n(&now.done, __ATOMIC_ACQUIRE))
			break;
		sleep_ms(10);
	}
	EXPECT_EQ(1, now.done);
	ASSERT_EQ(0, release(self->uffd, self->area, page));
	pthread_join(other, NULL);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, now.ret);
	EXPECT_EQ(1, s.ret);
}

TEST_F(stall, queue_closed)
{
	static char page[8192];
	struct stuck s = { .area = self->area, .call = CALL_GET };
	int i, noring;
	pthread_t thread;

	for (i = 0; i < 20; i++) {
		noring = i % 2;
		s.call = noring ? CALL_GET : CALL_CTL;
		s.kfd = noring ? self->noring.fd : self->q.fd;
		ASSERT_EQ(0, add_fd(s.kfd, self->fd, EV_IN, 0, 1, NULL));
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		ASSERT_EQ(0, pthread_create(&thread, NULL, stuck_main, &s));
		ASSERT_EQ(0, stalled(self->uffd));
		ukevent_queue_exit(noring ? &self->noring : &self->q);
		eventfd_add(self->fd, 1);
		ASSERT_EQ(0, release(self->uffd, self->area, page));
		pthread_join(thread, NULL);
		EXPECT_EQ(1, s.ret);
		ASSERT_EQ(0, madvise(self->area, page_size(), MADV_DONTNEED));
		ASSERT_EQ(0, noring ? queue_init_noring(&self->noring, 16) :
			  queue_init(&self->q, 16));
	}
}

TEST_HARNESS_MAIN
