// SPDX-License-Identifier: GPL-2.0
/*
 * kevent_send(): an array of sends, in order, none of which blocks, then a wait.
 */
#include "filter_test.h"
#include "stream_test.h"

#define UNTOUCHED	12345	/* what make_send() puts in result */

FIXTURE(send)
{
	struct ukevent_queue q;
	struct ukevent_queue noring;
	struct source c;	/* sent to from fd; peer receives */
	struct source c2;
	unsigned char data[65536];
};

FIXTURE_SETUP(send)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, queue_init_noring(&self->noring, 8));
	ASSERT_EQ(0, stream_pair(&self->c, AF_INET));
	ASSERT_EQ(0, stream_pair(&self->c2, AF_UNIX));
	pattern_fill(self->data, 1, 0, sizeof(self->data));
	/* nothing here may raise it */
	signal(SIGPIPE, SIG_DFL);
}

FIXTURE_TEARDOWN(send)
{
	source_close(&self->c);
	source_close(&self->c2);
	ukevent_queue_exit(&self->q);
	ukevent_queue_exit(&self->noring);
}

/* Sends without a wait. */
static int send_now(struct ukevent_queue *q, struct kevent_send *s, __u32 nr)
{
	return call_send(q->fd, s, nr, 0, NULL, 0);
}

/* One alone: its result, or the error of the call. */
static int send_one(struct ukevent_queue *q, struct kevent_send s)
{
	int ret = send_now(q, &s, 1);

	return ret < 0 ? ret : s.result;
}

/* ---- what is sent ---- */

/* In the order of the array, to as many sockets as there are, from any queue. */
TEST_F(send, in_order)
{
	enum { NR = 300 };
	struct ukevent_queue *queues[2] = { &self->q, &self->noring };
	struct kevent_send s[NR];
	struct source c[3];
	int i, round;
	__u64 pos[3] = {}, start[3];
	__u32 len;

	c[0] = self->c;
	c[1] = self->c2;
	ASSERT_EQ(0, stream_pair(&c[2], AF_INET6));
	for (round = 0; round < 2; round++) {
		memcpy(start, pos, sizeof(pos));
		for (i = 0; i < NR; i++) {
			len = i % 7 * 13 + i % 3;
			s[i] = make_send(c[i % 3].fd, self->data + pos[i % 3],
					 len);
			pos[i % 3] += len;
		}
		EXPECT_EQ(0, send_now(queues[round], s, NR));
		for (i = 0; i < NR; i++) {
			EXPECT_EQ((int)s[i].len, s[i].result)
				TH_LOG("entry %d", i);
		}
		for (i = 0; i < 3; i++) {
			EXPECT_EQ((long)(pos[i] - start[i]),
				  recv_pattern_all(c[i].peer, 1, start[i],
						   pos[i] - start[i]));
			EXPECT_EQ(0, recv_bytes(c[i].peer, 1) > 0);
		}
	}
	source_close(&c[2]);
}

/* The memory is the program's again when the call returns. */
TEST_F(send, memory_is_free)
{
	unsigned char buf[8192];
	struct kevent_send s;
	int i;

	for (i = 0; i < 20; i++) {
		pattern_fill(buf, 1, i * sizeof(buf), sizeof(buf));
		s = make_send(self->c.fd, buf, sizeof(buf));
		ASSERT_EQ((int)sizeof(buf), send_one(&self->q, s));
		memset(buf, 0, sizeof(buf));
		EXPECT_EQ((long)sizeof(buf),
			  recv_pattern_all(self->c.peer, 1, i * sizeof(buf),
					   sizeof(buf)));
	}
}

/* Each datagram one entry. */
TEST_F(send, datagrams)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX };
	struct kevent_send s[3];
	struct source c;
	char buf[64];
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(families); i++) {
		ASSERT_EQ(0, sock_pair(&c, families[i], SOCK_DGRAM));
		for (n = 0; n < 3; n++)
			s[n] = make_send(c.peer, self->data, n * 10);
		EXPECT_EQ(0, send_now(&self->q, s, 3));
		for (n = 0; n < 3; n++) {
			EXPECT_EQ(n * 10, s[n].result);
			EXPECT_TRUE(polls(c.fd, POLLIN));
			EXPECT_EQ(n * 10, recv(c.fd, buf, sizeof(buf), 0));
		}
		source_close(&c);
	}
}

