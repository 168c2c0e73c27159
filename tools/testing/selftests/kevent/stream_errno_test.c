// SPDX-License-Identifier: GPL-2.0
/*
 * STREAM: each error of ADD, MODIFY, SET ... as Documentation/kevent/reference.rst lists them; what
 * is refused leaves no trace.
 */
#include "stream_test.h"

#define LATE	KEVENT_LATE

FIXTURE(error)
{
	struct stream_queue s;
	struct source c;
	struct stream st;
	struct ukevent_queue *q;
	int fd;
	int peer;
};

FIXTURE_SETUP(error)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, AF_INET));
	stream_expect(&self->st, 1, 0);
	self->q = &self->s.q;
	self->fd = self->c.fd;
	self->peer = self->c.peer;
}

FIXTURE_TEARDOWN(error)
{
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

static int open_listening(int family)
{
	struct listener l;

	return open_listener(&l, family, SOCK_STREAM, 1) ? -1 : l.fd;
}

static int open_half(int family, int type)
{
	struct source s;

	if (sock_pair(&s, family, type))
		return -1;
	return s.fd;
}

/* What is no connected stream socket. */
TEST_F(error, ident)
{
	const struct {
		const char *what;
		int fd, result;
	} cases[] = {
		{ "nothing", -1, -EBADF },
		{ "closed", 999, -EBADF },
		{ "O_PATH", open("/proc/self/exe", O_PATH), -EBADF },
		{ "eventfd", make_eventfd(0), -ENOTSOCK },
		{ "file", open("/proc/self/exe", O_RDONLY), -ENOTSOCK },
		{ "directory", open("/", O_RDONLY), -ENOTSOCK },
		{ "epoll", epoll_create1(0), -ENOTSOCK },
		{ "UDP", open_half(AF_INET, SOCK_DGRAM), -EOPNOTSUPP },
		{ "UDP6", open_half(AF_INET6, SOCK_DGRAM), -EOPNOTSUPP },
		{ "UNIX datagrams", open_half(AF_UNIX, SOCK_DGRAM), -EOPNOTSUPP },
		{ "UNIX packets", open_half(AF_UNIX, SOCK_SEQPACKET),
		  -EOPNOTSUPP },
		{ "netlink", socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
		  -EOPNOTSUPP },
		{ "TCP listener", open_listening(AF_INET), -EINVAL },
		{ "TCP6 listener", open_listening(AF_INET6), -EINVAL },
		{ "UNIX listener", open_listening(AF_UNIX), -EINVAL },
		{ "new TCP", socket(AF_INET, SOCK_STREAM, 0), -ENOTCONN },
		{ "new TCP6", socket(AF_INET6, SOCK_STREAM, 0), -ENOTCONN },
		{ "new UNIX", socket(AF_UNIX, SOCK_STREAM, 0), -ENOTCONN },
		{ "UNIX", open_half(AF_UNIX, SOCK_STREAM), 0 },
		{ "TCP", open_half(AF_INET, SOCK_STREAM), 0 },
		{ "TCP6", open_half(AF_INET6, SOCK_STREAM), 0 },
	};
	__u32 flags[2] = { 0, LATE };
	struct kevent_change c;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (cases[i].result != -EBADF || i > 1)
			ASSERT_LE(0, cases[i].fd) TH_LOG("%s", cases[i].what);
		for (k = 0; k < 2; k++) {
			EXPECT_EQ(cases[i].result,
				  add_stream(&self->s, cases[i].fd, ST_RECV,
					     flags[k], 0, NULL))
				TH_LOG("%s", cases[i].what);
			EXPECT_EQ(cases[i].result == -EBADF ? -EBADF :
				  cases[i].result ? -ENOENT : 0,
				  op_stream(&self->s, KEVENT_OP_REMOVE,
					    cases[i].fd))
				TH_LOG("%s", cases[i].what);
		}
		close(cases[i].fd);
	}
	/* 64 bits are compared, not the lower half of them */
	c = make_stream(KEVENT_OP_ADD, 0, ST_RECV, 0, 0);
	c.ident = (1ULL << 32) + self->fd;
	EXPECT_EQ(-EBADF, do_change(self->q->fd, &c));
}

