// SPDX-License-Identifier: GPL-2.0
/*
 * STREAM: each byte that has left the socket is told, once, in order; who else may
 * take some; what is not taken stays in the socket, and is told when there is room.
 */
#include "stream_test.h"
#include "uring.h"

#define LATE	KEVENT_LATE

FIXTURE(stream)
{
	struct stream_queue s;
	struct source c;
	struct stream st;	/* what peer sends to fd */
	struct ukevent_queue *q;
	int fd;
	int peer;
};

FIXTURE_VARIANT(stream)
{
	int family;
	__u32 flags;
	bool late;	/* told by kevent_wait() only */
};

FIXTURE_VARIANT_ADD(stream, tcp4) { AF_INET, 0, false };
FIXTURE_VARIANT_ADD(stream, tcp6) { AF_INET6, 0, false };
FIXTURE_VARIANT_ADD(stream, tcp4_late) { AF_INET, LATE, true };
FIXTURE_VARIANT_ADD(stream, unix) { AF_UNIX, 0, true };

FIXTURE_SETUP(stream)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 128, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, variant->family));
	stream_expect(&self->st, 1, 0);
	self->q = &self->s.q;
	self->fd = self->c.fd;
	self->peer = self->c.peer;
}

FIXTURE_TEARDOWN(stream)
{
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

#define ADD(events, more) \
	add_stream(&self->s, self->fd, events, variant->flags | (more), 0, NULL)

/* More than this is not taken as it arrives. */
#define ARRIVING	16384

/*
 * Waits until the interest can be told of what was sent, without a call; or, if that is
 * more than is taken as it arrives, by one.
 */
#define EXPECT_ARRIVES(size) \
do { \
	if (variant->late || (size) > ARRIVING) { \
		EXPECT_EQ(1, pending_reaches(self->q, 1)); \
		if (variant->late) \
			EXPECT_EQ(0, in_ring(self->q)); \
	} else { \
		EXPECT_LE(1, ring_reaches(self->q, 1)); \
	} \
} while (0)

/* ---- each byte, once, in order ---- */

/* In the ring as they come, or the flag says that there is something to be had. */
TEST_F(stream, arrives)
{
	static const __u32 sizes[] = {
		1, 63, 64, 65, 1000, 4095, 4096, 4097, 12288, 16384, 40000,
	};
	__u64 sent = 0;
	size_t i;

	ASSERT_EQ(0, ADD(ST_RECV, 0));
	EXPECT_QUIET(self->q);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		self->st.pieces = 0;
		SEND(sizes[i]);
		EXPECT_ARRIVES(sizes[i]);
		EXPECT_EQ(0, REACHES(sent)) TH_LOG("size %u", sizes[i]);
		/* one write, and not more than a record takes: one record */
		if (sizes[i] <= 4096)
			EXPECT_EQ(1U, self->st.pieces);
	}
	EXPECT_STREAM(&self->st, sent);
	EXPECT_EQ(4096U, self->st.longest);
	EXPECT_EQ(0U, self->st.events | self->st.flags);
	EXPECT_QUIET(self->q);
}

/* What is in the socket at ADD is told; positions count from there. */
TEST_F(stream, before_add)
{
	__u64 sent = 0;

	SEND(1000);
	EXPECT_EQ(300, recv_pattern_all(self->fd, 1, 0, 300));
	stream_expect(&self->st, 1, 300);
	ASSERT_EQ(0, ADD(ST_RECV, 0));
	EXPECT_EQ(1, wait_ms(self->q, 1, TEST_LONG_MS));
	EXPECT_EQ(0, REACHES(sent));
	SEND(200);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
}

/* No record is longer than it may be. */
TEST_F(stream, most)
{
	static const __u32 most[] = { 1, 63, 64, 100, 1024, 4096, 10000, 16384 };
	__u64 sent = 0;
	size_t i;

	ASSERT_EQ(0, ADD(0, 0));
	for (i = 0; i < ARRAY_SIZE(most); i++) {
		ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_MODIFY, self->fd,
					 ST_RECV, 0, 0, 0, most[i], 0));
		self->st.longest = 0;
		SEND(most[i] < 200 ? 20 * most[i] : 50000);
		EXPECT_EQ(0, REACHES(sent)) TH_LOG("most %u", most[i]);
		EXPECT_EQ(most[i], self->st.longest);
	}
	EXPECT_STREAM(&self->st, sent);
}

static int exact(struct stream_queue *s, struct stream *st, struct sender *t,
		 bool spin)
{
	while (!(st->events & ST_RDHUP) && !st->bad) {
		int n = stream_turn(s, st, 1, spin ? 0 : TEST_LONG_MS);

		if (n < 0 || (!n && !spin))
			return n ?: -ETIME;
		if (spin && !n)
			sched_yield();
	}
	return sender_stop(t);
}

