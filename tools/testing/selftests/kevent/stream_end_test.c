// SPDX-License-Identifier: GPL-2.0
/*
 * STREAM: the end.  Of the stream: after all bytes.  Of the interest: not a byte is
 * taken after REMOVE or DISABLE has returned, nor written to the area.  Of the file,
 * the queue, the process and the network namespace, with data under way.
 */
#include "stream_test.h"

#define LATE	KEVENT_LATE
#define LAST	KEVENT_REC_LAST

FIXTURE(end)
{
	struct stream_queue s;
	struct source c;
	struct stream st;	/* what peer sends to fd */
	struct ukevent_queue *q;
	int fd;
	int peer;
};

FIXTURE_VARIANT(end)
{
	int family;
	__u32 flags;
	bool plain;	/* told as it arrives */
};

FIXTURE_VARIANT_ADD(end, tcp4) { AF_INET, 0, true };
FIXTURE_VARIANT_ADD(end, tcp6) { AF_INET6, 0, true };
FIXTURE_VARIANT_ADD(end, tcp4_late) { AF_INET, LATE, false };
FIXTURE_VARIANT_ADD(end, unix) { AF_UNIX, 0, false };

FIXTURE_SETUP(end)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, variant->family));
	stream_expect(&self->st, 1, 0);
	self->q = &self->s.q;
	self->fd = self->c.fd;
	self->peer = self->c.peer;
}

FIXTURE_TEARDOWN(end)
{
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

#define ADD(events, more) \
	add_stream(&self->s, self->fd, events, variant->flags | (more), 0, NULL)

static void close_fd(struct source *c)
{
	close(c->fd);
	c->fd = -1;
}

/* ---- of the stream ---- */

/* N9: more than the area holds, then FIN: the end comes after the last byte. */
TEST_F(end, fin_after_all)
{
	__u64 sent;

	ASSERT_EQ(0, ADD(ST_RECV | ST_RDHUP, 0));
	sent = fill_pattern(self->peer, 1, 0);
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	/* what is there now is full of bytes, and says nothing of the end */
	EXPECT_LT(0, flush_ring(self->q));
	TAKE();
	EXPECT_EQ(0U, self->st.events);
	EXPECT_GT(sent, self->st.next);
	EXPECT_EQ(0, flush_ring(self->q));
	self->s.hold = 0;
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP) & ST_RDHUP);
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
}

/* FIN alone, and with bytes, and to one that did not ask for it. */
TEST_F(end, fin)
{
	__u64 sent = 0;

	ASSERT_EQ(0, ADD(ST_RECV | ST_RDHUP, 0));
	SEND(100);
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
	/* both directions */
	ASSERT_EQ(0, shutdown(self->fd, SHUT_WR));
	EXPECT_EQ(ST_HUP, EVENTS(ST_HUP) & ST_HUP);
	EXPECT_STREAM(&self->st, sent);
}

/* It was over before. */
TEST_F(end, fin_before_add)
{
	__u64 sent = 0;

	SEND(10000);
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_TRUE(polls(self->fd, POLLRDHUP));
	ASSERT_EQ(0, ADD(ST_RECV | ST_RDHUP, 0));
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
}

/* Who has not asked for bytes is told of the end when somebody has received them. */
TEST_F(end, without_recv)
{
	__u64 sent = 0;

	ASSERT_EQ(0, ADD(ST_RDHUP, 0));
	SEND(1000);
	EXPECT_EQ(1000, bytes_reach(self->fd, 1000));
	EXPECT_QUIET(self->q);
	ASSERT_EQ(0, shutdown(self->peer, SHUT_WR));
	EXPECT_TRUE(polls(self->fd, POLLRDHUP));
	EXPECT_QUIET(self->q);
	EXPECT_EQ(1000, recv_pattern(self->fd, 1, 0, 2000));
	ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_ENABLE, self->fd));
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP));
	EXPECT_STREAM(&self->st, 0);
}

