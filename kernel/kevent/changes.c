// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - changes to a queue's set of interests, one entry at a time
 *
 * All of this runs under user->mutex, in process context; see core.c for what
 * may happen at the same time: triggers, queries, the reaper, the close hook.
 */

#include <linux/file.h>
#include <linux/init.h>
#include <linux/nospec.h>

#include "kevent.h"
#include "ring.h"
#include "table.h"
#include "trace.h"

/* Operations that say what an interest is to be take this flag. */
#define KEVENT_SETS	KEVENT_START_DISABLED

/* Flags by operation, whatever the type; all take DEPENDS. */
#define KEVENT_NR_OPS	16
static const u32 kevent_op_flags[KEVENT_NR_OPS] __initconst = {
	[KEVENT_OP_ADD]		= KEVENT_MODES | KEVENT_LAST | KEVENT_SETS,
	[KEVENT_OP_MODIFY]	= KEVENT_MODES | KEVENT_LAST | KEVENT_SETS |
				  KEVENT_BY_ID,
	[KEVENT_OP_REMOVE]	= KEVENT_BY_ID | KEVENT_ACK | KEVENT_NO_LAST,
	[KEVENT_OP_ENABLE]	= KEVENT_BY_ID,
	[KEVENT_OP_DISABLE]	= KEVENT_BY_ID,
	[KEVENT_OP_TRIGGER]	= KEVENT_BY_ID,
	[KEVENT_OP_SET]		= KEVENT_MODES | KEVENT_LAST | KEVENT_SETS,
	[KEVENT_OP_QUERY]	= KEVENT_BY_ID,
};

/**
 * struct kevent_refused - what an operation of a type does not take
 * @flags: flags
 * @events: events
 * @error: 0, or that there is no such type or operation
 * @ops: of the type, NULL of QUERY
 */
struct kevent_refused {
	u32	flags;
	u32	events;
	s32	error;
	const struct kevent_source_ops *ops;
} __aligned(32);

static struct kevent_refused
kevent_refused[KEVENT_NR_TYPES * KEVENT_NR_OPS] __ro_after_init;

static int __init kevent_changes_init(void)
{
	struct kevent_refused *r = kevent_refused;
	unsigned int type, op;

	for (type = 0; type < KEVENT_NR_TYPES; type++) {
		const struct kevent_source_ops *ops = kevent_sources[type];

		for (op = 0; op < KEVENT_NR_OPS; op++, r++) {
			u32 flags = kevent_op_flags[op], events = 0;
			bool query = op == KEVENT_OP_QUERY;

			/* QUERY has no type, all others have one. */
			if (!flags || query != !type)
				r->error = -EINVAL;
			else if (type && !ops)
				r->error = -EOPNOTSUPP;
			if (r->error)
				continue;
			if (flags & KEVENT_SETS) {
				flags |= ops->set_flags;
				events = ops->valid_events;
			}
			if (op == KEVENT_OP_ADD)
				flags |= ops->add_flags;
			r->flags = ~(flags | KEVENT_DEPENDS);
			r->events = ~events;
			r->ops = ops;
		}
	}
	return 0;
}
fs_initcall(kevent_changes_init);

/* What an operation that sets nothing has no use for. */
static int kevent_check_plain(const struct kevent_change *change,
			      const struct kevent_source_ops *ops)
{
	if (change->cookie)
		return -EINVAL;
	if (change->op == KEVENT_OP_TRIGGER)
		return ops->trigger ? ops->check(change) : -EOPNOTSUPP;
	return kevent_is_plain(change) ? 0 : -EINVAL;
}

/* Everything that can be told from the entry alone. */
static int kevent_check_change(struct kevent_entry *entry)
{
	struct kevent_change *change = entry->change;
	u32 modes = change->flags & KEVENT_MODES;
	const struct kevent_refused *refused;
	const struct kevent_source_ops *ops;
	unsigned long i;

	if (change->type >= KEVENT_NR_TYPES || change->op >= KEVENT_NR_OPS)
		return -EINVAL;
	i = array_index_nospec(change->type * KEVENT_NR_OPS + change->op,
			       ARRAY_SIZE(kevent_refused));
	refused = &kevent_refused[i];
	ops = refused->ops;
	entry->ops = ops;
	if ((change->flags & refused->flags) |
	    (change->events & refused->events) | refused->error |
	    (change->flags & KEVENT_BY_ID ? change->ident : change->id) |
	    change->reserved[0] | change->reserved[1])
		return refused->error ?: -EINVAL;
	if (refused->flags & KEVENT_SETS)
		return kevent_check_plain(change, ops);
	if (modes & (modes - 1) ||
	    (change->flags & KEVENT_HOLD_LAST &&
	     ~change->flags & (KEVENT_DISPATCH | KEVENT_WANT_LAST)))
		return -EINVAL;
	if (ops->check)
		return ops->check(change);
	return kevent_is_plain(change) ? 0 : -EINVAL;
}

