// SPDX-License-Identifier: GPL-2.0
/*
 * The source SOCKET and the life of a connection: listeners, connecting, room to
 * send, the ways in which it ends; the bytes TCP knows of, the low-water mark.
 */
#include "socket_test.h"

/* ---- the ways in which a connection ends ---- */

FIXTURE(conn)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(conn)
{
	int family;
	int type;
};

FIXTURE_VARIANT_ADD(conn, tcp4)
{
	.family = AF_INET,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(conn, tcp6)
{
	.family = AF_INET6,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(conn, unix_stream)
{
	.family = AF_UNIX,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(conn, unix_seqpacket)
{
	.family = AF_UNIX,
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(conn)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, sock_pair(&self->s, variant->family, variant->type));
}

FIXTURE_TEARDOWN(conn)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

/* Closed with something unread, the peer resets the connection. */
static int reset_peer(struct source *s)
{
	if (send(s->fd, "x", 1, 0) != 1 || !polls(s->peer, POLLIN))
		return -EIO;
	close_peer(s);
	return 0;
}

/* What was asked for of it, and the record comes without a call. */
TEST_F(conn, half_close)
{
	static const __u32 asked[] = {
		SK_RECV | SK_RDHUP, SK_RECV, SK_RDHUP,
	};
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		ASSERT_EQ(0, add_sock(q->fd, self->s.fd, asked[i], KEVENT_EDGE,
				      i, NULL));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, shutdown(self->s.peer, SHUT_WR));
		EXPECT_LE(1, ring_reaches(q, 1));
		EXPECT_EQ(0, is_pending(q));
		/* a second wake-up for the same says the same */
		sleep_ms(TEST_SHORT_MS);
		while (ukevent_take(q, &ev, 1))
			EXPECT_SOCK(&ev, i, asked[i], 0, 0);
		EXPECT_EQ(0, is_pending(q));
		EXPECT_EQ(0, recv_bytes(self->s.fd, 1));
		/* the other direction is open */
		ASSERT_EQ(1, send(self->s.fd, "x", 1, 0));
		EXPECT_TRUE(polls(self->s.peer, POLLIN));
		EXPECT_EQ(0, remove_sock(q->fd, self->s.fd));
		source_close(&self->s);
		ASSERT_EQ(0, sock_pair(&self->s, variant->family,
				       variant->type));
	}
}

TEST_F(conn, half_close_unasked)
{
	ASSERT_EQ(0, add_sock(self->q.fd, self->s.fd, 0, 0, 1, NULL));
	ASSERT_EQ(0, shutdown(self->s.peer, SHUT_WR));
	EXPECT_TRUE(polls(self->s.fd, POLLRDHUP));
	EXPECT_EQ(0, wait_ms(&self->q, 1, TEST_SHORT_MS));
	EXPECT_QUIET(&self->q);
}

TEST_F(conn, half_close_level)
{
	struct ukevent_queue *q = &self->q;
	__u32 all = SK_RECV | SK_RDHUP;
	struct ukevent sum;
	int i;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, all, 0, 1, NULL));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
	ASSERT_EQ(0, shutdown(self->s.peer, SHUT_WR));
	EXPECT_EQ(all, gather(q, all, &sum));
	/* the end is no less true with data before it, or after that was read */
	for (i = 0; i < 3; i++) {
		flush_ring(q);
		EXPECT_TAKE_SOCK(q, 1, all, 0, 0);
		recv_bytes(self->s.fd, 8);
	}
}

TEST_F(conn, half_close_sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RDHUP, KEVENT_ONESHOT, 1,
			      NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	ASSERT_EQ(0, shutdown(self->s.peer, SHUT_WR));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE_SOCK(q, 1, SK_RDHUP, 0, 0);
	EXPECT_QUIET(q);
}

TEST_F(conn, full_close)
{
	struct ukevent_queue *q = &self->q;
	__u32 all = SK_RECV | SK_RDHUP;
	struct ukevent sum;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, all, KEVENT_EDGE, 1, NULL));
	close_peer(&self->s);
	if (variant->family == AF_UNIX) {
		all |= SK_HUP;
		EXPECT_EQ(all, gather(q, all, &sum));
	} else {	/* TCP cannot tell it from a half close */
		EXPECT_EQ(all, gather(q, all, &sum));
		sleep_ms(TEST_SHORT_MS);
		EXPECT_EQ(0U, sum.events & SK_HUP);
		take_all(q, NULL);
		ASSERT_EQ(0, shutdown(self->s.fd, SHUT_WR));
		all |= SK_HUP;
		EXPECT_EQ(SK_HUP, gather(q, SK_HUP, &sum) & SK_HUP);
	}
	EXPECT_EQ(0U, sum.events & ~all);
	EXPECT_EQ(0, is_pending(q));
}

TEST_F(conn, reset)
{
	struct ukevent_queue *q = &self->q;
	__u32 failed = SK_ERROR | SK_HUP;
	struct ukevent sum;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV | SK_RDHUP,
			      HINTS | KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, reset_peer(&self->s));
	EXPECT_EQ(failed, gather(q, failed, &sum) & failed);
	EXPECT_EQ(0, is_pending(q));
	EXPECT_SOCK(&sum, 1, failed, SK_RECV | SK_RDHUP, 0);
	/* which is about the bytes that TCP knows of, not about the error */
	EXPECT_EQ(variant->family == AF_UNIX ? 0 : HINT, sum.flags);
	EXPECT_EQ((__u64)ECONNRESET, sum.data[1]);
	/* told, not taken; also to who asks for no hints */
	EXPECT_EQ(0, modify_sock(q->fd, self->s.fd, SK_RECV, 0, 2));
	EXPECT_EQ(1, take_all(q, &sum));
	EXPECT_SOCK(&sum, 2, failed, SK_RECV, 0);
	EXPECT_EQ(0, sum.flags);
	EXPECT_EQ(0ULL, sum.data[0]);
	EXPECT_EQ((__u64)ECONNRESET, sum.data[1]);
	EXPECT_EQ(ECONNRESET, take_error(self->s.fd));
	EXPECT_EQ(0, take_error(self->s.fd));
}

/* Errors and hang-ups need not be asked for. */
TEST_F(conn, reset_unasked)
{
	struct ukevent_queue *q = &self->q;
	__u32 failed = SK_ERROR | SK_HUP;
	struct ukevent sum;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, 0, KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, reset_peer(&self->s));
	EXPECT_EQ(failed, gather(q, failed, &sum));
	EXPECT_SOCK(&sum, 1, failed, 0, 0);
}

TEST_F(conn, reset_level)
{
	struct ukevent_queue *q = &self->q;
	__u32 failed = SK_ERROR | SK_HUP;
	struct ukevent ev = {}, sum;
	int i;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, 0, 0, 1, NULL));
	ASSERT_EQ(0, reset_peer(&self->s));
	EXPECT_EQ(failed, gather(q, failed, &sum));
	/* as often as it is looked at, nobody takes the error */
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_EQ(1, take_all(q, &ev));
		EXPECT_SOCK(&ev, 1, failed, 0, 0);
		EXPECT_EQ((__u64)ECONNRESET, ev.data[1]);
	}
	EXPECT_EQ(ECONNRESET, take_error(self->s.fd));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, take_all(q, &ev));
	EXPECT_SOCK(&ev, 1, SK_HUP, 0, 0);
	EXPECT_EQ(0ULL, ev.data[1]);
}