/* N9: a reset: first what had been received, then the error. */
TEST_F(end, reset_after_all)
{
	struct linger l = { 1, 0 };
	__u64 sent = 0;
	__u32 told;

	/* a share of the area, and as much in the socket */
	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_ADD, self->fd,
				 ST_RECV | ST_RDHUP, variant->flags, 0, 0, 0,
				 8192));
	SEND(8192);
	while (self->st.next < sent && wait_ms(self->q, 1, TEST_LONG_MS) > 0)
		TAKE();
	SEND(8192);
	EXPECT_EQ(8192, bytes_reach(self->fd, 8192));
	ASSERT_EQ(0, setsockopt(self->peer, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	/* a UNIX socket that is closed with unread data resets the other */
	if (variant->family == AF_UNIX)
		ASSERT_EQ(1, send(self->fd, "x", 1, 0));
	close_peer(&self->c);
	EXPECT_TRUE(polls(self->fd, POLLHUP));
	EXPECT_EQ(0, flush_ring(self->q));
	EXPECT_EQ(8192, unread(self->fd));
	self->s.hold = 0;
	EXPECT_TRUE(release_all(&self->s));
	told = EVENTS(ST_ERROR | ST_HUP);
	EXPECT_EQ(ST_ERROR | ST_HUP, told & (ST_ERROR | ST_HUP));
	EXPECT_EQ((__u64)ECONNRESET, self->st.error);
	EXPECT_STREAM(&self->st, sent);
}

/* ---- of the interest ---- */

enum { BY_REMOVE, BY_DISABLE, BY_EVENTS, BY_ID, NR_WAYS };

static int stop_by(struct stream_queue *s, int fd, __u64 id, int way)
{
	int ret;

	switch (way) {
	case BY_REMOVE:
		return op_stream_retry(s, KEVENT_OP_REMOVE, fd);
	case BY_DISABLE:
		return op_stream_retry(s, KEVENT_OP_DISABLE, fd);
	case BY_ID:
		while ((ret = op_stream_id(s, KEVENT_OP_REMOVE, id)) == -EBUSY)
			sched_yield();
		return ret;
	default:
		while ((ret = tune_stream(s, KEVENT_OP_MODIFY, fd, ST_RDHUP, 0,
					  0, 0, 0, 0)) == -EBUSY)
			sched_yield();
		return ret;
	}
}

static size_t painted(const struct stream_queue *s)
{
	size_t i;

	for (i = 0; i < s->size && s->area[i] == 0xa5; i++)
		;
	return i;
}

/*
 *   main      stops the interest, while they come, paints the area, lets more come
 *   sender    sends without end
 *
 * N5: when it has returned no byte is taken, and nothing written to the area.  The
 * next one to be received by recv() is the one after the last record's.
 */
TEST_F_TIMEOUT(end, stop_storm, 180)
{
	struct sender t = {
		.fd = self->peer, .seed = 1, .max = 3000, .total = ~0ULL,
		.no_fin = true,
	};
	int i, way, n, loops = test_loops(200);
	__u64 start = now_ns(CLOCK_MONOTONIC), id;
	struct stream *st = &self->st;
	__u32 state = 7, producer;
	long taken;

	ASSERT_EQ(0, sender_start(&t));
	for (i = 0; i < loops && !test_loops_done(start, 60); i++) {
		way = i % NR_WAYS;
		stream_expect(st, 1, st->next);
		ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV,
					variant->flags, 0, &id));
		for (n = random_next(&state) % 20; n; n--) {
			ASSERT_LE(0, stream_turn(&self->s, st, 1, 100));
		}
		/* in the midst of it */
		for (n = random_next(&state) % 2000; n; n--)
			__asm__ volatile("" ::: "memory");
		ASSERT_EQ(0, stop_by(&self->s, self->fd, id, way));
		producer = producer_index(self->q);
		stream_now(&self->s, st, 1);
		ASSERT_TRUE(release_all(&self->s));
		EXPECT_EQ(producer, producer_index(self->q));
		memset(self->s.area, 0xa5, self->s.size);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		/*
		 * More of them come, as somebody makes room by recv(), whose they
		 * are, and a call has nothing to fetch.
		 */
		for (n = 0; n < 6; n++) {
			taken = recv_pattern(self->fd, 1, st->next, 200000);
			ASSERT_LE(0, taken) TH_LOG("round %d, way %d", i, way);
			st->next += taken;
			is_ready(self->fd, POLLIN, 1);
		}
		EXPECT_EQ(0, flush_ring(self->q));
		EXPECT_EQ(producer, producer_index(self->q));
		ASSERT_EQ(self->s.size, painted(&self->s))
			TH_LOG("round %d, way %d", i, way);
		ASSERT_EQ(NULL, st->bad) TH_LOG("round %d, way %d: %s at %llu", i,
						way, st->bad,
						(unsigned long long)st->at);
		if (way == BY_DISABLE || way == BY_EVENTS)
			ASSERT_EQ(0, op_stream(&self->s, KEVENT_OP_REMOVE,
					       self->fd));
	}
	__atomic_store_n(&t.stop, 1, __ATOMIC_RELEASE);
	EXPECT_EQ(0, sender_stop(&t));
	/* and the rest is there as well */
	EXPECT_EQ((long)(t.sent - st->next),
		  recv_pattern_all(self->fd, 1, st->next, t.sent - st->next));
	TH_LOG("%d rounds, %llu bytes", i, (unsigned long long)t.sent);
}

