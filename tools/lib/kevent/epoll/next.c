// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - the functions that would be called without this library
 *
 * They are looked for when the first is needed: libraries that are initialised before
 * this one close descriptors as well.
 */
#include <dlfcn.h>

#include "shim.h"

static struct ke_real real;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find(void *to, const char *name)
{
	*(void **)to = dlsym(RTLD_NEXT, name);
}

static void find_all(void)
{
	int saved = errno;

	find(&real.epoll_create1, "epoll_create1");
	find(&real.epoll_ctl, "epoll_ctl");
	find(&real.epoll_pwait, "epoll_pwait");
	find(&real.epoll_pwait2, "epoll_pwait2");
	find(&real.close, "close");
	find(&real.dup, "dup");
	find(&real.dup2, "dup2");
	find(&real.dup3, "dup3");
	find(&real.fcntl, "fcntl64");
	find(&real.close_range, "close_range");
	find(&real.closefrom, "closefrom");
	find(&real.syscall, "syscall");
	errno = saved;
}

const struct ke_real *ke_real(void)
{
	pthread_once(&once, find_all);
	return &real;
}
