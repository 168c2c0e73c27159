// SPDX-License-Identifier: GPL-2.0
/*
 * The source SOCKET in each mode and each kind of socket; descriptors that are
 * closed, copied and used again; every error a change can get.
 */
#include "socket_test.h"

static const __u32 modes[] = {
	0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH
};

/* ---- modes, in sockets of each kind ---- */

FIXTURE(sock)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(sock)
{
	int family;
	int type;
};

FIXTURE_VARIANT_ADD(sock, tcp4)
{
	.family = AF_INET,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(sock, tcp6)
{
	.family = AF_INET6,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(sock, udp)
{
	.family = AF_INET,
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(sock, unix_stream)
{
	.family = AF_UNIX,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(sock, unix_dgram)
{
	.family = AF_UNIX,
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(sock, unix_seqpacket)
{
	.family = AF_UNIX,
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(sock)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, sock_pair(&self->s, variant->family, variant->type));
}

FIXTURE_TEARDOWN(sock)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

#define ADD(flags, cookie) \
	add_sock(self->q.fd, self->s.fd, SK_RECV, flags, cookie, NULL)

TEST_F(sock, level_holds_at_add)
{
	ASSERT_EQ(0, source_fire(&self->s));
	ASSERT_EQ(0, ADD(0, 1));
	EXPECT_EQ(1, in_ring(&self->q));
	EXPECT_TAKE_SOCK(&self->q, 1, SK_RECV, 0, 0);
	EXPECT_EQ(0, source_drain(&self->s));
	EXPECT_QUIET(&self->q);
}

TEST_F(sock, level_later)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, ADD(0, 2));
	EXPECT_QUIET(q);
	/* comes into the ring by itself, no call made */
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(0, is_pending(q));
	/* no second one while this is unread */
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE_SOCK(q, 2, SK_RECV, 0, 0);
	/* still true: again, but not without a call */
	sleep_ms(TEST_SHORT_MS);
	EXPECT_EQ(0, in_ring(q));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 2, SK_RECV, 0, 0);
	/* false: not any more */
	EXPECT_EQ(0, source_drain(&self->s));
	EXPECT_QUIET(q);
	/* and true once more */
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 2, SK_RECV, 0, 0);
}

/* T17: a part is read, the rest is reported again, until all is read. */
TEST_F(sock, level_until_drained)
{
	struct ukevent_queue *q = &self->q;
	int n;

	ASSERT_EQ(0, ADD(0, 3));
	for (n = 0; n < 4; n++)
		ASSERT_EQ(0, source_fire(&self->s));
	for (n = 0; n < 4; n++) {
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_TAKE_SOCK(q, 3, SK_RECV, 0, 0);
		EXPECT_EQ(8, source_take(&self->s));
	}
	EXPECT_QUIET(q);
}

TEST_F(sock, edge_holds_at_add)
{
	ASSERT_EQ(0, source_fire(&self->s));
	ASSERT_EQ(0, ADD(KEVENT_EDGE, 4));
	EXPECT_EQ(1, in_ring(&self->q));
	EXPECT_TAKE_SOCK(&self->q, 4, SK_RECV, 0, 0);
	EXPECT_QUIET(&self->q);
}

TEST_F(sock, edge_later)
{
	struct ukevent_queue *q = &self->q;
	int i;

	ASSERT_EQ(0, ADD(KEVENT_EDGE, 5));
	EXPECT_QUIET(q);
	/* the same event three times, none of them read: one record */
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_EQ(1, ring_reaches(q, 1));
	}
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 5, SK_RECV, 0, 0);
	/* still true, but that is no event */
	EXPECT_QUIET(q);
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	/* more data is one, with nothing read in between, and all read */
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_EQ(1, ring_reaches(q, 1));
		EXPECT_TAKE_SOCK(q, 5, SK_RECV, 0, 0);
		EXPECT_EQ(0, source_drain(&self->s));
	}
	EXPECT_QUIET(q);
}

/* S1: what comes between taking the record and reading is reported. */
TEST_F(sock, edge_between)
{
	struct ukevent_queue *q = &self->q;
	int i, n;

	ASSERT_EQ(0, ADD(KEVENT_EDGE, 6));
	for (i = 0; i < 20; i++) {
		for (n = 0; n < 2; n++) {
			ASSERT_EQ(0, source_fire(&self->s));
			ASSERT_EQ(1, ring_reaches(q, 1));
			EXPECT_TAKE_SOCK(q, 6, SK_RECV, 0, 0);
		}
		ASSERT_EQ(0, source_drain(&self->s));
	}
	EXPECT_QUIET(q);
}

