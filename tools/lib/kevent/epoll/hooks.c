// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - what becomes of descriptors
 *
 * Where one is closed that nobody sees here (by a system call of its own, or within
 * the C library) the set stays known until the kernel says that the number is
 * something else, or it is a set again.
 */
#include <fcntl.h>
#include <stdarg.h>

#include "shim.h"

#define EXPORT	__attribute__((visibility("default")))

EXPORT int close(int fd)
{
	ke_forget(fd);
	return ke_real()->close(fd);
}

EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	/* CLOSE_RANGE_CLOEXEC closes nothing yet. */
	if (!(flags & (1 << 2)))
		ke_forget_range(first, last);
	return ke_real()->close_range(first, last, flags);
}

EXPORT void closefrom(int first)
{
	ke_forget_range(first < 0 ? 0 : first, ~0U);
	ke_real()->closefrom(first);
}

EXPORT int dup(int fd)
{
	int to = ke_real()->dup(fd);

	if (to >= 0)
		ke_copied(fd, to);
	return to;
}

EXPORT int dup2(int fd, int to)
{
	to = ke_real()->dup2(fd, to);
	if (to >= 0)
		ke_copied(fd, to);
	return to;
}

EXPORT int dup3(int fd, int to, int flags)
{
	to = ke_real()->dup3(fd, to, flags);
	if (to >= 0)
		ke_copied(fd, to);
	return to;
}

static int control(int fd, int cmd, void *arg)
{
	int ret = ke_real()->fcntl(fd, cmd, arg);

	if (ret >= 0 && (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC))
		ke_copied(fd, ret);
	return ret;
}

EXPORT int fcntl(int fd, int cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	return control(fd, cmd, arg);
}

EXPORT int fcntl64(int fd, int cmd, ...)
{
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	return control(fd, cmd, arg);
}