static long segments_out(int fd)
{
	unsigned char info[512] = {};
	socklen_t len = sizeof(info);
	__u32 out;

	if (getsockopt(fd, SOL_TCP, TCP_INFO, info, &len) || len < 140)
		return -errno;
	memcpy(&out, info + 136, sizeof(out));
	return out;
}

/* MORE has the first bytes wait for the next. */
TEST_F(send, more)
{
	int i, more, tries, want;
	struct kevent_send s[3];
	long before, out = 0;

	for (more = 0; more < 2; more++) {
		want = more ? 1 : 3;
		/* where it is stopped for long, TCP sends again what is not acknowledged */
		for (tries = 0; tries < 10 && out != want; tries++) {
			before = segments_out(self->c.fd);
			ASSERT_LE(0, before);
			for (i = 0; i < 3; i++) {
				s[i] = make_send(self->c.fd,
						 self->data + 100 * i, 100);
				s[i].flags = more && i < 2 ? KEVENT_SEND_MORE : 0;
			}
			EXPECT_EQ(0, send_now(&self->q, s, 3));
			for (i = 0; i < 3; i++) {
				EXPECT_EQ(100, s[i].result);
			}
			out = segments_out(self->c.fd) - before;
			EXPECT_EQ(300, recv_pattern_all(self->c.peer, 1, 0, 300));
		}
		EXPECT_EQ(want, out);
	}
}

/* An echo whose bytes nobody copies: sent from the area, then given back. */
TEST_F_TIMEOUT(send, from_the_area, 60)
{
	int i, n, total = 0, loops = test_loops(500);
	struct kevent_send s[8];
	struct stream_queue sq;
	struct ukevent ev[8];
	__u64 pos = 0;

	ASSERT_EQ(0, stream_queue_init(&sq, 16, 64 * KIB));
	ASSERT_EQ(0, add_stream(&sq, self->c.fd, ST_RECV, 0, 0, NULL));
	for (i = 0; i < loops; i++) {
		__u32 len = 1 + i * 37 % 9000, echoed = 0;

		ASSERT_EQ(0, send_pattern(self->c.peer, 1, pos, len));
		while (echoed < len) {
			int r;

			ASSERT_LT(0, wait_ms(&sq.q, 1, TEST_LONG_MS));
			n = ukevent_take(&sq.q, ev, 8);
			for (r = 0; r < n; r++) {
				s[r] = make_send(self->c.fd, sq.area +
					KEVENT_STREAM_OFFSET(ev[r].data[0]),
					KEVENT_STREAM_LENGTH(ev[r].data[0]));
				echoed += s[r].len;
			}
			ASSERT_LE(0, send_now(&sq.q, s, n));
			for (r = 0; r < n; r++) {
				EXPECT_EQ((int)s[r].len, s[r].result);
			}
			release_to(&sq, KEVENT_STREAM_RELEASE(ev[n - 1].data[1]));
			total += n;
		}
		ASSERT_EQ(len, echoed);
		ASSERT_EQ((long)len, recv_pattern_all(self->c.peer, 1, pos, len));
		pos += len;
	}
	EXPECT_LE(loops, total);
	stream_queue_exit(&sq);
}

/* ---- results that are errors ---- */

