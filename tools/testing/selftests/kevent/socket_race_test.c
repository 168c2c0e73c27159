// SPDX-License-Identifier: GPL-2.0
/*
 * The source SOCKET under races: what happens to the connection against what is
 * done to the interest, the queue and the descriptor; and nothing lost in long
 * runs of data, connections and ends.
 */
#include "socket_test.h"

#define RACE_MS	800	/* for each race */

/* ---- pairs ---- */

enum {
	DO_DATA = 1,		/* the peer sends */
	DO_FIN = 2,		/* the peer sends no more */
	DO_RESET = 4,		/* the peer closes, with something unread */
	DO_CLOSE = 8,		/* the watched socket is closed */
	DO_REMOVE = 16,
	DO_CHURN = 32,		/* REMOVE and ADD, three times */
	DO_MODIFY = 64,
	DO_WAIT = 128,
	DO_QUEUE = 256,		/* the queue is closed */
};

/*
 * A thread does one, the test the other of two things, at the same time; whoever
 * wins, each interest ends once, if the queue survives, and what happened to the
 * socket is told to the one that is left, if there is one.
 */
FIXTURE(race)
{
	struct ukevent_queue q;
};

FIXTURE_VARIANT(race)
{
	int a, b;
};

FIXTURE_VARIANT_ADD(race, data_churn)
{
	.a = DO_DATA,
	.b = DO_CHURN,
};

FIXTURE_VARIANT_ADD(race, fin_churn)
{
	.a = DO_FIN,
	.b = DO_CHURN,
};

FIXTURE_VARIANT_ADD(race, reset_churn)
{
	.a = DO_RESET,
	.b = DO_CHURN,
};

FIXTURE_VARIANT_ADD(race, data_modify)
{
	.a = DO_DATA,
	.b = DO_MODIFY,
};

FIXTURE_VARIANT_ADD(race, fin_modify)
{
	.a = DO_FIN,
	.b = DO_MODIFY,
};

FIXTURE_VARIANT_ADD(race, reset_modify)
{
	.a = DO_RESET,
	.b = DO_MODIFY,
};

FIXTURE_VARIANT_ADD(race, data_fin)
{
	.a = DO_DATA,
	.b = DO_WAIT | DO_FIN,
};

FIXTURE_VARIANT_ADD(race, reset_wait)
{
	.a = DO_RESET,
	.b = DO_WAIT,
};

FIXTURE_VARIANT_ADD(race, fin_remove)
{
	.a = DO_FIN,
	.b = DO_REMOVE,
};

FIXTURE_VARIANT_ADD(race, reset_remove)
{
	.a = DO_RESET,
	.b = DO_REMOVE,
};

FIXTURE_VARIANT_ADD(race, reset_close)
{
	.a = DO_RESET,
	.b = DO_CLOSE,
};

FIXTURE_VARIANT_ADD(race, wait_close)
{
	.a = DO_WAIT,
	.b = DO_CLOSE,
};

FIXTURE_VARIANT_ADD(race, reset_queue)
{
	.a = DO_RESET,
	.b = DO_QUEUE,
};

FIXTURE_VARIANT_ADD(race, data_queue)
{
	.a = DO_DATA,
	.b = DO_QUEUE,
};