/* N1: writes of 1 byte to 64 KiB from elsewhere, pieces that are held a while. */
TEST_F_TIMEOUT(stream, exact, 120)
{
	struct sender t = {
		.fd = self->peer, .seed = 1, .max = 64 * KIB,
		.total = test_loops(2048) * 1024ULL,
	};

	self->s.hold = 5;
	ASSERT_EQ(0, ADD(ST_RECV | ST_RDHUP, 0));
	ASSERT_EQ(0, sender_start(&t));
	EXPECT_EQ(0, exact(&self->s, &self->st, &t, false));
	EXPECT_STREAM(&self->st, t.sent);
	EXPECT_EQ(t.total, self->st.bytes);
}

/* The same with a program that enters the kernel only if the flag says so. */
TEST_F_TIMEOUT(stream, exact_spinning, 120)
{
	struct sender t = {
		.fd = self->peer, .seed = 1, .max = 64 * KIB,
		.total = test_loops(2048) * 1024ULL,
	};

	ASSERT_EQ(0, ADD(ST_RECV | ST_RDHUP, 0));
	ASSERT_EQ(0, sender_start(&t));
	EXPECT_EQ(0, exact(&self->s, &self->st, &t, true));
	EXPECT_STREAM(&self->st, t.sent);
	EXPECT_EQ(t.total, self->st.bytes);
}

/* Many small ones, and a ring that is full most of the time. */
TEST_F_TIMEOUT(stream, exact_small, 120)
{
	struct sender t = {
		.fd = self->peer, .seed = 1, .max = 150,
		.total = test_loops(512) * 1024ULL,
	};
	struct stream_queue s;

	ASSERT_EQ(0, stream_queue_init(&s, 4, 64 * KIB));
	ASSERT_EQ(0, add_stream(&s, self->fd, ST_RECV | ST_RDHUP, variant->flags,
				0, NULL));
	ASSERT_EQ(0, sender_start(&t));
	EXPECT_EQ(0, exact(&s, &self->st, &t, false));
	EXPECT_STREAM(&self->st, t.sent);
	stream_queue_exit(&s);
}

/*
 *   main      takes from one queue
 *   senders   one for each of eight connections, of all kinds
 */
TEST_F_TIMEOUT(stream, exact_many, 180)
{
	enum { NR = 8 };
	static const struct {
		int family;
		__u32 flags;
	} kinds[NR] = {
		{ AF_INET, 0 }, { AF_INET6, 0 }, { AF_INET, LATE }, { AF_UNIX, 0 },
		{ AF_INET, 0 }, { AF_INET, KEVENT_EDGE }, { AF_INET6, LATE },
		{ AF_UNIX, KEVENT_EDGE },
	};
	struct sender t[NR] = {};
	struct source c[NR];
	struct stream st[NR];
	int i, n, open = NR;

	self->s.hold = 20;
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, stream_pair(&c[i], kinds[i].family));
		stream_expect(&st[i], i, 0);
		t[i].fd = c[i].peer;
		t[i].seed = i;
		t[i].max = i % 2 ? 64 * KIB : 2000;
		t[i].total = test_loops(256) * 1024ULL;
		ASSERT_EQ(0, add_stream(&self->s, c[i].fd, ST_RECV | ST_RDHUP,
					kinds[i].flags, i, NULL));
	}
	for (i = 0; i < NR; i++) {
		ASSERT_EQ(0, sender_start(&t[i]));
	}
	while (open) {
		n = stream_turn(&self->s, st, NR, TEST_LONG_MS);
		ASSERT_LT(0, n);
		for (i = open = 0; i < NR; i++) {
			ASSERT_EQ(NULL, st[i].bad)
				TH_LOG("stream %d: %s", i, st[i].bad);
			open += !(st[i].events & ST_RDHUP);
		}
	}
	for (i = 0; i < NR; i++) {
		EXPECT_EQ(0, sender_stop(&t[i]));
		EXPECT_STREAM(&st[i], t[i].total);
		source_close(&c[i]);
	}
}

