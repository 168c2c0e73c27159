/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent - the way of an event when nothing stands in its way
 */
#ifndef _KERNEL_KEVENT_TRIGGER_H
#define _KERNEL_KEVENT_TRIGGER_H

#include "kevent.h"
#include "ring.h"
#include "trace.h"

/* Flags that do not take a trigger off the short way. */
#define KEVENT_F_SHORT	(KEVENT_EDGE | KEVENT_LAST | KEVENT_EXCLUSIVE | \
			 KEVENT_F_DATA | KEVENT_F_UNSURE)

/* The interest whose first hook is @wait. */
static inline struct kevent *kevent_of_wait(wait_queue_entry_t *wait)
{
	struct kevent *k = &container_of(wait, struct kevent_file, hook.wait)->k;

	/* One register for both is enough. */
	OPTIMIZER_HIDE_VAR(k);
	return k;
}

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
 * kevent_unlist_recheck - undo kevent_list_recheck()
 * @k: the interest; user->lock is held
 */
static inline void kevent_unlist_recheck(struct kevent *k)
{
	list_del(&k->link);
	k->user->nr_listed[KEVENT_RECHECK]--;
	k->list = KEVENT_NO_LIST;
	k->flags &= ~KEVENT_F_LISTED;
}

/**
 * kevent_await_ack - disable a dispatch interest, until it is armed again
 * @k: the interest, just published; user->lock is held
 */
static inline void kevent_await_ack(struct kevent *k)
{
	k->flags |= KEVENT_F_DISABLED;
	if (k->flags & KEVENT_HOLD_LAST)
		k->flags |= KEVENT_F_HELD;
}

/**
 * kevent_publish_short - publish at once, if nothing stands in the way
 * @k: the interest; user->lock is held
 * @bits: events, known to be true and asked for
 * @fill: @fill of the source's operations, known at compile time
 *
 * Return: whether that was done.
 */
static __always_inline bool kevent_publish_short(struct kevent *k, u32 bits,
						 u16 (*fill)(struct kevent *k,
							     u32 bits, u64 data[2]))
{
	struct kevent_user *user = k->user;
	/* Of POLL, which has none, dispatch is too rare to look for it. */
	u16 dispatch = fill ? KEVENT_DISPATCH : 0;
	u64 data[2] = {};
	u16 record_flags;

	/*
	 * No one-shot, armed, not modified meanwhile, its records consumed and
	 * nothing held back for it; nothing before it in the backlog, room.
	 */
	if (unlikely(k->flags & ~(KEVENT_F_SHORT | dispatch) ||
		     (k->events & bits) != bits ||
		     user->attention & KEVENT_A_SLOW ||
		     k->pos > user->consumed ||
		     kevent_ring_unread(user) > user->mask))
		return false;
	trace_kevent_publish(k, bits);
	k->gap = 0;
	k->seen[0] = bits;
	record_flags = fill ? fill(k, bits, data) : 0;
	k->pos = kevent_ring_push(user, k, bits, record_flags, data);
	if (k->flags & dispatch)
		kevent_await_ack(k);
	else if (!(k->flags & KEVENT_EDGE))
		kevent_list_recheck(k);
	return true;
}

/**
 * kevent_publish_plain_bytes - kevent_publish_bytes() of an interest with short flags
 * @k: the interest, with no flag but %KEVENT_F_SHORT; user->lock is held
 * @data0: data words of the record
 * @data1: the second
 */
static __always_inline void kevent_publish_plain_bytes(struct kevent *k, u64 data0,
						       u64 data1)
{
	const u64 data[2] = { data0, data1 };

	trace_kevent_publish(k, KEVENT_STREAM_RECV);
	kevent_ring_push(k->user, k, KEVENT_STREAM_RECV, 0, data);
}

/**
 * kevent_trigger_locked - kevent_trigger() for a source that has the lock already
 * @k: the interest; user->lock is held
 * @bits: as kevent_trigger()
 * @fill: the same
 *
 * Who waits for records is woken by kevent_unlock().
 */
static __always_inline void kevent_trigger_locked(struct kevent *k, u32 bits,
						  u16 (*fill)(struct kevent *k,
							      u32 bits, u64 data[2]))
{
	trace_kevent_trigger(k, bits);
	if (!kevent_publish_short(k, bits, fill))
		kevent_settle(k, bits);
}

/**
 * kevent_trigger - a source says that events happened
 * @k: the interest
 * @bits: events, known to be true and asked for
 * @fill: @fill of the source's operations, known at compile time
 * @wake_flags: of the source's wake-up, passed on to who is woken here
 *
 * Any context; the source's locks may be held, user->lock is taken inside.
 *
 * Return: whether somebody who waits for records was woken, what a wake function
 * of an exclusive interest returns.
 */
static __always_inline bool kevent_trigger(struct kevent *k, u32 bits,
					   u16 (*fill)(struct kevent *k, u32 bits,
						       u64 data[2]),
					   int wake_flags)
{
	unsigned long irqflags = kevent_lock(k->user);

	trace_kevent_trigger(k, bits);
	if (!kevent_publish_short(k, bits, fill))
		return kevent_trigger_slow(k, bits, irqflags, wake_flags);
	/* Not freed by this, and k->user is at hand: a register less to keep. */
	return kevent_unlock_wake(k->user, irqflags, wake_flags);
}

#endif /* _KERNEL_KEVENT_TRIGGER_H */
