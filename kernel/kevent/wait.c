// SPDX-License-Identifier: GPL-2.0
/*
 * kevent - publishing what was held back, and sleeping
 *
 * A wait first collects: backlog, deferred, queries, re-checks.  Then, if there
 * are not enough records, it sleeps on user->waiters.  A waiter is woken when
 * there are as many records as it wants beyond those that were promised to
 * waiters woken before, or, one of them, for a query; it collects and, if there
 * is still not enough, sleeps on.  One that leaves for another reason after it
 * was chosen passes that on.
 *
 * min_nr bounds the sleep, a budget the walk over level interests: a wait looks
 * at that many, and at more while there is less than it would sleep for.  What it
 * left out sets PENDING.  Who consumed a record of a level interest that holds on
 * and does not come back has another sleeper look: kevent_get_events() by itself,
 * the consumers of a ring by another kevent_wait().
 */

#include <linux/file.h>
#include <linux/sched/signal.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>

#include "area.h"
#include "kevent.h"
#include "ring.h"
#include "trigger.h"

/**
 * struct kevent_waiter - a sleeper
 * @wait: on user->waiters, its entry empty when it was chosen; names the thread
 * @want: records to be woken for
 * @promised: records it was woken for
 * @query: it was woken for a query
 */
struct kevent_waiter {
	wait_queue_entry_t	wait;
	u32			want;
	u32			promised;
	bool			query;
};

static void kevent_choose(struct kevent_waiter *waiter, int wake_flags)
{
	list_del_init(&waiter->wait.entry);
	/* It takes the lock before its stack frame goes away. */
	default_wake_function(&waiter->wait, TASK_NORMAL, wake_flags, NULL);
}

/**
 * kevent_wake_waiters - wake those whose minimum is met, and one for a query
 * @user: the queue, locked
 * @wake_flags: of the source's wake-up, for the scheduler
 *
 * Return: whether one was woken for records.
 */
bool kevent_wake_waiters(struct kevent_user *user, int wake_flags)
{
	struct kevent_waiter *waiter, *next;
	bool woke = false;
	u32 unread;

	lockdep_assert_held(&user->lock);
	kevent_ring_refresh(user);
	unread = kevent_ring_unread(user);
	if (user->promised + user->min_want <= unread) {
		user->min_want = U32_MAX;
		list_for_each_entry_safe(waiter, next, &user->waiters,
					 wait.entry) {
			if (user->promised + waiter->want > unread) {
				user->min_want = min(user->min_want, waiter->want);
				continue;
			}
			waiter->promised = waiter->want;
			user->promised += waiter->want;
			kevent_choose(waiter, wake_flags);
			woke = true;
		}
	}
	if (!user->need_query || user->query_woken)
		return woke;
	waiter = list_first_entry_or_null(&user->waiters, struct kevent_waiter,
					  wait.entry);
	if (waiter) {
		user->query_woken = true;
		waiter->query = true;
		kevent_choose(waiter, wake_flags);
	}
	return woke;
}

/**
 * struct kevent_walk - how far a collection has got
 * @deferred: deferred interests still to look at
 * @room: those that wait for room in the data area
 * @share: those that have their share of it
 * @tried: the last of them, for comparison only
 * @owes: those of which something is to be acknowledged
 * @recheck: level interests it has not looked at
 * @spare: it looks at so many of them for want of records only
 * @least: how many records those are
 * @flushes: how often the backlog was flushed and not emptied
 * @data: there are some of @room, @share or @owes left
 * @full: the ring was found full
 * @pause: stopped only to let interrupts in
 * @begin: what the queue's steps had cost when it began
 * @steps: likewise of STEPS
 */
struct kevent_walk {
	u32	deferred;
	u32	room;
	u32	share;
	const struct kevent *tried;
	u32	owes;
	u32	recheck;
	u32	spare;
	u32	least;
	u32	flushes;
	bool	data;
	bool	full;
	bool	pause;
	u32	steps;
	u64	begin;
};

/*
 * The next one that waits for the data area, or has to acknowledge; its file pinned,
 * with a reference.  NULL if there is none that could go on, or to let interrupts in.
 */
static noinline struct kevent *kevent_next_data(struct kevent_user *user,
						struct kevent_walk *walk)
{
	unsigned int budget = KEVENT_PUBLISH_BATCH;
	struct kevent *k;

