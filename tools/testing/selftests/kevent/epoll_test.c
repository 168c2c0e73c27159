// SPDX-License-Identifier: GPL-2.0
/*
 * libkevent-epoll.so, linked in: each test is made with epoll as well, which says what
 * is right.
 */
#include "kevent_test.h"
#include <limits.h>

#include "../../../lib/kevent/epoll/shim.h"

#define MANY	300
#define MOST	2500

FIXTURE(epoll) {
	int ep;
	uint64_t counts[KE_N_COUNTS];
};

FIXTURE_VARIANT(epoll) {
	enum ke_mode mode;
};

FIXTURE_VARIANT_ADD(epoll, epoll) { .mode = KE_OFF };
FIXTURE_VARIANT_ADD(epoll, exact) { .mode = KE_EXACT };

FIXTURE_SETUP(epoll)
{
	ke_set_mode(variant->mode);
	ke_counts = self->counts;
	self->ep = epoll_create1(EPOLL_CLOEXEC);
	ASSERT_GE(self->ep, 0);
	/* Nothing here is to be left to epoll unless it is to be. */
	ASSERT_EQ((int)self->counts[KE_N_SETS], variant->mode != KE_OFF);
}

FIXTURE_TEARDOWN(epoll)
{
	close(self->ep);
}

static int ctl(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	return epoll_ctl(ep, op, fd, &ev) ? -errno : 0;
}

static int add(int ep, int fd, uint32_t events)
{
	return ctl(ep, EPOLL_CTL_ADD, fd, events, fd);
}

/* The events of the only one that is ready, 0 for none, -1 for more. */
static int64_t ready(int ep, int timeout)
{
	struct epoll_event ev[2];
	int n = epoll_wait(ep, ev, 2, timeout);

	return n < 0 ? -errno : n == 0 ? 0 : n == 1 ? (int64_t)ev[0].events : -1;
}

enum kind { STREAM_PAIR, PIPE, EVENTFD, TCP, NR_SOURCES };

/* fd[0] to watch, fd[1] to write to */
static void make(struct __test_metadata *_metadata, enum kind kind, int fd[2])
{
	switch (kind) {
	case STREAM_PAIR:
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd));
		break;
	case PIPE:
		ASSERT_EQ(0, pipe2(fd, O_NONBLOCK));
		break;
	case EVENTFD:
		fd[0] = eventfd(0, EFD_NONBLOCK);
		ASSERT_GE(fd[0], 0);
		fd[1] = dup(fd[0]);
		break;
	default:
		ASSERT_EQ(0, inet_pair(AF_INET, SOCK_STREAM, fd, fd + 1));
		ASSERT_EQ(0, fcntl(fd[0], F_SETFL, O_NONBLOCK));
	}
}

static void fill(struct __test_metadata *_metadata, int fd)
{
	uint64_t one = 1;

	ASSERT_EQ((ssize_t)sizeof(one), write(fd, &one, sizeof(one)));
}

static void drain(int fd)
{
	char buf[64];

	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

static void unmake(int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

/* What is told, by mode: of each source the same. */
TEST_F(epoll, modes)
{
	static const struct {
		uint32_t mode;
		int again, more, after, armed;
	} modes[] = {
		/*			again	more	after	armed */
		{ 0,			1,	1,	1,	1 },
		{ EPOLLET,		0,	1,	0,	1 },
		{ EPOLLONESHOT,		0,	0,	0,	1 },
		{ EPOLLET | EPOLLONESHOT, 0,	0,	0,	1 },
		{ EPOLLEXCLUSIVE,	1,	1,	1,	-1 },
		{ EPOLLEXCLUSIVE | EPOLLET, 0,	1,	0,	-1 },
	};
	enum kind kind;
	unsigned int i;
	int fd[2];

	for (kind = 0; kind < NR_SOURCES; kind++) {
		for (i = 0; i < ARRAY_SIZE(modes); i++) {
			TH_LOG("kind %d mode %x", kind, modes[i].mode);
			make(_metadata, kind, fd);
			ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN | modes[i].mode));
			EXPECT_EQ(0, ready(self->ep, 0));
			fill(_metadata, fd[1]);
			EXPECT_EQ(EPOLLIN, ready(self->ep, TEST_LONG_MS));
			EXPECT_EQ(modes[i].again, ready(self->ep, 0));
			fill(_metadata, fd[1]);
			EXPECT_EQ(modes[i].more, ready(self->ep, 0));
			EXPECT_EQ(modes[i].after, ready(self->ep, 0));
			drain(fd[0]);
			EXPECT_EQ(0, ready(self->ep, 0));
			if (modes[i].armed > 0) {
				fill(_metadata, fd[1]);
				EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_MOD, fd[0],
						 EPOLLIN | modes[i].mode, 0));
				EXPECT_EQ(EPOLLIN, ready(self->ep, 0));
			}
			unmake(fd);
			EXPECT_EQ(0, ready(self->ep, 0));
		}
	}
}

/* Told is what holds when it is asked. */
TEST_F(epoll, stale)
{
	static const uint32_t modes[] = { 0, EPOLLET, EPOLLONESHOT };
	enum kind kind;
	unsigned int i;
	int fd[2];

	for (kind = 0; kind < NR_SOURCES; kind++) {
		for (i = 0; i < ARRAY_SIZE(modes); i++) {
			make(_metadata, kind, fd);
			ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN | modes[i]));
			fill(_metadata, fd[1]);
			drain(fd[0]);
			EXPECT_EQ(0, ready(self->ep, 0));
			EXPECT_EQ(0, ready(self->ep, TEST_SHORT_MS));
			/* Nor is it the end of it. */
			fill(_metadata, fd[1]);
			EXPECT_EQ(EPOLLIN, ready(self->ep, TEST_LONG_MS));
			unmake(fd);
		}
	}
}