/* Waits for the record of a one-shot, for which UDP is asked. */
static int comes_once(struct ukevent_queue *q, const struct source *s)
{
	if (s->kind == SRC_UDP && pending_reaches(q, 1))
		flush_ring(q);
	return ring_reaches(q, 1);
}

TEST_F(sock, oneshot)
{
	struct ukevent_queue *q = &self->q;
	int fd = self->s.fd;

	ASSERT_EQ(0, ADD(KEVENT_ONESHOT, 7));
	EXPECT_EQ(-EEXIST, ADD(KEVENT_ONESHOT, 7));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes_once(q, &self->s));
	/* ended with its publication, read or not */
	EXPECT_EQ(-ENOENT, remove_sock(q->fd, fd));
	EXPECT_EQ(-ENOENT, modify_sock(q->fd, fd, SK_RECV, 0, 9));
	EXPECT_EQ(-ENOENT, op_sock(q->fd, KEVENT_OP_ENABLE, fd));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 7, SK_RECV, 0, 0);
	EXPECT_QUIET(q);
	/* a new one, for which the condition holds */
	EXPECT_EQ(0, ADD(KEVENT_ONESHOT, 8));
	EXPECT_TAKE_SOCK(q, 8, SK_RECV, 0, 0);
	EXPECT_EQ(-ENOENT, remove_sock(q->fd, fd));
	EXPECT_QUIET(q);
}

TEST_F(sock, oneshot_last)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, ADD(KEVENT_ONESHOT | KEVENT_WANT_LAST, 9));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, comes_once(q, &self->s));
	EXPECT_TAKE_SOCK(q, 9, SK_RECV, 0, LAST);
	EXPECT_QUIET(q);
}

TEST_F(sock, dispatch)
{
	struct ukevent_queue *q = &self->q;
	int fd = self->s.fd;

	ASSERT_EQ(0, ADD(KEVENT_DISPATCH, 10));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 10, SK_RECV, 0, 0);
	/* disabled until enabled */
	ASSERT_EQ(0, source_fire(&self->s));
	sleep_ms(TEST_SHORT_MS);
	EXPECT_QUIET(q);
	/* which looks at once */
	EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, fd));
	EXPECT_EQ(1, in_ring(q));
	EXPECT_TAKE_SOCK(q, 10, SK_RECV, 0, 0);
	/* and finds nothing if there is nothing */
	EXPECT_EQ(0, source_drain(&self->s));
	EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, fd));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 10, SK_RECV, 0, 0);
	EXPECT_EQ(0, remove_sock(q->fd, fd));
	EXPECT_QUIET(q);
}

TEST_F(sock, starts_disabled)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, source_fire(&self->s));
		ASSERT_EQ(0, ADD(modes[i] | KEVENT_START_DISABLED, 20 + i));
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_QUIET(q);
		EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, self->s.fd));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_TAKE_SOCK(q, 20 + i, SK_RECV, 0, 0);
		EXPECT_EQ(modes[i] == KEVENT_ONESHOT ? -ENOENT : 0,
			  remove_sock(q->fd, self->s.fd));
		EXPECT_EQ(0, source_drain(&self->s));
		EXPECT_QUIET(q);
	}
}

TEST_F(sock, disable_enable)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, ADD(modes[i], 30 + i));
		EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_DISABLE, self->s.fd));
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_QUIET(q);
		/* S1: what happened meanwhile is found */
		EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, self->s.fd));
		EXPECT_EQ(1, in_ring(q));
		EXPECT_TAKE_SOCK(q, 30 + i, SK_RECV, 0, 0);
		EXPECT_EQ(0, source_drain(&self->s));
		EXPECT_EQ(modes[i] == KEVENT_ONESHOT ? -ENOENT : 0,
			  remove_sock(q->fd, self->s.fd));
		EXPECT_QUIET(q);
	}
}