	for (;;) {
		walk->pause = !budget--;
		if (walk->pause)
			return NULL;
		if (walk->room && user->nr_listed[KEVENT_ROOM]) {
			walk->room--;
			k = list_first_entry(&user->lists[KEVENT_ROOM],
					     struct kevent, link);
			/* In order: who does not find enough keeps its place. */
			if (k == walk->tried || !kevent_has_room(k) ||
			    !kevent_ops(k)->has_room(k)) {
				walk->room = 0;
				kevent_area_refused(user);
				continue;
			}
			/* It leaves the list when it has got some. */
			walk->tried = k;
		} else if (walk->share && user->nr_listed[KEVENT_SHARE]) {
			walk->share--;
			k = list_first_entry(&user->lists[KEVENT_SHARE],
					     struct kevent, link);
			if (!kevent_has_room(k) || !kevent_ops(k)->has_room(k)) {
				kevent_list_move(k, KEVENT_SHARE);
				kevent_area_refused(user);
				continue;
			}
			kevent_list_move(k, KEVENT_NO_LIST);
		} else if (walk->owes && user->nr_listed[KEVENT_OWES]) {
			walk->owes--;
			k = list_first_entry(&user->lists[KEVENT_OWES],
					     struct kevent, link);
			kevent_list_move(k, KEVENT_NO_LIST);
		} else {
			return NULL;
		}
		k->flags &= ~KEVENT_F_QUERY;
		if (!kevent_pin_file(k)) {
			if (k->list != KEVENT_NO_LIST)
				kevent_list_move(k, KEVENT_NO_LIST);
			continue;	/* the close hook will end it */
		}
		k->refs++;
		return k;
	}
}

/*
 * Publish what needs no query.  Return the next interest whose source is to be
 * asked, off its list, its file pinned, with a reference; or NULL.
 *
 * If the ring is full some are looked at all the same, and go to the end of the
 * backlog: else those that keep it full would starve the others.
 */
static struct kevent *kevent_next_query(struct kevent_user *user,
					struct kevent_walk *walk)
{
	unsigned int budget = KEVENT_PUBLISH_BATCH;
	struct kevent *k;

	if (user->nr_listed[KEVENT_BACKLOG])
		kevent_flush_backlog(user, budget);
	for (;;) {
		bool room = kevent_ring_has_room(user);

		walk->pause = !budget--;
		if (walk->pause)
			return NULL;
		if (room && user->nr_listed[KEVENT_BACKLOG]) {
			/* A ring's worth; more if others consume meanwhile. */
			walk->pause = walk->flushes++ <=
				      user->mask / KEVENT_PUBLISH_BATCH;
			if (!walk->pause)
				user->need_query = true;
			return NULL;
		}
		if (!room && !walk->full) {
			walk->full = true;
			walk->deferred = min(walk->deferred, KEVENT_FULL_DEFERRED);
			if (walk->recheck > walk->spare + KEVENT_FULL_RECHECK)
				walk->spare = walk->recheck - KEVENT_FULL_RECHECK;
		}
		if (unlikely(walk->data) && room) {
			k = kevent_next_data(user, walk);
			if (k || walk->pause)
				return k;
			walk->data = false;
		}
		if (walk->deferred && user->nr_listed[KEVENT_DEFERRED]) {
			walk->deferred--;
			k = list_first_entry(&user->lists[KEVENT_DEFERRED],
					     struct kevent, link);
			if (!kevent_has_room(k)) {
				kevent_list_move(k, KEVENT_DEFERRED);
				continue;
			}
			if (!(k->flags & KEVENT_F_QUERY)) {
				/* A read that runs lets out what is pending. */
				if (k->flags & KEVENT_F_BUSY)
					kevent_list_move(k, KEVENT_NO_LIST);
				else
					kevent_publish_or_queue(k, 0);
				continue;
			}
			/* One of these has to be told that all is to be asked for. */
			if (k->pending && kevent_ops(k)->query_in_wait)
				kevent_ops(k)->enable(k);
		} else if (unlikely(walk->steps) && user->nr_listed[KEVENT_STEPS]) {
			/* Those that are left come first in the next walk. */
			if (user->stepped - walk->begin >= KEVENT_WALK_SENT) {
				walk->steps = 0;
				user->need_query = true;
				continue;
			}
			walk->steps--;
			k = list_first_entry(&user->lists[KEVENT_STEPS],
					     struct kevent, link);
		} else if (walk->recheck && user->nr_listed[KEVENT_RECHECK]) {
			if (walk->recheck <= walk->spare &&
			    kevent_ring_unread(user) >= walk->least)
				return NULL;
			k = list_first_entry(&user->lists[KEVENT_RECHECK],
					     struct kevent, link);
			/* In the order of publication: the rest is unread. */
			if (k->pos > user->consumed)
				return NULL;
			walk->recheck--;
			kevent_unlist_recheck(k);
		} else {
			return NULL;
		}
		/* The query tells anew what is pending. */
		if (k->list != KEVENT_NO_LIST)
			kevent_list_move(k, KEVENT_NO_LIST);
		k->flags &= ~KEVENT_F_QUERY;
		k->pending = 0;
		if (!kevent_pin_file(k))
			continue;	/* the close hook will end it */
		k->refs++;
		return k;
	}
}

