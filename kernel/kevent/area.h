/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent data area - memory for the bytes that records carry
 *
 * A ring of bytes beside the ring of records.  A piece is one run of bytes; it begins
 * at a multiple of KEVENT_DATA_UNIT and does not wrap: what is too short at the end
 * of a lap is skipped.  Pieces are placed and told in one section of user->lock, so
 * they lie in the order of their records, and one index gives them back.
 *
 * The kernel's truth is @produced and @released, in bytes and private; the index in
 * the consumer page counts units and is extended from @released, as the consumer
 * index is.  Whatever the program writes there or into the area costs only its own
 * bytes: the kernel never reads the area.
 *
 * Who finds no room sets PENDING, full barrier, and reads the release index once
 * more; the program releases, full fence, and looks at PENDING (F and E of ring.h).
 */
#ifndef _KERNEL_KEVENT_AREA_H
#define _KERNEL_KEVENT_AREA_H

#include <linux/align.h>

#include "kevent.h"

/* In the consumer page, on the line of the consumer index: one program writes both. */
#define KEVENT_RELEASE_OFFSET	8

/* What a piece of @len bytes needs at most, wherever it comes to lie. */
static inline u32 kevent_area_worst(u32 len)
{
	return 2 * ALIGN(len, KEVENT_DATA_UNIT);
}

/**
 * kevent_area_release - give back up to a value of the release index
 * @area: the area of a queue that is locked
 * @release: the value, which may be anything
 *
 * Return: whether it was one.
 */
static inline bool kevent_area_release(struct kevent_area *area, u32 release)
{
	u32 step = release - (u32)(area->released / KEVENT_DATA_UNIT);

	if (unlikely(step > (area->produced - area->released) / KEVENT_DATA_UNIT))
		return false;
	area->released += (u64)step * KEVENT_DATA_UNIT;
	return true;
}

/**
 * kevent_area_refresh - read the release index
 * @area: the area of a queue that is locked
 *
 * A value that is no progress between the last look and the last piece is none.
 */
static inline void kevent_area_refresh(struct kevent_area *area)
{
	/* pairs with the release of the index: the program is done with the bytes */
	kevent_area_release(area, smp_load_acquire(area->release));
}

/**
 * kevent_area_find - is there room for a piece?
 * @area: the area of a queue that is locked
 * @len: bytes of the piece, or what it needs at most for a @reservation
 * @reservation: it will be placed later
 * @begin: where it would begin, since the queue was made
 *
 * Return: whether there is, beside what is reserved.
 */
static inline bool kevent_area_find(const struct kevent_area *area, u32 len,
				    bool reservation, u64 *begin)
{
	u64 at = area->produced;
	u32 rest = area->size - (at & (area->size - 1));

	if (rest < len && !reservation)
		at += rest;
	*begin = at;
	return at + len + area->reserved <= area->released + area->size;
}

/* Somebody has found no room; what a read has reserved may be the reason. */
static inline void kevent_area_refused(struct kevent_user *user)
{
	user->data.refused = true;
	if (user->reserved)
		user->data.blocked = true;
}

/* Where the kernel finds a place in the area. */
static inline void *kevent_area_at(const struct kevent_area *area, u64 begin)
{
	return area->memory + (begin & (area->size - 1));
}

/**
 * kevent_area_place - take what kevent_area_find() has found
 * @area: the same
 * @begin: from there
 * @len: bytes of the piece
 * @position: of its first byte in the stream
 * @data: data words of the record
 */
static inline void kevent_area_place(struct kevent_area *area, u64 begin, u32 len,
				     u32 position, u64 data[2])
{
	u32 offset = begin & (area->size - 1);

	area->produced = ALIGN(begin + len, KEVENT_DATA_UNIT);
	data[0] = offset | (u64)len << 32;
	data[1] = (u32)(area->produced / KEVENT_DATA_UNIT) | (u64)position << 32;
}

#endif /* _KERNEL_KEVENT_AREA_H */