/* With an edge of one, the other is told if it holds. */
TEST_F(epoll, both)
{
	int fd[2];

	make(_metadata, TCP, fd);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET));
	EXPECT_EQ(EPOLLOUT, ready(self->ep, 0));
	EXPECT_EQ(0, ready(self->ep, 0));
	fill(_metadata, fd[1]);
	EXPECT_EQ(EPOLLIN | EPOLLOUT, ready(self->ep, TEST_LONG_MS));
	shutdown(fd[1], SHUT_WR);
	EXPECT_EQ(EPOLLIN | EPOLLOUT | EPOLLRDHUP, ready(self->ep, TEST_LONG_MS));
	shutdown(fd[0], SHUT_WR);
	EXPECT_EQ(EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP, ready(self->ep, TEST_LONG_MS));
	unmake(fd);
}

TEST_F(epoll, change_and_delete)
{
	struct epoll_event ev;
	int fd[2];

	make(_metadata, STREAM_PAIR, fd);
	ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 0x1122334455667788));
	fill(_metadata, fd[1]);
	ASSERT_EQ(1, epoll_wait(self->ep, &ev, 1, TEST_LONG_MS));
	EXPECT_EQ(0x1122334455667788, (long long)ev.data.u64);
	/* Its record lies there, or has been told. */
	EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_MOD, fd[0], EPOLLIN | EPOLLOUT, 5));
	ASSERT_EQ(1, epoll_wait(self->ep, &ev, 1, 0));
	EXPECT_EQ(5, (long long)ev.data.u64);
	EXPECT_EQ(EPOLLIN | EPOLLOUT, (int)ev.events);
	EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_MOD, fd[0], EPOLLPRI, 6));
	EXPECT_EQ(0, epoll_wait(self->ep, &ev, 1, 0));
	EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_MOD, fd[0], EPOLLIN, 7));
	EXPECT_EQ(0, epoll_ctl(self->ep, EPOLL_CTL_DEL, fd[0], NULL));
	EXPECT_EQ(0, epoll_wait(self->ep, &ev, 1, 0));
	EXPECT_EQ(-ENOENT, ctl(self->ep, EPOLL_CTL_DEL, fd[0], 0, 0));
	EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 8));
	ASSERT_EQ(1, epoll_wait(self->ep, &ev, 1, 0));
	EXPECT_EQ(8, (long long)ev.data.u64);
	unmake(fd);
}

/* Who is not told first is told next, whoever stays ready. */
TEST_F(epoll, few_at_a_time)
{
	int fd[10][2], i, n, round;
	struct epoll_event ev[3];
	unsigned int seen = 0;

	for (i = 0; i < 10; i++) {
		make(_metadata, STREAM_PAIR, fd[i]);
		ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, fd[i][0], EPOLLIN, i));
		fill(_metadata, fd[i][1]);
	}
	for (round = 0; round < 5; round++) {
		n = epoll_wait(self->ep, ev, 3, 0);
		ASSERT_EQ(3, n);
		while (n--)
			seen |= 1U << ev[n].data.u64;
	}
	EXPECT_EQ(0x3ff, (long long)seen);
	seen = 0;
	for (round = 0; round < 20; round++) {
		ASSERT_EQ(1, epoll_wait(self->ep, ev, 1, 0));
		seen |= 1U << ev[0].data.u64;
	}
	EXPECT_EQ(0x3ff, (long long)seen);
	for (i = 0; i < 10; i++)
		unmake(fd[i]);
}

TEST_F(epoll, many_at_a_time)
{
	static struct epoll_event ev[MANY + 10];
	static bool seen[MANY];
	int fd[MANY], i, round;

	for (i = 0; i < MANY; i++) {
		fd[i] = eventfd(1, EFD_NONBLOCK);
		ASSERT_GE(fd[i], 0);
		ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, fd[i], EPOLLIN, i));
	}
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(MANY, epoll_wait(self->ep, ev, MANY + 10, 0));
		memset(seen, 0, sizeof(seen));
		for (i = 0; i < MANY; i++) {
			EXPECT_FALSE(seen[ev[i].data.u64]);
			seen[ev[i].data.u64] = true;
		}
	}
	for (i = 0; i < MANY; i++)
		close(fd[i]);
	EXPECT_EQ(0, epoll_wait(self->ep, ev, MANY, 0));
}

/* More are ready than the ring holds: as added, and as told before. */
TEST_F_TIMEOUT(epoll, more_than_the_ring, 300)
{
	static struct epoll_event ev[2 * MOST];
	static int fd[MOST];
	int i, round;

	ASSERT_EQ(0, raise_nofile(2 * MOST));
	for (i = 0; i < MOST; i++) {
		fd[i] = eventfd(1, EFD_NONBLOCK);
		ASSERT_GE(fd[i], 0);
		ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, fd[i], EPOLLIN, i));
	}
	for (round = 0; round < 2; round++) {
		EXPECT_EQ(MOST, epoll_wait(self->ep, ev, 2 * MOST, TEST_LONG_MS));
		EXPECT_EQ(MOST, epoll_wait(self->ep, ev, 2 * MOST, 0));
	}
	for (i = 0; i < MOST; i++)
		close(fd[i]);
	EXPECT_EQ(0, epoll_wait(self->ep, ev, 2 * MOST, 0));
}

/* The number of a closed descriptor is another file's; the file may go on. */
TEST_F(epoll, closed)
{
	int fd[2], other[2], copy;
	struct epoll_event ev[2];

	make(_metadata, STREAM_PAIR, fd);
	ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 1));
	fill(_metadata, fd[1]);
	close(fd[0]);
	EXPECT_EQ(0, epoll_wait(self->ep, ev, 2, 0));
	make(_metadata, STREAM_PAIR, other);
	ASSERT_EQ(fd[0], other[0]);
	EXPECT_EQ(-ENOENT, ctl(self->ep, EPOLL_CTL_MOD, other[0], EPOLLIN, 2));
	EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, other[0], EPOLLIN, 2));
	fill(_metadata, other[1]);
	ASSERT_EQ(1, epoll_wait(self->ep, ev, 2, TEST_LONG_MS));
	EXPECT_EQ(2, (long long)ev[0].data.u64);
	close(fd[1]);

	copy = dup(other[0]);
	close(other[0]);
	ASSERT_EQ(1, epoll_wait(self->ep, ev, 2, 0));
	EXPECT_EQ(2, (long long)ev[0].data.u64);
	make(_metadata, STREAM_PAIR, fd);
	ASSERT_EQ(other[0], fd[0]);
	ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 3));
	/* Both, told apart by what they were given. */
	fill(_metadata, fd[1]);
	ASSERT_EQ(2, epoll_wait(self->ep, ev, 2, 0));
	EXPECT_EQ(5, (long long)(ev[0].data.u64 + ev[1].data.u64));
	close(copy);
	ASSERT_EQ(1, epoll_wait(self->ep, ev, 2, 0));
	EXPECT_EQ(3, (long long)ev[0].data.u64);
	unmake(fd);
	close(other[1]);
}

