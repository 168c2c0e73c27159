// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source INODE - changes to files and directories, by fsnotify
 *
 * Each interest has a mark of its own, which pins its inode; a queue that watches
 * inodes has a group, and counts as an inotify instance, as both decide what
 * others pay for their files.  Marks outlive interests, and with them the group, as
 * fsnotify may be walking them: what leads from a mark to its interest is cut
 * under mark->lock.
 *
 *   group->mark_mutex    of fsnotify; taken by ADD, MODIFY and whoever takes a
 *                        mark off
 *     mark->lock         held while the interest is told
 *       user->lock
 *
 * A mark goes when its interest is detached, or by fsnotify, when the inode does
 * (C in the banner of kernel/kevent/core.c).  Who takes the pointer out of
 * kevent_inode.mark drops the reference it stands for.
 */

#include <linux/file.h>
#include <linux/fsnotify_backend.h>
#include <linux/kdev_t.h>
#include <linux/namei.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>

#include "../kernel/kevent/kevent.h"
#include "../kernel/kevent/trace.h"

#define KEVENT_INODE_EVENTS	(KEVENT_INODE_MODIFY | KEVENT_INODE_ATTRIB | \
				 KEVENT_INODE_CLOSE | KEVENT_INODE_OPEN | \
				 KEVENT_INODE_MOVE | KEVENT_INODE_CREATE | \
				 KEVENT_INODE_DELETE | KEVENT_INODE_DELETE_SELF | \
				 KEVENT_INODE_MOVE_SELF | KEVENT_INODE_UNMOUNT)

static_assert(KEVENT_INODE_MODIFY == FS_MODIFY);
static_assert(KEVENT_INODE_ATTRIB == FS_ATTRIB);
static_assert(KEVENT_INODE_CLOSE_WRITE == FS_CLOSE_WRITE);
static_assert(KEVENT_INODE_CLOSE_NOWRITE == FS_CLOSE_NOWRITE);
static_assert(KEVENT_INODE_OPEN == FS_OPEN);
static_assert(KEVENT_INODE_MOVED_FROM == FS_MOVED_FROM);
static_assert(KEVENT_INODE_MOVED_TO == FS_MOVED_TO);
static_assert(KEVENT_INODE_CREATE == FS_CREATE);
static_assert(KEVENT_INODE_DELETE == FS_DELETE);
static_assert(KEVENT_INODE_DELETE_SELF == FS_DELETE_SELF);
static_assert(KEVENT_INODE_MOVE_SELF == FS_MOVE_SELF);
static_assert(KEVENT_INODE_UNMOUNT == FS_UNMOUNT);

struct kevent_inode;

/**
 * struct kevent_inode_mark - what fsnotify knows of an interest
 * @mark: in the inode's list
 * @owner: the interest, NULL if it was detached; @mark.lock
 */
struct kevent_inode_mark {
	struct fsnotify_mark	mark;
	struct kevent_inode	*owner;
};

/**
 * struct kevent_inode - an interest of type INODE
 * @k: what all interests have
 * @mark: in the inode, with a reference; NULL if detached
 * @ino: number of the inode concerned by what was not told yet
 * @cookie: of the rename in what was not told yet, 0 for none
 * @allowed: events that ADD asked for
 * @no_ino: that is of several inodes, or of one without a number
 * @no_cookie: that is of several renames
 * @watched_ino: for fdinfo
 * @watched_dev: for fdinfo
 * @charged: as a watch of inotify
 *
 * Fields without a word on it: user->lock.
 */
struct kevent_inode {
	struct kevent		k;
	struct kevent_inode_mark *mark;
	u64			ino;
	u32			cookie;
	u16			allowed;
	bool			no_ino;
	bool			no_cookie;
	u64			watched_ino;
	dev_t			watched_dev;
	bool			charged;
};

static struct kevent_inode *kevent_to_inode(const struct kevent *k)
{
	return container_of(k, struct kevent_inode, k);
}

static struct kevent_inode_mark *kevent_of_mark(struct fsnotify_mark *mark)
{
	return container_of(mark, struct kevent_inode_mark, mark);
}

