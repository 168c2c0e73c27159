/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The library with its system calls counted.  To be included first.
 */
#ifndef KEVENT_COUNTED_H
#define KEVENT_COUNTED_H

#define _GNU_SOURCE
#include <poll.h>
#include <stdarg.h>
#include <unistd.h>
#include <sys/syscall.h>

#include <linux/kevent.h>

#ifndef __NR_kevent_create
#define __NR_kevent_create	500
#define __NR_kevent_ctl		501
#define __NR_kevent_wait	502
#define __NR_kevent_get_events	503
#endif

/**
 * struct counted - calls of the library
 * @ctl: kevent_ctl()
 * @wait: kevent_wait() and kevent_get_events()
 * @changes: that they had to apply
 * @poll: poll(2)
 * @ctl_at_most: kevent_ctl() applies that many entries and no more; 0 for all
 */
static struct counted {
	unsigned int	ctl;
	unsigned int	wait;
	unsigned int	changes;
	unsigned int	poll;
	unsigned int	ctl_at_most;
} counted;

static long counted_syscall(long nr, ...)
{
	const struct kevent_wait_args *with = NULL;
	unsigned long arg[6], changes = 0;
	va_list args;
	int i;

	va_start(args, nr);
	for (i = 0; i < 6; i++)
		arg[i] = va_arg(args, unsigned long);
	va_end(args);
	if (nr == __NR_kevent_ctl) {
		__atomic_fetch_add(&counted.ctl, 1, __ATOMIC_RELAXED);
		changes = (unsigned int)arg[2];
		if (counted.ctl_at_most && changes > counted.ctl_at_most)
			changes = counted.ctl_at_most;
		arg[2] = changes;
	}
	if (nr == __NR_kevent_wait)
		with = (const struct kevent_wait_args *)arg[2];
	if (nr == __NR_kevent_get_events)
		with = (const struct kevent_wait_args *)arg[4];
	if (nr == __NR_kevent_wait || nr == __NR_kevent_get_events)
		__atomic_fetch_add(&counted.wait, 1, __ATOMIC_RELAXED);
	if (with)
		changes = with->nr_changes;
	__atomic_fetch_add(&counted.changes, changes, __ATOMIC_RELAXED);
	return syscall(nr, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

static inline int counted_poll(struct pollfd *fds, nfds_t nr, int timeout)
{
	__atomic_fetch_add(&counted.poll, 1, __ATOMIC_RELAXED);
	return poll(fds, nr, timeout);
}

#define syscall	counted_syscall
#define poll	counted_poll

#include "../../../lib/kevent/ukevent_loop.h"

#undef syscall
#undef poll

#endif
