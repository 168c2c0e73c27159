// SPDX-License-Identifier: GPL-2.0
/*
 * S11: what a program makes the kernel do at a time is bounded: by one wake-up,
 * by one callback of its timers, by one call that cannot be interrupted.
 */
#include "trace.h"
#include <sys/time.h>

#define NR_FDS		48
#define ENTRIES		16
#define TRIGGER_BUDGET	2	/* backlog entries that a trigger publishes */
#define TIMER_BATCH	64	/* timers that a callback handles */
#define MIN_CHANGES	4096	/* entries that are applied whatever comes */

/* ---- triggers ---- */

FIXTURE(backlog)
{
	struct ukevent_queue q;
	int fds[NR_FDS];
	int many;		/* watched under several numbers */
};

#define NR_HOOKS	4

FIXTURE_SETUP(backlog)
{
	int i;

	ASSERT_EQ(0, queue_init(&self->q, ENTRIES));
	for (i = 0; i < NR_FDS; i++) {
		self->fds[i] = make_eventfd(0);
		ASSERT_LE(0, self->fds[i]);
		ASSERT_EQ(0, add_fd(self->q.fd, self->fds[i], EV_IN,
				    KEVENT_EDGE, i, NULL));
	}
	self->many = make_eventfd(0);
	ASSERT_LE(0, self->many);
	for (i = 0; i < NR_HOOKS; i++)
		ASSERT_EQ(0, add_fd(self->q.fd, dup(self->many), EV_IN,
				    KEVENT_EDGE, 100 + i, NULL));
	/* a full ring, and a backlog of all the others */
	for (i = 0; i < NR_FDS; i++)
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
	ASSERT_EQ(ENTRIES, in_ring(&self->q));
	ASSERT_EQ(ENTRIES, take_all(&self->q, NULL));
	ASSERT_EQ(1, is_pending(&self->q));
}

FIXTURE_TEARDOWN(backlog)
{
	ukevent_queue_exit(&self->q);
}

/* A trigger publishes two of those before it, in order, and waits itself. */
TEST_F(backlog, per_trigger)
{
	struct ukevent_queue *q = &self->q;
	int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, eventfd_add(self->fds[i], 1));
		EXPECT_EQ((i + 1) * TRIGGER_BUDGET, in_ring(q));
	}
	for (i = 0; i < 4 * TRIGGER_BUDGET; i++)
		EXPECT_TAKE(q, ENTRIES + i, EV_IN, 0);
	/* one that waits already does as much for the others */
	ASSERT_EQ(0, eventfd_add(self->fds[NR_FDS - 1], 1));
	EXPECT_EQ(TRIGGER_BUDGET, in_ring(q));
}

/* Of a wake-up with several hooks each publishes that many. */
TEST_F(backlog, per_wake_up)
{
	ASSERT_EQ(0, eventfd_add(self->many, 1));
	EXPECT_EQ(NR_HOOKS * TRIGGER_BUDGET, in_ring(&self->q));
}

/* ---- timers ---- */

#define NR_TIMERS	300
#define MAX_CPUS		64

/**
 * struct callback - one that runs, or ran last, on a processor
 * @timer: as the trace names it, empty if none runs
 * @begun: when it began
 * @first: when the first one began
 * @last: when the last one ended
 * @busy: how long they ran
 * @nr: timers that it handled
 */
struct callback {
	char timer[32];
	__u64 begun;
	__u64 first;
	__u64 last;
	__u64 busy;
	int nr;
};

FIXTURE(timers)
{
	struct ukevent_queue q;
	struct tracer tracer;
	struct kevent_change changes[NR_TIMERS];
	struct callback cpus[MAX_CPUS];
	int callbacks;
	int most;	/* that a callback handled */
};

FIXTURE_SETUP(timers)
{
	self->q.fd = -1;
	TRACER_SETUP(&self->tracer);
	ASSERT_EQ(0, queue_init(&self->q, 1024));
}

FIXTURE_TEARDOWN(timers)
{
	if (self->q.fd >= 0)
		ukevent_queue_exit(&self->q);
	EXPECT_EQ(0, tracer_close(&self->tracer));
}

static int add_timers(FIXTURE_DATA(timers) * self, __u64 at, __u64 period)
{
	struct kevent_change *c = self->changes;
	int i;

	for (i = 0; i < NR_TIMERS; i++) {
		c[i] = make_typed(KEVENT_OP_ADD, KEVENT_TYPE_TIMER, i, 0,
				  KEVENT_ABSTIME, i);
		c[i].param[KEVENT_TIMER_TIME] = at;
		c[i].param[KEVENT_TIMER_PERIOD] = period;
		c[i].param[KEVENT_TIMER_CLOCK] = CLOCK_MONOTONIC;
	}
	return sys_kevent_ctl(self->q.fd, c, NR_TIMERS, sizeof(*c), 0);
}

