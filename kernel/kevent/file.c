// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - interests that are named by a descriptor, and the file's last close
 *
 * The key is (file, descriptor number at ADD), as with epoll, and found in the
 * queue's table.  Interests of all queues are on a list of the file, under
 * file->f_lock, from before they are attached until they are detached: only its
 * last close walks it.
 */

#include <linux/file.h>
#include <linux/kevent.h>
#include <linux/poll.h>
#include <linux/sched.h>

#include "kevent.h"

/**
 * kevent_pin_file - keep the watched file open
 * @k: an interest in a file that was not detached; user->lock is held
 *
 * Return: the file, to be released with __fput_sync() when no lock is held, or
 * NULL if its last reference is gone and the close hook is to come.
 */
struct file *kevent_pin_file(struct kevent *k)
{
	struct file *file = kevent_to_file(k)->file;

	lockdep_assert_held(&k->user->lock);
	/* The hook takes user->lock before the file's memory can be reused. */
	return atomic_long_inc_not_zero(&file->f_count) ? file : NULL;
}

/**
 * kevent_unpin_file - undo kevent_pin_file(), unless this is the last reference
 * @file: the file; any context
 *
 * Return: whether it was done.  Else __fput_sync() is for the caller, who may have to
 * wait in there: it holds no locks then, nor has it taken on anything else.
 */
bool kevent_unpin_file(struct file *file)
{
	return atomic_long_add_unless(&file->f_count, -1, 1);
}

/**
 * kevent_pin - keep what is watched, of any type, from going away
 * @k: an interest that was not detached; user->lock is held
 * @file: set to what kevent_pin_file() returned, NULL if there is no file
 *
 * Return: false if there is a file, and it is going.
 */
bool kevent_pin(struct kevent *k, struct file **file)
{
	*file = NULL;
	if (kevent_ops(k)->identity != KEVENT_IDENT_FD)
		return true;
	*file = kevent_pin_file(k);
	return *file;
}

/**
 * kevent_remember_file - put an interest on its file's list
 * @k: the interest, not attached yet, whose file is pinned
 */
void kevent_remember_file(struct kevent *k)
{
	struct kevent_file *kf = kevent_to_file(k);

	spin_lock(&kf->file->f_lock);
	hlist_add_head(&kf->node, &kf->file->f_kevent);
	spin_unlock(&kf->file->f_lock);
}

/**
 * kevent_forget_file - take an interest off its file's list
 * @k: the interest, whose file is pinned
 */
void kevent_forget_file(struct kevent *k)
{
	struct kevent_file *kf = kevent_to_file(k);

	spin_lock(&kf->file->f_lock);
	hlist_del(&kf->node);
	spin_unlock(&kf->file->f_lock);
}

/**
 * kevent_release_file - the last reference of a watched file is gone
 * @file: the file, whose ->release was not called yet
 *
 * Called by __fput() with no locks held.  Nobody else can reach the file's list
 * of interests any more, as that takes a reference.
 */
void kevent_release_file(struct file *file)
{
	struct kevent_file *kf;
	struct hlist_node *next;

	hlist_for_each_entry_safe(kf, next, &file->f_kevent, node) {
		struct kevent *k = &kf->k;
		struct kevent_user *user = k->user;
		unsigned long irqflags;

		refcount_inc(&user->refs);
		/* The heads live until ->release, which comes later. */
		kevent_ops(k)->detach(k);
		hlist_del(&kf->node);

		irqflags = kevent_lock(user);
		if (!(k->flags & KEVENT_F_DEAD))
			/* What it had to tell at its end is told with it. */
			kevent_end(k, (__force u32)EPOLLHUP |
				   (k->flags & KEVENT_F_GONE ? k->pending : 0));
		else if (k->list == KEVENT_REAP)
			kevent_list_move(k, KEVENT_NO_LIST);
		kevent_put(k);
		kevent_unlock(user, irqflags);
		kevent_user_put(user);
		cond_resched();
	}
}
