/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kevent - look-ups of interests by what they watch; see table.c
 */
#ifndef _KERNEL_KEVENT_TABLE_H
#define _KERNEL_KEVENT_TABLE_H

#include <linux/swab.h>

#include "kevent.h"

/**
 * struct kevent_slot - place of an interest, and a bucket
 * @word: the interest; or, with the lowest bit set, the slot is free: how often it
 *	was given out, in the lower half, and the next free one, 0 for none, in the
 *	upper half
 * @first: interest in the bucket of this number, NULL for none; others follow by
 *	@chain of the interest
 */
struct kevent_slot {
	u64		word;
	struct kevent	*first;
};

#define KEVENT_SLOTS_PER_PAGE	(PAGE_SIZE / sizeof(struct kevent_slot))

static inline struct kevent_slot *kevent_slot(const struct kevent_table *table,
					      u32 n)
{
	return &table->pages[n / KEVENT_SLOTS_PER_PAGE][n % KEVENT_SLOTS_PER_PAGE];
}

/*
 * Of a file and a descriptor, or a number and a type.  Programs choose them, so the
 * factors are secret.  A product alone is linear: from how long look-ups take a
 * program could learn enough of it to make chains to order.  The highest bits of a
 * product are the best, they become the lowest.
 */
static __always_inline u32 kevent_hash(const struct kevent_table *table, u64 what,
				       u32 which)
{
	u64 h = what * table->secret[0] + which * table->secret[1];

	h ^= h >> 32;
	return swab64(h * table->secret[2]);
}

static __always_inline u32 kevent_bucket(const struct kevent_table *table, u32 hash)
{
	u32 n = hash & table->mask;

	return n < table->nr ? n : n & (table->mask >> 1);
}

static __always_inline struct kevent *kevent_lookup(struct kevent_table *table,
						    u32 hash)
{
	table->found = &kevent_slot(table, kevent_bucket(table, hash))->first;
	return *table->found;
}

static __always_inline bool kevent_is_file(const struct kevent *k, u8 type,
					   const struct file *file, int fd)
{
	return k->type == type && kevent_to_file(k)->file == file && k->fd == fd;
}

static __always_inline bool kevent_is_number(const struct kevent *k, u8 type,
					     u64 number)
{
	return k->type == type && kevent_to_number(k)->number == number;
}

/**
 * kevent_find_file - look an interest up by descriptor
 * @user: the queue, locked
 * @type: type of the interest
 * @file: what is watched
 * @fd: the descriptor's number at ADD
 *
 * Return: the interest, which has not ended, or NULL.
 */
static __always_inline struct kevent *
kevent_find_file(struct kevent_user *user, u8 type, const struct file *file, int fd)
{
	struct kevent_table *table = &user->table;
	struct kevent *k;

	lockdep_assert_held(&user->lock);
	k = kevent_lookup(table, kevent_hash(table, (unsigned long)file, fd));
	while (k && !kevent_is_file(k, type, file, fd))
		k = k->chain;
	return k;
}

/**
 * kevent_find_number - look an interest up by number
 * @user: the queue, locked
 * @type: type of the interest
 * @number: the number
 *
 * Return: the interest, which has not ended, or NULL.
 */
static __always_inline struct kevent *
kevent_find_number(struct kevent_user *user, u8 type, u64 number)
{
	struct kevent_table *table = &user->table;
	struct kevent *k;

	lockdep_assert_held(&user->lock);
	k = kevent_lookup(table, kevent_hash(table, number, type));
	while (k && !kevent_is_number(k, type, number))
		k = k->chain;
	return k;
}

/**
 * kevent_table_end - what an interest watches can be watched anew
 * @k: the interest, which ends; user->lock is held
 */
static inline void kevent_table_end(struct kevent *k)
{
	struct kevent **found = k->user->table.found;

	/* Whatever bucket that was: if @k comes first there, it is the one. */
	if (likely(*found == k))
		*found = k->chain;
	else
		kevent_table_unlink(k);
}

#endif /* _KERNEL_KEVENT_TABLE_H */
