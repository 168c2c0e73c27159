// SPDX-License-Identifier: GPL-2.0
/*
 * S5, exclusive: of several queues that watch one source, one that sleeps is
 * woken, all are told if none does; what is not consumed goes on to another.
 *
 * In the drawings time goes down.  Zz is a queue with a thread asleep in it, R a
 * record that was not consumed, () a queue with neither.  Which of the sleepers
 * is chosen is the kernel's choice; the tests find out.
 */
#include "socket_test.h"

#include <sys/prctl.h>

#define NR_SIDES	4

/* ---- sources ---- */

enum exclusive_kind {
	EX_EVENTFD,		/* POLL */
	EX_PIPE,		/* POLL */
	EX_UDP,			/* SOCKET */
	EX_TCP_LISTENER,	/* SOCKET */
	EX_UNIX_LISTENER,	/* SOCKET */
};

/**
 * struct shared - a source that several queues watch
 * @kind: what it is
 * @fd: the descriptor watched
 * @type: type of the interests
 * @events: events they ask for
 * @l: the listener, or where datagrams go to
 * @peer: the other end of a pipe or datagram socket
 * @client: connections made
 * @clients: their number
 */
struct shared {
	enum exclusive_kind kind;
	int fd;
	unsigned int type;
	__u32 events;
	struct listener l;
	int peer;
	int client[64];
	int clients;
};

static int shared_open(struct shared *s, enum exclusive_kind kind)
{
	int pfd[2], ret = 0;

	memset(s, 0, sizeof(*s));
	s->kind = kind;
	s->type = KEVENT_TYPE_SOCKET;
	s->events = SK_RECV;
	s->peer = -1;
	switch (kind) {
	case EX_EVENTFD:
		s->fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
		break;
	case EX_PIPE:
		if (pipe2(pfd, O_NONBLOCK | O_CLOEXEC))
			return -errno;
		s->fd = pfd[0];
		s->peer = pfd[1];
		break;
	case EX_UDP:
		ret = bound_socket(&s->l, AF_INET, SOCK_DGRAM);
		s->fd = s->l.fd;
		if (!ret)
			s->peer = new_client(&s->l, 0);
		break;
	case EX_TCP_LISTENER:
		ret = open_listener(&s->l, AF_INET, SOCK_STREAM, 64);
		s->fd = s->l.fd;
		break;
	case EX_UNIX_LISTENER:
		ret = open_listener(&s->l, AF_UNIX, SOCK_STREAM, 64);
		s->fd = s->l.fd;
		break;
	}
	if (kind == EX_EVENTFD || kind == EX_PIPE) {
		s->type = KEVENT_TYPE_POLL;
		s->events = EV_IN;
	} else if (kind != EX_UDP) {
		s->events = SK_ACCEPT;
	}
	if (!ret && s->fd < 0)
		ret = -errno;
	return ret;
}

static void shared_close(struct shared *s)
{
	while (s->clients)
		close(s->client[--s->clients]);
	if (s->peer >= 0)
		close(s->peer);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* One event: a unit more to be taken. */
static int shared_fire(struct shared *s)
{
	int fd, before;

	switch (s->kind) {
	case EX_EVENTFD:
		return eventfd_add(s->fd, 1);
	case EX_PIPE:
	case EX_UDP:
		return write(s->peer, "x", 1) == 1 ? 0 : -errno;
	default:
		before = queue_length(s->fd);
		fd = new_client(&s->l, 0);
		if (fd < 0)
			return fd;
		s->client[s->clients++] = fd;
		/* a TCP client is told before the listener is */
		return s->kind == EX_TCP_LISTENER ?
		       queue_reaches(s->fd, before + 1) : 0;
	}
}

/* Takes a unit; 0, or -EAGAIN if there is none. */
static int shared_take(struct shared *s)
{
	__u64 value;
	int fd;

	if (s->type == KEVENT_TYPE_POLL || s->kind == EX_UDP)
		return read(s->fd, &value, s->kind == EX_EVENTFD ? 8 : 1) > 0 ?
		       0 : -errno;
	fd = accept_one(s->fd);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Takes all there is; how many units. */
static int shared_take_all(struct shared *s)
{
	int n = 0;

	while (!shared_take(s))
		n++;
	return n;
}

static int shared_change(struct shared *s, int kfd, unsigned int op,
			 __u32 flags, __u64 cookie, __u64 *id)
{
	__u32 events = op <= KEVENT_OP_MODIFY ? s->events : 0;
	struct kevent_change c = make_typed(op, s->type, s->fd, events, flags,
					    cookie);
	int ret = do_change(kfd, &c);

	if (id)
		*id = c.id;
	return ret;
}

static int shared_add(struct shared *s, int kfd, __u32 flags, __u64 cookie)
{
	return shared_change(s, kfd, KEVENT_OP_ADD, flags, cookie, NULL);
}

/* ---- sides ---- */

/**
 * struct side - a queue, and a thread that may sleep in it
 * @q: the queue
 * @w: the thread
 * @sleeps: @w was started and its end was not yet seen
 */
struct side {
	struct ukevent_queue q;
	struct waiter w;
	int sleeps;
};

static int sides_init(struct side *side, int nr)
{
	int i, ret;

	for (i = 0; i < nr; i++) {
		side[i].sleeps = 0;
		ret = queue_init(&side[i].q, 8);
		if (ret)
			return ret;
	}
	return 0;
}

/* Threads still asleep go on sleeping: their queue lives as long as they. */
static void sides_exit(struct side *side, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		ukevent_queue_exit(&side[i].q);
}

static int side_sleep(struct side *side, __u32 min_nr)
{
	int ret = waiter_start(&side->w, &side->q, min_nr, NULL);

	if (!ret && __atomic_load_n(&side->w.done, __ATOMIC_ACQUIRE))
		ret = -EALREADY;
	side->sleeps = !ret;
	return ret;
}

static int sides_sleep(struct side *side, int nr)
{
	int i, ret;

	for (i = 0; i < nr; i++) {
		ret = side_sleep(&side[i], 1);
		if (ret)
			return ret;
	}
	return 0;
}

/* One of those that slept and were woken; -1 if there is none. */
static int side_woken(struct side *side, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		if (side[i].sleeps &&
		    __atomic_load_n(&side[i].w.done, __ATOMIC_ACQUIRE)) {
			pthread_join(side[i].w.thread, NULL);
			side[i].sleeps = 0;
			return i;
		}
	}
	return -1;
}

/* Waits until one is woken; which. */
static int side_chosen(struct side *side, int nr)
{
	int i, ms;

	for (ms = 0; ms < TEST_LONG_MS; ms++) {
		i = side_woken(side, nr);
		if (i >= 0)
			return i;
		sleep_ms(1);
	}
	return -ETIME;
}

/* How many of those that slept are woken, a little later. */
static int sides_woken(struct side *side, int nr)
{
	int n = 0;

	sleep_ms(TEST_SHORT_MS);
	while (side_woken(side, nr) >= 0)
		n++;
	return n;
}

/* Sleepers must have an empty ring, or they would not sleep. */
static int sleepers_with_records(struct side *side, int nr)
{
	int i, n = 0;

	for (i = 0; i < nr; i++)
		n += side[i].sleeps && in_ring(&side[i].q);
	return n;
}

/* One of the sleepers was woken, has the record, and no other one; which. */
static int check_one_woken(struct __test_metadata *_metadata, int line,
			   struct side *side, int nr)
{
	int chosen = side_chosen(side, nr), others = sides_woken(side, nr);
	int records = sleepers_with_records(side, nr);

	if (chosen >= 0 && side[chosen].w.ret == 1 &&
	    in_ring(&side[chosen].q) == 1 && !others && !records)
		return chosen;
	TH_LOG("line %d: %d was woken and got %d, %d others too, %d sleep beside a record",
	       line, chosen, chosen < 0 ? 0 : side[chosen].w.ret, others,
	       records);
	_metadata->exit_code = KSFT_FAIL;
	return chosen;
}

#define EXPECT_ONE_WOKEN(side, nr) \
	check_one_woken(_metadata, __LINE__, side, nr)

/* All sleep on. */
static void check_none_woken(struct __test_metadata *_metadata, int line,
			     struct side *side, int nr)
{
	int woken = sides_woken(side, nr);
	int records = sleepers_with_records(side, nr);

	if (!woken && !records)
		return;
	TH_LOG("line %d: %d woken, %d sleep beside a record", line, woken,
	       records);
	_metadata->exit_code = KSFT_FAIL;
}

#define EXPECT_NONE_WOKEN(side, nr) \
	check_none_woken(_metadata, __LINE__, side, nr)

/* ---- who is woken ---- */

FIXTURE(exclusive)
{
	struct side side[NR_SIDES];
	struct shared s;
};

FIXTURE_VARIANT(exclusive)
{
	enum exclusive_kind kind;
};

FIXTURE_VARIANT_ADD(exclusive, eventfd)
{
	.kind = EX_EVENTFD,
};

FIXTURE_VARIANT_ADD(exclusive, pipe)
{
	.kind = EX_PIPE,
};

FIXTURE_VARIANT_ADD(exclusive, udp)
{
	.kind = EX_UDP,
};

FIXTURE_VARIANT_ADD(exclusive, tcp_listener)
{
	.kind = EX_TCP_LISTENER,
};

FIXTURE_VARIANT_ADD(exclusive, unix_listener)
{
	.kind = EX_UNIX_LISTENER,
};

FIXTURE_SETUP(exclusive)
{
	ASSERT_EQ(0, sides_init(self->side, NR_SIDES));
	ASSERT_EQ(0, shared_open(&self->s, variant->kind));
}

FIXTURE_TEARDOWN(exclusive)
{
	sides_exit(self->side, NR_SIDES);
	shared_close(&self->s);
}

/* One interest in each of the first @nr queues, with the side as its cookie. */
#define ADD_ALL(nr, flags) \
do { \
	int _i; \
	for (_i = 0; _i < (nr); _i++) \
		ASSERT_EQ(0, shared_add(&self->s, self->side[_i].q.fd, \
					KEVENT_EXCLUSIVE | (flags), _i)); \
} while (0)

/*
 * Each event wakes one that still sleeps.  Those woken before are awake, have a
 * record and stop nothing.
 *
 *   queue      0    1    2    3
 *              Zz   Zz   Zz   Zz
 *   event  --> R    Zz   Zz   Zz     0 is woken, the rest sleeps on
 *   event  --> R -> R    Zz   Zz     0 is awake, so 1 is woken
 *   event  --> R -> R -> R    Zz
 *   event  --> R -> R -> R -> R
 *
 * At the end there are as many units as events, for whoever takes them.
 */
TEST_F(exclusive, one_sleeper)
{
	static const __u32 modes[] = { 0, KEVENT_EDGE };
	struct side *side = self->side;
	int i, n, chosen;
	size_t m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		ADD_ALL(NR_SIDES, modes[m]);
		ASSERT_EQ(0, sides_sleep(side, NR_SIDES));
		for (n = 0; n < NR_SIDES; n++) {
			ASSERT_EQ(0, shared_fire(&self->s));
			chosen = EXPECT_ONE_WOKEN(side, NR_SIDES);
			ASSERT_LE(0, chosen);
		}
		EXPECT_EQ(NR_SIDES, shared_take_all(&self->s));
		for (i = 0; i < NR_SIDES; i++) {
			EXPECT_EQ(0, shared_change(&self->s, side[i].q.fd,
						   KEVENT_OP_REMOVE, 0, 0,
						   NULL));
			EXPECT_LE(1, take_all(&side[i].q, NULL));
			EXPECT_QUIET(&side[i].q);
		}
	}
}

