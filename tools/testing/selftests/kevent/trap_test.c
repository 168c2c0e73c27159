// SPDX-License-Identifier: GPL-2.0
/*
 * What earlier attempts at event queues fell into, and the other tests do not
 * cover.  T1 and so on as in traps.rst, where all of them are listed.
 */
#include "source_test.h"
#include <sys/signalfd.h>

#define RACE_SECONDS	4

/*
 * T1: queues that know nothing of each other are each told of one event.
 *
 *   pipe <-- queue of process 1, asleep in it
 *        <-- queue of process 2, asleep in it      a byte: both are woken
 *        <-- queue of process 3, which looks only then
 */
TEST(each_process_is_told)
{
	struct ukevent_queue q;
	struct ukevent ev = {};
	int i, p[2], ready[2], go[2];
	pid_t pid[3];
	char c;

	ASSERT_EQ(0, pipe(p));
	ASSERT_EQ(0, pipe(ready));
	ASSERT_EQ(0, pipe(go));
	for (i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		if (queue_init(&q, 4) ||
		    add_fd(q.fd, p[0], EV_IN, i ? KEVENT_EDGE : 0, i, NULL) ||
		    write(ready[1], "r", 1) != 1)
			_exit(1);
		if (i == 2 && (read(go[0], &c, 1) != 1 || in_ring(&q) != 1))
			_exit(2);
		if (wait_ms(&q, 1, TEST_LONG_MS) != 1 ||
		    ukevent_take(&q, &ev, 1) != 1 || ev.events != EV_IN)
			_exit(3);
		_exit(0);
	}
	for (i = 0; i < 3; i++)
		ASSERT_EQ(1, read(ready[0], &c, 1));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, task_asleep(pid[i]));
	ASSERT_EQ(1, write(p[1], "x", 1));
	ASSERT_EQ(1, write(go[1], "g", 1));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, child_status(pid[i])) TH_LOG("process %d", i + 1);
}

/* ---- large queues ---- */

#define NR_LARGE	100000
#define NR_BATCH	500
#define NR_LARGE_FDS	1000

struct large {
	struct ukevent_queue *q;
	int fds[NR_LARGE_FDS];
	int nr;
	int stop;
};

static void *fire_large(void *arg)
{
	struct large *l = arg;
	unsigned int i;

	for (i = 0; !__atomic_load_n(&l->stop, __ATOMIC_RELAXED); i++) {
		eventfd_add(l->fds[i % NR_LARGE_FDS], 1);
		/* an error when the queue is gone */
		ukevent_trigger(l->q, i * 7919 % l->nr, i);
	}
	return NULL;
}

/* Fills the queue: half of it timers that expire in the next 300 ms. */
static int fill_large(struct large *l)
{
	static struct kevent_change c[NR_BATCH];
	int i, j, ret;

	for (i = 0; i < l->nr; i += NR_BATCH) {
		for (j = 0; j < NR_BATCH; j++) {
			c[j] = make_user(KEVENT_OP_ADD, i + j,
					 KEVENT_WANT_LAST, i + j);
			if (j % 2)
				c[j] = make_timer(KEVENT_OP_ADD, i + j,
						  j * 600000, j % 4 * 50000,
						  CLOCK_MONOTONIC,
						  KEVENT_WANT_LAST, i + j);
		}
		ret = sys_kevent_ctl(l->q->fd, c, NR_BATCH, sizeof(c[0]), 0);
		if (ret != NR_BATCH)
			return ret < 0 ? ret : -EPROTO;
		for (j = 0; j < NR_BATCH; j++)
			if (c[j].result)
				return c[j].result;
	}
	for (i = 0; i < NR_LARGE_FDS; i++) {
		ret = add_fd(l->q->fd, l->fds[i], EV_IN, KEVENT_WANT_LAST, i,
			     NULL);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * T9: a queue with 100000 interests goes while all of them fire; its memory is
 * charged to nobody then.
 */
FIXTURE(large)
{
	struct large l;
	struct ukevent_queue q;
	char limit[32];
};

FIXTURE_SETUP(large)
{
	char text[32];
	int i;

	self->l.nr = test_loops(NR_LARGE / NR_BATCH) * NR_BATCH;
	self->l.q = &self->q;
	ASSERT_EQ(0, raise_nofile(NR_LARGE_FDS + 100));
	for (i = 0; i < NR_LARGE_FDS; i++) {
		self->l.fds[i] = make_eventfd(0);
		ASSERT_LE(0, self->l.fds[i]);
	}
	/* room for one such queue, whatever else there is, but not for two */
	ASSERT_LT(0, read_text(MAX_INTERESTS, self->limit, 32));
	snprintf(text, sizeof(text), "%d", self->l.nr * 3 / 2 + NR_LARGE_FDS);
	ASSERT_EQ(0, write_text(MAX_INTERESTS, text));
}

FIXTURE_TEARDOWN(large)
{
	EXPECT_EQ(0, write_text(MAX_INTERESTS, self->limit));
}

TEST_F_TIMEOUT(large, closed_while_firing, 120)
{
	struct ukevent_queue other;
	pthread_t thread;
	int i, ret;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, queue_init(&self->q, 64));
		/* what is charged is given back when the last one is gone */
		ret = fill_large(&self->l);
		ASSERT_EQ(0, ret) TH_LOG("queue %d: %s", i, strerror(-ret));
		self->l.stop = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, fire_large,
					    &self->l));
		sleep_ms(TEST_SHORT_MS);
		ukevent_queue_exit(&self->q);
		sleep_ms(TEST_SHORT_MS);
		__atomic_store_n(&self->l.stop, 1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
	}
	/* the sources are as they were */
	ASSERT_EQ(0, queue_init(&other, 4));
	for (i = 0; i < NR_LARGE_FDS; i += 100) {
		eventfd_take(self->l.fds[i]);
		ASSERT_EQ(0, add_fd(other.fd, self->l.fds[i], EV_IN, 0, i,
				    NULL));
		ASSERT_EQ(0, eventfd_add(self->l.fds[i], 1));
		EXPECT_EQ(1, ring_reaches(&other, 1));
		EXPECT_TAKE(&other, i, EV_IN, 0);
		ASSERT_EQ(0, remove_fd(other.fd, self->l.fds[i]));
	}
	ukevent_queue_exit(&other);
}