/* Add a change to those not told yet; user->lock is held. */
static void kevent_inode_note(struct kevent_inode *i, const struct inode *inode,
			      u32 cookie)
{
	u64 ino = inode ? inode->i_ino : 0;

	if (!i->k.pending) {
		i->no_ino = !inode;
		i->no_cookie = false;
		i->ino = ino;
		i->cookie = cookie;
		return;
	}
	i->no_ino |= i->ino != ino;
	i->no_cookie |= cookie && i->cookie && i->cookie != cookie;
	if (cookie)
		i->cookie = cookie;
}

/* Process context, locks of the file system held; the mark has one reference more. */
static int kevent_inode_event(struct fsnotify_mark *mark, u32 mask,
			      struct inode *inode, struct inode *dir,
			      const struct qstr *name, u32 cookie)
{
	struct kevent_inode *i;

	mask &= KEVENT_INODE_EVENTS;
	spin_lock(&mark->lock);
	i = kevent_of_mark(mark)->owner;
	if (i) {
		struct kevent_user *user = i->k.user;
		unsigned long irqflags;

		trace_kevent_wake(&i->k, mask);
		irqflags = kevent_lock(user);
		mask &= i->k.events;
		if (mask) {
			kevent_inode_note(i, inode, cookie);
			trace_kevent_trigger(&i->k, mask);
			kevent_settle(&i->k, mask);
		}
		kevent_unlock(user, irqflags);
	}
	spin_unlock(&mark->lock);
	return 0;
}

/* The mark goes; is it because the inode does? */
static void kevent_inode_freeing(struct fsnotify_mark *mark,
				 struct fsnotify_group *group)
{
	struct kevent_user *user = NULL;
	struct kevent_inode *i;
	bool ended = false;

	spin_lock(&mark->lock);
	i = kevent_of_mark(mark)->owner;
	if (i) {
		unsigned long irqflags;

		user = i->k.user;
		refcount_inc(&user->refs);
		irqflags = kevent_lock(user);
		ended = kevent_source_gone(&i->k);
		if (ended) {
			kevent_of_mark(mark)->owner = NULL;
			i->mark = NULL;
			kevent_put(&i->k);
		}
		kevent_unlock(user, irqflags);
	}
	spin_unlock(&mark->lock);
	if (ended)
		fsnotify_put_mark(mark);	/* the caller has another one */
	if (user)
		kevent_user_put(user);
}

static void kevent_inode_free_mark(struct fsnotify_mark *mark)
{
	kfree(kevent_of_mark(mark));
}

static const struct fsnotify_ops kevent_inode_fsnotify_ops = {
	.handle_inode_event	= kevent_inode_event,
	.freeing_mark		= kevent_inode_freeing,
	.free_mark		= kevent_inode_free_mark,
};

static int kevent_inode_check(const struct kevent_change *change)
{
	const __aligned_u64 *param = change->param;
	u32 lookup = change->op == KEVENT_OP_ADD ?
		     KEVENT_INODE_NOFOLLOW | KEVENT_INODE_ONLYDIR : 0;

	if (param[KEVENT_INODE_LOOKUP] & ~(u64)lookup || param[1] || param[2] ||
	    param[3])
		return -EINVAL;
	if (change->op != KEVENT_OP_ADD)
		return change->addr ? -EINVAL : 0;
	/* A descriptor has been followed already. */
	return !change->addr && param[KEVENT_INODE_LOOKUP] & KEVENT_INODE_NOFOLLOW ?
	       -EINVAL : 0;
}

static int kevent_inode_find(const struct kevent_change *change,
			     struct path *path)
{
	unsigned int lookup = change->param[KEVENT_INODE_LOOKUP];
	unsigned int flags = 0;

	if (change->addr) {
		if ((s64)change->ident != (int)change->ident)
			return -EBADF;
		if (!(lookup & KEVENT_INODE_NOFOLLOW))
			flags |= LOOKUP_FOLLOW;
		if (lookup & KEVENT_INODE_ONLYDIR)
			flags |= LOOKUP_DIRECTORY;
		return user_path_at(change->ident, u64_to_user_ptr(change->addr),
				    flags, path);
	}
	if (change->ident > INT_MAX)
		return -EBADF;
	CLASS(fd_raw, f)(change->ident);
	if (fd_empty(f))
		return -EBADF;
	if (lookup & KEVENT_INODE_ONLYDIR && !d_is_dir(fd_file(f)->f_path.dentry))
		return -ENOTDIR;
	*path = fd_file(f)->f_path;
	path_get(path);
	return 0;
}

