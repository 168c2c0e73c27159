// SPDX-License-Identifier: GPL-2.0
/*
 * kevent source TIMER - high-resolution timers that post by themselves
 *
 * The hrtimer is only a wake-up.  What counts is @next, the first expiry nobody
 * was told of: a record, whenever it is published, tells how many periods have
 * passed since, and publishing starts the hrtimer again.  So a timer whose
 * records are unread, that is disabled or waits on the backlog costs nothing
 * until somebody looks, and no expiry is lost.
 *
 * Timers expire in the softirq: however many there are, and however fast they are
 * started again, interrupts stay open and the load ends up in a thread.
 *
 * All fields are under user->lock.  The hrtimer is started under it, by attaching,
 * by ENABLE and by whoever publishes, its own callback included.  It is cancelled
 * without the lock, when nobody publishes and so nobody starts it any more: by
 * REMOVE and the reaper, which queue close uses, as the interest is dead; by
 * MODIFY as it is NEW.
 */

#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/seq_file.h>
#include <linux/time_namespace.h>

#include "kevent.h"
#include "trigger.h"

/**
 * struct kevent_timer - an interest of type TIMER
 * @n: what interests named by numbers have
 * @timer: wakes at @next or later; not running while an expiry is untold
 * @next: first expiry not told, in host time of @timer's clock
 * @span: time until the first expiry, KTIME_MAX if it was given as a time
 * @period: ns between expirations, 0 for one only
 * @slack: ns that an expiry may be late
 * @told: there is one expiry only, and it was published
 */
struct kevent_timer {
	struct kevent_number	n;
	struct hrtimer		timer;
	ktime_t			next;
	ktime_t			span;
	u64			period;
	u64			slack;
	bool			told;
};

static struct kevent_timer *kevent_to_timer(const struct kevent *k)
{
	return container_of(kevent_to_number(k), struct kevent_timer, n);
}

static void kevent_timer_start(struct kevent_timer *t, ktime_t expires)
{
	hrtimer_start_range_ns(&t->timer, expires, t->slack, HRTIMER_MODE_ABS_SOFT);
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
	late = ktime_sub(hrtimer_cb_get_time(&t->timer), t->next);
	if (late > 0 && late >= t->period)
		expirations += div64_u64(late, t->period);
	data[0] = expirations;
	t->next = ktime_add_safe(t->next, expirations * t->period);
	/* Not all the time in interrupts: at least that long after @next. */
	if (t->period < KEVENT_TIMER_MIN_PERIOD)
		wait = roundup(KEVENT_TIMER_MIN_PERIOD, (u32)t->period);
	if (!(k->flags & KEVENT_ONESHOT))
		kevent_timer_start(t, ktime_add_safe(t->next, wait));
	return 0;
}

static enum hrtimer_restart kevent_timer_expired(struct hrtimer *timer)
{
	struct kevent *k = &container_of(timer, struct kevent_timer, timer)->n.k;

	trace_kevent_wake(k, KEVENT_TIMER_EXPIRED);
	kevent_trigger(k, KEVENT_TIMER_EXPIRED, kevent_timer_fill);
	/* If it was published, it was started again. */
	return HRTIMER_NORESTART;
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

/* The interest is NEW and its timer does not run. */
static s64 kevent_timer_attach(struct kevent *k,
			       const struct kevent_change *change,
			       const struct path *path)
{
	struct kevent_timer *t = kevent_to_timer(k);
	clockid_t clock = change->param[KEVENT_TIMER_CLOCK];
	ktime_t time = change->param[KEVENT_TIMER_TIME];
	bool absolute = change->flags & KEVENT_ABSTIME;
	s64 bits = 0;
	ktime_t now;

	/* A span is not changed by setting a clock. */
	if (!absolute && clock != CLOCK_BOOTTIME)
		clock = CLOCK_MONOTONIC;
	spin_lock_irq(&k->user->lock);
	k->pending = 0;		/* MODIFY forgets */
	hrtimer_init(&t->timer, clock, HRTIMER_MODE_ABS_SOFT);
	t->timer.function = kevent_timer_expired;
	t->period = change->param[KEVENT_TIMER_PERIOD];
	t->slack = change->param[KEVENT_TIMER_SLACK];
	t->told = false;
	now = hrtimer_cb_get_time(&t->timer);
	if (absolute) {
		t->span = KTIME_MAX;
		t->next = timens_ktime_to_host(clock, time);
	} else {
		t->span = time;
		t->next = ktime_add_safe(now, time);
	}
	if (now >= t->next)
		bits = KEVENT_TIMER_EXPIRED;
	else
		kevent_timer_start(t, t->next);
	spin_unlock_irq(&k->user->lock);
	return bits;
}

static void kevent_timer_detach(struct kevent *k)
{
	hrtimer_cancel(&kevent_to_timer(k)->timer);
}

/* ENABLE starts a timer again that has told its only expiry. */
static void kevent_timer_enable(struct kevent *k)
{
	struct kevent_timer *t = kevent_to_timer(k);

	if (!t->told || t->span == KTIME_MAX)
		return;
	t->told = false;
	t->next = ktime_add_safe(hrtimer_cb_get_time(&t->timer), t->span);
	kevent_timer_start(t, t->next);
}

static void kevent_timer_show(const struct kevent *k, struct seq_file *m)
{
	struct kevent_timer *t = kevent_to_timer(k);

	seq_printf(m, " clock: %d left: %lld period: %llu slack: %llu",
		   t->timer.base->clockid,
		   ktime_sub(t->next, hrtimer_cb_get_time(&t->timer)),
		   t->period, t->slack);
}

const struct kevent_source_ops kevent_timer_ops = {
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
