// SPDX-License-Identifier: GPL-2.0
/*
 * STREAM and programs that mean no good: any value in the release index and all else of
 * the writable page, sockets that somebody owns for ever.  It costs their own queue
 * its bytes, and nobody anything.
 */
#include "stream_test.h"
#include "stall_test.h"
#include <sys/prctl.h>

#define LATE	KEVENT_LATE

FIXTURE(wild)
{
	struct stream_queue s;
	struct source c;
	struct stream st;
	struct ukevent_queue *q;
	int fd;
	int peer;
};

FIXTURE_VARIANT(wild)
{
	int family;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(wild, tcp4) { AF_INET, 0 };
FIXTURE_VARIANT_ADD(wild, tcp4_late) { AF_INET, LATE };
FIXTURE_VARIANT_ADD(wild, unix) { AF_UNIX, 0 };

FIXTURE_SETUP(wild)
{
	ASSERT_EQ(0, stream_queue_init(&self->s, 128, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, variant->family));
	stream_expect(&self->st, 1, 0);
	self->q = &self->s.q;
	self->fd = self->c.fd;
	self->peer = self->c.peer;
}

FIXTURE_TEARDOWN(wild)
{
	source_close(&self->c);
	stream_queue_exit(&self->s);
}

/*
 * N11: the area is full, and the program says that it has given back what it has not,
 * or what there is not: nothing is overwritten, nothing is told.  Relative to the
 * newest piece's end, of which up to the area's size before would be right.
 */
TEST_F(wild, release_index)
{
	const __u32 units = self->s.size / UNIT;
	const __u32 wild[] = {
		1, 2, 63, 64, units - 1, units, units + 1, 2 * units, 0x7fffffff,
		0x80000000, 0x80000001, -2 * units, -units - 1, -4 * units,
		0xffff0000, 0x12345678,
	};
	__u32 before = 0, producer;
	__u64 sent;
	size_t i;
	int n;

	ASSERT_EQ(0, tune_stream(&self->s, KEVENT_OP_ADD, self->fd, ST_RECV,
				 variant->flags, 0, 0, 0, self->s.size));
	sent = fill_pattern(self->peer, 1, 0);
	for (n = 0; n < 4; n++) {
		flush_ring(self->q);
		TAKE();
	}
	ASSERT_EQ(1, is_pending(self->q));
	before = __atomic_load_n(self->s.release, __ATOMIC_RELAXED);
	producer = producer_index(self->q);
	for (i = 0; i < ARRAY_SIZE(wild); i++) {
		release_to(&self->s, self->s.end + wild[i]);
		EXPECT_EQ(0, flush_ring(self->q)) TH_LOG("case %zu", i);
		/* and with a peer that goes on */
		sent = fill_pattern(self->peer, 1, sent);
		EXPECT_EQ(0, flush_ring(self->q)) TH_LOG("case %zu", i);
		EXPECT_EQ(1, is_pending(self->q)) TH_LOG("case %zu", i);
	}
	EXPECT_EQ(producer, producer_index(self->q));
	/* put right, all is as it was */
	release_to(&self->s, before);
	EXPECT_EQ(0, flush_ring(self->q));
	EXPECT_TRUE(release_all(&self->s));
	self->s.hold = 0;
	EXPECT_EQ(0, REACHES(sent));
	EXPECT_STREAM(&self->st, sent);
	EXPECT_QUIET(self->q);
}

/* An index that goes back gives nothing back, and takes nothing. */
TEST_F(wild, release_goes_back)
{
	__u64 sent = 0;
	__u32 last;
	int i;

	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, variant->flags, 0,
				NULL));
	for (i = 0; i < 200; i++) {
		SEND(3000);
		EXPECT_EQ(0, REACHES(sent));
		last = __atomic_load_n(self->s.release, __ATOMIC_RELAXED);
		release_to(&self->s, last - 1 - i * 7);
		flush_ring(self->q);
		release_to(&self->s, last);
	}
	EXPECT_STREAM(&self->st, sent);
}

struct scribbler {
	struct stream_queue *s;
	int stop;
};

static void *scribble_main(void *arg)
{
	struct scribbler *t = arg;
	struct ukevent_queue *q = &t->s->q;
	__u32 *page = q->consumer_map, state = 1;
	size_t i;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		for (i = 0; i < q->consumer_size / 4; i++)
			__atomic_store_n(&page[i], random_next(&state),
					 __ATOMIC_RELAXED);
		/* and values that may be right */
		for (i = 0; i < 300; i++) {
			__atomic_store_n(q->consumer, producer_index(q) -
					 random_next(&state) % 4, __ATOMIC_RELAXED);
			__atomic_store_n(t->s->release, random_next(&state) %
					 (4 * t->s->size / UNIT), __ATOMIC_RELAXED);
		}
	}
	return NULL;
}