TEST_F(sock, modify)
{
	struct ukevent_queue *q = &self->q;
	int fd = self->s.fd;

	ASSERT_EQ(0, ADD(KEVENT_EDGE, 40));
	/* the cookie */
	EXPECT_EQ(0, modify_sock(q->fd, fd, SK_RECV, KEVENT_EDGE, 41));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	/* queries anew; a record from before keeps its cookie, hides nothing */
	EXPECT_EQ(0, modify_sock(q->fd, fd, SK_RECV, KEVENT_EDGE, 42));
	EXPECT_EQ(2, in_ring(q));
	EXPECT_TAKE_SOCK(q, 41, SK_RECV, 0, 0);
	EXPECT_TAKE_SOCK(q, 42, SK_RECV, 0, 0);
	EXPECT_QUIET(q);
	/* the mode: now it is level */
	EXPECT_EQ(0, modify_sock(q->fd, fd, SK_RECV, 0, 43));
	EXPECT_TAKE_SOCK(q, 43, SK_RECV, 0, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_TAKE_SOCK(q, 43, SK_RECV, 0, 0);
	/* the events: none but errors are left */
	EXPECT_EQ(0, modify_sock(q->fd, fd, 0, 0, 44));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_QUIET(q);
	/* others: it is readable, and only asked whether it is writable */
	EXPECT_EQ(0, modify_sock(q->fd, fd, SK_SEND, KEVENT_EDGE, 45));
	EXPECT_TAKE_SOCK(q, 45, SK_SEND, 0, 0);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_QUIET(q);
	/* both, as one-shot, and so to the end */
	EXPECT_EQ(0, modify_sock(q->fd, fd, SK_RECV | SK_SEND, KEVENT_ONESHOT,
				 46));
	EXPECT_TAKE_SOCK(q, 46, SK_RECV | SK_SEND, 0, 0);
	EXPECT_EQ(-ENOENT, remove_sock(q->fd, fd));
	EXPECT_QUIET(q);
}

/* S6: after REMOVE nothing, in any mode; what is in the ring stays. */
TEST_F(sock, remove)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, ADD(modes[i], 50 + i));
		EXPECT_EQ(0, remove_sock(q->fd, self->s.fd));
		EXPECT_EQ(-ENOENT, remove_sock(q->fd, self->s.fd));
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_QUIET(q);

		ASSERT_EQ(0, ADD(modes[i], 60 + i));
		EXPECT_EQ(modes[i] == KEVENT_ONESHOT ? -ENOENT : 0,
			  remove_sock(q->fd, self->s.fd));
		EXPECT_EQ(1, flush_ring(q));
		EXPECT_TAKE_SOCK(q, 60 + i, SK_RECV, 0, 0);
		EXPECT_EQ(0, source_drain(&self->s));
		EXPECT_QUIET(q);
	}
}

/*
 * Data wakes with bits that poll(2) has for other things as well; and UDP and
 * UNIX datagram sockets are in a state that means closed for TCP.
 */
TEST_F(sock, nothing_made_up)
{
	struct ukevent_queue *q = &self->q;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RDHUP | SK_ACCEPT, 0, 70,
			      NULL));
	EXPECT_QUIET(q);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, modify_sock(q->fd, self->s.fd, SK_RDHUP | SK_ACCEPT |
				 SK_RECV | SK_ERROR | SK_HUP, 0, 71));
	EXPECT_TAKE_SOCK(q, 71, SK_RECV, 0, 0);
}

/*
 * HINT says that data[0] is known: to who asks for it; of TCP only, of those that
 * receive.  By a wake-up, by a query of MODIFY and SET, which change it, of ENABLE
 * and of a level interest, which do not.
 */
TEST_F(sock, hint)
{
	int tcp = variant->family != AF_UNIX && variant->type == SOCK_STREAM;
	struct ukevent_queue *q = &self->q;
	__u32 asked, other;
	size_t m, i;

#define EXPECT_HINT(cookie, hints, last) \
	EXPECT_TAKE_TYPED(q, KEVENT_TYPE_SOCKET, cookie, SK_RECV, \
			  (tcp && (hints) ? HINT : 0) | (last), \
			  tcp && (hints) ? 8 : 0, 0)
	for (m = 0; m < ARRAY_SIZE(modes); m++)
	for (i = 0; i < 2; i++) {
		struct kevent_change c;
		__u32 mode = modes[m] | KEVENT_WANT_LAST;
		int last = modes[m] == KEVENT_ONESHOT ? LAST : 0;

		asked = i ? HINTS : 0;
		other = HINTS - asked;
		ASSERT_EQ(0, ADD(asked | mode, 72));
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_HINT(72, asked, last);
		if (modes[m] == KEVENT_DISPATCH) {
			EXPECT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE,
					     self->s.fd));
			EXPECT_HINT(72, asked, 0);
		} else if (!modes[m]) {
			EXPECT_EQ(1, flush_ring(q));
			EXPECT_HINT(72, asked, 0);
		}
		/* SET modifies, or adds; it is what the last entry says */
		c = make_sock(KEVENT_OP_SET, self->s.fd, SK_RECV,
			      other | KEVENT_DISPATCH, 73);
		EXPECT_EQ(0, do_change(q->fd, &c));
		EXPECT_HINT(73, other, 0);
		EXPECT_EQ(0, modify_sock(q->fd, self->s.fd, SK_RECV,
					 asked | KEVENT_DISPATCH, 74));
		EXPECT_HINT(74, asked, 0);
		EXPECT_EQ(0, source_drain(&self->s));
		EXPECT_EQ(0, modify_sock(q->fd, self->s.fd, SK_RECV,
					 other | mode, 75));
		EXPECT_QUIET(q);
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_HINT(75, other, last);
		remove_sock(q->fd, self->s.fd);
		take_all(q, NULL);
		EXPECT_EQ(0, source_drain(&self->s));
		EXPECT_QUIET(q);
	}