TEST_F(epoll, errors)
{
	int pipefd[2], file = open("/proc/self/exe", O_RDONLY), one[2], excl[2];
	struct epoll_event ev = { .events = EPOLLIN };
	volatile int too_many = INT_MAX;
	unsigned int i;

	make(_metadata, PIPE, pipefd);
	make(_metadata, PIPE, one);
	make(_metadata, PIPE, excl);
	ASSERT_EQ(0, add(self->ep, one[0], EPOLLIN));
	ASSERT_EQ(0, add(self->ep, excl[0], EPOLLIN | EPOLLEXCLUSIVE));
	if (1) {
		const struct {
			int ep, op, fd;
			uint32_t events;
			int error;
		} cases[] = {
			{ -1, EPOLL_CTL_ADD, one[0], EPOLLIN, EBADF },
			{ pipefd[0], EPOLL_CTL_ADD, one[0], EPOLLIN, EINVAL },
			{ self->ep, EPOLL_CTL_ADD, -1, EPOLLIN, EBADF },
			{ self->ep, EPOLL_CTL_ADD, 1000, EPOLLIN, EBADF },
			{ self->ep, EPOLL_CTL_MOD, 1000, EPOLLIN, EBADF },
			{ self->ep, EPOLL_CTL_DEL, 1000, 0, EBADF },
			{ self->ep, EPOLL_CTL_ADD, one[0], EPOLLIN, EEXIST },
			{ self->ep, EPOLL_CTL_MOD, pipefd[0], EPOLLIN, ENOENT },
			{ self->ep, EPOLL_CTL_DEL, pipefd[0], 0, ENOENT },
			{ self->ep, EPOLL_CTL_ADD, file, EPOLLIN, EPERM },
			{ self->ep, EPOLL_CTL_MOD, file, EPOLLIN, EPERM },
			{ self->ep, EPOLL_CTL_DEL, file, 0, EPERM },
			{ self->ep, EPOLL_CTL_ADD, self->ep, EPOLLIN, EINVAL },
			{ self->ep, 77, one[0], EPOLLIN, EINVAL },
			{ self->ep, 0, one[0], EPOLLIN, EINVAL },
			{ self->ep, EPOLL_CTL_MOD, one[0], EPOLLIN | EPOLLEXCLUSIVE, EINVAL },
			{ self->ep, EPOLL_CTL_MOD, excl[0], EPOLLIN, EINVAL },
			{ self->ep, EPOLL_CTL_ADD, pipefd[0],
			  EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, EINVAL },
			{ self->ep, EPOLL_CTL_ADD, pipefd[0],
			  EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, EINVAL },
		};

		for (i = 0; i < ARRAY_SIZE(cases); i++) {
			EXPECT_EQ(-cases[i].error, ctl(cases[i].ep, cases[i].op, cases[i].fd,
						       cases[i].events, 0)) {
				TH_LOG("case %u", i);
			}
		}
	}
	EXPECT_EQ(-1, epoll_ctl(self->ep, EPOLL_CTL_ADD, pipefd[0], NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, epoll_wait(self->ep, &ev, 0, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, epoll_wait(self->ep, &ev, too_many, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, epoll_wait(pipefd[0], &ev, 1, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, epoll_wait(-1, &ev, 1, 0));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, epoll_create(0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, epoll_create1(1));
	EXPECT_EQ(EINVAL, errno);
	/* Bits that nobody knows are kept, and never told. */
	EXPECT_EQ(0, add(self->ep, pipefd[0], EPOLLIN | EPOLLWAKEUP | 1U << 26));
	EXPECT_EQ(0, ready(self->ep, 0));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->ep, F_GETFD));
	close(file);
	unmake(pipefd);
	unmake(one);
	unmake(excl);
}

struct waiters {
	int ep;
	int told;
	int started;
};

static void *wait_once(void *arg)
{
	struct waiters *w = arg;
	struct epoll_event ev;

	__atomic_fetch_add(&w->started, 1, __ATOMIC_SEQ_CST);
	if (epoll_wait(w->ep, &ev, 1, TEST_LONG_MS) == 1)
		__atomic_fetch_add(&w->told, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void start(struct __test_metadata *_metadata, struct waiters *w, pthread_t *thread,
		  int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pthread_create(thread + i, NULL, wait_once, w));
	while (__atomic_load_n(&w->started, __ATOMIC_SEQ_CST) < nr)
		sched_yield();
	sleep_ms(TEST_SHORT_MS);
}

/* A level that stays is told to all who wait for it. */
TEST_F(epoll, threads_level)
{
	struct waiters w = { .ep = self->ep };
	pthread_t thread[4];
	int fd[2], i;

	make(_metadata, STREAM_PAIR, fd);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	start(_metadata, &w, thread, 4);
	fill(_metadata, fd[1]);
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(4, w.told);
	unmake(fd);
}

/* Each edge to one. */
TEST_F(epoll, threads_edge)
{
	struct waiters w = { .ep = self->ep };
	pthread_t thread[4];
	int fd[2], i;

	make(_metadata, STREAM_PAIR, fd);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN | EPOLLET));
	start(_metadata, &w, thread, 4);
	for (i = 1; i <= 4; i++) {
		fill(_metadata, fd[1]);
		while (__atomic_load_n(&w.told, __ATOMIC_SEQ_CST) < i)
			sched_yield();
		sleep_ms(TEST_SHORT_MS);
		EXPECT_EQ(i, w.told);
	}
	for (i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	unmake(fd);
}

/* Who sleeps is told of what is added meanwhile, and left alone by what is removed. */
TEST_F(epoll, changed_while_asleep)
{
	struct waiters w = { .ep = self->ep };
	pthread_t thread;
	int fd[2], other[2];

	make(_metadata, STREAM_PAIR, fd);
	make(_metadata, STREAM_PAIR, other);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	ASSERT_EQ(0, add(self->ep, other[0], EPOLLIN));
	start(_metadata, &w, &thread, 1);
	ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_DEL, fd[0], 0, 0));
	fill(_metadata, fd[1]);
	/* A close is no event either. */
	close(other[0]);
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(0, w.told);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	pthread_join(thread, NULL);
	EXPECT_EQ(1, w.told);
	unmake(fd);
	close(other[1]);
}