/* Make a new interest known to its queue, and charge it. */
static int kevent_insert(struct kevent *k)
{
	struct kevent_user *user = k->user;
	int grown = 0, ret;

	if (unlikely(kevent_table_full(&user->table)))
		grown = kevent_table_grow(user);
	kevent_lock_irq(user);
	ret = kevent_table_insert(k);
	if (!ret) {
		refcount_inc(&user->refs);
		user->nr_kevents++;
	}
	kevent_unlock_irq(user);
	return ret == -ENOSPC && grown ? grown : ret;
}

/* What counts has no level to ask for: level is the same as edge. */
static u16 kevent_mode_flags(const struct kevent_source_ops *ops, u32 flags)
{
	if (ops->ends)
		return KEVENT_ONESHOT;
	flags &= KEVENT_MODES;
	return flags || (ops->rereadable && !ops->no_level) ? flags : KEVENT_EDGE;
}

/* The flags that ADD and MODIFY set. */
static u16 kevent_set_flags(const struct kevent_source_ops *ops, u32 flags)
{
	return kevent_mode_flags(ops, flags) |
	       (flags & (KEVENT_LAST | KEVENT_START_DISABLED));
}

/* An interest that was added or modified may be the queue's first level one. */
static inline void kevent_note_level(struct kevent_user *user, u16 flags)
{
	lockdep_assert_held(&user->lock);
	if (likely(flags & KEVENT_MODES || user->attention & KEVENT_A_LEVEL))
		return;
	user->attention |= KEVENT_A_LEVEL;
	kevent_ring_write_flags(user);
}

/* The source is attached: let what it said meanwhile out.  user->lock is held. */
static void kevent_activate(struct kevent *k, u32 bits)
{
	kevent_note_level(k->user, k->flags);
	kevent_release_busy(k, bits);
}

/*
 * End an interest, forgetting some of its flags first, and take it off its
 * source, if it is @pinned and that is ours to do: no reference is needed but
 * that of the attachment.
 */
static inline void kevent_remove(struct kevent *k, bool pinned, u16 forget)
	__releases(k->user->lock)
{
	u32 pass_on = kevent_to_pass_on(k);

	k->flags &= ~forget;
	kevent_end(k, 0);
	kevent_unlock_irq(k->user);
	if (!pinned)
		return;
	if (pass_on)
		kevent_hook_pass_on(k, pass_on);
	kevent_detach(k);
}

/*
 * Allocate the interest of an ADD.  Only what is read before it is written is
 * cleared: clearing all of it is a tenth of an ADD.
 */
static struct kevent *kevent_new(struct kevent_user *user,
				 const struct kevent_entry *entry,
				 struct file *file)
{
	const struct kevent_source_ops *ops = entry->ops;
	const struct kevent_change *change = entry->change;
	size_t head = file ? sizeof(struct kevent_file) :
		      ops->identity == KEVENT_IDENT_NUMBER ?
		      sizeof(struct kevent_number) : sizeof(struct kevent);
	struct kevent *k = kevent_alloc(ops->type);

	if (!k)
		return NULL;
	*k = (struct kevent){
		.user	= user,
		.events	= change->events | ops->always_events,
		.flags	= KEVENT_F_BUSY | kevent_set_flags(ops, change->flags) |
			  (change->flags & KEVENT_EXCLUSIVE) |
			  (ops->fill ? KEVENT_F_DATA : 0),
		.type	= ops->type,
		.cookie	= change->cookie,
		.refs	= 2,	/* the attachment, and who adds it */
	};
	if (file) {
		struct kevent_file *kf = kevent_to_file(k);

		k->fd = change->ident;
		kf->file = file;
		kf->hook.wait.func = NULL;
		kf->hook.wait.private = NULL;
	} else if (ops->identity == KEVENT_IDENT_NUMBER) {
		kevent_to_number(k)->number = change->ident;
	}
	if (ops->size > head)
		memset((void *)k + head, 0, ops->size - head);
	return k;
}