/* A call counts once, however often it collects and sleeps. */
static inline void kevent_count_wait(struct kevent_user *user,
				     struct kevent_wait_spec *spec)
	__must_hold(user->lock)
{
	user->waits += spec->calls;
	spec->calls = 0;
}

/* The walk is over, and has left something out or follows one that has. */
static void kevent_end_walk(struct kevent_user *user,
			    const struct kevent_walk *walk)
	__must_hold(user->lock)
{
	kevent_ring_set_left(user, walk->recheck && kevent_recheck_due(user));
	if (user->attention & KEVENT_A_TIMERS)
		kevent_timer_catch_up(user);
}

/*
 * Publish what was held back and look again at level interests: at as many as the
 * budget, and once at each that was on the list until there are @least records.
 *
 * No lock is held over a query, and files are released with none, before the
 * caller sleeps.
 *
 * Return: the number of unconsumed records.
 */
static u32 kevent_collect(struct kevent_user *user, u32 least,
			  struct kevent_wait_spec *spec)
{
	struct kevent_walk walk = { .least = least };
	struct file *file;
	struct kevent *k;
	u32 unread, bits, looks = 0;

	kevent_reap(user, false);

	kevent_lock_irq(user);
	kevent_count_wait(user, spec);
	kevent_ring_refresh(user);
	walk.deferred = user->nr_listed[KEVENT_DEFERRED];
	walk.recheck = user->nr_listed[KEVENT_RECHECK];
	if (user->data.size) {
		kevent_area_refresh(&user->data);
		user->data.refused = false;
		walk.room = user->nr_listed[KEVENT_ROOM];
		walk.share = user->nr_listed[KEVENT_SHARE];
		walk.owes = user->nr_listed[KEVENT_OWES];
		walk.data = walk.room | walk.share | walk.owes;
	}
	if (unlikely(walk.recheck > spec->budget))
		walk.spare = walk.recheck - spec->budget;
	user->need_query = false;
	user->query_woken = false;
	walk.steps = user->nr_listed[KEVENT_STEPS];
	walk.begin = user->stepped;
	for (;;) {
		k = kevent_next_query(user, &walk);
		if (!k && !walk.pause &&
		    unlikely(walk.recheck || user->attention &
			     (KEVENT_A_LEFT | KEVENT_A_TIMERS)))
			kevent_end_walk(user, &walk);
		unread = kevent_ring_unread(user);
		kevent_unlock_irq(user);
		if (k) {
			file = kevent_to_file(k)->file;
			bits = kevent_ops(k)->query(k);
		} else if (!walk.pause) {
			return unread;
		}
		if (!(++looks % KEVENT_WALK_BATCH))
			cond_resched();
		kevent_lock_irq(user);
		if (k) {
			kevent_settle(k, bits);
			kevent_put(k);
			/* Before the next one is taken: its close may linger. */
			if (unlikely(!kevent_unpin_file(file))) {
				kevent_unlock_irq(user);
				__fput_sync(file);
				kevent_lock_irq(user);
			}
		}
		if (fatal_signal_pending(current)) {
			walk.deferred = 0;
			walk.steps = 0;
			walk.data = false;
			walk.spare = walk.recheck;
			walk.least = 0;
			user->need_query = true;
		}
	}
}

static ktime_t kevent_now(clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
		return ktime_get_real();
	case CLOCK_BOOTTIME:
		return ktime_get_boottime();
	case CLOCK_TAI:
		return ktime_get_clocktai();
	default:
		return ktime_get();
	}
}

/* Is there nothing to publish, ask or detach? */
static bool kevent_is_idle(const struct kevent_user *user)
{
	/* Without user->lock a hint: kevent_sleep() asks again under it. */
	return data_race(!(user->need_query | user->nr_listed[KEVENT_BACKLOG] |
			   user->nr_listed[KEVENT_DEFERRED] |
			   user->nr_listed[KEVENT_RECHECK] |
			   user->nr_listed[KEVENT_ROOM] |
			   user->nr_listed[KEVENT_SHARE] |
			   user->nr_listed[KEVENT_OWES] |
			   user->nr_listed[KEVENT_STEPS] |
			   user->nr_listed[KEVENT_REAP]));
}

