// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * fallback - a program for every kernel: kevent where there is one, else epoll
 *
 * Waits for a line of input, for at most MS milliseconds.  What it waits by is decided
 * once, and told:
 *
 * - kevent_create() is refused: ENOSYS by a kernel without kevent, EPERM where it is
 *   switched off, or kept from this program: epoll, and timerfd.
 * - The kernel has kevent, but not each type (ukevent_has_type()): without TIMER a
 *   timerfd is watched by POLL.
 *
 * Any other error is one.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <ukevent.h>
#include <ukevent_text.h>

/**
 * struct waiter - what a program waits by
 * @by_kevent: @queue, else @set
 * @own_timers: @queue has timers, else @timer is one
 * @queue: of kevent
 * @set: of epoll
 * @timer: of timerfd, or -1
 */
struct waiter {
	bool			by_kevent;
	bool			own_timers;
	struct ukevent_queue	queue;
	int			set;
	int			timer;
};

static int waiter_init(struct waiter *w)
{
	struct kevent_params params = { .nr_expected = 2 };
	int ret = ukevent_queue_init(&w->queue, &params);

	w->by_kevent = !ret;
	w->own_timers = !ret && ukevent_has_type(&params, KEVENT_TYPE_TIMER);
	w->set = -1;
	w->timer = -1;
	if (!ret)
		return 0;
	if (ret != -ENOSYS && ret != -EPERM)
		return ret;
	fprintf(stderr, "fallback: %s: by epoll\n",
		ukevent_strerror(UKEVENT_CREATE, ret));
	w->set = epoll_create1(EPOLL_CLOEXEC);
	return w->set < 0 ? -errno : 0;
}

static int waiter_add(struct waiter *w, int fd, __u64 cookie)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = cookie };

	if (w->by_kevent)
		return ukevent_add_poll(&w->queue, fd, POLLIN, 0, cookie);
	return epoll_ctl(w->set, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int waiter_add_timer(struct waiter *w, __u64 ns, __u64 cookie)
{
	struct itimerspec span = {
		.it_value = { ns / 1000000000, ns % 1000000000 },
	};

	if (w->own_timers)
		return ukevent_set_timer(&w->queue, KEVENT_OP_ADD, cookie, ns, 0,
					 UKEVENT_MONOTONIC, KEVENT_ONESHOT,
					 cookie);
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->timer < 0 || timerfd_settime(w->timer, 0, &span, NULL))
		return -errno;
	return waiter_add(w, w->timer, cookie);
}

/* Waits for one of them. */
static int waiter_wait(struct waiter *w, __u64 *cookie)
{
	struct epoll_event event;
	struct ukevent ev;
	int ret;

	do {
		if (w->by_kevent) {
			ret = ukevent_dequeue(&w->queue, &ev, UKEVENT_FOREVER);
			*cookie = ret == 1 ? ev.cookie : 0;
		} else {
			ret = epoll_wait(w->set, &event, 1, -1);
			*cookie = ret == 1 ? event.data.u64 : 0;
			ret = ret < 0 ? -errno : ret;
		}
	} while (ret == -EINTR);
	return ret < 0 ? ret : 0;
}

static void waiter_exit(struct waiter *w)
{
	if (w->timer >= 0)
		close(w->timer);
	if (w->set >= 0)
		close(w->set);
	ukevent_queue_exit(&w->queue);
}

int main(int argc, char **argv)
{
	enum { INPUT = 1, TIMER = 2 };
	struct waiter w;
	__u64 told;
	int ret;

	ret = waiter_init(&w);
	if (!ret)
		ret = waiter_add(&w, STDIN_FILENO, INPUT);
	if (!ret)
		ret = waiter_add_timer(&w, 1000000ULL * (argc > 1 ? atoi(argv[1]) : 1000),
				       TIMER);
	if (!ret)
		ret = waiter_wait(&w, &told);
	if (ret) {
		fprintf(stderr, "fallback: %s\n", strerror(-ret));
		return 1;
	}
	printf("%s, by %s, timers of %s\n", told == INPUT ? "input" : "no input",
	       w.by_kevent ? "kevent" : "epoll",
	       w.own_timers ? "the queue" : "timerfd");
	waiter_exit(&w);
	return told == INPUT ? 0 : 1;
}
