// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source TIMER - timers that post by themselves
 *
 * A timer is only a wake-up.  What counts is @next, the first expiry nobody was
 * told of: a record, whenever it is published, tells how many periods have passed
 * since, and publishing arms the timer again.  So a timer whose records are unread,
 * that is disabled or waits on the backlog costs nothing until somebody looks, and
 * no expiry is lost.
 *
 * The armed timers of a queue share one hrtimer for each clock, that of the one
 * that is due first: arming another, and disarming, is a change to a tree under
 * user->lock, and those that are due together expire together.
 *
 * They expire in the softirq, where interrupts are open.  However many there are,
 * and however fast they are armed again, tasks get at least half of the processor:
 * a callback handles %KEVENT_TIMER_BATCH timers, and those of one processor
 * together reserve as long a rest as they took, before which none that left
 * something over, or has used up %KEVENT_TIMER_DEBT, is called again.  What one
 * left over a wait does not wait for.
 *
 * All fields are under user->lock.  The hrtimer is started under it; it is cancelled
 * when the queue is freed.  It is active, or its callback runs or is about to, while
 * a timer is armed, for no later than the first of them is due and the rest is over.
 */

#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/timerqueue.h>

#include "kevent.h"
#include "trigger.h"

/* Timers that a callback handles; the lock is opened halfway. */
#define KEVENT_TIMER_BATCH	64
/* How long a rest, in ns, callbacks that left nothing over may owe. */
#define KEVENT_TIMER_DEBT	NSEC_PER_MSEC

/* End, on CLOCK_MONOTONIC, of the rest after the callbacks of this processor. */
static DEFINE_PER_CPU(ktime_t, kevent_timer_rest);

static const clockid_t kevent_clock_ids[] = {
	CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME, CLOCK_TAI
};

/**
 * struct kevent_clock - the timers of a queue on one clock
 * @user: the queue
 * @id: which clock
 * @running: the callback runs, and will start the hrtimer again
 * @hrtimer: wakes when the first of @armed is due, or before
 * @armed: by the latest time at which they are to expire
 */
struct kevent_clock {
	struct kevent_user	*user;
	clockid_t		id;
	bool			running;
	struct hrtimer		hrtimer;
	struct timerqueue_head	armed;
};

/**
 * struct kevent_timer - an interest of type TIMER
 * @n: what interests named by numbers have
 * @clock: its clock, NULL before it was attached
 * @node: in the clock's armed timers; not while an expiry is untold
 * @next: first expiry not told, in host time of the clock
 * @span: time until the first expiry, KTIME_MAX if it was given as a time
 * @period: ns between expirations, 0 for one only
 * @slack: ns that an expiry may be late
 * @due: when it may expire, if it is armed
 * @told: there is one expiry only, and it was published
 */
struct kevent_timer {
	struct kevent_number	n;
	struct kevent_clock	*clock;
	struct timerqueue_node	node;
	ktime_t			next;
	ktime_t			span;
	u64			period;
	u64			slack;
	ktime_t			due;
	bool			told;
};

static struct kevent_timer *kevent_to_timer(const struct kevent *k)
{
	return container_of(kevent_to_number(k), struct kevent_timer, n);
}

static ktime_t kevent_clock_now(struct kevent_clock *clock)
{
	return hrtimer_cb_get_time(&clock->hrtimer);
}

static struct kevent_timer *kevent_clock_first(struct kevent_clock *clock)
{
	struct timerqueue_node *node = timerqueue_getnext(&clock->armed);

	return node ? container_of(node, struct kevent_timer, node) : NULL;
}

static void kevent_clock_start(struct kevent_clock *clock,
			       const struct kevent_timer *first, ktime_t at)
{
	s64 slack = ktime_sub(first->node.expires, at);

	hrtimer_start_range_ns(&clock->hrtimer, at, max(slack, 0),
			       HRTIMER_MODE_ABS_SOFT);
}

static void kevent_timer_arm(struct kevent_timer *t, ktime_t due)
{
	struct kevent_clock *clock = t->clock;

	t->due = due;
	t->node.expires = ktime_add_safe(due, t->slack);
	if (timerqueue_add(&clock->armed, &t->node) && !clock->running)
		kevent_clock_start(clock, t, due);
}

/* An hrtimer that was for this one finds nothing, and is started for the next. */
static void kevent_timer_disarm(struct kevent_timer *t)
{
	if (RB_EMPTY_NODE(&t->node.node))
		return;
	timerqueue_del(&t->clock->armed, &t->node);
}