/* The same with two. */
TEST_F(exclusive, two_sleepers)
{
	struct side *side = self->side;
	int chosen, other;

	ADD_ALL(2, 0);
	ASSERT_EQ(0, sides_sleep(side, 2));
	ASSERT_EQ(0, shared_fire(&self->s));
	chosen = EXPECT_ONE_WOKEN(side, 2);
	ASSERT_LE(0, chosen);
	ASSERT_EQ(0, shared_fire(&self->s));
	other = EXPECT_ONE_WOKEN(side, 2);
	ASSERT_LE(0, other);
	EXPECT_NE(chosen, other);
	EXPECT_EQ(2, shared_take_all(&self->s));
}

/*
 *   queue      0    1    2    3
 *              ()   ()   ()   ()     nobody can be woken
 *   event  --> R -> R -> R -> R      so all are told
 */
TEST_F(exclusive, nobody_sleeps)
{
	struct side *side = self->side;
	int i;

	ADD_ALL(NR_SIDES, KEVENT_EDGE);
	ASSERT_EQ(0, shared_fire(&self->s));
	for (i = 0; i < NR_SIDES; i++)
		EXPECT_EQ(1, ring_reaches(&side[i].q, 1)) TH_LOG("side %d", i);
}

/*
 * The one that sleeps is found, wherever it stands.
 *
 *   queue      0    1    2    3
 *              ()   ()   Zz   ()
 *   event  --> R -> R -> R    ?      0 and 1 are told as they may be spinning
 */
TEST_F(exclusive, one_sleeper_among_busy)
{
	struct side *side = self->side;
	int i, n;

	ADD_ALL(NR_SIDES, KEVENT_EDGE);
	for (n = 0; n < NR_SIDES; n++) {
		ASSERT_EQ(0, side_sleep(&side[n], 1));
		ASSERT_EQ(0, shared_fire(&self->s));
		EXPECT_EQ(n, side_chosen(side, NR_SIDES));
		EXPECT_EQ(1, in_ring(&side[n].q));
		EXPECT_EQ(1, shared_take_all(&self->s));
		for (i = 0; i < NR_SIDES; i++)
			take_all(&side[i].q, NULL);
	}
}

/*
 * A sleeper that wants more than there is does not count as one.
 *
 *   queue      0          1
 *              Zz for 2   Zz for 1
 *   event  --> R     -->  R          0 sleeps on, 1 is woken
 */
TEST_F(exclusive, sleeper_wants_more)
{
	struct side *side = self->side;
	int n;

	for (n = 0; n < 2; n++) {
		ADD_ALL(2, 0);
		ASSERT_EQ(0, side_sleep(&side[n], 2));
		ASSERT_EQ(0, side_sleep(&side[!n], 1));
		ASSERT_EQ(0, shared_fire(&self->s));
		EXPECT_EQ(!n, side_chosen(side, 2));
		EXPECT_EQ(1, in_ring(&side[!n].q));
		EXPECT_FALSE(waiter_done(&side[n].w, TEST_SHORT_MS));
		/* new ones for the next round: that sleeper sleeps on */
		sides_exit(side, 2);
		shared_close(&self->s);
		ASSERT_EQ(0, sides_init(side, 2));
		ASSERT_EQ(0, shared_open(&self->s, variant->kind));
	}
}

/*
 * T1: a queue that did not ask for exclusive waking is always told, and stops
 * nothing, whether it came first or last.
 *
 *   queue      0        1        2        3
 *              Zz excl  Zz       Zz excl  Zz
 *   event  --> R        R        Zz       R      1 and 3, and 0 or 2
 */
TEST_F(exclusive, beside_others)
{
	int i, n, plain = 0, excl = 0;
	struct side *side = self->side;

	for (i = 0; i < NR_SIDES; i++)
		ASSERT_EQ(0, shared_add(&self->s, side[i].q.fd,
					i % 2 ? 0 : KEVENT_EXCLUSIVE, i));
	ASSERT_EQ(0, sides_sleep(side, NR_SIDES));
	ASSERT_EQ(0, shared_fire(&self->s));
	for (n = 0; n < 3; n++) {
		i = side_chosen(side, NR_SIDES);
		ASSERT_LE(0, i);
		plain += i % 2;
		excl += !(i % 2);
	}
	EXPECT_EQ(2, plain);
	EXPECT_EQ(1, excl);
	EXPECT_NONE_WOKEN(side, NR_SIDES);
	/* those that are awake as well */
	take_all(&side[1].q, NULL);
	take_all(&side[3].q, NULL);
	ASSERT_EQ(0, shared_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(&side[1].q, 1));
	EXPECT_EQ(1, ring_reaches(&side[3].q, 1));
	i = side_chosen(side, NR_SIDES);
	EXPECT_TRUE(!i || i == 2);
}

