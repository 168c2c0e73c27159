// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * sleepers.c - P14: how many threads does an event wake?
 *
 * Workload sleepers: "registered" threads sleep on one queue, which watches one
 * eventfd.  It is written to, one thread takes the event, and when all are asleep
 * it is written to again.  Counted is how often one of them went to sleep.
 */
#include <pthread.h>
#include <time.h>
#include <sys/syscall.h>

#include "bench.h"

struct sleeper {
	struct bench	*b;
	pthread_t	thread;
	int		tid;
};

static unsigned int taken;

static void took(int n, const char *what)
{
	if (n < 0)
		kevent_check(n, what);
	__atomic_fetch_add(&taken, n, __ATOMIC_RELAXED);
}

static void epoll_sleep(struct bench *b)
{
	struct epoll_event ev;
	int n = epoll_wait(b->epoll, &ev, 1, -1);

	took(n < 0 ? -errno : n, "epoll_wait");
}

static void ring_sleep(struct bench *b)
{
	struct ukevent ev;

	kevent_check(ukevent_wait(&b->queue, 1, UKEVENT_FOREVER), "kevent_wait");
	took(ukevent_take_shared(&b->queue, &ev, 1), "ukevent_take_shared");
}

static void get_events_sleep(struct bench *b)
{
	struct ukevent ev;

	took(sys_kevent_get_events(b->queue.fd, &ev, 1, 1, NULL, 0),
	     "kevent_get_events");
}

static void (*sleep_for_one)(struct bench *b);

static void *sleeper(void *arg)
{
	struct sleeper *s = arg;

	s->tid = syscall(SYS_gettid);
	for (;;)
		sleep_for_one(s->b);
	return NULL;
}

static unsigned long sleeps_of(int tid)
{
	static const char key[] = "voluntary_ctxt_switches:";
	char path[64], line[256];
	unsigned long n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	if (!f)
		die(path);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, sizeof(key) - 1))
			n = strtoul(line + sizeof(key) - 1, NULL, 10);
	fclose(f);
	return n;
}

/* long enough for each to run that has a reason to; this thread sleeps too */
static void let_all_sleep(void)
{
	const struct timespec t = { .tv_nsec = 5 * 1000 * 1000 };

	nanosleep(&t, NULL);
}

static void run(struct bench *b, const char *mode, void (*queue)(struct bench *b),
		void (*sleep_fn)(struct bench *b))
{
	const unsigned int nr = b->registered;
	struct sleeper *s = get_memory(nr, sizeof(*s));
	unsigned long sum = 0;
	unsigned int i;

	b->registered = 1;
	make_eventfds(b, EFD_NONBLOCK);
	queue(b);
	sleep_for_one = sleep_fn;
	for (i = 0; i < nr; i++) {
		s[i].b = b;
		errno = pthread_create(&s[i].thread, NULL, sleeper, &s[i]);
		if (errno)
			die("pthread_create");
		let_all_sleep();
	}
	for (i = 0; i < nr; i++)
		sum -= sleeps_of(s[i].tid);
	for (i = 0; i < b->rounds; i++) {
		write_one(b->fd[0]);
		let_all_sleep();
		if (taken != i + 1)
			die_of("an event was not taken");
	}
	for (i = 0; i < nr; i++)
		sum += sleeps_of(s[i].tid);
	printf("BENCH workload=sleepers mode=%s registered=%u events=%u wakeups=%lu\n",
	       mode, nr, b->rounds, sum);
}

static void epoll(struct bench *b)
{
	run(b, "epoll-et", epoll_et_queue, epoll_sleep);
}

static void kevent_ring(struct bench *b)
{
	run(b, "kevent-ring", kevent_edge_queue, ring_sleep);
}

static void copying_queue(struct bench *b)
{
	struct kevent_params params = { .flags = KEVENT_CREATE_NORING };

	kevent_check(ukevent_queue_init(&b->queue, &params), "kevent_create");
	kevent_add_all(b, KEVENT_EDGE);
}

static void kevent_get_events(struct bench *b)
{
	run(b, "kevent-get-events", copying_queue, get_events_sleep);
}

const struct run sleepers_runs[] = {
	{ "sleepers", "epoll-et", .once = epoll },
	{ "sleepers", "kevent-ring", .once = kevent_ring },
	{ "sleepers", "kevent-get-events", .once = kevent_get_events },
	{ 0 },
};