/* A sleeper is woken by what comes. */
TEST_F(stream, sleeper)
{
	struct waiter w;
	__u64 sent = 0;
	int i, n;

	ASSERT_EQ(0, ADD(ST_RECV, 0));
	ASSERT_EQ(0, waiter_start(&w, self->q, 1, NULL));
	SEND(100);
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_EQ(0, REACHES(sent));
	/* ... who sleeps for two by the second */
	ASSERT_EQ(0, waiter_start(&w, self->q, 2, NULL));
	SEND(100);
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	SEND(100);
	/* what kevent_wait() fetches can be one record for all until then */
	for (i = 0; variant->late && i < 100 &&
	     !waiter_done(&w, TEST_SHORT_MS); i++)
		SEND(100);
	n = waiter_result(&w);
	EXPECT_LE(2, n);
	if (!variant->late)
		EXPECT_EQ(2, n);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/* ---- room ---- */

/*
 * N6, N24: the area is full: what is in it stays, nothing is lost, the sender waits,
 * the flag says so.  Given back, it goes on, though the sender sends nothing.
 */
TEST_F(stream, area_full)
{
	__u64 sent = 0;
	int before, n;

	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_ADD, self->fd, ST_RECV,
				 variant->flags, 0, 0, 0, self->s.size));
	do {	/* until nothing of what came meanwhile could be taken */
		sent = fill_pattern(self->peer, 1, sent);
		for (n = 0; flush_ring(self->q) > 0; n++)
			TAKE();
	} while (n);
	EXPECT_GE(self->s.size, self->st.bytes);
	EXPECT_LE(self->s.size / 2, self->st.bytes);
	EXPECT_EQ(1, is_pending(self->q));
	EXPECT_EQ(0, in_ring(self->q));
	EXPECT_LT(0, unread(self->fd));
	EXPECT_EQ(0, is_ready(self->peer, POLLOUT, 0) & POLLOUT);
	/* nothing of that changes by asking */
	before = unread(self->fd);
	EXPECT_EQ(0, flush_ring(self->q));
	EXPECT_EQ(before, unread(self->fd));
	EXPECT_EQ(1, is_pending(self->q));
	/* room for one is room */
	EXPECT_TRUE(release_one(&self->s));
	EXPECT_LE(1, flush_ring(self->q));
	EXPECT_EQ(1, is_pending(self->q));
	self->s.hold = 0;
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_TRUE(release_all(&self->s));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_EQ(0, unread(self->fd));
	EXPECT_TRUE(polls(self->peer, POLLOUT));
	SEND(5000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
}

/* N7: the ring is full, the area is not. */
TEST_F(stream, ring_full)
{
	struct stream_queue s;
	__u64 sent = 0;
	int i;

	ASSERT_EQ(0, stream_queue_init(&s, 4, 64 * KIB));
	ASSERT_EQ(0, add_stream(&s, self->fd, ST_RECV, variant->flags, 0, NULL));
	for (i = 0; i < 4; i++) {
		SEND(8);
		EXPECT_EQ(i + 1, wait_ms(&s.q, i + 1, TEST_LONG_MS));
	}
	/* UNIX would have to be read from to know that there is no more */
	if (variant->family != AF_UNIX)
		EXPECT_EQ(0, is_pending(&s.q));
	for (i = 0; i < 6; i++) {
		SEND(8);
		EXPECT_EQ(1, pending_reaches(&s.q, 1));
		EXPECT_EQ(4, flush_ring(&s.q));
	}
	EXPECT_EQ(48, bytes_reach(self->fd, 48));
	EXPECT_EQ(1, is_pending(&s.q));
	EXPECT_EQ(0, stream_reaches(&s, &self->st, 1, &self->st, sent));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_LT(4U, self->st.pieces);
	EXPECT_QUIET(&s.q);
	stream_queue_exit(&s);
}

/*
 * A program that has not yet got the whole of a message keeps what it has: there is
 * never a time when it has given back all, and still there is room for the rest.
 */
TEST_F(stream, one_always_held)
{
	struct source c2;
	struct stream st[2];
	__u64 sent = 0;
	int i;

	ASSERT_EQ(0, stream_pair(&c2, AF_INET));
	stream_expect(&st[0], 1, 0);
	stream_expect(&st[1], 2, 0);
	self->s.hold = 3;
	ASSERT_EQ(0, ADD(ST_RECV, 0));
	ASSERT_EQ(0, add_stream(&self->s, c2.fd, ST_RECV, 0, 1, NULL));
	for (i = 0; i < 300; i++) {
		struct ukevent ev;

		SEND(1000);
		ASSERT_EQ(0, send_pattern(c2.peer, 2, i * 10, 10));
		/* as stream_reaches(), which gives back all when it has to wait */
		while (st[0].next < sent || st[1].next < 10ULL * (i + 1)) {
			ASSERT_EQ(1, ukevent_dequeue(self->q, &ev, TEST_LONG_MS *
						     NSEC_PER_MSEC))
				TH_LOG("round %d", i);
			stream_record(&self->s, st, 2, &ev);
		}
	}
	EXPECT_STREAM(&st[0], sent);
	EXPECT_STREAM(&st[1], 10 * i);
	source_close(&c2);
}