static void read_callbacks(FIXTURE_DATA(timers) * self)
{
	FILE *f = trace_open(&self->tracer);
	struct callback *c;
	char line[512], timer[32];
	unsigned int cpu;
	const char *p;
	__u64 ns;

	while (f && fgets(line, sizeof(line), f)) {
		p = trace_line(line, &cpu, &ns);
		if (!p || cpu >= MAX_CPUS)
			continue;
		c = &self->cpus[cpu];
		if (sscanf(p, "hrtimer_expire_entry: hrtimer=%31s", timer) == 1) {
			if (!strstr(p, "kevent_clock_expired"))
				continue;
			memcpy(c->timer, timer, sizeof(timer));
			c->begun = ns;
			c->nr = 0;
			if (!c->first)
				c->first = ns;
			self->callbacks++;
		} else if (sscanf(p, "hrtimer_expire_exit: hrtimer=%31s",
				  timer) == 1) {
			if (strcmp(c->timer, timer))
				continue;
			c->timer[0] = 0;
			c->busy += ns - c->begun;
			c->last = ns;
		} else if (c->timer[0] && !strncmp(p, "kevent_wake:", 12) &&
			   ++c->nr > self->most) {
			self->most = c->nr;
		}
	}
	if (f)
		fclose(f);
}

/*
 * However many are due, each callback ends after some of them.  Who waits fetches
 * the others.
 */
TEST_F_TIMEOUT(timers, due_together, 120)
{
	__u64 span;
	int i;

	ASSERT_EQ(0, trace_write(&self->tracer,
				 "events/timer/hrtimer_expire_entry/enable", "1"));
	ASSERT_EQ(0, trace_write(&self->tracer,
				 "events/timer/hrtimer_expire_exit/enable", "1"));
	ASSERT_EQ(0, trace_write(&self->tracer,
				 "events/kevent/kevent_wake/enable", "1"));
	/* who is stopped for as long adds and fetches what is due already */
	for (span = NSEC_PER_SEC; !self->most && span < 30 * NSEC_PER_SEC; span *= 2) {
		ASSERT_EQ(NR_TIMERS, add_timers(self, now_ns(CLOCK_MONOTONIC) +
						span, 0));
		EXPECT_EQ(NR_TIMERS, sys_kevent_wait(self->q.fd, NR_TIMERS, NULL, 0));
		EXPECT_EQ(NR_TIMERS, take_all(&self->q, NULL));
		for (i = 0; i < NR_TIMERS; i++)
			EXPECT_EQ(0, ukevent_op(&self->q, KEVENT_OP_REMOVE,
						KEVENT_TYPE_TIMER, i));
		read_callbacks(self);
	}
	EXPECT_LE(1, self->callbacks);
	EXPECT_LT(0, self->most);
	EXPECT_GE(TIMER_BATCH, self->most);
}

struct gobbler {
	struct ukevent_queue *q;
	int stop;
};

/*
 * Consumes without a look, so that every timer is armed again at once; if they
 * were faster, what waits for itself has to be fetched.
 */
static void *gobble(void *arg)
{
	struct gobbler *g = arg;

	run_on(0);
	while (!__atomic_load_n(&g->stop, __ATOMIC_RELAXED)) {
		__atomic_store_n(g->q->consumer, producer_index(g->q),
				 __ATOMIC_RELEASE);
		if (is_pending(g->q))
			flush_ring(g->q);
	}
	return NULL;
}

/*
 * Timers that keep a processor busy leave some of it to tasks.  Half of it, by
 * the kernel's measure; ours has the tracing and the way to the callback in it.
 */