/* ADD; @file is pinned, NULL without a descriptor. */
static int kevent_add(struct kevent_user *user, struct kevent_entry *entry,
		      struct file *file)
{
	const struct kevent_source_ops *ops = entry->ops;
	struct kevent_change *change = entry->change;
	struct kevent *k = kevent_new(user, entry, file);
	s64 bits;
	int ret;

	if (!k)
		return -ENOMEM;
	ret = kevent_insert(k);
	if (ret) {
		kevent_free_memory(k, NULL);
		return ret;
	}
	/* Nobody else looks for it there while the mutex is held. */
	if (file)
		kevent_remember_file(k);
	bits = ops->attach(k, change, &entry->found);
	kevent_lock_irq(user);
	if (bits >= 0) {
		change->id = k->id;
		kevent_activate(k, bits);
	} else {
		ret = bits;
		/* INODE, which the program cannot name otherwise */
		if (ret == -EEXIST)
			change->id = entry->found.inode.exists;
		if (!(k->flags & KEVENT_F_DEAD)) {
			kevent_remove(k, true, KEVENT_WANT_LAST);
			kevent_lock_irq(user);
		}
	}
	kevent_put(k);
	kevent_unlock_irq(user);
	return ret;
}

/* Drop the reference of a change, with what the source, if asked, has said. */
static void kevent_put_settled(struct kevent *k, u32 bits)
{
	struct kevent_user *user = k->user;

	kevent_lock_irq(user);
	kevent_settle(k, bits);
	kevent_put(k);
	kevent_unlock_irq(user);
}

/* Ask the source, or have the next wait do so. */
static u32 kevent_query(struct kevent *k, const struct kevent_source_ops *ops)
{
	if (unlikely(ops->query_in_wait)) {
		kevent_trigger_query(k, 0);
		return 0;
	}
	return ops->query(k);
}

/*
 * Take an interest that is modified or disabled off the way of its events.  If
 * the source can be read again, forget what was not published, a query will tell
 * it again, and what was: an unread record says nothing about what comes.
 */
static void kevent_forget(struct kevent *k)
{
	if (kevent_ops(k)->rereadable)
		k->pending = 0;
	k->seen[0] = 0;
	k->seen[1] = 0;
	k->flags &= ~KEVENT_F_QUERY;
	if (k->list != KEVENT_NO_LIST)
		kevent_list_move(k, KEVENT_NO_LIST);
}

/* The part of MODIFY that all types have; user->lock is held. */
static inline void kevent_replace(struct kevent *k,
				  const struct kevent_change *change)
{
	const struct kevent_source_ops *ops = kevent_ops(k);
	u16 flags = k->flags;

	flags &= ~(KEVENT_MODES | KEVENT_LAST | KEVENT_F_DISABLED);
	flags |= kevent_set_flags(ops, change->flags);
	/* Who arms it is done with its record. */
	if (flags & KEVENT_F_HELD &&
	    ~flags & (KEVENT_F_DISABLED | KEVENT_WANT_LAST))
		flags &= ~KEVENT_F_HELD;
	k->flags = flags;
	k->cookie = change->cookie;
	WRITE_ONCE(k->events, change->events | ops->always_events);
	if (ops->set)
		ops->set(k, change);
	kevent_note_level(k->user, flags);
}

/* MODIFY where wake-ups may go on. */
static int kevent_modify_attached(struct kevent *k, bool pinned,
				  const struct kevent_change *change)
	__releases(k->user->lock)
{
	const struct kevent_source_ops *ops = kevent_ops(k);
	u32 pass_on = kevent_to_pass_on(k), bits;
	bool query;

	kevent_forget(k);
	kevent_replace(k, change);
	query = !(k->flags & KEVENT_F_DISABLED);
	k->pending &= k->events;
	bits = k->pending;
	if (bits && query) {
		/* counted, and not published yet */
		k->pending = 0;
		kevent_settle(k, bits);
	}
	/* If it is not pinned, the close hook is about to end it. */
	if (!pinned || !(ops->modified || ops->query)) {
		kevent_unlock_irq(k->user);
		return 0;
	}
	k->refs++;
	kevent_unlock_irq(k->user);
	if (pass_on)
		kevent_hook_pass_on(k, pass_on);
	if (ops->modified)
		ops->modified(k);
	kevent_put_settled(k, query && ops->query ? kevent_query(k, ops) : 0);
	return 0;
}