/* One that is not read does not take the room of others. */
TEST_F(stream, share)
{
	__u32 before, share = self->s.size / 4;
	struct source c2;
	struct stream st[2];
	__u64 sent;
	int i;

	ASSERT_EQ(0, stream_pair(&c2, AF_INET));
	stream_expect(&st[0], 1, 0);
	stream_expect(&st[1], 2, 0);
	ASSERT_EQ(0, ADD(ST_RECV, 0));
	ASSERT_EQ(0, add_stream(&self->s, c2.fd, ST_RECV, 0, 1, NULL));
	sent = fill_pattern(self->peer, 1, 0);
	while (flush_ring(self->q) > 0)
		stream_take(&self->s, st, 2);
	EXPECT_GE(share + 4096, st[0].bytes);
	EXPECT_LE(share - 4096, st[0].bytes);
	EXPECT_EQ(1, is_pending(self->q));
	/* the other one is told at once, as if there were nothing else */
	for (i = 0; i < 8; i++) {
		ASSERT_EQ(0, send_pattern(c2.peer, 2, i * 1000, 1000));
		EXPECT_EQ(1, ring_reaches(self->q, 1));
		EXPECT_EQ(1, stream_take(&self->s, st, 2));
	}
	EXPECT_STREAM(&st[1], 8000);
	/* a larger share, by MODIFY, is more room */
	before = st[0].bytes;
	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_MODIFY, self->fd, ST_RECV,
				 0, 0, 0, 0, 2 * share));
	EXPECT_LT(0, wait_ms(self->q, 1, TEST_LONG_MS));
	stream_take(&self->s, st, 2);
	EXPECT_LT(before, st[0].bytes);
	self->s.hold = 0;
	EXPECT_EQ(0, stream_reaches(&self->s, st, 2, &st[0], sent));
	EXPECT_STREAM(&st[0], sent);
	source_close(&c2);
}

/*
 * Who waits for more records than there is room for the bytes of would wait for
 * ever: he gets what is there.
 */
TEST_F(stream, minimum_without_room)
{
	__u64 sent;
	int n;

	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_ADD, self->fd, ST_RECV,
				 variant->flags, 0, 0, 16384, self->s.size));
	sent = fill_pattern(self->peer, 1, 0);
	n = sys_kevent_wait(self->q->fd, 100, NULL, 0);
	EXPECT_LT(0, n);
	EXPECT_GT(100, n);
	EXPECT_EQ(n, in_ring(self->q));
	EXPECT_LT(0, unread(self->fd));
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/* The same if the room ends while he sleeps. */
TEST_F(stream, minimum_without_room_later)
{
	struct waiter w;
	__u64 sent = 0;

	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_ADD, self->fd, ST_RECV,
				 variant->flags, 0, 0, 16384, self->s.size));
	SEND(100);
	ASSERT_EQ(0, waiter_start(&w, self->q, 100, NULL));
	sent = fill_pattern(self->peer, 1, sent);
	EXPECT_LT(0, waiter_result(&w));
	EXPECT_GT(100, w.ret);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/*
 * N8: a connection that always has more, and 100 that have little: what of the one
 * is told until each of the others was.
 */
TEST_F_TIMEOUT(stream, firehose, 120)
{
	enum { NR = 100, ROUNDS = 10 };
	struct sender t = {
		.fd = self->peer, .seed = 0, .max = 64 * KIB, .total = ~0ULL,
		.no_fin = true,
	};
	struct source c[NR + 1];
	struct stream st[NR + 1];
	__u64 before, gap, max_gap = 0;
	struct stream_queue s;
	int i, round, missing;

	ASSERT_EQ(0, stream_queue_init(&s, 256, 256 * KIB));
	for (i = 1; i <= NR; i++) {
		ASSERT_EQ(0, stream_pair(&c[i], variant->family));
		stream_expect(&st[i], i, 0);
		ASSERT_EQ(0, add_stream(&s, c[i].fd, ST_RECV, variant->flags, i,
					NULL));
	}
	stream_expect(&st[0], 0, 0);
	ASSERT_EQ(0, add_stream(&s, self->fd, ST_RECV, variant->flags, 0, NULL));
	ASSERT_EQ(0, sender_start(&t));
	while (st[0].bytes < 256 * KIB) {
		ASSERT_LT(0, stream_turn(&s, st, NR + 1, TEST_LONG_MS));
	}
	for (round = 0; round < ROUNDS; round++) {
		for (i = 1; i <= NR; i++) {
			ASSERT_EQ(0, send_pattern(c[i].peer, i, 8 * round, 8));
		}
		before = st[0].bytes;
		do {
			ASSERT_LT(0, stream_turn(&s, st, NR + 1, TEST_LONG_MS));
			for (missing = 0, i = 1; i <= NR; i++)
				missing += st[i].next < 8ULL * (round + 1);
		} while (missing);
		gap = st[0].bytes - before;
		if (gap > max_gap)
			max_gap = gap;
	}
	TH_LOG("%llu bytes of the firehose at most until all others were told",
	       (unsigned long long)max_gap);
	/* its share, which may be there already, and a turn or two */
	EXPECT_GE(192ULL * KIB, max_gap);
	sender_stop(&t);
	for (i = 0; i <= NR; i++) {
		EXPECT_STREAM(&st[i], i ? 8ULL * ROUNDS : st[i].next);
	}
	EXPECT_LT(256ULL * KIB, st[0].bytes);
	for (i = 1; i <= NR; i++)
		source_close(&c[i]);
	stream_queue_exit(&s);
}