TEST_F(conn, reset_before_add)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent ev = {};

	ASSERT_EQ(0, reset_peer(&self->s));
	EXPECT_TRUE(polls(self->s.fd, POLLERR | POLLHUP));
	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, 0, KEVENT_ONESHOT |
			      KEVENT_WANT_LAST, 1, NULL));
	EXPECT_EQ(1, take_all(q, &ev));
	EXPECT_SOCK(&ev, 1, SK_ERROR | SK_HUP, 0, LAST);
	EXPECT_EQ((__u64)ECONNRESET, ev.data[1]);
}

/* ---- listeners ---- */

FIXTURE(listening)
{
	struct ukevent_queue q;
	struct listener l;
	int client[4];
};

FIXTURE_VARIANT(listening)
{
	int family;
	int type;
};

FIXTURE_VARIANT_ADD(listening, tcp4)
{
	.family = AF_INET,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(listening, tcp6)
{
	.family = AF_INET6,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(listening, unix_stream)
{
	.family = AF_UNIX,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(listening, unix_seqpacket)
{
	.family = AF_UNIX,
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(listening)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, open_listener(&self->l, variant->family, variant->type,
				   8));
	memset(self->client, -1, sizeof(self->client));
}

FIXTURE_TEARDOWN(listening)
{
	int i;

	for (i = 0; i < 4; i++)
		close(self->client[i]);
	close(self->l.fd);
	ukevent_queue_exit(&self->q);
}

/* One connection more, and it can be accepted, of @nr. */
static int knock(struct listener *l, int *client, int nr)
{
	*client = new_client(l, 0);
	if (*client < 0)
		return *client;
	if (l->family == AF_UNIX)
		return 0;
	return queue_reaches(l->fd, nr);
}

/* Takes an ACCEPT record; of TCP it says how many there are. */
#define EXPECT_ACCEPT(cookie, nr) \
do { \
	struct ukevent _ev = {}; \
	EXPECT_EQ(1, (int)ukevent_take(&self->q, &_ev, 1)); \
	EXPECT_SOCK(&_ev, cookie, SK_ACCEPT, 0, 0); \
	if (variant->family != AF_UNIX) \
		EXPECT_EQ(HINT, _ev.flags & HINT); \
	if (_ev.flags & HINT) \
		EXPECT_EQ((__u64)(nr), _ev.data[0]); \
} while (0)

TEST_F(listening, level)
{
	struct ukevent_queue *q = &self->q;
	int i, fd;

	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_ACCEPT, HINTS, 1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, knock(&self->l, &self->client[0], 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_ACCEPT(1, 1);
	ASSERT_EQ(0, knock(&self->l, &self->client[1], 2));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_ACCEPT(1, 2);
	ASSERT_EQ(0, knock(&self->l, &self->client[2], 3));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_ACCEPT(1, 3);
	for (i = 3; i; i--) {
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_ACCEPT(1, i);
		fd = accept_one(self->l.fd);
		EXPECT_LE(0, fd);
		close(fd);
	}
	EXPECT_QUIET(q);
}

TEST_F(listening, edge)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_ACCEPT, HINTS |
			      KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, knock(&self->l, &self->client[0], 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_ACCEPT(1, 1);
	EXPECT_QUIET(q);
	/* another one is an event, accepted or not */
	ASSERT_EQ(0, knock(&self->l, &self->client[1], 2));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_ACCEPT(1, 2);
	EXPECT_QUIET(q);
}

TEST_F(listening, oneshot)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_ACCEPT, HINTS |
			      KEVENT_ONESHOT, 1, NULL));
	ASSERT_EQ(0, knock(&self->l, &self->client[0], 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	ASSERT_EQ(0, knock(&self->l, &self->client[1], 2));
	EXPECT_ACCEPT(1, 1);
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, remove_sock(q->fd, self->l.fd));
}

TEST_F(listening, dispatch)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_ACCEPT, HINTS |
			      KEVENT_DISPATCH, 1, NULL));
	ASSERT_EQ(0, knock(&self->l, &self->client[0], 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_ACCEPT(1, 1);
	ASSERT_EQ(0, knock(&self->l, &self->client[1], 2));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, self->l.fd));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_ACCEPT(1, 2);
}

TEST_F(listening, holds_at_add)
{
	ASSERT_EQ(0, knock(&self->l, &self->client[0], 1));
	ASSERT_EQ(0, knock(&self->l, &self->client[1], 2));
	ASSERT_EQ(0, add_sock(self->q.fd, self->l.fd, SK_ACCEPT, HINTS, 1,
			      NULL));
	EXPECT_EQ(1, in_ring(&self->q));
	EXPECT_ACCEPT(1, 2);
}

/* How many there are is told to who asks for it. */
TEST_F(listening, unasked)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_ACCEPT, 0, 1, NULL));
	ASSERT_EQ(0, knock(&self->l, &self->client[0], 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_SOCKET, 1, SK_ACCEPT, 0, 0, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_SOCKET, 1, SK_ACCEPT, 0, 0, 0);
	EXPECT_EQ(0, modify_sock(q->fd, self->l.fd, SK_ACCEPT, HINTS, 2));
	EXPECT_TAKE_HINT(q, 2, SK_ACCEPT, 1, 0);
}

/* A connection can be asked for in two words; told is what was asked for. */
TEST_F(listening, recv_and_accept)
{
	static const __u32 asked[] = {
		SK_ACCEPT, SK_RECV, SK_ACCEPT | SK_RECV,
	};
	struct ukevent_queue *q = &self->q;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(asked); i++) {
		/* by the wake-up */
		ASSERT_EQ(0, add_sock(q->fd, self->l.fd, asked[i], 0, 1, NULL));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, knock(&self->l, &self->client[0], 1));
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_EQ(0, is_pending(q));
		EXPECT_TAKE_SOCK(q, 1, asked[i], 0, 0);
		/* by a query, MODIFY and ADD */
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_TAKE_SOCK(q, 1, asked[i], 0, 0);
		EXPECT_EQ(0, modify_sock(q->fd, self->l.fd, asked[i],
					 KEVENT_DISPATCH, 2));
		EXPECT_TAKE_SOCK(q, 2, asked[i], 0, 0);
		EXPECT_EQ(0, remove_sock(q->fd, self->l.fd));
		ASSERT_EQ(0, add_sock(q->fd, self->l.fd, asked[i],
				      KEVENT_ONESHOT, 3, NULL));
		EXPECT_TAKE_SOCK(q, 3, asked[i], 0, 0);
		fd = accept_one(self->l.fd);
		EXPECT_LE(0, fd);
		close(fd);
		close(self->client[0]);
		self->client[0] = -1;
		EXPECT_QUIET(q);
	}
}