#undef EXPECT_HINT
}

TEST_F(sock, sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, ADD(modes[i], 80 + i));
		ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
		ASSERT_EQ(0, source_fire(&self->s));
		EXPECT_EQ(1, waiter_result(&w));
		EXPECT_TAKE_SOCK(q, 80 + i, SK_RECV, 0, 0);
		remove_sock(q->fd, self->s.fd);
		EXPECT_EQ(0, source_drain(&self->s));
		EXPECT_QUIET(q);
	}
}

/* T1: each of two queues is told, and its readers do not take from the other. */
TEST_F(sock, two_queues)
{
	struct ukevent_queue *q = &self->q, other;

	ASSERT_EQ(0, queue_init(&other, 8));
	ASSERT_EQ(0, ADD(0, 1));
	ASSERT_EQ(0, add_sock(other.fd, self->s.fd, SK_RECV, KEVENT_EDGE, 2,
			      NULL));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_EQ(1, ring_reaches(&other, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
	EXPECT_TAKE_SOCK(&other, 2, SK_RECV, 0, 0);
	EXPECT_EQ(1, flush_ring(q));
	EXPECT_QUIET(&other);
	/* one goes, the other stays */
	EXPECT_EQ(0, remove_sock(other.fd, self->s.fd));
	take_all(q, NULL);
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_QUIET(&other);
	ukevent_queue_exit(&other);
}

/* The type is part of the key. */
TEST_F(sock, beside_poll)
{
	struct ukevent_queue *q = &self->q;
	int fd = self->s.fd, i, seen = 0;
	struct ukevent ev = {};
	__u64 id;

	ASSERT_EQ(0, ADD(KEVENT_EDGE, 1));
	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_EDGE, 2, &id));
	EXPECT_EQ(-EEXIST, ADD(0, 3));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(2, ring_reaches(q, 2));
	for (i = 0; i < 2; i++) {	/* one wake-up for both: in any order */
		EXPECT_EQ(1, (int)ukevent_take(q, &ev, 1));
		seen |= 1 << ev.type;
		if (ev.type == KEVENT_TYPE_POLL)
			EXPECT_RECORD(&ev, 2, EV_IN, 0);
		else
			EXPECT_SOCK(&ev, 1, SK_RECV, 0, 0);
	}
	EXPECT_EQ(1 << KEVENT_TYPE_POLL | 1 << KEVENT_TYPE_SOCKET, seen);
	/* an id goes with its type as well */
	EXPECT_EQ(-ENOENT, op_sock_id(q->fd, KEVENT_OP_REMOVE, id, 0));
	EXPECT_EQ(0, remove_fd(q->fd, fd));
	EXPECT_EQ(-ENOENT, remove_fd(q->fd, fd));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
	EXPECT_EQ(0, remove_sock(q->fd, fd));
	EXPECT_QUIET(q);
}

/* Both directions shut down here, in whatever state; nobody else did it. */
TEST_F(sock, own_shutdown)
{
	struct ukevent_queue *q = &self->q;
	__u32 all = SK_RECV | SK_RDHUP | SK_HUP;
	struct ukevent sum;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV | SK_RDHUP,
			      KEVENT_EDGE, 1, NULL));
	EXPECT_QUIET(q);
	shutdown(self->s.fd, SHUT_RDWR);
	EXPECT_EQ(all, gather(q, all, &sum));
	EXPECT_EQ(0, is_pending(q));
	EXPECT_SOCK(&sum, 1, all, 0, 0);
}

/* ---- the file goes ---- */