/* What a socket would say to send(2) it says here. */
TEST_F(send, as_send_says)
{
	enum { CLOSED, NO_FD, PIPE, NEW_TCP, NEW_UNIX, NEW_UDP, LISTENER, SHUT,
	       GONE, RESET, FULL, GOOD, NR_CASES };
	static const int known[NR_CASES] = {
		[CLOSED] = -EBADF, [NO_FD] = -EBADF, [PIPE] = -ENOTSOCK,
		[NEW_TCP] = -EPIPE, [NEW_UNIX] = -ENOTCONN,
		[NEW_UDP] = -EDESTADDRREQ, [LISTENER] = -EPIPE, [SHUT] = -EPIPE,
		[GONE] = -EPIPE, [RESET] = -ECONNRESET, [FULL] = -EAGAIN,
		[GOOD] = 10,
	};
	struct linger linger = { 1, 0 };
	int i, by_send, ret, fd, p[2];
	struct listener l;
	struct source c;

	for (i = 0; i < NR_CASES; i++)
	for (by_send = 0; by_send < 2; by_send++) {
		ASSERT_EQ(0, stream_pair(&c, i == GONE || i == FULL ? AF_UNIX :
					 AF_INET));
		signal(SIGPIPE, SIG_DFL);
		fd = c.fd;
		switch (i) {
		case CLOSED:
			close(c.fd);
			c.fd = -1;
			break;
		case NO_FD:
			fd = -1;
			break;
		case PIPE:
			ASSERT_EQ(0, pipe2(p, O_CLOEXEC));
			close(p[0]);
			fd = dup2(p[1], 100);
			close(p[1]);
			break;
		case NEW_TCP:
			fd = socket(AF_INET, SOCK_STREAM, 0);
			break;
		case NEW_UNIX:
			fd = socket(AF_UNIX, SOCK_STREAM, 0);
			break;
		case NEW_UDP:
			fd = socket(AF_INET, SOCK_DGRAM, 0);
			break;
		case LISTENER:
			ASSERT_EQ(0, open_listener(&l, AF_INET, SOCK_STREAM, 1));
			signal(SIGPIPE, SIG_DFL);
			fd = l.fd;
			break;
		case SHUT:
			ASSERT_EQ(0, shutdown(fd, SHUT_WR));
			break;
		case GONE:
			close_peer(&c);
			break;
		case RESET:
			ASSERT_EQ(0, setsockopt(c.peer, SOL_SOCKET, SO_LINGER,
						&linger, sizeof(linger)));
			close_peer(&c);
			ASSERT_TRUE(polls(fd, POLLERR));
			break;
		case FULL:
			ASSERT_EQ(0, fill(fd, 65536));
			break;
		}
		if (by_send) {
			ret = send(fd, self->data, 10, MSG_DONTWAIT |
				   MSG_NOSIGNAL);
			ret = ret < 0 ? -errno : ret;
		} else {
			ret = send_one(&self->q, make_send(fd, self->data, 10));
		}
		EXPECT_EQ(known[i], ret)
			TH_LOG("case %d%s", i, by_send ? " by send()" : "");
		if (fd != c.fd)
			close(fd);
		source_close(&c);
	}
}

/* Entries that say what they cannot. */
TEST_F(send, entry)
{
	struct kevent_send s;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		s = make_send(self->c.fd, self->data, 10);
		s.flags = 1U << bit;
		EXPECT_EQ(s.flags == KEVENT_SEND_MORE ? 10 :
			  s.flags == KEVENT_SEND_FILE ? -ENXIO : -EINVAL,
			  send_one(&self->q, s)) TH_LOG("flag %d", bit);
	}
	s = make_send(self->c.fd, self->data, 10);
	s.file_fd = 1;
	EXPECT_EQ(-EINVAL, send_one(&self->q, s));
	s.file_fd = -1;
	EXPECT_EQ(-EINVAL, send_one(&self->q, s));
	s.file_fd = 0;
	s.release = 1;
	EXPECT_EQ(-EINVAL, send_one(&self->q, s));
	s.release = 1U << 31;
	EXPECT_EQ(-EINVAL, send_one(&self->q, s));
	s = make_send(self->c.fd, NULL, 10);
	EXPECT_EQ(-EFAULT, send_one(&self->q, s));
	s = make_send(self->c.fd, NULL, 10);
	s.addr = ~0ULL - 4096;
	EXPECT_EQ(-EFAULT, send_one(&self->q, s));
	/* nothing to send: nothing is sent, and that is all of it */
	s = make_send(self->c.fd, self->data, 0);
	EXPECT_EQ(0, send_one(&self->q, s));
	s = make_send(self->c.fd, NULL, 0);
	EXPECT_EQ(0, send_one(&self->q, s));
	/* only the one with MORE went */
	EXPECT_EQ(10, recv_pattern_all(self->c.peer, 1, 0, 10));
	EXPECT_EQ(-1, recv_bytes(self->c.peer, 10));
}

/* A bad one does not hide or undo the others. */
TEST_F(send, bad_in_the_middle)
{
	struct kevent_send s[6] = {
		make_send(self->c.fd, self->data, 100),
		make_send(999, self->data, 100),
		make_send(self->c.fd, self->data + 100, 100),
		make_send(self->c2.fd, NULL, 100),
		make_send(self->c.fd, self->data + 200, 100),
		make_send(-1, self->data, 100),
	};
	static const int want[6] = { 100, -EBADF, 100, -EFAULT, 100, -EBADF };
	int i;

	EXPECT_EQ(0, send_now(&self->q, s, 6));
	for (i = 0; i < 6; i++) {
		EXPECT_EQ(want[i], s[i].result) TH_LOG("entry %d", i);
	}
	EXPECT_EQ(300, recv_pattern_all(self->c.peer, 1, 0, 300));
}