/* A socket that has been connected, and is not any more. */
TEST_F(error, disconnected)
{
	ASSERT_EQ(0, disconnect(self->fd));
	EXPECT_EQ(-ENOTCONN, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
}

/* A queue without a data area carries no bytes, whatever else it is. */
TEST_F(error, no_area)
{
	struct stream_queue s = {};
	int noring;

	for (noring = 0; noring < 2; noring++) {
		ASSERT_EQ(0, noring ? queue_init_noring(&s.q, 4) :
				      queue_init(&s.q, 4));
		EXPECT_EQ(-ENXIO, add_stream(&s, self->fd, ST_RECV, 0, 0, NULL));
		EXPECT_EQ(-ENXIO, add_stream(&s, self->fd, ST_RECV, LATE, 0,
					     NULL));
		EXPECT_EQ(-ENXIO, add_stream(&s, self->fd, 0, 0, 0, NULL));
		ukevent_queue_exit(&s.q);
	}
	/* which took nothing from the socket */
	EXPECT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
}

/* Each parameter at its limits: with ADD, MODIFY and SET the same. */
TEST_F(error, params)
{
	const __u64 size = self->s.size;
	const struct {
		__u64 lowat, most, share;
		int result;
	} cases[] = {
		{ 0, 0, 0, 0 }, { 1, 0, 0, 0 }, { 0x80000000, 0, 0, -EINVAL },
		{ 1ULL << 32, 0, 0, -EINVAL }, { ~0ULL, 0, 0, -EINVAL },
		{ 0, 1, 0, 0 }, { 0, 16384, 0, 0 }, { 0, 16385, 0, -EINVAL },
		{ 0, 65537, 0, -EINVAL }, { 0, (1ULL << 32) + 1, 0, -EINVAL },
		{ 0, ~0ULL, 0, -EINVAL }, { 0, 0, 4096, 0 },
		{ 0, 0, 4095, -EINVAL }, { 0, 0, 1, -EINVAL },
		{ 0, 100, 100, 0 }, { 0, 100, 99, -EINVAL },
		{ 0, 16384, 16384, 0 }, { 0, 16384, 16383, -EINVAL },
		{ 0, 1, 1, 0 }, { 0, 0, size, 0 }, { 0, 0, size + 1, -EINVAL },
		{ 0, 0, size - 1, 0 }, { 0, 0, 1 << 24, -EINVAL },
		{ 0, 0, (1 << 24) + 1, -EINVAL },
		{ 0, 0, (1ULL << 32) + size, -EINVAL }, { 0, 0, ~0ULL, -EINVAL },
		/* last, as 10 bytes are below these marks */
		{ 2, 0, 0, 0 }, { 0x7fffffff, 0, 0, 0 },
	};
	static const __u16 ops[] = {
		KEVENT_OP_ADD, KEVENT_OP_MODIFY, KEVENT_OP_SET, KEVENT_OP_SET,
	};
	struct kevent_change c;
	bool there = false;
	__u64 sent = 0;
	size_t i, op;

	for (op = 0; op < ARRAY_SIZE(ops); op++)
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		/* the first SET is of one that is there, the second of none */
		if (op == 0 || op == 3) {
			if (there)
				ASSERT_EQ(0, op_stream(&self->s,
						       KEVENT_OP_REMOVE,
						       self->fd));
		} else if (!there) {
			ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0,
						0, NULL));
		}
		there = op == 1 || op == 2;
		EXPECT_EQ(cases[i].result,
			  tune_stream(&self->s, ops[op], self->fd, ST_RECV, 0, 0,
				      cases[i].lowat, cases[i].most,
				      cases[i].share))
			TH_LOG("op %zu case %zu", op, i);
		there = there || !cases[i].result;
		/* refused: as it was before */
		if (there && cases[i].result) {
			SEND(10);
			EXPECT_EQ(0, REACHES(sent));
		}
	}
	c = make_stream(KEVENT_OP_MODIFY, self->fd, ST_RECV, 0, 0);
	c.param[3] = 1;
	if (!there)
		ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	EXPECT_EQ(-EINVAL, do_change(self->q->fd, &c));
	EXPECT_EQ(NULL, self->st.bad) TH_LOG("%s", self->st.bad);
}

/* What the area of another queue would have room for is none of this one's. */
TEST_F(error, share_of_this_area)
{
	struct stream_queue large;

	ASSERT_EQ(0, stream_queue_init(&large, 4, 1 << 20));
	EXPECT_EQ(-EINVAL, tune_stream(&self->s, KEVENT_OP_ADD, self->fd, ST_RECV,
				       0, 0, 0, 0, 1 << 20));
	EXPECT_EQ(0, tune_stream(&large, KEVENT_OP_ADD, self->fd, ST_RECV, 0, 0,
				 0, 0, 1 << 20));
	EXPECT_EQ(-EINVAL, tune_stream(&large, KEVENT_OP_MODIFY, self->fd,
				       ST_RECV, 0, 0, 0, 0, (1 << 20) + 1));
	stream_queue_exit(&large);
}

TEST_F(error, events)
{
	const __u32 good = ST_RECV | ST_SEND | ST_ERROR | ST_HUP | ST_RDHUP;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		__u32 events = 1U << bit;

		EXPECT_EQ(events & good ? 0 : -EINVAL,
			  add_stream(&self->s, self->fd, events, 0, 0, NULL))
			TH_LOG("bit %d", bit);
		EXPECT_EQ(events & good ? 0 : -ENOENT,
			  op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
	}
	/* none: errors and hang-ups are watched */
	EXPECT_EQ(0, add_stream(&self->s, self->fd, 0, 0, 0, NULL));
}

