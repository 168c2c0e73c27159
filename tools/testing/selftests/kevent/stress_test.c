// SPDX-License-Identifier: GPL-2.0
/*
 * Conservation under load: what was written is read, every interest ends once,
 * nothing comes after the end.
 *
 * The number of events is 1000000, or what the environment has in
 * KEVENT_TEST_EVENTS, or kevent.events= on the kernel command line; on a machine
 * too slow for that (an emulated KASAN kernel) fewer, and the log says so.
 */
#include "kevent_test.h"

#define LAST	KEVENT_REC_LAST

static long cmdline_events(void)
{
	char buf[4096], *p;

	p = getenv("KEVENT_TEST_EVENTS");
	if (p)
		return atol(p);
	if (read_text("/proc/cmdline", buf, sizeof(buf)) <= 0)
		return 0;
	p = strstr(buf, "kevent.events=");
	return p ? atol(p + 14) : 0;
}

/* How many events can be had in about @seconds, at most @wanted. */
static long nr_events(struct __test_metadata *_metadata, long wanted,
		      int seconds)
{
	long asked = cmdline_events(), can;
	int i, fd = make_eventfd(0);
	__u64 start;

	if (asked > 0)
		return asked < wanted ? asked : wanted;
	start = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < 5000; i++) {
		eventfd_add(fd, 1);
		eventfd_take(fd);
	}
	close(fd);
	/* an event costs about three such rounds */
	can = seconds * NSEC_PER_SEC /
	      ((now_ns(CLOCK_MONOTONIC) - start) * 3 / 5000 + 1);
	if (can >= wanted)
		return wanted;
	TH_LOG("slow machine: %ld events instead of %ld", can, wanted);
	return can;
}

/*
 *   writer 0 --> 250 eventfds, 250 socket pairs --+
 *                                                 |    ring of 64
 *   writer 1 --> 250 eventfds, 250 socket pairs --+--> edge ------> consumer
 *                                                 |
 *   churner ---> 32 eventfds, ADD, write, REMOVE -+
 *
 * At the end: sums written = sums read, each ADD of the churner has had one
 * last record and nothing after it.
 */
#define NR_SOURCES	1000
#define NR_CHURN	32

struct stress {
	struct ukevent_queue *q;
	int fd[NR_SOURCES];
	int peer[NR_SOURCES];
	__u64 written[NR_SOURCES];
	__u64 read[NR_SOURCES];
	__u64 records[NR_SOURCES];
	int churn_fd[NR_CHURN];
	__u64 churn_added[NR_CHURN];	/* generations so far */
	__u64 churn_ended[NR_CHURN];	/* generation that ended last */
	long per_writer;
	int writers;			/* running */
	int stop_churn;
	int churn_running;
	int errors;			/* an errno */
};

struct stress_writer {
	struct stress *s;
	int nr;
};

static void *stress_write(void *arg)
{
	struct stress_writer *w = arg;
	struct stress *s = w->s;
	unsigned int seed = w->nr + 1;
	long n;
	int i;

	for (n = 0; n < s->per_writer; n++) {
		i = 2 * (rand_r(&seed) % (NR_SOURCES / 2)) + w->nr;
		if (i % 4 < 2) {
			if (eventfd_add(s->fd[i], 1))
				s->errors = -EIO;
		} else {
			while (send(s->peer[i], "x", 1, MSG_DONTWAIT) != 1)
				sched_yield();
		}
		s->written[i]++;
	}
	__atomic_sub_fetch(&s->writers, 1, __ATOMIC_RELEASE);
	return NULL;
}

#define CHURN_COOKIE	0x8000000000000000ULL