/*
 * One-shot: what it ended with is told to nobody else, and it stands in nobody's
 * way.
 *
 *   queue      0    1
 *              Zz   Zz
 *   event  --> R    Zz     the interest of 0 has ended
 *   event  -->      R      and that of 1
 *   event  -->             nobody is left
 */
TEST_F(exclusive, oneshot)
{
	struct side *side = self->side;
	struct ukevent ev = {};
	int i, n, chosen;

	ADD_ALL(2, KEVENT_ONESHOT | KEVENT_WANT_LAST);
	ASSERT_EQ(0, sides_sleep(side, 2));
	for (n = 0; n < 2; n++) {
		ASSERT_EQ(0, shared_fire(&self->s));
		chosen = EXPECT_ONE_WOKEN(side, 2);
		ASSERT_LE(0, chosen);
		EXPECT_EQ(-ENOENT, shared_change(&self->s, side[chosen].q.fd,
						 KEVENT_OP_REMOVE, 0, 0, NULL));
	}
	ASSERT_EQ(0, shared_fire(&self->s));
	sleep_ms(TEST_SHORT_MS);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(1, take_all(&side[i].q, &ev));
		EXPECT_EQ((__u64)i, ev.cookie);
		EXPECT_EQ(self->s.events, ev.events);
		EXPECT_EQ(LAST, ev.flags & LAST);
		EXPECT_QUIET(&side[i].q);
	}
	EXPECT_EQ(3, shared_take_all(&self->s));
}

/*
 * Dispatch: disabled with its record, and stands in nobody's way.
 *
 *   queue      0          1
 *              Zz         Zz
 *   event  --> R, off     Zz
 *   event  -->      --->  R, off
 *   event  -->                     nobody is told ...
 *   ENABLE     R                   ... who does not ask
 */
TEST_F(exclusive, dispatch)
{
	struct side *side = self->side;
	int i, n, chosen;

	ADD_ALL(2, KEVENT_DISPATCH);
	ASSERT_EQ(0, sides_sleep(side, 2));
	for (n = 0; n < 2; n++) {
		ASSERT_EQ(0, shared_fire(&self->s));
		chosen = EXPECT_ONE_WOKEN(side, 2);
		ASSERT_LE(0, chosen);
	}
	ASSERT_EQ(0, shared_fire(&self->s));
	sleep_ms(TEST_SHORT_MS);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(1, take_all(&side[i].q, NULL));
		EXPECT_QUIET(&side[i].q);
		EXPECT_EQ(0, shared_change(&self->s, side[i].q.fd,
					   KEVENT_OP_ENABLE, 0, 0, NULL));
		EXPECT_EQ(1, take_all(&side[i].q, NULL));
	}
	EXPECT_EQ(3, shared_take_all(&self->s));
}

/* A disabled one does not count, whoever sleeps in its queue. */
TEST_F(exclusive, disabled)
{
	struct side *side = self->side;
	int n;

	ADD_ALL(2, KEVENT_EDGE);
	for (n = 0; n < 2; n++) {
		EXPECT_EQ(0, shared_change(&self->s, side[n].q.fd,
					   KEVENT_OP_DISABLE, 0, 0, NULL));
		ASSERT_EQ(0, sides_sleep(side, 2));
		ASSERT_EQ(0, shared_fire(&self->s));
		EXPECT_EQ(!n, side_chosen(side, 2));
		EXPECT_NONE_WOKEN(side, 2);
		EXPECT_EQ(1, take_all(&side[!n].q, NULL));
		/* ENABLE finds it, and so its sleeper is woken */
		EXPECT_EQ(0, shared_change(&self->s, side[n].q.fd,
					   KEVENT_OP_ENABLE, 0, 0, NULL));
		EXPECT_EQ(n, side_chosen(side, 2));
		EXPECT_EQ(1, take_all(&side[n].q, NULL));
		EXPECT_EQ(1, shared_take_all(&self->s));
	}
}

/* MODIFY does not say exclusive, and does not end it. */
TEST_F(exclusive, modify)
{
	struct side *side = self->side;
	struct ukevent ev = {};
	int i, n, chosen;

	ADD_ALL(NR_SIDES, 0);
	for (i = 0; i < NR_SIDES; i++)
		EXPECT_EQ(0, shared_change(&self->s, side[i].q.fd,
					   KEVENT_OP_MODIFY, KEVENT_EDGE,
					   100 + i, NULL));
	ASSERT_EQ(0, sides_sleep(side, NR_SIDES));
	for (n = 0; n < 2; n++) {
		ASSERT_EQ(0, shared_fire(&self->s));
		chosen = EXPECT_ONE_WOKEN(side, NR_SIDES);
		ASSERT_LE(0, chosen);
		EXPECT_EQ(1, take_all(&side[chosen].q, &ev));
		EXPECT_EQ(100ULL + chosen, ev.cookie);
		EXPECT_EQ(self->s.events, ev.events);
	}
	EXPECT_EQ(2, shared_take_all(&self->s));
}

/*
 * Nobody was woken, all were told.  What one of them leaves behind wakes who went
 * to sleep since; those awake are told once more, which does no harm.
 *
 *   queue      0     1     2     3
 *              ()    ()    ()    ()
 *   event  --> R     R     R     R
 *              R     ()    Zz    Zz    1, 2, 3 consumed; 2, 3 went to sleep
 *   0 leaves         ?     R     Zz    2 or 3 is woken
 */
TEST_F(exclusive, left_to_late_sleeper)
{
	struct side *side = self->side;
	int i, chosen;

	ADD_ALL(NR_SIDES, KEVENT_EDGE);
	ASSERT_EQ(0, shared_fire(&self->s));
	for (i = 0; i < NR_SIDES; i++)
		EXPECT_EQ(1, ring_reaches(&side[i].q, 1));
	for (i = 1; i < NR_SIDES; i++)
		take_all(&side[i].q, NULL);
	ASSERT_EQ(0, side_sleep(&side[2], 1));
	ASSERT_EQ(0, side_sleep(&side[3], 1));
	EXPECT_EQ(0, shared_change(&self->s, side[0].q.fd, KEVENT_OP_REMOVE, 0,
				   0, NULL));
	chosen = EXPECT_ONE_WOKEN(side, NR_SIDES);
	EXPECT_LE(2, chosen);
}

/* The source itself goes: all have their last record, nothing is handed on. */
TEST_F(exclusive, source_closed)
{
	struct side *side = self->side;
	int i, n, last, chosen;
	struct ukevent ev;

	ADD_ALL(NR_SIDES, KEVENT_EDGE | KEVENT_WANT_LAST);
	ASSERT_EQ(0, sides_sleep(side, NR_SIDES));
	ASSERT_EQ(0, shared_fire(&self->s));
	chosen = EXPECT_ONE_WOKEN(side, NR_SIDES);
	ASSERT_LE(0, chosen);
	close(self->s.fd);
	self->s.fd = -1;
	for (n = 1; n < NR_SIDES; n++)
		ASSERT_LE(0, side_chosen(side, NR_SIDES));
	EXPECT_EQ(2, ring_reaches(&side[chosen].q, 2));
	for (i = 0; i < NR_SIDES; i++) {
		for (last = 0; ukevent_take(&side[i].q, &ev, 1);) {
			EXPECT_EQ(0, last);
			EXPECT_EQ((__u64)i, ev.cookie);
			last += ev.flags & LAST;
		}
		EXPECT_EQ(1, last) TH_LOG("side %d", i);
		EXPECT_QUIET(&side[i].q);
	}
}

/* A thread in kevent_get_events(). */
struct getter {
	int kfd;
	struct ukevent ev;
	pthread_t thread;
	int tid;
	int done;
	int ret;
};