/* With the rights that inotify_add_watch(2) asks for. */
static int kevent_inode_look_up(const struct kevent_change *change,
				union kevent_found *found)
{
	struct path *path = &found->inode.path;
	int ret = kevent_inode_find(change, path);

	if (ret)
		return ret;
	ret = path_permission(path, MAY_READ) ?:
	      security_path_notify(path, change->events, FSNOTIFY_OBJ_TYPE_INODE);
	if (ret) {
		path_put(path);
		path->dentry = NULL;
	}
	return ret;
}

static void kevent_inode_forget(union kevent_found *found)
{
	path_put(&found->inode.path);
}

static u32 kevent_inode_mask(const struct kevent *k, bool dir)
{
	return k->events | (dir ? FS_EVENT_ON_CHILD : 0);
}

/* The queue's mutex is held. */
static int kevent_inode_get_group(struct kevent_user *user)
{
	struct fsnotify_group *group;

	if (user->inode_group)
		return 0;
	if (!inc_ucount(user->ucounts->ns, user->ucounts->uid,
			UCOUNT_INOTIFY_INSTANCES))
		return -ENOSPC;
	group = fsnotify_alloc_group(&kevent_inode_fsnotify_ops,
				     FSNOTIFY_GROUP_USER);
	if (IS_ERR(group)) {
		dec_ucount(user->ucounts, UCOUNT_INOTIFY_INSTANCES);
		return PTR_ERR(group);
	}
	user->inode_group = group;
	return 0;
}

/**
 * kevent_inode_put_group - a queue goes, all its interests are detached
 * @user: the queue
 *
 * Marks that fsnotify still walks keep the group.
 */
void kevent_inode_put_group(struct kevent_user *user)
{
	if (!user->inode_group)
		return;
	fsnotify_put_group(user->inode_group);
	dec_ucount(user->ucounts, UCOUNT_INOTIFY_INSTANCES);
}

/*
 * The queue has a mark in @inode: return the id of the interest that it is of.  One
 * that has ended, and whose turn with the reaper has not come, is taken off, 0.
 */
static u64 kevent_inode_twin(struct kevent_user *user, struct inode *inode)
{
	struct fsnotify_mark *mark = fsnotify_find_inode_mark(inode,
							      user->inode_group);
	struct kevent_inode *i;
	bool ours = false, dead = true;
	u64 id = 0;

	if (!mark)
		return 0;
	spin_lock(&mark->lock);
	i = kevent_of_mark(mark)->owner;
	if (i) {
		spin_lock_irq(&user->lock);
		dead = i->k.flags & KEVENT_F_DEAD;
		id = dead ? 0 : i->k.id;
		ours = dead && i->mark;
		if (ours)
			i->mark = NULL;
		spin_unlock_irq(&user->lock);
		if (dead)
			kevent_of_mark(mark)->owner = NULL;
	}
	spin_unlock(&mark->lock);
	if (dead)
		fsnotify_destroy_mark(mark, user->inode_group);
	if (ours)
		fsnotify_put_mark(mark);
	fsnotify_put_mark(mark);
	return id;
}

static s64 kevent_inode_attach(struct kevent *k,
			       const struct kevent_change *change,
			       union kevent_found *found)
{
	struct inode *inode = d_inode(found->inode.path.dentry);
	struct kevent_inode *i = kevent_to_inode(k);
	struct kevent_inode_mark *mark;
	int ret = kevent_inode_get_group(k->user);

	if (ret)
		return ret;
	/* It keeps the inode in memory. */
	i->charged = inc_ucount(k->user->ucounts->ns, k->user->ucounts->uid,
				UCOUNT_INOTIFY_WATCHES);
	if (!i->charged)
		return -ENOSPC;
	mark = kzalloc(sizeof(*mark), KEVENT_GFP);
	if (!mark)
		return -ENOMEM;
	i->allowed = k->events;
	i->watched_ino = inode->i_ino;
	i->watched_dev = inode->i_sb->s_dev;
	fsnotify_init_mark(&mark->mark, k->user->inode_group);
	mark->mark.mask = kevent_inode_mask(k, S_ISDIR(inode->i_mode));
	mark->owner = i;
	i->mark = mark;
	ret = fsnotify_add_inode_mark(&mark->mark, inode, 0);
	if (ret == -EEXIST) {
		found->inode.exists = kevent_inode_twin(k->user, inode);
		if (!found->inode.exists)
			ret = fsnotify_add_inode_mark(&mark->mark, inode, 0);
	}
	return ret;
}