/* MODIFY by attaching anew; what is triggered meanwhile accumulates. */
static int kevent_modify_anew(struct kevent *k,
			      const struct kevent_change *change)
	__releases(k->user->lock)
{
	const struct kevent_source_ops *ops = kevent_ops(k);
	struct kevent_user *user = k->user;
	u32 bits;

	kevent_forget(k);
	k->flags |= KEVENT_F_BUSY;
	k->refs++;
	kevent_unlock_irq(user);

	ops->detach(k);
	kevent_lock_irq(user);
	kevent_replace(k, change);
	kevent_unlock_irq(user);
	bits = ops->attach(k, change, NULL);
	kevent_lock_irq(user);
	kevent_activate(k, bits);
	kevent_put(k);
	kevent_unlock_irq(user);
	return 0;
}

static int kevent_modify(struct kevent *k, bool pinned,
			 const struct kevent_change *change)
	__releases(k->user->lock)
{
	const struct kevent_source_ops *ops = kevent_ops(k);
	int ret = 0;

	if (k->flags & KEVENT_F_GONE)
		ret = -ENOENT;
	else if (ops->check_modify)
		ret = ops->check_modify(k, change);
	if (ret) {
		kevent_unlock_irq(k->user);
		return ret;
	}
	return ops->restarts ? kevent_modify_anew(k, change) :
			       kevent_modify_attached(k, pinned, change);
}

/* ENABLE but for the query; user->lock is held. */
static void kevent_arm(struct kevent *k, const struct kevent_source_ops *ops)
{
	u32 bits = k->pending;

	k->flags &= ~(KEVENT_F_DISABLED | KEVENT_F_HELD);
	if (bits && k->list == KEVENT_NO_LIST) {
		/* counted while it was disabled */
		k->pending = 0;
		kevent_settle(k, bits);
	} else if (!bits && ops->enable) {
		ops->enable(k);
	}
}

static int kevent_enable(struct kevent *k, bool pinned)
	__releases(k->user->lock)
{
	const struct kevent_source_ops *ops = kevent_ops(k);
	bool query = ops->query && pinned;

	kevent_arm(k, ops);
	k->refs += query;
	kevent_unlock_irq(k->user);
	/*
	 * A wake-up that found it disabled released the lock before we took it:
	 * the query sees what it was about.
	 */
	if (query)
		kevent_put_settled(k, kevent_query(k, ops));
	return 0;
}

/*
 * Have no query of an interest run, for a change that is to be exact.  Its file is
 * pinned, else none does.  user->lock is held, and may be dropped meanwhile: it may
 * have ended then.
 */
static noinline int __kevent_stop(struct kevent *k, bool must)
{
	int ret;

	k->refs++;
	ret = kevent_ops(k)->stop(k, must);
	if (!ret && k->flags & KEVENT_F_DEAD)
		ret = -ENOENT;
	kevent_put(k);
	return ret;
}

/* One type has it, and to ask for that one is cheaper than to look it up. */
static inline int kevent_stop(struct kevent *k, bool must)
{
	return likely(k->type != KEVENT_TYPE_SENDFILE) ? 0 : __kevent_stop(k, must);
}

static int kevent_disable(struct kevent *k, bool pinned)
	__releases(k->user->lock)
{
	struct kevent_user *user = k->user;
	u32 pass_on = 0;
	int ret;

	ret = pinned ? kevent_stop(k, false) : 0;
	if (!ret && k->flags & KEVENT_F_GONE)
		ret = -ENOENT;
	if (!ret) {
		pass_on = pinned ? kevent_to_pass_on(k) : 0;
		k->flags |= KEVENT_F_DISABLED;
		kevent_forget(k);
		k->refs += !!pass_on;
	}
	kevent_unlock_irq(user);
	if (pass_on) {
		kevent_hook_pass_on(k, pass_on);
		kevent_put_settled(k, 0);
	}
	return ret;
}

/*
 * Apply a change to an interest that was found, and has not ended.  If not @pinned
 * the last reference to its file is gone.
 */