static u16 kevent_timer_fill(struct kevent *k, u32 bits, u64 data[2])
{
	struct kevent_timer *t = kevent_to_timer(k);
	u64 expirations = 1, wait = 0;
	s64 late;

	data[0] = 1;
	if (!t->period) {
		t->told = true;
		return 0;
	}
	/* Negative if the clock was set back meanwhile. */
	late = ktime_sub(kevent_clock_now(t->clock), t->next);
	if (late > 0 && late >= t->period)
		expirations += div64_u64(late, t->period);
	data[0] = expirations;
	t->next = ktime_add_safe(t->next, expirations * t->period);
	/* Not all the time in interrupts: at least that long after @next. */
	if (t->period < KEVENT_TIMER_MIN_PERIOD)
		wait = roundup(KEVENT_TIMER_MIN_PERIOD, (u32)t->period);
	if (!(k->flags & KEVENT_ONESHOT))
		kevent_timer_arm(t, ktime_add_safe(t->next, wait));
	return 0;
}

/*
 * Reserve the rest after what began at @start: how long from now it takes.  What
 * took very long did not run all the time.
 */
static ktime_t kevent_timer_reserve(ktime_t start)
{
	ktime_t now = ktime_get();
	ktime_t took = min(now - start, KEVENT_TIMER_DEBT);
	ktime_t end = max(__this_cpu_read(kevent_timer_rest), now - took) +
		      2 * took;

	__this_cpu_write(kevent_timer_rest, end);
	return end - now;
}

/* Handle half a batch of what is due: the first timer that is left. */
static struct kevent_timer *kevent_clock_run(struct kevent_clock *clock,
					     ktime_t now)
{
	unsigned int n = KEVENT_TIMER_BATCH / 2;
	struct kevent_timer *t;

	while ((t = kevent_clock_first(clock)) && t->due <= now && n--) {
		kevent_timer_disarm(t);
		trace_kevent_wake(&t->n.k, KEVENT_TIMER_EXPIRED);
		kevent_trigger_locked(&t->n.k, KEVENT_TIMER_EXPIRED,
				      kevent_timer_fill);
	}
	return t;
}

static enum hrtimer_restart kevent_clock_expired(struct hrtimer *hrtimer)
{
	struct kevent_clock *clock = container_of(hrtimer, struct kevent_clock,
						  hrtimer);
	struct kevent_user *user = clock->user;
	unsigned long irqflags = kevent_lock(user);
	ktime_t start = ktime_get(), now = kevent_clock_now(clock), rest, at;
	struct kevent_timer *t;

	/*
	 * Nobody has started it again.  Even if the clock was set back meanwhile,
	 * it has expired: else the softirq, which knows the time of before, would
	 * call us again and again until that time has come.
	 */
	if (!hrtimer_is_queued(hrtimer))
		now = max(now, hrtimer_get_softexpires(hrtimer));
	clock->running = true;
	t = kevent_clock_run(clock, now);
	if (t && t->due <= now) {
		kevent_unlock(user, irqflags);
		irqflags = kevent_lock(user);
		t = kevent_clock_run(clock, now);
	}
	clock->running = false;
	rest = kevent_timer_reserve(start);
	if (t) {
		at = t->due;
		if (at <= now || rest > KEVENT_TIMER_DEBT)
			at = max(at, ktime_add(kevent_clock_now(clock), rest));
		kevent_clock_start(clock, t, at);
		if (t->due <= now) {
			/* Who sleeps, or comes, has time of its own for them. */
			user->attention |= KEVENT_A_TIMERS;
			user->need_query = true;
			user->poll_due = true;
			kevent_ring_write_flags(user);
		}
	}
	kevent_unlock(user, irqflags);
	return HRTIMER_NORESTART;
}

/**
 * kevent_timer_catch_up - handle what callbacks have left over
 * @user: the queue, locked; the lock is opened now and then
 *
 * Process context, this is the caller's time.  What was started for the rest of
 * them stays so, lest the rest be cut short; what others arm while the lock is open
 * is started for them.
 */
void kevent_timer_catch_up(struct kevent_user *user)
{
	struct kevent_clock *clock;
	struct kevent_timer *t;
	ktime_t now;
	int i;

	user->attention &= ~KEVENT_A_TIMERS;
	kevent_ring_write_flags(user);
	for (i = 0; i < ARRAY_SIZE(kevent_clock_ids); i++) {
		clock = &user->clocks[i];
		now = kevent_clock_now(clock);
		for (;;) {
			clock->running = true;
			t = kevent_clock_run(clock, now);
			clock->running = false;
			if (!t || t->due > now)
				break;
			kevent_unlock_irq(user);
			cond_resched();
			kevent_lock_irq(user);
		}
	}
}

static int kevent_timer_check(const struct kevent_change *change)
{
	const __aligned_u64 *param = change->param;

	if (change->addr || param[KEVENT_TIMER_TIME] > KTIME_MAX ||
	    param[KEVENT_TIMER_PERIOD] > KTIME_MAX ||
	    param[KEVENT_TIMER_SLACK] > KTIME_MAX)
		return -EINVAL;
	switch (param[KEVENT_TIMER_CLOCK]) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return 0;
	}
	return -EINVAL;
}