static void kevent_inode_detach(struct kevent *k)
{
	struct kevent_inode *i = kevent_to_inode(k);
	struct kevent_inode_mark *mark;

	spin_lock_irq(&k->user->lock);
	mark = i->mark;
	i->mark = NULL;
	spin_unlock_irq(&k->user->lock);
	if (!mark)
		return;
	spin_lock(&mark->mark.lock);
	mark->owner = NULL;
	spin_unlock(&mark->mark.lock);
	fsnotify_destroy_mark(&mark->mark, mark->mark.group);
	fsnotify_put_mark(&mark->mark);
}

static void kevent_inode_free(struct kevent *k)
{
	/* Not the last reference: the queue has one. */
	if (kevent_to_inode(k)->charged)
		dec_ucount(k->user->ucounts, UCOUNT_INOTIFY_WATCHES);
}

/* Rights were checked for what ADD asked for; the path is no longer known. */
static int kevent_inode_check_modify(const struct kevent *k,
				     const struct kevent_change *change)
{
	return change->events & ~kevent_to_inode(k)->allowed ? -EPERM : 0;
}

static void kevent_inode_modified(struct kevent *k)
{
	struct kevent_inode_mark *mark;

	/* The inode, or the interest, may go meanwhile. */
	spin_lock_irq(&k->user->lock);
	mark = kevent_to_inode(k)->mark;
	if (mark)
		fsnotify_get_mark(&mark->mark);
	spin_unlock_irq(&k->user->lock);
	if (!mark)
		return;
	/* The inode is there as long as the mark is attached, and we keep it so. */
	fsnotify_group_lock(mark->mark.group);
	if (mark->mark.flags & FSNOTIFY_MARK_FLAG_ATTACHED) {
		spin_lock(&mark->mark.lock);
		/* fsnotify() reads it with no lock, and finds the old or the new. */
		data_race(mark->mark.mask =
			  kevent_inode_mask(k, mark->mark.mask & FS_EVENT_ON_CHILD));
		spin_unlock(&mark->mark.lock);
		fsnotify_recalc_mask(mark->mark.connector);
	}
	fsnotify_group_unlock(mark->mark.group);
	fsnotify_put_mark(&mark->mark);
}

static u16 kevent_inode_fill(struct kevent *k, u32 bits, u64 data[2])
{
	struct kevent_inode *i = kevent_to_inode(k);

	if (!i->no_ino)
		data[0] = i->ino;
	/* MODIFY may have taken the rename out of what is told. */
	if (!(bits & KEVENT_INODE_MOVE))
		return i->no_ino ? KEVENT_REC_UNKNOWN : 0;
	if (!i->no_cookie)
		data[1] = i->cookie;
	return i->no_ino || i->no_cookie ? KEVENT_REC_UNKNOWN : 0;
}

static void kevent_inode_show(const struct kevent *k, struct seq_file *m)
{
	const struct kevent_inode *i = kevent_to_inode(k);

	seq_printf(m, " ino: %llu dev: %u:%u", i->watched_ino,
		   MAJOR(i->watched_dev), MINOR(i->watched_dev));
}

const struct kevent_source_ops kevent_inode_ops = {
	.type		= KEVENT_TYPE_INODE,
	.name		= "inode",
	.size		= sizeof(struct kevent_inode),
	.identity	= KEVENT_IDENT_NONE,
	.valid_events	= KEVENT_INODE_EVENTS,
	.always_events	= KEVENT_INODE_UNMOUNT,
	.check		= kevent_inode_check,
	.look_up	= kevent_inode_look_up,
	.forget		= kevent_inode_forget,
	.check_modify	= kevent_inode_check_modify,
	.attach		= kevent_inode_attach,
	.detach		= kevent_inode_detach,
	.free		= kevent_inode_free,
	.modified	= kevent_inode_modified,
	.fill		= kevent_inode_fill,
	.show		= kevent_inode_show,
};
