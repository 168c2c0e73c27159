// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - changes to a queue's set of interests, one entry at a time
 *
 * All of this runs under user->mutex, in process context; see core.c for what
 * may happen at the same time: triggers, queries, the reaper, the close hook.
 */

#include <linux/bitops.h>
#include <linux/file.h>
#include <linux/slab.h>

#include "kevent.h"
#include "ring.h"

#define KEVENT_MODES	(KEVENT_EDGE | KEVENT_ONESHOT | KEVENT_DISPATCH)

static const u32 kevent_op_flags[] = {
	[KEVENT_OP_ADD]		= KEVENT_MODES | KEVENT_WANT_LAST |
				  KEVENT_START_DISABLED,
	[KEVENT_OP_MODIFY]	= KEVENT_MODES | KEVENT_BY_ID,
	[KEVENT_OP_REMOVE]	= KEVENT_BY_ID | KEVENT_ACK,
	[KEVENT_OP_ENABLE]	= KEVENT_BY_ID,
	[KEVENT_OP_DISABLE]	= KEVENT_BY_ID,
	[KEVENT_OP_TRIGGER]	= KEVENT_BY_ID,
};

/* Everything that can be told from the entry alone. */
static int kevent_check_change(const struct kevent_change *change)
{
	const struct kevent_source_ops *ops = kevent_source(change->type);
	bool sets_events = change->op == KEVENT_OP_ADD ||
			   change->op == KEVENT_OP_MODIFY;

	if (!change->op || change->op >= ARRAY_SIZE(kevent_op_flags))
		return -EINVAL;
	if (IS_ERR(ops))
		return PTR_ERR(ops);
	if (change->flags & ~kevent_op_flags[change->op] ||
	    hweight32(change->flags & KEVENT_MODES) > 1)
		return -EINVAL;
	if (change->events & ~(sets_events ? ops->valid_events : 0))
		return -EINVAL;
	if (change->id && !(change->flags & KEVENT_BY_ID))
		return -EINVAL;
	if (change->addr || memchr_inv(change->param, 0, sizeof(change->param)) ||
	    memchr_inv(change->reserved, 0, sizeof(change->reserved)))
		return -EINVAL;
	if (change->op == KEVENT_OP_TRIGGER)
		return -EOPNOTSUPP;
	return 0;
}

/* Ids only grow, and the largest is leftmost: no search. */
static void kevent_tree_insert(struct kevent *k)
{
	struct rb_root_cached *tree = &k->user->tree;
	struct rb_node *first = rb_first_cached(tree);

	rb_link_node(&k->node, first,
		     first ? &first->rb_left : &tree->rb_root.rb_node);
	rb_insert_color_cached(&k->node, tree, true);
}

static void kevent_put_unlocked(struct kevent *k)
{
	struct kevent_user *user = k->user;

	spin_lock_irq(&user->lock);
	kevent_put(k);
	spin_unlock_irq(&user->lock);
}

/* Get a reference to an interest that has not ended. */
static bool kevent_get_live(struct kevent *k)
{
	struct kevent_user *user = k->user;
	bool live;

	spin_lock_irq(&user->lock);
	live = !(k->flags & KEVENT_F_DEAD);
	k->refs += live;
	spin_unlock_irq(&user->lock);
	return live;
}

/*
 * Find the live interest of @user in (@file, @fd) and get a reference.  The list
 * is that of all queues' interests in the file, as long as what a wake-up walks.
 */
static struct kevent *kevent_find_file(struct kevent_user *user,
				       struct file *file, int fd, u8 type)
{
	struct kevent *k;

	lockdep_assert_held(&file->f_lock);
	hlist_for_each_entry(k, &file->f_kevent, file_node)
		if (k->user == user && k->fd == fd && k->type == type &&
		    kevent_get_live(k))
			return k;
	return NULL;
}

/* Make a new interest known to its queue and its file. */
static int kevent_insert(struct kevent *k)
{
	struct kevent_user *user = k->user;
	struct file *file = k->file;
	struct kevent *twin;
	int ret = -EEXIST;

	spin_lock(&file->f_lock);
	twin = kevent_find_file(user, file, k->fd, k->type);
	if (twin)
		goto unlock;
	ret = -ENOSPC;
	spin_lock_irq(&user->lock);
	if (kevent_charge(user)) {
		refcount_inc(&user->refs);
		user->nr_kevents++;
		k->id = ++user->last_id;
		kevent_tree_insert(k);
		hlist_add_head(&k->file_node, &file->f_kevent);
		ret = 0;
	}
	spin_unlock_irq(&user->lock);
unlock:
	spin_unlock(&file->f_lock);
	if (twin)
		kevent_put_unlocked(twin);
	return ret;
}