TEST_F(epoll, cancelled)
{
	struct waiters w = { .ep = self->ep };
	pthread_t thread;
	void *ret;
	int fd[2];

	start(_metadata, &w, &thread, 1);
	ASSERT_EQ(0, pthread_cancel(thread));
	pthread_join(thread, &ret);
	EXPECT_EQ(PTHREAD_CANCELED, ret);
	make(_metadata, PIPE, fd);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	fill(_metadata, fd[1]);
	EXPECT_EQ(EPOLLIN, ready(self->ep, TEST_LONG_MS));
	unmake(fd);
}

TEST_F(epoll, duplicates)
{
	int fd[2], copy[4], i;

	make(_metadata, STREAM_PAIR, fd);
	copy[0] = dup(self->ep);
	copy[1] = fcntl(self->ep, F_DUPFD_CLOEXEC, 100);
	copy[2] = dup2(self->ep, 200);
	copy[3] = dup3(self->ep, 201, O_CLOEXEC);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	close(self->ep);
	fill(_metadata, fd[1]);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(EPOLLIN, ready(copy[i], 0));
		EXPECT_EQ(-EEXIST, add(copy[i], fd[0], EPOLLIN));
		close(copy[i]);
		EXPECT_EQ(-EBADF, ready(copy[i], 0));
	}
	/* The numbers are anybody's. */
	ASSERT_EQ(copy[2], dup2(fd[0], copy[2]));
	EXPECT_EQ(-EINVAL, ready(copy[2], 0));
	close(copy[2]);
	self->ep = epoll_create1(0);
	EXPECT_EQ(0, ready(self->ep, 0));
	unmake(fd);
}

/* A child has the same set. */
TEST_F(epoll, forked)
{
	int fd[2], other[2], status;
	pid_t child;

	make(_metadata, STREAM_PAIR, fd);
	make(_metadata, STREAM_PAIR, other);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	fill(_metadata, fd[1]);
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		int bad = ready(self->ep, TEST_LONG_MS) != EPOLLIN;

		bad |= (add(self->ep, other[0], EPOLLIN | EPOLLONESHOT) != 0) << 1;
		bad |= (ctl(self->ep, EPOLL_CTL_DEL, fd[0], 0, 0) != 0) << 2;
		close(self->ep);
		_exit(bad);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, ready(self->ep, 0));
	fill(_metadata, other[1]);
	EXPECT_EQ(EPOLLIN, ready(self->ep, TEST_LONG_MS));
	EXPECT_EQ(-ENOENT, ctl(self->ep, EPOLL_CTL_MOD, fd[0], EPOLLIN, 0));
	unmake(fd);
	unmake(other);
}

/* What a child of vfork() closes is its own. */
TEST_F(epoll, vforked)
{
	int fd[2], status;
	pid_t child;

	make(_metadata, PIPE, fd);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	child = vfork();
	if (!child) {
		close(self->ep);
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	fill(_metadata, fd[1]);
	EXPECT_EQ(EPOLLIN, ready(self->ep, TEST_LONG_MS));
	unmake(fd);
}

TEST_F(epoll, nested)
{
	int outer = epoll_create1(0), fd[2];
	struct pollfd pfd = { .events = POLLIN };

	make(_metadata, STREAM_PAIR, fd);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	fill(_metadata, fd[1]);
	pfd.fd = self->ep;
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_EQ(EPOLLIN, ready(self->ep, 0));
	ASSERT_EQ(0, add(outer, self->ep, EPOLLIN));
	EXPECT_EQ(EPOLLIN, ready(outer, 0));
	EXPECT_EQ(EPOLLIN, ready(self->ep, 0));
	drain(fd[0]);
	EXPECT_EQ(0, ready(outer, 0));
	EXPECT_EQ(0, poll(&pfd, 1, 0));
	fill(_metadata, fd[1]);
	EXPECT_EQ(EPOLLIN, ready(outer, TEST_LONG_MS));
	EXPECT_EQ(EPOLLIN, ready(self->ep, 0));
	/* What is new in the inner one is told by the outer one. */
	drain(fd[0]);
	EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_MOD, fd[0], EPOLLOUT, 0));
	EXPECT_EQ(EPOLLIN, ready(outer, 0));
	EXPECT_EQ(EPOLLOUT, ready(self->ep, 0));
	EXPECT_EQ(-ELOOP, add(self->ep, outer, EPOLLIN));
	EXPECT_EQ(FD_CLOEXEC, fcntl(self->ep, F_GETFD));
	EXPECT_EQ(0, ctl(outer, EPOLL_CTL_DEL, self->ep, 0, 0));
	close(outer);
	unmake(fd);
}

/* Threads asleep in a set that is to be watched go on to wait for it. */
TEST_F(epoll, nested_while_asleep)
{
	struct waiters w = { .ep = self->ep };
	int outer = epoll_create1(0), fd[2], i;
	pthread_t thread[3];

	make(_metadata, STREAM_PAIR, fd);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	start(_metadata, &w, thread, 3);
	ASSERT_EQ(0, add(outer, self->ep, EPOLLIN));
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(0, w.told);
	fill(_metadata, fd[1]);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(3, w.told);
	EXPECT_EQ(EPOLLIN, ready(outer, 0));
	close(outer);
	unmake(fd);
}

static void nothing(int signo)
{
}