/*
 *   scribbler  writes anything anywhere in the writable page, and in the area
 *   sender     sends without end
 *   main       calls
 *
 * Nothing to see but that calls return, that another queue is not touched, and that
 * a new one works afterwards.  The runner looks for complaints in the log.
 */
TEST_F_TIMEOUT(wild, scribbled, 120)
{
	struct sender t = {
		.fd = self->peer, .seed = 1, .max = 9000, .total = ~0ULL,
		.no_fin = true,
	};
	struct kevent_wait_args args = {
		.flags = KEVENT_WAIT_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.timeout_ns = NSEC_PER_MSEC,
	};
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct scribbler scribbler = { .s = &self->s };
	int i, ret, loops = test_loops(3000);
	struct stream_queue other;
	struct source c2;
	struct stream st;
	pthread_t thread;
	__u64 pos = 0;

	ASSERT_EQ(0, stream_queue_init(&other, 16, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&c2, AF_INET));
	stream_expect(&st, 2, 0);
	ASSERT_EQ(0, add_stream(&other, c2.fd, ST_RECV, 0, 0, NULL));
	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, variant->flags, 0,
				NULL));
	ASSERT_EQ(0, sender_start(&t));
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble_main, &scribbler));
	for (i = 0; i < loops && !test_loops_done(start, 20); i++) {
		ret = sys_kevent_wait(self->q->fd, i % 129, &args, 72);
		EXPECT_LE(0, ret);
		EXPECT_GE(128, ret);
		memset(self->s.area + i * 64 % (self->s.size - 4096), i, 4096);
		if (i % 16 == 0) {
			EXPECT_EQ(0, op_stream_retry(&self->s, KEVENT_OP_REMOVE,
						     self->fd));
			/* somebody must read, or there is nothing to tell */
			recv_all(self->fd);
			EXPECT_EQ(0, add_stream(&self->s, self->fd, ST_RECV,
						variant->flags, 0, NULL));
		}
		if (i % 64 == 0) {
			ASSERT_EQ(0, send_pattern(c2.peer, 2, pos, 500));
			pos += 500;
			EXPECT_EQ(0, stream_reaches(&other, &st, 1, &st, pos));
		}
	}
	__atomic_store_n(&scribbler.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_STREAM(&st, pos);
	EXPECT_EQ(0, op_stream_retry(&self->s, KEVENT_OP_REMOVE, self->fd));
	EXPECT_EQ(0, sender_stop(&t));
	do {
		recv_all(self->fd);
	} while (unsent(self->peer) > 0 || unread(self->fd) > 0);
	/* another queue takes the socket */
	stream_expect(&st, 3, 0);
	ASSERT_EQ(0, op_stream(&other, KEVENT_OP_REMOVE, c2.fd));
	ASSERT_EQ(0, add_stream(&other, self->fd, ST_RECV, variant->flags, 0, NULL));
	ASSERT_EQ(0, send_pattern(self->peer, 3, 0, 5000));
	EXPECT_EQ(0, stream_reaches(&other, &st, 1, &st, 5000));
	EXPECT_STREAM(&st, 5000);
	source_close(&c2);
	stream_queue_exit(&other);
}

/*
 * The kernel goes by its own position alone: what a program makes of its index and of
 * the bytes does not change what is told next.
 */
TEST_F(wild, consumer_index)
{
	__u32 producer, state = 9;
	__u64 sent = 0;
	int i;

	ASSERT_EQ(0, add_stream(&self->s, self->fd, ST_RECV, variant->flags, 0,
				NULL));
	for (i = 0; i < 100; i++) {
		SEND(100);
		EXPECT_EQ(1, wait_ms(self->q, 1, TEST_LONG_MS));
		producer = producer_index(self->q);
		/* out of the 0 to 128 that could be */
		__atomic_store_n(self->q->consumer, producer + 1 +
				 random_next(&state) % 0x7fffff00,
				 __ATOMIC_SEQ_CST);
		EXPECT_EQ(1, wait_ms(self->q, 1, TEST_LONG_MS));
		EXPECT_EQ(producer, producer_index(self->q));
		__atomic_store_n(self->q->consumer, self->q->head,
				 __ATOMIC_SEQ_CST);
		EXPECT_EQ(0, REACHES(sent));
	}
	EXPECT_STREAM(&self->st, sent);
}