/* The bytes end at a page that is not there: what was sent is told. */
TEST_F(send, bytes_fault)
{
	char *end = guarded_end(1);
	struct kevent_send s[2];
	int ret;

	ASSERT_NE(NULL, end);
	pattern_fill(end - 100, 1, 0, 100);
	s[0] = make_send(self->c2.fd, end - 100, 200);
	s[1] = make_send(self->c2.fd, self->data, 10);
	EXPECT_EQ(0, send_now(&self->q, s, 2));
	ret = s[0].result;
	EXPECT_TRUE(ret == -EFAULT || (ret > 0 && ret <= 100))
		TH_LOG("result %d", ret);
	EXPECT_EQ(-ECANCELED, s[1].result);
	if (ret > 0)
		EXPECT_EQ(ret, recv_pattern_all(self->c2.peer, 1, 0, ret));
	EXPECT_EQ(-1, recv_bytes(self->c2.peer, 10));
}

/* ---- one that was short ---- */

/*
 * A stream is not torn: after an entry that was not done in full the same socket's
 * others are refused, by whatever descriptor; other sockets' are not.
 */
TEST_F(send, short_then_cancelled)
{
	int copy = dup(self->c.fd), size = 4096, i;
	struct kevent_send s[7];
	static unsigned char big[4 << 20];
	long total;

	ASSERT_EQ(0, setsockopt(self->c.fd, SOL_SOCKET, SO_SNDBUF, &size,
				sizeof(size)));
	pattern_fill(big, 1, 0, sizeof(big));
	s[0] = make_send(self->c.fd, big, 10);
	s[1] = make_send(self->c.fd, big + 10, sizeof(big) - 20);
	s[2] = make_send(self->c.fd, big + sizeof(big) - 10, 5);
	s[3] = make_send(copy, big + sizeof(big) - 5, 5);
	s[4] = make_send(self->c2.fd, big, 100);
	s[5] = make_send(self->c.fd, big, 0);
	s[6] = make_send(self->c2.fd, big + 100, 100);
	EXPECT_EQ(0, send_now(&self->q, s, 7));
	EXPECT_EQ(10, s[0].result);
	EXPECT_LT(0, s[1].result);
	EXPECT_GT((int)s[1].len, s[1].result);
	EXPECT_EQ(-ECANCELED, s[2].result);
	EXPECT_EQ(-ECANCELED, s[3].result);
	EXPECT_EQ(100, s[4].result);
	EXPECT_EQ(-ECANCELED, s[5].result);
	EXPECT_EQ(100, s[6].result);
	total = 10 + s[1].result;
	/* the next call begins anew: there may be room again, or not */
	for (i = 0; i < 3; i++)
		s[i] = make_send(i ? copy : self->c.fd, big + total, 65536);
	EXPECT_EQ(0, send_now(&self->q, s, 3));
	for (i = 0; i < 3; i++) {
		if (s[i].result < 0)
			break;
		total += s[i].result;
		if (s[i].result < 65536) {
			i++;
			break;
		}
	}
	/* which cannot be more than one of them */
	for (; i < 3; i++) {
		EXPECT_TRUE(s[i].result == -ECANCELED || s[i].result == -EAGAIN);
	}
	EXPECT_EQ(total, recv_pattern_all(self->c.peer, 1, 0, total));
	EXPECT_EQ(200, recv_pattern_all(self->c2.peer, 1, 0, 200));
	close(copy);
}

/* However many sockets had none: each is remembered, and nobody else refused. */
TEST_F(send, many_full)
{
	enum { NR = 100 };
	struct kevent_send s[3 * NR];
	struct source c[NR];
	int i;

	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, stream_pair(&c[i], AF_UNIX));
		if (i % 3)
			ASSERT_EQ(0, fill(c[i].fd, 65536));
		s[i] = make_send(c[i].fd, self->data, 10);
		s[NR + i] = make_send(c[i].fd, self->data + 10, 10);
		s[2 * NR + i] = make_send(c[i].fd, self->data + 20, 10);
	}
	EXPECT_EQ(0, send_now(&self->q, s, 3 * NR));
	for (i = 0; i < 3 * NR; i++) {
		EXPECT_EQ(i % NR % 3 == 0 ? 10 : i < NR ? -EAGAIN : -ECANCELED,
			  s[i].result) TH_LOG("entry %d", i);
	}
	for (i = 0; i < NR; i++)
		source_close(&c[i]);
}

