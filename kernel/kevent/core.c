// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - from a source's wake-up to the ring, and the end of interests
 *
 * The way of an event
 * -------------------
 *
 *   source wakes        kevent_poll_wake()         poll.c    source's locks held
 *    kevent triggers     kevent_trigger()          trigger.h takes user->lock
 *     queue publishes     kevent_deliver()         here, or in kevent_trigger()
 *                          kevent_publish()        if nothing stands in the way
 *      ring holds           kevent_ring_push()     ring.h    one store-release
 *       sleepers wake        kevent_notify()       here
 *   user consumes       ukevent_take()             tools/lib/kevent/ukevent.h
 *
 * Nothing on this way sleeps, allocates, touches user memory other than the
 * ring, or calls a source.
 *
 * Locks, outer to inner
 * ---------------------
 *
 *   user->copy_mutex   kevent_get_events() callers, held over copying to users;
 *                      nothing else ever waits for it
 *   user->mutex        kevent_ctl(): one change at a time; held over ->poll of
 *                      ADD, MODIFY, ENABLE; never over user memory; the wait
 *                      calls, the close hook and the queue's own ->poll do not
 *                      take it
 *     locks of ->poll  (epoll sets, FUSE, drivers), among them wait queue heads
 *     file->f_lock     the file's list of interests
 *       head->lock     of a source's wait queue, held by whoever wakes it
 *         user->lock   everything else; irq-safe, a leaf but for the scheduler's
 *                      locks when a sleeper is woken
 *
 * file->f_lock and head->lock are not taken inside each other.  The pollers of
 * a queue's own descriptor are woken from irq_work, with none of these held.
 *
 * States
 * ------
 *
 * An interest is on at most one list, under user->lock:
 *
 *   none      armed, or disabled, or its query is running
 *   BACKLOG   triggered, the ring was full or others waited before it
 *   DEFERRED  waits for itself: QUERY says for a query in process context,
 *             pending bits for its own records to be consumed
 *   RECHECK   level and published; in the order of publication, so that the
 *             consumed ones stand in front
 *   REAP      one-shot that has ended, to be detached in process context
 *
 *   trigger:  none, RECHECK -> publication, BACKLOG or DEFERRED
 *   publication: level -> RECHECK (DEFERRED if a query is due), edge -> none,
 *             one-shot -> REAP, dispatch -> none and DISABLED
 *   kevent_wait(): BACKLOG -> publication, DEFERRED -> query or publication,
 *             RECHECK -> query
 *
 * PENDING in the ring is set while BACKLOG or DEFERRED is not empty.
 *
 * End of an interest
 * ------------------
 *
 * Whoever sets KEVENT_F_DEAD under user->lock has ended it: kevent_end() by
 * (A) REMOVE, (B) close of the queue, (C) the close hook of the file; or (D) the
 * publication of a one-shot.  From then on nothing is published but LAST.
 *
 * Detaching is a second step, done once, by who owns the attachment:
 *
 *   - A, B and the reaper of D pin the file first (kevent_pin(), while
 *     user->lock is held and the interest is known to be on the file's list,
 *     so that the memory is still a file).  A pinned file keeps C away.  A and
 *     B exclude each other, as A holds the queue's file; A and the reaper of D
 *     as A only detaches what it ended itself, and D what is on REAP.
 *   - If the file cannot be pinned, its last reference is gone, and C will find
 *     the interest on the file's list and detach it, dead or not.
 *
 * C is exclusive: nobody else has the file.  It unhooks first, so that no wake
 * function runs any more, then ends the interest under user->lock.  It waits
 * for no mutex.
 *
 * Who keeps what allocated: a struct kevent lives while refs is not 0: one for
 * the attachment (dropped after detach), one for each query and change that
 * runs, one for a last record that is to come.  Each struct kevent keeps its
 * kevent_user.  refs reaches 0 under user->lock only, in any context.
 *
 * With DISPATCH and WANT_LAST the last record waits for the acknowledgment of
 * the previous one: the dead interest stays in the tree, HELD, where ENABLE by
 * id finds it.
 */