/* ---- several consumers ---- */

#define NR_CLAIMED	8

struct claim {
	struct ukevent_queue *q;
	__u64 counted[NR_CLAIMED];
	__u64 triggered[NR_CLAIMED];
	long records;
	int errors;
	int stop;
	int rounds;
	__u64 start;
};

struct claimer {
	struct claim *c;
	int nr;
};

/* Triggers each second number; the payload says whose it is, and when. */
static void *claim_produce(void *arg)
{
	struct claimer *me = arg;
	struct claim *c = me->c;
	int i, n;

	/* each number at least once, however late it is */
	for (i = 0; i < c->rounds && (i < NR_CLAIMED ||
	     !test_loops_done(c->start, RACE_SECONDS)); i++) {
		n = (2 * i + me->nr) % NR_CLAIMED;
		c->triggered[n]++;
		if (ukevent_trigger(c->q, n, (__u64)n << 48 | c->triggered[n]))
			__atomic_add_fetch(&c->errors, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static bool claim_record(struct claim *c, const struct ukevent *ev)
{
	__u64 n = ev->cookie / 0x0101010101010101ULL;

	if (n >= NR_CLAIMED || ev->cookie != n * 0x0101010101010101ULL ||
	    ev->type != KEVENT_TYPE_USER || ev->events != TRIGGERED ||
	    ev->flags || ev->data[0] >> 48 != n || !ev->data[1])
		return false;
	/* it cannot stand for more than there were by then */
	if (ev->data[1] > (ev->data[0] & 0xffffffffffffULL))
		return false;
	__atomic_add_fetch(&c->counted[n], ev->data[1], __ATOMIC_RELAXED);
	__atomic_add_fetch(&c->records, 1, __ATOMIC_RELAXED);
	return true;
}

static void *claim_consume(void *arg)
{
	struct claimer *me = arg;
	struct kevent_wait_args a = {
		.flags = KEVENT_WAIT_TIMEOUT,
		.clockid = CLOCK_MONOTONIC,
		.timeout_ns = 2 * NSEC_PER_MSEC,
	};
	struct claim *c = me->c;
	struct ukevent ev[4];
	int i, n;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		n = ukevent_take_shared(c->q, ev, 1 + me->nr % 4);
		if (!n)
			sys_kevent_wait(c->q->fd, 1, &a, sizeof(a));
		for (i = 0; i < n; i++)
			if (!claim_record(c, &ev[i]))
				__atomic_add_fetch(&c->errors, 1,
						   __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * T13: records are copied before they are claimed; what was copied while others
 * claimed it, and the kernel wrote there anew, must not be used.
 *
 *   2 producers --> 8 user events --> ring of 4 --> 3 consumers
 *
 * Every record is of one piece: cookie and data belong together.  And each
 * trigger is in one record.
 */
TEST(copied_then_claimed)
{
	static struct claim c;
	struct claimer who[5];
	pthread_t thread[5];
	struct ukevent_queue q;
	struct ukevent ev;
	int i;

	ASSERT_EQ(0, queue_init(&q, 4));
	c.q = &q;
	c.rounds = test_loops(100000);
	c.start = now_ns(CLOCK_MONOTONIC);
	for (i = 0; i < NR_CLAIMED; i++)
		ASSERT_EQ(0, add_user(&q, i, 0, i * 0x0101010101010101ULL));
	for (i = 0; i < 5; i++) {
		who[i].c = &c;
		who[i].nr = i;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, i < 2 ?
					    claim_produce : claim_consume,
					    &who[i]));
	}
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	__atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
	for (i = 2; i < 5; i++)
		pthread_join(thread[i], NULL);
	/* what is left; the deferred ones come with each look */
	while (in_ring(&q) || flush_ring(&q) > 0)
		while (ukevent_take_shared(&q, &ev, 1))
			EXPECT_TRUE(claim_record(&c, &ev));
	EXPECT_EQ(0, c.errors);
	for (i = 0; i < NR_CLAIMED; i++) {
		EXPECT_EQ(c.triggered[i], c.counted[i]) TH_LOG("%d", i);
		EXPECT_LT(0ULL, c.triggered[i]);
	}
	TH_LOG("%ld records", c.records);
	ukevent_queue_exit(&q);
}

/* ---- batches ---- */

struct remover {
	int kfd;
	int fd;
	int stop;
	int bad;	/* a result that should not be */
	long removed;
};

static void *remove_on(void *arg)
{
	struct remover *r = arg;
	int ret;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		ret = remove_fd(r->kfd, r->fd);
		r->removed += !ret;
		if (ret && ret != -ENOENT)
			r->bad = ret;
	}
	return NULL;
}

/*
 * T15: a count that says more than there is, while what is there comes and goes.
 *
 *   main: 0x20000000 changes, of which one is there: ADD     the other: REMOVE
 */
TEST(huge_count_while_removed)
{
	struct remover r = { .fd = make_eventfd(0) };
	int i, rounds = test_loops(5000), added = 0;
	__u64 start = now_ns(CLOCK_MONOTONIC);
	struct kevent_change *c;
	struct ukevent_queue q;
	char *end = guarded_end(1);
	pthread_t thread;

	ASSERT_NE(NULL, end);
	ASSERT_EQ(0, queue_init(&q, 4));
	r.kfd = q.fd;
	c = (struct kevent_change *)end - 1;
	ASSERT_EQ(0, pthread_create(&thread, NULL, remove_on, &r));
	for (i = 0; i < rounds && (!added ||
	     !test_loops_done(start, RACE_SECONDS)); i++) {
		*c = make_change(KEVENT_OP_ADD, r.fd, EV_IN, 0, i);
		ASSERT_EQ(1, sys_kevent_ctl(q.fd, c, 0x20000000, sizeof(*c),
					    0));
		ASSERT_TRUE(!c->result || c->result == -EEXIST);
		added += !c->result;
	}
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	r.removed += !remove_fd(q.fd, r.fd);
	EXPECT_EQ(0, r.bad);
	EXPECT_EQ(added, r.removed);
	EXPECT_LT(0, added);
	ukevent_queue_exit(&q);
}

/*
 * T38: a fault in the middle of the copying loses no one-shot.
 *
 *   one-shots of POLL, SOCKET, TIMER and USER, all true; room for two
 *   1st call: two, then the fault     2nd call: the other two
 */
TEST(fault_keeps_oneshots)
{
	const __u32 flags = KEVENT_ONESHOT | KEVENT_WANT_LAST;
	char *end = guarded_end(1);
	struct ukevent buf[8];
	struct ukevent_queue q;
	unsigned int seen = 0;
	struct source s;
	int i, n, fd = make_eventfd(1);

	ASSERT_NE(NULL, end);
	ASSERT_EQ(0, source_open(&s, SRC_UNIX));
	ASSERT_EQ(0, source_fire(&s));
	ASSERT_EQ(0, queue_init_noring(&q, 4));
	ASSERT_EQ(0, add_fd(q.fd, fd, EV_IN, flags, 0, NULL));
	ASSERT_EQ(0, ukevent_add_socket(&q, s.fd, KEVENT_SOCK_RECV, flags, 1));
	ASSERT_EQ(0, ukevent_set_timer(&q, KEVENT_OP_ADD, 5, 0, 0,
				       CLOCK_MONOTONIC, flags, 2));
	ASSERT_EQ(0, add_user(&q, 6, flags, 3));
	ASSERT_EQ(0, ukevent_trigger(&q, 6, 7));
	/* the third record ends one byte too late */
	end -= 3 * sizeof(buf[0]) - 1;
	EXPECT_EQ(2, sys_kevent_get_events(q.fd, (void *)end, 1, 8, NULL, 0));
	memcpy(buf, end, 2 * sizeof(buf[0]));
	end += 3 * sizeof(buf[0]) - 1;
	EXPECT_EQ(-EFAULT, sys_kevent_get_events(q.fd, (void *)end, 1, 8, NULL,
						 0));
	n = sys_kevent_get_events(q.fd, buf + 2, 1, 6, NULL, 0);
	ASSERT_EQ(2, n);
	for (i = 0; i < 4; i++) {
		EXPECT_EQ(i, (int)buf[i].cookie);
		EXPECT_EQ((unsigned int)LAST, buf[i].flags & (unsigned int)LAST);
		seen |= 1U << buf[i].type;
	}
	EXPECT_EQ(1U << KEVENT_TYPE_POLL | 1U << KEVENT_TYPE_SOCKET |
		  1U << KEVENT_TYPE_TIMER | 1U << KEVENT_TYPE_USER, seen);
	EXPECT_EQ(7ULL, buf[3].data[0]);
	EXPECT_EQ(0, sys_kevent_get_events(q.fd, buf, 0, 8, NULL, 0));
	ukevent_queue_exit(&q);
	source_close(&s);
	close(fd);
}

/* ---- wake-ups ---- */

/*
 * T16: a ->poll that sleeps (an epoll set has a mutex), of a source that wakes
 * from a hard interrupt.  Kernels that look for it complain about a call from
 * there.
 *
 *   hard interrupt: timerfd --> epoll set --> interest: record
 *   kevent_wait(): still true?      timerfd <-- epoll set <-- ->poll
 */
TEST(poll_that_sleeps)
{
	struct itimerspec its = { .it_value = { 0, 100000 } };
	struct epoll_event ev = { .events = EPOLLIN };
	int i, tfd, ep = epoll_create1(EPOLL_CLOEXEC);
	struct ukevent_queue q;
	struct waiter w;
	__u64 ticks;

	tfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	ASSERT_LE(0, tfd);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, tfd, &ev));
	ASSERT_EQ(0, queue_init(&q, 4));
	ASSERT_EQ(0, add_fd(q.fd, ep, EV_IN | EV_PRI, 0, 1, NULL));
	for (i = 0; i < 20; i++) {
		if (i % 2)
			ASSERT_EQ(0, waiter_start(&w, &q, 1, NULL));
		ASSERT_EQ(0, timerfd_settime(tfd, 0, &its, NULL));
		EXPECT_EQ(1, i % 2 ? waiter_result(&w) : ring_reaches(&q, 1));
		EXPECT_TAKE(&q, 1, EV_IN, 0);
		EXPECT_EQ(1, flush_ring(&q));
		EXPECT_TAKE(&q, 1, EV_IN, 0);
		ASSERT_EQ(8, read(tfd, &ticks, 8));
		EXPECT_QUIET(&q);
	}
	ukevent_queue_exit(&q);
	close(ep);
	close(tfd);
}