/* ENABLE and DISABLE by another thread: at the end nothing is missing. */
struct toggler {
	struct stream_queue *s;
	int fd;
	int stop;
	int error;
};

static void *toggle_main(void *arg)
{
	struct toggler *t = arg;
	int ret;

	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE)) {
		ret = op_stream_retry(t->s, KEVENT_OP_DISABLE, t->fd);
		sched_yield();
		if (!ret)
			ret = op_stream_retry(t->s, KEVENT_OP_ENABLE, t->fd);
		if (ret)
			t->error = ret;
		sched_yield();
	}
	return NULL;
}

TEST_F_TIMEOUT(end, toggle_storm, 120)
{
	struct sender s = {
		.fd = self->peer, .seed = 1, .max = 8000,
		.total = test_loops(1024) * 1024ULL,
	};
	struct toggler t = { .s = &self->s, .fd = self->fd };
	pthread_t thread;

	ASSERT_EQ(0, ADD(ST_RECV | ST_RDHUP, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, toggle_main, &t));
	ASSERT_EQ(0, sender_start(&s));
	EXPECT_EQ(0, REACHES(s.total));
	__atomic_store_n(&t.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, t.error);
	EXPECT_EQ(ST_RDHUP, EVENTS(ST_RDHUP) & ST_RDHUP);
	EXPECT_EQ(0, sender_stop(&s));
	EXPECT_STREAM(&self->st, s.total);
}

/* ---- of the file ---- */

/* N10: the last close with data under way: HUP and LAST after what was told. */
TEST_F_TIMEOUT(end, close_storm, 120)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, n, loops = test_loops(150);
	struct stream *st = &self->st;
	__u32 state = 5;

	for (i = 0; i < loops && !test_loops_done(start, 60); i++) {
		struct sender t = {
			.seed = i, .max = 3000, .total = ~0ULL, .no_fin = true,
		};
		struct source c;

		ASSERT_EQ(0, stream_pair(&c, variant->family));
		t.fd = c.peer;
		stream_expect(st, i, 0);
		ASSERT_EQ(0, add_stream(&self->s, c.fd, ST_RECV, KEVENT_WANT_LAST |
					variant->flags, 0, NULL));
		ASSERT_EQ(0, sender_start(&t));
		for (n = random_next(&state) % 20; n; n--) {
			ASSERT_LT(0, stream_turn(&self->s, st, 1, TEST_LONG_MS));
		}
		close_fd(&c);
		while (!(st->flags & LAST) && !st->bad) {
			ASSERT_LT(0, stream_turn(&self->s, st, 1, TEST_LONG_MS))
				TH_LOG("round %d", i);
		}
		EXPECT_EQ(ST_HUP, st->events & ST_HUP);
		EXPECT_STREAM(st, st->next);
		/* nobody receives any more */
		sender_stop(&t);
		EXPECT_GE(t.sent, st->next);
		ASSERT_TRUE(release_all(&self->s));
		source_close(&c);
		EXPECT_QUIET(self->q);
	}
}

