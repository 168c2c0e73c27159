/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent - what the rest of the kernel needs to know
 */
#ifndef _LINUX_KEVENT_H
#define _LINUX_KEVENT_H

#include <linux/fs.h>

#ifdef CONFIG_KEVENT

void kevent_release_file(struct file *file);

/**
 * kevent_release - end the interests in a file that is about to be released
 * @file: the file, whose last reference is gone
 *
 * Called by __fput() before ->release, while every wait queue head of the file
 * is still alive.  The last interest was added by somebody who had a reference,
 * so that the unlocked test misses none.
 */
static inline void kevent_release(struct file *file)
{
	if (unlikely(!hlist_empty(&file->f_kevent)))
		kevent_release_file(file);
}

#else

static inline void kevent_release(struct file *file)
{
}

#endif

#endif /* _LINUX_KEVENT_H */