/* A descriptor for SIGUSR1, which is blocked from here on. */
static int make_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static int take_signal(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == sizeof(info);
}

/* T39: a source that wakes without a word is asked, asleep or not. */
TEST(wakes_without_key)
{
	int i, fd = make_signalfd();
	struct ukevent_queue q;
	struct waiter w;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, queue_init(&q, 4));
	ASSERT_EQ(0, add_fd(q.fd, fd, EV_IN, KEVENT_EDGE, 1, NULL));
	for (i = 0; i < 10; i++) {
		EXPECT_QUIET(&q);
		if (i % 2)
			ASSERT_EQ(0, waiter_start(&w, &q, 1, NULL));
		ASSERT_EQ(0, kill(getpid(), SIGUSR1));
		if (i % 2) {
			EXPECT_EQ(1, waiter_result(&w));
		} else {
			EXPECT_EQ(0, in_ring(&q));
			EXPECT_EQ(1, is_pending(&q));
			EXPECT_EQ(1, flush_ring(&q));
		}
		EXPECT_TAKE(&q, 1, EV_IN, 0);
		EXPECT_EQ(1, take_signal(fd));
	}
	ukevent_queue_exit(&q);
	close(fd);
}

/*
 * T26: a signalfd answers for who asks, not for who registered it.  So it is with
 * epoll, and the two are asked alike.
 *
 *   parent                                    child
 *   ADD signalfd to queue and epoll set       has both
 *   a signal comes, for the parent
 *                                             asks: nothing for it
 *   asks: that it was told already
 *   the next signal comes; asks: there it is
 */