/* A listener never has room to send, was not connected, has no peer. */
TEST_F(listening, nothing_made_up)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_SEND | SK_RDHUP |
			      (variant->family == AF_UNIX ? 0 : SK_CONNECT), 0,
			      1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, knock(&self->l, &self->client[0], 1));
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	EXPECT_QUIET(q);
}

/* What was connected is a socket of its own, with no interest in it. */
TEST_F(listening, accepted_is_another)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	int fd;

	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_ACCEPT, KEVENT_EDGE, 1,
			      NULL));
	ASSERT_EQ(0, knock(&self->l, &self->client[0], 1));
	fd = accept_one(self->l.fd);
	ASSERT_LE(0, fd);
	EXPECT_EQ(SK_ACCEPT, gather(q, SK_ACCEPT, &sum));
	ASSERT_EQ(1, send(self->client[0], "x", 1, 0));
	EXPECT_TRUE(polls(fd, POLLIN));
	EXPECT_QUIET(q);
	EXPECT_EQ(-ENOENT, remove_sock(q->fd, fd));
	EXPECT_EQ(0, add_sock(q->fd, fd, SK_RECV | SK_SEND, 0, 2, NULL));
	EXPECT_TAKE_SOCK(q, 2, SK_RECV | SK_SEND, 0, 0);
	close(fd);
}

static void *shutdown_main(void *arg)
{
	shutdown(*(int *)arg, SHUT_RDWR);
	return NULL;
}

/* Stopped by another thread, while one sleeps. */
TEST_F(listening, shutdown)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	pthread_t thread;
	struct waiter w;

	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_ACCEPT, KEVENT_EDGE, 1,
			      NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, shutdown_main, &self->l.fd));
	pthread_join(thread, NULL);
	EXPECT_LE(1, waiter_result(&w));
	EXPECT_EQ(SK_HUP, gather(q, SK_HUP, &sum) & SK_HUP);
	EXPECT_EQ(0U, sum.events & ~(SK_ACCEPT | SK_HUP | SK_ERROR));
}

/*
 * One direction only.  Of UNIX it is the end of what comes, and a listener still;
 * TCP listens no more.
 */
TEST_F(listening, shutdown_read)
{
	__u32 end = SK_ACCEPT | SK_RECV | SK_RDHUP;
	__u32 want = variant->family == AF_UNIX ? end : SK_HUP;
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;

	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, end, KEVENT_EDGE, 1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, shutdown(self->l.fd, SHUT_RD));
	EXPECT_EQ(want, gather(q, want, &sum));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_SOCK(&sum, 1, want, 0, 0);
	/* and for who comes later */
	EXPECT_EQ(0, modify_sock(q->fd, self->l.fd, end, 0, 2));
	EXPECT_TAKE_SOCK(q, 2, want, 0, 0);
}

TEST_F(listening, close_under_sleeper)
{
	struct waiter w;

	ASSERT_EQ(0, add_sock(self->q.fd, self->l.fd, SK_ACCEPT,
			      KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, waiter_start(&w, &self->q, 1, NULL));
	close(self->l.fd);
	self->l.fd = -1;
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE_SOCK(&self->q, 1, SK_HUP, 0, LAST);
	EXPECT_EQ(-ECONNREFUSED, new_client(&self->l, 0));
}

/* ---- connecting ---- */

FIXTURE(connecting)
{
	struct ukevent_queue q;
	struct listener l;
	int fd;
};

FIXTURE_VARIANT(connecting)
{
	int family;
};

FIXTURE_VARIANT_ADD(connecting, tcp4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(connecting, tcp6)
{
	.family = AF_INET6,
};

/* A listener with room for one connection, and a socket not connected yet. */
FIXTURE_SETUP(connecting)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, open_listener(&self->l, variant->family, SOCK_STREAM, 0));
	self->fd = socket(variant->family, SOCK_STREAM | SOCK_NONBLOCK |
			  SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(connecting)
{
	close(self->fd);
	close(self->l.fd);
	ukevent_queue_exit(&self->q);
}

#define CONNECTING	(SK_CONNECT | SK_SEND | SK_RECV)

TEST_F(connecting, edge)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	int peer;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, CONNECTING, KEVENT_EDGE, 1,
			      NULL));
	/* poll() says HUP and OUT of such a socket */
	EXPECT_QUIET(q);
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_TAKE_SOCK(q, 1, SK_CONNECT | SK_SEND, 0, 0);
	/* once */
	EXPECT_TRUE(polls(self->l.fd, POLLIN));
	peer = accept_one(self->l.fd);
	ASSERT_LE(0, peer);
	ASSERT_EQ(1, send(peer, "x", 1, 0));
	EXPECT_EQ(SK_RECV, gather(q, SK_RECV, &sum) & SK_RECV);
	EXPECT_SOCK(&sum, 1, SK_RECV, SK_SEND, 0);
	/* until MODIFY asks again */
	EXPECT_EQ(0, modify_sock(q->fd, self->fd, CONNECTING, KEVENT_EDGE, 2));
	EXPECT_TAKE_SOCK(q, 2, CONNECTING, 0, 0);
	ASSERT_EQ(1, send(peer, "x", 1, 0));
	EXPECT_EQ(SK_RECV, gather(q, SK_RECV, &sum) & SK_RECV);
	EXPECT_SOCK(&sum, 2, SK_RECV, SK_SEND, 0);
	close(peer);
}

TEST_F(connecting, level)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, CONNECTING, 0, 1, NULL));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_CONNECT | SK_SEND, 0, 0);
	/* there is room still; that it is connected was told */
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	EXPECT_EQ(0, modify_sock(q->fd, self->fd, SK_CONNECT, 0, 2));
	EXPECT_TAKE_SOCK(q, 2, SK_CONNECT, 0, 0);
	EXPECT_QUIET(q);
}

TEST_F(connecting, oneshot)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_CONNECT, KEVENT_ONESHOT |
			      KEVENT_WANT_LAST, 1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_CONNECT, 0, LAST);
	EXPECT_QUIET(q);
}

TEST_F(connecting, dispatch)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_CONNECT | SK_SEND,
			      KEVENT_DISPATCH, 1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_CONNECT | SK_SEND, 0, 0);
	EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, self->fd));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	EXPECT_QUIET(q);
}

TEST_F(connecting, sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, CONNECTING, 0, 1, NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE_SOCK(q, 1, SK_CONNECT | SK_SEND, 0, 0);
}

TEST_F(connecting, while_disabled)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_CONNECT | SK_SEND,
			      KEVENT_EDGE | KEVENT_START_DISABLED, 1, NULL));
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_TRUE(polls(self->fd, POLLOUT));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, self->fd));
	EXPECT_TAKE_SOCK(q, 1, SK_CONNECT | SK_SEND, 0, 0);
}