FIXTURE_VARIANT_ADD(race, close_queue)
{
	.a = DO_CLOSE,
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

#define RACE_EVENTS	(SK_RECV | SK_RDHUP)

struct racer {
	struct ukevent_queue *q;
	struct source s;
	int kfd;
	int what;	/* DO_... for the other thread */
	__u32 mode;
	__u64 id;	/* of the newest interest */
	__u64 added;	/* its cookie: each ADD has the next */
	__u64 ended;	/* the cookie that ended last */
	__u32 told;	/* events, to the newest */
	int error;	/* a result that should not be */
	int round;	/* counts up to start one */
	int finished;	/* follows */
};

static void race_add(struct racer *r)
{
	int ret = add_sock(r->kfd, r->s.fd, RACE_EVENTS, r->mode |
			   KEVENT_WANT_LAST, r->added + 1, &r->id);

	if (ret)
		r->error = ret;
	else
		r->added++;
}

static void race_churn(struct racer *r)
{
	int i, ret;

	for (i = 0; i < 3; i++) {
		/* nobody else works with the dispatch records here */
		ret = op_sock_id(r->kfd, KEVENT_OP_REMOVE, r->id, KEVENT_ACK);
		if (ret && ret != -ENOENT)
			r->error = ret;
		race_add(r);
	}
}

static void race_do(struct racer *r, int what)
{
	int ret;

	if (what & DO_WAIT)
		sys_kevent_wait(r->kfd, 0, NULL, 0);
	/* EPIPE: the other one was the first to shut it down */
	if (what & DO_DATA && send(r->s.peer, "x", 1, MSG_NOSIGNAL) != 1 &&
	    errno != EPIPE)
		r->error = -errno;
	if (what & DO_FIN)
		shutdown(r->s.peer, SHUT_WR);
	if (what & DO_RESET)
		close(r->s.peer);
	if (what & DO_CLOSE)
		close(r->s.fd);
	if (what & DO_REMOVE) {
		ret = op_sock_id(r->kfd, KEVENT_OP_REMOVE, r->id, 0);
		if (ret && ret != -ENOENT)
			r->error = ret;
	}
	if (what & DO_CHURN)
		race_churn(r);
	if (what & DO_MODIFY) {
		ret = modify_sock(r->kfd, r->s.fd, RACE_EVENTS, r->mode |
				  KEVENT_WANT_LAST, r->added);
		if (ret && ret != -ENOENT)
			r->error = ret;
	}
	if (what & DO_QUEUE)
		close(r->kfd);
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
		__atomic_store_n(&r->finished, round, __ATOMIC_RELEASE);
	}
}

/* Takes records; NULL, or what is wrong with one. */
static const char *race_take(struct racer *r)
{
	struct ukevent ev;

	while (ukevent_take(r->q, &ev, 1)) {
		if (ev.type != KEVENT_TYPE_SOCKET)
			return "type";
		if (ev.cookie > r->added)
			return "never added";
		if (ev.cookie <= r->ended)
			return "after the last record";
		if (ev.cookie != r->ended + 1)
			return "before the last record of the one before";
		if (ev.events & ~(RACE_EVENTS | SK_ERROR | SK_HUP))
			return "not asked for";
		if (ev.flags & LAST)
			r->ended++;
		if (ev.cookie == r->added)
			r->told |= ev.events;
	}
	return NULL;
}

/* What the newest interest has to hear of, if it stays. */
static __u32 race_expected(int both)
{
	__u32 want = 0;

	if (both & DO_DATA)
		want |= SK_RECV;
	if (both & DO_FIN)
		want |= SK_RECV | SK_RDHUP;
	if (both & DO_RESET)
		want |= SK_ERROR | SK_HUP;
	return want;
}

