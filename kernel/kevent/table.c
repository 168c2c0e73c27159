// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - the interests of a queue, by id and by what they watch
 *
 * One array of slots serves both look-ups.  The id of an interest is the number
 * of its slot and how often that slot has been given out, so that an id is found
 * without a search and never used again: a slot whose count is full is not given
 * out any more.
 *
 * Each slot is also the head of a bucket of a hash table over (type, file, ident).
 * There are as many buckets as slots: one that is given out for the first time
 * splits one bucket in two (linear hashing, Litwin 1980), so the table grows without
 * a pause and chains stay short, however many slots are in use.  Numbers are chosen
 * by programs, so the hash is secret.
 *
 * Slots come by the page, while the queue's mutex is held, and stay until the
 * queue is freed: the counts in them keep ids from being used again.
 *
 * Not an xarray beside an rhashtable: two allocations and two sets of nodes more
 * per interest, where ADD is measured in single instructions (P7, P9).
 */

#include <linux/nospec.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "kevent.h"
#include "table.h"

#define KEVENT_SLOT_FREE	1U
#define KEVENT_MAX_USES		S32_MAX

static inline struct kevent *kevent_slot_interest(const struct kevent_slot *slot)
{
	return slot->word & KEVENT_SLOT_FREE ? NULL :
	       (struct kevent *)(unsigned long)slot->word;
}

/* Of an interest with a descriptor or a number. */
static __always_inline u32 kevent_hash_of(const struct kevent_table *table,
					  const struct kevent *k,
					  enum kevent_identity identity)
{
	return identity == KEVENT_IDENT_FD ?
	       kevent_hash(table, (unsigned long)kevent_to_file(k)->file, k->fd) :
	       kevent_hash(table, kevent_to_number(k)->number, k->type);
}

static bool kevent_is_twin(const struct kevent *k, const struct kevent *other)
{
	if (kevent_ops(k)->identity == KEVENT_IDENT_FD)
		return kevent_is_file(other, k->type, kevent_to_file(k)->file, k->fd);
	return kevent_is_number(other, k->type, kevent_to_number(k)->number);
}

/* The slot number @table->nr is given out, and its bucket split off another. */
static noinline u32 kevent_new_slot(struct kevent_table *table)
{
	u32 n = table->nr++;
	struct kevent **from, **to, *k;

	if (n > table->mask)
		table->mask = 2 * table->mask + 1;
	from = &kevent_slot(table, n & (table->mask >> 1))->first;
	to = &kevent_slot(table, n)->first;
	while ((k = *from)) {
		u32 hash = kevent_hash_of(table, k, kevent_ops(k)->identity);

		if (kevent_bucket(table, hash) != n) {
			from = &k->chain;
			continue;
		}
		*from = k->chain;
		*to = k;
		to = &k->chain;
	}
	*to = NULL;
	return n;
}

/* Of a queue without interests: the bucket of slot 0, in which nothing is. */
static struct kevent_slot kevent_no_slots[1] __ro_after_init;
static struct kevent_slot *kevent_no_pages[] = { kevent_no_slots };

/**
 * kevent_table_init - make the table of a new queue
 * @table: the table, zeroed
 */
void kevent_table_init(struct kevent_table *table)
{
	unsigned int i;

	table->pages = kevent_no_pages;
	table->found = &kevent_no_slots->first;
	table->capacity = 1;
	table->nr = 1;
	get_random_bytes(table->secret, sizeof(table->secret));
	for (i = 0; i < ARRAY_SIZE(table->secret); i++)
		table->secret[i] |= 1;
}

/**
 * kevent_table_free - free a table without interests
 * @table: the table
 */
void kevent_table_free(struct kevent_table *table)
{
	u32 i;

	for (i = 0; i < table->nr_pages; i++) {
		free_page((unsigned long)table->pages[i]);
		cond_resched();
	}
	if (table->nr_pages)
		kvfree(table->pages);
}

/**
 * kevent_table_grow - have slots for more interests
 * @user: the queue, its mutex held, without a free slot
 *
 * Return: 0, -ENOMEM, or -ENOSPC if the user has too much queue memory.
 */
int kevent_table_grow(struct kevent_user *user)
{
	struct kevent_table *table = &user->table;
	struct kevent_slot **pages = table->pages, *page;
	u32 nr = table->nr_pages;

	/* The directory doubles when it is full. */
	if (!nr || is_power_of_2(nr)) {
		pages = kvcalloc(nr ? 2 * nr : 1, sizeof(*pages), KEVENT_GFP);
		if (!pages)
			return -ENOMEM;
		if (nr)
			memcpy(pages, table->pages, nr * sizeof(*pages));
	}
	if (!kevent_charge_pages(user, 1)) {
		if (pages != table->pages)
			kvfree(pages);
		return -ENOSPC;
	}
	page = (struct kevent_slot *)__get_free_page(KEVENT_GFP | __GFP_ZERO);
	if (!page) {
		kevent_uncharge_pages(user, 1);
		if (pages != table->pages)
			kvfree(pages);
		return -ENOMEM;
	}
	pages[nr] = page;

	spin_lock_irq(&user->lock);
	swap(table->pages, pages);
	table->nr_pages++;
	table->capacity = table->nr_pages * KEVENT_SLOTS_PER_PAGE;
	spin_unlock_irq(&user->lock);
	if (nr && pages != table->pages)
		kvfree(pages);
	return 0;
}

