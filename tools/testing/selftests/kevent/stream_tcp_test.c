// SPDX-License-Identifier: GPL-2.0
/*
 * STREAM and what TCP is beside bytes in order: marks, urgent data, listeners,
 * acknowledgements, windows, the growth of buffers.
 */
#include "stream_test.h"

#define LATE	KEVENT_LATE

#define ADD(events, more) \
	add_stream(&self->s, self->fd, events, variant->flags | (more), 0, NULL)

FIXTURE(tcp)
{
	struct stream_queue s;
	struct source c;
	struct stream st;	/* what peer sends to fd */
	struct ukevent_queue *q;
	int fd;
	int peer;
};

FIXTURE_VARIANT(tcp)
{
	int family;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(tcp, tcp4) { AF_INET, 0 };
FIXTURE_VARIANT_ADD(tcp, tcp6) { AF_INET6, 0 };
FIXTURE_VARIANT_ADD(tcp, tcp4_late) { AF_INET, LATE };

FIXTURE_SETUP(tcp)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 128, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, variant->family));
	stream_expect(&self->st, 1, 0);
	self->q = &self->s.q;
	self->fd = self->c.fd;
	self->peer = self->c.peer;
}

FIXTURE_TEARDOWN(tcp)
{
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

/* N16: fewer bytes than that stay in the socket, unless nothing else comes. */
TEST_F(tcp, low_water_mark)
{
	__u64 sent = 0;
	int n;

	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_ADD, self->fd,
				 ST_RECV | ST_RDHUP, variant->flags, 0, 100, 0,
				 0));
	for (n = 0; n < 3; n++) {
		SEND(60);
		EXPECT_EQ(60, bytes_reach(self->fd, 60));
		EXPECT_EQ(0, flush_ring(self->q));
		EXPECT_EQ(60, unread(self->fd));
		SEND(40);
		EXPECT_EQ(0, REACHES(sent));
		EXPECT_EQ(0, unread(self->fd));
	}
	SEND(99);
	EXPECT_EQ(99, bytes_reach(self->fd, 99));
	EXPECT_EQ(0, flush_ring(self->q));
	/* a lower mark is met by what is there */
	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_MODIFY, self->fd,
				 ST_RECV | ST_RDHUP, 0, 0, 99, 0, 0));
	EXPECT_EQ(0, REACHES(sent));
	SEND(30);
	EXPECT_EQ(30, bytes_reach(self->fd, 30));
	EXPECT_EQ(0, flush_ring(self->q));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP));
	EXPECT_STREAM(&self->st, sent);
}

/* A mark above what the socket can hold must not stop it for ever. */
TEST_F(tcp, mark_above_the_buffer)
{
	int size = 8192;
	__u64 sent;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &size,
				sizeof(size)));
	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_ADD, self->fd, ST_RECV,
				 variant->flags, 0, 1U << 30, 0, 0));
	sent = fill_pattern(self->peer, 1, 0);
	EXPECT_LE(20000ULL, sent);
	while (self->st.next < 20000 && !self->st.bad) {
		ASSERT_LT(0, stream_turn(&self->s, &self->st, 1, TEST_LONG_MS));
	}
	EXPECT_STREAM(&self->st, self->st.next);
}

/* N17: urgent data is not told, and is a gap, or is among the others. */
TEST_F(tcp, urgent)
{
	unsigned char oob, want;
	__u64 sent = 0;
	int on = 1;

	ASSERT_EQ(0, ADD(ST_RECV, 0));
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	pattern_fill(&want, 1, sent, 1);
	ASSERT_EQ(1, send(self->peer, &want, 1, MSG_OOB));
	sent++;
	SEND(100);
	/* the byte in between, which waits for who asks for it */
	EXPECT_TRUE(polls(self->fd, POLLPRI));
	self->st.next++;
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_EQ(1, recv(self->fd, &oob, 1, MSG_OOB | MSG_DONTWAIT));
	EXPECT_EQ(want, oob);
	EXPECT_STREAM(&self->st, sent);
	/* goes on after it */
	SEND(5000);
	EXPECT_EQ(0, REACHES(sent));

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_OOBINLINE, &on,
				sizeof(on)));
	pattern_fill(&want, 1, sent, 1);
	ASSERT_EQ(1, send(self->peer, &want, 1, MSG_OOB));
	sent++;
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_EQ(0, unread(self->fd));
}