/* Data that comes at once is told with the connection or after it. */
TEST_F(connecting, with_data)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	int peer;

	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_CONNECT | SK_RECV |
			      SK_RDHUP, 0, 1, NULL));
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_TRUE(polls(self->l.fd, POLLIN));
	peer = accept_one(self->l.fd);
	ASSERT_LE(0, peer);
	ASSERT_EQ(1, send(peer, "x", 1, 0));
	close(peer);
	EXPECT_EQ(SK_CONNECT | SK_RECV | SK_RDHUP,
		  collect(q, SK_CONNECT | SK_RECV | SK_RDHUP, &sum));
	EXPECT_EQ(1, recv_bytes(self->fd, 8));
}

TEST_F(connecting, refused)
{
	__u32 failed = SK_ERROR | SK_HUP;
	struct ukevent_queue *q = &self->q;
	struct ukevent sum, ev = {};

	close(self->l.fd);
	self->l.fd = -1;
	ASSERT_EQ(0, add_sock(q->fd, self->fd, CONNECTING | SK_RDHUP, HINTS, 1,
			      NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_EQ(failed, gather(q, failed, &sum) & failed);
	EXPECT_EQ(0, is_pending(q));
	EXPECT_SOCK(&sum, 1, failed, SK_SEND | SK_RECV | SK_RDHUP, 0);
	EXPECT_EQ(HINT, sum.flags & HINT);
	EXPECT_EQ((__u64)ECONNREFUSED, sum.data[1]);
	/* it stays with the socket */
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, take_all(q, &ev));
	EXPECT_SOCK(&ev, 1, failed, SK_SEND | SK_RECV | SK_RDHUP, 0);
	EXPECT_EQ((__u64)ECONNREFUSED, ev.data[1]);
	EXPECT_EQ(ECONNREFUSED, take_error(self->fd));
}

/* Refused, and nothing was asked for. */
TEST_F(connecting, refused_unasked)
{
	__u32 failed = SK_ERROR | SK_HUP;
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;

	close(self->l.fd);
	self->l.fd = -1;
	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_CONNECT, KEVENT_EDGE, 1,
			      NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_EQ(failed, gather(q, failed, &sum));
	EXPECT_SOCK(&sum, 1, failed, 0, 0);
	EXPECT_EQ((__u64)ECONNREFUSED, sum.data[1]);
}

/*
 * The listener has no room, the first packet is dropped; accepting makes some,
 * and the connection is made when the packet is sent again, a second later.
 */
TEST_F(connecting, backlog_full)
{
	struct ukevent_queue *q = &self->q;
	int first, fd;

	first = new_client(&self->l, 0);
	ASSERT_LE(0, first);
	ASSERT_EQ(0, queue_reaches(self->l.fd, 1));
	ASSERT_EQ(0, add_sock(q->fd, self->fd, CONNECTING, 0, 1, NULL));
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	EXPECT_QUIET(q);
	fd = accept_one(self->l.fd);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_CONNECT | SK_SEND, 0, 0);
	close(fd);
	close(first);
}

/* Given up on the way, which is a failure as well. */
TEST_F(connecting, shutdown)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	int first;

	first = new_client(&self->l, 0);
	ASSERT_LE(0, first);
	ASSERT_EQ(0, queue_reaches(self->l.fd, 1));
	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_RECV, 0, 1, NULL));
	take_all(q, NULL);
	ASSERT_EQ(0, connect_to(&self->l, self->fd));
	take_all(q, NULL);
	EXPECT_QUIET(q);
	shutdown(self->fd, SHUT_RDWR);
	EXPECT_EQ(SK_HUP, collect(q, SK_HUP, &sum) & SK_HUP);
	close(first);
}

/*
 * With a buffer of its own size the first data, sent with the first packet, fills
 * it; the server does not take it, so that it is sent again and there is no room
 * yet when the connection is made.  No send has failed: TCP announces room only
 * when it was asked for it.
 */
TEST_F(connecting, without_room)
{
	const char *path = "/proc/sys/net/ipv4/tcp_fastopen";
	struct ukevent_queue *q = &self->q;
	static char junk[4000];
	int size = 1, ret, n;
	struct ukevent sum;
	char before[32];

	ret = read_text(path, before, sizeof(before));
	if (ret == -ENOENT)
		SKIP(return, "no TCP Fast Open in this kernel");
	ASSERT_LT(0, ret);
	ASSERT_EQ(0, setsockopt(self->fd, SOL_SOCKET, SO_SNDBUF, &size,
				sizeof(size)));
	ASSERT_EQ(0, add_sock(q->fd, self->fd, SK_CONNECT | SK_SEND,
			      KEVENT_EDGE, 1, NULL));
	EXPECT_QUIET(q);
	/* as client, without a cookie */
	ASSERT_EQ(0, write_text(path, "5"));
	n = sendto(self->fd, junk, sizeof(junk), MSG_FASTOPEN | MSG_NOSIGNAL,
		   (struct sockaddr *)&self->l.addr, self->l.len);
	EXPECT_EQ(0, write_text(path, before));
	ASSERT_EQ((int)sizeof(junk), n) TH_LOG("errno %d", errno);
	EXPECT_EQ(SK_CONNECT, gather(q, SK_CONNECT, &sum));
	EXPECT_SOCK(&sum, 1, SK_CONNECT, 0, 0);
	EXPECT_EQ(SK_SEND, collect(q, SK_SEND, &sum));
	EXPECT_SOCK(&sum, 1, SK_SEND, 0, 0);
	EXPECT_TRUE(polls(self->fd, POLLOUT));
}

/* connect() of a UNIX socket is done when it returns, and wakes nobody. */
TEST(connecting_unix)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
	struct ukevent_queue q;
	struct listener l;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		ASSERT_EQ(0, queue_init(&q, 8));
		ASSERT_EQ(0, open_listener(&l, AF_UNIX, types[i], 8));
		fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
		ASSERT_EQ(0, add_sock(q.fd, fd, SK_SEND, 0, 1, NULL));
		/* as poll() says, too */
		EXPECT_TAKE_SOCK(&q, 1, SK_SEND | SK_HUP, 0, 0);
		ASSERT_EQ(0, connect_to(&l, fd));
		EXPECT_EQ(0, in_ring(&q));
		EXPECT_EQ(0, is_pending(&q));
		EXPECT_EQ(1, flush_ring(&q));
		EXPECT_TAKE_SOCK(&q, 1, SK_SEND, 0, 0);
		close(fd);
		close(l.fd);
		ukevent_queue_exit(&q);
	}
}

/* ---- room to send ---- */

FIXTURE(sending)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(sending)
{
	int family;
	int type;
	bool queue;	/* the peer's queue is full, not the own buffer */
	size_t size;
};

FIXTURE_VARIANT_ADD(sending, tcp4)
{
	.family = AF_INET,
	.type = SOCK_STREAM,
	.size = 65536,
};

FIXTURE_VARIANT_ADD(sending, tcp6)
{
	.family = AF_INET6,
	.type = SOCK_STREAM,
	.size = 65536,
};