#include <linux/file.h>
#include <linux/kevent.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "kevent.h"
#include "ring.h"
#include "trigger.h"

/**
 * kevent_list_move - put an interest on a list, or on none
 * @k: the interest; user->lock is held
 * @list: where to
 */
void kevent_list_move(struct kevent *k, enum kevent_list list)
{
	struct kevent_user *user = k->user;

	lockdep_assert_held(&user->lock);
	if (k->list != KEVENT_NO_LIST) {
		list_del(&k->link);
		user->nr_listed[k->list]--;
		k->flags &= ~KEVENT_F_LISTED;
	}
	k->list = list;
	if (list != KEVENT_NO_LIST) {
		list_add_tail(&k->link, &user->lists[list]);
		user->nr_listed[list]++;
		k->flags |= KEVENT_F_LISTED;
	}
	if (user->attention & KEVENT_A_PENDING &&
	    !user->nr_listed[KEVENT_BACKLOG] && !user->nr_listed[KEVENT_DEFERRED])
		kevent_ring_clear_pending(user);
}

static void kevent_free(struct kevent *k)
{
	struct kevent_user *user = k->user;

	user->nr_kevents--;
	kevent_uncharge(user);
	kevent_ops(k)->free(k);
	kmem_cache_free(kevent_cache, k);
	/* Never the last: the caller has one through its file, or the hook. */
	refcount_dec(&user->refs);
}

/**
 * kevent_put - drop a reference
 * @k: the interest; user->lock is held, and stays so
 */
void kevent_put(struct kevent *k)
{
	lockdep_assert_held(&k->user->lock);
	if (!--k->refs)
		kevent_free(k);
}

static inline void kevent_tree_erase(struct kevent *k)
{
	rb_erase_cached(&k->node, &k->user->tree);
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
	struct rb_node *node = user->tree.rb_root.rb_node;

	lockdep_assert_held(&user->lock);
	while (node) {
		struct kevent *k = rb_entry(node, struct kevent, node);

		if (id == k->id)
			return k;
		node = id > k->id ? node->rb_left : node->rb_right;
	}
	return NULL;
}

/* How many records of its own an interest may have unconsumed, and has. */
static inline unsigned int kevent_max_unread(const struct kevent *k)
{
	return k->flags & KEVENT_EDGE ? 2 : 1;
}

static inline unsigned int kevent_unread(const struct kevent *k)
{
	u64 consumed = k->user->consumed;

	if (k->pos <= consumed)
		return 0;
	return k->gap && k->pos - k->gap > consumed ? 2 : 1;
}

/**
 * kevent_has_room - may an interest have one more record?
 * @k: the interest; user->lock is held, the consumer index was just read
 */
bool kevent_has_room(struct kevent *k)
{
	return kevent_unread(k) < kevent_max_unread(k);
}

/*
 * What becomes of an interest other than an edge one when a record of it was
 * published.  May free it.
 */
static void kevent_published(struct kevent *k)
{
	if (k->flags & KEVENT_F_LAST_DUE) {
		kevent_list_move(k, KEVENT_NO_LIST);
		kevent_put(k);
	} else if (k->flags & KEVENT_ONESHOT) {
		k->flags |= KEVENT_F_DEAD;
		k->flags &= ~KEVENT_F_QUERY;
		kevent_tree_erase(k);
		kevent_list_move(k, KEVENT_REAP);
		WRITE_ONCE(k->user->reap_due, true);
	} else if (k->flags & KEVENT_DISPATCH) {
		k->flags |= KEVENT_F_DISABLED;
		k->flags &= ~KEVENT_F_QUERY;
		if (k->flags & KEVENT_WANT_LAST)
			k->flags |= KEVENT_F_HELD;
		kevent_list_move(k, KEVENT_NO_LIST);
	} else if (k->flags & KEVENT_F_QUERY) {
		if (k->list != KEVENT_DEFERRED)
			kevent_list_move(k, KEVENT_DEFERRED);
		kevent_ring_set_pending(k->user);
		k->user->need_query = true;
	} else if (!(k->flags & KEVENT_EDGE)) {
		kevent_list_move(k, KEVENT_RECHECK);
	} else if (k->list != KEVENT_NO_LIST) {
		kevent_list_move(k, KEVENT_NO_LIST);
	}
}