static void *getter_main(void *arg)
{
	struct getter *g = arg;

	__atomic_store_n(&g->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	g->ret = sys_kevent_get_events(g->kfd, &g->ev, 1, 1, NULL, 0);
	__atomic_store_n(&g->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static int getter_woken(struct getter *g, int nr, int ms)
{
	int i;

	do {
		for (i = 0; i < nr; i++)
			if (__atomic_load_n(&g[i].done, __ATOMIC_ACQUIRE))
				return i;
		sleep_ms(1);
	} while (ms--);
	return -ETIME;
}

/*
 * Sleeping in kevent_get_events() is sleeping, and what it copied is consumed.
 *
 *   queue      0            1
 *              Zz get       Zz get
 *   event  --> copied       Zz
 *   REMOVE of 0             Zz
 *   event  -->       --->   copied
 */
TEST_F(exclusive, without_ring)
{
	struct ukevent_queue q[2];
	struct getter g[2] = {};
	int i, chosen;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, queue_init_noring(&q[i], 8));
		ASSERT_EQ(0, shared_add(&self->s, q[i].fd, KEVENT_EXCLUSIVE,
					i));
		g[i].kfd = q[i].fd;
		ASSERT_EQ(0, pthread_create(&g[i].thread, NULL, getter_main,
					    &g[i]));
		ASSERT_EQ(0, started(&g[i].tid));
		ASSERT_EQ(0, task_asleep(g[i].tid));
	}
	ASSERT_EQ(0, shared_fire(&self->s));
	chosen = getter_woken(g, 2, TEST_LONG_MS);
	ASSERT_LE(0, chosen);
	pthread_join(g[chosen].thread, NULL);
	EXPECT_EQ(1, g[chosen].ret);
	EXPECT_EQ((__u64)chosen, g[chosen].ev.cookie);
	EXPECT_GT(0, getter_woken(&g[!chosen], 1, TEST_SHORT_MS));
	EXPECT_EQ(0, shared_take(&self->s));
	EXPECT_EQ(0, shared_change(&self->s, q[chosen].fd, KEVENT_OP_REMOVE, 0,
				   0, NULL));
	EXPECT_GT(0, getter_woken(&g[!chosen], 1, TEST_SHORT_MS));
	ASSERT_EQ(0, shared_fire(&self->s));
	EXPECT_EQ(0, getter_woken(&g[!chosen], 1, TEST_LONG_MS));
	EXPECT_EQ((__u64)!chosen, g[!chosen].ev.cookie);
	pthread_join(g[!chosen].thread, NULL);
	ukevent_queue_exit(&q[0]);
	ukevent_queue_exit(&q[1]);
}

/* ---- errors and hang-ups ---- */

FIXTURE(failing)
{
	struct side side[NR_SIDES];
	int fd;
	int peer;
};

FIXTURE_VARIANT(failing)
{
	unsigned int type;
	__u32 asked;
	__u32 events;	/* that all must be told of */
	int (*open)(int *fd, int *peer);
	void (*fail)(int fd, int peer);
};

static int open_pipe_reader(int *fd, int *peer)
{
	int pfd[2];

	if (pipe2(pfd, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	*fd = pfd[0];
	*peer = pfd[1];
	return 0;
}

/* A pipe that is full, seen from who writes. */
static int open_pipe_writer(int *fd, int *peer)
{
	static char junk[65536];
	int ret = open_pipe_reader(peer, fd);

	while (!ret && write(*fd, junk, sizeof(junk)) > 0)
		;
	return ret;
}

static int open_tcp(int *fd, int *peer)
{
	struct source s;
	int ret = sock_pair(&s, AF_INET, SOCK_STREAM);

	*fd = s.fd;
	*peer = s.peer;
	return ret;
}

static int open_unix(int *fd, int *peer)
{
	struct source s;
	int ret = sock_pair(&s, AF_UNIX, SOCK_STREAM);

	*fd = s.fd;
	*peer = s.peer;
	return ret;
}

/* Watched is the one that is connected, to a number that is then closed. */
static int open_udp(int *fd, int *peer)
{
	struct source s;
	int ret = sock_pair(&s, AF_INET, SOCK_DGRAM);

	*fd = s.peer;
	*peer = s.fd;
	return ret;
}

static void close_other(int fd, int peer)
{
	close(peer);
}

static void reset_other(int fd, int peer)
{
	struct linger l = { 1, 0 };

	setsockopt(peer, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(peer);
}

static void refuse_other(int fd, int peer)
{
	close(peer);
	send(fd, "x", 1, 0);
}

FIXTURE_VARIANT_ADD(failing, pipe_no_writer)
{
	.type = KEVENT_TYPE_POLL,
	.asked = EV_IN,
	.events = EV_HUP,
	.open = open_pipe_reader,
	.fail = close_other,
};

FIXTURE_VARIANT_ADD(failing, pipe_no_reader)
{
	.type = KEVENT_TYPE_POLL,
	.asked = EV_OUT,
	.events = EV_ERR,
	.open = open_pipe_writer,
	.fail = close_other,
};

FIXTURE_VARIANT_ADD(failing, tcp_reset_poll)
{
	.type = KEVENT_TYPE_POLL,
	.asked = EV_IN,
	.events = EV_ERR | EV_HUP,
	.open = open_tcp,
	.fail = reset_other,
};

FIXTURE_VARIANT_ADD(failing, tcp_reset)
{
	.type = KEVENT_TYPE_SOCKET,
	.asked = SK_RECV,
	.events = SK_ERROR | SK_HUP,
	.open = open_tcp,
	.fail = reset_other,
};

FIXTURE_VARIANT_ADD(failing, unix_close)
{
	.type = KEVENT_TYPE_SOCKET,
	.asked = SK_RECV,
	.events = SK_HUP,
	.open = open_unix,
	.fail = close_other,
};

/* A wake-up of one exclusive sleeper, as the source sees it; an error, though. */
FIXTURE_VARIANT_ADD(failing, udp_refused)
{
	.type = KEVENT_TYPE_SOCKET,
	.asked = SK_RECV,
	.events = SK_ERROR,
	.open = open_udp,
	.fail = refuse_other,
};

FIXTURE_SETUP(failing)
{
	ASSERT_EQ(0, sides_init(self->side, NR_SIDES));
	ASSERT_EQ(0, variant->open(&self->fd, &self->peer));
}

FIXTURE_TEARDOWN(failing)
{
	sides_exit(self->side, NR_SIDES);
	close(self->fd);
}

/*
 *   queue      0    1    2    3
 *              Zz   Zz   Zz   Zz
 *   error  --> R    R    R    R      all sleepers are woken
 */
TEST_F(failing, wakes_all)
{
	struct side *side = self->side;
	struct kevent_change c;
	struct ukevent sum;
	int i, n;

	for (i = 0; i < NR_SIDES; i++) {
		c = make_typed(KEVENT_OP_ADD, variant->type, self->fd,
			       variant->asked, KEVENT_EDGE | KEVENT_EXCLUSIVE,
			       i);
		ASSERT_EQ(0, do_change(side[i].q.fd, &c));
	}
	ASSERT_EQ(0, sides_sleep(side, NR_SIDES));
	variant->fail(self->fd, self->peer);
	for (n = 0; n < NR_SIDES; n++)
		ASSERT_LE(0, side_chosen(side, NR_SIDES));
	for (i = 0; i < NR_SIDES; i++) {
		EXPECT_EQ(variant->events, collect(&side[i].q, variant->events,
						   &sum) & variant->events);
		EXPECT_EQ((__u64)i, sum.cookie);
	}
}

/* And those where nobody sleeps, beside one that does. */
TEST_F(failing, tells_all)
{
	struct side *side = self->side;
	struct kevent_change c;
	struct ukevent sum;
	int i;

	for (i = 0; i < NR_SIDES; i++) {
		c = make_typed(KEVENT_OP_ADD, variant->type, self->fd,
			       variant->asked, KEVENT_EXCLUSIVE, i);
		ASSERT_EQ(0, do_change(side[i].q.fd, &c));
	}
	ASSERT_EQ(0, side_sleep(&side[0], 1));
	variant->fail(self->fd, self->peer);
	ASSERT_EQ(0, side_chosen(side, NR_SIDES));
	for (i = 0; i < NR_SIDES; i++)
		EXPECT_EQ(variant->events, collect(&side[i].q, variant->events,
						   &sum) & variant->events);
}

/* ---- handing on ---- */

enum { BY_REMOVE, BY_DISABLE, BY_CLOSE };

FIXTURE(hand_on)
{
	struct side side[NR_SIDES];
	struct shared s;
};

FIXTURE_VARIANT(hand_on)
{
	enum exclusive_kind kind;
	int by;
	__u32 mode;
};

FIXTURE_VARIANT_ADD(hand_on, eventfd_remove_level)
{
	.kind = EX_EVENTFD,
	.by = BY_REMOVE,
};

FIXTURE_VARIANT_ADD(hand_on, eventfd_disable_edge)
{
	.kind = EX_EVENTFD,
	.by = BY_DISABLE,
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(hand_on, pipe_close_edge)
{
	.kind = EX_PIPE,
	.by = BY_CLOSE,
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(hand_on, pipe_remove_dispatch)
{
	.kind = EX_PIPE,
	.by = BY_REMOVE,
	.mode = KEVENT_DISPATCH,
};

FIXTURE_VARIANT_ADD(hand_on, udp_remove_edge)
{
	.kind = EX_UDP,
	.by = BY_REMOVE,
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(hand_on, udp_close_level)
{
	.kind = EX_UDP,
	.by = BY_CLOSE,
};

FIXTURE_VARIANT_ADD(hand_on, tcp_remove_edge)
{
	.kind = EX_TCP_LISTENER,
	.by = BY_REMOVE,
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(hand_on, tcp_remove_level)
{
	.kind = EX_TCP_LISTENER,
	.by = BY_REMOVE,
};

FIXTURE_VARIANT_ADD(hand_on, tcp_disable_level)
{
	.kind = EX_TCP_LISTENER,
	.by = BY_DISABLE,
};

FIXTURE_VARIANT_ADD(hand_on, tcp_close_edge)
{
	.kind = EX_TCP_LISTENER,
	.by = BY_CLOSE,
	.mode = KEVENT_EDGE,
};

FIXTURE_VARIANT_ADD(hand_on, tcp_close_level)
{
	.kind = EX_TCP_LISTENER,
	.by = BY_CLOSE,
};

FIXTURE_VARIANT_ADD(hand_on, tcp_close_dispatch)
{
	.kind = EX_TCP_LISTENER,
	.by = BY_CLOSE,
	.mode = KEVENT_DISPATCH,
};

FIXTURE_VARIANT_ADD(hand_on, unix_disable_dispatch)
{
	.kind = EX_UNIX_LISTENER,
	.by = BY_DISABLE,
	.mode = KEVENT_DISPATCH,
};

FIXTURE_VARIANT_ADD(hand_on, unix_close_level)
{
	.kind = EX_UNIX_LISTENER,
	.by = BY_CLOSE,
};

FIXTURE_SETUP(hand_on)
{
	ASSERT_EQ(0, sides_init(self->side, NR_SIDES));
	ASSERT_EQ(0, shared_open(&self->s, variant->kind));
	ADD_ALL(NR_SIDES, variant->mode);
}

FIXTURE_TEARDOWN(hand_on)
{
	sides_exit(self->side, NR_SIDES);
	shared_close(&self->s);
}

static int leave(struct shared *s, struct side *side, int by)
{
	switch (by) {
	case BY_REMOVE:
		return shared_change(s, side->q.fd, KEVENT_OP_REMOVE, 0, 0,
				     NULL);
	case BY_DISABLE:
		return shared_change(s, side->q.fd, KEVENT_OP_DISABLE, 0, 0,
				     NULL);
	default:
		ukevent_queue_exit(&side->q);
		return 0;
	}
}

/*
 * T28: one after another is chosen, does not consume, and leaves.
 *
 *   queue      0     1     2     3
 *              Zz    Zz    Zz    Zz
 *   event  --> R     Zz    Zz    Zz
 *   0 leaves   --->  R     Zz    Zz
 *   1 leaves         --->  R     Zz
 *   2 leaves               --->  R     takes the one unit
 *   3 leaves                           nobody to hand it on to
 */
TEST_F(hand_on, unconsumed)
{
	struct side *side = self->side;
	int n, chosen;

	ASSERT_EQ(0, sides_sleep(side, NR_SIDES));
	ASSERT_EQ(0, shared_fire(&self->s));
	for (n = 0; n < NR_SIDES; n++) {
		chosen = EXPECT_ONE_WOKEN(side, NR_SIDES);
		ASSERT_LE(0, chosen);
		ASSERT_EQ(0, leave(&self->s, &side[chosen], variant->by));
	}
	EXPECT_EQ(1, shared_take_all(&self->s));
}

/*
 * Who consumed the record has the event, taken from the source or not.
 *
 *   queue      0     1     2     3
 *              Zz    Zz    Zz    Zz
 *   event  --> R     Zz    Zz    Zz
 *   0 consumes ()    Zz    Zz    Zz
 *   0 leaves         Zz    Zz    Zz    sleep on
 */
TEST_F(hand_on, consumed)
{
	struct side *side = self->side;
	int chosen;

	ASSERT_EQ(0, sides_sleep(side, NR_SIDES));
	ASSERT_EQ(0, shared_fire(&self->s));
	chosen = EXPECT_ONE_WOKEN(side, NR_SIDES);
	ASSERT_LE(0, chosen);
	EXPECT_EQ(1, take_all(&side[chosen].q, NULL));
	ASSERT_EQ(0, leave(&self->s, &side[chosen], variant->by));
	EXPECT_NONE_WOKEN(side, NR_SIDES);
	/* the next event is for the others */
	EXPECT_EQ(1, shared_take_all(&self->s));
	ASSERT_EQ(0, shared_fire(&self->s));
	chosen = EXPECT_ONE_WOKEN(side, NR_SIDES);
	ASSERT_LE(0, chosen);
}

/* ---- who is woken, but not told ---- */

/*
 * A queue whose sleeper is woken at the time of the event, and for records of
 * something else, has not taken the event.
 *
 *   queue      0               1
 *              Zz for 1        ()
 *              Zz for 2
 *   two foreign records: the first sleeper is woken, and has both before him;
 *   the second sleeps on, as one of them was promised to the first
 *   event  --> (disabled)  --> R     the second is woken for the old ones
 */
FIXTURE(untold)
{
	struct side side[2];
	struct waiter second;
	struct shared s;
};

FIXTURE_VARIANT(untold)
{
	enum exclusive_kind kind;
	__u32 mode;
};

FIXTURE_VARIANT_ADD(untold, tcp_disabled)
{
	.kind = EX_TCP_LISTENER,
};

FIXTURE_VARIANT_ADD(untold, unix_disabled)
{
	.kind = EX_UNIX_LISTENER,
};

FIXTURE_VARIANT_ADD(untold, eventfd_disabled)
{
	.kind = EX_EVENTFD,
};

FIXTURE_VARIANT_ADD(untold, tcp_dispatch)
{
	.kind = EX_TCP_LISTENER,
	.mode = KEVENT_DISPATCH,
};

FIXTURE_VARIANT_ADD(untold, eventfd_dispatch)
{
	.kind = EX_EVENTFD,
	.mode = KEVENT_DISPATCH,
};

FIXTURE_SETUP(untold)
{
	ASSERT_EQ(0, sides_init(self->side, 2));
	ASSERT_EQ(0, shared_open(&self->s, variant->kind));
}

FIXTURE_TEARDOWN(untold)
{
	sides_exit(self->side, 2);
	shared_close(&self->s);
}

#define FOREIGN		77

/* Two records, before the first sleeper runs, which is on this processor. */
static int two_foreign(struct ukevent_queue *q)
{
	int i, ret;

	for (i = 0; i < 2; i++) {
		ret = ukevent_trigger(q, FOREIGN, i);
		if (ret)
			return ret;
	}
	return 0;
}

TEST_F(untold, others_hear)
{
	struct side *side = self->side;
	int ret;

	ASSERT_EQ(0, ukevent_add(&side[0].q, KEVENT_TYPE_USER, FOREIGN, 0, 0,
				 FOREIGN));
	ASSERT_EQ(0, shared_add(&self->s, side[0].q.fd, KEVENT_EXCLUSIVE |
				(variant->mode ?: KEVENT_START_DISABLED), 0));
	if (variant->mode) {
		ASSERT_EQ(0, shared_fire(&self->s));
		EXPECT_EQ(1, ring_reaches(&side[0].q, 1));
		EXPECT_EQ(1, take_all(&side[0].q, NULL));
		EXPECT_EQ(0, shared_take(&self->s));
	}
	ASSERT_EQ(0, shared_add(&self->s, side[1].q.fd, KEVENT_EXCLUSIVE |
				KEVENT_EDGE, 1));
	EXPECT_QUIET(&side[0].q);
	EXPECT_QUIET(&side[1].q);
	if (!may_run_alone())
		SKIP(return, "no real-time priority");
	ASSERT_EQ(0, side_sleep(&side[0], 1));
	ASSERT_EQ(0, waiter_start(&self->second, &side[0].q, 2, NULL));
	ASSERT_EQ(0, run_alone());
	ret = two_foreign(&side[0].q);
	ASSERT_EQ(0, run_together());
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, side_chosen(side, 1));
	ASSERT_EQ(2, in_ring(&side[0].q));
	ASSERT_FALSE(waiter_done(&self->second, TEST_SHORT_MS));

	ASSERT_EQ(0, shared_fire(&self->s));
	EXPECT_EQ(1, ring_reaches(&side[1].q, 1));
	EXPECT_EQ(2, in_ring(&side[0].q));
	EXPECT_EQ(1, take_all(&side[1].q, NULL));
	EXPECT_EQ(0, shared_take(&self->s));
	/* or this has shown nothing */
	EXPECT_EQ(2, waiter_result(&self->second));
}

/* ---- what is refused ---- */

TEST(refused)
{
	static const unsigned int ops[] = {
		KEVENT_OP_MODIFY, KEVENT_OP_REMOVE, KEVENT_OP_ENABLE,
		KEVENT_OP_DISABLE, KEVENT_OP_TRIGGER,
	};
	static const unsigned int types[] = {
		KEVENT_TYPE_POLL, KEVENT_TYPE_SOCKET, KEVENT_TYPE_USER,
		KEVENT_TYPE_TIMER,
	};
	struct ukevent_queue q;
	struct kevent_change c;
	struct source s;
	size_t i, t;

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, sock_pair(&s, AF_UNIX, SOCK_STREAM));
	/* types without a descriptor: with it refused, without it taken */
	c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_USER, 1, 0, KEVENT_EXCLUSIVE,
		       1);
	EXPECT_EQ(-EINVAL, do_change(q.fd, &c));
	c.flags = 0;
	EXPECT_EQ(0, do_change(q.fd, &c));
	c = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_TIMER, 1, 0, KEVENT_EXCLUSIVE,
		       1);
	c.param[KEVENT_TIMER_TIME] = 1000 * NSEC_PER_SEC;
	c.param[KEVENT_TIMER_CLOCK] = CLOCK_MONOTONIC;
	EXPECT_EQ(-EINVAL, do_change(q.fd, &c));
	c.flags = 0;
	EXPECT_EQ(0, do_change(q.fd, &c));
	EXPECT_EQ(0, add_fd(q.fd, s.fd, EV_IN, KEVENT_EXCLUSIVE, 1, NULL));
	EXPECT_EQ(0, add_sock(q.fd, s.fd, SK_RECV, KEVENT_EXCLUSIVE, 1, NULL));
	/* and with any operation but ADD */
	for (t = 0; t < ARRAY_SIZE(types); t++) {
		for (i = 0; i < ARRAY_SIZE(ops); i++) {
			c = make_typed(ops[i], types[t], t < 2 ? s.fd : 1, 0,
				       KEVENT_EXCLUSIVE, 2);
			/* has two reasons to be refused */
			if (ops[i] == KEVENT_OP_TRIGGER &&
			    types[t] != KEVENT_TYPE_USER)
				continue;
			EXPECT_EQ(-EINVAL, do_change(q.fd, &c))
				TH_LOG("type %u op %u", types[t], ops[i]);
		}
	}
	/* which left all as they were */
	EXPECT_EQ(0, remove_fd(q.fd, s.fd));
	EXPECT_EQ(0, remove_sock(q.fd, s.fd));
	EXPECT_EQ(0, in_ring(&q));
	source_close(&s);
	ukevent_queue_exit(&q);
}

/* Exclusive with each mode, WANT_LAST and START_DISABLED is fine. */
TEST(taken)
{
	static const __u32 flags[] = {
		0, KEVENT_EDGE, KEVENT_ONESHOT, KEVENT_DISPATCH,
		KEVENT_EDGE | KEVENT_START_DISABLED,
		KEVENT_DISPATCH | KEVENT_WANT_LAST,
	};
	struct ukevent_queue q;
	struct source s;
	size_t i;

	ASSERT_EQ(0, queue_init(&q, 8));
	ASSERT_EQ(0, sock_pair(&s, AF_UNIX, SOCK_STREAM));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		EXPECT_EQ(0, add_fd(q.fd, s.fd, EV_IN | EV_OUT, flags[i] |
				    KEVENT_EXCLUSIVE, 1, NULL));
		EXPECT_EQ(0, add_sock(q.fd, s.fd, SK_RECV | SK_SEND, flags[i] |
				      KEVENT_EXCLUSIVE, 1, NULL));
		remove_fd(q.fd, s.fd);
		remove_sock(q.fd, s.fd);
		take_all(&q, NULL);
	}
	source_close(&s);
	ukevent_queue_exit(&q);
}

/* ---- processes that are killed ---- */

/* A child with its own queue on the listener it inherited. */
struct child {
	pid_t pid;
	int answer[2];	/* 'r' ready, 'w' woken, 'a' accepted */
	int order[2];	/* 'a' accept */
};

static void child_main(struct child *c, struct shared *s)
{
	struct ukevent_queue q;
	char order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (queue_init(&q, 8) || shared_add(s, q.fd, KEVENT_EXCLUSIVE |
					    KEVENT_EDGE, 1))
		_exit(1);
	write(c->answer[1], "r", 1);
	if (sys_kevent_wait(q.fd, 1, NULL, 0) < 1)
		_exit(2);
	/* the record stays where it is */
	write(c->answer[1], "w", 1);
	if (read(c->order[0], &order, 1) != 1 || shared_take(s))
		_exit(3);
	write(c->answer[1], "a", 1);
	for (;;)
		pause();
}

static int child_start(struct child *c, struct shared *s)
{
	char answer = 0;

	if (pipe2(c->answer, O_CLOEXEC) || pipe2(c->order, O_CLOEXEC))
		return -errno;
	c->pid = fork();
	if (c->pid < 0)
		return -errno;
	if (!c->pid)
		child_main(c, s);
	close(c->answer[1]);
	if (read(c->answer[0], &answer, 1) != 1 || answer != 'r')
		return -ECHILD;
	return task_asleep(c->pid);
}

static void child_kill(struct child *c)
{
	int status;

	kill(c->pid, SIGKILL);
	waitpid(c->pid, &status, 0);
	close(c->answer[0]);
	close(c->order[0]);
	close(c->order[1]);
	c->answer[0] = -1;
}

/* Waits for a word of one of the children; which, or -1. */
static int child_speaks(struct child *c, int nr, char word, int ms)
{
	struct pollfd p[NR_SIDES];
	char answer = 0;
	int i;

	for (i = 0; i < nr; i++) {
		p[i].fd = c[i].answer[0];
		p[i].events = POLLIN;
	}
	if (poll(p, nr, ms) < 1)
		return -1;
	for (i = 0; i < nr; i++)
		if (p[i].revents & POLLIN &&
		    read(c[i].answer[0], &answer, 1) == 1 && answer == word)
			return i;
	return -1;
}

FIXTURE(killed)
{
	struct shared s;
	struct child c[NR_SIDES];
};

FIXTURE_VARIANT(killed)
{
	enum exclusive_kind kind;
};

FIXTURE_VARIANT_ADD(killed, eventfd)
{
	.kind = EX_EVENTFD,
};

FIXTURE_VARIANT_ADD(killed, tcp_listener)
{
	.kind = EX_TCP_LISTENER,
};

FIXTURE_VARIANT_ADD(killed, unix_listener)
{
	.kind = EX_UNIX_LISTENER,
};

FIXTURE_SETUP(killed)
{
	ASSERT_EQ(0, shared_open(&self->s, variant->kind));
}

FIXTURE_TEARDOWN(killed)
{
	shared_close(&self->s);
}

/*
 *   process    A     B     C     D
 *              Zz    Zz    Zz    Zz
 *   event  --> R     Zz    Zz    Zz
 *   kill A     --->  R     Zz    Zz    its queue goes with it
 *   kill B           --->  R     Zz
 *   kill C                 --->  R
 *                                accepts it
 */
TEST_F(killed, after_it_was_chosen)
{
	int i, n, chosen;

	for (i = 0; i < NR_SIDES; i++)
		ASSERT_EQ(0, child_start(&self->c[i], &self->s));
	ASSERT_EQ(0, shared_fire(&self->s));
	for (n = 0; n < NR_SIDES; n++) {
		chosen = child_speaks(self->c, NR_SIDES, 'w', TEST_LONG_MS);
		ASSERT_LE(0, chosen) TH_LOG("%d killed", n);
		EXPECT_EQ(-1, child_speaks(self->c, NR_SIDES, 'w',
					   TEST_SHORT_MS));
		if (n == NR_SIDES - 1)
			break;
		child_kill(&self->c[chosen]);
	}
	ASSERT_EQ(1, write(self->c[chosen].order[1], "a", 1));
	EXPECT_EQ(chosen, child_speaks(self->c, NR_SIDES, 'a', TEST_LONG_MS));
	child_kill(&self->c[chosen]);
	EXPECT_EQ(-EAGAIN, shared_take(&self->s));
}

/*
 * The event and SIGKILL at the same time: chosen or not, killed before it woke
 * up or after, the other one must hear of it.
 *
 *   process    A          test
 *              Zz         Zz
 *   event  --> R or Zz    R or Zz
 *   kill A            ->  R
 */
TEST_F_TIMEOUT(killed, when_it_is_chosen, 120)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, spin, loops = test_loops(200), taken = 0;
	struct child *c = &self->c[0];
	struct side side = {};

	for (i = 0; i < loops && !race_done(start, 1000); i++) {
		ASSERT_EQ(0, queue_init(&side.q, 8));
		/* in both orders */
		if (i % 2)
			ASSERT_EQ(0, child_start(c, &self->s));
		ASSERT_EQ(0, shared_add(&self->s, side.q.fd, KEVENT_EXCLUSIVE |
					KEVENT_EDGE, 1));
		if (i % 2 == 0)
			ASSERT_EQ(0, child_start(c, &self->s));
		ASSERT_EQ(0, side_sleep(&side, 1));
		ASSERT_EQ(0, shared_fire(&self->s));
		for (spin = i * 37 % 5000; spin; spin--)
			__asm__ __volatile__("");
		child_kill(c);
		ASSERT_EQ(0, side_chosen(&side, 1)) TH_LOG("round %d", i);
		ASSERT_EQ(0, shared_take(&self->s));
		taken++;
		EXPECT_EQ(-EAGAIN, shared_take(&self->s));
		ukevent_queue_exit(&side.q);
		while (self->s.clients)
			close(self->s.client[--self->s.clients]);
	}
	TH_LOG("%d rounds", i);
	EXPECT_EQ(i, taken);
}

/* ---- storms ---- */

#define NR_SERVERS	4
#define NR_CALLS	2000

FIXTURE(storm)
{
	struct listener l;
};

FIXTURE_VARIANT(storm)
{
	int family;
	__u32 mode;
	int window;	/* connections at a time */
	int hurry;	/* servers do not sleep long, and look what there is */
};

FIXTURE_VARIANT_ADD(storm, tcp4_level)
{
	.family = AF_INET,
	.window = 8,
};

FIXTURE_VARIANT_ADD(storm, tcp6_edge)
{
	.family = AF_INET6,
	.mode = KEVENT_EDGE,
	.window = 8,
};

FIXTURE_VARIANT_ADD(storm, tcp4_dispatch)
{
	.family = AF_INET,
	.mode = KEVENT_DISPATCH,
	.window = 8,
};

FIXTURE_VARIANT_ADD(storm, tcp4_edge_single)
{
	.family = AF_INET,
	.mode = KEVENT_EDGE,
	.window = 1,
};

FIXTURE_VARIANT_ADD(storm, unix_edge_single_hurry)
{
	.family = AF_UNIX,
	.mode = KEVENT_EDGE,
	.window = 1,
	.hurry = 1,
};

FIXTURE_VARIANT_ADD(storm, unix_level)
{
	.family = AF_UNIX,
	.window = 8,
};

FIXTURE_VARIANT_ADD(storm, unix_dispatch_single)
{
	.family = AF_UNIX,
	.mode = KEVENT_DISPATCH,
	.window = 1,
};

FIXTURE_SETUP(storm)
{
	ASSERT_EQ(0, open_listener(&self->l, variant->family, SOCK_STREAM,
				   64));
}

FIXTURE_TEARDOWN(storm)
{
	close(self->l.fd);
}

struct calls {
	int listener;
	int stop_fd;		/* readable when all is over */
	int served[NR_CALLS];
	int total;
	int error;
};

struct server {
	struct ukevent_queue q;
	struct calls *calls;
	__u32 mode;
	int hurry;
	long served;
	long records;
	long nothing;	/* records after which there was nothing to accept */
};

/* Accepts a connection and takes its number; 0 if there is none. */
static int serve_one(struct server *s)
{
	struct calls *c = s->calls;
	int nr = -1, fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno != EAGAIN)
			c->error = -errno;
		return 0;
	}
	if (recv(fd, &nr, sizeof(nr), MSG_WAITALL) != sizeof(nr) || nr < 0 ||
	    nr >= NR_CALLS)
		c->error = -EPROTO;
	else
		__atomic_add_fetch(&c->served[nr], 1, __ATOMIC_RELAXED);
	close(fd);
	s->served++;
	__atomic_add_fetch(&c->total, 1, __ATOMIC_RELEASE);
	return 1;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	struct ukevent ev;
	int n;

	for (;;) {
		if (!ukevent_take(&s->q, &ev, 1)) {
			/*
			 * No time limit, or what was lost would be found; those
			 * in a hurry do not find it, as edges are not re-checked.
			 */
			n = s->hurry ? wait_ms(&s->q, 1, 1) :
			    sys_kevent_wait(s->q.fd, 1, NULL, 0);
			if (n < 0) {
				s->calls->error = n;
				return NULL;
			}
			continue;
		}
		if (ev.type == KEVENT_TYPE_POLL)
			return NULL;
		s->records++;
		n = serve_one(s);
		s->nothing += !n;
		/* level says again what is left, the others do not */
		while (n && s->mode)
			n = serve_one(s);
		if (s->mode == KEVENT_DISPATCH) {
			n = op_sock(s->q.fd, KEVENT_OP_ENABLE,
				    s->calls->listener);
			if (n)
				s->calls->error = n;
		}
	}
}