/* ---- who owns a socket for ever ---- */

struct owner {
	int fd;
	char *from;
	ssize_t n;
	int error;
	pthread_t thread;
};

static void *owner_main(void *arg)
{
	struct owner *o = arg;

	o->n = send(o->fd, o->from, 64, MSG_NOSIGNAL);
	o->error = errno;
	return NULL;
}

FIXTURE(owned)
{
	struct stream_queue s;
	struct source c;		/* is owned */
	struct source other;
	struct stall_page stall;
	struct owner o;
	struct stream st[2];
	__u64 id;
};

FIXTURE_VARIANT(owned)
{
	__u32 flags;
};

FIXTURE_VARIANT_ADD(owned, at_once) { 0 };
FIXTURE_VARIANT_ADD(owned, late) { LATE };

/*
 * N18: a thread sends from a page that is missing: it stands still in sendmsg(), with
 * the socket.
 */
FIXTURE_SETUP(owned)
{
	int ret = stall_open(&self->stall);

	if (ret == -ENOSYS || ret == -EPERM)
		SKIP(return, "userfaultfd: %s (CONFIG_USERFAULTFD?)",
		     strerror(-ret));
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, stream_queue_init(&self->s, 64, 64 * KIB));
	ASSERT_EQ(0, stream_pair(&self->c, AF_INET));
	ASSERT_EQ(0, stream_pair(&self->other, AF_INET));
	stream_expect(&self->st[0], 1, 0);
	stream_expect(&self->st[1], 2, 0);
	self->o.fd = self->c.fd;
	self->o.from = self->stall.page;
}

FIXTURE_TEARDOWN(owned)
{
	if (!self->stall.page)
		return;
	source_close(&self->c);
	source_close(&self->other);
	stream_queue_exit(&self->s);
	stall_close(&self->stall);
}

static int own(FIXTURE_DATA(owned) * self)
{
	return -pthread_create(&self->o.thread, NULL, owner_main, &self->o) ?:
	       stall_reached(&self->stall);
}

static int disown(FIXTURE_DATA(owned) * self)
{
	char page[8192] = {};
	int ret = stall_end(&self->stall, page);

	pthread_join(self->o.thread, NULL);
	return ret ?: self->o.n == 64 ? 0 : -self->o.error;
}

/*
 * Whoever waited for the owner would make the test run into its time limit: other
 * interests are told, calls return, sleepers are woken, changes are made.
 */
TEST_F(owned, others_go_on)
{
	struct stream_queue *s = &self->s;
	struct waiter w;
	int i;

	ASSERT_EQ(0, add_stream(s, self->c.fd, ST_RECV, variant->flags |
				KEVENT_WANT_LAST, 0, &self->id));
	ASSERT_EQ(0, own(self));
	/* this waits for its owner, and is to be asked by the next call */
	ASSERT_EQ(0, send_pattern(self->c.peer, 1, 0, 1000));
	ASSERT_EQ(0, op_stream(s, KEVENT_OP_ENABLE, self->c.fd));
	EXPECT_EQ(0, flush_ring(&s->q));
	ASSERT_EQ(0, add_stream(s, self->other.fd, ST_RECV, variant->flags, 1,
				NULL));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, send_pattern(self->other.peer, 2, 500 * i, 500));
		EXPECT_EQ(0, stream_reaches(s, self->st, 2, &self->st[1],
					    500 * (i + 1)));
		EXPECT_EQ(0, flush_ring(&s->q));
	}
	ASSERT_EQ(0, waiter_start(&w, &s->q, 1, NULL));
	/* more of it comes: no reason to wake anybody for long */
	ASSERT_EQ(0, send_pattern(self->c.peer, 1, 1000, 1000));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, send_pattern(self->other.peer, 2, 5000, 500));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_EQ(0, stream_reaches(s, self->st, 2, &self->st[1], 5500));
	EXPECT_STREAM(&self->st[1], 5500);
	/* nothing of it was told, and all of it is when it is free */
	EXPECT_EQ(0ULL, self->st[0].bytes);
	EXPECT_EQ(0, disown(self));
	EXPECT_EQ(0, stream_reaches(s, self->st, 2, &self->st[0], 2000));
	EXPECT_STREAM(&self->st[0], 2000);
}