TEST_F(sock, close_last)
{
	struct ukevent_queue *q = &self->q;
	size_t i;

	source_close(&self->s);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		ASSERT_EQ(0, sock_pair(&self->s, variant->family,
				       variant->type));
		ASSERT_EQ(0, ADD(modes[i] | KEVENT_WANT_LAST, i));
		close(self->s.fd);
		self->s.fd = -1;
		EXPECT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
		EXPECT_TAKE_SOCK(q, i, SK_HUP, 0, LAST);
		EXPECT_QUIET(q);
		source_close(&self->s);
		/* who did not ask gets none */
		ASSERT_EQ(0, sock_pair(&self->s, variant->family,
				       variant->type));
		ASSERT_EQ(0, ADD(modes[i], i));
		close(self->s.fd);
		self->s.fd = -1;
		EXPECT_EQ(0, wait_ms(q, 1, TEST_SHORT_MS));
		EXPECT_QUIET(q);
		source_close(&self->s);
	}
}

/* T10: a thread that sleeps in the queue does not keep the socket. */
TEST_F(sock, close_under_sleeper)
{
	struct ukevent_queue *q = &self->q;
	struct waiter w;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV | SK_RDHUP,
			      KEVENT_WANT_LAST, 1, NULL));
	ASSERT_EQ(0, waiter_start(&w, q, 1, NULL));
	close(self->s.fd);
	self->s.fd = -1;
	if (variant->type != SOCK_DGRAM)
		EXPECT_TRUE(polls(self->s.peer, POLLRDHUP));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE_SOCK(q, 1, SK_HUP, 0, LAST);
	EXPECT_QUIET(q);
}

/*
 * T22: the socket lives on in a copy of its descriptor, the number is used for
 * another one.
 */
TEST_F(sock, number_reused)
{
	struct ukevent_queue *q = &self->q;
	int fd = self->s.fd, copy = dup(fd);
	struct source s2;
	__u64 id, id2;

	ASSERT_EQ(0, add_sock(q->fd, fd, SK_RECV, KEVENT_EDGE |
			      KEVENT_WANT_LAST, 1, &id));
	close(fd);
	self->s.fd = copy;
	EXPECT_QUIET(q);
	EXPECT_EQ(-EBADF, remove_sock(q->fd, fd));
	ASSERT_EQ(0, sock_pair(&s2, variant->family, variant->type));
	if (s2.fd != fd) {	/* a helper of inet_pair() had it */
		ASSERT_EQ(fd, dup2(s2.fd, fd));
		close(s2.fd);
		s2.fd = fd;
	}
	EXPECT_EQ(-ENOENT, remove_sock(q->fd, fd));
	EXPECT_EQ(-ENOENT, remove_sock(q->fd, copy));
	ASSERT_EQ(0, add_sock(q->fd, fd, SK_RECV, KEVENT_EDGE |
			      KEVENT_WANT_LAST, 2, &id2));
	EXPECT_NE(id, id2);
	/* both fire, each under its own cookie */
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
	ASSERT_EQ(0, source_fire(&s2));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 2, SK_RECV, 0, 0);
	/* the old one is reached by its id */
	EXPECT_EQ(0, op_sock_id(q->fd, KEVENT_OP_DISABLE, id, 0));
	ASSERT_EQ(0, source_fire(&self->s));
	EXPECT_QUIET(q);
	EXPECT_EQ(0, op_sock_id(q->fd, KEVENT_OP_ENABLE, id, 0));
	EXPECT_TAKE_SOCK(q, 1, SK_RECV, 0, 0);
	EXPECT_EQ(0, op_sock_id(q->fd, KEVENT_OP_REMOVE, id, 0));
	EXPECT_TAKE_SOCK(q, 1, 0, 0, LAST);
	EXPECT_EQ(-ENOENT, op_sock_id(q->fd, KEVENT_OP_REMOVE, id, 0));
	EXPECT_EQ(0, remove_sock(q->fd, fd));
	EXPECT_TAKE_SOCK(q, 2, 0, 0, LAST);
	EXPECT_QUIET(q);
	source_close(&s2);
}

/* ---- errors ---- */

FIXTURE(errors)
{
	struct ukevent_queue q;
	int kfd;
	int fd;
	int closed;
};

FIXTURE_SETUP(errors)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	self->kfd = self->q.fd;
	self->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->fd);
	self->closed = dup2(self->fd, 200);
	ASSERT_EQ(200, self->closed);
	close(self->closed);
}

FIXTURE_TEARDOWN(errors)
{
	close(self->fd);
	ukevent_queue_exit(&self->q);
}