/* ---- modes ---- */

/* N27: one record, then nothing until ENABLE; the bytes stay where they are. */
TEST_F(stream, dispatch)
{
	__u64 sent = 0;
	int n = 0;

	ASSERT_EQ(0, ADD(ST_RECV, KEVENT_DISPATCH));
	SEND(10000);
	while (self->st.next < sent) {
		EXPECT_EQ(1, wait_ms(self->q, 1, TEST_LONG_MS));
		EXPECT_EQ(1, NOW());
		EXPECT_EQ((int)(sent - self->st.next), unread(self->fd));
		EXPECT_QUIET(self->q);
		ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_ENABLE, self->fd));
		ASSERT_GT(20, n++);
	}
	EXPECT_LE(3, n);
	SEND(10);
	EXPECT_EQ(0, REACHES(sent));
	/* disabled by that */
	SEND(20);
	EXPECT_EQ(20, bytes_reach(self->fd, 20));
	EXPECT_QUIET(self->q);
	EXPECT_EQ(20, recv_pattern(self->fd, 1, sent - 20, 100));
	EXPECT_STREAM(&self->st, sent - 20);
}

/* Ends with the first record; the rest is recv()'s. */
TEST_F(stream, oneshot)
{
	__u64 sent = 0;
	long rest;

	ASSERT_EQ(0, ADD(ST_RECV, KEVENT_ONESHOT | KEVENT_WANT_LAST));
	SEND(10000);
	EXPECT_EQ(1, wait_ms(self->q, 1, TEST_LONG_MS));
	EXPECT_EQ(1, NOW());
	EXPECT_EQ(KEVENT_REC_LAST, self->st.flags);
	EXPECT_EQ(-ENOENT, op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
	rest = sent - self->st.next;
	EXPECT_EQ(rest, bytes_reach(self->fd, rest));
	EXPECT_LE(4096, rest);
	EXPECT_EQ(rest, recv_pattern(self->fd, 1, self->st.next, 20000));
	EXPECT_QUIET(self->q);
	/* over, so that there can be another one */
	stream_expect(&self->st, 1, sent);
	ASSERT_EQ(0, ADD(ST_RECV, 0));
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/* What was received by others meanwhile is a gap in the positions. */
TEST_F(stream, disabled)
{
	__u64 sent = 0;
	int how;

	ASSERT_EQ(0, ADD(ST_RECV, KEVENT_START_DISABLED));
	for (how = 0; how < 3; how++) {
		/* disabled at the start, by DISABLE, by asking for other events */
		if (how == 1)
			ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_DISABLE,
					       self->fd));
		if (how == 2)
			ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_MODIFY,
						 self->fd, ST_RDHUP, 0, 0, 0, 0,
						 0));
		SEND(1000);
		EXPECT_EQ(1000, bytes_reach(self->fd, 1000));
		EXPECT_QUIET(self->q);
		EXPECT_EQ(1000, unread(self->fd));
		EXPECT_EQ(400, recv_pattern(self->fd, 1, self->st.next, 400));
		self->st.next += 400;
		/* what is read by the socket's own recvmsg() counts what was told */
		if (variant->family == AF_UNIX)
			self->st.base += 400;
		if (how < 2) {
			ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_ENABLE,
					       self->fd));
		} else {
			ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_MODIFY,
						 self->fd, ST_RECV, 0, 0, 0, 0,
						 0));
		}
		EXPECT_EQ(0, REACHES(sent)) TH_LOG("case %d", how);
		SEND(10);
		EXPECT_EQ(0, REACHES(sent)) TH_LOG("case %d", how);
	}
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
}