/* N15: the socket becomes a listener; its children are nobody's. */
TEST_F(tcp, becomes_listener)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	struct source child;
	struct stream st[2];
	__u64 sent = 0;
	int i, kid;

	ASSERT_EQ(0, ADD(ST_RECV | ST_RDHUP, 0));
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	ASSERT_EQ(0, disconnect(self->fd));
	EXPECT_EQ(ST_HUP, EVENTS(ST_HUP) & ST_HUP);
	ASSERT_EQ(0, getsockname(self->fd, (struct sockaddr *)&addr, &len));
	ASSERT_EQ(0, listen(self->fd, 5));
	ASSERT_EQ(0, getsockname(self->fd, (struct sockaddr *)&addr, &len));
	for (i = 0; i < 3; i++) {
		child.peer = socket(variant->family, SOCK_STREAM | SOCK_CLOEXEC,
				    0);
		/* bound to any address now: that of the loopback is one */
		ASSERT_EQ(0, connect(child.peer, (struct sockaddr *)&addr, len))
			TH_LOG("%s", strerror(errno));
		ASSERT_TRUE(polls(self->fd, POLLIN));
		kid = accept_one(self->fd);
		ASSERT_LE(0, kid);
		child.fd = kid;
		/* an ordinary socket */
		ASSERT_EQ(0, send_pattern(child.peer, 9, 0, 1000));
		EXPECT_EQ(1000, bytes_reach(kid, 1000));
		EXPECT_EQ(1000, recv_pattern(kid, 9, 0, 2000));
		/* that can have an interest of its own */
		stream_expect(&st[0], 1, sent);
		stream_expect(&st[1], 9, 1000);
		EXPECT_EQ(0, add_stream(&self->s, kid, ST_RECV, variant->flags,
					1, NULL));
		ASSERT_EQ(0, send_pattern(child.peer, 9, 1000, 1000));
		EXPECT_EQ(0, stream_reaches(&self->s, st, 2, &st[1], 2000));
		EXPECT_STREAM(&st[1], 2000);
		if (i)
			EXPECT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE, kid));
		source_close(&child);
		stream_now(&self->s, st, 2);
		EXPECT_EQ(0ULL, st[0].bytes);
	}
	EXPECT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
	EXPECT_EQ(-EINVAL, ADD(ST_RECV, 0));
}

/* ---- as it arrives ---- */

FIXTURE(plain)
{
	struct stream_queue s;
	struct source c;
	struct stream st;
	struct ukevent_queue *q;
	int fd;
	int peer;
};

FIXTURE_VARIANT(plain)
{
	int family;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(plain, tcp4) { AF_INET, 0 };
FIXTURE_VARIANT_ADD(plain, tcp6) { AF_INET6, 0 };

FIXTURE_SETUP(plain)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 256, 0));
	ASSERT_EQ(0, stream_pair(&self->c, variant->family));
	stream_expect(&self->st, 1, 0);
	self->q = &self->s.q;
	self->fd = self->c.fd;
	self->peer = self->c.peer;
}

FIXTURE_TEARDOWN(plain)
{
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

/* Nothing was asked of the kernel, and still it is all there. */
TEST_F(plain, without_a_call)
{
	struct ukevent ev;
	__u64 sent = 0;
	int i;

	ASSERT_EQ(0, ADD(ST_RECV, 0));
	for (i = 0; i < 1000; i++) {
		SEND(1 + i % 200);
		ASSERT_LE(1, ring_reaches(self->q, 1));
		while (ukevent_take(self->q, &ev, 1) == 1)
			stream_record(&self->s, &self->st, 1, &ev);
		ASSERT_EQ(0, is_pending(self->q));
	}
	EXPECT_STREAM(&self->st, sent);
}

/* The socket's own mark, which TCP looks at. */
TEST_F(plain, so_rcvlowat)
{
	__u64 sent = 0;
	int mark = 100;

	ASSERT_EQ(0, ADD(ST_RECV, 0));
	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVLOWAT, &mark,
				sizeof(mark)));
	SEND(50);
	EXPECT_EQ(50, bytes_reach(self->fd, 50));
	EXPECT_EQ(0, in_ring(self->q));
	SEND(60);
	EXPECT_LE(1, ring_reaches(self->q, 1));
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/* ---- acknowledgements ---- */