/*
 *   client --+-> listener --+-> queue 0 --> thread 0 --+
 *            |              +-> queue 1 --> thread 1 --+--> served[number]++
 *            |              +-> queue 2 --> thread 2 --+
 *            |              +-> queue 3 --> thread 3 --+
 *            +--- waits when that many are not served -+
 *
 * A connection nobody is told of stops all of it.
 */
TEST_F_TIMEOUT(storm, each_served_once, 300)
{
	int i, n, nr, loops = test_loops(NR_CALLS), client[8];
	struct server server[NR_SERVERS] = {};
	__u64 begin = now_ns(CLOCK_MONOTONIC), since;
	pthread_t thread[NR_SERVERS];
	static struct calls c;
	long records = 0, nothing = 0;

	if (loops > NR_CALLS)
		loops = NR_CALLS;
	memset(client, -1, sizeof(client));
	c.listener = self->l.fd;
	c.stop_fd = make_eventfd(0);
	for (i = 0; i < NR_SERVERS; i++) {
		ASSERT_EQ(0, queue_init(&server[i].q, 8));
		ASSERT_EQ(0, add_sock(server[i].q.fd, c.listener, SK_ACCEPT,
				      variant->mode | KEVENT_EXCLUSIVE, i,
				      NULL));
		ASSERT_EQ(0, add_fd(server[i].q.fd, c.stop_fd, EV_IN, 0, i,
				    NULL));
		server[i].calls = &c;
		server[i].mode = variant->mode;
		server[i].hurry = variant->hurry;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, serve,
					    &server[i]));
	}
	for (nr = 0; nr < loops && !race_done(begin, 1000); nr++) {
		n = nr % variant->window;
		if (client[n] >= 0)
			close(client[n]);
		client[n] = new_client(&self->l, 0);
		ASSERT_LE(0, client[n]);
		ASSERT_EQ((ssize_t)sizeof(nr), send(client[n], &nr, sizeof(nr),
						    MSG_NOSIGNAL));
		since = now_ns(CLOCK_MONOTONIC);
		while (nr - __atomic_load_n(&c.total, __ATOMIC_ACQUIRE) + 1 >=
		       variant->window) {
			ASSERT_FALSE(test_loops_done(since, TEST_LONG_MS /
						     1000))
				TH_LOG("stall: %d made, %d served", nr + 1,
				       c.total);
			sched_yield();
		}
	}
	since = now_ns(CLOCK_MONOTONIC);
	while (__atomic_load_n(&c.total, __ATOMIC_ACQUIRE) != nr &&
	       !test_loops_done(since, TEST_LONG_MS / 1000))
		sched_yield();
	EXPECT_EQ(nr, c.total);
	ASSERT_EQ(0, eventfd_add(c.stop_fd, 1));
	for (i = 0; i < NR_SERVERS; i++) {
		pthread_join(thread[i], NULL);
		records += server[i].records;
		nothing += server[i].nothing;
	}
	EXPECT_EQ(0, c.error);
	for (i = 0; i < nr; i++)
		EXPECT_EQ(1, c.served[i]) TH_LOG("connection %d", i);
	TH_LOG("%d connections, %ld %ld %ld %ld each, %ld records, %ld for nothing",
	       nr, server[0].served, server[1].served, server[2].served,
	       server[3].served, records, nothing);
	for (i = 0; i < NR_SERVERS; i++)
		ukevent_queue_exit(&server[i].q);
}

