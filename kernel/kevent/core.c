// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - from a source's wake-up to the ring, and the end of interests
 *
 * The way of an event
 * -------------------
 *
 *   source wakes        kevent_poll_wake()         poll.c, kevent_sock.c,
 *                       kevent_clock_expired()     timer.c ... source's locks held
 *    kevent triggers     kevent_trigger()          trigger.h takes user->lock
 *     queue publishes     kevent_deliver()         here, or in kevent_trigger()
 *                          kevent_publish()        if nothing stands in the way
 *      ring holds           kevent_ring_push()     ring.h    one store-release
 *       sleepers wake        kevent_notify_unlock() here
 *   user consumes       ukevent_take()             tools/lib/kevent/ukevent.h
 *
 * Each hop has a tracepoint named by its verb, see trace.h.
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
 *                      ADD, MODIFY, ENABLE, and of what REMOVE and DISABLE pass on;
 *                      never over user memory; TRIGGER, the wait calls, the close
 *                      hook and the queue's own ->poll do not take it
 *     locks of ->poll  (epoll sets, FUSE, drivers), among them wait queue heads
 *     file->f_lock     the file's list of interests
 *     head->lock       of a source's wait queue, held by whoever wakes it
 *       user->lock     everything else; irq-safe, a leaf but for the scheduler's
 *                      locks when a sleeper is woken, and those of hrtimers
 *
 * What fdinfo counts is written under user->lock, but for the calls of kevent_ctl(),
 * under user->mutex, for which fdinfo does not wait.
 *
 * file->f_lock is a leaf; no other of these is taken inside it.  The pollers of
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
 *   trigger:  none, RECHECK -> publication, BACKLOG or DEFERRED (a one-shot that
 *             is UNSURE, for a query); what a counting source says while it is
 *             disabled stays pending
 *   publication: level -> RECHECK (DEFERRED if a query is due), edge -> none,
 *             one-shot -> REAP, dispatch -> none and DISABLED
 *   kevent_wait(): BACKLOG -> publication, DEFERRED -> query or publication,
 *             RECHECK -> query
 *
 * PENDING in the ring is set while BACKLOG or DEFERRED is not empty, after a
 * kevent_wait() that has left out some of RECHECK, and after a callback of timers
 * that has left some over, see timer.c.
 *
 * End of an interest
 * ------------------
 *
 * Whoever sets KEVENT_F_DEAD under user->lock has ended it: kevent_end() by
 * (A) REMOVE, (B) close of the queue, (C) the source, as the close hook of the
 * file or the death of an inode; or (D) the publication of a one-shot.  From then
 * on nothing is published but LAST.
 *
 * Detaching is a second step, done once, by who owns the attachment: A, B and the
 * reaper of D what they ended, C what it ended or, if that is a file, what they
 * leave to it.  What a counting source that goes has told is not lost: the
 * interest, GONE, becomes a one-shot and ends when that is published.  With files:
 *
 *   - A, B and the reaper of D pin the file first (kevent_pin(), while
 *     user->lock is held and the interest is known to be on the file's list,
 *     so that the memory is still a file).  A pinned file keeps C away.  A and
 *     B exclude each other, as A holds the queue's file; A and the reaper of D
 *     as A only detaches what it ended itself, and D what is on REAP.
 *   - If the file cannot be pinned, its last reference is gone, and C will find
 *     the interest on the file's list and detach it, dead or not.
 *
 * A query that does something, rather than to ask (SENDFILE), must not run while the
 * interest ends, or what its last record says would not be true: A and DISABLE wait for
 * it first (@stop), B and C find none, as a query pins the file of both.
 *
 * C is exclusive: nobody else has the file.  It unhooks first, so that no wake
 * function runs any more, then ends the interest under user->lock.  It waits
 * for no mutex.
 *
 * Who keeps what allocated: a struct kevent lives while refs is not 0: one for
 * the attachment (dropped after detach), one for each query that runs, and each
 * change that drops user->lock before it is done, one for a last record that is to
 * come.  REMOVE has that of the attachment.  Each struct kevent keeps its
 * kevent_user.  refs reaches 0 under user->lock only, in any context.
 *
 * With HOLD_LAST the last record waits for the acknowledgment of the previous one:
 * the dead interest keeps its id, HELD, where what arms it by id, or REMOVE
 * with ACK, finds it.
 *
 * An exclusive interest that ends or is disabled while records of it are unread
 * wakes the source again, so that another queue hears of it: after it can no
 * longer take the wake-up itself, before it is detached, with no lock held and
 * the file pinned.  C does not: the others are told of the close anyway.  The
 * reaper leaves an exclusive one-shot attached until its record is consumed, and
 * charged.
 */