/*
 * Sleep until the deadline, the end of the minimum wait, or until chosen; not if
 * the caller took the queue for @idle and it is not.  Return true if the deadline
 * has passed.  @unread is what the ring holds, or 0 if there is something to
 * collect.
 */
static bool kevent_sleep(struct kevent_user *user, u32 want,
			 struct kevent_wait_spec *spec, bool idle,
			 u32 *unread)
{
	struct kevent_waiter waiter;
	ktime_t expires = spec->deadline, *to = NULL;
	clockid_t clock = spec->clock;
	bool expired;

	if (spec->has_deadline)
		to = &expires;
	if (spec->min_wait_end &&
	    (!to || ktime_sub(spec->min_wait_end, ktime_get()) <
		    ktime_sub(spec->deadline, kevent_now(clock)))) {
		expires = spec->min_wait_end;
		clock = CLOCK_MONOTONIC;
		to = &expires;
	}

	spin_lock_irq(&user->lock);
	kevent_count_wait(user, spec);
	kevent_ring_refresh(user);
	*unread = kevent_ring_unread(user);
	if (*unread >= want || user->need_query || (idle && !kevent_is_idle(user)) ||
	    (user->nr_listed[KEVENT_BACKLOG] && kevent_ring_has_room(user))) {
		spin_unlock_irq(&user->lock);
		return spec->has_deadline &&
		       kevent_now(spec->clock) >= spec->deadline;
	}
	waiter.wait.private = current;
	waiter.want = want;
	waiter.promised = 0;
	waiter.query = false;
	/* Wakers look at the list under the lock: no barrier needed. */
	__set_current_state(TASK_INTERRUPTIBLE);
	list_add_tail(&waiter.wait.entry, &user->waiters);
	user->min_want = min(user->min_want, want);
	user->attention |= KEVENT_A_SLEEPERS;
	user->sleeps++;
	spin_unlock_irq(&user->lock);

	expired = !schedule_hrtimeout_range_clock(to, current->timer_slack_ns,
						  HRTIMER_MODE_ABS, clock);
	__set_current_state(TASK_RUNNING);

	spin_lock_irq(&user->lock);
	if (list_empty(&waiter.wait.entry)) {
		user->promised -= waiter.promised;
		if (waiter.query)
			user->query_woken = false;
		/*
		 * It may leave with an error: whom else is there to wake?  If not,
		 * the records it was woken for are its own.
		 */
		if (expired || signal_pending(current))
			kevent_wake_waiters(user, 0);
	} else {
		list_del(&waiter.wait.entry);
	}
	kevent_ring_refresh(user);
	/* Nobody else was woken for the query. */
	*unread = waiter.query ? 0 : kevent_ring_unread(user);
	spin_unlock_irq(&user->lock);
	return expired && to && expires == spec->deadline && clock == spec->clock;
}

/**
 * kevent_wait_ring - wait until the ring holds records
 * @user: the queue
 * @min_nr: how many
 * @spec: for how long
 *
 * Return: the number of unconsumed records, below @min_nr only after a timeout;
 * -EINTR if a signal is pending before there are enough.
 */
int kevent_wait_ring(struct kevent_user *user, u32 min_nr,
		     struct kevent_wait_spec *spec)
{
	bool timed_out = !spec->may_sleep, idle;
	u32 unread = 0, some, want;

	for (;;) {
		/* Nothing to collect: kevent_sleep() looks again, and at the ring. */
		idle = !unread && !timed_out && min_nr &&
		       kevent_is_idle(user) && !signal_pending(current);
		/*
		 * Who is woken because there are enough collected before.  Who asks
		 * for a number has as many looked at, whether it sleeps or not.  Who has
		 * no ring does not see PENDING, and is told of one if there is one.
		 */
		if (!idle && (unread < min_nr || !min_nr))
			unread = kevent_collect(user, min_nr ?: user->noring, spec);
		if (unread >= min_nr || timed_out)
			break;
		/* There cannot be more before the program gives memory back. */
		if (unread && data_race(user->data.refused))
			break;
		some = unread || spec->copied;
		if (!some || !spec->min_wait_ns) {
			spec->min_wait_end = 0;
		} else if (!spec->min_wait_end) {
			spec->min_wait_end = ktime_add_safe(ktime_get(),
							    spec->min_wait_ns);
		} else if (ktime_get() >= spec->min_wait_end) {
			break;
		}
		if (!idle && signal_pending(current))
			return -EINTR;
		/* A file that was closed here is not to be held by a sleeper. */
		if (task_work_pending(current))
			task_work_run();
		/* With the data area full there may never be more than one. */
		want = !some && (spec->min_wait_ns || data_race(user->data.refused)) ?
		       1 : min_nr;
		timed_out = kevent_sleep(user, want, spec, idle, &unread);
	}
	/* One that dies here takes nothing: wake another. */
	if (unlikely(fatal_signal_pending(current))) {
		spin_lock_irq(&user->lock);
		kevent_wake_waiters(user, 0);
		spin_unlock_irq(&user->lock);
	}
	return unread;
}