/* Level and edge are the same: nothing is told twice. */
TEST_F(stream, level_and_edge)
{
	__u64 sent = 0;
	int mode;

	for (mode = 0; mode < 2; mode++) {
		ASSERT_EQ(0, ADD(ST_RECV, mode ? KEVENT_EDGE : 0));
		SEND(100);
		EXPECT_EQ(0, REACHES(sent));
		EXPECT_QUIET(self->q);
		EXPECT_QUIET(self->q);
		ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
		stream_expect(&self->st, 1, sent);
	}
}

/* Room to send: at ADD, and after there was none. */
TEST_F(stream, room_to_send)
{
	__u64 sent = 0;

	ASSERT_EQ(0, ADD(ST_RECV | ST_SEND, 0));
	EXPECT_EQ(ST_SEND, EVENTS(ST_SEND));
	EXPECT_QUIET(self->q);
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	self->st.events = 0;
	ASSERT_EQ(0, fill(self->fd, 65536));
	NOW();
	EXPECT_EQ(0U, self->st.events);
	ASSERT_EQ(0, make_room(&self->c));
	EXPECT_EQ(ST_SEND, EVENTS(ST_SEND));
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/* ---- REMOVE ---- */

/* N4: recv() goes on where the last record ended; what was told stays. */
TEST_F(stream, removed)
{
	__u64 sent = 0;
	int round;

	for (round = 0; round < 4; round++) {
		stream_expect(&self->st, 1, sent);
		ASSERT_EQ(0, ADD(ST_RECV, KEVENT_WANT_LAST));
		SEND(1000);
		if (round % 2) {
			EXPECT_EQ(0, REACHES(sent));
		} else {
			EXPECT_EQ(1, wait_ms(self->q, 1, TEST_LONG_MS));
		}
		ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
		SEND(500);
		EXPECT_EQ(500, bytes_reach(self->fd, 500));
		EXPECT_EQ(500, recv_pattern(self->fd, 1, sent - 500, 1000));
		NOW();
		EXPECT_STREAM(&self->st, sent - 500);
		EXPECT_EQ(KEVENT_REC_LAST, self->st.flags);
		EXPECT_QUIET(self->q);
	}
}

/* The bytes are the program's until it gives them back, whatever came after. */
TEST_F(stream, bytes_outlive_the_interest)
{
	struct source c2;
	struct stream st[2];
	__u64 sent = 0, i;

	stream_expect(&st[0], 1, 0);
	stream_expect(&st[1], 2, 0);
	ASSERT_EQ(0, ADD(ST_RECV, 0));
	SEND(3000);
	EXPECT_EQ(1, wait_ms(self->q, 1, TEST_LONG_MS));
	EXPECT_EQ(1, stream_take(&self->s, st, 2));
	ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
	/* another one fills what is left */
	ASSERT_EQ(0, stream_pair(&c2, AF_INET));
	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_ADD, c2.fd, ST_RECV, 0, 1, 0,
				 0, self->s.size));
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, send_pattern(c2.peer, 2, 4000 * i, 4000));
	}
	while (flush_ring(self->q) > 0)
		stream_take(&self->s, st, 2);
	EXPECT_EQ(1, is_pending(self->q));
	EXPECT_TRUE(release_one(&self->s));
	self->s.hold = 0;
	EXPECT_EQ(0, stream_reaches(&self->s, st, 2, &st[1], 4000 * i));
	EXPECT_STREAM(&st[0], 3000);
	EXPECT_STREAM(&st[1], 4000 * i);
	source_close(&c2);
}

/* N21: one in the whole system. */
TEST_F(stream, one_for_a_socket)
{
	struct stream_queue other;
	int copy = dup(self->fd);
	__u64 sent = 0;

	ASSERT_EQ(0, stream_queue_init(&other, 4, 0));
	ASSERT_EQ(0, ADD(ST_RECV, 0));
	EXPECT_EQ(-EEXIST, ADD(ST_RECV, 0));
	EXPECT_EQ(-EBUSY, add_stream(&self->s, copy, ST_RECV, 0, 0, NULL));
	EXPECT_EQ(-EBUSY, add_stream(&other, self->fd, ST_RECV, 0, 0, NULL));
	EXPECT_EQ(-EBUSY, add_stream(&other, copy, ST_RECV, LATE, 0, NULL));
	/* the other end is another socket */
	EXPECT_EQ(0, add_stream(&other, self->peer, ST_RECV, 0, 0, NULL));
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	/* disabled, it is still there */
	ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_DISABLE, self->fd));
	EXPECT_EQ(-EBUSY, add_stream(&other, copy, ST_RECV, 0, 0, NULL));
	ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
	EXPECT_EQ(0, add_stream(&other, copy, ST_RECV, 0, 0, NULL));
	EXPECT_EQ(-EBUSY, ADD(ST_RECV, 0));
	stream_queue_exit(&other);
	/* the end of its queue ends it as well */
	EXPECT_EQ(0, ADD(ST_RECV, 0));
	close(copy);
}