/* ---- races of handing on ---- */

/*
 * A queue that leaves with a record against another event, and against the close
 * of the source.
 *
 *   queue      0                 1
 *              R                 Zz or ()
 *   thread: 0 leaves             test: fires or closes
 */
FIXTURE(leaving)
{
	struct shared s;
};

FIXTURE_VARIANT(leaving)
{
	enum exclusive_kind kind;
	int closes;	/* the source, instead of firing it */
	int by;
};

FIXTURE_VARIANT_ADD(leaving, eventfd_close_remove)
{
	.kind = EX_EVENTFD,
	.closes = 1,
	.by = BY_REMOVE,
};

FIXTURE_VARIANT_ADD(leaving, pipe_close_disable)
{
	.kind = EX_PIPE,
	.closes = 1,
	.by = BY_DISABLE,
};

FIXTURE_VARIANT_ADD(leaving, tcp_close_queue)
{
	.kind = EX_TCP_LISTENER,
	.closes = 1,
	.by = BY_CLOSE,
};

FIXTURE_VARIANT_ADD(leaving, tcp_fire_remove)
{
	.kind = EX_TCP_LISTENER,
	.by = BY_REMOVE,
};

FIXTURE_VARIANT_ADD(leaving, eventfd_fire_queue)
{
	.kind = EX_EVENTFD,
	.by = BY_CLOSE,
};