/**
 * kevent_find_id - look an interest up by its id
 * @user: the queue, locked
 * @id: the id
 *
 * Return: the interest, which may be dead and HELD, or NULL.
 */
struct kevent *kevent_find_id(struct kevent_user *user, u64 id)
{
	const struct kevent_table *table = &user->table;
	u32 n = upper_32_bits(id);
	struct kevent *k;

	lockdep_assert_held(&user->lock);
	if (n >= table->nr)
		return NULL;
	k = kevent_slot_interest(kevent_slot(table, array_index_nospec(n, table->nr)));
	return k && k->id == id ? k : NULL;
}

/**
 * kevent_next - the interests of a queue, one after the other, in order of ids
 * @user: the queue, locked
 * @n: slot to begin with, 0 at first, the table's @nr when there are no more;
 *	set to the one to go on with
 *
 * The lock may be dropped between two calls, and is to be when @n is a multiple of
 * %KEVENT_WALK_SLOTS.
 *
 * Return: the interest; NULL if there is none up to that multiple, or the end.
 */
struct kevent *kevent_next(struct kevent_user *user, u32 *n)
{
	lockdep_assert_held(&user->lock);
	while (*n < user->table.nr) {
		struct kevent *k = kevent_slot_interest(kevent_slot(&user->table, *n));

		++*n;
		if (k)
			return k;
		if (*n % KEVENT_WALK_SLOTS == 0)
			break;
	}
	return NULL;
}

/**
 * kevent_table_insert - make an interest known, charge it, and give it an id
 * @k: the interest; user->lock is held
 *
 * Return: 0, -EEXIST if the queue has a live one that watches the same, -ENOSPC if
 * there is no slot or too many interests.
 */
int kevent_table_insert(struct kevent *k)
{
	struct kevent_table *table = &k->user->table;
	enum kevent_identity identity = kevent_ops(k)->identity;
	struct kevent_slot *slot, *bucket;
	u32 n, uses = 0, hash = 0;
	struct kevent *twin;

	lockdep_assert_held(&k->user->lock);
	/* What is there is told first, whatever the limits say. */
	if (identity != KEVENT_IDENT_NONE) {
		hash = kevent_hash_of(table, k, identity);
		bucket = kevent_slot(table, kevent_bucket(table, hash));
		for (twin = bucket->first; twin; twin = twin->chain)
			if (kevent_is_twin(k, twin))
				return -EEXIST;
	}
	if (kevent_table_full(table) || !kevent_charge(k->user))
		return -ENOSPC;
	n = table->free;
	if (likely(n)) {
		slot = kevent_slot(table, n);
		table->free = upper_32_bits(slot->word);
		uses = lower_32_bits(slot->word) >> 1;
	} else {
		n = kevent_new_slot(table);
		slot = kevent_slot(table, n);
		/* It may have been split. */
		bucket = kevent_slot(table, kevent_bucket(table, hash));
	}
	slot->word = (unsigned long)k;
	k->id = (u64)n << 32 | (uses + 1);
	if (identity != KEVENT_IDENT_NONE) {
		k->chain = bucket->first;
		bucket->first = k;
	}
	return 0;
}

/* kevent_table_end() of one that was not looked up just now, or has no name. */
void kevent_table_unlink(struct kevent *k)
{
	enum kevent_identity identity = kevent_ops(k)->identity;
	struct kevent_table *table = &k->user->table;
	struct kevent **from;
	u32 hash;

	lockdep_assert_held(&k->user->lock);
	if (identity == KEVENT_IDENT_NONE)
		return;
	hash = kevent_hash_of(table, k, identity);
	from = &kevent_slot(table, kevent_bucket(table, hash))->first;
	while (*from != k)
		from = &(*from)->chain;
	*from = k->chain;
}

/**
 * kevent_table_erase - forget the id of an interest that has ended
 * @k: the interest; user->lock is held
 */
void kevent_table_erase(struct kevent *k)
{
	struct kevent_table *table = &k->user->table;
	u32 n = upper_32_bits(k->id), uses = lower_32_bits(k->id);
	struct kevent_slot *slot = kevent_slot(table, n);

	lockdep_assert_held(&k->user->lock);
	slot->word = (u64)table->free << 32 | uses << 1 | KEVENT_SLOT_FREE;
	if (likely(uses != KEVENT_MAX_USES))
		table->free = n;
}