#include <linux/file.h>
#include <linux/sched.h>

#include "kevent.h"
#include "ring.h"
#include "table.h"
#include "trigger.h"

/* Is what is on @list to be published, or asked for, by the next wait? */
static inline bool kevent_is_held_back(enum kevent_list list)
{
	return list == KEVENT_BACKLOG || list == KEVENT_DEFERRED || list == KEVENT_STEPS;
}

/* Where an interest waits for its query. */
static inline enum kevent_list kevent_query_list(const struct kevent *k)
{
	return unlikely(kevent_ops(k)->steps) ? KEVENT_STEPS : KEVENT_DEFERRED;
}

/* Nobody is on @list any more: is that to be told? */
static void kevent_list_emptied(struct kevent_user *user, enum kevent_list list)
{
	if (user->attention & KEVENT_A_LEFT && list == KEVENT_RECHECK)
		kevent_ring_set_left(user, false);
	if (user->attention & KEVENT_A_PENDING &&
	    !(user->nr_listed[KEVENT_BACKLOG] | user->nr_listed[KEVENT_DEFERRED] |
	      user->nr_listed[KEVENT_ROOM] | user->nr_listed[KEVENT_SHARE] |
	      user->nr_listed[KEVENT_STEPS]))
		kevent_ring_clear_pending(user);
}

/* @k leaves a list of those that carry bytes, for @list. */
static noinline void kevent_leave_data_list(struct kevent *k, enum kevent_list list)
{
	/* Its turn is the next one's. */
	if (k->list == KEVENT_ROOM && k->user->nr_listed[KEVENT_ROOM])
		k->user->need_query = true;
	/* What it owes is for a query as well. */
	if (k->list == KEVENT_OWES && kevent_is_held_back(list))
		k->flags |= KEVENT_F_QUERY;
}

/**
 * kevent_list_move - put an interest on a list, or on none
 * @k: the interest; user->lock is held
 * @list: where to
 */
void kevent_list_move(struct kevent *k, enum kevent_list list)
{
	struct kevent_user *user = k->user;
	enum kevent_list left = k->list;
	bool emptied = false;

	lockdep_assert_held(&user->lock);
	if (left != KEVENT_NO_LIST) {
		__list_del_entry(&k->link);
		emptied = !--user->nr_listed[left];
		if (unlikely(left >= KEVENT_ROOM))
			kevent_leave_data_list(k, list);
	}
	k->list = list;
	if (list != KEVENT_NO_LIST) {
		list_add_tail(&k->link, &user->lists[list]);
		/* PENDING may be set for those that nobody who polls waits for. */
		if (!user->nr_listed[list]++ && kevent_is_held_back(list))
			user->poll_due = true;
		k->flags |= KEVENT_F_LISTED;
	} else {
		k->flags &= ~KEVENT_F_LISTED;
	}
	if (emptied)
		kevent_list_emptied(user, left);
}