FIXTURE_VARIANT_ADD(leaving, unix_fire_disable)
{
	.kind = EX_UNIX_LISTENER,
	.by = BY_DISABLE,
};

FIXTURE_SETUP(leaving)
{
	self->s.fd = -1;
	self->s.peer = -1;
}

FIXTURE_TEARDOWN(leaving)
{
	shared_close(&self->s);
}

struct leaver {
	struct shared *s;
	struct side *side;
	int by;
	__u64 id;
	int start_fd;	/* sleeps here between rounds */
	int awake;	/* round it woke up for */
	int round;	/* starts it */
	int finished;
};

static void *leave_main(void *arg)
{
	struct leaver *l = arg;
	struct kevent_change c;
	int round;

	for (round = 1;; round++) {
		eventfd_take(l->start_fd);
		__atomic_store_n(&l->awake, round, __ATOMIC_RELEASE);
		while (__atomic_load_n(&l->round, __ATOMIC_ACQUIRE) != round)
			if (__atomic_load_n(&l->round, __ATOMIC_ACQUIRE) < 0)
				return NULL;
		if (l->by == BY_CLOSE) {
			ukevent_queue_exit(&l->side->q);
		} else {	/* by its id: the descriptor may be closed */
			c = make_typed(l->by == BY_REMOVE ? KEVENT_OP_REMOVE :
				       KEVENT_OP_DISABLE, l->s->type, 0, 0,
				       KEVENT_BY_ID, 0);
			c.id = l->id;
			do_change(l->side->q.fd, &c);
		}
		__atomic_store_n(&l->finished, round, __ATOMIC_RELEASE);
	}
}