static void *stress_churn(void *arg)
{
	struct stress *s = arg;
	unsigned int seed = 99;
	int i, ret;

	/* once at least, though the others may be done before this one runs */
	do {
		i = rand_r(&seed) % NR_CHURN;
		/* last records that wait count against the limit */
		if (s->churn_added[i] - __atomic_load_n(&s->churn_ended[i],
							__ATOMIC_RELAXED) > 16) {
			sched_yield();
			continue;
		}
		ret = add_fd(s->q->fd, s->churn_fd[i], EV_IN,
			     KEVENT_EDGE | KEVENT_WANT_LAST, CHURN_COOKIE |
			     (__u64)i << 40 | (s->churn_added[i] + 1), NULL);
		if (ret) {
			s->errors = ret;
			break;
		}
		s->churn_added[i]++;
		if (rand_r(&seed) % 2)
			eventfd_add(s->churn_fd[i], 1);
		if (rand_r(&seed) % 4 == 0)
			sched_yield();
		if (rand_r(&seed) % 8) {
			ret = remove_fd(s->q->fd, s->churn_fd[i]);
			if (ret)
				s->errors = ret;
		} else {	/* the file goes instead */
			close(s->churn_fd[i]);
			s->churn_fd[i] = make_eventfd(0);
		}
	} while (!__atomic_load_n(&s->stop_churn, __ATOMIC_ACQUIRE));
	__atomic_store_n(&s->churn_running, 0, __ATOMIC_RELEASE);
	return NULL;
}

/* Reads a source empty, as an edge program must. */
static void stress_drain(struct stress *s, int i)
{
	char buf[4096];
	ssize_t n;

	if (i % 4 < 2) {
		s->read[i] += eventfd_take(s->fd[i]);
		return;
	}
	do {
		n = recv(s->fd[i], buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			s->read[i] += n;
	} while (n > 0);
}

/* 0, or what was wrong with the record. */
static const char *stress_record(struct stress *s, const struct ukevent *ev)
{
	__u64 gen;
	int i;

	if (ev->type != KEVENT_TYPE_POLL)
		return "type";
	if (!(ev->cookie & CHURN_COOKIE)) {
		if (ev->cookie >= NR_SOURCES)
			return "cookie";
		if (ev->events != EV_IN || ev->flags)
			return "events";
		s->records[ev->cookie]++;
		return NULL;
	}
	i = ev->cookie >> 40 & 0xff;
	gen = ev->cookie & ((1ULL << 40) - 1);
	if (i >= NR_CHURN)
		return "cookie of a churned one";
	if (gen <= s->churn_ended[i])
		return "after the last record";
	if (gen != s->churn_ended[i] + 1)
		return "no last record of the one before";
	if (ev->flags & LAST)
		__atomic_store_n(&s->churn_ended[i], gen, __ATOMIC_RELAXED);
	else if (ev->events != EV_IN || ev->flags)
		return "events of a churned one";
	return NULL;
}

/* S2: of what lies in the ring together no more than two are of one interest. */
static const char *stress_batch(const struct ukevent *ev, int n)
{
	int i, j, same;

	for (i = 0; i < n; i++) {
		if (ev[i].flags & LAST)
			continue;
		same = 0;
		for (j = i + 1; j < n; j++)
			same += ev[j].cookie == ev[i].cookie &&
				!(ev[j].flags & LAST);
		if (same > 1)
			return "more than two of one interest";
	}
	return NULL;
}

FIXTURE(stress)
{
	struct ukevent_queue q;
	struct stress *s;
};

FIXTURE_SETUP(stress)
{
	int i, sv[2];

	ASSERT_EQ(0, raise_nofile(8192));
	ASSERT_EQ(0, queue_init(&self->q, 64));
	self->s = calloc(1, sizeof(*self->s));
	ASSERT_NE(NULL, self->s);
	self->s->q = &self->q;
	for (i = 0; i < NR_SOURCES; i++) {
		if (i % 4 < 2) {
			self->s->fd[i] = make_eventfd(0);
			self->s->peer[i] = -1;
		} else {
			ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM |
						SOCK_CLOEXEC, 0, sv));
			self->s->fd[i] = sv[0];
			self->s->peer[i] = sv[1];
		}
		ASSERT_LE(0, self->s->fd[i]);
	}
	for (i = 0; i < NR_CHURN; i++)
		self->s->churn_fd[i] = make_eventfd(0);
}

