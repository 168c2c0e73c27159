// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libkevent-epoll.so - look at an empty ring for a while before a sleep
 *
 * Who is woken soon after it fell asleep has paid for both: in ring mode a thread looks
 * at the ring first, for up to twice as long as it lately took, as long as sleeps are
 * shorter than the longest such time.  Else it does not look at all, but finds out from
 * time to time.
 */
#include <sched.h>

#include "shim.h"

/* Sleeps of which one is measured. */
#define KE_MEASURED	8

/* Times shorter than that part of the longest are not worth it. */
#define KE_SHORTEST	16

/* The longest time; 0 where whom it waits for could not run meanwhile. */
static uint64_t longest(void)
{
	static int processors;
	cpu_set_t set;

	if (!processors)
		processors = sched_getaffinity(0, sizeof(set), &set) ? 2 : CPU_COUNT(&set);
	return processors > 1 ? ke_spin_ns() : 0;
}

/**
 * ke_spin_begins - is the next sleep to be measured, after looking for a while?
 * @set: the set, locked
 *
 * Return: whether it is.
 */
bool ke_spin_begins(struct ke_set *set)
{
	return longest() && (set->spin_ns || !(++set->sleeps % KE_MEASURED));
}

/**
 * ke_spin_ended - what would have been the right time?
 * @set: the set, locked
 * @ns: how long it took until there was something, or ~0 if looking was in vain
 */
void ke_spin_ended(struct ke_set *set, uint64_t ns)
{
	const uint64_t most = longest(), least = most / KE_SHORTEST;

	if (ns <= most) {
		set->spin_ns = set->spin_ns * 2 < most ? set->spin_ns * 2 : most;
		if (set->spin_ns < least)
			set->spin_ns = least;
	} else {
		set->spin_ns /= 2;
		if (set->spin_ns < least)
			set->spin_ns = 0;
	}
}

static bool is_told(const struct ukevent_queue *q)
{
	return __atomic_load_n(q->producer, __ATOMIC_ACQUIRE) !=
	       __atomic_load_n(q->consumer, __ATOMIC_RELAXED) ||
	       __atomic_load_n(q->flags, __ATOMIC_RELAXED) & KEVENT_RING_PENDING;
}

/**
 * ke_spin - look at an empty ring for a while
 * @set: the set, not locked
 * @until: when to give up
 *
 * Return: whether there is something, or the kernel has something.
 */
bool ke_spin(const struct ke_set *set, uint64_t until)
{
	int i;

	do {
		for (i = 0; i < 64; i++) {
			if (is_told(&set->q))
				return true;
		}
	} while (ke_now_ns() < until);
	return false;
}
