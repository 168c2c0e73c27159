// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The calls of epoll on kevent, linked into a static program: there is no next
 * function of that name, but the system calls.  In place of next.c.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "shim.h"

static int result(long ret)
{
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

static long call(long nr, long a, long b, long c, long d)
{
	return ukevent_call4(nr, a, b, c, d);
}

static int real_create1(int flags)
{
	return result(call(__NR_epoll_create1, flags, 0, 0, 0));
}

static int real_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	return result(call(__NR_epoll_ctl, epfd, op, fd, (long)ev));
}

static int real_pwait(int epfd, struct epoll_event *events, int max, int timeout,
		      const sigset_t *mask)
{
	long ret;
	int type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	ret = ukevent_call6(__NR_epoll_pwait, epfd, (long)events, max, timeout, (long)mask,
			    _NSIG / 8);
	pthread_setcanceltype(type, NULL);
	return result(ret);
}

static int real_pwait2(int epfd, struct epoll_event *events, int max,
		       const struct timespec *timeout, const sigset_t *mask)
{
	int64_t time[2];

	if (timeout) {
		time[0] = timeout->tv_sec;
		time[1] = timeout->tv_nsec;
	}
	return result(ukevent_call6(__NR_epoll_pwait2, epfd, (long)events, max,
				    timeout ? (long)time : 0, (long)mask, _NSIG / 8));
}

static int real_close(int fd)
{
	return result(call(__NR_close, fd, 0, 0, 0));
}

static int real_dup(int fd)
{
	return result(call(__NR_dup, fd, 0, 0, 0));
}

static int real_dup3(int fd, int to, int flags)
{
	return result(call(__NR_dup3, fd, to, flags, 0));
}

static int real_dup2(int fd, int to)
{
	return fd == to ? result(call(__NR_fcntl, fd, F_GETFD, 0, 0) < 0 ? -EBADF : fd) :
			  real_dup3(fd, to, 0);
}

static int real_fcntl(int fd, int cmd, ...)
{
	va_list args;
	long arg;

	va_start(args, cmd);
	arg = va_arg(args, long);
	va_end(args);
#ifdef __NR_fcntl64
	return result(call(__NR_fcntl64, fd, cmd, arg, 0));
#else
	return result(call(__NR_fcntl, fd, cmd, arg, 0));
#endif
}

static int real_close_range(unsigned int first, unsigned int last, int flags)
{
	return result(call(__NR_close_range, first, last, flags, 0));
}

static void real_closefrom(int first)
{
	call(__NR_close_range, first, ~0U, 0, 0);
}

const struct ke_real *ke_real(void)
{
	static const struct ke_real real = {
		.epoll_create1 = real_create1,
		.epoll_ctl = real_ctl,
		.epoll_pwait = real_pwait,
		.epoll_pwait2 = real_pwait2,
		.close = real_close,
		.dup = real_dup,
		.dup2 = real_dup2,
		.dup3 = real_dup3,
		.fcntl = real_fcntl,
		.close_range = real_close_range,
		.closefrom = real_closefrom,
	};

	return &real;
}