/*
 * Copy records of a queue without a mapping out and consume them.  What could
 * not be copied stays, and sets @fault.
 */
static int kevent_copy_records(struct kevent_user *user,
			       struct ukevent __user *buf, u32 max_nr,
			       bool may_sleep, bool *fault)
{
	struct ukevent chunk[16];
	u32 copied = 0, claimed = 0, left = 0, n = 0, i;

	/* Who must not sleep leaves the records to the one who copies now. */
	if (!may_sleep) {
		if (!mutex_trylock(&user->copy_mutex))
			return 0;
	} else if (mutex_lock_interruptible(&user->copy_mutex)) {
		/* It was chosen for records, perhaps: whom else is there to wake? */
		kevent_lock_irq(user);
		kevent_unlock_irq(user);
		return -EINTR;
	}
	do {
		kevent_lock_irq(user);
		user->promised -= claimed;
		/* Nobody else writes it: the copy mutex is held. */
		smp_store_release(user->consumer, *user->consumer + n); /* D */
		smp_mb(); /* E, before the program acts */
		kevent_ring_refresh(user);
		kevent_flush_backlog(user, KEVENT_PUBLISH_BATCH);
		claimed = left ? 0 : min3(kevent_ring_unread(user),
					  max_nr - copied,
					  (u32)ARRAY_SIZE(chunk));
		for (i = 0; i < claimed; i++)
			chunk[i] = user->ring->records[(user->consumed + i) &
						       user->mask];
		/* Nobody is to be woken for what is being copied. */
		user->promised += claimed;
		/*
		 * What now has room of its own, or may hold still, is for a sleeper
		 * to collect, or for one who is about to sleep.
		 */
		if (!claimed && (user->attention & KEVENT_A_PENDING ||
				 kevent_recheck_due(user)))
			user->need_query = true;
		kevent_unlock_irq(user);
		left = claimed ? copy_to_user(buf + copied, chunk,
					      claimed * sizeof(*chunk)) : 0;
		n = claimed - DIV_ROUND_UP(left, sizeof(*chunk));
		copied += n;
		*fault |= left;
		cond_resched();
	} while (claimed);
	mutex_unlock(&user->copy_mutex);
	return copied;
}

/**
 * kevent_wait_copy - wait for records and copy them to the program
 * @user: a queue without mappings
 * @buf: where to
 * @min_nr: wait for that many
 * @max_nr: room in @buf
 * @spec: for how long
 *
 * Return: the number copied, below @min_nr only after a timeout, a signal or a
 * fault; -EINTR or -EFAULT if that is none.
 */
int kevent_wait_copy(struct kevent_user *user, struct ukevent __user *buf,
		     u32 min_nr, u32 max_nr, struct kevent_wait_spec *spec)
{
	/* A minimum of 0 does not sleep, nor for a turn to copy. */
	bool may_sleep = spec->may_sleep && min_nr, fault = false;
	u32 need, missing;
	int ret;

	for (;;) {
		missing = min_nr > spec->copied ? min_nr - spec->copied : 0;
		need = min(missing, user->mask + 1);
		spec->budget = max_nr - spec->copied;
		ret = kevent_wait_ring(user, need, spec);
		if (ret < 0)
			return spec->copied ?: ret;
		/* Fewer than asked for: it was the timeout. */
		if (ret < need)
			missing = 0;
		ret = kevent_copy_records(user, buf + spec->copied,
					  max_nr - spec->copied,
					  may_sleep, &fault);
		if (ret < 0)
			return spec->copied ?: ret;
		spec->copied += ret;
		if (fault)
			return spec->copied ?: -EFAULT;
		/* Nor does who must not sleep wait for the one who copies now. */
		if (spec->copied >= min_nr || !missing || !(ret || may_sleep))
			return spec->copied;
	}
}