FIXTURE_TEARDOWN(stress)
{
	ukevent_queue_exit(&self->q);
}

TEST_F_TIMEOUT(stress, conservation, 1200)
{
	struct ukevent_queue *q = &self->q;
	struct stress *s = self->s;
	struct stress_writer w[2] = { { s, 0 }, { s, 1 } };
	long i, n, done, syscalls = 0, taken = 0, events;
	pthread_t thread[2], churner;
	const char *wrong = NULL;
	struct ukevent ev[64];
	__u64 sum = 0, records = 0, churned = 0, start;

	events = nr_events(_metadata, 1000000, 400);
	s->per_writer = events / 2;
	s->writers = 2;
	s->churn_running = 1;
	for (i = 0; i < NR_SOURCES; i++)
		ASSERT_EQ(0, add_fd(q->fd, s->fd[i], EV_IN, KEVENT_EDGE, i,
				    NULL));
	start = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, stress_write,
					    &w[i]));
	ASSERT_EQ(0, pthread_create(&churner, NULL, stress_churn, s));

	for (;;) {
		/* before looking: what was written by then is found or lost */
		done = !__atomic_load_n(&s->writers, __ATOMIC_ACQUIRE);
		if (done)
			__atomic_store_n(&s->stop_churn, 1, __ATOMIC_RELEASE);
		done = done && !__atomic_load_n(&s->churn_running,
						__ATOMIC_ACQUIRE);
		n = ukevent_take(q, ev, 64);
		if (!n) {
			if (done && !ukevent_flush_due(q, 1))
				break;
			syscalls++;
			n = ukevent_wait(q, done ? 0 : 1,
					 50 * NSEC_PER_MSEC);
			ASSERT_LE(0, n);
			continue;
		}
		if (ukevent_flush_due(q, 0)) {
			syscalls++;
			ASSERT_LE(0, ukevent_wait(q, 0, 0));
		}
		taken += n;
		wrong = stress_batch(ev, n);
		for (i = 0; i < n && !wrong; i++) {
			wrong = stress_record(s, &ev[i]);
			if (!wrong && !(ev[i].cookie & CHURN_COOKIE))
				stress_drain(s, ev[i].cookie);
		}
		if (wrong) {
			TH_LOG("%s: cookie %llx events %x flags %x", wrong,
			       (unsigned long long)ev[i ? i - 1 : 0].cookie,
			       ev[i ? i - 1 : 0].events,
			       ev[i ? i - 1 : 0].flags);
			break;
		}
	}
	ASSERT_EQ(NULL, wrong);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	pthread_join(churner, NULL);

	EXPECT_EQ(0, s->errors);
	/* nothing lost: the queue has nothing more, and so have the sources */
	for (i = 0; i < NR_SOURCES; i++) {
		EXPECT_EQ(s->written[i], s->read[i]) TH_LOG("source %ld", i);
		EXPECT_EQ(0, is_ready(s->fd[i], POLLIN, 0));
		/* nothing twice: no event without a write */
		EXPECT_GE(s->written[i], s->records[i]) TH_LOG("source %ld", i);
		sum += s->read[i];
		records += s->records[i];
	}
	EXPECT_EQ((__u64)s->per_writer * 2, sum);
	for (i = 0; i < NR_CHURN; i++) {
		EXPECT_EQ(s->churn_added[i], s->churn_ended[i])
			TH_LOG("churned %ld", i);
		churned += s->churn_added[i];
	}
	TH_LOG("%llu events, %llu records, %llu interests churned, %ld calls, %llu ms",
	       (unsigned long long)sum, (unsigned long long)records,
	       (unsigned long long)churned, syscalls,
	       (unsigned long long)((now_ns(CLOCK_MONOTONIC) - start) /
				    NSEC_PER_MSEC));
	EXPECT_LT(0ULL, churned);
	EXPECT_QUIET(q);
}

