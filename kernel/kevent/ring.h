/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent ring - positions and the one place where records are written
 *
 * The kernel's truth is user->produced and user->consumed, both u64 and
 * private; the shared indices are u32 copies.  Letters name the barriers of
 * the diagram in tools/lib/kevent/ukevent.h.
 */
#ifndef _KERNEL_KEVENT_RING_H
#define _KERNEL_KEVENT_RING_H

#include "kevent.h"
#include "trace.h"

/**
 * struct kevent_ring - start of the ring mapping
 * @producer: producer index
 * @flags: %KEVENT_RING_PENDING, %KEVENT_RING_LEVEL
 * @data_producer: end of the newest piece in the data area, in units
 * @pad: keeps the records off this cache line
 * @records: the records
 */
struct kevent_ring {
	u32		producer;
	u32		flags;
	u32		data_producer;
	u32		pad[13];
	struct ukevent	records[];
};

/*
 * mmap offsets: those in the area, so that where caches alias the program's
 * address has the colour of the kernel's.
 */
#define KEVENT_MMAP_CONSUMER	0UL
#define KEVENT_MMAP_RING	PAGE_SIZE

int kevent_ring_alloc(struct kevent_user *user, u32 entries, u32 data_size);
void kevent_ring_free(struct kevent_user *user);
unsigned long kevent_ring_size(const struct kevent_user *user);
unsigned long kevent_data_offset(const struct kevent_user *user);
int kevent_ring_mmap(struct kevent_user *user, struct vm_area_struct *vma);

/**
 * kevent_ring_refresh - read the consumer index
 * @user: the queue, locked
 *
 * The index is extended to 64 bits by how far it went since the last look.  A
 * value that is no progress between the last look and the producer is none: a
 * program that scribbles there has a ring that fills up.
 */
static inline void kevent_ring_refresh(struct kevent_user *user)
{
	u32 step = smp_load_acquire(user->consumer) - (u32)user->consumed; /* A */

	if (likely(step <= user->produced - user->consumed)) {
		if (step)
			trace_kevent_consume(user, step);
		user->consumed += step;
	}
}

/**
 * kevent_ring_unread - number of unconsumed records
 * @user: the queue, locked
 *
 * Return: their number, when the consumer index was last read.
 */
static inline u32 kevent_ring_unread(const struct kevent_user *user)
{
	return user->produced - user->consumed;
}

/**
 * kevent_ring_has_room - can a record be written, beside those that are reserved?
 * @user: the queue, locked
 *
 * Return: whether it can; the consumer index is read again before that is denied.
 */
static inline bool kevent_ring_has_room(struct kevent_user *user)
{
	if (likely(kevent_ring_unread(user) + user->reserved <= user->mask))
		return true;
	kevent_ring_refresh(user);
	return kevent_ring_unread(user) + user->reserved <= user->mask;
}

/**
 * kevent_ring_push - write a record
 * @user: the queue, locked, with room
 * @k: the interest
 * @events: events of the record
 * @flags: flags of the record
 * @data: values of the source
 *
 * Return: the producer position after the record.
 */
static __always_inline u64 kevent_ring_push(struct kevent_user *user,
					    const struct kevent *k, u32 events,
					    u16 flags, const u64 data[2])
{
	struct kevent_ring *ring = user->ring;
	u64 produced = user->produced;
	struct ukevent *record = &ring->records[produced & user->mask];

	record->cookie = k->cookie;
	record->events = events;
	record->type = k->type;
	record->flags = flags;
	record->data[0] = data[0];
	record->data[1] = data[1];
	user->produced = ++produced;
	trace_kevent_hold(k, events, flags);
	smp_store_release(&ring->producer, (u32)produced); /* B */
	return produced;
}

/* The flag word, after a change to what it stands for; user->lock is held. */
static inline void kevent_ring_write_flags(struct kevent_user *user)
{
	u32 flags = 0;

	if (user->attention & KEVENT_A_HELD_BACK)
		flags |= KEVENT_RING_PENDING;
	if (user->attention & KEVENT_A_LEVEL)
		flags |= KEVENT_RING_LEVEL;
	WRITE_ONCE(user->ring->flags, flags);
}

/**
 * kevent_ring_set_pending - tell the program to enter the kernel
 * @user: the queue, locked
 *
 * Reads the consumer index once more: either the program sees the flag after
 * it advanced, or the caller now sees the room that it made.
 */
static inline void kevent_ring_set_pending(struct kevent_user *user)
{
	if (user->attention & KEVENT_A_PENDING)
		return;
	user->attention |= KEVENT_A_PENDING;
	user->poll_due = true;
	kevent_ring_write_flags(user);
	smp_mb(); /* F, pairs with E */
	kevent_ring_refresh(user);
}

/**
 * kevent_ring_clear_pending - nothing is held back any more
 * @user: the queue, locked
 */
static inline void kevent_ring_clear_pending(struct kevent_user *user)
{
	user->attention &= ~KEVENT_A_PENDING;
	kevent_ring_write_flags(user);
}

/**
 * kevent_ring_set_left - say whether level interests were not looked at
 * @user: the queue, locked
 * @left: whether a kevent_wait(0) would look at more
 *
 * Who asks has just called, or hears of it by the next call: no barrier.
 */
static inline void kevent_ring_set_left(struct kevent_user *user, bool left)
{
	user->attention &= ~KEVENT_A_LEFT;
	if (left)
		user->attention |= KEVENT_A_LEFT;
	kevent_ring_write_flags(user);
}

#endif /* _KERNEL_KEVENT_RING_H */