TEST(signalfd_of_whom)
{
	int fd = make_signalfd(), ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct ukevent_queue q;
	struct waiter w;
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, queue_init(&q, 4));
	ASSERT_EQ(0, add_fd(q.fd, fd, EV_IN, KEVENT_EDGE, 1, NULL));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	pid = fork();
	if (!pid)
		_exit(sys_kevent_wait(q.fd, 0, NULL, 0) |
		      epoll_wait(ep, &ev, 1, 0) << 1);
	EXPECT_EQ(0, child_status(pid));
	EXPECT_EQ(0, flush_ring(&q));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	EXPECT_EQ(1, take_signal(fd));
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_EQ(1, flush_ring(&q));
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, 0));
	EXPECT_TAKE(&q, 1, EV_IN, 0);
	EXPECT_EQ(1, take_signal(fd));
	/* threads of one process have the process's signals in common ... */
	ASSERT_EQ(0, waiter_start(&w, &q, 1, NULL));
	ASSERT_EQ(0, kill(getpid(), SIGUSR1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE(&q, 1, EV_IN, 0);
	EXPECT_EQ(1, take_signal(fd));
	/* ... and each has its own: the one that sleeps is asked for it */
	ASSERT_EQ(0, waiter_start(&w, &q, 1, NULL));
	ASSERT_EQ(0, raise(SIGUSR1));
	EXPECT_EQ(0, waiter_done(&w, TEST_SHORT_MS));
	ASSERT_EQ(0, pthread_kill(w.thread, SIGUSR1));
	EXPECT_EQ(1, waiter_result(&w));
	EXPECT_TAKE(&q, 1, EV_IN, 0);
	EXPECT_EQ(1, take_signal(fd));
	ukevent_queue_exit(&q);
	close(ep);
	close(fd);
}

/*
 * T24: the wait queue dies before the file, and with it go all that hang there,
 * the exclusive ones too, of which an ordinary wake-up would reach one.
 *
 *   signalfd, polled by a child: the child's wait queue
 *     <-- queue 1, exclusive   <-- queue 2, exclusive   <-- queue 3
 *   the child dies; the interests stay, and never hear of anything
 */
TEST(wait_queue_dies)
{
	int i, j, fd = make_signalfd();
	struct ukevent_queue q[3];
	pid_t pid;

	ASSERT_LE(0, fd);
	for (j = 0; j < 3; j++)
		ASSERT_EQ(0, queue_init(&q[j], 4));
	for (i = 0; i < 10; i++) {
		pid = fork();
		if (!pid) {
			for (j = 0; j < 3; j++)
				if (add_fd(q[j].fd, fd, EV_IN, KEVENT_EDGE |
					   (j < 2 ? KEVENT_EXCLUSIVE : 0), 1,
					   NULL))
					_exit(1);
			_exit(0);
		}
		ASSERT_EQ(0, child_status(pid));
		for (j = 0; j < 3; j++) {
			EXPECT_EQ(0, flush_ring(&q[j]));
			EXPECT_QUIET(&q[j]);
		}
		/* nobody walks what is gone */
		ASSERT_EQ(0, kill(getpid(), SIGUSR1));
		EXPECT_EQ(1, take_signal(fd));
		for (j = 0; j < 3; j++) {
			if (i % 2)
				EXPECT_EQ(0, op_fd(q[j].fd, KEVENT_OP_DISABLE,
						   fd));
			EXPECT_EQ(0, remove_fd(q[j].fd, fd));
			EXPECT_QUIET(&q[j]);
		}
	}
	for (j = 0; j < 3; j++)
		ukevent_queue_exit(&q[j]);
	close(fd);
}

/*
 * T31: a sleeper that was woken and has not run yet is none any more.
 *
 *   queue      0             1
 *              Zz            Zz      on one processor, which main does not leave
 *   event  --> R, woken      Zz
 *   event  --> R        -->  R, woken
 *   main lets them run: both return, a unit for each
 */
TEST(two_events_before_a_wake)
{
	int i, round, fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK);
	struct ukevent_queue q[2];
	struct waiter w[2];

	ASSERT_LE(0, fd);
	if (!may_run_alone())
		SKIP(return, "no real-time priority");
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 4));
		ASSERT_EQ(0, add_fd(q[i].fd, fd, EV_IN, KEVENT_EXCLUSIVE, i,
				    NULL));
	}
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, waiter_start(&w[i], &q[i], 1, NULL));
		ASSERT_EQ(0, run_alone());
		ASSERT_EQ(0, eventfd_add(fd, 1));
		EXPECT_EQ(0, w[0].done | w[1].done);
		EXPECT_EQ(1, in_ring(&q[0]) + in_ring(&q[1]));
		ASSERT_EQ(0, eventfd_add(fd, 1));
		ASSERT_EQ(0, run_together());
		for (i = 0; i < 2; i++) {
			EXPECT_EQ(1, waiter_result(&w[i])) TH_LOG("queue %d", i);
			EXPECT_TAKE(&q[i], i, EV_IN, 0);
			EXPECT_EQ(1ULL, eventfd_take(fd));
		}
		for (i = 0; i < 2; i++)
			EXPECT_QUIET(&q[i]);
		ASSERT_EQ(KSFT_PASS, _metadata->exit_code);
	}
	for (i = 0; i < 2; i++)
		ukevent_queue_exit(&q[i]);
	close(fd);
}