FIXTURE_VARIANT_ADD(sending, unix_stream)
{
	.family = AF_UNIX,
	.type = SOCK_STREAM,
	.size = 65536,
};

FIXTURE_VARIANT_ADD(sending, unix_seqpacket)
{
	.family = AF_UNIX,
	.type = SOCK_SEQPACKET,
	.size = 4096,
};

FIXTURE_VARIANT_ADD(sending, unix_dgram)
{
	.family = AF_UNIX,
	.type = SOCK_DGRAM,
	.size = 4096,
};

/*
 * The sender's own buffer has room, the peer's queue has not; the peer is not
 * connected back.  That it was read from is relayed to who asked in time.
 */
FIXTURE_VARIANT_ADD(sending, unix_dgram_queue)
{
	.family = AF_UNIX,
	.type = SOCK_DGRAM,
	.queue = true,
	.size = 1,
};

FIXTURE_SETUP(sending)
{
	struct listener l;

	ASSERT_EQ(0, queue_init(&self->q, 8));
	if (!variant->queue) {
		ASSERT_EQ(0, sock_pair(&self->s, variant->family,
				       variant->type));
		return;
	}
	ASSERT_EQ(0, bound_socket(&l, variant->family, variant->type));
	self->s.kind = SRC_UNIX;
	self->s.peer = l.fd;
	self->s.fd = new_client(&l, SOCK_NONBLOCK);
	ASSERT_LE(0, self->s.fd);
}

FIXTURE_TEARDOWN(sending)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

/*
 * Fills it, and the queue has nothing more to say about it.  An acknowledgment
 * that is late makes room again after fill() has waited for it; it is told then,
 * and the record taken here, so that what was full is so no more.
 */
static int fill_quietly(struct ukevent_queue *q, int fd, size_t size)
{
	int i, ret;

	for (i = 0; i < 50; i++) {
		ret = fill(fd, size);
		if (ret)
			return ret;
		if (!take_all(q, NULL) && !flush_ring(q) && !is_pending(q) &&
		    !is_ready(fd, POLLOUT, 0))
			return 0;
	}
	return -EBUSY;
}

#define FILL() fill_quietly(&self->q, self->s.fd, variant->size)

/*
 * Whether the peer of a datagram socket has room is asked, as wake-ups tell of the
 * own buffer only; of others it is told at once.
 */
#define ROOM_TOLD() (variant->type == SOCK_DGRAM ? flush_ring(q) : \
		     ring_reaches(q, 1))

TEST_F(sending, edge)
{
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	int i;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_SEND, KEVENT_EDGE, 1,
			      NULL));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	EXPECT_QUIET(q);
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, FILL());
		ASSERT_EQ(0, make_room(&self->s));
		EXPECT_EQ(1, ROOM_TOLD());
		EXPECT_EQ(SK_SEND, gather(q, SK_SEND, &sum));
		EXPECT_SOCK(&sum, 1, SK_SEND, 0, 0);
	}
}

TEST_F(sending, level)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_SEND, 0, 1, NULL));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	ASSERT_EQ(0, FILL());
	EXPECT_QUIET(q);
	ASSERT_EQ(0, make_room(&self->s));
	EXPECT_EQ(1, ROOM_TOLD());
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
}

TEST_F(sending, oneshot)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, FILL());
	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_SEND, KEVENT_ONESHOT |
			      KEVENT_WANT_LAST, 1, NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, make_room(&self->s));
	EXPECT_EQ(1, ROOM_TOLD());
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, LAST);
	EXPECT_QUIET(q);
}

/* ENABLE asks, and must be told later if there is no room then. */
TEST_F(sending, dispatch)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_SEND, KEVENT_DISPATCH, 1,
			      NULL));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	ASSERT_EQ(0, FILL());
	EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, self->s.fd));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, make_room(&self->s));
	EXPECT_EQ(1, ROOM_TOLD());
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	EXPECT_QUIET(q);
}

/*
 * The interest that is there asks for RECV only; MODIFY asks for SEND, of a
 * socket that has no room.
 */
TEST_F(sending, modified_while_full)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV, 0, 1, NULL));
	ASSERT_EQ(0, FILL());
	EXPECT_EQ(0, modify_sock(q->fd, self->s.fd, SK_RECV | SK_SEND, 0, 2));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, make_room(&self->s));
	EXPECT_EQ(1, ROOM_TOLD());
	EXPECT_TAKE_SOCK(q, 2, SK_SEND, 0, 0);
}

TEST_F(sending, sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	ASSERT_EQ(0, FILL());
	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_SEND, 0, 1, NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	while (!waiter_done(&w, 0)) {
		recv_all(self->s.peer);
		sched_yield();
	}
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
}

/*
 * A second client of a full queue, that never sent anything and was not polled:
 * nobody but its interest asks to be told.
 */
TEST(sending_relay)
{
	int first, second, kfd;
	struct ukevent_queue q;
	struct listener l;

	ASSERT_EQ(0, queue_init(&q, 8));
	kfd = q.fd;
	ASSERT_EQ(0, bound_socket(&l, AF_UNIX, SOCK_DGRAM));
	first = new_client(&l, 0);
	second = new_client(&l, 0);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, fill(first, 1));
	ASSERT_EQ(0, add_sock(kfd, second, SK_SEND, KEVENT_DISPATCH, 1, NULL));
	EXPECT_QUIET(&q);
	recv_all(l.fd);
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_TAKE_SOCK(&q, 1, SK_SEND, 0, 0);
	/* and by ENABLE */
	ASSERT_EQ(0, fill(first, 1));
	EXPECT_EQ(0, op_sock(kfd, KEVENT_OP_ENABLE, second));
	EXPECT_QUIET(&q);
	recv_all(l.fd);
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_TAKE_SOCK(&q, 1, SK_SEND, 0, 0);
	/* and by MODIFY to level, whose re-check asks once more */
	ASSERT_EQ(0, fill(first, 1));
	EXPECT_EQ(0, op_sock(kfd, KEVENT_OP_ENABLE, second));
	EXPECT_EQ(0, modify_sock(kfd, second, SK_SEND, 0, 2));
	EXPECT_QUIET(&q);
	recv_all(l.fd);
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_TAKE_SOCK(&q, 2, SK_SEND, 0, 0);
	ASSERT_EQ(0, fill(first, 1));
	EXPECT_QUIET(&q);
	recv_all(l.fd);
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_TAKE_SOCK(&q, 2, SK_SEND, 0, 0);
	close(first);
	close(second);
	close(l.fd);
	ukevent_queue_exit(&q);
}

/*
 * The receiver of a full queue goes away, or what is in its queue does.  Who
 * waits for room is woken without a word: UNIX relays a wake-up that has none.
 *
 *   first  --> receiver, full
 *   second -X>                 EAGAIN, waits for room
 */
FIXTURE(receiver)
{
	struct ukevent_queue q;
	struct listener l;	/* the receiver */
	struct listener other;
	int first;
	int second;
};

FIXTURE_VARIANT(receiver)
{
	__u32 mode;
	bool purge;	/* its queue, else closed */
};