/* Segments that a socket has sent: those of who sends no data acknowledge. */
static long segments_out(int fd)
{
	/* more of it than <netinet/tcp.h> knows */
	unsigned char info[512] = {};
	socklen_t len = sizeof(info);
	__u32 out;

	if (getsockopt(fd, SOL_TCP, TCP_INFO, info, &len) || len < 140)
		return -errno;
	memcpy(&out, info + 136, sizeof(out));
	return out;
}

/* A number of the TcpExt lines in /proc/net/netstat, -1 without it. */
static long tcp_ext(const char *name)
{
	static char text[16384];
	char *names, *values, *n, *v, *save_n, *save_v;

	if (read_text("/proc/net/netstat", text, sizeof(text)) <= 0)
		return -1;
	names = strstr(text, "TcpExt:");
	values = names ? strstr(names + 1, "TcpExt:") : NULL;
	if (!values)
		return -1;
	values[-1] = 0;
	if (strchr(values, '\n'))
		*strchr(values, '\n') = 0;
	n = strtok_r(names, " ", &save_n);
	v = strtok_r(values, " ", &save_v);
	while (n && v && strcmp(n, name)) {
		n = strtok_r(NULL, " ", &save_n);
		v = strtok_r(NULL, " ", &save_v);
	}
	return n && v ? atol(v) : -1;
}

/* Receives what was sent of late as a loop of recv() does, that then waits. */
static int take_by_recv(int fd, __u64 from, __u64 to)
{
	while (from < to) {
		long n = recv_pattern_all(fd, 1, from, 64);

		if (n != 64)
			return -EPROTO;
		from += n;
	}
	return recv_pattern(fd, 1, from, 64) ? -EPROTO : 0;
}

/* The same by records. */
static int take_by_ring(struct stream_queue *s, struct stream *st, __u64 to)
{
	int ret = stream_reaches(s, st, 1, st, to);

	return ret ?: wait_ms(&s->q, 1, 0);
}

/*
 * N23: one-way bursts of messages.  A reader that never lags must not acknowledge
 * each of them, nor each second one: one in four of the short bursts, one in eight of
 * the long ones are usual, and half as many as of recv() may be added.  A host that is
 * busy adds some: those of the timer are counted, those after a pause are not.
 */
TEST_F_TIMEOUT(plain, acknowledgements, 180)
{
	enum { WARM = 30, ROUNDS = 100 };
	static const int bursts[] = { 8, 64 };
	long acks[2] = {}, start, delayed, messages;
	size_t b;
	int i, n, by_ring;

	for (b = 0; b < ARRAY_SIZE(bursts); b++) {
		for (by_ring = 0; by_ring < 2; by_ring++) {
			struct source c;
			__u64 sent = 0;

			ASSERT_EQ(0, stream_pair(&c, variant->family));
			stream_expect(&self->st, 1, 0);
			if (by_ring)
				ASSERT_EQ(0, add_stream(&self->s, c.fd, ST_RECV,
							0, 0, NULL));
			start = 0;
			delayed = 0;
			for (i = 0; i < WARM + ROUNDS; i++) {
				if (i == WARM) {
					start = segments_out(c.fd);
					delayed = tcp_ext("DelayedACKs");
				}
				for (n = 0; n < bursts[b]; n++, sent += 64) {
					ASSERT_EQ(0, send_pattern(c.peer, 1,
								  sent, 64));
				}
				ASSERT_EQ(0, by_ring ?
					  take_by_ring(&self->s, &self->st, sent) :
					  take_by_recv(c.fd, sent - 64 * bursts[b],
						       sent));
			}
			acks[by_ring] = segments_out(c.fd) - start;
			ASSERT_LT(0, start);
			if (delayed >= 0)
				acks[by_ring] -= tcp_ext("DelayedACKs") - delayed;
			source_close(&c);
		}
		messages = (long)bursts[b] * ROUNDS;
		TH_LOG("bursts of %d: %ld acknowledgements of %ld messages, with recv() %ld",
		       bursts[b], acks[1], messages, acks[0]);
		EXPECT_GE(acks[0] * 3 / 2 + messages / 3, acks[1]);
		/* and there are some at all */
		EXPECT_LE(1, acks[1]);
	}
}