/* The source is attached: let what it said meanwhile out. */
static void kevent_activate(struct kevent *k, u32 bits)
{
	struct kevent_user *user = k->user;
	unsigned long irqflags = kevent_lock(user);

	bits |= k->pending;
	k->pending = 0;
	k->flags &= ~KEVENT_F_NEW;
	if (k->flags & KEVENT_F_DISABLED)
		k->flags &= ~KEVENT_F_QUERY;
	kevent_settle(k, bits);
	if (k->flags & KEVENT_F_QUERY)
		kevent_defer_query(k);
	kevent_unlock(user, irqflags);
}

/*
 * End an interest, forgetting some of its flags first, and take it off its
 * source, if that is ours to do.
 */
static int kevent_remove(struct kevent *k, struct file *file, u16 forget)
{
	struct kevent_user *user = k->user;
	unsigned long irqflags = kevent_lock(user);
	bool ended = !(k->flags & KEVENT_F_DEAD);

	if (ended) {
		k->flags &= ~forget;
		kevent_end(k, 0);
	}
	kevent_unlock(user, irqflags);
	if (ended && file)
		kevent_detach(k, file);
	return ended ? 0 : -ENOENT;
}

static int kevent_add(struct kevent_user *user, struct kevent_change *change)
{
	const struct kevent_source_ops *ops = kevent_source(change->type);
	struct kevent *k;
	s64 bits;
	int ret;

	if (change->ident > INT_MAX)
		return -EBADF;
	CLASS(fd, f)(change->ident);
	if (fd_empty(f))
		return -EBADF;
	ret = ops->check_file(fd_file(f));
	if (ret)
		return ret;

	k = kmem_cache_zalloc(kevent_cache, KEVENT_GFP);
	if (!k)
		return -ENOMEM;
	k->user = user;
	k->events = change->events | ops->always_events;
	k->cookie = change->cookie;
	k->flags = KEVENT_F_NEW | (change->flags & KEVENT_F_USER);
	if (change->flags & KEVENT_START_DISABLED)
		k->flags |= KEVENT_F_DISABLED;
	k->type = change->type;
	k->refs = 2;	/* the attachment, and this function */
	k->file = fd_file(f);
	k->fd = change->ident;

	ret = kevent_insert(k);
	if (ret) {
		kmem_cache_free(kevent_cache, k);
		return ret;
	}
	bits = ops->attach(k);
	if (bits >= 0) {
		change->id = k->id;
		kevent_activate(k, bits);
	} else {
		ret = bits;
		kevent_remove(k, k->file, KEVENT_WANT_LAST);
	}
	kevent_put_unlocked(k);
	return ret;
}

/* Ask the source, which @file pins, and publish what it says. */
static void kevent_query_now(struct kevent *k, struct file *file)
{
	struct kevent_user *user = k->user;
	unsigned long irqflags;
	u32 bits;

	if (!file)
		return;		/* the close hook is about to end it */
	bits = kevent_ops(k)->query(k);
	irqflags = kevent_lock(user);
	kevent_settle(k, bits);
	kevent_unlock(user, irqflags);
}

/*
 * Forget what was not published, a query will tell it again, and what was: an
 * unread record says nothing about what comes.
 */
static void kevent_forget(struct kevent *k)
{
	k->pending = 0;
	k->seen[0] = 0;
	k->seen[1] = 0;
	k->flags &= ~KEVENT_F_QUERY;
	if (k->list != KEVENT_NO_LIST)
		kevent_list_move(k, KEVENT_NO_LIST);
}

static int kevent_modify(struct kevent *k, struct file *file,
			 const struct kevent_change *change)
{
	const struct kevent_source_ops *ops = kevent_ops(k);
	struct kevent_user *user = k->user;
	bool query = false;
	int ret = -ENOENT;

	spin_lock_irq(&user->lock);
	if (!(k->flags & KEVENT_F_DEAD)) {
		ret = 0;
		kevent_forget(k);
		k->flags &= ~KEVENT_MODES;
		k->flags |= change->flags & KEVENT_MODES;
		if (!(k->flags & KEVENT_DISPATCH))
			k->flags &= ~KEVENT_F_HELD;	/* no ENABLE will come */
		k->cookie = change->cookie;
		WRITE_ONCE(k->events, change->events | ops->always_events);
		query = !(k->flags & KEVENT_F_DISABLED);
	}
	spin_unlock_irq(&user->lock);
	if (!ret && file)
		ops->modified(k);
	if (query)
		kevent_query_now(k, file);
	return ret;
}