/*
 * All clocks at once, by the first timer: MODIFY to another clock must not fail.
 * The queue's mutex is held.
 */
static int kevent_clocks_get(struct kevent_user *user)
{
	struct kevent_clock *clocks;
	int i;

	if (user->clocks)
		return 0;
	clocks = kcalloc(ARRAY_SIZE(kevent_clock_ids), sizeof(*clocks), KEVENT_GFP);
	if (!clocks)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(kevent_clock_ids); i++) {
		clocks[i].user = user;
		clocks[i].id = kevent_clock_ids[i];
		hrtimer_init(&clocks[i].hrtimer, clocks[i].id,
			     HRTIMER_MODE_ABS_SOFT);
		clocks[i].hrtimer.function = kevent_clock_expired;
		timerqueue_init_head(&clocks[i].armed);
	}
	user->clocks = clocks;
	return 0;
}

static struct kevent_clock *kevent_clock_of(struct kevent_user *user, clockid_t id)
{
	struct kevent_clock *clock = user->clocks;

	while (clock->id != id)
		clock++;
	return clock;
}

/**
 * kevent_timer_put_clocks - free what timers of a queue have shared
 * @user: the queue, about to be freed; it has no timers any more
 *
 * Waits for callbacks that run.
 */
void kevent_timer_put_clocks(struct kevent_user *user)
{
	int i;

	if (!user->clocks)
		return;
	for (i = 0; i < ARRAY_SIZE(kevent_clock_ids); i++)
		hrtimer_cancel(&user->clocks[i].hrtimer);
	kfree(user->clocks);
}

/* The interest is NEW and its timer is not armed. */
static s64 kevent_timer_attach(struct kevent *k,
			       const struct kevent_change *change,
			       union kevent_found *found)
{
	struct kevent_timer *t = kevent_to_timer(k);
	clockid_t clockid = change->param[KEVENT_TIMER_CLOCK];
	ktime_t time = change->param[KEVENT_TIMER_TIME];
	bool absolute = change->flags & KEVENT_ABSTIME;
	int ret = kevent_clocks_get(k->user);
	s64 bits = 0;
	ktime_t now;

	if (ret)
		return ret;
	/* A span is not changed by setting a clock. */
	if (!absolute && clockid != CLOCK_BOOTTIME)
		clockid = CLOCK_MONOTONIC;
	spin_lock_irq(&k->user->lock);
	k->pending = 0;		/* MODIFY forgets */
	t->clock = kevent_clock_of(k->user, clockid);
	timerqueue_init(&t->node);
	t->period = change->param[KEVENT_TIMER_PERIOD];
	t->slack = change->param[KEVENT_TIMER_SLACK];
	t->told = false;
	now = kevent_clock_now(t->clock);
	if (absolute) {
		t->span = KTIME_MAX;
		t->next = timens_ktime_to_host(clockid, time);
	} else {
		t->span = time;
		t->next = ktime_add_safe(now, time);
	}
	if (now >= t->next)
		bits = KEVENT_TIMER_EXPIRED;
	else
		kevent_timer_arm(t, t->next);
	spin_unlock_irq(&k->user->lock);
	return bits;
}

static void kevent_timer_detach(struct kevent *k)
{
	struct kevent_timer *t = kevent_to_timer(k);

	spin_lock_irq(&k->user->lock);
	if (t->clock)
		kevent_timer_disarm(t);
	spin_unlock_irq(&k->user->lock);
}

/* ENABLE starts a timer again that has told its only expiry. */
static void kevent_timer_enable(struct kevent *k)
{
	struct kevent_timer *t = kevent_to_timer(k);

	if (!t->told || t->span == KTIME_MAX)
		return;
	t->told = false;
	t->next = ktime_add_safe(kevent_clock_now(t->clock), t->span);
	kevent_timer_arm(t, t->next);
}

static void kevent_timer_show(const struct kevent *k, struct seq_file *m)
{
	struct kevent_timer *t = kevent_to_timer(k);

	seq_printf(m, " clock: %d left: %lld period: %llu slack: %llu",
		   t->clock->id,
		   ktime_sub(t->next, kevent_clock_now(t->clock)),
		   t->period, t->slack);
}

const struct kevent_source_ops kevent_timer_ops = {
	.type		= KEVENT_TYPE_TIMER,
	.name		= "timer",
	.size		= sizeof(struct kevent_timer),
	.identity	= KEVENT_IDENT_NUMBER,
	.restarts	= true,
	.valid_events	= KEVENT_TIMER_EXPIRED,
	.always_events	= KEVENT_TIMER_EXPIRED,
	.set_flags	= KEVENT_ABSTIME,
	.check		= kevent_timer_check,
	.attach		= kevent_timer_attach,
	.detach		= kevent_timer_detach,
	.fill		= kevent_timer_fill,
	.enable		= kevent_timer_enable,
	.show		= kevent_timer_show,
};