TEST_F(error, flags)
{
	const __u32 sets = KEVENT_EDGE | KEVENT_ONESHOT | KEVENT_DISPATCH |
			   KEVENT_WANT_LAST | KEVENT_START_DISABLED;
	const __u32 hold = KEVENT_DISPATCH | KEVENT_WANT_LAST | KEVENT_HOLD_LAST;
	static const __u16 ops[] = {
		KEVENT_OP_ADD, KEVENT_OP_MODIFY, KEVENT_OP_SET,
	};
	__u32 takes;
	size_t i;
	int bit;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
	for (bit = 0; bit < 32; bit++) {
		if (1U << bit == KEVENT_BY_ID)
			continue;
		if (ops[i] != KEVENT_OP_ADD)
			ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0,
						NULL));
		takes = sets | (ops[i] == KEVENT_OP_ADD ? LATE : 0);
		EXPECT_EQ(takes & 1U << bit ? 0 : -EINVAL,
			  tune_stream(&self->s, ops[i], self->fd, ST_RECV,
				      1U << bit, 0, 0, 0, 0))
			TH_LOG("op %u bit %d", ops[i], bit);
		op_stream(&self->s, KEVENT_OP_REMOVE, self->fd);
		take_all(self->q, NULL);
	}
	EXPECT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, hold | LATE, 0,
				NULL));
}

/* Nothing there, or of another type. */
TEST_F(error, not_there)
{
	static const __u16 ops[] = {
		KEVENT_OP_MODIFY, KEVENT_OP_REMOVE, KEVENT_OP_ENABLE,
		KEVENT_OP_DISABLE,
	};
	size_t i;

	ASSERT_EQ(0, add_sock(self->q->fd, self->fd, SK_RECV, KEVENT_EDGE, 0,
			      NULL));
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(-ENOENT, op_stream(&self->s, ops[i], self->fd))
			TH_LOG("op %u", ops[i]);
		EXPECT_EQ(-EBADF, op_stream(&self->s, ops[i], 999));
	}
	EXPECT_EQ(-EOPNOTSUPP, op_stream(&self->s, KEVENT_OP_TRIGGER, self->fd));
	/* beside the other type there can be one of this */
	EXPECT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	EXPECT_EQ(-EOPNOTSUPP, op_stream(&self->s, KEVENT_OP_TRIGGER, self->fd));
	EXPECT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
	EXPECT_EQ(0, remove_sock(self->q->fd, self->fd));
}

/* A mark is of TCP, where bytes can be counted. */
TEST_F(error, mark)
{
	struct source c;
	int fd;

	ASSERT_EQ(0, stream_pair(&c, AF_UNIX));
	fd = c.fd;
	EXPECT_EQ(-EOPNOTSUPP, tune_stream(&self->s, KEVENT_OP_ADD, fd, ST_RECV,
					   0, 0, 2, 0, 0));
	EXPECT_EQ(-ENOENT, op_stream(&self->s, KEVENT_OP_REMOVE, fd));
	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_ADD, fd, ST_RECV, 0, 0, 1, 0,
				 0));
	EXPECT_EQ(-EOPNOTSUPP, tune_stream(&self->s, KEVENT_OP_MODIFY, fd,
					   ST_RECV, 0, 0, 100, 0, 0));
	source_close(&c);
}

/* An ADD of which the program cannot be told has not been: all bytes are there. */
TEST_F(error, undone)
{
	size_t page = page_size();
	char *end = guarded_end(1);
	struct kevent_change *c;
	__u64 sent = 0;
	int i;

	ASSERT_NE(NULL, end);
	c = (struct kevent_change *)(end - sizeof(*c));
	for (i = 0; i < 20; i++) {
		SEND(1000);
		*c = make_stream(KEVENT_OP_ADD, self->fd, ST_RECV, i % 2 ? LATE : 0,
				 0);
		ASSERT_EQ(0, mprotect(end - page, page, PROT_READ));
		EXPECT_EQ(-EFAULT, sys_kevent_ctl(self->q->fd, c, 1, sizeof(*c),
						  0));
		ASSERT_EQ(0, mprotect(end - page, page, PROT_READ | PROT_WRITE));
		SEND(1000);
		EXPECT_EQ(2000, recv_pattern_all(self->fd, 1, sent - 2000, 2000));
		EXPECT_QUIET(self->q);
		EXPECT_EQ(-ENOENT, op_stream(&self->s, KEVENT_OP_REMOVE,
					     self->fd));
	}
	stream_expect(&self->st, 1, sent);
	EXPECT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, 0, 0, NULL));
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

TEST_HARNESS_MAIN