static int kevent_change_found(struct kevent *k, bool pinned,
			       struct kevent_change *change)
	__releases(k->user->lock)
{
	struct kevent_user *user = k->user;
	u16 forget = 0;
	int ret;

	/* Nobody adds it, the mutex is held: a wait is reading what it is to tell. */
	if (unlikely(k->flags & KEVENT_F_BUSY) && change->op != KEVENT_OP_ENABLE) {
		kevent_unlock_irq(user);
		return -EBUSY;
	}
	if (change->op == KEVENT_OP_REMOVE) {
		ret = pinned ? kevent_stop(k, false) : 0;
		if (unlikely(ret)) {
			kevent_unlock_irq(user);
			return ret;
		}
		if (change->flags & KEVENT_NO_LAST)
			forget = KEVENT_F_HELD | KEVENT_WANT_LAST;
		else if (change->flags & KEVENT_ACK)
			forget = KEVENT_F_HELD;
		kevent_remove(k, pinned, forget);
		return 0;
	}
	switch (change->op) {
	case KEVENT_OP_ENABLE:
		return kevent_enable(k, pinned);
	case KEVENT_OP_DISABLE:
		return kevent_disable(k, pinned);
	default:	/* MODIFY, SET */
		if (change->op == KEVENT_OP_SET)
			change->id = k->id;
		return kevent_modify(k, pinned, change);
	}
}

static int kevent_change_by_fd(struct kevent_user *user,
			       struct kevent_entry *entry)
{
	struct kevent_change *change = entry->change;
	struct kevent *k;

	if (change->ident > INT_MAX)
		return -EBADF;
	CLASS(fd, f)(change->ident);
	if (fd_empty(f))
		return -EBADF;
	if (change->op != KEVENT_OP_ADD) {
		kevent_lock_irq(user);
		k = kevent_find_file(user, change->type, fd_file(f), change->ident);
		if (k)
			return kevent_change_found(k, true, change);
		kevent_unlock_irq(user);
		if (change->op != KEVENT_OP_SET)
			return -ENOENT;
		change->op = KEVENT_OP_ADD;	/* and undone as one */
	}
	return entry->ops->check_file(change, fd_file(f)) ?:
	       kevent_add(user, entry, fd_file(f));
}

static int kevent_change_by_number(struct kevent_user *user,
				   struct kevent_entry *entry)
{
	struct kevent_change *change = entry->change;
	struct kevent *k;

	if (change->op != KEVENT_OP_ADD) {
		kevent_lock_irq(user);
		k = kevent_find_number(user, change->type, change->ident);
		if (k)
			return kevent_change_found(k, true, change);
		kevent_unlock_irq(user);
		if (change->op != KEVENT_OP_SET)
			return -ENOENT;
		change->op = KEVENT_OP_ADD;	/* and undone as one */
	}
	return kevent_add(user, entry, NULL);
}

/* QUERY; user->lock is held. */
static int kevent_answer(const struct kevent *k, struct kevent_change *change)
{
	if (k->flags & KEVENT_F_DEAD)
		return -ENOENT;
	change->type = k->type;
	change->flags = k->flags & (KEVENT_F_USER | KEVENT_F_DISABLED);
	change->cookie = k->cookie;
	change->ident = kevent_ident(k);
	change->events = k->events & kevent_ops(k)->valid_events;
	return 0;
}

/* Is the holder of a record of HOLD_LAST done with it? */
static bool kevent_acknowledges(const struct kevent_change *change)
{
	switch (change->op) {
	case KEVENT_OP_ENABLE:
		return true;
	case KEVENT_OP_MODIFY:
		return !(change->flags & KEVENT_START_DISABLED);
	default:
		return change->flags & KEVENT_ACK;
	}
}

/* @forget: flags that a REMOVE takes off the interest first. */
static int kevent_change_by_id(struct kevent_user *user,
			       struct kevent_change *change, u16 forget)
{
	struct kevent *k;
	struct file *file;
	bool pinned;
	int ret = 0;

	kevent_lock_irq(user);
	k = kevent_find_id(user, change->id);
	if (!k || k->type != change->type) {
		ret = k && change->op == KEVENT_OP_QUERY ?
		      kevent_answer(k, change) : -ENOENT;
		kevent_unlock_irq(user);
		return ret;
	}
	if (k->flags & KEVENT_F_DEAD) {		/* and HELD */
		if (forget) {		/* and nobody learned its id */
			k->flags &= ~KEVENT_F_HELD;
			kevent_table_erase(k);
			kevent_put(k);
		} else if (kevent_acknowledges(change)) {
			kevent_release_held(k);
		}
		kevent_unlock_irq(user);
		return -ENOENT;
	}
	pinned = kevent_pin(k, &file);
	if (forget && pinned && kevent_stop(k, true))		/* it has ended */
		kevent_unlock_irq(user);
	else if (forget)
		kevent_remove(k, pinned, forget);
	else
		ret = kevent_change_found(k, pinned, change);
	if (file)
		fput(file);
	return ret;
}