static void kevent_free(struct kevent *k)
{
	struct kevent_user *user = k->user;

	user->nr_kevents--;
	kevent_uncharge(user);
	if (kevent_ops(k)->free)
		kevent_ops(k)->free(k);
	kevent_free_memory(k, user->batch);
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

/* How many records of its own an interest may have unconsumed. */
static inline unsigned int kevent_max_unread(const struct kevent *k)
{
	return k->flags & KEVENT_EDGE ? 2 : 1;
}

/* And how many it has. */
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
 *
 * Return: whether it may.
 */
bool kevent_has_room(struct kevent *k)
{
	return kevent_unread(k) < kevent_max_unread(k);
}

/**
 * kevent_to_pass_on - what an exclusive interest was told, and nobody consumed
 * @k: the interest; user->lock is held
 *
 * Return: events of its unread records, and of what waits to be published; 0 for
 * none, if they were passed on already, and if it is not exclusive.
 */
u32 kevent_to_pass_on(struct kevent *k)
{
	unsigned int unread;
	u32 bits = k->pending;

	if (!(k->flags & KEVENT_EXCLUSIVE))
		return 0;
	kevent_ring_refresh(k->user);
	unread = kevent_unread(k);
	if (unread)
		bits |= k->seen[0];
	if (unread > 1)
		bits |= k->seen[1];
	return bits;
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
		kevent_table_end(k);
		kevent_table_erase(k);
		kevent_list_move(k, KEVENT_REAP);
	} else if (k->flags & KEVENT_DISPATCH) {
		k->flags &= ~KEVENT_F_QUERY;
		kevent_await_ack(k);
		kevent_list_move(k, KEVENT_NO_LIST);
	} else if (k->flags & KEVENT_F_QUERY) {
		if (k->list != KEVENT_DEFERRED && k->list != KEVENT_ROOM &&
		    k->list != KEVENT_SHARE && k->list != KEVENT_STEPS)
			kevent_list_move(k, kevent_query_list(k));
		kevent_ring_set_pending(k->user);
		k->user->need_query = true;
	} else if (!(k->flags & KEVENT_EDGE)) {
		kevent_list_move(k, KEVENT_RECHECK);
	} else if (k->list != KEVENT_NO_LIST && k->list != KEVENT_OWES &&
		   k->list != KEVENT_ROOM) {
		kevent_list_move(k, KEVENT_NO_LIST);
	}
}

/* What the record has beyond its events: flags and data words. */
static u16 kevent_fill_record(struct kevent *k, u32 bits, u64 data[2])
{
	u16 flags = 0;

	if (k->flags & (KEVENT_F_LAST_DUE | KEVENT_ONESHOT) &&
	    k->flags & KEVENT_WANT_LAST)
		flags = KEVENT_REC_LAST;
	/* The source of a dead interest may be gone. */
	if (k->flags & KEVENT_F_DATA &&
	    (!(k->flags & KEVENT_F_DEAD) || kevent_ops(k)->fills_dead))
		flags |= kevent_ops(k)->fill(k, bits, data);
	return flags;
}

/* Write a record of @k, for which the ring and the interest have room. */
static __always_inline void kevent_publish(struct kevent *k, u32 bits)
{
	static const u64 no_data[2];
	struct kevent_user *user = k->user;

	trace_kevent_publish(k, bits);
	k->gap = 0;
	if (k->pos > user->consumed) {
		k->gap = user->produced + 1 - k->pos;
		k->seen[1] = k->seen[0];
	}
	k->seen[0] = bits;
	k->pending = 0;
	if (unlikely(k->flags & (KEVENT_F_LAST_DUE | KEVENT_ONESHOT |
				 KEVENT_F_DATA))) {
		u64 data[2] = {};
		u16 record_flags = kevent_fill_record(k, bits, data);

		k->pos = kevent_ring_push(user, k, bits, record_flags, data);
	} else {
		k->pos = kevent_ring_push(user, k, bits, 0, no_data);
	}
	if ((k->flags & (KEVENT_EDGE | KEVENT_F_QUERY | KEVENT_F_LAST_DUE)) !=
	    KEVENT_EDGE || k->list != KEVENT_NO_LIST)
		kevent_published(k);
}

/**
 * kevent_publish_bytes - publish a record of bytes, for which the ring has room
 * @k: the interest, neither disabled nor dead, or BUSY; user->lock is held
 * @data0: data words of the record
 * @data1: the second
 *
 * It does not count among the interest's own unread records: what bounds those with
 * bytes is their memory, and none is ever left out.
 */
void kevent_publish_bytes(struct kevent *k, u64 data0, u64 data1)
{
	const u64 data[2] = { data0, data1 };
	u16 record_flags = 0;

	lockdep_assert_held(&k->user->lock);
	if ((k->flags & (KEVENT_ONESHOT | KEVENT_WANT_LAST)) ==
	    (KEVENT_ONESHOT | KEVENT_WANT_LAST))
		record_flags = KEVENT_REC_LAST;
	trace_kevent_publish(k, KEVENT_STREAM_RECV);
	kevent_ring_push(k->user, k, KEVENT_STREAM_RECV, record_flags, data);
	if (unlikely(k->flags & (KEVENT_ONESHOT | KEVENT_DISPATCH)) &&
	    !(k->flags & KEVENT_F_DEAD))
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
	user->held_back++;
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
	if (kevent_ops(k)->rereadable && !(bits & ~seen)) {
		user->left_out++;
		return false;
	}
	if (unread < kevent_max_unread(k))
		return true;
	k->pending |= bits;
	if (k->list != KEVENT_DEFERRED && k->list != KEVENT_STEPS) {
		user->held_back++;
		kevent_list_move(k, KEVENT_DEFERRED);
	}
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
		kevent_flush_backlog(k->user, KEVENT_TRIGGER_BUDGET);
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
	/* MODIFY may have come between. */
	bits &= k->events;
	if (!bits || k->flags & KEVENT_F_DEAD)
		return;
	if (!(k->flags & (KEVENT_F_BUSY | KEVENT_F_DISABLED)))
		kevent_deliver(k, bits);
	else if (k->flags & KEVENT_F_BUSY || !kevent_ops(k)->rereadable)
		k->pending |= bits;
}

