/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent - the way of an event when nothing stands in its way
 */
#ifndef _KERNEL_KEVENT_TRIGGER_H
#define _KERNEL_KEVENT_TRIGGER_H

#include "kevent.h"
#include "ring.h"

/**
 * kevent_list_recheck - put a level interest on the re-check list
 * @k: the interest, on no list, just published; user->lock is held
 */
static inline void kevent_list_recheck(struct kevent *k)
{
	struct kevent_user *user = k->user;

	list_add_tail(&k->link, &user->lists[KEVENT_RECHECK]);
	user->nr_listed[KEVENT_RECHECK]++;
	k->list = KEVENT_RECHECK;
	k->flags |= KEVENT_F_LISTED;
}

/**
 * kevent_trigger - a source says that events happened
 * @k: the interest
 * @bits: events, known to be true and asked for
 *
 * Any context; the source's locks may be held, user->lock is taken inside.
 *
 * Return: 1, what a wake function returns that took notice.
 */
static __always_inline int kevent_trigger(struct kevent *k, u32 bits)
{
	struct kevent_user *user = k->user;
	unsigned long irqflags = kevent_lock(user);

	/*
	 * Edge or level, armed, not modified meanwhile, its records consumed and
	 * nothing held back for it; nothing before it in the backlog, nobody
	 * asleep, room.
	 */
	if (unlikely(k->flags & ~(KEVENT_EDGE | KEVENT_WANT_LAST) ||
		     bits & ~k->events ||
		     user->attention || k->pos > user->consumed ||
		     kevent_ring_unread(user) > user->mask))
		return kevent_trigger_slow(k, bits, irqflags);
	k->gap = 0;
	k->seen[0] = bits;
	k->pos = kevent_ring_push(user, k, bits, 0);
	if (!(k->flags & KEVENT_EDGE))
		kevent_list_recheck(k);
	spin_unlock_irqrestore(&user->lock, irqflags);
	return 1;
}

#endif /* _KERNEL_KEVENT_TRIGGER_H */