TEST_F(epoll, signals_and_timeouts)
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	struct timespec ts = { 0, 1000000 };
	struct epoll_event ev;
	sigset_t set, old;
	int fd[2];

	EXPECT_EQ(0, epoll_wait(self->ep, &ev, 1, 0));
	EXPECT_EQ(0, epoll_wait(self->ep, &ev, 1, 1));
	EXPECT_EQ(0, epoll_pwait2(self->ep, &ev, 1, &ts, NULL));
	ts.tv_nsec = 1000000000;
	EXPECT_EQ(-1, epoll_pwait2(self->ep, &ev, 1, &ts, NULL));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(0, sigaction(SIGUSR1, &action, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, &old));
	raise(SIGUSR1);
	EXPECT_EQ(0, epoll_wait(self->ep, &ev, 1, 1));
	EXPECT_EQ(-1, epoll_pwait(self->ep, &ev, 1, TEST_LONG_MS, &old));
	EXPECT_EQ(EINTR, errno);
	EXPECT_EQ(0, epoll_pwait(self->ep, &ev, 1, 1, &old));
	/* What was ready is so after an interruption, too. */
	make(_metadata, PIPE, fd);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	fill(_metadata, fd[1]);
	EXPECT_EQ(EPOLLIN, ready(self->ep, 0));
	raise(SIGUSR1);
	epoll_pwait(self->ep, &ev, 1, TEST_LONG_MS, &old);
	EXPECT_EQ(EPOLLIN, ready(self->ep, 0));
	sigprocmask(SIG_SETMASK, &old, NULL);
	unmake(fd);
}

/* Two sets that sleep for one event: at least one is told, and of a hang-up both. */
TEST_F(epoll, exclusive)
{
	struct waiters w[2] = { { .ep = self->ep }, { .ep = epoll_create1(0) } };
	pthread_t thread[2];
	int fd[2], i;

	make(_metadata, STREAM_PAIR, fd);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, add(w[i].ep, fd[0], EPOLLIN | EPOLLEXCLUSIVE));
		start(_metadata, w + i, thread + i, 1);
	}
	fill(_metadata, fd[1]);
	while (!__atomic_load_n(&w[0].told, __ATOMIC_SEQ_CST) &&
	       !__atomic_load_n(&w[1].told, __ATOMIC_SEQ_CST))
		sched_yield();
	close(fd[1]);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(2, w[0].told + w[1].told);
	close(fd[0]);
	close(w[1].ep);
}

/*
 * Entries into the kernel: a call makes one, whatever lies in the ring; in ring mode none
 * while there are records.
 */
TEST(entries)
{
	static const struct {
		enum ke_mode mode;
		uint32_t flags;
		bool stale;
		unsigned int most;
	} modes[] = {
		{ KE_EXACT, 0, false, 100 },
		{ KE_EXACT, 0, true, 100 },
		{ KE_EXACT, EPOLLET, false, 100 },
		{ KE_EXACT, EPOLLET, true, 100 },
		{ KE_RING, 0, false, 100 / 8 },
		{ KE_RING, EPOLLET, false, 0 },
	};
	uint64_t counts[KE_N_COUNTS];
	int fd[2], ep, i, turn;
	unsigned int m;
	uint64_t value;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ke_set_mode(modes[m].mode);
		ke_counts = counts;
		ep = epoll_create1(0);
		ASSERT_GE(ep, 0);
		for (i = 0; i < 2; i++) {
			fd[i] = eventfd(0, EFD_NONBLOCK);
			ASSERT_EQ(0, add(ep, fd[i], EPOLLIN | modes[m].flags));
		}
		memset(counts, 0, sizeof(counts));
		for (turn = 0; turn < 100; turn++) {
			fill(_metadata, fd[turn & 1]);
			if (modes[m].stale) {
				fill(_metadata, fd[!(turn & 1)]);
				drain(fd[!(turn & 1)]);
			}
			EXPECT_EQ(EPOLLIN, ready(ep, TEST_LONG_MS));
			ASSERT_EQ((ssize_t)sizeof(value), read(fd[turn & 1], &value, sizeof(value)));
		}
		EXPECT_EQ(100, (long long)counts[KE_N_WAITS]);
		EXPECT_GE(modes[m].most, counts[KE_N_ENTRIES] + counts[KE_N_ASKS]) {
			TH_LOG("mode %u: %llu entries, %llu polls", m,
			       (unsigned long long)counts[KE_N_ENTRIES],
			       (unsigned long long)counts[KE_N_ASKS]);
		}
		for (i = 0; i < 2; i++)
			close(fd[i]);
		close(ep);
	}
}

/* A call makes another entry if more are ready than a sleep would look at, but no third. */
TEST(many_entries)
{
	static struct epoll_event ev[MANY];
	static const int timeouts[] = { 0, TEST_LONG_MS };
	uint64_t counts[KE_N_COUNTS];
	unsigned int turn;
	int fd[MANY], ep, i;

	ke_set_mode(KE_EXACT);
	ke_counts = counts;
	ep = epoll_create1(0);
	ASSERT_GE(ep, 0);
	for (i = 0; i < MANY; i++) {
		fd[i] = eventfd(1, EFD_NONBLOCK);
		ASSERT_EQ(0, add(ep, fd[i], EPOLLIN));
	}
	/* What was published as it was added. */
	ASSERT_EQ(MANY, epoll_wait(ep, ev, MANY, 0));
	for (turn = 0; turn < ARRAY_SIZE(timeouts); turn++) {
		memset(counts, 0, sizeof(counts));
		EXPECT_EQ(MANY, epoll_wait(ep, ev, MANY, timeouts[turn]));
		EXPECT_GE(turn + 1ULL, counts[KE_N_ENTRIES] + counts[KE_N_ASKS]);
	}
	for (i = 0; i < MANY; i++)
		close(fd[i]);
	close(ep);
}

/* In ring mode a level that holds on is not forgotten while others are told. */
TEST(ring_level)
{
	int fd[2], ep, turn, told = 0, i;
	struct epoll_event ev[2];
	uint64_t value;
	int n;

	ke_set_mode(KE_RING);
	ep = epoll_create1(0);
	ASSERT_GE(ep, 0);
	for (i = 0; i < 2; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
		ASSERT_EQ(0, ctl(ep, EPOLL_CTL_ADD, fd[i], EPOLLIN, i));
	}
	/* One of many at a time, and the ring is never empty. */
	value = 10;
	ASSERT_EQ((ssize_t)sizeof(value), write(fd[0], &value, sizeof(value)));
	for (turn = 0; turn < 100; turn++) {
		fill(_metadata, fd[1]);
		n = epoll_wait(ep, ev, 2, TEST_LONG_MS);
		ASSERT_GE(n, 1);
		while (n--) {
			ASSERT_EQ((ssize_t)sizeof(value),
				  read(fd[ev[n].data.u64], &value, sizeof(value)));
			told += !ev[n].data.u64;
		}
	}
	EXPECT_EQ(10, told);
	for (i = 0; i < 2; i++)
		close(fd[i]);
	close(ep);
}