/* Write a record of @k, for which the ring and the interest have room. */
static __always_inline void kevent_publish(struct kevent *k, u32 bits)
{
	struct kevent_user *user = k->user;
	u16 record_flags = 0;

	if (unlikely(k->flags & (KEVENT_F_LAST_DUE | KEVENT_ONESHOT)) &&
	    k->flags & KEVENT_WANT_LAST)
		record_flags = KEVENT_REC_LAST;
	k->gap = 0;
	if (k->pos > user->consumed) {
		k->gap = user->produced + 1 - k->pos;
		k->seen[1] = k->seen[0];
	}
	k->seen[0] = bits;
	k->pending = 0;
	k->pos = kevent_ring_push(user, k, bits, record_flags);
	if ((k->flags & (KEVENT_EDGE | KEVENT_F_QUERY | KEVENT_F_LAST_DUE)) !=
	    KEVENT_EDGE || k->list != KEVENT_NO_LIST)
		kevent_published(k);
}

/**
 * kevent_flush_backlog - publish from the backlog, in order
 * @user: the queue, locked
 * @budget: at most that many
 */
void kevent_flush_backlog(struct kevent_user *user, unsigned int budget)
{
	lockdep_assert_held(&user->lock);
	while (budget-- && user->nr_listed[KEVENT_BACKLOG] &&
	       kevent_ring_has_room(user)) {
		struct kevent *k = list_first_entry(&user->lists[KEVENT_BACKLOG],
						    struct kevent, link);

		kevent_publish(k, k->pending);
	}
}

/**
 * kevent_publish_or_queue - publish now, or when the ring has room
 * @k: the interest, which has room itself; user->lock is held
 * @bits: events to publish; 0 for the last record of a dead interest
 */
void kevent_publish_or_queue(struct kevent *k, u32 bits)
{
	struct kevent_user *user = k->user;

	bits |= k->pending;
	if (user->nr_listed[KEVENT_BACKLOG])
		kevent_flush_backlog(user, KEVENT_TRIGGER_BUDGET);
	if (!user->nr_listed[KEVENT_BACKLOG] && kevent_ring_has_room(user)) {
		kevent_publish(k, bits);
		return;
	}
	k->pending = bits;
	kevent_list_move(k, KEVENT_BACKLOG);
	kevent_ring_set_pending(user);
	/* The first one: was room made before the flag could be seen? */
	if (user->nr_listed[KEVENT_BACKLOG] == 1)
		kevent_flush_backlog(user, 1);
}

/*
 * @k has unconsumed records: is a record with @bits to be published?  If not it
 * is left out, as an unread record says the same (S1: the source can be read
 * again, and the consumer index was read after a full barrier that followed the
 * change of the source), or it is kept until its own records are consumed.
 */
static bool kevent_deliver_unread(struct kevent *k, u32 bits)
{
	struct kevent_user *user = k->user;
	unsigned int unread;
	u32 seen;

	kevent_ring_refresh(user);
	unread = kevent_unread(k);
	if (!unread)
		return true;
	seen = k->seen[0];
	if (unread > 1)
		seen |= k->seen[1];
	if (kevent_ops(k)->rereadable && !(bits & ~seen))
		return false;
	if (unread < kevent_max_unread(k))
		return true;
	k->pending |= bits;
	if (k->list != KEVENT_DEFERRED)
		kevent_list_move(k, KEVENT_DEFERRED);
	kevent_ring_set_pending(user);
	/* With the flag set the consumer index was read again. */
	return kevent_has_room(k);
}

/**
 * kevent_deliver - bring verified events of an interest to the ring
 * @k: the interest; user->lock is held
 * @bits: events that hold, not 0
 *
 * May free @k if its caller has no reference.
 */