TEST_F(errors, descriptor)
{
	static const unsigned int ops[] = {
		KEVENT_OP_ADD, KEVENT_OP_MODIFY, KEVENT_OP_REMOVE,
		KEVENT_OP_ENABLE, KEVENT_OP_DISABLE,
	};
	struct kevent_change c;
	int pfd[2], epfd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(-EBADF, op_sock(self->kfd, ops[i], -1));
		EXPECT_EQ(-EBADF, op_sock(self->kfd, ops[i], self->closed));
		c = make_sock(ops[i], 0, 0, 0, 0);
		c.ident = (1ULL << 32) + self->fd;
		EXPECT_EQ(-EBADF, do_change(self->kfd, &c));
	}
	ASSERT_EQ(0, pipe2(pfd, O_CLOEXEC));
	epfd = epoll_create1(EPOLL_CLOEXEC);
	EXPECT_EQ(-ENOTSOCK, add_sock(self->kfd, pfd[0], SK_RECV, 0, 1, NULL));
	EXPECT_EQ(-ENOTSOCK, add_sock(self->kfd, epfd, SK_RECV, 0, 1, NULL));
	/* a queue is no socket either */
	EXPECT_EQ(-ENOTSOCK, add_sock(self->kfd, self->kfd, SK_RECV, 0, 1,
				      NULL));
	close(epfd);
	close(pfd[0]);
	close(pfd[1]);
}

/* A socket opened with O_PATH, by its name, is no open socket. */
TEST_F(errors, path_descriptor)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int path, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	mkdir("/tmp", 01777);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/kevent-sock-%d",
		 getpid());
	unlink(addr.sun_path);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&addr, sizeof(addr)));
	path = open(addr.sun_path, O_PATH | O_CLOEXEC);
	unlink(addr.sun_path);
	ASSERT_LE(0, path);
	EXPECT_EQ(-EBADF, add_sock(self->kfd, path, SK_RECV, 0, 1, NULL));
	close(path);
	close(fd);
}

TEST_F(errors, exists_and_not)
{
	static const unsigned int ops[] = {
		KEVENT_OP_MODIFY, KEVENT_OP_REMOVE, KEVENT_OP_ENABLE,
		KEVENT_OP_DISABLE,
	};
	size_t i;

	/* an interest of another type is another one */
	ASSERT_EQ(0, add_fd(self->kfd, self->fd, EV_IN, 0, 1, NULL));
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		EXPECT_EQ(-ENOENT, op_sock(self->kfd, ops[i], self->fd));
		EXPECT_EQ(-ENOENT, op_sock_id(self->kfd, ops[i], 12345, 0));
	}
	EXPECT_EQ(0, add_sock(self->kfd, self->fd, SK_RECV, 0, 2, NULL));
	EXPECT_EQ(-EEXIST, add_sock(self->kfd, self->fd, SK_RECV, 0, 3, NULL));
	EXPECT_EQ(-EEXIST, add_sock(self->kfd, self->fd, SK_SEND, KEVENT_EDGE,
				    3, NULL));
	EXPECT_EQ(0, remove_sock(self->kfd, self->fd));
	EXPECT_EQ(-ENOENT, remove_sock(self->kfd, self->fd));
}

TEST_F(errors, events)
{
	__u32 all = SK_RECV | SK_SEND | SK_ERROR | SK_HUP | SK_ACCEPT |
		    SK_CONNECT | SK_RDHUP;
	unsigned int bit;
	int fd;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, fd);
	for (bit = 0; bit < 32; bit++) {
		EXPECT_EQ(all & (1U << bit) ? 0 : -EINVAL,
			  add_sock(self->kfd, fd, 1U << bit, 0, 1, NULL))
			TH_LOG("bit %u", bit);
		remove_sock(self->kfd, fd);
	}
	EXPECT_EQ(0, add_sock(self->kfd, fd, all, 0, 1, NULL));
	for (bit = 0; bit < 32; bit++)
		EXPECT_EQ(all & (1U << bit) ? 0 : -EINVAL,
			  modify_sock(self->kfd, fd, 1U << bit, 0, 1))
			TH_LOG("bit %u", bit);
	/* none at all: errors and hang-ups are watched */
	EXPECT_EQ(0, modify_sock(self->kfd, fd, 0, 0, 1));
	close(fd);
}