/* SEND of the interest says when to go on; nothing is out of order. */
TEST_F_TIMEOUT(send, until_it_is_all_out, 120)
{
	enum { TOTAL = 2 << 20, PIECE = 9000 };
	struct stream_queue sq;
	struct kevent_send s[4];
	struct ukevent ev;
	__u64 out = 0, in = 0;
	int i, size = 16384;
	bool room = true;
	long n;

	ASSERT_EQ(0, setsockopt(self->c.fd, SOL_SOCKET, SO_SNDBUF, &size,
				sizeof(size)));
	ASSERT_EQ(0, stream_queue_init(&sq, 8, 0));
	ASSERT_EQ(0, add_stream(&sq, self->c.fd, ST_SEND, 0, 0, NULL));
	while (in < TOTAL) {
		static unsigned char buf[4 * PIECE];

		while (ukevent_dequeue(&sq.q, &ev, 0) == 1)
			room = room || ev.events & ST_SEND;
		if (room && out < TOTAL) {
			pattern_fill(buf, 1, out, sizeof(buf));
			for (i = 0; i < 4; i++)
				s[i] = make_send(self->c.fd, buf + i * PIECE,
						 PIECE);
			ASSERT_LE(0, send_now(&sq.q, s, 4));
			for (i = 0; i < 4 && s[i].result == PIECE; i++)
				out += PIECE;
			if (i < 4) {
				room = false;
				if (s[i].result > 0)
					out += s[i].result;
				while (++i < 4) {
					ASSERT_EQ(-ECANCELED, s[i].result);
				}
			}
		}
		n = recv_pattern(self->c.peer, 1, in, 50000);
		ASSERT_LE(0, n);
		in += n;
		if (!room && in == out)
			ASSERT_EQ(1, wait_ms(&sq.q, 1, TEST_LONG_MS));
	}
	EXPECT_LE((__u64)TOTAL, out);
	stream_queue_exit(&sq);
}

/* ---- the wait ---- */

TEST_F(send, waits)
{
	struct kevent_send s = make_send(self->c.fd, self->data, 100);
	struct kevent_wait_args a = {
		.flags = KEVENT_WAIT_TIMEOUT, .clockid = CLOCK_MONOTONIC,
	};
	struct ukevent ev;

	/* for what the send brings about */
	ASSERT_EQ(0, add_sock(self->q.fd, self->c.peer, SK_RECV, KEVENT_EDGE, 1,
			      NULL));
	EXPECT_EQ(1, call_send(self->q.fd, &s, 1, 1, NULL, 0));
	EXPECT_EQ(100, s.result);
	EXPECT_EQ(1, ukevent_take(&self->q, &ev, 1));
	/* for nothing, as long as it was told to */
	s = make_send(self->c2.fd, self->data, 100);
	EXPECT_EQ(0, call_send(self->q.fd, &s, 1, 1, &a, sizeof(a)));
	EXPECT_EQ(100, s.result);
	a.timeout_ns = 20 * NSEC_PER_MSEC;
	s.result = UNTOUCHED;
	EXPECT_EQ(0, call_send(self->q.fd, &s, 1, 1, &a, sizeof(a)));
	EXPECT_EQ(100, s.result);
	/* no sends: a wait */
	EXPECT_EQ(0, call_send(self->q.fd, NULL, 0, 1, &a, sizeof(a)));
	EXPECT_EQ(0, call_send(self->q.fd, NULL, 0, 0, NULL, 0));
	EXPECT_EQ(200, recv_pattern(self->c2.peer, 1, 0, 100) +
		       recv_pattern(self->c2.peer, 1, 0, 100));
}

/* An entry that was not done in full is the program's to look at: no sleep. */
TEST_F(send, no_sleep_after_failure)
{
	struct kevent_send s[2] = {
		make_send(self->c.fd, self->data, 10),
		make_send(999, self->data, 10),
	};

	EXPECT_EQ(0, call_send(self->q.fd, s, 2, 1, NULL, 0));
	EXPECT_EQ(10, s[0].result);
	EXPECT_EQ(-EBADF, s[1].result);
	ASSERT_EQ(0, fill(self->c2.fd, 65536));
	s[1] = make_send(self->c2.fd, self->data, 10);
	EXPECT_EQ(0, call_send(self->q.fd, s, 2, 1, NULL, 0));
	EXPECT_EQ(-EAGAIN, s[1].result);
}