/* Interests in readiness beside it learn of what is left, and of the end. */
TEST_F(stream, beside_readiness)
{
	struct ukevent_queue *q = self->q;
	struct ukevent_queue ready;
	struct ukevent sum;
	__u64 sent = 0;

	ASSERT_EQ(0, queue_init(&ready, 8));
	ASSERT_EQ(0, ADD(ST_RECV | ST_RDHUP, KEVENT_START_DISABLED));
	ASSERT_EQ(0, add_sock(ready.fd, self->fd, SK_RECV | SK_RDHUP, KEVENT_EDGE,
			      5, NULL));
	SEND(100);
	EXPECT_EQ(SK_RECV, collect(&ready, SK_RECV, &sum));
	ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_ENABLE, self->fd));
	EXPECT_EQ(0, REACHES(sent));
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(SK_RDHUP, collect(&ready, SK_RDHUP, &sum) & SK_RDHUP);
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP) & ST_RDHUP);
	EXPECT_STREAM(&self->st, sent);
	EXPECT_EQ(0, in_ring(q));
	ukevent_queue_exit(&ready);
}

/* S9: poll, epoll and io_uring wait for the queue. */
TEST_F(stream, queue_is_pollable)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	struct uring u;
	__u64 sent = 0;
	__u32 flags;
	int ret;

	ASSERT_EQ(0, ADD(ST_RECV, 0));
	ASSERT_EQ(0, epoll_ctl(epfd, EPOLL_CTL_ADD, self->q->fd, &ev));
	EXPECT_EQ(0, is_ready(self->q->fd, POLLIN, 0));
	SEND(10);
	EXPECT_EQ(POLLIN, is_ready(self->q->fd, POLLIN, TEST_LONG_MS));
	EXPECT_EQ(1, epoll_wait(epfd, &ev, 1, TEST_LONG_MS));
	EXPECT_EQ(0, REACHES(sent));
	NOW();
	EXPECT_EQ(0, is_ready(self->q->fd, POLLIN, 0));
	EXPECT_EQ(0, epoll_wait(epfd, &ev, 1, 0));
	close(epfd);

	ret = uring_init(&u);
	if (ret == -ENOSYS || ret == -EPERM)
		SKIP(return, "no io_uring: %s", strerror(-ret));
	ASSERT_EQ(0, ret);
	ASSERT_EQ(1, uring_poll(&u, self->q->fd, 0));
	EXPECT_TRUE(uring_empty(&u));
	SEND(10);
	EXPECT_EQ(POLLIN, uring_next(&u, &flags) & POLLIN);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	close(u.fd);
}

/* N20: this side wants no more; what had been told is told. */
TEST_F(stream, shutdown_of_receiving)
{
	__u64 sent = 0;

	ASSERT_EQ(0, ADD(ST_RECV | ST_RDHUP, 0));
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_RD));
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP) & ST_RDHUP);
	EXPECT_STREAM(&self->st, sent);
	/* the other direction works */
	EXPECT_EQ(5, send(self->fd, "hello", 5, MSG_NOSIGNAL));
	EXPECT_TRUE(polls(self->peer, POLLIN));
	EXPECT_EQ(5, recv_bytes(self->peer, 10));
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(ST_HUP, EVENTS(ST_HUP) & ST_HUP);
	EXPECT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE, self->fd));
}

/* ---- who else receives ---- */

#define MAX_GAPS	200000

struct reader {
	int fd;
	int how;
	int stop;
	long error;
	unsigned char *log;
	size_t len;
	size_t nr_gaps;
	struct {
		__u64 from, to;
	} gaps[MAX_GAPS];
};

enum { RECV, PEEK, WAITALL, SPLICE };

static void note_gap(struct stream *st, __u64 from, __u64 to)
{
	struct reader *r = st->arg;

	if (r->nr_gaps < MAX_GAPS) {
		r->gaps[r->nr_gaps].from = from;
		r->gaps[r->nr_gaps++].to = to;
	}
}