/* ---- queues in queues ---- */

#define NR_CHAIN	100

/*
 * T27: no depth is too much, as no link calls the next one.
 *
 *   eventfd --> queue 0 --> set 0 --> queue 1 --> set 1 ... --> queue 99
 */
TEST(long_chain)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int i, round, ep[NR_CHAIN], fd = make_eventfd(0);
	static struct ukevent_queue q[NR_CHAIN];

	ASSERT_EQ(0, raise_nofile(4 * NR_CHAIN));
	for (i = 0; i < NR_CHAIN; i++) {
		ASSERT_EQ(0, queue_init(&q[i], 4));
		ep[i] = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, ep[i]);
		ASSERT_EQ(0, add_fd(q[i].fd, i ? ep[i - 1] : fd, EV_IN, 0, i,
				    NULL));
		ASSERT_EQ(0, epoll_ctl(ep[i], EPOLL_CTL_ADD, q[i].fd, &ev));
	}
	for (round = 0; round < 3; round++) {
		EXPECT_EQ(0, epoll_wait(ep[NR_CHAIN - 1], &ev, 1, 0));
		ASSERT_EQ(0, eventfd_add(fd, 1));
		/* each is told by itself; nobody enters those between */
		EXPECT_EQ(1, epoll_wait(ep[NR_CHAIN - 1], &ev, 1,
					TEST_LONG_MS));
		EXPECT_EQ(1, wait_ms(&q[NR_CHAIN - 1], 1, TEST_LONG_MS));
		EXPECT_TAKE(&q[NR_CHAIN - 1], NR_CHAIN - 1, EV_IN, 0);
		/* from the source on it becomes quiet again */
		eventfd_take(fd);
		for (i = 0; i < NR_CHAIN; i++) {
			flush_ring(&q[i]);
			take_all(&q[i], NULL);
			EXPECT_QUIET(&q[i]);
		}
	}
	for (i = 0; i < NR_CHAIN; i++) {
		ukevent_queue_exit(&q[round % 2 ? i : NR_CHAIN - 1 - i]);
		close(ep[i]);
	}
	close(fd);
}