/* The changes come after the sends, and before the sleep. */
TEST_F(send, then_changes)
{
	struct kevent_send s = make_send(self->c2.fd, self->data, 100);
	struct kevent_change c = make_sock(KEVENT_OP_ADD, self->c2.peer,
					   SK_RECV | SK_SEND, KEVENT_EDGE, 7);
	struct kevent_wait_args a = {
		.changes = (unsigned long)&c, .nr_changes = 1,
		.change_size = sizeof(c),
	};

	EXPECT_EQ(1, call_send(self->q.fd, &s, 1, 1, &a, sizeof(a)));
	EXPECT_EQ(1U, a.changes_done);
	EXPECT_EQ(0, c.result);
	EXPECT_EQ(100, s.result);
	/* the ADD found the bytes there already: one record says both */
	EXPECT_TAKE_SOCK(&self->q, 7, SK_RECV | SK_SEND, 0, 0);
	EXPECT_EQ(0, in_ring(&self->q));
	/* a change that fails does not let it sleep either, and the sends are done */
	c = make_sock(KEVENT_OP_ADD, 999, SK_RECV, 0, 7);
	s.result = UNTOUCHED;
	take_all(&self->q, NULL);
	ASSERT_EQ(100, recv_bytes(self->c2.peer, 200));
	ASSERT_EQ(0, remove_sock(self->q.fd, self->c2.peer));
	EXPECT_EQ(0, call_send(self->q.fd, &s, 1, 1, &a, sizeof(a)));
	EXPECT_EQ(-EBADF, c.result);
	EXPECT_EQ(100, s.result);
}

static volatile int caught;

static void on_signal(int sig)
{
	caught++;
}

/* The whole array is done although a signal is there; then it interrupts the sleep. */
TEST_F(send, signal_after_the_array)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct kevent_wait_args a = {};
	struct kevent_send s[100];
	__u64 none = 0;
	sigset_t set;
	int i;

	caught = 0;
	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	a.sigmask = (unsigned long)&none;
	a.sigmask_size = 8;
	for (i = 0; i < 100; i++)
		s[i] = make_send(self->c.fd, self->data + 10 * i, 10);
	EXPECT_EQ(-EINTR, call_send(self->q.fd, s, 100, 1, &a, sizeof(a)));
	EXPECT_EQ(1, caught);
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(10, s[i].result) TH_LOG("entry %d", i);
	}
	EXPECT_EQ(1000, recv_pattern_all(self->c.peer, 1, 0, 1000));
	EXPECT_EQ(-1, recv_bytes(self->c.peer, 1));
}

struct call {
	struct ukevent_queue *q;
	struct kevent_send *s;
	int tid;
	int ret;
	pthread_t thread;
};

static void *call_main(void *arg)
{
	struct call *c = arg;

	__atomic_store_n(&c->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	c->ret = call_send(c->q->fd, c->s, 1, 1, NULL, 0);
	return NULL;
}

/* It is not restarted: that would send once more. */
TEST_F(send, never_restarted)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct kevent_send s = make_send(self->c.fd, self->data, 100);
	struct call c = { .q = &self->q, .s = &s };

	caught = 0;
	sigaction(SIGUSR1, &sa, NULL);
	ASSERT_EQ(0, pthread_create(&c.thread, NULL, call_main, &c));
	ASSERT_EQ(0, started(&c.tid));
	ASSERT_EQ(0, task_asleep(c.tid));
	EXPECT_EQ(100, recv_pattern_all(self->c.peer, 1, 0, 100));
	pthread_kill(c.thread, SIGUSR1);
	pthread_join(c.thread, NULL);
	EXPECT_EQ(1, caught);
	EXPECT_EQ(-EINTR, c.ret);
	EXPECT_EQ(100, s.result);
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(-1, recv_bytes(self->c.peer, 1));
}

/* ---- the call's own errors ---- */