/*
 * A sender with Nagle's algorithm waits for an acknowledgement of the first of
 * several small messages: it must not be that of the timer.
 */
TEST_F(plain, nagle)
{
	enum { ROUNDS = 60 };
	long delayed[2], start;
	int i, n, by_ring;

	for (by_ring = 0; by_ring < 2; by_ring++) {
		__u64 sent = 0;
		struct source c;

		ASSERT_EQ(0, sock_pair(&c, variant->family, SOCK_STREAM));
		stream_expect(&self->st, 1, 0);
		if (by_ring)
			ASSERT_EQ(0, add_stream(&self->s, c.fd, ST_RECV, 0, 0,
						NULL));
		start = tcp_ext("DelayedACKs");
		if (start < 0) {
			source_close(&c);
			SKIP(return, "no DelayedACKs in /proc/net/netstat");
		}
		for (i = 0; i < ROUNDS; i++) {
			for (n = 0; n < 8; n++, sent += 64) {
				ASSERT_EQ(0, send_pattern(c.peer, 1, sent, 64));
			}
			ASSERT_EQ(0, by_ring ?
				  take_by_ring(&self->s, &self->st, sent) :
				  take_by_recv(c.fd, sent - 64 * 8, sent));
		}
		delayed[by_ring] = tcp_ext("DelayedACKs") - start;
		source_close(&c);
	}
	TH_LOG("%ld delayed acknowledgements in %d bursts, with recv() %ld",
	       delayed[1], ROUNDS, delayed[0]);
	/* That of the timer for each burst, or a few, as the host is busy. */
	EXPECT_GE(delayed[0] + ROUNDS / 2, delayed[1]);
	EXPECT_EQ(NULL, self->st.bad);
}

/* ---- windows and buffers ---- */

static int rcvbuf(int fd)
{
	socklen_t len = sizeof(int);
	int size = 0;

	return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len) ? -errno : size;
}

/*
 * N25: a program that takes nothing: what the system keeps for it is its share of
 * the area and what a socket has in the beginning, not what it could grow to.
 */
TEST_F(tcp, idle_consumer)
{
	int before = rcvbuf(self->fd), i;
	__u64 sent = 0;

	ASSERT_EQ(0, ADD(ST_RECV, 0));
	for (i = 0; i < 5; i++) {
		sent = fill_pattern(self->peer, 1, sent);
		flush_ring(self->q);
	}
	EXPECT_GE(before + 4 * (int)self->s.size, rcvbuf(self->fd));
	EXPECT_GE(rcvbuf(self->fd), unread(self->fd));
	EXPECT_LT(0, unread(self->fd));
	/* and it is all there in the end */
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/*
 * N24: the window was closed, and the sender has nothing new to say: giving back
 * and a call open it, over and over.
 */
TEST_F(tcp, closed_window)
{
	int size = 16384, i;
	__u64 sent = 0;

	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &size,
				sizeof(size)));
	ASSERT_EQ(0, setsockopt(self->peer, SOL_SOCKET, SO_SNDBUF, &size,
				sizeof(size)));
	ASSERT_EQ(0, ADD(ST_RECV, 0));
	for (i = 0; i < 5; i++) {
		do {	/* an acknowledgment may be late */
			sent = fill_pattern(self->peer, 1, sent);
		} while (is_ready(self->peer, POLLOUT, 0) & POLLOUT);
		EXPECT_EQ(0, REACHES(sent));
		EXPECT_EQ(POLLOUT, is_ready(self->peer, POLLOUT, TEST_LONG_MS) &
			  POLLOUT);
	}
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
}

TEST_HARNESS_MAIN