/* Only TCP has connections that are on their way. */
TEST_F(errors, connect)
{
	static const int kinds[][2] = {
		{ AF_INET, SOCK_DGRAM }, { AF_INET6, SOCK_DGRAM },
		{ AF_UNIX, SOCK_STREAM }, { AF_UNIX, SOCK_DGRAM },
		{ AF_UNIX, SOCK_SEQPACKET }, { AF_NETLINK, SOCK_RAW },
	};
	struct kevent_change c;
	__u64 id;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		fd = socket(kinds[i][0], kinds[i][1] | SOCK_CLOEXEC, 0);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-EOPNOTSUPP, add_sock(self->kfd, fd, SK_CONNECT, 0,
						1, NULL)) TH_LOG("kind %zu", i);
		EXPECT_EQ(-EOPNOTSUPP, add_sock(self->kfd, fd, SK_CONNECT |
						SK_RECV | SK_SEND, KEVENT_EDGE,
						1, NULL)) TH_LOG("kind %zu", i);
		EXPECT_EQ(-ENOENT, remove_sock(self->kfd, fd));
		ASSERT_EQ(0, add_sock(self->kfd, fd, SK_ACCEPT, 0, 1, &id));
		EXPECT_EQ(-EOPNOTSUPP, modify_sock(self->kfd, fd, SK_CONNECT |
						   SK_ACCEPT, 0, 2))
			TH_LOG("kind %zu", i);
		c = make_sock(KEVENT_OP_MODIFY, 0, SK_CONNECT, KEVENT_BY_ID, 2);
		c.id = id;
		EXPECT_EQ(-EOPNOTSUPP, do_change(self->kfd, &c))
			TH_LOG("kind %zu", i);
		EXPECT_EQ(0, remove_sock(self->kfd, fd));
		close(fd);
	}
}

TEST_F(errors, flags)
{
	struct kevent_change c;
	unsigned int op, bit;
	__u32 takes;
	__u64 id;

	for (op = KEVENT_OP_ADD; op <= KEVENT_OP_DISABLE; op++) {
		takes = flags_taken(op) |
			(op == KEVENT_OP_ADD ? KEVENT_EXCLUSIVE : 0) |
			(op <= KEVENT_OP_MODIFY ? HINTS : 0);
		for (bit = 0; bit < 32; bit++) {
			if (op != KEVENT_OP_ADD)
				ASSERT_EQ(0, add_sock(self->kfd, self->fd,
						      SK_RECV, 0, 0, &id));
			c = make_sock(op, self->fd, op <= KEVENT_OP_MODIFY ?
				      SK_RECV : 0, 1U << bit, 0);
			if (op != KEVENT_OP_ADD && (1U << bit) == KEVENT_BY_ID) {
				c.id = id;
				c.ident = 0;
			}
			EXPECT_EQ(takes & (1U << bit) ? 0 : -EINVAL,
				  do_change(self->kfd, &c))
				TH_LOG("op %u bit %u", op, bit);
			remove_sock(self->kfd, self->fd);
		}
	}
	EXPECT_EQ(-EINVAL, add_sock(self->kfd, self->fd, SK_RECV, KEVENT_EDGE |
				    KEVENT_ONESHOT, 0, NULL));
}

TEST_F(errors, unused_fields)
{
	struct kevent_change c, good;
	__u64 *const fields[] = {
		&c.addr, &c.param[1], &c.param[2], &c.param[3], &c.reserved[0],
		&c.reserved[1], &c.id, &c.param[KEVENT_SOCK_LOWAT],
	};
	unsigned int op;
	size_t i;

	ASSERT_EQ(0, add_sock(self->kfd, self->fd, SK_RECV, 0, 0, NULL));
	for (op = KEVENT_OP_ADD; op <= KEVENT_OP_DISABLE; op++) {
		good = make_sock(op, self->fd, op <= KEVENT_OP_MODIFY ?
				 SK_RECV : 0, 0, 0);
		for (i = 0; i < ARRAY_SIZE(fields); i++) {
			c = good;
			*fields[i] = 1;
			/* a mark of one byte is none */
			if (op <= KEVENT_OP_MODIFY &&
			    fields[i] == &c.param[KEVENT_SOCK_LOWAT])
				continue;
			EXPECT_EQ(-EINVAL, do_change(self->kfd, &c))
				TH_LOG("op %u field %zu", op, i);
		}
	}
	/* events are for ADD and MODIFY */
	for (op = KEVENT_OP_REMOVE; op <= KEVENT_OP_DISABLE; op++) {
		c = make_sock(op, self->fd, SK_RECV, 0, 0);
		EXPECT_EQ(-EINVAL, do_change(self->kfd, &c))
			TH_LOG("op %u", op);
	}
	EXPECT_EQ(0, remove_sock(self->kfd, self->fd));
}