static void kevent_deliver(struct kevent *k, u32 bits)
{
	lockdep_assert_held(&k->user->lock);
	if (unlikely(k->list == KEVENT_BACKLOG)) {
		k->pending |= bits;
		return;
	}
	if (k->pos > k->user->consumed && !kevent_deliver_unread(k, bits))
		return;
	kevent_publish_or_queue(k, bits);
}

/**
 * kevent_settle - bring what a source said to the ring, if it is still wanted
 * @k: the interest; user->lock is held
 * @bits: what the source said
 *
 * May free @k if its caller has no reference.
 */
void kevent_settle(struct kevent *k, u32 bits)
{
	if (k->flags & (KEVENT_F_DEAD | KEVENT_F_DISABLED))
		return;
	bits &= k->events;
	if (bits)
		kevent_deliver(k, bits);
}

/**
 * kevent_trigger_slow - kevent_trigger() when something stands in the way
 * @k: the interest; user->lock is held, and dropped
 * @bits: events, known to be true
 * @irqflags: from kevent_lock()
 *
 * Return: 1.
 */
int kevent_trigger_slow(struct kevent *k, u32 bits, unsigned long irqflags)
	__releases(k->user->lock)
{
	struct kevent_user *user = k->user;

	/* MODIFY may have come between. */
	bits &= k->events;
	if (k->flags & KEVENT_F_NEW)
		k->pending |= bits;
	else
		kevent_settle(k, bits);
	kevent_unlock(user, irqflags);
	return 1;
}

/**
 * kevent_trigger_query - a source says that something happened, but not what
 * @k: the interest
 *
 * The source is asked in process context, by a sleeper that is woken for it or
 * by the next kevent_wait().  Any context, as kevent_trigger().
 *
 * Return: 1, what a wake function returns that took notice.
 */
int kevent_trigger_query(struct kevent *k)
{
	struct kevent_user *user = k->user;
	unsigned long irqflags = kevent_lock(user);

	if (!(k->flags & (KEVENT_F_DEAD | KEVENT_F_DISABLED))) {
		k->flags |= KEVENT_F_QUERY;
		if (!(k->flags & KEVENT_F_NEW))
			kevent_defer_query(k);
	}
	kevent_unlock(user, irqflags);
	return 1;
}

/**
 * kevent_defer_query - have the source asked by the next wait
 * @k: the interest, %KEVENT_F_QUERY set; user->lock is held
 */
void kevent_defer_query(struct kevent *k)
{
	struct kevent_user *user = k->user;

	/* From the backlog it comes here when it was published. */
	if (k->list != KEVENT_BACKLOG && k->list != KEVENT_DEFERRED)
		kevent_list_move(k, KEVENT_DEFERRED);
	kevent_ring_set_pending(user);
	user->need_query = true;
}

/**
 * kevent_notify - wake who waits for records or for a query
 * @user: the queue, locked
 */
void kevent_notify(struct kevent_user *user)
{
	lockdep_assert_held(&user->lock);
	if (!list_empty(&user->waiters))
		kevent_wake_waiters(user);
	/* Pollers join, and then set SLEEPERS and look under the lock. */
	if (!waitqueue_active(&user->poll_wait)) {
		if (list_empty(&user->waiters))
			user->attention &= ~KEVENT_A_SLEEPERS;
		return;
	}
	/*
	 * Was the ring empty before what was published since the last look?  If
	 * this misses the program's last advance, the program sees the record:
	 * pairs with fence E.
	 */
	smp_mb();
	kevent_ring_refresh(user);
	if (user->consumed >= user->notified &&
	    user->produced != user->consumed)
		user->poll_due = true;
	user->notified = user->produced;
	if (user->poll_due)
		irq_work_queue(&user->poll_work);
	user->poll_due = false;
}

static void kevent_queue_last(struct kevent *k, u32 events)
{
	k->flags |= KEVENT_F_LAST_DUE;
	k->refs++;
	kevent_publish_or_queue(k, events);
}

