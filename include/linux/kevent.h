/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent - what the rest of the kernel needs to know
 */
#ifndef _LINUX_KEVENT_H
#define _LINUX_KEVENT_H

#include <linux/fs.h>
#include <linux/sched/signal.h>

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

/* Each beside the operations that it looks for. */
bool kevent_is_eventfd(struct file *file);
bool kevent_is_timerfd(struct file *file);
bool kevent_is_eventpoll(struct file *file);

#else

static inline void kevent_release(struct file *file)
{
}

#endif

#ifdef CONFIG_KEVENT_SIGNAL

void kevent_signal_sent(int sig, const struct kernel_siginfo *info,
			struct task_struct *t);
void kevent_signals_end(struct task_struct *t);

/**
 * kevent_signal - a signal is sent, whatever becomes of it
 * @sig: its number
 * @info: as the signal code has it, special values included
 * @t: who it is sent to, its siglock held
 */
static inline void kevent_signal(int sig, const struct kernel_siginfo *info,
				 struct task_struct *t)
{
	if (unlikely(READ_ONCE(t->signal->kevent)))
		kevent_signal_sent(sig, info, t);
}

/**
 * kevent_release_signals - end the interests in a process's signals
 * @t: its only thread, which executes another program or exits
 */
static inline void kevent_release_signals(struct task_struct *t)
{
	if (unlikely(t->signal->kevent))
		kevent_signals_end(t);
}

#else

static inline void kevent_signal(int sig, const struct kernel_siginfo *info,
				 struct task_struct *t)
{
}

static inline void kevent_release_signals(struct task_struct *t)
{
}

#endif

#endif /* _LINUX_KEVENT_H */
