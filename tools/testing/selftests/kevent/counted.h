/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The library with its system calls counted.  To be included first.
 */
#ifndef KEVENT_COUNTED_H
#define KEVENT_COUNTED_H

#define _GNU_SOURCE
#include <errno.h>
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
#ifndef __NR_kevent_send
#define __NR_kevent_send	504
#endif

/**
 * struct counted - calls of the library
 * @ctl: kevent_ctl()
 * @wait: kevent_wait() and kevent_get_events()
 * @send: kevent_send()
 * @changes: that they had to apply
 * @poll: poll(2)
 * @ctl_at_most: kevent_ctl() applies that many entries and no more; 0 for all
 * @no_send: error number with which kevent_send() is refused; 0 for none
 * @no_data: the same of kevent_create() with a data area
 * @no_files: the same of a queue that sends files
 * @before_send: called by who calls kevent_send(), before
 */
static struct counted {
	unsigned int	ctl;
	unsigned int	wait;
	unsigned int	send;
	unsigned int	changes;
	unsigned int	poll;
	unsigned int	ctl_at_most;
	int		no_send;
	int		no_data;
	int		no_files;
	void		(*before_send)(void);
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
	if (nr == __NR_kevent_get_events || nr == __NR_kevent_send)
		with = (const struct kevent_wait_args *)arg[4];
	if (nr == __NR_kevent_send) {
		__atomic_fetch_add(&counted.send, 1, __ATOMIC_RELAXED);
		if (counted.before_send)
			counted.before_send();
		if (counted.no_send) {
			errno = counted.no_send;
			return -1;
		}
	}
	if (nr == __NR_kevent_create && counted.no_data &&
	    arg[2] & KEVENT_CREATE_DATA) {
		errno = counted.no_data;
		return -1;
	}
	if (nr == __NR_kevent_create && counted.no_files &&
	    arg[2] & KEVENT_CREATE_SENDFILE) {
		errno = counted.no_files;
		return -1;
	}
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

#include "../../../lib/kevent/ukevent_data.h"

#undef syscall
#undef poll

#endif