#define NR_NODES	5

struct graph {
	struct ukevent_queue q[NR_NODES];
	int ep[NR_NODES];
	int fds[NR_NODES];
	int stop;
	long links, refused;
	int error;	/* a result that should not be */
};

struct gardener {
	struct graph *g;
	int nr;
};

/*
 * Links and cuts at random: queue to set, set to queue, set to set, and both to
 * eventfds, queues exclusively, so that who leaves wakes them once more.
 */
static void *garden(void *arg)
{
	struct gardener *me = arg;
	struct graph *g = me->g;
	struct epoll_event ev;
	unsigned int seed = me->nr + 1;
	int a, b, ret, leaf, fd;

	while (!__atomic_load_n(&g->stop, __ATOMIC_RELAXED)) {
		a = rand_r(&seed) % NR_NODES;
		b = rand_r(&seed) % NR_NODES;
		ev.events = rand_r(&seed) % 2 ? EPOLLIN : EPOLLIN | EPOLLET;
		/* not a queue's own one */
		leaf = g->fds[a == b ? (b + 1) % NR_NODES : b];
		fd = rand_r(&seed) % 2 ? g->ep[b] : leaf;
		ret = 0;
		switch (rand_r(&seed) % 13) {
		case 0:
		case 1:
			ret = add_fd(g->q[a].fd, g->ep[b], EV_IN,
				     rand_r(&seed) % 2 ? KEVENT_EDGE : 0, b,
				     NULL);
			break;
		case 2:
			ret = remove_fd(g->q[a].fd, g->ep[b]);
			break;
		case 3:
		case 4:
			ret = epoll_ctl(g->ep[a], EPOLL_CTL_ADD, g->q[b].fd,
					&ev) ? -errno : 0;
			break;
		case 5:
			ret = epoll_ctl(g->ep[a], EPOLL_CTL_ADD, g->ep[b],
					&ev) ? -errno : 0;
			break;
		case 6:
			ret = epoll_ctl(g->ep[a], EPOLL_CTL_DEL, rand_r(&seed) %
					2 ? g->q[b].fd : g->ep[b], NULL) ?
			      -errno : 0;
			break;
		case 7:
			eventfd_add(g->fds[a], 1);
			flush_ring(&g->q[b]);
			epoll_wait(g->ep[b], &ev, 1, 0);
			eventfd_take(g->fds[a]);
			break;
		case 8:
			ret = add_fd(g->q[a].fd, leaf, EV_IN,
				     KEVENT_EXCLUSIVE | (rand_r(&seed) % 2 ?
				     KEVENT_EDGE : 0), b, NULL);
			break;
		case 9:
			ret = epoll_ctl(g->ep[a], EPOLL_CTL_ADD, leaf, &ev) ?
			      -errno : 0;
			break;
		case 10:
			ret = modify_fd(g->q[a].fd, fd, EV_IN,
					rand_r(&seed) % 2 ? KEVENT_EDGE : 0, b);
			break;
		case 11:
			ret = op_fd(g->q[a].fd, KEVENT_OP_DISABLE, fd);
			if (!ret)
				ret = op_fd(g->q[a].fd, KEVENT_OP_ENABLE, fd);
			break;
		case 12:
			ret = remove_fd(g->q[a].fd, leaf);
			break;
		}
		if (!ret)
			__atomic_add_fetch(&g->links, 1, __ATOMIC_RELAXED);
		else if (ret == -ELOOP || ret == -EINVAL)
			__atomic_add_fetch(&g->refused, 1, __ATOMIC_RELAXED);
		else if (ret != -EEXIST && ret != -ENOENT)
			g->error = ret;
	}
	return NULL;
}