static void keep_due(struct __test_metadata *_metadata,
		     FIXTURE_DATA(timers) * self, __u64 *busy, __u64 *span)
{
	struct gobbler g = { .q = &self->q };
	pthread_t thread;
	__u64 start;
	int i;

	memset(self->cpus, 0, sizeof(self->cpus));
	self->callbacks = 0;
	*busy = 0;
	*span = 0;
	ASSERT_EQ(0, trace_clear(&self->tracer));
	ASSERT_EQ(0, trace_write(&self->tracer, "tracing_on", "1"));
	ASSERT_EQ(0, pthread_create(&thread, NULL, gobble, &g));
	run_on(sysconf(_SC_NPROCESSORS_ONLN) - 1);
	start = now_ns(CLOCK_MONOTONIC);
	ASSERT_EQ(NR_TIMERS, add_timers(self, start, 1));
	/* no processor is idle: timers stay where they are */
	while (now_ns(CLOCK_MONOTONIC) < start + NSEC_PER_SEC)
		;
	EXPECT_EQ(0, trace_write(&self->tracer, "tracing_on", "0"));
	for (i = 0; i < NR_TIMERS; i++)
		self->changes[i] = make_typed(KEVENT_OP_REMOVE,
					      KEVENT_TYPE_TIMER, i, 0, 0, 0);
	EXPECT_EQ(NR_TIMERS, sys_kevent_ctl(self->q.fd, self->changes,
					    NR_TIMERS, sizeof(*self->changes),
					    0));
	__atomic_store_n(&g.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	take_all(&self->q, NULL);
	read_callbacks(self);
	for (i = 0; i < MAX_CPUS; i++) {
		if (self->cpus[i].busy < *busy)
			continue;
		*busy = self->cpus[i].busy;
		*span = self->cpus[i].last - self->cpus[i].first;
	}
	TH_LOG("%d callbacks, busy for %llu of %llu us", self->callbacks,
	       *busy / 1000, *span / 1000);
}

TEST_F_TIMEOUT(timers, always_due, 120)
{
	__u64 busy = 1, span = 0;
	int tries;

	ASSERT_EQ(0, trace_write(&self->tracer,
				 "events/timer/hrtimer_expire_entry/enable", "1"));
	ASSERT_EQ(0, trace_write(&self->tracer,
				 "events/timer/hrtimer_expire_exit/enable", "1"));
	/* a host that stops it on the way to a callback does so not each time */
	for (tries = 0; tries < 10 && (self->callbacks <= 10 ||
	     span * 7 / 10 < busy); tries++)
		keep_due(_metadata, self, &busy, &span);
	EXPECT_LT(10, self->callbacks);
	EXPECT_GE(span * 7 / 10, busy);
}

/* ---- changes ---- */

static int nr_signals;

static void on_signal(int sig)
{
	__atomic_add_fetch(&nr_signals, 1, __ATOMIC_RELAXED);
}

FIXTURE(changes)
{
	struct ukevent_queue q;
	struct kevent_change *c;
	int fd;
};

#define NR_CHANGES	40000

FIXTURE_SETUP(changes)
{
	struct sigaction sa = { .sa_handler = on_signal };
	int i;

	ASSERT_EQ(0, queue_init(&self->q, 8));
	self->fd = make_eventfd(0);
	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, 0, 1, NULL));
	self->c = calloc(NR_CHANGES, sizeof(*self->c));
	ASSERT_NE(NULL, self->c);
	for (i = 0; i < NR_CHANGES; i++)
		self->c[i] = make_change(KEVENT_OP_DISABLE, self->fd, 0, 0, 0);
	nr_signals = 0;
	sigaction(SIGALRM, &sa, NULL);
}

FIXTURE_TEARDOWN(changes)
{
	free(self->c);
	ukevent_queue_exit(&self->q);
}

/* Entries up to @nr have their results, the others are as they were. */
static void check_applied(struct __test_metadata *_metadata,
			  const struct kevent_change *c, int nr)
{
	int i, wrong = 0;

	for (i = 0; i < NR_CHANGES; i++)
		wrong += c[i].result != (i < nr ? 0 : 12345);
	EXPECT_EQ(0, wrong) TH_LOG("%d applied", nr);
}

/* A signal ends the call, in good time, and the count tells how far it got. */
TEST_F_TIMEOUT(changes, interrupted, 120)
{
	struct itimerval soon = { .it_value.tv_usec = 1000 };
	int i, j, n;

	for (i = 0; i < 50; i++) {
		setitimer(ITIMER_REAL, &soon, NULL);
		n = sys_kevent_ctl(self->q.fd, self->c, NR_CHANGES,
				   sizeof(*self->c), 0);
		if (n < NR_CHANGES)
			break;
		/* Did it come before the call? */
		for (j = 0; j < NR_CHANGES; j++)
			self->c[j].result = 12345;
	}
	ASSERT_LE(MIN_CHANGES, n);
	EXPECT_GT(NR_CHANGES, n);
	EXPECT_LE(1, nr_signals);
	check_applied(_metadata, self->c, n);
	/* the rest, by the next one */
	EXPECT_EQ(NR_CHANGES - n, sys_kevent_ctl(self->q.fd, self->c + n,
						 NR_CHANGES - n,
						 sizeof(*self->c), 0));
	check_applied(_metadata, self->c, NR_CHANGES);
}

