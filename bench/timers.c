// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * timers.c - P8: many timers that are armed anew when they have expired
 *
 * Workload timers: all are armed, all are due together, all are collected with
 * their number of expirations, which is the read() of a timerfd.  Modes
 * ...-noread do without that number.  Modes uring-timeout and
 * uring-defer-timeout use io_uring's own timers, armed in one batch.
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
	if (b->active != b->registered)
		die_of("all timers are active");
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

/* when all of them are due */
static struct timespec due(void)
{
	struct timespec at;

	if (clock_gettime(CLOCK_MONOTONIC, &at))
		die("clock_gettime");
	at.tv_nsec += SPAN_NS;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	return at;
}

static void arm_timerfds(struct bench *b)
{
	const struct itimerspec at = { .it_value = due() };
	unsigned int i;

	for (i = 0; i < b->registered; i++)
		if (timerfd_settime(b->fd[i], TFD_TIMER_ABSTIME, &at, NULL))
			die("timerfd_settime");
}

static __always_inline void timerfd_rounds(struct bench *b, enum peer peer,
					   bool do_read)
{
	unsigned int round, got;
	int i, n;

	for (round = 0; round < b->rounds; round++) {
		arm_timerfds(b);
		for (got = 0; got < b->active; got += n) {
			n = collect(b, peer);
			for (i = 0; i < n; i++)
				if (do_read &&
				    read_count(collected_fd(b, peer, i)) != 1)
					die("expirations");
		}
		b->collected += got;
	}
}

ROUNDS(epoll_read, timerfd_rounds(b, EPOLL, true))
ROUNDS(epoll_noread, timerfd_rounds(b, EPOLL, false))
ROUNDS(uring_read, timerfd_rounds(b, URING, true))
ROUNDS(uring_noread, timerfd_rounds(b, URING, false))

static void uring_timeouts(struct bench *b)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	unsigned int round, i, got, n, head;

	for (round = 0; round < b->rounds; round++) {
		const struct timespec at = due();
		struct __kernel_timespec ts = { at.tv_sec, at.tv_nsec };

		for (i = 0; i < b->registered; i++) {
			sqe = uring_sqe(b);
			io_uring_prep_timeout(sqe, &ts, 0, IORING_TIMEOUT_ABS);
			sqe->user_data = i;
		}
		for (got = 0; got < b->active; got += n) {
			uring_check(io_uring_submit_and_wait(&b->ring, 1),
				    "io_uring_submit_and_wait");
			n = 0;
			io_uring_for_each_cqe(&b->ring, head, cqe) {
				if (cqe->res != -ETIME)
					uring_unexpected(cqe);
				n++;
			}
			io_uring_cq_advance(&b->ring, n);
		}
		b->collected += got;
	}
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
	{ "timers", "epoll-lt", timerfd_sources, epoll_lt_queue, epoll_read },
	{ "timers", "epoll-et", timerfd_sources, epoll_et_queue, epoll_read },
	{ "timers", "epoll-et-noread", timerfd_sources, epoll_et_queue, epoll_noread },
	{ "timers", "uring", timerfd_sources, uring_queue, uring_read },
	{ "timers", "uring-defer", timerfd_sources, uring_defer_queue, uring_read },
	{ "timers", "uring-defer-noread", timerfd_sources, uring_defer_queue, uring_noread },
	{ "timers", "uring-timeout", all_of_them, uring_make_default, uring_timeouts },
	{ "timers", "uring-defer-timeout", all_of_them, uring_make_defer, uring_timeouts },
	{ "timers", "kevent-dispatch", NULL, timers_queue, timers_rounds },
	{ 0 },
};