/*
 * TRIGGER, and ENABLE of an interest with a number whose source is not asked: in
 * one section of the lock, so that programs can trigger without the mutex.
 */
static int kevent_change_number(struct kevent_user *user,
				const struct kevent_source_ops *ops,
				const struct kevent_change *change)
{
	struct kevent *k;
	int ret = 0;
	u32 bits;

	kevent_lock_irq(user);
	if (change->flags & KEVENT_BY_ID)
		k = kevent_find_id(user, change->id);
	else
		k = kevent_find_number(user, change->type, change->ident);
	if (!k || k->type != change->type) {
		ret = -ENOENT;
	} else if (k->flags & KEVENT_F_DEAD) {		/* and HELD */
		if (change->op == KEVENT_OP_ENABLE)
			kevent_release_held(k);
		ret = -ENOENT;
	} else if (change->op == KEVENT_OP_ENABLE) {
		kevent_arm(k, ops);
	} else {
		user->triggers++;
		bits = ops->trigger(k, change);
		trace_kevent_trigger(k, bits);
		kevent_settle(k, bits);
	}
	kevent_unlock_irq(user);
	return ret;
}

static bool kevent_looks_up(const struct kevent_entry *entry)
{
	return entry->ops && entry->ops->look_up &&
	       entry->change->op == KEVENT_OP_ADD;
}

/**
 * kevent_prepare - check an entry, and find what it names by more than a number
 * @entry: the entry, with its change
 *
 * May read user memory and wait for file systems; no lock is held.
 *
 * Return: %KEVENT_LOOKED_UP if something was, and kevent_unprepare() is due,
 * %KEVENT_ASKS if it is to be answered as a whole, or 0.
 */
unsigned int kevent_prepare(struct kevent_entry *entry)
{
	struct kevent_change *change = entry->change;

	change->result = kevent_check_change(entry);
	if (change->result) {
		entry->ops = NULL;
		return 0;
	}
	if (!entry->ops) {
		if (!(change->flags & KEVENT_BY_ID))
			change->result = -EINVAL;
		return KEVENT_ASKS;
	}
	if (!kevent_looks_up(entry))
		return 0;
	change->result = kevent_no_restart(entry->ops->look_up(change, &entry->found));
	if (change->result)
		entry->ops = NULL;
	return KEVENT_LOOKED_UP;
}

/**
 * kevent_unprepare - release what kevent_prepare() found
 * @entry: the entry; no lock is held
 */
void kevent_unprepare(struct kevent_entry *entry)
{
	if (kevent_looks_up(entry))
		entry->ops->forget(&entry->found);
}

/**
 * kevent_apply - apply one change
 * @user: the queue, its mutex held unless the operation is TRIGGER
 * @entry: the change, prepared and found right; gets the id of an interest that
 *	was added or set, and what a QUERY asks for
 *
 * Return: 0 or the negative error number for this entry.
 */
int kevent_apply(struct kevent_user *user, struct kevent_entry *entry)
{
	struct kevent_change *change = entry->change;
	const struct kevent_source_ops *ops = entry->ops;

	if (change->op == KEVENT_OP_TRIGGER ||
	    (change->op == KEVENT_OP_ENABLE &&
	     ops->identity == KEVENT_IDENT_NUMBER))
		return kevent_change_number(user, ops, change);
	lockdep_assert_held(&user->mutex);
	if (change->flags & KEVENT_BY_ID)
		return kevent_change_by_id(user, change, 0);
	switch (ops->identity) {
	case KEVENT_IDENT_FD:
		return kevent_change_by_fd(user, entry);
	case KEVENT_IDENT_NUMBER:
		return kevent_change_by_number(user, entry);
	case KEVENT_IDENT_NONE:
		if (change->op == KEVENT_OP_ADD)
			return kevent_add(user, entry, NULL);
		if (change->op == KEVENT_OP_SET)
			return -EOPNOTSUPP;
	}
	return -EINVAL;
}

/**
 * kevent_undo_add - take back an ADD whose result could not be told
 * @user: the queue, its mutex held
 * @added: the change, with the id it got
 */
void kevent_undo_add(struct kevent_user *user, struct kevent_change *added)
{
	lockdep_assert_held(&user->mutex);
	/* It may have ended, by a record or the close of its file. */
	kevent_change_by_id(user, added, KEVENT_WANT_LAST | KEVENT_F_HELD);
}