/**
 * kevent_release_busy - attach, or a read, is over: let out what was said meanwhile
 * @k: the interest, BUSY; user->lock is held
 * @bits: events that hold
 *
 * May free @k if its caller has no reference.
 */
void kevent_release_busy(struct kevent *k, u32 bits)
{
	bits |= k->pending;
	k->pending = 0;
	k->flags &= ~KEVENT_F_BUSY;
	if (k->flags & (KEVENT_F_DISABLED | KEVENT_F_DEAD))
		k->flags &= ~KEVENT_F_QUERY;
	kevent_settle(k, bits);
	if (k->flags & KEVENT_F_QUERY)
		kevent_defer_query(k);
}

/* Have the source asked; user->lock is held. */
static void kevent_ask(struct kevent *k)
{
	if (k->flags & (KEVENT_F_DEAD | KEVENT_F_DISABLED))
		return;
	k->flags |= KEVENT_F_QUERY;
	if (!(k->flags & KEVENT_F_BUSY))
		kevent_defer_query(k);
}

/*
 * A one-shot is not to end by what may be untrue.  An exclusive one does: the
 * others would have to be asked as well.
 */
static bool kevent_asks_first(const struct kevent *k)
{
	return (k->flags & (KEVENT_ONESHOT | KEVENT_EXCLUSIVE | KEVENT_F_UNSURE)) ==
	       (KEVENT_ONESHOT | KEVENT_F_UNSURE);
}

/**
 * kevent_trigger_slow - kevent_trigger() when something stands in the way
 * @k: the interest; user->lock is held, and dropped
 * @bits: events, known to be true
 * @irqflags: from kevent_lock()
 * @wake_flags: of the source's wake-up
 *
 * Return: whether somebody who waits for records was woken, and told.
 */
bool kevent_trigger_slow(struct kevent *k, u32 bits, unsigned long irqflags,
			 int wake_flags)
	__releases(k->user->lock)
{
	struct kevent_user *user = k->user;
	u64 produced = user->produced;

	if (kevent_asks_first(k))
		kevent_ask(k);
	else
		kevent_settle(k, bits);
	/* Who was woken by what lay here before has not been told of this. */
	produced = user->produced - produced;
	return kevent_unlock_wake(user, irqflags, wake_flags) && produced;
}

/**
 * kevent_trigger_query - a source says that something happened, but not what
 * @k: the interest
 * @wake_flags: of the source's wake-up
 *
 * The source is asked in process context, by a sleeper that is woken for it or
 * by the next kevent_wait().  Any context, as kevent_trigger().
 */
void kevent_trigger_query(struct kevent *k, int wake_flags)
{
	struct kevent_user *user = k->user;
	unsigned long irqflags = kevent_lock(user);

	trace_kevent_trigger(k, 0);
	kevent_ask(k);
	kevent_unlock_wake(user, irqflags, wake_flags);
}

/**
 * kevent_defer_query - have the source asked by the next wait
 * @k: the interest, %KEVENT_F_QUERY set; user->lock is held
 */
void kevent_defer_query(struct kevent *k)
{
	struct kevent_user *user = k->user;

	/* From the backlog it comes here when it was published. */
	if (k->list != KEVENT_BACKLOG && k->list != kevent_query_list(k) &&
	    k->list != KEVENT_ROOM)
		kevent_list_move(k, kevent_query_list(k));
	kevent_ring_set_pending(user);
	user->need_query = true;
}