/* A chain of entries that depend on each other is not cut in two. */
TEST_F_TIMEOUT(changes, chain, 120)
{
	struct itimerval often = {
		.it_value.tv_usec = 500, .it_interval.tv_usec = 500,
	};
	const struct itimerval never = {};
	int i, n;

	for (i = 1; i < NR_CHANGES; i++)
		self->c[i].flags |= KEVENT_DEPENDS;
	setitimer(ITIMER_REAL, &often, NULL);
	do {
		nr_signals = 0;
		n = sys_kevent_ctl(self->q.fd, self->c, NR_CHANGES,
				   sizeof(*self->c), 0);
	} while (n == NR_CHANGES && !nr_signals);
	setitimer(ITIMER_REAL, &never, NULL);
	EXPECT_EQ(NR_CHANGES, n);
	check_applied(_metadata, self->c, NR_CHANGES);
}

/* A stop is obeyed before the array ends. */
TEST_F_TIMEOUT(changes, stopped, 120)
{
	int status, i, n, tries;
	struct kevent_change *c;
	pid_t pid;

	c = mmap(NULL, NR_CHANGES * sizeof(*c), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, c);
	/* this one may sleep over all of it, but not each time */
	for (tries = 0, n = NR_CHANGES; tries < 50 && n == NR_CHANGES; tries++) {
		memcpy(c, self->c, NR_CHANGES * sizeof(*c));
		pid = fork();
		if (!pid)
			_exit(sys_kevent_ctl(self->q.fd, c, NR_CHANGES,
					     sizeof(*c), 0) < MIN_CHANGES);
		while (__atomic_load_n(&c[0].result, __ATOMIC_RELAXED) == 12345)
			sched_yield();
		ASSERT_EQ(0, kill(pid, SIGSTOP));
		ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
		for (i = 0, n = 0; i < NR_CHANGES; i++)
			n += c[i].result != 12345;
		if (WIFSTOPPED(status)) {
			kill(pid, SIGCONT);
			ASSERT_EQ(pid, waitpid(pid, &status, 0));
		}
		EXPECT_EQ(0, status);
	}
	EXPECT_LE(MIN_CHANGES, n);
	EXPECT_GT(NR_CHANGES, n);
	munmap(c, NR_CHANGES * sizeof(*c));
}

/* A short array is applied to its end, whatever is pending. */
TEST_F(changes, short_arrays)
{
	struct kevent_wait_args a = {
		.changes = (unsigned long)self->c,
		.nr_changes = MIN_CHANGES,
		.change_size = sizeof(*self->c),
	};
	sigset_t alarm, empty;

	sigemptyset(&empty);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	raise(SIGALRM);
	a.sigmask = (unsigned long)&empty;
	a.sigmask_size = 8;
	/* the signal ends the sleep, as there is nothing to wait for */
	EXPECT_EQ(-EINTR, sys_kevent_wait(self->q.fd, 1, &a, sizeof(a)));
	EXPECT_EQ((__u32)MIN_CHANGES, a.changes_done);
	EXPECT_EQ(1, nr_signals);
	check_applied(_metadata, self->c, MIN_CHANGES);
}

/* A long one inside a wait: no sleep, and changes_done tells. */
TEST_F_TIMEOUT(changes, inside_wait, 120)
{
	struct kevent_wait_args a = {
		.changes = (unsigned long)self->c,
		.nr_changes = NR_CHANGES,
		.change_size = sizeof(*self->c),
	};
	sigset_t alarm, empty;
	int n, calls = 0;

	sigemptyset(&empty);
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	raise(SIGALRM);
	a.sigmask = (unsigned long)&empty;
	a.sigmask_size = 8;
	EXPECT_EQ(-EINTR, sys_kevent_wait(self->q.fd, 1, &a, sizeof(a)));
	EXPECT_LE((__u32)MIN_CHANGES, a.changes_done);
	EXPECT_GT((__u32)NR_CHANGES, a.changes_done);
	EXPECT_EQ(1, nr_signals);
	check_applied(_metadata, self->c, a.changes_done);
	/* with a record there is no need for an error, nor for the handler */
	n = a.changes_done;
	a.changes += n * sizeof(*self->c);
	a.nr_changes -= n;
	raise(SIGALRM);
	self->c[n] = make_change(KEVENT_OP_ADD, make_eventfd(1), EV_IN, 0, 2);
	EXPECT_EQ(1, sys_kevent_wait(self->q.fd, 1, &a, sizeof(a)));
	EXPECT_LE((__u32)MIN_CHANGES, a.changes_done);
	EXPECT_GT(a.nr_changes, a.changes_done);
	EXPECT_EQ(1, nr_signals);
	while (n + a.changes_done < NR_CHANGES && ++calls < NR_CHANGES) {
		n += a.changes_done;
		a.changes += (__u64)a.changes_done * sizeof(*self->c);
		a.nr_changes -= a.changes_done;
		ASSERT_EQ(1, sys_kevent_wait(self->q.fd, 1, &a, sizeof(a)));
		ASSERT_LT(0U, a.changes_done);
	}
	check_applied(_metadata, self->c, NR_CHANGES);
}

TEST_HARNESS_MAIN