/* A copy keeps the connection, and by its id the interest is in reach. */
TEST_F(end, dup_keeps)
{
	int copy = dup(self->fd);
	__u64 sent = 0, id;

	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, KEVENT_WANT_LAST |
				variant->flags, 0, &id));
	SEND(100);
	close_fd(&self->c);
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_EQ(0, op_stream_id(&self->s, KEVENT_OP_DISABLE, id));
	SEND(100);
	EXPECT_EQ(100, bytes_reach(copy, 100));
	EXPECT_QUIET(self->q);
	EXPECT_EQ(0, op_stream_id(&self->s, KEVENT_OP_ENABLE, id));
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	close(copy);
	EXPECT_EQ(ST_HUP, EVENTS(ST_HUP));
	EXPECT_EQ(LAST, self->st.flags);
	EXPECT_QUIET(self->q);
}

/* The connection is not kept open by being watched. */
TEST_F(end, peer_notices_close)
{
	__u64 sent = 0;

	ASSERT_EQ(0, ADD(ST_RECV, KEVENT_WANT_LAST));
	SEND(100);
	EXPECT_EQ(0, REACHES(sent));
	close_fd(&self->c);
	EXPECT_TRUE(polls(self->peer, POLLRDHUP));
	EXPECT_EQ(ST_HUP, EVENTS(ST_HUP));
	EXPECT_QUIET(self->q);
}

/* N26: the descriptor goes to another process, and is closed here. */
TEST_F(end, passed_on)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char c;
	struct iovec iov = { &c, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = u.buf, .msg_controllen = sizeof(u.buf),
	};
	int sv[2], go[2];
	__u64 sent = 0;
	pid_t pid;

	ASSERT_EQ(0, ADD(ST_RECV, KEVENT_WANT_LAST));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	if (!pid) {
		close(self->fd);
		close(go[1]);
		if (recvmsg(sv[1], &msg, 0) != 1)
			_exit(9);
		read(go[0], &c, 1);
		_exit(0);
	}
	close(go[0]);
	ASSERT_EQ(0, send_fd(sv[0], self->fd));
	close_fd(&self->c);
	close(sv[0]);
	close(sv[1]);
	SEND(1000);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_EQ(0U, self->st.events);
	close(go[1]);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(ST_HUP, EVENTS(ST_HUP));
	EXPECT_EQ(LAST, self->st.flags);
}

/* ---- of the queue ---- */

/*
 * N10: the queue goes while bytes come; what was not taken is recv()'s.  What was
 * taken and not read is gone with the queue.
 */
TEST_F_TIMEOUT(end, queue_close_storm, 120)
{
	struct sender t = {
		.fd = self->peer, .seed = 1, .max = 3000, .total = ~0ULL,
		.no_fin = true,
	};
	__u64 start = now_ns(CLOCK_MONOTONIC), pos = 0, before;
	int i, n, loops = test_loops(200);
	struct stream *st = &self->st;
	__u32 state = 3;
	long taken;

	ASSERT_EQ(0, sender_start(&t));
	for (i = 0; i < loops && !test_loops_done(start, 60); i++) {
		struct stream_queue s;

		ASSERT_EQ(0, stream_queue_init(&s, 16, 64 * KIB));
		stream_expect(st, 1, pos);
		ASSERT_EQ(0, add_stream(&s, self->fd, ST_RECV, variant->flags, 0,
					NULL));
		for (n = random_next(&state) % 8; n; n--) {
			ASSERT_LE(0, stream_turn(&s, st, 1, 100));
		}
		ASSERT_EQ(NULL, st->bad) TH_LOG("round %d: %s", i, st->bad);
		/* disabled first, so that it is known what was taken */
		if (i % 2) {
			ASSERT_EQ(0, op_stream_retry(&s, KEVENT_OP_DISABLE,
						     self->fd));
			stream_now(&s, st, 1);
			ASSERT_TRUE(release_all(&s));
		}
		stream_queue_exit(&s);
		before = pos = st->next;
		if (i % 2 == 0) {
			/* lost with the queue: find the place by what comes */
			unsigned char some[16];

			ASSERT_TRUE(polls(self->fd, POLLIN));
			while (unread(self->fd) < 16)
				sched_yield();
			ASSERT_EQ(16, recv(self->fd, some, 16, 0));
			while (!pattern_is(some, 1, pos, 16) &&
			       pos < before + 64 * KIB)
				pos++;
			ASSERT_TRUE(pattern_is(some, 1, pos, 16))
				TH_LOG("round %d, at %llu", i,
				       (unsigned long long)before);
			pos += 16;
		}
		taken = recv_pattern(self->fd, 1, pos, 2000);
		ASSERT_LE(0, taken) TH_LOG("round %d", i);
		pos += taken;
	}
	EXPECT_EQ(0, sender_stop(&t));
}