TEST_F(send, call)
{
	static struct kevent_send s[KEVENT_MAX_SENDS + 1];
	struct kevent_wait_args a = { .flags = 1U << 31 };
	struct ukevent_queue *q = &self->q;
	int i, fd = make_eventfd(0);

	s[0] = make_send(self->c.fd, self->data, 10);
	EXPECT_EQ(-EBADF, call_send(-1, s, 1, 0, NULL, 0));
	EXPECT_EQ(-EBADF, call_send(999, s, 1, 0, NULL, 0));
	EXPECT_EQ(-EINVAL, call_send(fd, s, 1, 0, NULL, 0));
	EXPECT_EQ(-EINVAL, call_send(q->fd, s, KEVENT_MAX_SENDS + 1, 0, NULL, 0));
	EXPECT_EQ(-EINVAL, call_send(q->fd, s, ~0U, 0, NULL, 0));
	EXPECT_EQ(-EINVAL, call_send(q->fd, s, 1U << 31, 0, NULL, 0));
	/* as kevent_wait() */
	EXPECT_EQ(-EINVAL, call_send(q->fd, s, 1, 9, NULL, 0));
	EXPECT_EQ(-EINVAL, call_send(q->fd, s, 1, ~0U, NULL, 0));
	EXPECT_EQ(-EINVAL, call_send(q->fd, s, 1, 0, NULL, 72));
	EXPECT_EQ(-EINVAL, call_send(q->fd, s, 1, 0, &a, 0));
	EXPECT_EQ(-EINVAL, call_send(q->fd, s, 1, 0, &a, 71));
	EXPECT_EQ(-EINVAL, call_send(q->fd, s, 1, 0, &a, sizeof(a)));
	EXPECT_EQ(-E2BIG, call_send(q->fd, s, 1, 0, &a, page_size() + 1));
	EXPECT_EQ(-EFAULT, call_send(q->fd, s, 1, 0, (void *)-4096L, sizeof(a)));
	/* a queue without a ring has nothing to wait for */
	EXPECT_EQ(-EINVAL, call_send(self->noring.fd, s, 1, 1, NULL, 0));
	/* nothing of that has sent anything */
	EXPECT_EQ(UNTOUCHED, s[0].result);
	EXPECT_EQ(-1, recv_bytes(self->c.peer, 1));
	EXPECT_EQ(0, call_send(self->noring.fd, s, 1, 0, NULL, 0));
	EXPECT_EQ(10, s[0].result);
	/* as many as there may be */
	for (i = 0; i < KEVENT_MAX_SENDS; i++)
		s[i] = make_send(self->c.fd, self->data + 10 * (i + 1), 10);
	EXPECT_EQ(0, call_send(q->fd, s, KEVENT_MAX_SENDS, 0, NULL, 0));
	for (i = 0; i < KEVENT_MAX_SENDS; i++) {
		EXPECT_EQ(10, s[i].result) TH_LOG("entry %d", i);
	}
	EXPECT_EQ(10 * (KEVENT_MAX_SENDS + 1),
		  recv_pattern_all(self->c.peer, 1, 0,
				   10 * (KEVENT_MAX_SENDS + 1)));
	close(fd);
}

/* An array that cannot be read, or that no result can be put in. */
TEST_F(send, array_faults)
{
	size_t page = page_size();
	struct kevent_send *s;
	char *end = guarded_end(2);
	__u64 pos = 0;
	int nr, i, cut;
	long sent;

	ASSERT_NE(NULL, end);
	EXPECT_EQ(-EFAULT, call_send(self->q.fd, NULL, 1, 0, NULL, 0));
	EXPECT_EQ(-EFAULT, call_send(self->q.fd, (void *)end, 1, 0, NULL, 0));
	EXPECT_EQ(-EFAULT, call_send(self->q.fd, (void *)-4096L, 1, 0, NULL, 0));
	EXPECT_EQ(-EFAULT, call_send(self->q.fd, (void *)-32L, 2, 0, NULL, 0));
	/* ends in the middle, at and inside of an entry: the results tell all */
	for (nr = 0; nr < 70; nr += 1 + nr / 7)
	for (cut = 0; cut < 32; cut += 8) {
		s = (struct kevent_send *)(end - nr * sizeof(*s) - cut);
		for (i = 0; i < nr; i++)
			s[i] = make_send(self->c.fd, self->data + pos + 10 * i,
					 10);
		EXPECT_EQ(-EFAULT, call_send(self->q.fd, s, nr + 20, 0, NULL, 0));
		for (i = 0, sent = 0; i < nr && s[i].result == 10; i++)
			sent += 10;
		for (; i < nr; i++) {
			EXPECT_EQ(UNTOUCHED, s[i].result)
				TH_LOG("%d entries, %d", nr, i);
		}
		EXPECT_EQ(sent, recv_pattern_all(self->c.peer, 1, pos, sent));
		EXPECT_EQ(-1, recv_bytes(self->c.peer, 1));
		pos += sent;
	}
	EXPECT_LT(0ULL, pos);
	/* read-only: not one is sent that could not be told */
	s = (struct kevent_send *)(end - page);
	for (i = 0; i < 20; i++)
		s[i] = make_send(self->c.fd, self->data, 10);
	ASSERT_EQ(0, mprotect(s, page, PROT_READ));
	EXPECT_EQ(-EFAULT, call_send(self->q.fd, s, 20, 0, NULL, 0));
	EXPECT_EQ(-EFAULT, call_send(self->q.fd, s, 1, 0, NULL, 0));
	EXPECT_EQ(-1, recv_bytes(self->c.peer, 1));
	/* goes over into a page that is read-only */
	for (i = 1; i < 40; i++) {
		struct kevent_send *at = s - i;
		int n;

		for (n = 0; n < i; n++)
			at[n] = make_send(self->c2.fd, self->data + 10 * n, 10);
		EXPECT_EQ(-EFAULT, call_send(self->q.fd, at, i + 10, 0, NULL, 0));
		for (n = 0, sent = 0; n < i && at[n].result == 10; n++)
			sent += 10;
		for (; n < i; n++) {
			EXPECT_EQ(UNTOUCHED, at[n].result) TH_LOG("%d, %d", i, n);
		}
		EXPECT_EQ(sent, recv_pattern_all(self->c2.peer, 1, 0, sent));
		EXPECT_EQ(-1, recv_bytes(self->c2.peer, 1));
	}
}