/*
 * T27: queues and epoll sets that watch each other in any way, while links are
 * made and cut and events come.  All calls return, nothing goes round for ever,
 * and a queue works when all of it is gone.
 */
TEST(random_graph)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	int i, n, rounds = test_loops(4000);
	static struct graph g;
	struct gardener me[2];
	pthread_t thread[2];
	struct ukevent ev;

	for (i = 0; i < NR_NODES; i++) {
		ASSERT_EQ(0, queue_init(&g.q[i], 16));
		g.ep[i] = epoll_create1(EPOLL_CLOEXEC);
		g.fds[i] = make_eventfd(0);
		ASSERT_EQ(0, add_fd(g.q[i].fd, g.fds[i], EV_IN, 0, 100 + i,
				    NULL));
	}
	for (i = 0; i < 2; i++) {
		me[i].g = &g;
		me[i].nr = i;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, garden, &me[i]));
	}
	/* until a link was made, be it that no thread ran as yet */
	for (i = 0; (i < rounds && !test_loops_done(start, RACE_SECONDS)) ||
	     (!__atomic_load_n(&g.links, __ATOMIC_RELAXED) &&
	      !test_loops_done(start, TEST_LONG_MS / 1000)); i++) {
		ASSERT_LE(0, flush_ring(&g.q[i % NR_NODES]));
		take_all(&g.q[i % NR_NODES], NULL);
		is_ready(g.q[(i + 1) % NR_NODES].fd, POLLIN, 0);
	}
	__atomic_store_n(&g.stop, 1, __ATOMIC_RELAXED);
	for (n = 0; n < 2; n++)
		pthread_join(thread[n], NULL);
	EXPECT_EQ(0, g.error);
	EXPECT_LT(0, g.links);
	TH_LOG("%d rounds, %ld links made or cut, %ld refused", i, g.links,
	       g.refused);
	/* the sets go, with all links through them */
	for (i = 0; i < NR_NODES; i++)
		close(g.ep[i]);
	for (i = 0; i < NR_NODES * NR_NODES; i++)
		if (i % NR_NODES != i / NR_NODES)
			remove_fd(g.q[i % NR_NODES].fd, g.fds[i / NR_NODES]);
	for (i = 0; i < NR_NODES; i++) {
		eventfd_take(g.fds[i]);
		flush_ring(&g.q[i]);
		take_all(&g.q[i], NULL);
		EXPECT_QUIET(&g.q[i]);
		ASSERT_EQ(0, eventfd_add(g.fds[i], 1));
		EXPECT_EQ(1, ring_reaches(&g.q[i], 1));
		EXPECT_EQ(1, (int)ukevent_take(&g.q[i], &ev, 1));
		EXPECT_EQ(100ULL + i, ev.cookie);
		ukevent_queue_exit(&g.q[i]);
		close(g.fds[i]);
	}
}