/*
 * T5, T7: one-shots in sources that fire from two threads all the time, while
 * they are removed; each ends exactly once.
 */
struct storm {
	int *fds;
	int nr;
	int stop;
};

static void *storm_write(void *arg)
{
	struct storm *s = arg;
	int i = 0;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		eventfd_add(s->fds[i++ % s->nr], 1);
	return NULL;
}

TEST_F_TIMEOUT(stress, oneshot_storm, 300)
{
	struct ukevent_queue *q = &self->q;
	int fds[16], ended[16] = {}, added[16] = {};
	struct storm s = { .fds = fds, .nr = 16 };
	long i, rounds, n, total = 0;
	int ret, removed = 0;
	pthread_t thread[2];
	struct ukevent ev;

	for (i = 0; i < 16; i++)
		fds[i] = make_eventfd(0);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, storm_write, &s));
	rounds = nr_events(_metadata, 50000, 40);
	for (n = 0; n < rounds; n++) {
		i = n % 16;
		eventfd_take(fds[i]);
		ret = add_fd(q->fd, fds[i], EV_IN, KEVENT_ONESHOT |
			     KEVENT_WANT_LAST, (__u64)i << 32 | added[i],
			     NULL);
		ASSERT_TRUE(!ret || ret == -EEXIST);
		added[i] += !ret;
		if (n % 5 == 0) {
			ret = remove_fd(q->fd, fds[(n * 7 + n / 16) % 16]);
			ASSERT_TRUE(!ret || ret == -ENOENT);
			removed += !ret;
		}
		if (ukevent_flush_due(q, !in_ring(q)))
			ASSERT_LE(0, ukevent_wait(q, 0, 0));
		while (ukevent_take(q, &ev, 1)) {
			i = ev.cookie >> 32;
			ASSERT_GT(16, i);
			/* one record each, the last, in order */
			ASSERT_EQ(LAST, ev.flags);
			ASSERT_EQ((__u32)ended[i], (__u32)ev.cookie);
			ended[i]++;
		}
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 16; i++)
		remove_fd(q->fd, fds[i]);
	while (in_ring(q) || flush_ring(q)) {
		while (ukevent_take(q, &ev, 1)) {
			ASSERT_EQ(LAST, ev.flags);
			ended[ev.cookie >> 32]++;
		}
	}
	for (i = 0; i < 16; i++) {
		EXPECT_EQ(added[i], ended[i]) TH_LOG("source %ld", i);
		total += added[i];
	}
	TH_LOG("%ld added, %d of them removed", total, removed);
	EXPECT_LT(0, removed);
	EXPECT_LT((long)removed, total);
	EXPECT_QUIET(q);
}

/*
 * MODIFY against triggers: from the return of MODIFY on records carry the new
 * cookie, and no event is lost in between.
 */
TEST_F_TIMEOUT(stress, modify_races, 300)
{
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0);
	struct storm s = { .fds = &fd, .nr = 1 };
	__u32 index, from;
	long n, rounds;
	pthread_t thread;

	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_EDGE, 0, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, storm_write, &s));
	rounds = nr_events(_metadata, 20000, 40);
	for (n = 1; n <= rounds; n++) {
		ASSERT_EQ(0, modify_fd(q->fd, fd, EV_IN, n % 3 ? KEVENT_EDGE :
				       0, n));
		from = producer_index(q);
		if (n % 4 == 0)
			eventfd_take(fd);
		if (n % 5 == 0)
			sched_yield();
		if (n % 16 == 0)
			ASSERT_LE(0, flush_ring(q));
		/* what was published since then is of this cookie */
		for (index = from; index != producer_index(q); index++)
			EXPECT_EQ((__u64)n, q->records[index % 64].cookie);
		take_all(q, NULL);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	/* nothing lost: it still works, at the last cookie given */
	take_all(q, NULL);
	flush_ring(q);
	take_all(q, NULL);
	eventfd_take(fd);
	flush_ring(q);
	take_all(q, NULL);
	ASSERT_EQ(0, eventfd_add(fd, 1));
	EXPECT_EQ(1, ring_reaches(q, 1));
	EXPECT_TAKE(q, n - 1, EV_IN, 0);
}