FIXTURE_VARIANT_ADD(receiver, level_closed)
{
};

FIXTURE_VARIANT_ADD(receiver, edge_closed)
{
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(receiver, level_purged)
{
	.purge = true,
};

FIXTURE_VARIANT_ADD(receiver, edge_purged)
{
	.mode = KEVENT_EDGE,
	.purge = true,
};

FIXTURE_SETUP(receiver)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, bound_socket(&self->l, AF_UNIX, SOCK_DGRAM));
	ASSERT_EQ(0, bound_socket(&self->other, AF_UNIX, SOCK_DGRAM));
	self->first = new_client(&self->l, SOCK_NONBLOCK);
	self->second = new_client(&self->l, SOCK_NONBLOCK);
	ASSERT_LE(0, self->first);
	ASSERT_LE(0, self->second);
}

FIXTURE_TEARDOWN(receiver)
{
	close(self->l.fd);
	close(self->other.fd);
	close(self->first);
	close(self->second);
	ukevent_queue_exit(&self->q);
}

/*
 * Told of room, which is gone then, as a send finds out; what it had allocated
 * and gave back may have been told as room.
 */
#define NO_ROOM() \
do { \
	ASSERT_EQ(0, add_sock(self->q.fd, self->second, SK_SEND | SK_RECV, \
			      variant->mode, 1, NULL)); \
	EXPECT_TAKE_SOCK(&self->q, 1, SK_SEND, 0, 0); \
	ASSERT_EQ(0, fill(self->first, 1)); \
	EXPECT_EQ(-1, send(self->second, "x", 1, 0)); \
	EXPECT_EQ(EAGAIN, errno); \
	take_all(&self->q, NULL); \
	EXPECT_QUIET(&self->q); \
} while (0)

static int end_receiver(struct listener *l, struct listener *other, bool purge)
{
	if (!purge) {
		close(l->fd);
		l->fd = -1;
		return 0;
	}
	/* whoever is no longer connected forgets what came before */
	return connect_to(other, l->fd) ?: disconnect(l->fd);
}

TEST_F(receiver, goes)
{
	struct ukevent_queue *q = &self->q;

	NO_ROOM();
	ASSERT_EQ(0, end_receiver(&self->l, &self->other, variant->purge));
	EXPECT_TRUE(ring_or_pending(q));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
	if (variant->mode)
		EXPECT_QUIET(q);
	EXPECT_EQ(variant->purge ? 1 : -1, send(self->second, "x", 1, 0));
}

TEST_F(receiver, goes_under_sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	NO_ROOM();
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, end_receiver(&self->l, &self->other, variant->purge));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
}

/* A send that failed gives its buffer back, which is no room in the queue. */
TEST_F(receiver, failed_send_tells_nothing)
{
	struct ukevent_queue *q = &self->q;
	int i;

	NO_ROOM();
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-1, send(self->second, "x", 1, 0));
		EXPECT_EQ(EAGAIN, errno);
		flush_ring(q);
		EXPECT_EQ(0, take_all(q, NULL));
	}
	recv_all(self->l.fd);
	EXPECT_TRUE(ring_or_pending(q));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
}

/* The same with POLL. */
TEST_F(receiver, poll_failed_send_tells_nothing)
{
	struct ukevent_queue *q = &self->q;
	int i;

	ASSERT_EQ(0, add_fd(q->fd, self->second, EV_OUT, variant->mode, 1, NULL));
	EXPECT_TAKE(q, 1, EV_OUT, 0);
	ASSERT_EQ(0, fill(self->first, 1));
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-1, send(self->second, "x", 1, 0));
		EXPECT_EQ(EAGAIN, errno);
		flush_ring(q);
		EXPECT_EQ(0, take_all(q, NULL));
	}
	recv_all(self->l.fd);
	EXPECT_TRUE(ring_or_pending(q));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE(q, 1, EV_OUT, 0);
}

/* ---- datagrams that are not connected ---- */

FIXTURE(unconnected)
{
	struct ukevent_queue q;
	struct listener l;
};

FIXTURE_VARIANT(unconnected)
{
	int family;
};

FIXTURE_VARIANT_ADD(unconnected, udp4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(unconnected, udp6)
{
	.family = AF_INET6,
};

FIXTURE_VARIANT_ADD(unconnected, unix_dgram)
{
	.family = AF_UNIX,
};

FIXTURE_SETUP(unconnected)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, bound_socket(&self->l, variant->family, SOCK_DGRAM));
}

FIXTURE_TEARDOWN(unconnected)
{
	close(self->l.fd);
	ukevent_queue_exit(&self->q);
}

/* There is no connection to be waited for. */
TEST_F(unconnected, room_at_add)
{
	static const __u32 modes[] = {
		0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_sock(self->q.fd, self->l.fd, SK_SEND | SK_RECV,
				      modes[i], i, NULL));
		EXPECT_TAKE_SOCK(&self->q, i, SK_SEND, 0, 0);
		remove_sock(self->q.fd, self->l.fd);
	}
}

/* In a state that means closed for TCP: shut down it is by both only. */
TEST_F(unconnected, shutdown)
{
	static const int hows[] = { SHUT_RD, SHUT_WR };
	struct ukevent_queue *q = &self->q;
	__u32 end, asked = SK_RECV | SK_RDHUP | SK_SEND;
	struct ukevent sum;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hows); i++) {
		end = hows[i] == SHUT_RD ? SK_RECV | SK_RDHUP : 0;
		ASSERT_EQ(0, add_sock(q->fd, self->l.fd, asked, KEVENT_EDGE, 1,
				      NULL));
		EXPECT_TAKE_SOCK(q, 1, SK_SEND, 0, 0);
		/* UDP says that it is not connected, and does it */
		shutdown(self->l.fd, hows[i]);
		EXPECT_EQ((int)(end | SK_SEND),
			  is_ready(self->l.fd, (short)asked, 0));
		EXPECT_EQ(end, collect_now(q, &sum) & ~SK_SEND)
			TH_LOG("how %d", hows[i]);
		EXPECT_EQ(0, remove_sock(q->fd, self->l.fd));
		/* and for who comes later */
		ASSERT_EQ(0, add_sock(q->fd, self->l.fd, asked, 0, 2, NULL));
		EXPECT_TAKE_SOCK(q, 2, end | SK_SEND, 0, 0);
		EXPECT_EQ(0, remove_sock(q->fd, self->l.fd));
		close(self->l.fd);
		ASSERT_EQ(0, bound_socket(&self->l, variant->family,
					  SOCK_DGRAM));
	}
	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_RECV, KEVENT_EDGE, 3,
			      NULL));
	shutdown(self->l.fd, SHUT_RDWR);
	EXPECT_EQ(SK_RECV | SK_HUP, gather(q, SK_HUP, &sum));
}