/* A sleeper needs nobody else to be woken when the owner is done. */
TEST_F(owned, woken_afterwards)
{
	struct stream_queue *s = &self->s;
	struct waiter w;

	ASSERT_EQ(0, add_stream(s, self->c.fd, ST_RECV, variant->flags, 0, NULL));
	ASSERT_EQ(0, own(self));
	ASSERT_EQ(0, send_pattern(self->c.peer, 1, 0, 1000));
	ASSERT_EQ(0, op_stream(s, KEVENT_OP_ENABLE, self->c.fd));
	ASSERT_EQ(0, waiter_start(&w, &s->q, 1, NULL));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	/* it spins neither */
	EXPECT_EQ(0, task_asleep(w.tid));
	EXPECT_EQ(0, disown(self));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_EQ(0, stream_reaches(s, self->st, 2, &self->st[0], 1000));
	EXPECT_STREAM(&self->st[0], 1000);
}

/* Each change to it returns, and means what it does. */
TEST_F(owned, changes)
{
	struct stream_queue *s = &self->s;
	int fd = self->c.fd;

	ASSERT_EQ(0, own(self));
	EXPECT_EQ(0, add_stream(s, fd, ST_RECV, variant->flags, 0, NULL));
	ASSERT_EQ(0, send_pattern(self->c.peer, 1, 0, 1000));
	EXPECT_EQ(0, flush_ring(&s->q));
	EXPECT_EQ(0, op_stream(s, KEVENT_OP_DISABLE, fd));
	EXPECT_EQ(0, op_stream(s, KEVENT_OP_ENABLE, fd));
	EXPECT_EQ(0, flush_ring(&s->q));
	EXPECT_EQ(0, tune_stream(s, KEVENT_OP_MODIFY, fd, ST_RECV | ST_RDHUP, 0,
				 0, 0, 0, 0));
	EXPECT_EQ(0, op_stream(s, KEVENT_OP_REMOVE, fd));
	EXPECT_EQ(-ENOENT, op_stream(s, KEVENT_OP_REMOVE, fd));
	EXPECT_EQ(0, add_stream(s, fd, ST_RECV, variant->flags, 0, NULL));
	EXPECT_EQ(0, flush_ring(&s->q));
	EXPECT_EQ(0, op_stream(s, KEVENT_OP_REMOVE, fd));
	EXPECT_EQ(0, disown(self));
	/* all that came is recv()'s */
	EXPECT_EQ(1000, recv_pattern_all(fd, 1, 0, 1000));
	EXPECT_QUIET(&s->q);
}

/* The queue can go. */
TEST_F(owned, queue_closed)
{
	struct stream_queue mine;

	ASSERT_EQ(0, stream_queue_init(&mine, 4, 0));
	ASSERT_EQ(0, add_stream(&mine, self->c.fd, ST_RECV, variant->flags, 0,
				NULL));
	ASSERT_EQ(0, own(self));
	ASSERT_EQ(0, send_pattern(self->c.peer, 1, 0, 1000));
	EXPECT_EQ(0, flush_ring(&mine.q));
	stream_queue_exit(&mine);
	EXPECT_EQ(0, add_stream(&self->s, self->c.fd, ST_RECV, variant->flags, 0,
				NULL));
	EXPECT_EQ(0, disown(self));
	EXPECT_EQ(0, stream_reaches(&self->s, self->st, 2, &self->st[0], 1000));
	EXPECT_STREAM(&self->st[0], 1000);
}

/* N18: a second process that has the socket all the time. */
TEST_F(owned, second_process)
{
	struct stream_queue *s = &self->s;
	int status, i;
	pid_t pid;

	ASSERT_EQ(0, add_stream(s, self->c.fd, ST_RECV, variant->flags, 0, NULL));
	ASSERT_EQ(0, add_stream(s, self->other.fd, ST_RECV, variant->flags, 1,
				NULL));
	/* one that takes and gives up the socket without pause */
	pid = fork();
	if (!pid) {
		int one = 1;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			setsockopt(self->c.fd, SOL_TCP, TCP_NODELAY, &one,
				   sizeof(one));
	}
	for (i = 0; i < 300; i++) {
		ASSERT_EQ(0, send_pattern(self->c.peer, 1, 700 * i, 700));
		ASSERT_EQ(0, send_pattern(self->other.peer, 2, 30 * i, 30));
		ASSERT_EQ(0, stream_reaches(s, self->st, 2, &self->st[1],
					    30 * (i + 1)));
		ASSERT_EQ(0, stream_reaches(s, self->st, 2, &self->st[0],
					    700 * (i + 1)));
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT_STREAM(&self->st[0], 700 * i);
	EXPECT_STREAM(&self->st[1], 30 * i);
}

TEST_HARNESS_MAIN