static void *reader_main(void *arg)
{
	static unsigned char junk[4096];
	struct reader *r = arg;
	int p[2] = { -1, -1 };
	ssize_t n = 1;

	if (r->how == SPLICE && pipe2(p, O_CLOEXEC)) {
		r->error = -errno;
		return NULL;
	}
	while (n && !__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE)) {
		if (r->how == RECV)
			n = recv(r->fd, r->log + r->len, 3000, MSG_DONTWAIT);
		else if (r->how == WAITALL)
			n = recv(r->fd, r->log + r->len, 3000, MSG_WAITALL);
		else if (r->how == PEEK)
			n = recv(r->fd, junk, sizeof(junk), MSG_PEEK |
				 MSG_DONTWAIT);
		else
			n = splice(r->fd, NULL, p[1], NULL, 4096,
				   SPLICE_F_NONBLOCK);
		if (n < 0 && errno != EAGAIN)
			break;
		if (n < 0) {
			is_ready(r->fd, POLLIN | POLLRDHUP, 1);
			continue;
		}
		if (r->how == SPLICE && n &&
		    read(p[0], r->log + r->len, n) != n)
			break;
		if (r->how != PEEK)
			r->len += n;
	}
	if (n < 0 && errno != EAGAIN)
		r->error = -errno;
	close(p[0]);
	close(p[1]);
	return NULL;
}

FIXTURE(beside)
{
	struct stream_queue s;
	struct source c;
	struct reader *r;
	struct stream st;
};

FIXTURE_VARIANT(beside)
{
	int family;
	__u32 flags;
	int how;
};

FIXTURE_VARIANT_ADD(beside, tcp_recv) { AF_INET, 0, RECV };
FIXTURE_VARIANT_ADD(beside, tcp_peek) { AF_INET, 0, PEEK };
FIXTURE_VARIANT_ADD(beside, tcp_waitall) { AF_INET, 0, WAITALL };
FIXTURE_VARIANT_ADD(beside, tcp_splice) { AF_INET, 0, SPLICE };
FIXTURE_VARIANT_ADD(beside, late_recv) { AF_INET, LATE, RECV };
FIXTURE_VARIANT_ADD(beside, late_waitall) { AF_INET, LATE, WAITALL };
FIXTURE_VARIANT_ADD(beside, late_splice) { AF_INET6, LATE, SPLICE };

FIXTURE_SETUP(beside)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, variant->family));
	self->r = calloc(1, sizeof(*self->r));
	ASSERT_NE(NULL, self->r);
	self->r->fd = self->c.fd;
	self->r->how = variant->how;
	if (variant->how == WAITALL)
		ASSERT_EQ(0, fcntl(self->c.fd, F_SETFL, 0));
	stream_expect(&self->st, 1, 0);
	self->st.gaps = variant->how != PEEK;
	self->st.gap = note_gap;
	self->st.arg = self->r;
}

FIXTURE_TEARDOWN(beside)
{
	free(self->r);
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

/*
 * N2, N3: each byte goes to one of them, whoever comes first: what the records leave
 * out is what the other one got, in order.
 */
TEST_F_TIMEOUT(beside, partitioned, 120)
{
	struct sender t = {
		.fd = self->c.peer, .seed = 1, .max = 16 * KIB,
		.total = test_loops(2048) * 1024ULL,
	};
	struct stream *st = &self->st;
	struct reader *r = self->r;
	size_t i, at = 0, bad = 0;
	pthread_t thread;

	r->log = malloc(t.total + 8192);
	ASSERT_NE(NULL, r->log);
	ASSERT_EQ(0, add_stream(&self->s, self->c.fd, ST_RECV | ST_RDHUP,
				variant->flags, 0, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, reader_main, r));
	ASSERT_EQ(0, sender_start(&t));
	while (!(st->events & ST_RDHUP) && !st->bad) {
		ASSERT_LT(0, stream_turn(&self->s, st, 1, TEST_LONG_MS));
		/* now and then it does something else, and the area is full */
		if (st->pieces % 32 == 0)
			sleep_ms(1);
	}
	EXPECT_EQ(0, sender_stop(&t));
	__atomic_store_n(&r->stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, r->error);
	if (variant->how == PEEK) {
		EXPECT_STREAM(st, t.total);
		free(r->log);
		return;
	}
	note_gap(st, st->next, t.total);
	EXPECT_EQ(NULL, st->bad) TH_LOG("%s", st->bad);
	ASSERT_GT((size_t)MAX_GAPS, r->nr_gaps);
	EXPECT_EQ(t.total, st->bytes + r->len);
	for (i = 0; i < r->nr_gaps; i++) {
		size_t len = r->gaps[i].to - r->gaps[i].from;

		bad += at + len > r->len ||
		       !pattern_is(r->log + at, 1, r->gaps[i].from, len);
		at += len;
	}
	EXPECT_EQ(0U, bad);
	EXPECT_EQ(r->len, at);
	TH_LOG("%llu bytes told, %zu to the other one in %zu runs",
	       (unsigned long long)st->bytes, r->len, r->nr_gaps);
	free(r->log);
}

TEST_HARNESS_MAIN