/**
 * kevent_notify - wake who waits for records or for a query
 * @user: the queue, locked
 * @wake_flags: of the source's wake-up, 0 without one
 *
 * Return: whether somebody who waits for records was woken.
 */
bool kevent_notify(struct kevent_user *user, int wake_flags)
{
	bool woke = false;

	if (!list_empty(&user->waiters))
		woke = kevent_wake_waiters(user, wake_flags);
	/* Pollers join, and then set SLEEPERS and look under the lock. */
	if (!waitqueue_active(&user->poll_wait)) {
		if (list_empty(&user->waiters))
			user->attention &= ~KEVENT_A_SLEEPERS;
		return woke;
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
	return woke;
}

/**
 * kevent_notify_unlock - kevent_unlock_wake() where somebody may wait
 * @user: the queue
 * @irqflags: from kevent_lock()
 * @wake_flags: of the source's wake-up
 *
 * Return: whether somebody who waits for records was woken.
 */
bool kevent_notify_unlock(struct kevent_user *user, unsigned long irqflags,
			  int wake_flags)
	__releases(user->lock)
{
	bool woke = kevent_notify(user, wake_flags);

	spin_unlock_irqrestore(&user->lock, irqflags);
	return woke;
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
	kevent_table_end(k);
	if (k->flags & KEVENT_F_HELD) {
		/* Keeps its id, for kevent_release_held(). */
		k->pending = events;
		k->refs++;
		return;
	}
	kevent_table_erase(k);
	if (k->flags & KEVENT_WANT_LAST)
		kevent_queue_last(k, events);
}

/**
 * kevent_source_gone - a counting source will never tell anything again
 * @k: the interest; user->lock is held
 *
 * What it has told is published before the interest ends.
 *
 * Return: whether the interest has ended by this; then the caller, who has taken
 * it off its source, drops the reference of the attachment.
 */
bool kevent_source_gone(struct kevent *k)
{
	lockdep_assert_held(&k->user->lock);
	if (k->flags & (KEVENT_F_DEAD | KEVENT_F_GONE))
		return false;
	if (k->pending) {
		k->flags &= ~KEVENT_MODES;
		k->flags |= KEVENT_ONESHOT | KEVENT_F_GONE;
		return false;
	}
	kevent_end(k, 0);
	return true;
}

/**
 * kevent_release_held - publish the last record that was held back
 * @k: a dead interest that is HELD; user->lock is held
 */
void kevent_release_held(struct kevent *k)
{
	k->flags &= ~KEVENT_F_HELD;
	kevent_table_erase(k);
	kevent_queue_last(k, 0);	/* its events are pending */
	kevent_put(k);
}

/**
 * kevent_detach - take an ended interest off its source
 * @k: the interest, whose attachment the caller owns, its file pinned
 *
 * Process context, no locks but the queue's mutex.  May free @k.
 */
void kevent_detach(struct kevent *k)
{
	struct kevent_user *user = k->user;

	kevent_ops(k)->detach(k);
	if (kevent_ops(k)->identity == KEVENT_IDENT_FD)
		kevent_forget_file(k);
	spin_lock_irq(&user->lock);
	kevent_put(k);
	spin_unlock_irq(&user->lock);
}

/**
 * kevent_reap_listed - kevent_reap() where there are some
 * @user: the queue
 * @closing: it has no file any more, and what it did not consume is passed on
 *
 * Process context, no locks.
 */
void kevent_reap_listed(struct kevent_user *user, bool closing)
{
	struct kevent *k;
	struct file *file;
	u32 pass_on;

	spin_lock_irq(&user->lock);
	while ((k = list_first_entry_or_null(&user->lists[KEVENT_REAP],
					     struct kevent, link))) {
		pass_on = kevent_to_pass_on(k);
		/*
		 * Should the queue close, what this one told would be told to
		 * nobody.  In the order of publication: the rest is unread too.
		 */
		if (pass_on && !closing)
			break;
		kevent_list_move(k, KEVENT_NO_LIST);
		if (!kevent_pin(k, &file))
			continue;	/* the close hook will detach it */
		spin_unlock_irq(&user->lock);
		if (pass_on)
			kevent_hook_pass_on(k, pass_on);
		kevent_detach(k);
		if (file)
			__fput_sync(file);
		cond_resched();
		spin_lock_irq(&user->lock);
	}
	spin_unlock_irq(&user->lock);
}