/* A call that nobody sees here, as programs make them without the C library. */
static long unseen(long nr, long a, long b, long c)
{
	return ukevent_call4(nr, a, b, c, 0);
}

/* What a child made without the C library closes and duplicates is its own, too. */
TEST_F(epoll, forked_unseen)
{
	int fd[2], status;
	pid_t child;

	make(_metadata, PIPE, fd);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	fill(_metadata, fd[1]);
	child = unseen(__NR_clone, SIGCHLD, 0, 0);
	ASSERT_GE(child, 0);
	if (!child) {
		int copy = dup(self->ep), bad;

		bad = ready(copy, TEST_LONG_MS) != EPOLLIN;
		close(self->ep);
		bad |= (ready(self->ep, 0) != -EBADF) << 1;
		bad |= (ready(copy, TEST_LONG_MS) != EPOLLIN) << 2;
		close(copy);
		copy = epoll_create1(0);
		bad |= (add(copy, fd[0], EPOLLIN) != 0) << 3;
		bad |= (ready(copy, TEST_LONG_MS) != EPOLLIN) << 4;
		_exit(bad);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(EPOLLIN, ready(self->ep, TEST_LONG_MS));
	unmake(fd);
}

/* The number of a set that was closed unseen is what it is, and stays so. */
TEST_F(epoll, closed_unseen)
{
	static const char *const ways[] = { "close", "close_range", "dup2" };
	int outer = epoll_create1(0), ep, copy, fd[2];
	struct stat st;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		TH_LOG("by %s", ways[i]);
		ep = epoll_create1(0);
		copy = dup(ep);
		ASSERT_GE(copy, 0);
		make(_metadata, STREAM_PAIR, fd);
		if (i == 0) {
			ASSERT_EQ(0, unseen(__NR_close, ep, 0, 0));
		} else if (i == 1) {
			ASSERT_EQ(0, unseen(__NR_close_range, ep, ep, 0));
		}
		ASSERT_EQ(ep, unseen(__NR_dup3, fd[0], ep, 0));
		close(fd[0]);
		fill(_metadata, fd[1]);
		EXPECT_EQ(-EINVAL, ready(ep, 1));
		EXPECT_EQ(-EINVAL, add(ep, fd[1], EPOLLIN));
		/* As what is to be watched, it is a socket. */
		EXPECT_EQ(0, add(outer, ep, EPOLLIN));
		EXPECT_EQ(EPOLLIN, ready(outer, TEST_LONG_MS));
		EXPECT_EQ(0, fstat(ep, &st));
		EXPECT_TRUE(S_ISSOCK(st.st_mode));
		EXPECT_EQ(0, ctl(outer, EPOLL_CTL_DEL, ep, 0, 0));
		close(copy);
		close(ep);
		close(fd[1]);

		/* Nor is it handed over with what the set still is. */
		ep = epoll_create1(0);
		copy = dup(ep);
		make(_metadata, STREAM_PAIR, fd);
		ASSERT_EQ(ep, unseen(__NR_dup3, fd[0], ep, 0));
		EXPECT_EQ(0, add(outer, copy, EPOLLIN));
		EXPECT_EQ(0, fstat(ep, &st));
		EXPECT_TRUE(S_ISSOCK(st.st_mode));
		EXPECT_EQ(0, add(copy, ep, EPOLLIN));
		fill(_metadata, fd[1]);
		EXPECT_EQ(EPOLLIN, ready(outer, TEST_LONG_MS));
		close(copy);
		close(ep);
		unmake(fd);
	}
	close(outer);
}

static int64_t told_data(int ep, int timeout)
{
	struct epoll_event ev[4];
	int64_t all = 0;
	int n = epoll_wait(ep, ev, 4, timeout);

	while (n-- > 0)
		all |= 1U << ev[n].data.u64;
	return all;
}

/* A number that two files were added by is that of the one it leads to. */
TEST_F(epoll, same_number)
{
	static const uint32_t modes[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLEXCLUSIVE };
	int a[2], b[2], copy[2], number;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		TH_LOG("mode %x", modes[i]);
		make(_metadata, STREAM_PAIR, a);
		make(_metadata, STREAM_PAIR, b);
		number = dup(a[0]);
		ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, number, EPOLLIN | modes[i], 1));
		copy[0] = dup(number);
		ASSERT_EQ(number, dup2(b[0], number));
		ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, number, EPOLLIN, 2));
		copy[1] = dup(number);
		ASSERT_EQ(number, dup2(a[0], number));
		EXPECT_EQ(modes[i] == EPOLLEXCLUSIVE ? -EINVAL : 0,
			  ctl(self->ep, EPOLL_CTL_MOD, number, EPOLLIN, 3));
		fill(_metadata, a[1]);
		fill(_metadata, b[1]);
		EXPECT_EQ(1U << 2 | 1U << (modes[i] == EPOLLEXCLUSIVE ? 1 : 3),
			  told_data(self->ep, TEST_LONG_MS));
		EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_DEL, number, 0, 0));
		EXPECT_EQ(1U << 2, told_data(self->ep, TEST_LONG_MS));
		drain(b[0]);
		EXPECT_EQ(0, told_data(self->ep, 0));
		EXPECT_EQ(0, told_data(self->ep, TEST_SHORT_MS));
		EXPECT_EQ(-ENOENT, ctl(self->ep, EPOLL_CTL_MOD, number, EPOLLIN, 4));
		EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, number, EPOLLIN, 4));
		ASSERT_EQ(number, dup2(b[0], number));
		EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_MOD, number, EPOLLIN | EPOLLET, 5));
		fill(_metadata, b[1]);
		EXPECT_EQ(1U << 4 | 1U << 5, told_data(self->ep, TEST_LONG_MS));
		close(number);
		close(copy[0]);
		close(copy[1]);
		unmake(a);
		unmake(b);
		EXPECT_EQ(0, told_data(self->ep, 0));
	}
}