/* ---- priorities ---- */

#define NR_PRODUCERS	64

struct factory {
	struct ukevent_queue *q;
	int stop;
	int errors;
	__u64 triggered;
	int next;
};

static void *produce(void *arg)
{
	struct factory *f = arg;
	int n = __atomic_add_fetch(&f->next, 1, __ATOMIC_RELAXED);
	struct kevent_change c[4];
	int i, ret;

	while (!__atomic_load_n(&f->stop, __ATOMIC_RELAXED)) {
		c[0] = make_user(KEVENT_OP_ADD, n, 0, n);
		c[1] = make_trigger(n, n);
		c[2] = make_trigger(0, n);
		c[3] = make_user(KEVENT_OP_REMOVE, n, 0, 0);
		ret = sys_kevent_ctl(f->q->fd, c, 4, sizeof(c[0]), 0);
		for (i = 0; i < 4; i++)
			if (ret != 4 || c[i].result)
				__atomic_add_fetch(&f->errors, 1,
						   __ATOMIC_RELAXED);
		__atomic_add_fetch(&f->triggered, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/*
 * T32: a consumer that collects never waits for a thread of lower priority, which
 * it keeps from running, whatever that thread was doing.
 *
 *   64 producers, one processor     change, trigger; preempted anywhere
 *   consumer, real-time             wakes up by its own clock, collects, sleeps:
 *                                   once per round, and no more
 */
TEST(consumer_never_waits)
{
	struct timespec nap = { 0, 300000 };
	int i, n, rounds = test_loops(3000);
	__u64 start, counted = 0;
	pthread_t thread[NR_PRODUCERS];
	struct ukevent_queue q;
	struct factory f = { .q = &q };
	struct ukevent ev[32];
	long before, slept;

	if (!may_run_alone())
		SKIP(return, "no real-time priority");
	ASSERT_EQ(0, queue_init(&q, 32));
	ASSERT_EQ(0, add_user(&q, 0, 0, 0));
	for (i = 0; i < NR_PRODUCERS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, produce, &f));
	ASSERT_EQ(0, run_alone());
	start = now_ns(CLOCK_MONOTONIC);
	before = task_sleeps(getpid());
	for (i = 0; (i < rounds && !test_loops_done(start, RACE_SECONDS)) ||
	     (!counted && !test_loops_done(start, TEST_LONG_MS / 1000)); i++) {
		nanosleep(&nap, NULL);
		do {
			if (flush_ring(&q) < 0)
				__atomic_add_fetch(&f.errors, 1,
						   __ATOMIC_RELAXED);
			n = ukevent_take(&q, ev, 32);
			while (n--)
				if (!ev[n].cookie)
					counted += ev[n].data[1];
		} while (in_ring(&q));
	}
	slept = task_sleeps(getpid()) - before;
	ASSERT_EQ(0, run_together());
	__atomic_store_n(&f.stop, 1, __ATOMIC_RELAXED);
	for (n = 0; n < NR_PRODUCERS; n++)
		pthread_join(thread[n], NULL);
	while (in_ring(&q) || flush_ring(&q) > 0)
		while (ukevent_take(&q, ev, 1))
			if (!ev[0].cookie)
				counted += ev[0].data[1];
	EXPECT_EQ(0, f.errors);
	EXPECT_EQ(f.triggered, counted);
	EXPECT_LT(0ULL, counted);
	EXPECT_GE(i, slept);
	TH_LOG("%d rounds, %ld sleeps, %llu triggers", i, slept,
	       (unsigned long long)counted);
	ukevent_queue_exit(&q);
}

TEST_HARNESS_MAIN