/* ---- of the process ---- */

/* A child that has a queue with the socket, and exits, or executes something. */
TEST_F(end, exit_and_exec)
{
	struct stream_queue s;
	__u64 sent = 0;
	int how;
	pid_t pid;

	for (how = 0; how < 2; how++) {
		pid = fork();
		if (!pid) {
			struct stream st;

			stream_expect(&st, 1, sent);
			if (stream_queue_init(&s, 16, 0) ||
			    add_stream(&s, self->fd, ST_RECV, variant->flags, 0,
				       NULL))
				_exit(1);
			if (stream_reaches(&s, &st, 1, &st, sent + 1000))
				_exit(2);
			/* says how it is used, which is no success */
			if (how)
				execl("/proc/self/exe", "stream_end_test", "-h",
				      NULL);
			_exit(0);
		}
		SEND(1000);
		ASSERT_EQ(how ? KSFT_SKIP : 0, child_status(pid));
		/* the socket is free, and goes on where it was */
		SEND(500);
		EXPECT_EQ(500, recv_pattern_all(self->fd, 1, sent - 500, 500));
		EXPECT_QUIET(self->q);
	}
	stream_expect(&self->st, 1, sent);
	EXPECT_EQ(0, ADD(ST_RECV, 0));
	SEND(10);
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
}

/* ---- of the network namespace ---- */

/*
 * N29: a child makes a connection in a namespace of its own, adds it to the parent's
 * queue and dies, with the namespace.
 */
TEST_F(end, network_namespace)
{
	struct stream *st = &self->st;
	struct source c;
	__u64 sent;
	pid_t pid;
	int i;

	pid = fork();
	if (!pid)
		_exit(unshare(CLONE_NEWNET) ? errno : 0);
	if (child_status(pid) == EINVAL)
		SKIP(return, "no network namespaces (CONFIG_NET_NS)");
	for (i = 0; i < 5; i++) {
		stream_expect(st, 5, 0);
		pid = fork();
		if (!pid) {
			if (unshare(CLONE_NEWNET))
				_exit(1);
			if (stream_pair(&c, variant->family))
				_exit(2);
			if (add_stream(&self->s, c.fd, ST_RECV, KEVENT_WANT_LAST |
				       variant->flags, 0, NULL))
				_exit(3);
			if (send_pattern(c.peer, 5, 0, 3000))
				_exit(4);
			/* with more that is not told in time; the parent takes it */
			for (sent = 3000; sent < 400000; sent += 3000)
				if (send_pattern(c.peer, 5, sent, 3000))
					break;
			_exit(0);
		}
		while (!(st->flags & LAST) && !st->bad) {
			ASSERT_LT(0, stream_turn(&self->s, st, 1, TEST_LONG_MS));
		}
		ASSERT_EQ(0, child_status(pid));
		EXPECT_EQ(ST_HUP, st->events & ST_HUP);
		EXPECT_STREAM(st, st->next);
		if (variant->plain)
			EXPECT_LE(3000ULL, st->next);
	}
	EXPECT_QUIET(self->q);
}

TEST_HARNESS_MAIN