TEST(sending_udp)
{
	struct ukevent_queue q;
	struct source s;

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, sock_pair(&s, AF_INET, SOCK_DGRAM));
	ASSERT_EQ(0, add_sock(q.fd, s.fd, SK_SEND | SK_RECV, 0, 1, NULL));
	EXPECT_TAKE_SOCK(&q, 1, SK_SEND, 0, 0);
	ASSERT_EQ(0, source_fire(&s));
	EXPECT_EQ(1, ring_reaches(&q, 1));
	EXPECT_TAKE_SOCK(&q, 1, SK_RECV, SK_SEND, 0);
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_TAKE_SOCK(&q, 1, SK_SEND | SK_RECV, 0, 0);
	source_close(&s);
	ukevent_queue_exit(&q);
}

/* ---- TCP: connected, bytes, and the low-water mark ---- */

FIXTURE(tcp)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(tcp)
{
	int family;
};

FIXTURE_VARIANT_ADD(tcp, ipv4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(tcp, ipv6)
{
	.family = AF_INET6,
};

FIXTURE_SETUP(tcp)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, sock_pair(&self->s, variant->family, SOCK_STREAM));
}

FIXTURE_TEARDOWN(tcp)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

/* Connected already: told at once, and once, whatever else happens. */
TEST_F(tcp, connect_when_connected)
{
	struct ukevent_queue *q = &self->q;
	int fd = self->s.fd;

	ASSERT_EQ(0, add_sock(q->fd, fd, SK_CONNECT | SK_RECV, KEVENT_EDGE, 1,
			      NULL));
	EXPECT_TAKE_SOCK(q, 1, SK_CONNECT, 0, 0);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
	EXPECT_EQ(0, modify_sock(q->fd, fd, SK_CONNECT, 0, 2));
	EXPECT_TAKE_SOCK(q, 2, SK_CONNECT, 0, 0);
	EXPECT_QUIET(q);
}

/* connect(AF_UNSPEC) wakes in a way of its own. */
TEST_F(tcp, disconnect)
{
	static const __u32 modes[] = { 0, KEVENT_EDGE, KEVENT_ONESHOT };
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV | SK_RDHUP,
				      modes[i], i, NULL));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, disconnect(self->s.fd));
		EXPECT_EQ(SK_HUP, gather(q, SK_HUP, &sum) & SK_HUP);
		EXPECT_EQ(0, is_pending(q));
		EXPECT_SOCK(&sum, i, SK_HUP, SK_ERROR, 0);
		remove_sock(q->fd, self->s.fd);
		source_close(&self->s);
		take_all(q, NULL);
		ASSERT_EQ(0, sock_pair(&self->s, variant->family,
				       SOCK_STREAM));
	}
}

/* A listener does no longer listen, and has no error. */
TEST_F(tcp, disconnect_listener)
{
	static const __u32 modes[] = { 0, KEVENT_EDGE, KEVENT_ONESHOT };
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;
	struct listener l;
	size_t i;

	ASSERT_EQ(0, open_listener(&l, variant->family, SOCK_STREAM, 8));
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, listen(l.fd, 8));
		ASSERT_EQ(0, add_sock(q->fd, l.fd, SK_ACCEPT | SK_RECV,
				      modes[i], i, NULL));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, disconnect(l.fd));
		EXPECT_EQ(SK_HUP, gather(q, SK_HUP, &sum));
		EXPECT_EQ(0, is_pending(q));
		EXPECT_SOCK(&sum, i, SK_HUP, 0, 0);
		remove_sock(q->fd, l.fd);
		take_all(q, NULL);
		EXPECT_QUIET(q);
	}
	close(l.fd);
}

TEST_F(tcp, bytes)
{
	static const int sizes[] = { 1, 777, 5000 };
	struct ukevent_queue *q = &self->q;
	int total = 0;
	size_t i;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV, HINTS, 1, NULL));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		total += sizes[i];
		ASSERT_EQ(0, send_bytes(&self->s, sizes[i], total));
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_TAKE_HINT(q, 1, SK_RECV, total, 0);
	}
	/* and at a query */
	for (; total; total -= 5778 / 6) {
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_TAKE_HINT(q, 1, SK_RECV, total, 0);
		ASSERT_EQ(5778 / 6, recv_bytes(self->s.fd, 5778 / 6));
	}
	EXPECT_QUIET(q);
}

/* The end of the stream is not a byte. */
TEST_F(tcp, bytes_before_fin)
{
	struct ukevent_queue *q = &self->q;
	__u32 all = SK_RECV | SK_RDHUP;
	struct ukevent sum;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, all, HINTS, 1, NULL));
	ASSERT_EQ(0, send_bytes(&self->s, 500, 500));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 500, 0);
	ASSERT_EQ(0, shutdown(self->s.peer, SHUT_WR));
	EXPECT_EQ(all, gather(q, SK_RDHUP, &sum));
	EXPECT_EQ(HINT, sum.flags & HINT);
	EXPECT_EQ(500ULL, sum.data[0]);
	sleep_ms(TEST_SHORT_MS);
	take_all(q, NULL);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_HINT(q, 1, all, 500, 0);
	ASSERT_EQ(499, recv_bytes(self->s.fd, 499));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_HINT(q, 1, all, 1, 0);
	ASSERT_EQ(1, recv_bytes(self->s.fd, 499));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_HINT(q, 1, all, 0, 0);
	/* the one that was read to be 0 */
	ASSERT_EQ(0, recv_bytes(self->s.fd, 499));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_HINT(q, 1, all, 0, 0);
}

/* A reset by SO_LINGER, with data that was not read yet. */
TEST_F(tcp, reset_with_data)
{
	struct linger l = { 1, 0 };
	__u32 failed = SK_ERROR | SK_HUP;
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV | SK_RDHUP,
			      HINTS | KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, send_bytes(&self->s, 10, 10));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 10, 0);
	ASSERT_EQ(0, setsockopt(self->s.peer, SOL_SOCKET, SO_LINGER, &l,
				sizeof(l)));
	close_peer(&self->s);
	EXPECT_EQ(failed, gather(q, failed, &sum) & failed);
	EXPECT_EQ(0, is_pending(q));
	EXPECT_SOCK(&sum, 1, failed, SK_RECV | SK_RDHUP, 0);
	EXPECT_EQ(HINT, sum.flags & HINT);
	EXPECT_EQ((__u64)ECONNRESET, sum.data[1]);
	EXPECT_EQ(ECONNRESET, take_error(self->s.fd));
}

#define MARK(op, flags, cookie, mark) \
	mark_sock(self->q.fd, KEVENT_OP_##op, self->s.fd, SK_RECV | SK_RDHUP, \
		  HINTS | (flags), cookie, mark)

TEST_F(tcp, mark_level)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, MARK(ADD, 0, 1, 100));
	ASSERT_EQ(0, send_bytes(&self->s, 99, 99));
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, send_bytes(&self->s, 1, 100));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 100, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 100, 0);
	/* below it again */
	ASSERT_EQ(1, recv_bytes(self->s.fd, 1));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, send_bytes(&self->s, 51, 150));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 150, 0);
}

