// SPDX-License-Identifier: GPL-2.0
/*
 * S8: how many sleepers an event wakes, and how.
 */
#include "trace.h"

#define NR_SLEEPERS	8
#define NR_EVENTS	500

/**
 * struct sleeper - a thread that waits for one event at a time
 * @q: the queue
 * @thread: the thread
 * @tid: its number, once it runs
 * @got: events of all of them
 * @stop: they are to end
 */
struct sleeper {
	struct ukevent_queue *q;
	pthread_t thread;
	int tid;
	int *got;
	int *stop;
};

FIXTURE(sleepers)
{
	struct ukevent_queue q;
	struct sleeper s[NR_SLEEPERS];
	int got;
	int stop;
	int fd;
};

FIXTURE_VARIANT(sleepers)
{
	bool noring;
};

FIXTURE_VARIANT_ADD(sleepers, ring)
{
	.noring = false,
};

FIXTURE_VARIANT_ADD(sleepers, get_events)
{
	.noring = true,
};

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;
	struct ukevent ev;
	int n;

	__atomic_store_n(&s->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	while (!__atomic_load_n(s->stop, __ATOMIC_ACQUIRE)) {
		if (s->q->producer) {
			n = sys_kevent_wait(s->q->fd, 1, NULL, 0);
			if (n > 0)
				n = ukevent_take_shared(s->q, &ev, 1);
		} else {
			n = sys_kevent_get_events(s->q->fd, &ev, 1, 1, NULL, 0);
		}
		if (n > 0)
			__atomic_add_fetch(s->got, n, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

FIXTURE_SETUP(sleepers)
{
	int i;

	ASSERT_EQ(0, variant->noring ? queue_init_noring(&self->q, 64) :
				       queue_init(&self->q, 64));
	self->fd = make_eventfd(0);
	ASSERT_EQ(0, add_fd(self->q.fd, self->fd, EV_IN, KEVENT_EDGE, 1, NULL));
	self->got = 0;
	self->stop = 0;
	for (i = 0; i < NR_SLEEPERS; i++) {
		self->s[i] = (struct sleeper){
			.q = &self->q, .got = &self->got, .stop = &self->stop,
		};
		ASSERT_EQ(0, pthread_create(&self->s[i].thread, NULL,
					    sleeper_main, &self->s[i]));
		ASSERT_EQ(0, started(&self->s[i].tid));
	}
}

FIXTURE_TEARDOWN(sleepers)
{
	int i, asked;

	__atomic_store_n(&self->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < NR_SLEEPERS; i++) {
		while (pthread_tryjoin_np(self->s[i].thread, NULL)) {
			asked = eventfd_add(self->fd, 1);
			EXPECT_EQ(0, asked);
			sched_yield();
		}
	}
	ukevent_queue_exit(&self->q);
}

static int all_asleep(FIXTURE_DATA(sleepers) * self)
{
	int i, ret = 0;

	for (i = 0; i < NR_SLEEPERS && !ret; i++)
		ret = task_left(self->s[i].tid);
	return ret;
}

static long all_sleeps(FIXTURE_DATA(sleepers) * self)
{
	long sum = 0;
	int i;

	for (i = 0; i < NR_SLEEPERS; i++)
		sum += task_sleeps(self->s[i].tid);
	return sum;
}

/* One event, one of them is woken, and sleeps again. */
TEST_F_TIMEOUT(sleepers, one_for_one, 120)
{
	__u64 start = now_ns(CLOCK_MONOTONIC);
	long before;
	int i;

	ASSERT_EQ(0, all_asleep(self));
	before = all_sleeps(self);
	for (i = 1; i <= NR_EVENTS && !test_loops_done(start, 60); i++) {
		ASSERT_EQ(0, eventfd_add(self->fd, 1));
		while (__atomic_load_n(&self->got, __ATOMIC_SEQ_CST) < i &&
		       !test_loops_done(start, 90))
			sched_yield();
		ASSERT_EQ(i, __atomic_load_n(&self->got, __ATOMIC_SEQ_CST));
		ASSERT_EQ(0, all_asleep(self));
	}
	i--;
	before = all_sleeps(self) - before;
	TH_LOG("%ld wake-ups for %d events", before, i);
	EXPECT_LE(i, before);
	/* a page fault, or an unlucky look at who sleeps, is not a herd */
	EXPECT_GE(i + i / 10 + NR_SLEEPERS / 2, before);
}

/* ---- what the scheduler is told ---- */

/* The probe's event, and what it calls the flags of a wake-up. */
#define PROBE	"kevent_wake_flags"

FIXTURE(wake_flags)
{
	struct tracer tracer;
	struct ukevent_queue q;
	int epfd;
};

/* Probes are for all instances. */
static int set_probe(const struct tracer *t, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/kprobe_events", t->root);
	return write_text(path, text);
}

FIXTURE_SETUP(wake_flags)
{
	char filter[64];
	int ret;

	self->q.fd = -1;
	self->epfd = epoll_create1(EPOLL_CLOEXEC);
	TRACER_SETUP(&self->tracer);
	ret = set_probe(&self->tracer, "p:" PROBE
			" default_wake_function flags=$arg3:u32\n");
	if (ret == -ENOENT)
		SKIP(return, "no probes (a kernel without CONFIG_KPROBE_EVENTS)");
	ASSERT_EQ(0, ret);
	/* what this thread wakes */
	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	ASSERT_EQ(0, trace_write(&self->tracer,
				 "events/kprobes/" PROBE "/filter", filter));
	ASSERT_EQ(0, trace_write(&self->tracer,
				 "events/kprobes/" PROBE "/enable", "1"));
	ASSERT_EQ(0, queue_init(&self->q, 8));
}

FIXTURE_TEARDOWN(wake_flags)
{
	if (self->q.fd >= 0)
		ukevent_queue_exit(&self->q);
	EXPECT_EQ(0, trace_write(&self->tracer, "events/enable", "0"));
	set_probe(&self->tracer, "-:" PROBE "\n");
	EXPECT_EQ(0, tracer_close(&self->tracer));
}

struct epoll_waiter {
	pthread_t thread;
	int epfd;
	int tid;
};

static void *epoll_waiter_main(void *arg)
{
	struct epoll_waiter *w = arg;
	struct epoll_event ev;

	__atomic_store_n(&w->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	return (void *)(long)epoll_wait(w->epfd, &ev, 1, -1);
}

/* The flags of the one wake-up that was traced, or a negative number. */
static int traced_flags(const struct tracer *t)
{
	int flags = -ENOENT, nr = 0;
	unsigned int cpu, value;
	char line[512];
	const char *p;
	FILE *f = trace_open(t);
	__u64 ns;

	while (f && fgets(line, sizeof(line), f)) {
		p = trace_line(line, &cpu, &ns);
		if (!p || strncmp(p, PROBE ":", sizeof(PROBE)))
			continue;
		p = strstr(p, "flags=");
		if (p && sscanf(p, "flags=%u", &value) == 1) {
			flags = value;
			nr++;
		}
	}
	if (f)
		fclose(f);
	return nr > 1 ? -E2BIG : flags;
}

/* With which flags is a sleeper woken by what comes to @fd? */
static int epoll_flags(FIXTURE_DATA(wake_flags) * self, int fd, int peer)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct epoll_waiter w = { .epfd = self->epfd };
	__u64 one = 1;

	if (epoll_ctl(self->epfd, EPOLL_CTL_ADD, fd, &ev) ||
	    pthread_create(&w.thread, NULL, epoll_waiter_main, &w) ||
	    started(&w.tid) || task_asleep(w.tid) ||
	    trace_clear(&self->tracer) ||
	    write(peer, &one, sizeof(one)) != sizeof(one) ||
	    pthread_join(w.thread, NULL) ||
	    epoll_ctl(self->epfd, EPOLL_CTL_DEL, fd, NULL))
		return -EPROTO;
	return traced_flags(&self->tracer);
}

static int kevent_flags(FIXTURE_DATA(wake_flags) * self, int fd, int peer,
			unsigned int type, __u32 events)
{
	struct waiter w;
	__u64 one = 1;

	if (ukevent_add(&self->q, type, fd, events, KEVENT_EDGE, 1))
		return -EPROTO;
	take_all(&self->q, NULL);
	if (waiter_start(&w, &self->q, 1, NULL) ||
	    trace_clear(&self->tracer) ||
	    write(peer, &one, sizeof(one)) != sizeof(one) ||
	    waiter_result(&w) < 1 ||
	    ukevent_op(&self->q, KEVENT_OP_REMOVE, type, fd))
		return -EPROTO;
	take_all(&self->q, NULL);
	return traced_flags(&self->tracer);
}

/* "The waker is about to sleep" is passed on to who is woken, as by epoll. */
TEST_F(wake_flags, as_by_epoll)
{
	static const struct {
		enum source_kind kind;
		bool socket;
		bool hint;
	} sources[] = {
		{ SRC_EVENTFD, false, false },
		{ SRC_PIPE, false, true },
		{ SRC_UNIX, true, true },
		{ SRC_TCP4, true, true },
		{ SRC_UDP, true, true },
	};
	struct source s;
	int epoll, mine;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sources); i++) {
		ASSERT_EQ(0, source_open(&s, sources[i].kind));
		epoll = epoll_flags(self, s.fd, s.peer);
		ASSERT_EQ(sources[i].hint, epoll > 0)
			TH_LOG("source %d: %d", sources[i].kind, epoll);
		mine = kevent_flags(self, s.fd, s.peer, KEVENT_TYPE_POLL, EV_IN);
		EXPECT_EQ(epoll, mine) TH_LOG("source %d", sources[i].kind);
		/* what must be asked first wakes as well; eventfds have no such */
		if (sources[i].hint) {
			mine = kevent_flags(self, s.fd, s.peer,
					    KEVENT_TYPE_POLL, EV_RDNORM);
			EXPECT_EQ(epoll, mine)
				TH_LOG("source %d", sources[i].kind);
		}
		if (sources[i].socket) {
			mine = kevent_flags(self, s.fd, s.peer,
					    KEVENT_TYPE_SOCKET,
					    KEVENT_SOCK_RECV);
			EXPECT_EQ(epoll, mine)
				TH_LOG("source %d", sources[i].kind);
		}
		source_close(&s);
	}
}

TEST_HARNESS_MAIN