/* What is ready is not asked of the file that has got the number. */
TEST_F(epoll, another_file)
{
	static const uint32_t modes[] = { 0, EPOLLET, EPOLLONESHOT };
	int fd[2], other[2], copy;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		make(_metadata, STREAM_PAIR, fd);
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, other));
		ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN | modes[i]));
		copy = dup(fd[0]);
		ASSERT_EQ(fd[0], dup2(other[0], fd[0]));
		fill(_metadata, fd[1]);
		EXPECT_EQ(EPOLLIN, ready(self->ep, TEST_LONG_MS));
		EXPECT_EQ(modes[i] ? 0 : EPOLLIN, ready(self->ep, 0));
		close(copy);
		unmake(fd);
		unmake(other);
	}
}

/* The same number is one file in a child, and another in its parent. */
TEST_F(epoll, forked_numbers)
{
	int fd[2], other[2], go[2], status;
	pid_t child;
	char byte;

	make(_metadata, STREAM_PAIR, fd);
	make(_metadata, STREAM_PAIR, other);
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 1));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		dup2(other[0], fd[0]);
		status = ctl(self->ep, EPOLL_CTL_ADD, fd[0], EPOLLIN, 2) != 0;
		close(go[1]);
		/* Until the parent is done. */
		if (read(other[1], &byte, 1) < 0 && errno == EAGAIN)
			poll(&(struct pollfd) { .fd = other[1], .events = POLLIN }, 1, TEST_LONG_MS);
		_exit(status);
	}
	close(go[1]);
	ASSERT_EQ(0, read(go[0], &byte, 1));
	fill(_metadata, fd[1]);
	EXPECT_EQ(1U << 1, told_data(self->ep, TEST_LONG_MS));
	EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_DEL, fd[0], 0, 0));
	EXPECT_EQ(0, told_data(self->ep, TEST_SHORT_MS));
	fill(_metadata, other[1]);
	EXPECT_EQ(1U << 2, told_data(self->ep, TEST_LONG_MS));
	EXPECT_EQ(-ENOENT, ctl(self->ep, EPOLL_CTL_DEL, fd[0], 0, 0));
	drain(other[0]);
	EXPECT_EQ(0, told_data(self->ep, TEST_SHORT_MS));
	fill(_metadata, other[0]);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	close(go[0]);
	unmake(fd);
	unmake(other);
	EXPECT_EQ(0, told_data(self->ep, 0));
}

/* Of many levels that were told some hold on, and are found without a sleep. */
TEST_F(epoll, few_of_many)
{
	static struct epoll_event ev[MANY];
	int fd[MANY], i, first;

	for (i = 0; i < MANY; i++) {
		fd[i] = eventfd(0, EFD_NONBLOCK);
		ASSERT_GE(fd[i], 0);
		ASSERT_EQ(0, ctl(self->ep, EPOLL_CTL_ADD, fd[i], EPOLLIN, i));
	}
	/* The last ones, or all but the first. */
	for (first = MANY - 3; first > 0; first -= MANY - 4) {
		for (i = 0; i < MANY; i++)
			fill(_metadata, fd[i]);
		ASSERT_EQ(MANY, epoll_wait(self->ep, ev, MANY, 0));
		for (i = 0; i < first; i++)
			drain(fd[i]);
		EXPECT_LT(0, epoll_wait(self->ep, ev, MANY, 0));
		for (i = 0; i < MANY; i++)
			drain(fd[i]);
		EXPECT_EQ(0, epoll_wait(self->ep, ev, MANY, 0));
	}
	for (i = 0; i < MANY; i++)
		close(fd[i]);
}

struct looker {
	int ep;
	int stop;
	int bad;
	int others;
};

static void *look_always(void *arg)
{
	struct looker *l = arg;
	int64_t got;

	while (!__atomic_load_n(&l->stop, __ATOMIC_SEQ_CST)) {
		got = ready(l->ep, 0);
		if (got != EPOLLIN)
			l->bad = got ? -got : -1;
		got = ctl(l->ep, EPOLL_CTL_DEL, l->others, 0, 0);
		if (got != -ENOENT)
			l->bad = -got;
	}
	return NULL;
}

/* Whoever uses a set meanwhile does not see that it is handed over. */
TEST_F_TIMEOUT(epoll, nested_while_used, 300)
{
	int outer = epoll_create1(0), one = eventfd(1, 0), fd[2], i, t, turns = test_loops(20);
	struct looker looker[2];
	pthread_t thread[2];

	make(_metadata, STREAM_PAIR, fd);
	for (i = 0; i < turns; i++) {
		int ep = epoll_create1(0);

		ASSERT_EQ(0, add(ep, one, EPOLLIN));
		for (t = 0; t < 2; t++) {
			looker[t] = (struct looker) { .ep = ep, .others = fd[1] };
			ASSERT_EQ(0, pthread_create(thread + t, NULL, look_always, looker + t));
		}
		for (t = 0; t < i % 16; t++)
			sched_yield();
		EXPECT_EQ(0, add(outer, ep, EPOLLIN));
		for (t = 0; t < i % 4; t++)
			sched_yield();
		for (t = 0; t < 2; t++)
			__atomic_store_n(&looker[t].stop, 1, __ATOMIC_SEQ_CST);
		for (t = 0; t < 2; t++) {
			pthread_join(thread[t], NULL);
			ASSERT_EQ(0, looker[t].bad);
		}
		close(ep);
	}
	close(outer);
	close(one);
	unmake(fd);
}

/*
 * Who sleeps is not told what is gone by the time it runs, however often: the one who
 * writes and reads does both before that, as it goes before it on their processor.
 */