static int kevent_enable(struct kevent *k, struct file *file)
{
	struct kevent_user *user = k->user;
	int ret = -ENOENT;

	spin_lock_irq(&user->lock);
	if (!(k->flags & KEVENT_F_DEAD)) {
		ret = 0;
		k->flags &= ~(KEVENT_F_DISABLED | KEVENT_F_HELD);
	}
	spin_unlock_irq(&user->lock);
	/*
	 * A wake-up that found it disabled released the lock before we took it:
	 * the query sees what it was about.
	 */
	if (!ret)
		kevent_query_now(k, file);
	return ret;
}

static int kevent_disable(struct kevent *k)
{
	struct kevent_user *user = k->user;
	int ret = -ENOENT;

	spin_lock_irq(&user->lock);
	if (!(k->flags & KEVENT_F_DEAD)) {
		ret = 0;
		k->flags |= KEVENT_F_DISABLED;
		kevent_forget(k);
	}
	spin_unlock_irq(&user->lock);
	return ret;
}

static int kevent_change_found(struct kevent *k, struct file *file,
			       const struct kevent_change *change)
{
	switch (change->op) {
	case KEVENT_OP_MODIFY:
		return kevent_modify(k, file, change);
	case KEVENT_OP_REMOVE:
		return kevent_remove(k, file, change->flags & KEVENT_ACK ?
				     KEVENT_F_HELD : 0);
	case KEVENT_OP_ENABLE:
		return kevent_enable(k, file);
	case KEVENT_OP_DISABLE:
		return kevent_disable(k);
	}
	return -EINVAL;
}

static int kevent_change_by_fd(struct kevent_user *user,
			       const struct kevent_change *change)
{
	struct file *file;
	struct kevent *k;
	int ret;

	if (change->ident > INT_MAX)
		return -EBADF;
	CLASS(fd, f)(change->ident);
	if (fd_empty(f))
		return -EBADF;
	file = fd_file(f);
	spin_lock(&file->f_lock);
	k = kevent_find_file(user, file, change->ident, change->type);
	spin_unlock(&file->f_lock);
	if (!k)
		return -ENOENT;
	ret = kevent_change_found(k, file, change);
	kevent_put_unlocked(k);
	return ret;
}

static int kevent_change_by_id(struct kevent_user *user,
			       const struct kevent_change *change)
{
	unsigned long irqflags = kevent_lock(user);
	struct kevent *k = kevent_find_id(user, change->id);
	struct file *file;
	int ret;

	if (!k || k->type != change->type) {
		kevent_unlock(user, irqflags);
		return -ENOENT;
	}
	if (k->flags & KEVENT_F_DEAD) {		/* and HELD */
		if (change->op == KEVENT_OP_ENABLE ||
		    change->flags & KEVENT_ACK)
			kevent_release_held(k);
		kevent_unlock(user, irqflags);
		return -ENOENT;
	}
	file = kevent_pin(k);
	k->refs++;
	kevent_unlock(user, irqflags);
	ret = kevent_change_found(k, file, change);
	kevent_put_unlocked(k);
	if (file)
		fput(file);
	return ret;
}

/**
 * kevent_apply - apply one change
 * @user: the queue, its mutex held
 * @change: the change; gets the id of an interest that was added
 *
 * Return: 0 or the negative error number for this entry.
 */
int kevent_apply(struct kevent_user *user, struct kevent_change *change)
{
	int ret;

	lockdep_assert_held(&user->mutex);
	ret = kevent_check_change(change);
	if (ret)
		return ret;
	if (change->op == KEVENT_OP_ADD)
		return kevent_add(user, change);
	if (change->flags & KEVENT_BY_ID)
		return kevent_change_by_id(user, change);
	return kevent_change_by_fd(user, change);
}

/**
 * kevent_undo_add - take back an ADD whose result could not be told
 * @user: the queue, its mutex held
 * @id: the id it got
 */
void kevent_undo_add(struct kevent_user *user, u64 id)
{
	struct file *file = NULL;
	struct kevent *k;

	lockdep_assert_held(&user->mutex);
	spin_lock_irq(&user->lock);
	k = kevent_find_id(user, id);
	if (k && k->flags & KEVENT_F_DEAD)
		k = NULL;	/* its file was closed */
	if (k) {
		k->refs++;
		file = kevent_pin(k);
	}
	spin_unlock_irq(&user->lock);
	if (!k)
		return;
	kevent_remove(k, file, KEVENT_WANT_LAST | KEVENT_F_HELD);
	kevent_put_unlocked(k);
	if (file)
		fput(file);
}