TEST_F_TIMEOUT(race, pair, 300)
{
	static const __u32 modes[] = {
		0, KEVENT_EDGE, KEVENT_ONESHOT,
		KEVENT_DISPATCH | KEVENT_HOLD_LAST
	};
	static const int families[] = { AF_INET, AF_UNIX, AF_INET6 };
	int i, n, spin, loops = test_loops(2000);
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int both = variant->a | variant->b;
	struct ukevent_queue *q = &self->q;
	struct racer r = { .q = q, .what = variant->a };
	const char *wrong = NULL;
	pthread_t thread;
	__u32 want;

	ASSERT_EQ(0, pthread_create(&thread, NULL, race_thread, &r));
	for (i = 1; i <= loops && !race_done(start, RACE_MS); i++) {
		if (q->fd < 0)
			ASSERT_EQ(0, queue_init(q, 16));
		r.kfd = q->fd;
		r.mode = modes[i % 4];
		r.added = 0;
		r.ended = 0;
		r.told = 0;
		ASSERT_EQ(0, sock_pair(&r.s, families[i % 3], SOCK_STREAM));
		if (both & DO_RESET) {
			ASSERT_EQ(1, send(r.s.fd, "x", 1, 0));
			ASSERT_TRUE(polls(r.s.peer, POLLIN));
		}
		race_add(&r);
		if (both & DO_WAIT && !(both & DO_RESET)) {
			/* so that there is something to ask for */
			ASSERT_EQ(1, send(r.s.peer, "x", 1, 0));
			ASSERT_TRUE(polls(r.s.fd, POLLIN));
			wrong = race_take(&r);
		}
		__atomic_store_n(&r.round, i, __ATOMIC_RELEASE);
		for (spin = i * 37 % 500; spin; spin--)
			__asm__ __volatile__("");
		race_do(&r, variant->b);
		while (__atomic_load_n(&r.finished, __ATOMIC_ACQUIRE) != i)
			sched_yield();

		if (both & DO_CLOSE && !(both & (DO_FIN | DO_RESET)))
			EXPECT_TRUE(polls(r.s.peer, POLLRDHUP));
		want = both & (DO_CLOSE | DO_REMOVE | DO_QUEUE) ? 0 :
		       race_expected(both);
		if (both & DO_QUEUE) {
			q->fd = -1;
			ukevent_queue_exit(q);
			goto next;
		}
		/* a one-shot tells what came first */
		while (!wrong && (r.told & want) != want &&
		       !(r.mode & KEVENT_ONESHOT && r.told)) {
			if (r.mode & KEVENT_DISPATCH)
				op_sock_id(q->fd, KEVENT_OP_ENABLE, r.id, 0);
			if (!in_ring(q))
				ASSERT_LT(0, wait_ms(q, 1, TEST_LONG_MS))
					TH_LOG("round %d: told %x, not %x", i,
					       r.told, want);
			wrong = race_take(&r);
		}
		/* to the end: ACK for records that are held back */
		op_sock_id(q->fd, KEVENT_OP_REMOVE, r.id, KEVENT_ACK);
		for (n = 0; !wrong && n < 4; n++) {
			ASSERT_LE(0, flush_ring(q));
			wrong = race_take(&r);
		}
		ASSERT_EQ(NULL, wrong) TH_LOG("round %d: %s", i, wrong);
		ASSERT_EQ(r.added, r.ended) TH_LOG("round %d", i);
		EXPECT_QUIET(q);
next:
		ASSERT_EQ(0, r.error) TH_LOG("round %d", i);
		if (!(both & DO_CLOSE))
			close(r.s.fd);
		if (!(both & DO_RESET))
			close(r.s.peer);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	TH_LOG("%d rounds", i - 1);
	__atomic_store_n(&r.round, -1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

/* ---- T18: readable and not, as fast as it can ---- */

FIXTURE(flip)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(flip)
{
	int family;
	int type;
};

FIXTURE_VARIANT_ADD(flip, tcp4)
{
	.family = AF_INET,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(flip, tcp6)
{
	.family = AF_INET6,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(flip, udp)
{
	.family = AF_INET,
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(flip, unix_stream)
{
	.family = AF_UNIX,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(flip, unix_dgram)
{
	.family = AF_UNIX,
	.type = SOCK_DGRAM,
};

FIXTURE_VARIANT_ADD(flip, unix_seqpacket)
{
	.family = AF_UNIX,
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(flip)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, sock_pair(&self->s, variant->family, variant->type));
}

FIXTURE_TEARDOWN(flip)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

struct producer {
	int fd;
	int stop;
	int answered;	/* one at a time: the next follows its answer */
	long total;	/* many: so many bytes, and the end of the stream */
	int error;
};

static void *produce_one(void *arg)
{
	struct producer *p = arg;
	int n;

	for (n = 1;; n++) {
		if (send(p->fd, "x", 1, MSG_NOSIGNAL) != 1) {
			p->error = -errno;
			return NULL;
		}
		while (__atomic_load_n(&p->answered, __ATOMIC_ACQUIRE) != n) {
			if (__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE))
				return NULL;
			sched_yield();
		}
	}
}

TEST_F_TIMEOUT(flip, one_at_a_time, 300)
{
	static const __u32 modes[] = {
		0, KEVENT_EDGE, KEVENT_DISPATCH, KEVENT_ONESHOT
	};
	struct producer p = { .fd = self->s.peer };
	int n = 0, first, loops, fd = self->s.fd;
	struct ukevent_queue *q = &self->q;
	long stale = 0;
	struct ukevent ev;
	pthread_t thread;
	__u64 start;
	size_t m;

	ASSERT_EQ(0, pthread_create(&thread, NULL, produce_one, &p));
	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		loops = test_loops(3000);
		first = n;
		start = now_ns(CLOCK_MONOTONIC);
		ASSERT_EQ(0, add_sock(q->fd, fd, SK_RECV, modes[m], m, NULL));
		while (n - first < loops && !race_done(start, RACE_MS / 2)) {
			/* one in two rounds asleep, the other awake */
			if (n % 2 && !modes[m])
				ASSERT_LE(0, flush_ring(q));
			if (!(n % 2) && !in_ring(q))
				ASSERT_LT(0, wait_ms(q, 1, TEST_LONG_MS))
					TH_LOG("mode %zu: lost after %d", m, n);
			if (!ukevent_take(q, &ev, 1)) {
				sched_yield();
				continue;
			}
			EXPECT_SOCK(&ev, m, SK_RECV, 0, 0);
			ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
			if (recv_bytes(fd, 8) == 1)
				n++;
			else
				stale++;
			if (modes[m] == KEVENT_DISPATCH)
				ASSERT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE,
						     fd));
			if (modes[m] == KEVENT_ONESHOT)
				ASSERT_EQ(0, add_sock(q->fd, fd, SK_RECV,
						      modes[m], m, NULL));
			__atomic_store_n(&p.answered, n, __ATOMIC_RELEASE);
		}
		TH_LOG("mode %zu: %d rounds", m, n - first);
		remove_sock(q->fd, fd);
		take_all(q, NULL);
		EXPECT_QUIET(q);
	}
	__atomic_store_n(&p.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, p.error);
	TH_LOG("%ld stale", stale);
}

/* ---- much data, with pauses ---- */

FIXTURE(stream)
{
	struct ukevent_queue q;
	struct source s;
};

FIXTURE_VARIANT(stream)
{
	int family;
	__u32 mode;
	__u64 mark;
};

FIXTURE_VARIANT_ADD(stream, tcp4_level)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(stream, tcp6_edge)
{
	.family = AF_INET6,
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(stream, tcp4_level_mark)
{
	.family = AF_INET,
	.mark = 3000,
};

FIXTURE_VARIANT_ADD(stream, tcp4_edge_mark)
{
	.family = AF_INET,
	.mode = KEVENT_EDGE,
	.mark = 100000,
};

FIXTURE_VARIANT_ADD(stream, tcp6_dispatch_mark)
{
	.family = AF_INET6,
	.mode = KEVENT_DISPATCH,
	.mark = 0x7fffffff,	/* told when nothing more fits, and at the end */
};

FIXTURE_VARIANT_ADD(stream, unix_level)
{
	.family = AF_UNIX,
};

FIXTURE_VARIANT_ADD(stream, unix_edge)
{
	.family = AF_UNIX,
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(stream, unix_dispatch)
{
	.family = AF_UNIX,
	.mode = KEVENT_DISPATCH,
};

FIXTURE_SETUP(stream)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, sock_pair(&self->s, variant->family, SOCK_STREAM));
}

FIXTURE_TEARDOWN(stream)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

static void *produce_many(void *arg)
{
	static char junk[8192];
	struct producer *p = arg;
	unsigned int seed = 1;
	long done = 0;
	ssize_t n;

	while (done < p->total && !p->error) {
		n = rand_r(&seed) % sizeof(junk) + 1;
		if (n > p->total - done)
			n = p->total - done;
		n = send(p->fd, junk, n, MSG_NOSIGNAL);
		if (n < 0)
			p->error = -errno;
		else
			done += n;
		if (rand_r(&seed) % 16 == 0)
			sched_yield();
		if (rand_r(&seed) % 32 == 0)
			sleep_ms(1);
	}
	shutdown(p->fd, SHUT_WR);
	return NULL;
}

/* Nothing but the records says when to read; an event lost is a wait for ever. */
TEST_F_TIMEOUT(stream, conservation, 300)
{
	struct producer p = {
		.fd = self->s.peer,
		.total = test_loops(variant->mark ? 1 << 20 : 4 << 20),
	};
	struct ukevent_queue *q = &self->q;
	long n, total = 0, records = 0;
	int end = 0, fd = self->s.fd;
	struct ukevent ev;
	pthread_t thread;

	ASSERT_EQ(0, mark_sock(q->fd, KEVENT_OP_ADD, fd, SK_RECV, variant->mode,
			       1, variant->mark));
	ASSERT_EQ(0, pthread_create(&thread, NULL, produce_many, &p));
	while (!end) {
		if (!in_ring(q))
			ASSERT_LT(0, wait_ms(q, 1, TEST_LONG_MS))
				TH_LOG("lost after %ld bytes", total);
		ASSERT_EQ(1, (int)ukevent_take(q, &ev, 1));
		EXPECT_SOCK(&ev, 1, SK_RECV, 0, 0);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
		records++;
		/* level reads a part only, the others all there is */
		do {
			n = recv_bytes(fd, variant->mode ? 65536 : 5000);
			if (n > 0)
				total += n;
			end = n == 0;
		} while (n > 0 && variant->mode);
		if (variant->mode == KEVENT_DISPATCH)
			ASSERT_EQ(0, op_sock(q->fd, KEVENT_OP_ENABLE, fd));
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, p.error);
	EXPECT_EQ(p.total, total);
	TH_LOG("%ld bytes, %ld records", total, records);
}

/* ---- connections that come and go ---- */

FIXTURE(storm)
{
	struct ukevent_queue q;
	struct listener l;
};

FIXTURE_VARIANT(storm)
{
	int family;
	__u32 mode;
};

FIXTURE_VARIANT_ADD(storm, tcp4_edge)
{
	.family = AF_INET,
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(storm, tcp6_level)
{
	.family = AF_INET6,
};

FIXTURE_VARIANT_ADD(storm, unix_edge)
{
	.family = AF_UNIX,
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(storm, unix_level)
{
	.family = AF_UNIX,
};

FIXTURE_SETUP(storm)
{
	ASSERT_EQ(0, queue_init(&self->q, 64));
	/* room for all: TCP drops the ones that a slow server leaves there */
	ASSERT_EQ(0, open_listener(&self->l, variant->family, SOCK_STREAM,
				   4096));
}

FIXTURE_TEARDOWN(storm)
{
	close(self->l.fd);
	ukevent_queue_exit(&self->q);
}

struct callers {
	struct listener *l;
	int nr;
	int made;
	int done;
	int error;
};

/* Connects, some with data, and closes at once: by an end or by a reset. */
static void *call(void *arg)
{
	struct linger reset = { 1, 0 };
	struct callers *c = arg;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int fd, last;

	do {
		last = ++c->made >= c->nr || race_done(start, RACE_MS);
		/* before the last one comes: who saw it knows that it was */
		if (last)
			__atomic_store_n(&c->done, 1, __ATOMIC_RELEASE);
		fd = new_client(c->l, 0);
		if (fd < 0) {
			c->error = fd;
			break;
		}
		if (c->made % 3 == 0)
			send(fd, "x", 1, MSG_NOSIGNAL);
		if (c->made % 4 == 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset,
				   sizeof(reset));
		close(fd);
	} while (!last);
	return NULL;
}

#define STORM_LISTENER	(~0ULL)

/*
 * Every connection made is accepted, and each accepted one is told once, with
 * its last record, that it has ended; reset ones too.
 */
TEST_F_TIMEOUT(storm, connect_and_close, 300)
{
	struct callers c = { .l = &self->l, .nr = test_loops(3000) };
	int fd, done, accepted = 0, ended = 0;
	struct ukevent_queue *q = &self->q;
	struct ukevent ev;
	pthread_t thread;

	ASSERT_EQ(0, raise_nofile(8192));
	ASSERT_EQ(0, add_sock(q->fd, self->l.fd, SK_ACCEPT, variant->mode,
			      STORM_LISTENER, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, call, &c));
	for (;;) {
		done = __atomic_load_n(&c.done, __ATOMIC_ACQUIRE);
		if (!ukevent_take(q, &ev, 1)) {
			if (done && accepted == c.made && ended == accepted)
				break;
			ASSERT_LT(0, wait_ms(q, 1, TEST_LONG_MS))
				TH_LOG("%d made, %d accepted, %d ended", c.made,
				       accepted, ended);
			continue;
		}
		if (ev.cookie == STORM_LISTENER) {
			EXPECT_SOCK(&ev, STORM_LISTENER, SK_ACCEPT, 0, 0);
			do {
				fd = accept_one(self->l.fd);
				if (fd < 0)
					break;
				accepted++;
				ASSERT_EQ(0, add_sock(q->fd, fd, SK_RDHUP,
						      KEVENT_ONESHOT |
						      KEVENT_WANT_LAST, fd,
						      NULL));
			} while (variant->mode);
			continue;
		}
		EXPECT_EQ(LAST, ev.flags & LAST);
		EXPECT_NE(0U, ev.events & (SK_RDHUP | SK_HUP | SK_ERROR));
		EXPECT_EQ(0, close((int)ev.cookie));
		ended++;
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, c.error);
	TH_LOG("%d connections", ended);
	EXPECT_QUIET(q);
}

/* ---- connecting, again and again ---- */

FIXTURE(connects)
{
	struct ukevent_queue q;
	struct listener l;
	struct listener none;
};

FIXTURE_VARIANT(connects)
{
	int family;
};

FIXTURE_VARIANT_ADD(connects, tcp4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(connects, tcp6)
{
	.family = AF_INET6,
};

FIXTURE_SETUP(connects)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, open_listener(&self->l, variant->family, SOCK_STREAM, 8));
	ASSERT_EQ(0, bound_socket(&self->none, variant->family, SOCK_STREAM));
}

FIXTURE_TEARDOWN(connects)
{
	close(self->none.fd);
	close(self->l.fd);
	ukevent_queue_exit(&self->q);
}

/* Each is told that it is connected, once, or is refused with its error. */
TEST_F_TIMEOUT(connects, and_refused, 300)
{
	int i, fd, peer, refuse, loops = test_loops(1000);
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct ukevent_queue *q = &self->q;
	struct ukevent sum;

	for (i = 0; i < loops && !race_done(start, RACE_MS); i++) {
		refuse = i % 3 == 2;
		fd = socket(variant->family, SOCK_STREAM | SOCK_NONBLOCK |
			    SOCK_CLOEXEC, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, add_sock(q->fd, fd, SK_CONNECT, KEVENT_ONESHOT |
				      KEVENT_WANT_LAST, i, NULL));
		ASSERT_EQ(0, in_ring(q));
		/* nobody listens there, though the number is taken */
		ASSERT_EQ(0, connect_to(refuse ? &self->none : &self->l, fd));
		collect(q, refuse ? SK_ERROR : SK_CONNECT, &sum);
		if (refuse) {
			EXPECT_SOCK(&sum, i, SK_ERROR | SK_HUP, 0, LAST);
			EXPECT_EQ((__u64)ECONNREFUSED, sum.data[1]);
		} else {
			EXPECT_SOCK(&sum, i, SK_CONNECT, 0, LAST);
			EXPECT_TRUE(polls(self->l.fd, POLLIN));
			peer = accept_one(self->l.fd);
			EXPECT_LE(0, peer);
			close(peer);
		}
		close(fd);
		EXPECT_QUIET(q);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	TH_LOG("%d sockets", i);
}

/* ---- T21: closed by one thread while another waits ---- */

FIXTURE(closed)
{
	struct ukevent_queue q;
};

FIXTURE_VARIANT(closed)
{
	int family;
	int type;
};

FIXTURE_VARIANT_ADD(closed, tcp4)
{
	.family = AF_INET,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(closed, tcp6)
{
	.family = AF_INET6,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(closed, unix_stream)
{
	.family = AF_UNIX,
	.type = SOCK_STREAM,
};

FIXTURE_VARIANT_ADD(closed, unix_seqpacket)
{
	.family = AF_UNIX,
	.type = SOCK_SEQPACKET,
};

FIXTURE_SETUP(closed)
{
	ASSERT_EQ(0, queue_init(&self->q, 16));
}

FIXTURE_TEARDOWN(closed)
{
	ukevent_queue_exit(&self->q);
}

struct reader {
	struct ukevent_queue *q;
	__u64 ended;	/* cookies follow each other */
	int stop;
	const char *wrong;
};

/* Consumes, and never reads: level records come as long as the file is open. */
static void *read_records(void *arg)
{
	struct reader *r = arg;
	struct ukevent ev;
	__u64 ended = 0;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE) && !r->wrong) {
		if (!ukevent_take(r->q, &ev, 1)) {
			if (wait_ms(r->q, 1, 5) < 0)
				r->wrong = "wait";
			continue;
		}
		if (ev.cookie != ended + 1)
			r->wrong = ev.cookie <= ended ? "after the last record" :
				   "before the last record of the one before";
		if (ev.flags & LAST) {
			if (!(ev.events & SK_HUP))
				r->wrong = "a last record without HUP";
			ended++;
			__atomic_store_n(&r->ended, ended, __ATOMIC_RELEASE);
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(closed, while_waiting, 300)
{
	struct reader r = { .q = &self->q };
	__u64 start = now_ns(CLOCK_MONOTONIC), last;
	int loops = test_loops(1000);
	pthread_t thread;
	struct source s;
	__u64 i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, read_records, &r));
	for (i = 1; i <= (__u64)loops && !race_done(start, RACE_MS); i++) {
		ASSERT_EQ(0, sock_pair(&s, variant->family, variant->type));
		ASSERT_EQ(0, add_sock(self->q.fd, s.fd, SK_RECV | SK_RDHUP,
				      KEVENT_WANT_LAST, i, NULL));
		ASSERT_EQ(1, send(s.peer, "x", 1, 0));
		if (i % 3)
			sched_yield();
		if (i % 5 == 0)
			shutdown(s.peer, SHUT_WR);
		close(s.fd);
		EXPECT_TRUE(polls(s.peer, POLLRDHUP)) TH_LOG("round %llu", i);
		last = now_ns(CLOCK_MONOTONIC);
		while (__atomic_load_n(&r.ended, __ATOMIC_ACQUIRE) != i &&
		       !test_loops_done(last, TEST_LONG_MS / 1000))
			sched_yield();
		ASSERT_EQ(i, __atomic_load_n(&r.ended, __ATOMIC_ACQUIRE))
			TH_LOG("%s", r.wrong ? r.wrong : "no last record");
		close(s.peer);
	}
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	EXPECT_EQ(NULL, r.wrong);
	TH_LOG("%llu rounds", i - 1);
	EXPECT_QUIET(&self->q);
}

/* ---- hints ---- */

FIXTURE(hints)
{
	struct ukevent_queue q;
	struct source s;
	bool stop;
};

FIXTURE_SETUP(hints)
{
	ASSERT_EQ(0, queue_init(&self->q, 8));
	ASSERT_EQ(0, sock_pair(&self->s, AF_INET, SOCK_STREAM));
}

FIXTURE_TEARDOWN(hints)
{
	source_close(&self->s);
	ukevent_queue_exit(&self->q);
}

static void *bytes_main(void *arg)
{
	FIXTURE_DATA(hints) *self = arg;

	while (!__atomic_load_n(&self->stop, __ATOMIC_RELAXED))
		send(self->s.peer, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	return NULL;
}

/* MODIFY sets cookie and hints in one: a record has both of the same entry. */
TEST_F_TIMEOUT(hints, as_the_cookie_says, 300)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int seen[2] = { 0, 0 }, wrong = 0;
	struct ukevent_queue *q = &self->q;
	pthread_t thread;
	struct ukevent ev;
	int i;

	ASSERT_EQ(0, add_sock(q->fd, self->s.fd, SK_RECV, 0, 0, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, bytes_main, self));
	/* both at least once, however late the other one begins to send */
	for (i = 0; !race_done(start, seen[0] && seen[1] ? RACE_MS : 60000); i++) {
		EXPECT_EQ(0, modify_sock(q->fd, self->s.fd, SK_RECV, KEVENT_EDGE |
					 (i & 1 ? HINTS : 0), i & 1));
		while (ukevent_take(q, &ev, 1)) {
			seen[ev.cookie & 1]++;
			wrong += !!(ev.flags & HINT) != (int)ev.cookie;
		}
		recv_bytes(self->s.fd, 65536);
	}
	__atomic_store_n(&self->stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, wrong);
	EXPECT_LT(0, seen[0]);
	EXPECT_LT(0, seen[1]);
}

TEST_HARNESS_MAIN