TEST_F(tcp, mark_edge)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, MARK(ADD, KEVENT_EDGE, 1, 100));
	ASSERT_EQ(0, send_bytes(&self->s, 99, 99));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, send_bytes(&self->s, 2, 101));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 101, 0);
	EXPECT_QUIET(q);
	ASSERT_EQ(50, recv_bytes(self->s.fd, 50));
	ASSERT_EQ(0, send_bytes(&self->s, 40, 91));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, send_bytes(&self->s, 9, 100));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 100, 0);
	EXPECT_QUIET(q);
}

TEST_F(tcp, mark_oneshot)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, MARK(ADD, KEVENT_ONESHOT | KEVENT_WANT_LAST, 1, 100));
	ASSERT_EQ(0, send_bytes(&self->s, 99, 99));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, send_bytes(&self->s, 1, 100));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, LAST);
}

TEST_F(tcp, mark_dispatch)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, MARK(ADD, KEVENT_DISPATCH, 1, 100));
	ASSERT_EQ(0, send_bytes(&self->s, 100, 100));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 100, 0);
	ASSERT_EQ(1, recv_bytes(self->s.fd, 1));
	/* ENABLE asks for no fewer */
	EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, self->s.fd));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, send_bytes(&self->s, 1, 100));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 100, 0);
}

TEST_F(tcp, mark_at_add)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, send_bytes(&self->s, 99, 99));
	ASSERT_EQ(0, MARK(ADD, 0, 1, 100));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, remove_sock(q->fd, self->s.fd));
	ASSERT_EQ(0, MARK(ADD, 0, 1, 99));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 99, 0);
}

TEST_F(tcp, mark_modified)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, MARK(ADD, 0, 1, 100));
	ASSERT_EQ(0, send_bytes(&self->s, 50, 50));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, MARK(MODIFY, 0, 2, 50));
	EXPECT_TAKE_HINT(q, 2, SK_RECV, 50, 0);
	EXPECT_EQ(0, MARK(MODIFY, 0, 3, 51));
	EXPECT_QUIET(q);
	/* MODIFY replaces it: by none, if it has none */
	EXPECT_EQ(0, modify_sock(q->fd, self->s.fd, SK_RECV, HINTS, 4));
	EXPECT_TAKE_HINT(q, 4, SK_RECV, 50, 0);
	EXPECT_EQ(0, MARK(MODIFY, 0, 5, 51));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, MARK(MODIFY, 0, 6, 1));
	EXPECT_TAKE_HINT(q, 6, SK_RECV, 50, 0);
	/* a wrong one changes nothing */
	EXPECT_EQ(-EINVAL, MARK(MODIFY, 0, 7, 1ULL << 31));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_HINT(q, 6, SK_RECV, 50, 0);
}

/* It is the interest's, not the socket's. */
TEST_F(tcp, mark_of_each)
{
	struct ukevent_queue *q = &self->q, other;

	ASSERT_EQ(0, queue_init(&other, 8));
	ASSERT_EQ(0, MARK(ADD, 0, 1, 100));
	ASSERT_EQ(0, mark_sock(other.fd, KEVENT_OP_ADD, self->s.fd, SK_RECV,
			       HINTS, 2, 10));
	ASSERT_EQ(0, send_bytes(&self->s, 10, 10));
	EXPECT_EQ(1, ring_reaches(&other, 1));
	EXPECT_TAKE_HINT(&other, 2, SK_RECV, 10, 0);
	EXPECT_QUIET(q);
	EXPECT_TRUE(polls(self->s.fd, POLLIN));
	ASSERT_EQ(0, send_bytes(&self->s, 90, 100));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 100, 0);
	ukevent_queue_exit(&other);
}

TEST_F(tcp, mark_and_fin)
{
	struct ukevent_queue *q = &self->q;
	__u32 all = SK_RECV | SK_RDHUP;
	struct ukevent sum;

	ASSERT_EQ(0, MARK(ADD, KEVENT_EDGE, 1, 100));
	ASSERT_EQ(0, send_bytes(&self->s, 5, 5));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, shutdown(self->s.peer, SHUT_WR));
	EXPECT_EQ(all, gather(q, all, &sum));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(5ULL, sum.data[0]);
	/* and for a new interest */
	EXPECT_EQ(0, remove_sock(q->fd, self->s.fd));
	take_all(q, NULL);
	ASSERT_EQ(0, MARK(ADD, 0, 2, 100));
	EXPECT_TAKE_HINT(q, 2, all, 5, 0);
}

TEST_F(tcp, mark_and_reset)
{
	__u32 failed = SK_ERROR | SK_HUP;
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;

	ASSERT_EQ(0, MARK(ADD, KEVENT_EDGE, 1, 100));
	ASSERT_EQ(0, send_bytes(&self->s, 5, 5));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, reset_peer(&self->s));
	EXPECT_EQ(failed, gather(q, failed, &sum) & failed);
	EXPECT_SOCK(&sum, 1, failed, SK_RECV | SK_RDHUP, 0);
}

/* A mark that cannot be reached: told when the socket takes no more. */
TEST_F(tcp, mark_above_window)
{
	static const __u64 marks[] = { 0x7fffffff, 1 << 30 };
	struct ukevent_queue *q = &self->q;
	struct waiter w;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(marks); i++) {
		ASSERT_EQ(0, MARK(ADD, i ? 0 : KEVENT_EDGE, i, marks[i]));
		ASSERT_EQ(0, send_bytes(&self->s, 1000, 1000));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
		ASSERT_EQ(0, fill(self->s.peer, 65536));
		EXPECT_EQ(1, waiter_result(&w));
		EXPECT_TAKE_SOCK(q, i, SK_RECV, 0, 0);
		EXPECT_EQ(0, remove_sock(q->fd, self->s.fd));
		source_close(&self->s);
		take_all(q, NULL);
		ASSERT_EQ(0, sock_pair(&self->s, variant->family,
				       SOCK_STREAM));
	}
}

/* SO_RCVLOWAT is a mark of the socket, for all who ask. */
TEST_F(tcp, rcvlowat_option)
{
	struct ukevent_queue *q = &self->q;
	int mark = 100;

	ASSERT_EQ(0, setsockopt(self->s.fd, SOL_SOCKET, SO_RCVLOWAT, &mark,
				sizeof(mark)));
	ASSERT_EQ(0, send_bytes(&self->s, 99, 99));
	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV | SK_RDHUP, HINTS, 1,
			      NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, send_bytes(&self->s, 1, 100));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 1, SK_RECV, 100, 0);
	ASSERT_EQ(1, recv_bytes(self->s.fd, 1));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, modify_sock(q->fd, self->s.fd, SK_RECV, HINTS, 2));
	EXPECT_QUIET(q);
	/* lowering it wakes */
	mark = 1;
	ASSERT_EQ(0, setsockopt(self->s.fd, SOL_SOCKET, SO_RCVLOWAT, &mark,
				sizeof(mark)));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_HINT(q, 2, SK_RECV, 99, 0);
}

TEST_HARNESS_MAIN