TEST_F(errors, mark)
{
	static const int kinds[][2] = {
		{ AF_INET, SOCK_DGRAM }, { AF_INET6, SOCK_DGRAM },
		{ AF_UNIX, SOCK_STREAM }, { AF_UNIX, SOCK_DGRAM },
		{ AF_UNIX, SOCK_SEQPACKET }, { AF_NETLINK, SOCK_RAW },
	};
	static const __u64 bad[] = {
		1ULL << 31, 1ULL << 32, 1ULL << 63, ~0ULL
	};
	struct source s;
	size_t i;
	int fd;

	ASSERT_EQ(0, sock_pair(&s, AF_INET, SOCK_STREAM));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, mark_sock(self->kfd, KEVENT_OP_ADD, s.fd,
					     SK_RECV, 0, 1, bad[i]));
	EXPECT_EQ(0, mark_sock(self->kfd, KEVENT_OP_ADD, s.fd, SK_RECV, 0, 1,
			       0x7fffffff));
	EXPECT_EQ(0, mark_sock(self->kfd, KEVENT_OP_MODIFY, s.fd, SK_RECV, 0, 1,
			       2));
	source_close(&s);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		fd = socket(kinds[i][0], kinds[i][1] | SOCK_CLOEXEC, 0);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-EOPNOTSUPP, mark_sock(self->kfd, KEVENT_OP_ADD, fd,
						 SK_RECV, 0, 1, 2))
			TH_LOG("kind %zu", i);
		EXPECT_EQ(-ENOENT, remove_sock(self->kfd, fd));
		EXPECT_EQ(0, mark_sock(self->kfd, KEVENT_OP_ADD, fd, SK_RECV,
				       0, 1, 1)) TH_LOG("kind %zu", i);
		EXPECT_EQ(-EOPNOTSUPP, mark_sock(self->kfd, KEVENT_OP_MODIFY,
						 fd, SK_RECV, 0, 1, 2))
			TH_LOG("kind %zu", i);
		EXPECT_EQ(0, remove_sock(self->kfd, fd));
		close(fd);
	}
}

TEST_F(errors, trigger)
{
	EXPECT_EQ(-EOPNOTSUPP, op_sock(self->kfd, KEVENT_OP_TRIGGER,
				       self->fd));
	ASSERT_EQ(0, add_sock(self->kfd, self->fd, SK_RECV, 0, 1, NULL));
	EXPECT_EQ(-EOPNOTSUPP, op_sock(self->kfd, KEVENT_OP_TRIGGER,
				       self->fd));
	EXPECT_EQ(0, in_ring(&self->q));
	EXPECT_EQ(0, remove_sock(self->kfd, self->fd));
}

/* A refused MODIFY leaves the interest as it was. */
TEST_F(errors, kept)
{
	struct ukevent_queue *q = &self->q;
	struct source s;

	ASSERT_EQ(0, sock_pair(&s, AF_UNIX, SOCK_STREAM));
	ASSERT_EQ(0, add_sock(q->fd, s.fd, SK_RECV, KEVENT_EDGE, 7, NULL));
	EXPECT_EQ(-EINVAL, modify_sock(q->fd, s.fd, 1U << 20, 0, 8));
	EXPECT_EQ(-EINVAL, modify_sock(q->fd, s.fd, SK_SEND, KEVENT_EXCLUSIVE,
				       8));
	EXPECT_EQ(-EOPNOTSUPP, mark_sock(q->fd, KEVENT_OP_MODIFY, s.fd, SK_SEND,
					 0, 8, 5));
	EXPECT_EQ(-EOPNOTSUPP, modify_sock(q->fd, s.fd, SK_CONNECT | SK_SEND,
					   KEVENT_ONESHOT, 8));
	EXPECT_EQ(0, in_ring(q));
	ASSERT_EQ(0, source_fire(&s));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE_SOCK(q, 7, SK_RECV, 0, 0);
	EXPECT_QUIET(q);
	/* not one-shot: it is still there */
	EXPECT_EQ(0, remove_sock(q->fd, s.fd));
	source_close(&s);
}

TEST_F(errors, limit)
{
	struct ukevent_queue q;

	ASSERT_EQ(0, own_limits());
	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "0"));
	EXPECT_EQ(-ENOSPC, add_sock(q.fd, self->fd, SK_RECV, 0, 1, NULL));
	EXPECT_EQ(-ENOENT, remove_sock(q.fd, self->fd));
	ASSERT_EQ(0, write_text(MAX_INTERESTS, "1"));
	EXPECT_EQ(0, add_sock(q.fd, self->fd, SK_RECV, 0, 1, NULL));
	ukevent_queue_exit(&q);
}

TEST_HARNESS_MAIN
