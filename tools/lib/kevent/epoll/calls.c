// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - the calls of epoll
 */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>

#include "shim.h"

#define EXPORT	__attribute__((visibility("default")))

#define NSEC_PER_MSEC	1000000ULL

static int answer(int ret)
{
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

EXPORT int epoll_create1(int flags)
{
	int fd = -1;

	if (ke_mode() != KE_OFF && !(flags & ~EPOLL_CLOEXEC))
		fd = ke_create(flags);
	if (fd >= 0)
		return fd;
	fd = ke_real()->epoll_create1(flags);
	if (fd >= 0)
		ke_count(KE_N_EPOLLS, 1);
	return fd;
}

EXPORT int epoll_create(int size)
{
	return size > 0 ? epoll_create1(0) : answer(-EINVAL);
}

EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	struct ke_set *set = ke_get(epfd), *inner;
	int ret = KE_MOVED;

	ke_count(KE_N_CTLS, 1);
	if (set) {
		ret = ke_ctl(set, epfd, op, fd, ev);
		ke_put(set);
	} else if (op == EPOLL_CTL_ADD && (inner = ke_get(fd))) {
		/* A set of epoll is to watch one of ours. */
		ret = ke_become_epoll(inner, fd) ?: KE_MOVED;
		ke_put(inner);
	}
	return ret == KE_MOVED ? ke_real()->epoll_ctl(epfd, op, fd, ev) : answer(ret);
}

/* What is left of the time, in ms, as epoll takes it. */
static int left_ms(const struct ke_time *time)
{
	uint64_t now, ms;

	if (!time->sleeps)
		return 0;
	if (!time->ends)
		return -1;
	now = ke_now_ns();
	if (now >= time->at)
		return 0;
	ms = (time->at - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	return ms < INT_MAX ? ms : INT_MAX;
}

static int wait_on(struct ke_set *set, int epfd, struct epoll_event *events, int max,
		   const struct ke_time *time, const sigset_t *mask)
{
	int ret;

	if (max <= 0 || (unsigned int)max > INT_MAX / sizeof(*events))
		ret = -EINVAL;
	else if (!events)
		ret = -EFAULT;
	else
		ret = ke_wait(set, epfd, events, max, time, mask);
	ke_put(set);
	if (ret == KE_MOVED)
		return ke_real()->epoll_pwait(epfd, events, max, left_ms(time), mask);
	return answer(ret);
}

EXPORT int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout,
		       const sigset_t *mask)
{
	struct ke_set *set = ke_get(epfd);
	struct ke_time time = { .sleeps = timeout != 0, .ends = timeout > 0 };

	ke_count(KE_N_WAITS, 1);
	if (!set) {
		int n = ke_real()->epoll_pwait(epfd, events, max, timeout, mask);

		ke_count(KE_N_ENTRIES, 1);
		if (n > 0)
			ke_count(KE_N_TOLD, n);
		return n;
	}
	if (time.ends)
		time.at = ke_now_ns() + timeout * NSEC_PER_MSEC;
	return wait_on(set, epfd, events, max, &time, mask);
}

EXPORT int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
	return epoll_pwait(epfd, events, max, timeout, NULL);
}

EXPORT int epoll_pwait2(int epfd, struct epoll_event *events, int max,
			const struct timespec *timeout, const sigset_t *mask)
{
	struct ke_set *set = ke_get(epfd);
	struct ke_time time = { .sleeps = true };

	ke_count(KE_N_WAITS, 1);
	if (!set) {
		ke_count(KE_N_ENTRIES, 1);
		if (ke_real()->epoll_pwait2)
			return ke_real()->epoll_pwait2(epfd, events, max, timeout, mask);
		return answer(-ENOSYS);
	}
	if (timeout) {
		if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 ||
		    timeout->tv_nsec >= (long)NSEC_PER_SEC) {
			ke_put(set);
			return answer(-EINVAL);
		}
		time.sleeps = timeout->tv_sec || timeout->tv_nsec;
		/* Some hundred years are as good as for ever. */
		time.ends = timeout->tv_sec < (time_t)(INT64_MAX / NSEC_PER_SEC / 2);
		if (time.sleeps && time.ends)
			time.at = ke_now_ns() + timeout->tv_sec * NSEC_PER_SEC +
				  timeout->tv_nsec;
	}
	return wait_on(set, epfd, events, max, &time, mask);
}

/* Some programs call these so; a static one has no function behind this. */
#ifndef KE_STATIC
EXPORT long syscall(long nr, ...)
{
	va_list args;
	long a[6];
	int i;

	va_start(args, nr);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	switch (nr) {
#ifdef SYS_epoll_create
	case SYS_epoll_create:
		return epoll_create(a[0]);
#endif
	case SYS_epoll_create1:
		return epoll_create1(a[0]);
	case SYS_epoll_ctl:
		return epoll_ctl(a[0], a[1], a[2], (struct epoll_event *)a[3]);
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
		return epoll_wait(a[0], (struct epoll_event *)a[1], a[2], a[3]);
#endif
	case SYS_epoll_pwait:
		return epoll_pwait(a[0], (struct epoll_event *)a[1], a[2], a[3],
				   (sigset_t *)a[4]);
#if defined(SYS_epoll_pwait2) && __SIZEOF_LONG__ == 8
	case SYS_epoll_pwait2:
		return epoll_pwait2(a[0], (struct epoll_event *)a[1], a[2],
				    (struct timespec *)a[3], (sigset_t *)a[4]);
#endif
	case SYS_close:
		return close(a[0]);
	case SYS_dup:
		return dup(a[0]);
#ifdef SYS_dup2
	case SYS_dup2:
		return dup2(a[0], a[1]);
#endif
	case SYS_dup3:
		return dup3(a[0], a[1], a[2]);
	case SYS_close_range:
		return close_range(a[0], a[1], a[2]);
	case SYS_fcntl:
		return fcntl(a[0], a[1], a[2]);
	}
	return ke_real()->syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
#endif
