// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * timers.c - P8: many timers that are armed anew when they have expired
 *
 * Workload timers: all are armed, all are due together, all are collected with
 * their number of expirations, which is the read() of a timerfd.  Mode
 * epoll-et-noread does without that number.
 *
 * Due together, so that they cost one interrupt: timerfds by one time for all,
 * timers of a queue by a slack that is longer than arming takes.  Then there is
 * nothing to do but to sleep; an idle machine executes nothing.
 */
#include <time.h>
#include <sys/timerfd.h>

#include "bench.h"

#define SPAN_NS		20000000	/* much more than arming all of them takes */
#define SLACK_NS	10000000

static struct kevent_change *changes;

static void all_of_them(struct bench *b)
{
	if (b->active != b->registered) {
		fprintf(stderr, "workloads: all timers are active\n");
		exit(1);
	}
}

static void timerfd_sources(struct bench *b)
{
	unsigned int i;

	all_of_them(b);
	b->fd = get_memory(b->registered, sizeof(*b->fd));
	for (i = 0; i < b->registered; i++) {
		b->fd[i] = timerfd_create(CLOCK_MONOTONIC,
					  TFD_NONBLOCK | TFD_CLOEXEC);
		if (b->fd[i] < 0)
			die("timerfd_create");
	}
}

static void arm_timerfds(struct bench *b)
{
	struct itimerspec at = { 0 };
	unsigned int i;

	if (clock_gettime(CLOCK_MONOTONIC, &at.it_value))
		die("clock_gettime");
	at.it_value.tv_nsec += SPAN_NS;
	if (at.it_value.tv_nsec >= 1000000000) {
		at.it_value.tv_nsec -= 1000000000;
		at.it_value.tv_sec++;
	}
	for (i = 0; i < b->registered; i++)
		if (timerfd_settime(b->fd[i], TFD_TIMER_ABSTIME, &at, NULL))
			die("timerfd_settime");
}

static __always_inline void timerfd_rounds(struct bench *b, bool do_read)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		arm_timerfds(b);
		for (got = 0; got < b->active; got += n) {
			n = epoll_collect(b, -1);
			for (i = 0; i < n; i++)
				if (do_read &&
				    read_count(b->epoll_buf[i].data.fd) != 1)
					die("expirations");
		}
		b->collected += got;
	}
}

static void timerfd_read(struct bench *b)
{
	timerfd_rounds(b, true);
}

static void timerfd_noread(struct bench *b)
{
	timerfd_rounds(b, false);
}

static void change_all(struct bench *b)
{
	unsigned int i;
	int n = sys_kevent_ctl(b->queue.fd, changes, b->registered,
			       sizeof(*changes), 0);

	kevent_check(n, "kevent_ctl");
	for (i = 0; i < b->registered; i++)
		kevent_check(i < (unsigned int)n ? changes[i].result : -EIO,
			     "kevent_ctl");
}

static void collect_all(struct bench *b)
{
	unsigned int got;
	int i, n;

	for (got = 0; got < b->active; got += n) {
		n = kevent_collect(b, UKEVENT_FOREVER);
		for (i = 0; i < n; i++)
			if (b->record_buf[i].data[0] != 1)
				die("expirations");
	}
	b->collected += got;
}

static void timers_queue(struct bench *b)
{
	unsigned int i;

	all_of_them(b);
	kevent_make(b);
	changes = get_memory(b->registered, sizeof(*changes));
	for (i = 0; i < b->registered; i++) {
		changes[i].op = KEVENT_OP_ADD;
		changes[i].type = KEVENT_TYPE_TIMER;
		changes[i].flags = KEVENT_DISPATCH;
		changes[i].cookie = i;
		changes[i].ident = i;
		changes[i].events = KEVENT_TIMER_EXPIRED;
		changes[i].param[KEVENT_TIMER_TIME] = SPAN_NS;
		changes[i].param[KEVENT_TIMER_SLACK] = SLACK_NS;
		changes[i].param[KEVENT_TIMER_CLOCK] = CLOCK_MONOTONIC;
	}
	change_all(b);
	collect_all(b);

	memset(changes, 0, b->registered * sizeof(*changes));
	for (i = 0; i < b->registered; i++) {
		changes[i].op = KEVENT_OP_ENABLE;
		changes[i].type = KEVENT_TYPE_TIMER;
		changes[i].ident = i;
	}
}

static void timers_rounds(struct bench *b)
{
	unsigned int round;

	for (round = 0; round < b->rounds; round++) {
		change_all(b);
		collect_all(b);
	}
}

const struct run timers_runs[] = {
	{ "timers", "epoll-lt", timerfd_sources, epoll_lt_queue, timerfd_read },
	{ "timers", "epoll-et", timerfd_sources, epoll_et_queue, timerfd_read },
	{ "timers", "epoll-et-noread", timerfd_sources, epoll_et_queue, timerfd_noread },
	{ "timers", "kevent-dispatch", NULL, timers_queue, timers_rounds },
	{ 0 },
};