TEST_F_TIMEOUT(leaving, against, 120)
{
	int i, spin, loops = test_loops(1500), lasts;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct side side[2];
	struct leaver l = {
		.s = &self->s, .side = &side[0], .by = variant->by,
	};
	pthread_t thread;
	struct ukevent ev;

	l.start_fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_EQ(0, pthread_create(&thread, NULL, leave_main, &l));
	for (i = 1; i <= loops && !race_done(start, 800); i++) {
		ASSERT_EQ(0, shared_open(&self->s, variant->kind));
		ASSERT_EQ(0, sides_init(side, 2));
		ASSERT_EQ(0, shared_change(&self->s, side[0].q.fd,
					   KEVENT_OP_ADD, KEVENT_EXCLUSIVE |
					   KEVENT_EDGE, 0, &l.id));
		ASSERT_EQ(0, shared_fire(&self->s));
		ASSERT_EQ(1, ring_reaches(&side[0].q, 1));
		/* holds already: told once by ADD */
		ASSERT_EQ(0, shared_add(&self->s, side[1].q.fd,
					KEVENT_EXCLUSIVE | KEVENT_EDGE |
					KEVENT_WANT_LAST, 1));
		EXPECT_EQ(1, take_all(&side[1].q, NULL));
		ASSERT_EQ(0, side_sleep(&side[1], 1));
		ASSERT_EQ(0, eventfd_add(l.start_fd, 1));
		while (__atomic_load_n(&l.awake, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		__atomic_store_n(&l.round, i, __ATOMIC_RELEASE);
		for (spin = i * 37 % 500; spin; spin--)
			__asm__ __volatile__("");
		if (variant->closes) {
			close(self->s.fd);
			self->s.fd = -1;
		} else {
			ASSERT_EQ(0, shared_fire(&self->s));
		}
		while (__atomic_load_n(&l.finished, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		/* the end, what was handed on, or the second event */
		ASSERT_EQ(0, side_chosen(&side[1], 1)) TH_LOG("round %d", i);
		if (variant->closes) {
			for (lasts = 0; !lasts;) {
				ASSERT_LT(0, wait_ms(&side[1].q, 1,
						     TEST_LONG_MS));
				while (ukevent_take(&side[1].q, &ev, 1)) {
					EXPECT_EQ(0, lasts);
					lasts += ev.flags & LAST;
				}
			}
			EXPECT_QUIET(&side[1].q);
		} else {
			EXPECT_EQ(2, shared_take_all(&self->s));
		}
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
		sides_exit(side, 2);
		shared_close(&self->s);
	}
	TH_LOG("%d rounds", i - 1);
	__atomic_store_n(&l.round, -1, __ATOMIC_RELEASE);
	ASSERT_EQ(0, eventfd_add(l.start_fd, 1));
	pthread_join(thread, NULL);
	close(l.start_fd);
}

TEST_HARNESS_MAIN