/**
 * kevent_end - end an interest
 * @k: the interest, not dead yet; user->lock is held, and a reference
 * @events: events of its last record, if that was asked for
 *
 * Unpublished events are discarded.  The caller detaches, if the attachment is
 * its own.
 */
void kevent_end(struct kevent *k, u32 events)
{
	lockdep_assert_held(&k->user->lock);
	k->flags |= KEVENT_F_DEAD;
	k->flags &= ~KEVENT_F_QUERY;
	k->pending = 0;
	if (k->list != KEVENT_NO_LIST)
		kevent_list_move(k, KEVENT_NO_LIST);
	if (k->flags & KEVENT_F_HELD) {
		/* Stays in the tree, for kevent_release_held(). */
		k->pending = events;
		k->refs++;
		return;
	}
	kevent_tree_erase(k);
	if (k->flags & KEVENT_WANT_LAST)
		kevent_queue_last(k, events);
}

/**
 * kevent_release_held - publish the last record that was held back
 * @k: a dead interest that is HELD; user->lock is held
 */
void kevent_release_held(struct kevent *k)
{
	k->flags &= ~KEVENT_F_HELD;
	kevent_tree_erase(k);
	kevent_queue_last(k, 0);	/* its events are pending */
	kevent_put(k);
}

/**
 * kevent_pin - keep the watched file open
 * @k: an interest that was not detached; user->lock is held
 *
 * Return: the file, to be released with __fput_sync() when no lock is held, or
 * NULL if its last reference is gone and the close hook is to come.
 */
struct file *kevent_pin(struct kevent *k)
{
	lockdep_assert_held(&k->user->lock);
	/* The hook takes user->lock before the file's memory can be reused. */
	return atomic_long_inc_not_zero(&k->file->f_count) ? k->file : NULL;
}

/**
 * kevent_detach - take an ended interest off its source
 * @k: the interest, whose attachment the caller owns
 * @file: the watched file, pinned
 *
 * Process context, no locks but the queue's mutex.  May free @k.
 */
void kevent_detach(struct kevent *k, struct file *file)
{
	struct kevent_user *user = k->user;

	kevent_ops(k)->detach(k);
	spin_lock(&file->f_lock);
	hlist_del(&k->file_node);
	spin_unlock(&file->f_lock);

	spin_lock_irq(&user->lock);
	kevent_put(k);
	spin_unlock_irq(&user->lock);
}

/**
 * kevent_reap - detach one-shots that have ended
 * @user: the queue
 *
 * Process context, no locks.
 */
void kevent_reap(struct kevent_user *user)
{
	struct kevent *k;
	struct file *file;

	if (likely(!READ_ONCE(user->reap_due)))
		return;
	for (;;) {
		spin_lock_irq(&user->lock);
		k = list_first_entry_or_null(&user->lists[KEVENT_REAP],
					     struct kevent, link);
		if (!k)
			break;
		kevent_list_move(k, KEVENT_NO_LIST);
		file = kevent_pin(k);
		spin_unlock_irq(&user->lock);
		if (file) {
			kevent_detach(k, file);
			__fput_sync(file);
		}
		cond_resched();
	}
	WRITE_ONCE(user->reap_due, false);
	spin_unlock_irq(&user->lock);
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
	struct hlist_node *next;
	struct kevent *k;

	hlist_for_each_entry_safe(k, next, &file->f_kevent, file_node) {
		struct kevent_user *user = k->user;
		unsigned long irqflags;

		refcount_inc(&user->refs);
		/* The heads live until ->release, which comes later. */
		kevent_ops(k)->detach(k);
		hlist_del(&k->file_node);

		irqflags = kevent_lock(user);
		if (!(k->flags & KEVENT_F_DEAD))
			kevent_end(k, (__force u32)EPOLLHUP);
		else if (k->list == KEVENT_REAP)
			kevent_list_move(k, KEVENT_NO_LIST);
		kevent_put(k);
		kevent_unlock(user, irqflags);
		kevent_user_put(user);
		cond_resched();
	}
}