/* ---- filters of system calls ---- */

/* N28: what a filter that allows readiness and refuses I/O is made of. */
static int refuse_io(void)
{
	return refuse(__NR_kevent_send, 0, 0) ?:
	       refuse(__NR_kevent_create, 2, KEVENT_CREATE_DATA);
}

/* And one that knows nothing of kevent, and refuses what sends otherwise. */
static int refuse_sendto(void)
{
	return refuse(__NR_sendto, 0, 0) ?: refuse(__NR_sendmsg, 0, 0);
}

TEST_F(send, filtered)
{
	struct kevent_send s = make_send(self->c.fd, self->data, 10);
	struct stream_queue sq;
	struct ukevent_queue q;
	pid_t pid = fork();

	if (!pid) {
		if (refuse_io())
			_exit(77);
		if (stream_queue_init(&sq, 4, 0) != -EACCES)
			_exit(1);
		if (send_now(&self->q, &s, 1) != -EACCES || s.result != UNTOUCHED)
			_exit(2);
		/* readiness is as it was, and no queue carries bytes */
		if (queue_init(&q, 4) ||
		    add_sock(q.fd, self->c.fd, SK_RECV, KEVENT_EDGE, 1, NULL))
			_exit(3);
		sq.q = q;
		if (add_stream(&sq, self->c.fd, ST_RECV, 0, 1, NULL) != -ENXIO)
			_exit(4);
		if (write(self->c.peer, "x", 1) != 1 ||
		    wait_ms(&q, 1, TEST_LONG_MS) != 1)
			_exit(5);
		_exit(0);
	}
	pid = child_status(pid);
	if (pid == 77)
		SKIP(return, "no filters (CONFIG_SECCOMP_FILTER)");
	EXPECT_EQ(0, pid);
	EXPECT_EQ(-1, recv_bytes(self->c.peer, 1));
}

/* It is write(2) of a socket under another number, as documented. */
TEST_F(send, not_sendto)
{
	struct kevent_send s = make_send(self->c.fd, self->data, 10);
	pid_t pid = fork();

	if (!pid) {
		if (refuse_sendto())
			_exit(77);
		if (syscall(__NR_sendto, self->c.fd, self->data, 10, 0, NULL,
			    0) != -1 || errno != EACCES)
			_exit(1);
		if (write(self->c.fd, self->data, 10) != 10)
			_exit(2);
		s.addr += 10;
		_exit(send_one(&self->q, s) == 10 ? 0 : 3);
	}
	pid = child_status(pid);
	if (pid == 77)
		SKIP(return, "no filters (CONFIG_SECCOMP_FILTER)");
	EXPECT_EQ(0, pid);
	EXPECT_EQ(20, recv_pattern_all(self->c.peer, 1, 0, 20));
}

TEST_HARNESS_MAIN