/*
 * The same with the events changed: no record has events of before MODIFY under
 * the cookie of after.
 */
static void *storm_flip(void *arg)
{
	struct storm *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		eventfd_add(s->fds[0], 1);	/* wakes with IN */
		eventfd_take(s->fds[0]);	/* wakes with OUT */
	}
	return NULL;
}

TEST_F_TIMEOUT(stress, modify_events, 300)
{
	static const __u32 events[] = { EV_IN, EV_OUT };
	struct ukevent_queue *q = &self->q;
	int fd = make_eventfd(0);
	struct storm s = { .fds = &fd, .nr = 1 };
	long n, rounds, seen[2] = {};
	struct ukevent ev;
	pthread_t thread;
	__u64 start;

	ASSERT_EQ(0, add_fd(q->fd, fd, EV_IN, KEVENT_EDGE, 0, NULL));
	ASSERT_EQ(0, pthread_create(&thread, NULL, storm_flip, &s));
	rounds = nr_events(_metadata, 50000, 40);
	start = now_ns(CLOCK_MONOTONIC);
	/* until both were told, be it that the other one did not run as yet */
	for (n = 1; n <= rounds || (!(seen[0] && seen[1]) &&
	     !test_loops_done(start, 100)); n++) {
		ASSERT_EQ(0, modify_fd(q->fd, fd, events[n % 2], KEVENT_EDGE,
				       n));
		while (ukevent_take(q, &ev, 1)) {
			EXPECT_EQ(events[ev.cookie % 2], ev.events)
				TH_LOG("round %ld cookie %lld", n,
				       (long long)ev.cookie);
			seen[ev.cookie % 2]++;
		}
		if (n % 16 == 0)
			ASSERT_LE(0, flush_ring(q));
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	TH_LOG("%ld rounds, %ld in, %ld out", n - 1, seen[0], seen[1]);
	EXPECT_LT(0, seen[0]);
	EXPECT_LT(0, seen[1]);
}

/*
 * T18: readability flips as fast as it can.  One at a time: each write must be
 * reported, or the writer waits for ever.
 */
struct ping {
	int fd;
	int answered;
	int sent;
	long rounds;
};

static void *ping_write(void *arg)
{
	struct ping *p = arg;
	long n;

	for (n = 1; n <= p->rounds; n++) {
		eventfd_add(p->fd, 1);
		__atomic_store_n(&p->sent, n, __ATOMIC_RELEASE);
		while (__atomic_load_n(&p->answered, __ATOMIC_ACQUIRE) != n)
			sched_yield();
	}
	return NULL;
}

TEST_F_TIMEOUT(stress, flipping, 300)
{
	static const __u32 modes[] = {
		0, KEVENT_EDGE, KEVENT_DISPATCH, KEVENT_ONESHOT
	};
	struct ukevent_queue *q = &self->q;
	struct ping p = { .fd = make_eventfd(0) };
	struct ukevent ev;
	long n, stale;
	pthread_t thread;
	size_t m;

	for (m = 0; m < ARRAY_SIZE(modes); m++) {
		p.rounds = nr_events(_metadata, 20000, 20);
		p.answered = 0;
		p.sent = 0;
		ASSERT_EQ(0, add_fd(q->fd, p.fd, EV_IN, modes[m], m, NULL));
		ASSERT_EQ(0, pthread_create(&thread, NULL, ping_write, &p));
		for (n = 0, stale = 0; n < p.rounds;) {
			/* one in two rounds asleep, the other awake */
			if (n % 2 && !modes[m])
				ASSERT_LE(0, ukevent_wait(q, 0, 0));
			if (!(n % 2) && !in_ring(q))
				ASSERT_EQ(1, wait_ms(q, 1, TEST_LONG_MS));
			if (!ukevent_take(q, &ev, 1)) {
				sched_yield();
				continue;
			}
			ASSERT_EQ((__u64)m, ev.cookie);
			if (eventfd_take(p.fd))
				n++;
			else
				stale++;
			if (modes[m] == KEVENT_DISPATCH)
				ASSERT_EQ(0, op_fd(q->fd, KEVENT_OP_ENABLE,
						   p.fd));
			if (modes[m] == KEVENT_ONESHOT)
				ASSERT_EQ(0, add_fd(q->fd, p.fd, EV_IN,
						    modes[m], m, NULL));
			__atomic_store_n(&p.answered, n, __ATOMIC_RELEASE);
		}
		pthread_join(thread, NULL);
		TH_LOG("mode %zu: %ld rounds, %ld stale", m, n, stale);
		/* nothing left behind, but for a stale one of level */
		flush_ring(q);
		take_all(q, NULL);
		EXPECT_QUIET(q);
		ASSERT_EQ(0, remove_fd(q->fd, p.fd));
		EXPECT_QUIET(q);
	}
}

/*
 * S6 with several consumers: DISPATCH, and objects that are freed at the last
 * record.  Nobody may be working with an object that another one frees.
 *
 *   writer --> 8 sources --> 3 consumers: take, check, work, ENABLE
 *   remover: REMOVE (no ACK), and a new object in its place after LAST
 */
#define NR_OBJECTS	8

struct object {
	int fd;
	__u64 id;
	int state;	/* 0: to be added, 1: added, 2: removed */
	int users;
	__u64 gen;
	__u64 ended;
};

struct pool {
	struct ukevent_queue *q;
	struct object o[NR_OBJECTS];
	int stop;
	int errors;
	long worked;
};

static void *pool_consume(void *arg)
{
	struct pool *p = arg;
	struct kevent_wait_args a = {
		.flags = KEVENT_WAIT_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.timeout_ns = 5 * NSEC_PER_MSEC,
	};
	struct ukevent ev;
	struct object *o;
	__u64 gen, id;
	int ret;

	while (!__atomic_load_n(&p->stop, __ATOMIC_ACQUIRE)) {
		if (!ukevent_take_shared(p->q, &ev, 1)) {
			if (sys_kevent_wait(p->q->fd, 1, &a, sizeof(a)) < 0)
				p->errors++;
			continue;
		}
		o = &p->o[ev.cookie % NR_OBJECTS];
		gen = ev.cookie / NR_OBJECTS;
		/* the object must be the one of the record, and still there */
		if (__atomic_load_n(&o->gen, __ATOMIC_ACQUIRE) != gen ||
		    __atomic_load_n(&o->ended, __ATOMIC_ACQUIRE) >= gen)
			__atomic_add_fetch(&p->errors, 1, __ATOMIC_RELAXED);
		if (ev.flags & LAST) {
			/* nobody else is at work on it now: it can be freed */
			if (__atomic_load_n(&o->users, __ATOMIC_ACQUIRE))
				__atomic_add_fetch(&p->errors, 1,
						   __ATOMIC_RELAXED);
			__atomic_store_n(&o->ended, gen, __ATOMIC_RELEASE);
			__atomic_store_n(&o->state, 0, __ATOMIC_RELEASE);
			continue;
		}
		if (__atomic_add_fetch(&o->users, 1, __ATOMIC_ACQ_REL) != 1)
			__atomic_add_fetch(&p->errors, 1, __ATOMIC_RELAXED);
		id = __atomic_load_n(&o->id, __ATOMIC_ACQUIRE);
		while (!id) {	/* its ADD has not returned yet */
			sched_yield();
			id = __atomic_load_n(&o->id, __ATOMIC_ACQUIRE);
		}
		sched_yield();
		eventfd_take(o->fd);
		__atomic_add_fetch(&p->worked, 1, __ATOMIC_RELAXED);
		__atomic_sub_fetch(&o->users, 1, __ATOMIC_ACQ_REL);
		ret = op_id(p->q->fd, KEVENT_OP_ENABLE, id, 0);
		if (ret && ret != -ENOENT)
			__atomic_add_fetch(&p->errors, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST_F_TIMEOUT(stress, dispatch_pool, 300)
{
	static struct pool pool;
	struct pool *p = &pool;
	pthread_t thread[3], writer;
	int i, ret, fds[NR_OBJECTS];
	struct storm s = { .fds = fds, .nr = NR_OBJECTS };
	long n, rounds, objects = 0;
	struct object *o;
	__u64 id, start;

	p->q = &self->q;
	for (i = 0; i < NR_OBJECTS; i++) {
		fds[i] = make_eventfd(0);
		p->o[i].fd = fds[i];
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, pool_consume, p));
	ASSERT_EQ(0, pthread_create(&writer, NULL, storm_write, &s));
	rounds = nr_events(_metadata, 20000, 40);
	start = now_ns(CLOCK_MONOTONIC);
	for (n = 0; (n < rounds || !__atomic_load_n(&p->worked, __ATOMIC_RELAXED)) &&
	     !test_loops_done(start, 100); n++) {
		o = &p->o[n % NR_OBJECTS];
		switch (__atomic_load_n(&o->state, __ATOMIC_ACQUIRE)) {
		case 0:
			__atomic_store_n(&o->id, 0, __ATOMIC_RELEASE);
			__atomic_store_n(&o->state, 1, __ATOMIC_RELEASE);
			__atomic_add_fetch(&o->gen, 1, __ATOMIC_ACQ_REL);
			ret = add_fd(p->q->fd, o->fd, EV_IN, KEVENT_DISPATCH |
				     KEVENT_WANT_LAST | KEVENT_HOLD_LAST,
				     o->gen * NR_OBJECTS + n % NR_OBJECTS, &id);
			ASSERT_EQ(0, ret);
			__atomic_store_n(&o->id, id, __ATOMIC_RELEASE);
			objects++;
			break;
		case 1:
			if (n / NR_OBJECTS % 4)
				break;
			__atomic_store_n(&o->state, 2, __ATOMIC_RELEASE);
			ASSERT_EQ(0, op_id(p->q->fd, KEVENT_OP_REMOVE, o->id,
					   0));
			break;
		case 2:		/* its LAST is on the way */
			sched_yield();
			break;
		}
		ASSERT_EQ(0, __atomic_load_n(&p->errors, __ATOMIC_RELAXED));
	}
	/* all of them end */
	for (i = 0; i < NR_OBJECTS; i++) {
		o = &p->o[i];
		if (__atomic_load_n(&o->state, __ATOMIC_ACQUIRE) == 1) {
			__atomic_store_n(&o->state, 2, __ATOMIC_RELEASE);
			ASSERT_EQ(0, op_id(p->q->fd, KEVENT_OP_REMOVE, o->id,
					   0));
		}
		start = now_ns(CLOCK_MONOTONIC);
		while (__atomic_load_n(&o->state, __ATOMIC_ACQUIRE) &&
		       !test_loops_done(start, 20))
			sched_yield();
		EXPECT_EQ(0, o->state) TH_LOG("object %d", i);
		EXPECT_EQ(o->gen, o->ended);
	}
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&p->stop, 1, __ATOMIC_RELEASE);
	pthread_join(writer, NULL);
	for (i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	EXPECT_EQ(0, p->errors);
	TH_LOG("%ld objects, %ld times worked on", objects, p->worked);
	EXPECT_LT(0, p->worked);
}

TEST_HARNESS_MAIN