TEST_F(epoll, gone_each_time)
{
	struct sched_param first = { .sched_priority = 1 };
	struct waiters w = { .ep = self->ep };
	pthread_t thread;
	int fd[2], i;

	ASSERT_EQ(0, run_on(0));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fd));
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	start(_metadata, &w, &thread, 1);
	ASSERT_EQ(0, pthread_setschedparam(pthread_self(), SCHED_FIFO, &first));
	for (i = 0; i < 40; i++) {
		fill(_metadata, fd[1]);
		drain(fd[0]);
		sleep_ms(TEST_SHORT_MS / 10);
	}
	EXPECT_EQ(0, __atomic_load_n(&w.told, __ATOMIC_SEQ_CST));
	fill(_metadata, fd[1]);
	pthread_join(thread, NULL);
	EXPECT_EQ(1, w.told);
	unmake(fd);
}

/* A process that dies over a change leaves the set to the others. */
TEST_F(epoll, died)
{
	struct ke_set *set = ke_get(self->ep);
	int fd[2], other[2], status;
	pid_t child;

	make(_metadata, STREAM_PAIR, fd);
	make(_metadata, STREAM_PAIR, other);
	ASSERT_EQ(0, add(self->ep, fd[0], EPOLLIN));
	fill(_metadata, fd[1]);
	EXPECT_EQ(EPOLLIN, ready(self->ep, TEST_LONG_MS));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		if (set) {
			ke_lock(set);
			set->sh->again[0] = 0;
			set->sh->free = set->sh->max;
		}
		_exit(0);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(EPOLLIN, ready(self->ep, 0));
	EXPECT_EQ(0, add(self->ep, other[0], EPOLLIN));
	drain(fd[0]);
	fill(_metadata, other[1]);
	EXPECT_EQ(EPOLLIN, ready(self->ep, TEST_LONG_MS));
	EXPECT_EQ(0, ctl(self->ep, EPOLL_CTL_DEL, fd[0], 0, 0));
	if (set)
		ke_put(set);
	unmake(fd);
	unmake(other);
}

/* Fork handlers of a program that has had no set before. */
static int handlers_ep = -1, handlers_fd, handlers_bad;

static void renew(void)
{
	struct epoll_event ev;

	if (handlers_ep >= 0)
		close(handlers_ep);
	handlers_ep = epoll_create1(0);
	handlers_bad |= add(handlers_ep, handlers_fd, EPOLLIN) ||
			epoll_wait(handlers_ep, &ev, 1, TEST_LONG_MS) != 1;
}

static void leave(void)
{
	close(handlers_ep);
	handlers_ep = -1;
}

TEST(fork_handlers)
{
	static void (*const handlers[][3])(void) = {
		{ renew, renew, renew },
		{ leave, renew, renew },
	};
	int fd[2], status;
	unsigned int i;
	pid_t child;

	ke_set_mode(KE_EXACT);
	make(_metadata, PIPE, fd);
	fill(_metadata, fd[1]);
	handlers_fd = fd[0];
	for (i = 0; i < ARRAY_SIZE(handlers); i++)
		ASSERT_EQ(0, pthread_atfork(handlers[i][0], handlers[i][1], handlers[i][2]));
	for (i = 0; i < 3; i++) {
		child = fork();
		ASSERT_GE(child, 0);
		if (!child) {
			renew();
			_exit(handlers_bad);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		EXPECT_EQ(0, status);
		EXPECT_EQ(0, handlers_bad);
	}
	leave();
	unmake(fd);
}

/* The time grows with short sleeps to the longest, and is gone after some that are not. */
TEST(spin_times)
{
	const uint64_t most = 1600;
	struct ke_set *set;
	uint64_t was;
	int ep, i;

	ke_set_mode(KE_RING);
	ke_set_spin_ns(most);
	ep = epoll_create1(0);
	set = ke_get(ep);
	ASSERT_NE(NULL, set);
	EXPECT_EQ(0, (long long)set->spin_ns);
	for (i = 0, was = 0; i < 10 && set->spin_ns < most; i++) {
		ke_spin_ended(set, most);
		EXPECT_LT(was, set->spin_ns);
		was = set->spin_ns;
	}
	EXPECT_EQ(most, set->spin_ns);
	for (i = 0; i < 10 && set->spin_ns; i++) {
		ke_spin_ended(set, most + 1);
		EXPECT_GT(was, set->spin_ns);
		was = set->spin_ns;
	}
	EXPECT_EQ(0, (long long)set->spin_ns);
	/* From time to time it is found out. */
	for (i = 0; i < 100 && !ke_spin_begins(set); i++)
		;
	EXPECT_LT(i, 100);
	ke_put(set);
	close(ep);
}

struct later {
	int fd;
	int sleeper;	/* fill it when that one sleeps; 0: after a while */
};

static void *fill_later(void *arg)
{
	const struct later *l = arg;
	uint64_t one = 1;

	if (l->sleeper)
		task_asleep(l->sleeper);
	else
		sleep_ms(TEST_SHORT_MS);
	return write(l->fd, &one, sizeof(one)) == sizeof(one) ? NULL : arg;
}

/* Who looks at the ring is told without an entry, and who looks in vain by one. */
TEST(spin_finds)
{
	static const uint64_t most[] = { TEST_LONG_MS * NSEC_PER_MSEC, 1000 };
	static uint64_t counts[KE_N_COUNTS];
	struct later later;
	struct ke_set *set;
	pthread_t thread;
	unsigned int i;
	void *failed;
	int ep, fd;

	ke_set_mode(KE_RING);
	ke_counts = counts;
	for (i = 0; i < ARRAY_SIZE(most); i++) {
		ke_set_spin_ns(most[i]);
		ep = epoll_create1(0);
		set = ke_get(ep);
		ASSERT_NE(NULL, set);
		fd = eventfd(0, EFD_NONBLOCK);
		ASSERT_EQ(0, add(ep, fd, EPOLLIN));
		set->spin_ns = most[i];
		memset(counts, 0, sizeof(counts));
		later = (struct later) { .fd = fd, .sleeper = i ? getpid() : 0 };
		ASSERT_EQ(0, pthread_create(&thread, NULL, fill_later, &later));
		EXPECT_EQ(EPOLLIN, ready(ep, TEST_LONG_MS));
		EXPECT_EQ((long long)i, (long long)counts[KE_N_ENTRIES]);
		pthread_join(thread, &failed);
		EXPECT_EQ(NULL, failed);
		ke_put(set);
		close(fd);
		close(ep);
	}
}

TEST_HARNESS_MAIN
